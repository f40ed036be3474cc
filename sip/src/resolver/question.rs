// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// What a name server is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The whole name in lower case, without the dot at its end. It is never completed by a search
    /// domain.
    pub name: Arc<str>,
    /// The records wanted of it.
    pub kind: Kind,
    /// Whether the hosts file may answer.
    pub hosts_file: bool,
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Which services a domain has, and in which order they are preferred (RFC 3403).
    Naptr,
    /// Which hosts serve (RFC 2782).
    Srv,
}

impl Kind {
    /// The name in a zone file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// One record of an answer. Nothing in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is, as text.
    pub owner: String,
    /// What it says.
    pub data: Data,
}

/// What a record says. Names are text as they came, with or without the dot at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The owner is another name for this one.
    Cname(String),
    /// See [`Naptr`].
    Naptr(Naptr),
    /// See [`Srv`].
    Srv(Srv),
}

/// A rule that makes of one name another, or a URI (RFC 3403 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// The lowest first.
    pub order: u16,
    /// Among those of one order the lowest first.
    pub preference: u16,
    /// What follows: `s` SRV records, `u` a URI.
    pub flags: String,
    /// What for: `SIP+D2U`, `E2U+sip` and the like.
    pub services: String,
    /// How the result is made, where there is no replacement.
    pub regexp: String,
    /// The next name, or the root.
    pub replacement: String,
}

/// A host that serves (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// The lowest first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// The host, or the root for "no such service here".
    pub target: String,
}

/// What came of a question.
pub type Answer = Result<Vec<Record>, NoAnswer>;

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The name has none of this kind.
    #[error("no records")]
    NoRecords,
    /// There is no such name.
    #[error("no such name")]
    NoSuchName,
    /// The name servers could not say; with their words or ours.
    #[error("{0}")]
    Failed(String),
    /// None answered.
    #[error("no answer in time")]
    TimedOut,
}

impl NoAnswer {
    /// Whether this is a fact about the name. Anything else may be different at the next try.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::NoRecords | Self::NoSuchName)
    }
}
