// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch digest`

use clap::Subcommand;

/// What to do with the digests of login passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum Digest {
    /// Show what is kept, and of which password it is.
    Status(OfWhom),
    /// Keep the login password for phones: asked for on a terminal, else one line of standard input.
    Enrol(OfWhom),
    /// Make a password for phones alone, and print it, this once.
    Separate(OfWhom),
    /// Keep nothing any more.
    Remove(OfWhom),
    /// Say whether a password is the one that phones need: asked for on a terminal, else one line of
    /// standard input.
    Verify,
    /// List everything that is kept on this machine. For root and administrators.
    List,
    /// Remove what is kept of users who are gone. For root and administrators.
    Prune {
        /// Only show whose it would be.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the realm that all digests of this machine are bound to, or change it. For root and
    /// administrators.
    Realm {
        /// The new one. What was kept before is of no use then, until each user enrols or logs in.
        #[arg(conflicts_with = "random")]
        realm: Option<String>,
        /// Make one at random.
        #[arg(long)]
        random: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Whose.
#[derive(Debug, clap::Args)]
pub(crate) struct OfWhom {
    /// A login name; without one it is your own. Those of others are for root and administrators.
    pub(crate) user: Option<String>,
}
