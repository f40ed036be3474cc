// SPDX-License-Identifier: GPL-3.0-or-later
//! The network: what this machine sees of it, and what only the far ends of lines show, such as an
//! address translator that changed its mind.

use std::{collections::BTreeSet, net::IpAddr};

use sipwitch_core::line::LineId;

use super::{Now, Switchboard, notice::Notice};
use crate::connectivity::{Change, Looked, Paths};

/// The network, in words.
#[derive(Debug, Default)]
pub(super) struct Network {
    /// As this machine saw it last.
    seen: String,
    /// What a line noticed last of what lies beyond.
    remark: String,
}

impl Switchboard {
    /// Whether what happens to the network concerns anybody here.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        !self.lines.is_empty()
            || self.settings.listening.iter().any(|at| !at.address.ip().is_loopback())
    }

    /// What the network looks like, for people.
    pub fn network_seen(&mut self, now: Now, words: String) {
        self.now = now;
        self.network.seen.clone_from(&words);
        self.service.network = words;
        self.tell_service();
    }

    /// The addresses of those whom lines and calls talk with, beside this machine itself.
    #[must_use]
    pub fn far_ends(&self) -> BTreeSet<IpAddr> {
        let legs = self.legs.keys().filter_map(|leg| self.endpoint.flow_of(*leg));
        let ends = self.lines.far_ends().chain(legs.map(|flow| flow.remote.ip().to_canonical()));
        ends.filter(|end| !end.is_loopback()).collect()
    }

    /// The network was looked at. The paths are those to the [far ends](Self::far_ends).
    pub fn network_looked_at(&mut self, now: Now, looked: Looked, paths: &Paths) {
        self.now = now;
        let Looked { change, reaches_more } = looked;
        self.strand_legs(change.as_ref(), paths);
        let moved = if change.as_ref().is_some_and(|it| it.way_changed || !it.gone.is_empty()) {
            self.lines.network_changed(now.instant);
            Vec::new()
        } else {
            self.lines.paths_changed(now.instant, paths, reaches_more)
        };
        if let Some(change) = change.or_else(|| self.other_way(&moved)) {
            tracing::info!("the network changed: {}", change.words);
            self.network = Network { seen: change.words.clone(), remark: String::new() };
            self.service.network.clone_from(&change.words);
            self.tell(|| Notice::Connectivity(Box::new(change)));
        }
        self.drain();
    }

    /// The machine is about to sleep: what is registered elsewhere is taken off there.
    pub fn fall_asleep(&mut self, now: Now) {
        self.now = now;
        let words = "the machine is about to sleep: lines are taken off at their providers";
        words.clone_into(&mut self.service.network);
        self.network = Network { seen: words.to_owned(), remark: String::new() };
        self.tell(|| Notice::Connectivity(Box::new(Change::told(words.to_owned(), true))));
        self.lines.fall_asleep(now.instant);
        self.drain();
    }

    /// Whether lines wait for nothing from their providers.
    #[must_use]
    pub fn are_lines_quiet(&self) -> bool {
        self.lines.is_quiet()
    }

    /// No interface changed, and yet another one leads to these lines.
    fn other_way(&self, moved: &[LineId]) -> Option<Change> {
        let seen = &self.network.seen;
        let words = match moved {
            [] => return None,
            [line] => {
                let line = self.lines.title(*line).unwrap_or_default();
                format!("another way leads to the provider of {line}; {seen}")
            }
            lines => format!("another way leads to the providers of {} lines; {seen}", lines.len()),
        };
        Some(Change::told(words, true))
    }

    /// Something about the network that this machine does not see by itself. What many lines notice
    /// at once is told once.
    pub(super) fn remark(&mut self, remark: String) {
        if self.network.remark == remark {
            return;
        }
        tracing::info!("noticed of the network: {remark}");
        let words = match self.network.seen.as_str() {
            "" => remark.clone(),
            seen => format!("{remark}; {seen}"),
        };
        self.network.remark = remark;
        self.service.network.clone_from(&words);
        // Somebody out there answered.
        self.tell(|| Notice::Connectivity(Box::new(Change::told(words, true))));
    }
}
