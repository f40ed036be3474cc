// SPDX-License-Identifier: GPL-3.0-or-later
//! The call switch: the state of one call, its inputs and its outputs. The other files of this
//! folder carry them out, by theme.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::{
    Action, CallId, CallState, CommandError, LegCommand, LegEvent, LegId, LegIds, QueryId, Report,
    Side,
    dtmf::ToneQueue,
    early::Early,
    exchange::Exchange,
    fork::{Hunt, Purpose},
    leg::{Carried, ExchangeId, Invitation, Party, Status},
    splice::Splice,
    third_party::Preparing,
    transfer::Wish,
};
use crate::{
    cause::Cause,
    routing::{Route, Target},
};

/// One call: a pure state machine.
#[derive(Debug)]
pub struct Call {
    pub(super) id: CallId,
    pub(super) state: CallState,
    pub(super) created: Instant,
    pub(super) answered: Option<Instant>,
    pub(super) legs: Vec<Leg>,
    /// The legs that talk: the caller's side, the callee's side.
    pub(super) pair: Option<(LegId, LegId)>,
    /// The search for somebody who answers.
    pub(super) hunt: Option<Box<Hunt>>,
    /// What a program's call needs once the user's phone answered.
    pub(super) preparing: Option<Box<Preparing>>,
    /// The early dialogs shown to the caller, until the caller acknowledged the answer.
    pub(super) early: Option<Box<Early>>,
    /// Requests under way between and towards the legs.
    pub(super) exchanges: Vec<Exchange>,
    /// A change of who talks with whom, or of hold, under way.
    pub(super) splice: Option<Box<Splice>>,
    /// A route or leg that was asked for on behalf of a transfer.
    pub(super) wish: Option<Box<Wish>>,
    pub(super) tones: Option<Box<ToneQueue>>,
    pub(super) held_by_user: bool,
    pub(super) held_reported: bool,
    last_query: u32,
    actions: VecDeque<Action>,
}

/// What the switch knows of one leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub id: LegId,
    pub stage: Stage,
    /// Whether its dialog was begun by us (whose retry after glare waits longer, RFC 3261 §14.1).
    pub outgoing: bool,
    /// Whether a description of ours or of another far end was sent in its dialog, so that what
    /// follows must continue that (see `description::continued`). Until then nothing is edited.
    pub rewriting: bool,
    /// Whether it offered (or answered with) a direction that means hold, see `hold.rs`.
    pub holding: bool,
    /// The last number given to an exchange we began on it.
    pub asks: u32,
    pub party: Party,
    /// Where it leads, until it answered.
    pub rung: Option<Target>,
    /// The description it gave last.
    pub received: Option<Bytes>,
    /// The description given to it last; its origin binds what comes later (RFC 3264 §8).
    pub sent: Option<Bytes>,
}

/// Where a leg is in its life. A leg that ended is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Outgoing, not answered.
    Calling,
    /// Incoming, answered by us, not acknowledged.
    Confirming,
    /// Answered and acknowledged.
    Established,
    /// Outgoing, answered, and we owe the acknowledgement.
    Unconfirmed,
    /// Incoming, not answered.
    Waiting,
}

impl Stage {
    pub(super) const fn is_answered(self) -> bool {
        !matches!(self, Self::Calling | Self::Waiting)
    }
}

impl Call {
    /// A phone calls, and the route is known. Where it leads nowhere the call ends at once.
    ///
    /// `invitation` is what the phone sent: who calls, who was dialled, its offer.
    #[must_use]
    pub fn incoming(
        now: Instant,
        ids: &mut LegIds,
        id: CallId,
        leg: LegId,
        invitation: Invitation,
        route: Route,
    ) -> Self {
        let mut call = Self::new(now, id, CallState::Calling);
        let mut caller = Leg::new(leg, Stage::Waiting, invitation.from.clone());
        caller.received = invitation.carried.sdp().cloned();
        call.legs.reserve_exact(2);
        call.legs.push(caller);
        call.early = Some(Box::default());
        call.start_hunt(now, ids, Purpose::Caller(leg), invitation, route);
        call
    }

    pub(super) fn new(now: Instant, id: CallId, state: CallState) -> Self {
        Self {
            id,
            state,
            created: now,
            answered: None,
            // Most calls have two, and a first push would make room for four.
            legs: Vec::with_capacity(2),
            pair: None,
            hunt: None,
            preparing: None,
            early: None,
            exchanges: Vec::new(),
            splice: None,
            wish: None,
            tones: None,
            held_by_user: false,
            held_reported: false,
            last_query: 0,
            actions: VecDeque::new(),
        }
    }

