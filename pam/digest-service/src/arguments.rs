// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be said on the command line, which is that of the unit.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sipwitch_digest_store::{Algorithm, Realm};

/// Verifies SIP digests of login passwords for the sessions of their users.
#[derive(Debug, Parser)]
#[command(name = "sipwitch-digestd", version)]
pub struct Arguments {
    /// The algorithms for which digests of login passwords are kept: sha256, sha512-256, md5.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "sha256")]
    pub algorithms: Vec<Algorithm>,
    /// The database, instead of /etc/sipwitch.db and the second place.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// End when nothing was asked for so long, and no failure is remembered.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub idle_seconds: u64,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub errand: Option<Errand>,
}

/// What the service starts itself for.
#[derive(Debug, Subcommand)]
pub enum Errand {
    /// Read a password from standard input, prove it, and print its digests.
    #[command(hide = true)]
    Prove {
        /// Whose.
        user: String,
        /// For this realm.
        realm: Realm,
        /// For these algorithms.
        #[arg(value_delimiter = ',')]
        algorithms: Vec<Algorithm>,
    },
}
