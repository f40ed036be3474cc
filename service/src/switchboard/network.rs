// SPDX-License-Identifier: GPL-3.0-or-later
//! The network: what this machine sees of it, and what only the far ends of lines show, such as an
//! address translator that changed its mind.

use super::{Now, Switchboard, notice::Notice};
use crate::connectivity::Change;

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

    /// The network changed.
    pub fn network_changed(&mut self, now: Now, change: Change) {
        self.now = now;
        tracing::info!("the network changed: {}", change.words);
        self.network = Network { seen: change.words.clone(), remark: String::new() };
        self.service.network.clone_from(&change.words);
        self.strand_legs(&change.gone);
        if change.way_changed || !change.gone.is_empty() {
            self.lines.network_changed(now.instant);
        }
        self.tell(|| Notice::Connectivity(Box::new(change)));
        self.drain();
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
        let change = Change {
            gone: Vec::new(),
            new: Vec::new(),
            way_changed: false,
            resumed: false,
            // Somebody out there answered.
            is_online: true,
            words,
        };
        self.tell(|| Notice::Connectivity(Box::new(change)));
    }
}
