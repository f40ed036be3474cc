// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts to and from programs.

use std::time::Duration;

use super::{
    super::{
        house::{HOUSE, Plan, person},
        town::password_of,
    },
    *,
};
use crate::{store::records::TextRecord, switchboard::ask::WantedPast};

const PLAIN: &str = "Content-Type: text/plain;charset=UTF-8";

impl Town {
    fn accepts(&mut self, program: u64, message: u64) -> Result<(), Refusal> {
        self.asks(program, |reply| EndpointAsk::AcceptMessage { message, reply }).answer()
    }

    #[track_caller]
    fn told_of_text(&mut self, program: u64, wanted: &str, is_kept: bool) -> u64 {
        let told = self.told(program);
        let Told::Text { message, sender, content_type, content, stored, extension } = told else {
            panic!("{told:?}");
        };
        assert_eq!((&*content, stored), (wanted.as_bytes(), is_kept));
        assert_eq!((content_type.as_str(), extension.as_str()), (&PLAIN[14..], "102"));
        assert!(sender.starts_with("sip:101@"), "{sender}");
        message
    }
}

#[test]
fn a_text_is_delivered_when_the_program_takes_it() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    town.send_request(anna, "MESSAGE", &format!("sip:102@{HOUSE}"), &[PLAIN], "grüß dich");
    let message = town.told_of_text(program, "grüß dich", false);
    town.assert_silent(anna);
    assert!(matches!(town.accepts(program, message + 1), Err(Refusal::NotInThisState(_))));
    assert_eq!(town.accepts(program, message), Ok(()));
    town.expect(anna, "200 MESSAGE");
    assert!(matches!(town.accepts(program, message), Err(Refusal::NotInThisState(_))));
    town.assert_over();
}

#[test]
fn a_text_that_nobody_takes_is_kept_and_comes_again() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    town.send_request(anna, "MESSAGE", &format!("sip:102@{HOUSE}"), &[PLAIN], "later");
    let message = town.told_of_text(program, "later", false);
    town.pass_seconds(9);
    town.expect(anna, "202 MESSAGE");
    assert!(matches!(town.accepts(program, message), Err(Refusal::NotInThisState(_))));
    for available in [false, true] {
        town.asks(program, |reply| EndpointAsk::SetAvailable { available, reply })
            .answer()
            .unwrap();
    }
    let again = town.told_of_text(program, "later", true);
    assert_eq!(town.accepts(program, again), Ok(()));
    for available in [false, true] {
        town.asks(program, |reply| EndpointAsk::SetAvailable { available, reply })
            .answer()
            .unwrap();
    }
    town.nothing_is_told();
    town.assert_over();
}

#[test]
fn a_text_is_kept_at_once_when_the_only_program_leaves() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    town.send_request(anna, "MESSAGE", &format!("sip:102@{HOUSE}"), &[PLAIN], "gone");
    town.told_of_text(program, "gone", false);
    town.ask(Ask::OwnerLeft { owner: OWNER.into() });
    town.collect();
    town.expect(anna, "202 MESSAGE");
    let program = town.program("102");
    let message = town.told_of_text(program, "gone", true);
    assert_eq!(town.accepts(program, message), Ok(()));
    town.assert_over();
}

#[test]
fn a_program_writes_as_its_extension_and_the_reply_is_the_report() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let program = town.program("101");
    let (contact, text) = ("102".to_owned(), "hello".to_owned());
    let mut asked = town.asks(program, |reply| EndpointAsk::SendMessage {
        contact,
        text,
        content_type: None,
        reply,
    });
    let message = town.expect(bert, "MESSAGE");
    assert!(message.header("From").contains("sip:101@"), "{message:?}");
    assert!(asked.is_open());
    town.respond(bert, &message, "200 OK", "t", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));
    town.assert_over();
}

impl Town {
    /// The texts of the past of a program's extension: with whom, what, and how it stands.
    fn past(&mut self, program: u64, contact: &str, unread: bool) -> Vec<String> {
        let wanted = WantedPast { contact: contact.into(), limit: 10, unread };
        let asked = self.asks(program, |reply| EndpointAsk::Texts { wanted, reply });
        let texts = self.wait(asked).expect("the store is there");
        let line = |text: TextRecord| {
            let way = if text.is_sent { "to" } else { "from" };
            let place = if text.is_elsewhere { " elsewhere" } else { "" };
            format!("{way} {}: {} {}{place}", text.contact, text.text, text.state.as_str())
        };
        texts.into_iter().map(line).collect()
    }
}

