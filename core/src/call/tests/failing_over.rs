// SPDX-License-Identifier: GPL-3.0-or-later
//! One way out after the other, while a call is set up.

use super::bench::*;
use crate::{call::LegEvent, cause::Cause, routing::Persistence};

const TWO_LINES: &[(u64, u8, &str)] = &[(1, 0, "+4930"), (2, 0, "030")];

fn calling(ways_out: &[(u64, u8, &str)]) -> Bench {
    let mut bench = Bench::incoming("alice.1:4000", ways(ways_out, Persistence::ByCause));
    let (line, _, dialled) = ways_out[0];
    bench.expect(&[&format!("2 start line {line} {dialled} 101>102 (alice.1:4000)")]);
    bench
}

fn fails(bench: &mut Bench, leg: u64, sip: u16, q850: Option<u8>) {
    let cause = Cause { q850, ..Cause::from_sip(sip) };
    bench.say(leg, LegEvent::Ended { cause });
}

#[test]
fn a_line_that_fails_is_followed_by_the_next_and_the_caller_hears_nothing_of_it() {
    // What a way is to blame for: no answer at all, a refused account, a failing server, media.
    for code in [401, 402, 403, 407, 408, 415, 420, 430, 482, 488, 500, 502, 503, 504, 606] {
        let mut bench = calling(TWO_LINES);
        bench.ended(2, code);
        bench.expect(&["3 start line 2 030 101>102 (alice.1:4000)"]);
        bench.progress(3, 0, 180, "");
        bench.expect(&["1 progress #0 180", "= ringing"]);
        bench.answered(3, 0, "bob.1:5000");
        bench.expect(&["1 answer #0 (bob.1:5000)", "3 confirm", "= answered by 3", "= connected"]);
    }
}

#[test]
fn a_person_who_has_spoken_is_not_asked_again_by_another_line() {
    for code in [486, 600, 603, 607, 608] {
        let mut bench = calling(TWO_LINES);
        bench.ended(2, code);
        let end = format!("1 end {code}");
        let ended = format!("ended {code}");
        bench.expect(&["= skipped 030: declined", &end, "= ended", &ended]);
    }
}

#[test]
fn what_a_gateway_says_of_the_telephone_network_counts_more_than_the_status() {
    for (sip, q850, goes_on) in [
        (486, 34, true),
        (480, 38, true),
        (480, 41, true),
        (503, 17, false),
        (503, 21, false),
        (500, 19, false),
        (404, 28, false),
        (486, 27, true),
        // We say 18 ourselves of a line that never answered.
        (408, 18, true),
    ] {
        let mut bench = calling(TWO_LINES);
        fails(&mut bench, 2, sip, Some(q850));
        assert_eq!(!bench.call.is_over(), goes_on, "{sip} with {q850}");
        bench.skip();
    }
}

#[test]
fn a_telephone_that_rang_and_was_not_answered_is_not_called_by_another_line() {
    for code in [408, 480] {
        let mut bench = calling(TWO_LINES);
        bench.progress(2, 0, 180, "");
        bench.skip();
        bench.ended(2, code);
        assert!(bench.call.is_over(), "{code}");
        bench.skip();
    }
    let mut bench = calling(TWO_LINES);
    bench.progress(2, 0, 180, "");
    bench.skip();
    bench.wait(60);
    bench.expect(&["2 end 480", "= skipped 030: reached", "1 end 480", "= ended", "ended 480"]);
}

#[test]
fn a_line_that_fails_after_it_rang_is_followed_by_the_next() {
    let mut bench = calling(TWO_LINES);
    bench.progress(2, 0, 183, "");
    bench.skip();
    bench.wait(30);
    bench.ended(2, 503);
    bench.expect(&["3 start line 2 030 101>102 (alice.1:4000)"]);
}

