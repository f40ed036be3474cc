// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that ask what they may not, or what makes no sense.

use super::*;

#[track_caller]
fn is_bad<T: std::fmt::Debug>(answer: Result<T, Refusal>) {
    assert!(matches!(answer, Err(Refusal::BadValue(_))), "{answer:?}");
}

#[track_caller]
fn is_wrong_now<T: std::fmt::Debug>(answer: Result<T, Refusal>) {
    assert!(matches!(answer, Err(Refusal::NotInThisState(_))), "{answer:?}");
}

#[test]
fn what_is_no_description_is_refused_and_the_call_goes_on_ringing() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    let mut long = b"v=0\r\n".to_vec();
    long.resize(64 * 1024 + 1, b'a');
    for bad in [&b""[..], b"INVITE sip:x SIP/2.0\r\n", b"v=1\r\n", &long] {
        is_bad(town.program_answers(program, leg, &Bytes::copy_from_slice(bad)));
        let (contact, offer) = ("101".to_owned(), Bytes::copy_from_slice(bad));
        let options = EndpointDial::default();
        let asked =
            town.asks(program, |reply| EndpointAsk::Dial { contact, offer, options, reply });
        is_bad(asked.answer());
    }
    for sip_code in [0, 100, 181, 200, 486, u32::MAX] {
        let description = Bytes::new();
        let rings = |reply| EndpointAsk::ShowProgress { leg, sip_code, description, reply };
        is_bad(town.asks(program, rings).answer());
    }
    for (sip_code, q850, words) in [
        (Some(200), None, ""),
        (Some(399), None, ""),
        (Some(700), None, ""),
        (Some(u32::MAX), None, ""),
        (Some(486), Some(0), ""),
        (Some(486), Some(128), ""),
        (Some(486), None, "two\r\nlines"),
    ] {
        let why = Leaving { sip_code, q850, words: Some(words.into()) };
        is_bad(town.asks(program, |reply| EndpointAsk::Reject { leg, why, reply }).answer());
    }
    town.nothing_is_told();
    town.assert_silent(anna);
    town.cancel(&at_anna);
    town.heard(&mut at_anna, "200 CANCEL");
    town.refused(&at_anna);
    town.told_of_end(program, leg, "cancelled");
    town.assert_over();
}

#[test]
fn what_does_not_apply_to_a_leg_is_refused_in_each_of_its_states() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    let not_yet = |town: &mut Town, leg| {
        let description = described(50_000);
        let offers = |reply| EndpointAsk::Offer { leg, description, reply };
        is_wrong_now(town.asks(program, offers).answer());
        let tones = "1".to_owned();
        let sends = |reply| EndpointAsk::SendTones { leg, tones, reply };
        is_wrong_now(town.asks(program, sends).answer());
        let (contact, other) = ("101".to_owned(), None);
        let moves = |reply| EndpointAsk::Transfer { leg, contact, other, reply };
        is_wrong_now(town.asks(program, moves).answer());
    };
    not_yet(&mut town, leg);
    let (exchange, description) = (7, described(50_000));
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    is_wrong_now(town.asks(program, answers).answer());
    town.program_answers(program, leg, &described(50_000)).unwrap();
    is_wrong_now(town.program_answers(program, leg, &described(50_000)));
    let why = Leaving { sip_code: Some(486), ..Leaving::default() };
    is_wrong_now(town.asks(program, |reply| EndpointAsk::Reject { leg, why, reply }).answer());
    town.told(program);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    for tones in ["", "x", &"1".repeat(65)] {
        let tones = tones.to_owned();
        is_bad(town.asks(program, |reply| EndpointAsk::SendTones { leg, tones, reply }).answer());
    }
    let (contact, other) = (String::new(), Some(leg));
    is_bad(
        town.asks(program, |reply| EndpointAsk::Transfer { leg, contact, other, reply }).answer(),
    );
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    for leg in [leg, LegId(0), LegId(u64::MAX)] {
        let gone = town.program_answers(program, leg, &described(50_000));
        assert!(matches!(gone, Err(Refusal::NotFound { kind: "call", .. })), "{gone:?}");
    }
    let dialled = town.program_calls(program, "101", &described(50_000));
    not_yet(&mut town, dialled);
    let at_anna = town.rung(anna);
    town.reply(&at_anna, "180 Ringing", "");
    town.told(program);
    town.program_hangs_up(program, dialled);
    town.cancelled(&at_anna);
    town.told_of_end(program, dialled, "cancelled");
    town.assert_over();
}

