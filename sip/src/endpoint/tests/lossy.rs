// SPDX-License-Identifier: GPL-3.0-or-later
//! Whole calls over a wire that loses, repeats and reorders.

use std::time::Duration;

use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, LegCommand, LegEvent, LegId},
    cause::Cause,
};

use super::fixture::*;
use crate::endpoint::Event;

/// What the two ends have come to. Each end does the next thing as soon as it can.
#[derive(Debug, Default)]
struct Progress {
    ended: [usize; 2],
    held: bool,
    events: usize,
}

/// Lets both ends do what a simple switch would: answer, confirm, hold once, hang up.
fn act(world: &mut World, progress: &mut Progress) {
    for at in 0..2 {
        let leg = [10, 20][at];
        for event in std::mem::take(&mut world.node(at).told) {
            progress.events += 1;
            let now = world.wire.now();
            let endpoint = &mut world.node(at).endpoint;
            let mut command = |command| endpoint.command(now, LegId(leg), command);
            match event {
                Event::Request(arrival) => {
                    // One INVITE may come again after a long silence; the first one counts.
                    if endpoint.accept(now, &arrival, LegId(leg)).is_ok() {
                        endpoint.command(now, LegId(leg), super::fixture::progress(180));
                        endpoint.command(now, LegId(leg), answer(ANSWER));
                    }
                }
                Event::Leg { event: LegEvent::Answered { .. }, .. } => command(confirm(None)),
                Event::Leg { event: LegEvent::Confirmed { .. }, .. } => {
                    command(ask(1, Ask::Reinvite, sdp(OFFER)));
                }
                Event::Leg { event: LegEvent::Asked { exchange, .. }, .. } => {
                    command(reply(exchange, 200, sdp(ANSWER)));
                }
                Event::Leg { event: LegEvent::Replied { status, .. }, .. } => {
                    if status.is_success() {
                        let exchange = ExchangeId(1);
                        let carried = Carried::nothing();
                        command(LegCommand::ConfirmReinvite { exchange, carried });
                    } else {
                        command(end(Cause::normal()));
                    }
                }
                Event::Leg { event: LegEvent::ReinviteConfirmed { .. }, .. } => {
                    progress.held = true;
                    command(end(Cause::normal()));
                }
                Event::Leg { event: LegEvent::Ended { .. }, .. } => progress.ended[at] += 1,
                Event::Leg { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        world.node(at).hear();
    }
}

#[test]
fn a_third_lost_a_tenth_doubled_and_all_out_of_order_ends_each_leg_once() {
    let mut held = 0;
    for seed in 0..60 {
        let mut world = World::seeded(seed);
        world.wire.faults.loss_percent = 30;
        world.wire.faults.duplication_percent = 10;
        world.wire.faults.jitter = Duration::from_millis(700);
        let now = world.wire.now();
        let target = crate::endpoint::Target::new(
            crate::wire::Uri::parse("sip:102@127.0.0.2").unwrap(),
            Vec::new(),
            world.wire.flow(world.transport, 0, 1),
        );
        world.node(0).endpoint.start(now, LegId(10), &target, &invitation(Some(OFFER)));
        let mut progress = Progress::default();
        for _ in 0..4000 {
            act(&mut world, &mut progress);
            world.wire.run_for(Duration::from_millis(100));
        }
        assert_eq!(progress.ended, [1, 1], "seed {seed}: {progress:?}\n{}", world.ladder());
        held += usize::from(progress.held);
        world.assert_quiet();
        world.assert_forgotten();
    }
    assert!(held >= 50, "only {held} of 60 calls came to their end in order");
}
