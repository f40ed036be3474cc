// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Instant;

use bytes::Bytes;

use super::{
    Event, ServerId, Timers,
    deadlines::{Again, Deadline, Entered},
    key::Key,
    table::Out,
};
use crate::{
    flow::{Flow, Transport},
    wire::{Draft, Request},
};

/// A request that arrived (RFC 3261 §17.2, RFC 6026 §7.1).
pub(super) struct Server {
    /// Where its answers go.
    pub(super) flow: Flow,
    pub(super) key: Key,
    pub(super) merge: Option<Key>,
    pub(super) entered: Entered,
    /// The port to connect to if the connection is gone (RFC 3261 §18.2.2); taken once.
    pub(super) fallback: Option<u16>,
    state: State,
}

enum State {
    /// An INVITE without a final answer.
    Proceeding { said: Said, cancelled: bool },
    /// An INVITE that was refused: repeated (timer G) until its ACK comes or timer H.
    Completed { response: Bytes, again: Option<Again>, give_up: Instant },
    /// A refused INVITE whose ACK came; more of them may come until timer I.
    Confirmed { until: Instant },
    /// An INVITE that was accepted: more of them may come until timer L.
    Accepted { unacknowledged: Option<(Bytes, Again)>, until: Instant },
    /// Any other request, without a final answer. Once its sender has given up, so have we.
    Trying { said: Option<Bytes>, give_up: Instant },
    /// Any other request, answered: more of them may come until timer J.
    Answered { response: Bytes, until: Instant },
}

/// What was said to an INVITE so far.
enum Said {
    /// Nothing; if it stays so, 100 Trying.
    Nothing { request: Request, trying: Instant },
    /// This provisional answer.
    Provisional(Bytes),
}

/// Whether a transaction still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Yes,
    No,
}

/// Whose an ACK is.
pub(super) enum AckOf {
    Refusal,
    Acceptance,
}

impl Server {
    pub(super) fn new(
        now: Instant,
        timers: &Timers,
        flow: Flow,
        (key, merge): (Key, Option<Key>),
        fallback: Option<u16>,
        request: &Request,
    ) -> Self {
        let state = if *request.method() == crate::wire::Method::Invite {
            let said = Said::Nothing { request: request.clone(), trying: now + timers.trying };
            State::Proceeding { said, cancelled: false }
        } else {
            State::Trying { said: None, give_up: now + timers.give_up() }
        };
        let fallback = fallback.filter(|_| flow.transport == Transport::Tcp);
        Self { flow, key, merge, entered: Entered::default(), fallback, state }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let at = match &self.state {
            State::Proceeding { said: Said::Nothing { trying, .. }, .. } => *trying,
            State::Proceeding { said: Said::Provisional(_), .. } => return None,
            State::Completed { again, give_up, .. } => {
                again.map_or(*give_up, |again| again.at.min(*give_up))
            }
            State::Accepted { unacknowledged: Some((_, again)), until } => again.at.min(*until),
            State::Accepted { unacknowledged: None, until }
            | State::Confirmed { until }
            | State::Answered { until, .. }
            | State::Trying { give_up: until, .. } => return Some(Deadline::AtLeisure(*until)),
        };
        Some(Deadline::Exactly(at))
    }

    pub(super) fn handle_deadline(
        &mut self,
        now: Instant,
        timers: &Timers,
        id: ServerId,
        out: &mut Out,
    ) -> Stands {
        match &mut self.state {
            State::Proceeding { said, .. } => {
                if let Said::Nothing { request, trying } = said
                    && *trying <= now
                {
                    let bytes = Draft::response_to(request, 100, "", None).encode();
                    out.send(self.flow, &bytes);
                    *said = Said::Provisional(bytes);
                }
            }
            State::Completed { response, again, give_up } => {
                if *give_up <= now {
                    return Stands::No;
                }
                if let Some(due) = again.filter(|again| again.at <= now) {
                    out.send(self.flow, response);
                    *again = Some(due.doubled(now, timers.t2));
                }
            }
            State::Accepted { unacknowledged, until } => {
                if *until <= now {
                    if unacknowledged.is_some() {
                        out.tell(Event::AckMissing { transaction: id });
                    }
                    return Stands::No;
                }
                if let Some((response, again)) = unacknowledged
                    && again.at <= now
                {
                    out.send(self.flow, response);
                    *again = again.doubled(now, timers.t2);
                }
            }
            State::Confirmed { until }
            | State::Trying { give_up: until, .. }
            | State::Answered { until, .. } => {
                if *until <= now {
                    return Stands::No;
                }
            }
        }
        Stands::Yes
    }

