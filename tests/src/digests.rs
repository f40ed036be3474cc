// SPDX-License-Identifier: GPL-3.0-or-later
//! A machine on whose system bus the digest service is activated: with an `/etc` and a `/var/lib` of its
//! own in a mount namespace, a dbus-daemon that obeys the policy we ship, the real polkitd, and users
//! who are nobody outside. Needs root, as CI has.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::program::{in_home, ours};
use crate::{PATIENCE, Program};

/// The Python that Debian's python3-gi is for.
const PYTHON: &str = "/usr/bin/python3";
const POLKIT: &str = "/usr/lib/polkit-1/polkitd";

/// The users, whose login passwords are `old`; may do what polkit lets them.
pub const ANNA: u32 = 2001;
/// Another one.
pub const BERT: u32 = 2002;
/// One who manages digests by a rule of polkit.
pub const CORA: u32 = 2003;

/// How the machine differs from others.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What the service is told on its command line.
    pub arguments: &'a str,
    /// What is done before the bus starts, as root of the machine.
    pub script: &'a str,
    /// What stands before the service in the command that activates it.
    pub wrapper: &'a str,
    /// Whether there is a polkit.
    pub polkit: bool,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self { arguments: "", script: "", wrapper: "", polkit: true }
    }
}

/// A machine. It ends with this value.
#[derive(Debug)]
pub struct DigestMachine {
    room: tempfile::TempDir,
    /// The bus; what it says contains what those say whom it has activated.
    pub bus: Program,
}

impl DigestMachine {
    /// Starts a machine.
    ///
    /// # Errors
    /// A program is not there, or the bus does not come up.
    pub fn start(plan: &Plan<'_>) -> Result<Self> {
        let room = tempfile::Builder::new().prefix("sipwitch-digests-").tempdir()?;
        let path = room.path();
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
        furnish(path)?;
        serve(path, plan)?;
        let script = format!(
            "set -e; {}\n{}\nexec dbus-daemon --config-file {}/bus.conf --nofork --nosyslog \
             --print-address=1",
            mounts(path),
            plan.script,
            path.display()
        );
        let mut command = in_home("unshare", path);
        command.args(["--mount", "sh", "-c", &script]);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", address(path));
        let mut bus = Program::start("dbus-daemon", &mut command)?;
        bus.wait_for("unix:path=").context("dbus-daemon (package dbus)")?;
        Ok(Self { room, bus })
    }

    /// The address of its bus.
    #[must_use]
    pub fn address(&self) -> String {
        address(self.room.path())
    }

    /// Its `/etc`.
    #[must_use]
    pub fn etc(&self) -> PathBuf {
        self.room.path().join("etc")
    }

    /// What is below its `/var/lib`.
    #[must_use]
    pub fn lib(&self) -> PathBuf {
        self.room.path().join("lib")
    }

