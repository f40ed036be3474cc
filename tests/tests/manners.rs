// SPDX-License-Identifier: GPL-3.0-or-later
//! Manners of SIP that a phone of another maker relies on, seen from outside.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use sipwitch_simulators::{Account as Sim, Call, Message, Phone, Speech, Transport};
use sipwitch_tests::{House, PATIENCE, Plain as _, net};

/// A house with two phones, and a description of the caller's speech.
fn pair() -> Result<(House, Phone, Phone, Vec<u8>)> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut phones = Vec::new();
    for number in ["101", "102"] {
        let mut phone =
            Phone::new(Transport::Udp, net::loopback(), house.at, Sim::new(number)).plain()?;
        ensure!(phone.register(600).plain()?.status() == Some(200));
        phones.push(phone);
    }
    let sdp = Speech::open(net::loopback()).plain()?.sdp().plain()?;
    let (bert, anna) = (phones.pop().expect("there are two"), phones.pop().expect("there are two"));
    Ok((house, anna, bert, sdp))
}

/// Connects two phones by a call of the first.
fn connect(anna: &mut Phone, bert: &mut Phone, sdp: &[u8]) -> Result<(Call, Call)> {
    let mut a = anna.call("102", sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(bert, "200 OK", sdp).plain()?;
    a.answer(anna, 200).plain()?;
    a.ack(anna, b"").plain()?;
    b.request(bert, "ACK").plain()?;
    Ok((a, b))
}

#[test]
fn a_call_without_an_offer_gets_one_with_the_answer() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let mut a = anna.call("102", b"").plain()?;
    let mut b = bert.incoming().plain()?;
    ensure!(b.invite.body().is_empty(), "{:?}", b.invite);
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    let offer = a.answer(&mut anna, 200).plain()?;
    ensure!(offer.body() == sdp, "{offer:?}");
    a.ack(&mut anna, &sdp).plain()?;
    let ack = b.request(&mut bert, "ACK").plain()?;
    ensure!(ack.body() == sdp, "{ack:?}");
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn a_reliable_ringing_is_acknowledged_from_end_to_end() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let to = anna.address_of("102");
    let mut a = anna.call_with(&to, &["Supported: 100rel".into()], &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    let supported =
        b.invite.headers("Supported").join(",") + &b.invite.headers("Require").join(",");
    ensure!(supported.contains("100rel"), "{:?}", b.invite);
    let invite = b.invite.clone();
    let reliable = ["Require: 100rel".to_owned(), "RSeq: 7".to_owned()];
    b.reply_to(&mut bert, &invite, "183 Session Progress", &reliable, &sdp).plain()?;
    let progress = a.answer(&mut anna, 183).plain()?;
    ensure!(progress.header("Require").is_some_and(|require| require.contains("100rel")));
    let rseq = progress.header("RSeq").unwrap_or_default();
    let rack = format!("RAck: {rseq} 1 INVITE");
    a.tell(&mut anna, "PRACK", &[rack], b"").plain()?;
    let prack = b.request(&mut bert, "PRACK").plain()?;
    ensure!(prack.header("RAck").is_some_and(|rack| rack.starts_with("7 ")), "{prack:?}");
    b.reply_to(&mut bert, &prack, "200 OK", &[], b"").plain()?;
    anna.wait("200 to PRACK", PATIENCE, |m| m.status() == Some(200) && m.method() == "PRACK")
        .plain()?;
    b.reply(&mut bert, "200 OK", b"").plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;
    b.hang_up(&mut bert).plain()?;
    a.ended(&mut anna).plain()?;
    Ok(())
}

#[test]
fn an_update_crosses() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let (mut a, mut b) = connect(&mut anna, &mut bert, &sdp)?;
    a.tell(&mut anna, "UPDATE", &[], &sdp).plain()?;
    let update = b.request(&mut bert, "UPDATE").plain()?;
    ensure!(update.body() == sdp, "{update:?}");
    b.reply_to(&mut bert, &update, "200 OK", &[], &sdp).plain()?;
    let answer = anna
        .wait("200 to UPDATE", PATIENCE, |m| m.status() == Some(200) && m.method() == "UPDATE")
        .plain()?;
    ensure!(answer.body() == sdp, "{answer:?}");
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn a_method_nobody_knows_crosses_inside_a_call() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let (mut a, mut b) = connect(&mut anna, &mut bert, &sdp)?;
    let more = ["X-Colour: blue".to_owned(), "Content-Type: text/x-wish".to_owned()];
    a.tell(&mut anna, "WISH", &more, b"a pony").plain()?;
    let wish = b.request(&mut bert, "WISH").plain()?;
    ensure!(wish.text() == "a pony" && wish.header("X-Colour") == Some("blue"), "{wish:?}");
    ensure!(wish.header("Content-Type") == Some("text/x-wish"), "{wish:?}");
    b.reply_to(&mut bert, &wish, "499 No Pony", &["X-Size: small".into()], b"").plain()?;
    let answer = anna
        .wait("an answer to WISH", PATIENCE, |m| {
            m.status().is_some_and(|s| s >= 200) && m.method() == "WISH"
        })
        .plain()?;
    ensure!(answer.status() == Some(499) && answer.header("X-Size") == Some("small"), "{answer:?}");
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn what_belongs_to_no_call_is_told_so() -> Result<()> {
    let (house, mut anna, mut bert, sdp) = pair()?;
    let (mut a, mut b) = connect(&mut anna, &mut bert, &sdp)?;
    let me = anna.address_of_record();
    let stray = |method: &str, tag: &str, hops: &str, via: String| {
        let headers = [
            via,
            format!("Max-Forwards: {hops}"),
            format!("From: <{me}>;tag=x1"),
            format!("To: <sip:102@{}>{tag}", house.at),
            format!("Call-ID: stray-{}-{method}{tag}{hops}", std::process::id()),
            format!("CSeq: 1 {method}"),
            format!("Contact: <{me}>"),
        ];
        Message::new(&format!("{method} sip:102@{} SIP/2.0", house.at), &headers, b"")
    };
    for (method, tag, hops, status) in [
        ("BYE", ";tag=nobody", "70", 481),
        ("INFO", ";tag=nobody", "70", 481),
        ("CANCEL", "", "70", 481),
        ("INVITE", "", "0", 483),
        ("WISH", "", "70", 405),
    ] {
        let via = anna.via();
        anna.send(&stray(method, tag, hops, via)).plain()?;
        let answer = anna
            .wait(method, PATIENCE, |m| {
                m.status().is_some_and(|s| s >= 200) && m.method() == method
            })
            .plain()?;
        let allowed = status == 405 && answer.status() == Some(501);
        ensure!(answer.status() == Some(status) || allowed, "{method}: {answer:?}");
    }
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn an_old_request_of_a_call_is_refused() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let (mut a, mut b) = connect(&mut anna, &mut bert, &sdp)?;
    let first = a.clone();
    a.tell(&mut anna, "INFO", &[], b"").plain()?;
    let info = b.request(&mut bert, "INFO").plain()?;
    b.reply_to(&mut bert, &info, "200 OK", &[], b"").plain()?;
    anna.wait("200 to INFO", PATIENCE, |m| m.status() == Some(200) && m.method() == "INFO")
        .plain()?;
    a.tell(&mut anna, "INFO", &[], b"").plain()?;
    let info = b.request(&mut bert, "INFO").plain()?;
    b.reply_to(&mut bert, &info, "200 OK", &[], b"").plain()?;
    anna.wait("200 to INFO", PATIENCE, |m| m.status() == Some(200) && m.method() == "INFO")
        .plain()?;
    // A clone that has not counted: the same CSeq again, in a request of its own (RFC 3261 12.2.2).
    let late = first.clone().ask(&mut anna, "OPTIONS", &[], b"").plain()?;
    ensure!(late.status() == Some(500), "{late:?}");
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}

#[test]
fn bytes_that_come_one_by_one_and_messages_that_come_together_are_read() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let mut stream = TcpStream::connect(house.at)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let at = stream.local_addr()?;
    let options = |number: u32| {
        format!(
            "OPTIONS sip:{server} SIP/2.0\r\nv: SIP/2.0/TCP {at};branch=z9hG4bKone{number}\r\nMax-Forwards: 70\r\n\
             f: <sip:101@{server}>;tag=1\r\nt: <sip:{server}>\r\ni: one-{number}@{at}\r\nCSeq: 1 OPTIONS\r\nSubject: a\r\n folded\r\n\tline\r\nl: 0\r\n\r\n",
            server = house.at
        )
    };
    for byte in options(1).as_bytes() {
        stream.write_all(&[*byte])?;
    }
    let together = [options(2), "\r\n\r\n".into(), options(3), options(4)].concat();
    stream.write_all(together.as_bytes())?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    let mut answered = Vec::new();
    while answered.len() < 4 {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "the stream was closed after {answered:?}");
        received.extend_from_slice(&buffer[..length]);
        while let Some(message) = Message::take_from_stream(&mut received) {
            ensure!(message.status() == Some(200), "{message:?}");
            answered.push(message.header("Call-ID").unwrap_or_default().to_owned());
        }
    }
    let wanted: Vec<_> = (1..=4).map(|number| format!("one-{number}@{at}")).collect();
    ensure!(answered == wanted, "{answered:?}");
    Ok(())
}

