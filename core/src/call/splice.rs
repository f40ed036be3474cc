// SPDX-License-Identifier: GPL-3.0-or-later
//! Changing the media of two answered legs: connecting legs that did not call each other, holding,
//! resuming.
//!
//! All of it is one sequence of re-INVITEs, one at a time: the far leg is offered what the near leg
//! described, the near leg is offered the far one's answer, and if the near one thereby moved to
//! other addresses or keys the far one is told once more. A splice waits for offers under way to
//! end, refuses new ones (491), and retries when it meets one itself.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Call, LegCommand, LegId, Report, Side, TransferStep,
    description::{self, Direction},
    exchange::{Kind, Purpose},
    leg::{Ask, Body, Carried, ExchangeId, Fork, Status},
    switch::Stage,
};
use crate::cause::Cause;

/// How often a step that met glare is tried.
const MAX_TRIES: u8 = 4;

#[derive(Debug)]
pub(super) struct Splice {
    near: LegId,
    far: LegId,
    goal: Goal,
    at: At,
    tries: u8,
    settled: bool,
    /// Whether a leg that talked before agreed to other media.
    agreed: bool,
    /// Whom to go back to.
    pub fallback: Option<Fallback>,
}

/// What to do when the new leg cannot be connected.
#[derive(Debug)]
pub(super) struct Fallback {
    /// The leg that leaves when all is done.
    pub leg: LegId,
    /// The REFER that asked for it.
    pub exchange: Option<ExchangeId>,
    /// The legs that talked before.
    pub pair: (LegId, LegId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The two talk; `new` is the one that came.
    Connect { new: LegId },
    /// Neither sends or hears.
    Hold,
    /// What they described before they were held.
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The answer to this step is awaited.
    Asked(Next),
    /// The near leg was answered with an offer; its acknowledgement brings the answer.
    Confirm,
    /// Met glare.
    Retry(Next, Instant),
    /// This step is taken when no other offer is under way.
    Wait(Next),
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The far leg is offered what the near one described.
    Far,
    /// The near leg is offered what the far one answered (or answered with it, if it waits).
    Near,
    /// The near leg, which called without an offer, is answered with one.
    Offer,
    /// The far leg is told what the near one answered.
    Settle,
}

impl Splice {
    pub(super) const fn new(
        near: LegId,
        far: LegId,
        goal: Goal,
        next: Next,
        fallback: Option<Fallback>,
    ) -> Self {
        Self {
            near,
            far,
            goal,
            at: At::Wait(next),
            tries: 0,
            settled: false,
            agreed: false,
            fallback,
        }
    }

    pub(super) const fn retry_at(&self) -> Option<Instant> {
        match self.at {
            At::Retry(_, at) => Some(at),
            At::Asked(_) | At::Confirm | At::Wait(_) => None,
        }
    }
}

impl Call {
    /// What a leg described last, offered to somebody new: open in both ways, because a transferor
    /// puts whom it transfers on hold first.
    pub(super) fn open_offer(&self, leg: LegId) -> Option<Bytes> {
        let described = self.received(leg)?;
        match description::direction(&described) {
            // Byte for byte, where nothing is held.
            Direction::SendRecv => Some(described),
            _ => Some(description::with_direction(&described, Direction::SendRecv)),
        }
    }

    /// Takes the next step, if one is due and nothing is in its way.
    pub(super) fn drive_splice(&mut self, now: Instant) {
        let Some(splice) = &self.splice else { return };
        let (near, far, goal) = (splice.near, splice.far, splice.goal);
        let next = match splice.at {
            At::Wait(next) => next,
            At::Retry(next, at) if at <= now => next,
            At::Confirm if self.stage(near) == Some(Stage::Established) => Next::Far,
            At::Asked(_) | At::Confirm | At::Retry(..) => return,
        };
        self.advance(At::Wait(next));
        // Whoever was just answered is asked again when he has acknowledged that (RFC 3261 §14.1).
        let unacknowledged = self.stage(far) == Some(Stage::Confirming);
        if unacknowledged || self.is_negotiating(near) || self.is_negotiating(far) {
            return;
        }
        let waiting = self.stage(near) == Some(Stage::Waiting);
        let offer = match (next, goal) {
            (Next::Far, Goal::Hold) => self.held_offer(near),
            (Next::Far, Goal::Connect { .. }) if !waiting => self.open_offer(near),
            (Next::Far, Goal::Connect { .. } | Goal::Resume) | (Next::Settle, _) => {
                self.received(near)
            }
            (Next::Near, Goal::Hold) => self.held_offer(far),
            (Next::Near, Goal::Connect { .. } | Goal::Resume) => self.received(far),
            (Next::Offer, _) => self.open_offer(far),
        };
        let Some(offer) = offer else {
            return self.splice_failed(Cause::not_acceptable());
        };
        match next {
            Next::Near if waiting => {
                let answered = self.received(near);
                let carried = Carried::body(Body::sdp(offer));
                let carried = self.answer_to(near, carried, answered.as_ref());
                self.answer_newcomer(near, carried);
                self.splice_done(now);
            }
            Next::Offer => {
                let carried = Carried::body(Body::sdp(offer));
                self.answer_newcomer(near, carried);
                self.advance(At::Confirm);
            }
            Next::Far | Next::Near | Next::Settle => {
                let leg = if next == Next::Near { near } else { far };
                self.advance(At::Asked(next));
                if let Some(leg) = self.leg_mut(leg) {
                    leg.rewriting = true;
                }
                let carried = self.offer_to(leg, Carried::body(Body::sdp(offer)));
                self.ask(leg, Ask::Reinvite, carried, Kind::Reinvite, Purpose::Splice);
            }
        }
    }

