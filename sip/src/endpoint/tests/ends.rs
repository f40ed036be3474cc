// SPDX-License-Identifier: GPL-3.0-or-later
//! How calls end when nothing goes as it should.

use sipwitch_core::{
    call::leg::{Ask, Carried, LegEvent, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::{flow::Transport, wire::Method};

#[test]
fn byes_that_cross_end_the_call_once_on_both_sides() {
    let mut world = World::of_endpoints();
    world.call();
    let now = world.wire.now();
    for (at, leg) in [(0, 10), (1, 20)] {
        let id = sipwitch_core::call::LegId(leg);
        world.node(at).endpoint.command(now, id, end(Cause::normal()));
    }
    world.wire.settle();
    for (at, leg) in [(0, 10), (1, 20)] {
        world.node(at).hear();
        assert!(matches!(world.told_one(at, leg), LegEvent::Ended { .. }));
    }
    let ladder = world.ladder();
    assert_eq!(ladder.matches("SIP/2.0 200 OK").count(), 3, "{ladder}");
    world.assert_forgotten();
}

#[test]
fn an_answer_that_is_never_acknowledged_is_ended_with_bye() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("", OFFER)));
    world.accept(0, 1);
    world.command(0, 1, answer(ANSWER));
    world.run(31);
    assert_eq!(world.count(&Method::Bye), 0);
    world.assert_quiet();
    world.run(2);
    assert_eq!(world.count(&Method::Bye), 1);
    assert_eq!(world.cause_of_end(0, 1), Cause::timeout());
    assert!(world.codes(&Method::Invite).len() >= 10, "repeated until then");
    world.assert_forgotten();
}

#[test]
fn no_bye_goes_before_the_ack() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("", OFFER)));
    world.accept(0, 1);
    world.command(0, 1, answer(ANSWER));
    world.command(0, 1, end(Cause::normal()));
    assert_eq!(world.cause_of_end(0, 1), Cause::normal());
    assert_eq!(world.count(&Method::Bye), 0);
    let ok = world.response();
    world.say(follow(&ok, "INFO", 8, ""));
    assert_eq!(world.response().status(), 481);
    world.say(follow(&ok, "ACK", 7, ""));
    let bye = world.heard(&Method::Bye);
    world.say(response(&bye, "200 OK", "", ""));
    world.assert_quiet();
    world.assert_forgotten();
}

#[test]
fn an_answer_that_the_switch_never_confirmed_is_acknowledged_before_bye() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "200 OK", "x", CONTACT));
    world.told(0, 1);
    world.command(0, 1, end(Cause::normal()));
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (1, 1));
    world.assert_forgotten();
}

#[test]
fn a_callee_that_hangs_up_before_the_confirmation_is_acknowledged_too() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "200 OK", "x", CONTACT));
    world.told(0, 1);
    world.say(inside(&invite, "x", "BYE", 1, "Reason: Q.850;cause=31\r\n"));
    assert_eq!(world.codes(&Method::Bye), [200]);
    assert_eq!(world.count(&Method::Ack), 1);
    assert_eq!(world.cause_of_end(0, 1).q850, Some(31));
    world.command(0, 1, confirm(None));
    world.assert_quiet();
}

#[test]
fn a_far_end_that_knows_the_call_no_more_ends_it() {
    for what in [Ask::Info, Ask::Reinvite, Ask::Update] {
        let mut world = World::with_phone();
        standing(&mut world);
        world.command(0, 1, ask(1, what.clone(), sdp(OFFER)));
        let method = match what {
            Ask::Info => Method::Info,
            Ask::Reinvite => Method::Invite,
            _ => Method::Update,
        };
        let request = world.heard(&method);
        world.say(response(&request, "481 Call/Transaction Does Not Exist", "", ""));
        let told = world.told(0, 1);
        assert!(matches!(
            told[..],
            [
                LegEvent::Replied { status: Status { code: 481, .. }, .. },
                LegEvent::Ended { cause: Cause { sip: 481, .. } }
            ]
        ));
        assert_eq!(world.count(&Method::Bye), 1);
        world.assert_forgotten();
    }
}

#[test]
fn a_far_end_that_does_not_answer_inside_the_call_ends_it() {
    let mut world = World::with_phone();
    standing(&mut world);
    world.command(0, 1, ask(1, Ask::Info, Carried::nothing()));
    world.run(33);
    let told = world.told(0, 1);
    assert!(matches!(
        told[..],
        [LegEvent::Replied { status: Status { code: 408, .. }, .. }, LegEvent::Ended { .. }]
    ));
    world.assert_forgotten();
}

