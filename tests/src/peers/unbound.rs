// SPDX-License-Identifier: GPL-3.0-or-later
//! Unbound: the resolver of a network, which asks others, remembers and checks signatures.

use std::net::SocketAddr;

use anyhow::Result;
use tempfile::TempDir;

use super::named::{Named, unconfined};
use crate::program::{in_home, new_home};
use crate::{Program, net};

/// A resolver that asks one name server for everything.
#[derive(Debug)]
pub struct Unbound {
    /// Where it answers, by UDP and TCP.
    pub at: SocketAddr,
    _program: Program,
    _home: TempDir,
}

impl Unbound {
    /// Starts it before a name server, whose root key it trusts, and waits until it answers.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(before: &Named) -> Result<Self> {
        let at = net::free_place(net::loopback())?;
        let home = new_home()?;
        let settings = format!(
            "server:\n  interface: {ip}@{port}\n  access-control: 127.0.0.0/8 allow\n  \
             directory: \"{home}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
             use-syslog: no\n  num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n  \
             module-config: \"validator iterator\"\n  trust-anchor-file: \"{anchor}\"\n\
             remote-control:\n  control-enable: no\n\
             forward-zone:\n  name: \".\"\n  forward-addr: {before_ip}@{before_port}\n",
            ip = at.ip(),
            port = at.port(),
            home = home.path().display(),
            anchor = before.anchor.display(),
            before_ip = before.at.ip(),
            before_port = before.at.port(),
        );
        std::fs::write(home.path().join("unbound.conf"), settings)?;
        let mut command = in_home(unconfined("unbound", "unbound", home.path())?, home.path());
        command.args(["-d", "-v", "-p", "-c", "unbound.conf"]);
        let mut program = Program::start("unbound", &mut command)?;
        program.wait_for("start of service")?;
        Ok(Self { at, _program: program, _home: home })
    }
}
