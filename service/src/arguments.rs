// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::{bus::BusKind, config::listen::ListenAddress};

/// The session service that mediates all telephony.
#[derive(Debug, Parser)]
#[command(name = "sipwitchd", version)]
pub struct Arguments {
    /// The bus to serve on.
    #[arg(long, value_enum, default_value = "session")]
    pub bus: BusKind,
    /// The configuration file; it must exist if it is named.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Listen here instead of where the configuration says; may be given again.
    #[arg(long, value_name = "TRANSPORT:ADDRESS[:PORT]")]
    pub listen: Vec<ListenAddress>,
    /// Where the state is kept, instead of the user's state directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub state: Option<PathBuf>,
    /// Only check this configuration file, and say what is wrong with it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "listen", "state"])]
    pub check_config: Option<PathBuf>,
    /// Only check these files of providers, and say what is wrong with them; may be given again.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["config", "listen", "state"])]
    pub check_provider: Vec<PathBuf>,
}