    /// A leg said something. What a leg says that is gone, or in no state to say it, changes
    /// nothing: messages cross on the wire, and that is their ordinary fate.
    pub fn leg_event(&mut self, now: Instant, ids: &mut LegIds, leg: LegId, event: LegEvent) {
        if self.leg(leg).is_none() {
            return;
        }
        match event {
            LegEvent::Answered { fork, carried } => {
                self.on_answered(now, ids, leg, fork, carried);
            }
            LegEvent::Asked { exchange, ask, carried } => {
                self.on_asked(leg, exchange, ask, carried)
            }
            LegEvent::Confirmed { carried } => self.on_confirmed(leg, carried),
            LegEvent::Ended { cause } => self.on_ended(now, ids, leg, cause),
            LegEvent::Progress { fork, status, reliable, carried } => {
                self.on_progress(leg, fork, status, reliable, carried);
            }
            LegEvent::Redirected { targets, cause } => {
                self.on_redirected(now, ids, leg, targets, cause);
            }
            LegEvent::ReinviteConfirmed { exchange, carried } => {
                self.on_reinvite_confirmed(leg, exchange, carried);
            }
            LegEvent::Replied { exchange, status, carried } => {
                self.on_replied(now, leg, exchange, status, carried);
            }
            LegEvent::TransferAsked { exchange, target, replaces, carried } => {
                self.on_transfer_asked(leg, exchange, target, replaces, carried);
            }
        }
        self.settle(now);
    }

    /// Time passed. Calling too early does nothing.
    pub fn deadline(&mut self, now: Instant, ids: &mut LegIds) {
        self.hunt_deadline(now, ids);
        self.settle(now);
    }

