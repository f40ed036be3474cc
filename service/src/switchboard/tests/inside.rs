// SPDX-License-Identifier: GPL-3.0-or-later
//! What happens inside calls: hold, tones, and whatever else phones ask one another.

use sipwitch_core::call::CallId;

use super::{
    super::{
        ask::{Ask, Refusal},
        notice::Notice,
    },
    text::{lines, sdp},
    town::Town,
};

const FIRST: CallId = CallId(1);

#[test]
fn a_phone_holds_and_resumes_and_watchers_are_told() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let held = sdp("p101", 40_000, "sendonly").replace(" 7 1 ", " 7 2 ");
    town.tell(&mut at_anna, "INVITE", &[], &held);
    let reinvite = town.heard(&mut at_bert, "INVITE");
    assert_eq!(reinvite.body, held, "the description crosses untouched");
    let silent = sdp("p102", 40_001, "recvonly").replace(" 7 1 ", " 7 2 ");
    town.answer(&at_bert, &reinvite, "200 OK", &silent);
    assert_eq!(town.heard(&mut at_anna, "200 INVITE").body, silent);
    town.ack(&at_anna, "");
    town.heard(&mut at_bert, "ACK");
    assert_eq!((town.view(FIRST).state, town.view(FIRST).held), ("held", true));

    let open = sdp("p101", 40_000, "sendrecv").replace(" 7 1 ", " 7 3 ");
    town.tell(&mut at_anna, "INVITE", &[], &open);
    let reinvite = town.heard(&mut at_bert, "INVITE");
    let answer = sdp("p102", 40_001, "sendrecv").replace(" 7 1 ", " 7 3 ");
    town.answer(&at_bert, &reinvite, "200 OK", &answer);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    town.heard(&mut at_bert, "ACK");
    assert_eq!((town.view(FIRST).state, town.view(FIRST).held), ("connected", false));
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    assert_eq!(
        town.states(FIRST),
        ["dialing", "ringing", "connected", "held", "connected", "ended"]
    );
    town.assert_over();
}

