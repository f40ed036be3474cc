// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls and their legs.
//!
//! [`leg`] is the language between the call switch and whatever carries a leg (the SIP engine, a
//! modem driver, a D-Bus endpoint).

pub mod leg;

pub use leg::{LegCommand, LegEvent, LegId};
