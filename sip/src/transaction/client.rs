// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    ClientId, Event, Failure, Timers,
    deadlines::{Again, Deadline, Entered},
    derive::{ack_of, cancel_of},
    server::Stands,
    table::Out,
};
use crate::{
    flow::Flow,
    wire::{Name, Response},
};

/// A request that we sent (RFC 3261 §17.1, RFC 6026 §7.2).
pub(super) struct Client {
    pub(super) flow: Flow,
    /// The part of the branch that nobody can guess.
    pub(super) secret: u64,
    /// The CANCEL of this INVITE.
    pub(super) cancel: Option<ClientId>,
    pub(super) entered: Entered,
    state: State,
    /// The request as a datagram, if it is tried by TCP first.
    datagram: Option<Box<(Flow, Bytes)>>,
}

enum State {
    /// An INVITE without any answer: repeated (timer A) until timer B.
    Calling {
        request: Bytes,
        again: Option<Again>,
        give_up: Instant,
        /// To be cancelled as soon as something answers, with these fields.
        cancel: Option<Box<[(Name, Bytes)]>>,
    },
    /// An INVITE with a provisional answer. If it was cancelled, there is an end to waiting.
    Proceeding { request: Bytes, give_up: Option<Instant> },
    /// An INVITE that was refused: each repetition of that is acknowledged until timer D.
    Refused { ack: Bytes, until: Instant },
    /// An INVITE that was accepted: each repetition of that is acknowledged until timer M.
    Accepted { acks: Vec<(u64, Flow, Bytes)>, until: Instant },
    /// Any other request: repeated (timer E) until timer F.
    Asking { request: Bytes, again: Option<Again>, give_up: Instant, is_cancel: bool },
    /// Any other request, answered: more answers may come until timer K.
    Answered { until: Instant },
}

/// What becomes of a response.
pub(super) enum Heard {
    /// It is news.
    News,
    /// It is a 2xx that was not acknowledged yet.
    Repeated,
    /// It is a 2xx that nobody waits for any more.
    Stray,
    /// It is old.
    Nothing,
}

