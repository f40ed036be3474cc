// SPDX-License-Identifier: GPL-3.0-or-later
//! Mission Control, and a client by TelepathyGLib.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Account, Baresip};
use crate::program::{in_home, new_home, ours};
use crate::{Desk, House, PATIENCE, PrivateBus, Program};

const MISSION_CONTROL: &str = "/usr/lib/telepathy/mission-control-5";
const RAKIA: &str = "/usr/lib/telepathy/telepathy-rakia";
/// The name of that connection manager: it was called so before.
const RAKIA_NAME: &str = "org.freedesktop.Telepathy.ConnectionManager.sofiasip";
const ACCOUNT_MANAGER: &str = "org.freedesktop.Telepathy.AccountManager";
/// The name of our connection manager.
const BRIDGE: &str = "org.freedesktop.Telepathy.ConnectionManager.sipwitch";
/// The interface of calls.
pub(super) const CALL: &str = "org.freedesktop.Telepathy.Channel.Type.Call1";
/// Debian's own: others have no bindings for GObject.
const PYTHON: &str = "/usr/bin/python3";

/// A desktop in which Telepathy's programs run.
#[derive(Debug)]
pub struct Telepathy {
    /// The client; it tells one event a line, and obeys one word a line.
    pub client: Program,
    mission_control: Program,
    home: PathBuf,
    bus: String,
}

impl Telepathy {
    /// A house with a phone, 102, and a client that is connected as 101.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn with_a_phone() -> Result<(House, Baresip, Self)> {
        let house = Self::house()?;
        let phone = Baresip::of(&house, "102")?;
        let mut telepathy = Self::start(&house)?;
        telepathy.connect()?;
        Ok((house, phone, telepathy))
    }

    /// As [`with_a_phone`](Self::with_a_phone), with a phone that is started so, and a client whose
    /// media are telepathy-farstream's.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn with_farstream(
        phone: fn(&Account) -> Result<Baresip>,
    ) -> Result<(House, Baresip, Self)> {
        let house = Self::house()?;
        let mut phone = phone(&Account::new("102", house.at))?;
        phone.registered()?;
        let mut telepathy = Self::start(&house)?;
        telepathy.client.type_line("farstream")?;
        telepathy.connect()?;
        Ok((house, phone, telepathy))
    }

    /// A house in which Telepathy is 101 and somebody else 102.
    ///
    /// # Errors
    /// It does not come up.
    pub fn house() -> Result<House> {
        House::plan().settings("[dial]\nfrom = \"101\"\n").extensions(&["101", "102"]).build()
    }

    /// Has the client make the account of SIP Witch, and waits until it is connected as 101, and until
    /// Mission Control shows it as available: a presence that it does not yet know does not change.
    ///
    /// # Errors
    /// It is not in time.
    pub fn connect(&mut self) -> Result<()> {
        self.client.type_line("connect")?;
        self.client.wait_for_all(&["connected as 101 called", "presence 2 available"])
    }

    /// Starts Mission Control on the bus of a house, on which our connection manager can be
    /// activated, and a client.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn start(house: &House) -> Result<Self> {
        let mission_control = mission_control(house)?;
        let bus = house.bus.as_ref().context("the house has no bus")?;
        let (home, bus) = (house.home().to_owned(), bus.address.clone());
        let client = client(&home, &bus)?;
        Ok(Self { client, mission_control, home, bus })
    }

    /// Kills Mission Control, and starts it again.
    ///
    /// # Errors
    /// It does not end, or does not come up.
    pub fn restart_mission_control(&mut self, house: &House) -> Result<()> {
        self.mission_control.signal(Signal::SIGKILL)?;
        self.mission_control.wait_for_end(PATIENCE)?;
        let mut command = environment(MISSION_CONTROL, &self.home, &self.bus);
        self.mission_control = Program::start("mission-control-5", &mut command)?;
        let desk = house.desk();
        desk.wait("Mission Control", desk.name_comes(ACCOUNT_MANAGER))??;
        Ok(())
    }

    /// Starts somebody else's client, with telepathy-rakia.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn rakia(&self, house: &House) -> Result<Program> {
        can_be_activated(&self.home, house.desk(), RAKIA_NAME, rakia()?)?;
        let mut command = environment(PYTHON, &self.home, &self.bus);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/rakia-client.py"));
        let mut client = Program::start("rakia-client", &mut command)?;
        client.wait_for("ready").context("install python3-gi")?;
        Ok(client)
    }

    /// The process of the connection manager.
    ///
    /// # Errors
    /// It does not run.
    pub fn bridge(&self, house: &House) -> Result<Pid> {
        let desk = house.desk();
        let asked = desk.connection().call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixProcessID",
            &BRIDGE,
        );
        let pid: u32 = desk.wait("its process", asked)??.body().deserialize()?;
        Ok(Pid::from_raw(i32::try_from(pid)?))
    }

    /// Kills the connection manager.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_bridge(&self, house: &House) -> Result<()> {
        kill(self.bridge(house)?, Signal::SIGKILL)?;
        Ok(())
    }
}