#[test]
fn texts_are_remembered_on_both_sides_and_unread_until_they_are_read() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    town.send_request(anna, "MESSAGE", &format!("sip:102@{HOUSE}"), &[PLAIN], "one");
    let one = town.told_of_text(program, "one", false);
    assert_eq!(town.accepts(program, one), Ok(()));
    town.expect(anna, "200 MESSAGE");
    let (contact, text) = (format!("sip:101@{HOUSE}"), "two".to_owned());
    let send = |reply| EndpointAsk::SendMessage { contact, text, content_type: None, reply };
    let mut asked = town.asks(program, send);
    let message = town.expect(anna, "MESSAGE");
    assert!(asked.is_open());
    town.respond(anna, &message, "200 OK", "t", &[], "");
    let sent = asked.answer().expect("it is taken");
    assert_eq!(sent.state, "delivered");
    assert_eq!(town.past(program, "", false), ["to 101: two delivered", "from 101: one unread"]);
    assert_eq!(town.past(program, "101", true), ["from 101: one unread"]);
    assert_eq!(town.past(program, "103", false), Vec::<String>::new());
    // Another program of the extension has read it.
    let other = town.program("102");
    let messages = vec![one, 4711];
    town.asks(other, |reply| EndpointAsk::MarkRead { messages, reply }).answer().unwrap();
    assert_eq!(town.past(program, "", true), Vec::<String>::new());
    assert_eq!(town.past(program, "", false), ["to 101: two delivered", "from 101: one read"]);
    // The other side has the same, by a phone.
    let at_anna = town.program("101");
    let seen = ["from 102: two read elsewhere", "to 102: one delivered elsewhere"];
    assert_eq!(town.past(at_anna, "", false), seen);
    town.assert_over();
}

#[test]
fn who_wrote_hears_when_a_kept_text_is_delivered_at_last() {
    let mut town = Town::new();
    let program = town.program("101");
    town.add_extension("102", person(&password_of("102")));
    let (contact, text) = ("102".to_owned(), "later".to_owned());
    let send = |reply| EndpointAsk::SendMessage { contact, text, content_type: None, reply };
    let asked = town.asks(program, send);
    let sent = town.wait(asked).expect("it is kept");
    assert_eq!(sent.state, "stored");
    assert_eq!(town.past(program, "", false), ["to 102: later stored"]);
    let bert = town.phone("102");
    let message = town.expect(bert, "MESSAGE");
    town.respond(bert, &message, "200 OK", "t", &[], "");
    let told = town.told(program);
    let Told::Report { message, contact, state } = told else { panic!("{told:?}") };
    assert_eq!((message, contact.as_str(), state), (sent.message, "102", "delivered"));
    assert_eq!(town.past(program, "", false), ["to 102: later delivered"]);
    town.assert_over();
}

#[test]
fn who_wrote_hears_when_nobody_came_for_a_kept_text() {
    const DAY: u64 = 24 * 3600;
    let mut town = Town::new();
    let program = town.program("101");
    town.add_extension("102", person(&password_of("102")));
    let send = |town: &mut Town, text: &str| {
        let (contact, text) = ("102".to_owned(), text.to_owned());
        let send = |reply| EndpointAsk::SendMessage { contact, text, content_type: None, reply };
        let asked = town.asks(program, send);
        let sent = town.wait(asked).expect("it is kept");
        assert_eq!(sent.state, "stored");
        sent.message
    };
    let first = send(&mut town, "first");
    town.pass_seconds(DAY);
    let second = send(&mut town, "second");
    let kept = town.board.settings.keep_texts.as_secs();
    assert!(kept > 2 * DAY, "{kept}");
    town.pass_seconds(kept - DAY - 10);
    town.nothing_is_told();
    town.pass_seconds(20);
    let told = town.told(program);
    let Told::Report { message, contact, state } = told else { panic!("{told:?}") };
    assert_eq!((message, contact.as_str(), state), (first, "102", "failed"));
    assert_eq!(town.past(program, "", false), ["to 102: second stored", "to 102: first failed"]);
    // Only the other one waits for who comes.
    let bert = town.phone("102");
    let message = town.expect(bert, "MESSAGE");
    assert_eq!(message.body, "second");
    town.respond(bert, &message, "200 OK", "t", &[], "");
    let told = town.told(program);
    assert!(matches!(told, Told::Report { message, .. } if message == second), "{told:?}");
    town.pass_seconds(2 * DAY);
    town.nothing_is_told();
}

#[test]
fn what_expired_while_the_service_was_off_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let program = town.program("101");
    town.add_extension("102", person(&password_of("102")));
    let (contact, text) = ("102".to_owned(), "late".to_owned());
    let send = |reply| EndpointAsk::SendMessage { contact, text, content_type: None, reply };
    let asked = town.asks(program, send);
    assert_eq!(town.wait(asked).expect("it is kept").state, "stored");
    let kept = town.board.settings.keep_texts;
    let mut town = town.rebuild(Plan::in_file(path), kept + Duration::from_secs(1));
    let program = town.program("101");
    assert_eq!(town.past(program, "", false), ["to 102: late failed"]);
}

