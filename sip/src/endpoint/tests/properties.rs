// SPDX-License-Identifier: GPL-3.0-or-later
//! Whatever the order of commands, messages, losses and time: nothing panics, nothing is told of a
//! leg after its end, each leg ends once, and in the end nothing is left.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use proptest::prelude::*;
use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, Fork, LegCommand, LegEvent, LegId, ReliableId, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::{
    endpoint::{Event, Target},
    flow::Transport,
    wire::{Limits, Uri, parse_datagram},
};

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Endpoint 0 or 1 calls the other.
    Start { at: usize, offers: bool, reliable: bool },
    /// A leg is told something; the numbers are taken modulo what there is.
    Command { leg: usize, command: LegCommand },
    /// A leg answers what it was asked last.
    Reply { leg: usize, code: u16 },
    /// A leg confirms what it was answered last.
    Confirm { leg: usize },
    /// Milliseconds pass.
    Pass(u32),
    /// A message that was sent once comes again, an octet of it changed.
    Again { message: usize, at: usize, octet: u8 },
    /// The connections break.
    Break,
    /// The wire changes.
    Wire { loss: u32, doubled: u32, jitter: u16 },
}

fn ask_of() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => Just(Ask::Reinvite),
        2 => Just(Ask::Update),
        1 => Just(Ask::Info),
        1 => Just(Ask::Options),
        1 => Just(Ask::Notify),
        1 => Just(Ask::Other(Bytes::from_static(b"REFER"))),
        1 => Just(Ask::Other(Bytes::from_static(b"ODD"))),
        2 => (0u32..3).prop_map(|n| Ask::Prack { reliable: ReliableId(n) }),
    ]
}

fn carried_of() -> impl Strategy<Value = Carried> {
    prop_oneof![Just(Carried::nothing()), Just(sdp(OFFER)), Just(sdp(ANSWER))]
}

fn command_of() -> impl Strategy<Value = LegCommand> {
    let fork = (0u32..3).prop_map(Fork);
    let exchange = (0u32..4).prop_map(ExchangeId);
    prop_oneof![
        3 => (fork.clone(), 100u16..210, proptest::option::of(0u32..3), carried_of()).prop_map(
            |(fork, code, reliable, carried)| LegCommand::Progress {
                fork,
                status: Status::new(code),
                reliable: reliable.map(ReliableId),
                carried,
            }
        ),
        4 => (fork, carried_of()).prop_map(|(fork, carried)| LegCommand::Answer { fork, carried }),
        2 => carried_of().prop_map(|carried| LegCommand::Confirm { carried }),
        5 => (exchange.clone(), ask_of(), carried_of())
            .prop_map(|(exchange, ask, carried)| LegCommand::Ask { exchange, ask, carried }),
        2 => (exchange.clone(), 100u16..700, carried_of()).prop_map(|(exchange, code, carried)| {
            LegCommand::Reply { exchange, status: Status::new(code), carried }
        }),
        1 => (exchange.clone(), carried_of())
            .prop_map(|(exchange, carried)| LegCommand::ConfirmReinvite { exchange, carried }),
        1 => (exchange, 100u16..700).prop_map(|(exchange, code)| LegCommand::TransferProgress {
            exchange,
            status: Status::new(code),
        }),
        1 => (100u16..700).prop_map(|code| LegCommand::End { cause: Cause::from_sip(code) }),
    ]
}

fn step_of() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0usize..2, any::<bool>(), any::<bool>())
            .prop_map(|(at, offers, reliable)| Step::Start { at, offers, reliable }),
        8 => (any::<usize>(), command_of())
            .prop_map(|(leg, command)| Step::Command { leg, command }),
        4 => (any::<usize>(), prop_oneof![3 => Just(200u16), 1 => 180u16..700])
            .prop_map(|(leg, code)| Step::Reply { leg, code }),
        4 => any::<usize>().prop_map(|leg| Step::Confirm { leg }),
        6 => prop_oneof![3 => 0u32..1500, 1 => 0u32..70_000, 1 => Just(1_000_000)]
            .prop_map(Step::Pass),
        2 => (any::<usize>(), any::<usize>(), any::<u8>())
            .prop_map(|(message, at, octet)| Step::Again { message, at, octet }),
        1 => Just(Step::Break),
        1 => (0u32..50, 0u32..30, 0u16..900)
            .prop_map(|(loss, doubled, jitter)| Step::Wire { loss, doubled, jitter }),
    ]
}

/// What is known of each leg.
#[derive(Default)]
struct Seen {
    legs: Vec<(usize, u64)>,
    ended: HashMap<u64, bool>,
    asked: HashMap<u64, ExchangeId>,
    replied: HashMap<u64, Option<ExchangeId>>,
}

impl Seen {
    fn made(&mut self, at: usize) -> u64 {
        let leg = self.legs.len() as u64 + 1;
        self.legs.push((at, leg));
        self.ended.insert(leg, false);
        leg
    }

