// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch generate`, for packagers.

use std::{fs, io};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    arguments::{Arguments, Generate},
    failure::Failure,
};

/// Writes man pages or completions.
pub(crate) fn run(command: &Generate) -> Result<(), Failure> {
    let (Generate::Man { directory } | Generate::Completions { directory }) = command;
    write(command).map_err(|error| {
        Failure::new(
            format!("{}: {error}", directory.display()),
            "name a folder that can be written",
        )
    })
}

fn write(command: &Generate) -> io::Result<()> {
    match command {
        Generate::Man { directory } => {
            fs::create_dir_all(directory)?;
            clap_mangen::generate_to(Arguments::command(), directory)?;
        }
        Generate::Completions { directory } => {
            fs::create_dir_all(directory)?;
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                clap_complete::generate_to(
                    shell,
                    &mut Arguments::command(),
                    "sipwitch",
                    directory,
                )?;
            }
        }
    }
    Ok(())
}
