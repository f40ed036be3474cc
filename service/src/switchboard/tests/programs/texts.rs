// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts to and from programs.

use super::{super::house::HOUSE, *};

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
    let mut asked = town.asks(program, |reply| EndpointAsk::SendMessage { contact, text, reply });
    let message = town.expect(bert, "MESSAGE");
    assert!(message.header("From").contains("sip:101@"), "{message:?}");
    assert!(asked.is_open());
    town.respond(bert, &message, "200 OK", "t", &[], "");
    assert_eq!(asked.answer(), Ok("delivered"));
    town.assert_over();
}
