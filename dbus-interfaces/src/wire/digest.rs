// SPDX-License-Identifier: GPL-3.0-or-later
//! What crosses the bus about digests.

use std::{fmt, str::FromStr};

use zbus::zvariant::{DeserializeDict, OwnedValue, SerializeDict, Signature, Str, Type, Value};

use super::UnknownWord;

words! {
    /// Why what is kept is not used.
    DigestProblem, "problem of a digest" {
        /// It is for another realm than that of the database.
        OtherRealm = "other-realm",
        /// The user of that name had another number then.
        OtherPerson = "other-person",
        /// There is no user of that name.
        NoSuchUser = "no-such-user",
    }
}

words! {
    /// Of which password a digest is.
    DigestSource, "source of a digest" {
        /// That of the login.
        Login = "login",
        /// One for SIP alone.
        Separate = "separate",
        /// Something of a later version.
        Unknown = "unknown",
    }
}

/// What is kept of a user.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct DigestStatus {
    /// The login name.
    pub user: String,
    /// The number of the user.
    pub uid: u32,
    /// Whether responses are held against a digest of the user's.
    pub enrolled: bool,
    /// Why what is kept is not used.
    pub problem: Option<DigestProblem>,
    /// The realm of what is kept; empty if nothing is.
    pub realm: String,
    /// The algorithms of what is kept, the strongest first.
    pub algorithms: Vec<String>,
    /// Of which password it is; none if nothing is kept.
    pub source: Option<DigestSource>,
    /// Since 1970; 0 if nothing is kept.
    pub changed_at_microseconds: u64,
    /// The file that is the database.
    pub path: String,
    /// Whether that is the second place.
    pub fallback: bool,
    /// For how long `TooManyFailures` is the answer.
    pub wait_seconds: u32,
}
