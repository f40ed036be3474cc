// SPDX-License-Identifier: GPL-3.0-or-later
//! Transfers: by phones (RFC 3515, 3891, 5589) and by programs.

use sipwitch_core::call::CallId;

use super::{
    super::ask::{Ask, Refusal},
    house::HOUSE,
    talk::Talk,
    text::Text,
    town::Town,
};

const FIRST: CallId = CallId(1);

impl Town {
    /// The NOTIFY that reports a transfer, answered.
    fn notified(&mut self, talk: &mut Talk, status: &str) -> Text {
        let notify = self.heard(talk, "NOTIFY");
        assert!(notify.header("Event").starts_with("refer"), "{notify:?}");
        assert!(notify.header("Content-Type").starts_with("message/sipfrag"), "{notify:?}");
        assert!(notify.body.starts_with(&format!("SIP/2.0 {status}")), "{notify:?}");
        self.answer(talk, &notify, "200 OK", "");
        notify
    }

    fn refer(&mut self, talk: &mut Talk, target: &str) {
        self.tell(talk, "REFER", &[&format!("Refer-To: <{target}>")], "");
    }
}

#[test]
fn a_phone_transfers_its_peer_blindly_and_is_told_how_it_goes() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let bert_offers = town.sdp(bert);
    town.refer(&mut at_anna, &format!("sip:103@{HOUSE}"));
    town.heard(&mut at_anna, "202 REFER");
    let first = town.notified(&mut at_anna, "100");
    assert!(first.header("Subscription-State").starts_with("active"), "{first:?}");
    assert_eq!(town.view(FIRST).state, "transferring");
    let mut at_carl = town.rung(carl);
    assert!(at_carl.invite.header("From").contains("102"), "{:?}", at_carl.invite);
    assert_eq!(at_carl.invite.body, bert_offers);
    town.reply(&at_carl, "180 Ringing", "");
    town.notified(&mut at_anna, "180");
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.agree(&mut at_bert, "sendrecv", 2);
    let last = town.notified(&mut at_anna, "200");
    assert!(last.header("Subscription-State").starts_with("terminated"), "{last:?}");
    town.ended(&mut at_anna);
    let view = town.view(FIRST);
    assert_eq!(
        (view.state, view.caller.as_str(), view.callee.as_str()),
        ("connected", "103", "102")
    );
    town.hang_up(&mut at_carl);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_transfer_that_fails_gives_the_call_back() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.refer(&mut at_anna, &format!("sip:103@{HOUSE}"));
    town.heard(&mut at_anna, "202 REFER");
    town.notified(&mut at_anna, "100");
    let mut at_carl = town.rung(carl);
    town.reply(&at_carl, "486 Busy Here", "");
    town.heard(&mut at_carl, "ACK");
    let last = town.notified(&mut at_anna, "486");
    assert!(last.header("Subscription-State").starts_with("terminated"), "{last:?}");
    assert_eq!(town.view(FIRST).state, "connected");
    town.assert_silent(bert);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_transfer_to_nobody_is_reported_as_such() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.refer(&mut at_anna, &format!("sip:999999@{HOUSE}"));
    town.heard(&mut at_anna, "202 REFER");
    town.notified(&mut at_anna, "100");
    town.notified(&mut at_anna, "404");
    town.refer(&mut at_anna, "sip:x@elsewhere.example");
    town.heard(&mut at_anna, "202 REFER");
    town.notified(&mut at_anna, "100");
    town.heard(&mut at_anna, "NOTIFY");
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn a_transferor_who_hangs_up_at_once_leaves_the_transfer_to_go_on() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.refer(&mut at_anna, &format!("sip:103@{HOUSE}"));
    town.heard(&mut at_anna, "202 REFER");
    town.notified(&mut at_anna, "100");
    town.hang_up(&mut at_anna);
    town.assert_silent(bert);
    let mut at_carl = town.rung(carl);
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.agree(&mut at_bert, "sendrecv", 2);
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_bert);
    town.ended(&mut at_carl);
    town.assert_over();
}

