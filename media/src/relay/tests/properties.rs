// SPDX-License-Identifier: GPL-3.0-or-later
//! What holds for any packets in any order at any time.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Packet { end: bool, rtcp_port: bool, source: usize, ssrc: u32, sequence: u16, report: bool },
    Garbage { end: bool, source: usize, bytes: Vec<u8> },
    Pass(u64),
    Describe { end: bool, at: usize, mux: bool, sends: bool, authenticated: bool, nat: bool },
}

/// Addresses of both ends, of the far one's NAT, and of strangers.
const PLACES: [&str; 8] = [
    PROGRAM,
    "127.0.0.1:4001",
    PHONE,
    "192.0.2.7:5001",
    "203.0.113.5:61000",
    "203.0.113.5:61001",
    STRANGER,
    "198.51.100.67:667",
];

fn step() -> impl Strategy<Value = Step> {
    let place = 0..PLACES.len();
    prop_oneof![
        8 => (any::<bool>(), any::<bool>(), place.clone(), 1_u32..3, 0_u16..9, any::<bool>()).prop_map(
            |(end, rtcp_port, source, ssrc, sequence, report)| {
                Step::Packet { end, rtcp_port, source, ssrc, sequence, report }
            },
        ),
        1 => (any::<bool>(), place, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(end, source, bytes)| Step::Garbage { end, source, bytes }),
        2 => (0_u64..8000).prop_map(Step::Pass),
        1 => (any::<bool>(), 0_usize..3, any::<(bool, bool, bool, bool)>()).prop_map(
            |(end, at, (mux, sends, authenticated, nat))| {
                Step::Describe { end, at, mux, sends, authenticated, nat }
            },
        ),
    ]
}

proptest! {
    #[test]
    fn strangers_are_neither_heard_nor_sent_to(steps in prop::collection::vec(step(), 0..80)) {
        let mut bench = Bench::new();
        let mut offered = 0;
        for step in steps {
            let end = |far: bool| if far { End::Far } else { End::Near };
            let verdict = match step {
                Step::Packet { end: far, rtcp_port, source, ssrc, sequence, report } => {
                    let component = if rtcp_port { Component::Rtcp } else { Component::Rtp };
                    let bytes = if report { rtcp(ssrc) } else { rtp(ssrc, sequence) };
                    offered += 1;
                    let verdict = bench.packet(end(far), component, PLACES[source], &bytes);
                    if source >= 6 {
                        prop_assert_eq!(verdict, REFUSED);
                    }
                    verdict
                }
                Step::Garbage { end: far, source, bytes } => {
                    offered += 1;
                    bench.packet(end(far), Component::Rtp, PLACES[source], &bytes)
                }
                Step::Pass(ms) => {
                    bench.pass(Duration::from_millis(ms));
                    continue;
                }
                Step::Describe { end: far, at, mux, sends, authenticated, nat } => {
                    let end = end(far);
                    let scope = if far { Scope::Internet } else { Scope::Machine };
                    let place = [PROGRAM, PHONE, "10.0.0.1:5000"][at];
                    let signalling = (far && nat).then(|| address("203.0.113.5:0").ip());
                    let terms = Terms { mux, sends, authenticated, signalling, ..terms(place, scope) };
                    bench.relay.describe(bench.now, end, terms);
                    continue;
                }
            };
            if let Verdict::Forward { end, to, .. } = verdict {
                prop_assert!(bench.relay.terms(end).scope.has(to));
                prop_assert!(!to.to_string().starts_with("198.51.100."));
                let known = bench.relay.terms(end);
                let described = known.rtp == Some(to) || known.rtcp == Some(to);
                prop_assert!(described || known.signalling == Some(to.ip()));
            }
        }
        let counted = End::ALL.into_iter().flat_map(|end| {
            Component::ALL.map(|component| *bench.relay.counters(end, component))
        });
        let (mut came, mut went, mut refused) = (0, 0, 0);
        for counters in counted {
            came += counters.packets_in;
            went += counters.packets_out;
            refused += counters.strangers + counters.no_media + counters.nowhere + counters.oversize;
        }
        prop_assert_eq!(came, went, "one out for each that came in");
        prop_assert_eq!(came + refused, offered);
    }
}
