// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch-digestd`: serves, or proves one password.

#![forbid(unsafe_code)]

mod prove;

use std::process::ExitCode;

use clap::Parser as _;
use sipwitch_digest_service::{
    arguments::{Arguments, Errand},
    logging, run,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // No other process of ours may look into this one, and no core is written of it.
    let _ = nix::sys::prctl::set_dumpable(false);
    if let Some(Errand::Prove { user, realm, algorithms }) = &arguments.errand {
        return prove::prove(user, realm, algorithms).into();
    }
    logging::start();
    match run::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
