// SPDX-License-Identifier: GPL-3.0-or-later
//! Whatever the order of events, late, doubled and impossible ones included: no panic, no leg
//! outlives its call, every call ends, every request is answered once, and after the end there is
//! silence. The bench checks each line; here it is driven at random.

use proptest::prelude::*;

use super::bench::*;
use crate::{
    call::{LegEvent, LegId, QueryId, Side, Towards, leg::*},
    cause::Cause,
    routing::{Persistence, Route},
};

/// One thing that happens: what, to which leg, and two choices within.
type Op = (u8, u8, u8, u8);

const BODIES: &[&str] = &["", "a.1:4000", "b.1:5000", "a.2:4000 sendonly", "b.2:5002 inactive"];
const CODES: &[u16] = &[200, 183, 302, 404, 486, 491, 500, 603, 100, 701];

fn pick<T: Clone>(from: &[T], at: u8) -> T {
    from[usize::from(at) % from.len()].clone()
}

fn apply(bench: &mut Bench, next: &mut u32, (what, leg, a, b): Op) {
    *next += 1;
    let exchange = *next;
    // Mostly legs that live; also those that are gone, and that never were.
    let live: Vec<u64> = bench.watch.live.iter().map(|leg| leg.0).collect();
    let leg = match leg {
        0..=50 => u64::from(leg % 12) + 1,
        _ => *live.get(usize::from(leg) % live.len().max(1)).unwrap_or(&1),
    };
    let body = pick(BODIES, b);
    let code = pick(CODES, a);
    let ours = ExchangeId(u32::from(a % 4) + 1);
    match what % 26 {
        0 | 1 => bench.progress(leg, u32::from(b % 3), pick(&[180, 183, 181, 199, 100], a), body),
        2 => {
            let reliable = Some(ReliableId(u32::from(a % 3)));
            let (fork, status) = (Fork(u32::from(b % 2)), Status::new(183));
            bench.say(leg, LegEvent::Progress { fork, status, reliable, carried: with(body) });
        }
        3 | 4 => bench.answered(leg, u32::from(a % 3), body),
        5 | 6 => bench.confirmed(leg, body),
        7 => bench.ended(leg, code),
        8 => {
            let targets = vec!["105".into(); usize::from(a % 3)];
            bench.say(leg, LegEvent::Redirected { targets, cause: Cause::from_sip(302) });
        }
        9 | 10 => {
            let ask = match a % 9 {
                0 | 1 => Ask::Reinvite,
                2 => Ask::Update,
                3 => Ask::Prack { reliable: ReliableId(u32::from(b % 3) + 1) },
                4 => Ask::Info,
                5 => Ask::Message,
                6 => Ask::Options,
                7 => Ask::Notify,
                _ => Ask::Other("X".into()),
            };
            bench.asked(leg, exchange, ask, body);
        }
        11 => bench.replied(leg, ours.0, code, body),
        12..=14 => {
            let waiting: Vec<_> = bench.watch.ours.keys().copied().collect();
            let Some(&(leg, ours)) = waiting.get(usize::from(b) % waiting.len().max(1)) else {
                return;
            };
            bench.replied(leg.0, ours.0, code, body);
        }
        15 if b % 2 == 0 => {
            let given: Vec<_> = bench.watch.given.iter().copied().collect();
            let Some(&(leg, exchange)) = given.get(usize::from(a) % given.len().max(1)) else {
                return;
            };
            bench.say(leg.0, LegEvent::ReinviteConfirmed { exchange, carried: with(body) });
        }
        15 => {
            let exchange = ExchangeId(exchange.saturating_sub(u32::from(a % 8)));
            bench.say(leg, LegEvent::ReinviteConfirmed { exchange, carried: with(body) });
        }
        16 => {
            let replaces = match a % 4 {
                0 => Some(Replaced::Leg(LegId(u64::from(b)))),
                1 => Some(Replaced::Unknown),
                _ => None,
            };
            bench.refer(leg, exchange, replaces);
        }
        17 => bench.wait(u64::from(a % 25)),
        18 | 19 => {
            let query = bench.watch.routes.pop().unwrap_or_else(|| QueryId(a.into()));
            let phone = u64::from(b % 5) + 20;
            let persistence =
                pick(&[Persistence::Always, Persistence::ByCause, Persistence::UntilDeclined], b);
            let found = match a % 4 {
                0 => Route::default(),
                1 => ways(&[(1, 0, "a"), (2, 0, "b"), (3, b % 2, "c")], persistence),
                _ => route(&[&[phone], &[9]]),
            };
            bench.routed(query.0, found);
        }
        20 => {
            let query = bench.watch.joins.pop().unwrap_or_else(|| QueryId(a.into()));
            let mut other = Bench::connected();
            other.watch.over(LegId(2));
            let mut released = other.call.release_peer(LegId(1)).unwrap();
            let id = LegId(1000 + u64::from(exchange));
            released.rename(id);
            bench.watch.live.insert(id);
            if bench.call.joined(bench.now, query, Ok(released)).is_some() {
                bench.watch.live.remove(&id);
            }
            bench.drain();
        }
        21 => {
            let new = LegId(2000 + u64::from(exchange));
            bench.watch.live.insert(new);
            if bench.call.replace_leg(bench.now, LegId(leg), new, invitation(body)).is_err() {
                bench.watch.live.remove(&new);
            }
            bench.drain();
        }
        22 => {
            let _ = bench.call.hold(bench.now);
            bench.drain();
        }
        23 => {
            let _ = bench.call.resume(bench.now);
            bench.drain();
        }
        24 => {
            let side = if a % 2 == 0 { Side::Caller } else { Side::Callee };
            let route = route(&[&[u64::from(b)]]);
            let _ = bench.call.transfer(bench.now, &mut bench.ids, side, party("107"), route);
            bench.drain();
        }
        _ => {
            let tones = "12#".parse().unwrap();
            let _ = bench
                .call
                .send_tones(pick(&[Towards::Both, Towards::Side(Side::Callee)], a), &tones);
            bench.drain();
        }
    }
}