    /// The user answers.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        timers: &Timers,
        status: u16,
        bytes: Bytes,
        out: &mut Out,
    ) -> Stands {
        let reliable = self.flow.transport.is_reliable();
        match &mut self.state {
            State::Proceeding { said, .. } => {
                out.send(self.flow, &bytes);
                if status < 200 {
                    *said = Said::Provisional(bytes);
                    return Stands::Yes;
                }
                let again = Again::after(now, timers.t1);
                let until = now + timers.give_up();
                self.state = if status < 300 {
                    // Whatever the transport: a proxy further on may use another one (§13.3.1.4).
                    State::Accepted { unacknowledged: Some((bytes, again)), until }
                } else {
                    // A copy of this request that comes on another way may be refused likewise.
                    self.merge = None;
                    let again = (!reliable).then_some(again);
                    State::Completed { response: bytes, again, give_up: until }
                };
            }
            State::Trying { said, .. } => {
                out.send(self.flow, &bytes);
                if status < 200 {
                    *said = Some(bytes);
                } else if reliable {
                    return Stands::No;
                } else {
                    self.merge = None;
                    self.state = State::Answered { response: bytes, until: now + timers.give_up() };
                }
            }
            State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Answered { .. } => {}
        }
        Stands::Yes
    }

    /// The same request came again.
    pub(super) fn repeat(&self, out: &mut Out) {
        match &self.state {
            State::Proceeding { said: Said::Provisional(bytes), .. }
            | State::Completed { response: bytes, .. }
            | State::Trying { said: Some(bytes), .. }
            | State::Answered { response: bytes, .. } => out.send(self.flow, bytes),
            State::Proceeding { said: Said::Nothing { .. }, .. }
            | State::Trying { said: None, .. }
            | State::Confirmed { .. }
            // The 2xx is repeated by the clock, not by the INVITE (RFC 6026 §7.1).
            | State::Accepted { .. } => {}
        }
    }

    /// An ACK with this INVITE's branch came.
    pub(super) fn acknowledge(&mut self, now: Instant, timers: &Timers) -> (AckOf, Stands) {
        match &self.state {
            State::Completed { .. } if self.flow.transport.is_reliable() => {
                (AckOf::Refusal, Stands::No)
            }
            State::Completed { .. } => {
                self.state = State::Confirmed { until: now + timers.t4 };
                (AckOf::Refusal, Stands::Yes)
            }
            State::Accepted { .. } => (AckOf::Acceptance, Stands::Yes),
            State::Confirmed { .. }
            | State::Proceeding { .. }
            | State::Trying { .. }
            | State::Answered { .. } => (AckOf::Refusal, Stands::Yes),
        }
    }

    /// The 2xx was acknowledged: what may still come are repetitions of the INVITE.
    pub(super) fn accepted_is_acknowledged(&mut self) {
        if let State::Accepted { unacknowledged, .. } = &mut self.state {
            *unacknowledged = None;
        }
    }

    /// Whether this CANCEL is the first one that can have an effect.
    pub(super) fn cancel(&mut self) -> bool {
        match &mut self.state {
            State::Proceeding { cancelled, .. } => !std::mem::replace(cancelled, true),
            State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Trying { .. }
            | State::Answered { .. } => false,
        }
    }

    /// The last answer given, if there was any.
    pub(super) fn last_answer(&self) -> Option<&Bytes> {
        match &self.state {
            State::Proceeding { said: Said::Provisional(bytes), .. }
            | State::Completed { response: bytes, .. }
            | State::Accepted { unacknowledged: Some((bytes, _)), .. }
            | State::Trying { said: Some(bytes), .. }
            | State::Answered { response: bytes, .. } => Some(bytes),
            State::Proceeding { said: Said::Nothing { .. }, .. }
            | State::Trying { said: None, .. }
            | State::Confirmed { .. }
            | State::Accepted { unacknowledged: None, .. } => None,
        }
    }

    /// The connection is gone. A new one to the port the sender named is worth one attempt, with
    /// whatever answer still has to arrive.
    pub(super) fn lose_flow(&mut self, out: &mut Out) -> Stands {
        let is_settled = match &self.state {
            State::Confirmed { .. } | State::Accepted { unacknowledged: None, .. } => true,
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Accepted { unacknowledged: Some(_), .. }
            | State::Trying { .. }
            | State::Answered { .. } => false,
        };
        if is_settled || !self.flow.transport.is_reliable() {
            return Stands::Yes;
        }
        let Some(port) = self.fallback.take() else { return Stands::No };
        self.flow.remote.set_port(port);
        self.flow.connection = None;
        if let Some(bytes) = self.last_answer() {
            out.send(self.flow, bytes);
        }
        Stands::Yes
    }
}
