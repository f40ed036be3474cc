// SPDX-License-Identifier: GPL-3.0-or-later
use super::bench::*;
use crate::call::{CommandError, Side, Towards, leg::*};

#[test]
fn a_phone_that_holds_is_seen_to_hold() {
    let mut bench = Bench::connected();
    bench.asked(2, 5, Ask::Reinvite, "bob.2:5000 sendonly");
    bench.replied(1, 1, 200, "alice.2:4000 recvonly");
    bench.expect(&[
        "1 ask 1 reinvite (bob.2:5000 sendonly)",
        "1 ack 1",
        "2 reply 5 200 (alice.2:4000 recvonly)",
        "= held true",
    ]);
    // The held one holds as well; then the first resumes, and the second still holds.
    bench.asked(1, 6, Ask::Update, "alice.3:4000 inactive");
    bench.replied(2, 1, 200, "bob.3:5000 inactive");
    bench.asked(2, 7, Ask::Reinvite, "bob.4:5000");
    bench.replied(1, 2, 200, "alice.4:4000 sendonly");
    bench.skip();
    assert!(bench.call.is_held());
    bench.asked(1, 8, Ask::Reinvite, "alice.5:4000");
    bench.replied(2, 2, 200, "bob.5:5000");
    bench.expect(&[
        "2 ask 2 reinvite (alice.5:4000)",
        "2 ack 2",
        "1 reply 8 200 (bob.5:5000)",
        "= held false",
    ]);
}

fn hold(bench: &mut Bench) {
    bench.call.hold(bench.now).unwrap();
    bench.drain();
    bench.expect(&["2 ask 1 reinvite (alice.2:4000 inactive)"]);
    bench.replied(2, 1, 200, "bob.2:5000 inactive");
    bench.expect(&["2 ack 1", "1 ask 1 reinvite (bob.2:5000 inactive)"]);
    bench.replied(1, 1, 200, "alice.2:4000 inactive");
    bench.expect(&["1 ack 1", "= held true"]);
}

#[test]
fn the_user_holds_and_resumes_with_what_the_phones_described_before() {
    let mut bench = Bench::connected();
    hold(&mut bench);
    assert_eq!(bench.call.hold(bench.now), Ok(()));
    bench.expect(&[]);
    bench.call.resume(bench.now).unwrap();
    bench.drain();
    bench.expect(&["2 ask 2 reinvite (alice.3:4000)"]);
    bench.replied(2, 2, 200, "bob.3:5000");
    bench.expect(&["2 ack 2", "1 ask 2 reinvite (bob.3:5000)"]);
    bench.replied(1, 2, 200, "alice.3:4000");
    bench.expect(&["1 ack 2", "= held false"]);
}

#[test]
fn a_phone_that_moves_while_it_resumes_is_followed() {
    let mut bench = Bench::connected();
    hold(&mut bench);
    bench.call.resume(bench.now).unwrap();
    bench.drain();
    bench.replied(2, 2, 200, "bob.3:5000");
    bench.skip();
    bench.replied(1, 2, 200, "alice.3:4444");
    bench.expect(&["1 ack 2", "2 ask 3 reinvite (alice.4:4444)"]);
    bench.replied(2, 3, 200, "bob.4:5000");
    bench.expect(&["2 ack 3", "= held false"]);
}

#[test]
fn what_a_phone_holds_stays_held_when_the_user_resumes() {
    let mut bench = Bench::connected();
    bench.asked(2, 5, Ask::Reinvite, "bob.2:5000 sendonly");
    bench.replied(1, 1, 200, "alice.2:4000 recvonly");
    bench.skip();
    bench.call.hold(bench.now).unwrap();
    bench.drain();
    bench.replied(2, 1, 200, "bob.3:5000 inactive");
    bench.replied(1, 2, 200, "alice.3:4000 inactive");
    bench.call.resume(bench.now).unwrap();
    bench.drain();
    bench.replied(2, 2, 200, "bob.4:5000 sendonly");
    bench.skip();
    bench.replied(1, 3, 200, "alice.4:4000 recvonly");
    // Whoever asked is told that it is done.
    bench.expect(&["1 ack 3", "= held true"]);
    assert!(bench.call.is_held() && !bench.call.held_by_user);
}

