// SPDX-License-Identifier: GPL-3.0-or-later
//! The search for somebody who answers: attempts in order, all destinations of one attempt at
//! once, the first answer wins (RFC 3261 §16.7, §16.8 for a switch that is both ends).

use std::time::Instant;

use super::{
    Action, Call, CallState, LegCommand, LegId, LegIds, Report, Side, TransferStep,
    divert::Diversion,
    fail_over::{FailOver, Failed},
    leg::{Body, Carried, Field, Fork, Invitation, Party, ReliableId, Status},
    splice::{Goal, Next, Splice},
    switch::{Leg, Stage, refusing},
    transfer::Transfer,
};
use crate::{
    cause::Cause,
    routing::{Attempt, Destination, Route, Target},
};

/// How many hops a call may take that begins here (RFC 3261 §8.1.1.6).
pub(super) const HOPS: u8 = 70;

#[derive(Debug)]
pub(super) struct Hunt {
    pub purpose: Purpose,
    /// What each new leg begins with.
    invitation: Invitation,
    attempts: std::vec::IntoIter<Attempt>,
    pub fail_over: FailOver,
    /// The legs that were invited in this attempt and have not failed.
    pub legs: Vec<LegId>,
    pub ring_until: Instant,
    /// The best refusal so far.
    best: Option<Cause>,
    /// Everything that was rung, so that diversions end.
    pub rung: Vec<Target>,
    pub diversions: Vec<Diversion>,
    pub diverted: usize,
}

/// Whom the search is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// This leg called and waits.
    Caller(LegId),
    /// This leg is answered and is to be connected.
    Far { near: LegId, side: Side, transfer: Option<Transfer> },
    /// A program: the user's own phones ring.
    User,
}

impl Purpose {
    /// Whether it is this leg that called.
    pub(super) fn is_caller(&self, leg: LegId) -> bool {
        matches!(self, Self::Caller(caller) if *caller == leg)
    }
}

/// A search on behalf of a leg that is answered already.
pub(super) struct Search {
    pub near: LegId,
    pub side: Side,
    pub from: Party,
    pub to: Party,
    pub fields: Vec<Field>,
    pub transfer: Option<Transfer>,
}

impl Hunt {
    /// Whether this was rung already: a phone whatever was dialled, a line or another domain only
    /// for the same.
    pub(super) fn has_rung(&self, target: &Target) -> bool {
        self.rung.iter().any(|rung| {
            rung.destination == target.destination
                && (rung.dialled == target.dialled
                    || matches!(rung.destination, Destination::Phone(_)))
        })
    }
}

impl Call {
    pub(super) fn start_hunt(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        purpose: Purpose,
        invitation: Invitation,
        route: Route,
    ) {
        if route.attempts.is_empty() {
            return self.hunt_failed(purpose, route.refusal());
        }
        self.hunt = Some(Box::new(Hunt {
            purpose,
            invitation,
            attempts: route.attempts.into_iter(),
            fail_over: FailOver::new(now),
            legs: Vec::new(),
            ring_until: now,
            best: None,
            rung: Vec::new(),
            diversions: Vec::new(),
            diverted: 0,
        }));
        self.next_attempt(now, ids);
    }

    /// Invites the far end for an answered leg with what that leg described last.
    pub(super) fn search(&mut self, now: Instant, ids: &mut LegIds, search: Search, route: Route) {
        let Search { near, side, from, to, fields, transfer } = search;
        let purpose = Purpose::Far { near, side, transfer };
        let Some(offer) = self.open_offer(near) else {
            return self.hunt_failed(purpose, Cause::not_acceptable());
        };
        let invitation = Invitation {
            from,
            to,
            carried: Carried { fields, body: Some(Body::sdp(offer)) },
            // Nobody is there to take them: the near leg is answered already.
            reliable_provisional: false,
            hops: HOPS,
            diverted_by: None,
        };
        self.start_hunt(now, ids, purpose, invitation, route);
    }

    fn next_attempt(&mut self, now: Instant, ids: &mut LegIds) {
        while let Some(hunt) = &mut self.hunt {
            let Some(attempt) = hunt.attempts.next() else { return self.give_up() };
            match hunt.fail_over.begin(now, &attempt) {
                Ok(()) => {
                    hunt.ring_until = now + attempt.ring;
                    self.invite(ids, attempt.targets, None);
                    // A route without targets is no attempt.
                    return self.attempt_over(now, ids);
                }
                Err(why) => self.report(Report::Skipped { attempt: Box::new(attempt), why }),
            }
        }
    }

    fn give_up(&mut self) {
        if let Some(hunt) = self.hunt.take() {
            let cause = hunt.best.unwrap_or_else(Cause::not_registered);
            self.hunt_failed(hunt.purpose, cause);
        }
    }

