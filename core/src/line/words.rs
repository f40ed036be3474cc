// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines in words: stable ones for programs, sentences for people.

use std::fmt;

use super::{DialFormat, Down, EmergencyAbility, LineKind, LineState, Security};

impl LineKind {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Gateway { .. } => "gateway",
            Self::Gsm => "gsm",
            Self::Modem => "modem",
            Self::Trunk => "trunk",
        }
    }
}

impl LineState {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down(_) => "down",
            Self::EmergencyOnly => "emergency-only",
            Self::Up => "up",
        }
    }
}

impl Down {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyringLocked => "keyring-locked",
            Self::NeedsPassword => "needs-password",
            Self::NotRegistered => "not-registered",
            Self::Off => "off",
            Self::Refused => "refused",
            Self::Registering => "registering",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyringLocked => "the keyring with its password is locked",
            Self::NeedsPassword => "it needs a password",
            Self::NotRegistered => "the gateway is not registered",
            Self::Off => "it is switched off",
            Self::Refused => "the provider refuses the account",
            Self::Registering => "it is not registered yet",
            Self::Unreachable => "nothing is heard from it",
        })
    }
}

impl EmergencyAbility {
    /// Its stable lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocationRequired => "location-required",
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        }
    }
}

impl Security {
    /// Its stable lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndToEnd => "end-to-end",
            Self::Hop => "hop",
            Self::None => "none",
        }
    }
}

impl DialFormat {
    /// Its stable lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::E164 => "e164",
            Self::E164Plus => "e164-plus",
            Self::International => "00",
            Self::National => "national",
        }
    }
}
