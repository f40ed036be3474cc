// SPDX-License-Identifier: GPL-3.0-or-later
//! Legs that move from one call to another: attended transfer, and INVITE with `Replaces`
//! (RFC 3891).

use std::time::Instant;

use super::{
    Action, Call, CallState, LegId, QueryId, RouteReason,
    exchange::{Exchange, Purpose},
    leg::Invitation,
    splice::{Fallback, Goal, Next, Splice},
    switch::{Leg, Stage},
    transfer::WishFor,
};
use crate::cause::Cause;

/// A leg taken out of its call, with what its next call must know.
#[derive(Debug)]
#[must_use = "a leg outside any call is nobody's: give it to Call::joined or end it"]
pub struct ReleasedLeg {
    leg: Leg,
    /// Requests it has not answered yet.
    orphans: Vec<Exchange>,
}

impl ReleasedLeg {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> LegId {
        self.leg.id
    }

    #[cfg(test)]
    pub(super) fn rename(&mut self, id: LegId) {
        self.leg.id = id;
        for orphan in &mut self.orphans {
            orphan.leg = id;
        }
    }
}

impl Call {
    /// Takes the peer of `leg` out of this call, which ends with that: `leg` is told to end.
    ///
    /// # Errors
    /// When the call is not connected (481) or is being changed (491); nothing has changed then.
    pub fn release_peer(&mut self, leg: LegId) -> Result<ReleasedLeg, Cause> {
        let peer = self.peer(leg).ok_or_else(|| Cause::from_sip(481))?;
        let established = |id| self.stage(id) == Some(Stage::Established);
        let busy = self.hunt.is_some() || self.splice.is_some() || self.wish.is_some();
        if busy || !established(peer) || !established(leg) {
            return Err(Cause::from_sip(491));
        }
        // What the peer asked is refused, what it was asked is left for it to answer.
        self.end_leg(leg, Cause::transferred());
        let Some(at) = self.legs.iter().position(|other| other.id == peer) else {
            return Err(Cause::from_sip(481));
        };
        let leg = self.legs.remove(at);
        let mut orphans = std::mem::take(&mut self.exchanges);
        for exchange in &mut orphans {
            if !matches!(exchange.purpose, Purpose::Orphan { .. }) {
                exchange.purpose = Purpose::Orphan { delayed: false };
            }
        }
        self.finish(Cause::transferred());
        Ok(ReleasedLeg { leg, orphans })
    }

    /// The answer to [`super::Action::JoinWanted`]: the leg, or why there is none.
    ///
    /// A leg that is no longer wanted is handed back; the switchboard must end it.
    #[must_use = "a leg that is handed back must be ended"]
    pub fn joined(
        &mut self,
        now: Instant,
        query: QueryId,
        released: Result<ReleasedLeg, Cause>,
    ) -> Option<LegId> {
        let wish = match self.wish.take() {
            Some(wish) if wish.query == query && matches!(wish.what, WishFor::Join { .. }) => wish,
            other => {
                self.wish = other;
                return released.ok().map(|released| released.id());
            }
        };
        match released {
            Err(cause) => {
                if let Some(transfer) = wish.transfer {
                    self.transfer_failed(transfer, cause);
                }
                self.settle(now);
                None
            }
            Ok(ReleasedLeg { leg, orphans }) => {
                let (near, far) = (wish.near, leg.id);
                self.legs.push(leg);
                self.exchanges.extend(orphans);
                let fallback = self.take_place(near, far, wish.side, wish.transfer);
                let goal = Goal::Connect { new: far };
                self.splice = Some(Box::new(Splice::new(near, far, goal, Next::Far, fallback)));
                self.settle(now);
                None
            }
        }
    }

    /// Ends this call, which only rings on behalf of `leg`: its caller has sent somebody else to
    /// those who are rung. False where nothing rings for that leg; nothing has changed then.
    pub fn leave_ringing(&mut self, leg: LegId) -> bool {
        let rings = self.hunt.as_ref().is_some_and(|hunt| hunt.purpose.is_caller(leg));
        if rings {
            self.finish(Cause::transferred());
        }
        rings
    }

    /// Another answer to [`super::Action::JoinWanted`]: the other call only rang, and is over. Those
    /// whom it rang are called anew, as in a transfer without asking first, since an early dialog
    /// cannot be handed on (RFC 3891 §3).
    pub fn call_instead(&mut self, now: Instant, query: QueryId) {
        if let Some(wish) = self.wish.as_mut()
            && wish.query == query
            && let WishFor::Join { target, fields } = &mut wish.what
        {
            let contact = target.clone();
            let (target, fields) = (std::mem::take(target), std::mem::take(fields));
            wish.what = WishFor::Transfer { target, fields };
            let (near, reason, by) = (Some(wish.near), RouteReason::Transfer, None);
            self.act(Action::RouteWanted { query, contact, near, reason, by });
        }
        self.settle(now);
    }

    /// An INVITE that replaces one of this call's legs: the new one takes its place once the peer
    /// agreed, or answers in its place where it only rings. From here on the new leg belongs to
    /// this call.
    ///
    /// # Errors
    /// When `replaced` neither talks with anybody nor rings (481, RFC 3891 §3), the call is being
    /// changed (491), or nothing was offered that could be answered (488). The new leg is then still
    /// the switchboard's, to be ended with that cause.
    pub fn replace_leg(
        &mut self,
        now: Instant,
        replaced: LegId,
        leg: LegId,
        invitation: Invitation,
    ) -> Result<(), Cause> {
        if self.hunt.as_ref().is_some_and(|hunt| hunt.legs.contains(&replaced)) {
            return self.pick_up(now, leg, invitation);
        }
        let peer = self.peer(replaced).ok_or_else(|| Cause::from_sip(481))?;
        let established = |id| self.stage(id) == Some(Stage::Established);
        let busy = self.hunt.is_some() || self.splice.is_some() || self.wish.is_some();
        if busy || !established(peer) || !established(replaced) {
            return Err(Cause::from_sip(491));
        }
        let mut new = Leg::new(leg, Stage::Waiting, invitation.from);
        new.received = invitation.carried.sdp().cloned();
        let next = if new.received.is_some() { Next::Far } else { Next::Offer };
        self.legs.push(new);
        let old = self.pair;
        self.pair = self.pair.map(|(a, b)| if a == replaced { (leg, b) } else { (a, leg) });
        let fallback = old.map(|pair| Fallback { leg: replaced, exchange: None, pair });
        let goal = Goal::Connect { new: leg };
        self.splice = Some(Box::new(Splice::new(leg, peer, goal, next, fallback)));
        self.settle(now);
        debug_assert!(self.state == CallState::Connected || self.is_over());
        Ok(())
    }
}
