// SPDX-License-Identifier: GPL-3.0-or-later
//! Errands: what the switchboard needs from outside, carried out by the loop around it.
//!
//! Names, secrets and sockets take time or belong to somebody else. The switchboard says what it
//! wants ([`Switchboard::poll_errand`]) and goes on; what came of it is handed to
//! [`Switchboard::inner`] with the errand's name.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use sipwitch_core::{call::LegId, number::E164};
use sipwitch_sip::{
    auth::elsewhere::Inquiry,
    flow::{ConnectionId, Flow},
    resolver::{Place, Wanted},
    wire::Uri,
};

use super::{Switchboard, lookup::LookupId};

/// Names an errand whose answer is waited for. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrandId(pub u64);

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Close a connection that serves nothing any more. Nobody waits for it.
    Close(ConnectionId),
    /// Find the places that serve what is wanted, and our way to each. Answered by
    /// [`Inner::Ways`](super::Inner::Ways).
    FindWays {
        /// Which errand.
        errand: ErrandId,
        /// What is wanted.
        wanted: Wanted,
    },
    /// Find the addresses that were published for a number, as far as they are proven. Answered by
    /// [`Inner::Published`](super::Inner::Published).
    FindPublished {
        /// Which errand.
        errand: ErrandId,
        /// The number.
        number: E164,
        /// Below which name.
        root: Arc<str>,
    },
    /// Find our way to each of these places, whose connections may be gone. Answered as the other.
    Reach {
        /// Which errand.
        errand: ErrandId,
        /// The places.
        places: Vec<Place>,
    },
    /// Ask the digest service whether a phone knows the password. Answered by
    /// [`Inner::LoginJudged`](super::Inner::LoginJudged).
    JudgeLogin(Box<Inquiry>),
    /// Ask the digest service what it keeps of our user. Answered by
    /// [`Inner::LoginKept`](super::Inner::LoginKept).
    LookAtLogin,
    /// Fetch the password of an account. Answered by [`Inner::Secret`](super::Inner::Secret).
    FetchSecret {
        /// Which account.
        account: Arc<str>,
    },
}

/// A place, and the flow that leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The place.
    pub place: Place,
    /// How it is reached from here.
    pub flow: Flow,
}

impl Way {
    /// Whether this flow is its own.
    #[must_use]
    pub fn is_over(&self, flow: &Flow) -> bool {
        (self.flow.transport, self.flow.remote) == (flow.transport, flow.remote)
            && (self.flow.connection == flow.connection
                || self.flow.connection.is_none()
                || flow.connection.is_none())
    }
}

/// What came of [`Errand::FindWays`]: the ways in the order they are to be tried, never none, or
/// why there is none, in words.
pub type Ways = Result<Vec<Way>, String>;

/// Who waits for an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A leg that is to be started.
    Leg(LegId),
    /// A line.
    Line,
    /// A route that waits for numbers to be looked up.
    Lookup(LookupId),
    /// A leg that lost its way.
    Move(LegId),
    /// A query.
    Query(u64),
    /// A text that leaves the house.
    Text(u64),
}

/// Errands to be told, and those under way.
#[derive(Debug, Default)]
pub(super) struct Errands {
    last: u64,
    told: VecDeque<Errand>,
    waiting: HashMap<ErrandId, Waiter>,
}

impl Errands {
    /// Sends for the ways to a place.
    pub(super) fn find_ways(&mut self, wanted: Wanted, waiter: Waiter) -> ErrandId {
        let errand = self.begin(waiter);
        self.told.push_back(Errand::FindWays { errand, wanted });
        errand
    }

    /// Sends for the ways to places that are known.
    pub(super) fn reach(&mut self, places: Vec<Place>, waiter: Waiter) -> ErrandId {
        let errand = self.begin(waiter);
        self.told.push_back(Errand::Reach { errand, places });
        errand
    }

    /// Sends for the addresses that were published for a number.
    pub(super) fn find_published(
        &mut self,
        number: E164,
        root: Arc<str>,
        waiter: Waiter,
    ) -> ErrandId {
        let errand = self.begin(waiter);
        self.told.push_back(Errand::FindPublished { errand, number, root });
        errand
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&mut self, errand: ErrandId) {
        self.waiting.remove(&errand);
    }

    fn begin(&mut self, waiter: Waiter) -> ErrandId {
        self.last += 1;
        let errand = ErrandId(self.last);
        self.waiting.insert(errand, waiter);
        errand
    }

    /// Has something done that is not answered here.
    pub(super) fn tell(&mut self, errand: Errand) {
        self.told.push_back(errand);
    }

    /// Whether nobody waits for anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Switchboard {
    /// The next thing to be done outside. To be called until there is none, after every other call.
    pub fn poll_errand(&mut self) -> Option<Errand> {
        self.errands.told.pop_front()
    }

    /// The ways that were sent for are known.
    pub(super) fn ways_found(&mut self, errand: ErrandId, mut ways: Ways) {
        let waiter = self.errands.waiting.remove(&errand);
        if let (Ok(ways), Some(Waiter::Leg(_) | Waiter::Text(_))) = (&mut ways, waiter) {
            self.lines.put_failed_last(self.now.instant, ways);
        }
        match waiter {
            Some(Waiter::Leg(leg)) => self.leg_ways(leg, ways),
            Some(Waiter::Line) => self.lines.ways_found(self.now.instant, errand, ways),
            Some(Waiter::Move(leg)) => self.leg_reached(leg, ways),
            Some(Waiter::Query(query)) => self.query_ways(query, ways),
            Some(Waiter::Text(text)) => self.text_ways(text, ways),
            // Whoever waited is gone, or waits for something else.
            Some(Waiter::Lookup(_)) | None => {}
        }
    }

    /// A number that was looked up is known, or that nothing was published for it.
    pub(super) fn published_found(
        &mut self,
        errand: ErrandId,
        addresses: Result<Vec<Uri>, String>,
    ) {
        if let Some(Waiter::Lookup(lookup)) = self.errands.waiting.remove(&errand) {
            self.number_known(lookup, errand, addresses);
        }
    }
}
