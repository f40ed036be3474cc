// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking a provider for what waits (RFC 6665, RFC 3842).

use super::{
    super::{
        text::Text,
        town::{Phone, Town},
    },
    provider::account,
};

/// A house with phone 101, and an account at a provider that takes subscriptions; gives its Contact.
fn asking() -> (Town, Phone, Phone, String) {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.device(provider).takes_subscriptions = true;
    town.sign_up(account("work", "provider.test"));
    let register = town.let_in(provider);
    let contact = register.address("Contact").to_owned();
    (town, phone, provider, contact)
}

impl Town {
    /// Tells what waits in the dialog of a subscription.
    fn tell_in(&mut self, provider: Phone, subscribe: &Text, state: &str, body: &str) {
        let headers = [
            self.via(provider),
            "Max-Forwards: 70".into(),
            format!("From: {};tag=mwi", subscribe.header("To").split(";tag").next().unwrap()),
            format!("To: {}", subscribe.header("From")),
            format!("Call-ID: {}", subscribe.header("Call-ID")),
            format!("CSeq: {} NOTIFY", self.serial()),
            "Event: message-summary".into(),
            format!("Subscription-State: {state}"),
            "Content-Type: application/simple-message-summary".into(),
        ];
        let uri = subscribe.address("Contact").to_owned();
        let notify = Text::write(&format!("NOTIFY {uri} SIP/2.0"), &headers, body);
        self.send(provider, &notify);
        self.expect(provider, "200 NOTIFY");
    }
}

#[test]
fn a_provider_is_asked_with_the_password_told_where_we_are_and_asked_again_in_time() {
    let (mut town, phone, provider, contact) = asking();
    let first = town.expect(provider, "SUBSCRIBE");
    assert_eq!(first.uri(), "sip:alice@provider.test");
    assert_eq!(first.address("From"), "sip:alice@provider.test");
    assert_eq!(first.header("Event"), "message-summary");
    assert_eq!(first.header("Accept"), "application/simple-message-summary");
    assert_eq!(first.address("Contact"), contact);
    let asked = town.challenge(provider, &first);
    let more = ["Expires: 600", "Record-Route: <sip:127.0.0.3;lr>"];
    town.respond(provider, &asked, "200 OK", "mwi", &more, "");
    town.tell_in(provider, &asked, "active;expires=600", "Messages-Waiting: yes\r\n");
    assert_eq!(town.line("work").messages_waiting, 1);
    let told = town.expect(phone, "NOTIFY");
    town.respond(phone, &told, "200 OK", "t", &[], "");
    town.pass_seconds(539);
    town.assert_silent(provider);
    town.pass_seconds(2);
    let again = town.expect(provider, "SUBSCRIBE");
    assert_eq!(again.header("Call-ID"), first.header("Call-ID"));
    assert!(again.header("To").ends_with(";tag=mwi"), "{again:?}");
    assert_eq!(again.header("Route"), "<sip:127.0.0.3;lr>");
    assert_eq!(again.header("CSeq"), "3 SUBSCRIBE");
    town.respond(provider, &again, "200 OK", "mwi", &["Expires: 600"], "");
    town.pass_seconds(60);
    town.assert_silent(provider);
}

#[test]
fn a_provider_that_refuses_is_not_asked_again_before_the_account_was_offline() {
    for status in ["489 Bad Event", "405 Method Not Allowed", "404 Not Found", "403 Forbidden"] {
        let (mut town, _, provider, contact) = asking();
        let subscribe = town.expect(provider, "SUBSCRIBE");
        town.respond(provider, &subscribe, status, "s", &[], "");
        // The registration is renewed meanwhile.
        let register = town.next_register(provider, 3600);
        town.grant(provider, &register, 3600);
        town.pass_seconds(100);
        town.assert_silent(provider);
        // What it tells all the same counts.
        let told = ["Event: message-summary"];
        town.send_request(provider, "NOTIFY", &contact, &told, "Messages-Waiting: yes");
        town.expect(provider, "200 NOTIFY");
        assert_eq!(town.line("work").messages_waiting, 1);
        let now = town.time();
        town.board.fall_asleep(now);
        town.collect();
        let gone = town.expect(provider, "REGISTER");
        town.respond(provider, &gone, "200 OK", "p", &[], "");
        town.board.lines.retry(now.instant, "work");
        town.pass_seconds(1);
        let register = town.next_register(provider, 5);
        town.grant(provider, &register, 3600);
        town.expect(provider, "SUBSCRIBE");
    }
}

#[test]
fn a_registrar_that_lists_what_it_takes_is_not_asked_for_more() {
    for list in ["Allow: INVITE, ACK, BYE, CANCEL", "Allow-Events: presence, dialog"] {
        let mut town = Town::new();
        let provider = town.provider("provider.test", "127.0.0.3:5060");
        town.device(provider).takes_subscriptions = true;
        town.sign_up(account("work", "provider.test"));
        let register = town.expect(provider, "REGISTER");
        let contact = format!("Contact: <{}>;expires=3600", register.address("Contact"));
        town.respond(provider, &register, "200 OK", "p", &[&contact, list], "");
        assert_eq!(town.line("work").standing.state, "online");
        town.pass_seconds(120);
        town.assert_silent(provider);
    }
}

#[test]
fn what_the_provider_ends_is_left_and_an_account_that_is_gone_takes_nothing() {
    let (mut town, _, provider, _) = asking();
    let subscribe = town.expect(provider, "SUBSCRIBE");
    town.respond(provider, &subscribe, "200 OK", "mwi", &["Expires: 3600"], "");
    town.tell_in(provider, &subscribe, "terminated;reason=noresource", "");
    town.pass_seconds(3400);
    assert!(!town.has(provider, "SUBSCRIBE"));

    let (mut town, _, provider, _) = asking();
    let subscribe = town.expect(provider, "SUBSCRIBE");
    town.sign_off("work");
    let gone = town.expect(provider, "REGISTER");
    town.respond(provider, &gone, "200 OK", "p", &[], "");
    town.respond(provider, &subscribe, "200 OK", "mwi", &["Expires: 60"], "");
    town.pass_seconds(4000);
    town.assert_silent(provider);
}
