// SPDX-License-Identifier: GPL-3.0-or-later
//! What the house does not do, said in the right words; and its limits.

use sipwitch_core::call::CallId;

use super::{
    super::ask::{Ask, DialOptions, Refusal},
    house::{HOUSE, Plan, person},
    text::Text,
    town::{Town, password_of},
};

const FIRST: CallId = CallId(1);

#[test]
fn options_are_answered_without_a_password_and_tell_nothing_of_extensions() {
    let mut town = Town::new();
    let stranger = town.stranger("nobody");
    town.add_extension("101", person("a long password"));
    let mut answers = Vec::new();
    for user in ["101", "999999"] {
        let uri = format!("sip:{user}@{HOUSE}");
        town.send_request(stranger, "OPTIONS", &uri, &[], "");
        let answer = town.expect(stranger, "200 OPTIONS");
        assert!(answer.header("Allow").contains("INVITE"), "{answer:?}");
        assert!(answer.header("Accept").contains("application/sdp"), "{answer:?}");
        answers.push(answer.header("Allow").to_owned() + answer.header("Supported"));
    }
    assert_eq!(answers[0], answers[1]);
    town.send_request(stranger, "OPTIONS", "sip:x@elsewhere.example", &[], "");
    town.expect(stranger, "404 OPTIONS");
    town.assert_over();
}

#[test]
fn methods_are_refused_each_with_the_word_for_it() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let uri = format!("sip:102@{HOUSE}");
    for (method, status) in [
        ("FROBNICATE", 405),
        ("SUBSCRIBE", 489),
        ("PUBLISH", 489),
        ("NOTIFY", 481),
        ("REFER", 403),
        ("BYE", 481),
        ("UPDATE", 481),
        ("INFO", 481),
        ("PRACK", 481),
    ] {
        let more = ["Event: presence", "Refer-To: <sip:x@y>", "RAck: 1 1 INVITE"];
        town.send_request(phone, method, &uri, &more, "");
        let answer = town.expect(phone, &format!("{status} {method}"));
        assert_eq!(answer.header("Allow").is_empty(), status != 405, "{answer:?}");
        assert!(answer.headers("Allow").len() < 2, "{answer:?}");
    }
    town.assert_over();
}

#[test]
fn a_call_must_prove_who_makes_it() {
    let mut town = Town::new();
    let bert = town.phone("102");
    town.add_extension("101", person(&password_of("101")));
    let anna = town.stranger("101");
    town.device(anna).password = "not the password".into();
    let call = town.dial(anna, "102");
    assert_eq!(town.refused(&call).status(), Some(401));
    town.assert_silent(bert);
    let unknown = town.stranger("777");
    let call = town.dial(unknown, "102");
    assert_eq!(town.refused(&call).status(), Some(401));
    town.assert_silent(bert);
    assert!(town.notices.iter().all(|n| !matches!(n, super::super::notice::Notice::Call(_))));
    town.assert_over();
}

#[test]
fn the_callee_is_told_who_proved_himself_and_not_who_he_says_he_is() {
    let mut town = Town::new();
    let mut change = person(&password_of("101"));
    change.name = Some("Anna".into());
    town.add_extension("101", change);
    let anna = town.stranger("101");
    town.register(anna, 600);
    let bert = town.phone("102");
    let uri = format!("sip:102@{HOUSE}");
    let authorization = town.authorization(anna, "INVITE", &uri).unwrap();
    let offer = town.sdp(anna);
    let headers = [
        town.via(anna),
        "Max-Forwards: 70".into(),
        "From: \"The Bank\" <sip:boss@bank.example>;tag=x".into(),
        format!("To: <{uri}>"),
        "Call-ID: forged".into(),
        "CSeq: 1 INVITE".into(),
        format!("Contact: {}", town.device(anna).contact),
        "P-Asserted-Identity: \"The Bank\" <sip:boss@bank.example>".into(),
        "Remote-Party-ID: \"The Bank\" <sip:boss@bank.example>".into(),
        "Content-Type: application/sdp".into(),
        authorization,
    ];
    town.send(anna, &Text::write(&format!("INVITE {uri} SIP/2.0"), &headers, &offer));
    let mut at_bert = town.rung(bert);
    let shown = at_bert.invite.header("From");
    assert!(shown.contains("Anna") && shown.contains("sip:101@"), "{:?}", at_bert.invite);
    let whole = format!("{:?}", at_bert.invite);
    assert!(!whole.to_lowercase().contains("bank"), "{whole}");
    town.reply(&at_bert, "486 Busy Here", "");
    town.heard(&mut at_bert, "ACK");
    town.expect(anna, "486 INVITE");
    town.assert_over();
}

