// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls between phones: ringing, forking, answers and refusals.

use std::time::Duration;

use sipwitch_core::call::CallId;

use sipwitch_sip::flow::Transport;

use super::{
    super::settings::Listening,
    house::{HOUSE, Plan},
    text::sdp,
    town::Town,
};

/// The first call of a town.
const FIRST: CallId = CallId(1);

#[test]
fn two_phones_talk_and_one_hangs_up() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    assert_eq!(at_bert.invite.body, town.sdp(anna), "the offer crosses untouched");
    assert!(at_bert.invite.header("From").contains("101"), "{:?}", at_bert.invite);
    let view = town.view(FIRST);
    assert_eq!((view.caller.as_str(), view.callee.as_str()), ("101", "102"));
    assert_eq!((view.origin, view.contact.as_str()), ("phone", "102"));
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    assert_eq!(town.states(FIRST), ["dialing", "ringing", "connected", "ended"]);
    assert_eq!(town.end(FIRST).sip_code, 200);
    town.assert_over();
}

#[test]
fn the_first_phone_to_answer_wins_and_the_others_hear_that_it_was_answered_elsewhere() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("102"));
    let mut call = town.dial(caller, "102");
    let (at_one, mut at_two) = (town.rung(one), town.rung(two));
    assert_ne!(at_one.id, at_two.id, "each leg has a dialog of its own");
    town.reply(&at_one, "180 Ringing", "");
    town.reply(&at_two, "180 Ringing", "");
    let (first, second) =
        (town.heard(&mut call, "180 INVITE"), town.heard(&mut call, "180 INVITE"));
    assert_ne!(first.tag("To"), second.tag("To"), "two far ends, two early dialogs");
    let answer = town.sdp(two);
    town.reply(&at_two, "200 OK", &answer);
    let ok = town.heard(&mut call, "200 INVITE");
    assert_eq!(ok.tag("To"), second.tag("To"), "the one that rang is the one that answers");
    assert_eq!(ok.body, answer);
    let cancel = town.cancelled(&at_one);
    assert!(cancel.header("Reason").starts_with("SIP;cause=200"), "{cancel:?}");
    town.ack(&call, "");
    town.heard(&mut at_two, "ACK");
    town.hang_up(&mut call);
    town.ended(&mut at_two);
    town.assert_over();
}

#[test]
fn two_phones_that_answer_at_once_give_one_call_and_one_bye() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("102"));
    let mut call = town.dial(caller, "102");
    let (mut at_one, mut at_two) = (town.rung(one), town.rung(two));
    let answers = [town.sdp(one), town.sdp(two)];
    town.reply(&at_two, "180 Ringing", "");
    town.heard(&mut call, "180 INVITE");
    town.reply(&at_one, "200 OK", &answers[0]);
    // The CANCEL is on its way while the other one answers.
    town.reply(&at_two, "200 OK", &answers[1]);
    let cancel = town.heard(&mut at_two, "CANCEL");
    town.answer(&at_two, &cancel, "200 OK", "");
    town.heard(&mut at_two, "ACK");
    town.ended(&mut at_two);
    assert_eq!(town.heard(&mut call, "200 INVITE").body, answers[0]);
    town.ack(&call, "");
    town.heard(&mut at_one, "ACK");
    town.hang_up(&mut at_one);
    town.ended(&mut call);
    town.assert_over();
}

#[test]
fn busy_and_declined_reach_the_caller() {
    for (status, code) in [("486 Busy Here", 486), ("603 Decline", 603), ("480 Nobody", 480)] {
        let mut town = Town::new();
        let (anna, bert) = (town.phone("101"), town.phone("102"));
        let call = town.dial(anna, "102");
        let mut at_bert = town.rung(bert);
        town.reply(&at_bert, status, "");
        town.heard(&mut at_bert, "ACK");
        assert_eq!(town.refused(&call).status(), Some(code));
        assert_eq!(town.end(FIRST).sip_code, code);
        assert_eq!(town.states(FIRST).last(), Some(&"ended"));
        town.assert_over();
    }
}

#[test]
fn one_phone_that_is_busy_does_not_keep_the_other_from_answering() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("102"));
    let mut call = town.dial(caller, "102");
    let (mut at_one, mut at_two) = (town.rung(one), town.rung(two));
    town.reply(&at_one, "486 Busy Here", "");
    town.heard(&mut at_one, "ACK");
    town.assert_silent(caller);
    let answer = town.sdp(two);
    town.reply(&at_two, "200 OK", &answer);
    town.heard(&mut call, "200 INVITE");
    town.ack(&call, "");
    town.heard(&mut at_two, "ACK");
    town.hang_up(&mut at_two);
    town.ended(&mut call);
    town.assert_over();
}

