// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls that programs dial: the user's phone first, then the other side (RFC 3725).

use sipwitch_core::call::CallId;

use super::{
    super::ask::{Ask, DialOptions, Refusal},
    house::Asked,
    talk::Talk,
    text::lines,
    town::{Phone, Town},
};

const FIRST: CallId = CallId(1);
const OWNER: &str = ":1.42";

impl Town {
    fn program_dials(&mut self, contact: &str, from: &str) -> Asked<CallId> {
        let options = DialOptions { from: Some(from.into()), ..DialOptions::default() };
        let (contact, owner) = (contact.to_owned(), Some(OWNER.to_owned()));
        self.wish(|reply| Ask::Dial { contact, options, owner, reply })
    }

    /// The user's phone answers with its offer and is told to wait: gives its half of the call and
    /// the answer it was given.
    fn user_answers(&mut self, phone: Phone) -> (Talk, String) {
        let mut talk = self.rung(phone);
        assert_eq!(talk.invite.body, "", "the user's phone is to offer");
        let offer = self.sdp(phone);
        self.reply(&talk, "200 OK", &offer);
        let ack = self.heard(&mut talk, "ACK");
        (talk, ack.body)
    }

    /// A program's call of 101 to 102, both talking.
    fn program_call(&mut self, user: Phone, other: Phone) -> (Talk, Talk) {
        assert_eq!(self.program_dials("102", "101").answer(), Ok(FIRST));
        let (mut at_user, _) = self.user_answers(user);
        let mut at_other = self.rung(other);
        let answer = self.sdp(other);
        self.reply(&at_other, "200 OK", &answer);
        self.heard(&mut at_other, "ACK");
        self.agree(&mut at_user, "sendrecv", 2);
        assert_eq!(self.view(FIRST).state, "connected");
        (at_user, at_other)
    }
}

#[test]
fn a_program_dials_and_both_phones_describe_themselves_to_each_other() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    assert_eq!(town.program_dials("102", "101").answer(), Ok(FIRST));
    let ringing = town.rung(user);
    assert!(ringing.invite.header("From").contains("102"), "{:?}", ringing.invite);
    assert!(ringing.invite.header("From").contains("Calling"), "the phone shows what happens");
    town.reply(&ringing, "180 Ringing", "");
    town.assert_silent(other);
    let (mut at_user, offer) = (ringing, town.sdp(user));
    town.reply(&at_user, "200 OK", &offer);
    let first_answer = town.heard(&mut at_user, "ACK").body;
    assert_eq!(lines(&first_answer, "a=").last(), Some(&"inactive"), "{first_answer}");
    assert_eq!(lines(&first_answer, "m=").len(), lines(&offer, "m=").len());
    let origin = lines(&first_answer, "o=")[0].to_owned();

    let mut at_other = town.rung(other);
    assert_eq!(at_other.invite.body, offer, "the user's own offer, its origin kept");
    assert!(at_other.invite.header("From").contains("101"), "{:?}", at_other.invite);
    town.reply(&at_other, "180 Ringing", "");
    assert_eq!(town.view(FIRST).state, "ringing");
    let answer = town.sdp(other);
    town.reply(&at_other, "200 OK", &answer);
    assert_eq!(town.heard(&mut at_other, "ACK").body, "");

    let reinvite = town.heard(&mut at_user, "INVITE");
    let words: Vec<&str> = origin.split(' ').collect();
    let version: u64 = words[2].parse().unwrap();
    let next = format!("{} {} {} {}", words[0], words[1], version + 1, words[3..].join(" "));
    assert_eq!(lines(&reinvite.body, "o="), [next], "one session, its next version");
    let without = |sdp: &str| -> Vec<String> {
        sdp.lines().filter(|l| !l.starts_with("o=")).map(str::to_owned).collect()
    };
    assert_eq!(without(&reinvite.body), without(&answer), "all else is the other phone's own");
    let second = offer.replace(" 7 1 ", " 7 2 ");
    town.answer(&at_user, &reinvite, "200 OK", &second);
    town.heard(&mut at_user, "ACK");
    // The same places as before: nothing is to be told to the other phone.
    town.assert_silent(other);
    let view = town.view(FIRST);
    assert_eq!((view.state, view.origin), ("connected", "program"));
    assert_eq!((view.caller.as_str(), view.callee.as_str()), ("101", "102"));
    let legs: Vec<_> = view.legs.iter().map(|l| (l.role, l.state, l.address.as_str())).collect();
    assert_eq!(legs, [("caller", "connected", "101"), ("callee", "connected", "102")]);
    town.hang_up(&mut at_other);
    town.ended(&mut at_user);
    assert_eq!(town.states(FIRST), ["dialing", "ringing", "connected", "ended"]);
    town.assert_over();
}

