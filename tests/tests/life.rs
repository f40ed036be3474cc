// SPDX-License-Identifier: GPL-3.0-or-later
//! The service comes up, or says clearly why it does not; and it goes without leaving a mess.

use std::net::UdpSocket;

use anyhow::{Error, Result, ensure};
use nix::sys::signal::Signal;
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::house::Start;
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{House, PATIENCE, Plain as _, Program};

/// Starts the service of a house and expects it to end by itself, unhappily.
fn complaint(house: &House) -> Result<String> {
    let mut service = Program::start("sipwitchd", &mut house.command())?;
    let status = service.wait_for_end(PATIENCE)?;
    let said = service.said.all().join("\n");
    ensure!(!status.success(), "it ended with {status}: {said}");
    Ok(said)
}

#[test]
fn the_bus_starts_the_service_when_it_is_first_asked_for() -> Result<()> {
    let house = House::plan().start(Start::ByActivation).build()?;
    let service = house.desk().service()?;
    let version = house.desk().wait("Version", service.version())??;
    ensure!(version == env!("CARGO_PKG_VERSION"), "{version}");
    Ok(())
}

#[test]
fn it_runs_without_a_bus() -> Result<()> {
    let mut house = House::plan().start(Start::WithoutBus).build()?;
    let status = house.stop_service()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn a_bus_that_is_not_there_is_named() -> Result<()> {
    let house = House::plan().lay_out()?;
    let nowhere = house.home().join("nowhere");
    let mut command = house.command();
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", nowhere.display()));
    let mut service = Program::start("sipwitchd", &mut command)?;
    let status = service.wait_for_end(PATIENCE)?;
    let said = service.said.all().join("\n");
    ensure!(!status.success(), "{status}");
    ensure!(
        said.to_lowercase().contains("bus") && said.contains("--bus none"),
        "the next step is named: {said}"
    );
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let house = House::plan().lay_out()?;
    let _other = UdpSocket::bind(house.at)?;
    let said = complaint(&house)?;
    ensure!(said.contains(&house.at.to_string()) && said.contains("in use"), "{said}");
    Ok(())
}

#[test]
fn without_an_address_it_takes_the_next_port_that_is_free() -> Result<()> {
    // Whoever has 5060 on this machine: somebody does now.
    let _other = UdpSocket::bind("127.0.0.1:5060");
    let house = House::plan().where_it_likes().extensions(&["101"]).build()?;
    ensure!(house.at.ip().is_loopback() && house.at.port() > 5060, "{}", house.at);
    let mut phone = Phone::new(Transport::Tcp, house.at.ip(), house.at, Sim::new("101"));
    let phone = phone.as_mut().map_err(|error| Error::msg(error.clone()))?;
    ensure!(phone.register(60).plain()?.status() == Some(200), "one port for both");
    Ok(())
}

#[test]
fn the_log_tells_neither_passwords_nor_whole_numbers() -> Result<()> {
    let number = "+4930901820";
    let house = House::plan()
        .everybody_needs_a_password()
        .settings("[log]\nlevel = \"debug\"")
        .extension("101", "opensesame")
        .extension("102", "opensesame")
        .build()?;
    let account = Sim { number: "101".into(), password: "opensesame".into() };
    let mut phone = Phone::new(Transport::Udp, house.at.ip(), house.at, account).plain()?;
    ensure!(phone.register(60).plain()?.status() == Some(200));
    let refused = house.desk().dial("101", number);
    ensure!(refused.is_err(), "there is no line yet");
    let mut call = phone.call(number, b"").plain()?;
    ensure!(call.final_answer(&mut phone).plain()?.status() == Some(401));
    let log = house.log();
    ensure!(log.contains("registered"), "{log}");
    for secret in ["opensesame", "response=\"", "nonce=\"", number, &number[1..]] {
        ensure!(!log.contains(secret), "{secret:?} is in the log: {log}");
    }
    Ok(())
}

#[test]
fn a_name_that_is_taken_is_named() -> Result<()> {
    let house = House::plan().build()?;
    let other = House::plan().lay_out()?;
    let mut command = other.command();
    let bus = house.bus.as_ref().expect("the house has a bus");
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let mut service = Program::start("second sipwitchd", &mut command)?;
    let status = service.wait_for_end(PATIENCE)?;
    let said = service.said.all().join("\n");
    ensure!(!status.success() && said.contains("org.gnutelephony.SipWitch1"), "{status}: {said}");
    Ok(())
}

#[test]
fn an_unknown_key_in_the_configuration_is_refused_with_its_place() -> Result<()> {
    let house = House::plan().settings("# one\n# two\nno-such-key = 3").lay_out()?;
    let said = complaint(&house)?;
    ensure!(
        said.contains("config.toml") && said.contains("no-such-key") && said.contains('3'),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_corrupt_database_is_moved_aside_and_named() -> Result<()> {
    let mut house = House::plan().extensions(&["101"]).lay_out()?;
    let database = house.database();
    std::fs::write(&database, b"this is no database, whatever its name says ".repeat(400))?;
    house.open()?;
    let log = house.log();
    let folder = database.parent().expect("the database lies in a folder");
    let aside =
        std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
            *path != database
                && std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"this is no database"))
        });
    let Some(aside) = aside else {
        anyhow::bail!("nothing was kept in {}", folder.display());
    };
    let name =
        aside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ensure!(log.contains(&name), "the log names {name}: {log}");
    Ok(())
}

#[test]
fn sigterm_ends_calls_and_keeps_registrations() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    let mut bert = Baresip::start(&Account::new("102", house.at))?;
    anna.registered()?;
    bert.registered()?;
    anna.call("102")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    bert.established()?;
    let status = house.stop_service()?;
    ensure!(status.success(), "{status}");
    anna.closed()?;
    bert.closed()?;
    house.start_service()?;
    house.desk().phones("101", 1)?;
    house.desk().phones("102", 1)?;
    ensure!(house.desk().history()?.len() == 1);
    Ok(())
}

#[test]
fn sighup_reads_the_configuration_again() -> Result<()> {
    let mut house = House::plan().extensions(&["101"]).build()?;
    let at = house.at;
    let register = move || {
        let mut phone = Phone::new(Transport::Udp, at.ip(), at, Sim::new("101")).plain()?;
        phone.register(60).plain()
    };
    ensure!(register()?.status() == Some(200));
    let closed = House::plan().everybody_needs_a_password();
    std::fs::write(house.config(), closed.text())?;
    house.notified("READY=1")?;
    house.service()?.signal(Signal::SIGHUP)?;
    house.notified("RELOADING=1")?;
    house.notified("READY=1")?;
    ensure!(register()?.status() == Some(401));
    Ok(())
}