#[test]
fn what_is_asked_is_answered_487_when_the_call_ends() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    world.say(inside(&invite, "x", "INFO", 1, ""));
    world.say(inside(&invite, "x", "INVITE", 2, &with_sdp(CONTACT, OFFER)));
    world.told(0, 1);
    world.command(0, 1, end(Cause::normal()));
    assert_eq!(world.codes(&Method::Info), [487]);
    assert_eq!(world.codes(&Method::Invite), [487]);
    world.assert_forgotten();
}

#[test]
fn commands_to_legs_that_are_over_or_never_were_do_nothing() {
    let mut world = World::of_endpoints();
    world.call();
    world.command(0, 10, end(Cause::normal()));
    world.cause_of_end(0, 10);
    world.cause_of_end(1, 20);
    let sent = world.wire.log.len();
    for leg in [10, 20, 99] {
        world.command(0, leg, end(Cause::normal()));
        world.command(0, leg, confirm(None));
        world.command(0, leg, ask(1, Ask::Info, Carried::nothing()));
        world.command(0, leg, answer(ANSWER));
    }
    assert_eq!(world.wire.log.len(), sent);
    world.assert_quiet();
}

#[test]
fn a_phone_whose_connection_breaks_while_it_is_called_is_tried_over_a_new_one() {
    let mut world = World::with_phone();
    world.transport = Transport::Tcp;
    // Without anybody there, each attempt fails at once.
    let there = world.wire.engines[1].0;
    world.wire.unplug(there);
    let flow = crate::flow::Flow {
        connection: Some(crate::flow::ConnectionId(7)),
        ..world.wire.flow(Transport::Tcp, 0, 1)
    };
    let target = crate::endpoint::Target::new(
        crate::wire::Uri::parse("sip:102@127.0.0.2;transport=tcp").unwrap(),
        Vec::new(),
        flow,
    );
    let now = world.wire.now();
    let leg = sipwitch_core::call::LegId(1);
    world.node(0).endpoint.start(now, leg, &target, &invitation(Some(OFFER)));
    world.wire.settle();
    world.run(1);
    let told = world.told(0, 1);
    let [LegEvent::Ended { cause }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(cause.sip, 503);
    assert_eq!(world.wire.log.len(), 2, "the old connection, and a new one");
    world.assert_forgotten();
}

#[test]
fn an_answer_after_the_invite_timed_out_is_acknowledged_and_ended() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.run(40);
    assert_eq!(world.cause_of_end(0, 1), Cause::timeout());
    let late = response(&invite, "200 OK", "late", CONTACT);
    world.say(late.clone());
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (1, 1));
    let bye = world.heard(&Method::Bye);
    assert!(bye.to_tag().is_some_and(|tag| *tag == *b"late"), "in the dialog that the answer made");
    world.say(response(&bye, "200 OK", "", ""));
    // Its ACK was lost, and it repeats the answer: it gets another ACK, and no second BYE.
    world.say(late.clone());
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (2, 1));
    // So does a second far end of the same INVITE get its own.
    world.say(response(&invite, "200 OK", "other", CONTACT));
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (3, 2));
    // After some minutes it is forgotten.
    world.run(300);
    world.say(late);
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (3, 2));
    world.assert_forgotten();
}

#[test]
fn an_answer_long_after_the_call_was_given_up_is_acknowledged_and_ended() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "180 Ringing", "x", CONTACT));
    world.command(0, 1, end(Cause::normal()));
    // It takes neither the CANCEL, nor does it answer, until all that is over.
    world.run(100);
    world.say(response(&invite, "200 OK", "x", CONTACT));
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (1, 1));
}

#[test]
fn an_answer_to_a_call_that_was_never_made_gets_nothing() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.run(40);
    let forged = response(&invite, "200 OK", "x", CONTACT);
    let tag = String::from_utf8(invite.from_tag().unwrap().to_vec()).unwrap();
    let other: String = tag.chars().rev().collect();
    assert_ne!(tag, other);
    world.say(forged.replace(&tag, &other));
    assert_eq!((world.count(&Method::Ack), world.count(&Method::Bye)), (0, 0));
}
