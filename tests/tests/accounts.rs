// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts from an empty configuration on, with passwords in a real keyring.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sipwitch_dbus_interfaces::SipWitchProxy;
use sipwitch_dbus_interfaces::wire::{AccountState, PasswordKept};
use sipwitch_tests::peers::Keyring;
use sipwitch_tests::program::{foreign, in_home};
use sipwitch_tests::{CommandLine, House, PATIENCE, Program, net};

const PASSWORD: &str = "correct-horse-battery";

/// A provider that never answers.
struct Silent {
    socket: UdpSocket,
    at: SocketAddr,
}

impl Silent {
    fn new(at: IpAddr) -> Result<Self> {
        let socket = UdpSocket::bind((at, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let at = socket.local_addr()?;
        Ok(Self { socket, at })
    }

    /// Waits until it is asked to register somebody.
    fn is_asked(&self) -> Result<String> {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).context("nobody registers")?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("REGISTER ") {
                return Ok(text);
            }
        }
    }

    /// The command that makes an account there.
    fn add<'a>(&'a self, port: &'a str, host: &'a str) -> [&'a str; 13] {
        [
            "accounts",
            "add",
            "--domain",
            host,
            "--id",
            "pbx",
            "--answer",
            "user=100",
            "--set",
            port,
            "--set",
            "server.transports=udp",
            "--no-wait",
        ]
    }
}

fn make(house: &House, provider: &Silent) -> Result<()> {
    let (port, host) =
        (format!("server.port={}", provider.at.port()), provider.at.ip().to_string());
    let mut command = provider.add(&port, &host).to_vec();
    command.push("--password-stdin");
    let said = CommandLine::of(house).run_with(&command, &format!("{PASSWORD}\n"))?;
    ensure!(said.done()?.contains("account pbx made"), "{said:?}");
    Ok(())
}

/// Waits until a password is where it should be.
fn is_kept(house: &House, wanted: PasswordKept) -> Result<()> {
    use futures_util::StreamExt as _;
    let account = house.desk().account("pbx")?;
    let waiting = async {
        let mut places = account.receive_password_kept_changed().await;
        while let Some(change) = places.next().await {
            if change.get().await? == wanted {
                return Ok(());
            }
        }
        anyhow::bail!("the bus has gone")
    };
    house.desk().wait(&format!("a password kept in {wanted}"), waiting)?
}

/// No file of ours holds the password.
fn no_file_holds_it(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            no_file_holds_it(&path)?;
        } else if path.is_file() {
            let bytes = fs::read(&path)?;
            let holds = bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
            ensure!(!holds, "{} holds the password", path.display());
        }
    }
    Ok(())
}

#[test]
fn a_password_in_the_keyring_outlives_the_service_and_is_nowhere_else() -> Result<()> {
    let mut house = House::plan().build()?;
    let keyring = Keyring::unlocked(&house)?;
    let provider = Silent::new(net::other_loopback())?;
    make(&house, &provider)?;
    is_kept(&house, PasswordKept::Keyring)?;
    provider.is_asked()?;
    let items = keyring.items(&house)?;
    ensure!(items.len() == 1 && items[0].0.starts_with("SIP password for "), "{items:?}");
    let attributes: Vec<(&str, &str)> =
        items[0].1.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    ensure!(
        attributes.contains(&("account-id", "pbx"))
            && attributes.contains(&("xdg:schema", "org.gnutelephony.SipWitch.Account")),
        "{attributes:?}"
    );

    house.stop_service()?;
    let bus = house.bus.as_ref().context("the house has a bus")?;
    let mut spy = in_home(foreign("dbus-monitor", "dbus-bin")?, house.home());
    let mut spy = Program::start("dbus-monitor", spy.args(["--address", &bus.address]))?;
    spy.wait_for("NameLost")?;
    house.start_service()?;
    is_kept(&house, PasswordKept::Keyring)?;
    provider.is_asked()?;
    house.desk().account_is("pbx", &[AccountState::Registering, AccountState::Unreachable])?;

    // Nothing that can be read shows it, and nobody who listens on the bus hears it.
    let sipwitch = CommandLine::of(&house);
    sipwitch.run(&["accounts", "disable", "pbx"])?.done()?;
    spy.wait_for("member=GetSecret")?;
    spy.wait_for("member=Update")?;
    let heard = spy.said.all().join("\n");
    ensure!(heard.contains("PasswordKept") && !heard.contains(PASSWORD), "the bus carried it");
    let shown = sipwitch.run(&["accounts", "show", "pbx", "--json"])?;
    ensure!(shown.done()?.contains("keyring") && !shown.out.contains(PASSWORD), "{shown:?}");
    ensure!(!house.log().contains(PASSWORD), "the log has it");
    no_file_holds_it(house.home())?;
    let file = house.home().join(".config/sipwitch/accounts.d/pbx.toml");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);

    // Removed, it takes its password along.
    sipwitch.run(&["accounts", "remove", "pbx"])?.done()?;
    ensure!(!file.exists());
    ensure!(sipwitch.json(&["accounts"])? == json!([]));
    house.stop_service()?;
    ensure!(keyring.items(&house)?.is_empty(), "the keyring still has it");
    Ok(())
}