#[test]
fn an_emergency_call_is_refused_honestly_and_never_asked_for_a_password() {
    let mut town = Town::new();
    let stranger = town.stranger("nobody");
    for uri in [
        format!("sip:112@{HOUSE}"),
        format!("sip:sos@{HOUSE}"),
        "tel:911".into(),
        "urn:service:sos".into(),
    ] {
        let offer = town.sdp(stranger);
        let call = town.dial_with(stranger, &uri, &[], &offer);
        let refusal = town.refused(&call);
        assert_ne!(refusal.status(), Some(401), "{refusal:?}");
        assert!(refusal.status().unwrap() >= 400, "{refusal:?}");
        let line = refusal.first_line().to_owned() + refusal.header("Reason");
        assert!(line.to_lowercase().contains("emergency"), "the words say why: {refusal:?}");
    }
    assert_eq!(town.end(FIRST).call.contact, "112");
    town.assert_over();
}

#[test]
fn a_program_that_dials_an_emergency_number_hears_at_once_that_nothing_carries_it() {
    // No phone is registered, and that is not what matters most.
    let mut town = Town::new();
    let options = DialOptions::default();
    let asked = town.wish(|reply| Ask::Dial { contact: "112".into(), options, owner: None, reply });
    assert!(matches!(asked.answer(), Err(Refusal::EmergencyUnavailable(_))));
}

#[test]
fn no_extension_can_be_called_like_an_emergency_number() {
    let mut town = Town::new();
    let change = person("a long password");
    let asked = town.wish(|reply| Ask::AddExtension { number: "112".into(), change, reply });
    assert!(matches!(asked.answer(), Err(Refusal::BadValue(_))));
}

#[test]
fn more_calls_than_are_allowed_are_refused_and_the_others_go_on() {
    let mut plan = Plan::usual();
    plan.settings.max_calls = 1;
    let mut town = Town::of(plan);
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let call = town.dial(carl, "102");
    assert_eq!(town.refused(&call).status(), Some(503));
    let options = DialOptions { from: Some("103".into()), ..DialOptions::default() };
    let asked = town.wish(|reply| Ask::Dial { contact: "102".into(), options, owner: None, reply });
    assert!(matches!(asked.answer(), Err(Refusal::TooMany(_))));
    // Help is called nevertheless.
    let help = town.dial(carl, "112");
    let words = format!("{:?}", town.refused(&help)).to_lowercase();
    assert!(words.contains("emergency"), "{words}");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    let (mut at_carl, mut at_bert) = town.call(carl, bert);
    town.hang_up(&mut at_carl);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn nobody_is_called_who_does_not_exist_or_has_no_phone() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person("a long password"));
    for (number, status) in [("999999", 404), ("102", 480)] {
        let call = town.dial(anna, number);
        assert_eq!(town.refused(&call).status(), Some(status), "{number}");
    }
    let offer = town.sdp(anna);
    let call = town.dial_with(anna, "sip:x@elsewhere.example", &[], &offer);
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_over();
}