#[test]
fn a_user_who_moved_meanwhile_is_told_to_the_other_phone() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let (mut at_user, _) = town.user_answers(user);
    let mut at_other = town.rung(other);
    let answer = town.sdp(other);
    town.reply(&at_other, "200 OK", &answer);
    town.heard(&mut at_other, "ACK");
    let reinvite = town.heard(&mut at_user, "INVITE");
    let moved = town.sdp(user).replace("m=audio 40000", "m=audio 48000").replace(" 7 1 ", " 7 2 ");
    town.answer(&at_user, &reinvite, "200 OK", &moved);
    town.heard(&mut at_user, "ACK");
    let settle = town.heard(&mut at_other, "INVITE");
    assert_eq!(settle.body, moved);
    let again = answer.replace(" 7 1 ", " 7 2 ");
    town.answer(&at_other, &settle, "200 OK", &again);
    town.heard(&mut at_other, "ACK");
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_user);
    town.ended(&mut at_other);
    town.assert_over();
}

#[test]
fn a_program_dials_and_the_users_phone_is_not_answered() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let ringing = town.rung(user);
    town.reply(&ringing, "180 Ringing", "");
    town.pass_seconds(61);
    town.cancelled(&ringing);
    town.assert_silent(other);
    assert_eq!(town.end(FIRST).sip_code, 480);
    town.assert_over();
}

#[test]
fn a_program_dials_and_the_user_declines() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let mut ringing = town.rung(user);
    town.reply(&ringing, "603 Decline", "");
    town.heard(&mut ringing, "ACK");
    town.assert_silent(other);
    assert_eq!(town.end(FIRST).sip_code, 603);
    town.assert_over();
}

#[test]
fn a_program_dials_and_the_other_side_is_busy() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let (mut at_user, _) = town.user_answers(user);
    let mut at_other = town.rung(other);
    town.reply(&at_other, "486 Busy Here", "");
    town.heard(&mut at_other, "ACK");
    let bye = town.ended(&mut at_user);
    assert!(bye.header("Reason").contains("cause=486"), "{bye:?}");
    let end = town.end(FIRST);
    assert_eq!(end.sip_code, 486);
    let [tried] = &end.call.trace[..] else { panic!("{:?}", end.call.trace) };
    assert_eq!((tried.destination.as_str(), tried.outcome), ("phone 2 of 102", "failed"));
    assert_eq!((tried.sip_code, tried.words.as_str()), (486, end.words.as_str()));
    town.assert_over();
}

#[test]
fn a_program_dials_and_the_other_side_never_answers() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let (mut at_user, _) = town.user_answers(user);
    let at_other = town.rung(other);
    town.reply(&at_other, "180 Ringing", "");
    town.pass_seconds(61);
    town.cancelled(&at_other);
    town.ended(&mut at_user);
    assert_eq!(town.end(FIRST).sip_code, 480);
    town.assert_over();
}

#[test]
fn a_program_says_how_long_each_side_may_ring() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    let options =
        DialOptions { from: Some("101".into()), ring_seconds: Some(10), ..DialOptions::default() };
    for answers in [false, true] {
        let options = options.clone();
        let asked =
            town.wish(|reply| Ask::Dial { contact: "102".into(), options, owner: None, reply });
        asked.answer().unwrap();
        if !answers {
            let ringing = town.rung(user);
            town.reply(&ringing, "180 Ringing", "");
            town.pass_seconds(11);
            town.cancelled(&ringing);
            continue;
        }
        let (mut at_user, _) = town.user_answers(user);
        let ringing = town.rung(other);
        town.reply(&ringing, "180 Ringing", "");
        town.pass_seconds(9);
        town.assert_silent(other);
        town.pass_seconds(2);
        town.cancelled(&ringing);
        town.ended(&mut at_user);
    }
    town.assert_over();
}

#[test]
fn the_user_hangs_up_before_the_other_side_answers() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let (mut at_user, _) = town.user_answers(user);
    let at_other = town.rung(other);
    town.reply(&at_other, "180 Ringing", "");
    town.hang_up(&mut at_user);
    town.cancelled(&at_other);
    town.assert_over();
}

