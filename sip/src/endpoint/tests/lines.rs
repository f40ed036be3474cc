// SPDX-License-Identifier: GPL-3.0-or-later
//! Legs on lines: as whom they speak, what they answer to challenges, and where they turn when a
//! place does not answer (RFC 3261 §22, RFC 3263 §4.3).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, LegCommand, LegEvent, LegId},
    cause::Cause,
};

use super::fixture::*;
use crate::{
    auth::client::{Credentials, Secret},
    endpoint::{Composed, Event, Hiding, Identity, IdentityField, OnLine, Target},
    flow::Transport,
    wire::{Method, Request, Uri, name},
};

/// The account that the calls of these tests go over.
pub(super) fn line() -> OnLine {
    OnLine {
        credentials: Some(Credentials::new("alice", Secret::new("secret"))),
        ..OnLine::new(Uri::parse("sip:alice@example.net").unwrap(), "token-7")
    }
}

impl World {
    /// Calls over a line, by these places.
    pub(super) fn start_on(&mut self, leg: u64, line: OnLine, places: &[usize]) {
        let now = self.wire.now();
        let transport = self.transport;
        let mut ways = places.iter().map(|&place| self.wire.flow(transport, 0, place));
        let flow = ways.next().unwrap();
        let target = Target {
            alternatives: ways.collect(),
            line: Some(Arc::new(line)),
            ..Target::new(Uri::parse("sip:+4930123@example.net").unwrap(), Vec::new(), flow)
        };
        let node = self.node(0);
        node.endpoint.start(now, LegId(leg), &target, &invitation(Some(OFFER)));
        node.hear();
        self.wire.settle();
    }

    /// The last request of a method that the phone heard, if its number is none of these.
    fn unanswered(
        &mut self,
        method: &Method,
        answered: &mut std::collections::BTreeSet<u32>,
    ) -> Option<Request> {
        let request = self.heard(method);
        answered.insert(number(&request)).then_some(request)
    }

    /// A call over a line to place 1, standing: our INVITE that was accepted.
    pub(super) fn standing_on(&mut self, line: OnLine) -> Request {
        self.start_on(1, line, &[1]);
        let invite = self.heard(&Method::Invite);
        self.say(response(&invite, "407 Ask", "", &challenge("n1", "")));
        let invite = self.heard(&Method::Invite);
        self.say(response(&invite, "200 OK", "x", &with_sdp(CONTACT, ANSWER)));
        assert!(matches!(self.told_one(0, 1), LegEvent::Answered { .. }));
        self.command(0, 1, confirm(None));
        invite
    }
}

pub(super) fn challenge(nonce: &str, more: &str) -> String {
    format!(
        "Proxy-Authenticate: Digest realm=\"example.net\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n"
    )
}

pub(super) fn shown(request: &Request) -> Option<String> {
    request.headers().text(&name::PROXY_AUTHORIZATION)
}

fn number(request: &Request) -> u32 {
    request.cseq().unwrap().number
}

