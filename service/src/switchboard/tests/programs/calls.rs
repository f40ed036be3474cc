// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls to and from programs, as far as the answer.

use super::{super::text::Text, *};
use crate::switchboard::ask::DialOptions;

/// The body as it crossed the wire, which need not be text.
fn same(text: &Text, bytes: &Bytes) -> bool {
    text.body == String::from_utf8_lossy(bytes)
}

#[test]
fn a_phone_calls_a_program_and_their_descriptions_cross_untouched() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let offer = town.sdp(anna);
    let mut at_anna = town.dial(anna, "102");
    let told = town.told(program);
    let Told::Incoming { leg, call, offer: came, caller, dialled, diverted_by, .. } = told else {
        panic!("{told:?}");
    };
    assert_eq!((call, &*came, diverted_by), (FIRST, offer.as_bytes(), None));
    assert_eq!((caller.as_str(), dialled.as_str()), ("101", "102"));
    assert_eq!(town.view(FIRST).legs[1].phone, Some(program));

    let (description, sip_code) = (Bytes::new(), 180);
    let rings = |reply| EndpointAsk::ShowProgress { leg, sip_code, description, reply };
    assert_eq!(town.asks(program, rings).answer(), Ok(()));
    town.heard(&mut at_anna, "180 INVITE");
    assert_eq!(town.view(FIRST).state, "ringing");

    let answer = described(50_000);
    assert_eq!(town.program_answers(program, leg, &answer), Ok(()));
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert!(same(&ok, &answer), "{ok:?}");
    let confirmed = town.told(program);
    assert_eq!(confirmed, Told::Confirmed { leg, description: Bytes::new() });
    town.ack(&at_anna, "");
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn a_program_calls_a_phone_and_hears_nothing_of_the_leg_before_it_knows_its_number() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let program = town.program("101");
    let offer = described(50_000);
    let dial = |reply| EndpointAsk::Dial {
        contact: "102".into(),
        offer: offer.clone(),
        options: EndpointDial { display: Some("Zoë".into()), ..EndpointDial::default() },
        reply,
    };
    let (leg, call) = town.asks(program, dial).answer().unwrap();
    assert_eq!(call, FIRST);
    let mut at_bert = town.rung(bert);
    assert!(same(&at_bert.invite, &offer), "{:?}", at_bert.invite);
    let from = at_bert.invite.header("From");
    assert!(from.contains("Zoë") && from.contains("101@"), "{from}");
    let early = town.sdp(bert);
    town.reply(&at_bert, "183 Session Progress", &early);
    town.nothing_is_told();
    town.release(program, leg);
    let told = town.told(program);
    let Told::Progress { sip_code, description, fork, .. } = &told else { panic!("{told:?}") };
    assert_eq!((*sip_code, &**description), (183, early.as_bytes()));
    let early_fork = *fork;

    town.reply(&at_bert, "200 OK", &early);
    town.heard(&mut at_bert, "ACK");
    let description = Bytes::from(early);
    assert_eq!(town.told(program), Told::Answered { leg, fork: early_fork, description });
    assert_eq!(town.view(FIRST).state, "connected");
    assert_eq!(town.view(FIRST).legs[0].phone, Some(program));
    town.program_hangs_up(program, leg);
    town.ended(&mut at_bert);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn programs_call_each_other() {
    let mut town = Town::new();
    let (anna, bert) = (town.program("101"), town.program("102"));
    let (offer, answer) = (described(50_000), described(50_002));
    let at_anna = town.program_calls(anna, "102", &offer);
    let (at_bert, came) = town.told_of_call(bert);
    assert_eq!(came, offer);
    town.program_answers(bert, at_bert, &answer).unwrap();
    let told = [town.told_to().unwrap(), town.told_to().unwrap()];
    assert!(told.iter().any(|(to, told)| *to == anna
        && *told == Told::Answered { leg: at_anna, fork: 0, description: answer.clone() }));
    assert!(told.iter().any(|(to, told)| *to == bert
        && *told == Told::Confirmed { leg: at_bert, description: Bytes::new() }));
    town.program_hangs_up(bert, at_bert);
    town.told_of_end(bert, at_bert, "hung-up");
    town.told_of_end(anna, at_anna, "hung-up");
    town.assert_over();
}

