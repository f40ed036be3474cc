// SPDX-License-Identifier: GPL-3.0-or-later
//! Pick-up: an INVITE that replaces a leg which only rings (RFC 3891 §3) answers the call in its
//! place.
//!
//! Both the caller and whoever picks up have offered, and neither offer answers the other. So a
//! waiting caller is answered with media that rest (RFC 3264 §8.4), and once that is acknowledged
//! the two are connected like any two legs that talk.

use std::time::Instant;

use super::{
    Call, LegCommand, LegId, Report,
    fork::Purpose,
    leg::{Fork, Invitation},
    splice::{Goal, Next, Splice},
    switch::{Leg, Stage},
};
use crate::cause::Cause;

impl Call {
    /// The new leg answers what rings. From here on it belongs to this call.
    ///
    /// # Errors
    /// When nothing rings for anybody but the user who dials (481), the caller negotiates (491) or
    /// has offered nothing (488). Nothing has changed then.
    pub(super) fn pick_up(
        &mut self,
        now: Instant,
        leg: LegId,
        invitation: Invitation,
    ) -> Result<(), Cause> {
        let near = self.hunt.as_ref().and_then(|hunt| hunt.near());
        let near = near.ok_or_else(|| Cause::from_sip(481))?;
        if self.is_negotiating(near) {
            return Err(Cause::from_sip(491));
        }
        // To a caller without an offer, the first answer would have to bring one.
        let described = self.received(near).ok_or_else(Cause::not_acceptable)?;
        let hunt = self.hunt.take().ok_or_else(|| Cause::from_sip(481))?;
        for other in hunt.legs {
            self.end_leg(other, Cause::answered_elsewhere());
        }
        let mut new = Leg::new(leg, Stage::Waiting, invitation.from);
        new.received = invitation.carried.sdp().cloned();
        let next = if new.received.is_some() { Next::Far } else { Next::Offer };
        self.legs.push(new);
        let fallback = match hunt.purpose {
            Purpose::Far { side, transfer, .. } => {
                if transfer.is_none() {
                    self.report(Report::Answered { leg });
                }
                self.take_place(near, leg, side, transfer)
            }
            Purpose::Caller(_) | Purpose::User => {
                let carried = self.inactive_for(near, &described);
                let fork = self.early.as_mut().map(|early| early.answered(leg, Fork::default()).0);
                if let Some(caller) = self.leg_mut(near) {
                    caller.stage = Stage::Confirming;
                }
                let fork = fork.unwrap_or_default();
                self.command(near, LegCommand::Answer { fork, carried });
                self.report(Report::Answered { leg });
                self.connect(now, near, leg);
                None
            }
        };
        let goal = Goal::Connect { new: leg };
        self.splice = Some(Box::new(Splice::new(leg, near, goal, next, fallback)));
        self.settle(now);
        Ok(())
    }
}
