// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch-digestd`, the only program besides the PAM module that reads `/etc/sipwitch.db`.
//! sipwitch-digestd(8) describes it; the XML in `dbus-interfaces` is its contract.
//!
//! A digest is as good as the password for SIP, and lets the password be guessed quickly. Hence:
//!
//! - No digest leaves it. It says yes or no to a response, and only to the user whose password it is of
//!   ([`Response`]); who is wrong too often waits ([`Failures`]).
//! - A login password is read, proven and hashed in a process of its own, which ends then. Here it is
//!   never seen (docs/decisions/0016-passwords-are-proven-in-a-process-of-their-own.md).
//! - Who asks is whom the bus says, by number; what is done for others polkit allows, or nobody.
//! - What was done, by whom and for whom, is logged, and nothing that was secret.

#![forbid(unsafe_code)]

mod access;
pub mod arguments;
mod books;
mod bus;
mod failures;
mod generated;
mod keeper;
pub mod logging;
mod prover;
mod response;
pub mod run;
mod users;

pub use self::{
    failures::Failures,
    response::{BadResponse, Response},
};

/// How the process that proves a password ends.
pub mod verdict {
    /// It is right; the digests are on standard output.
    pub const RIGHT: u8 = 0;
    /// It is not that of the user.
    pub const WRONG: u8 = 10;
    /// PAM does not say; why not is on standard output.
    pub const UNCLEAR: u8 = 11;
    /// What came through the pipe is no password; why not is on standard output.
    pub const UNUSABLE: u8 = 12;
}
