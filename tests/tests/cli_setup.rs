// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch phones setup`: the program itself reads what was written for it, and registers.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_tests::house::{Plan, Start};
use sipwitch_tests::program::{foreign, in_home, new_home};
use sipwitch_tests::{CommandLine, House, PATIENCE, Program, net};
use tempfile::TempDir;

/// A house, a user of it with an own and empty home, and the account set up there.
struct Setup {
    house: House,
    home: TempDir,
}

impl Setup {
    fn of(plan: Plan, arguments: &[&str]) -> Result<Self> {
        let (house, home) = (plan.start(Start::ByActivation).build()?, new_home()?);
        let setup = Self { house, home };
        let said = setup.sipwitch().run(&[&["phones", "setup"], arguments].concat())?;
        for words in ["extension 101 made", "wrote ", "start"] {
            ensure!(said.done()?.contains(words), "{words}: {said:?}");
        }
        Ok(setup)
    }

    fn sipwitch(&self) -> CommandLine {
        let bus = self.house.bus.as_ref().map(|bus| bus.address.as_str());
        CommandLine::new(self.home.path(), bus)
    }

    fn start(&self, program: &str, package: &str, arguments: &[&str]) -> Result<Program> {
        let mut command: Command = in_home(foreign(program, package)?, self.home.path());
        Program::start(program, command.args(arguments))
    }

    /// Waits until the phone of 101 is there, and makes sure that it rings.
    fn registered(&self, program: &mut Program, agent: &str) -> Result<()> {
        let phones = self.house.desk().phones("101", 1);
        phones.with_context(|| program.tail())?;
        let phones = self.sipwitch().json(&["phones"])?;
        let found = phones[0]["user-agent"].as_str().unwrap_or_default().to_lowercase();
        ensure!(found.contains(agent), "{phones}");
        ensure!(self.sipwitch().json(&["query", "101"])?[0]["status"] == 200);
        Ok(())
    }
}

#[test]
fn baresip_registers_with_what_was_written() -> Result<()> {
    let setup = Setup::of(House::plan(), &["baresip", "101"])?;
    let folder = setup.home.path().join(".baresip");
    let folder = folder.to_str().context("a path of letters")?;
    // It takes the home from the table of users, not from HOME; all else is its own default.
    let mut baresip = setup.start("baresip", "baresip-core", &["-f", folder])?;
    setup.registered(&mut baresip, "baresip")?;
    let again = setup.sipwitch().run(&["phones", "setup", "baresip", "101"])?;
    again.failed(1, &["101@", "already"])?;
    Ok(())
}

#[test]
fn baresip_registers_with_a_password_that_was_written() -> Result<()> {
    let plan = House::plan().everybody_needs_a_password();
    let setup = Setup::of(plan, &["baresip", "101", "--new-password"])?;
    let folder = setup.home.path().join(".baresip");
    let folder = folder.to_str().context("a path of letters")?;
    let mut baresip = setup.start("baresip", "baresip-core", &["-f", folder])?;
    setup.registered(&mut baresip, "baresip")?;
    Ok(())
}

/// Linphone takes a machine that has nothing but loopback for one without a network.
const NO_NETWORK: &str = "[sip]\nauto_net_state_mon=0\nregister_only_when_network_is_up=0";

fn linphone(plan: Plan, more: &[&str]) -> Result<()> {
    let (house, home) = (plan.start(Start::ByActivation).build()?, new_home()?);
    fs::create_dir_all(home.path().join(".local/share/linphone"))?;
    // A file that is there already, as a user's would be, and does not end with a line break.
    fs::write(home.path().join(".linphonerc"), NO_NETWORK)?;
    let setup = Setup { house, home };
    let arguments = [&["phones", "setup", "linphone", "101"], more].concat();
    setup.sipwitch().run(&arguments)?.done()?;
    let written = fs::read_to_string(setup.home.path().join(".linphonerc"))?;
    ensure!(written.starts_with(NO_NETWORK), "what was there stays: {written}");
    let desktop = fs::read_to_string(setup.home.path().join(".config/linphone/linphonerc"))?;
    ensure!(desktop.contains("[proxy_0]"), "the desktop's file: {desktop}");
    let mut linphonec = setup.start("linphonec", "linphone-cli", &["-d", "6"])?;
    linphonec.wait_for("to [LinphoneRegistrationOk]")?;
    setup.registered(&mut linphonec, "linphone")
}

#[test]
fn linphone_registers_with_what_was_written() -> Result<()> {
    linphone(House::plan(), &[])
}

#[test]
fn linphone_registers_with_a_password_that_was_written() -> Result<()> {
    linphone(House::plan().everybody_needs_a_password(), &["--new-password"])
}