/// The desktop of somebody else, whose Mission Control has telepathy-rakia for SIP. It ends with this
/// value.
#[derive(Debug)]
pub struct Elsewhere {
    /// The client, as that of [`Telepathy`].
    pub client: Program,
    _mission_control: Program,
    _bus: PrivateBus,
    _home: TempDir,
}

impl Elsewhere {
    /// Starts it, with a client whose media are telepathy-farstream's, and has it register.
    ///
    /// # Errors
    /// Something is not installed, does not come up, or is refused.
    pub fn start(account: &Account) -> Result<Self> {
        let home = new_home()?;
        let bus = PrivateBus::start(home.path(), None)?;
        let desk = Desk::open(&bus.address)?;
        let mission_control = dispatch(home.path(), &bus.address, &desk, RAKIA_NAME, rakia()?)?;
        let mut client = client(home.path(), &bus.address)?;
        client.type_line("farstream")?;
        client.type_line("manager sofiasip")?;
        let (host, port) = (account.server.ip(), account.server.port());
        let (number, transport) = (&account.number, account.transport.word());
        let password = account.password.as_deref().unwrap_or("unused");
        client.type_line(&format!(
            "provider {number}@{host} password={password} proxy-host={host} port={port} \
             transport={transport} discover-binding=false discover-stun=false"
        ))?;
        client.wait_for(&format!("connected as sip:{number}@"))?;
        Ok(Self { client, _mission_control: mission_control, _bus: bus, _home: home })
    }
}

/// Starts Mission Control on the bus of a house, on which our connection manager can be activated.
///
/// # Errors
/// It is not installed or does not come up.
pub(super) fn mission_control(house: &House) -> Result<Program> {
    let bridge = ours("telepathy-sipwitch", "sipwitch-telepathy-bridge")?;
    let bus = house.bus.as_ref().context("the house has no bus")?;
    dispatch(house.home(), &bus.address, house.desk(), BRIDGE, &bridge)
}

/// Starts Mission Control on a bus on which a connection manager can be activated.
fn dispatch(
    home: &Path,
    bus: &str,
    desk: &Desk,
    manager: &str,
    executable: &Path,
) -> Result<Program> {
    ensure!(
        Path::new(MISSION_CONTROL).is_file(),
        "install the package telepathy-mission-control-5"
    );
    can_be_activated(home, desk, manager, executable)?;
    // Mission Control would wait for a way out into the world. (The path of its schema is Empathy's.)
    let settings = home.join(".config/glib-2.0/settings");
    fs::create_dir_all(&settings)?;
    let mut text = String::new();
    writeln!(text, "[org/gnome/empathy]\nuse-conn=false")?;
    fs::write(settings.join("keyfile"), text)?;

    let mut command = environment(MISSION_CONTROL, home, bus);
    let program = Program::start("mission-control-5", &mut command)?;
    desk.wait("Mission Control", desk.name_comes(ACCOUNT_MANAGER))??;
    Ok(program)
}

/// Starts our client in Python.
fn client(home: &Path, bus: &str) -> Result<Program> {
    let mut command = environment(PYTHON, home, bus);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/telepathy-client.py"));
    let mut client = Program::start("telepathy-client", &mut command)?;
    client.wait_for("ready").context("install gir1.2-telepathyglib-0.12 and python3-gi")?;
    Ok(client)
}

/// Has the bus start a program when somebody asks for its name.
fn can_be_activated(home: &Path, desk: &Desk, name: &str, executable: &Path) -> Result<()> {
    let file = format!("[D-BUS Service]\nName={name}\nExec={}\n", executable.display());
    fs::write(home.join("dbus-services").join(format!("{name}.service")), file)?;
    reload(desk)
}

fn rakia() -> Result<&'static Path> {
    let executable = Path::new(RAKIA);
    ensure!(executable.is_file(), "install the package telepathy-rakia");
    Ok(executable)
}

/// Has the bus read anew what it can start.
fn reload(desk: &Desk) -> Result<()> {
    let reload = desk.connection().call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "ReloadConfig",
        &(),
    );
    desk.wait("the bus", reload)??;
    Ok(())
}

/// A command on a bus, in a home.
pub(super) fn environment(program: impl AsRef<OsStr>, home: &Path, bus: &str) -> Command {
    let mut command = in_home(program, home);
    command
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .env("GSETTINGS_BACKEND", "keyfile")
        // No client of the machine is to take part.
        .env("XDG_DATA_DIRS", "/usr/share")
        .env("MC_CLIENTS_DIR", home.join("clients"))
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