#[test]
fn one_phone_that_declines_speaks_for_all() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("102"));
    let call = town.dial(caller, "102");
    let (mut at_one, at_two) = (town.rung(one), town.rung(two));
    town.reply(&at_one, "603 Decline", "");
    town.heard(&mut at_one, "ACK");
    town.reply(&at_two, "180 Ringing", "");
    town.cancelled(&at_two);
    assert_eq!(town.refused(&call).status(), Some(603));
    town.assert_over();
}

#[test]
fn nobody_answers_for_as_long_as_it_may_ring() {
    let mut plan = Plan::usual();
    plan.settings.ring = Duration::from_secs(25);
    let mut town = Town::of(plan);
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial(anna, "102");
    let at_bert = town.rung(bert);
    town.reply(&at_bert, "180 Ringing", "");
    town.heard(&mut call, "180 INVITE");
    town.pass(Duration::from_millis(24_900));
    town.assert_silent(anna);
    town.pass(Duration::from_millis(200));
    town.cancelled(&at_bert);
    assert_eq!(town.refused(&call).status(), Some(480));
    town.assert_over();
}

#[test]
fn a_phone_that_is_dead_is_given_up_as_unreachable_soon() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.device(bert).is_dead = true;
    let call = town.dial(anna, "102");
    town.pass_seconds(40);
    let status = town.refused(&call).status().unwrap();
    assert!([408, 480].contains(&status), "{status}");
    town.assert_over();
}

#[test]
fn a_phone_whose_socket_is_closed_is_given_up_at_once() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.device(bert).is_dead = true;
    let call = town.dial(anna, "102");
    town.assert_silent(anna);
    let (now, flow) = (town.time(), town.device(bert).flow);
    town.board.flow_failed(now, &flow, &"nobody listens there".into());
    town.collect();
    let status = town.refused(&call).status().unwrap();
    assert!([408, 480, 503].contains(&status), "{status}");
    town.assert_over();
}

#[test]
fn a_phone_that_lost_its_connection_is_hung_up_over_a_new_one() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.tcp_phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.break_connection(bert);
    assert_eq!(town.board.call_count(), 1, "a call is more than a connection");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn the_caller_gives_up() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial(anna, "102");
    let at_bert = town.rung(bert);
    town.reply(&at_bert, "180 Ringing", "");
    town.heard(&mut call, "180 INVITE");
    town.cancel(&call);
    town.heard(&mut call, "200 CANCEL");
    assert_eq!(town.refused(&call).status(), Some(487));
    let cancel = town.cancelled(&at_bert);
    assert!(!cancel.header("Reason").contains("cause=200"), "{cancel:?}");
    assert_eq!(town.end(FIRST).sip_code, 487);
    town.assert_over();
}

#[test]
fn a_cancel_that_crosses_the_answer_ends_the_call_in_both_places() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    let answer = town.sdp(bert);
    town.reply(&at_bert, "200 OK", &answer);
    town.cancel(&call);
    town.heard(&mut call, "200 CANCEL");
    // The INVITE was answered first: the call stands, and whoever cancelled hangs up.
    town.heard(&mut call, "200 INVITE");
    town.ack(&call, "");
    town.heard(&mut at_bert, "ACK");
    town.hang_up(&mut call);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_phone_sends_its_calls_on_and_loops_end() {
    let mut town = Town::new();
    let (anna, bert, carl) = (town.phone("101"), town.phone("102"), town.phone("103"));
    // 102 sends on to 103, who answers.
    let mut call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    let on = format!("Contact: <sip:103@{HOUSE}>");
    town.respond_plain(&at_bert, "302 Moved Temporarily", &on);
    town.heard(&mut at_bert, "ACK");
    let mut at_carl = town.rung(carl);
    assert!(at_carl.invite.header("Diversion").contains("102"), "{:?}", at_carl.invite);
    let answer = town.sdp(carl);
    town.reply(&at_carl, "200 OK", &answer);
    town.heard(&mut call, "200 INVITE");
    town.ack(&call, "");
    town.heard(&mut at_carl, "ACK");
    town.hang_up(&mut call);
    town.ended(&mut at_carl);

    // 102 and 103 send on to each other.
    let call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    town.respond_plain(&at_bert, "302 Moved Temporarily", &on);
    town.heard(&mut at_bert, "ACK");
    let mut at_carl = town.rung(carl);
    let back = format!("Contact: <sip:102@{HOUSE}>");
    town.respond_plain(&at_carl, "302 Moved Temporarily", &back);
    town.heard(&mut at_carl, "ACK");
    let refusal = town.refused(&call);
    assert!(refusal.status().unwrap() >= 400, "{refusal:?}");
    town.assert_over();
}

