// SPDX-License-Identifier: GPL-3.0-or-later
//! Kamailio as a registrar and proxy: the second opinion on the drivers of the other peers.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use tempfile::TempDir;

use crate::program::{foreign, in_home, new_home};
use crate::{Program, net};

/// A kamailio with the rules of data/kamailio.cfg.
#[derive(Debug)]
pub struct Kamailio {
    /// Where it listens, for UDP and TCP.
    pub at: SocketAddr,
    _program: Program,
    _home: TempDir,
}

impl Kamailio {
    /// Starts it and waits until it is listening.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(at: IpAddr) -> Result<Self> {
        let at = net::server_place(at)?;
        let home = new_home()?;
        let rules = include_str!("../../data/kamailio.cfg").replace("ADDRESS", &at.to_string());
        std::fs::write(home.path().join("kamailio.cfg"), rules)?;
        let run = home.path().join("run");
        let mut command = in_home(foreign("kamailio", "kamailio")?, home.path());
        command.args(["-DD", "-E", "-m", "16", "-M", "4", "-f", "kamailio.cfg"]);
        command.arg("-Y").arg(&run).arg("-w").arg(&run);
        let mut program = Program::start("kamailio", &mut command)?;
        program.wait_for("the registrar is ready")?;
        Ok(Self { at, _program: program, _home: home })
    }
}
