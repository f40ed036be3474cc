// SPDX-License-Identifier: GPL-3.0-or-later
//! `telepathy-sipwitch`: the connection manager `sipwitch`, by which Telepathy's clients call and
//! are called through SIP Witch.
//!
//! It is a phone of the house like any program ([docs/endpoints.md]): Telepathy's objects on one
//! side, `org.gnutelephony.SipWitch1.Endpoint` on the other, and no SIP of its own.
//!
//! [`bridge::Bridge`] is the whole of it: messages of the bus go in, messages come out, in the order
//! in which they are to be sent. It opens no connection and reads no clock. [`definition`] says
//! which interfaces there are, [`run`] is the shell.
//!
//! [docs/endpoints.md]: https://www.gnu.org/software/sipwitch/

#![forbid(unsafe_code)]

mod bridge;
mod call;
mod connection;
mod debug;
mod definition;
mod error;
mod handles;
mod identifier;
mod introspection;
mod manager_file;
mod object;
mod outbox;
mod parameters;
mod password;
mod protocol;
mod reply;
mod run;
mod service;
#[cfg(test)]
mod tests;
mod text;

use std::process::ExitCode;

use clap::Parser;

/// The Telepathy connection manager of SIP Witch. The session bus starts it.
#[derive(Debug, Parser)]
#[command(name = "telepathy-sipwitch", version)]
struct Arguments {
    /// Print sipwitch.manager, from which clients know us while we do not run.
    #[arg(long)]
    print_manager_file: bool,
}

fn main() -> ExitCode {
    if Arguments::parse().print_manager_file {
        print!("{}", manager_file::text());
        return ExitCode::SUCCESS;
    }
    match run::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telepathy-sipwitch: {error:#}");
            ExitCode::FAILURE
        }
    }
}