#[test]
fn a_call_that_is_sent_on_and_on_comes_to_an_end() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let numbers: Vec<String> = (0..20).map(|at| format!("{}", 200 + at)).collect();
    let phones: Vec<_> = numbers.iter().map(|number| town.phone(number)).collect();
    let call = town.dial(caller, &numbers[0]);
    let mut rung = 0;
    for (at, phone) in phones.iter().enumerate() {
        if !town.has(*phone, "INVITE") {
            break;
        }
        rung += 1;
        let mut talk = town.rung(*phone);
        let next = &numbers[(at + 1) % numbers.len()];
        let on = format!("Contact: <sip:{next}@{HOUSE}>");
        town.respond_plain(&talk, "302 Moved Temporarily", &on);
        town.heard(&mut talk, "ACK");
    }
    assert_eq!(rung, 6, "the one that was called, and five diversions");
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_over();
}

#[test]
fn phones_of_both_address_families_talk() {
    let mut plan = Plan::usual();
    let six = "[::1]:5060".parse().unwrap();
    plan.settings.listening.push(Listening { transport: Transport::Udp, address: six });
    let mut town = Town::of(plan);
    let anna = town.phone("101");
    town.add_extension("102", super::house::person(&super::town::password_of("102")));
    let bert = town.stranger_at("102", "[::1]:7000".parse().unwrap());
    town.device(bert).flow.local = six;
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    assert!(at_bert.invite.header("Via").contains("[::1]:5060"), "{:?}", at_bert.invite);
    assert!(at_bert.invite.header("Contact").contains("[::1]"), "{:?}", at_bert.invite);
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    let (mut at_bert, mut at_anna) = town.call(bert, anna);
    assert!(at_anna.invite.header("Contact").contains("127.0.0.1"), "{:?}", at_anna.invite);
    town.hang_up(&mut at_bert);
    town.ended(&mut at_anna);
    town.assert_over();
}

#[test]
fn a_call_to_a_phone_that_sends_it_out_of_the_house_is_refused() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    town.respond_plain(&at_bert, "302 Moved Temporarily", "Contact: <sip:x@elsewhere.example>");
    town.heard(&mut at_bert, "ACK");
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_over();
}

impl Town {
    /// A response without a Contact of the phone's own.
    fn respond_plain(&mut self, talk: &super::talk::Talk, status: &str, contact: &str) {
        let headers = [contact.to_owned()];
        let answer = super::text::response(&talk.invite, status, &talk.tag, &headers, "");
        self.send(talk.phone, &answer);
    }
}

#[test]
fn early_media_crosses_and_is_followed_by_the_answer() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    let early = sdp("announcement", 45_000, "sendonly");
    town.reply(&at_bert, "183 Session Progress", &early);
    let progress = town.heard(&mut call, "183 INVITE");
    assert_eq!(progress.body, early);
    let answer = town.sdp(bert);
    town.reply(&at_bert, "200 OK", &answer);
    let ok = town.heard(&mut call, "200 INVITE");
    assert_eq!(ok.body, answer);
    assert_eq!(ok.tag("To"), progress.tag("To"));
    town.ack(&call, "");
    town.heard(&mut at_bert, "ACK");
    town.hang_up(&mut at_bert);
    town.ended(&mut call);
    town.assert_over();
}

#[test]
fn early_media_of_two_phones_keeps_them_apart() {
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("102"));
    let mut call = town.dial(caller, "102");
    let (mut at_one, at_two) = (town.rung(one), town.rung(two));
    let descriptions = [sdp("one", 45_001, "sendrecv"), sdp("two", 45_002, "sendrecv")];
    town.reply(&at_one, "183 Session Progress", &descriptions[0]);
    let first = town.heard(&mut call, "183 INVITE");
    town.reply(&at_two, "183 Session Progress", &descriptions[1]);
    let second = town.heard(&mut call, "183 INVITE");
    assert_eq!([&first.body, &second.body], [&descriptions[0], &descriptions[1]]);
    assert_ne!(first.tag("To"), second.tag("To"));
    town.reply(&at_one, "200 OK", &descriptions[0]);
    let ok = town.heard(&mut call, "200 INVITE");
    assert_eq!(ok.tag("To"), first.tag("To"));
    town.cancelled(&at_two);
    town.ack(&call, "");
    town.heard(&mut at_one, "ACK");
    town.hang_up(&mut call);
    town.ended(&mut at_one);
    town.assert_over();
}