#[test]
fn a_program_holds_and_resumes_a_call_of_two_phones() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let mut asked = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    assert!(asked.is_open(), "nobody has agreed yet");
    for (talk, other, direction) in
        [(&mut at_bert, "p101", "inactive"), (&mut at_anna, "p102", "inactive")]
    {
        let reinvite = town.heard(talk, "INVITE");
        assert_eq!(lines(&reinvite.body, "a=").last(), Some(&direction), "{reinvite:?}");
        assert_eq!(lines(&reinvite.body, "o="), [format!("{other} 7 2 IN IP4 127.0.0.1")]);
        let who = if other == "p101" { ("p102", 40_001) } else { ("p101", 40_000) };
        let answer = sdp(who.0, who.1, "inactive").replace(" 7 1 ", " 7 2 ");
        town.answer(talk, &reinvite, "200 OK", &answer);
        town.heard(talk, "ACK");
    }
    assert_eq!(asked.answer(), Ok(()));
    assert_eq!(town.view(FIRST).state, "held");
    let again = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    assert_eq!(again.answer(), Ok(()), "holding what is held changes nothing");

    let asked = town.wish(|reply| Ask::Resume { call: FIRST, reply });
    for (talk, who) in [(&mut at_bert, ("p102", 40_001)), (&mut at_anna, ("p101", 40_000))] {
        let reinvite = town.heard(talk, "INVITE");
        assert_eq!(lines(&reinvite.body, "a=").last(), Some(&"sendrecv"), "{reinvite:?}");
        let answer = sdp(who.0, who.1, "sendrecv").replace(" 7 1 ", " 7 3 ");
        town.answer(talk, &reinvite, "200 OK", &answer);
        town.heard(talk, "ACK");
    }
    assert_eq!(asked.answer(), Ok(()));
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_hold_that_a_phone_refuses_is_refused_and_the_call_goes_on() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let asked = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    let reinvite = town.heard(&mut at_bert, "INVITE");
    town.answer(&at_bert, &reinvite, "488 Not Acceptable Here", "");
    town.heard(&mut at_bert, "ACK");
    assert!(matches!(asked.answer(), Err(Refusal::NotInThisState(_))));
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_hold_by_a_phone_does_not_answer_who_asked_for_one() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let held = sdp("p101", 40_000, "sendonly").replace(" 7 1 ", " 7 2 ");
    town.tell(&mut at_anna, "INVITE", &[], &held);
    let reinvite = town.heard(&mut at_bert, "INVITE");
    let mut asked = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    let silent = sdp("p102", 40_001, "recvonly").replace(" 7 1 ", " 7 2 ");
    town.answer(&at_bert, &reinvite, "200 OK", &silent);
    town.heard(&mut at_bert, "ACK");
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    assert_eq!(town.view(FIRST).state, "held");
    assert!(asked.is_open(), "the phones have not agreed to this one yet");
    town.agree(&mut at_bert, "inactive", 3);
    town.agree(&mut at_anna, "inactive", 3);
    assert_eq!(asked.answer(), Ok(()));
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_call_that_ends_while_it_is_held_or_toned_answers_who_asked() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let hold = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    town.heard(&mut at_bert, "INVITE");
    let tones = town.wish(|reply| Ask::SendDtmf { call: FIRST, tones: "1".into(), reply });
    town.heard(&mut at_bert, "INFO");
    town.hang_up(&mut at_anna);
    assert!(matches!(hold.answer(), Err(Refusal::NotInThisState(_))));
    assert!(matches!(tones.answer(), Err(Refusal::NotInThisState(_))));
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn resuming_what_a_phone_holds_is_answered_and_leaves_it_held() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let held = sdp("p101", 40_000, "sendonly").replace(" 7 1 ", " 7 2 ");
    town.tell(&mut at_anna, "INVITE", &[], &held);
    let reinvite = town.heard(&mut at_bert, "INVITE");
    let silent = sdp("p102", 40_001, "recvonly").replace(" 7 1 ", " 7 2 ");
    town.answer(&at_bert, &reinvite, "200 OK", &silent);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    town.heard(&mut at_bert, "ACK");
    // Nothing of ours holds it.
    let resumed = town.wish(|reply| Ask::Resume { call: FIRST, reply });
    assert_eq!(resumed.answer(), Ok(()));
    assert_eq!(town.view(FIRST).state, "held");

    // Held by both: ours ends, the phone's stays.
    let asked = town.wish(|reply| Ask::Hold { call: FIRST, reply });
    town.agree(&mut at_bert, "inactive", 3);
    town.agree(&mut at_anna, "inactive", 3);
    assert_eq!(asked.answer(), Ok(()));
    let asked = town.wish(|reply| Ask::Resume { call: FIRST, reply });
    town.agree(&mut at_bert, "recvonly", 4);
    town.agree(&mut at_anna, "sendonly", 4);
    assert_eq!(asked.answer(), Ok(()));
    assert_eq!(town.view(FIRST).state, "held");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

impl Town {
    /// Takes a re-INVITE with a description of this direction and version.
    pub(super) fn agree(&mut self, talk: &mut super::talk::Talk, direction: &str, version: u32) {
        let reinvite = self.heard(talk, "INVITE");
        let answer = self
            .sdp(talk.phone)
            .replace("a=sendrecv", &format!("a={direction}"))
            .replace(" 7 1 ", &format!(" 7 {version} "));
        self.answer(talk, &reinvite, "200 OK", &answer);
        self.heard(talk, "ACK");
    }
}

