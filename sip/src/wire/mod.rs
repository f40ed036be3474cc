// SPDX-License-Identifier: GPL-3.0-or-later
//! Reading and writing SIP messages (RFC 3261 §7, §25).
//!
//! The parser crate hides here: no type of it appears in a public signature, so that it can be
//! vendored or replaced behind this wall (docs/decisions/0002-sip-wire-format.md).
//!
//! Messages that arrive are views into the bytes that arrived ([`Request`], [`Response`]);
//! messages that leave are [`Draft`]s, written once.

mod address;
mod check;
mod draft;
mod header;
mod message;
mod method;
mod multipart;
mod parse;
mod scan;
mod sheet;
mod stream;
mod uri;
mod via;

pub use address::{ContactList, NameAddr};
pub use draft::{Draft, reason_phrase};
pub use header::{Headers, Name, name};
pub use message::{CSeq, Message, Request, Response};
pub use method::Method;
pub use multipart::{is_wrapped, plain_text};
pub use parse::{Limits, Malformed, parse_datagram};
pub use stream::{Broken, StreamReader};
pub use uri::{Uri, UriError};
pub use via::Via;
pub(crate) use {scan::tag, sheet::Sheet, uri::sip_text, via::COOKIE};
