// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;
use crate::{
    flow::Transport,
    wire::{Limits, Message, Uri, parse_datagram},
};

const TAG: &str = "0123456789abcdef";

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.2:5060".parse().unwrap(),
        connection: None,
    }
}

fn fresh() -> Draft {
    let uri = Uri::parse("sip:alice@provider.test").unwrap();
    let mut draft = Draft::request(&Method::Subscribe, &uri);
    draft
        .push(&name::FROM, format!("<sip:alice@provider.test>;tag={TAG}"))
        .push(&name::TO, "<sip:alice@provider.test>")
        .push(&name::CALL_ID, "watch")
        .push(&name::CSEQ, "1 SUBSCRIBE");
    draft
}

/// A subscription, the time, and what was sent last.
struct World {
    now: Instant,
    subscription: Subscription,
}

impl World {
    fn new() -> Self {
        Self { now: Instant::now(), subscription: Subscription::begin() }
    }

    fn sent(&mut self) -> Option<Draft> {
        self.subscription.next_request(fresh).map(|(draft, _)| draft)
    }

    fn answer(&mut self, status: u16, cseq: u32, more: &str) {
        let text = format!(
            "SIP/2.0 {status} So\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             From: <sip:alice@provider.test>;tag={TAG}\r\nTo: <sip:alice@provider.test>;tag=p\r\n\
             Call-ID: watch\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: <sip:mwi@127.0.0.2:5090>\r\n{more}\r\n"
        );
        match parse_datagram(text.into(), &Limits::default()).unwrap() {
            Message::Response(response) => self.subscription.answered(self.now, &response, flow()),
            Message::Request(_) => panic!("a response"),
        }
    }

    fn notify(&mut self, state: &str) {
        let notify = notify("watch", TAG, state);
        assert!(self.subscription.owns(&notify));
        self.subscription.notified(self.now, &notify);
    }

    /// Lets time pass; gives what is sent then.
    fn pass(&mut self, span: Duration) -> Option<Draft> {
        self.now += span;
        self.subscription.handle_deadline(self.now);
        self.sent()
    }

    /// Seconds until it wants to do something.
    fn waits(&self) -> Option<u64> {
        self.subscription.next_deadline().map(|due| (due - self.now).as_secs())
    }

    fn is_refused(&self) -> bool {
        self.subscription.state == State::Refused && self.subscription.next_deadline().is_none()
    }
}