#[test]
fn reliable_progress_and_its_prack_are_relayed() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let offer = town.sdp(anna);
    let uri = format!("sip:102@{HOUSE}");
    let mut call = town.dial_with(anna, &uri, &["Supported: 100rel"], &offer);
    let mut at_bert = town.rung(bert);
    assert!(at_bert.invite.header("Supported").contains("100rel"), "{:?}", at_bert.invite);
    let answer = town.sdp(bert);
    town.reply_with(&at_bert, "183 Session Progress", &["Require: 100rel", "RSeq: 77"], &answer);
    let progress = town.heard(&mut call, "183 INVITE");
    assert_eq!((progress.header("Require"), &progress.body), ("100rel", &answer));
    let rseq = progress.header("RSeq").to_owned();
    let rack = format!("RAck: {rseq} {} INVITE", progress.cseq());
    town.tell(&mut call, "PRACK", &[&rack], "");
    let prack = town.heard(&mut at_bert, "PRACK");
    assert_eq!(prack.header("RAck"), format!("77 {} INVITE", at_bert.invite.cseq()));
    town.assert_silent(anna);
    town.answer(&at_bert, &prack, "200 OK", "");
    town.heard(&mut call, "200 PRACK");
    town.reply(&at_bert, "200 OK", "");
    town.heard(&mut call, "200 INVITE");
    call.cseq = call.invite.cseq();
    town.ack(&call, "");
    town.heard(&mut at_bert, "ACK");
    call.cseq += 1;
    town.hang_up(&mut call);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_call_without_an_offer_gets_the_callees_and_answers_it_with_the_ack() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial_with(anna, &format!("sip:102@{HOUSE}"), &[], "");
    let mut at_bert = town.rung(bert);
    assert_eq!(at_bert.invite.body, "");
    let (offer, answer) = (town.sdp(bert), town.sdp(anna));
    town.reply(&at_bert, "200 OK", &offer);
    assert_eq!(town.heard(&mut call, "200 INVITE").body, offer);
    town.assert_silent(bert);
    town.ack(&call, &answer);
    assert_eq!(town.heard(&mut at_bert, "ACK").body, answer);
    town.hang_up(&mut at_bert);
    town.ended(&mut call);
    town.assert_over();
}

#[test]
fn an_answer_that_nobody_acknowledges_is_hung_up_in_both_places() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut call = town.dial(anna, "102");
    let mut at_bert = town.rung(bert);
    let answer = town.sdp(bert);
    town.reply(&at_bert, "200 OK", &answer);
    town.heard(&mut call, "200 INVITE");
    town.heard(&mut at_bert, "ACK");
    town.pass_seconds(40);
    town.ended(&mut at_bert);
    town.ended(&mut call);
    town.assert_over();
}

#[test]
fn whoever_calls_himself_rings_only_his_other_phones() {
    let mut town = Town::new();
    let (one, two) = (town.phone("101"), town.phone("101"));
    let call = town.dial(one, "101");
    let mut at_two = town.rung(two);
    town.assert_silent(one);
    town.reply(&at_two, "486 Busy Here", "");
    town.heard(&mut at_two, "ACK");
    assert_eq!(town.refused(&call).status(), Some(486));
    town.assert_over();
}

#[test]
fn a_group_rings_all_its_members() {
    use super::super::ask::ExtensionChange;
    let mut town = Town::new();
    let caller = town.phone("101");
    let (one, two) = (town.phone("102"), town.phone("103"));
    let members = Some(vec!["102".to_owned(), "103".to_owned()]);
    let kind = Some("group".to_owned());
    town.add_extension("600", ExtensionChange { kind, members, ..ExtensionChange::default() });
    let mut call = town.dial(caller, "600");
    let (at_one, mut at_two) = (town.rung(one), town.rung(two));
    town.reply(&at_one, "180 Ringing", "");
    town.heard(&mut call, "180 INVITE");
    let answer = town.sdp(two);
    town.reply(&at_two, "200 OK", &answer);
    town.heard(&mut call, "200 INVITE");
    town.cancelled(&at_one);
    town.ack(&call, "");
    town.heard(&mut at_two, "ACK");
    assert_eq!(town.view(FIRST).callee, "103");
    town.hang_up(&mut call);
    town.ended(&mut at_two);
    town.assert_over();
}
