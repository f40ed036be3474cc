// SPDX-License-Identifier: GPL-3.0-or-later
//! Before the answer: forked early dialogs (RFC 3261 §12.1) and reliable progress (RFC 3262).

use sipwitch_core::{
    call::leg::{Ask, Carried, Fork, LegCommand, LegEvent, ReliableId, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::wire::{Method, name};

fn show(fork: u32, code: u16, reliable: Option<u32>) -> LegCommand {
    LegCommand::Progress {
        fork: Fork(fork),
        status: Status::new(code),
        reliable: reliable.map(ReliableId),
        carried: sdp(ANSWER),
    }
}

const RELIABLY: &str = "Require: 100rel\r\nRSeq: ";

#[test]
fn each_far_end_behind_a_leg_is_a_fork_of_its_own() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    for (tag, fork) in [("a", 0), ("b", 1), ("a", 0), ("c", 2)] {
        world.say(response(&invite, "180 Ringing", tag, CONTACT));
        match world.told_one(0, 1) {
            LegEvent::Progress { fork: told, .. } => assert_eq!(told, Fork(fork)),
            told => panic!("{told:?}"),
        }
    }
    world.say(response(&invite, "200 OK", "b", CONTACT));
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { fork: Fork(1), .. }));
    world.command(0, 1, confirm(None));
    assert_eq!(world.heard(&Method::Ack).to().unwrap().tag(), Some("b"));
    // The others are no dialogs any more.
    world.say(inside(&invite, "a", "INFO", 1, ""));
    assert_eq!(world.response().status(), 481);
}

#[test]
fn no_phone_forks_without_end() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    for n in 0..100 {
        world.say(response(&invite, "180 Ringing", &format!("t{n}"), CONTACT));
    }
    assert_eq!(world.told(0, 1).len(), 16);
}

#[test]
fn the_caller_sees_an_early_dialog_for_each_fork() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("", OFFER)));
    world.accept(0, 1);
    let mut tags = Vec::new();
    for fork in [0, 1, 0] {
        world.command(0, 1, show(fork, 183, None));
        tags.push(world.response().to().unwrap().tag().unwrap().to_owned());
    }
    assert_eq!(tags[0], tags[2]);
    assert_ne!(tags[0], tags[1]);
    world.command(0, 1, LegCommand::Answer { fork: Fork(1), carried: sdp(ANSWER) });
    let ok = world.response();
    assert_eq!(ok.to().unwrap().tag(), Some(tags[1].as_str()));
    world.say(follow(&ok, "ACK", 7, ""));
    assert!(matches!(world.told_one(0, 1), LegEvent::Confirmed { .. }));
    world.say(follow(&ok, "BYE", 8, ""));
    world.assert_forgotten();
}

#[test]
fn reliable_progress_is_told_in_order_and_acknowledged_when_the_switch_says_so() {
    let mut world = World::with_phone();
    let mut wish = invitation(Some(OFFER));
    wish.reliable_provisional = true;
    world.start(1, &wish);
    let invite = world.heard(&Method::Invite);
    assert!(invite.headers().has_token(&name::SUPPORTED, "100rel"));
    let at = |rseq: u32| format!("{RELIABLY}{rseq}\r\n{CONTACT}");
    world.say(response(&invite, "183 Session Progress", "a", &at(500)));
    let LegEvent::Progress { reliable: Some(first), .. } = world.told_one(0, 1) else {
        panic!("not reliable")
    };
    // A repetition, and one that overtook the second.
    world.say(response(&invite, "183 Session Progress", "a", &at(500)));
    world.say(response(&invite, "180 Ringing", "a", &at(502)));
    assert_eq!(world.told(0, 1), []);
    world.say(response(&invite, "180 Ringing", "a", &at(501)));
    let LegEvent::Progress { reliable: Some(second), .. } = world.told_one(0, 1) else {
        panic!("not reliable")
    };
    assert_ne!(first, second);
    for (number, reliable, rack) in [(1, first, "500 1 INVITE"), (2, second, "501 1 INVITE")] {
        world.command(0, 1, ask(number, Ask::Prack { reliable }, sdp(OFFER)));
        let prack = world.heard(&Method::Prack);
        assert_eq!(prack.headers().text(&name::RACK).unwrap(), rack);
        assert_eq!(prack.cseq().unwrap().number, number + 1);
        world.say(response(&prack, "200 OK", "", &with_sdp("", ANSWER)));
        match world.told_one(0, 1) {
            LegEvent::Replied { carried, .. } => assert_eq!(carried, sdp(ANSWER)),
            told => panic!("{told:?}"),
        }
    }
    // Another fork counts for itself.
    world.say(response(&invite, "183 Session Progress", "b", &at(7)));
    assert!(matches!(
        world.told_one(0, 1),
        LegEvent::Progress { fork: Fork(1), reliable: Some(_), .. }
    ));
}

