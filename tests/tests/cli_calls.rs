// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls made, watched and steered from the command line, with real phones.

use anyhow::{Context, Error, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sipwitch_dbus_interfaces::wire::CallState;
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{CommandLine, House, PATIENCE, Program};

fn baresip(house: &House, number: &str) -> Result<Baresip> {
    let mut phone = Baresip::start(&Account::new(number, house.at))?;
    phone.registered()?;
    Ok(phone)
}

/// 101 calls 102 and is answered.
fn call(house: &House, anna: &mut Baresip, bert: &mut Baresip) -> Result<String> {
    let there = house.desk().calls()?;
    anna.call("102")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    let now = house.desk().calls_are(there.len() + 1)?;
    let new = now.iter().find(|path| !there.contains(path)).context("the new call")?;
    house.desk().call_is(new, CallState::Connected)?;
    Ok(new.rsplit('/').next().context("its number")?.to_owned())
}

/// The objects of a run whose output went on.
fn objects(program: &Program) -> Result<Vec<Value>> {
    program.said.all().iter().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Waits for an object of which `wanted` is true.
fn object(program: &mut Program, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    program.wait_within(PATIENCE, what, |line| {
        serde_json::from_str::<Value>(line).ok().filter(|value| wanted(value))
    })
}

fn state(program: &mut Program, state: &str) -> Result<Value> {
    object(program, state, |value| value["state"] == state)
}

#[test]
fn a_call_is_shown_held_resumed_and_ended() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let id = call(&house, &mut anna, &mut bert)?;

    let calls = sipwitch.run(&["calls"])?;
    for words in ["CALL", "connected", "101", "102"] {
        ensure!(calls.done()?.contains(words), "{words}: {calls:?}");
    }
    let calls = sipwitch.json(&["calls"])?;
    ensure!(
        calls[0]["id"].as_u64() == id.parse().ok() && calls[0]["state"] == "connected",
        "{calls}"
    );
    ensure!(calls[0]["caller"].as_str().is_some_and(|who| who.contains("101")), "{calls}");
    ensure!(calls[0]["legs"].as_array().map(Vec::len) == Some(2), "{calls}");
    ensure!(calls[0]["answered-at-microseconds"].as_u64() > Some(0), "{calls}");

    // Asked twice, each is done once.
    ensure!(sipwitch.run(&["hold"])?.done()?.contains("held"));
    ensure!(sipwitch.run(&["hold"])?.done()?.contains("held"));
    ensure!(sipwitch.json(&["calls"])?[0]["held"] == true);
    ensure!(sipwitch.json(&["resume", &id])?["state"] == "connected");
    ensure!(sipwitch.json(&["resume", &id])?["state"] == "connected");
    ensure!(sipwitch.json(&["calls"])?[0]["held"] == false);
    ensure!(sipwitch.run(&["dtmf", "7", &id])?.done()?.contains("sent 7"));
    ensure!(bert.heard_dtmf()? == '7');
    sipwitch.run(&["dtmf", "5y"])?.failed(1, &["not a tone"])?;
    sipwitch.run(&["dtmf", ""])?.failed(1, &[])?;
    sipwitch.run(&["transfer", "109"])?.failed(1, &["nobody has this number"])?;
    sipwitch.run(&["answer"])?.failed(1, &[])?;
    sipwitch.run(&["hangup", "99999"])?.failed(1, &["no call 99999", "sipwitch calls"])?;
    ensure!(sipwitch.run(&["hangup", &id])?.done()?.contains("ended"));
    anna.closed()?;
    bert.closed()?;
    house.desk().calls_are(0)?;

    let history = sipwitch.run(&["history"])?;
    ensure!(history.done()?.contains("TALKED") && history.out.contains("101"), "{history:?}");
    let history = sipwitch.json(&["history", "-n", "1"])?;
    ensure!(history[0]["contact"] == "102" && history[0]["sip-code"] == 200, "{history}");
    Ok(())
}

#[test]
fn with_two_calls_it_asks_which_and_ends_all() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let first = call(&house, &mut anna, &mut bert)?;
    call(&house, &mut anna, &mut bert)?;
    for command in [&["hangup"][..], &["hold"], &["dtmf", "5"], &["transfer", "101"]] {
        sipwitch.run(command)?.failed(2, &["2 calls under way", "sipwitch calls"])?;
    }
    sipwitch.run(&["hangup", &first])?.done()?;
    house.desk().calls_are(1)?;
    call(&house, &mut anna, &mut bert)?;
    ensure!(sipwitch.run(&["hangup", "--all"])?.done()? == "2 calls ended\n");
    house.desk().calls_are(0)?;
    ensure!(sipwitch.json(&["hangup", "--all"])? == json!({ "ended": 0 }));
    Ok(())
}

