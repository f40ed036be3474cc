// SPDX-License-Identifier: GPL-3.0-or-later
//! Whatever a registrar answers: nothing panics, nothing storms, and a password that was refused is
//! not shown again.

use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{CHALLENGE, World, account, challenge, credentials};
use crate::{
    client_registration::State,
    flow::{ConnectionId, Flow, Transport},
    transaction::Failure,
};

#[derive(Debug, Clone)]
enum Step {
    Answer(&'static str, String),
    Fail(Failure),
    Break(u8),
    Ways(Vec<u8>),
    Locate(Vec<u8>),
    Reach(bool),
    Password(bool),
    Off,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ways = || proptest::collection::vec(1..5_u8, 0..4);
    let fields = prop_oneof![
        Just(String::new()),
        Just(CHALLENGE.to_owned()),
        Just(challenge("n9", ", stale=true")),
        (0..5000_u32).prop_map(|n| format!("Min-Expires: {n}\r\nRetry-After: {n}\r\n")),
        (0..5000_u32).prop_map(|n| {
            format!("Contact: <sip:token-7@192.0.2.1>;expires={n}\r\nRequire: outbound\r\n")
        }),
        "[ -~]{0,40}".prop_map(|text| format!("Contact: {text}\r\nService-Route: {text}\r\n")),
        (1..9_u8).prop_map(|n| format!("Contact: <sip:edge{n}.example.net>\r\n")),
    ];
    let status = prop_oneof![
        Just("200 OK"),
        Just("302 Moved"),
        Just("401 Unauthorized"),
        Just("403 Forbidden"),
        Just("420 Bad Extension"),
        Just("423 Interval Too Brief"),
        Just("430 Flow Failed"),
        Just("439 No Outbound"),
        Just("480 Gone"),
        Just("500 Broken"),
        Just("503 Service Unavailable"),
        Just("699 Odd"),
    ];
    prop_oneof![
        8 => (status, fields).prop_map(|(status, fields)| Step::Answer(status, fields)),
        1 => prop_oneof![Just(Failure::TimedOut), Just(Failure::Unreachable)].prop_map(Step::Fail),
        1 => (1..5_u8).prop_map(Step::Break),
        1 => ways().prop_map(Step::Ways),
        1 => ways().prop_map(Step::Locate),
        2 => any::<bool>().prop_map(Step::Reach),
        1 => any::<bool>().prop_map(Step::Password),
        1 => Just(Step::Off),
        3 => (0..4000_u64).prop_map(Step::Wait),
    ]
}

/// Two ways over datagrams, and connections.
fn way(number: u8) -> Flow {
    let way = super::fixture::way(number);
    if number < 3 {
        return way;
    }
    let connection = Some(ConnectionId(number.into()));
    Flow { transport: Transport::Tls, connection, ..way }
}

proptest! {
    #[test]
    fn no_registrar_brings_us_out_of_order(steps in proptest::collection::vec(step(), 0..60)) {
        let mut world = World::new(account());
        world.register(&[way(1), way(2)]);
        for (number, step) in (0_u16..).zip(steps) {
            let (begin, before) = (world.now, world.count);
            match step {
                Step::Answer(status, fields) if !world.sent.is_empty() => {
                    world.answer(status, &fields);
                }
                Step::Fail(why) if !world.sent.is_empty() => world.fail(why),
                Step::Answer(..) | Step::Fail(_) => {}
                Step::Break(number) => {
                    world.registration.flow_failed(world.now, &way(number));
                    world.drain();
                }
                Step::Ways(numbers) => {
                    let ways: Vec<_> = numbers.into_iter().map(way).collect();
                    world.register(&ways);
                }
                Step::Locate(numbers) => {
                    let ways: Vec<_> = numbers.into_iter().map(|n| way(10 + n)).collect();
                    world.registration.located(world.now, &ways);
                    world.drain();
                }
                Step::Reach(found) => {
                    if let Some(old) = world.reach.pop() {
                        let local = format!("192.0.2.1:{}", 50_000 + number).parse().unwrap();
                        let connection = Some(ConnectionId(100 + u64::from(number)));
                        let way = found.then_some(Flow { local, connection, ..old });
                        world.registration.reached(world.now, &old, way);
                        world.drain();
                    }
                }
                Step::Password(is_other) => {
                    let password = if is_other { "other" } else { "secret" };
                    world.registration.set_credentials(world.now, credentials(password));
                    world.drain();
                }
                Step::Off => {
                    world.registration.unregister(world.now);
                    world.drain();
                }
                Step::Wait(seconds) => world.run(Duration::from_secs(seconds)),
            }
            // One answer is at most one request on each flow, and time brings no storm of them.
            let minutes = (world.now - begin).as_secs() / 15 + 1;
            prop_assert!(world.count - before <= 2 * (usize::try_from(minutes).unwrap() + 1));
            let silent = matches!(
                world.state(),
                State::NeedsPassword(_) | State::Refused { .. }
            );
            if silent {
                prop_assert_eq!(world.registration.next_deadline(), None);
                prop_assert_eq!(world.registration.flows().count(), 0);
            }
            let online = world.state() == State::Online;
            prop_assert!(!online || world.registration.flows().count() > 0);
            prop_assert!(world.registration.flows().count() <= 2);
        }
        world.registration.unregister(world.now);
        world.drain();
        world.run(Duration::from_secs(6));
        prop_assert_eq!(world.state(), State::Off);
        prop_assert_eq!(world.registration.next_deadline(), None);
        prop_assert!(world.registration.is_settled());
    }
}
