// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked inside a call: re-INVITE and UPDATE, alone and at once (RFC 3261 §14, RFC 3311,
//! RFC 5359 §2.1), INFO and the methods nobody knows.

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Ask, Body, Carried, ExchangeId, Field, LegCommand, LegEvent, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::wire::{Method, name};

const HOLD: &[u8] = b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\na=sendonly\r\n";
const HELD: &[u8] = b"v=0\r\no=- 2 3 IN IP4 127.0.0.1\r\na=recvonly\r\n";

#[test]
fn a_call_is_held_and_resumed_as_rfc_5359_2_1_shows() {
    let mut world = World::of_endpoints();
    world.call();
    for (from, leg, to, other, exchange) in [(0, 10, 1, 20, 5), (1, 20, 0, 10, 5)] {
        world.command(from, leg, ask(exchange, Ask::Reinvite, sdp(HOLD)));
        let (theirs, what, carried) = asked(world.told_one(to, other));
        assert_eq!((what, carried), (Ask::Reinvite, sdp(HOLD)));
        world.command(to, other, reply(theirs, 200, sdp(HELD)));
        match world.told_one(from, leg) {
            LegEvent::Replied { exchange: ExchangeId(5), status, carried } => {
                assert_eq!((status, carried), (Status::new(200), sdp(HELD)));
            }
            told => panic!("{told:?}"),
        }
        let confirm = LegCommand::ConfirmReinvite {
            exchange: ExchangeId(exchange),
            carried: Carried::nothing(),
        };
        world.command(from, leg, confirm);
        assert_eq!(
            world.told_one(to, other),
            LegEvent::ReinviteConfirmed { exchange: theirs, carried: Carried::nothing() }
        );
    }
    world.command(0, 10, end(Cause::normal()));
    assert_golden("hold.txt", &world.ladder());
    assert_eq!(world.cause_of_end(0, 10), Cause::normal());
    assert_eq!(world.cause_of_end(1, 20), Cause::normal());
    world.assert_forgotten();
}

#[test]
fn a_reinvite_without_offer_gets_one_and_answers_it_in_the_ack() {
    let mut world = World::of_endpoints();
    world.call();
    world.command(0, 10, ask(1, Ask::Reinvite, Carried::nothing()));
    let (theirs, _, carried) = asked(world.told_one(1, 20));
    assert_eq!(carried, Carried::nothing());
    world.command(1, 20, reply(theirs, 200, sdp(OFFER)));
    world.told_one(0, 10);
    let carried = sdp(ANSWER);
    world.command(0, 10, LegCommand::ConfirmReinvite { exchange: ExchangeId(1), carried });
    assert_eq!(
        world.told_one(1, 20),
        LegEvent::ReinviteConfirmed { exchange: theirs, carried: sdp(ANSWER) }
    );
}

#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut world = World::of_endpoints();
    world.call();
    world.command(0, 10, ask(1, Ask::Reinvite, sdp(HOLD)));
    let (theirs, _, _) = asked(world.told_one(1, 20));
    world.command(1, 20, reply(theirs, 488, Carried::nothing()));
    match world.told_one(0, 10) {
        LegEvent::Replied { status, .. } => assert_eq!(status.code, 488),
        told => panic!("{told:?}"),
    }
    // And another may follow.
    world.command(0, 10, ask(2, Ask::Reinvite, sdp(HOLD)));
    assert!(matches!(world.told_one(1, 20), LegEvent::Asked { .. }));
}

#[test]
fn both_sides_change_the_call_at_once_and_both_get_491() {
    for method in [Ask::Reinvite, Ask::Update] {
        let mut world = World::of_endpoints();
        world.call();
        let now = world.wire.now();
        for (at, leg) in [(0, 10), (1, 20)] {
            let command = ask(1, method.clone(), sdp(HOLD));
            world.node(at).endpoint.command(now, sipwitch_core::call::LegId(leg), command);
        }
        world.wire.settle();
        for (at, leg) in [(0, 10), (1, 20)] {
            world.node(at).hear();
            match world.told_one(at, leg) {
                LegEvent::Replied { exchange: ExchangeId(1), status, .. } => {
                    assert_eq!(status.code, 491);
                }
                told => panic!("{told:?}"),
            }
        }
    }
}

#[test]
fn changes_that_overlap_are_put_off() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    world.say(inside(&invite, "x", "INVITE", 1, &with_sdp(CONTACT, HOLD)));
    let (first, _, _) = asked(world.told_one(0, 1));
    // A second one before the first is answered (RFC 3261 §14.2).
    world.say(inside(&invite, "x", "INVITE", 2, &with_sdp(CONTACT, HOLD)));
    let refused = world.response();
    assert_eq!(refused.status(), 500);
    assert!(refused.headers().number(&name::RETRY_AFTER).unwrap() <= 10);
    // One of ours meanwhile is not even sent.
    world.command(0, 1, ask(9, Ask::Reinvite, sdp(HOLD)));
    assert!(matches!(
        world.told_one(0, 1),
        LegEvent::Replied { exchange: ExchangeId(9), status: Status { code: 491, .. }, .. }
    ));
    world.command(0, 1, reply(first, 200, sdp(HELD)));
    // Not acknowledged yet.
    world.say(inside(&invite, "x", "INVITE", 3, &with_sdp(CONTACT, HOLD)));
    assert_eq!(world.response().status(), 491);
    world.say(inside(&invite, "x", "ACK", 1, ""));
    assert!(matches!(world.told_one(0, 1), LegEvent::ReinviteConfirmed { .. }));
    world.say(inside(&invite, "x", "INVITE", 4, &with_sdp(CONTACT, HOLD)));
    assert!(matches!(world.told_one(0, 1), LegEvent::Asked { .. }));
}