#[test]
fn a_phone_that_answers_without_an_offer_cannot_be_dialled_from() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    town.program_dials("102", "101");
    let mut ringing = town.rung(user);
    town.reply(&ringing, "200 OK", "");
    town.heard(&mut ringing, "ACK");
    town.ended(&mut ringing);
    town.assert_silent(other);
    assert_eq!(town.end(FIRST).sip_code, 488);
    town.assert_over();
}

#[test]
fn calls_end_with_the_program_that_owns_them_and_with_no_other() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    let (mut at_user, mut at_other) = town.program_call(user, other);
    town.ask(Ask::OwnerLeft { owner: ":1.43".into() });
    town.collect();
    town.assert_silent(user);
    town.ask(Ask::OwnerLeft { owner: OWNER.into() });
    town.collect();
    town.ended(&mut at_user);
    town.ended(&mut at_other);
    assert!(!town.end(FIRST).words.is_empty());
    town.assert_over();
}

#[test]
fn a_program_hangs_up_holds_and_is_refused_what_does_not_apply() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    assert_eq!(town.program_dials("102", "101").answer(), Ok(FIRST));
    let early = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    assert!(matches!(early.answer(), Err(Refusal::NotInThisState(_))));
    let answer = town.wish(|reply| Ask::Answer { call: FIRST, reply });
    assert!(matches!(answer.answer(), Err(Refusal::NotInThisState(_))));
    let hangup = town.wish(|reply| Ask::Hangup { call: FIRST, reply });
    assert_eq!(hangup.answer(), Ok(()));
    let mut ringing = town.rung(user);
    // It had not rung yet: the CANCEL waits until it does (RFC 3261 §9.1).
    town.reply(&ringing, "180 Ringing", "");
    town.cancelled(&ringing);
    town.assert_silent(other);
    let gone = town.wish(|reply| Ask::Hangup { call: FIRST, reply });
    assert!(matches!(gone.answer(), Err(Refusal::NotFound { kind: "call", .. })));
    ringing.cseq += 1;
    town.assert_over();
}

#[test]
fn a_held_program_call_is_resumed() {
    let mut town = Town::new();
    let (user, other) = (town.phone("101"), town.phone("102"));
    let (mut at_user, mut at_other) = town.program_call(user, other);
    let asked = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    town.agree(&mut at_other, "inactive", 2);
    town.agree(&mut at_user, "inactive", 3);
    assert_eq!(asked.answer(), Ok(()));
    let asked = town.wish(|reply| Ask::Resume { call: FIRST, reply });
    town.agree(&mut at_other, "sendrecv", 3);
    town.agree(&mut at_user, "sendrecv", 4);
    assert_eq!(asked.answer(), Ok(()));
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_user);
    town.ended(&mut at_other);
    town.assert_over();
}

#[test]
fn what_cannot_be_dialled_is_said_before_any_phone_rings() {
    let mut town = Town::new();
    let user = town.phone("101");
    town.add_extension("102", super::house::person("a long password"));
    for (contact, from) in [
        ("102", "101"),
        ("999999", "101"),
        ("112", "101"),
        ("", "101"),
        ("101", "102"),
        ("101", "555"),
    ] {
        let refusal = town.program_dials(contact, from).answer().unwrap_err();
        let fits = match (contact, from) {
            ("112", _) => matches!(refusal, Refusal::EmergencyUnavailable(_)),
            ("", _) => matches!(refusal, Refusal::BadContact(_)),
            (_, "102") => matches!(refusal, Refusal::NoPhone(_)),
            (_, "555") => matches!(refusal, Refusal::NotFound { kind: "extension", .. }),
            _ => matches!(refusal, Refusal::NoRoute(_)),
        };
        assert!(fits, "{contact} from {from}: {refusal:?}");
        assert!(!refusal.to_string().is_empty());
    }
    town.assert_silent(user);
    town.assert_over();
}

#[test]
fn whoever_has_the_only_phone_need_not_say_so() {
    let mut town = Town::new();
    let user = town.phone("101");
    let other = town.stranger("102");
    town.add_extension("102", super::house::person(&super::town::password_of("102")));
    let options = DialOptions::default();
    let dial =
        |reply| Ask::Dial { contact: "102".into(), options: options.clone(), owner: None, reply };
    let refused = town.wish(dial);
    assert!(matches!(refused.answer(), Err(Refusal::NoRoute(_))), "102 has no phone");
    town.register(other, 600);
    let refused = town.wish(dial);
    assert!(matches!(refused.answer(), Err(Refusal::NoPhone(_))), "now two could be meant");
    town.assert_silent(user);
}
