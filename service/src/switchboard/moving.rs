// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls that go on when the network changes: their legs move to another flow by re-INVITE
//! (RFC 3261 §14).
//!
//! Only a leg whose own end is gone is moved, or one to whose far end the way begins elsewhere now,
//! as when a tunnel comes up: that a provider sends from another address than it is registered at
//! says nothing. A leg on a line follows its line, when that is registered again; one to a peer or
//! a phone is moved as soon as the way there is known.
//!
//! Where an address translator changes its mind nothing of ours is gone, and only the registrar's
//! answers tell (RFC 3581): when the line is registered again, its legs tell their far ends over the
//! flow that they have, so that those hear us, and reach us, where we are seen now.
//!
//! A leg that still rings cannot be moved: its far end would have to take an UPDATE (RFC 3311) in a
//! dialog that only a reliable provisional answer makes sure. It is moved as soon as it is answered.

use std::{collections::BTreeMap, sync::Arc};

use sipwitch_core::{call::LegId, line::LineId};
use sipwitch_sip::{
    flow::Flow,
    resolver::{Place, Wanted},
    wire::Uri,
};

use super::{
    Switchboard,
    errand::{Waiter, Ways},
};
use crate::connectivity::{Change, Paths};

/// Legs that lost their own end and wait for another, or wait to be answered, with the way that they
/// are to take, if that is known.
#[derive(Debug, Default)]
pub(super) struct Stranded(BTreeMap<LegId, Option<Flow>>);

impl Switchboard {
    /// Addresses of ours are gone, or no longer those at which the way to somebody begins: whatever
    /// talked from them has to talk from elsewhere.
    pub(super) fn strand_legs(&mut self, change: Option<&Change>, paths: &Paths) {
        self.stranded.0.retain(|leg, _| self.legs.contains_key(leg));
        let mut legs: Vec<LegId> =
            self.legs.keys().copied().filter(|leg| self.is_stranded(*leg, change, paths)).collect();
        legs.sort_unstable();
        for leg in legs {
            if self.endpoint.line_of(leg).is_none() {
                self.send_for_way(leg);
            }
            self.stranded.0.insert(leg, None);
        }
    }

    fn is_stranded(&self, leg: LegId, change: Option<&Change>, paths: &Paths) -> bool {
        let Some(Flow { transport, local, remote, .. }) = self.endpoint.flow_of(leg) else {
            return false;
        };
        let here = local.ip();
        if change.is_some_and(|change| change.gone.contains(&here)) {
            return true;
        }
        if !paths.lead_from_elsewhere(here, remote.ip()) {
            return false;
        }
        // We chose where a line is spoken to from. Who came to us chose by himself, and may know
        // why, unless all that goes out goes out elsewhere now; a connection of his is his.
        self.endpoint.line_of(leg).is_some()
            || (!transport.is_reliable() && change.is_some_and(|change| change.way_changed))
    }

    /// Stranded legs follow their lines, as soon as those are registered again, or take the way that
    /// was found for them; each when it is answered.
    pub(super) fn legs_follow_lines(&mut self) {
        if self.stranded.0.is_empty() {
            return;
        }
        // Calls may end while they wait.
        self.stranded.0.retain(|leg, _| self.legs.contains_key(leg));
        let legs: Vec<(LegId, Option<Flow>)> =
            self.stranded.0.iter().map(|(leg, way)| (*leg, *way)).collect();
        for (leg, known) in legs {
            if !self.endpoint.is_answered(leg) {
                continue;
            }
            if let Some(way) = known {
                self.move_leg(leg, way);
                continue;
            }
            let way = self.endpoint.line_of(leg).and_then(|on| self.lines.best_flow(on));
            let (Some(way), Some(old)) = (way, self.endpoint.flow_of(leg)) else { continue };
            if way.local.ip() != old.local.ip() {
                self.move_leg(leg, way);
            }
        }
    }

    /// An address translator shows a line's flow to the provider as another one than before, and
    /// the line is registered again: its legs on that flow tell their far ends.
    pub(super) fn line_moved(&mut self, line: LineId, flow: &Flow) {
        let Some(speaker) = self.lines.speaker(line) else { return };
        let same = |leg: &LegId| {
            let on = self.endpoint.line_of(*leg);
            let at = self.endpoint.flow_of(*leg);
            on.is_some_and(|on| on.contact.user() == speaker.contact.user())
                && at.is_some_and(|at| (at.transport, at.local) == (flow.transport, flow.local))
        };
        let mut legs: Vec<LegId> = self.legs.keys().copied().filter(same).collect();
        legs.sort_unstable();
        for leg in legs {
            self.stranded.0.insert(leg, self.endpoint.flow_of(leg));
        }
        self.legs_follow_lines();
    }

    /// Asks for the way to whom a leg talks with.
    fn send_for_way(&mut self, leg: LegId) {
        let Some(flow) = self.endpoint.flow_of(leg) else { return };
        let address = self
            .legs
            .get(&leg)
            .and_then(|call| self.calls.get(call))
            .and_then(|entry| entry.legs.iter().find(|known| known.id == leg))
            .map_or("", |known| &known.address);
        // Whose certificate it must be is known where a domain was called.
        let wanted = Uri::parse(address.to_owned()).ok().and_then(|uri| Wanted::of(&uri).ok());
        match wanted {
            Some(wanted) if flow.transport.is_reliable() => {
                self.errands.find_ways(wanted, Waiter::Move(leg));
            }
            _ => {
                let Flow { transport, remote, .. } = flow;
                let place = Place { transport, address: remote, name: Arc::from("") };
                self.errands.reach(vec![place], Waiter::Move(leg));
            }
        }
    }

    /// The way to whom a leg talks with is known, or that there is none.
    pub(super) fn leg_reached(&mut self, leg: LegId, ways: Ways) {
        match ways {
            Ok(ways) => {
                if let Some(way) = ways.first() {
                    self.stranded.0.insert(leg, Some(way.flow));
                    self.legs_follow_lines();
                }
            }
            Err(why) => {
                tracing::info!(leg = leg.0, "a call stays without its way: {why}");
            }
        }
    }

    fn move_leg(&mut self, leg: LegId, flow: Flow) {
        self.stranded.0.remove(&leg);
        let Some(entry) = self.legs.get(&leg).and_then(|call| self.calls.get(call)) else { return };
        let description = entry.call.described_to(leg).cloned();
        tracing::info!(leg = leg.0, to = %flow, "a call moves, since the network changed");
        // Where its line is reached may be another place now.
        let on = self.endpoint.line_of(leg).and_then(|on| self.lines.speaker_now(on));
        self.endpoint.move_leg(self.now.instant, leg, flow, on, description);
    }

    /// The far end of a leg follows, or does not.
    pub(super) fn leg_moved(&self, leg: LegId, moved: bool) {
        if moved {
            tracing::info!(leg = leg.0, "a call has moved");
        } else {
            // What comes too late ends by itself: the session timer finds it (RFC 4028).
            tracing::warn!(leg = leg.0, "the far end of a call does not follow to the new network");
        }
    }
}
