// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls that a program makes and steers over the bus.

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::wire::{CallState, DialOptions, NoOptions};
use sipwitch_tests::house::Start;
use sipwitch_tests::peers::{Account, Baresip, Kamailio, Linphonec, Sipp};
use sipwitch_tests::{House, Plain as _, net};
use zbus::zvariant::OwnedObjectPath;

fn baresip(house: &House, number: &str) -> Result<Baresip> {
    let mut phone = Baresip::start(&Account::new(number, house.at))?;
    phone.registered()?;
    Ok(phone)
}

/// Dials 102 for 101, both answer.
fn dialled(house: &House, anna: &mut Baresip, bert: &mut Baresip) -> Result<OwnedObjectPath> {
    let call = house.desk().dial("101", "102")?;
    ensure!(anna.incoming()?.contains("102"), "the user's phone shows whom it is about to call");
    anna.answer()?;
    ensure!(bert.incoming()?.contains("101"), "the other phone shows who calls");
    bert.answer()?;
    anna.established()?;
    bert.established()?;
    house.desk().call_is(&call, CallState::Connected)?;
    Ok(call)
}

#[test]
fn a_program_connects_two_phones_that_talk_directly() -> Result<()> {
    let house = House::plan().start(Start::ByActivation).extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let call = dialled(&house, &mut anna, &mut bert)?;
    let (heard, said) = (anna.hears_more_than(20)?, bert.hears_more_than(20)?);
    ensure!(heard.remote.rsplit(':').next() == said.local.rsplit(':').next(), "{heard:?} {said:?}");
    ensure!(said.remote.rsplit(':').next() == heard.local.rsplit(':').next(), "{heard:?} {said:?}");

    let desk = house.desk();
    let proxy = desk.call(&call)?;
    desk.wait("Hold", proxy.hold())??;
    desk.call_is(&call, CallState::Held)?;
    desk.wait("Resume", proxy.resume())??;
    desk.call_is(&call, CallState::Connected)?;
    let before = anna.speech()?.received;
    anna.hears_more_than(before + 5)?;
    let before = bert.speech()?.received;
    bert.hears_more_than(before + 5)?;

    desk.wait("SendDtmf", proxy.send_dtmf("7", &NoOptions {}))??;
    ensure!(bert.heard_dtmf()? == '7');

    let mut endings = desk.wait("the signal Ended", proxy.receive_ended())??;
    desk.wait("Hangup", proxy.hangup())??;
    anna.closed()?;
    bert.closed()?;
    let ended = desk.wait("Ended", endings.next())?.context("the bus has gone")?;
    ensure!(*ended.args()?.sip_code() == 200);
    desk.calls_are(0)?;
    let last = desk.history()?.remove(0);
    ensure!(
        last.contact == "102" && last.caller.contains("101") && last.callee.contains("102"),
        "{last:?}"
    );
    ensure!(
        last.answered_at_microseconds
            .is_some_and(|at| at > last.started_at_microseconds && at < last.ended_at_microseconds),
        "{last:?}"
    );
    Ok(())
}

#[test]
fn a_program_connects_linphonec_and_sipp() -> Result<()> {
    let house = House::plan().extensions(&["103", "107"]).build()?;
    let mut linphone = Linphonec::start(&Account::new("103", house.at))?;
    linphone.registered()?;
    let (sipp, at) = (Account::new("107", house.at), Sipp::place()?);
    Sipp::play("register", &sipp, at, "103")?.done()?;
    for (from, to) in [("103", "107"), ("107", "103")] {
        let mut taking = Sipp::play("callee-of-a-program", &sipp, at, "103")?;
        let call = house.desk().dial(from, to)?;
        linphone.incoming()?;
        linphone.answer()?;
        linphone.established()?;
        house.desk().call_is(&call, CallState::Connected)?;
        let proxy = house.desk().call(&call)?;
        house.desk().wait("Hangup", proxy.hangup())??;
        taking.done()?;
        linphone.closed()?;
        house.desk().calls_are(0)?;
    }
    Ok(())
}

#[test]
fn a_program_hangs_up_while_the_users_phone_rings() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, _bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let call = house.desk().dial("101", "102")?;
    anna.incoming()?;
    let proxy = house.desk().call(&call)?;
    house.desk().wait("Hangup", proxy.hangup())??;
    anna.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn nobody_at_the_other_end_ends_the_users_leg_too() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    house.desk().dial("101", "102")?;
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.hang_up()?;
    anna.closed()?;
    house.desk().calls_are(0)?;
    ensure!(house.desk().history()?.remove(0).sip_code == 486);
    Ok(())
}