    fn answer_newcomer(&mut self, leg: LegId, carried: Carried) {
        if let Some(leg) = self.leg_mut(leg) {
            leg.stage = Stage::Confirming;
            leg.rewriting = true;
            leg.sent = carried.sdp().cloned();
        }
        self.command(leg, LegCommand::Answer { fork: Fork::default(), carried });
    }

    fn advance(&mut self, at: At) {
        if let Some(splice) = &mut self.splice {
            splice.at = at;
        }
    }

    fn held_offer(&self, of: LegId) -> Option<Bytes> {
        Some(description::with_direction(&self.received(of)?, Direction::Inactive))
    }

    /// The answer to a step.
    pub(super) fn splice_replied(
        &mut self,
        now: Instant,
        leg: LegId,
        exchange: ExchangeId,
        status: &Status,
        carried: &Carried,
    ) {
        if status.is_success() {
            let carried = Carried::nothing();
            self.command(leg, LegCommand::ConfirmReinvite { exchange, carried });
        }
        let Some(splice) = &mut self.splice else { return };
        let At::Asked(step) = splice.at else { return };
        if status.code == 491 && splice.tries < MAX_TRIES {
            splice.tries += 1;
            let tries = splice.tries;
            let wait = self.glare_pause(leg, tries);
            return self.advance(At::Retry(step, now + wait));
        }
        let goal = splice.goal;
        if !status.is_success() {
            return match (step, goal) {
                // The call works as it is; only the move was not acknowledged.
                (Next::Settle, _) => self.splice_done(now),
                // One side is silent already, which is what holding is for.
                (Next::Near, Goal::Hold) => self.splice_done(now),
                _ => self.splice_failed(Cause::from_sip(status.code)),
            };
        }
        if goal == Goal::Hold {
            // What they described before is what they resume with.
            return match step {
                Next::Far => self.advance(At::Wait(Next::Near)),
                Next::Near | Next::Offer | Next::Settle => self.splice_done(now),
            };
        }
        if let Some(splice) = &mut self.splice {
            splice.agreed |= goal != (Goal::Connect { new: leg });
        }
        let before = self.received(leg);
        if let Some(answer) = carried.sdp() {
            self.note_answer(leg, answer);
        }
        match step {
            Next::Far => self.advance(At::Wait(Next::Near)),
            Next::Near => {
                let moved = match (&before, carried.sdp()) {
                    (Some(before), Some(after)) => !description::same_places(before, after),
                    _ => false,
                };
                let Some(splice) = &mut self.splice else { return };
                if moved && !splice.settled {
                    splice.settled = true;
                    self.advance(At::Wait(Next::Settle));
                } else {
                    self.splice_done(now);
                }
            }
            Next::Offer | Next::Settle => self.splice_done(now),
        }
    }

    fn splice_done(&mut self, now: Instant) {
        let Some(splice) = self.splice.take() else { return };
        match splice.goal {
            Goal::Hold => self.held_as_asked(true),
            Goal::Resume => self.held_as_asked(false),
            Goal::Connect { new } => {
                self.held_by_user = false;
                let Some((caller, callee)) = self.pair else { return };
                if let Some(Fallback { leg, exchange, .. }) = splice.fallback {
                    if let Some(exchange) = exchange {
                        let status = Status::new(200);
                        self.command(leg, LegCommand::TransferProgress { exchange, status });
                    }
                    self.end_leg(leg, Cause::transferred());
                }
                if self.answered.is_some() {
                    self.report(Report::Transfer(TransferStep::Done));
                }
                let side = if new == caller { Side::Caller } else { Side::Callee };
                if let Some(party) = self.party(new).cloned() {
                    self.report(Report::Party { side, party });
                }
                self.connect(now, caller, callee);
            }
        }
    }

    fn splice_failed(&mut self, cause: Cause) {
        let Some(splice) = self.splice.take() else { return };
        match (splice.goal, splice.fallback) {
            (Goal::Hold | Goal::Resume, _) => self.report(Report::HoldRefused(cause)),
            (Goal::Connect { .. }, None) => self.finish(cause),
            (Goal::Connect { new }, Some(Fallback { leg, exchange, pair })) => {
                self.end_leg(new, cause.clone());
                self.pair = Some(pair);
                self.restored(leg, exchange, cause);
                if splice.agreed {
                    // A leg that stays has agreed to the newcomer's media: both are told what
                    // holds again.
                    let (near, far) = pair;
                    let splice = Splice::new(near, far, Goal::Resume, Next::Far, None);
                    self.splice = Some(Box::new(splice));
                }
            }
        }
    }

    /// A leg is over: whether it was one that a splice was bringing in, whom the call outlives.
    pub(super) fn newcomer_left(&mut self, leg: LegId, cause: &Cause) -> bool {
        let is_newcomer = self.splice.as_ref().is_some_and(|splice| {
            splice.fallback.is_some() && splice.goal == Goal::Connect { new: leg }
        });
        if !is_newcomer {
            return false;
        }
        if let Some(splice) = &mut self.splice {
            // What was asked and not answered yet may still be agreed to.
            splice.agreed |= matches!(splice.at, At::Asked(_));
        }
        self.splice_failed(cause.clone());
        true
    }

    /// How long to wait after glare (RFC 3261 §14.1): 2.1–4 s where the dialog is ours, less than
    /// 2 s where it is not. The pause need only differ from the far end's, so the leg's name is
    /// randomness enough.
    fn glare_pause(&self, leg: LegId, tries: u8) -> Duration {
        let mixed =
            (leg.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).wrapping_add(u64::from(tries) * 67);
        if self.leg(leg).is_some_and(|leg| leg.outgoing) {
            Duration::from_millis(2100 + mixed % 191 * 10)
        } else {
            Duration::from_millis(mixed % 200 * 10)
        }
    }
}
