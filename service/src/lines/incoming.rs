// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose a request is that comes from outside.
//!
//! A provider calls us by the Contact that we registered, whose user part is long and random: who
//! knows it has it from the provider, or from somebody we called through him. Some write the number
//! instead, and trunks know no Contact; they are known by the address they come from, which is only
//! taken for proof where the far side is known by it: an address of the line's own servers.

use std::net::IpAddr;

use sipwitch_core::line::LineId;
use sipwitch_sip::{
    endpoint::Arrival,
    flow::{Flow, Transport},
    wire::Uri,
};

use super::{Lines, Reach, entry::Entry};

impl Lines {
    /// The line that a request outside dialogs comes by, if it comes by one.
    #[must_use]
    pub fn of_request(&self, arrival: &Arrival) -> Option<LineId> {
        if self.entries.is_empty() {
            return None;
        }
        let uri = arrival.request.uri();
        if let Some(id) = uri.user().and_then(|user| self.by_user.get(user.as_str()).copied()) {
            return Some(id);
        }
        let to = arrival.request.to().ok().map(|to| to.uri());
        self.of_address(&arrival.flow, &uri, to.as_ref())
    }

    /// The line whose servers are at the other end of this flow; of several, the one that is
    /// called.
    fn of_address(&self, flow: &Flow, uri: &Uri, to: Option<&Uri>) -> Option<LineId> {
        let source = flow.remote.ip().to_canonical();
        let by_servers = self.of_source(source).filter_map(|id| self.entries.get(&id));
        let by_networks = self.with_networks.iter().filter_map(|id| self.entries.get(id));
        let mut found: Vec<&Entry> =
            by_servers.chain(by_networks).filter(|entry| entry.comes_by(flow, source)).collect();
        found.sort_unstable_by_key(|entry| entry.id);
        found.dedup_by_key(|entry| entry.id);
        let is_called = |entry: &&Entry| {
            let outside = entry.facts.outside();
            let users = [Some(uri), to].into_iter().flatten().filter_map(Uri::user);
            outside.is_some_and(|outside| users.into_iter().any(|user| outside.is_called(&user)))
        };
        let called = found.iter().copied().find(is_called);
        match (called, found.as_slice()) {
            (Some(entry), _) => Some(entry.id),
            // A number that nobody told us of: the only line there is, or the trunk.
            (None, [only]) => Some(only.id),
            // Several: the trunk, or the first. To ring at the wrong one is better than not at all.
            (None, several) => {
                let is_trunk = |entry: &&&Entry| matches!(entry.facts.reach, Reach::Trunk { .. });
                several.iter().find(is_trunk).or_else(|| several.first()).map(|entry| entry.id)
            }
        }
    }
}

impl Entry {
    /// Whether what comes this way comes from its servers. On a machine with many programs the
    /// address says little without the port.
    fn comes_by(&self, flow: &Flow, source: IpAddr) -> bool {
        if !self.facts.is_on {
            return false;
        }
        if let Reach::Trunk { sources, .. } = &self.facts.reach
            && !sources.is_empty()
        {
            return sources.iter().any(|network| network.contains(source));
        }
        self.ways.iter().any(|way| {
            let at = way.place.address;
            let same_port = match flow.transport {
                Transport::Udp => at.port() == flow.remote.port(),
                // A stream from there has a port of its own, unless it is ours.
                _ => flow.connection.is_some() && flow.connection == way.flow.connection,
            };
            at.ip().to_canonical() == source && (same_port || !source.is_loopback())
        })
    }
}
