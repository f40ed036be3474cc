// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that are phones, and callers who are blocked.

use super::{
    super::{
        super::ask::{EndpointAsk, EndpointDial, NewEndpoint},
        text::sdp,
    },
    *,
};
use crate::accounts::Holder;

const OWNER: &str = ":1.42";

impl Town {
    fn is_told_nothing(&self) {
        let told = |notice: &Notice| matches!(notice, Notice::Program(_));
        assert!(!self.notices.iter().any(told), "{:#?}", self.notices);
    }
}

#[test]
fn a_program_hears_nothing_of_who_is_blocked() {
    let (mut town, anna, provider, contact) = online();
    town.program("101");
    town.blocks(&["+4930901820"], "").unwrap();
    let talk = town.called_by(provider, EVE, &contact);
    assert_eq!(town.refused(&talk).status(), Some(480));
    town.is_told_nothing();
    town.assert_silent(anna);
}

#[test]
fn nor_does_one_with_an_account_of_its_own() {
    let mut town = Town::of(plan());
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up_for(account("its", "provider.test"), Holder::Program(Some(OWNER.into())));
    let contact = town.let_in(provider).address("Contact").to_owned();
    let endpoint = NewEndpoint {
        account: Some("its".into()),
        name: "client".into(),
        ..NewEndpoint::default()
    };
    let owner = Some(OWNER.to_owned());
    let asked = town.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply });
    let phone = asked.answer().unwrap();
    let available = true;
    town.asks(phone, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
    town.blocks(&["+4930901820"], "").unwrap();
    let talk = town.called_by(provider, EVE, &contact);
    assert_eq!(town.refused(&talk).status(), Some(480));
    town.is_told_nothing();
    assert_eq!(town.history()[0].blocked, "+4930901820");
    town.unblocks(&["+4930901820"]).unwrap();
    town.called_by(provider, EVE, &contact);
    assert!(town.notices.iter().any(|notice| matches!(notice, Notice::Program(_))));
}

#[test]
fn a_program_of_a_blocked_extension_is_told_that_nobody_is_in() {
    let (mut town, anna, provider, _) = online();
    let program = town.program("102");
    town.blocks(&["102"], "").unwrap();
    let offer = || sdp("program", 50_000, "sendrecv").into_bytes().into();
    let dial = |town: &mut Town, contact: &str| {
        let (contact, offer) = (contact.to_owned(), offer());
        let options = EndpointDial::default();
        town.asks(program, |reply| EndpointAsk::Dial { contact, offer, options, reply }).answer()
    };
    let refusal = dial(&mut town, "101").expect_err("nobody is in");
    assert!(matches!(&refusal, Refusal::NoRoute(words) if !words.contains("lock")), "{refusal:?}");
    town.assert_silent(anna);
    town.nobody_heard_of_a_call();
    assert_eq!(town.history()[0].blocked, "102");
    assert!(dial(&mut town, "+4940123456").is_ok(), "out of the house it calls");
    town.rung(provider);
}
