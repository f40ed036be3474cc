// SPDX-License-Identifier: GPL-3.0-or-later
//! Mission Control, and a client by TelepathyGLib.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::program::{in_home, ours};
use crate::{House, Program};

const MISSION_CONTROL: &str = "/usr/lib/telepathy/mission-control-5";
/// Debian's own: others have no bindings for GObject.
const PYTHON: &str = "/usr/bin/python3";

/// A desktop in which Telepathy's programs run.
#[derive(Debug)]
pub struct Telepathy {
    /// The client; it tells one event a line, and obeys one word a line.
    pub client: Program,
    _mission_control: Program,
}

impl Telepathy {
    /// Starts Mission Control on the bus of a house, on which our connection manager can be
    /// activated, and a client.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn start(house: &House) -> Result<Self> {
        ensure!(
            Path::new(MISSION_CONTROL).is_file(),
            "install the package telepathy-mission-control-5"
        );
        let home = house.home();
        let bridge = ours("telepathy-sipwitch", "sipwitch-telepathy-bridge")?;
        let name = "org.freedesktop.Telepathy.ConnectionManager.sipwitch";
        let file = format!("[D-BUS Service]\nName={name}\nExec={}\n", bridge.display());
        fs::write(home.join("dbus-services").join(format!("{name}.service")), file)?;
        // Mission Control would wait for a way out into the world.
        let settings = home.join(".config/glib-2.0/settings");
        fs::create_dir_all(&settings)?;
        let mut text = String::new();
        writeln!(text, "[im/telepathy/MissionControl/FromEmpathy]\nuse-conn=false")?;
        fs::write(settings.join("keyfile"), text)?;

        let bus = house.bus.as_ref().context("the house has no bus")?;
        let desk = house.desk();
        let reload = desk.connection().call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "ReloadConfig",
            &(),
        );
        desk.wait("the bus", reload)??;

        let environment = |program: &str| {
            let mut command = in_home(program, home);
            command
                .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
                .env("GSETTINGS_BACKEND", "keyfile")
                // No client of the machine is to take part.
                .env("XDG_DATA_DIRS", "/usr/share")
                .env("MC_CLIENTS_DIR", home.join("clients"))
                .env("PYTHONUNBUFFERED", "1");
            command
        };
        let mut command = environment(MISSION_CONTROL);
        let mission_control = Program::start("mission-control-5", &mut command)?;
        desk.wait("Mission Control", desk.name_comes("org.freedesktop.Telepathy.AccountManager"))??;
        let mut command = environment(PYTHON);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/telepathy-client.py"));
        let mut client = Program::start("telepathy-client", &mut command)?;
        client.wait_for("ready").context("install gir1.2-telepathyglib-0.12 and python3-gi")?;
        Ok(Self { client, _mission_control: mission_control })
    }
}
