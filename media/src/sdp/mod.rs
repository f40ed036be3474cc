// SPDX-License-Identifier: GPL-3.0-or-later
//! Session descriptions (RFC 8866): read leniently, kept as they came, written strictly.
//!
//! Two views of one thing. A [`Description`] is lines: what nobody edits is written as it was read,
//! unknown attributes, odd spacing and foreign encodings included. A [`Stream`] is what one medium
//! says: addresses, codecs, candidates; it is read out of a description, or made by a program and
//! written as part of one. Offers and answers (RFC 3264) are made of both: a rejected medium is
//! [`Medium::rejected`], what two sides have in common is [`codec::common`].
//!
//! What comes from outside is bounded by [`MAX_BYTES`], [`MAX_LINES`], [`MAX_MEDIA`] and
//! [`MAX_FORMATS`]; what cannot be understood is passed over, and only what is no description at
//! all is refused. What goes out holds no control character, so that no value can make a line of
//! its own.

mod candidate;
pub mod codec;
mod description;
mod extension;
mod feedback;
mod host;
mod line;
mod medium;
mod stream;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use candidate::{Candidate, CandidateKind};
pub use codec::Codec;
pub use description::{Description, Origin};
pub use extension::{HeaderExtension, Source};
pub use feedback::Feedback;
pub use host::Host;
pub use medium::Medium;
pub use sipwitch_core::call::description::Direction;
pub use stream::{Attribute, Ice, Kind, Stream};

/// The longest description that is read, in bytes: as much as fits into one datagram.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most lines of a description.
pub const MAX_LINES: usize = 2048;
/// The most media of a description.
pub const MAX_MEDIA: usize = 64;
/// The most formats of one medium: RTP knows no more payload types (RFC 3550 §5.1).
pub const MAX_FORMATS: usize = 128;

/// Why something is no session description, or cannot be written as part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Longer than [`MAX_BYTES`].
    #[error("a description of {0} bytes is too long")]
    TooLong(usize),
    /// More of these than anybody needs.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// It does not begin with `v=0`.
    #[error("no description of version 0")]
    Version,
    /// This line, counted from 1, is not of the form `x=…`.
    #[error("line {0} is no line of a description")]
    Line(usize),
    /// The `m=` line with this number, counted from 1, cannot be read.
    #[error("line {0} describes no medium")]
    Medium(usize),
    /// A value that would not be read again as it was written.
    #[error("{0} cannot be written in a description")]
    Value(&'static str),
}

/// A word without spaces, or a fault that names it.
fn word<'a>(text: &'a str, what: &'static str) -> Result<&'a str, Fault> {
    let sound = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if sound { Ok(text) } else { Err(Fault::Value(what)) }
}

/// A text within one line, without spaces at its ends, or a fault that names it.
fn phrase<'a>(text: &'a str, what: &'static str) -> Result<&'a str, Fault> {
    let sound = !text.contains(char::is_control) && text.trim() == text;
    if sound { Ok(text) } else { Err(Fault::Value(what)) }
}
