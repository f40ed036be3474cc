// SPDX-License-Identifier: GPL-3.0-or-later
//! What programs and their far ends do to each other while they talk.

use super::{super::talk::Talk, super::town::Phone, *};

/// A phone and a program that talk.
fn talking() -> (Town, Phone, Talk, u64, LegId) {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let leg = town.program_calls(program, "101", &described(50_000));
    let mut at_anna = town.rung(anna);
    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    town.told(program);
    (town, anna, at_anna, program, leg)
}

fn over(mut town: Town, mut at_anna: Talk, program: u64, leg: LegId) {
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn a_phone_holds_and_resumes_and_the_program_sees_it() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    for (direction, is_held, state) in
        [("sendonly", true, "held"), ("sendrecv", false, "connected")]
    {
        let offer = town.sdp(anna).replace("sendrecv", direction);
        town.tell(&mut at_anna, "INVITE", &[], &offer);
        let told = town.told(program);
        let Told::Offered { exchange, description, held, .. } = told else { panic!("{told:?}") };
        assert_eq!((&*description, held), (offer.as_bytes(), is_held));
        let description = described(50_000);
        let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
        assert_eq!(town.asks(program, answers).answer(), Ok(()));
        let ok = town.heard(&mut at_anna, "200 INVITE");
        assert_eq!(ok.body, String::from_utf8_lossy(&described(50_000)));
        town.ack(&at_anna, "");
        assert_eq!(town.view(FIRST).state, state);
    }
    over(town, at_anna, program, leg);
}

#[test]
fn a_program_offers_anew_and_hears_what_came_of_it() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    let hold = Bytes::from(sdp("program", 50_000, "sendonly"));
    let description = hold.clone();
    let offers = |reply| EndpointAsk::Offer { leg, description, reply };
    let exchange = town.asks(program, offers).answer().unwrap();
    let reinvite = town.heard(&mut at_anna, "INVITE");
    assert_eq!(reinvite.body.as_bytes(), &*hold);
    let description = hold.clone();
    let offers = |reply| EndpointAsk::Offer { leg, description, reply };
    let second = town.asks(program, offers).answer();
    assert!(matches!(second, Err(Refusal::NotInThisState(_))), "{second:?}");
    let answer = town.sdp(anna).replace("sendrecv", "recvonly");
    town.answer(&at_anna, &reinvite, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    town.nothing_is_told();
    town.release(program, leg);
    let told = town.told(program);
    let Told::OfferAnswered { exchange: of, sip_code, description, .. } = told else {
        panic!("{told:?}");
    };
    assert_eq!((of, sip_code, &*description), (exchange, 200, answer.as_bytes()));
    assert_eq!(town.view(FIRST).state, "held");

    let description = described(50_002);
    let offers = |reply| EndpointAsk::Offer { leg, description, reply };
    let exchange = town.asks(program, offers).answer().unwrap();
    town.release(program, leg);
    let reinvite = town.heard(&mut at_anna, "INVITE");
    town.answer(&at_anna, &reinvite, "488 Not Acceptable Here", "");
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    let Told::OfferAnswered { exchange: of, sip_code, description, .. } = told else {
        panic!("{told:?}");
    };
    assert_eq!((of, sip_code, description.len()), (exchange, 488, 0));
    over(town, at_anna, program, leg);
}

#[test]
fn a_phone_that_wants_an_offer_gets_the_programs_and_its_answer_is_told() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    town.tell(&mut at_anna, "INVITE", &[], "");
    let told = town.told(program);
    let Told::Offered { exchange, description, held, .. } = told else { panic!("{told:?}") };
    assert!(description.is_empty() && !held);
    let description = described(50_004);
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    assert_eq!(town.asks(program, answers).answer(), Ok(()));
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert_eq!(ok.body, String::from_utf8_lossy(&described(50_004)));
    let answer = town.sdp(anna);
    town.ack(&at_anna, &answer);
    let told = town.told(program);
    let Told::OfferAnswered { exchange: of, sip_code, description, .. } = told else {
        panic!("{told:?}");
    };
    assert_eq!((of, sip_code, &*description), (exchange, 200, answer.as_bytes()));
    over(town, at_anna, program, leg);
}

#[test]
fn an_offer_that_a_program_does_not_answer_in_time_is_refused_and_the_call_goes_on() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    let offer = town.sdp(anna);
    town.tell(&mut at_anna, "INVITE", &[], &offer);
    let told = town.told(program);
    let Told::Offered { exchange, .. } = told else { panic!("{told:?}") };
    town.pass_seconds(31);
    let refusal = town.heard(&mut at_anna, "488 INVITE");
    at_anna.invite = town_invite(&at_anna, &refusal);
    town.acknowledge_refusal(&at_anna, &refusal);
    let description = described(50_000);
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    let late = town.asks(program, answers).answer();
    assert!(matches!(late, Err(Refusal::NotInThisState(_))), "{late:?}");
    assert_eq!(town.view(FIRST).state, "connected");

    town.tell(&mut at_anna, "INVITE", &[], &offer);
    let told = town.told(program);
    let Told::Offered { exchange, .. } = told else { panic!("{told:?}") };
    let sip_code = 488;
    let refuses = |reply| EndpointAsk::RefuseOffer { leg, exchange, sip_code, reply };
    assert_eq!(town.asks(program, refuses).answer(), Ok(()));
    let refusal = town.heard(&mut at_anna, "488 INVITE");
    at_anna.invite = town_invite(&at_anna, &refusal);
    town.acknowledge_refusal(&at_anna, &refusal);
    over(town, at_anna, program, leg);
}

