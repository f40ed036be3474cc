// SPDX-License-Identifier: GPL-3.0-or-later
//! Whatever the places of a provider answer, in whatever order: a leg on a line ends once, shows
//! its password a bounded number of times, and leaves nothing behind.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, LegCommand, LegEvent, LegId},
    cause::Cause,
};

use super::{
    fixture::*,
    lines::{challenge, line, shown},
};
use crate::{
    endpoint::Event,
    flow::Flow,
    wire::{Message, Method, Request},
};

#[derive(Debug, Clone)]
enum Step {
    /// A place answers one of the requests that it heard.
    Answer { place: usize, which: usize, status: &'static str, asks: bool, tag: u8 },
    /// The way to a place breaks.
    Break(usize),
    /// The leg is moved.
    Move(u8),
    /// The switch asks something.
    Ask(Ask),
    /// The switch ends the leg.
    End,
    /// Milliseconds pass.
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        1 => Just("100 Trying"),
        1 => Just("180 Ringing"),
        3 => Just("200 OK"),
        1 => Just("302 Moved"),
        4 => Just("407 Ask"),
        1 => Just("481 Unknown"),
        1 => Just("486 Busy"),
        1 => Just("491 Pending"),
        2 => Just("503 Busy"),
    ];
    let answer = (1..3_usize, 0..20_usize, status, any::<bool>(), 0..3_u8);
    let asks = prop_oneof![Just(Ask::Reinvite), Just(Ask::Update), Just(Ask::Info)];
    prop_oneof![
        12 => answer.prop_map(|(place, which, status, asks, tag)| {
            Step::Answer { place, which, status, asks, tag }
        }),
        1 => (1..3_usize).prop_map(Step::Break),
        1 => (40..50_u8).prop_map(Step::Move),
        1 => asks.prop_map(Step::Ask),
        1 => Just(Step::End),
        3 => (0..9000_u32).prop_map(Step::Pass),
    ]
}

fn heard(world: &mut World, place: usize) -> Vec<Request> {
    let requests = world.phone_at(place).heard.iter().filter_map(|(_, message)| match message {
        Message::Request(request) if *request.method() != Method::Ack => Some(request.clone()),
        Message::Request(_) | Message::Response(_) => None,
    });
    requests.collect()
}

/// Does what a simple switch does; gives how often the leg ended.
fn attend(world: &mut World) -> usize {
    let mut ended = 0;
    for event in std::mem::take(&mut world.node(0).told) {
        let Event::Leg { event, .. } = event else { continue };
        match event {
            LegEvent::Ended { .. } => ended += 1,
            LegEvent::Answered { .. } => world.command(0, 1, confirm(None)),
            LegEvent::Replied { exchange, status, .. } if status.is_success() => {
                let carried = Carried::nothing();
                world.command(0, 1, LegCommand::ConfirmReinvite { exchange, carried });
            }
            _ => {}
        }
    }
    ended
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_provider_brings_a_leg_out_of_order(steps in proptest::collection::vec(step(), 0..50)) {
        let mut world = World::with_places(3);
        world.start_on(1, line(), &[1, 2]);
        let mut ended = attend(&mut world);
        let mut answers = 0;
        for (number, step) in steps.into_iter().enumerate() {
            let now = world.wire.now();
            match step {
                Step::Answer { place, which, status, asks, tag } => {
                    let requests = heard(&mut world, place);
                    if !requests.is_empty() {
                        answers += 1;
                        let request = &requests[requests.len() - 1 - which % requests.len()];
                        let mut more = CONTACT.to_owned();
                        if asks {
                            more.push_str(&challenge(&format!("n{number}"), ""));
                        }
                        world.say_from(place, response(request, status, &format!("t{tag}"), &more));
                    }
                }
                Step::Break(place) => {
                    let flow = world.wire.flow(world.transport, 0, place);
                    world.node(0).endpoint.flow_failed(now, &flow);
                }
                Step::Move(last) => {
                    let local = std::net::SocketAddr::from(([127, 0, 0, last], 5060));
                    let flow = Flow { local, ..world.wire.flow(world.transport, 0, 2) };
                    world.node(0).endpoint.move_leg(now, LegId(1), flow, None, Some(Bytes::from_static(OFFER)));
                }
                Step::Ask(ask) => {
                    let exchange = ExchangeId(u32::try_from(number).unwrap());
                    world.command(0, 1, LegCommand::Ask { exchange, ask, carried: sdp(OFFER) });
                }
                Step::End => world.command(0, 1, end(Cause::normal())),
                Step::Pass(millis) => world.wire.run_for(Duration::from_millis(millis.into())),
            }
            world.wire.settle();
            world.node(0).hear();
            ended += attend(&mut world);
            prop_assert!(ended <= 1);
        }
        world.command(0, 1, end(Cause::normal()));
        ended += attend(&mut world);
        prop_assert_eq!(ended, 1);
        let count = |world: &mut World, place| {
            let mut shown: Vec<_> = heard(world, place).iter().filter_map(shown).collect();
            shown.sort();
            shown.dedup();
            shown.len()
        };
        // Each answer brings one request with the password at most, and each step of ours as many.
        prop_assert!(count(&mut world, 1) + count(&mut world, 2) <= answers + 60);
        world.assert_forgotten();
        world.node(0).told.clear();
    }
}
