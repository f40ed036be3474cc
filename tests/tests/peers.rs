// SPDX-License-Identifier: GPL-3.0-or-later
//! The drivers of the foreign peers, proved against Debian's kamailio: when a scenario fails, it is
//! not for the fixture.

use std::time::Duration;

use anyhow::{Result, ensure};
use sipwitch_simulators as simulators;
use sipwitch_tests::peers::{
    Account, Baresip, Kamailio, Linphonec, Sipp, Sipsak, Transport, Twinkle,
};
use sipwitch_tests::{Plain as _, net};

#[test]
fn two_baresips_talk_through_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    let mut caller = Baresip::start(&Account::new("101", kamailio.at))?;
    let mut callee = Baresip::start(&Account::new("102", kamailio.at).over(Transport::Tcp))?;
    caller.registered()?;
    callee.registered()?;
    caller.call("102")?;
    ensure!(callee.incoming()?.contains("101"));
    caller.ringing()?;
    callee.answer()?;
    caller.established()?;
    callee.established()?;
    let heard = caller.hears_more_than(10)?;
    let said = callee.speech()?;
    ensure!(
        heard.remote.ends_with(said.local.rsplit(':').next().unwrap_or("?")),
        "{heard:?} {said:?}"
    );
    caller.dtmf('5')?;
    ensure!(callee.heard_dtmf()? == '5');
    caller.hold()?;
    callee.event("CALL_REMOTE_SDP")?;
    caller.resume()?;
    callee.event("CALL_REMOTE_SDP")?;
    callee.hang_up()?;
    caller.closed()?;
    ensure!(
        caller.sip().iter().any(|message| message.contains("CSeq:") && message.contains(" BYE\n"))
    );
    Ok(())
}

#[test]
fn linphonec_calls_and_is_called_through_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    let mut baresip = Baresip::start(&Account::new("101", kamailio.at))?;
    let mut linphone = Linphonec::start(&Account::new("103", kamailio.at))?;
    baresip.registered()?;
    linphone.registered()?;
    linphone.call("101")?;
    baresip.incoming()?;
    linphone.ringing()?;
    baresip.answer()?;
    linphone.established()?;
    linphone.speak()?;
    baresip.hears_more_than(10)?;
    linphone.hold()?;
    linphone.resume()?;
    linphone.dtmf('7')?;
    ensure!(baresip.heard_dtmf()? == '7');
    linphone.hang_up()?;
    baresip.closed()?;
    linphone.closed()?;
    baresip.call("103")?;
    linphone.incoming()?;
    linphone.answer()?;
    baresip.established()?;
    linphone.established()?;
    baresip.hang_up()?;
    linphone.closed()?;
    Ok(())
}

#[test]
fn twinkle_calls_and_is_called_through_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    let mut baresip = Baresip::start(&Account::new("101", kamailio.at))?;
    let mut twinkle = Twinkle::start(&Account::new("104", kamailio.at))?;
    baresip.registered()?;
    twinkle.registered()?;
    twinkle.call("101")?;
    baresip.incoming()?;
    twinkle.ringing()?;
    baresip.answer()?;
    twinkle.established()?;
    baresip.hears_more_than(10)?;
    twinkle.dtmf('7')?;
    ensure!(baresip.heard_dtmf()? == '7');
    twinkle.hold()?;
    twinkle.resume()?;
    twinkle.hang_up()?;
    baresip.closed()?;
    baresip.call("104")?;
    twinkle.incoming()?;
    twinkle.answer()?;
    baresip.established()?;
    twinkle.established()?;
    baresip.hang_up()?;
    twinkle.closed()?;
    Ok(())
}

#[test]
fn sipp_calls_sipp_through_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    for transport in [Transport::Udp, Transport::Tcp] {
        let (caller, callee) = (
            Account::new("106", kamailio.at).over(transport),
            Account::new("107", kamailio.at).over(transport),
        );
        let at = Sipp::place()?;
        Sipp::play("register", &callee, at, "107")?.done()?;
        let mut taking = Sipp::play("callee", &callee, at, "107")?;
        Sipp::play("caller", &caller, Sipp::place()?, "107")?.done()?;
        taking.done()?;
    }
    Ok(())
}

#[test]
fn sipsak_asks_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    for transport in [Transport::Udp, Transport::Tcp] {
        let asked = Sipsak::options(&Account::new("", kamailio.at).over(transport))?;
        ensure!(asked.content && asked.said.contains("SIP/2.0 200"), "{}", asked.said);
    }
    let account = Account::new("105", kamailio.at);
    let registered = Sipsak::register(&account)?;
    ensure!(registered.content, "{}", registered.said);
    let called = Sipsak::call(&account, "109")?;
    ensure!(called.said.contains("SIP/2.0 404"), "{}", called.said);
    Ok(())
}

#[test]
fn the_simulated_phone_talks_to_baresip_through_kamailio() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    let mut baresip = Baresip::start(&Account::new("101", kamailio.at))?;
    baresip.registered()?;
    for transport in [simulators::Transport::Udp, simulators::Transport::Tcp] {
        let account = simulators::Account::new("108");
        let mut phone =
            simulators::Phone::new(transport, net::loopback(), kamailio.at, account).plain()?;
        let mut speech = simulators::Speech::open(net::loopback()).plain()?;
        let sdp = speech.sdp().plain()?;
        ensure!(phone.register(60).plain()?.status() == Some(200));

        let mut call = phone.call("101", &sdp).plain()?;
        baresip.incoming()?;
        call.answer(&mut phone, 180).plain()?;
        baresip.answer()?;
        call.answer(&mut phone, 200).plain()?;
        call.ack(&mut phone, b"").plain()?;
        baresip.established()?;
        speech.echo(20, Duration::from_secs(10)).plain()?;
        baresip.hears_more_than(15)?;
        ensure!(call.ask(&mut phone, "INFO", &[], b"").plain()?.status().is_some());
        call.hang_up(&mut phone).plain()?;
        baresip.closed()?;

        baresip.call("108")?;
        let mut call = phone.incoming().plain()?;
        call.reply(&mut phone, "180 Ringing", b"").plain()?;
        baresip.ringing()?;
        call.reply(&mut phone, "200 OK", &sdp).plain()?;
        call.request(&mut phone, "ACK").plain()?;
        baresip.established()?;
        baresip.hold()?;
        let hold = call.request(&mut phone, "INVITE").plain()?;
        ensure!(
            hold.text().contains("a=sendonly") || hold.text().contains("a=inactive"),
            "{hold:?}"
        );
        call.reply_to(&mut phone, &hold, "200 OK", &[], &sdp).plain()?;
        call.request(&mut phone, "ACK").plain()?;
        baresip.hang_up()?;
        call.ended(&mut phone).plain()?;
        baresip.closed()?;
        ensure!(phone.register(0).plain()?.status() == Some(200));
    }
    Ok(())
}
