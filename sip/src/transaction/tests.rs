// SPDX-License-Identifier: GPL-3.0-or-later

mod cancel;
mod hostile;
mod invite;
mod other;
mod refusal;
mod size;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ClientId, Event, Failure, ServerId, Table, Timers};
use crate::{
    flow::{Flow, Transmit, Transport},
    virtual_wire::{Engine, VirtualWire},
    wire::{Draft, Limits, Message, Method, Request, Uri, name, parse_datagram},
};

/// A table with a user that writes down what it is told, and may answer by itself.
pub(super) struct Station {
    pub(super) table: Table,
    pub(super) heard: Vec<Event>,
    /// Answers each new request with these.
    pub(super) answers: Vec<u16>,
    /// Acknowledges each 2xx it hears, and takes note of each ACK it hears.
    pub(super) acknowledges: bool,
    taken: usize,
}

impl Station {
    fn new(seed: u8) -> Self {
        Self {
            table: Table::new(Timers::default(), [seed; 32]),
            heard: Vec::new(),
            answers: Vec::new(),
            acknowledges: true,
            taken: 0,
        }
    }

    fn take(&mut self, now: Instant) {
        while let Some(event) = self.table.poll_event() {
            self.react(now, &event);
            self.heard.push(event);
        }
    }

    fn react(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Request { transaction, request, .. } => {
                for status in self.answers.clone() {
                    self.table.respond(now, *transaction, &answer_to(request, status));
                }
            }
            Event::Response { transaction, response, flow, .. }
                if self.acknowledges
                    && (200..300).contains(&response.status())
                    && response.cseq().unwrap().method == Method::Invite =>
            {
                let mut ack = request_draft(&Method::Ack, 1);
                let to = response.headers().value(&name::TO).unwrap().into_owned();
                ack.set(&name::TO, to);
                self.table.send_ack(Some(*transaction), *flow, &ack);
            }
            Event::Ack { .. } if self.acknowledges => {
                if let Some((id, _)) = self.request_of(&Method::Invite) {
                    self.table.acknowledged(id);
                }
            }
            _ => {}
        }
    }

    /// The last request of that method that it heard.
    pub(super) fn request_of(&self, method: &Method) -> Option<(ServerId, Request)> {
        self.heard.iter().rev().find_map(|event| match event {
            Event::Request { transaction, request, .. } if request.method() == method => {
                Some((*transaction, request.clone()))
            }
            _ => None,
        })
    }

    /// The status codes it heard, in order.
    pub(super) fn statuses(&self) -> Vec<u16> {
        self.heard
            .iter()
            .filter_map(|event| match event {
                Event::Response { response, .. } => Some(response.status()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn failures(&self) -> Vec<Failure> {
        self.heard
            .iter()
            .filter_map(|event| match event {
                Event::Failed { why, .. } => Some(*why),
                _ => None,
            })
            .collect()
    }

    pub(super) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.heard.iter().filter(|event| wanted(event)).count()
    }
}

impl Engine for Station {
    fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        match parse_datagram(bytes.clone(), &Limits::default()) {
            Ok(message) => self.table.receive(now, flow, message),
            Err(fault) => self.table.receive_malformed(flow, &bytes, &fault),
        }
        self.take(now);
    }

    fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        self.table.flow_failed(now, flow);
        self.take(now);
    }

    fn handle_deadline(&mut self, now: Instant) {
        self.table.handle_deadline(now);
        self.take(now);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.table.poll_transmit();
        self.taken += usize::from(transmit.is_some());
        transmit
    }
}

pub(super) const CALLER: usize = 0;
pub(super) const CALLEE: usize = 1;

/// Two stations on a quiet wire.
pub(super) fn pair(seed: u64) -> VirtualWire<Station> {
    let mut wire = VirtualWire::new(seed, Instant::now());
    wire.faults.latency = Duration::ZERO;
    wire.add("127.0.0.1:5060".parse().unwrap(), Station::new(1));
    wire.add("127.0.0.2:5060".parse().unwrap(), Station::new(2));
    wire
}

pub(super) fn request_draft(method: &Method, number: u32) -> Draft {
    let uri = Uri::parse("sip:102@127.0.0.2").unwrap();
    let mut draft = Draft::request(method, &uri);
    draft
        .push(&name::MAX_FORWARDS, "70")
        .push(&name::FROM, "<sip:101@localhost>;tag=from")
        .push(&name::TO, "<sip:102@localhost>")
        .push(&name::CALL_ID, "call-1")
        .push(&name::CSEQ, format!("{number} {method}"));
    draft
}

pub(super) fn answer_to(request: &Request, status: u16) -> Draft {
    Draft::response_to(request, status, "", (status > 100).then_some("to"))
}

/// The caller sends a request.
pub(super) fn send(
    wire: &mut VirtualWire<Station>,
    transport: Transport,
    method: &Method,
) -> ClientId {
    let (now, flow) = (wire.now(), wire.flow(transport, CALLER, CALLEE));
    wire.engine(CALLER).table.request(now, flow, &request_draft(method, 1))
}

/// The callee answers the last request of that method.
pub(super) fn answer(wire: &mut VirtualWire<Station>, method: &Method, status: u16) {
    let now = wire.now();
    let station = wire.engine(CALLEE);
    let (id, request) = station.request_of(method).expect("the callee was asked");
    station.table.respond(now, id, &answer_to(&request, status));
}

/// When each message that starts with this left, in milliseconds.
pub(super) fn times(wire: &VirtualWire<Station>, starts: &str) -> Vec<u128> {
    wire.log
        .iter()
        .filter(|sent| sent.start_line().starts_with(starts))
        .map(|sent| sent.at.as_millis())
        .collect()
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Puts a text on the wire towards the callee, as if it came from the caller.
pub(super) fn inject(wire: &mut VirtualWire<Station>, text: &str) {
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.2:5060".parse().unwrap(),
        remote: "127.0.0.1:5060".parse().unwrap(),
        connection: None,
    };
    wire.inject(flow, CALLEE, text.to_owned());
    wire.settle();
}

/// The start lines of what the callee sent since the log had that length.
pub(super) fn sent_since(wire: &VirtualWire<Station>, mark: usize) -> Vec<String> {
    wire.log[mark..].iter().map(crate::virtual_wire::Sent::start_line).collect()
}

pub(super) fn read(text: &str) -> Message {
    parse_datagram(Bytes::from(text.to_owned()), &Limits::default()).unwrap()
}
