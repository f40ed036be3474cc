// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line of a new version, and a service that was started before the upgrade.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sipwitch_dbus_interfaces::names::{BUS_NAME, ROOT};
use sipwitch_tests::program::new_home;
use sipwitch_tests::{CommandLine, Desk, PrivateBus};
use tempfile::TempDir;

/// A service that knows what the first ones knew.
struct Old;

#[zbus::interface(name = "org.gnutelephony.SipWitch1")]
impl Old {
    #[zbus(property)]
    fn version(&self) -> &str {
        "0.0.9"
    }

    #[zbus(property)]
    fn addresses(&self) -> Vec<&str> {
        vec!["udp:127.0.0.1:5060"]
    }

    #[zbus(property)]
    fn domain(&self) -> &str {
        "localhost"
    }

    #[zbus(property)]
    fn warnings(&self) -> Vec<&str> {
        vec!["the state is not kept"]
    }
}

struct Machine {
    sipwitch: CommandLine,
    _old: Desk,
    _bus: PrivateBus,
    _home: TempDir,
}

fn machine() -> Result<Machine> {
    let home = new_home()?;
    let bus = PrivateBus::start(home.path(), None)?;
    let desk = Desk::open(&bus.address)?;
    let connection = desk.connection();
    desk.wait("the old service", async {
        let server = connection.object_server();
        server.at(ROOT, zbus::fdo::ObjectManager).await?;
        server.at(ROOT, Old).await?;
        connection.request_name(BUS_NAME).await
    })??;
    let sipwitch = CommandLine::new(home.path(), Some(&bus.address));
    Ok(Machine { sipwitch, _old: desk, _bus: bus, _home: home })
}

#[test]
fn status_shows_what_an_older_service_tells_and_says_once_that_it_is_older() -> Result<()> {
    let machine = machine()?;
    let status = machine.sipwitch.run(&["status"])?;
    let text = status.done()?;
    for words in ["SIP Witch 0.0.9", "udp:127.0.0.1:5060", "localhost", "the state is not kept"] {
        ensure!(text.contains(words), "{words} in {text}");
    }
    ensure!(text.matches("older than this program").count() == 1, "{text}");
    ensure!(text.contains("EmergencyNumbers") && !text.contains("emergencies"), "{text}");
    ensure!(text.contains("systemctl --user restart sipwitch"), "{text}");
    let json = machine.sipwitch.json(&["status"])?;
    ensure!(json["version"] == "0.0.9" && json["emergency-numbers"] == Value::Null, "{json}");
    let not_told = json["not-told"].as_array().context("a list of what is not told")?;
    ensure!(not_told.contains(&"EmergencyNumbers".into()), "{json}");
    ensure!(!not_told.contains(&"Version".into()), "{json}");
    Ok(())
}

#[test]
fn the_doctor_goes_on_and_other_commands_say_what_is_too_new_for_the_service() -> Result<()> {
    let machine = machine()?;
    let doctor = machine.sipwitch.run(&["doctor"])?;
    for words in ["version 0.0.9 answers", "udp:127.0.0.1:5060", "the state is not kept"] {
        ensure!(doctor.out.contains(words), "{words} in {doctor:?}");
    }
    ensure!(doctor.out.contains("does not tell"), "{doctor:?}");
    // CheckNames came later: what stands after it is found all the same.
    ensure!(doctor.out.contains("! names") && doctor.out.contains("CheckNames"), "{doctor:?}");
    ensure!(!doctor.out.contains("✗"), "{doctor:?}");
    let history = machine.sipwitch.run(&["history"])?;
    history.failed(1, &["older than this program", "History", "systemctl --user restart"])?;
    let json = machine.sipwitch.run(&["history", "--json"])?.failure()?;
    ensure!(json["error"] == "service-is-older", "{json}");
    Ok(())
}
