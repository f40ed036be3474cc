// SPDX-License-Identifier: GPL-3.0-or-later
use bytes::Bytes;

use super::bench::*;
use crate::call::{Action, LegCommand, LegEvent, LegId, leg::*};

fn reinvite_confirmed(exchange: u32, body: &str) -> LegEvent {
    LegEvent::ReinviteConfirmed { exchange: ExchangeId(exchange), carried: with(body) }
}

fn reliable(fork: u32, number: u32, body: &str) -> LegEvent {
    LegEvent::Progress {
        fork: Fork(fork),
        status: Status::new(183),
        reliable: Some(ReliableId(number)),
        carried: with(body),
    }
}

#[test]
fn every_request_in_a_connected_call_crosses_and_its_answer_comes_back() {
    for (ask, name) in [
        (Ask::Info, "info"),
        (Ask::Message, "message"),
        (Ask::Options, "options"),
        (Ask::Notify, "notify"),
        (Ask::Update, "update"),
        (Ask::Other(Bytes::from_static(b"PUBLISH")), "other(b\"publish\")"),
    ] {
        for (from, to) in [(1, 2), (2, 1)] {
            let mut bench = Bench::connected();
            bench.asked(from, 77, ask.clone(), "");
            bench.expect(&[&format!("{to} ask 1 {name}")]);
            bench.replied(to, 1, 488, "");
            bench.expect(&[&format!("{from} reply 77 488")]);
            // Said twice, relayed once.
            bench.replied(to, 1, 200, "");
            bench.expect(&[]);
        }
    }
}

#[test]
fn bodies_and_fields_cross_byte_for_byte() {
    let mut bench = Bench::connected();
    let odd = b"v=0\no=- x y\xff\r\nm=\r\n".as_slice();
    let carried = Carried {
        fields: vec![Field { name: "X-Odd".into(), value: Bytes::from_static(b"\xfe \t") }],
        body: Some(Body { content_type: "Application/SDP;x=1".into(), bytes: odd.into() }),
    };
    let event =
        LegEvent::Asked { exchange: ExchangeId(3), ask: Ask::Reinvite, carried: carried.clone() };
    bench.call.leg_event(bench.now, &mut bench.ids, LegId(1), event);
    let Some(Action::Command { leg: LegId(2), command: LegCommand::Ask { carried: out, .. } }) =
        bench.call.poll()
    else {
        panic!("not relayed");
    };
    assert_eq!(out, carried);
}

#[test]
fn a_reinvite_crosses_and_is_acknowledged_at_once() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "alice.2:4002");
    bench.expect(&["2 ask 1 reinvite (alice.2:4002)"]);
    bench.replied(2, 1, 200, "bob.2:5002");
    bench.expect(&["2 ack 1", "1 reply 5 200 (bob.2:5002)"]);
    bench.say(1, reinvite_confirmed(5, ""));
    bench.expect(&[]);
}

#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "alice.2:4002 sendonly");
    bench.replied(2, 1, 488, "");
    bench.skip();
    assert!(!bench.call.is_held());
    assert_eq!(bench.call.received(LegId(1)), Some(sdp("alice.1:4000")));
    bench.asked(2, 9, Ask::Reinvite, "bob.2:5002");
    bench.expect(&["1 ask 1 reinvite (bob.2:5002)"]);
}

#[test]
fn a_reinvite_without_an_offer_is_acknowledged_with_the_answer() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "");
    bench.expect(&["2 ask 1 reinvite"]);
    bench.replied(2, 1, 200, "bob.2:5002");
    bench.expect(&["1 reply 5 200 (bob.2:5002)"]);
    // Until then the offer is open.
    bench.asked(2, 8, Ask::Update, "bob.3:5004");
    bench.expect(&["2 reply 8 491"]);
    bench.say(1, reinvite_confirmed(5, "alice.2:4002"));
    bench.expect(&["2 ack 1 (alice.2:4002)"]);
    assert_eq!(bench.call.received(LegId(2)), Some(sdp("bob.2:5002")));
}

#[test]
fn offers_that_meet_in_the_switch_are_glare() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "alice.2:4002");
    bench.skip();
    bench.asked(2, 6, Ask::Reinvite, "bob.2:5002");
    bench.asked(2, 7, Ask::Update, "bob.2:5002");
    bench.expect(&["2 reply 6 491", "2 reply 7 491"]);
    // What does not concern media still crosses.
    bench.asked(2, 8, Ask::Info, "");
    bench.expect(&["1 ask 1 info"]);
    // The far end saw ours while its own was on its way, and refuses it likewise: both back off.
    bench.replied(2, 1, 491, "");
    bench.expect(&["1 reply 5 491"]);
}

