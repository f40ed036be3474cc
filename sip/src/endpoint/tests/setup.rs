// SPDX-License-Identifier: GPL-3.0-or-later
//! RFC 3665: calls that are set up and ended.

use sipwitch_core::{
    call::leg::{Carried, Fork, LegEvent, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::{
    flow::Transport,
    wire::{Method, name},
};

#[test]
fn a_call_is_set_up_and_ended_as_rfc_3665_3_1_shows() {
    let mut world = World::of_endpoints();
    world.start(10, &invitation(Some(OFFER)));
    let incoming = world.accept(1, 20);
    assert_eq!(incoming.carried, sdp(OFFER));
    assert_eq!(incoming.hops, 68);
    assert_eq!(incoming.request_uri.to_string(), "sip:102@127.0.0.2:5060");
    world.command(1, 20, progress(180));
    match world.told_one(0, 10) {
        LegEvent::Progress { fork: Fork(0), status, reliable: None, carried } => {
            assert_eq!((status, carried), (Status::new(180), Carried::nothing()));
        }
        other => panic!("{other:?}"),
    }
    world.command(1, 20, answer(ANSWER));
    assert_eq!(world.told_one(0, 10), LegEvent::Answered { fork: Fork(0), carried: sdp(ANSWER) });
    world.command(0, 10, confirm(None));
    assert_eq!(world.told_one(1, 20), LegEvent::Confirmed { carried: Carried::nothing() });
    world.run(3);
    world.command(1, 20, end(Cause::normal()));
    assert_eq!(world.cause_of_end(0, 10), Cause::normal());
    assert_eq!(world.cause_of_end(1, 20), Cause::normal());
    assert_eq!(world.node(0).endpoint.leg_count(), 0);
    assert_eq!(world.node(1).endpoint.leg_count(), 0);
    assert_golden("session_establishment.txt", &world.ladder());
    world.assert_quiet();
    world.assert_forgotten();
}

#[test]
fn the_parties_are_users_at_home_and_addresses_abroad() {
    let mut world = World::with_phone();
    world.say(invite("a", ""));
    let incoming = world.accept(0, 1);
    assert_eq!((incoming.from.display.as_str(), incoming.from.address.as_str()), ("Bob", "102"));
    assert_eq!(incoming.to.address, "101");
    world.say(
        invite("b", "")
            .replace("sip:102@127.0.0.1>", "sip:bob@example.org>")
            .replace("bobs-call", "another"),
    );
    let incoming = world.accept(0, 2);
    assert_eq!(incoming.from.address, "sip:bob@example.org");
}

#[test]
fn a_call_without_an_offer_gets_it_in_the_answer_and_answers_in_the_ack() {
    let mut world = World::of_endpoints();
    world.start(10, &invitation(None));
    assert_eq!(world.accept(1, 20).carried, Carried::nothing());
    world.command(1, 20, answer(OFFER));
    assert_eq!(world.told_one(0, 10), LegEvent::Answered { fork: Fork(0), carried: sdp(OFFER) });
    world.command(0, 10, confirm(Some(ANSWER)));
    assert_eq!(world.told_one(1, 20), LegEvent::Confirmed { carried: sdp(ANSWER) });
}

#[test]
fn busy_is_told_with_its_cause_as_rfc_3665_3_9_shows() {
    let mut world = World::of_endpoints();
    world.start(10, &invitation(Some(OFFER)));
    world.accept(1, 20);
    world.command(1, 20, end(Cause::busy()));
    assert_eq!(world.cause_of_end(1, 20), Cause::busy());
    assert_eq!(world.cause_of_end(0, 10), Cause::busy());
    world.assert_forgotten();
}

#[test]
fn nobody_answers_and_the_caller_cancels_as_rfc_3665_3_8_shows() {
    let mut world = World::of_endpoints();
    world.start(10, &invitation(Some(OFFER)));
    world.accept(1, 20);
    world.command(1, 20, progress(180));
    world.run(30);
    world.command(0, 10, end(Cause::cancelled()));
    assert_eq!(world.cause_of_end(0, 10), Cause::cancelled());
    assert_eq!(world.cause_of_end(1, 20), Cause::cancelled());
    assert_golden("no_answer.txt", &world.ladder());
    world.assert_forgotten();
}

#[test]
fn a_phone_that_did_not_win_is_told_so() {
    let mut world = World::of_endpoints();
    world.start(10, &invitation(Some(OFFER)));
    world.accept(1, 20);
    world.command(1, 20, progress(180));
    world.command(0, 10, end(Cause::answered_elsewhere()));
    assert!(world.cause_of_end(1, 20).is_answered_elsewhere());
}

#[test]
fn a_cancel_waits_for_a_provisional_answer_and_a_late_200_is_answered_with_bye() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.command(0, 1, end(Cause::cancelled()));
    assert_eq!(world.cause_of_end(0, 1), Cause::cancelled());
    assert_eq!(world.count(&Method::Cancel), 0);
    world.say(response(&invite, "180 Ringing", "x", CONTACT));
    let cancel = world.heard(&Method::Cancel);
    assert!(cancel.headers().text(&name::REASON).unwrap().starts_with("SIP;cause=487"));
    world.say(response(&cancel, "200 OK", "x", ""));
    // The answer was faster than the CANCEL.
    world.say(response(&invite, "200 OK", "x", &with_sdp(CONTACT, ANSWER)));
    assert_eq!(world.heard(&Method::Ack).uri().to_string(), "sip:102@127.0.0.2:5060");
    let bye = world.heard(&Method::Bye);
    assert_eq!(bye.cseq().unwrap().number, 2);
    world.say(response(&bye, "200 OK", "", ""));
    world.assert_quiet();
    world.assert_forgotten();
}

#[test]
fn a_second_answer_from_another_far_end_is_acknowledged_and_ended() {
    for confirmed_first in [true, false] {
        let mut world = World::with_phone();
        world.start(1, &invitation(Some(OFFER)));
        let invite = world.heard(&Method::Invite);
        world.say(response(&invite, "200 OK", "x", &with_sdp(CONTACT, ANSWER)));
        assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
        if confirmed_first {
            world.command(0, 1, confirm(None));
        }
        let other = "Contact: <sip:other@127.0.0.2:5060>\r\n";
        world.say(response(&invite, "200 OK", "y", &with_sdp(other, ANSWER)));
        assert_eq!(world.heard(&Method::Ack).to().unwrap().tag(), Some("y"));
        let bye = world.heard(&Method::Bye);
        assert_eq!(bye.to().unwrap().tag(), Some("y"));
        assert_eq!(bye.uri().to_string(), "sip:other@127.0.0.2:5060");
        if !confirmed_first {
            world.command(0, 1, confirm(None));
        }
        assert_eq!(
            world.heard(&Method::Ack).to().unwrap().tag(),
            Some(["x", "y"][usize::from(confirmed_first)])
        );
        world.assert_quiet();
        // The first call goes on.
        world.command(0, 1, end(Cause::normal()));
        assert_eq!(world.heard(&Method::Bye).to().unwrap().tag(), Some("x"));
    }
}

#[test]
fn a_repeated_answer_is_acknowledged_again_and_told_once() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    let ok = response(&invite, "200 OK", "x", &with_sdp(CONTACT, ANSWER));
    world.say(ok.clone());
    world.say(ok.clone());
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
    assert_eq!(world.count(&Method::Ack), 0, "the switch has not confirmed");
    world.command(0, 1, confirm(None));
    world.say(ok.clone());
    world.say(ok);
    assert_eq!(world.count(&Method::Ack), 3);
    world.assert_quiet();
}

