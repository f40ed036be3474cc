// SPDX-License-Identifier: GPL-3.0-or-later
//! From the first REGISTER to the last.

use std::time::Duration;

use super::fixture::*;
use crate::{
    client_registration::State,
    wire::{Method, name},
};

#[test]
fn a_registration_is_made_with_a_password_kept_and_taken_back() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    assert_eq!(world.states, [State::Registering]);
    let first = world.request();
    assert_eq!(*first.request.method(), Method::Register);
    assert_eq!(first.request.uri().to_string(), "sip:example.net");
    assert_eq!(first.flow, way(1));
    assert!(first.authorization().is_none());
    world.answer("401 Unauthorized", CHALLENGE);
    let second = world.request();
    assert!(second.authorization().unwrap().contains("nc=00000001"));
    assert_eq!(second.request.call_id().unwrap(), first.request.call_id().unwrap());
    let number = |sent: &Sent| sent.request.cseq().unwrap().number;
    assert_eq!(number(&second), number(&first) + 1);
    world.accept(600, "");
    assert_eq!(world.states, [State::Registering, State::Online]);
    assert_eq!(world.registration.flows().collect::<Vec<_>>(), [way(1)]);

    let waited = world.until_sent(Duration::from_secs(600));
    assert!((300..=510).contains(&waited.as_secs()), "{waited:?}");
    let third = world.request();
    assert!(third.authorization().unwrap().contains("nc=00000002"), "the nonce is used again");
    assert_eq!(number(&third), number(&second) + 1);
    world.accept(600, "");
    assert_eq!(world.states.len(), 2, "a refresh is nothing to tell");

    world.registration.unregister(world.now);
    world.drain();
    let last = world.request();
    assert_eq!((last.expires(), last.contact().param("expires").unwrap()), (0, &b"0"[..]));
    world.answer("200 OK", "");
    assert_eq!(world.state(), State::Off);
    assert!(last.request.headers().count(&name::CONTACT) == 1);
    world.assert_silent();
}
