// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitchd`: reads its arguments and runs the service.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use sipwitch_service::{arguments::Arguments, run};

/// A seventh less processor time for a registration than with the C library's
/// (docs/decisions/0012-allocator.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match run::run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sipwitchd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
