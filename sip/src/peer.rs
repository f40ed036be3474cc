// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is at the other end of a connection, by what it showed and what that proves.

use std::{fmt, sync::Arc};

/// The SHA-256 of a public key, by which it is known again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPrint(pub [u8; 32]);

impl fmt::Display for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPrint({self})")
    }
}

/// Who the far end of a TLS connection is. It has the key that goes with what it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerIdentity {
    /// It showed nothing, as clients need not.
    Nobody,
    /// It is these SIP domains (RFC 5922 §7.1): an authority that this machine trusts says so.
    Proven {
        /// In lower case.
        domains: Arc<[Arc<str>]>,
        /// Its key.
        key: KeyPrint,
    },
    /// It says that it is these, and nobody trusted says so.
    Claimed {
        /// In lower case.
        domains: Arc<[Arc<str>]>,
        /// What is wrong with the certificate, in words.
        why: String,
        /// Its key; None where it cannot be read.
        key: Option<KeyPrint>,
    },
}

impl PeerIdentity {
    /// Whether it is that domain for sure.
    #[must_use]
    pub fn proves(&self, domain: &str) -> bool {
        match self {
            Self::Proven { domains, .. } => is_among(domain, domains),
            Self::Claimed { .. } | Self::Nobody => false,
        }
    }

    /// Whether it says to be that domain, with or without proof.
    #[must_use]
    pub fn claims(&self, domain: &str) -> bool {
        match self {
            Self::Proven { domains, .. } | Self::Claimed { domains, .. } => {
                is_among(domain, domains)
            }
            Self::Nobody => false,
        }
    }
}

/// Names are compared whole: neither a suffix nor a wildcard is enough (RFC 5922 §7.2).
fn is_among(domain: &str, domains: &[Arc<str>]) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    domains.iter().any(|its| its.eq_ignore_ascii_case(domain))
}
