// SPDX-License-Identifier: GPL-3.0-or-later
use super::bench::*;
use crate::{
    call::{CommandError, LegId, Side, leg::*},
    routing::{Route, Why},
};

#[test]
fn a_blind_transfer_connects_the_one_who_stays_with_the_target() {
    let mut bench = Bench::connected();
    // Whoever transfers holds first.
    bench.asked(2, 3, Ask::Reinvite, "bob.2:5000 sendonly");
    bench.replied(1, 1, 200, "alice.2:4000 recvonly");
    bench.skip();
    bench.refer(2, 40, None);
    bench.expect(&["2 reply 40 202", "2 notify 40 100", "= transfer trying", "route? 1 103"]);
    bench.routed(1, route(&[&[9]]));
    // The one who was held is offered as able to talk.
    bench.expect(&["3 start phone 9 101>103 (alice.2:4000)"]);
    bench.progress(3, 0, 180, "");
    bench.progress(3, 0, 180, "");
    bench.expect(&["2 notify 40 180", "= transfer ringing"]);
    bench.answered(3, 0, "carol.1:6000");
    bench.expect(&["3 confirm", "1 ask 2 reinvite (bob.3:6000)", "= held false"]);
    bench.replied(1, 2, 200, "alice.3:4000");
    bench.expect(&[
        "1 ack 2",
        "2 notify 40 200",
        "2 end 200",
        "= transfer done",
        "= Callee is 102",
    ]);
    bench.ended(2, 200);
    bench.ended(3, 200);
    bench.expect(&["1 end 200", "= ended", "ended 200"]);
}

#[test]
fn the_caller_transfers_as_well_as_the_callee() {
    let mut bench = Bench::connected();
    bench.refer(1, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.answered(3, 0, "carol.1:6000");
    bench.skip();
    bench.replied(2, 1, 200, "bob.2:5000");
    bench.expect(&[
        "2 ack 1",
        "1 notify 40 200",
        "1 end 200",
        "= transfer done",
        "= Caller is 102",
    ]);
}

#[test]
fn a_failed_transfer_leaves_the_call_as_it_was() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.skip();
    bench.ended(3, 486);
    bench.expect(&["2 notify 40 486", "= transfer failed 486"]);
    bench.asked(1, 6, Ask::Info, "");
    bench.expect(&["2 ask 1 info"]);
    bench.refer(2, 41, None);
    bench.skip();
    bench.routed(2, Route::refused("103", Why::Unknown));
    bench.expect(&["2 notify 41 404", "= transfer failed 404"]);
}

#[test]
fn a_target_that_rings_too_long_fails_the_transfer() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.skip();
    bench.wait(20);
    bench.expect(&["3 end 480", "2 notify 40 480", "= transfer failed 480"]);
}

#[test]
fn a_transferor_may_hang_up_before_the_target_answers() {
    for wait_for_route in [false, true] {
        let mut bench = Bench::connected();
        bench.refer(2, 40, None);
        if wait_for_route {
            bench.routed(1, route(&[&[9]]));
        }
        bench.skip();
        bench.ended(2, 200);
        bench.expect(&["= calling"]);
        if !wait_for_route {
            bench.routed(1, route(&[&[9]]));
        }
        bench.answered(3, 0, "carol.1:6000");
        bench.skip();
        bench.replied(1, 1, 200, "alice.2:4000");
        bench.expect(&["1 ack 1", "= transfer done", "= Callee is 102", "= connected"]);
    }
}

#[test]
fn when_the_transferor_is_gone_a_failed_transfer_ends_the_call() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.ended(2, 200);
    bench.skip();
    bench.ended(3, 486);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);
}

#[test]
fn one_who_hangs_up_while_being_transferred_ends_all() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9, 10]]));
    bench.skip();
    bench.ended(1, 200);
    bench.expect(&["2 end 200", "3 end 200", "4 end 200", "= ended", "ended 200"]);
}

#[test]
fn one_who_refuses_the_new_media_stays_with_the_old_party() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.answered(3, 0, "carol.1:6000");
    bench.skip();
    bench.replied(1, 1, 488, "");
    bench.expect(&["3 end 488", "2 notify 40 488", "= transfer failed 488"]);
    assert_eq!(bench.call.talking(Side::Callee), Some(LegId(2)));
}

