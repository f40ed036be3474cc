// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts by lines.

use std::net::SocketAddr;

use sipwitch_sip::flow::Transport;

use super::{
    super::{
        super::ask::{Ask, ExtensionChange, Refusal, TextSent},
        house::{Asked, person},
        town::{Phone, Town},
    },
    calls::{NUMBER, online},
    provider::{PASSWORD, account, is_right, of},
};
use crate::providers::word::{CallerId, Privacy};

const PLAIN: &str = "Content-Type: text/plain";

fn send(town: &mut Town, to: &str) -> Asked<TextSent> {
    let (contact, text) = (to.to_owned(), "soon".to_owned());
    town.wish(|reply| Ask::SendMessage { contact, from: None, text, reply })
}

#[test]
fn texts_leave_and_come_by_a_line() {
    let (mut town, phone, provider, contact) = online();
    let mut asked = send(&mut town, "sip:bob@provider.test");
    let message = town.expect(provider, "MESSAGE");
    assert_eq!(message.uri(), "sip:bob@provider.test");
    assert_eq!(message.address("From"), "sip:alice@provider.test");
    let message = town.challenge(provider, &message);
    assert!(is_right(&message, PASSWORD) && message.body == "soon", "{message:?}");
    assert!(asked.is_open());
    town.respond(provider, &message, "202 Accepted", "p", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
    // One that the provider does not take is not kept: nobody would deliver it later.
    let asked = send(&mut town, "sip:bob@provider.test");
    let message = town.expect(provider, "MESSAGE");
    town.respond(provider, &message, "404 Not Found", "p", &[], "");
    assert_eq!(asked.answer(), Err(Refusal::NoRoute("the answer is 404 Not Found".into())));
    // And in, without a challenge.
    town.send_request(provider, "MESSAGE", &contact, &["Content-Type: text/plain"], "hello");
    let inside = town.expect(phone, "MESSAGE");
    assert_eq!(inside.body, "hello");
    town.respond(phone, &inside, "200 OK", "t", &[], "");
    town.expect(provider, "200 MESSAGE");
}

/// Two lines by which a text to a number can leave.
fn two_lines() -> (Town, [Phone; 2]) {
    let mut town = Town::new();
    let doors = [
        ("a-first", "first.test", "127.0.0.3:5060"),
        ("b-second", "second.test", "127.0.0.4:5060"),
    ]
    .map(|(id, host, at)| {
        let door = town.provider(host, at);
        town.sign_up(account(id, host));
        town.let_in(door);
        door
    });
    (town, doors)
}

#[test]
fn a_text_that_one_line_does_not_take_leaves_by_the_next() {
    for refusal in ["503 Service Unavailable", "405 Method Not Allowed"] {
        let (mut town, [first, second]) = two_lines();
        let mut asked = send(&mut town, NUMBER);
        let message = town.expect(first, "MESSAGE");
        town.respond(first, &message, refusal, "p", &[], "");
        assert!(asked.is_open());
        let message = town.expect(second, "MESSAGE");
        assert_eq!(message.uri(), format!("sip:{NUMBER}@second.test"));
        assert_eq!(message.body, "soon");
        town.respond(second, &message, "200 OK", "p", &[], "");
        assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
    }
    // What is said of the address or the person holds for every line.
    let (mut town, [first, second]) = two_lines();
    let asked = send(&mut town, NUMBER);
    let message = town.expect(first, "MESSAGE");
    town.respond(first, &message, "603 Decline", "p", &[], "");
    assert_eq!(asked.answer(), Err(Refusal::NoRoute("the answer is 603 Decline".into())));
    town.assert_silent(second);
}

#[test]
fn a_text_to_a_silent_line_is_tried_by_the_next_and_may_still_be_taken() {
    let (mut town, [first, second]) = two_lines();
    town.device(first).is_dead = true;
    let asked = send(&mut town, NUMBER);
    town.pass_seconds(4);
    let message = town.expect(second, "MESSAGE");
    town.respond(second, &message, "202 Accepted", "p", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));

    let (mut town, [first, second]) = two_lines();
    let mut asked = send(&mut town, NUMBER);
    let slow = town.expect(first, "MESSAGE");
    town.pass_seconds(4);
    let message = town.expect(second, "MESSAGE");
    town.respond(second, &message, "503 Service Unavailable", "p", &[], "");
    assert!(asked.is_open(), "the first may still take it");
    town.respond(first, &slow, "202 Accepted", "p", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));

    // Nobody says anything: the sender is told before he sends it again.
    let (mut town, [first, second]) = two_lines();
    town.device(first).is_dead = true;
    town.device(second).is_dead = true;
    let asked = send(&mut town, NUMBER);
    town.pass_seconds(8);
    assert!(matches!(asked.answer(), Err(Refusal::NoRoute(_))));
}