#[test]
fn a_program_reaches_neither_anothers_phone_nor_anothers_legs() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let other = town.quiet_program("103", ":1.99");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    let description = described(50_000);
    let answers = |reply| EndpointAsk::Answer { leg, description, reply };
    let refused = town.asks_as(program, ":1.99", answers).answer();
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    let description = described(50_000);
    let answers = |reply| EndpointAsk::Answer { leg, description, reply };
    let refused = town.asks_as(other, ":1.99", answers).answer();
    assert!(matches!(refused, Err(Refusal::NotFound { kind: "call", .. })), "{refused:?}");
    town.cancel(&at_anna);
    town.heard(&mut at_anna, "200 CANCEL");
    town.refused(&at_anna);
    town.told_of_end(program, leg, "cancelled");
    town.assert_over();
}

#[test]
fn programs_are_as_many_as_their_bounds_say() {
    let mut town = Town::new();
    town.add_extension("102", person(&password_of("102")));
    let register = |town: &mut Town, owner: &str, name: &str| {
        let endpoint = NewEndpoint { name: name.into(), ..NewEndpoint::default() };
        let owner = Some(owner.to_owned());
        town.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply }).answer()
    };
    is_bad(register(&mut town, ":1.0", &"x".repeat(129)));
    is_bad(register(&mut town, ":1.0", "two\nlines"));
    for owner in 0..4 {
        for _ in 0..8 {
            register(&mut town, &format!(":1.{owner}"), "one").unwrap();
        }
        let ninth = register(&mut town, &format!(":1.{owner}"), "one");
        assert!(matches!(ninth, Err(Refusal::TooMany(_))), "{ninth:?}");
    }
    let more = register(&mut town, ":1.9", "one");
    assert!(matches!(more, Err(Refusal::TooMany(_))), "{more:?}");
    town.ask(Ask::OwnerLeft { owner: ":1.2".into() });
    town.collect();
    assert!(register(&mut town, ":1.9", "one").is_ok());
    town.add_extension("103", person(&password_of("103")));
    let whose = register(&mut town, ":1.9", "one");
    assert!(matches!(whose, Err(Refusal::NotFound { kind: "extension", .. })), "{whose:?}");
    town.wish(|reply| Ask::RemoveExtension { number: "102".into(), reply }).answer().unwrap();
    assert_eq!(town.board.programs.views().count(), 0, "its programs went with it");
    town.assert_over();
}

#[test]
fn a_call_that_nothing_can_carry_is_refused_before_it_begins() {
    let mut town = Town::new();
    let program = town.program("101");
    let dial = |town: &mut Town, contact: &str| {
        let (contact, offer) = (contact.to_owned(), described(50_000));
        let options = EndpointDial::default();
        town.asks(program, |reply| EndpointAsk::Dial { contact, offer, options, reply }).answer()
    };
    let refused = dial(&mut town, "112");
    assert!(matches!(refused, Err(Refusal::EmergencyUnavailable(_))), "{refused:?}");
    let refused = dial(&mut town, "+4930123456");
    assert!(matches!(refused, Err(Refusal::NoRoute(_))), "{refused:?}");
    let refused = dial(&mut town, "sip:");
    assert!(matches!(refused, Err(Refusal::BadContact(_))), "{refused:?}");
    // Its own extension has no other phone, and its own does not ring.
    let refused = dial(&mut town, "101");
    assert!(matches!(refused, Err(Refusal::NoRoute(_))), "{refused:?}");
    town.nothing_is_told();
    town.assert_over();
}
