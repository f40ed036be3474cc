// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs whose media go through us.

use sipwitch_media::{driver::Located, relay::End};

use super::{
    super::{
        anchors::{OURS, led},
        talk::Talk,
        town::Phone,
    },
    *,
};
use crate::switchboard::Inner;

impl Town {
    fn anchored_program(&mut self, number: &str) -> u64 {
        self.add_extension(number, person(&password_of(number)));
        let endpoint = NewEndpoint {
            extension: Some(number.into()),
            anchored: true,
            marks_read: false,
            ..NewEndpoint::default()
        };
        let owner = Some(OWNER.to_owned());
        let asked = self.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply });
        let phone = asked.answer().unwrap();
        let available = true;
        self.asks(phone, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
        phone
    }

    /// Who described himself how since this was asked last.
    fn led(&self) -> Vec<(End, Bytes)> {
        let led = self.anchors.led().into_iter();
        led.map(|(from, description, _)| (from, description)).collect()
    }

    /// Both ends are silent for too long.
    fn lose_media(&mut self, leg: LegId) {
        self.come_in(Inner::MediaLost { leg });
        self.collect();
    }
}

fn text(description: &Bytes) -> String {
    String::from_utf8_lossy(description).into_owned()
}

/// A phone and a program that talk through us, the program having called.
fn talking() -> (Town, Phone, Talk, u64, LegId) {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    let offer = described(50_000);
    let leg = town.program_calls(program, "101", &offer);
    let mut at_anna = town.rung(anna);
    assert_eq!(at_anna.invite.body, text(&led(End::Near, &offer)));
    let [(_, said, far)] = &town.anchors.led()[..] else { panic!("led once") };
    assert_eq!(*said, offer);
    assert!(far.is_here() && far.ours.is_some_and(|ip| ip.is_loopback()), "{far:?}");

    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    let Told::Answered { description, .. } = told else { panic!("{told:?}") };
    assert_eq!(description, led(End::Far, answer.as_bytes()));
    let [(End::Far, _, far)] = &town.anchors.led()[..] else { panic!("led once") };
    assert_eq!(far.signalling, Some([127, 0, 0, 1].into()), "the phone's own");
    assert!(far.is_authenticated);
    (town, anna, at_anna, program, leg)
}

#[test]
fn what_a_program_and_a_phone_offer_and_answer_is_led_both_ways() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    // From here.
    let hold = Bytes::from(sdp("program", 50_000, "sendonly"));
    let description = hold.clone();
    let offers = |reply| EndpointAsk::Offer { leg, description, reply };
    town.asks(program, offers).answer().unwrap();
    town.release(program, leg);
    let reinvite = town.heard(&mut at_anna, "INVITE");
    assert_eq!(reinvite.body, text(&led(End::Near, &hold)));
    let answer = town.sdp(anna).replace("sendrecv", "recvonly");
    town.answer(&at_anna, &reinvite, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    let Told::OfferAnswered { description, .. } = told else { panic!("{told:?}") };
    assert_eq!(description, led(End::Far, answer.as_bytes()));
    // And from there.
    let offer = town.sdp(anna);
    town.tell(&mut at_anna, "INVITE", &[], &offer);
    let told = town.told(program);
    let Told::Offered { exchange, description, .. } = told else { panic!("{told:?}") };
    assert_eq!(description, led(End::Far, offer.as_bytes()));
    let description = described(50_000);
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    assert_eq!(town.asks(program, answers).answer(), Ok(()));
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert_eq!(ok.body, text(&led(End::Near, &described(50_000))));
    town.ack(&at_anna, "");
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn a_phone_that_calls_gets_our_ports_and_an_unanswered_call_gives_them_back() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    let offer = town.sdp(anna);
    let mut at_anna = town.dial(anna, "102");
    let (leg, came) = town.told_of_call(program);
    assert_eq!(came, led(End::Far, offer.as_bytes()));
    let early = described(50_000);
    let (description, sip_code) = (early.clone(), 183);
    let rings = |reply| EndpointAsk::ShowProgress { leg, sip_code, description, reply };
    assert_eq!(town.asks(program, rings).answer(), Ok(()));
    let progress = town.heard(&mut at_anna, "183 INVITE");
    assert_eq!(progress.body, text(&led(End::Near, &early)));
    assert!(!town.anchors.are_closed());
    let (sip_code, why) = (Some(486), Leaving::default());
    let why = Leaving { sip_code, ..why };
    town.asks(program, |reply| EndpointAsk::Reject { leg, why, reply }).answer().unwrap();
    town.told_of_end(program, leg, "busy");
    assert!(town.anchors.are_closed());
    let refusal = town.heard(&mut at_anna, "486 INVITE");
    town.acknowledge_refusal(&at_anna, &refusal);
    town.assert_over();
}

