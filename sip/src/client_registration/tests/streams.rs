// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections break, and those that were never used are forgotten.

use std::time::Duration;

use super::fixture::{World, account, way};
use crate::{
    client_registration::State,
    flow::{ConnectionId, Flow, Transport},
    transaction::Failure,
};

fn stream(number: u8, connection: u64) -> Flow {
    let local = format!("192.0.2.1:{}", 40_000 + connection).parse().unwrap();
    let connection = Some(ConnectionId(connection));
    Flow { transport: Transport::Tcp, local, connection, ..way(number) }
}

#[test]
fn a_connection_that_breaks_is_made_anew_and_the_contact_follows() {
    let (old, new) = (stream(1, 1), stream(1, 2));
    let mut world = World::online(account(), &[old], 3600, "");
    world.registration.flow_failed(world.now, &old);
    world.drain();
    assert_eq!(world.reach, [old]);
    assert_eq!(world.state(), State::Registering);
    assert!(world.sent.is_empty(), "nothing goes into a broken connection");
    world.registration.reached(world.now, &old, Some(new));
    world.drain();
    let sent = world.request();
    assert_eq!(sent.flow, new);
    assert_eq!(sent.contact().uri().port(), Some(new.local.port()));
    world.accept(3600, "");
    assert_eq!(world.state(), State::Online);
    assert_eq!(world.registration.flows().collect::<Vec<_>>(), [new]);
    // What was told of the old one comes late.
    world.registration.flow_failed(world.now, &old);
    world.drain();
    assert_eq!(world.state(), State::Online);
}

#[test]
fn after_a_pause_the_connection_is_asked_for_again_and_the_pauses_grow() {
    let mut world = World::new(account());
    let mut at = stream(1, 1);
    world.register(&[at]);
    let mut pauses = Vec::new();
    for connection in 2..6 {
        world.registration.flow_failed(world.now, &at);
        world.fail(Failure::Unreachable);
        let begin = world.now;
        while world.reach.is_empty() {
            world.now = world.registration.next_deadline().unwrap();
            world.registration.handle_deadline(world.now);
            world.drain();
        }
        pauses.push(world.now - begin);
        assert_eq!(world.reach, [at]);
        world.reach.clear();
        let next = stream(1, connection);
        world.registration.reached(world.now, &at, Some(next));
        world.drain();
        assert_eq!(world.request().flow, next);
        at = next;
    }
    assert!(pauses[0] >= Duration::from_secs(15), "{pauses:?}");
    assert!(pauses[3] > pauses[0], "{pauses:?}");
}

#[test]
fn a_way_that_cannot_be_had_is_passed_over() {
    let (first, second) = (stream(1, 1), way(2));
    let mut world = World::online(account(), &[first, second], 3600, "");
    world.registration.flow_failed(world.now, &first);
    world.drain();
    world.registration.reached(world.now, &first, None);
    world.drain();
    assert_eq!(world.request().flow, second);
    // Nobody answers whether there is a way: that ends too.
    let mut world = World::online(account(), &[first], 3600, "");
    world.registration.flow_failed(world.now, &first);
    world.drain();
    world.run(Duration::from_secs(6));
    assert!(matches!(world.state(), State::Unreachable { again: Some(_), .. }));
}
