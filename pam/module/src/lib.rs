// SPDX-License-Identifier: GPL-3.0-or-later
//! `pam_sipwitch.so`: when somebody logs in or changes the password, the digest that lets the user's
//! phones register with it is brought up to date in `/etc/sipwitch.db`. pam_sipwitch(8) describes it.
//!
//! It is a guest in programs that let people in, or not:
//!
//! - It has no say: every hook answers `PAM_IGNORE`, whatever happens, and no panic leaves it.
//! - It starts no thread or process, opens no socket of its own, and waits at most two seconds for others.
//! - It asks nobody anything, and it never keeps what `/etc/shadow` does not prove
//!   (docs/decisions/0015-a-token-is-proven-first.md).
//! - Tokens are wiped, and nothing is logged about them, not even how long they are.
//!
//! All unsafe code is in `ffi.rs`.

#![deny(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

#[expect(unsafe_code, reason = "PAM and crypt(3) are interfaces of C")]
mod ffi;
mod hooks;
mod local;
mod options;
mod record;

use std::time::Duration;

/// How long other writers may keep a login waiting.
const WAIT: Duration = Duration::from_secs(2);
