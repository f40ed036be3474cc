// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a leg or call ended: SIP code, Q.850 cause and words, in one type and one table.

/// Why a leg or call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The SIP status code (RFC 3261 §21); 200 is a normal end.
    pub sip: u16,
    /// The Q.850 cause value, where one is known (RFC 3326).
    pub q850: Option<u8>,
    /// Words for a person; empty means the table's.
    pub text: String,
}

impl Cause {
    /// A cause known by its SIP status code.
    #[must_use]
    pub const fn from_sip(code: u16) -> Self {
        Self { sip: code, q850: None, text: String::new() }
    }
}