/// The re-INVITE that was refused, as far as its acknowledgement repeats it.
fn town_invite(talk: &Talk, refusal: &super::super::text::Text) -> super::super::text::Text {
    let via = format!("Via: {}", refusal.header("Via"));
    super::super::text::Text::write(&format!("INVITE {} SIP/2.0", talk.target), &[via], "")
}

#[test]
fn tones_go_both_ways() {
    let (mut town, _, mut at_anna, program, leg) = talking();
    town.tell(&mut at_anna, "INFO", &["Content-Type: application/dtmf-relay"], "Signal=5\r\n");
    town.heard(&mut at_anna, "200 INFO");
    assert_eq!(town.told(program), Told::Tone { leg, tone: '5' });

    let tones = "1#".to_owned();
    let mut sent = town.asks(program, |reply| EndpointAsk::SendTones { leg, tones, reply });
    for tone in ["Signal=1", "Signal=#"] {
        assert!(sent.is_open());
        let info = town.heard(&mut at_anna, "INFO");
        assert!(info.body.starts_with(tone), "{info:?}");
        town.answer(&at_anna, &info, "200 OK", "");
    }
    assert_eq!(sent.answer(), Ok(()));
    over(town, at_anna, program, leg);
}

#[test]
fn a_program_transfers_its_far_end() {
    let (mut town, _, mut at_anna, program, leg) = talking();
    let carl = town.phone("103");
    let (contact, other) = ("103".to_owned(), None);
    let asked = town.asks(program, |reply| EndpointAsk::Transfer { leg, contact, other, reply });
    assert_eq!(asked.answer(), Ok(()));
    let mut at_carl = town.rung(carl);
    town.reply(&at_carl, "180 Ringing", "");
    let told = town.told(program);
    assert!(matches!(told, Told::Transfer { sip_code: 180, .. }), "{told:?}");
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.agree(&mut at_anna, "sendrecv", 2);
    let told = town.told(program);
    assert!(matches!(told, Told::Transfer { sip_code: 200, .. }), "{told:?}");
    town.told_of_end(program, leg, "transferred");
    town.hang_up(&mut at_carl);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn a_program_whose_far_end_is_transferred_hears_whom_it_talks_with() {
    let (mut town, _, mut at_anna, program, leg) = talking();
    let carl = town.phone("103");
    town.tell(&mut at_anna, "REFER", &["Refer-To: <sip:103@127.0.0.1:5060>"], "");
    town.heard(&mut at_anna, "202 REFER");
    let notify = town.heard(&mut at_anna, "NOTIFY");
    town.answer(&at_anna, &notify, "200 OK", "");
    let mut at_carl = town.rung(carl);
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    let mut exchange = None;
    let mut parties = Vec::new();
    while let Some((_, told)) = town.told_to() {
        match told {
            Told::Offered { exchange: offered, .. } => exchange = Some(offered),
            Told::Party { address, call, .. } => parties.push((address, call)),
            other => panic!("{other:?}"),
        }
    }
    let exchange = exchange.expect("carl's description is offered");
    let description = described(50_000);
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    assert_eq!(town.asks(program, answers).answer(), Ok(()));
    while let Some((_, told)) = town.told_to() {
        match told {
            Told::Party { address, call, .. } => parties.push((address, call)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(parties.last(), Some(&("103".to_owned(), FIRST)));
    let notify = town.heard(&mut at_anna, "NOTIFY");
    town.answer(&at_anna, &notify, "200 OK", "");
    town.ended(&mut at_anna);
    over(town, at_carl, program, leg);
}

#[test]
fn a_program_connects_its_two_far_ends() {
    let (mut town, _, mut at_anna, program, leg) = talking();
    let carl = town.phone("103");
    let second = town.program_calls(program, "103", &described(50_010));
    let mut at_carl = town.rung(carl);
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.told(program);
    let (contact, other) = (String::new(), Some(second));
    let asked = town.asks(program, |reply| EndpointAsk::Transfer { leg, contact, other, reply });
    assert_eq!(asked.answer(), Ok(()));
    town.told_of_end(program, second, "transferred");
    // Each is told how the other describes itself.
    for _ in 0..2 {
        for talk in [&mut at_carl, &mut at_anna] {
            if town.has(talk.phone, "INVITE") {
                let reinvite = town.heard(talk, "INVITE");
                let answer = town.sdp(talk.phone).replace(" 7 1 ", " 7 2 ");
                town.answer(talk, &reinvite, "200 OK", &answer);
                town.heard(talk, "ACK");
            }
        }
    }
    let told = town.told(program);
    assert!(matches!(told, Told::Transfer { sip_code: 200, .. }), "{told:?}");
    town.told_of_end(program, leg, "transferred");
    town.hang_up(&mut at_carl);
    town.ended(&mut at_anna);
    town.assert_over();
}