#[test]
fn a_call_is_transferred() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let mut cleo = baresip(&house, "103")?;
    call(&house, &mut anna, &mut bert)?;
    ensure!(sipwitch.run(&["transfer", "103"])?.done()?.contains("transferring"));
    cleo.incoming()?;
    cleo.answer()?;
    cleo.established()?;
    bert.closed()?;
    let calls = house.desk().calls_are(1)?;
    house.desk().call_is(&calls[0], CallState::Connected)?;
    let shown = sipwitch.json(&["calls"])?;
    ensure!(shown[0]["callee"].as_str().is_some_and(|who| who.contains("103")), "{shown}");
    Ok(())
}

#[test]
fn dial_tells_how_it_goes_to_the_end() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let mut dial = sipwitch.start(&["dial", "102", "--from", "101", "--json"])?;
    let id = object(&mut dial, "the call", |value| value["path"].is_string())?["call"].clone();
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    state(&mut dial, "connected")?;
    bert.hang_up()?;
    ensure!(dial.wait_for_end(PATIENCE)?.success());
    let said = objects(&dial)?;
    ensure!(said.iter().all(|value| value["call"] == id), "{said:?}");
    let last = said.last().context("something was said")?;
    ensure!(last["state"] == "ended" && last["sip-code"] == 200, "{said:?}");
    anna.closed()?;

    // A call that nobody answers is a failure for a script, told once and in words.
    let mut dial = sipwitch.start(&["dial", "102", "--from", "101"])?;
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.hang_up()?;
    ensure!(dial.wait_for_end(PATIENCE)?.code() == Some(1));
    let said = dial.said.all().join("\n");
    ensure!(said.contains("Ctrl+C") && said.contains("was not answered"), "{said}");
    Ok(())
}

#[test]
fn ctrl_c_hangs_up_whatever_the_state() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let mut dial = sipwitch.start(&["dial", "102", "--from", "101"])?;
    anna.incoming()?;
    dial.wait_for("your phone rings first")?;
    dial.signal(Signal::SIGINT)?;
    anna.closed()?;
    ensure!(dial.wait_for_end(PATIENCE)?.code() == Some(1), "it was never answered");
    dial.wait_for("ended")?;

    let mut dial = sipwitch.start(&["dial", "102", "--from", "101", "--json"])?;
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    state(&mut dial, "connected")?;
    dial.signal(Signal::SIGINT)?;
    anna.closed()?;
    bert.closed()?;
    ensure!(dial.wait_for_end(PATIENCE)?.code() == Some(0));
    state(&mut dial, "ended")?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_detached_call_outlives_the_program_that_asked() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let dialled = sipwitch.json(&["dial", "102", "--from", "101", "--detach"])?;
    let id = dialled["call"].to_string();
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    let calls = house.desk().calls_are(1)?;
    house.desk().call_is(&calls[0], CallState::Connected)?;
    let before = anna.speech()?.received;
    anna.hears_more_than(before + 10)?;
    sipwitch.run(&["hangup", &id])?.done()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn dial_and_watch_notice_that_the_service_has_gone() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let (mut anna, _bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let mut watch = sipwitch.start(&["watch", "--json"])?;
    object(&mut watch, "the phone", |value| value["event"] == "phone-registered")?;
    let mut dial = sipwitch.start(&["dial", "102", "--from", "101"])?;
    anna.incoming()?;
    dial.wait_for("your phone rings first")?;
    house.kill_service()?;
    ensure!(dial.wait_for_end(PATIENCE)?.code() == Some(3));
    dial.wait_for("the service has ended")?;
    object(&mut watch, "its end", |value| value["event"] == "service-gone")?;
    house.start_service()?;
    object(&mut watch, "its return", |value| value["event"] == "service-back")?;
    watch.signal(Signal::SIGINT)?;
    ensure!(watch.wait_for_end(PATIENCE)?.success(), "Ctrl+C ends a watch well");
    Ok(())
}

