// SPDX-License-Identifier: GPL-3.0-or-later
use super::bench::*;
use crate::{
    call::{LegId, QueryId, leg::*},
    cause::Cause,
};

/// A second call, between the transferor's other leg 11 and leg 12, carol's.
fn consultation() -> Bench {
    let mut bench = Bench::incoming("bob.1:5100", route(&[&[9]]));
    bench.answered(2, 0, "carol.1:6000");
    bench.confirmed(CALLER, "");
    bench.skip();
    bench
}

/// The names of the second call's legs, as the first call knows them. On the bench both calls
/// count from 1; a leg that moves gets this much on top.
const MOVED: u64 = 100;

fn moved(mut released: crate::call::ReleasedLeg) -> crate::call::ReleasedLeg {
    released.rename(LegId(released.id().0 + MOVED));
    released
}

#[test]
fn an_attended_transfer_joins_the_two_who_stay() {
    let (mut first, mut second) = (Bench::connected(), consultation());
    first.refer(2, 40, Some(Replaced::Leg(LegId(101))));
    first.expect(&["2 reply 40 202", "2 notify 40 100", "= transfer trying", "join? 1 leg 101"]);
    second.watch.over(LegId(2));
    let released = second.call.release_peer(LegId(1)).expect("connected");
    second.drain();
    second.expect(&["1 end 200", "= ended", "ended 200"]);
    first.watch.live.insert(LegId(102));
    assert_eq!(first.call.joined(first.now, QueryId(1), Ok(moved(released))), None);
    first.drain();
    first.expect(&["102 ask 1 reinvite (bob.2:4000)"]);
    first.replied(102, 1, 200, "carol.2:6000");
    first.expect(&["102 ack 1", "1 ask 1 reinvite (bob.2:6000)"]);
    first.replied(1, 1, 200, "alice.2:4000");
    first.expect(&[
        "1 ack 1",
        "2 notify 40 200",
        "2 end 200",
        "= transfer done",
        "= Callee is 102",
    ]);
    first.ended(1, 200);
    first.expect(&["102 end 200", "= ended", "ended 200"]);
}

#[test]
fn a_leg_that_moves_takes_what_it_was_asked_along() {
    let (mut first, mut second) = (Bench::connected(), consultation());
    // The transferor holds carol, who has not answered that yet.
    second.asked(1, 9, Ask::Reinvite, "bob.2:5100 sendonly");
    second.skip();
    first.refer(2, 40, Some(Replaced::Leg(LegId(101))));
    first.skip();
    second.watch.over(LegId(2));
    let released = second.call.release_peer(LegId(1)).expect("connected");
    second.drain();
    first.watch.live.insert(LegId(102));
    assert_eq!(first.call.joined(first.now, QueryId(1), Ok(moved(released))), None);
    first.drain();
    first.expect(&[]);
    first.watch.ours.insert((LegId(102), ExchangeId(1)), true);
    first.replied(102, 1, 200, "carol.2:6000 recvonly");
    first.expect(&["102 ack 1", "102 ask 2 reinvite (bob.3:4000)"]);
}

#[test]
fn a_leg_that_cannot_be_had_leaves_the_call_as_it_was() {
    let mut first = Bench::connected();
    first.refer(2, 40, Some(Replaced::Leg(LegId(101))));
    first.skip();
    assert_eq!(first.call.joined(first.now, QueryId(1), Err(Cause::from_sip(481))), None);
    first.drain();
    first.expect(&["2 notify 40 481", "= transfer failed 481"]);
    // Nobody is rung in place of a dialog that is not ours.
    first.refer(2, 41, Some(Replaced::Unknown));
    first.expect(&[
        "2 reply 41 202",
        "2 notify 41 100",
        "= transfer trying",
        "2 notify 41 481",
        "= transfer failed 481",
    ]);
    first.refer(2, 42, Some(Replaced::Leg(LegId(1))));
    first.skip();
    first.asked(2, 43, Ask::Info, "");
    first.expect(&["1 ask 1 info"]);
}

#[test]
fn whoever_only_rang_somebody_sends_the_other_there_all_the_same() {
    let mut first = Bench::connected();
    let mut second = Bench::incoming("bob.1:5100", route(&[&[9]]));
    second.skip();
    first.refer(2, 40, Some(Replaced::Leg(LegId(101))));
    first.expect(&["2 reply 40 202", "2 notify 40 100", "= transfer trying", "join? 1 leg 101"]);
    // Not on behalf of the one who is rung.
    assert!(!second.call.leave_ringing(LegId(2)));
    assert!(second.call.leave_ringing(LegId(1)));
    second.drain();
    assert!(second.call.is_over());
    first.call.call_instead(first.now, QueryId(7));
    first.drain();
    first.expect(&[]);
    first.call.call_instead(first.now, QueryId(1));
    first.drain();
    first.expect(&["route? 1 103"]);
    first.routed(1, route(&[&[3]]));
    first.skip();
    // Not a second time.
    first.call.call_instead(first.now, QueryId(1));
    first.drain();
    first.expect(&[]);
    assert!(!second.call.leave_ringing(LegId(1)), "it is over");
}

#[test]
fn a_leg_that_comes_too_late_is_handed_back() {
    let (mut first, mut second) = (Bench::connected(), consultation());
    first.refer(2, 40, Some(Replaced::Leg(LegId(101))));
    first.hang_up();
    second.watch.over(LegId(2));
    let released = second.call.release_peer(LegId(1)).expect("connected");
    assert_eq!(first.call.joined(first.now, QueryId(1), Ok(released)), Some(LegId(2)));
}