fn twinkle(setup: &Setup) -> Result<()> {
    let profile = setup.home.path().join(".twinkle/sipwitch-101.cfg");
    ensure!(fs::read_to_string(profile)?.contains("user_name=101"));
    // It wants a sound card: ALSA's null device serves. And its port must be of this test alone.
    fs::write(setup.home.path().join(".asoundrc"), "pcm.house { type null }\n")?;
    let system = setup.home.path().join(".twinkle/twinkle.sys");
    let written = fs::read_to_string(&system).unwrap_or_default();
    let at = SocketAddr::new(net::loopback(), net::free_port(net::loopback())?);
    let sound = "dev_ringtone=alsa:house\ndev_speaker=alsa:house\ndev_mic=alsa:house\nvalidate_audio_dev=no\n";
    fs::write(system, format!("{written}{sound}sip_port={}\n", at.port()))?;
    let mut twinkle = setup.start("twinkle-console", "twinkle-console", &["sipwitch-101.cfg"])?;
    let said = twinkle.wait_within(PATIENCE, "registration ...", |line| {
        (line.contains("registration succeeded") || line.contains("registration failed"))
            .then(|| line.to_owned())
    })?;
    ensure!(said.contains("succeeded"), "{said}");
    setup.registered(&mut twinkle, "twinkle")
}

#[test]
fn twinkle_registers_with_what_was_written() -> Result<()> {
    twinkle(&Setup::of(House::plan(), &["twinkle", "101"])?)
}

#[test]
fn twinkle_registers_with_a_password_that_was_written() -> Result<()> {
    let plan = House::plan().everybody_needs_a_password();
    twinkle(&Setup::of(plan, &["twinkle", "101", "--new-password"])?)
}

/// Starts a keyring that the user has unlocked, and waits until it is there.
fn keyring(setup: &Setup, bus: &str) -> Result<Program> {
    let password = setup.home.path().join("login-password");
    fs::write(&password, "open sesame\n")?;
    fs::create_dir_all(setup.home.path().join(".local/share/keyrings"))?;
    let daemon = foreign("gnome-keyring-daemon", "gnome-keyring")?;
    let mut command = in_home("sh", setup.home.path());
    command.args(["-c", r#"exec "$0" --unlock --components=secrets --foreground <"$1""#]);
    command.arg(daemon).arg(&password).env("DBUS_SESSION_BUS_ADDRESS", bus);
    let keyring = Program::start("gnome-keyring-daemon", &mut command)?;
    let name = "org.freedesktop.secrets";
    let desk = setup.house.desk();
    let there = async {
        let bus = zbus::fdo::DBusProxy::new(desk.connection()).await?;
        let mut changes = bus.receive_name_owner_changed_with_args(&[(0, name)]).await?;
        while !bus.name_has_owner(name.try_into()?).await? {
            changes.next().await.context("the bus has gone")?;
        }
        anyhow::Ok(())
    };
    desk.wait("the keyring", there).and_then(|done| done).with_context(|| keyring.tail())?;
    Ok(keyring)
}

fn gnome_calls(plan: Plan, more: &[&str]) -> Result<()> {
    let (house, home) = (plan.start(Start::ByActivation).build()?, new_home()?);
    let setup = Setup { house, home };
    let arguments = [&["phones", "setup", "gnome-calls", "101"], more].concat();
    let file = setup.home.path().join(".config/calls/sip-account.cfg");
    setup.sipwitch().run(&arguments)?.failed(1, &["keyring"])?;
    ensure!(!file.exists(), "nothing is half done");

    let bus = setup.house.bus.as_ref().context("there is a bus")?.address.clone();
    let _keyring = keyring(&setup, &bus)?;
    setup.sipwitch().run(&arguments)?.done()?;
    ensure!(file.exists());
    let mut screen = setup.start("Xvfb", "xvfb", &["-displayfd", "1", "-nolisten", "tcp"])?;
    let display = screen.wait_within(PATIENCE, "its number", |line| line.parse::<u32>().ok())?;
    let mut command = in_home(foreign("gnome-calls", "gnome-calls")?, setup.home.path());
    command.args(["--daemon", "-p", "sip"]).env("DISPLAY", format!(":{display}"));
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus).env("GSETTINGS_BACKEND", "memory");
    command.env("GIO_USE_VFS", "local").env("NO_AT_BRIDGE", "1");
    let mut calls = Program::start("gnome-calls", &mut command)?;
    setup.registered(&mut calls, "calls")
}

#[test]
fn gnome_calls_registers_with_what_was_written() -> Result<()> {
    gnome_calls(House::plan(), &[])
}

#[test]
fn gnome_calls_registers_with_a_password_from_the_keyring() -> Result<()> {
    let plan = House::plan().everybody_needs_a_password();
    gnome_calls(plan, &["--new-password"])
}

#[test]
fn what_would_be_written_is_shown_and_not_written() -> Result<()> {
    let (house, home) = (House::plan().build()?, new_home()?);
    let setup = Setup { house, home };
    for (program, file, words) in [
        ("baresip", ".baresip/accounts", "regint=300"),
        ("linphone", ".config/linphone/linphonerc", "reg_sendregister=1"),
        ("twinkle", ".twinkle/sipwitch-101.cfg", "register_at_startup=yes"),
        ("gnome-calls", ".config/calls/sip-account.cfg", "AutoConnect=true"),
    ] {
        let said = setup.sipwitch().run(&["phones", "setup", program, "101", "--dry-run"])?;
        ensure!(said.done()?.contains(file) && said.out.contains(words), "{program}: {said:?}");
        ensure!(!setup.home.path().join(file).exists(), "{program}");
        let json = setup.sipwitch().json(&["phones", "setup", program, "101", "--dry-run"])?;
        ensure!(json["program"] == program && json["written"] == false, "{json}");
    }
    ensure!(setup.sipwitch().json(&["extensions"])? == serde_json::json!([]), "none was made");
    Ok(())
}
