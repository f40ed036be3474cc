// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers from other domains, and calls to them.

use std::{net::SocketAddr, sync::Arc};

use sipwitch_core::call::CallId;
use sipwitch_sip::{
    flow::{ConnectionId, Transport},
    peer::{KeyPrint, PeerIdentity},
};

use super::{
    super::{
        ask::{Ask, Refusal},
        notice::{HeldBack, Notice},
    },
    house::{HOUSE, Plan, settings},
    talk::Talk,
    text::{Text, sdp},
    town::{Phone, Town},
};

pub(super) const BOB: &str = "sip:bob@there.example";

pub(super) fn proven(domain: &str) -> PeerIdentity {
    let domains: Arc<[Arc<str>]> = [domain.into()].into();
    PeerIdentity::Proven { domains, key: KeyPrint([1; 32]) }
}

/// A house that other domains may call.
pub(super) fn open_house(per_minute: u32) -> Town {
    let mut plan = Plan::usual();
    plan.settings = settings();
    plan.settings.accept_calls = true;
    let rate = sipwitch_sip::gate::Rate::per_minute(per_minute);
    plan.settings.outside.requests = rate;
    plan.settings.outside.refusals = rate;
    Town::of(plan)
}

/// Somebody at the other end of a TLS connection.
pub(super) fn stranger(town: &mut Town, identity: PeerIdentity) -> Phone {
    let phone = town.stranger("bob");
    let serial = phone.0 as u64;
    let now = town.time();
    let device = town.device(phone);
    let address: SocketAddr = format!("192.0.2.7:{}", 30_000 + serial).parse().unwrap();
    device.flow.transport = Transport::Tls;
    device.flow.remote = address;
    device.flow.connection = Some(ConnectionId(1_000 + serial));
    device.contact = format!("<sip:bob@{address};transport=tls>");
    let flow = device.flow;
    town.board.secured(now, &flow, identity);
    phone
}

pub(super) fn call(town: &mut Town, from: &str, phone: Phone, user: &str) -> Talk {
    let offer = sdp("bob", 40_000, "sendrecv");
    town.dial_as(phone, from, &format!("sip:{user}@{HOUSE}"), &[], &offer)
}

/// The answer to a call, told to be at an end.
pub(super) fn refused(town: &mut Town, phone: Phone, talk: &Talk) -> Option<u16> {
    let id = talk.id.clone();
    let found = town.find(phone, |text| {
        text.call_id() == id && text.method() == "INVITE" && text.status() >= Some(200)
    })?;
    town.acknowledge_refusal(talk, &found);
    found.status()
}

fn held_back(town: &Town) -> Vec<&HeldBack> {
    let held = town.notices.iter().filter_map(|notice| match notice {
        Notice::HeldBack(held) => Some(held),
        _ => None,
    });
    held.collect()
}

#[test]
fn a_domain_that_proves_itself_rings_and_is_shown_with_the_call() {
    let mut town = open_house(10);
    let anna = town.phone("101");
    let bob = stranger(&mut town, proven("there.example"));
    let mut at_bob = call(&mut town, BOB, bob, "101");
    let mut at_anna = town.rung(anna);
    assert!(at_anna.invite.header("From").contains(BOB), "{:?}", at_anna.invite);
    town.reply(&at_anna, "180 Ringing", "");
    town.heard(&mut at_bob, "180 INVITE");
    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_bob, "200 INVITE");
    town.ack(&at_bob, "");
    town.heard(&mut at_anna, "ACK");
    let view = town.view(CallId(1));
    assert_eq!((&*view.peer.domain, view.peer.proof), ("there.example", "certificate"));
    assert_eq!(view.caller, BOB);
    town.hang_up(&mut at_bob);
    town.ended(&mut at_anna);
    assert_eq!(held_back(&town), Vec::<&HeldBack>::new());
    town.assert_over();
}

#[test]
fn who_proves_nothing_is_held_back_and_the_user_hears_of_it() {
    let claimed = PeerIdentity::Claimed {
        domains: ["there.example".into()].into(),
        why: "its certificate for there.example is self-signed".into(),
        key: None,
    };
    for (identity, words) in [
        (PeerIdentity::Nobody, "it showed no certificate"),
        (claimed, "its certificate for there.example is self-signed"),
        (proven("other.example"), "its certificate is for other.example and not for there.example"),
    ] {
        let mut town = open_house(10);
        let anna = town.phone("101");
        let bob = stranger(&mut town, identity);
        for (wanted, extension) in [("101", "101"), ("999", ""), ("112", "")] {
            let at_bob = call(&mut town, BOB, bob, wanted);
            assert_eq!(refused(&mut town, bob, &at_bob), Some(480), "{wanted}: all alike");
            assert_eq!(
                held_back(&town).last(),
                Some(&&HeldBack {
                    caller: "bob@there.example".into(),
                    domain: "there.example".into(),
                    extension: extension.into(),
                    words: words.into(),
                })
            );
        }
        town.assert_silent(anna);
        assert!(!town.notices.iter().any(|notice| matches!(notice, Notice::Call(_))));
        town.assert_over();
    }
}

