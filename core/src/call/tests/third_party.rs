// SPDX-License-Identifier: GPL-3.0-or-later
use super::bench::*;
use crate::{
    call::{LegEvent, LegId, leg::*},
    cause::Cause,
    routing::{Route, Why},
};

#[test]
fn a_program_dials_and_the_users_phones_ring_first() {
    let mut bench = Bench::dial(&[7, 8]);
    bench.expect(&["1 start phone 7 102>101", "2 start phone 8 102>101"]);
    bench.progress(1, 0, 180, "");
    bench.expect(&[]);
    bench.answered(1, 0, "alice.1:4000");
    bench.expect(&[
        "2 end elsewhere",
        "1 confirm (sipwitch.1:9 inactive)",
        "= calling",
        "route? 1 102",
    ]);
    bench.routed(1, route(&[&[9]]));
    bench.expect(&["3 start phone 9 101>102 (alice.1:4000)"]);
    bench.progress(3, 0, 180, "");
    bench.expect(&["= ringing"]);
    bench.answered(3, 0, "bob.1:5000");
    // The user's phone hears of it in its own dialog: the origin stays, its version rises.
    bench.expect(&["3 confirm", "= answered by 3", "1 ask 1 reinvite (sipwitch.2:5000)"]);
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.expect(&["1 ack 1", "= Callee is 102", "= connected"]);
    assert!(bench.call.answered_at().is_some());
    bench.asked(3, 4, Ask::Reinvite, "bob.2:5000 sendonly");
    bench.expect(&["1 ask 2 reinvite (sipwitch.3:5000 sendonly)"]);
    bench.replied(1, 2, 200, "alice.3:4000 recvonly");
    bench.expect(&["1 ack 2", "3 reply 4 200 (alice.3:4000 recvonly)", "= held true"]);
}

#[test]
fn a_user_whose_phone_is_not_there_is_told_at_once() {
    let mut bench = Bench::dial(&[]);
    bench.expect(&["= ended", "ended 480"]);
}

#[test]
fn a_user_who_does_not_answer_ends_the_call() {
    let mut bench = Bench::dial(&[7]);
    bench.skip();
    bench.wait(20);
    bench.expect(&["1 end 480", "= ended", "ended 480"]);
}

#[test]
fn when_the_other_side_fails_the_users_leg_ends_with_that_cause() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.routed(1, route(&[&[9]]));
    bench.skip();
    bench.ended(2, 486);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);

    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.skip();
    bench.routed(1, Route::refused("102", Why::Unknown));
    bench.expect(&["1 end 404", "= ended", "ended 404"]);
}

#[test]
fn a_user_who_hangs_up_while_the_other_side_rings_ends_both() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.routed(1, route(&[&[9, 10]]));
    bench.skip();
    bench.ended(1, 200);
    bench.expect(&["2 end 200", "3 end 200", "= ended", "ended 200"]);
}

#[test]
fn a_user_who_hangs_up_while_the_way_is_looked_up_ends_the_call() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.skip();
    bench.ended(1, 200);
    bench.routed(1, route(&[&[9]]));
    bench.expect(&["= ended", "ended 200"]);
}

#[test]
fn a_program_that_leaves_the_bus_ends_its_call() {
    let mut bench = Bench::dial(&[7]);
    bench.skip();
    bench.call.hang_up(Cause::owner_left_bus());
    bench.drain();
    bench.expect(&["1 end 200", "= ended", "ended 200"]);
}

#[test]
fn a_phone_that_refuses_the_other_sides_answer_ends_both() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.routed(1, route(&[&[9]]));
    bench.answered(2, 0, "bob.1:5000");
    bench.skip();
    bench.replied(1, 1, 488, "");
    bench.expect(&["1 end 488", "2 end 488", "= ended", "ended 488"]);
}

#[test]
fn an_answer_without_a_description_cannot_be_connected() {
    let mut bench = Bench::dial(&[7]);
    bench.skip();
    bench.answered(1, 0, "");
    bench.expect(&["1 end 488", "= ended", "ended 488"]);
}

#[test]
fn a_phone_that_moved_while_it_waited_is_followed() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.routed(1, route(&[&[9]]));
    // It offers anew while it waits, and is kept waiting.
    bench.skip();
    bench.asked(1, 6, Ask::Reinvite, "alice.2:4040");
    bench.expect(&["1 reply 6 200 (sipwitch.1:9 inactive)"]);
    bench.answered(2, 0, "bob.1:5000");
    bench.skip();
    bench.replied(1, 1, 200, "alice.3:4040");
    bench.expect(&["1 ack 1", "= Callee is 102", "= connected"]);
}

#[test]
fn asking_a_phone_that_waits_is_answered_by_the_switch() {
    for (ask, body, reply) in [
        (Ask::Options, "", "200"),
        (Ask::Update, "", "200"),
        (Ask::Info, "", "480"),
        (Ask::Message, "", "480"),
        (Ask::Notify, "", "481"),
        (Ask::Reinvite, "", "491"),
        (Ask::Reinvite, "alice.2:4000", "200 (sipwitch.1:9 inactive)"),
    ] {
        let mut bench = Bench::dial(&[7]);
        bench.answered(1, 0, "alice.1:4000");
        bench.skip();
        bench.asked(1, 6, ask, body);
        bench.expect(&[&format!("1 reply 6 {reply}")]);
    }
}

#[test]
fn an_early_description_serves_when_the_answer_brings_none() {
    let mut bench = Bench::dial(&[7]);
    bench.answered(1, 0, "alice.1:4000");
    bench.routed(1, route(&[&[9]]));
    bench.progress(2, 0, 183, "bob.1:5000");
    bench.skip();
    bench.say(2, LegEvent::Answered { fork: Fork(0), carried: Carried::nothing() });
    bench.expect(&["2 confirm", "= answered by 2", "1 ask 1 reinvite (sipwitch.2:5000)"]);
    assert_eq!(bench.call.talking(crate::call::Side::Callee), Some(LegId(2)));
}
