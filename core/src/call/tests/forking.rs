// SPDX-License-Identifier: GPL-3.0-or-later
use std::time::Instant;

use super::bench::*;
use crate::{
    call::{Action, Call, CallId, LegEvent, LegIds, leg::*},
    cause::Cause,
    routing::{Route, Why},
};

fn redirected(to: &[&str]) -> LegEvent {
    let targets = to.iter().map(|&target| target.into()).collect();
    LegEvent::Redirected { targets, cause: Cause::from_sip(302) }
}

#[test]
fn the_first_phone_that_answers_wins_and_the_others_are_told_so() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8, 9]]));
    bench.expect(&[
        "2 start phone 7 101>102 (alice.1:4000)",
        "3 start phone 8 101>102 (alice.1:4000)",
        "4 start phone 9 101>102 (alice.1:4000)",
    ]);
    bench.progress(2, 0, 180, "");
    bench.progress(3, 0, 180, "");
    bench.expect(&["1 progress #0 180", "= ringing", "1 progress #1 180"]);
    bench.answered(3, 0, "bob.1:5000");
    bench.expect(&[
        "2 end elsewhere",
        "4 end elsewhere",
        "1 answer #1 (bob.1:5000)",
        "3 confirm",
        "= answered by 3",
        "= connected",
    ]);
    bench.confirmed(CALLER, "");
    bench.ended(3, 200);
    bench.expect(&["1 end 200", "= ended", "ended 200"]);
}

#[test]
fn two_phones_that_answer_at_once_never_give_the_caller_two_answers() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.answered(2, 0, "bob.1:5000");
    bench.skip();
    // On its way before its leg was ended: its adapter acknowledges it and hangs up.
    bench.answered(3, 0, "carol.1:6000");
    bench.answered(2, 1, "dave.1:7000");
    bench.expect(&[]);
}

#[test]
fn an_answer_to_an_invite_without_an_offer_waits_for_the_callers_acknowledgement() {
    let mut bench = Bench::incoming("", route(&[&[7]]));
    bench.expect(&["2 start phone 7 101>102"]);
    bench.answered(2, 0, "bob.1:5000");
    bench.expect(&["1 answer #0 (bob.1:5000)", "= answered by 2", "= connected"]);
    bench.confirmed(CALLER, "alice.1:4000");
    bench.expect(&["2 confirm (alice.1:4000)"]);
    bench.confirmed(CALLER, "alice.1:4000");
    bench.expect(&[]);
}

#[test]
fn the_caller_sees_one_early_dialog_per_phone_and_per_far_end_behind_it() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.skip();
    bench.progress(2, 0, 183, "bob.1:5000");
    bench.progress(2, 1, 183, "carol.1:6000");
    bench.progress(3, 0, 180, "");
    bench.progress(2, 0, 180, "");
    bench.expect(&[
        "1 progress #0 183 (bob.1:5000)",
        "= ringing",
        "1 progress #1 183 (carol.1:6000)",
        "1 progress #2 180",
        "1 progress #0 180",
    ]);
    bench.answered(2, 1, "");
    bench.expect(&[
        "3 end elsewhere",
        "1 answer #1",
        "2 confirm",
        "= answered by 2",
        "= connected",
    ]);
}

#[test]
fn a_caller_who_hangs_up_ends_every_phone_that_rings() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.skip();
    bench.ended(CALLER, 200);
    bench.expect(&["2 end 487", "3 end 487", "= ended", "ended 487"]);
}

#[test]
fn a_caller_who_was_answered_elsewhere_passes_that_on() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.say(CALLER, LegEvent::Ended { cause: Cause::answered_elsewhere() });
    bench.expect(&["2 end elsewhere", "= ended", "ended 200"]);
}

#[test]
fn when_all_fail_the_caller_gets_the_best_refusal() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8, 9]]));
    bench.skip();
    bench.ended(2, 404);
    bench.ended(4, 486);
    bench.expect(&[]);
    bench.ended(3, 503);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);
}

#[test]
fn one_who_declines_declines_for_all_phones_and_attempts() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8], &[9]]));
    bench.skip();
    bench.ended(2, 603);
    bench.expect(&["3 end 603", "1 end 603", "= ended", "ended 603"]);
}

