// SPDX-License-Identifier: GPL-3.0-or-later
//! A message bus of our own, on which the service can be activated.

use std::path::Path;

use anyhow::{Result, anyhow};
use sipwitch_dbus_interfaces::names::BUS_NAME;

use crate::program::{foreign, in_home};
use crate::{PATIENCE, Program};

/// A dbus-daemon that nobody else knows. It ends with this value.
#[derive(Debug)]
pub struct PrivateBus {
    /// Its address, for `DBUS_SESSION_BUS_ADDRESS`.
    pub address: String,
    /// The daemon; what it says contains what the services it has activated say.
    pub program: Program,
}

impl PrivateBus {
    /// Starts a bus whose files lie in a home. With an executable, a request for the service's name
    /// starts it, with the environment of that home.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(home: &Path, activates: Option<&str>) -> Result<Self> {
        let services = home.join("dbus-services");
        std::fs::create_dir_all(&services)?;
        if let Some(executable) = activates {
            let file = format!("[D-BUS Service]\nName={BUS_NAME}\nExec={executable}\n");
            std::fs::write(services.join(format!("{BUS_NAME}.service")), file)?;
        }
        let rules = home.join("bus.conf");
        std::fs::write(
            &rules,
            format!(
                r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
                socket = home.join("bus").display(),
                services = services.display()
            ),
        )?;
        let mut command = in_home(foreign("dbus-daemon", "dbus-daemon")?, home);
        command.arg("--config-file").arg(&rules).args([
            "--nofork",
            "--nosyslog",
            "--print-address=1",
        ]);
        // Known before it starts, so that the services it activates learn it too.
        command
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.join("bus").display()));
        let mut program = Program::start("dbus-daemon", &mut command)?;
        let address = program
            .said
            .wait(PATIENCE, |line| line.starts_with("unix:").then(|| line.clone()))
            .ok_or_else(|| anyhow!("dbus-daemon printed no address:\n{}", program.tail()))?;
        Ok(Self { address, program })
    }
}
