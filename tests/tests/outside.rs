// SPDX-License-Identifier: GPL-3.0-or-later
//! The way out of the house from nothing: accounts made with the command line, passwords in a real
//! keyring, a real provider, and calls that find another way when the first one fails.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Keyring, Manner, Misbehaving, Operator};
use sipwitch_tests::{CommandLine, Host, House, Network, net};

const PASSWORD: &str = "wonder land 7";

/// Somebody behind the provider, as it is dialled in Germany, and as providers take it.
const NATIONAL: &str = "030901820";
const NUMBER: &str = "+4930901820";

/// Where the user is, and whose certificates are believed.
fn settings(provider: &Operator) -> String {
    let authority = &provider.certificate;
    format!("[sip]\ntls-authorities = [{authority:?}]\n[numbers]\nregion = \"DE\"")
}

/// A provider with alice, and bert who has the number.
fn operator(at: IpAddr) -> Result<Operator> {
    let plan = Operator::plan(at).user("alice", PASSWORD).user("bert", "b");
    plan.leads(NUMBER, "bert").start()
}

/// Makes an account with the command line and waits until it is online.
fn sign_up(house: &House, id: &str, at: SocketAddr, transport: &str) -> Result<()> {
    let (host, port) = (at.ip().to_string(), format!("server.port={}", at.port()));
    let transports = format!("server.transports={transport}");
    let mut command = vec!["accounts", "add", "--domain", &host, "--id", id, "--title", id];
    command.extend(["--answer", "user=alice", "--set", &port, "--set", &transports]);
    command.extend(["--no-wait", "--password-stdin"]);
    CommandLine::of(house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
    house.desk().account_is(id, &[AccountState::Online])?;
    Ok(())
}

/// What `sipwitch explain` says would be tried, in order.
fn explained(house: &House) -> Result<Vec<String>> {
    let told = CommandLine::of(house).json(&["explain", NATIONAL])?;
    let attempts = told["attempts"].as_array().context("attempts")?;
    attempts
        .iter()
        .map(|line| line["destination"].as_str().map(str::to_owned).context("a destination"))
        .collect()
}

/// The outcomes of everything that was tried for the last call.
fn tried(house: &House) -> Result<Vec<String>> {
    let last = house.desk().history()?.into_iter().next().context("a call in the history")?;
    Ok(last.route_trace.iter().map(|line| line.outcome.to_string()).collect())
}

/// 101 dials the national number, and hears whoever has it.
fn calls(inside: &mut Baresip, outside: &mut Baresip) -> Result<()> {
    inside.call(NATIONAL)?;
    outside.incoming()?;
    inside.ringing()?;
    outside.answer()?;
    inside.established()?;
    outside.established()?;
    Ok(())
}

fn ends(inside: &mut Baresip, outside: &mut Baresip) -> Result<()> {
    inside.hang_up()?;
    inside.closed()?;
    outside.closed()?;
    Ok(())
}

#[test]
fn a_national_call_fails_over_from_a_provider_that_answers_503_as_explained_before() -> Result<()> {
    let provider = operator(net::other_loopback())?;
    let refusing = Misbehaving::start(net::other_loopback(), Manner::Unavailable)?;
    let house = House::plan().settings(&settings(&provider)).extensions(&["101"]).build()?;
    let keyring = Keyring::unlocked(&house)?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    let mut outside = Baresip::start(&Account::new("bert", provider.at).with_password("b"))?;
    outside.registered()?;

    sign_up(&house, "a-first", refusing.at, "udp")?;
    sign_up(&house, "b-second", provider.tls, "tls")?;
    ensure!(keyring.items(&house)?.len() == 2, "both passwords are in the keyring");
    let attempts = explained(&house)?;
    ensure!(
        attempts.len() == 2 && attempts[0].contains("first") && attempts[1].contains("second"),
        "{attempts:?}"
    );

    calls(&mut inside, &mut outside)?;
    let asked = refusing.messages();
    ensure!(
        asked.contains(&format!("INVITE sip:{NUMBER}@")),
        "the first was asked first:\n{asked}"
    );
    ends(&mut inside, &mut outside)?;
    house.desk().calls_are(0)?;
    let outcomes = tried(&house)?;
    ensure!(outcomes == ["failed", "answered"], "{outcomes:?}");
    // People see it too.
    let said = CommandLine::of(&house).run(&["history"])?;
    let shown = said.done()?;
    for words in ["├─ 1. ", "by line a-first", "└─ 2. ", "by line b-second"] {
        ensure!(shown.contains(words), "no {words:?} in {shown}");
    }
    Ok(())
}

/// A house and two providers on a network of their own.
struct Town {
    house: House,
    inside: Baresip,
    outside: Baresip,
    provider: Operator,
    silent: Misbehaving,
    home: Host,
    elsewhere: Host,
    _at_provider: Host,
    _network: Network,
}

const HOME: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const OTHER_HOME: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 11);