#[test]
fn a_keep_alive_is_answered() -> Result<()> {
    // RFC 5626 section 3.5.1: two line ends are asked, one answers.
    let house = House::plan().build()?;
    let mut stream = TcpStream::connect(house.at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for _ in 0..3 {
        stream.write_all(b"\r\n\r\n")?;
        let mut pong = [0; 2];
        stream.read_exact(&mut pong)?;
        ensure!(&pong == b"\r\n");
    }
    Ok(())
}

#[test]
fn a_caller_hears_at_once_that_its_call_is_under_way() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let mut a = anna.call("102", &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    // Bert says nothing yet: the 100 is the server's own (RFC 3261 section 8.2.6.1: 200 ms).
    anna.wait("100 Trying", Duration::from_secs(5), |m| m.status() == Some(100)).plain()?;
    b.reply(&mut bert, "603 Decline", b"").plain()?;
    let declined = a.final_answer(&mut anna).plain()?;
    ensure!(declined.status() == Some(603), "{declined:?}");
    Ok(())
}

#[test]
fn a_redirection_is_followed_or_told() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let mut a = anna.call("102", &sdp).plain()?;
    let b = bert.incoming().plain()?;
    let elsewhere = ["Contact: <sip:somebody@192.0.2.1>".to_owned()];
    bert.respond_moved(&b.invite, &elsewhere).plain()?;
    let answer = a.final_answer(&mut anna).plain()?;
    // A phone does not make the house call the Internet: the caller is told, or the call fails.
    ensure!(matches!(answer.status(), Some(302 | 480 | 404 | 403 | 503)), "{answer:?}");
    Ok(())
}

