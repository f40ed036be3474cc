// SPDX-License-Identifier: GPL-3.0-or-later
//! What a call costs in one endpoint that stands between two phones: two legs, thirteen messages.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Invitation, LegCommand, LegEvent, LegId},
    cause::Cause,
};

use super::fixture::*;
use crate::{
    endpoint::{Endpoint, Event, Settings, Target},
    flow::{Flow, Transport},
    transaction::Timers,
    wire::{Limits, Message, Method, Request, Uri, parse_datagram},
};

/// The endpoint, a clock for its share of the work, and what it sent last.
struct Bench {
    endpoint: Endpoint,
    now: Instant,
    spent: Duration,
    sent: Vec<Bytes>,
}

impl Bench {
    fn timed<T>(&mut self, work: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        let begin = Instant::now();
        let result = work(&mut self.endpoint, self.now);
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.sent.push(transmit.bytes);
        }
        self.spent += begin.elapsed();
        result
    }

    fn receive(&mut self, flow: Flow, text: String) -> Vec<Event> {
        self.timed(|endpoint, now| {
            let message = parse_datagram(text.into(), &Limits::default()).unwrap();
            endpoint.receive(now, flow, message);
            std::iter::from_fn(|| endpoint.poll_event()).collect()
        })
    }

    fn command(&mut self, leg: u64, command: LegCommand) {
        self.timed(|endpoint, now| endpoint.command(now, LegId(leg), command));
    }

    fn request(&self, method: &Method) -> Request {
        self.sent
            .iter()
            .rev()
            .find_map(|bytes| match parse_datagram(bytes.clone(), &Limits::default()).unwrap() {
                Message::Request(request) if request.method() == method => Some(request),
                Message::Request(_) | Message::Response(_) => None,
            })
            .unwrap()
    }

    fn response(&self) -> crate::wire::Response {
        match parse_datagram(self.sent.last().unwrap().clone(), &Limits::default()).unwrap() {
            Message::Response(response) => response,
            Message::Request(_) => panic!("a response"),
        }
    }
}

fn carried(events: Vec<Event>) -> sipwitch_core::call::leg::Carried {
    match events.into_iter().next() {
        Some(Event::Leg {
            event: LegEvent::Answered { carried, .. } | LegEvent::Progress { carried, .. },
            ..
        }) => carried,
        other => panic!("{other:?}"),
    }
}

/// Processor time of this thread so far: other programs on the machine do not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_ascii_whitespace().next().unwrap().parse().unwrap())
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "prints figures that only a release build makes meaningful"]
fn what_a_call_costs() {
    const CALLS: u64 = 20_000;
    let flow = |last: u8| Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: format!("127.0.0.{last}:5060").parse().unwrap(),
        connection: None,
    };
    let (caller, callee) = (flow(2), flow(3));
    let now = Instant::now();
    let endpoint = Endpoint::new(now, Settings::default(), Timers::default(), [7; 32]);
    let mut bench = Bench { endpoint, now, spent: Duration::ZERO, sent: Vec::new() };
    let before = resident_kib();
    let (begin, processor) = (Instant::now(), processor_time());
    let mut standing = Vec::new();
    for call in 0..CALLS {
        bench.now += Duration::from_millis(20);
        bench.timed(Endpoint::handle_deadline);
        bench.sent.clear();
        let text = invite(&format!("c{call}"), &with_sdp("", OFFER))
            .replace("bobs-call", &format!("call-{call}"));
        let events = bench.receive(caller, text);
        let Some(Event::Request(arrival)) = events.into_iter().next() else { panic!("an INVITE") };
        let (a, b) = (2 * call, 2 * call + 1);
        let incoming =
            bench.timed(|endpoint, now| endpoint.accept(now, &arrival, LegId(a))).unwrap();
        let target = Target::new(Uri::parse("sip:103@127.0.0.3:5060").unwrap(), Vec::new(), callee);
        let wish = Invitation {
            from: incoming.from,
            to: incoming.to,
            carried: incoming.carried,
            reliable_provisional: false,
            hops: incoming.hops,
            diverted_by: None,
        };
        bench.timed(|endpoint, now| endpoint.start(now, LegId(b), &target, &wish));
        drop((arrival, wish));
        let out = bench.request(&Method::Invite);
        let contact = "Contact: <sip:103@127.0.0.3:5060>\r\n";
        let ringing = bench.receive(callee, response(&out, "180 Ringing", "x", contact));
        drop(carried(ringing));
        bench.command(a, progress(180));
        let text = response(&out, "200 OK", "x", &with_sdp(contact, ANSWER));
        let answered = carried(bench.receive(callee, text));
        let fork = sipwitch_core::call::leg::Fork(0);
        bench.command(a, LegCommand::Answer { fork, carried: answered });
        let ok = bench.response();
        bench.receive(caller, follow(&ok, "ACK", 7, ""));
        bench.command(b, confirm(None));
        // Kept as plain text: a parsed message would weigh more than the call.
        standing
            .push(follow(&ok, "BYE", 8, "").replace("KBYE", &format!("Kb{call}")).into_boxed_str());
    }
    let texts: usize = standing.iter().map(|text| text.len() + 32).sum();
    // By now all transactions are long over.
    bench.now += Duration::from_secs(60);
    bench.sent.clear();
    bench.timed(|endpoint, now| endpoint.handle_deadline(now));
    let with_calls = resident_kib();
    assert_eq!(bench.endpoint.leg_count(), 2 * CALLS as usize);
    let set_up = bench.spent;
    for (call, bye) in (0..).zip(standing) {
        bench.sent.clear();
        bench.receive(caller, bye.into());
        bench.command(2 * call + 1, end(Cause::normal()));
        let bye = bench.request(&Method::Bye);
        bench.receive(callee, response(&bye, "200 OK", "", ""));
    }
    assert_eq!(bench.endpoint.leg_count(), 0);
    // What the endpoint took of the time, taken of the processor time.
    let share = (processor_time() - processor).as_secs_f64() / begin.elapsed().as_secs_f64();
    let micros = |spent: Duration| spent.as_secs_f64() * share * 1e6 / CALLS as f64;
    println!(
        "{:.1} us a call, {:.1} of them to set it up; {} octets a standing call",
        micros(bench.spent),
        micros(set_up),
        ((with_calls - before) * 1024 - texts as u64) / CALLS,
    );
}