#[test]
fn tones_are_sent_one_by_one_to_the_called_side() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let asked = town.wish(|reply| Ask::SendDtmf { call: FIRST, tones: "4#".into(), reply });
    for tone in ["4", "#"] {
        let info = town.heard(&mut at_bert, "INFO");
        assert_eq!(info.header("Content-Type"), "application/dtmf-relay");
        assert_eq!(lines(&info.body, "Signal="), [tone]);
        town.assert_silent(bert);
        town.answer(&at_bert, &info, "200 OK", "");
    }
    assert_eq!(asked.answer(), Ok(()));
    let refused = town.wish(|reply| Ask::SendDtmf { call: FIRST, tones: "4x".into(), reply });
    assert!(matches!(refused.answer(), Err(Refusal::BadValue(_))));
    let asked = town.wish(|reply| Ask::SendDtmf { call: FIRST, tones: "12".into(), reply });
    let info = town.heard(&mut at_bert, "INFO");
    town.answer(&at_bert, &info, "415 Unsupported Media Type", "");
    assert!(matches!(asked.answer(), Err(Refusal::NotInThisState(_))));
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn a_tone_of_a_phone_is_relayed_and_told() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let tone = "Signal=5\r\nDuration=160\r\n";
    town.tell(&mut at_anna, "INFO", &["Content-Type: application/dtmf-relay"], tone);
    let info = town.heard(&mut at_bert, "INFO");
    assert_eq!(info.body, tone);
    town.answer(&at_bert, &info, "200 OK", "");
    town.heard(&mut at_anna, "200 INFO");
    let told = town.notices.iter().find_map(|notice| match notice {
        Notice::Dtmf { call, tone, from } => Some((*call, *tone, from.as_str())),
        _ => None,
    });
    assert_eq!(told, Some((FIRST, '5', "101")));
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn unknown_methods_and_fields_cross_a_call_unharmed() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    for method in ["MESSAGE", "OPTIONS", "FROBNICATE"] {
        let more = ["X-Mood: calm", "Content-Type: text/plain"];
        town.tell(&mut at_anna, method, &more, "hello");
        let request = town.heard(&mut at_bert, method);
        assert_eq!((request.header("X-Mood"), request.body.as_str()), ("calm", "hello"));
        town.answer(&at_bert, &request, "200 OK", "");
        town.heard(&mut at_anna, &format!("200 {method}"));
    }
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn two_phones_that_change_the_call_at_once_meet_glare() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let offers =
        [town.sdp(anna).replace(" 7 1 ", " 7 2 "), town.sdp(bert).replace(" 7 1 ", " 7 2 ")];
    town.tell(&mut at_anna, "INVITE", &[], &offers[0]);
    let reinvite = town.heard(&mut at_bert, "INVITE");
    let cseq = at_bert.cseq + 1;
    town.tell(&mut at_bert, "INVITE", &[], &offers[1]);
    town.heard(&mut at_bert, "491 INVITE");
    let _ = cseq;
    town.answer(&at_bert, &reinvite, "200 OK", &offers[1]);
    town.heard(&mut at_anna, "200 INVITE");
    town.ack(&at_anna, "");
    town.heard(&mut at_bert, "ACK");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_call_whose_phones_both_died_ends_with_its_session_timer() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (_, _) = town.call(anna, bert);
    town.device(anna).is_dead = true;
    town.device(bert).is_dead = true;
    let interval = super::house::settings().session_interval;
    town.pass(interval / 2 - std::time::Duration::from_secs(5));
    assert_eq!(town.board.call_count(), 1, "it may be quiet for so long");
    town.pass(interval / 2 + std::time::Duration::from_secs(60));
    assert_eq!(town.board.call_count(), 0);
    assert_eq!(town.end(FIRST).sip_code, 408);
    town.assert_over();
}

#[test]
fn a_phone_that_is_alive_is_told_when_the_other_one_died() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, _) = town.call(anna, bert);
    town.device(bert).is_dead = true;
    let interval = super::house::settings().session_interval;
    let end = town.instant() + interval + std::time::Duration::from_secs(60);
    while town.board.call_count() > 0 && town.instant() < end {
        town.pass_seconds(1);
        let id = at_anna.id.clone();
        let alive = |text: &super::text::Text| {
            text.call_id() == id && matches!(text.method(), "UPDATE" | "INVITE" | "OPTIONS")
        };
        if let Some(refresh) = town.find(anna, |text| text.status().is_none() && alive(text)) {
            let body = if refresh.method() == "INVITE" { town.sdp(anna) } else { String::new() };
            town.answer(&at_anna, &refresh, "200 OK", &body);
        }
        town.find(anna, |text| text.method() == "ACK");
    }
    assert_eq!(town.board.call_count(), 0);
    town.ended(&mut at_anna);
    town.assert_over();
}