#[test]
fn reliable_progress_is_repeated_until_its_prack_and_the_next_waits_for_it() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("Supported: 100rel\r\n", OFFER)));
    assert!(world.accept(0, 1).reliable_provisional);
    world.command(0, 1, show(0, 183, Some(41)));
    world.command(0, 1, show(0, 180, Some(42)));
    world.run(4);
    assert_eq!(world.codes(&Method::Invite), [183, 183, 183, 183]);
    let early = world.response();
    let rseq = early.headers().number(&name::RSEQ).unwrap();
    assert!(early.headers().has_token(&name::REQUIRE, "100rel"));
    // A PRACK for something else, then the right one.
    world.say(follow(&early, "PRACK", 8, &format!("RAck: {} 7 INVITE\r\n", rseq + 1)));
    assert_eq!(world.response().status(), 481);
    world.say(follow(&early, "PRACK", 9, &format!("RAck: {rseq} 7 INVITE\r\n")));
    let (exchange, what, _) = asked(world.told_one(0, 1));
    assert_eq!(what, Ask::Prack { reliable: ReliableId(41) });
    world.command(0, 1, reply(exchange, 200, Carried::nothing()));
    assert_eq!(world.codes(&Method::Prack), [481, 200]);
    let shown = world.phone().heard.iter().rev().find_map(|(_, m)| match m {
        crate::wire::Message::Response(r) if r.status() == 180 => Some(r.clone()),
        _ => None,
    });
    assert_eq!(shown.unwrap().headers().number(&name::RSEQ), Some(rseq + 1));
    // The answer waits for the second PRACK.
    world.command(0, 1, answer(ANSWER));
    assert!(!world.codes(&Method::Invite).contains(&200));
    world.say(follow(&early, "PRACK", 10, &format!("RAck: {} 7 INVITE\r\n", rseq + 1)));
    assert_eq!(world.codes(&Method::Invite).last(), Some(&200));
}

#[test]
fn progress_that_nobody_acknowledges_refuses_the_call() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("Supported: 100rel\r\n", OFFER)));
    world.accept(0, 1);
    world.command(0, 1, show(0, 183, Some(1)));
    world.run(33);
    assert_eq!(world.codes(&Method::Invite).last(), Some(&504));
    assert_eq!(world.cause_of_end(0, 1), Cause::timeout());
    let refusal = world.response();
    world.say(follow(&refusal, "ACK", 7, ""));
    world.assert_forgotten();
}

#[test]
fn a_caller_that_demands_reliability_gets_it_for_all_and_keeps_the_pracks_here() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("Require: 100rel\r\n", OFFER)));
    world.accept(0, 1);
    world.command(0, 1, progress(180));
    let early = world.response();
    let rseq = early.headers().number(&name::RSEQ).unwrap();
    world.say(follow(&early, "PRACK", 8, &format!("RAck: {rseq} 7 INVITE\r\n")));
    assert_eq!(world.response().status(), 200);
    world.assert_quiet();
}

#[test]
fn a_caller_without_100rel_is_shown_progress_without_it() {
    let mut world = World::with_phone();
    world.say(invite("a", &with_sdp("", OFFER)));
    assert!(!world.accept(0, 1).reliable_provisional);
    world.command(0, 1, show(0, 183, Some(1)));
    assert_eq!(world.response().headers().count(&name::RSEQ), 0);
    world.run(10);
    assert_eq!(world.codes(&Method::Invite), [183]);
}

#[test]
fn a_prack_that_comes_after_the_answer_needs_no_message() {
    let mut world = World::with_phone();
    let mut wish = invitation(Some(OFFER));
    wish.reliable_provisional = true;
    world.start(1, &wish);
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "180 Ringing", "a", &format!("{RELIABLY}5\r\n{CONTACT}")));
    let LegEvent::Progress { reliable: Some(reliable), .. } = world.told_one(0, 1) else {
        panic!("not reliable")
    };
    world.say(response(&invite, "200 OK", "a", CONTACT));
    world.told_one(0, 1);
    world.command(0, 1, ask(1, Ask::Prack { reliable }, Carried::nothing()));
    assert!(matches!(
        world.told_one(0, 1),
        LegEvent::Replied { status: Status { code: 200, .. }, .. }
    ));
    assert_eq!(world.count(&Method::Prack), 0);
}