    pub(super) fn invite(
        &mut self,
        ids: &mut LegIds,
        targets: Vec<Target>,
        diverted_by: Option<&Party>,
    ) {
        for target in targets {
            let Some(hunt) = &mut self.hunt else { return };
            let leg = ids.allocate();
            let mut invitation = Box::new(hunt.invitation.clone());
            if let Some(by) = diverted_by {
                invitation.diverted_by = Some(by.clone());
            }
            hunt.legs.push(leg);
            hunt.rung.push(target.clone());
            let party = Party { display: String::new(), address: target.dialled.to_string() };
            let rung = Some(target.clone());
            self.legs.push(Leg { rung, ..Leg::new(leg, Stage::Calling, party) });
            self.act(Action::Start { leg, target, invitation });
        }
    }

    pub(super) fn on_progress(
        &mut self,
        leg: LegId,
        fork: Fork,
        status: Status,
        reliable: Option<ReliableId>,
        carried: Carried,
    ) {
        // After the answer, progress of the same leg is late; before, only what was invited has any.
        let Some(hunt) = self.hunt.as_mut().filter(|hunt| hunt.legs.contains(&leg)) else { return };
        if !(101..200).contains(&status.code) {
            return;
        }
        let rings = matches!(status.code, 180 | 183);
        if rings {
            hunt.fail_over.rings();
        }
        match &mut hunt.purpose {
            Purpose::Caller(caller) => {
                let caller = *caller;
                let Some(early) = &mut self.early else { return };
                let Some(shown) = early.show(leg, fork, carried.sdp()) else { return };
                let reliable = match reliable {
                    None => None,
                    Some(theirs) => match early.reliable(leg, theirs) {
                        Some(ours) => Some(ours),
                        // Relaying it as if it needed no PRACK would leave it unacknowledged.
                        None => return,
                    },
                };
                self.command(
                    caller,
                    LegCommand::Progress { fork: shown, status, reliable, carried },
                );
                if rings {
                    self.enter(CallState::Ringing);
                }
            }
            Purpose::Far { transfer, .. } => {
                let notice = transfer.as_mut().filter(|_| rings).and_then(Transfer::rings);
                let sdp = carried.sdp().cloned();
                if let Some(far) = self.leg_mut(leg).filter(|_| sdp.is_some()) {
                    far.received = sdp;
                }
                if let Some(asked) = notice {
                    if let Some((transferor, exchange)) = asked {
                        let command = LegCommand::TransferProgress { exchange, status };
                        self.command(transferor, command);
                    }
                    self.report(Report::Transfer(TransferStep::Ringing));
                }
                if rings && self.pair.is_none() {
                    self.enter(CallState::Ringing);
                }
            }
            // The user hears and sees it ring.
            Purpose::User => {}
        }
    }

    pub(super) fn on_answered(
        &mut self,
        now: Instant,
        _ids: &mut LegIds,
        leg: LegId,
        fork: Fork,
        carried: Carried,
    ) {
        // A second answer, or one from a leg that was never invited, changes nothing.
        let Some(hunt) = self.hunt.take_if(|hunt| hunt.legs.contains(&leg)) else { return };
        for other in hunt.legs {
            if other != leg {
                self.end_leg(other, Cause::answered_elsewhere());
            }
        }
        match hunt.purpose {
            Purpose::Caller(caller) => {
                let offered = carries_offer(&hunt.invitation.carried);
                self.caller_answered(now, caller, leg, fork, carried, offered);
            }
            Purpose::Far { near, side, transfer } => {
                self.far_answered(leg, near, side, transfer, &carried);
            }
            Purpose::User => self.user_answered(leg, &carried),
        }
    }

    /// The callee's answer goes to the caller. Its acknowledgement follows at once if the caller
    /// offered, or else with the caller's own, which brings the answer (RFC 3261 §13.2.1).
    fn caller_answered(
        &mut self,
        now: Instant,
        caller: LegId,
        callee: LegId,
        fork: Fork,
        carried: Carried,
        offered: bool,
    ) {
        let (shown, described) = match &mut self.early {
            Some(early) => early.answered(callee, fork),
            None => (Fork::default(), None),
        };
        let answer = carried.sdp().cloned().or(described);
        let offer = self.received(caller);
        if let Some(leg) = self.leg_mut(caller) {
            leg.stage = Stage::Confirming;
            leg.sent.clone_from(&answer);
        }
        if let Some(leg) = self.leg_mut(callee) {
            leg.stage = if offered { Stage::Established } else { Stage::Unconfirmed };
            leg.received = answer;
            leg.sent = offer;
        }
        self.command(caller, LegCommand::Answer { fork: shown, carried });
        if offered {
            self.command(callee, LegCommand::Confirm { carried: Carried::nothing() });
        }
        self.report(Report::Answered { leg: callee });
        self.connect(now, caller, callee);
    }

