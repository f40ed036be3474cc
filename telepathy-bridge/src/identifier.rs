// SPDX-License-Identifier: GPL-3.0-or-later
//! How contacts are written towards Telepathy.
//!
//! A number is its digits without a scheme (`+4930123456`, `101`, `*21#`), a name of the house its
//! lower-case letters, everybody else a `sip:` or `sips:` address. Logs, address books and channels
//! of clients go by this text, so that it never changes.

use sipwitch_core::contact::Contact;

use crate::error::{Error, Name};

/// Who calls without saying who (RFC 3323 §4.1.1.3).
pub(crate) const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// The fields of an address book that can be called.
pub(crate) const VCARD_FIELDS: &[&str] = &["tel", "x-sip"];
/// The schemes of addresses that can be called.
pub(crate) const SCHEMES: &[&str] = &["tel", "sip", "sips"];

/// The normal form of what a client writes. An address of the house's own domain is its user part:
/// the same contact has one identifier.
///
/// # Errors
/// `InvalidHandle`, with what is wrong.
pub(crate) fn normal(text: &str, domain: &str) -> Result<String, Error> {
    let contact: Contact =
        text.parse().map_err(|error| Name::InvalidHandle.because(format!("{error}")))?;
    if let Contact::Sip(address) = &contact
        && address.port.is_none()
        && !domain.is_empty()
        && address.host.eq_ignore_ascii_case(domain)
        && let Ok(inner @ (Contact::Name(_) | Contact::Number(_))) = address.user.parse()
    {
        return Ok(inner.to_string());
    }
    Ok(contact.to_string())
}

/// The normal form of what a client of a provider writes: a name is one at the provider's domain, and
/// stays as it is written there; a number is a number, with that domain or without.
///
/// # Errors
/// `InvalidHandle`, with what is wrong.
pub(crate) fn normal_at(text: &str, domain: &str) -> Result<String, Error> {
    let contact: Contact =
        text.parse().map_err(|error| Name::InvalidHandle.because(format!("{error}")))?;
    Ok(match contact {
        Contact::Name(_) => format!("sip:{}@{domain}", text.trim()),
        Contact::Sip(address)
            if address.port.is_none() && address.host.eq_ignore_ascii_case(domain) =>
        {
            match address.user.parse() {
                Ok(Contact::Number(number)) => number.as_str().to_owned(),
                _ => address.to_string(),
            }
        }
        Contact::Number(_) | Contact::Service(_) | Contact::Sip(_) => contact.to_string(),
    })
}

/// The normal form of an address with a scheme, for `NormalizeContactURI`.
///
/// # Errors
/// `NotImplemented` for a scheme we do not call, `InvalidArgument` for a bad address.
pub(crate) fn normal_uri(uri: &str) -> Result<String, Error> {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme {
        Some(scheme) if SCHEMES.contains(&scheme.as_str()) => {
            let normal = normal(uri, "").map_err(as_argument)?;
            Ok(if scheme == "tel" { format!("tel:{normal}") } else { normal })
        }
        Some(scheme) => Err(Name::NotImplemented.because(format!("{scheme}: is not called here"))),
        None => Err(Name::InvalidArgument.because(format!("{uri:?} has no scheme"))),
    }
}

/// The normal form of a field of an address book.
///
/// # Errors
/// `NotImplemented` for a field we do not call, `InvalidArgument` for a bad address.
pub(crate) fn normal_vcard(field: &str, address: &str) -> Result<String, Error> {
    match field.to_ascii_lowercase().as_str() {
        "tel" => match normal(&format!("tel:{address}"), "") {
            Ok(number) => Ok(number),
            Err(error) => Err(as_argument(error)),
        },
        "x-sip" => {
            let normal = normal(address, "").map_err(as_argument)?;
            if normal.starts_with("sip") && normal.contains(':') {
                Ok(normal)
            } else {
                Err(Name::InvalidArgument.because(format!("{address:?} has no domain")))
            }
        }
        other => Err(Name::NotImplemented.because(format!("{other} is not called here"))),
    }
}

fn as_argument(error: Error) -> Error {
    Error { name: Name::InvalidArgument, ..error }
}

/// The addresses of an identifier, each by its field of an address book, as it stands there, and
/// with a scheme. A name of the house has one where the domain of the house is known.
pub(crate) fn addresses(identifier: &str, domain: &str) -> Vec<(&'static str, String, String)> {
    if identifier == ANONYMOUS {
        return Vec::new();
    }
    if identifier.starts_with("sip:") || identifier.starts_with("sips:") {
        return vec![("x-sip", identifier.to_owned(), identifier.to_owned())];
    }
    if identifier.starts_with(|c: char| c.is_ascii_digit() || "+*#".contains(c)) {
        return vec![("tel", identifier.to_owned(), format!("tel:{identifier}"))];
    }
    if domain.is_empty() {
        return Vec::new();
    }
    let address = format!("sip:{identifier}@{domain}");
    vec![("x-sip", address.clone(), address)]
}
