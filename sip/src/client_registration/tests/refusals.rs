// SPDX-License-Identifier: GPL-3.0-or-later
//! Registrars that say no.

use std::time::Duration;

use super::fixture::*;
use crate::{
    auth::client::Denied,
    client_registration::{Account, Notice, Password, State, Trouble},
    transaction::Failure,
    wire::Uri,
};

#[test]
fn a_refused_password_is_shown_once_and_then_there_is_silence() {
    let mut world = World::new(account());
    world.register(&[way(1), way(2)]);
    world.answer("401 Unauthorized", &challenge("n1", ""));
    world.answer("401 Unauthorized", &challenge("n2", ""));
    let needs = State::NeedsPassword(Password::Denied(Denied::Refused));
    assert_eq!(world.state(), needs);
    assert_eq!(world.count, 2);
    world.assert_silent();
    // Not because the network changed a moment later, either.
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.answer("401 Unauthorized", &challenge("n1", ""));
    world.answer("401 Unauthorized", &challenge("n2", ""));
    world.run(Duration::from_secs(599));
    world.register(&[way(2)]);
    assert_eq!((world.count, world.state()), (2, needs.clone()));
    world.run(Duration::from_secs(2));
    world.register(&[way(3)]);
    assert_eq!(world.count, 3);
    world.answer("401 Unauthorized", &challenge("n3", ""));
    world.answer("401 Unauthorized", &challenge("n4", ""));
    assert_eq!(world.state(), needs);
    // But at once with another one.
    world.registration.set_credentials(world.now, credentials("secret"));
    world.drain();
    assert!(world.sent.is_empty(), "the same one is no other one");
    world.registration.set_credentials(world.now, credentials("another"));
    world.drain();
    world.answer("401 Unauthorized", &challenge("n5", ""));
    world.accept(600, "");
    assert_eq!(world.state(), State::Online);
}

#[test]
fn silence_of_all_ways_is_answered_with_longer_and_longer_pauses() {
    let mut world = World::new(account());
    world.register(&[way(1), way(2)]);
    let mut pauses = Vec::new();
    for round in 0..9 {
        assert_eq!(world.request().flow, way(1), "round {round}");
        world.run(Duration::from_secs(4));
        world.sent.remove(0);
        assert_eq!(world.request().flow, way(2), "round {round}");
        world.fail(Failure::TimedOut);
        assert!(matches!(
            world.state(),
            State::Unreachable { why: Trouble::NoAnswer, again: Some(_) }
        ));
        pauses.push(world.until_sent(Duration::from_secs(1801)).as_secs());
    }
    for (pause, most) in pauses.iter().zip([30, 60, 120, 240, 480, 960, 1800, 1800, 1800]) {
        assert!((most / 2..=most).contains(pause), "{pauses:?}");
    }
}

#[test]
fn another_mapped_address_is_told() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.answer_seen(";received=203.0.113.9;rport=1024", "401 Unauthorized", CHALLENGE);
    let seen = |port: u16| format!("203.0.113.9:{port}").parse().unwrap();
    assert_eq!(world.notices, [Notice::Mapped { flow: way(1), before: None, now: seen(1024) }]);
    world.accept(600, "");
    // Behind a translator the flow is kept open.
    world.run(Duration::from_secs(60));
    assert!((2..=3).contains(&world.pings.len()));
    world.until_sent(Duration::from_secs(600));
    world.answer_seen(";received=203.0.113.9;rport=1025", "200 OK", "Expires: 600\r\n");
    let (flow, before, now) = (way(1), seen(1024), seen(1025));
    let told =
        [Notice::Mapped { flow, before: Some(before), now }, Notice::Moved { flow, before, now }];
    assert_eq!(world.notices[1..], told);
}

#[test]
fn a_flow_that_needs_nothing_is_left_alone() {
    let mut world = World::online(account(), &[way(1)], 600, "");
    world.run(Duration::from_secs(290));
    assert!(world.pings.is_empty() && world.sent.is_empty());
}

#[test]
fn a_password_that_is_missing_is_asked_for() {
    let mut world = World::new(account());
    world.registration.set_credentials(world.now, None);
    world.register(&[way(1)]);
    world.answer("407 Proxy Authentication Required", CHALLENGE);
    assert_eq!(world.state(), State::NeedsPassword(Password::Missing));
    world.assert_silent();
}