#[test]
fn a_leg_on_a_line_speaks_as_the_account() {
    for (hiding, from, privacy) in [
        (Hiding::Shown, "\"Alice\" <sip:alice@example.net>;tag=", None),
        (Hiding::ByPrivacy, "\"Alice\" <sip:alice@example.net>;tag=", Some("id")),
        (Hiding::Anonymous, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=", Some("id")),
    ] {
        let mut world = World::with_phone();
        let line = OnLine {
            display: "Alice".into(),
            identity: Some(Identity {
                field: IdentityField::Preferred,
                display: String::new(),
                address: Uri::parse("sip:+49307@example.net").unwrap(),
            }),
            hiding,
            service_route: vec![Bytes::from_static(b"<sip:edge.example.net;lr>")],
            ..line()
        };
        world.start_on(1, line, &[1]);
        let invite = world.heard(&Method::Invite);
        let field = |name| invite.headers().text(name);
        assert_eq!(invite.uri().to_string(), "sip:+4930123@example.net");
        assert!(field(&name::FROM).unwrap().starts_with(from), "{:?}", field(&name::FROM));
        assert_eq!(field(&name::TO).unwrap(), "<sip:+4930123@example.net>");
        assert_eq!(field(&name::CONTACT).unwrap(), "<sip:token-7@127.0.0.1>");
        assert_eq!(field(&name::ROUTE).unwrap(), "<sip:edge.example.net;lr>");
        assert_eq!(field(&name::P_PREFERRED_IDENTITY).unwrap(), "<sip:+49307@example.net>");
        assert_eq!(field(&name::PRIVACY).as_deref(), privacy);
        assert!(shown(&invite).is_none(), "nobody has asked yet");
    }
}

#[test]
fn a_challenge_is_answered_once_and_the_nonce_remembered_for_the_dialog() {
    let mut world = World::with_phone();
    world.start_on(1, line(), &[1]);
    let first = world.heard(&Method::Invite);
    world.say(response(&first, "407 Ask", "p", &challenge("n1", "")));
    assert_eq!(number(&world.heard(&Method::Ack)), number(&first));
    let second = world.heard(&Method::Invite);
    assert_eq!(number(&second), number(&first) + 1);
    assert_eq!(second.call_id().unwrap(), first.call_id().unwrap());
    assert_eq!(second.from_tag(), first.from_tag());
    assert!(second.to_tag().is_none(), "a new INVITE is outside of any dialog");
    assert_eq!(second.body(), first.body());
    assert!(shown(&second).unwrap().contains("nc=00000001"));
    world.assert_quiet();
    world.say(response(&second, "200 OK", "x", &with_sdp(CONTACT, ANSWER)));
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
    world.command(0, 1, confirm(None));
    let ack = world.heard(&Method::Ack);
    assert_eq!((number(&ack), shown(&ack)), (number(&second), shown(&second)));
    world.command(0, 1, ask(1, Ask::Info, Carried::nothing()));
    assert!(shown(&world.heard(&Method::Info)).unwrap().contains("nc=00000002"));
    world.command(0, 1, end(Cause::normal()));
    assert!(shown(&world.heard(&Method::Bye)).unwrap().contains("nc=00000003"));
    world.assert_forgotten();
}

#[test]
fn what_is_asked_inside_the_call_is_asked_again_with_credentials() {
    for what in [Ask::Info, Ask::Reinvite, Ask::Update, Ask::Message, Ask::Options] {
        let method = match what {
            Ask::Info => Method::Info,
            Ask::Reinvite => Method::Invite,
            Ask::Update => Method::Update,
            Ask::Message => Method::Message,
            _ => Method::Options,
        };
        let mut world = World::with_phone();
        world.standing_on(line());
        world.command(0, 1, ask(5, what, sdp(OFFER)));
        let first = world.heard(&method);
        world.say(response(&first, "407 Ask", "", &challenge("n2", ", stale=true")));
        let second = world.heard(&method);
        assert_eq!(number(&second), number(&first) + 1, "{method}");
        assert!(shown(&second).unwrap().contains("nonce=\"n2\""), "{method}");
        assert_eq!(second.body().as_ref(), OFFER, "{method}");
        world.assert_quiet();
        world.say(response(&second, "200 OK", "", &with_sdp(CONTACT, ANSWER)));
        assert!(matches!(
            world.told_one(0, 1),
            LegEvent::Replied { exchange: ExchangeId(5), status, .. } if status.code == 200
        ));
        if method == Method::Invite {
            let exchange = ExchangeId(5);
            let carried = Carried::nothing();
            world.command(0, 1, LegCommand::ConfirmReinvite { exchange, carried });
            let ack = world.heard(&Method::Ack);
            assert_eq!((number(&ack), shown(&ack)), (number(&second), shown(&second)));
        }
        world.command(0, 1, end(Cause::normal()));
        let bye = world.heard(&Method::Bye);
        world.say(response(&bye, "407 Ask", "", &challenge("n3", "")));
        let again = world.heard(&Method::Bye);
        assert!(shown(&again).unwrap().contains("nonce=\"n3\""));
        assert_eq!(number(&again), number(&bye) + 1);
        world.say(response(&again, "200 OK", "", ""));
        assert_eq!(world.node(0).endpoint.leg_count(), 0);
        world.assert_forgotten();
    }
}

#[test]
fn a_refused_password_ends_the_leg_after_one_try() {
    let mut world = World::with_phone();
    world.start_on(1, line(), &[1]);
    for nonce in ["n1", "n2"] {
        let invite = world.heard(&Method::Invite);
        world.say(response(&invite, "407 Ask", "", &challenge(nonce, "")));
    }
    assert_eq!(world.cause_of_end(0, 1).sip, 407);
    assert_eq!(world.count(&Method::Invite), 2);
    // And one without a password not at all.
    let mut world = World::with_phone();
    world.start_on(1, OnLine { credentials: None, ..line() }, &[1]);
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "407 Ask", "", &challenge("n1", "")));
    assert_eq!(world.cause_of_end(0, 1).sip, 407);
    world.assert_forgotten();
}