#[test]
fn watch_shows_phones_and_calls_as_they_come_and_go() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let mut watch = sipwitch.start(&["watch", "--json"])?;
    let mut people = sipwitch.start(&["watch", "-n", "2"])?;
    people.wait_for("watching: 0 phones, 0 calls")?;
    let mut anna = baresip(&house, "101")?;
    let phone = object(&mut watch, "a phone", |value| value["event"] == "phone-registered")?;
    ensure!(phone["extension"] == "101", "{phone}");
    let mut bert = baresip(&house, "102")?;
    object(&mut watch, "another", |value| value["extension"] == "102")?;
    ensure!(people.wait_for_end(PATIENCE)?.success(), "it stops after two events");
    anna.call("102")?;
    bert.incoming()?;
    let ringing = state(&mut watch, "ringing")?;
    ensure!(ringing["contact"] == "102", "{ringing}");
    bert.answer()?;
    state(&mut watch, "connected")?;
    anna.hang_up()?;
    let ended = object(&mut watch, "its end", |value| value["event"] == "call-ended")?;
    ensure!(ended["call"] == ringing["id"] && ended["sip-code"] == 200, "{ended}");
    let known = house.desk().phones("101", 1)?;
    house.desk().forget(&known[0])?;
    object(&mut watch, "a phone's end", |value| value["event"] == "phone-gone")?;
    objects(&watch)?;
    Ok(())
}

#[test]
fn query_says_who_answers_or_that_nobody_does() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let _anna = baresip(&house, "101")?;
    let said = sipwitch.run(&["query", "101"])?;
    for words in ["asking 101", "200 OK", "program  baresip", "INVITE"] {
        ensure!(said.done()?.contains(words), "{words}: {said:?}");
    }
    let hops = sipwitch.json(&["query", "101"])?;
    ensure!(hops[0]["status"] == 200 && hops[0]["milliseconds"].is_u64(), "{hops}");
    sipwitch.run(&["query", "102"])?.failed(1, &["102"])?;
    sipwitch.run(&["query", "sip:"])?.failed(1, &[])?;
    // Somebody who never answers: one may lose patience.
    let silent = std::net::UdpSocket::bind((house.at.ip(), 0))?;
    let mut waiting = sipwitch.start(&["query", &format!("sip:{}", silent.local_addr()?)])?;
    silent.set_read_timeout(Some(PATIENCE))?;
    silent.recv_from(&mut [0; 4096])?;
    waiting.wait_for("32 seconds")?;
    waiting.signal(Signal::SIGINT)?;
    ensure!(!waiting.wait_for_end(PATIENCE)?.success());
    Ok(())
}

#[test]
fn a_strangers_name_cannot_steer_the_terminal() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let new = |number| {
        Phone::new(Transport::Udp, house.at.ip(), house.at, Sim::new(number)).map_err(Error::msg)
    };
    let mut bert = new("102")?;
    bert.register(600).map_err(Error::msg)?;
    let mut evil = new("101")?;
    let mut watch = sipwitch.start(&["watch"])?;
    watch.wait_for("watching: 1 phones")?;
    let sdp = sipwitch_simulators::Speech::open(house.at.ip()).and_then(|speech| speech.sdp());
    let named = "P-Asserted-Identity: \"A\u{1b}[2J\u{9b}2J\u{202e}\" <sip:101@localhost>";
    let mut a = evil
        .call_with(&evil.address_of("102"), &[named.into()], &sdp.map_err(Error::msg)?)
        .map_err(Error::msg)?;
    let mut b = bert.incoming().map_err(Error::msg)?;
    b.reply(&mut bert, "486 Bu\u{1b}[2Jsy\u{9b}31m\u{202e}", b"").map_err(Error::msg)?;
    ensure!(a.final_answer(&mut evil).map_err(Error::msg)?.status() == Some(486));
    a.ack(&mut evil, b"").map_err(Error::msg)?;
    watch.wait_for("ended")?;
    let history = sipwitch.run(&["history"])?;
    let said = watch.said.all().join("\n") + history.done()?;
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    ensure!(!said.contains(steers), "{said:?}");
    Ok(())
}