#[test]
fn the_calls_of_a_program_that_leaves_the_bus_end() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let program = house.new_desk()?;
    program.dial("101", "102")?;
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    drop(program);
    anna.closed()?;
    bert.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_detached_call_outlives_the_program_that_dialled_it() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let program = house.new_desk()?;
    let from = Some("101".to_owned());
    let options = DialOptions { from, detached: Some(true), ..DialOptions::default() };
    let service = program.service()?;
    let call = program.wait("the reply to Dial", service.dial("102", &options))??;
    drop((service, program));
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    house.desk().call_is(&call, CallState::Connected)?;
    anna.hears_more_than(5)?;
    bert.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn a_program_transfers_a_call() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let (mut anna, mut bert, mut cleo) =
        (baresip(&house, "101")?, baresip(&house, "102")?, baresip(&house, "103")?);
    let call = dialled(&house, &mut anna, &mut bert)?;
    let proxy = house.desk().call(&call)?;
    house.desk().wait("Transfer", proxy.transfer("103", &NoOptions {}))??;
    cleo.incoming()?;
    cleo.answer()?;
    cleo.established()?;
    bert.closed()?;
    let before = anna.speech()?.received;
    anna.hears_more_than(before + 10)?;
    cleo.hears_more_than(10)?;
    house.desk().call_is(&call, CallState::Connected)?;
    cleo.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn dial_refuses_what_it_cannot_do_with_a_stable_name() -> Result<()> {
    use sipwitch_dbus_interfaces::Error;
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let refusal = |from: &str, contact: &str| match house.desk().dial(from, contact) {
        Ok(call) => anyhow::bail!("{from} was connected to {contact:?}: {call}"),
        Err(error) => error.downcast::<Error>(),
    };
    ensure!(matches!(refusal("101", "102")?, Error::NoPhone(_)));
    ensure!(matches!(refusal("666", "102")?, Error::NoSuchExtension(_)));
    ensure!(matches!(refusal("101", "")?, Error::BadContact(_)));
    let _anna = baresip(&house, "101")?;
    ensure!(matches!(refusal("101", "+4930901820")?, Error::NoRoute(_)));
    Ok(())
}

#[test]
fn a_program_hears_the_tones_of_a_phone() -> Result<()> {
    use sipwitch_simulators::{Account as Sim, Phone, Speech, Transport};
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut bert, at) = (baresip(&house, "102")?, house.at);
    let mut anna = Phone::new(Transport::Udp, at.ip(), at, Sim::new("101")).plain()?;
    let sdp = Speech::open(at.ip()).and_then(|speech| speech.sdp()).plain()?;
    let mut a = anna.call("102", &sdp).plain()?;
    bert.incoming()?;
    bert.answer()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    bert.established()?;
    let desk = house.desk();
    let call = desk.call(&desk.calls_are(1)?[0])?;
    let mut tones = desk.wait("the signal DtmfReceived", call.receive_dtmf_received())??;
    let relay = ["Content-Type: application/dtmf-relay".to_owned()];
    let answer = a.ask(&mut anna, "INFO", &relay, b"Signal=#\r\nDuration=100\r\n");
    ensure!(answer.plain()?.status() == Some(200));
    ensure!(bert.heard_dtmf()? == '#', "the other phone hears it too");
    let heard = desk.wait("DtmfReceived", tones.next())?.context("the bus has gone")?;
    ensure!(*heard.args()?.tone() == "#" && heard.args()?.from().contains("101"));
    a.hang_up(&mut anna).plain()?;
    bert.closed()?;
    Ok(())
}

#[test]
fn the_command_line_asks_a_phone_what_it_is() -> Result<()> {
    let house = House::plan().extensions(&["102"]).build()?;
    let _bert = baresip(&house, "102")?;
    let (status, said) = house.sipwitch(&["query", "102"])?;
    ensure!(status.success() && said.contains("200") && said.contains("baresip"), "{said}");
    let kamailio = Kamailio::start(net::loopback())?;
    let (status, said) = house.sipwitch(&["query", &format!("sip:{}", kamailio.at)])?;
    ensure!(status.success() && said.contains("200") && said.contains("kamailio"), "{said}");
    let (status, said) = house.sipwitch(&["dial", "199", "--from", "102"])?;
    ensure!(!status.success() && said.contains("199"), "{said}");
    Ok(())
}

#[test]
fn the_command_line_dials_shows_and_hangs_up() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (baresip(&house, "101")?, baresip(&house, "102")?);
    let (status, said) = house.sipwitch(&["status", "--json"])?;
    ensure!(status.success() && said.contains(&house.at.to_string()), "{said}");
    let (status, said) = house.sipwitch(&["phones", "--json"])?;
    ensure!(status.success() && said.contains("101") && said.contains("102"), "{said}");
    anna.call("102")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    let (status, said) = house.sipwitch(&["calls", "--json"])?;
    ensure!(status.success() && said.contains("connected"), "{said}");
    let (status, said) = house.sipwitch(&["hangup", "--all"])?;
    ensure!(status.success(), "{said}");
    anna.closed()?;
    bert.closed()?;
    Ok(())
}