    /// The far end of an answered leg answered: the answer becomes the offer to the near leg.
    fn far_answered(
        &mut self,
        leg: LegId,
        near: LegId,
        side: Side,
        transfer: Option<Transfer>,
        carried: &Carried,
    ) {
        let offer = self.open_offer(near);
        self.command(leg, LegCommand::Confirm { carried: Carried::nothing() });
        if let Some(far) = self.leg_mut(leg) {
            far.stage = Stage::Established;
            far.sent = offer;
            if let Some(sdp) = carried.sdp() {
                far.received = Some(sdp.clone());
            }
            if far.received.is_none() {
                self.end_leg(leg, Cause::not_acceptable());
                return self
                    .hunt_failed(Purpose::Far { near, side, transfer }, Cause::not_acceptable());
            }
        }
        if transfer.is_none() {
            // A transfer is told as such, when it is done.
            self.report(Report::Answered { leg });
        }
        let fallback = self.take_place(near, leg, side, transfer);
        let goal = Goal::Connect { new: leg };
        self.splice = Some(Box::new(Splice::new(near, leg, goal, Next::Near, fallback)));
    }

    /// A leg that was invited is over (and forgotten) without an answer.
    pub(super) fn candidate_failed(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        leg: LegId,
        cause: Cause,
    ) {
        let Some(hunt) = &mut self.hunt else { return };
        hunt.legs.retain(|other| *other != leg);
        let failed = hunt.fail_over.failed(&cause);
        hunt.note(cause.clone());
        if failed != Failed::One {
            hunt.diversions.clear();
            for other in std::mem::take(&mut hunt.legs) {
                self.end_leg(other, cause.clone());
            }
        }
        match failed {
            Failed::All => self.give_up(),
            Failed::Attempt | Failed::One => self.attempt_over(now, ids),
        }
    }

    /// Goes on if nothing of this attempt is left.
    pub(super) fn attempt_over(&mut self, now: Instant, ids: &mut LegIds) {
        let over = |hunt: &Hunt| hunt.legs.is_empty() && hunt.diversions.is_empty();
        if self.hunt.as_deref().is_some_and(over) {
            self.next_attempt(now, ids);
        }
    }

    /// Time passed: gives an attempt up that rang for as long as it may, or was silent for longer.
    pub(super) fn hunt_deadline(&mut self, now: Instant, ids: &mut LegIds) {
        let Some(hunt) = &mut self.hunt else { return };
        let cause = if hunt.ring_until <= now {
            Cause::no_answer()
        } else if hunt.fail_over.is_silent(now) {
            Cause::timeout()
        } else {
            return;
        };
        hunt.fail_over.failed(&cause);
        hunt.note(cause.clone());
        hunt.diversions.clear();
        for leg in std::mem::take(&mut hunt.legs) {
            self.end_leg(leg, cause.clone());
        }
        self.next_attempt(now, ids);
    }

    /// Nobody answered.
    pub(super) fn hunt_failed(&mut self, purpose: Purpose, cause: Cause) {
        match purpose {
            Purpose::Far { transfer: Some(transfer), .. } => self.transfer_failed(transfer, cause),
            Purpose::Caller(_) | Purpose::Far { transfer: None, .. } | Purpose::User => {
                self.finish(cause);
            }
        }
    }

    /// The transfer on whose behalf the search is made.
    pub(super) fn hunt_transfer(&mut self) -> Option<&mut Transfer> {
        match &mut self.hunt.as_mut()?.purpose {
            Purpose::Far { transfer, .. } => transfer.as_mut(),
            Purpose::Caller(_) | Purpose::User => None,
        }
    }

    /// The caller whose call is not answered yet.
    pub(super) fn waiting_caller(&self) -> Option<LegId> {
        match self.hunt.as_ref()?.purpose {
            Purpose::Caller(caller) => Some(caller),
            Purpose::Far { .. } | Purpose::User => None,
        }
    }
}

impl Hunt {
    pub(super) fn note(&mut self, cause: Cause) {
        let cause = refusing(cause);
        self.best = Some(match self.best.take() {
            Some(best) => best.preferred(cause),
            None => cause,
        });
    }

    /// When the attempt under way is to be looked at.
    pub(super) fn next_deadline(&self) -> Instant {
        let silent = self.fail_over.next_deadline();
        silent.map_or(self.ring_until, |silent| silent.min(self.ring_until))
    }

    pub(super) const fn near(&self) -> Option<LegId> {
        match self.purpose {
            Purpose::Caller(leg) | Purpose::Far { near: leg, .. } => Some(leg),
            Purpose::User => None,
        }
    }
}

/// Whether a first INVITE offers media: a description, possibly beside other parts.
fn carries_offer(carried: &Carried) -> bool {
    carried.body.as_ref().is_some_and(|body| {
        let kind = body.content_type.get(..10).unwrap_or_default();
        body.is_sdp() || kind.eq_ignore_ascii_case(b"multipart/")
    })
}