#[test]
fn an_offer_before_the_answer_is_acknowledged_is_glare() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.answered(2, 0, "bob.1:5000");
    bench.skip();
    bench.asked(2, 6, Ask::Reinvite, "bob.2:5002");
    bench.expect(&["2 reply 6 491"]);
    bench.asked(2, 7, Ask::Info, "");
    bench.expect(&["1 ask 1 info"]);
}

#[test]
fn reliable_progress_is_acknowledged_end_to_end_with_its_answer() {
    let mut bench = Bench::incoming("", route(&[&[7, 8]]));
    bench.skip();
    bench.say(2, reliable(0, 901, "bob.1:5000"));
    bench.say(3, reliable(0, 901, "carol.1:6000"));
    bench.expect(&[
        "1 progress #0 183 r1 (bob.1:5000)",
        "= ringing",
        "1 progress #1 183 r2 (carol.1:6000)",
    ]);
    bench.asked(1, 4, Ask::Prack { reliable: ReliableId(2) }, "alice.1:4000");
    bench.expect(&["3 ask 1 prack { reliable: reliableid(901) } (alice.1:4000)"]);
    bench.replied(3, 1, 200, "");
    bench.expect(&["1 reply 4 200"]);
    bench.asked(1, 5, Ask::Prack { reliable: ReliableId(2) }, "");
    bench.asked(1, 6, Ask::Prack { reliable: ReliableId(99) }, "");
    bench.expect(&["1 reply 5 481", "1 reply 6 481"]);
    // The answer needs no description any more, nor does its acknowledgement.
    bench.answered(3, 0, "");
    bench.expect(&["2 end elsewhere", "1 answer #1", "= answered by 3", "= connected"]);
    bench.confirmed(1, "");
    bench.expect(&["3 confirm"]);
    assert_eq!(bench.call.received(LegId(3)), Some(sdp("carol.1:6000")));
    assert_eq!(bench.call.received(LegId(1)), Some(sdp("alice.1:4000")));
}

#[test]
fn an_update_before_the_answer_concerns_the_early_dialog_shown_last() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.skip();
    bench.asked(1, 3, Ask::Update, "alice.2:4002");
    bench.expect(&["1 reply 3 491"]);
    bench.progress(2, 0, 183, "bob.1:5000");
    bench.progress(3, 0, 183, "carol.1:6000");
    bench.skip();
    bench.asked(1, 4, Ask::Update, "alice.2:4002");
    bench.expect(&["3 ask 1 update (alice.2:4002)"]);
    bench.asked(3, 5, Ask::Update, "carol.2:6002");
    bench.expect(&["3 reply 5 491"]);
    bench.replied(3, 1, 200, "carol.2:6002");
    bench.expect(&["1 reply 4 200 (carol.2:6002)"]);
    bench.asked(2, 9, Ask::Update, "bob.2:5002");
    bench.expect(&["2 reply 9 491"]);
}

#[test]
fn a_request_of_a_leg_that_leaves_concerns_nobody() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "alice.2:4002");
    bench.skip();
    bench.ended(1, 200);
    bench.expect(&["2 end 200", "= ended", "ended 200"]);
    bench.replied(2, 1, 200, "bob.2:5002");
    bench.expect(&[]);
}

#[test]
fn a_flood_of_requests_is_refused_beyond_a_bound() {
    let mut bench = Bench::connected();
    for exchange in 0..100 {
        bench.asked(1, exchange, Ask::Info, "");
    }
    assert_eq!(bench.call.exchanges.len(), 32);
    bench.skip();
    bench.asked(1, 200, Ask::Info, "");
    bench.expect(&["1 reply 200 500"]);
}

#[test]
fn an_offer_to_a_caller_who_answers_another_far_end_is_glare() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.say(3, reliable(0, 901, "carol.1:6000"));
    bench.progress(2, 0, 183, "bob.1:5000");
    bench.asked(1, 4, Ask::Prack { reliable: ReliableId(1) }, "alice.2:4002");
    bench.skip();
    bench.asked(2, 5, Ask::Update, "bob.2:5002");
    bench.expect(&["2 reply 5 491"]);
    bench.replied(3, 1, 200, "carol.2:6002");
    bench.expect(&["1 reply 4 200 (carol.2:6002)"]);
    bench.asked(2, 6, Ask::Update, "bob.2:5002");
    bench.expect(&["1 ask 1 update (bob.2:5002)"]);
}
