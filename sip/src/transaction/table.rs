// SPDX-License-Identifier: GPL-3.0-or-later

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::{ClientId, Event, ServerId, Timers};
use crate::{
    flow::{Flow, Transmit},
    wire::{Draft, Malformed, Message, Name, Request},
};

/// All transactions of one engine.
pub struct Table {
    timers: Timers,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Table {
    /// An empty table. The seed makes branches and tags unguessable.
    #[must_use]
    pub fn new(timers: Timers, _seed: [u8; 32]) -> Self {
        Self { timers, transmits: VecDeque::new(), events: VecDeque::new() }
    }

    /// Takes a message that arrived.
    pub fn receive(&mut self, _now: Instant, _flow: Flow, _message: Message) {}

    /// Answers what could not be read, if it deserves an answer (RFC 3261 §16.3).
    pub fn receive_malformed(&mut self, _flow: Flow, _bytes: &Bytes, _fault: &Malformed) {}

    /// Answers a request. A 2xx to an INVITE is repeated until [`Table::acknowledged`]; a refusal
    /// until its ACK. Does nothing for a transaction that has its final answer or is gone.
    pub fn respond(&mut self, _now: Instant, _transaction: ServerId, _response: &Draft) {}

    /// Answers a new request once and forgets it: its repetitions will be new requests again
    /// (RFC 3261 §8.2.7). With None, nothing is answered at all.
    pub fn dismiss(&mut self, _transaction: ServerId, _response: Option<&Draft>) {}

    /// The To tag for a stateless answer: the same for each repetition of the request.
    #[must_use]
    pub fn stateless_tag(&self, _request: &Request) -> String {
        String::new()
    }

    /// The 2xx to this INVITE was acknowledged.
    pub fn acknowledged(&mut self, _transaction: ServerId) {}

    /// Sends a request, which must have no Via. Its Via names `flow.local` and asks for `rport`.
    /// Not for ACK and CANCEL.
    pub fn request(&mut self, _now: Instant, _flow: Flow, _request: &Draft) -> ClientId {
        ClientId { slot: 0, serial: 0 }
    }

    /// Cancels an INVITE that has no final answer: at once if there was a provisional one, else as
    /// soon as there is one (RFC 3261 §9.1). The fields (Reason) go along. The INVITE still gets its
    /// final answer, or fails 64*T1 after the CANCEL.
    pub fn cancel(&mut self, _now: Instant, _transaction: ClientId, _fields: &[(Name, Bytes)]) {}

    /// Acknowledges a 2xx to an INVITE. The draft must have the To of that 2xx, and no Via. With
    /// the INVITE's transaction the ACK is repeated for each repetition of that 2xx; None, for a
    /// stray 2xx, sends it just once.
    pub fn send_ack(&mut self, _transaction: Option<ClientId>, _flow: Flow, _ack: &Draft) {}

    /// What was sent there cannot arrive, or what was to come from there cannot come.
    pub fn flow_failed(&mut self, _now: Instant, _flow: &Flow) {}

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, _now: Instant) {}

    /// When [`Table::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The next message to send. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to tell. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