#[test]
fn a_phone_joins_its_two_calls_and_leaves() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut anna_to_bert, mut at_bert) = town.call(anna, bert);
    let (mut anna_to_carl, mut at_carl) = town.call(anna, carl);
    let replaces = anna_to_carl.replaces().replace(';', "%3B").replace('=', "%3D");
    town.refer(&mut anna_to_bert, &format!("sip:103@{HOUSE}?Replaces={replaces}"));
    town.heard(&mut anna_to_bert, "202 REFER");
    town.notified(&mut anna_to_bert, "100");
    // Carl, who moves, is offered what Bert described, and Bert then what Carl answered.
    town.agree(&mut at_carl, "sendrecv", 2);
    town.agree(&mut at_bert, "sendrecv", 2);
    town.notified(&mut anna_to_bert, "200");
    town.ended(&mut anna_to_bert);
    town.ended(&mut anna_to_carl);
    assert_eq!(town.end(CallId(2)).call.state, "ended");
    let view = town.view(FIRST);
    assert_eq!(
        (view.state, view.caller.as_str(), view.callee.as_str()),
        ("connected", "103", "102")
    );
    let mut legs: Vec<_> = view.legs.iter().map(|l| (l.role, l.address.as_str())).collect();
    legs.sort_unstable();
    assert_eq!(legs, [("callee", "102"), ("caller", "103")]);
    town.hang_up(&mut at_bert);
    town.ended(&mut at_carl);
    town.assert_over();
}

#[test]
fn a_phone_transfers_to_somebody_who_only_rings_yet() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut anna_to_bert, mut at_bert) = town.call(anna, bert);
    let mut anna_to_carl = town.dial(anna, "103");
    let rung_by_anna = town.rung(carl);
    town.reply(&rung_by_anna, "180 Ringing", "");
    town.heard(&mut anna_to_carl, "180 INVITE");
    let replaces = anna_to_carl.replaces().replace(';', "%3B").replace('=', "%3D");
    town.refer(&mut anna_to_bert, &format!("sip:103@{HOUSE}?Replaces={replaces}"));
    // Anna's call to Carl is over before Bert's begins.
    town.cancelled(&rung_by_anna);
    assert_eq!(town.refused(&anna_to_carl).status(), Some(480));
    town.heard(&mut anna_to_bert, "202 REFER");
    town.notified(&mut anna_to_bert, "100");
    let mut at_carl = town.rung(carl);
    assert!(at_carl.invite.header("From").contains("102"), "{:?}", at_carl.invite);
    town.reply(&at_carl, "180 Ringing", "");
    town.notified(&mut anna_to_bert, "180");
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.agree(&mut at_bert, "sendrecv", 2);
    town.notified(&mut anna_to_bert, "200");
    town.ended(&mut anna_to_bert);
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_bert);
    town.ended(&mut at_carl);
    town.assert_over();
}

