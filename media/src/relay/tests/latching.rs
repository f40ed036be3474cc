// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is heard, and where packets go.

use super::*;

#[test]
fn packets_cross_both_ways_from_the_first() {
    let mut bench = Bench::new();
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 1), to_phone());
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), to_program());
    let rtcp = forward(End::Far, Component::Rtcp, "192.0.2.7:5001");
    assert_eq!(bench.rtcp(End::Near, "127.0.0.1:4001", 1), rtcp);
    let source = address(PHONE);
    let (end, component) = (End::Far, Component::Rtp);
    let events = bench.events();
    assert!(events.contains(&Event::Latched { end, component, source }), "{events:?}");
    assert!(events.contains(&Event::Flowing(End::Near)), "{events:?}");
    let counted = bench.relay.counters(End::Far, Component::Rtp);
    assert_eq!((counted.packets_in, counted.packets_out, counted.bytes_in), (1, 1, 172));
}

#[test]
fn a_stranger_is_never_heard_before_or_after() {
    let mut bench = Bench::new();
    for sequence in 0..10 {
        assert_eq!(bench.rtp(End::Far, STRANGER, 9, sequence), REFUSED);
    }
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), to_program());
    // Not even with all that can be seen of the phone's packets.
    for sequence in 2..10 {
        assert_eq!(bench.rtp(End::Far, STRANGER, 2, sequence), REFUSED);
        assert_eq!(bench.rtp(End::Far, "192.0.2.7:5002", 2, sequence), REFUSED, "another port");
    }
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), Some(address(PHONE)));
    assert_eq!(bench.relay.counters(End::Far, Component::Rtp).strangers, 26);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.rtp(End::Far, STRANGER, 2, 20), REFUSED, "after silence");
}

#[test]
fn behind_a_nat_three_consistent_packets_are_wanted() {
    let mut bench = Bench::behind_nat();
    let (one, other) = ("203.0.113.5:61000", "203.0.113.5:62000");
    // Nothing is sent to what the description says: it is private, and far away.
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 1), Verdict::Drop(Refusal::Nowhere));
    assert_eq!(bench.rtp(End::Far, one, 2, 1), to_program(), "heard at once");
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 2), Verdict::Drop(Refusal::Nowhere));
    // Another port, another RTP source, the same packet again, a leap: all begin anew.
    bench.rtp(End::Far, other, 2, 2);
    bench.rtp(End::Far, other, 3, 3);
    bench.rtp(End::Far, other, 3, 3);
    bench.rtp(End::Far, other, 3, 20_000);
    bench.rtp(End::Far, other, 3, 20_001);
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), None);
    bench.rtp(End::Far, other, 3, 20_003);
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), Some(address(other)));
    let back = forward(End::Far, Component::Rtp, other);
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 3), back);
    assert_eq!(bench.rtp(End::Far, one, 2, 3), REFUSED);
    assert_eq!(bench.rtp(End::Far, STRANGER, 3, 20_004), REFUSED);
}

#[test]
fn handshakes_latch_as_media_do() {
    let mut bench = Bench::behind_nat();
    let source = "203.0.113.5:61000";
    let hello = [22_u8, 254, 253, 0, 0];
    for _ in 0..PROBES {
        assert_eq!(bench.packet(End::Far, Component::Rtp, source, &hello), to_program());
    }
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), Some(address(source)));
}

#[test]
fn reports_of_a_latched_source_need_no_proof_of_their_own() {
    let mut bench = Bench::behind_nat();
    for sequence in 1..=3 {
        bench.rtp(End::Far, "203.0.113.5:61000", 2, sequence);
    }
    bench.rtcp(End::Far, "203.0.113.5:61001", 77);
    assert_eq!(bench.relay.source(End::Far, Component::Rtcp), None, "of another source");
    bench.rtcp(End::Far, "203.0.113.5:61003", 2);
    let source = Some(address("203.0.113.5:61003"));
    assert_eq!(bench.relay.source(End::Far, Component::Rtcp), source);
}

