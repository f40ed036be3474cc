// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls by lines when the network changes.

use std::time::Duration;

use super::{
    super::{
        super::notice::Notice,
        talk::Talk,
        text::Text,
        town::{Phone, Town},
    },
    calls::NUMBER,
    provider::{account, of},
};
use crate::{
    connectivity::{Change, Looked, Paths},
    providers::word::{ContactAddress, KeepaliveMethod},
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

impl Town {
    /// The address towards the provider is gone, and another one is there, over which the account is
    /// registered again.
    fn moves_house(&mut self, provider: Phone) {
        self.moved_to = Some("127.0.0.44:5060".parse().unwrap());
        let change = Change {
            gone: vec!["127.0.0.1".parse().unwrap()],
            new: vec!["127.0.0.44".parse().unwrap()],
            way_changed: true,
            resumed: false,
            is_online: true,
            words: "moved".into(),
        };
        let now = self.time();
        let looked = Looked { change: Some(change), reaches_more: true };
        self.board.network_looked_at(now, looked, &Paths::default());
        self.collect();
        let register = self.next_register(provider, 3);
        assert!(register.header("Contact").contains("@127.0.0.44"), "{register:?}");
        let register = match register.header("Authorization") {
            "" => self.challenge(provider, &register),
            _ => register,
        };
        self.grant(provider, &register, 3600);
    }

    /// The far end is told within seconds where we are now, with what it heard last, and answers.
    fn follows(&mut self, outside: &mut Talk, heard: &str, said: &str) {
        self.pass_seconds(5);
        let moved = self.heard(outside, "INVITE");
        assert!(moved.header("Contact").contains("@127.0.0.44"), "{moved:?}");
        assert_eq!(moved.body, heard);
        self.respond(outside.phone, &moved, "200 OK", &outside.tag.clone(), &[], said);
        self.heard(outside, "ACK");
    }
}

#[test]
fn a_call_that_rings_here_tells_where_we_are_when_it_is_answered() {
    let (mut town, phone, provider, contact) = online();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    let mut inside = town.rung(phone);
    town.reply(&inside, "180 Ringing", "");
    town.heard(&mut outside, "180 INVITE");
    town.moves_house(provider);
    town.pass_seconds(5);
    assert!(!town.has(provider, "INVITE"), "nothing can be changed before the answer");
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    town.follows(&mut outside, &answer, &offer);
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}

#[test]
fn a_call_that_rings_out_there_tells_where_we_are_when_it_is_answered() {
    for rings in [false, true] {
        let (mut town, phone, provider, _) = online();
        let mut inside = town.dial(phone, NUMBER);
        let mut outside = town.rung(provider);
        if rings {
            town.reply(&outside, "180 Ringing", "");
            town.heard(&mut inside, "180 INVITE");
        }
        town.moves_house(provider);
        let answer = town.sdp(provider);
        town.reply(&outside, "200 OK", &answer);
        town.heard(&mut inside, "200 INVITE");
        town.ack(&inside, "");
        town.heard(&mut outside, "ACK");
        let offer = inside.invite.body.clone();
        town.follows(&mut outside, &offer, &answer);
        town.hang_up(&mut outside);
        town.ended(&mut inside);
    }
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

    town.moves_house(provider);
    // The provider is told where we are now, with what it heard last.
    let moved = town.heard(&mut outside, "INVITE");
    assert!(moved.header("Contact").contains("@127.0.0.44"), "{moved:?}");
    assert_eq!(moved.body, answer);
    town.respond(provider, &moved, "200 OK", &outside.tag.clone(), &[], &offer);
    town.heard(&mut outside, "ACK");
    town.hang_up(&mut outside);
}

/// How an address translator shows the house, before and after it forgot.
const BEFORE: &str = "203.0.113.9:1024";
const AFTER: &str = "203.0.113.70:2048";

impl Town {
    /// Answers a request as it came through an address translator (RFC 3581).
    fn respond_seen(&mut self, provider: Phone, request: &Text, seen: &str, more: &[&str]) {
        let (ip, port) = seen.split_once(':').unwrap();
        let mut request = request.clone();
        request.replace_in("Via", ";rport", &format!(";rport={port};received={ip}"));
        self.respond(provider, &request, "200 OK", "p", more, "");
    }

    fn grant_seen(&mut self, provider: Phone, register: &Text, seen: &str) {
        let contact = format!("Contact: <{}>;expires=3600", register.address("Contact"));
        self.respond_seen(provider, register, seen, &[&contact]);
    }

    /// The next question whether the provider is there.
    fn next_ping(&mut self, provider: Phone) -> Text {
        for _ in 0..30 {
            if let Some(options) = self.find(provider, |text| text.kind() == "OPTIONS") {
                return options;
            }
            self.pass_seconds(1);
        }
        self.fail("no OPTIONS comes")
    }
}

/// A house behind a translator, which asks its provider every 20 seconds how it is seen; and a call
/// from the provider that is answered.
fn talking_behind_a_translator(contact: ContactAddress) -> (Town, Phone, Phone, Talk, Talk) {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    of(&mut plan).keepalive = Some((KeepaliveMethod::Options, Duration::from_secs(20)));
    of(&mut plan).contact = contact;
    town.sign_up(plan);
    let register = town.expect(provider, "REGISTER");
    town.grant_seen(provider, &register, BEFORE);
    let mut contact = register.address("Contact").to_owned();
    while let Some(register) = town.find(provider, |text| text.kind() == "REGISTER") {
        contact = register.address("Contact").to_owned();
        town.grant_seen(provider, &register, BEFORE);
    }
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    let mut inside = town.rung(phone);
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    let options = town.next_ping(provider);
    town.respond_seen(provider, &options, BEFORE, &[]);
    (town, phone, provider, outside, inside)
}

#[test]
fn a_call_tells_its_far_end_when_a_translator_shows_us_otherwise() {
    let (mut town, phone, provider, mut outside, mut inside) =
        talking_behind_a_translator(ContactAddress::Own);
    town.assert_silent(provider);
    // The router was restarted: nothing changes here, and the provider sees it first.
    let options = town.next_ping(provider);
    town.respond_seen(provider, &options, AFTER, &[]);
    let register = town.expect(provider, "REGISTER");
    assert!(!town.has(provider, "INVITE"), "the provider must know us there first");
    town.grant_seen(provider, &register, AFTER);
    let moved = town.heard(&mut outside, "INVITE");
    assert!(moved.header("Contact").contains("@127.0.0.1"), "{moved:?}");
    assert_eq!(moved.body, town.sdp(phone));
    let offer = town.sdp(provider);
    town.respond(provider, &moved, "200 OK", &outside.tag.clone(), &[], &offer);
    town.heard(&mut outside, "ACK");
    let told: Vec<&str> = town
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Connectivity(change) => Some(change.words.as_str()),
            _ => None,
        })
        .collect();
    let words = format!("the provider of work sees us as {AFTER} now, and no longer as {BEFORE}");
    assert_eq!(told, [words]);
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}

#[test]
fn where_the_provider_wants_it_the_contact_is_how_it_sees_us_and_follows() {
    let (mut town, _, provider, mut outside, mut inside) =
        talking_behind_a_translator(ContactAddress::Mapped);
    let options = town.next_ping(provider);
    town.respond_seen(provider, &options, AFTER, &[]);
    let register = town.expect(provider, "REGISTER");
    let contacts = register.headers("Contact").join(",");
    assert!(contacts.contains(&format!("@{AFTER}>;expires=3600")), "{contacts}");
    assert!(contacts.contains(&format!("@{BEFORE}>;expires=0")), "{contacts}");
    town.grant_seen(provider, &register, AFTER);
    let moved = town.heard(&mut outside, "INVITE");
    assert!(moved.header("Contact").contains(&format!("@{AFTER}>")), "{moved:?}");
    let offer = town.sdp(provider);
    town.respond(provider, &moved, "200 OK", &outside.tag.clone(), &[], &offer);
    town.heard(&mut outside, "ACK");
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}
