// SPDX-License-Identifier: GPL-3.0-or-later
//! Message by message, with phones that do exactly what they are told: what the foreign phones do
//! not let a test see or do.

use anyhow::{Context, Result, ensure};
use sipwitch_dbus_interfaces::wire::CallState;
use sipwitch_simulators::{Account as Sim, Phone, Speech, Transport};
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{House, PATIENCE, Plain as _, net};

fn phone_over(transport: Transport, house: &House, number: &str) -> Result<Phone> {
    let mut phone = Phone::new(transport, net::loopback(), house.at, Sim::new(number)).plain()?;
    let answer = phone.register(600).plain()?;
    ensure!(answer.status() == Some(200), "{answer:?}");
    Ok(phone)
}

fn phone(house: &House, number: &str) -> Result<Phone> {
    phone_over(Transport::Udp, house, number)
}

#[test]
fn a_program_joins_two_phones_by_rfc_3725() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let (annas, berts) =
        (Speech::open(net::loopback()).plain()?, Speech::open(net::loopback()).plain()?);
    let path = house.desk().dial("101", "102")?;

    let mut a = anna.incoming().plain()?;
    ensure!(a.invite.body().is_empty(), "the user's phone is asked for an offer");
    a.reply(&mut anna, "180 Ringing", b"").plain()?;
    let offer = annas.sdp().plain()?;
    a.reply(&mut anna, "200 OK", &offer).plain()?;
    let ack = a.request(&mut anna, "ACK").plain()?;
    ensure!(ack.text().contains("m=audio") && ack.text().contains("a=inactive"), "{ack:?}");

    let mut b = bert.incoming().plain()?;
    ensure!(b.invite.body() == offer, "the offer crosses untouched: {:?}", b.invite);
    b.reply(&mut bert, "180 Ringing", b"").plain()?;
    let answer = berts.sdp().plain()?;
    b.reply(&mut bert, "200 OK", &answer).plain()?;
    b.request(&mut bert, "ACK").plain()?;

    let again = a.request(&mut anna, "INVITE").plain()?;
    let (first, second) = (ack.text(), again.text());
    let but_origin =
        |sdp: &str| sdp.lines().filter(|l| !l.starts_with("o=")).collect::<Vec<_>>().join("\n");
    let answered = String::from_utf8(answer)?;
    ensure!(
        but_origin(&second) == but_origin(&answered),
        "the answer comes as an offer: {again:?}"
    );
    // RFC 3264 section 8: in one dialogue one origin, whose version counts up.
    let origin = |sdp: &str| {
        sdp.lines()
            .find_map(|l| l.strip_prefix("o="))
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (first, second) = (origin(&first), origin(&second));
    ensure!(first[..2] == second[..2] && first[3..] == second[3..], "{first:?} {second:?}");
    ensure!(first[2].parse::<u64>()? + 1 == second[2].parse::<u64>()?, "{first:?} {second:?}");
    a.reply_to(&mut anna, &again, "200 OK", &[], &offer).plain()?;
    a.request(&mut anna, "ACK").plain()?;
    house.desk().call_is(&path, CallState::Connected)?;

    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_phone_transfers_one_call_into_another() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let mut anna = phone(&house, "101")?;
    let mut bert = Baresip::start(&Account::new("102", house.at))?;
    let mut cleo = Baresip::start(&Account::new("103", house.at))?;
    bert.registered()?;
    cleo.registered()?;
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let mut calls = Vec::new();
    for (number, other) in [("102", &mut bert), ("103", &mut cleo)] {
        let mut call = anna.call(number, &sdp).plain()?;
        other.incoming()?;
        other.answer()?;
        call.answer(&mut anna, 200).plain()?;
        call.ack(&mut anna, b"").plain()?;
        other.established()?;
        calls.push(call);
    }
    let [first, second] = calls.as_mut_slice() else { unreachable!("there are two") };
    let replaces =
        format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", second.id(), second.their_tag(), second.tag());
    let refer_to = format!("Refer-To: <{}?Replaces={replaces}>", anna.address_of("103"));
    let accepted = first.ask(&mut anna, "REFER", &[refer_to], b"").plain()?;
    ensure!(accepted.status() == Some(202), "{accepted:?}");

    let mut told = String::new();
    while !told.contains("SIP/2.0 200") {
        let notify = first.request(&mut anna, "NOTIFY").plain()?;
        first.reply_to(&mut anna, &notify, "200 OK", &[], b"").plain()?;
        told = notify.text();
        ensure!(notify.header("Subscription-State").is_some(), "{notify:?}");
    }
    let before = (bert.speech()?.received, cleo.speech()?.received);
    let heard = bert.hears_more_than(before.0 + 10)?;
    let said = cleo.hears_more_than(before.1 + 10)?;
    ensure!(heard.remote.rsplit(':').next() == said.local.rsplit(':').next(), "{heard:?} {said:?}");
    second.ended(&mut anna).plain()?;
    first.ended(&mut anna).plain()?;
    bert.hang_up()?;
    cleo.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn early_media_and_unknown_headers_cross() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let offer = [
        &sdp[..],
        b"a=zrtp-hash:1.10 9f8e7d6c5b4a39281706f5e4d3c2b1a0\r\na=x-unknown:\xc3\xbc\r\n",
    ]
    .concat();
    let mut a = anna.call("102", &offer).plain()?;
    let mut b = bert.incoming().plain()?;
    ensure!(b.invite.body() == offer, "{:?}", b.invite);
    ensure!(
        b.invite.header("Call-ID") != Some(a.id()),
        "the dialogues are the server's own on both sides"
    );
    b.reply(&mut bert, "183 Session Progress", &sdp).plain()?;
    let progress = a.answer(&mut anna, 183).plain()?;
    ensure!(progress.body() == sdp, "{progress:?}");
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;

    let more = ["Content-Type: application/dtmf-relay".into(), "X-House: blue".into()];
    let (mut caller, mut phone) = (a.clone(), anna);
    let asking = std::thread::spawn(move || {
        let answer = caller.ask(&mut phone, "INFO", &more, b"Signal=5\r\nDuration=160\r\n");
        (caller, phone, answer)
    });
    let info = b.request(&mut bert, "INFO").plain()?;
    ensure!(
        info.text() == "Signal=5\r\nDuration=160\r\n" && info.header("X-House") == Some("blue"),
        "{info:?}"
    );
    b.reply_to(&mut bert, &info, "200 OK", &[], b"").plain()?;
    let (caller, phone, answer) = asking.join().expect("the thread does not panic");
    (a, anna) = (caller, phone);
    ensure!(answer.plain()?.status() == Some(200));
    b.hang_up(&mut bert).plain()?;
    a.ended(&mut anna).plain()?;
    Ok(())
}