#[test]
fn a_telephone_number_in_a_tel_uri_reaches_an_extension() -> Result<()> {
    let (house, mut anna, mut bert, sdp) = pair()?;
    let mut a = anna.call_with("tel:102;phone-context=house", &[], &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    a.answer(&mut anna, 200).plain()?;
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_session_timer_is_agreed() -> Result<()> {
    let (_house, mut anna, mut bert, sdp) = pair()?;
    let to = anna.address_of("102");
    let timer = ["Supported: timer".to_owned(), "Session-Expires: 20".to_owned()];
    let mut a = anna.call_with(&to, &timer, &sdp).plain()?;
    let refused = a.final_answer(&mut anna).plain()?;
    ensure!(refused.status() == Some(422) && refused.header("Min-SE").is_some(), "{refused:?}");
    let timer = ["Supported: timer".to_owned(), "Session-Expires: 600".to_owned()];
    let mut a = anna.call_with(&to, &timer, &sdp).plain()?;
    let mut b = bert.incoming().plain()?;
    b.reply(&mut bert, "200 OK", &sdp).plain()?;
    let answer = a.answer(&mut anna, 200).plain()?;
    let agreed = answer.header("Session-Expires").unwrap_or_default();
    ensure!(agreed.starts_with("600") && agreed.contains("refresher="), "{answer:?}");
    a.ack(&mut anna, b"").plain()?;
    b.request(&mut bert, "ACK").plain()?;
    a.hang_up(&mut anna).plain()?;
    b.ended(&mut bert).plain()?;
    Ok(())
}
