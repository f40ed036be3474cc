// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user wants of routes.

/// The user's rules, checked and ready for use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {}

impl Rules {
    /// No rules.
    pub const NONE: &Self = &Self {};
}
