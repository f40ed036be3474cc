// SPDX-License-Identifier: GPL-3.0-or-later
//! The file in which digests of passwords are kept, `/etc/sipwitch.db`: one line for each user, with the
//! HA1 of RFC 7616 §3.4.2 (MD5, SHA-256, SHA-512-256) for one realm. sipwitch.db(5) describes the format.
//!
//! Such a digest is as good as the password for SIP, and it lets the password be guessed quickly. Hence:
//!
//! - Only root reads or writes the file. One that is a link, has a second name, another owner, or a mode
//!   that lets anybody else in is neither read nor written.
//! - A change is there as a whole or not at all, whenever the machine stops. No two writers meet.
//! - What this version does not understand is kept byte for byte, and told by [`Database::problems`].
//! - The memory that held digests or passwords is wiped. Nothing here prints them, and nothing logs.
//!
//! The clock belongs to the caller. There are no threads, and nothing global.

mod database;
mod entry;
mod error;
mod ha1;
mod place;
mod store;
mod table;
mod wiped;

pub use self::{
    database::{Database, Fault, Problem},
    entry::{Entry, Name, Realm, Refused, Source},
    error::{Error, Hazard},
    ha1::{Algorithm, Ha1, UnknownAlgorithm},
    store::{Reading, Store, Written},
    table::Table,
    wiped::Wiped,
};