#[test]
fn a_call_that_went_too_far_is_refused() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let uri = format!("sip:102@{HOUSE}");
    for hops in ["0", "1"] {
        let authorization = town.authorization(anna, "INVITE", &uri).unwrap();
        let headers = [
            town.via(anna),
            format!("Max-Forwards: {hops}"),
            "From: <sip:101@127.0.0.1:5060>;tag=x".into(),
            format!("To: <{uri}>"),
            format!("Call-ID: far-{hops}"),
            "CSeq: 1 INVITE".into(),
            format!("Contact: {}", town.device(anna).contact),
            authorization,
        ];
        town.send(anna, &Text::write(&format!("INVITE {uri} SIP/2.0"), &headers, ""));
    }
    town.expect(anna, "483 INVITE");
    // The other one has just enough left.
    let mut at_bert = town.rung(bert);
    assert_eq!(at_bert.invite.header("Max-Forwards"), "0");
    town.reply(&at_bert, "486 Busy Here", "");
    town.heard(&mut at_bert, "ACK");
    town.expect(anna, "486 INVITE");
    town.assert_over();
}

#[test]
fn a_flood_from_one_source_is_refused_and_others_go_on() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let flooder = town.stranger_at("nobody", "192.0.2.66:5060".parse().unwrap());
    let uri = format!("sip:102@{HOUSE}");
    let (mut challenged, mut refused) = (0, 0);
    for _ in 0..2000 {
        town.send_request(flooder, "INVITE", &uri, &[], "");
        while let Some(answer) = town.find(flooder, |_| true) {
            match answer.status() {
                Some(401) => challenged += 1,
                Some(503) => {
                    refused += 1;
                    assert!(!answer.header("Retry-After").is_empty(), "{answer:?}");
                }
                _ => panic!("{answer:?}"),
            }
        }
    }
    assert!((1..=600).contains(&challenged), "{challenged}");
    assert!((1..=200).contains(&refused), "{refused}");
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    // The repeated refusals of what was never acknowledged end by themselves.
    town.pass_seconds(60);
    while town.find(flooder, |_| true).is_some() {}
    town.assert_over();
}

#[test]
fn noise_is_survived() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let flow = town.device(phone).flow;
    for noise in [
        &b""[..],
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"INVITE\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"INVITE sip:102@127.0.0.1 SIP/2.0\r\nVia: x\r\nContent-Length: -1\r\n\r\n",
        b"REGISTER sip:127.0.0.1 SIP/2.0\r\nCSeq: 99999999999 REGISTER\r\n\r\n",
        &[0xff; 70_000],
    ] {
        town.receive(flow, noise.to_vec());
        town.collect();
    }
    while town.find(phone, |_| true).is_some() {}
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    town.assert_over();
}

#[test]
fn stopping_ends_calls_and_unregisters_nobody() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let ringing = town.dial(carl, "101");
    let at_second = town.rung(anna);
    town.reply(&at_second, "180 Ringing", "");
    let mut ringing_at_carl = ringing.clone();
    town.heard(&mut ringing_at_carl, "180 INVITE");
    assert!(!town.board.is_quiet());
    town.ask(Ask::Stop);
    town.collect();
    town.ended(&mut at_anna);
    town.ended(&mut at_bert);
    town.cancelled(&at_second);
    assert!(town.refused(&ringing).status().unwrap() >= 400);
    assert!(town.board.is_quiet());
    assert_eq!(town.board.registrar.len(), 3);
    let call = town.dial(carl, "101");
    assert_eq!(town.refused(&call).status(), Some(503));
    let options = DialOptions { from: Some("101".into()), ..DialOptions::default() };
    let asked = town.wish(|reply| Ask::Dial { contact: "102".into(), options, owner: None, reply });
    assert_eq!(asked.answer(), Err(Refusal::Stopping));
    for id in 1..=2 {
        assert!(!town.end(CallId(id)).words.is_empty());
    }
    town.assert_over();
}