#[test]
fn an_unknown_number_is_asked_about_once_more_and_then_another_address_is_tried() {
    let four = &[(1, 0, "+4930"), (2, 0, "030"), (3, 0, "004930"), (1, 1, "+49170")];
    for (sip, q850) in [(404, None), (484, None), (404, Some(1)), (404, Some(3))] {
        let mut bench = calling(four);
        fails(&mut bench, 2, sip, q850);
        bench.expect(&["3 start line 2 030 101>102 (alice.1:4000)"]);
        fails(&mut bench, 3, sip, q850);
        bench.expect(&[
            "= skipped 004930: same-address",
            "4 start line 1 +49170 101>102 (alice.1:4000)",
        ]);
    }
    for code in [410, 480, 604] {
        let mut bench = calling(four);
        bench.ended(2, code);
        bench.expect(&[
            "= skipped 030: same-address",
            "= skipped 004930: same-address",
            "3 start line 1 +49170 101>102 (alice.1:4000)",
        ]);
    }
}

#[test]
fn a_silent_line_is_given_up_and_all_of_them_after_twenty_seconds() {
    let mut bench = calling(&[(1, 0, "a"), (2, 0, "b"), (3, 0, "c")]);
    bench.wait(11);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["2 end 408", "3 start line 2 b 101>102 (alice.1:4000)"]);
    // The second has only what is left of the twenty seconds.
    bench.wait(7);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["3 end 408", "= skipped c: out-of-time", "1 end 408", "= ended", "ended 408"]);
}

#[test]
fn a_line_that_rings_is_not_given_up_for_the_silence_before() {
    let mut bench = calling(TWO_LINES);
    bench.wait(11);
    bench.progress(2, 0, 180, "");
    bench.skip();
    bench.wait(40);
    bench.expect(&[]);
    bench.answered(2, 0, "bob.1:5000");
    bench.expect(&["1 answer #0 (bob.1:5000)", "2 confirm", "= answered by 2", "= connected"]);
    // Nothing is tried after an answer, whatever happens.
    bench.confirmed(CALLER, "");
    bench.ended(2, 503);
    bench.expect(&["1 end 503", "= ended", "ended 503"]);
}

#[test]
fn an_answer_that_comes_after_its_line_was_given_up_connects_nobody() {
    let mut bench = calling(TWO_LINES);
    bench.wait(12);
    bench.skip();
    bench.answered(2, 0, "late.1:5000");
    bench.progress(2, 0, 180, "");
    bench.expect(&[]);
    bench.ended(3, 486);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);
}

#[test]
fn a_caller_who_gives_up_ends_the_search() {
    let mut bench = calling(TWO_LINES);
    bench.ended(CALLER, 487);
    bench.expect(&["2 end 487", "= ended", "ended 487"]);
    bench.ended(2, 503);
    bench.expect(&[]);
}

#[test]
fn an_emergency_call_tries_every_line_whatever_they_say() {
    let lines = &[(1, 0, "112"), (2, 0, "112"), (3, 0, "112"), (4, 0, "112")];
    let mut bench = Bench::incoming("alice.1:4000", ways(lines, Persistence::Always));
    bench.skip();
    bench.ended(2, 603);
    bench.expect(&["3 start line 2 112 101>102 (alice.1:4000)"]);
    bench.progress(3, 0, 180, "");
    bench.skip();
    bench.ended(3, 486);
    bench.expect(&["4 start line 3 112 101>102 (alice.1:4000)"]);
    bench.wait(12);
    bench.expect(&["4 end 408", "5 start line 4 112 101>102 (alice.1:4000)"]);
    bench.ended(5, 404);
    bench.skip();
    assert!(bench.call.is_over());
}

#[test]
fn the_caller_is_told_what_says_most_about_the_person() {
    let mut bench = calling(TWO_LINES);
    bench.ended(2, 503);
    bench.skip();
    bench.ended(3, 486);
    bench.expect(&["1 end 486", "= ended", "ended 486"]);
}

#[test]
fn a_line_that_sends_the_call_on_gives_the_other_one_its_time() {
    let mut bench = calling(TWO_LINES);
    bench.wait(10);
    let targets = vec!["sip:+4940@home.example".into()];
    bench.say(2, LegEvent::Redirected { targets, cause: Cause::from_sip(302) });
    bench.expect(&["route? 1 sip:+4940@home.example by Line(LineId(1))"]);
    bench.routed(1, ways(&[(3, 0, "+4940")], Persistence::ByCause));
    bench.expect(&["3 start line 3 +4940 101>102 by +4930 (alice.1:4000)"]);
    bench.wait(11);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["3 end 408", "= skipped 030: out-of-time", "1 end 408", "= ended", "ended 408"]);
}