#[test]
fn a_target_that_hangs_up_at_once_gives_the_call_back() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.answered(3, 0, "carol.1:6000");
    bench.skip();
    bench.ended(3, 200);
    bench.expect(&["2 notify 40 480", "= transfer failed 480"]);
    // The one who stays agrees too late: both are told again what holds.
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.expect(&["1 ack 1", "2 ask 1 reinvite (alice.1:4000)"]);
    bench.replied(2, 1, 200, "bob.2:5000");
    bench.expect(&["2 ack 1", "1 ask 2 reinvite (bob.3:5000)"]);
    bench.replied(1, 2, 200, "alice.2:4000");
    bench.expect(&["1 ack 2"]);
}

#[test]
fn a_transfer_before_the_call_is_connected_or_during_another_is_refused() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    bench.skip();
    bench.refer(1, 40, None);
    bench.expect(&["1 reply 40 491"]);
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.skip();
    bench.refer(1, 41, None);
    bench.expect(&["1 reply 41 491"]);
}

#[test]
fn the_user_transfers_over_the_bus() {
    let mut bench = Bench::connected();
    let (now, party) = (bench.now, party("103"));
    let nowhere = Route::refused("103", Why::NoLine);
    let refused = bench.call.transfer(now, &mut bench.ids, Side::Callee, party.clone(), nowhere);
    assert!(matches!(refused, Err(CommandError::Unreachable(cause)) if cause.sip == 404));
    let taken = bench.call.transfer(now, &mut bench.ids, Side::Callee, party, route(&[&[9]]));
    assert_eq!(taken, Ok(()));
    bench.drain();
    bench.expect(&["= transfer trying", "3 start phone 9 102>103 (bob.1:5000)"]);
    bench.answered(3, 0, "carol.1:6000");
    bench.replied(2, 1, 200, "bob.2:5000");
    bench.expect(&[
        "3 confirm",
        "2 ask 1 reinvite (alice.2:6000)",
        "2 ack 1",
        "1 end 200",
        "= transfer done",
        "= Caller is 102",
    ]);
}

#[test]
fn after_a_transfer_descriptions_continue_each_dialogs_own_origin() {
    let mut bench = Bench::connected();
    bench.refer(2, 40, None);
    bench.routed(1, route(&[&[9]]));
    bench.answered(3, 0, "carol.1:6000");
    bench.replied(1, 1, 200, "alice.2:4000");
    bench.skip();
    bench.asked(3, 7, Ask::Reinvite, "carol.2:6002");
    bench.expect(&["1 ask 2 reinvite (bob.3:6002)"]);
    bench.replied(1, 2, 200, "alice.3:4000");
    bench.expect(&["1 ack 2", "3 reply 7 200 (alice.3:4000)"]);
    bench.asked(1, 8, Ask::Reinvite, "alice.4:4002");
    bench.expect(&["3 ask 1 reinvite (alice.4:4002)"]);
    bench.replied(3, 1, 200, "carol.3:6002");
    bench.expect(&["3 ack 1", "1 reply 8 200 (bob.3:6002)"]);
}

#[test]
fn a_transferor_who_leaves_an_offer_open_leaves_it_closed() {
    let mut bench = Bench::connected();
    bench.asked(2, 5, Ask::Reinvite, "");
    bench.replied(1, 1, 200, "alice.2:4002");
    bench.refer(2, 40, None);
    bench.skip();
    bench.ended(2, 200);
    bench.expect(&["1 ack 1 (bob.2:9 inactive)", "= calling"]);
    bench.routed(1, route(&[&[9]]));
    bench.expect(&["3 start phone 9 101>103 (alice.2:4002)"]);
}

#[test]
fn a_transferor_who_leaves_with_a_question_open_leaves_the_asked_one_undisturbed() {
    let mut bench = Bench::connected();
    bench.asked(2, 5, Ask::Reinvite, "bob.2:5002");
    bench.asked(1, 6, Ask::Info, "");
    bench.refer(2, 40, None);
    bench.skip();
    bench.ended(2, 200);
    bench.expect(&["1 reply 6 480", "= calling"]);
    bench.replied(1, 1, 200, "alice.2:4002");
    bench.expect(&["1 ack 1"]);
    bench.routed(1, route(&[&[9]]));
    bench.expect(&["3 start phone 9 101>103 (alice.2:4002)"]);
}
