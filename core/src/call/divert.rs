// SPDX-License-Identifier: GPL-3.0-or-later
//! Diversions: a phone that is invited sends the call on elsewhere (3xx). Where it leads rings in
//! the same attempt, and is told who sent the call on (RFC 5806).

use std::time::{Duration, Instant};

use super::{Action, Call, LegId, LegIds, QueryId, RouteReason, leg::Party, switch::Leg};
use crate::{
    cause::Cause,
    routing::{Route, Target},
};

/// How often one search may be sent on by phones.
const MAX_DIVERSIONS: usize = 5;

/// A phone sent the call on, and the way there was asked for.
#[derive(Debug)]
pub(super) struct Diversion {
    query: QueryId,
    /// Where else it may go, the last one first.
    others: Vec<String>,
    by: Diverter,
    /// What the caller is told if it leads nowhere.
    cause: Cause,
}

/// Who sent a call on.
#[derive(Debug)]
struct Diverter {
    party: Party,
    /// What was rung.
    rung: Option<Target>,
}

impl Call {
    pub(super) fn on_redirected(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        leg: LegId,
        mut targets: Vec<String>,
        cause: Cause,
    ) {
        let Some(hunt) = self.hunt.as_mut().filter(|hunt| hunt.legs.contains(&leg)) else {
            // Only an invited leg can be sent on; the leg is over in any case.
            return self.on_ended(now, ids, leg, cause);
        };
        let Some(at) = self.legs.iter().position(|other| other.id == leg) else { return };
        let Leg { party, rung, .. } = self.legs.remove(at);
        let by = Diverter { party, rung };
        hunt.legs.retain(|other| *other != leg);
        self.forget(leg);
        // The last one first, for popping.
        targets.reverse();
        self.divert(now, ids, targets, by, cause);
    }

    /// Asks for the way to the next place a phone sent the call on to.
    fn divert(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        mut others: Vec<String>,
        by: Diverter,
        cause: Cause,
    ) {
        let query = self.next_query();
        let Some(hunt) = &mut self.hunt else { return };
        let near = hunt.near();
        match others.pop() {
            Some(contact) if hunt.diverted < MAX_DIVERSIONS => {
                hunt.diverted += 1;
                let rung = by.rung.clone();
                hunt.diversions.push(Diversion { query, others, by, cause });
                let reason = RouteReason::Diversion;
                self.act(Action::RouteWanted { query, contact, near, reason, by: rung });
            }
            Some(_) => {
                hunt.note(Cause::too_many_hops());
                self.attempt_over(now, ids);
            }
            None => {
                hunt.note(cause);
                self.attempt_over(now, ids);
            }
        }
    }

    /// The way is known to where a phone sent the call on.
    pub(super) fn diverted(
        &mut self,
        now: Instant,
        ids: &mut LegIds,
        query: QueryId,
        mut route: Route,
    ) {
        let Some(hunt) = &mut self.hunt else { return };
        let Some(at) = hunt.diversions.iter().position(|d| d.query == query) else { return };
        let Diversion { others, by, cause, .. } = hunt.diversions.swap_remove(at);
        let cause = if route.attempts.is_empty() { route.refusal() } else { cause };
        // Later attempts would be the diverting phone's, not the caller's: one is enough.
        route.attempts.truncate(1);
        let (mut targets, mut ring, mut patience) = (Vec::new(), Duration::ZERO, None);
        for attempt in route.attempts {
            ring = attempt.ring;
            patience = attempt.patience;
            targets = attempt.targets;
        }
        // What rang already sent the call here, or does not want it.
        targets.retain(|target| !hunt.has_rung(target));
        if targets.is_empty() {
            return self.divert(now, ids, others, by, cause);
        }
        hunt.ring_until = hunt.ring_until.max(now + ring);
        hunt.fail_over.diverted(now, patience);
        self.invite(ids, targets, Some(&by.party));
    }
}
