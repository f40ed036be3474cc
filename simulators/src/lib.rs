// SPDX-License-Identifier: GPL-3.0-or-later
//! Peers for the tests of SIP Witch that share no parser with it.
//!
//! An oracle that shares code with the accused is no oracle: everything here is plain text, made by
//! templates and read by searching for header names. It is exactly as lenient as it looks, speaks
//! only on loopback, blocks, and never waits without a deadline.
//!
//! * [`Phone`] is a SIP phone over UDP or TCP that can be steered message by message.
//! * [`Call`] is one dialogue of it; [`Message`] what came or what will be sent.
//! * [`Speech`] is its RTP: frames of silence out, packets counted in, or an echo.

#![forbid(unsafe_code)]

mod call;
mod digest;
mod message;
mod phone;
mod speech;
mod wire;

pub use call::Call;
pub use message::Message;
pub use phone::{Account, Phone};
pub use speech::Speech;
pub use wire::{Transport, Wire};

/// What went wrong, in words for the one who reads the failed test.
pub type Error = String;
/// The result of everything that waits for the other side.
pub type Result<T> = std::result::Result<T, Error>;