#[test]
fn challenges_without_an_end_end() {
    let mut world = World::with_phone();
    world.start_on(1, line(), &[1]);
    for round in 0..20 {
        let invite = world.heard(&Method::Invite);
        world.say(response(
            &invite,
            "407 Ask",
            "",
            &challenge(&format!("n{round}"), ", stale=true"),
        ));
    }
    assert_eq!(world.cause_of_end(0, 1).sip, 407);
    assert!(world.count(&Method::Invite) <= 4, "{}", world.count(&Method::Invite));
    world.assert_forgotten();
}

#[test]
fn a_silent_place_costs_less_than_four_seconds_and_what_it_says_later_is_undone() {
    let mut world = World::with_places(1);
    world.start_on(1, line(), &[1, 2]);
    let lost = world.heard_at(1, &Method::Invite);
    world.wire.run_for(Duration::from_millis(3700));
    assert_eq!(world.count_at(2, &Method::Invite), 0);
    world.wire.run_for(Duration::from_millis(200));
    let invite = world.heard_at(2, &Method::Invite);
    assert_eq!(invite.call_id().unwrap(), lost.call_id().unwrap());
    assert_ne!(invite.headers().text(&name::VIA), lost.headers().text(&name::VIA));
    assert_eq!(world.node(0).failed_places.len(), 1);
    world.assert_quiet();
    world.say_from(2, response(&invite, "180 Ringing", "b", CONTACT));
    assert!(matches!(world.told_one(0, 1), LegEvent::Progress { .. }));
    // The first place wakes up: it is not heard, and cancelled.
    let repeated = world.count_at(1, &Method::Invite);
    world.run(2);
    assert_eq!(world.count_at(1, &Method::Invite), repeated, "it is not called any more");
    world.say_from(1, response(&lost, "180 Ringing", "a", CONTACT));
    let cancel = world.heard_at(1, &Method::Cancel);
    assert_eq!(cancel.headers().text(&name::VIA), lost.headers().text(&name::VIA));
    world.assert_quiet();
    // It answered before it saw the CANCEL, and it wants a password for the BYE.
    world.say_from(1, response(&lost, "200 OK", "a", &with_sdp(CONTACT, ANSWER)));
    assert_eq!(number(&world.heard_at(1, &Method::Ack)), number(&lost));
    let bye = world.heard_at(1, &Method::Bye);
    world.say_from(1, response(&bye, "407 Ask", "", &challenge("n1", "")));
    let bye = world.heard_at(1, &Method::Bye);
    assert!(shown(&bye).is_some());
    world.say_from(1, response(&bye, "200 OK", "", ""));
    world.assert_quiet();
    world.say_from(2, response(&invite, "200 OK", "b", &with_sdp(CONTACT, ANSWER)));
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
    world.command(0, 1, confirm(None));
    assert_eq!(world.count_at(2, &Method::Ack), 1);
    assert_eq!(world.count_at(2, &Method::Bye), 0);
    world.command(0, 1, end(Cause::normal()));
    world.assert_forgotten();
}

#[test]
fn a_place_that_refuses_or_is_not_there_costs_no_time() {
    // 503.
    let mut world = World::with_places(1);
    world.start_on(1, line(), &[1, 2]);
    let invite = world.heard_at(1, &Method::Invite);
    world.say_from(1, response(&invite, "503 Busy", "a", "Retry-After: 120\r\n"));
    let elsewhere = world.heard_at(2, &Method::Invite);
    assert!(world.wire.elapsed() < Duration::from_millis(300));
    let rest = Duration::from_secs(120);
    assert!(matches!(world.node(0).failed_places[..], [(_, Some(asked))] if asked == rest));
    assert_eq!(number(&elsewhere), number(&invite) + 1);
    world.assert_quiet();
    world.say_from(2, response(&elsewhere, "503 Busy", "a", "Retry-After: 120 (x);duration=9\r\n"));
    let cause = world.cause_of_end(0, 1);
    assert_eq!((cause.sip, cause.retry_after), (503, Some(Duration::from_secs(120))));
    world.assert_forgotten();
    // A socket that says that nobody is there.
    let mut world = World::with_places(1);
    world.start_on(1, line(), &[1, 2]);
    let flow = world.wire.flow(world.transport, 0, 1);
    let now = world.wire.now();
    world.node(0).endpoint.flow_failed(now, &flow);
    world.wire.settle();
    assert_eq!(world.count_at(2, &Method::Invite), 1);
    assert!(world.wire.elapsed() < Duration::from_millis(300));
    world.assert_quiet();
}

