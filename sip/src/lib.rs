// SPDX-License-Identifier: GPL-3.0-or-later
//! The SIP engine of SIP Witch (RFC 3261 and its companions), sans-IO.
//!
//! Nothing here opens a socket or reads a clock: bytes and the time come in, [`Transmit`]s and
//! events go out. Only the room `driver` (of the feature of that name) knows tokio.
//!
//! From below to above: [`wire`] reads and writes messages · [`transaction`] repeats and matches
//! them · `leg` and [`dialog`] make conversations of them, [`endpoint`] holds it all · `auth`, `registrar` and `gate` decide who
//! may have one · `client_registration` makes an account of ours known at somebody else's registrar.
//!
//! [`Transmit`]: flow::Transmit

#![forbid(unsafe_code)]

pub mod auth;
pub mod client_registration;
pub mod dialog;
#[cfg(feature = "driver")]
pub mod driver;
pub mod endpoint;
pub mod flow;
pub mod gate;
mod leg;
pub mod message_summary;
pub mod peer;
pub mod registrar;
pub mod resolver;
pub mod transaction;
#[cfg(any(test, feature = "virtual-wire"))]
pub mod virtual_wire;
pub mod wire;