#[test]
fn after_silence_the_same_source_may_come_from_elsewhere() {
    let mut bench = Bench::behind_nat();
    let (first, second) = ("203.0.113.5:61000", "203.0.113.5:62000");
    for sequence in 1..=3 {
        bench.rtp(End::Far, first, 2, sequence);
    }
    bench.events();
    bench.pass(Duration::from_millis(1900));
    assert_eq!(bench.rtp(End::Far, second, 2, 100), REFUSED, "too soon");
    let (end, component) = (End::Far, Component::Rtp);
    assert_eq!(bench.pass(Duration::from_millis(200)), [Event::Opened { end, component }]);
    assert_eq!(bench.rtp(End::Far, second, 2, 110), REFUSED, "five seconds between two");
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.rtp(End::Far, second, 3, 260), REFUSED, "another RTP source");
    assert_eq!(bench.rtp(End::Far, second, 2, 40_000), REFUSED, "a leap");
    assert_eq!(bench.rtp(End::Far, STRANGER, 2, 260), REFUSED);
    assert_eq!(bench.rtp(End::Far, second, 2, 260), to_program());
    assert_eq!(bench.rtp(End::Far, first, 2, 261), REFUSED);
    let source = address(second);
    assert_eq!(bench.events(), [Event::Latched { end, component, source }]);
}

#[test]
fn whoever_pauses_and_goes_on_stays_the_only_one() {
    let mut bench = Bench::new();
    bench.rtp(End::Far, PHONE, 2, 1);
    bench.events();
    let (end, component, source) = (End::Far, Component::Rtp, address(PHONE));
    assert_eq!(bench.pass(Duration::from_secs(6)), [Event::Opened { end, component }]);
    assert_eq!(bench.rtp(End::Far, PHONE, 5, 1), to_program());
    assert_eq!(bench.events(), [Event::Latched { end, component, source }]);
}

#[test]
fn a_description_of_another_place_begins_anew_and_a_repeated_one_does_not() {
    let mut bench = Bench::new();
    bench.rtp(End::Far, PHONE, 2, 1);
    bench.events();
    let same = terms(PHONE, Scope::Internet);
    bench.relay.describe(bench.now, End::Far, Terms { sends: false, ..same.clone() });
    bench.relay.describe(bench.now, End::Far, same);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), Some(address(PHONE)));
    let other = "192.0.2.8:7000";
    bench.relay.describe(bench.now, End::Far, terms(other, Scope::Internet));
    assert_eq!(bench.events().len(), 2, "both ports are open again");
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 2), REFUSED);
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 1), forward(End::Far, Component::Rtp, other));
    assert_eq!(bench.rtp(End::Far, other, 9, 1), to_program());
}

#[test]
fn nobody_unproved_is_sent_to_before_it_has_sent() {
    let mut bench = Bench::new();
    let far = Terms { authenticated: false, ..terms(PHONE, Scope::Internet) };
    bench.relay.describe(bench.now, End::Far, far);
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 1), Verdict::Drop(Refusal::Nowhere));
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), to_program());
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 2), to_phone());
}

#[test]
fn reports_change_their_port_where_only_one_end_multiplexes() {
    let mut bench = Bench::new();
    let far = Terms { mux: true, ..terms(PHONE, Scope::Internet) };
    bench.relay.describe(bench.now, End::Far, far);
    assert_eq!(bench.rtcp(End::Near, "127.0.0.1:4001", 1), to_phone());
    let near = forward(End::Near, Component::Rtcp, "127.0.0.1:4001");
    assert_eq!(bench.packet(End::Far, Component::Rtp, PHONE, &rtcp(2)), near);
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), to_program());
    let both = Terms { mux: true, ..terms(PROGRAM, Scope::Machine) };
    bench.relay.describe(bench.now, End::Near, both);
    assert_eq!(bench.packet(End::Far, Component::Rtp, PHONE, &rtcp(2)), to_program());
}