#[test]
fn a_call_that_only_rings_has_no_leg_to_give() {
    let mut second = Bench::incoming("bob.1:5100", route(&[&[9]]));
    assert_eq!(second.call.release_peer(LegId(1)).unwrap_err().sip, 481);
    second.answered(2, 0, "carol.1:6000");
    assert_eq!(second.call.release_peer(LegId(1)).unwrap_err().sip, 491);
    second.drain();
}

#[test]
fn an_invite_with_replaces_takes_the_place_of_a_leg() {
    let mut bench = Bench::connected();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("dave.1:7000")).unwrap();
    bench.drain();
    bench.expect(&["1 ask 1 reinvite (bob.2:7000)"]);
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.expect(&[
        "1 ack 1",
        "50 answer #0 (alice.2:4000)",
        "2 end 200",
        "= transfer done",
        "= Callee is 101",
    ]);
    bench.confirmed(50, "");
    bench.asked(50, 3, Ask::Info, "");
    bench.expect(&["1 ask 2 info"]);
}

#[test]
fn a_replacing_invite_without_an_offer_is_answered_with_one() {
    let mut bench = Bench::connected();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(1), LegId(50), invitation("")).unwrap();
    bench.drain();
    bench.expect(&["50 answer #0 (bob.1:5000)"]);
    bench.confirmed(50, "dave.1:7000");
    bench.expect(&["2 ask 1 reinvite (alice.2:7000)"]);
    bench.replied(2, 1, 200, "bob.2:5000");
    bench.expect(&["2 ack 1", "50 ask 1 reinvite (bob.2:5000)"]);
    bench.replied(50, 1, 200, "dave.2:7000");
    bench.expect(&["50 ack 1", "1 end 200", "= transfer done", "= Caller is 101"]);
}

#[test]
fn a_peer_that_refuses_the_replacing_leg_keeps_the_old_one() {
    let mut bench = Bench::connected();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("dave.1:7000")).unwrap();
    bench.drain();
    bench.skip();
    bench.replied(1, 1, 488, "");
    bench.expect(&["50 end 488", "= transfer failed 488"]);
    bench.asked(2, 3, Ask::Info, "");
    bench.expect(&["1 ask 2 info"]);
}

#[test]
fn a_leg_that_talks_with_nobody_and_does_not_ring_cannot_be_replaced() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    // The caller's own, and one that does not exist.
    for leg in [1, 9] {
        let refused =
            bench.call.replace_leg(bench.now, LegId(leg), LegId(50), invitation("dave.1:7000"));
        assert_eq!(refused.unwrap_err().sip, 481);
    }
}

#[test]
fn what_rings_is_picked_up() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.skip();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("dave.1:7000")).unwrap();
    bench.drain();
    // Two offers answer nobody: the caller's media rest until both can be told of each other.
    bench.expect(&[
        "2 end elsewhere",
        "3 end elsewhere",
        "1 answer #0 (sipwitch.1:9 inactive)",
        "= answered by 50",
        "= connected",
    ]);
    bench.confirmed(1, "");
    bench.expect(&["1 ask 1 reinvite (sipwitch.2:7000)"]);
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.expect(&["1 ack 1", "50 answer #0 (alice.2:4000)", "= transfer done", "= Callee is 101"]);
    bench.confirmed(50, "");
    bench.asked(50, 3, Ask::Info, "");
    bench.expect(&["1 ask 2 info"]);
}

#[test]
fn whoever_picks_up_without_an_offer_is_answered_with_one() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("")).unwrap();
    bench.drain();
    bench.skip();
    bench.confirmed(1, "");
    bench.expect(&["50 answer #0 (alice.1:4000)"]);
    bench.confirmed(50, "dave.1:7000");
    bench.expect(&["1 ask 1 reinvite (sipwitch.2:7000)"]);
}

#[test]
fn a_caller_who_offered_nothing_goes_on_ringing() {
    let mut bench = Bench::incoming("", route(&[&[7]]));
    bench.skip();
    let refused = bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("dave.1:7000"));
    assert_eq!(refused.unwrap_err().sip, 488);
    bench.drain();
    bench.expect(&[]);
    bench.answered(2, 0, "bob.1:5000");
    bench.expect(&["1 answer #0 (bob.1:5000)", "= answered by 2", "= connected"]);
}

#[test]
fn a_caller_who_hangs_up_during_the_pick_up_ends_it() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(2), LegId(50), invitation("dave.1:7000")).unwrap();
    bench.drain();
    bench.skip();
    bench.ended(1, 200);
    bench.expect(&["50 end 480", "= ended", "ended 200"]);
}

#[test]
fn a_transfer_that_rings_is_picked_up() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.progress(3, 0, 180, "");
    bench.skip();
    bench.watch.live.insert(LegId(50));
    bench.call.replace_leg(bench.now, LegId(3), LegId(50), invitation("dave.1:7000")).unwrap();
    bench.drain();
    bench.expect(&["3 end elsewhere", "1 ask 1 reinvite (bob.2:7000)"]);
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.expect(&[
        "1 ack 1",
        "50 answer #0 (alice.2:4000)",
        "2 notify 40 200",
        "2 end 200",
        "= transfer done",
        "= Callee is 101",
    ]);
}