#[test]
fn a_name_in_the_from_counts_for_nothing_and_the_names_of_the_certificate_are_told() {
    let claimed = |domain: &str| PeerIdentity::Claimed {
        domains: [domain.into()].into(),
        why: format!("its certificate for {domain} expired on 2020-01-02"),
        key: None,
    };
    let proven = |domains: &[&str]| PeerIdentity::Proven {
        domains: domains.iter().map(|domain| Arc::from(*domain)).collect(),
        key: KeyPrint([1; 32]),
    };
    let many = ["a.example", "b.example", "c.example", "d.example"];
    for (identity, words) in [
        (proven(&["there.example"]), "is for there.example and not for bank.example"),
        (proven(&many[..2]), "is for a.example and b.example and not for bank.example"),
        (proven(&many), "is for a.example, b.example and 2 more and not for bank.example"),
        (proven(&[]), "is for nobody and not for bank.example"),
        // A whole name, and neither what stands above it, below it or beside it.
        (proven(&["sip.bank.example"]), "is for sip.bank.example and not for bank.example"),
        (proven(&["*.example"]), "is for *.example and not for bank.example"),
        (proven(&["example"]), "is for example and not for bank.example"),
        (
            claimed("there.example"),
            "for there.example expired on 2020-01-02; and it is not for bank.example",
        ),
        (claimed("bank.example"), "for bank.example expired on 2020-01-02"),
    ] {
        let mut town = open_house(60);
        let phone = town.phone("101");
        let caller = stranger(&mut town, identity);
        let talk = call(&mut town, "sip:bob@bank.example", caller, "101");
        assert_eq!(refused(&mut town, caller, &talk), Some(480), "{words}");
        let told = held_back(&town);
        assert_eq!(told.len(), 1, "{words}");
        assert_eq!((&*told[0].caller, &*told[0].domain), ("bob@bank.example", "bank.example"));
        assert_eq!(told[0].words, format!("its certificate {words}"));
        town.assert_silent(phone);
    }
}

#[test]
fn of_several_names_of_a_certificate_the_one_in_the_from_is_shown_with_the_call() {
    let mut town = open_house(60);
    let phone = town.phone("101");
    let domains: Arc<[Arc<str>]> = ["a.example".into(), "b.example".into()].into();
    let identity = PeerIdentity::Proven { domains, key: KeyPrint([1; 32]) };
    let caller = stranger(&mut town, identity);
    call(&mut town, "sip:bob@B.example", caller, "101");
    town.rung(phone);
    let shown = town.view(CallId(1)).peer.clone();
    assert!(shown.domain.eq_ignore_ascii_case("b.example"), "{shown:?}");
}

#[test]
fn a_proven_domain_reaches_extensions_and_nothing_else() {
    let mut town = open_house(100);
    let anna = town.phone("101");
    let bob = stranger(&mut town, proven("there.example"));
    let offer = sdp("bob", 40_000, "sendrecv");
    for uri in [
        format!("sip:999@{HOUSE}"),
        format!("sip:+4930123456@{HOUSE}"),
        format!("sip:112@{HOUSE}"),
        "sip:101@elsewhere.example".to_owned(),
        "urn:service:sos".to_owned(),
        "tel:+4930123456".to_owned(),
    ] {
        let at_bob = town.dial_as(bob, BOB, &uri, &[], &offer);
        assert_eq!(refused(&mut town, bob, &at_bob), Some(480), "{uri}");
    }
    town.assert_silent(anna);
    assert_eq!(held_back(&town), Vec::<&HeldBack>::new());
    town.assert_over();
}

#[test]
fn nobody_is_of_this_house_without_a_password() {
    let mut town = open_house(10);
    let anna = town.phone("101");
    for me in [format!("sip:102@{HOUSE}"), "sip:102@localhost".to_owned(), "sip:102@house".into()] {
        let eve = stranger(&mut town, proven("there.example"));
        town.device(eve).number = "102".into();
        let at_eve = town.dial_as(eve, &me, &format!("sip:101@{HOUSE}"), &[], "");
        let challenged = |text: &Text| text.call_id() == at_eve.id && text.status() == Some(401);
        assert!(town.find(eve, challenged).is_some(), "{me}: the password of nobody");
    }
    town.assert_silent(anna);
}