#[test]
fn sixty_four_kilobytes_cross_byte_for_byte() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = phone_over(Transport::Tcp, &house, "101")?;
    let mut bert = phone_over(Transport::Tcp, &house, "102")?;
    let mut offer = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let mut seed = 1_u32;
    while offer.len() < 64 * 1024 {
        // Any bytes a line may have, from a seed.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let line = format!("a=x-{seed:08x}:\u{e9}\t {}\r\n", "~".repeat((seed % 60) as usize));
        let room = 64 * 1024 - offer.len();
        if line.len() + 5 > room {
            offer.extend_from_slice(format!("a={}\r\n", "z".repeat(room - 4)).as_bytes());
        } else {
            offer.extend_from_slice(line.as_bytes());
        }
    }
    ensure!(offer.len() == 64 * 1024);
    let mut a = anna.call("102", &offer).plain()?;
    let mut b = bert.incoming().plain()?;
    ensure!(b.invite.body() == offer, "the offer was changed on its way");
    b.reply(&mut bert, "200 OK", &offer).plain()?;
    let answer = a.answer(&mut anna, 200).plain()?;
    ensure!(answer.body() == offer, "the answer was changed on its way");
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let mut a = anna.call("102", &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(&mut bert, "180 Ringing", b"").plain()?;
    a.answer(&mut anna, 180).plain()?;
    a.cancel(&mut anna).plain()?;
    let refused = a.final_answer(&mut anna).plain()?;
    ensure!(refused.status() == Some(487), "{refused:?}");
    // The CANCEL is on its way to bert, who has just answered.
    bert.wait("CANCEL", PATIENCE, |m| m.status().is_none() && m.method() == "CANCEL").plain()?;
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    b.request(&mut bert, "ACK").plain()?;
    b.ended(&mut bert).plain()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_re_invite_without_an_offer_is_passed_on() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let mut a = anna.call("102", &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;

    a.tell(&mut anna, "INVITE", &[], b"").plain()?;
    let again = b.request(&mut bert, "INVITE").plain()?;
    ensure!(again.body().is_empty(), "{again:?}");
    let offer = String::from_utf8(sdp.clone())?.replace("o=- 1 1", "o=- 1 2").into_bytes();
    b.reply_to(&mut bert, &again, "200 OK", &[], &offer).plain()?;
    let offered = a.answer(&mut anna, 200).plain()?;
    ensure!(offered.body() == offer, "{offered:?}");
    a.ack(&mut anna, &sdp).plain()?;
    let ack = b.request(&mut bert, "ACK").plain()?;
    ensure!(ack.body() == sdp, "the answer is in the ACK: {ack:?}");
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn glare_is_answered_with_491() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let mut a = anna.call("102", &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;

    a.tell(&mut anna, "INVITE", &[], &sdp).plain()?;
    let again = b.request(&mut bert, "INVITE").plain()?;
    // Bert asks for the same at the same time; his own INVITE is not answered yet.
    let refused = b.ask(&mut bert, "INVITE", &[], &sdp).plain()?;
    ensure!(refused.status() == Some(491), "{refused:?}");
    b.reply_to(&mut bert, &again, "200 OK", &[], &sdp).plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn a_text_reaches_the_phones_of_an_extension() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let to = anna.address_of("102");
    let more = ["Content-Type: text/plain;charset=utf-8".to_owned()];
    let asking = std::thread::spawn(move || {
        anna.ask("MESSAGE", &to, &more, "gr\u{fc}\u{df} dich".as_bytes())
    });
    let message = bert
        .wait("MESSAGE", PATIENCE, |m| m.status().is_none() && m.method() == "MESSAGE")
        .plain()?;
    ensure!(message.text() == "gr\u{fc}\u{df} dich", "{message:?}");
    ensure!(message.header("From").context("a sender")?.contains("101"));
    bert.respond(&message, "200 OK").plain()?;
    let answer = asking.join().expect("the thread does not panic").plain()?;
    ensure!(matches!(answer.status(), Some(200 | 202)), "{answer:?}");
    Ok(())
}

#[test]
fn a_text_waits_for_a_phone() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = phone(&house, "101")?;
    let more = ["Content-Type: text/plain".to_owned()];
    let kept = anna.ask("MESSAGE", &anna.address_of("102"), &more, b"later").plain()?;
    ensure!(kept.status() == Some(202), "{kept:?}");
    let mut bert = phone(&house, "102")?;
    let message = bert.wait("MESSAGE", PATIENCE, |m| m.method() == "MESSAGE").plain()?;
    ensure!(message.text() == "later", "{message:?}");
    bert.respond(&message, "200 OK").plain()?;
    Ok(())
}

#[test]
fn an_emergency_call_that_cannot_be_carried_says_so_at_once() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let mut anna = phone(&house, "101")?;
    let mut a = anna.call("112", b"").plain()?;
    let answer = a.final_answer(&mut anna).plain()?;
    let reason = answer.header("Reason").context("a reason for people")?;
    ensure!(answer.status() == Some(503) && reason.contains("emergency"), "{answer:?}");
    Ok(())
}
