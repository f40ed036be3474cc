// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch`: the command line of SIP Witch, a client of the D-Bus contract and of nothing else.
//!
//! [`arguments`] is what can be said, one file in [`commands`] does each of it, [`world`] is what
//! the service shows on the bus and [`standing`] what it says of itself, [`output`] prints for people
//! or as JSON.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod failure;
mod output;
mod prompt;
mod properties;
mod service;
mod setup;
mod standing;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, failure::Failure, output::Output};

/// Whether a script asks, however wrongly.
fn wants_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && wants_json() => {
            let failure = Failure::misused(&error.render().to_string());
            Output::new(true).failure(&failure);
            return failure.exit_code();
        }
        // Help and versions as well.
        Err(error) => error.exit(),
    };
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&Failure::new(format!("cannot start: {error}"), "free some memory"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
