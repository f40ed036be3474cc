// SPDX-License-Identifier: GPL-3.0-or-later
//! The bus name, and the paths of objects, both ways.

use std::fmt::Write as _;

use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// The name that the service owns.
pub const BUS_NAME: &str = "org.gnutelephony.SipWitch1";
/// The object of the service itself; all others lie below it.
pub const ROOT: &str = "/org/gnutelephony/SipWitch1";

/// The interface of the service itself.
pub const SIPWITCH_INTERFACE: &str = "org.gnutelephony.SipWitch1";
/// The interface of calls.
pub const CALL_INTERFACE: &str = "org.gnutelephony.SipWitch1.Call";
/// The interface of phones.
pub const PHONE_INTERFACE: &str = "org.gnutelephony.SipWitch1.Phone";
/// The interface of programs that are phones.
pub const ENDPOINT_INTERFACE: &str = "org.gnutelephony.SipWitch1.Endpoint";
/// The interface of extensions.
pub const EXTENSION_INTERFACE: &str = "org.gnutelephony.SipWitch1.Extension";
/// The interface of what is known of providers.
pub const PROVIDERS_INTERFACE: &str = "org.gnutelephony.SipWitch1.Providers";
/// The interface of accounts.
pub const ACCOUNT_INTERFACE: &str = "org.gnutelephony.SipWitch1.Account";
/// The interface of lines.
pub const LINE_INTERFACE: &str = "org.gnutelephony.SipWitch1.Line";
/// The interface of the rules of routing.
pub const RULES_INTERFACE: &str = "org.gnutelephony.SipWitch1.Rules";

/// The interface of the callers who are blocked.
pub const BLOCKING_INTERFACE: &str = "org.gnutelephony.SipWitch1.Blocking";

/// What the names of our errors begin with.
pub const ERROR_PREFIX: &str = "org.gnutelephony.SipWitch1.Error";

/// What an object path names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ObjectName {
    /// The service itself.
    Root,
    /// The call of this number.
    Call(u64),
    /// The phone of this number.
    Phone(u64),
    /// The extension of this number or name.
    Extension(String),
    /// The account of this id.
    Account(String),
}

impl ObjectName {
    /// Reads a path; none if it is not one of ours.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        if below.is_empty() {
            return Some(Self::Root);
        }
        let (kind, name) = below.strip_prefix('/')?.split_once('/')?;
        match kind {
            "call" => number(name).map(Self::Call),
            "phone" => number(name).map(Self::Phone),
            "extension" => unescape(name).map(Self::Extension),
            "account" => unescape(name).map(Self::Account),
            _ => None,
        }
    }

    /// The path of the object.
    #[must_use]
    pub fn path(&self) -> OwnedObjectPath {
        let path = match self {
            Self::Root => ROOT.to_owned(),
            Self::Call(number) => format!("{ROOT}/call/{number}"),
            Self::Phone(number) => format!("{ROOT}/phone/{number}"),
            Self::Extension(number) => format!("{ROOT}/extension/{}", escape(number)),
            Self::Account(id) => format!("{ROOT}/account/{}", escape(id)),
        };
        ObjectPath::try_from(path)
            .expect("escaping leaves only what a path element may have")
            .into()
    }
}

/// Only the spelling that [`ObjectName::path`] gives, so that one object has one path.
fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number}") == text).then_some(number)
}

/// Writes any text as one element of an object path. An underscore stands before the two
/// hexadecimal digits of each byte that an element cannot have, and alone for the empty text.
fn escape(text: &str) -> String {
    if text.is_empty() {
        return "_".into();
    }
    let mut element = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            element.push(char::from(byte));
        } else {
            write!(element, "_{byte:02x}").expect("a String takes whatever is written");
        }
    }
    element
}

fn unescape(element: &str) -> Option<String> {
    if element == "_" {
        return Some(String::new());
    }
    let mut bytes = element.bytes();
    let mut text = Vec::with_capacity(element.len());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'_' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            plain => plain,
        });
    }
    let text = String::from_utf8(text).ok()?;
    (escape(&text) == element).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_or_name_has_a_path_of_its_own_and_comes_back() {
        for (number, element) in [
            ("101", "101"),
            ("anna", "anna"),
            ("Anna", "Anna"),
            ("*97", "_2a97"),
            ("a.b-c", "a_2eb_2dc"),
            ("under_score", "under_5fscore"),
            ("zoë", "zo_c3_ab"),
            ("a/b", "a_2fb"),
            ("", "_"),
        ] {
            let name = ObjectName::Extension(number.into());
            let path = name.path();
            assert_eq!(path.as_str(), format!("{ROOT}/extension/{element}"));
            assert_eq!(ObjectName::from_path(path.as_str()), Some(name));
        }
        for name in [
            ObjectName::Root,
            ObjectName::Call(0),
            ObjectName::Phone(u64::MAX),
            ObjectName::Account("dus-net".into()),
        ] {
            assert_eq!(ObjectName::from_path(name.path().as_str()), Some(name));
        }
    }

    #[test]
    fn a_path_that_we_do_not_give_names_nothing() {
        for below in [
            "/",
            "x",
            "/call",
            "/call/",
            "/call/01",
            "/call/+1",
            "/call/x",
            "/call/1/2",
            "/phone/18446744073709551616",
            "/line/1",
            "/extension/",
            "/extension/a_2",
            "/extension/_31",
            "/extension/_C3_AB",
            "/extension/_ff",
            "/extension/a_",
        ] {
            assert_eq!(ObjectName::from_path(&format!("{ROOT}{below}")), None, "{below}");
        }
        assert_eq!(ObjectName::from_path("/org/example"), None);
    }
}