#[test]
fn a_program_and_a_phone_ring_together_and_the_first_answer_wins() {
    for program_is_first in [true, false] {
        let mut town = Town::new();
        let (anna, bert) = (town.phone("101"), town.phone("102"));
        let program = town.program("102");
        let mut at_anna = town.dial(anna, "102");
        let mut at_bert = town.rung(bert);
        let (leg, _) = town.told_of_call(program);
        town.reply(&at_bert, "180 Ringing", "");
        town.heard(&mut at_anna, "180 INVITE");
        let answer = town.sdp(bert);
        if program_is_first {
            town.program_answers(program, leg, &described(50_000)).unwrap();
            let cancel = town.cancelled(&at_bert);
            assert!(cancel.header("Reason").contains("completed elsewhere"), "{cancel:?}");
            town.heard(&mut at_anna, "200 INVITE");
            town.ack(&at_anna, "");
            town.told(program);
            town.hang_up(&mut at_anna);
            town.told_of_end(program, leg, "hung-up");
        } else {
            town.reply(&at_bert, "200 OK", &answer);
            town.told_of_end(program, leg, "answered-elsewhere");
            let late = town.program_answers(program, leg, &described(50_000));
            assert!(matches!(late, Err(Refusal::NotFound { kind: "call", .. })), "{late:?}");
            town.heard(&mut at_bert, "ACK");
            town.heard(&mut at_anna, "200 INVITE");
            town.ack(&at_anna, "");
            town.hang_up(&mut at_bert);
            town.ended(&mut at_anna);
        }
        town.nothing_is_told();
        town.assert_over();
    }
}

#[test]
fn a_caller_who_gives_up_and_a_program_that_gives_up_are_told_apart_from_no_answer() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    town.cancel(&at_anna);
    town.told_of_end(program, leg, "cancelled");
    town.heard(&mut at_anna, "200 CANCEL");
    town.refused(&at_anna);

    let leg = town.program_calls(program, "101", &described(50_000));
    let at_anna = town.rung(anna);
    town.reply(&at_anna, "180 Ringing", "");
    town.told(program);
    town.program_hangs_up(program, leg);
    town.cancelled(&at_anna);
    town.told_of_end(program, leg, "cancelled");

    let at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    town.pass_seconds(300);
    town.told_of_end(program, leg, "no-answer");
    let refusal = town.refused(&at_anna);
    assert_eq!(refusal.status(), Some(480), "{refusal:?}");
    town.assert_over();
}

#[test]
fn a_program_rejects_with_the_cause_it_says_and_hears_why_others_reject() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    for (code, reason) in [(486, "busy"), (603, "declined"), (488, "media")] {
        let at_anna = town.dial(anna, "102");
        let (leg, _) = town.told_of_call(program);
        let why = Leaving { sip_code: Some(code), q850: None, words: Some("not now".into()) };
        town.asks(program, |reply| EndpointAsk::Reject { leg, why, reply }).answer().unwrap();
        town.told_of_end(program, leg, reason);
        assert_eq!(town.refused(&at_anna).status(), u16::try_from(code).ok());

        let leg = town.program_calls(program, "101", &described(50_000));
        let mut at_anna = town.rung(anna);
        town.reply(&at_anna, &format!("{code} No"), "");
        town.heard(&mut at_anna, "ACK");
        town.told_of_end(program, leg, reason);
    }
    town.assert_over();
}