#[test]
fn a_redirection_tells_where_the_most_wanted_first_and_at_most_eight() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    let mut contacts = String::from(
        "Contact: <sip:low@h>;q=0.1, <sip:high@h>\r\nContact: <sip:high@h>;q=0.5, <sip:mid@h>;q=0.7\r\n",
    );
    for n in 0..20 {
        contacts.push_str(&format!("Contact: <sip:{n}@h>;q=0\r\n"));
    }
    world.say(response(&invite, "302 Moved Temporarily", "x", &contacts));
    let told = world.told(0, 1);
    let LegEvent::Redirected { targets, cause } = &told[0] else { panic!("{told:?}") };
    assert_eq!(targets[..4], ["sip:high@h", "sip:mid@h", "sip:low@h", "sip:0@h"]);
    assert_eq!((targets.len(), cause.sip), (8, 302));
    assert!(matches!(told[1], LegEvent::Ended { .. }));
    assert_eq!(world.count(&Method::Ack), 1);
    world.assert_forgotten();
}

#[test]
fn a_phone_that_never_answers_is_a_timeout() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    world.run(33);
    assert_eq!(world.cause_of_end(0, 1), Cause::timeout());
    world.assert_forgotten();
}

#[test]
fn a_challenge_ends_the_leg() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(
        &invite,
        "401 Unauthorized",
        "x",
        "WWW-Authenticate: Digest realm=\"x\"\r\n",
    ));
    assert_eq!(world.cause_of_end(0, 1).sip, 401);
}

#[test]
fn the_interval_of_a_422_is_taken_and_the_invite_sent_again() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let first = world.heard(&Method::Invite);
    world.say(response(&first, "422 Session Interval Too Small", "x", "Min-SE: 3600\r\n"));
    let again = world.heard(&Method::Invite);
    assert_eq!(again.cseq().unwrap().number, 2);
    assert_eq!(again.call_id().unwrap(), first.call_id().unwrap());
    assert_eq!(again.headers().text(&name::SESSION_EXPIRES).unwrap(), "3600;refresher=uac");
    assert_eq!(again.headers().text(&name::MIN_SE).unwrap(), "3600");
    assert_eq!(again.body(), first.body());
    world.say(response(&again, "200 OK", "y", CONTACT));
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
}

