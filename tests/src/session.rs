// SPDX-License-Identifier: GPL-3.0-or-later
//! The session of a user of a [`DigestMachine`]: her own bus and her own service, which ask the digest
//! service of that machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use serde_json::Value;
use sipwitch_dbus_interfaces::names::BUS_NAME;
use tempfile::TempDir;

use crate::command_line::{self, Said};
use crate::digests::DigestMachine;
use crate::network::Host;
use crate::program::{in_home, new_home, ours};
use crate::{Desk, Program};

/// A session. Everything ends with this value.
#[derive(Debug)]
pub struct Session {
    /// Where the service is heard on loopback.
    pub at: SocketAddr,
    /// The service.
    pub service: Program,
    prefix: Vec<String>,
    system_bus: String,
    session_bus: String,
    _bus: Program,
    home: TempDir,
}

impl Session {
    /// Starts the session of a user; its service listens there, and where the settings say, on a
    /// host if there is one.
    ///
    /// # Errors
    /// A program is not there, or does not come up.
    pub fn start(
        machine: &DigestMachine,
        uid: u32,
        at: SocketAddr,
        settings: &str,
        host: Option<&Host>,
    ) -> Result<Self> {
        let home = new_home()?;
        let path = home.path();
        // She may not be able to read where the project lies.
        for (name, package) in [("sipwitchd", "sipwitch-service"), ("sipwitch", "sipwitch-cli")] {
            fs::copy(ours(name, package)?, path.join(name))?;
        }
        let config = path.join(".config/sipwitch/config.toml");
        fs::create_dir_all(config.parent().context("it has a folder")?)?;
        fs::write(&config, settings)?;
        let session_bus = format!("unix:path={}/bus", path.display());
        fs::write(path.join("bus.conf"), bus_rules(&session_bus))?;
        let owner = format!("{uid}:{uid}");
        let given = Command::new("chown").args(["-R", &owner]).arg(path).status()?;
        ensure!(given.success(), "chown, for root");

        let prefix = machine.as_user(uid);
        let system_bus = machine.address();
        let start = |name: &str, program: &Path, arguments: &[String]| {
            let mut command = match host {
                Some(host) => host.command(&prefix[0], path)?,
                None => in_home(&prefix[0], path),
            };
            command.args(&prefix[1..]).arg(program).args(arguments);
            command.env("DBUS_SYSTEM_BUS_ADDRESS", &system_bus);
            command.env("DBUS_SESSION_BUS_ADDRESS", &session_bus);
            Program::start(name, &mut command)
        };
        let rules = format!("--config-file={}", path.join("bus.conf").display());
        let words = [rules, "--nofork".into(), "--nosyslog".into(), "--print-address=1".into()];
        let mut bus = start("dbus-daemon of the session", &PathBuf::from("dbus-daemon"), &words)?;
        bus.wait_for("unix:path=").context("dbus-daemon (package dbus)")?;
        let mut words = vec!["--bus".to_owned(), "session".into(), "--config".into()];
        words.push(config.display().to_string());
        if settings.is_empty() {
            for transport in ["udp", "tcp"] {
                words.extend(["--listen".into(), format!("{transport}:{at}")]);
            }
        }
        let service = start("sipwitchd", &path.join("sipwitchd"), &words)?;
        let desk = Desk::open(&session_bus)?;
        let proxy = desk.wait("the bus itself", zbus::fdo::DBusProxy::new(desk.connection()))??;
        let named = async {
            let mut changes = proxy.receive_name_owner_changed_with_args(&[(0, BUS_NAME)]).await?;
            while !proxy.name_has_owner(BUS_NAME.try_into()?).await? {
                changes.next().await.context("the bus has gone")?;
            }
            anyhow::Ok(())
        };
        desk.wait("the name of the service", named)??;
        Ok(Self { at, service, prefix, system_bus, session_bus, _bus: bus, home })
    }

    /// The command line tool, as the user of the session.
    ///
    /// # Errors
    /// It does not end.
    pub fn sipwitch(&self, arguments: &[&str], input: &str) -> Result<Said> {
        command_line::run(self.command(&[], arguments), input)
    }

    /// The same, with that in front, not yet started.
    #[must_use]
    pub fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let prefix = self.prefix.iter().map(String::as_str);
        let mut words = before.iter().copied().chain(prefix);
        let mut command = in_home(words.next().unwrap_or("false"), self.home.path());
        command.args(words).arg(self.home.path().join("sipwitch")).args(arguments);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.system_bus);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.session_bus);
        command
    }

    /// What the service shows of an extension.
    ///
    /// # Errors
    /// There is none.
    pub fn extension(&self, number: &str) -> Result<Value> {
        let all = self.sipwitch(&["extensions", "--json"], "")?.json()?;
        let found = all.as_array().and_then(|all| all.iter().find(|one| one["number"] == number));
        found.cloned().with_context(|| format!("no extension {number} in {all}"))
    }
}

fn bus_rules(address: &str) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"#
    )
}