#[test]
fn what_a_refused_offer_said_does_not_hold() {
    let (mut town, anna, mut at_anna, program, leg) = talking();
    let description = described(50_002);
    let offers = |reply| EndpointAsk::Offer { leg, description, reply };
    town.asks(program, offers).answer().unwrap();
    town.release(program, leg);
    let reinvite = town.heard(&mut at_anna, "INVITE");
    town.answer(&at_anna, &reinvite, "488 Not Acceptable Here", "");
    town.heard(&mut at_anna, "ACK");
    town.told(program);
    let back = [described(50_002), described(50_000)].map(|said| (End::Near, said));
    assert_eq!(town.led(), back);

    let answer = Bytes::from(town.sdp(anna));
    let offer = town.sdp(anna).replace("40000", "40008");
    town.tell(&mut at_anna, "INVITE", &[], &offer);
    let told = town.told(program);
    let Told::Offered { .. } = told else { panic!("{told:?}") };
    town.pass_seconds(31);
    town.heard(&mut at_anna, "488 INVITE");
    let back = [Bytes::from(offer), answer].map(|said| (End::Far, said));
    assert_eq!(town.led(), back);
}

#[test]
fn media_that_are_lost_end_the_leg_in_words_and_nobody_elses() {
    let (mut town, _, mut at_anna, program, leg) = talking();
    town.lose_media(LegId(leg.0 + 1));
    town.nothing_is_told();
    town.lose_media(leg);
    let told = town.told(program);
    let Told::Ended { reason, words, .. } = told else { panic!("{told:?}") };
    assert_eq!(reason, "timeout");
    assert!(words.starts_with("Nothing was heard from either side for 90 seconds"), "{words}");
    town.ended(&mut at_anna);
    town.lose_media(leg);
    town.assert_over();
}

#[test]
fn a_call_goes_directly_where_there_are_no_ports() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    town.anchors.use_up(true);
    let offer = described(50_000);
    let leg = town.program_calls(program, "101", &offer);
    let mut at_anna = town.rung(anna);
    assert_eq!(at_anna.invite.body, text(&offer));
    // Ports that come free do not make half of it go through us.
    town.anchors.use_up(false);
    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    let Told::Answered { description, .. } = told else { panic!("{told:?}") };
    assert_eq!(description, answer.as_bytes());
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn the_early_description_of_the_end_that_answers_is_the_one_that_holds() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    let leg = town.program_calls(program, "101", &described(50_000));
    let mut at_anna = town.rung(anna);
    let early = town.sdp(anna);
    town.reply(&at_anna, "183 Session Progress", &early);
    town.told(program);
    town.led();
    town.reply(&at_anna, "200 OK", "");
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    let Told::Answered { description, .. } = told else { panic!("{told:?}") };
    assert!(description.is_empty(), "told before");
    assert_eq!(town.led(), [(End::Far, Bytes::from(early))]);
    town.program_hangs_up(program, leg);
    town.told_of_end(program, leg, "hung-up");
    town.ended(&mut at_anna);
    town.assert_over();
}

/// What a program says that does not know yet where it is.
fn unplaced() -> Bytes {
    sdp("program", 9, "sendrecv").replace("127.0.0.1", "0.0.0.0").into()
}

impl Town {
    /// The program says where its sound is.
    fn locates(&mut self, phone: u64, leg: LegId, port: u16) -> Result<(), Refusal> {
        let rtp = ([127, 0, 0, 1], port).into();
        let at = vec![Located { medium: 0, rtp, rtcp: None }];
        self.asks(phone, |reply| EndpointAsk::Locate { leg, at, reply }).answer()
    }
}

