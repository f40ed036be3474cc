// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::VecDeque,
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{
        Ask, Body, Carried, ExchangeId, Fork, Invitation, LegCommand, LegEvent, LegId, Party,
        Status,
    },
    cause::Cause,
};

use crate::{
    endpoint::{Arrival, Endpoint, Event, Incoming, Settings, Target},
    flow::{Flow, Transmit, Transport},
    transaction::Timers,
    virtual_wire::{Engine, VirtualWire},
    wire::{Limits, Message, Method, Name, Request, Response, Uri, name, parse_datagram},
};

pub(super) const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=offer\r\n";
pub(super) const ANSWER: &[u8] = b"v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=answer\r\n";

/// One end of the wire.
pub(super) enum Side {
    Node(Box<Node>),
    Phone(Phone),
}

/// An endpoint and what it told.
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) told: Vec<Event>,
    /// The places that took no INVITE, and how long they want to be left alone.
    pub(super) failed_places: Vec<(SocketAddr, Option<Duration>)>,
}

/// A peer that says nothing but what the test makes it say.
#[derive(Default)]
pub(super) struct Phone {
    pub(super) heard: Vec<(Flow, Message)>,
    outbox: VecDeque<Transmit>,
    pub(super) failed: usize,
}

impl Engine for Side {
    fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let message = parse_datagram(bytes, &Limits::default());
        match self {
            Self::Node(node) => {
                let message = message.expect("only messages travel in these tests");
                node.endpoint.receive(now, flow, message);
                node.hear();
            }
            Self::Phone(phone) => phone.heard.push((flow, message.expect("a message of ours"))),
        }
    }

    fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        match self {
            Self::Node(node) => {
                node.endpoint.flow_failed(now, flow);
                node.hear();
            }
            Self::Phone(phone) => phone.failed += 1,
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        if let Self::Node(node) = self {
            node.endpoint.handle_deadline(now);
            node.hear();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Node(node) => node.endpoint.next_deadline(),
            Self::Phone(_) => None,
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        match self {
            Self::Node(node) => node.endpoint.poll_transmit(),
            Self::Phone(phone) => phone.outbox.pop_front(),
        }
    }
}

impl Node {
    fn new(now: Instant, seed: u8, settings: Settings) -> Self {
        let endpoint = Endpoint::new(now, settings, Timers::default(), [seed; 32]);
        Self { endpoint, told: Vec::new(), failed_places: Vec::new() }
    }

    pub(super) fn hear(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::PlaceFailed { flow, rest } => self.failed_places.push((flow.remote, rest)),
                event => self.told.push(event),
            }
        }
    }
}

/// Two ends, the wire between them, and the time.
pub(super) struct World {
    pub(super) wire: VirtualWire<Side>,
    pub(super) transport: Transport,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5060))
}

impl World {
    /// Endpoint 0 and endpoint 1.
    pub(super) fn of_endpoints() -> Self {
        Self::seeded(1)
    }

    pub(super) fn seeded(seed: u64) -> Self {
        let mut world = Self::empty(seed);
        for last in [1, 2] {
            let node = Node::new(world.wire.now(), last, Settings::default());
            world.wire.add(address(last), Side::Node(Box::new(node)));
        }
        world
    }

    /// Endpoint 0 and phone 1.
    pub(super) fn with_phone() -> Self {
        let mut world = Self::empty(1);
        let node = Node::new(world.wire.now(), 1, Settings::default());
        world.wire.add(address(1), Side::Node(Box::new(node)));
        world.wire.add(address(2), Side::Phone(Phone::default()));
        world
    }

    /// Endpoint 0 and the places 1 and 2 of a provider, of plain text.
    pub(super) fn with_places(seed: u64) -> Self {
        let mut world = Self::empty(seed);
        let node = Node::new(world.wire.now(), 1, Settings::default());
        world.wire.add(address(1), Side::Node(Box::new(node)));
        for last in [2, 3] {
            world.wire.add(address(last), Side::Phone(Phone::default()));
        }
        world
    }

    /// Endpoint 0, a place 1 where nobody is, and endpoint 2.
    pub(super) fn with_a_dead_place(seed: u64) -> Self {
        let mut world = Self::empty(seed);
        let node = |world: &Self, last| Node::new(world.wire.now(), last, Settings::default());
        let (first, last) = (node(&world, 1), node(&world, 3));
        world.wire.add(address(1), Side::Node(Box::new(first)));
        world.wire.add(address(2), Side::Phone(Phone::default()));
        world.wire.add(address(3), Side::Node(Box::new(last)));
        world
    }

    fn empty(seed: u64) -> Self {
        Self { wire: VirtualWire::new(seed, Instant::now()), transport: Transport::Udp }
    }

