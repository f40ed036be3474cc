// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls that a program dials: third-party call control (RFC 3725, after its flow IV).
//!
//! The user's phones ring without an offer. The one that answers offers its media, and is told to
//! keep it inactive; that same offer invites the other side, and its answer goes back to the user's
//! phone in a re-INVITE. Phones show who is being called while they ring, because the invitation
//! says it is from there.

use std::time::Instant;

use super::{
    Action, Call, CallId, CallState, LegCommand, LegId, LegIds, RouteReason, Side,
    fork::{Purpose, Search},
    leg::{Carried, Invitation, Party},
    switch::Stage,
};
use crate::{cause::Cause, routing::Route};

/// What a program wants dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Whom to call; routed when the user's phone has answered.
    pub contact: String,
    /// What the user's phone shows while it rings, such as "Calling 102" from `102`.
    pub shown: Party,
    /// The user, as the other side is to see the call.
    pub user: Party,
    /// The user's own phones.
    pub phones: Route,
}

/// What is kept until the user's phone answers.
#[derive(Debug)]
pub(super) struct Preparing {
    contact: String,
    dialled: Party,
    user: Party,
}

impl Call {
    /// A program dials: the user's phones ring first.
    #[must_use]
    pub fn dial(now: Instant, ids: &mut LegIds, id: CallId, dial: Dial) -> Self {
        let Dial { contact, shown, user, phones } = dial;
        let mut call = Self::new(now, id, CallState::Preparing);
        let dialled = Party { display: String::new(), address: shown.address.clone() };
        call.preparing = Some(Box::new(Preparing { contact, dialled, user: user.clone() }));
        let invitation = Invitation {
            from: shown,
            to: user,
            carried: Carried::nothing(),
            reliable_provisional: false,
            hops: super::fork::HOPS,
            diverted_by: None,
        };
        call.start_hunt(now, ids, Purpose::User, invitation, phones);
        call
    }

    /// The user's phone answered with its offer.
    pub(super) fn user_answered(&mut self, leg: LegId, carried: &Carried) {
        let Some(preparing) = &self.preparing else {
            return self.finish(Cause::from_sip(500));
        };
        let (contact, user) = (preparing.contact.clone(), preparing.user.clone());
        let Some(offer) = carried.sdp().cloned() else {
            // An answer to an invitation without an offer must offer (RFC 3261 §13.3.1.4).
            return self.finish(Cause::not_acceptable());
        };
        let carried = self.inactive_for(leg, &offer);
        if let Some(near) = self.leg_mut(leg) {
            near.stage = Stage::Established;
            near.party = user;
            near.received = Some(offer);
        }
        self.command(leg, LegCommand::Confirm { carried });
        self.enter(CallState::Calling);
        let query = self.next_query();
        self.want_far_end(query, leg);
        self.act(Action::RouteWanted {
            query,
            contact,
            near: Some(leg),
            reason: RouteReason::Dial,
            by: None,
        });
    }

    /// The way to the other side is known.
    pub(super) fn call_far_end(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        near: LegId,
        route: Route,
    ) {
        let Some(preparing) = self.preparing.take() else { return };
        let Preparing { dialled, user, .. } = *preparing;
        let search = Search {
            near,
            side: Side::Caller,
            from: user,
            to: dialled,
            fields: Vec::new(),
            transfer: None,
        };
        self.search(now, ids, search, route);
    }
}