#[test]
fn a_program_calls_before_it_knows_where_it_is() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    let (contact, offer, options) = ("101".into(), unplaced(), EndpointDial::default());
    let asked = town.asks(program, |reply| EndpointAsk::Dial { contact, offer, options, reply });
    let (leg, _) = asked.answer().unwrap();
    let mut at_anna = town.rung(anna);
    assert_eq!(at_anna.invite.body, text(&led(End::Near, &unplaced())));
    town.nothing_is_told();
    town.release(program, leg);
    assert_eq!(town.told(program), Told::Anchored { leg, ours: vec![OURS] });
    assert_eq!(town.locates(program, leg, 50_000), Ok(()));
    assert_eq!(town.anchors.located().len(), 1);

    let answer = town.sdp(anna);
    town.reply(&at_anna, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let told = town.told(program);
    assert!(matches!(told, Told::Answered { .. }), "{told:?}");
    assert_eq!(town.locates(program, leg, 50_002), Ok(()), "it may move");
    let at = vec![Located { medium: 1, ..OURS }];
    let other = town.asks(program, |reply| EndpointAsk::Locate { leg, at, reply }).answer();
    assert_eq!(other, Err(Refusal::BadValue("there is no medium 1".into())));
    // Another program has no say in it.
    let at = vec![OURS];
    let asked = town.asks_as(program, ":1.66", |reply| EndpointAsk::Locate { leg, at, reply });
    assert!(matches!(asked.answer(), Err(Refusal::NotAllowed(_))));
    town.program_hangs_up(program, leg);
    town.told_of_end(program, leg, "hung-up");
    town.ended(&mut at_anna);
    assert!(matches!(town.locates(program, leg, 50_000), Err(Refusal::NotFound { .. })), "late");
    town.assert_over();
}

#[test]
fn a_program_answers_before_it_knows_where_it_is() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    assert_eq!(town.program_answers(program, leg, &unplaced()), Ok(()));
    assert_eq!(town.told(program), Told::Anchored { leg, ours: vec![OURS] });
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert_eq!(ok.body, text(&led(End::Near, &unplaced())));
    assert_eq!(town.locates(program, leg, 50_000), Ok(()), "not even acknowledged");
    town.ack(&at_anna, "");
    let told = town.told(program);
    assert!(matches!(told, Told::Confirmed { .. }), "{told:?}");
    // Whoever is held and changes nothing else says no more than before.
    let offer = town.sdp(anna).replace("sendrecv", "sendonly");
    town.tell(&mut at_anna, "INVITE", &[], &offer);
    let told = town.told(program);
    let Told::Offered { exchange, .. } = told else { panic!("{told:?}") };
    let description = unplaced();
    let answers = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
    assert_eq!(town.asks(program, answers).answer(), Ok(()));
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    assert!(matches!(town.told(program), Told::Anchored { .. }));
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn without_ports_an_address_that_is_left_out_is_asked_for() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.anchored_program("102");
    town.anchors.use_up(true);
    let (contact, offer, options) = ("101".into(), unplaced(), EndpointDial::default());
    let asked = town.asks(program, |reply| EndpointAsk::Dial { contact, offer, options, reply });
    let refused = asked.answer();
    let Err(Refusal::TooMany(words)) = refused else { panic!("{refused:?}") };
    assert!(words.contains("no pair of ports is free: describe them with"), "{words}");
    assert!(town.anchors.are_closed());

    let mut at_anna = town.dial(anna, "102");
    let (leg, _) = town.told_of_call(program);
    let refused = town.program_answers(program, leg, &unplaced());
    assert!(matches!(refused, Err(Refusal::TooMany(_))), "{refused:?}");
    town.nothing_is_told();
    assert!(matches!(town.locates(program, leg, 50_000), Err(Refusal::NotInThisState(_))));
    // It rings on, and is taken with an address.
    assert_eq!(town.program_answers(program, leg, &described(50_000)), Ok(()));
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert_eq!(ok.body, text(&described(50_000)));
    town.ack(&at_anna, "");
    town.told(program);
    town.hang_up(&mut at_anna);
    town.told_of_end(program, leg, "hung-up");
    town.assert_over();
}

#[test]
fn what_a_program_leaves_out_that_is_not_led_is_its_own_business() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let program = town.program("102");
    let leg = town.program_calls(program, "101", &unplaced());
    let at_anna = town.rung(anna);
    assert_eq!(at_anna.invite.body, text(&unplaced()));
    assert!(matches!(town.locates(program, leg, 50_000), Err(Refusal::NotInThisState(_))));
    town.nothing_is_told();
    town.program_hangs_up(program, leg);
    town.told_of_end(program, leg, "cancelled");
}