#[test]
fn forbidden_and_unknown_are_final_until_somebody_asks() {
    for (status, code) in [("403 Forbidden", 403), ("404 Not Found", 404), ("604 Nowhere", 604)] {
        let mut world = World::new(account());
        world.register(&[way(1), way(2)]);
        world.answer("401 Unauthorized", CHALLENGE);
        world.answer(status, "");
        assert_eq!(world.state(), State::Refused { status: code });
        world.assert_silent();
        world.registration.retry(world.now);
        world.drain();
        assert_eq!(world.sent.len(), 1);
    }
    let account = Account { forbidden_is_password: true, ..account() };
    let mut world = World::new(account);
    world.register(&[way(1)]);
    world.answer("403 Forbidden", "");
    assert_eq!(world.state(), State::NeedsPassword(Password::Forbidden));
    world.assert_silent();
    // What is off stays off.
    world.registration.unregister(world.now);
    world.registration.retry(world.now);
    world.drain();
    assert!(world.sent.is_empty());
    assert_eq!(world.state(), State::Off);
}

#[test]
fn stale_nonces_without_an_end_lead_to_pauses_not_to_a_storm() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    let mut sent = 0;
    while world.now < world.begin + Duration::from_secs(3600) {
        while !world.sent.is_empty() {
            sent += 1;
            world.answer("401 Unauthorized", &challenge(&format!("n{sent}"), ", stale=true"));
        }
        world.until_sent(Duration::from_secs(1801));
    }
    assert!(sent <= 40, "{sent} requests in an hour");
    assert!(world.states.contains(&State::Registering));
    let endless = Trouble::Challenged(Denied::Endless);
    assert!(
        world
            .states
            .iter()
            .any(|state| matches!(state, State::Unreachable { why, .. } if *why == endless))
    );
}

#[test]
fn too_brief_an_interval_is_raised_a_few_times() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    assert_eq!(world.request().expires(), 600);
    world.answer("423 Interval Too Brief", "Min-Expires: 1800\r\n");
    assert_eq!(world.request().expires(), 1800);
    world.accept(1800, "");
    world.until_sent(Duration::from_secs(1800));
    assert_eq!(world.request().expires(), 1800, "it is remembered");
    // One that is never content.
    let mut world = World::new(account());
    world.register(&[way(1)]);
    for least in 1..20 {
        if world.sent.is_empty() {
            break;
        }
        world.answer("423 Interval Too Brief", &format!("Min-Expires: {}\r\n", 1000 * least));
    }
    assert_eq!(world.count, 4);
    assert!(matches!(
        world.state(),
        State::Unreachable { why: Trouble::IntervalTooBrief, again: Some(_) }
    ));
    // Those that say nothing, less than we asked for, or for ever.
    for more in ["", "Min-Expires: 60\r\n", "Min-Expires: 4294967295\r\n", "Min-Expires: x\r\n"] {
        let mut world = World::new(account());
        world.register(&[way(1)]);
        world.answer("423 Interval Too Brief", more);
        assert_eq!(world.count, 1, "{more}");
    }
}

#[test]
fn a_retry_after_is_waited_for_and_another_way_tried_first() {
    let mut world = World::new(account());
    world.register(&[way(1), way(2)]);
    world.answer("503 Service Unavailable", "Retry-After: 300\r\n");
    assert_eq!(world.request().flow, way(2));
    world.answer("503 Service Unavailable", "Retry-After: 300 (sleeping);duration=3\r\n");
    let retry_after = Some(Duration::from_secs(300));
    assert!(matches!(
        world.state(),
        State::Unreachable { why: Trouble::Answered { status: 503, retry_after: told }, .. }
            if told == retry_after
    ));
    let waited = world.until_sent(Duration::from_secs(400)).as_secs();
    assert!((300..=330).contains(&waited), "{waited}");
    // Nobody is put off for a year.
    world.answer("503 Service Unavailable", "");
    world.answer("503 Service Unavailable", "Retry-After: 31536000\r\n");
    assert!(world.until_sent(Duration::from_secs(4000)).as_secs() >= 3600);
}