    pub(super) fn node(&mut self, at: usize) -> &mut Node {
        match self.wire.engine(at) {
            Side::Node(node) => node,
            Side::Phone(_) => panic!("{at} is a phone"),
        }
    }

    pub(super) fn phone(&mut self) -> &mut Phone {
        self.phone_at(1)
    }

    pub(super) fn phone_at(&mut self, at: usize) -> &mut Phone {
        match self.wire.engine(at) {
            Side::Phone(phone) => phone,
            Side::Node(_) => panic!("{at} is no phone"),
        }
    }

    pub(super) fn command(&mut self, at: usize, leg: u64, command: LegCommand) {
        let now = self.wire.now();
        let node = self.node(at);
        node.endpoint.command(now, LegId(leg), command);
        node.hear();
        self.wire.settle();
    }

    pub(super) fn start(&mut self, leg: u64, invitation: &Invitation) {
        let now = self.wire.now();
        let flow = self.wire.flow(self.transport, 0, 1);
        let target = Target::new(Uri::parse("sip:102@127.0.0.2:5060").unwrap(), Vec::new(), flow);
        let node = self.node(0);
        node.endpoint.start(now, LegId(leg), &target, invitation);
        node.hear();
        self.wire.settle();
    }

    /// The INVITE (or other request) that endpoint `at` was told of.
    pub(super) fn arrival(&mut self, at: usize) -> Arrival {
        let told = &mut self.node(at).told;
        let found = told.iter().position(|event| matches!(event, Event::Request(_)));
        match told.remove(found.expect("a request was told")) {
            Event::Request(arrival) => arrival,
            _ => unreachable!("position says so"),
        }
    }

    pub(super) fn accept(&mut self, at: usize, leg: u64) -> Incoming {
        let arrival = self.arrival(at);
        let now = self.wire.now();
        let node = self.node(at);
        let incoming = node.endpoint.accept(now, &arrival, LegId(leg)).expect("acceptable");
        node.hear();
        incoming
    }

    /// What a leg told since last asked.
    pub(super) fn told(&mut self, at: usize, leg: u64) -> Vec<LegEvent> {
        let told = std::mem::take(&mut self.node(at).told);
        let (mine, others) =
            told.into_iter().partition(|e| matches!(e, Event::Leg { leg: l, .. } if l.0 == leg));
        self.node(at).told = others;
        let mine: Vec<Event> = mine;
        mine.into_iter()
            .map(|event| match event {
                Event::Leg { event, .. } => event,
                _ => unreachable!("partitioned"),
            })
            .collect()
    }

    /// The one thing a leg told.
    pub(super) fn told_one(&mut self, at: usize, leg: u64) -> LegEvent {
        let mut told = self.told(at, leg);
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    }

    pub(super) fn cause_of_end(&mut self, at: usize, leg: u64) -> Cause {
        match self.told(at, leg).pop() {
            Some(LegEvent::Ended { cause }) => cause,
            other => panic!("leg {leg} has not ended: {other:?}"),
        }
    }

    /// A call from endpoint 0 (leg 10) to endpoint 1 (leg 20), standing.
    pub(super) fn call(&mut self) {
        self.start(10, &invitation(Some(OFFER)));
        self.accept(1, 20);
        self.command(1, 20, answer(ANSWER));
        assert!(matches!(self.told_one(0, 10), LegEvent::Answered { .. }));
        self.command(0, 10, confirm(None));
        assert!(matches!(self.told_one(1, 20), LegEvent::Confirmed { .. }));
        self.assert_quiet();
    }

    /// Sends from the phone to endpoint 0.
    pub(super) fn say(&mut self, text: impl Into<Bytes>) {
        self.say_from(1, text);
    }

    /// Sends from a phone to endpoint 0.
    pub(super) fn say_from(&mut self, at: usize, text: impl Into<Bytes>) {
        let flow = self.wire.flow(self.transport, at, 0);
        self.phone_at(at).outbox.push_back(Transmit { flow, bytes: text.into() });
        self.wire.settle();
    }

    /// The last request of a method that the phone heard.
    pub(super) fn heard(&mut self, method: &Method) -> Request {
        self.heard_at(1, method)
    }

    /// The last request of a method that a phone heard.
    pub(super) fn heard_at(&mut self, at: usize, method: &Method) -> Request {
        let heard = self.phone_at(at).heard.iter().rev().find_map(|(_, message)| match message {
            Message::Request(request) if request.method() == method => Some(request.clone()),
            _ => None,
        });
        heard.unwrap_or_else(|| panic!("the phone heard no {method}"))
    }

    /// How many requests of a method the phone heard. Repetitions count for ACK alone.
    pub(super) fn count(&mut self, method: &Method) -> usize {
        self.count_at(1, method)
    }