#[test]
fn a_reason_in_a_refusal_refines_the_cause() {
    let mut world = World::with_phone();
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    let reason = "Reason: Q.850;cause=19;text=\"No answer\"\r\n";
    world.say(response(&invite, "480 Temporarily Unavailable", "x", reason));
    let cause = world.cause_of_end(0, 1);
    assert_eq!((cause.sip, cause.q850, cause.text.as_str()), (480, Some(19), "No answer"));
}

#[test]
fn what_only_the_switch_understands_is_not_said_to_the_caller() {
    for (cause, status) in [
        (Cause::from_sip(401), 403),
        (Cause::from_sip(302), 480),
        (Cause::normal(), 480),
        (Cause::from_sip(422), 500),
        (Cause::from_sip(603), 603),
        (Cause::not_found(), 404),
    ] {
        let mut world = World::with_phone();
        world.say(invite("a", ""));
        world.accept(0, 1);
        world.command(0, 1, end(cause));
        assert_eq!(world.response().status(), status);
    }
}

#[test]
fn a_caller_that_hangs_up_an_early_dialog_with_bye_is_understood() {
    let mut world = World::with_phone();
    world.say(invite("a", ""));
    world.accept(0, 1);
    world.command(0, 1, progress(180));
    let ringing = world.response();
    world.say(follow(&ringing, "BYE", 8, ""));
    assert_eq!(world.cause_of_end(0, 1), Cause::cancelled());
    assert_eq!(world.codes(&Method::Bye), [200]);
    assert_eq!(world.codes(&Method::Invite).last(), Some(&487));
}

#[test]
fn calls_go_over_streams_and_survive_a_broken_connection() {
    let mut world = World::of_endpoints();
    world.transport = Transport::Tcp;
    world.call();
    let there = world.wire.engines[1].0;
    world.wire.unplug(there);
    world.wire.plug(there);
    // A new connection to the remote target is opened.
    world.command(0, 10, end(Cause::normal()));
    assert_eq!(world.cause_of_end(1, 20), Cause::normal());
    world.assert_forgotten();
}

#[test]
fn a_phone_behind_an_address_translator_is_written_to_where_it_was_heard() {
    for (contact, reached) in [
        ("<sip:102@10.0.0.7:5060>", "127.0.0.2:5060"),
        ("<sip:102@phone.invalid>", "127.0.0.2:5060"),
        ("<sip:102@127.0.0.2:5999>", "127.0.0.2:5999"),
        ("<sip:102@127.0.0.2;transport=tcp>", "127.0.0.2:5060"),
    ] {
        let mut world = World::with_phone();
        world.say(invite("a", "").replace("<sip:102@127.0.0.2:5060>", contact));
        world.accept(0, 1);
        world.command(0, 1, answer(ANSWER));
        let ok = world.response();
        world.say(follow(&ok, "ACK", 7, ""));
        world.command(0, 1, end(Cause::normal()));
        let last = world.wire.log.iter().rev().find(|s| s.start_line().starts_with("BYE")).unwrap();
        assert_eq!(last.to.to_string(), reached, "{contact}");
        assert!(contact.contains(&last.start_line()["BYE ".len()..last.start_line().len() - 8]));
    }
}

#[test]
fn the_route_set_is_followed_in_both_roles() {
    let mut world = World::with_phone();
    let routes = "Record-Route: <sip:127.0.0.2:5060;lr>, <sip:p2.invalid;lr>\r\n";
    world.say(invite("a", routes));
    world.accept(0, 1);
    world.command(0, 1, answer(ANSWER));
    let ok = world.response();
    assert_eq!(
        ok.headers().text(&name::RECORD_ROUTE).unwrap(),
        "<sip:127.0.0.2:5060;lr>, <sip:p2.invalid;lr>"
    );
    world.say(follow(&ok, "ACK", 7, ""));
    world.command(0, 1, end(Cause::normal()));
    let bye = world.heard(&Method::Bye);
    let sent: Vec<_> = bye.headers().all(&name::ROUTE).map(|v| v.into_owned()).collect();
    assert_eq!(sent, [&b"<sip:127.0.0.2:5060;lr>"[..], b"<sip:p2.invalid;lr>"]);

    let mut world = World::with_phone();
    world.start(1, &invitation(None));
    let invite = world.heard(&Method::Invite);
    let strict = "Record-Route: <sip:p2.invalid;lr>\r\nRecord-Route: <sip:127.0.0.2>\r\n";
    world.say(response(&invite, "200 OK", "x", &format!("{strict}{CONTACT}")));
    world.command(0, 1, confirm(None));
    let ack = world.heard(&Method::Ack);
    // The nearest is a strict router (RFC 3261 §12.2.1.1).
    assert_eq!(ack.uri().to_string(), "sip:127.0.0.2");
    let sent: Vec<_> = ack.headers().all(&name::ROUTE).map(|v| v.into_owned()).collect();
    assert_eq!(sent, [&b"<sip:p2.invalid;lr>"[..], b"<sip:102@127.0.0.2:5060>"]);
}