#[test]
fn that_somebody_writes_is_told_and_neither_kept_nor_remembered() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let program = town.program("101");
    let send = |kind: &str, reply| EndpointAsk::SendMessage {
        contact: "102".into(),
        text: "<isComposing/>".into(),
        content_type: Some(kind.into()),
        reply,
    };
    let asked = town.asks(program, |reply| send("application/im-iscomposing+xml", reply));
    let message = town.expect(bert, "MESSAGE");
    assert_eq!(message.header("Content-Type"), "application/im-iscomposing+xml");
    town.respond(bert, &message, "415 Unsupported Media Type", "t", &[], "");
    assert!(matches!(asked.answer(), Err(Refusal::NoRoute(_))));
    let asked = town.asks(program, |reply| send("text/html", reply));
    assert!(matches!(asked.answer(), Err(Refusal::BadValue(_))));
    assert_eq!(town.past(program, "", false), Vec::<String>::new());
    town.assert_over();
}

#[test]
fn the_far_end_of_a_call_writes_within_it() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    town.program_answers(program, leg, &described(50_000)).unwrap();
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    assert!(matches!(town.told(program), Told::Confirmed { .. }));

    let mixed = "--x\r\nContent-Type: text/html\r\n\r\n<b>look</b>\r\n\
                 --x\r\nContent-Type: text/plain;charset=UTF-8\r\n\r\nlook\r\n--x--";
    let kind = "Content-Type: multipart/alternative;boundary=x";
    town.tell(&mut at_anna, "MESSAGE", &[kind], mixed);
    let told = town.told(program);
    let Told::Text { message, sender, content_type, content, .. } = told else {
        panic!("{told:?}")
    };
    assert!(sender.starts_with("sip:101@"), "{sender}");
    assert_eq!((content_type.as_str(), &content[..]), (&PLAIN[14..], b"look".as_slice()));
    assert_eq!(town.accepts(program, message), Ok(()));
    town.heard(&mut at_anna, "200 MESSAGE");
    assert_eq!(town.past(program, "101", true), ["from 101: look unread"]);

    // What is no text, and what nobody takes, is refused: it does not wait.
    town.tell(&mut at_anna, "MESSAGE", &["Content-Type: multipart/mixed;boundary=x"], "--x--");
    let refused = town.heard(&mut at_anna, "415 MESSAGE");
    assert!(refused.header("Accept").contains("text/plain"), "{refused:?}");
    town.tell(&mut at_anna, "MESSAGE", &[PLAIN], "gone");
    assert!(matches!(town.told(program), Told::Text { .. }));
    town.pass_seconds(9);
    town.heard(&mut at_anna, "480 MESSAGE");
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn phones_get_a_body_of_several_parts_as_it_came_and_its_text_waits_for_those_to_come() {
    const MIXED: &str = "multipart/mixed;boundary=x";
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let to = format!("sip:102@{HOUSE}");
    let kind = format!("Content-Type: {MIXED}");
    let mixed = "--x\r\n\r\nwords\r\n--x\r\nContent-Type: image/png\r\n\r\n\0\r\n--x--";
    town.send_request(anna, "MESSAGE", &to, &[&kind], mixed);
    let message = town.expect(bert, "MESSAGE");
    assert_eq!((message.header("Content-Type"), message.body.as_str()), (MIXED, mixed));
    town.respond(bert, &message, "200 OK", "t", &[], "");
    town.expect(anna, "200 MESSAGE");

    let nothing = "--x\r\nContent-Type: image/png\r\n\r\n\0\r\n--x--";
    town.send_request(anna, "MESSAGE", &to, &[&kind], nothing);
    let message = town.expect(bert, "MESSAGE");
    assert_eq!(message.body, nothing);
    town.respond(bert, &message, "415 Unsupported Media Type", "t", &[], "");
    let refused = town.expect(anna, "415 MESSAGE");
    assert!(refused.header("Accept").contains("text/plain"), "{refused:?}");

    // A program gets the words, and nothing where there are none.
    let program = town.program("104");
    let to = format!("sip:104@{HOUSE}");
    town.send_request(anna, "MESSAGE", &to, &[&kind], nothing);
    town.expect(anna, "415 MESSAGE");
    town.send_request(anna, "MESSAGE", &to, &[&kind], mixed);
    let Told::Text { message, content_type, content, .. } = town.told(program) else { panic!() };
    assert_eq!((content_type.as_str(), &*content), ("text/plain", &b"words"[..]));
    assert_eq!(town.accepts(program, message), Ok(()));
    town.expect(anna, "200 MESSAGE");

    // Nobody is there: the words wait.
    town.add_extension("103", person(&password_of("103")));
    let to = format!("sip:103@{HOUSE}");
    town.send_request(anna, "MESSAGE", &to, &[&kind], mixed);
    town.expect(anna, "202 MESSAGE");
    let charlie = town.phone("103");
    let message = town.expect(charlie, "MESSAGE");
    assert_eq!((message.header("Content-Type"), message.body.as_str()), ("text/plain", "words"));
    town.respond(charlie, &message, "200 OK", "t", &[], "");
    town.assert_over();
}