#[test]
fn a_registrar_that_says_yes_and_means_no_is_in_trouble() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.accept(0, "");
    assert!(matches!(world.state(), State::Unreachable { why: Trouble::NotKept, again: Some(_) }));
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut world = World::new(account());
    world.register(&[way(1), way(2)]);
    let late = world.request();
    world.run(Duration::from_secs(4));
    assert_eq!(world.sent.len(), 2, "the second way");
    for status in ["403 Forbidden", "200 OK", "401 Unauthorized", "302 Moved"] {
        world.answer_to(&late, status, CHALLENGE);
    }
    assert_eq!(world.state(), State::Registering);
    assert_eq!(world.count, 2);
    world.registration.failed(world.now, late.ask, Failure::TimedOut);
    world.registration.located(world.now, &[way(3)]);
    world.drain();
    assert_eq!(world.count, 2);
}

#[test]
fn redirections_are_followed_five_times_and_never_in_a_circle() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.answer("302 Moved", "Contact: <sip:edge1.example.net;transport=tcp>\r\n");
    assert_eq!(world.locate.last().unwrap().to_string(), "sip:edge1.example.net;transport=tcp");
    assert!(world.sent.is_empty());
    world.registration.located(world.now, &[way(11)]);
    world.drain();
    let there = world.request();
    assert_eq!(there.flow, way(11));
    assert_eq!(there.request.uri().to_string(), "sip:edge1.example.net;transport=tcp");
    world.accept(600, "");
    assert_eq!(world.state(), State::Online);
    world.until_sent(Duration::from_secs(600));
    assert_eq!(world.request().flow, way(11), "the binding is there");
    // It is gone: back to where we began, after a pause.
    world.fail(Failure::Unreachable);
    world.until_sent(Duration::from_secs(60));
    assert_eq!(world.request().flow, way(1));
    assert_eq!(world.request().request.uri().to_string(), "sip:example.net");

    // Chains.
    for hop in 2..20 {
        if world.sent.is_empty() {
            break;
        }
        let contact = format!("Contact: <sip:edge{hop}.example.net>\r\n");
        world.answer("302 Moved", &contact);
        world.registration.located(world.now, &[way(hop)]);
        world.drain();
    }
    assert_eq!(world.locate.len(), 1 + 5);
    assert!(matches!(world.state(), State::Unreachable { why: Trouble::Redirected, .. }));

    // Circles, ourselves, nothing, and from a secure place to an open one.
    let secure = Account { registrar: Uri::parse("sips:example.net").unwrap(), ..account() };
    for (account, contact) in [
        (account(), "Contact: <sip:EXAMPLE.net>\r\n"),
        (account(), "Contact: <sip:token-7@203.0.113.1>\r\n"),
        (account(), "Contact: <sip:192.0.2.1>, <sip:x@192.0.2.1:5060;transport=tcp>\r\n"),
        (account(), "Contact: <tel:+49301>\r\n"),
        (account(), ""),
        (account(), "Contact: *\r\n"),
        (secure, "Contact: <sip:edge1.example.net>\r\n"),
    ] {
        let mut world = World::new(account);
        world.register(&[way(1)]);
        world.answer("301 Moved", contact);
        assert!(world.locate.is_empty() && world.sent.is_empty(), "{contact}");
        assert!(matches!(world.state(), State::Unreachable { why: Trouble::Redirected, .. }));
    }
    // Nobody finds the place, or says so.
    for tells in [true, false] {
        let mut world = World::new(account());
        world.register(&[way(1)]);
        world.answer("302 Moved", "Contact: <sip:edge1.example.net>\r\n");
        if tells {
            world.registration.located(world.now, &[]);
        } else {
            world.run(Duration::from_secs(10));
        }
        assert!(matches!(world.state(), State::Registering | State::Unreachable { .. }));
        world.drain();
        assert!(world.until_sent(Duration::from_secs(40)) > Duration::from_secs(10));
        assert_eq!(world.request().flow, way(1));
    }
}

#[test]
fn a_flow_that_breaks_again_and_again_is_not_made_again_and_again() {
    let mut world = World::online(account(), &[way(1)], 600, "");
    for _ in 0..1000 {
        world.registration.flow_failed(world.now, &way(1));
        world.drain();
        if world.sent.is_empty() {
            world.run(Duration::from_secs(1));
        }
        if !world.sent.is_empty() {
            world.accept(600, "");
        }
    }
    assert!(world.count <= 20, "{} in {:?}", world.count, world.now - world.begin);
    // But one that stood for long comes back at once.
    let mut world = World::online(account(), &[way(1)], 600, "");
    for _ in 0..3 {
        world.run(Duration::from_secs(200));
        world.registration.flow_failed(world.now, &way(1));
        world.drain();
        assert_eq!(world.sent.len(), 1);
        world.accept(600, "");
    }
}