    /// A program of a user on the bus.
    ///
    /// # Errors
    /// It does not start.
    pub fn client(&self, uid: u32) -> Result<DigestClient> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digest-client.py");
        // The user may not be able to read where the project lies.
        let readable = self.room.path().join("digest-client.py");
        fs::copy(script, &readable)?;
        fs::set_permissions(&readable, Permissions::from_mode(0o755))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--clear-groups"])
            .args([format!("--reuid={uid}"), format!("--regid={uid}")])
            .args(["--", PYTHON])
            .arg(readable)
            .arg(self.address())
            .env_clear()
            .env("PYTHONUNBUFFERED", "1")
            .current_dir("/");
        Ok(DigestClient { program: Program::start(&format!("client {uid}"), &mut command)? })
    }

    /// What stands before a program that a user runs on the machine.
    #[must_use]
    pub fn as_user(&self, uid: u32) -> Vec<String> {
        let script = format!(
            "set -e; {}\nexec setpriv --pdeathsig TERM --clear-groups --reuid={uid} --regid={uid} \
             -- \"$@\"",
            mounts(self.room.path())
        );
        ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).into()
    }

    /// Takes the digest service off the bus, which then has nobody of that name.
    ///
    /// # Errors
    /// The bus does not read its files again.
    pub fn uninstall(&self) -> Result<()> {
        let name = "org.gnutelephony.SipWitchDigest1";
        fs::remove_file(self.room.path().join("services").join(format!("{name}.service")))?;
        let status = Command::new("busctl")
            .arg(format!("--address={}", self.address()))
            .args(["call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"])
            .arg("ReloadConfig")
            .status()
            .context("busctl (package systemd)")?;
        ensure!(status.success(), "the bus does not read its files again");
        Ok(())
    }

    /// Runs a script as root of the machine, with these lines on standard input.
    ///
    /// # Errors
    /// It cannot be run, or fails.
    pub fn run(&self, script: &str, input: &str) -> Result<Output> {
        let typed = self.room.path().join("typed");
        fs::write(&typed, input)?;
        let whole = format!("set -e; {}\n{script}", mounts(self.room.path()));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &whole]).stdin(fs::File::open(typed)?);
        let output = command.stderr(Stdio::piped()).output().context("unshare runs, for root")?;
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output)
    }

    /// The process of the service, if it runs.
    ///
    /// # Errors
    /// The bus does not answer.
    pub fn service(&self) -> Result<Option<i32>> {
        let output = Command::new("busctl")
            .arg(format!("--address={}", self.address()))
            .args(["call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"])
            .args(["GetConnectionUnixProcessID", "s", "org.gnutelephony.SipWitchDigest1"])
            .output()
            .context("busctl (package systemd)")?;
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(said.trim().strip_prefix("u ").and_then(|number| number.parse().ok()))
    }
}

/// A program of one user, on the bus all the time.
#[derive(Debug)]
pub struct DigestClient {
    program: Program,
}