#[test]
fn a_late_request_is_refused_with_500_and_a_repeated_one_is_asked_once() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    let info = inside(&invite, "x", "INFO", 5, "");
    world.say(info.clone());
    world.say(info);
    asked(world.told_one(0, 1));
    world.say(inside(&invite, "x", "INFO", 4, ""));
    assert_eq!(world.response().status(), 500);
    world.assert_quiet();
}

#[test]
fn an_update_without_description_is_answered_here_and_refreshes_the_target() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    let moved = "Contact: <sip:moved@127.0.0.2:5060>\r\nSupported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
    world.say(inside(&invite, "x", "UPDATE", 1, moved));
    let ok = world.response();
    assert_eq!(ok.status(), 200);
    assert_eq!(ok.headers().text(&name::SESSION_EXPIRES).unwrap(), "600;refresher=uac");
    assert!(ok.headers().has_token(&name::REQUIRE, "timer"));
    world.assert_quiet();
    world.command(0, 1, end(Cause::normal()));
    assert_eq!(world.heard(&Method::Bye).uri().to_string(), "sip:moved@127.0.0.2:5060");
}

#[test]
fn an_update_with_description_is_the_switchs_also_in_an_early_dialog() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("", OFFER)));
    world.accept(0, 1);
    world.command(0, 1, progress(183));
    let early = world.response();
    world.say(follow(&early, "UPDATE", 8, &with_sdp(CONTACT, HOLD)));
    let (exchange, what, carried) = asked(world.told_one(0, 1));
    assert_eq!((what, carried), (Ask::Update, sdp(HOLD)));
    world.command(0, 1, reply(exchange, 200, sdp(HELD)));
    assert_eq!(world.codes(&Method::Update), [200]);
    // And ours, towards the caller.
    world.command(0, 1, ask(3, Ask::Update, sdp(HOLD)));
    let update = world.heard(&Method::Update);
    assert_eq!(update.body().as_ref(), HOLD);
    world.say(response(&update, "200 OK", "", &with_sdp(CONTACT, HELD)));
    assert!(matches!(world.told_one(0, 1), LegEvent::Replied { .. }));
}

#[test]
fn everything_else_crosses_unharmed_with_its_fields_and_body() {
    let mut world = World::of_endpoints();
    world.call();
    let odd = Carried {
        fields: vec![
            Field { name: Bytes::from_static(b"Info-Package"), value: Bytes::from_static(b"x") },
            Field { name: Bytes::from_static(b"X-Odd"), value: Bytes::from_static(b"\xc3\xbc;q") },
        ],
        body: Some(Body {
            content_type: Bytes::from_static(b"application/dtmf-relay"),
            bytes: Bytes::from_static(b"Signal=5\r\nDuration=\0\xff\r\n"),
        }),
    };
    let methods = [
        Ask::Info,
        Ask::Message,
        Ask::Options,
        Ask::Notify,
        Ask::Other(Bytes::from_static(b"ODD")),
    ];
    for (number, what) in (1..).zip(methods) {
        world.command(0, 10, ask(number, what.clone(), odd.clone()));
        let (exchange, told, carried) = asked(world.told_one(1, 20));
        assert_eq!((told, carried), (what, odd.clone()));
        world.command(1, 20, reply(exchange, 299, odd.clone()));
        match world.told_one(0, 10) {
            LegEvent::Replied { exchange, status, carried } => {
                assert_eq!((exchange, status.code), (ExchangeId(number), 299));
                assert_eq!(carried, odd);
            }
            told => panic!("{told:?}"),
        }
    }
}

#[test]
fn the_methods_a_dialog_lives_by_cannot_be_sent_by_name() {
    let mut world = World::with_phone();
    standing(&mut world);
    for method in ["BYE", "ACK", "CANCEL", "INVITE", "PRACK"] {
        let ask = ask(1, Ask::Other(Bytes::from_static(method.as_bytes())), Carried::nothing());
        world.command(0, 1, ask);
        assert!(matches!(world.told_one(0, 1), LegEvent::Replied { .. }), "{method}");
    }
    assert_eq!(world.count(&Method::Bye), 0);
}

#[test]
fn a_body_of_64_kib_crosses() {
    let mut world = World::of_endpoints();
    world.call();
    let bytes: Bytes = (0..64 * 1024).map(|n: u32| n.to_le_bytes()[0]).collect();
    let body = Body { content_type: Bytes::from_static(b"application/octet-stream"), bytes };
    world.command(0, 10, ask(1, Ask::Message, Carried::body(body.clone())));
    let (_, _, carried) = asked(world.told_one(1, 20));
    assert_eq!(carried.body, Some(body));
}

#[test]
fn challenges_and_silences_behind_us_are_not_said_on() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    for (cseq, (code, said)) in (1..).zip([(401, 403), (407, 403), (408, 504), (415, 415)]) {
        world.say(inside(&invite, "x", "INFO", cseq, ""));
        let (exchange, _, _) = asked(world.told_one(0, 1));
        world.command(0, 1, reply(exchange, code, Carried::nothing()));
        assert_eq!(world.response().status(), said);
    }
}

#[test]
fn one_phone_cannot_ask_without_end() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    for cseq in 1..100 {
        world.say(inside(&invite, "x", "INFO", cseq, ""));
    }
    assert_eq!(world.told(0, 1).len(), 16);
    assert_eq!(world.response().status(), 500);
}
