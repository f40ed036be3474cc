// SPDX-License-Identifier: GPL-3.0-or-later
//! Holding: first the handler falls silent, then the far end is told; back again the other way
//! round.

use zbus::Message;

use super::{
    Around, Call, LOCALLY_HELD, State, not_now, not_served,
    reason::{self, Reason},
};
use crate::{
    definition::call::HOLD,
    error::Error,
    outbox::Outbox,
    reply::{Reply, arguments},
};

/// Local_Hold_State.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum HoldState {
    #[default]
    Unheld = 0,
    Held = 1,
    PendingHold = 2,
    PendingUnhold = 3,
}

/// Local_Hold_HoldStateReason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Why {
    #[default]
    None = 0,
    Requested = 1,
    NotAvailable = 2,
}

/// How far holding is.
#[derive(Debug, Default)]
pub(super) struct Holding {
    state: HoldState,
    why: Why,
}

impl Holding {
    /// Whether the user holds, or is about to.
    pub(super) const fn holds(&self) -> bool {
        matches!(self.state, HoldState::Held | HoldState::PendingHold)
    }

    /// Whether nothing is to flow, until the far end knows better.
    pub(super) const fn rests(&self) -> bool {
        !matches!(self.state, HoldState::Unheld)
    }
}

impl Call {
    pub(super) fn hold_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "GetHoldState" => Ok(Reply::of((self.hold.state as u32, self.hold.why as u32))),
            "RequestHold" => {
                let wanted: bool = arguments(call)?;
                if self.is_ended() {
                    return Err(not_now("it is over"));
                }
                match (wanted, self.hold.state) {
                    (true, HoldState::Held | HoldState::PendingHold)
                    | (false, HoldState::Unheld | HoldState::PendingUnhold) => Ok(Reply::Nothing),
                    _ if !self.is_confirmed || self.asked.is_some() => {
                        Err(not_now("the call is not answered, or busy with another change"))
                    }
                    (true, _) => {
                        self.hold_changes(HoldState::PendingHold, Why::Requested, around.outbox);
                        Ok(Reply::Nothing)
                    }
                    (false, _) => {
                        self.hold_changes(HoldState::PendingUnhold, Why::Requested, around.outbox);
                        let asked = self.offer_again(Some(false), around);
                        if asked.is_err() {
                            self.hold_fails(around.outbox);
                        }
                        asked.map(|()| Reply::Nothing)
                    }
                }
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler has fallen silent, or not yet.
    pub(super) fn hold_advances(&mut self, around: &mut Around<'_>) {
        if self.hold.state == HoldState::PendingHold
            && self.asked.is_none()
            && self.is_silent()
            && self.offer_again(Some(true), around).is_err()
        {
            self.hold_fails(around.outbox);
        }
    }

    /// The far end has answered our offer.
    pub(super) fn hold_answered(&mut self, holds: bool, accepted: bool, outbox: &mut Outbox) {
        if !accepted {
            self.hold_fails(outbox);
            return;
        }
        if holds {
            self.flags |= LOCALLY_HELD;
            self.hold_changes(HoldState::Held, Why::Requested, outbox);
        } else {
            self.flags &= !LOCALLY_HELD;
            self.hold_changes(HoldState::Unheld, Why::Requested, outbox);
            self.try_again();
        }
        let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
        self.change(self.state, reason, outbox);
    }

    /// All is as it was before.
    fn hold_fails(&mut self, outbox: &mut Outbox) {
        match self.hold.state {
            HoldState::PendingHold => {
                self.hold_changes(HoldState::Unheld, Why::NotAvailable, outbox);
            }
            HoldState::PendingUnhold => {
                self.hold_changes(HoldState::Held, Why::NotAvailable, outbox);
            }
            HoldState::Held | HoldState::Unheld => {}
        }
    }

    fn hold_changes(&mut self, state: HoldState, why: Why, outbox: &mut Outbox) {
        debug_assert!(self.state >= State::Accepted, "only what was answered is held");
        self.hold.state = state;
        self.hold.why = why;
        outbox.signal(&self.path(), &HOLD, "HoldStateChanged", (state as u32, why as u32));
    }
}
