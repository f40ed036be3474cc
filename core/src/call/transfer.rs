// SPDX-License-Identifier: GPL-3.0-or-later
//! Transfers: REFER from a phone (RFC 3515, RFC 5589), or the user's wish over the bus.
//!
//! The leg that stays is `near`, the one that wants the transfer is the transferor. The two stay
//! joined until the new far end is connected, so that a failed transfer leaves the call as it was.
//! The transferor may hang up meanwhile; then `near` waits for the outcome alone.

use std::time::Instant;

use super::{
    Action, Call, CallState, CommandError, LegCommand, LegId, LegIds, QueryId, Report, RouteReason,
    Side, TransferStep,
    fork::Search,
    leg::{Carried, ExchangeId, Field, Party, Replaced, Status},
    splice::Fallback,
    switch::{Stage, refusing},
};
use crate::{cause::Cause, routing::Route};

/// Who wants a transfer, and how it hears of it.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The leg that is to leave, while it is there.
    transferor: Option<LegId>,
    /// The REFER to report to; none where the user asked over the bus.
    exchange: Option<ExchangeId>,
    rang: bool,
}

impl Transfer {
    /// Notes that the new party's phone rings: whom to tell, the first time.
    #[expect(
        clippy::option_option,
        reason = "rings for the first time; and has a REFER to report to"
    )]
    pub(super) fn rings(&mut self) -> Option<Option<(LegId, ExchangeId)>> {
        let first = !std::mem::replace(&mut self.rang, true);
        first.then(|| self.transferor.zip(self.exchange))
    }
}

/// Something that was asked of the switchboard before a leg can be connected elsewhere.
#[derive(Debug)]
pub(super) struct Wish {
    pub query: QueryId,
    pub what: WishFor,
    pub near: LegId,
    /// The side `near` is on.
    pub side: Side,
    pub transfer: Option<Transfer>,
}

#[derive(Debug)]
pub(super) enum WishFor {
    /// The way to the far end of a program's call.
    Dial,
    /// The leg of another call; and whom to call if that call only rings.
    Join { target: String, fields: Vec<Field> },
    /// The way to a transfer's target.
    Transfer { target: String, fields: Vec<Field> },
}

impl Call {
    /// Connects the leg on the side `keep` to somebody else; the other leg leaves when that is
    /// done. If it fails the call stays as it is.
    ///
    /// `target` is shown to the new party as the one called.
    ///
    /// # Errors
    /// When the call is not connected or is being changed, or the route leads nowhere.
    pub fn transfer(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        keep: Side,
        target: Party,
        route: Route,
    ) -> Result<(), CommandError> {
        let (near, transferor) = self.ready_for_change(keep)?;
        if route.attempts.is_empty() {
            return Err(CommandError::Unreachable(route.refusal()));
        }
        let transfer = Transfer { transferor: Some(transferor), exchange: None, rang: false };
        self.report(Report::Transfer(TransferStep::Trying));
        let from = self.party(near).cloned().unwrap_or_default();
        let search = Search {
            near,
            side: keep,
            from,
            to: target,
            fields: Vec::new(),
            transfer: Some(transfer),
        };
        self.search(now, ids, search, route);
        self.settle(now);
        Ok(())
    }

    /// The answer to [`Action::RouteWanted`]. An answer to a question that nobody asks any more
    /// changes nothing.
    pub fn routed(&mut self, now: Instant, ids: &mut LegIds, query: QueryId, route: Route) {
        match self.wish.take() {
            Some(wish) if wish.query == query => self.far_end_known(now, ids, *wish, route),
            other => {
                self.wish = other;
                self.diverted(now, ids, query, route);
            }
        }
        self.settle(now);
    }

    fn far_end_known(&mut self, now: Instant, ids: &mut LegIds, wish: Wish, route: Route) {
        let Wish { near, side, transfer, .. } = wish;
        match wish.what {
            WishFor::Dial => self.call_far_end(now, ids, near, route),
            WishFor::Join { .. } => {
                // A route where a leg was wanted: the switchboard says there is none.
                if let Some(transfer) = transfer {
                    self.transfer_failed(transfer, Cause::from_sip(481));
                }
            }
            WishFor::Transfer { target, fields } => {
                let from = self.party(near).cloned().unwrap_or_default();
                let to = Party { display: String::new(), address: target };
                self.search(now, ids, Search { near, side, from, to, fields, transfer }, route);
            }
        }
    }

    /// Waits for the way to the far end of a program's call.
    pub(super) fn want_far_end(&mut self, query: QueryId, near: LegId) {
        let (what, side) = (WishFor::Dial, Side::Caller);
        self.wish = Some(Box::new(Wish { query, what, near, side, transfer: None }));
    }