#[test]
fn a_connection_that_cannot_be_made_or_is_silent_is_left_too() {
    for is_there in [false, true] {
        let mut world = World::with_places(1);
        world.transport = Transport::Tcp;
        if !is_there {
            world.wire.unplug("127.0.0.2:5060".parse().unwrap());
        }
        world.start_on(1, line(), &[1, 2]);
        let waited = if is_there { 3 } else { 0 };
        world.wire.run_for(Duration::from_secs(waited));
        assert_eq!(world.count_at(2, &Method::Invite), 1);
        world.assert_quiet();
    }
}

#[test]
fn a_place_that_asks_for_a_password_and_falls_silent_is_left() {
    let mut world = World::with_places(1);
    world.start_on(1, line(), &[1, 2]);
    let invite = world.heard_at(1, &Method::Invite);
    world.say_from(1, response(&invite, "407 Ask", "a", &challenge("n1", "")));
    world.wire.run_for(Duration::from_millis(4100));
    let invite = world.heard_at(2, &Method::Invite);
    assert_eq!(number(&invite), 3);
    world.say_from(2, response(&invite, "407 Ask", "a", &challenge("n2", "")));
    assert_eq!(number(&world.heard_at(2, &Method::Invite)), 4, "it may ask as well");
    world.assert_quiet();
}

#[test]
fn a_place_that_rang_or_is_trying_is_not_left() {
    for first in ["100 Trying", "180 Ringing"] {
        let mut world = World::with_places(1);
        world.start_on(1, line(), &[1, 2]);
        let invite = world.heard_at(1, &Method::Invite);
        world.say_from(1, response(&invite, first, "a", CONTACT));
        world.run(60);
        assert_eq!(world.count_at(2, &Method::Invite), 0, "{first}");
        world.told(0, 1);
        world.say_from(1, response(&invite, "503 Busy", "a", ""));
        let rang = first.starts_with("180");
        assert_eq!(world.count_at(2, &Method::Invite), usize::from(!rang), "{first}");
        if rang {
            assert_eq!(world.cause_of_end(0, 1).sip, 503);
        }
    }
}

#[test]
fn a_call_given_up_at_the_second_place_is_cancelled_there_alone() {
    let mut world = World::with_places(1);
    world.start_on(1, line(), &[1, 2]);
    world.run(5);
    let invite = world.heard_at(2, &Method::Invite);
    world.say_from(2, response(&invite, "180 Ringing", "b", CONTACT));
    world.command(0, 1, end(Cause::cancelled()));
    let cancel = world.heard_at(2, &Method::Cancel);
    world.say_from(2, response(&cancel, "200 OK", "b", ""));
    world.say_from(2, response(&invite, "487 Terminated", "b", ""));
    assert_eq!(world.count_at(1, &Method::Cancel), 0);
    assert_eq!(world.told(0, 1).len(), 2);
    world.assert_forgotten();
}

#[test]
fn a_refresh_does_not_show_a_refused_password_again_and_again() {
    let mut world = World::with_phone();
    world.standing_on(line());
    let mut shown_for = std::collections::BTreeSet::new();
    for second in 0..1700 {
        world.run(1);
        let Some(request) = world.unanswered(&Method::Invite, &mut shown_for) else { continue };
        world.say(response(&request, "407 Ask", "", &challenge(&format!("m{second}"), "")));
    }
    assert!((2..=4).contains(&shown_for.len()), "{shown_for:?}");
    world.run(200);
    assert_eq!(world.cause_of_end(0, 1).sip, 408);
}

#[test]
fn a_phone_may_send_its_caller_to_another_extension_of_ours() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "302 Moved", "a", "Contact: <sip:103@127.0.0.1>\r\n"));
    assert!(matches!(
        &world.told(0, 1)[0],
        LegEvent::Redirected { targets, .. } if *targets == ["sip:103@127.0.0.1"]
    ));
}

