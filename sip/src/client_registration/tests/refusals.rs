// SPDX-License-Identifier: GPL-3.0-or-later
//! Registrars that say no.

use std::time::Duration;

use super::fixture::*;
use crate::{
    auth::client::Denied,
    client_registration::{Notice, Password, State, Trouble},
    transaction::Failure,
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
    let moved = Notice::Mapped { flow: way(1), before: Some(seen(1024)), now: seen(1025) };
    assert_eq!(world.notices.last(), Some(&moved));
}

#[test]
fn a_flow_that_needs_nothing_is_left_alone() {
    let mut world = World::online(account(), &[way(1)], 600, "");
    world.run(Duration::from_secs(290));
    assert!(world.pings.is_empty() && world.sent.is_empty());
}