#[test]
fn a_transfer_onto_a_call_that_is_gone_is_refused_and_the_call_stands() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut anna_to_bert, mut at_bert) = town.call(anna, bert);
    let (mut anna_to_carl, mut at_carl) = town.call(anna, carl);
    town.hang_up(&mut at_carl);
    town.ended(&mut anna_to_carl);
    let replaces = anna_to_carl.replaces().replace(';', "%3B").replace('=', "%3D");
    town.refer(&mut anna_to_bert, &format!("sip:103@{HOUSE}?Replaces={replaces}"));
    town.heard(&mut anna_to_bert, "202 REFER");
    town.notified(&mut anna_to_bert, "100");
    town.notified(&mut anna_to_bert, "481");
    town.assert_silent(carl);
    town.hang_up(&mut anna_to_bert);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn an_invite_takes_the_place_of_a_leg_it_names() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    // Bert gave Carl the name of his dialog, seen from the house.
    let replaces =
        format!("Replaces: {};to-tag={};from-tag={}", at_bert.id, at_bert.their_tag(), at_bert.tag);
    let offer = town.sdp(carl);
    let uri = format!("sip:102@{HOUSE}");
    let mut at_carl = town.dial_with(carl, &uri, &[&replaces, "Require: replaces"], &offer);
    let reinvite = town.heard(&mut at_anna, "INVITE");
    assert!(reinvite.body.contains("m=audio 40002"), "Carl's places: {reinvite:?}");
    let answer = town.sdp(anna).replace(" 7 1 ", " 7 2 ");
    town.answer(&at_anna, &reinvite, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let ok = town.heard(&mut at_carl, "200 INVITE");
    assert!(ok.body.contains("m=audio 40000"), "Anna's places: {ok:?}");
    town.ack(&at_carl, "");
    town.ended(&mut at_bert);
    assert_eq!(town.view(FIRST).state, "connected");
    town.hang_up(&mut at_carl);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn an_invite_picks_up_what_rings_elsewhere() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let mut at_anna = town.dial(anna, "102");
    let at_bert = town.rung(bert);
    town.reply(&at_bert, "180 Ringing", "");
    town.heard(&mut at_anna, "180 INVITE");
    // Bert's phone shows Carl's what rings there (RFC 4235), seen from the house.
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag={};early-only",
        at_bert.id,
        at_bert.their_tag(),
        at_bert.tag
    );
    let offer = town.sdp(carl);
    let uri = format!("sip:102@{HOUSE}");
    let mut at_carl = town.dial_with(carl, &uri, &[&replaces, "Require: replaces"], &offer);
    town.cancelled(&at_bert);
    let ok = town.heard(&mut at_anna, "200 INVITE");
    assert!(ok.body.contains("a=inactive"), "{ok:?}");
    town.ack(&at_anna, "");
    let reinvite = town.heard(&mut at_anna, "INVITE");
    assert!(reinvite.body.contains("m=audio 40002"), "Carl's places: {reinvite:?}");
    let answer = town.sdp(anna).replace(" 7 1 ", " 7 2 ");
    town.answer(&at_anna, &reinvite, "200 OK", &answer);
    town.heard(&mut at_anna, "ACK");
    let ok = town.heard(&mut at_carl, "200 INVITE");
    assert!(ok.body.contains("m=audio 40000"), "Anna's places: {ok:?}");
    town.ack(&at_carl, "");
    let view = town.view(FIRST);
    assert_eq!((view.state, view.callee.as_str()), ("connected", "103"));
    town.hang_up(&mut at_anna);
    town.ended(&mut at_carl);
    town.assert_over();
}

#[test]
fn an_invite_that_replaces_what_does_not_exist_is_refused() {
    let mut town = Town::new();
    let anna = town.phone("101");
    let _bert = town.phone("102");
    let offer = town.sdp(anna);
    let replaces = "Replaces: nothing;to-tag=a;from-tag=b";
    let call = town.dial_with(anna, &format!("sip:102@{HOUSE}"), &[replaces], &offer);
    assert_eq!(town.refused(&call).status(), Some(481));
    town.assert_over();
}

#[test]
fn a_program_transfers_a_call() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    for (contact, refused) in [("999999", true), ("", true), ("103", false)] {
        let contact = contact.to_owned();
        let asked = town.wish(|reply| Ask::Transfer { call: FIRST, contact, reply });
        assert_eq!(asked.answer().is_err(), refused);
    }
    let mut at_carl = town.rung(carl);
    let answer = town.sdp(carl);
    town.reply(&at_carl, "180 Ringing", "");
    assert_eq!(town.view(FIRST).state, "transferring");
    let again = town.wish(|reply| Ask::Transfer { call: FIRST, contact: "103".into(), reply });
    assert!(matches!(again.answer(), Err(Refusal::NotInThisState(_))));
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut at_carl, "ACK");
    town.agree(&mut at_anna, "sendrecv", 2);
    town.ended(&mut at_bert);
    let view = town.view(FIRST);
    assert_eq!(
        (view.state, view.caller.as_str(), view.callee.as_str()),
        ("connected", "101", "103")
    );
    town.hang_up(&mut at_anna);
    town.ended(&mut at_carl);
    town.assert_over();
}

#[test]
fn the_peer_of_a_transferor_may_leave_while_the_target_rings() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.refer(&mut at_anna, &format!("sip:103@{HOUSE}"));
    town.heard(&mut at_anna, "202 REFER");
    town.notified(&mut at_anna, "100");
    let at_carl = town.rung(carl);
    town.reply(&at_carl, "180 Ringing", "");
    town.notified(&mut at_anna, "180");
    town.hang_up(&mut at_bert);
    town.cancelled(&at_carl);
    town.heard(&mut at_anna, "NOTIFY");
    town.ended(&mut at_anna);
    town.assert_over();
}
