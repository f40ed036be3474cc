// SPDX-License-Identifier: GPL-3.0-or-later
//! Where media is wanted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::{Fault, word};

/// An address or a name, of a `c=` line (RFC 8866 §5.7) or of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, which somebody has to look up: `pbx.example.org`, or `….local` of a browser.
    Name(String),
}

impl Host {
    /// The address, if it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// Whether this is `0.0.0.0` or `::`: an address nothing can be sent to.
    #[must_use]
    pub const fn is_nowhere(&self) -> bool {
        match self {
            Self::Ip(address) => address.is_unspecified(),
            Self::Name(_) => false,
        }
    }

    /// An address, or else a name.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let name = !text.is_empty() && text.len() <= 255 && text.chars().all(of_a_name);
        name.then(|| Self::Name(text.to_owned()))
    }

    /// `IN IP4 192.0.2.1`, with or without `/TTL`; the family is that of the address, whatever the
    /// peer calls it.
    pub(super) fn of_connection(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (network, _family, address) = (words.next()?, words.next()?, words.next()?);
        if !network.eq_ignore_ascii_case("IN") {
            return None;
        }
        Self::read(address.split('/').next()?)
    }

    /// As `IN IP4 192.0.2.1`.
    pub(super) fn connection(&self) -> Result<String, Fault> {
        match self.checked()? {
            Self::Ip(address) => Ok(connection_to(*address)),
            // Whoever looks it up finds out of which family it is.
            Self::Name(name) => Ok(format!("IN IP4 {name}")),
        }
    }

    pub(super) fn checked(&self) -> Result<&Self, Fault> {
        if let Self::Name(name) = self {
            word(name, "the name of a host")?;
        }
        Ok(self)
    }
}

/// `IN IP4 192.0.2.1`.
pub(super) fn connection_to(address: IpAddr) -> String {
    let family = if address.is_ipv6() { "IP6" } else { "IP4" };
    format!("IN {family} {address}")
}

impl Default for Host {
    /// Nowhere.
    fn default() -> Self {
        Self::Ip(Ipv4Addr::UNSPECIFIED.into())
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
