// SPDX-License-Identifier: GPL-3.0-or-later
//! From text to [`Contact`].

use super::{Address, Contact, MAX_CONTACT, MAX_DIGITS, Number, ParseContactError as Error};
use crate::routing::emergency;

/// What people and programs put between digits (RFC 3966 §5.1.1, and the slash of Germany).
const SEPARATORS: &[char] = &[' ', '\t', '-', '.', '(', ')', '/', '\u{a0}', '\u{2011}'];

pub(super) fn contact(text: &str) -> Result<Contact, Error> {
    if text.len() > MAX_CONTACT {
        return Err(Error::TooLong(text.len(), MAX_CONTACT));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(stray) = text.chars().find(|c| c.is_control()) {
        return Err(Error::Letter(stray));
    }
    if let Some((scheme, rest)) = scheme(text) {
        return match scheme.as_str() {
            "sip" => address(false, rest).map(Contact::Sip),
            "sips" => address(true, rest).map(Contact::Sip),
            "tel" => telephone(rest),
            "urn" => service(rest),
            _ => Err(Error::Scheme(scheme)),
        };
    }
    if text.contains('@') {
        return address(false, text).map(Contact::Sip);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "+*#(".contains(c)) {
        return number(text).map(Contact::Number);
    }
    name(text).map(Contact::Name)
}

/// A scheme is letters before a colon. `host:5060` has a dot, an address or a digit after it and
/// is no contact anyway.
fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn number(text: &str) -> Result<Number, Error> {
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' | '*' | '#' => digits.push(c),
            '+' if digits.is_empty() => digits.push(c),
            _ if SEPARATORS.contains(&c) => {}
            _ => return Err(Error::Letter(c)),
        }
    }
    let count = digits.trim_start_matches('+').len();
    match count {
        0 => Err(Error::NoDigit(text.into())),
        1..=MAX_DIGITS => Ok(Number(digits)),
        _ => Err(Error::TooLong(count, MAX_DIGITS)),
    }
}

/// RFC 3966. A local number is read in its context where that is the beginning of international
/// numbers (§5.1.5); where it is a domain, or there is none, it is called from our own network.
fn telephone(rest: &str) -> Result<Contact, Error> {
    let mut parts = rest.split(';');
    let digits = parts.next().unwrap_or_default();
    if digits.is_empty() {
        return Err(Error::Empty);
    }
    let digits = unescape(digits)?;
    let context = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("phone-context").then_some(value.trim())
    });
    match context {
        // An emergency number is one in whatever country the context names.
        Some(context)
            if context.starts_with('+')
                && !digits.starts_with('+')
                && !emergency::is_number_anywhere(&digits) =>
        {
            number(&format!("{context}{digits}")).map(Contact::Number)
        }
        _ => number(&digits).map(Contact::Number),
    }
}

/// RFC 5031: emergency services alone; no other service can be called by its name.
fn service(rest: &str) -> Result<Contact, Error> {
    let lower = rest.to_ascii_lowercase();
    let name = lower.strip_prefix("service:").unwrap_or_default();
    let is_emergency = name == "sos" || name.starts_with("sos.");
    if !is_emergency {
        return Err(Error::Scheme(format!("urn:{rest}")));
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-.".contains(*c))) {
        Some(stray) => Err(Error::Letter(stray)),
        None => Ok(Contact::Service(name.into())),
    }
}

fn name(text: &str) -> Result<String, Error> {
    let lower = text.to_lowercase();
    match lower.chars().find(|c| !(c.is_alphanumeric() || "-_.*#+".contains(*c))) {
        Some(stray) => Err(Error::Letter(stray)),
        None => Ok(lower),
    }
}

fn address(secure: bool, rest: &str) -> Result<Address, Error> {
    // Parameters may follow the host; the user part may contain `;` and `?` of its own.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (user, rest),
        None => ("", rest),
    };
    let place = rest.split([';', '?']).next().unwrap_or_default();
    // A password in a URI is obsolete and nobody's business (RFC 3261 §19.1.1). Parameters of the
    // user part (`;phone-context=`) concern gateways.
    let user = unescape(user.split([':', ';']).next().unwrap_or_default())?;
    if let Some(stray) = user.chars().find(|c| c.is_control() || " <>\"@".contains(*c)) {
        return Err(Error::Letter(stray));
    }
    let (host, port) = host_and_port(place)?;
    Ok(Address { secure, user, host, port })
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), Error> {
    let no_host = || Error::Host(place.into());
    let (host, port) = if place.starts_with('[') {
        let (host, after) = place.split_once(']').ok_or_else(no_host)?;
        let address: std::net::Ipv6Addr = host[1..].parse().map_err(|_| no_host())?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or_else(no_host)?),
        };
        (format!("[{address}]"), port)
    } else {
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.is_empty() || name.len() > 253 || !name.split('.').all(label) {
            return Err(Error::Host(host.into()));
        }
        (name.to_lowercase(), port)
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(number @ 1..) => Some(number),
            _ => return Err(Error::Port(port.into())),
        },
    };
    Ok((host, port))
}

/// Undoes `%41` (RFC 3261 §19.1.2).
fn unescape(text: &str) -> Result<String, Error> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| (b as char).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(Error::Letter('%')),
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::Letter('%'))
}
