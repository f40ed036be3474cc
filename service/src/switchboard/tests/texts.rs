// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts: delivered, or kept until a phone comes.

use super::{
    super::ask::{Ask, Refusal},
    house::{Disk, HOUSE, Plan, person},
    text::Text,
    town::{Phone, Town, password_of},
};

const PLAIN: &str = "Content-Type: text/plain;charset=UTF-8";

impl Town {
    /// Sends a text; what comes of it is to be looked for.
    fn writes(&mut self, phone: Phone, number: &str, words: &str) {
        self.send_request(phone, "MESSAGE", &format!("sip:{number}@{HOUSE}"), &[PLAIN], words);
    }

    /// A text arrives, and is answered so.
    fn reads(&mut self, phone: Phone, status: &str) -> Text {
        let text = self.expect(phone, "MESSAGE");
        self.respond(phone, &text, status, "t", &[], "");
        text
    }
}

#[test]
fn a_text_is_delivered_and_its_sender_told_when_it_was() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.writes(anna, "102", "grüß dich");
    let text = town.expect(bert, "MESSAGE");
    assert_eq!((text.body.as_str(), text.header("Content-Type")), ("grüß dich", &PLAIN[14..]));
    assert!(text.header("From").contains("sip:101@"), "{text:?}");
    town.assert_silent(anna);
    town.respond(bert, &text, "200 OK", "t", &[], "");
    town.expect(anna, "200 MESSAGE");
    town.assert_over();
}

#[test]
fn the_sender_of_a_text_is_who_proved_it_and_not_who_he_says() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let uri = format!("sip:102@{HOUSE}");
    let authorization = town.authorization(anna, "MESSAGE", &uri).unwrap();
    let headers = [
        town.via(anna),
        "Max-Forwards: 70".into(),
        "From: \"The Bank\" <sip:boss@bank.example>;tag=x".into(),
        format!("To: <{uri}>"),
        "Call-ID: forged".into(),
        "CSeq: 1 MESSAGE".into(),
        PLAIN.into(),
        authorization,
    ];
    town.send(anna, &Text::write(&format!("MESSAGE {uri} SIP/2.0"), &headers, "pay"));
    let text = town.reads(bert, "200 OK");
    assert!(text.header("From").contains("sip:101@"), "{text:?}");
    assert!(!text.header("From").contains("bank"), "{text:?}");
    town.expect(anna, "200 MESSAGE");
    town.assert_over();
}

#[test]
fn a_text_for_somebody_without_a_phone_is_kept_and_delivered_when_one_comes() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    town.disk = Disk::Slow;
    town.writes(anna, "102", "one");
    town.assert_silent(anna);
    town.disk = Disk::Good;
    town.collect();
    town.expect(anna, "202 MESSAGE");
    town.writes(anna, "102", "two");
    town.expect(anna, "202 MESSAGE");
    let bert = town.stranger("102");
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    let (first, second) = (town.reads(bert, "200 OK"), town.reads(bert, "200 OK"));
    assert_eq!([first.body, second.body], ["one", "two"]);
    // What was taken is not delivered again.
    town.register(bert, 0);
    town.pass_seconds(60);
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    town.assert_silent(bert);
    town.assert_over();
}

#[test]
fn a_text_that_no_phone_takes_is_kept_and_offered_when_one_registers_again() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.writes(anna, "102", "later");
    town.reads(bert, "486 Busy Here");
    town.expect(anna, "202 MESSAGE");
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    assert_eq!(town.reads(bert, "200 OK").body, "later");
    town.register(bert, 600);
    town.assert_over();
}

#[test]
fn a_text_for_a_phone_that_is_out_of_reach_is_kept_before_its_sender_gives_up() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.device(bert).is_dead = true;
    town.writes(anna, "102", "are you there?");
    town.pass_seconds(7);
    town.assert_silent(anna);
    town.pass_seconds(2);
    town.expect(anna, "202 MESSAGE");
    town.pass_seconds(40);
    town.device(bert).is_dead = false;
    town.register(bert, 600);
    assert_eq!(town.reads(bert, "200 OK").body, "are you there?");
    town.register(bert, 600);
    town.assert_over();
}

#[test]
fn a_text_taken_late_is_not_delivered_again() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.writes(anna, "102", "slowly");
    let text = town.expect(bert, "MESSAGE");
    town.pass_seconds(10);
    town.expect(anna, "202 MESSAGE");
    town.respond(bert, &text, "200 OK", "t", &[], "");
    town.register(bert, 600);
    town.assert_over();
}