#[test]
fn the_next_attempt_follows_when_the_first_has_rung_long_enough() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7], &[8]]));
    bench.skip();
    assert_eq!(bench.call.next_deadline(), Some(bench.now + std::time::Duration::from_secs(20)));
    bench.wait(19);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["2 end 480", "3 start phone 8 101>102 (alice.1:4000)"]);
    bench.wait(20);
    bench.expect(&["3 end 480", "1 end 480", "= ended", "ended 480"]);
}

#[test]
fn nobody_answered_and_nobody_there_are_told_apart() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.now += std::time::Duration::from_secs(20);
    bench.call.deadline(bench.now, &mut bench.ids);
    let mut cause = None;
    while let Some(action) = bench.call.poll() {
        if let Action::Ended { cause: why } = action {
            cause = Some(why);
        }
    }
    assert_eq!(cause.unwrap().words().what, "nobody answered");
}

#[test]
fn a_route_that_leads_nowhere_is_refused_at_once() {
    let mut bench = Bench::incoming("alice.1:4000", Route::refused("103", Why::NotRegistered));
    bench.expect(&["1 end 480", "= ended", "ended 480"]);
}

#[test]
fn the_hops_left_cross_as_the_adapter_counted_them() {
    let (now, mut ids) = (Instant::now(), LegIds::new());
    let leg = ids.allocate();
    let invitation = Invitation { hops: 3, ..invitation("alice.1:4000") };
    let mut call = Call::incoming(now, &mut ids, CallId(1), leg, invitation, route(&[&[7]]));
    let Some(Action::Start { invitation, .. }) = call.poll() else { panic!("nothing rings") };
    assert_eq!(invitation.hops, 3);
}

#[test]
fn a_phone_that_sends_the_call_on_is_followed_and_named() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7, 8]]));
    bench.skip();
    bench.say(2, redirected(&["105", "106"]));
    bench.expect(&["route? 1 105 by Phone(PhoneId(7))"]);
    bench.routed(1, Route::refused("105", Why::Unknown));
    bench.expect(&["route? 2 106 by Phone(PhoneId(7))"]);
    bench.routed(2, route(&[&[9, 8]]));
    bench.expect(&["4 start phone 9 101>102 by 102 (alice.1:4000)"]);
    bench.ended(3, 486);
    bench.ended(4, 404);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);
}

#[test]
fn phones_that_send_a_call_to_each_other_end_it() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.say(2, redirected(&["105"]));
    bench.routed(1, route(&[&[8]]));
    bench.say(3, redirected(&["102"]));
    bench.skip();
    bench.routed(2, route(&[&[7]]));
    bench.expect(&["1 end 480", "= ended", "ended 480"]);
}

#[test]
fn diversions_without_end_are_ended() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    for round in 1..=5 {
        bench.say(u64::from(round) + 1, redirected(&["105"]));
        bench.routed(round, route(&[&[u64::from(round) + 20]]));
    }
    bench.skip();
    bench.say(7, redirected(&["105"]));
    bench.expect(&["1 end 483", "= ended", "ended 483"]);
}

#[test]
fn a_caller_who_leaves_while_a_way_is_looked_up_leaves_nothing_behind() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.say(2, redirected(&["105"]));
    bench.ended(CALLER, 487);
    bench.skip();
    bench.routed(1, route(&[&[8]]));
    bench.expect(&[]);
}

#[test]
fn hanging_up_while_it_rings_refuses_the_caller() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.hang_up();
    bench.expect(&["1 end 480", "2 end 200", "= ended", "ended 200"]);
    bench.hang_up();
    bench.ended(2, 487);
    bench.ended(CALLER, 200);
    bench.wait(100);
    bench.expect(&[]);
}

#[test]
fn a_connected_call_is_small() {
    let mut bench = Bench::connected();
    bench.drain();
    let call = &bench.call;
    assert!(call.early.is_none() && call.hunt.is_none());
    let strings: usize = call.legs.iter().map(|leg| leg.party.address.len()).sum();
    let legs = call.legs.capacity() * size_of_val(&call.legs[0]);
    let whole = size_of_val(call) + legs + strings;
    assert!(whole <= 1024, "{} + {legs} + {strings} bytes", size_of_val(call));
    // Each description is held once, whatever the number of legs that share it.
    assert_eq!(
        call.legs[0].received.as_ref().unwrap().as_ptr(),
        call.legs[1].sent.as_ref().unwrap().as_ptr()
    );
}
