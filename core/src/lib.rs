// SPDX-License-Identifier: GPL-3.0-or-later
//! The language every other room of SIP Witch speaks: contacts, extensions, causes, legs and the
//! call switch, with the routing policy beside it.
//!
//! This crate opens no socket, reads no clock, starts no task and knows neither SIP nor D-Bus.
//! Time comes in as an argument; what is to be done goes out as a value.

#![forbid(unsafe_code)]

pub mod blocking;
pub mod call;
pub mod cause;
pub mod contact;
pub mod extension;
pub mod line;
pub mod number;
pub mod pattern;
pub mod routing;