#[test]
fn only_an_available_program_rings_and_one_for_all_calls_rings_for_everybody() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let quiet = town.quiet_program("102", OWNER);
    let at_anna = town.dial(anna, "102");
    assert_eq!(town.refused(&at_anna).status(), Some(480));
    town.nothing_is_told();
    assert_eq!(
        town.board.extension_view(town.board.directory.find("102").unwrap()).phones,
        [quiet]
    );

    let endpoint = NewEndpoint {
        account: None,
        extension: Some("101".into()),
        name: String::new(),
        all_calls: true,
        anchored: false,
        marks_read: false,
    };
    let owner = Some(OWNER.to_owned());
    let asked = town.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply });
    let all = asked.answer().unwrap();
    let available = true;
    town.asks(all, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(all);
    town.cancel(&at_anna);
    town.heard(&mut at_anna, "200 CANCEL");
    town.refused(&at_anna);
    town.told_of_end(all, leg, "cancelled");
    town.assert_over();
}

#[test]
fn a_program_that_dies_has_its_calls_ended_and_is_no_phone_any_more() {
    let mut town = Town::new();
    let (anna, carl) = (town.phone("101"), town.phone("103"));
    let program = town.program("102");
    let talking = town.program_calls(program, "101", &described(50_000));
    let mut at_anna = town.rung(anna);
    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    town.told(program);
    let at_carl = town.dial(carl, "102");
    let (ringing, _) = town.told_of_call(program);

    town.ask(Ask::OwnerLeft { owner: OWNER.into() });
    town.collect();
    let bye = town.ended(&mut at_anna);
    assert!(bye.header("Reason").contains("31"), "{bye:?}");
    assert_eq!(town.refused(&at_carl).status(), Some(480));
    town.told_of_end(program, talking, "program-gone");
    town.told_of_end(program, ringing, "program-gone");
    assert!(town.notices.contains(&Notice::PhoneGone(program)));
    let late = town.program_answers(program, ringing, &described(50_000));
    assert!(matches!(late, Err(Refusal::NotFound { kind: "phone", .. })), "{late:?}");
    let at_carl = town.dial(carl, "102");
    assert_eq!(town.refused(&at_carl).status(), Some(480));
    town.assert_over();
}

#[test]
fn a_call_can_be_answered_over_the_bus_where_a_program_rings() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    assert_eq!(town.wish(|reply| Ask::Answer { call: FIRST, reply }).answer(), Ok(()));
    assert_eq!(town.told(program), Told::AnswerWanted { leg });
    town.program_answers(program, leg, &described(50_000)).unwrap();
    town.told(program);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    let again = town.wish(|reply| Ask::Answer { call: FIRST, reply }).answer();
    assert!(matches!(again, Err(Refusal::NotInThisState(_))), "{again:?}");
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn a_program_is_the_users_phone_when_another_program_dials() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let program = town.program("101");
    let options = DialOptions { from: Some("101".into()), ..DialOptions::default() };
    let (contact, owner) = ("102".to_owned(), Some(":1.7".to_owned()));
    town.wish(|reply| Ask::Dial { contact, options, owner, reply }).answer().unwrap();
    let (leg, offer) = town.told_of_call(program);
    assert!(offer.is_empty(), "the program is to offer");
    let offer = described(50_000);
    town.program_answers(program, leg, &offer).unwrap();
    let told = town.told(program);
    let Told::Confirmed { description, .. } = &told else { panic!("{told:?}") };
    assert!(String::from_utf8_lossy(description).contains("a=inactive"), "{told:?}");
    let mut at_bert = town.rung(bert);
    assert!(same(&at_bert.invite, &offer));
    let answer = town.sdp(bert);
    town.reply(&at_bert, "200 OK", &answer);
    town.heard(&mut at_bert, "ACK");
    let told = town.told(program);
    let Told::Offered { exchange, held, description, .. } = told else { panic!("{told:?}") };
    assert!(!held && String::from_utf8_lossy(&description).contains("m=audio 40000"));
    let second = String::from_utf8_lossy(&offer).replace(" 7 1 ", " 7 2 ");
    let description = Bytes::from(second);
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    assert_eq!(town.asks(program, answers).answer(), Ok(()));
    // The same places as before: nothing is to be told to the other phone.
    town.assert_silent(bert);
    assert_eq!(town.view(FIRST).state, "connected");
    let told = town.told(program);
    assert!(matches!(&told, Told::Party { address, .. } if address == "102"), "{told:?}");
    town.hang_up(&mut at_bert);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}
