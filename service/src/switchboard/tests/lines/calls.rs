// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls by lines.

use super::{
    super::town::{Phone, Town},
    provider::account,
};

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
fn a_call_from_outside_rings_the_extension_of_the_account() {
    let (mut town, phone, provider, contact) = online();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    // No challenge, and the caller as the provider says it.
    let mut inside = town.rung(phone);
    assert_eq!(inside.invite.body, offer);
    town.reply(&inside, "180 Ringing", "");
    town.heard(&mut outside, "180 INVITE");
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}
