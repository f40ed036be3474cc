// SPDX-License-Identifier: GPL-3.0-or-later
//! Reliable provisional responses (RFC 3262), relayed: the far end's PRACK is another far end's.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand_core::RngCore;
use sipwitch_core::{
    call::leg::{Fork, ReliableId},
    cause::Cause,
};

use super::{Leg, State};
use crate::{
    dialog::Tag,
    endpoint::Context,
    transaction::ServerId,
    wire::{Draft, Request, Response, name},
};

/// Responses of one early dialog that wait for those before them.
const MAX_QUEUED: usize = 8;

/// Numbers of one early dialog that nobody acknowledged.
const MAX_PENDING: usize = 16;

/// What one early dialog of our INVITE has heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    last: Option<u32>,
    pending: Vec<(ReliableId, u32)>,
}

impl Heard {
    /// Takes note of an RSeq. None for one that came before, or before its time (RFC 3262 §4).
    pub(super) fn note(&mut self, rseq: u32, next: &mut u32) -> Option<ReliableId> {
        if self.last.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
            return None;
        }
        if self.pending.len() == MAX_PENDING {
            return None;
        }
        self.last = Some(rseq);
        *next += 1;
        let id = ReliableId(*next);
        self.pending.push((id, rseq));
        Some(id)
    }

    /// The RSeq that was told under this id; it can be acknowledged once.
    pub(super) fn take(&mut self, id: ReliableId) -> Option<u32> {
        let at = self.pending.iter().position(|(have, _)| *have == id)?;
        Some(self.pending.swap_remove(at).1)
    }
}

/// The RSeq of a response that wants a PRACK.
pub(super) fn rseq_of(response: &Response) -> Option<u32> {
    let headers = response.headers();
    headers
        .has_token(&name::REQUIRE, "100rel")
        .then(|| headers.number(&name::RSEQ))
        .flatten()
        .filter(|rseq| *rseq > 0)
}

/// What one early dialog of their INVITE was shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    rseq: u32,
    waiting: Option<Waiting>,
    queue: VecDeque<(Draft, Option<ReliableId>)>,
}

/// A response that waits for its PRACK.
#[derive(Debug)]
struct Waiting {
    rseq: u32,
    /// None if it was made reliable only because the caller demands that.
    id: Option<ReliableId>,
    draft: Draft,
    repeat: Instant,
    interval: Duration,
    give_up: Instant,
}

/// What a PRACK acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// Nothing that was waiting.
    Nothing,
    /// A response that only we made reliable.
    Ours,
    /// A response that the switch gave this number.
    Theirs(ReliableId),
}

impl Shown {
    /// Whether a response waits for its PRACK.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Shows a response, or keeps it until the one before is acknowledged (RFC 3262 §3).
    pub(super) fn show(
        &mut self,
        context: &mut Context,
        server: ServerId,
        draft: Draft,
        id: Option<ReliableId>,
    ) {
        if self.waiting.is_some() {
            if self.queue.len() < MAX_QUEUED {
                self.queue.push_back((draft, id));
            }
            return;
        }
        if self.rseq == 0 {
            // RFC 3262 §3 asks for 1 to 2^31-1; the lower half leaves room to count.
            self.rseq = context.random.next_u32() >> 2;
        }
        self.rseq += 1;
        let mut draft = draft;
        draft.push(&name::REQUIRE, "100rel").push(&name::RSEQ, self.rseq.to_string());
        context.table.respond(context.now, server, &draft);
        let t1 = context.t1;
        self.waiting = Some(Waiting {
            rseq: self.rseq,
            id,
            draft,
            repeat: context.now + t1,
            interval: t1,
            give_up: context.now + t1 * 64,
        });
    }

    /// Takes the RAck of a PRACK: the RSeq and the CSeq of the INVITE (RFC 3262 §7.2).
    pub(super) fn acknowledge(
        &mut self,
        context: &mut Context,
        server: ServerId,
        rack: Option<(u32, u32)>,
        cseq: u32,
    ) -> Acknowledged {
        match self.waiting.take() {
            Some(waiting) if rack == Some((waiting.rseq, cseq)) => {
                if let Some((draft, id)) = self.queue.pop_front() {
                    self.show(context, server, draft, id);
                }
                waiting.id.map_or(Acknowledged::Ours, Acknowledged::Theirs)
            }
            waiting => {
                self.waiting = waiting;
                Acknowledged::Nothing
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.repeat.min(waiting.give_up))
    }

    /// Repeats what is due. False: it was repeated long enough.
    fn repeat(&mut self, context: &mut Context, server: ServerId) -> bool {
        let Some(waiting) = &mut self.waiting else { return true };
        if waiting.give_up <= context.now {
            return false;
        }
        if waiting.repeat <= context.now {
            waiting.interval *= 2;
            waiting.repeat = context.now + waiting.interval;
            context.table.respond(context.now, server, &waiting.draft);
        }
        true
    }
}

/// The numbers of a RAck: RSeq, CSeq. None if it is missing, malformed or not for an INVITE.
fn rack_of(request: &Request) -> Option<(u32, u32)> {
    let value = request.headers().text(&name::RACK)?;
    let mut parts = value.split_ascii_whitespace();
    let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next() == Some("INVITE") && parts.next().is_none()).then_some(numbers)
}

impl Leg {
    pub(super) fn repeat_reliable(&mut self, context: &mut Context) {
        let State::Ringing(ringing) = &mut self.state else { return };
        let server = ringing.transaction;
        let mut heard = true;
        for early in &mut ringing.early {
            heard &= early.reliable.repeat(context, server);
        }
        if !heard {
            // RFC 3262 §3: the INVITE is refused with a 5xx.
            self.refuse_invite(context, 504, &Cause::timeout());
            self.finish(context, Cause::timeout());
        }
    }

    /// Takes a PRACK for what this early dialog was shown.
    pub(super) fn acknowledged_progress(
        &mut self,
        context: &mut Context,
        request: &Request,
        tag: Tag,
    ) -> Acknowledged {
        let State::Ringing(ringing) = &mut self.state else { return Acknowledged::Nothing };
        let (server, cseq) = (ringing.transaction, ringing.cseq);
        let rack = rack_of(request);
        ringing
            .early
            .iter_mut()
            .find(|early| early.dialog.local_tag() == tag)
            .map_or(Acknowledged::Nothing, |early| {
                early.reliable.acknowledge(context, server, rack, cseq)
            })
    }

    /// Finds what the switch wants to acknowledge: the fork and the RSeq.
    pub(super) fn heard_progress(&mut self, id: ReliableId) -> Option<(Fork, u32)> {
        let State::Calling(calling) = &mut self.state else { return None };
        calling
            .early
            .iter_mut()
            .find_map(|early| early.reliable.take(id).map(|rseq| (early.fork, rseq)))
    }
}

impl super::incoming::Ringing {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.early.iter().filter_map(|early| early.reliable.next_deadline()).min()
    }
}