    /// When [`Self::deadline`] is to be called next. May change after every input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let ring = self.hunt.as_ref().map(|hunt| hunt.next_deadline());
        let retry = self.splice.as_ref().and_then(|splice| splice.retry_at());
        ring.into_iter().chain(retry).min()
    }

    /// What is to be done next. Take all of it before the next input.
    pub fn poll(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if self.actions.is_empty() {
            // A connected call lies quiet for minutes, beside thousands of others.
            self.actions = VecDeque::new();
        }
        action
    }

    /// Ends the call.
    pub fn hang_up(&mut self, cause: Cause) {
        if !self.is_over() {
            self.finish(cause);
        }
    }

    /// Answers the call in the user's stead.
    ///
    /// # Errors
    /// Always, today: a phone can only be answered by the person who holds it.
    pub const fn answer(&mut self) -> Result<(), CommandError> {
        match self.state {
            CallState::Ended => Err(CommandError::Ended),
            CallState::Connected => Err(CommandError::DoesNotApply("the call is answered already")),
            CallState::Preparing | CallState::Calling | CallState::Ringing => Err(
                CommandError::DoesNotApply("a phone rings: it can only be answered on the phone"),
            ),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> CallState {
        self.state
    }

    /// When it began.
    #[must_use]
    pub const fn created(&self) -> Instant {
        self.created
    }

    /// When both sides could talk first.
    #[must_use]
    pub const fn answered_at(&self) -> Option<Instant> {
        self.answered
    }

    /// Whether somebody holds it: a phone, or the user by [`Self::hold`].
    #[must_use]
    pub fn is_held(&self) -> bool {
        let holds = |id| self.leg(id).is_some_and(|leg| leg.holding);
        self.held_by_user || self.pair.is_some_and(|(a, b)| holds(a) || holds(b))
    }

    /// Whether the user holds it, by [`Self::hold`].
    #[must_use]
    pub const fn is_held_by_user(&self) -> bool {
        self.held_by_user
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, CallState::Ended)
    }

    /// The legs that live now, in the order of their beginning.
    pub fn legs(&self) -> impl Iterator<Item = LegId> {
        self.legs.iter().map(|leg| leg.id)
    }

    /// The leg that talks on this side.
    #[must_use]
    pub fn talking(&self, side: Side) -> Option<LegId> {
        self.pair.map(|(caller, callee)| match side {
            Side::Callee => callee,
            Side::Caller => caller,
        })
    }

    /// How the session was described to the leg last, by whatever far end it had.
    #[must_use]
    pub fn described_to(&self, leg: LegId) -> Option<&Bytes> {
        self.leg(leg).and_then(|leg| leg.sent.as_ref())
    }

    /// Who is on the leg.
    #[must_use]
    pub fn party(&self, leg: LegId) -> Option<&Party> {
        self.leg(leg).map(|leg| &leg.party)
    }

    // What the themes share.

    pub(super) fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    pub(super) fn stage(&self, id: LegId) -> Option<Stage> {
        self.leg(id).map(|leg| leg.stage)
    }

    pub(super) fn received(&self, id: LegId) -> Option<Bytes> {
        self.leg(id).and_then(|leg| leg.received.clone())
    }

    /// Whom the leg talks with.
    pub(super) fn peer(&self, id: LegId) -> Option<LegId> {
        match self.pair {
            Some((a, b)) if a == id => Some(b),
            Some((a, b)) if b == id => Some(a),
            Some(_) | None => None,
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn command(&mut self, leg: LegId, command: LegCommand) {
        self.act(Action::Command { leg, command });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.act(Action::Report(report));
    }

    pub(super) fn reply(&mut self, leg: LegId, exchange: ExchangeId, code: u16) {
        self.reply_with(leg, exchange, Status::new(code), Carried::nothing());
    }

    pub(super) fn reply_with(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        status: Status,
        carried: Carried,
    ) {
        self.command(leg, LegCommand::Reply { exchange, status, carried });
    }

    pub(super) fn next_query(&mut self) -> QueryId {
        self.last_query += 1;
        QueryId(self.last_query)
    }

    pub(super) fn enter(&mut self, state: CallState) {
        if self.state != state {
            self.state = state;
            self.report(Report::State(state));
        }
    }

    pub(super) fn connect(&mut self, now: Instant, caller: LegId, callee: LegId) {
        self.pair = Some((caller, callee));
        self.answered.get_or_insert(now);
        self.enter(CallState::Connected);
    }

    /// Ends one leg and forgets it. What its adapter still says comes too late to matter.
    pub(super) fn end_leg(&mut self, id: LegId, cause: Cause) {
        let Some(at) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let leg = self.legs.remove(at);
        self.command(id, LegCommand::End { cause: fitting(cause, leg.stage) });
        self.forget(id);
    }

    /// Takes the traces of a leg that is gone out of everything under way.
    pub(super) fn forget(&mut self, id: LegId) {
        self.drop_exchanges(id);
        if let Some(early) = &mut self.early {
            early.forget(id);
        }
    }

    /// Ends the call and every leg in it.
    pub(super) fn finish(&mut self, cause: Cause) {
        // Nobody waits for answers any more: each leg's end ends its exchanges.
        self.exchanges = Vec::new();
        for leg in std::mem::take(&mut self.legs) {
            let cause = fitting(cause.clone(), leg.stage);
            self.command(leg.id, LegCommand::End { cause });
        }
        self.hunt = None;
        self.preparing = None;
        self.early = None;
        self.splice = None;
        self.wish = None;
        self.tones = None;
        self.pair = None;
        self.enter(CallState::Ended);
        self.act(Action::Ended { cause });
    }

    /// The adapter says that a leg is over.
    pub(super) fn on_ended(&mut self, now: Instant, ids: &mut LegIds, id: LegId, cause: Cause) {
        let Some(at) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let stage = self.legs.remove(at).stage;
        self.forget(id);
        if self.hunt.as_ref().is_some_and(|hunt| hunt.legs.contains(&id)) {
            return self.candidate_failed(now, ids, id, cause);
        }
        if self.newcomer_left(id, &cause) {
            return;
        }
        if self.transferor_left(id) {
            // The one who asked for a transfer may leave before it is done (RFC 5589 §6.1).
            return;
        }
        let cause =
            if stage == Stage::Waiting && cause.is_normal() && !cause.is_answered_elsewhere() {
                Cause::cancelled()
            } else {
                cause
            };
        self.finish(cause);
    }

    /// What follows from any input: a change that waited for quiet begins, and `held` is told.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        self.drive_splice(now);
        let held = self.is_held();
        if !self.is_over() && held != self.held_reported {
            self.held_reported = held;
            self.report(Report::Held(held));
        }
    }
}

impl Leg {
    pub(super) const fn new(id: LegId, stage: Stage, party: Party) -> Self {
        Self {
            id,
            stage,
            outgoing: matches!(stage, Stage::Calling),
            rewriting: false,
            holding: false,
            asks: 0,
            party,
            rung: None,
            received: None,
            sent: None,
        }
    }
}

/// A caller who was never answered can only be refused: not with a success, nor with a redirection
/// that names no place.
fn fitting(cause: Cause, stage: Stage) -> Cause {
    if stage == Stage::Waiting { refusing(cause) } else { cause }
}

/// The cause as a final refusal.
pub(super) fn refusing(cause: Cause) -> Cause {
    if (400..700).contains(&cause.sip) { cause } else { Cause { sip: 480, ..cause } }
}
