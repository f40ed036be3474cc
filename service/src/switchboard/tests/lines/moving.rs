// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls by lines when the network changes.

use super::{
    super::town::{Phone, Town},
    provider::account,
};
use crate::connectivity::Change;

/// A house with phone 101 and an account that is online.
fn online() -> (Town, Phone, Phone, String) {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let register = town.let_in(provider);
    let contact = register.address("Contact").to_owned();
    (town, phone, provider, contact)
}

#[test]
fn a_call_follows_its_line_when_the_network_changes() {
    let (mut town, phone, provider, contact) = online();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    let mut inside = town.rung(phone);
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");

    // The address towards the provider is gone, and another one is there.
    town.moved_to = Some("127.0.0.44:5060".parse().unwrap());
    let change = Change {
        gone: vec!["127.0.0.1".parse().unwrap()],
        new: vec!["127.0.0.44".parse().unwrap()],
        way_changed: true,
        resumed: false,
        is_online: true,
        words: "moved".into(),
    };
    let now = town.time();
    town.board.network_changed(now, change);
    town.collect();
    let register = town.next_register(provider, 3);
    assert!(register.header("Contact").contains("@127.0.0.44"), "{register:?}");
    let register = match register.header("Authorization") {
        "" => town.challenge(provider, &register),
        _ => register,
    };
    town.grant(provider, &register, 3600);

    // The provider is told where we are now, with what it heard last.
    let moved = town.heard(&mut outside, "INVITE");
    assert!(moved.header("Contact").contains("@127.0.0.44"), "{moved:?}");
    assert_eq!(moved.body, answer);
    town.respond(provider, &moved, "200 OK", &outside.tag.clone(), &[], &offer);
    town.heard(&mut outside, "ACK");
    town.hang_up(&mut outside);
}
