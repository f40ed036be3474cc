// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that are the phone of an account of their own.

use sipwitch_core::call::LegId;

use super::{
    super::{
        super::ask::{Ask, EndpointAsk, NewEndpoint, Refusal, WantedPast},
        lines::provider::account,
        town::{Phone, Town},
    },
    OWNER, described,
};
use crate::{accounts::Holder, switchboard::notice::Notice, switchboard::notice::Told};

const PLAIN: &str = "Content-Type: text/plain";

/// A house with phone 101, and a program with an account that is online: its phone, the provider,
/// and the Contact there.
fn bound() -> (Town, Phone, u64, Phone, String) {
    let mut town = Town::new();
    let anna = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up_for(account("its", "provider.test"), Holder::Program(Some(OWNER.into())));
    let contact = town.let_in(provider).address("Contact").to_owned();
    let phone = register(&mut town, Some("its"), OWNER).unwrap();
    let available = true;
    town.asks(phone, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
    (town, anna, phone, provider, contact)
}

fn register(town: &mut Town, account: Option<&str>, owner: &str) -> Result<u64, Refusal> {
    let account = account.map(str::to_owned);
    let name = "client".into();
    let endpoint = NewEndpoint { account, name, marks_read: true, ..NewEndpoint::default() };
    let owner = Some(owner.to_owned());
    town.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply }).answer()
}

#[test]
fn what_a_program_dials_goes_by_its_account_and_not_into_the_house() {
    let (mut town, anna, phone, provider, _) = bound();
    // The house has a 101 too.
    let leg = town.program_calls(phone, "101", &described(50_000));
    let mut outside = town.rung(provider);
    assert_eq!(outside.invite.uri(), "sip:101@provider.test");
    assert_eq!(outside.invite.address("From"), "sip:alice@provider.test");
    town.reply(&outside, "486 Busy Here", "");
    town.heard(&mut outside, "ACK");
    town.told_of_end(phone, leg, "busy");
    // The phones of the house have no line.
    let at_anna = town.dial(anna, "+4930901820");
    assert_eq!(town.refused(&at_anna).status(), Some(404));
    // In an emergency it is everybody's.
    let at_anna = town.dial(anna, "112");
    let help = town.rung(provider);
    assert_eq!(help.invite.uri(), "sip:112@provider.test");
    town.cancel(&at_anna);
}

#[test]
fn what_comes_by_the_account_of_a_program_reaches_that_alone() {
    let (mut town, anna, phone, provider, contact) = bound();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    let (leg, heard): (LegId, _) = town.told_of_call(phone);
    assert_eq!(heard, offer.as_bytes());
    assert!(town.find(anna, |text| text.kind() == "INVITE").is_none(), "not at 101");
    town.program_answers(phone, leg, &described(50_000)).unwrap();
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    assert!(matches!(town.told(phone), Told::Confirmed { .. }));

    town.send_request(provider, "MESSAGE", &contact, &[PLAIN], "hello");
    let Told::Text { message, content, .. } = town.told(phone) else { panic!("no text came") };
    assert_eq!(content, "hello".as_bytes());
    town.asks(phone, |reply| EndpointAsk::AcceptMessage { message, reply }).answer().unwrap();
    town.expect(provider, "200 MESSAGE");
    let (contact, text) = ("bob".to_owned(), "soon".to_owned());
    let asked = town.asks(phone, |reply| EndpointAsk::SendMessage {
        contact,
        text,
        content_type: None,
        reply,
    });
    let message = town.expect(provider, "MESSAGE");
    assert_eq!(message.uri(), "sip:bob@provider.test");
    town.respond(provider, &message, "200 OK", "p", &[], "");
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("delivered"));

    // It leaves without its account.
    let available = false;
    town.asks(phone, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
}

#[test]
fn what_nobody_has_read_is_there_for_the_next_program_with_that_address() {
    let (mut town, _, phone, provider, contact) = bound();
    for text in ["one", "two"] {
        town.send_request(provider, "MESSAGE", &contact, &[PLAIN], text);
        let Told::Text { message, .. } = town.told(phone) else { panic!("no text came") };
        town.asks(phone, |reply| EndpointAsk::AcceptMessage { message, reply }).answer().unwrap();
        town.expect(provider, "200 MESSAGE");
    }
    let unread = |town: &mut Town, phone| {
        let wanted = WantedPast { contact: String::new(), limit: 10, unread: true };
        let asked = town.asks(phone, |reply| EndpointAsk::Texts { wanted, reply });
        town.wait(asked).expect("the store is there")
    };
    // The program dies, and its account with it.
    town.sign_off("its");
    let gone = town.expect(provider, "REGISTER");
    town.respond(provider, &gone, "200 OK", "p", &[], "");
    town.sign_up_for(account("another", "provider.test"), Holder::Program(Some(OWNER.into())));
    town.let_in(provider);
    let phone = register(&mut town, Some("another"), OWNER).unwrap();
    let texts = unread(&mut town, phone);
    let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    assert_eq!(words, ["two", "one"]);
    assert_eq!(texts[0].extension, "sip:alice@provider.test");
    let messages = vec![texts[1].id];
    town.asks(phone, |reply| EndpointAsk::MarkRead { messages, reply }).answer().unwrap();
    assert_eq!(unread(&mut town, phone).len(), 1);

    // Neither the house nor another address has them.
    let other = town.program("101");
    assert_eq!(unread(&mut town, other), []);
    town.sign_up_for(account("third", "other.test"), Holder::Program(Some(OWNER.into())));
    let phone = register(&mut town, Some("third"), OWNER).unwrap();
    assert_eq!(unread(&mut town, phone), []);
}

#[test]
fn an_account_of_a_program_is_its_own_phone_alone_and_takes_it_along() {
    let (mut town, _, phone, ..) = bound();
    assert!(town.line("its").transient);
    let refused = register(&mut town, Some("its"), ":1.43");
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    town.sign_up(account("stored", "other.test"));
    let refused = register(&mut town, Some("stored"), OWNER);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    let refused = register(&mut town, Some("nobodys"), OWNER);
    assert!(matches!(refused, Err(Refusal::NotFound { kind: "account", .. })), "{refused:?}");
    let both = NewEndpoint {
        account: Some("its".into()),
        extension: Some("101".into()),
        ..NewEndpoint::default()
    };
    let owner = Some(OWNER.to_owned());
    let asked = town.wish(|reply| Ask::RegisterEndpoint { endpoint: both, owner, reply });
    assert!(matches!(asked.answer(), Err(Refusal::BadValue(_))));

    town.sign_off("its");
    assert!(town.notices.contains(&Notice::PhoneGone(phone)));
}