#[test]
fn the_outside_may_not_ask_often_and_phones_of_the_house_are_not_counted_with_it() {
    let mut town = open_house(3);
    let anna = town.phone("101");
    let bob = stranger(&mut town, PeerIdentity::Nobody);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let at_bob = call(&mut town, BOB, bob, "101");
        statuses.push(refused(&mut town, bob, &at_bob));
    }
    let (busy, in_vain) = (Some(503), Some(480));
    assert_eq!(statuses, [in_vain, in_vain, in_vain, busy, busy, busy, None, None]);
    assert_eq!(held_back(&town).len(), 3);
    let bert = town.phone("102");
    let (mut at_bert, mut at_anna) = town.call(bert, anna);
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
}

#[test]
fn a_house_that_is_not_open_asks_everybody_for_a_password() {
    let mut plan = Plan::usual();
    plan.settings = settings();
    let mut town = Town::of(plan);
    let anna = town.phone("101");
    let bob = stranger(&mut town, proven("there.example"));
    call(&mut town, BOB, bob, "101");
    assert!(!town.has(anna, "INVITE"));
    assert_eq!(held_back(&town), Vec::<&HeldBack>::new());
    let challenge = |text: &Text| text.status() == Some(401);
    assert!(town.find(bob, challenge).is_some());
}

#[test]
fn a_proven_domain_may_send_texts() {
    let mut town = open_house(10);
    let anna = town.phone("101");
    for (identity, status) in [(proven("there.example"), 200), (PeerIdentity::Nobody, 480)] {
        let bob = stranger(&mut town, identity);
        let via = town.via(bob);
        let headers = [
            via,
            "Max-Forwards: 70".into(),
            format!("From: <{BOB}>;tag=t{}", bob.0),
            format!("To: <sip:101@{HOUSE}>"),
            format!("Call-ID: text-{}", bob.0),
            "CSeq: 1 MESSAGE".into(),
            "Content-Type: text/plain".into(),
        ];
        let message = Text::write(&format!("MESSAGE sip:101@{HOUSE} SIP/2.0"), &headers, "hello");
        town.send(bob, &message);
        if status == 200 {
            let text = town.expect(anna, "MESSAGE");
            assert_eq!(text.body, "hello");
            assert!(text.header("From").contains(BOB), "{text:?}");
            town.respond(anna, &text, "200 OK", "x", &[], "");
        }
        let kind = format!("{status} MESSAGE");
        town.expect(bob, &kind);
    }
    town.assert_silent(anna);
}

#[test]
fn another_domain_cannot_be_transferred_to_what_it_may_not_call_itself() {
    let mut town = open_house(10);
    let anna = town.phone("101");
    let bob = stranger(&mut town, proven("there.example"));
    let mut at_bob = call(&mut town, BOB, bob, "101");
    let mut at_anna = town.rung(anna);
    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_bob, "200 INVITE");
    town.ack(&at_bob, "");
    town.heard(&mut at_anna, "ACK");
    town.names.insert(
        "elsewhere.example".into(),
        vec![(Transport::Udp, "192.0.2.99:5060".parse().unwrap())],
    );
    let elsewhere = town.stranger_at("900", "192.0.2.99:5060".parse().unwrap());
    town.tell(&mut at_bob, "REFER", &["Refer-To: <sip:900@elsewhere.example>"], "");
    assert!(!town.has(elsewhere, "INVITE"), "the house does not pay for strangers");
    town.find(bob, |text| text.method() == "REFER");
    while town.find(bob, |text| text.method() == "NOTIFY").is_some() {}
    let _ = (at_anna, anna);
}

#[test]
fn other_domains_are_called_directly_and_shown() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let far: SocketAddr = "192.0.2.9:5061".parse().unwrap();
    town.names.insert("there.example".into(), vec![(Transport::Tls, far)]);
    let bob = town.stranger_at("bob", far);
    let device = town.device(bob);
    device.flow.transport = Transport::Tls;
    device.contact = "<sip:bob@192.0.2.9:5061;transport=tls>".into();
    let offer = town.sdp(anna);
    let mut at_anna = town.dial_with(anna, BOB, &[], &offer);
    let mut at_bob = town.rung(bob);
    assert_eq!(at_bob.invite.uri(), BOB);
    assert!(at_bob.invite.header("Via").starts_with("SIP/2.0/TLS "), "{:?}", at_bob.invite);
    assert!(at_bob.invite.header("Contact").contains(";transport=tls"), "{:?}", at_bob.invite);
    assert!(at_bob.invite.header("From").contains("<sip:101@localhost>"), "{:?}", at_bob.invite);
    let answer = town.sdp(bob);
    town.reply(&at_bob, "200 OK", &answer);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    town.heard(&mut at_bob, "ACK");
    let view = town.view(CallId(1));
    assert_eq!((&*view.peer.domain, view.peer.proof), ("there.example", "certificate"));
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bob);
    town.assert_over();
}

