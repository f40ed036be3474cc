// SPDX-License-Identifier: GPL-3.0-or-later
//! What is waited for, and not for ever.

use std::time::{Duration, Instant};

use super::{
    Around, Call, State,
    content::Content,
    reason::{self, Reason},
};

/// How long the handler has to answer what was shown to it, and to say where it is. Less than the
/// service gives us for an offer of the far end.
const HANDLER: Duration = Duration::from_secs(25);
/// Before an offer that met one of the far end is made again (RFC 3261 §14.1).
const AFTER_A_CLASH: Duration = Duration::from_millis(2100);
/// Handlers find out about their codecs one after the other, when the sound begins: one offer tells
/// all of it, and later. telepathy-rakia 0.8 aborts if an offer reaches it before its own sound has
/// begun.
const MORE_OF_THE_HANDLER: Duration = Duration::from_secs(2);

/// An offer of the far end that waits for the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exchange {
    /// How the service names it.
    pub(super) number: u32,
    /// Whether it brought no description: ours is the offer.
    pub(super) is_empty: bool,
}

impl Call {
    /// From now on something is wanted of the handler.
    pub(super) fn await_handler(&mut self, now: Instant) {
        self.handler_until = Some(now + HANDLER);
    }

    pub(super) fn await_other_offer(&mut self, now: Instant) {
        self.retry_at = Some(now + AFTER_A_CLASH);
    }

    /// What the handler says now is not all.
    pub(super) fn await_more_of_the_handler(&mut self, now: Instant) {
        self.retry_at.get_or_insert(now + MORE_OF_THE_HANDLER);
    }

    /// Whether something is.
    pub(super) fn awaits_handler(&self) -> bool {
        self.state >= State::Initialising && !self.contents.iter().all(Content::is_whole)
    }

    /// When [`Self::handle_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let tones = self.contents.iter().filter_map(|content| content.tones.due());
        tones.chain(self.handler_until).chain(self.retry_at).min()
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(&mut self, around: &mut Around<'_>) {
        self.tones_due(around.now, around.outbox);
        if self.retry_at.is_some_and(|at| at <= around.now) {
            self.retry_at = None;
        }
        if self.handler_until.is_some_and(|at| at <= around.now) {
            self.handler_until = None;
            self.handler_is_late(around);
        }
        self.advance(around);
    }

    /// The handler has not answered in time: all goes on without that for which it was asked.
    fn handler_is_late(&mut self, around: &mut Around<'_>) {
        self.refuse_exchange(around);
        let is_late = |content: &&Content| {
            !content.is_gathered || !content.is_established && !content.is_whole()
        };
        let late = self.contents.iter().filter(is_late).map(|content| content.number);
        for number in late.collect::<Vec<u32>>() {
            let words = "the program with the sound does not answer";
            let error = reason::error("Media.StreamingError");
            let reason = Reason { error, ..Reason::media(&self.own, words) };
            self.content_fails(number, reason, around);
            if self.is_ended() {
                return;
            }
        }
    }
}
