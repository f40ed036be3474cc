// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

/// Who is meant by the host part of a URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A numeric address, which needs no name server.
    Address(IpAddr),
    /// A domain or host name in lower case, without the dot at its end.
    Name(Arc<str>),
}

/// A text that can be neither a numeric address nor a name in the DNS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAHost {
    /// Nothing stands there.
    #[error("the host name is empty")]
    Empty,
    /// RFC 1035 §2.3.4.
    #[error("a host name has at most 253 letters, and this one has {0}")]
    TooLong(usize),
    /// RFC 1035 §2.3.4.
    #[error("the part {0:?} of the host name is empty or longer than 63 letters")]
    BadLabel(String),
    /// Not a letter, digit, hyphen or underscore.
    #[error("{0:?} cannot stand in a host name; write international names in their xn-- form")]
    BadLetter(char),
    /// All digits and dots, but no address.
    #[error("{0:?} is neither an address nor a name")]
    NotAnAddress(String),
}

/// The longest name as text, without the dot at its end: 255 octets on the wire (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 253;
/// The longest part between two dots.
const LONGEST_LABEL: usize = 63;

impl Host {
    /// The name as it is looked up, or the address as text.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Address(address) => address.to_string().into(),
            Self::Name(name) => Arc::clone(name),
        }
    }
}

impl FromStr for Host {
    type Err = NotAHost;

    /// Reads an address, with or without the brackets of an IPv6 reference, or a name.
    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        check_name(text).map(Self::Name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A name of the DNS in lower case and without the dot at its end.
pub(super) fn check_name(text: &str) -> Result<Arc<str>, NotAHost> {
    let name = text.strip_suffix('.').unwrap_or(text);
    match name.len() {
        0 => return Err(NotAHost::Empty),
        1..=LONGEST_NAME => {}
        long => return Err(NotAHost::TooLong(long)),
    }
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if let Some(bad) = name.chars().find(|letter| !is_good(*letter)) {
        return Err(NotAHost::BadLetter(bad));
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > LONGEST_LABEL {
            return Err(NotAHost::BadLabel(label.to_owned()));
        }
    }
    // A top level domain has letters (RFC 3696 §2): this is an address with a mistake in it.
    if name.rsplit('.').next().is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit())) {
        return Err(NotAHost::NotAnAddress(name.to_owned()));
    }
    Ok(name.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("Example.ORG.", "example.org"),
            ("_sip._udp.example.org", "_sip._udp.example.org"),
            ("4.3.2.1.e164.arpa", "4.3.2.1.e164.arpa"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_says_why() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(127) + "a";
        for (text, expected) in [
            ("", NotAHost::Empty),
            (".", NotAHost::Empty),
            ("a..b", NotAHost::BadLabel(String::new())),
            (".a", NotAHost::BadLabel(String::new())),
            (&long_label, NotAHost::BadLabel(long_label.clone())),
            (&long_name, NotAHost::TooLong(255)),
            ("exa mple.org", NotAHost::BadLetter(' ')),
            ("[example.org]", NotAHost::BadLetter('[')),
            ("bücher.example", NotAHost::BadLetter('ü')),
            ("192.0.2", NotAHost::NotAnAddress("192.0.2".to_owned())),
            ("300.1.1.1", NotAHost::NotAnAddress("300.1.1.1".to_owned())),
        ] {
            assert_eq!(text.parse::<Host>(), Err(expected), "{text}");
        }
    }
}
