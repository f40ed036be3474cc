// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers who are blocked.

/// A caller who is blocked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedView {
    /// Who, as the list has it.
    pub caller: String,
    /// Why, in the user's words; may be empty.
    pub reason: String,
    /// Since when, microseconds since 1970.
    pub since_us: i64,
}

/// What is different on the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedChange {
    /// Those who were put on it, or whose reason is another one.
    pub blocked: Vec<BlockedView>,
    /// Those who are on it no more.
    pub unblocked: Vec<String>,
}