    pub(super) fn count_at(&mut self, at: usize, method: &Method) -> usize {
        let mut branches: Vec<_> = self
            .phone_at(at)
            .heard
            .iter()
            .filter_map(|(_, message)| match message {
                Message::Request(r) if r.method() == method => r.headers().text(&name::VIA),
                Message::Request(_) | Message::Response(_) => None,
            })
            .collect();
        if *method != Method::Ack {
            branches.dedup();
        }
        branches.len()
    }

    /// The last response the phone heard.
    pub(super) fn response(&mut self) -> Response {
        let heard = self.phone().heard.iter().rev().find_map(|(_, message)| match message {
            Message::Response(response) => Some(response.clone()),
            Message::Request(_) => None,
        });
        heard.expect("the phone heard a response")
    }

    /// The codes of all responses the phone heard to a method.
    pub(super) fn codes(&mut self, method: &Method) -> Vec<u16> {
        self.phone()
            .heard
            .iter()
            .filter_map(|(_, message)| match message {
                Message::Response(r) if r.cseq().unwrap().method == *method => Some(r.status()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn run(&mut self, seconds: u64) {
        self.wire.run_for(Duration::from_secs(seconds));
    }

    pub(super) fn assert_quiet(&mut self) {
        for at in 0..self.wire.engines.len() {
            if let Side::Node(node) = self.wire.engine(at) {
                assert!(node.told.is_empty(), "endpoint {at} told {:?}", node.told);
            }
        }
    }

    /// Lets all timers run out; then nothing may be left.
    pub(super) fn assert_forgotten(&mut self) {
        self.run(400);
        for at in 0..self.wire.engines.len() {
            if let Side::Node(node) = self.wire.engine(at) {
                let context = &node.endpoint.context;
                assert_eq!(node.endpoint.leg_count(), 0, "legs of {at}");
                assert!(context.tags.is_empty(), "tags of {at}");
                assert!(context.clients.is_empty(), "clients of {at}: {:?}", context.clients);
                assert!(context.invites.is_empty(), "invites of {at}");
                assert!(context.line_asks.is_empty(), "requests on lines of {at}");
                assert!(node.endpoint.deadlines.is_empty(), "deadlines of {at}");
                assert!(node.endpoint.waiting.is_empty(), "INVITEs of {at}");
            }
        }
    }

    /// The ladder of all that was sent, as a text to compare.
    pub(super) fn ladder(&self) -> String {
        let mut text = String::new();
        for sent in &self.wire.log {
            let arrow = if sent.from < sent.to { "-->" } else { "<--" };
            let loss = if sent.is_lost { "  (lost)" } else { "" };
            let at = sent.at.as_secs_f64();
            let _ = writeln!(text, "{at:>8.3}  {arrow}  {}{loss}", sent.start_line());
            let message = parse_datagram(sent.bytes.clone(), &Limits::default()).unwrap();
            for wanted in SHOWN {
                let wanted = Name::from_bytes(&Bytes::from_static(wanted.as_bytes()));
                for value in message.headers().all(&wanted) {
                    let value = String::from_utf8_lossy(&value).into_owned();
                    let spelled = String::from_utf8_lossy(wanted.as_bytes()).into_owned();
                    let _ = writeln!(text, "               {spelled}: {value}");
                }
            }
        }
        text
    }
}

/// The fields that a golden ladder shows.
const SHOWN: &[&str] = &[
    "From",
    "To",
    "CSeq",
    "Contact",
    "Require",
    "RSeq",
    "RAck",
    "Session-Expires",
    "Reason",
    "Refer-To",
    "Event",
    "Subscription-State",
    "Replaces",
    "Content-Type",
    "Content-Length",
];

/// Compares with a file of `golden/`; `TEST_OVERWRITE=1` writes it.
pub(super) fn assert_golden(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/endpoint/tests/golden")
        .join(file);
    if std::env::var_os("TEST_OVERWRITE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{file} differs (TEST_OVERWRITE=1 rewrites it):\n{text}");
}

pub(super) fn party(address: &str) -> Party {
    Party { display: String::new(), address: address.into() }
}

pub(super) fn invitation(offer: Option<&'static [u8]>) -> Invitation {
    Invitation {
        from: party("101"),
        to: party("102"),
        carried: offer.map(sdp).unwrap_or_default(),
        reliable_provisional: false,
        hops: 69,
        diverted_by: None,
    }
}

pub(super) fn sdp(description: &'static [u8]) -> Carried {
    Carried::body(Body::sdp(Bytes::from_static(description)))
}

pub(super) fn answer(description: &'static [u8]) -> LegCommand {
    LegCommand::Answer { fork: Fork(0), carried: sdp(description) }
}

pub(super) fn confirm(description: Option<&'static [u8]>) -> LegCommand {
    LegCommand::Confirm { carried: description.map(sdp).unwrap_or_default() }
}

pub(super) fn end(cause: Cause) -> LegCommand {
    LegCommand::End { cause }
}

pub(super) fn progress(code: u16) -> LegCommand {
    LegCommand::Progress {
        fork: Fork(0),
        status: Status::new(code),
        reliable: None,
        carried: Carried::nothing(),
    }
}

pub(super) fn ask(exchange: u32, ask: Ask, carried: Carried) -> LegCommand {
    LegCommand::Ask { exchange: ExchangeId(exchange), ask, carried }
}

pub(super) fn reply(exchange: ExchangeId, code: u16, carried: Carried) -> LegCommand {
    LegCommand::Reply { exchange, status: Status::new(code), carried }
}

/// The request of an [`LegEvent::Asked`].
pub(super) fn asked(event: LegEvent) -> (ExchangeId, Ask, Carried) {
    match event {
        LegEvent::Asked { exchange, ask, carried } => (exchange, ask, carried),
        other => panic!("not asked: {other:?}"),
    }
}

/// A response to a request the phone heard, in plain text.
pub(super) fn response(request: &Request, status: &str, tag: &str, more: &str) -> String {
    let headers = request.headers();
    let mut text = format!("SIP/2.0 {status}\r\n");
    for value in headers.all(&name::VIA) {
        let _ = write!(text, "Via: {}\r\n", String::from_utf8_lossy(&value));
    }
    let one = |name: &Name| headers.text(name).unwrap();
    let to = one(&name::TO);
    let tag =
        if to.contains(";tag=") || tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let _ = write!(
        text,
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n",
        one(&name::FROM),
        one(&name::CALL_ID),
        one(&name::CSEQ),
    );
    text.push_str(more);
    if !more.contains("\r\n\r\n") {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

pub(super) const CONTACT: &str = "Contact: <sip:102@127.0.0.2:5060>\r\n";

/// A request of the phone inside the dialog that this INVITE of ours (answered with `tag`) made.
pub(super) fn inside(invite: &Request, tag: &str, method: &str, cseq: u32, more: &str) -> String {
    let headers = invite.headers();
    let one = |name: &Name| headers.text(name).unwrap();
    let mut text = format!(
        "{method} sip:101@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method}{cseq}{tag};rport\r\n\
         Max-Forwards: 70\r\nFrom: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
        one(&name::TO),
        one(&name::FROM),
        one(&name::CALL_ID),
    );
    text.push_str(more);
    if !more.contains("\r\n\r\n") {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

/// An INVITE of the phone.
pub(super) fn invite(branch: &str, more: &str) -> String {
    let mut text = format!(
        "INVITE sip:101@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
         From: \"Bob\" <sip:102@127.0.0.1>;tag=bob\r\nTo: <sip:101@127.0.0.1>\r\n\
         Call-ID: bobs-call\r\nCSeq: 7 INVITE\r\nContact: <sip:102@127.0.0.2:5060>\r\n"
    );
    text.push_str(more);
    if !more.contains("\r\n\r\n") {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

/// A request of the phone inside the dialog that its own INVITE made, by our answer to it.
pub(super) fn follow(answer: &Response, method: &str, cseq: u32, more: &str) -> String {
    let headers = answer.headers();
    let one = |name: &Name| headers.text(name).unwrap();
    let mut text = format!(
        "{method} sip:101@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method}{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
        one(&name::FROM),
        one(&name::TO),
        one(&name::CALL_ID),
    );
    text.push_str(more);
    if !more.contains("\r\n\r\n") {
        text.push_str("Content-Length: 0\r\n\r\n");
    }
    text
}

/// Fields and an SDP body for the end of a plain-text message.
pub(super) fn with_sdp(fields: &str, description: &[u8]) -> String {
    format!(
        "{fields}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}",
        description.len(),
        String::from_utf8_lossy(description)
    )
}

/// A call from endpoint 0 (leg 1) to the phone (tag `x`), standing: our INVITE and the phone's tag.
pub(super) fn standing(world: &mut World) -> (Request, &'static str) {
    standing_with(world, CONTACT)
}

/// The same, with these fields in the phone's answer.
pub(super) fn standing_with(world: &mut World, fields: &str) -> (Request, &'static str) {
    world.start(1, &invitation(Some(OFFER)));
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "200 OK", "x", &with_sdp(fields, ANSWER)));
    assert!(matches!(world.told_one(0, 1), LegEvent::Answered { .. }));
    world.command(0, 1, confirm(None));
    (invite, "x")
}