#[test]
fn a_locked_keyring_is_waited_for_and_goes_on_by_itself() -> Result<()> {
    let mut house = House::plan().build()?;
    let provider = Silent::new(net::other_loopback())?;
    let keyring = Keyring::unlocked(&house)?;
    make(&house, &provider)?;
    is_kept(&house, PasswordKept::Keyring)?;
    house.stop_service()?;
    keyring.end();

    let keyring = Keyring::locked(&house)?;
    house.start_service()?;
    house.desk().account_is("pbx", &[AccountState::KeyringLocked])?;
    let sipwitch = CommandLine::of(&house);
    let shown = sipwitch.json(&["accounts", "show", "pbx"])?;
    ensure!(shown["next-step"].as_str().is_some_and(|next| next.contains("unlock")), "{shown}");
    // The service answers meanwhile.
    sipwitch.run(&["extensions", "add", "101"])?.done()?;

    keyring.unlock(&house)?;
    is_kept(&house, PasswordKept::Keyring)?;
    provider.is_asked()?;
    Ok(())
}

#[test]
fn without_a_keyring_a_password_lasts_as_long_as_the_service() -> Result<()> {
    let mut house = House::plan().build()?;
    let provider = Silent::new(net::other_loopback())?;
    make(&house, &provider)?;
    is_kept(&house, PasswordKept::Memory)?;
    provider.is_asked()?;
    house.stop_service()?;
    house.start_service()?;
    house.desk().account_is("pbx", &[AccountState::NeedsPassword])?;
    is_kept(&house, PasswordKept::None)?;

    let sipwitch = CommandLine::of(&house);
    let given = ["accounts", "password", "pbx", "--no-wait"];
    let said = sipwitch.run_with(&given, &format!("{PASSWORD}\n"))?;
    ensure!(said.done()?.contains("kept in memory"), "{said:?}");
    provider.is_asked()?;
    no_file_holds_it(house.home())?;

    sipwitch.run(&["accounts", "password", "pbx", "--forget"])?.done()?;
    is_kept(&house, PasswordKept::None)?;
    Ok(())
}

#[test]
fn a_file_of_passwords_is_used_only_if_the_configuration_says_so() -> Result<()> {
    let plan = House::plan().settings("[accounts]\npasswords = \"file\"");
    let mut house = plan.build()?;
    let provider = Silent::new(net::other_loopback())?;
    make(&house, &provider)?;
    is_kept(&house, PasswordKept::File)?;
    house.stop_service()?;
    house.start_service()?;
    is_kept(&house, PasswordKept::File)?;
    house.desk().account_is("pbx", &[AccountState::Registering, AccountState::Unreachable])?;
    Ok(())
}