#[test]
fn a_redirection_to_ourselves_leads_nowhere() {
    let mut world = World::with_phone();
    world.start_on(1, line(), &[1]);
    let invite = world.heard(&Method::Invite);
    let contacts = "Contact: <sip:x@127.0.0.1>, <sip:+4930123@example.net>, <sip:y@127.0.0.9>\r\n";
    world.say(response(&invite, "302 Moved", "a", contacts));
    assert!(matches!(
        &world.told(0, 1)[0],
        LegEvent::Redirected { targets, .. } if *targets == ["sip:y@127.0.0.9"]
    ));
}

/// What the callee's owner does: it asks for a password, rings, and answers.
fn attend(world: &mut World, ended: &mut [usize; 2], met: &mut bool) {
    for (side, at, leg) in [(0, 0, 10), (1, 2, 20)] {
        for event in std::mem::take(&mut world.node(at).told) {
            let now = world.wire.now();
            let endpoint = &mut world.node(at).endpoint;
            match event {
                Event::Request(arrival) => {
                    if shown(&arrival.request).is_none() {
                        let mut draft = endpoint.response_to(&arrival.request, 407, "");
                        let value = "Digest realm=\"example.net\", nonce=\"n\", qop=\"auth\"";
                        draft.push(&name::PROXY_AUTHENTICATE, value);
                        endpoint.respond(now, arrival.transaction, &draft);
                    } else if endpoint.accept(now, &arrival, LegId(leg)).is_ok() {
                        endpoint.command(now, LegId(leg), progress(180));
                        endpoint.command(now, LegId(leg), answer(ANSWER));
                    }
                }
                Event::Leg { event: LegEvent::Answered { .. }, .. } => {
                    endpoint.command(now, LegId(leg), confirm(None));
                }
                Event::Leg { event: LegEvent::Confirmed { .. }, .. } => {
                    *met = true;
                    endpoint.command(now, LegId(leg), end(Cause::normal()));
                }
                Event::Leg { event: LegEvent::Ended { .. }, .. } => ended[side] += 1,
                Event::Leg { .. } | Event::PlaceFailed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        world.node(at).hear();
    }
}

#[test]
fn over_a_bad_wire_a_dead_place_and_a_challenge_still_make_one_call() {
    let mut calls = 0;
    for seed in 0..60 {
        let mut world = World::with_a_dead_place(seed);
        world.wire.faults.loss_percent = 20;
        world.wire.faults.duplication_percent = 10;
        world.wire.faults.jitter = Duration::from_millis(700);
        world.start_on(10, line(), &[1, 2]);
        let (mut ended, mut met) = ([0; 2], false);
        for _ in 0..2000 {
            attend(&mut world, &mut ended, &mut met);
            world.wire.run_for(Duration::from_millis(100));
        }
        assert_eq!(ended[0], 1, "seed {seed}: {ended:?}\n{}", world.ladder());
        assert!(ended[1] <= 1, "seed {seed}: {ended:?}\n{}", world.ladder());
        calls += usize::from(met);
        world.assert_quiet();
        world.assert_forgotten();
    }
    assert!(calls >= 50, "only {calls} of 60 met");
}

#[test]
fn an_incoming_leg_on_a_line_speaks_as_the_line_too() {
    let mut world = World::with_phone();
    world.say(invite("a", ""));
    let arrival = world.arrival(0);
    let now = world.wire.now();
    let line = Arc::new(line());
    world.node(0).endpoint.accept_on_line(now, &arrival, LegId(1), line).expect("acceptable");
    world.command(0, 1, answer(ANSWER));
    let ok = world.response();
    assert_eq!(ok.headers().text(&name::CONTACT).unwrap(), "<sip:token-7@127.0.0.1>");
    world.say(follow(&ok, "ACK", 7, ""));
    world.told(0, 1);
    world.command(0, 1, end(Cause::normal()));
    let bye = world.heard(&Method::Bye);
    world.say(response(&bye, "407 Ask", "", &challenge("n", "")));
    assert!(shown(&world.heard(&Method::Bye)).is_some());
    world.assert_forgotten();
}

/// A MESSAGE for the tests of requests outside dialogs.
pub(super) fn message(world: &mut World, line: &OnLine) -> crate::wire::Draft {
    let uri = Uri::parse("sip:+4930123@example.net").unwrap();
    world.node(0).endpoint.compose(&Composed {
        method: &Method::Message,
        uri: &uri,
        from: &line.from_value(),
        to: "<sip:+4930123@example.net>",
    })
}
