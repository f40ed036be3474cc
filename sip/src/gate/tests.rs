// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

fn settings() -> GateSettings {
    GateSettings {
        requests: Rate::per_second(10, 20),
        refusals: Rate::per_second(5, 3),
        networks: vec![
            ("10.0.0.0/8".parse().unwrap(), None),
            ("192.168.1.0/24".parse().unwrap(), Some(Rate::per_second(1, 1))),
        ],
        sources: 100,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// How many of a thousand at once are admitted, refused and dropped.
fn rush(gate: &mut Gate, now: Instant, from: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..1000 {
        counts[match gate.admit(now, ip(from)) {
            Verdict::Admit => 0,
            Verdict::Refuse { .. } => 1,
            Verdict::Drop => 2,
        }] += 1;
    }
    counts
}

#[test]
fn a_burst_is_admitted_some_are_refused_and_the_rest_is_dropped() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    assert_eq!(rush(&mut gate, now, "192.0.2.1"), [20, 3, 977]);
    assert_eq!(rush(&mut gate, now, "192.0.2.2"), [20, 3, 977], "others are not affected");
    assert_eq!(rush(&mut gate, now + Duration::from_secs(1), "192.0.2.1"), [10, 3, 987]);
    assert_eq!(rush(&mut gate, now + Duration::from_secs(60), "192.0.2.1"), [20, 3, 977]);
}

#[test]
fn a_steady_source_within_its_rate_is_never_refused() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    for tenth in 0..10_000 {
        let verdict = gate.admit(now + Duration::from_millis(100 * tenth), ip("192.0.2.1"));
        assert_eq!(verdict, Verdict::Admit);
    }
}

#[test]
fn retry_after_is_a_time_at_which_there_is_room_again() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    loop {
        if let Verdict::Refuse { retry_after } = gate.admit(now, ip("192.0.2.1")) {
            assert!(retry_after >= Duration::from_secs(1));
            assert_eq!(gate.admit(now + retry_after, ip("192.0.2.1")), Verdict::Admit);
            return;
        }
    }
}

#[test]
fn a_network_of_64_bits_is_one_source_and_a_mapped_address_is_the_plain_one() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    assert_eq!(rush(&mut gate, now, "2001:db8::1"), [20, 3, 977]);
    assert_eq!(rush(&mut gate, now, "2001:db8::ffff:1"), [0, 0, 1000]);
    assert_eq!(rush(&mut gate, now, "2001:db8:0:1::1"), [20, 3, 977]);
    assert_eq!(rush(&mut gate, now, "192.0.2.1"), [20, 3, 977]);
    assert_eq!(rush(&mut gate, now, "::ffff:192.0.2.1"), [0, 0, 1000]);
}

#[test]
fn networks_have_rates_of_their_own() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    assert_eq!(rush(&mut gate, now, "10.1.2.3"), [1000, 0, 0]);
    assert_eq!(rush(&mut gate, now, "192.168.1.7"), [1, 3, 996]);
    assert!(gate.len() == 1, "who is not limited is not remembered");
}

#[test]
fn it_remembers_no_more_sources_than_allowed_and_forgets_those_that_rest() {
    let mut gate = Gate::new(settings());
    let now = Instant::now();
    for n in 0..10_000u32 {
        gate.admit(now, IpAddr::V4((0x0b00_0000 + n).into()));
    }
    assert_eq!(gate.len(), 100);
    assert_eq!(rush(&mut gate, now, "11.0.0.1")[0], 19, "who is remembered keeps his own bucket");
    assert_eq!(rush(&mut gate, now, "192.0.2.1"), [0, 0, 1000], "the others share one");
    let later = now + Duration::from_secs(3);
    assert_eq!(rush(&mut gate, later, "192.0.2.1"), [20, 3, 977]);
    assert_eq!(gate.len(), 1);
}

#[test]
fn a_network_is_read_and_written() {
    for (text, inside, outside) in [
        ("192.168.0.0/16", "192.168.255.1", "192.169.0.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("fe80::/10", "febf::1", "fec0::1"),
        ("::/0", "2001:db8::1", "192.0.2.1"),
    ] {
        let network: Network = text.parse().unwrap();
        assert!(network.contains(ip(inside)) && !network.contains(ip(outside)), "{text}");
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    for bad in ["", "10.0.0.0/33", "10/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8"] {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
}