#[test]
fn files_are_followed_and_a_bad_one_is_named_with_its_place() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    let folder = house.home().join(".config/sipwitch/accounts.d");
    fs::create_dir_all(&folder)?;
    let file = folder.join("pbx.toml");
    let text = "domain = \"127.0.0.1\"\nenabled = false\nanswers = { user = \"100\" }\n";
    let warned = |words: &str| {
        use futures_util::StreamExt as _;
        let waiting = async {
            // One that remembers properties, or there is no stream of their changes.
            let service = SipWitchProxy::new(house.desk().connection()).await?;
            let mut warnings = service.receive_warnings_changed().await;
            loop {
                let now = service.warnings().await?;
                let found = now.iter().any(|warning| warning.contains(words));
                if found || (words.is_empty() && now.is_empty()) {
                    return anyhow::Ok(());
                }
                warnings.next().await.context("the bus has gone")?;
            }
        };
        house.desk().wait(words, waiting)?
    };
    fs::write(&file, format!("{text}domian = \"x\"\n"))?;
    warned("pbx.toml:4:1: domian: unknown key")?;
    fs::write(&file, text)?;
    warned("")?;
    house.desk().account_is("pbx", &[AccountState::Off])?;
    fs::write(&file, text.replace("127.0.0.1", "pbx.invalid"))?;
    sipwitch.run(&["config", "reload"])?.done()?;
    let shown = sipwitch.json(&["accounts", "show", "pbx"])?;
    ensure!(shown["address"] == "100@pbx.invalid", "{shown}");
    fs::remove_file(&file)?;
    sipwitch.run(&["config", "reload"])?.done()?;
    ensure!(sipwitch.json(&["accounts"])? == json!([]));
    Ok(())
}

#[test]
fn the_command_line_says_what_it_wants_and_what_became_of_it() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    ensure!(sipwitch.run(&["accounts"])?.done()?.contains("sipwitch accounts add"));
    ensure!(sipwitch.run(&["lines"])?.done()?.contains("no lines yet"));
    let add = |more: &[&str]| {
        sipwitch.run(&[&["accounts", "add", "--domain", "pbx.invalid"], more].concat())
    };
    sipwitch.run(&["accounts", "add"])?.failed(2, &["no provider was named", "--domain"])?;
    add(&[])?.failed(2, &["user is not answered", "--answer user="])?;
    add(&["--answer", "user"])?.failed(2, &["key=value"])?;
    let secret = ["--answer", "user=100", "--answer", "password=hunter2"];
    let said = add(&secret)?;
    said.failed(2, &["does not belong on a command line", "--password-stdin"])?;
    ensure!(!said.err.contains("hunter2"), "{said:?}");
    let user = ["--answer", "user=100", "--no-password"];
    add(&[&user[..], &["--set", "server.prot=1"]].concat())?
        .failed(1, &["did you mean \"port\""])?;
    add(&[&user[..], &["--incoming", "a b"]].concat())?.failed(1, &["incoming", "' '"])?;
    let said = add(&[&user[..], &["--title", "Büro", "--incoming", "101"]].concat())?;
    ensure!(said.done()?.contains("sipwitch accounts password pbx-invalid"), "{said:?}");
    house.desk().account_is("pbx-invalid", &[AccountState::NeedsPassword])?;
    add(&[&user[..], &["--id", "pbx-invalid"]].concat())?.failed(1, &["exists already"])?;

    let listed = sipwitch.json(&["accounts"])?;
    ensure!(listed[0]["title"] == "Büro" && listed[0]["state"] == "needs-password", "{listed}");
    let change = ["accounts", "change", "pbx-invalid", "--set", "server.port=5070", "--order", "3"];
    sipwitch.run(&change)?.done()?;
    sipwitch.run(&["accounts", "change", "pbx-invalid"])?.failed(2, &["--title"])?;
    let shown = sipwitch.json(&["accounts", "show", "pbx-invalid"])?;
    ensure!(shown["settings"]["server.port"] == "5070" && shown["order"] == 3, "{shown}");
    ensure!(shown["line"]["kind"] == "account" && shown["line"]["usable"] == "no", "{shown}");
    let lines = sipwitch.run(&["lines"])?;
    ensure!(lines.done()?.contains("pbx-invalid"), "{lines:?}");

    sipwitch.run(&["accounts", "disable", "pbx-invalid"])?.done()?;
    house.desk().account_is("pbx-invalid", &[AccountState::Off])?;
    sipwitch.run(&["accounts", "try-again", "pbx-invalid"])?.failed(1, &["switch it on"])?;
    let on = sipwitch.run(&["accounts", "enable", "pbx-invalid"])?;
    on.failed(1, &["needs-password"])?;
    for command in ["show", "remove", "enable", "try-again", "password"] {
        let nobody = ["accounts", command, "nobody"];
        sipwitch.run_with(&nobody, "x\n")?.failed(1, &["no account nobody"])?;
    }
    sipwitch.run(&["accounts", "remove", "pbx-invalid"])?.done()?;
    ensure!(sipwitch.json(&["accounts"])? == json!([]));
    Ok(())
}
