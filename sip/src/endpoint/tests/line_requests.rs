// SPDX-License-Identifier: GPL-3.0-or-later
//! MESSAGE and OPTIONS on lines, outside of any dialog.

use std::{sync::Arc, time::Duration};

use super::{
    fixture::*,
    lines::{challenge, line, message, shown},
};
use crate::{
    endpoint::Event,
    transaction::{ClientId, Failure},
    wire::Method,
};

impl World {
    fn send_on_line(&mut self, places: &[usize]) -> ClientId {
        let line = line();
        let draft = message(self, &line);
        let ways: Vec<_> =
            places.iter().map(|&place| self.wire.flow(self.transport, 0, place)).collect();
        let now = self.wire.now();
        let id = self.node(0).endpoint.request_on_line(now, &ways, draft, &Arc::new(line));
        self.wire.settle();
        id.expect("there are ways")
    }
}

#[test]
fn a_challenged_message_is_sent_again_and_told_as_one() {
    let mut world = World::with_places(1);
    let id = world.send_on_line(&[1, 2]);
    let first = world.heard(&Method::Message);
    world.say(response(&first, "407 Ask", "a", &challenge("n1", "")));
    let second = world.heard(&Method::Message);
    assert!(shown(&second).is_some());
    assert_eq!(second.cseq().unwrap().number, 2);
    world.assert_quiet();
    world.say(response(&second, "202 Accepted", "a", ""));
    let told = world.node(0).told.remove(0);
    assert!(matches!(told, Event::Answered { request, response, .. }
        if request == id && response.status() == 202));
    world.assert_quiet();
    world.assert_forgotten();
}

#[test]
fn a_refused_password_is_told_after_one_try() {
    let mut world = World::with_places(1);
    let id = world.send_on_line(&[1]);
    for nonce in ["n1", "n2"] {
        let request = world.heard(&Method::Message);
        world.say(response(&request, "407 Ask", "a", &challenge(nonce, "")));
    }
    let told = world.node(0).told.remove(0);
    assert!(matches!(told, Event::Answered { request, response, .. }
        if request == id && response.status() == 407));
    assert_eq!(world.count(&Method::Message), 2);
    world.assert_forgotten();
}

#[test]
fn silent_and_broken_places_are_left_one_after_the_other() {
    let mut world = World::with_places(1);
    let id = world.send_on_line(&[1, 2]);
    world.wire.run_for(Duration::from_millis(4100));
    let second = world.heard_at(2, &Method::Message);
    let late = world.heard_at(1, &Method::Message);
    world.say_from(1, response(&late, "200 OK", "a", ""));
    world.assert_quiet();
    world.say_from(2, response(&second, "200 OK", "a", ""));
    assert!(matches!(world.node(0).told.remove(0),
        Event::Answered { request, .. } if request == id));
    world.assert_forgotten();

    let mut world = World::with_places(1);
    let id = world.send_on_line(&[1, 2]);
    world.run(60);
    assert!(matches!(world.node(0).told.remove(0),
        Event::Failed { request, why: Failure::TimedOut } if request == id));
    world.assert_quiet();
    world.assert_forgotten();
}
