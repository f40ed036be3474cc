// SPDX-License-Identifier: GPL-3.0-or-later
//! SIPp, driven by the scenarios of tests/scenarios.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::{Account, Transport};
use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program, net};

/// A running SIPp.
#[derive(Debug)]
pub struct Sipp {
    /// The program.
    pub program: Program,
    home: TempDir,
}

impl Sipp {
    /// A place for a SIPp that registers first and takes calls, at the same place, afterwards.
    ///
    /// # Errors
    /// No port is free.
    pub fn place() -> Result<SocketAddr> {
        net::free_place(net::loopback())
    }

    /// Plays a scenario (its file's name without `.xml`) once, from the account's number, to a
    /// number that the scenario knows as `[field0]`-free `[service]`.
    ///
    /// # Errors
    /// It is not installed.
    pub fn play(scenario: &str, account: &Account, at: SocketAddr, to: &str) -> Result<Self> {
        Self::play_and_take(scenario, "callee", account, at, to, 200)
    }

    /// Registers, and refuses calls with a status of SIP.
    ///
    /// # Errors
    /// It is not installed.
    pub fn refuse(account: &Account, code: u16) -> Result<Self> {
        let at = Self::place()?;
        Self::play_and_take("register-and-stay", "refuse", account, at, &account.number, code)
    }

    fn play_and_take(
        scenario: &str,
        taken_by: &str,
        account: &Account,
        at: SocketAddr,
        to: &str,
        code: u16,
    ) -> Result<Self> {
        let home = new_home()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut command = in_home(foreign("sipp", "sip-tester")?, home.path());
        command.arg(account.server.to_string());
        command.arg("-sf").arg(folder.join(format!("{scenario}.xml")));
        if scenario == "register-and-stay" {
            // Of a status, it wants the number itself.
            let scenario = std::fs::read_to_string(folder.join(format!("{taken_by}.xml")))?;
            let own = home.path().join("taken-by.xml");
            std::fs::write(&own, scenario.replace("[code]", &code.to_string()))?;
            command.arg("-oocsf").arg(own);
        }
        command.args(["-i", &at.ip().to_string(), "-p", &at.port().to_string(), "-bind_local"]);
        command.args(["-mi", &at.ip().to_string(), "-mp", &net::free_port(at.ip())?.to_string()]);
        command.args(["-m", "1", "-s", to, "-key", "me", &account.number, "-au", &account.login]);
        let asked = if scenario.starts_with("register") { String::new() } else { format!("{to}@") };
        command.args(["-auth_uri", &format!("{asked}{}", account.server)]);
        command.args(["-ap", account.password.as_deref().unwrap_or("none")]);
        command.args(["-t", if account.transport == Transport::Tcp { "t1" } else { "u1" }]);
        command.args([
            "-nostdin",
            "-skip_rlimit",
            "-timeout",
            "30s",
            "-timeout_error",
            "-recv_timeout",
            "20000",
        ]);
        command.args([
            "-trace_err",
            "-error_file",
            "errors",
            "-trace_msg",
            "-message_file",
            "messages",
        ]);
        command.env("TERM", "dumb");
        let program = Program::start(&format!("sipp {scenario} {}", account.number), &mut command)?;
        Ok(Self { program, home })
    }

    /// Waits until it takes UDP at its place: what is sent to it before is refused by the kernel.
    ///
    /// # Errors
    /// It ended or does not listen there.
    pub fn listens(&mut self, at: SocketAddr) -> Result<()> {
        net::listens(&mut self.program, at.port())
    }

    /// Waits until it has ended, contented.
    ///
    /// # Errors
    /// It failed; its messages are shown.
    pub fn done(&mut self) -> Result<()> {
        let status = self.program.wait_for_end(2 * PATIENCE)?;
        ensure!(
            status.success(),
            "sipp ended with {status}: {}\n{}",
            self.file("errors"),
            self.messages()
        );
        Ok(())
    }

    /// Every SIP message it has sent or received so far.
    #[must_use]
    pub fn messages(&self) -> String {
        self.file("messages")
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }
}