impl Client {
    pub(super) fn new(
        now: Instant,
        timers: &Timers,
        flow: Flow,
        secret: u64,
        request: Bytes,
        kind: Kind,
    ) -> Self {
        let again = (!flow.transport.is_reliable()).then(|| Again::after(now, timers.t1));
        let give_up = now + timers.give_up();
        let state = match kind {
            Kind::Invite => State::Calling { request, again, give_up, cancel: None },
            Kind::Cancel => State::Asking { request, again, give_up, is_cancel: true },
            Kind::Other => State::Asking { request, again, give_up, is_cancel: false },
        };
        Self { flow, secret, cancel: None, entered: Entered::default(), state, datagram: None }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Calling { again, give_up, .. } | State::Asking { again, give_up, .. } => {
                let at = again.map_or(*give_up, |again| again.at.min(*give_up));
                Some(Deadline::Exactly(at))
            }
            State::Proceeding { give_up, .. } => give_up.map(Deadline::Exactly),
            State::Refused { until, .. }
            | State::Accepted { until, .. }
            | State::Answered { until } => Some(Deadline::AtLeisure(*until)),
        }
    }

    pub(super) fn handle_deadline(
        &mut self,
        now: Instant,
        timers: &Timers,
        id: ClientId,
        out: &mut Out,
    ) -> Stands {
        let (request, again, give_up, most) = match &mut self.state {
            State::Calling { request, again, give_up, .. } => {
                (request, again, *give_up, Duration::MAX)
            }
            State::Asking { request, again, give_up, .. } => (request, again, *give_up, timers.t2),
            State::Proceeding { give_up, .. } => {
                if give_up.is_some_and(|give_up| give_up <= now) {
                    return self.fail(id, Failure::TimedOut, out);
                }
                return Stands::Yes;
            }
            State::Refused { until, .. }
            | State::Accepted { until, .. }
            | State::Answered { until } => {
                return if *until <= now { Stands::No } else { Stands::Yes };
            }
        };
        if give_up <= now {
            return self.fail(id, Failure::TimedOut, out);
        }
        if let Some(due) = again.filter(|again| again.at <= now) {
            out.send(self.flow, request);
            *again = Some(due.doubled(now, most));
        }
        Stands::Yes
    }

    /// A response to it came.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: &Response,
        tag: u64,
        out: &mut Out,
    ) -> (Heard, Stands) {
        let status = response.status();
        let reliable = self.flow.transport.is_reliable();
        self.datagram = None;
        match &mut self.state {
            State::Calling { request, .. } | State::Proceeding { request, .. } => {
                let request = std::mem::take(request);
                if status < 200 {
                    // The CANCEL that waited for this is sent by the caller of this method.
                    if let State::Calling { cancel: Some(_), .. } = &self.state {
                        self.put_back(request);
                    } else {
                        let give_up = self.give_up_after_cancel();
                        // A phone may ring for minutes: its INVITE must not hold what else was
                        // written beside it.
                        let request = match &self.state {
                            State::Calling { .. } => Bytes::copy_from_slice(&request),
                            _ => request,
                        };
                        self.state = State::Proceeding { request, give_up };
                    }
                    (Heard::News, Stands::Yes)
                } else if status < 300 {
                    let until = now + timers.give_up();
                    self.state = State::Accepted { acks: Vec::new(), until };
                    (Heard::News, Stands::Yes)
                } else {
                    let ack = ack_of(&request, response);
                    out.send(self.flow, &ack);
                    if reliable {
                        return (Heard::News, Stands::No);
                    }
                    self.state = State::Refused { ack, until: now + timers.d };
                    (Heard::News, Stands::Yes)
                }
            }
            State::Refused { ack, .. } => {
                if status >= 300 {
                    out.send(self.flow, ack);
                    return (Heard::Nothing, Stands::Yes);
                }
                (if status < 200 { Heard::Nothing } else { Heard::Stray }, Stands::Yes)
            }
            State::Accepted { acks, .. } => {
                if !(200..300).contains(&status) {
                    return (Heard::Nothing, Stands::Yes);
                }
                match acks.iter().find(|(have, ..)| *have == tag) {
                    Some((_, flow, ack)) => {
                        out.send(*flow, ack);
                        (Heard::Nothing, Stands::Yes)
                    }
                    None => (Heard::Repeated, Stands::Yes),
                }
            }
            State::Asking { again, .. } => {
                if status < 200 {
                    // From now on at the slowest pace (timer E in Proceeding).
                    if let Some(again) = again {
                        again.interval = again.interval.max(timers.t2);
                    }
                    (Heard::News, Stands::Yes)
                } else if reliable {
                    (Heard::News, Stands::No)
                } else {
                    self.state = State::Answered { until: now + timers.t4 };
                    (Heard::News, Stands::Yes)
                }
            }
            State::Answered { .. } => (Heard::Nothing, Stands::Yes),
        }
    }

    fn put_back(&mut self, bytes: Bytes) {
        if let State::Calling { request, .. } | State::Proceeding { request, .. } = &mut self.state
        {
            *request = bytes;
        }
    }

    const fn give_up_after_cancel(&self) -> Option<Instant> {
        match &self.state {
            State::Proceeding { give_up, .. } => *give_up,
            _ => None,
        }
    }

    /// The user wants the INVITE cancelled. Gives the CANCEL if it can go now.
    pub(super) fn cancel(
        &mut self,
        now: Instant,
        timers: &Timers,
        fields: &[(Name, Bytes)],
    ) -> Option<Bytes> {
        match &mut self.state {
            State::Calling { cancel, .. } => {
                cancel.get_or_insert_with(|| fields.into());
                None
            }
            State::Proceeding { request, give_up } if self.cancel.is_none() => {
                *give_up = Some(now + timers.give_up());
                Some(cancel_of(request, fields))
            }
            State::Proceeding { .. }
            | State::Refused { .. }
            | State::Accepted { .. }
            | State::Asking { .. }
            | State::Answered { .. } => None,
        }
    }

    /// Sends nothing again by itself; an answer is still waited for.
    pub(super) fn repeat_no_more(&mut self) {
        if let State::Calling { again, .. } | State::Asking { again, .. } = &mut self.state {
            *again = None;
        }
    }

    /// The CANCEL that waited for a provisional answer, now that there is one.
    pub(super) fn waiting_cancel(&mut self, now: Instant, timers: &Timers) -> Option<Bytes> {
        let State::Calling { request, cancel, .. } = &mut self.state else { return None };
        let fields = cancel.take()?;
        let request = std::mem::take(request);
        let bytes = cancel_of(&request, &fields);
        let request = Bytes::copy_from_slice(&request);
        self.state = State::Proceeding { request, give_up: Some(now + timers.give_up()) };
        Some(bytes)
    }

    /// Keeps the ACK to a 2xx as long as that may be repeated.
    pub(super) fn keep_ack(&mut self, tag: u64, flow: Flow, bytes: Bytes) {
        /// More far ends than any call has; each further one is acknowledged, but only once.
        const MOST: usize = 16;
        if let State::Accepted { acks, .. } = &mut self.state {
            acks.retain(|(have, ..)| *have != tag);
            if acks.len() < MOST {
                // Nearly always the only one.
                acks.reserve_exact(1);
                acks.push((tag, flow, bytes));
            }
        }
    }

    /// Whom the request asks for, as long as it waits for its answer.
    pub(super) fn request_uri(&self) -> Option<&[u8]> {
        match &self.state {
            State::Calling { request, .. }
            | State::Proceeding { request, .. }
            | State::Asking { request, .. } => request.split(|&byte| byte == b' ').nth(1),
            State::Refused { .. } | State::Accepted { .. } | State::Answered { .. } => None,
        }
    }

    pub(super) const fn is_invite(&self) -> bool {
        !matches!(self.state, State::Asking { .. } | State::Answered { .. })
    }

    /// Keeps what to send, and where, if nobody takes the request by TCP.
    pub(super) fn keep_datagram(&mut self, flow: Flow, bytes: Bytes) {
        self.datagram = Some(Box::new((flow, bytes)));
    }

    /// Sends as a datagram what could not be sent by TCP. False if there is none, or if the far end
    /// has answered by TCP: then it has the request.
    pub(super) fn fall_back(&mut self, now: Instant, timers: &Timers, out: &mut Out) -> bool {
        let (State::Calling { request, again, give_up, .. }
        | State::Asking { request, again, give_up, .. }) = &mut self.state
        else {
            return false;
        };
        let Some(datagram) = self.datagram.take() else { return false };
        let (flow, bytes) = *datagram;
        out.send(flow, &bytes);
        self.flow = flow;
        *request = bytes;
        *again = Some(Again::after(now, timers.t1));
        *give_up = now + timers.give_up();
        true
    }

    /// The way to the far end is gone.
    pub(super) fn lose_flow(&mut self, id: ClientId, out: &mut Out) -> Stands {
        match &self.state {
            State::Calling { .. } | State::Proceeding { .. } | State::Asking { .. } => {
                self.fail(id, Failure::Unreachable, out)
            }
            State::Refused { .. } | State::Accepted { .. } | State::Answered { .. } => Stands::Yes,
        }
    }

    fn fail(&self, transaction: ClientId, why: Failure, out: &mut Out) -> Stands {
        // Nobody asked for the answer to a CANCEL.
        if !matches!(self.state, State::Asking { is_cancel: true, .. }) {
            out.tell(Event::Failed { transaction, why });
        }
        Stands::No
    }
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invite,
    Cancel,
    Other,
}
