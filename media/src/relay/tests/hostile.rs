// SPDX-License-Identifier: GPL-3.0-or-later
//! What is no media, and who hopes for more than he sends.

use super::*;

#[test]
fn what_is_no_packet_of_media_goes_nowhere() {
    let mut bench = Bench::new();
    for bytes in [
        &[][..],
        &[0x80],
        &[0x80, 0, 0],
        &rtp(1, 1)[..11],
        &rtcp(1)[..7],
        b"sip:x",
        b"\r\n\r\n",
        &[4, 0, 0, 0],
        &[80; 40],
        &[192; 40],
        &[255; 40],
    ] {
        let verdict = bench.packet(End::Far, Component::Rtp, PHONE, bytes);
        assert_eq!(verdict, Verdict::Drop(Refusal::NoMedia), "{bytes:?}");
    }
    let long = vec![0x80; MAX_PACKET + 1];
    let verdict = bench.packet(End::Far, Component::Rtp, PHONE, &long);
    assert_eq!(verdict, Verdict::Drop(Refusal::Oversize));
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), None);
    let counted = bench.relay.counters(End::Far, Component::Rtp);
    assert_eq!((counted.no_media, counted.oversize, counted.packets_in), (11, 1, 0));
}

#[test]
fn every_kind_that_shares_the_port_passes_unread() {
    for first in [0, 3, 16, 19, 20, 63, 64, 79, 128, 191] {
        let mut bench = Bench::new();
        let mut packet = [7; 40];
        packet[0] = first;
        assert_eq!(bench.packet(End::Far, Component::Rtp, PHONE, &packet), to_program(), "{first}");
    }
}

#[test]
fn a_flood_of_strangers_costs_counters_and_no_memory() {
    let mut bench = Bench::behind_nat();
    for stranger in 0..50_000_u32 {
        let source = SocketAddr::new(stranger.to_be_bytes().into(), 1);
        let packet = rtp(stranger, 1);
        let verdict = bench.relay.packet(bench.now, End::Far, Component::Rtp, source, &packet);
        assert_eq!(verdict, REFUSED);
    }
    assert_eq!(bench.events(), []);
    // From the NAT's own address, but never twice from one port.
    for port in 1..=u16::MAX {
        bench.rtp(End::Far, &format!("203.0.113.5:{port}"), 1, port);
    }
    assert_eq!(bench.relay.source(End::Far, Component::Rtp), None);
    assert!(bench.events().len() <= 1);
}

#[test]
fn an_address_that_cannot_be_an_ends_own_is_as_none() {
    for (described, scope) in [
        ("127.0.0.1:22", Scope::Internet),
        ("127.0.0.1:22", Scope::House),
        ("10.0.0.1:5000", Scope::Internet),
        ("224.0.0.1:5000", Scope::Internet),
        ("8.8.8.8:53", Scope::Machine),
    ] {
        let mut bench = Bench::new();
        bench.relay.describe(bench.now, End::Far, terms(described, scope));
        let verdict = bench.rtp(End::Near, PROGRAM, 1, 1);
        assert_eq!(verdict, Verdict::Drop(Refusal::Nowhere), "{described}");
        assert_eq!(bench.rtp(End::Far, described, 1, 1), REFUSED, "{described}");
    }
}

#[test]
fn an_end_of_which_nothing_is_known_hears_and_says_nothing() {
    let now = Instant::now();
    let relay = Relay::new(now, Terms::unknown(Scope::Machine), Terms::unknown(Scope::Internet));
    let mut bench = Bench { relay, now };
    assert_eq!(bench.rtp(End::Far, PHONE, 1, 1), REFUSED);
    assert_eq!(bench.rtp(End::Near, PROGRAM, 1, 1), REFUSED);
    assert_eq!(bench.relay.next_deadline(), None);
}