#[test]
fn a_text_under_way_is_not_sent_again_to_whoever_registers_meanwhile() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    town.writes(anna, "102", "once");
    town.expect(anna, "202 MESSAGE");
    let (one, two) = (town.stranger("102"), town.stranger("102"));
    town.register(one, 600);
    town.register(two, 600);
    town.assert_silent(two);
    assert_eq!(town.reads(one, "200 OK").body, "once");
    town.assert_over();
}

#[test]
fn the_first_phone_that_takes_a_text_is_enough() {
    let mut town = Town::new();
    let (anna, one, two) = (town.phone("101"), town.phone("102"), town.phone("102"));
    town.writes(anna, "102", "to both");
    town.reads(one, "200 OK");
    town.expect(anna, "200 MESSAGE");
    town.reads(two, "486 Busy Here");
    town.assert_over();
}

#[test]
fn what_is_not_words_is_delivered_or_refused_but_never_kept() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let composing = ["Content-Type: application/im-iscomposing+xml"];
    let uri = format!("sip:102@{HOUSE}");
    town.send_request(anna, "MESSAGE", &uri, &composing, "<isComposing/>");
    assert_eq!(town.reads(bert, "200 OK").body, "<isComposing/>");
    town.expect(anna, "200 MESSAGE");
    town.send_request(anna, "MESSAGE", &uri, &composing, "<isComposing/>");
    town.reads(bert, "415 Unsupported Media Type");
    town.expect(anna, "480 MESSAGE");
    town.assert_over();
}

#[test]
fn a_text_for_nobody_is_refused() {
    let mut town = Town::new();
    let anna = town.phone("101");
    for (uri, status) in
        [(format!("sip:999999@{HOUSE}"), 404), ("sip:x@elsewhere.example".to_owned(), 480)]
    {
        let answer = town.request(anna, "MESSAGE", &uri, &[PLAIN], "hello");
        assert_eq!(answer.status(), Some(status), "{uri}");
    }
    town.assert_over();
}

#[test]
fn a_program_sends_texts() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let send = |contact: &str, from: Option<&str>, text: &str| {
        let (contact, from, text) = (contact.to_owned(), from.map(str::to_owned), text.to_owned());
        move |reply| Ask::SendMessage { contact, from, text, reply }
    };
    let mut asked = town.wish(send("102", None, "hello"));
    let text = town.expect(bert, "MESSAGE");
    assert!(asked.is_open());
    assert_eq!(text.body, "hello");
    town.respond(bert, &text, "200 OK", "t", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
    town.add_extension("103", person("a long password"));
    let asked = town.wish(send("103", Some("102"), "wait"));
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("stored"));
    for (contact, from, text) in
        [("999999", None, "x"), ("102", Some("555"), "x"), ("102", None, ""), ("", None, "x")]
    {
        assert!(town.wish(send(contact, from, text)).answer().is_err(), "{contact} {from:?}");
    }
    let long = "x".repeat(1301);
    assert!(matches!(town.wish(send("102", None, &long)).answer(), Err(Refusal::BadValue(_))));
    town.assert_over();
}

#[test]
fn a_text_that_cannot_be_stored_is_not_taken() {
    let mut town = Town::new();
    let anna = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    town.disk = Disk::Full;
    town.writes(anna, "102", "lost?");
    town.expect(anna, "480 MESSAGE");
    town.assert_over();
}

#[test]
fn too_many_texts_for_one_extension_are_refused() {
    let mut plan = Plan::usual();
    plan.bounds.messages_per_extension = 2;
    let mut town = Town::of(plan);
    let anna = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    for _ in 0..2 {
        town.writes(anna, "102", "one more");
        town.expect(anna, "202 MESSAGE");
    }
    town.writes(anna, "102", "too many");
    town.expect(anna, "480 MESSAGE");
    town.assert_over();
}

#[test]
fn kept_texts_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let anna = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    town.writes(anna, "102", "over there");
    town.expect(anna, "202 MESSAGE");
    let mut town = town.rebuild(Plan::in_file(path), std::time::Duration::from_secs(5));
    let bert = town.stranger("102");
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    assert_eq!(town.reads(bert, "200 OK").body, "over there");
    town.assert_over();
}