fn notify(call_id: &str, tag: &str, state: &str) -> Request {
    let text = format!(
        "NOTIFY sip:token@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n\
         From: <sip:alice@provider.test>;tag=p\r\nTo: <sip:alice@provider.test>;tag={tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: 4 NOTIFY\r\nSubscription-State: {state}\r\n\r\n"
    );
    match parse_datagram(text.into(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

#[test]
fn it_is_asked_for_once_and_renewed_inside_its_dialog_before_it_ends() {
    let mut world = World::new();
    let first = world.sent().expect("a SUBSCRIBE");
    assert_eq!(first.value(&name::EVENT).unwrap(), b"message-summary");
    assert_eq!(first.value(&name::EXPIRES).unwrap(), b"3600");
    assert!(world.sent().is_none(), "one at a time");
    // Its challenge was answered on the way, with another number.
    world.answer(200, 2, "Expires: 1800\r\nRecord-Route: <sip:edge.test;lr>\r\n");
    assert_eq!(world.waits(), Some(1740));
    assert!(world.pass(Duration::from_secs(1739)).is_none());
    let again = world.pass(Duration::from_secs(1)).expect("another");
    assert_eq!(again.value(&name::CSEQ).unwrap(), b"3 SUBSCRIBE");
    assert_eq!(again.value(&name::TO).unwrap(), b"<sip:alice@provider.test>;tag=p");
    assert_eq!(again.value(&name::ROUTE).unwrap(), b"<sip:edge.test;lr>");
    assert_eq!(again.request_uri(), b"sip:mwi@127.0.0.2:5090");
    world.answer(202, 3, "");
    assert_eq!(world.waits(), Some(3540), "what was asked for, where nothing is said");
    // Another address of ours is told at once.
    world.subscription.moved();
    assert_eq!(world.sent().expect("a third").value(&name::CSEQ).unwrap(), b"4 SUBSCRIBE");
}

#[test]
fn who_does_not_want_it_is_not_asked_again() {
    for status in [400, 401, 403, 404, 405, 407, 420, 481, 489, 501, 603] {
        let mut world = World::new();
        world.sent().expect("a SUBSCRIBE");
        world.answer(status, 1, "Retry-After: 5\r\n");
        assert!(world.is_refused(), "{status}");
        assert!(world.pass(Duration::from_secs(86_400)).is_none(), "{status}");
        // Nor where it held before.
        let mut world = World::new();
        world.sent().expect("a SUBSCRIBE");
        world.answer(200, 1, "Expires: 600\r\n");
        world.pass(Duration::from_secs(600)).expect("another");
        world.answer(status, 2, "");
        assert!(world.is_refused(), "{status}");
    }
    let mut world = World::new();
    world.sent();
    world.answer(200, 1, "Expires: 0\r\n");
    assert!(world.is_refused(), "granted for no time at all");
}

#[test]
fn who_cannot_is_asked_less_and_less_and_then_no_more() {
    let mut world = World::new();
    let mut pauses = Vec::new();
    while !world.is_refused() {
        world.sent().expect("a SUBSCRIBE");
        match pauses.len() {
            0 => world.subscription.failed(world.now),
            _ => world.answer(503, 1, ""),
        }
        if let Some(pause) = world.waits() {
            pauses.push(pause);
            world.now += Duration::from_secs(pause);
            world.subscription.handle_deadline(world.now);
        }
    }
    assert_eq!(pauses, [300, 600, 1200, 2400]);
    let mut world = World::new();
    world.sent();
    world.answer(500, 1, "Retry-After: 900 (night)\r\n");
    assert_eq!(world.waits(), Some(900));
}

#[test]
fn an_interval_that_is_too_brief_is_raised_a_few_times() {
    let mut world = World::new();
    for least in [4000, 5000] {
        world.sent().expect("a SUBSCRIBE");
        world.answer(423, 1, &format!("Min-Expires: {least}\r\n"));
    }
    assert_eq!(world.sent().expect("a third").value(&name::EXPIRES).unwrap(), b"5000");
    world.answer(423, 1, "Min-Expires: 6000\r\n");
    assert!(world.is_refused());
    for nonsense in ["", "Min-Expires: 1\r\n", "Min-Expires: 4000000000\r\n"] {
        let mut world = World::new();
        world.sent();
        world.answer(423, 1, nonsense);
        assert!(world.is_refused(), "{nonsense}");
    }
}

#[test]
fn the_far_end_ends_it_and_says_whether_to_come_again() {
    for (state, waits) in [
        ("terminated;reason=deactivated", Some(60)),
        ("Terminated ; Reason=timeout", Some(60)),
        ("terminated;reason=probation;retry-after=1000", Some(1000)),
        ("terminated;retry-after=1", Some(60)),
        ("terminated", Some(300)),
        ("terminated;reason=rejected", None),
        ("terminated;reason=noresource;retry-after=7", None),
    ] {
        let mut world = World::new();
        world.sent();
        world.answer(200, 1, "Expires: 3600\r\n");
        world.notify(state);
        assert_eq!(world.waits(), waits, "{state}");
        // A NOTIFY may overtake the answer (RFC 6665 §4.1.2.4).
        let mut world = World::new();
        world.sent();
        world.notify(state);
        world.answer(200, 1, "Expires: 3600\r\n");
        assert_eq!(world.waits(), waits, "{state}");
    }
    let mut world = World::new();
    world.sent();
    world.answer(200, 1, "Expires: 3600\r\n");
    world.notify("active;expires=600");
    assert_eq!(world.waits(), Some(540), "it may be shortened");
    world.notify("active;expires=99999");
    assert_eq!(world.waits(), Some(540), "and not be prolonged");
    world.notify("active;expires=0");
    assert_eq!(world.waits(), Some(60), "nobody is made to hurry");
}

#[test]
fn who_ends_it_again_and_again_is_left_alone() {
    let mut world = World::new();
    let mut asked = 0;
    while world.sent().is_some() {
        asked += 1;
        assert!(asked < 10, "it goes on for ever");
        world.answer(200, 1, "Expires: 3600\r\n");
        world.notify("terminated;reason=deactivated");
        if let Some(wait) = world.waits() {
            world.now += Duration::from_secs(wait);
            world.subscription.handle_deadline(world.now);
        }
    }
    assert_eq!(asked, 5);
}

#[test]
fn only_its_own_notify_is_its_own() {
    let mut world = World::new();
    assert!(!world.subscription.owns(&notify("watch", TAG, "active")), "nothing was asked for");
    world.sent();
    assert!(world.subscription.owns(&notify("watch", TAG, "active")));
    assert!(!world.subscription.owns(&notify("other", TAG, "active")));
    assert!(!world.subscription.owns(&notify("watch", "fedcba9876543210", "active")));
}

proptest! {
    #[test]
    fn whatever_a_far_end_says_it_is_never_asked_more_than_once_a_minute(
        doings in prop::collection::vec((0u8..4, 0usize..12, 0u32..100_000), 1..60),
    ) {
        const STATUS: [u16; 12] = [100, 200, 202, 299, 302, 408, 423, 480, 489, 500, 503, 504];
        const STATES: [&str; 4] =
            ["active;expires=", "terminated;reason=timeout;x=", "terminated;retry-after=", ";;="];
        let mut world = World::new();
        let mut last: Option<Instant> = None;
        let mut raised = 0;
        for (what, which, number) in doings {
            if world.sent().is_some() {
                if let Some(last) = last {
                    let pause = world.now.saturating_duration_since(last);
                    prop_assert!(pause >= LEAST || raised > 0, "{pause:?}");
                    raised = if pause < LEAST { raised - 1 } else { raised };
                }
                last = Some(world.now);
            }
            match what {
                0 => {
                    let status = STATUS[which];
                    raised += u32::from(status == 423);
                    let more = format!("Expires: {number}\r\nMin-Expires: {number}\r\n");
                    world.answer(status, number, &more);
                }
                1 => {
                    let text = notify("watch", TAG, &format!("{}{number}", STATES[which % 4]));
                    if world.subscription.owns(&text) {
                        world.subscription.notified(world.now, &text);
                    }
                }
                2 => world.subscription.failed(world.now),
                _ => world.now += Duration::from_secs(number.into()),
            }
            world.subscription.handle_deadline(world.now);
        }
    }
}