    pub(super) fn on_transfer_asked(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        target: String,
        replaces: Option<Replaced>,
        carried: Carried,
    ) {
        let side = match self.pair {
            Some((_, callee)) if callee == leg => Side::Caller,
            Some(_) | None => Side::Callee,
        };
        let Ok((near, _)) = self.ready_for_change(side).and_then(|(near, transferor)| {
            if transferor == leg { Ok((near, transferor)) } else { Err(CommandError::NotConnected) }
        }) else {
            // Nobody to transfer yet, or a change under way: the phone may try again.
            return self.reply(leg, exchange, 491);
        };
        self.reply(leg, exchange, 202);
        let trying = LegCommand::TransferProgress { exchange, status: Status::new(100) };
        self.command(leg, trying);
        self.report(Report::Transfer(TransferStep::Trying));
        let transfer = Transfer { transferor: Some(leg), exchange: Some(exchange), rang: false };
        let query = self.next_query();
        let what = match replaces {
            None => {
                let reason = RouteReason::Transfer;
                let contact = target.clone();
                let (near, by) = (Some(near), None);
                self.act(Action::RouteWanted { query, contact, near, reason, by });
                WishFor::Transfer { target, fields: carried.fields }
            }
            Some(Replaced::Leg(other)) if self.leg(other).is_none() => {
                self.act(Action::JoinWanted { query, leg: other });
                WishFor::Join { target, fields: carried.fields }
            }
            Some(Replaced::Leg(_) | Replaced::Unknown) => {
                // Calling the target instead would ring somebody who is in another call already.
                return self.transfer_failed(transfer, Cause::from_sip(481));
            }
        };
        self.wish = Some(Box::new(Wish { query, what, near, side, transfer: Some(transfer) }));
    }

    /// The leg on this side and its peer, when nothing stands in the way of changing them.
    pub(super) fn ready_for_change(&self, side: Side) -> Result<(LegId, LegId), CommandError> {
        if self.is_over() {
            return Err(CommandError::Ended);
        }
        let (Some(this), Some(other)) = (self.talking(side), self.talking(side.other())) else {
            return Err(CommandError::NotConnected);
        };
        if self.hunt.is_some() || self.splice.is_some() || self.wish.is_some() {
            return Err(CommandError::Busy);
        }
        let established = |leg| self.stage(leg) == Some(Stage::Established);
        if !established(this) || !established(other) {
            return Err(CommandError::Busy);
        }
        Ok((this, other))
    }

    /// Puts the new far end in the transferor's place; what is needed to undo that.
    pub(super) fn take_place(
        &mut self,
        near: LegId,
        far: LegId,
        side: Side,
        transfer: Option<Transfer>,
    ) -> Option<Fallback> {
        let old = self.pair.replace(match side {
            Side::Callee => (far, near),
            Side::Caller => (near, far),
        });
        let transfer = transfer?;
        let (leg, pair) = (transfer.transferor?, old?);
        Some(Fallback { leg, exchange: transfer.exchange, pair })
    }

    /// The new far end was not reached. The old one talks on, if it is still there.
    pub(super) fn transfer_failed(&mut self, transfer: Transfer, cause: Cause) {
        match transfer.transferor {
            Some(transferor) => self.restored(transferor, transfer.exchange, cause),
            None => self.finish(cause),
        }
    }

    /// The call is as it was before the transfer; tells those who wanted it otherwise.
    pub(super) fn restored(&mut self, leg: LegId, exchange: Option<ExchangeId>, cause: Cause) {
        let cause = refusing(cause);
        if let Some(exchange) = exchange {
            let status = Status::new(cause.sip);
            self.command(leg, LegCommand::TransferProgress { exchange, status });
        }
        self.report(Report::Transfer(TransferStep::Failed(cause)));
        self.enter(CallState::Connected);
    }

    /// A leg is over: whether it was the transferor, whom the call outlives.
    pub(super) fn transferor_left(&mut self, leg: LegId) -> bool {
        let wished = self.wish.as_mut().and_then(|wish| wish.transfer.as_mut());
        let is_transferor = |transfer: &Transfer| transfer.transferor == Some(leg);
        if let Some(transfer) = wished.filter(|transfer| is_transferor(transfer)) {
            transfer.transferor = None;
        } else if let Some(transfer) = self.hunt_transfer().filter(|t| is_transferor(t)) {
            transfer.transferor = None;
        } else if let Some(splice) = &mut self.splice {
            // Already out of the pair.
            return splice.fallback.take_if(|fallback| fallback.leg == leg).is_some();
        } else {
            return false;
        }
        self.pair = None;
        self.held_by_user = false;
        self.enter(CallState::Calling);
        true
    }
}