impl DigestClient {
    /// Calls a method; the arguments are those of tests/data/digest-client.py.
    ///
    /// # Errors
    /// The client has ended, or nothing comes.
    pub fn call(&mut self, call: &Value) -> Result<Value> {
        self.program.said.skip();
        self.program.type_line(&call.to_string())?;
        let answer = self.program.wait_within(PATIENCE * 3, "an answer", |line| {
            line.starts_with('{').then(|| line.to_owned())
        })?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// The same, where an answer is wanted.
    ///
    /// # Errors
    /// It is an error.
    pub fn ask(&mut self, call: &Value) -> Result<Value> {
        let answer = self.call(call)?;
        match answer.get("is") {
            Some(value) => Ok(value.clone()),
            None => bail!("{call}: {answer}"),
        }
    }

    /// The same, where an error is wanted: its name, without what all have in front.
    ///
    /// # Errors
    /// It is none.
    pub fn refused(&mut self, call: &Value) -> Result<String> {
        let answer = self.call(call)?;
        match answer.get("error").and_then(Value::as_str) {
            Some(name) => Ok(name.to_owned()),
            None => bail!("{call}: {answer}"),
        }
    }

    /// Whether a response made with this password is right.
    ///
    /// # Errors
    /// No yes and no no.
    pub fn verifies(&mut self, response: &Value) -> Result<bool> {
        let answer = self.ask(&json!(["VerifyResponse", response]))?;
        answer.as_bool().context("yes or no")
    }
}

fn address(room: &Path) -> String {
    format!("unix:path={}/bus", room.display())
}

/// What makes the room the machine.
fn mounts(room: &Path) -> String {
    let room = room.display();
    format!(
        "mount --bind {room}/etc /etc; mount --bind {room}/lib /var/lib; \
         mount --bind {room}/pam.d /usr/lib/pam.d; \
         mount --bind {room}/actions /usr/share/polkit-1/actions"
    )
}

fn data(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../data")).join(name)
}

/// Users, their passwords, and the stacks of Debian.
fn furnish(room: &Path) -> Result<()> {
    let etc = room.join("etc");
    for folder in ["etc", "etc/pam.d", "etc/polkit-1", "etc/polkit-1/rules.d", "lib", "pam.d"] {
        fs::create_dir(room.join(folder))?;
        fs::set_permissions(room.join(folder), Permissions::from_mode(0o755))?;
    }
    for folder in ["actions", "services"] {
        fs::create_dir(room.join(folder))?;
    }
    let hash = Command::new("openssl").args(["passwd", "-6", "-salt", "salt", "old"]).output()?;
    let hash = String::from_utf8(hash.stdout)?;
    let people = [("anna", ANNA), ("bert", BERT), ("cora", CORA)];
    let (mut passwd, mut group, mut shadow) =
        ("root:x:0:0::/:/bin/sh\n".to_owned(), "root:x:0:\n".to_owned(), String::new());
    let system = ("polkitd", 996);
    for (name, uid) in people.into_iter().chain([system]) {
        passwd += &format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n");
        group += &format!("{name}:x:{uid}:\n");
        let hash = if uid == system.1 { "*" } else { hash.trim() };
        shadow += &format!("{name}:{hash}:19000:0:99999:7:::\n");
    }
    fs::write(etc.join("passwd"), passwd)?;
    fs::write(etc.join("group"), group)?;
    fs::write(etc.join("shadow"), shadow)?;
    fs::set_permissions(etc.join("shadow"), Permissions::from_mode(0o600))?;
    fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\n")?;
    let unix = "[success=1 default=ignore] pam_unix.so";
    let (deny, permit) = ("requisite pam_deny.so", "required pam_permit.so");
    for (kind, options) in [("auth", "nodelay"), ("account", ""), ("password", "sha512")] {
        let stack = format!("{kind} {unix} {options}\n{kind} {deny}\n{kind} {permit}\n");
        fs::write(etc.join("pam.d").join(format!("common-{kind}")), stack)?;
    }
    fs::write(etc.join("pam.d/passwd"), "@include common-password\n")?;
    fs::write(etc.join("pam.d/other"), format!("auth {deny}\naccount {deny}\npassword {deny}\n"))?;
    fs::copy(data("pam.d/sipwitch-digestd"), room.join("pam.d/sipwitch-digestd"))?;

    let action = "org.gnutelephony.sipwitch.digest";
    let policy = format!("{action}.policy");
    fs::copy(data(&format!("polkit-1/{policy}")), room.join("actions").join(&policy))?;
    // What an agent would ask a person about: bert answers it, and cora is an administrator.
    let rule = format!(
        "polkit.addRule(function(action, subject) {{\n\
         if (action.id == '{action}.change-own' && subject.user == 'bert') return polkit.Result.YES;\n\
         if (action.id.indexOf('{action}.') == 0 && subject.user == 'cora') return polkit.Result.YES;\n\
         }});\n"
    );
    fs::write(etc.join("polkit-1/rules.d/10-test.rules"), rule)?;
    Ok(())
}

/// The bus and whom it activates.
fn serve(room: &Path, plan: &Plan<'_>) -> Result<()> {
    let service = |name: &str, exec: &str| {
        let text = format!("[D-BUS Service]\nName={name}\nExec={exec}\n");
        fs::write(room.join("services").join(format!("{name}.service")), text)
    };
    let program = ours("sipwitch-digestd", "sipwitch-digest-service")?;
    let exec = format!("{} {} {}", plan.wrapper, program.display(), plan.arguments);
    service("org.gnutelephony.SipWitchDigest1", exec.trim())?;
    if plan.polkit {
        ensure!(Path::new(POLKIT).exists(), "no {POLKIT}: .ci/need packages test (polkitd)");
        service("org.freedesktop.PolicyKit1", POLKIT)?;
    }
    let bus = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <include>{policy}</include>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
</busconfig>
"#,
        address = address(room),
        services = room.join("services").display(),
        policy = data("dbus-1/org.gnutelephony.SipWitchDigest1.conf").display(),
    );
    fs::write(room.join("bus.conf"), bus)?;
    Ok(())
}
