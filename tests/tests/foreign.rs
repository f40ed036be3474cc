// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones other people wrote register here, call and are called: over UDP without a password, as
//! programs of the same user may, and over TCP with one.

use anyhow::{Result, ensure};
use sipwitch_tests::House;
use sipwitch_tests::peers::{Account, Baresip, Linphonec, Sipp, Sipsak, Transport, Twinkle};

/// A house for one way of reaching it, with an account for each number.
fn house(transport: Transport, numbers: [&str; 2]) -> Result<(House, [Account; 2])> {
    let mut plan = House::plan();
    if transport == Transport::Tcp {
        // Debian's baresip, SIPp and sipsak know no other, and stumble over one they do not know.
        plan = plan.everybody_needs_a_password().settings("digest-algorithms = [\"MD5\"]");
        for number in numbers {
            plan = plan.extension(number, &password(number));
        }
    } else {
        plan = plan.extensions(&numbers);
    }
    let house = plan.build()?;
    let accounts = numbers.map(|number| {
        let account = Account::new(number, house.at).over(transport);
        if transport == Transport::Tcp { account.with_password(&password(number)) } else { account }
    });
    Ok((house, accounts))
}

fn password(number: &str) -> String {
    format!("opensesame{number}")
}

/// The steps of a conversation are the same for every phone that has the verbs; their types differ.
macro_rules! calls_and_is_called {
    ($phone:ident, $number:literal, $transport:expr) => {{
        let (house, [ours, theirs]) = house($transport, ["101", $number])?;
        let mut baresip = Baresip::start(&ours)?;
        let mut phone = $phone::start(&theirs)?;
        baresip.registered()?;
        phone.registered()?;
        house.desk().phones($number, 1)?;

        phone.call("101")?;
        ensure!(baresip.incoming()?.contains($number), "the caller is shown");
        phone.ringing()?;
        baresip.answer()?;
        phone.established()?;
        baresip.established()?;
        phone.hang_up()?;
        baresip.closed()?;
        phone.closed()?;

        baresip.call($number)?;
        ensure!(phone.incoming()?.contains("101"), "the caller is shown");
        baresip.ringing()?;
        phone.answer()?;
        baresip.established()?;
        phone.established()?;
        baresip.hang_up()?;
        phone.closed()?;
        baresip.closed()?;
        house.desk().calls_are(0)?;
        ensure!(house.desk().history()?.len() == 2);
        Ok(())
    }};
}

#[test]
fn baresip_calls_and_is_called_over_udp() -> Result<()> {
    calls_and_is_called!(Baresip, "102", Transport::Udp)
}

#[test]
fn baresip_calls_and_is_called_over_tcp() -> Result<()> {
    calls_and_is_called!(Baresip, "102", Transport::Tcp)
}

#[test]
fn linphonec_calls_and_is_called_over_udp() -> Result<()> {
    calls_and_is_called!(Linphonec, "103", Transport::Udp)
}

#[test]
fn linphonec_calls_and_is_called_over_tcp() -> Result<()> {
    calls_and_is_called!(Linphonec, "103", Transport::Tcp)
}

#[test]
fn twinkle_calls_and_is_called_over_udp() -> Result<()> {
    calls_and_is_called!(Twinkle, "104", Transport::Udp)
}

#[test]
fn twinkle_calls_and_is_called_over_tcp() -> Result<()> {
    calls_and_is_called!(Twinkle, "104", Transport::Tcp)
}

#[test]
fn linphonec_and_twinkle_talk_to_each_other() -> Result<()> {
    let house = House::plan().extensions(&["103", "104"]).build()?;
    let mut linphone = Linphonec::start(&Account::new("103", house.at))?;
    let mut twinkle = Twinkle::start(&Account::new("104", house.at))?;
    linphone.registered()?;
    twinkle.registered()?;
    linphone.call("104")?;
    twinkle.incoming()?;
    twinkle.answer()?;
    twinkle.established()?;
    linphone.established()?;
    linphone.hold()?;
    linphone.resume()?;
    twinkle.hold()?;
    twinkle.resume()?;
    twinkle.hang_up()?;
    linphone.closed()?;
    Ok(())
}

#[test]
fn linphonec_is_reached_at_a_service_that_is_not_at_5060() -> Result<()> {
    // The first takes the usual port, if nobody has it yet.
    let _first = House::plan().build()?;
    let house = House::plan().extensions(&["101", "103"]).build()?;
    ensure!(house.at.port() != 5060, "{}", house.at);
    let mut baresip = Baresip::start(&Account::new("101", house.at))?;
    let mut linphone = Linphonec::start(&Account::new("103", house.at))?;
    baresip.registered()?;
    linphone.registered()?;
    baresip.call("103")?;
    linphone.incoming()?;
    linphone.answer()?;
    linphone.established()?;
    baresip.hang_up()?;
    linphone.closed()?;
    Ok(())
}