#[test]
fn offers_of_phones_wait_while_the_user_holds() {
    let mut bench = Bench::connected();
    hold(&mut bench);
    bench.asked(2, 9, Ask::Reinvite, "bob.7:5050");
    bench.expect(&["2 reply 9 200 (alice.3:9 inactive)"]);
    bench.call.resume(bench.now).unwrap();
    bench.drain();
    bench.replied(2, 2, 200, "bob.8:5050");
    bench.skip();
    bench.replied(1, 2, 200, "alice.3:4000");
    bench.expect(&["1 ack 2", "= held false"]);
}

#[test]
fn a_refused_hold_is_told_and_changes_nothing() {
    let mut bench = Bench::connected();
    bench.call.hold(bench.now).unwrap();
    bench.drain();
    bench.skip();
    bench.replied(2, 1, 488, "");
    bench.expect(&["= hold refused 488"]);
    assert!(!bench.call.is_held());
}

#[test]
fn a_hold_that_meets_glare_waits_and_tries_again() {
    let mut bench = Bench::connected();
    bench.call.hold(bench.now).unwrap();
    bench.drain();
    bench.skip();
    bench.replied(2, 1, 491, "");
    let pause = bench.call.next_deadline().unwrap() - bench.now;
    assert!((2100..=4000).contains(&pause.as_millis()), "{pause:?}");
    bench.asked(2, 4, Ask::Reinvite, "bob.2:5002");
    bench.expect(&["2 reply 4 491"]);
    bench.wait(4);
    // The same offer keeps its version.
    bench.expect(&["2 ask 2 reinvite (alice.2:4000 inactive)"]);
    assert_eq!(bench.call.next_deadline(), None);
    for exchange in 2..=5 {
        bench.replied(2, exchange, 491, "");
        bench.wait(4);
    }
    assert!(!bench.call.is_held());
    assert!(bench.call.splice.is_none());
}

#[test]
fn a_hold_waits_for_an_offer_under_way() {
    let mut bench = Bench::connected();
    bench.asked(1, 5, Ask::Reinvite, "alice.2:4002");
    bench.skip();
    bench.call.hold(bench.now).unwrap();
    bench.drain();
    bench.expect(&[]);
    assert_eq!(bench.call.resume(bench.now), Err(CommandError::Busy));
    bench.replied(2, 1, 200, "bob.2:5002");
    bench.expect(&[
        "2 ack 1",
        "1 reply 5 200 (bob.2:5002)",
        "2 ask 2 reinvite (alice.3:4002 inactive)",
    ]);
}

#[test]
fn commands_apply_to_connected_calls_only() {
    let mut bench = Bench::incoming("alice.1:4000", route(&[&[7]]));
    assert_eq!(bench.call.hold(bench.now), Err(CommandError::NotConnected));
    let tones = "1".parse().unwrap();
    let towards = Towards::Side(Side::Callee);
    assert_eq!(bench.call.send_tones(towards, &tones), Err(CommandError::NotConnected));
    assert!(matches!(bench.call.answer(), Err(CommandError::DoesNotApply(_))));
    bench.hang_up();
    assert_eq!(bench.call.resume(bench.now), Err(CommandError::Ended));
    assert_eq!(bench.call.answer(), Err(CommandError::Ended));
}

#[test]
fn tones_are_sent_one_after_the_other_to_the_side_that_is_to_hear_them() {
    let mut bench = Bench::connected();
    bench.call.send_tones(Towards::Side(Side::Callee), &"5 #".parse().unwrap()).unwrap();
    bench.drain();
    bench.expect(&["2 ask 1 info (Signal=5 Duration=160)"]);
    let again = bench.call.send_tones(Towards::Both, &"1".parse().unwrap());
    assert_eq!(again, Err(CommandError::Busy));
    bench.replied(2, 1, 200, "");
    bench.expect(&["2 ask 2 info (Signal=# Duration=160)"]);
    bench.replied(2, 2, 200, "");
    bench.expect(&["= tones ended None"]);
    bench.call.send_tones(Towards::Both, &"12".parse().unwrap()).unwrap();
    bench.drain();
    bench.skip();
    bench.replied(2, 3, 200, "");
    bench.expect(&[]);
    bench.replied(1, 1, 415, "");
    bench.expect(&["= tones ended Some(415)"]);
}

#[test]
fn only_keys_of_a_telephone_are_tones() {
    use crate::call::{ParseTonesError::*, Tones};
    let many = "1".repeat(65);
    for (text, error) in [("", Empty), ("12x", NotATone('X')), (many.as_str(), TooMany(65))] {
        assert_eq!(text.parse::<Tones>(), Err(error), "{text}");
    }
    assert!("0123456789*#abcd".parse::<Tones>().is_ok());
}
