// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitchd`: reads its arguments and runs the service.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use sipwitch_service::{arguments::Arguments, run};

fn main() -> ExitCode {
    match run::run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sipwitchd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