#[test]
fn an_address_can_be_an_ends_own_or_not() {
    let ends = [Scope::Machine, Scope::House, Scope::Internet];
    for (text, of) in [
        ("127.0.0.1:4000", [true, false, false]),
        ("[::1]:4000", [true, false, false]),
        ("[::ffff:127.0.0.1]:4000", [true, false, false]),
        ("192.168.1.5:4000", [false, true, false]),
        ("100.64.0.1:4000", [false, true, false]),
        ("[fd00::1]:4000", [false, true, false]),
        ("[::ffff:10.0.0.1]:4000", [false, true, false]),
        ("8.8.8.8:4000", [false, true, true]),
        ("[2001:4860::1]:4000", [false, true, true]),
        ("8.8.8.8:0", [false; 3]),
        ("0.0.0.0:4000", [false; 3]),
        ("[::]:4000", [false; 3]),
        ("169.254.1.1:4000", [false; 3]),
        ("[fe80::1]:4000", [false; 3]),
        ("224.0.0.1:4000", [false; 3]),
        ("[ff02::1]:4000", [false; 3]),
        ("255.255.255.255:4000", [false; 3]),
    ] {
        assert_eq!(ends.map(|scope| scope.has(address(text))), of, "{text}");
    }
}

#[test]
fn a_program_that_describes_the_network_may_send_from_a_loopback_address() {
    let now = Instant::now();
    let loopback = address(PROGRAM).ip();
    let near = Terms { signalling: Some(loopback), ..terms("192.0.2.2:4000", Scope::House) };
    let mut bench = Bench { relay: Relay::new(now, near, terms(PHONE, Scope::Internet)), now };
    for sequence in 1..=3 {
        bench.rtp(End::Near, PROGRAM, 1, sequence);
    }
    assert_eq!(bench.relay.source(End::Near, Component::Rtp), Some(address(PROGRAM)));
    assert_eq!(bench.rtp(End::Near, STRANGER, 1, 4), REFUSED);
}

/// A program that describes an address of the network and sends from a loopback one, from where it
/// receives.
fn symmetric() -> Bench {
    let mut bench = Bench::new();
    let signalling = Some(address("127.0.0.1:0").ip());
    let near = Terms { signalling, symmetric: true, ..terms("192.0.2.2:4000", Scope::House) };
    bench.relay.describe(bench.now, End::Near, near);
    bench.events();
    bench
}

#[test]
fn a_symmetric_end_is_heard_from_the_ports_it_described_and_from_no_others() {
    let mut bench = symmetric();
    for sequence in 1..=5 {
        assert_eq!(bench.rtp(End::Near, "127.0.0.1:4444", 9, sequence), REFUSED, "a thief");
        assert_eq!(bench.rtcp(End::Near, "127.0.0.1:4445", 9), REFUSED);
    }
    for sequence in 1..=3 {
        assert_eq!(bench.rtp(End::Near, "127.0.0.1:4000", 1, sequence), to_phone());
    }
    let source = Some(address("127.0.0.1:4000"));
    assert_eq!(bench.relay.source(End::Near, Component::Rtp), source);
    // Not even with the source of what is latched does anybody else give reports in its name.
    assert_eq!(bench.rtcp(End::Near, "127.0.0.1:4445", 1), REFUSED);
    // Nor does anybody carry on after silence.
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.rtp(End::Near, "127.0.0.1:4444", 1, 4), REFUSED);
}

#[test]
fn an_address_that_a_router_gave_counts_by_its_port() {
    let mut bench = symmetric();
    let mapped = Some(address("203.0.113.9:4000"));
    let near = bench.relay.terms(End::Near).clone();
    let near = Terms { rtp: mapped, scope: Scope::Machine, ..near };
    bench.relay.describe(bench.now, End::Near, near);
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), Verdict::Drop(Refusal::Nowhere), "not there");
    for sequence in 1..=5 {
        assert_eq!(bench.rtp(End::Near, "127.0.0.1:4444", 9, sequence), REFUSED);
    }
    for sequence in 1..=3 {
        assert_eq!(bench.rtp(End::Near, "127.0.0.1:4000", 1, sequence), to_phone());
    }
    let back = forward(End::Near, Component::Rtp, "127.0.0.1:4000");
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 2), back);
}

#[test]
fn a_symmetric_end_that_described_nothing_is_not_heard() {
    let mut bench = symmetric();
    let near = bench.relay.terms(End::Near).clone();
    let near = Terms { rtp: None, rtcp: None, ..near };
    bench.relay.describe(bench.now, End::Near, near);
    for sequence in 1..=5 {
        assert_eq!(bench.rtp(End::Near, "127.0.0.1:4000", 1, sequence), REFUSED);
    }
    assert_eq!(bench.rtp(End::Far, PHONE, 2, 1), Verdict::Drop(Refusal::Nowhere));
}