    /// Takes what was told; accepts what can be accepted.
    fn hear(&mut self, world: &mut World) {
        for at in 0..2 {
            world.node(at).hear();
            for event in std::mem::take(&mut world.node(at).told) {
                match event {
                    Event::Request(arrival) => {
                        let now = world.wire.now();
                        let leg = self.made(at);
                        let accepted =
                            world.node(at).endpoint.accept(now, &arrival, LegId(leg)).is_ok();
                        if !accepted {
                            // The refused are no legs; a new request that is no INVITE neither.
                            self.ended.insert(leg, true);
                        }
                    }
                    Event::Leg { leg, event } => self.told(leg.0, event),
                    Event::Withdrawn { .. }
                    | Event::Answered { .. }
                    | Event::Failed { .. }
                    | Event::PlaceFailed { .. }
                    | Event::Moved { .. } => {}
                }
            }
        }
    }

    fn told(&mut self, leg: u64, event: LegEvent) {
        assert_eq!(self.ended.get(&leg), Some(&false), "leg {leg} told {event:?}");
        match event {
            LegEvent::Ended { .. } => {
                self.ended.insert(leg, true);
            }
            LegEvent::Asked { exchange, .. } | LegEvent::TransferAsked { exchange, .. } => {
                self.asked.insert(leg, exchange);
            }
            LegEvent::Answered { .. } => {
                self.replied.insert(leg, None);
            }
            LegEvent::Replied { exchange, .. } => {
                self.replied.insert(leg, Some(exchange));
            }
            LegEvent::Progress { .. }
            | LegEvent::Confirmed { .. }
            | LegEvent::ReinviteConfirmed { .. }
            | LegEvent::Redirected { .. } => {}
        }
    }
}

fn run(steps: Vec<Step>, transport: Transport) {
    let mut world = World::of_endpoints();
    world.transport = transport;
    let mut seen = Seen::default();
    for step in steps {
        let pick = |seen: &Seen, leg: usize| {
            (!seen.legs.is_empty()).then(|| seen.legs[leg % seen.legs.len()])
        };
        match step {
            Step::Start { at, offers, reliable } if seen.legs.len() < 20 => {
                let leg = seen.made(at);
                let target = Target::new(
                    Uri::parse("sip:102@127.0.0.2:5060").unwrap(),
                    Vec::new(),
                    world.wire.flow(world.transport, at, 1 - at),
                );
                let mut wish = invitation(offers.then_some(OFFER));
                wish.reliable_provisional = reliable;
                let now = world.wire.now();
                world.node(at).endpoint.start(now, LegId(leg), &target, &wish);
            }
            Step::Start { .. } => {}
            Step::Command { leg, command } => {
                if let Some((at, leg)) = pick(&seen, leg) {
                    let now = world.wire.now();
                    world.node(at).endpoint.command(now, LegId(leg), command);
                }
            }
            Step::Reply { leg, code } => {
                if let Some((at, leg)) = pick(&seen, leg)
                    && let Some(exchange) = seen.asked.get(&leg)
                {
                    let now = world.wire.now();
                    let command = reply(*exchange, code, sdp(ANSWER));
                    world.node(at).endpoint.command(now, LegId(leg), command);
                }
            }
            Step::Confirm { leg } => {
                if let Some((at, leg)) = pick(&seen, leg)
                    && let Some(exchange) = seen.replied.get(&leg)
                {
                    let now = world.wire.now();
                    let carried = Carried::nothing();
                    let command = match *exchange {
                        None => LegCommand::Confirm { carried },
                        Some(exchange) => LegCommand::ConfirmReinvite { exchange, carried },
                    };
                    world.node(at).endpoint.command(now, LegId(leg), command);
                }
            }
            Step::Pass(millis) => world.wire.run_for(Duration::from_millis(millis.into())),
            Step::Again { message, at, octet } if !world.wire.log.is_empty() => {
                let sent = &world.wire.log[message % world.wire.log.len()];
                let to = usize::from(sent.to == world.wire.engines[1].0);
                let mut bytes = sent.bytes.to_vec();
                let at = at % bytes.len();
                bytes[at] = octet;
                let bytes = Bytes::from(bytes);
                if parse_datagram(bytes.clone(), &Limits::default()).is_ok() {
                    let flow = world.wire.flow(world.transport, to, 1 - to);
                    world.wire.inject(flow, to, bytes);
                }
            }
            Step::Again { .. } => {}
            Step::Break => {
                let there = world.wire.engines[1].0;
                world.wire.unplug(there);
                world.wire.plug(there);
            }
            Step::Wire { loss, doubled, jitter } => {
                world.wire.faults.loss_percent = loss;
                world.wire.faults.duplication_percent = doubled;
                world.wire.faults.jitter = Duration::from_millis(jitter.into());
            }
        }
        world.wire.run_for(Duration::from_millis(2));
        seen.hear(&mut world);
    }
    // The switch ends what it still has; that is enough for everything to go away.
    for _ in 0..3 {
        for (at, leg) in seen.legs.clone() {
            let now = world.wire.now();
            world.node(at).endpoint.command(now, LegId(leg), end(Cause::normal()));
        }
        seen.hear(&mut world);
        world.run(200);
        seen.hear(&mut world);
    }
    assert!(seen.ended.values().all(|ended| *ended), "{:?}", seen.ended);
    world.assert_forgotten();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_leg_ends_once_over_datagrams(steps in proptest::collection::vec(step_of(), 1..60)) {
        run(steps, Transport::Udp);
    }

    #[test]
    fn every_leg_ends_once_over_streams(steps in proptest::collection::vec(step_of(), 1..60)) {
        run(steps, Transport::Tcp);
    }
}