fn town() -> Result<Town> {
    let network = Network::new()?;
    let home = network.host(HOME)?;
    let at_provider = network.host(Ipv4Addr::new(10, 77, 0, 2))?;
    let elsewhere = network.host(Ipv4Addr::new(10, 77, 0, 3))?;
    let address = IpAddr::V4(at_provider.address);
    let (provider, outside) = at_provider.run(move || {
        let provider = operator(address)?;
        let outside =
            Baresip::start_at(&Account::new("bert", provider.at).with_password("b"), address)?;
        Ok((provider, outside))
    })?;
    let address = IpAddr::V4(elsewhere.address);
    let silent = elsewhere.run(move || Misbehaving::start(address, Manner::Silent))?;
    let settings = settings(&provider);
    let (house, inside) = home.run(move || {
        let house = House::plan().settings(&settings).extensions(&["101"]).build()?;
        let inside = Baresip::start(&Account::new("101", house.at))?;
        Ok((house, inside))
    })?;
    let mut town = Town {
        house,
        inside,
        outside,
        provider,
        silent,
        home,
        elsewhere,
        _at_provider: at_provider,
        _network: network,
    };
    town.inside.registered()?;
    town.outside.registered()?;
    Ok(town)
}

#[test]
fn a_provider_that_is_cut_off_in_the_middle_of_a_set_up_is_left_for_another() -> Result<()> {
    let mut town = town()?;
    sign_up(&town.house, "a-first", town.silent.at, "udp")?;
    sign_up(&town.house, "b-second", town.provider.at, "tcp")?;
    town.inside.call(NATIONAL)?;
    // The first has the call, and is cut off before it says anything.
    town.silent.asked_for("INVITE")?;
    town.elsewhere.unplug()?;
    town.outside.incoming()?;
    town.inside.ringing()?;
    town.outside.answer()?;
    town.inside.established()?;
    ends(&mut town.inside, &mut town.outside)?;
    town.house.desk().calls_are(0)?;
    let outcomes = tried(&town.house)?;
    ensure!(outcomes == ["failed", "answered"], "{outcomes:?}");
    Ok(())
}

#[test]
fn an_account_registers_from_another_address_and_a_call_moves_there() -> Result<()> {
    let mut town = town()?;
    sign_up(&town.house, "b-second", town.provider.at, "udp")?;
    let how = town.provider.program.wait_for("registered: alice")?;
    ensure!(how.contains(&HOME.to_string()), "{how}");
    calls(&mut town.inside, &mut town.outside)?;

    town.home.remove_address(HOME)?;
    town.home.add_address(OTHER_HOME)?;
    let how = town.provider.program.wait_for("registered: alice")?;
    ensure!(how.contains(&OTHER_HOME.to_string()), "{how}");
    // The far end is told where we are, and the call goes on from there.
    town.provider.program.wait_for(&format!("inside: INVITE from {OTHER_HOME}"))?;
    town.outside.hang_up()?;
    town.inside.closed()?;

    // The next call goes out from there as well.
    calls(&mut town.inside, &mut town.outside)?;
    ends(&mut town.inside, &mut town.outside)?;
    let network = CommandLine::of(&town.house).json(&["status"])?["network"].to_string();
    ensure!(network.contains("connected to a network"), "{network}");
    Ok(())
}
