// SPDX-License-Identifier: GPL-3.0-or-later
//! Session timers (RFC 4028).

use sipwitch_core::call::leg::LegEvent;

use super::fixture::*;
use crate::wire::{Method, name};

const UPDATES: &str = "Contact: <sip:102@127.0.0.2:5060>\r\nAllow: INVITE, UPDATE\r\n";

#[test]
fn two_endpoints_keep_their_call_alive_for_a_day() {
    let mut world = World::of_endpoints();
    world.call();
    world.run(24 * 3600);
    world.assert_quiet();
    assert_eq!(world.node(0).endpoint.leg_count(), 1);
    let updates =
        world.wire.log.iter().filter(|sent| sent.start_line().starts_with("UPDATE")).count();
    assert_eq!(updates, 95);
}

#[test]
fn a_far_end_without_timers_is_refreshed_by_update() {
    let mut world = World::with_phone();
    standing_with(&mut world, UPDATES);
    world.run(901);
    let update = world.heard(&Method::Update);
    assert!(update.body().is_empty());
    assert_eq!(update.headers().text(&name::SESSION_EXPIRES).unwrap(), "1800;refresher=uac");
    world.say(response(&update, "200 OK", "", CONTACT));
    world.run(899);
    assert_eq!(world.count(&Method::Update), 1);
    world.run(10);
    assert_eq!(world.heard(&Method::Update).cseq().unwrap().number, 3);
    world.assert_quiet();
}

#[test]
fn a_far_end_without_update_is_refreshed_by_the_same_description_again() {
    let mut world = World::with_phone();
    standing(&mut world);
    let acks = world.count(&Method::Ack);
    world.run(901);
    let again = world.heard(&Method::Invite);
    assert_eq!(again.cseq().unwrap().number, 2);
    assert_eq!(again.body().as_ref(), OFFER);
    world.say(response(&again, "200 OK", "", &with_sdp(CONTACT, ANSWER)));
    assert_eq!(world.count(&Method::Ack), acks + 1);
    world.assert_quiet();
}

#[test]
fn a_far_end_that_is_gone_is_given_up() {
    let mut world = World::with_phone();
    standing_with(&mut world, UPDATES);
    world.run(901 + 30);
    world.assert_quiet();
    // RFC 4028 §10: as soon as a refresh times out.
    world.run(3);
    assert_eq!(world.cause_of_end(0, 1).sip, 408);
    assert_eq!(world.count(&Method::Bye), 1);
    world.assert_forgotten();
}

#[test]
fn a_far_end_that_refreshes_is_trusted_until_its_time_is_over() {
    let mut world = World::with_phone();
    let fields = "Contact: <sip:102@127.0.0.2:5060>\r\nSession-Expires: 120;refresher=uas\r\nRequire: timer\r\n";
    let (invite, _) = standing_with(&mut world, fields);
    world.run(60);
    let refresh = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n";
    world.say(inside(&invite, "x", "UPDATE", 1, refresh));
    assert_eq!(world.response().status(), 200);
    world.run(87);
    world.assert_quiet();
    world.run(2);
    assert_eq!(world.cause_of_end(0, 1).sip, 408);
    assert_eq!(world.count(&Method::Update) + world.count(&Method::Invite), 1);
}

#[test]
fn a_caller_that_wants_to_refresh_may_and_one_that_asks_too_often_is_told_so() {
    let mut world = World::with_phone();
    let often = "Supported: timer\r\nSession-Expires: 30\r\n";
    world.say(invite("a", &with_sdp(often, OFFER)));
    let arrival = world.arrival(0);
    let now = world.wire.now();
    let refused = world.node(0).endpoint.accept(now, &arrival, sipwitch_core::call::LegId(1));
    assert_eq!(refused.unwrap_err().status, 422);
    world.wire.settle();
    assert_eq!(world.response().headers().number(&name::MIN_SE), Some(90));

    let mut world = World::with_phone();
    let fields = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
    world.say(invite("b", &with_sdp(fields, OFFER)));
    world.accept(0, 1);
    world.command(0, 1, answer(ANSWER));
    let ok = world.response();
    assert_eq!(ok.headers().text(&name::SESSION_EXPIRES).unwrap(), "600;refresher=uac");
    assert!(ok.headers().has_token(&name::REQUIRE, "timer"));
    world.say(follow(&ok, "ACK", 7, ""));
    assert!(matches!(world.told_one(0, 1), LegEvent::Confirmed { .. }));
    world.run(567);
    world.assert_quiet();
    world.run(2);
    assert_eq!(world.cause_of_end(0, 1).sip, 408);
}

#[test]
fn a_refresh_that_meets_a_change_is_tried_again() {
    let mut world = World::with_phone();
    standing_with(&mut world, UPDATES);
    world.run(901);
    let update = world.heard(&Method::Update);
    world.say(response(&update, "491 Request Pending", "", ""));
    world.run(9);
    let again = world.heard(&Method::Update);
    assert_eq!(again.cseq().unwrap().number, update.cseq().unwrap().number + 1);
    // And one that turns out not to take UPDATE is asked otherwise.
    world.say(response(&again, "501 Not Implemented", "", ""));
    world.run(9);
    let options = world.heard(&Method::Options);
    world.say(response(&options, "405 Method Not Allowed", "", ""));
    world.run(800);
    world.assert_quiet();
    assert_eq!(world.count(&Method::Options), 1);
}