/// Another domain at one address, over this transport.
fn domain(town: &mut Town, name: &str, transport: Transport, at: &str) -> Phone {
    let at: SocketAddr = at.parse().unwrap();
    town.names.insert(name.into(), vec![(transport, at)]);
    let phone = town.stranger_at("bob", at);
    town.device(phone).flow.transport = transport;
    phone
}

#[test]
fn texts_go_to_other_domains_directly() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let bob = domain(&mut town, "there.example", Transport::Tls, "192.0.2.9:5061");
    town.send_request(anna, "MESSAGE", BOB, &["Content-Type: text/x-poem"], "roses are red");
    let text = town.expect(bob, "MESSAGE");
    assert_eq!((text.uri(), text.body.as_str()), (BOB, "roses are red"));
    assert_eq!(text.header("Content-Type"), "text/x-poem");
    assert!(text.header("Via").starts_with("SIP/2.0/TLS "), "{text:?}");
    assert!(text.header("From").contains("<sip:101@localhost>"), "{text:?}");
    town.assert_silent(anna);
    town.respond(bob, &text, "200 OK", "b", &[], "");
    town.expect(anna, "200 MESSAGE");
    // A password is shown to nobody, and what is not taken is not kept.
    town.send_request(anna, "MESSAGE", BOB, &["Content-Type: text/plain"], "violets are blue");
    let text = town.expect(bob, "MESSAGE");
    let challenge = "WWW-Authenticate: Digest realm=\"there\", nonce=\"n\", qop=\"auth\"";
    town.respond(bob, &text, "401 Unauthorized", "b", &[challenge], "");
    town.expect(anna, "480 MESSAGE");
    town.assert_over();
}

#[test]
fn a_text_for_a_domain_that_is_not_there_or_says_nothing_is_refused_in_time() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let plain = ["Content-Type: text/plain"];
    let nowhere = town.request(anna, "MESSAGE", "sip:x@nowhere.example", &plain, "hello");
    assert_eq!(nowhere.status(), Some(480));
    let dead = domain(&mut town, "there.example", Transport::Udp, "192.0.2.9:5060");
    town.device(dead).is_dead = true;
    town.send_request(anna, "MESSAGE", BOB, &plain, "hello?");
    town.pass_seconds(7);
    town.assert_silent(anna);
    town.pass_seconds(2);
    town.expect(anna, "480 MESSAGE");
    let (contact, text) = (BOB.to_owned(), "hello".to_owned());
    let asked = town.wish(|reply| Ask::SendMessage { contact, from: None, text, reply });
    town.pass_seconds(9);
    assert!(matches!(asked.answer(), Err(Refusal::NoRoute(_))));
    town.assert_over();
}

#[test]
fn the_next_place_of_a_domain_takes_a_text_that_the_first_does_not() {
    let mut town = Town::new();
    let (first, second) = ("192.0.2.9:5060", "192.0.2.10:5060");
    let dead = domain(&mut town, "there.example", Transport::Udp, first);
    town.device(dead).is_dead = true;
    let bob = town.stranger_at("bob", second.parse().unwrap());
    let places = [first, second].map(|at| (Transport::Udp, at.parse().unwrap()));
    town.names.insert("there.example".into(), places.to_vec());
    let (contact, text) = (BOB.to_owned(), "hello".to_owned());
    let mut asked = town.wish(|reply| Ask::SendMessage { contact, from: None, text, reply });
    town.pass_seconds(5);
    let text = town.expect(bob, "MESSAGE");
    assert!(asked.is_open());
    town.respond(bob, &text, "200 OK", "b", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
    town.assert_over();
}

#[test]
fn strangers_have_no_texts_handed_on() {
    let mut town = open_house(10);
    let far = domain(&mut town, "elsewhere.example", Transport::Tls, "192.0.2.99:5061");
    let bob = stranger(&mut town, proven("there.example"));
    let uri = "sip:x@elsewhere.example";
    let headers = [
        town.via(bob),
        "Max-Forwards: 70".into(),
        format!("From: <{BOB}>;tag=t"),
        format!("To: <{uri}>"),
        "Call-ID: spam".into(),
        "CSeq: 1 MESSAGE".into(),
        "Content-Type: text/plain".into(),
    ];
    town.send(bob, &Text::write(&format!("MESSAGE {uri} SIP/2.0"), &headers, "buy"));
    town.expect(bob, "480 MESSAGE");
    town.assert_silent(far);
    town.assert_over();
}