#[test]
fn the_code_that_hides_the_number_stands_before_calls_and_not_before_texts() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    of(&mut plan).hides_number = true;
    of(&mut plan).privacy = Some(Privacy::StarCode("*31#".parse().unwrap()));
    town.sign_up(plan);
    town.let_in(provider);
    let _asked = send(&mut town, NUMBER);
    let message = town.expect(provider, "MESSAGE");
    assert_eq!(message.uri(), format!("sip:{NUMBER}@provider.test"));
    town.respond(provider, &message, "202 Accepted", "p", &[], "");
    town.dial(phone, NUMBER);
    assert!(town.rung(provider).invite.uri().starts_with("sip:*31%23"), "a call has it");
}

#[test]
fn a_text_from_a_line_reaches_the_extension_chosen_for_it_and_waits_for_its_phone() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person("a long password"));
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    plan.incoming = Some("102".parse().unwrap());
    town.sign_up(plan);
    let contact = town.let_in(provider).address("Contact").to_owned();
    town.send_request(provider, "MESSAGE", &contact, &[PLAIN], "for Bert");
    town.expect(provider, "202 MESSAGE");
    town.assert_silent(anna);
    let bert = town.stranger("102");
    town.device(bert).password = "a long password".into();
    town.register(bert, 600);
    let text = town.expect(bert, "MESSAGE");
    assert_eq!(text.body, "for Bert");
    town.respond(bert, &text, "200 OK", "t", &[], "");
    town.assert_silent(anna);
}

#[test]
fn a_text_from_a_line_reaches_every_member_of_the_group_chosen_for_it() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person("a long password"));
    let group = ExtensionChange {
        kind: Some("group".into()),
        members: Some(["101", "102"].map(str::to_owned).to_vec()),
        ..ExtensionChange::default()
    };
    town.add_extension("600", group);
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    plan.incoming = Some("600".parse().unwrap());
    town.sign_up(plan);
    let contact = town.let_in(provider).address("Contact").to_owned();
    town.send_request(provider, "MESSAGE", &contact, &[PLAIN], "for all");
    let text = town.expect(anna, "MESSAGE");
    town.respond(anna, &text, "200 OK", "t", &[], "");
    town.expect(provider, "200 MESSAGE");
    // Who has no phone now reads it later.
    let bert = town.stranger("102");
    town.device(bert).password = "a long password".into();
    town.register(bert, 600);
    let text = town.expect(bert, "MESSAGE");
    assert_eq!(text.body, "for all");
    town.respond(bert, &text, "200 OK", "t", &[], "");
    town.register(bert, 600);
    town.assert_silent(bert);
    town.assert_silent(provider);
}

#[test]
fn the_sender_of_a_text_is_whom_a_provider_that_is_believed_vouches_for() {
    for (kind, wanted) in [
        (CallerId::PAssertedIdentity, "<sip:+4930901820@provider.test>"),
        (CallerId::From, "<sip:provider.test@127.0.0.1:5060>"),
    ] {
        let mut town = Town::new();
        let anna = town.phone("101");
        let provider = town.provider("provider.test", "127.0.0.3:5060");
        let mut plan = account("work", "provider.test");
        of(&mut plan).caller_id = kind;
        town.sign_up(plan);
        let contact = town.let_in(provider).address("Contact").to_owned();
        let asserted = "P-Asserted-Identity: \"Bob\" <sip:+4930901820@provider.test>";
        town.send_request(provider, "MESSAGE", &contact, &[PLAIN, asserted], "it is me");
        let text = town.expect(anna, "MESSAGE");
        assert!(text.header("From").starts_with(wanted), "{text:?}");
        town.respond(anna, &text, "200 OK", "t", &[], "");
        town.expect(provider, "200 MESSAGE");
    }
}

#[test]
fn a_text_leaves_over_a_connection_that_is_asked_for_anew() {
    let mut town = Town::new();
    let at: SocketAddr = "127.0.0.3:5060".parse().unwrap();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.device(provider).flow.transport = Transport::Tcp;
    town.names.insert("provider.test".into(), vec![(Transport::Tcp, at)]);
    let mut plan = account("work", "provider.test");
    of(&mut plan).server.transports = vec![Transport::Tcp];
    town.sign_up(plan);
    town.let_in(provider);
    let asked = send(&mut town, "sip:bob@provider.test");
    let message = town.expect(provider, "MESSAGE");
    town.respond(provider, &message, "200 OK", "p", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
}
