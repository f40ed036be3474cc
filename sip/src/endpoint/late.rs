// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers that come when nobody waits for them any more: a phone that was silent until its INVITE
//! had timed out, or was cancelled, and then answers. It must be told that the call is over
//! (RFC 3261 §13.2.2.4), or somebody sits in a dead call, and a provider charges for it.
//!
//! Our tags are random, so who knows one was called by us: nobody else can have us send anything.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::OnLine;
use crate::dialog::Tag;

/// How long a leg that called is remembered: longer than telephones ring, and repeat an answer.
const REMEMBERED: Duration = Duration::from_secs(240);
/// The most legs that are remembered; the oldest are forgotten first.
const MOST: usize = 4096;
/// The most far ends of one INVITE that are ended.
const MOST_FAR_ENDS: usize = 8;

/// Legs that called, and have given up.
#[derive(Debug, Default)]
pub(crate) struct Late(VecDeque<Gone>);

#[derive(Debug)]
struct Gone {
    tag: Tag,
    until: Instant,
    line: Option<Arc<OnLine>>,
    /// The tags of far ends that were told.
    ended: Vec<Box<[u8]>>,
}

/// What an answer that came too late is to get.
#[derive(Debug)]
pub(crate) enum LateAnswer {
    /// ACK and BYE, as this line if it is one's.
    End(Option<Arc<OnLine>>),
    /// ACK once more: it has been sent its BYE.
    Acknowledge,
}

impl Late {
    /// A leg that called is over.
    pub(crate) fn note(&mut self, now: Instant, tag: Tag, line: Option<&Arc<OnLine>>) {
        while self.0.len() >= MOST || self.0.front().is_some_and(|gone| gone.until <= now) {
            self.0.pop_front();
        }
        let (until, line) = (now + REMEMBERED, line.cloned());
        self.0.push_back(Gone { tag, until, line, ended: Vec::new() });
    }

    /// Whether a leg of this tag is remembered.
    pub(crate) fn knows(&self, now: Instant, tag: Tag) -> bool {
        self.0.iter().any(|gone| gone.tag == tag && gone.until > now)
    }

    /// What the answer of a far end to a leg of this tag is to get; nothing if no such leg is
    /// remembered.
    pub(crate) fn answer(&mut self, now: Instant, tag: Tag, far: &[u8]) -> Option<LateAnswer> {
        let gone = self.0.iter_mut().find(|gone| gone.tag == tag && gone.until > now)?;
        if gone.ended.iter().any(|ended| **ended == *far) {
            return Some(LateAnswer::Acknowledge);
        }
        if gone.ended.len() >= MOST_FAR_ENDS {
            return None;
        }
        gone.ended.push(far.into());
        Some(LateAnswer::End(gone.line.clone()))
    }

    /// Forgets what is old, and gives back the room.
    pub(crate) fn shrink(&mut self, now: Instant) {
        self.0.retain(|gone| gone.until > now);
        self.0.shrink_to_fit();
    }
}
