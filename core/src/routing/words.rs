// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes in words: causes for phones, sentences for people.

use std::fmt;

use super::{Because, Rejected, Why};
use crate::cause::Cause;

impl Why {
    /// What the caller's phone is told when nothing better was found.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::CallersOwnPhone | Self::NotRegistered => Cause::not_registered(),
            Self::EmergencyWithoutLine => Cause::no_emergency_line(),
            Self::EmptyGroup | Self::Unknown => Cause::not_found(),
            Self::NoLine => Cause::no_line(),
            Self::TooLarge => Cause::too_many_hops(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CallersOwnPhone => "it is the phone that calls",
            Self::EmergencyWithoutLine => {
                "it is an emergency number, and no line here can carry an emergency call"
            }
            Self::EmptyGroup => "the group has no members",
            Self::NoLine => "no line leads there",
            Self::NotRegistered => "no phone is registered for it",
            Self::TooLarge => "more would ring than one call may ring",
            Self::Unknown => "there is no such extension",
        })
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(number) => write!(f, "extension {number} was dialled"),
            Self::Group(number) => write!(f, "group {number} was dialled, all its phones ring"),
            Self::Member { group, member } => {
                write!(f, "group {group} was dialled, it is the turn of {member}")
            }
            Self::Service(number) => write!(f, "service {number} was dialled"),
        }
    }
}

impl Because {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Extension(_) => "extension",
            Self::Group(_) => "group",
            Self::Member { .. } => "member",
            Self::Service(_) => "service",
        }
    }
}

impl Why {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallersOwnPhone => "callers-own-phone",
            Self::EmergencyWithoutLine => "emergency-without-line",
            Self::EmptyGroup => "empty-group",
            Self::NoLine => "no-line",
            Self::NotRegistered => "not-registered",
            Self::TooLarge => "too-large",
            Self::Unknown => "unknown",
        }
    }
}
