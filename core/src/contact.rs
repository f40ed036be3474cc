// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user dials, understood once, at the door.
//!
//! Digits with or without the usual separators, names, `tel:` (RFC 3966), `sip:` and `sips:`
//! (RFC 3261 §19.1), `user@domain`, and `urn:service:sos` (RFC 5031). Everything behind the door
//! holds a [`Contact`], never the text.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

/// The longest contact taken, in bytes.
pub const MAX_CONTACT: usize = 256;
/// The most digits a number may have: an international number has 15 (E.164), prefixes and
/// suffixes dialled through come on top.
pub const MAX_DIGITS: usize = 40;

/// What the user dials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Contact {
    /// A name of the house, in lower case.
    Name(String),
    /// Digits.
    Number(Number),
    /// An emergency service (RFC 5031), such as `sos` or `sos.fire`, in lower case.
    Service(String),
    /// An address with a domain.
    Sip(Address),
}

/// Digits as dialled: `0`–`9`, `*` and `#`, with a `+` before an international number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// The digits, with the `+` if there is one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an international number (E.164).
    #[must_use]
    pub fn is_international(&self) -> bool {
        self.0.starts_with('+')
    }
}

/// A SIP address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Whether every hop is to be secured (`sips:`).
    pub secure: bool,
    /// The user part, escapes undone; empty where only a host was given.
    pub user: String,
    /// The domain, IPv4 or bracketed IPv6 address, in lower case.
    pub host: String,
    /// The port, where one was given.
    pub port: Option<u16>,
}

/// Why a text is no contact. Each names what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseContactError {
    /// Nothing to dial.
    #[error("the contact is empty: give a number, a name or an address")]
    Empty,
    /// A domain or address that cannot be one.
    #[error("{0:?} is not a domain or an address")]
    Host(String),
    /// A character that has no place where it stands.
    #[error("character {0:?} has no place in a contact")]
    Letter(char),
    /// A number with no digit in it.
    #[error("{0:?} has no digit in it")]
    NoDigit(String),
    /// A port that is not one.
    #[error("{0:?} is not a port")]
    Port(String),
    /// A scheme that is not understood.
    #[error("{0:?} is not a kind of address this service calls: use sip:, sips: or tel:")]
    Scheme(String),
    /// Longer than [`MAX_CONTACT`] or [`MAX_DIGITS`].
    #[error("the contact is {0} long, more than the {1} allowed")]
    TooLong(usize, usize),
}

impl std::str::FromStr for Contact {
    type Err = ParseContactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::contact(text)
    }
}

impl Contact {
    /// The words an extension could be found by: the digits, the name, or the user part.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Name(name) | Self::Service(name) => name,
            Self::Number(number) => number.as_str(),
            Self::Sip(address) => &address.user,
        }
    }

    /// The contact with its middle hidden, for logs.
    #[must_use]
    pub const fn redacted(&self) -> Redacted<'_> {
        Redacted(self)
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => f.write_str(number.as_str()),
            Self::Service(service) => write!(f, "urn:service:{service}"),
            Self::Sip(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if !self.user.is_empty() {
            for byte in self.user.bytes() {
                // RFC 3261 §25.1: unreserved and user-unreserved stand for themselves.
                if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
                    write!(f, "{}", byte as char)?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Shows enough of a contact to tell two apart, and not whom somebody called: `+49…78`.
#[derive(Debug, Clone, Copy)]
pub struct Redacted<'a>(&'a Contact);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Contact::Service(service) => write!(f, "urn:service:{service}"),
            Contact::Name(text) => hide(text, f),
            Contact::Number(number) => hide(number.as_str(), f),
            Contact::Sip(address) => {
                hide(&address.user, f)?;
                write!(f, "@{}", address.host)
            }
        }
    }
}

/// Words of up to four characters (extensions, emergency numbers) are shown whole.
fn hide(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let length = text.chars().count();
    if length <= 4 {
        return f.write_str(text);
    }
    let (head, tail) = if length > 7 { (3, 2) } else { (1, 1) };
    text.chars().take(head).try_for_each(|c| write!(f, "{c}"))?;
    f.write_str("…")?;
    text.chars().skip(length - tail).try_for_each(|c| write!(f, "{c}"))
}