fn begin(how: u8) -> Bench {
    match how % 6 {
        0 => Bench::incoming("a.1:4000", route(&[&[7, 8], &[9]])),
        1 => Bench::incoming("", route(&[&[7, 8]])),
        2 => Bench::dial(&[7, 8]),
        3 => {
            let lines = &[(1, 0, "a"), (2, 0, "b"), (3, 1, "c")];
            Bench::incoming("a.1:4000", ways(lines, Persistence::ByCause))
        }
        _ => Bench::connected(),
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<Op>(), 0..60)
}

fn answer() -> impl Strategy<Value = u16> {
    prop::sample::select(&[200, 491, 500][..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_call_that_is_hung_up_leaves_nothing_behind(how: u8, ops in ops()) {
        let (mut bench, mut next) = (begin(how), 1000);
        for op in &ops {
            apply(&mut bench, &mut next, *op);
        }
        bench.hang_up();
        prop_assert!(bench.watch.ended && bench.watch.live.is_empty());
        prop_assert_eq!(bench.call.next_deadline(), None);
        for op in &ops {
            apply(&mut bench, &mut next, *op);
        }
    }

    #[test]
    fn a_call_whose_legs_all_end_is_over(
        how: u8,
        ops in ops(),
        last_first: bool,
        code in answer(),
    ) {
        let (mut bench, mut next) = (begin(how), 1000);
        for op in ops {
            apply(&mut bench, &mut next, op);
        }
        for _ in 0..200 {
            bench.answer_everything(code);
            let leg = if last_first { bench.watch.live.last() } else { bench.watch.live.first() };
            let Some(leg) = leg.copied() else { break };
            bench.ended(leg.0, 480);
        }
        prop_assert!(bench.watch.ended, "{:?}", bench.call);
    }

    #[test]
    fn every_request_is_answered_once_and_every_success_acknowledged(
        how: u8,
        ops in ops(),
        code in answer(),
    ) {
        let (mut bench, mut next) = (begin(how), 1000);
        for op in ops {
            apply(&mut bench, &mut next, op);
        }
        bench.answer_everything(code);
    }
}
