// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers who are blocked.

use zbus::zvariant::{DeserializeDict, SerializeDict, Type};

/// A caller on the list.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct BlockedInfo {
    /// Who, as it is kept.
    pub caller: String,
    /// Why, in the user's words; may be empty.
    pub reason: String,
    /// Since when.
    pub since_microseconds: u64,
}

/// Options of `Blocking.Add`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct BlockOptions {
    /// Why.
    pub reason: Option<String>,
}
