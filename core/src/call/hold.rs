// SPDX-License-Identifier: GPL-3.0-or-later
//! Hold: by the user over the bus, and seen in what phones describe.

use bytes::Bytes;

use std::time::Instant;

use super::{
    Call, CommandError, LegId, Report, Side,
    description::{self, Direction},
    leg::{Body, Carried, ExchangeId, Status},
    splice::{Goal, Next, Splice},
};

impl Call {
    /// Holds the call: neither side sends or hears. Holding a held call changes nothing.
    ///
    /// # Errors
    /// When the call is not connected or is being changed.
    pub fn hold(&mut self, now: Instant) -> Result<(), CommandError> {
        let (near, far) = self.ready_for_change(Side::Caller)?;
        if self.held_by_user {
            return Ok(());
        }
        if self.received(near).is_none() || self.received(far).is_none() {
            return Err(CommandError::DoesNotApply("the phones did not describe their media"));
        }
        self.splice = Some(Box::new(Splice::new(near, far, Goal::Hold, Next::Far, None)));
        self.settle(now);
        Ok(())
    }

    /// Ends [`Self::hold`]. What a phone holds itself stays held.
    ///
    /// # Errors
    /// When the call is not connected or is being changed.
    pub fn resume(&mut self, now: Instant) -> Result<(), CommandError> {
        let (near, far) = self.ready_for_change(Side::Caller)?;
        if self.held_by_user {
            self.splice = Some(Box::new(Splice::new(near, far, Goal::Resume, Next::Far, None)));
            self.settle(now);
        }
        Ok(())
    }

    /// A hold or its end is done. Whoever asked is told even if a phone holds the call anyway.
    pub(super) fn held_as_asked(&mut self, hold: bool) {
        if self.held_by_user != hold {
            self.held_by_user = hold;
            self.held_reported = self.is_held();
            self.report(Report::Held(self.held_reported));
        }
    }

    /// A leg offered: it holds if it does not want to hear.
    pub(super) fn note_offer(&mut self, leg: LegId, sdp: &Bytes) {
        let direction = description::direction(sdp);
        if let Some(leg) = self.leg_mut(leg) {
            leg.received = Some(sdp.clone());
            leg.holding = matches!(direction, Direction::Inactive | Direction::SendOnly);
        }
    }

    /// A leg answered: to a hold it may answer no more than it was offered, so that only
    /// `sendonly` shows that it holds itself (RFC 3264 §6.1); `inactive` may mean that it does so
    /// still.
    pub(super) fn note_answer(&mut self, leg: LegId, sdp: &Bytes) {
        let direction = description::direction(sdp);
        if let Some(leg) = self.leg_mut(leg) {
            leg.received = Some(sdp.clone());
            leg.holding = match direction {
                Direction::SendOnly => true,
                Direction::Inactive => leg.holding,
                Direction::RecvOnly | Direction::SendRecv => false,
            };
        }
    }

    /// A phone offers while nobody else can or may hear it: it is answered here, and what it
    /// described is kept for when the media flows again.
    pub(super) fn answer_inactive(&mut self, leg: LegId, exchange: ExchangeId, offer: &Bytes) {
        self.note_offer(leg, offer);
        let carried: Carried = self.inactive_for(leg, offer);
        debug_assert!(carried.body.as_ref().is_some_and(Body::is_sdp));
        self.reply_with(leg, exchange, Status::new(200), carried);
    }
}
