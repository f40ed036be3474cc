// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch block`

use clap::Subcommand;

/// What to do with the list of blocked callers.
#[derive(Debug, Subcommand)]
pub(crate) enum Block {
    /// List who is blocked, since when and why.
    List,
    /// Block callers: their calls ring nowhere, and their texts are shown to nobody.
    Add {
        /// A number, an address (bob@example.org), all of a domain (@example.org), the beginning of
        /// numbers (+49900*), an extension, or `anonymous` for those who hide their number.
        #[arg(required = true, value_name = "CALLER")]
        callers: Vec<String>,
        /// Why, for yourself: the list and the history show it.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Block callers no more.
    Remove {
        /// As `sipwitch block` lists them, or as they were given.
        #[arg(required = true, value_name = "CALLER")]
        callers: Vec<String>,
    },
    /// Say whether callers would be blocked, and by what.
    Check {
        /// As a history shows them, for example.
        #[arg(required = true, value_name = "CALLER")]
        callers: Vec<String>,
    },
}
