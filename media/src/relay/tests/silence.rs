// SPDX-License-Identifier: GPL-3.0-or-later
//! Hours without a word, and who is told.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn silence_is_told_twice_and_its_end_once() {
    let mut bench = Bench::new();
    bench.rtp(End::Near, PROGRAM, 1, 1);
    bench.rtp(End::Far, PHONE, 2, 1);
    bench.events();
    for sequence in 2..=40 {
        bench.pass(SECOND);
        bench.rtp(End::Near, PROGRAM, 1, sequence);
    }
    let told = bench.events();
    assert!(!told.contains(&Event::Silent(End::Near)) && !told.contains(&Event::Lost(End::Near)));
    let events = bench.pass(60 * SECOND);
    assert!(events.contains(&Event::Lost(End::Far)), "{events:?}");
    assert!(events.contains(&Event::Silent(End::Near)), "{events:?}");
    assert!(!events.contains(&Event::Lost(End::Near)), "{events:?}");
    bench.rtp(End::Far, PHONE, 2, 2);
    assert!(bench.events().contains(&Event::Flowing(End::Far)));
    bench.rtp(End::Far, PHONE, 2, 3);
    assert_eq!(bench.events(), []);
}

#[test]
fn whoever_never_sends_is_missed_as_well() {
    let mut bench = Bench::new();
    let events = bench.pass(29 * SECOND);
    assert_eq!(events, []);
    let events = bench.pass(2 * SECOND);
    assert_eq!(events, [Event::Silent(End::Near), Event::Silent(End::Far)]);
    let events = bench.pass(60 * SECOND);
    assert_eq!(events, [Event::Lost(End::Near), Event::Lost(End::Far)]);
    assert_eq!(bench.relay.next_deadline(), None, "nothing more can happen");
}

#[test]
fn on_hold_nobody_is_missed_and_nothing_wakes_us() {
    let mut bench = Bench::new();
    bench.rtp(End::Near, PROGRAM, 1, 1);
    bench.rtp(End::Far, PHONE, 2, 1);
    for (end, at, scope) in
        [(End::Near, PROGRAM, Scope::Machine), (End::Far, PHONE, Scope::Internet)]
    {
        bench.relay.describe(bench.now, end, Terms { sends: false, ..terms(at, scope) });
    }
    bench.events();
    let opened = bench.pass(10 * SECOND);
    assert!(opened.iter().all(|event| matches!(event, Event::Opened { .. })), "{opened:?}");
    assert_eq!(bench.relay.next_deadline(), None);
    bench.pass(3600 * SECOND);
    bench.relay.describe(bench.now, End::Far, terms(PHONE, Scope::Internet));
    assert_eq!(bench.pass(29 * SECOND), [], "its time begins now");
    assert_eq!(bench.pass(SECOND), [Event::Silent(End::Far)]);
}

#[test]
fn a_transfer_gives_the_next_one_time() {
    let mut bench = Bench::new();
    bench.rtp(End::Far, PHONE, 2, 1);
    bench.pass(29 * SECOND);
    bench.events();
    bench.relay.describe(bench.now, End::Far, terms("192.0.2.8:7000", Scope::Internet));
    let events = bench.pass(20 * SECOND);
    assert!(!events.contains(&Event::Silent(End::Far)), "{events:?}");
    bench.rtp(End::Far, "192.0.2.8:7000", 3, 1);
    assert!(bench.events().contains(&Event::Flowing(End::Far)));
}

#[test]
fn late_and_early_calls_do_no_harm() {
    let mut bench = Bench::new();
    bench.relay.handle_deadline(bench.now);
    bench.relay.handle_deadline(bench.now);
    assert_eq!(bench.events(), []);
    let late = bench.now + 3600 * SECOND;
    bench.relay.handle_deadline(late);
    assert_eq!(bench.events(), [Event::Lost(End::Near), Event::Lost(End::Far)]);
    // A clock that goes back, as between two threads.
    let early = bench.now;
    bench.relay.packet(early, End::Far, Component::Rtp, address(PHONE), &rtp(2, 1));
    assert!(bench.events().contains(&Event::Flowing(End::Far)));
}
