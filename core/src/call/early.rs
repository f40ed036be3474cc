// SPDX-License-Identifier: GPL-3.0-or-later
//! The early dialogs shown to a caller: one per callee leg and per far end behind it, so that the
//! caller can tell several answers to its one offer apart (RFC 3261 §12.1, RFC 3960).

use bytes::Bytes;

use super::{
    LegId,
    leg::{Fork, ReliableId},
};

/// The most early dialogs one caller is shown. Progress beyond is not relayed; an answer always is.
const MAX_DIALOGS: usize = 64;
/// The most reliable responses that wait for their PRACK.
const MAX_RELIABLE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Early {
    dialogs: Vec<Dialog>,
    reliables: Vec<Reliable>,
    forks: u32,
    numbers: u32,
    newest: Option<Fork>,
}

#[derive(Debug)]
struct Dialog {
    leg: LegId,
    theirs: Fork,
    shown: Fork,
    /// What this far end described last.
    received: Option<Bytes>,
}

#[derive(Debug)]
struct Reliable {
    leg: LegId,
    theirs: ReliableId,
    ours: ReliableId,
}

impl Early {
    /// The caller's number for this far end's progress; none when there are too many.
    pub(super) fn show(&mut self, leg: LegId, theirs: Fork, sdp: Option<&Bytes>) -> Option<Fork> {
        if self.dialogs.len() >= MAX_DIALOGS && self.find(leg, theirs).is_none() {
            return None;
        }
        let dialog = self.dialog(leg, theirs);
        if let Some(sdp) = sdp {
            dialog.received = Some(sdp.clone());
        }
        let shown = dialog.shown;
        self.newest = Some(shown);
        Some(shown)
    }

    /// The caller's number for the far end that answered, and what it described before.
    pub(super) fn answered(&mut self, leg: LegId, theirs: Fork) -> (Fork, Option<Bytes>) {
        let dialog = self.dialog(leg, theirs);
        (dialog.shown, dialog.received.clone())
    }

    /// The leg of the early dialog shown last. A request before the answer names no dialog; this
    /// is the one it is for.
    pub(super) fn newest(&self) -> Option<LegId> {
        let newest = self.newest?;
        self.dialogs.iter().find(|dialog| dialog.shown == newest).map(|dialog| dialog.leg)
    }

    /// The far end shown last described itself anew, in a PRACK or UPDATE.
    pub(super) fn describe_newest(&mut self, leg: LegId, sdp: &Bytes) {
        let newest = self.newest;
        let dialog = self.dialogs.iter_mut().find(|d| d.leg == leg && Some(d.shown) == newest);
        if let Some(dialog) = dialog {
            dialog.received = Some(sdp.clone());
        }
    }

    /// Our number for a reliable response; none when too many wait already.
    pub(super) fn reliable(&mut self, leg: LegId, theirs: ReliableId) -> Option<ReliableId> {
        if self.reliables.len() >= MAX_RELIABLE {
            return None;
        }
        self.numbers += 1;
        let ours = ReliableId(self.numbers);
        self.reliables.push(Reliable { leg, theirs, ours });
        Some(ours)
    }

    /// Whose response a PRACK is for. It is acknowledged once.
    pub(super) fn acknowledge(&mut self, ours: ReliableId) -> Option<(LegId, ReliableId)> {
        let at = self.reliables.iter().position(|reliable| reliable.ours == ours)?;
        let reliable = self.reliables.swap_remove(at);
        Some((reliable.leg, reliable.theirs))
    }

    pub(super) fn forget(&mut self, leg: LegId) {
        self.dialogs.retain(|dialog| dialog.leg != leg);
        self.reliables.retain(|reliable| reliable.leg != leg);
    }

    fn find(&self, leg: LegId, theirs: Fork) -> Option<usize> {
        self.dialogs.iter().position(|dialog| dialog.leg == leg && dialog.theirs == theirs)
    }

    fn dialog(&mut self, leg: LegId, theirs: Fork) -> &mut Dialog {
        let at = self.find(leg, theirs).unwrap_or_else(|| {
            let shown = Fork(self.forks);
            self.forks += 1;
            self.dialogs.push(Dialog { leg, theirs, shown, received: None });
            self.dialogs.len() - 1
        });
        &mut self.dialogs[at]
    }
}