/// A house with two baresips to be connected by somebody else.
fn two_to_be_connected(third: &str) -> Result<(House, Baresip, Baresip)> {
    let house = House::plan().extensions(&["101", "102", third]).build()?;
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    let mut bert = Baresip::start(&Account::new("102", house.at))?;
    anna.registered()?;
    bert.registered()?;
    Ok((house, anna, bert))
}

/// Two baresips hear each other, and nobody else is in the call.
fn hear_each_other(house: &House, anna: &mut Baresip, bert: &mut Baresip) -> Result<()> {
    house.desk().calls_are(1)?;
    let before = (anna.speech()?.received, bert.speech()?.received);
    let (a, b) = (anna.hears_more_than(before.0 + 20)?, bert.hears_more_than(before.1 + 20)?);
    ensure!(a.remote.rsplit(':').next() == b.local.rsplit(':').next(), "{a:?} {b:?}");
    ensure!(b.remote.rsplit(':').next() == a.local.rsplit(':').next(), "{a:?} {b:?}");
    anna.hang_up()?;
    bert.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn linphonec_transfers_one_call_into_another() -> Result<()> {
    let (house, mut anna, mut bert) = two_to_be_connected("103")?;
    let mut linphone = Linphonec::start(&Account::new("103", house.at))?;
    linphone.registered()?;
    for (number, other) in [("101", &mut anna), ("102", &mut bert)] {
        linphone.call(number)?;
        other.incoming()?;
        other.answer()?;
        linphone.established()?;
        linphone.hold()?;
    }
    linphone.join_first_and_second()?;
    linphone.closed()?;
    hear_each_other(&house, &mut anna, &mut bert)
}

#[test]
fn twinkle_transfers_with_and_without_asking() -> Result<()> {
    let (house, mut anna, mut bert) = two_to_be_connected("104")?;
    let mut twinkle = Twinkle::start(&Account::new("104", house.at))?;
    twinkle.registered()?;
    for asks in [false, true] {
        twinkle.call("101")?;
        anna.incoming()?;
        anna.answer()?;
        twinkle.established()?;
        if asks {
            twinkle.consult("102")?;
            bert.incoming()?;
            bert.answer()?;
            twinkle.established()?;
            twinkle.join_consulted()?;
        } else {
            twinkle.transfer("102")?;
            bert.incoming()?;
            bert.answer()?;
        }
        bert.established()?;
        twinkle.closed()?;
        hear_each_other(&house, &mut anna, &mut bert)?;
    }
    Ok(())
}

fn sipp_calls_sipp(transport: Transport) -> Result<()> {
    let (house, [caller, callee]) = house(transport, ["106", "107"])?;
    for (caller, callee) in [(&caller, &callee), (&callee, &caller)] {
        let staying = Sipp::play("register-and-stay", callee, Sipp::place()?, &callee.number)?;
        let phone = house.desk().phones(&callee.number, 1)?.remove(0);
        Sipp::play("caller", caller, Sipp::place()?, &callee.number)?.done()?;
        house.desk().calls_are(0)?;
        house.desk().forget(&phone)?;
        let messages = staying.messages();
        ensure!(messages.contains("\nBYE sip:"), "the callee heard the end: {messages}");
    }
    ensure!(house.desk().history()?.iter().filter(|call| call.sip_code == 200).count() == 2);
    Ok(())
}

#[test]
fn sipp_calls_and_is_called_over_udp() -> Result<()> {
    sipp_calls_sipp(Transport::Udp)
}

#[test]
fn sipp_calls_and_is_called_over_tcp() -> Result<()> {
    sipp_calls_sipp(Transport::Tcp)
}

#[test]
fn sipsak_asks_registers_and_calls() -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (house, [account, other]) = house(transport, ["105", "101"])?;
        let asked = Sipsak::options(&Account::new("", house.at).over(transport))?;
        ensure!(asked.content && asked.said.contains("SIP/2.0 200"), "{}", asked.said);
        let registered = Sipsak::register(&account)?;
        ensure!(registered.content, "{}", registered.said);
        house.desk().phones("105", 1)?;
        if transport == Transport::Udp {
            // It calls with a message written beforehand, and so without a password.
            let mut baresip = Baresip::start(&other)?;
            baresip.registered()?;
            let calling = std::thread::spawn(move || Sipsak::call(&account, "101"));
            baresip.incoming()?;
            baresip.hang_up()?;
            let called = calling.join().expect("the thread does not panic")?;
            ensure!(
                called.said.contains("SIP/2.0 180") && called.said.contains("SIP/2.0 486"),
                "{}",
                called.said
            );
        }
    }
    Ok(())
}
