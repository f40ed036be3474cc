// SPDX-License-Identifier: GPL-3.0-or-later
//! The session service that mediates all telephony of a user: `sipwitchd`.
//!
//! One task, the [`switchboard`], owns calls, phones and extensions. The other rooms serve it:
//! [`store`] keeps what must outlive the process, [`config`] is what the user said, [`lifecycle`]
//! is what the system around the process says, and the bus translates.

// Calls into the C library, in `memory` and `local_time`.
#![deny(unsafe_code)]

pub mod accounts;
mod alarm;
mod anchors;
pub mod arguments;
pub mod bus;
pub mod config;
pub mod connectivity;
mod digest_service;
mod errands;
pub mod import;
pub mod lifecycle;
pub mod lines;
pub mod local_time;
pub mod logging;
pub mod memory;
pub mod providers;
pub mod rules;
pub mod run;
pub mod secret;
pub mod socket_owner;
pub mod store;
pub mod switchboard;
