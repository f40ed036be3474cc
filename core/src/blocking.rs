// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers whom the user does not want to hear: who is on the list, and whether it means a caller.
//!
//! Nobody is blocked for a while after a call for help: whoever helps calls back from a number that
//! nobody knows beforehand (RFC 7090 §1). Extensions of the house are blocked by their own number or
//! name only, and by nothing that means many.

#[cfg(test)]
mod tests;
mod who;

use std::{
    collections::{BTreeMap, btree_map},
    time::Duration,
};

pub use who::{Caller, ParseWhoError, Who};

use crate::routing::World;

/// The most callers that one list names: more than anybody writes, and little for memory and bus.
pub const MAX_BLOCKED: usize = 10_000;
/// The longest reason, in bytes.
pub const MAX_REASON: usize = 200;
/// How long everybody gets through after a call for help. Those who help call back within minutes,
/// or when the car they sent does not find the house; an hour is enough for both, and short enough
/// that nobody is bothered through the night.
pub const CALL_BACK: Duration = Duration::from_secs(3600);

/// A caller on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Why, in the user's words; may be empty.
    pub reason: Box<str>,
    /// Since when, as time since 1970.
    pub since: Duration,
}

/// Why a caller cannot be put on the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// There are [`MAX_BLOCKED`] already.
    #[error(
        "{MAX_BLOCKED} callers are blocked already: remove some, or block a beginning (+49900*)"
    )]
    Full,
    /// A reason with a character that no line of a list can show.
    #[error("character {0:?} has no place in a reason")]
    Letter(char),
    /// A reason longer than [`MAX_REASON`].
    #[error("the reason is {0} bytes long, more than the {MAX_REASON} allowed")]
    TooLong(usize),
}

/// The callers that are blocked. Looking one up costs the same however many there are.
#[derive(Debug, Default)]
pub struct BlockList {
    entries: BTreeMap<Who, Entry>,
    /// The last call for help, as time since 1970.
    help: Option<Duration>,
}

impl BlockList {
    /// The list as it was kept. What is beyond [`MAX_BLOCKED`] is left out.
    #[must_use]
    pub fn restore(
        entries: impl IntoIterator<Item = (Who, Entry)>,
        help: Option<Duration>,
    ) -> Self {
        Self { entries: entries.into_iter().take(MAX_BLOCKED).collect(), help }
    }

    /// Whether nobody is blocked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everybody who is blocked, in order.
    pub fn iter(&self) -> btree_map::Iter<'_, Who, Entry> {
        self.entries.iter()
    }

    /// Reads a caller whom somebody names: an entry as the list has it, or else as
    /// [`Who::read`] does. What is of the house now may not have been when it was blocked.
    ///
    /// # Errors
    /// Nobody can be blocked by that; the error says why.
    pub fn read(&self, text: &str, world: &impl World) -> Result<Who, ParseWhoError> {
        match text.parse() {
            Ok(who) if self.entries.contains_key(&who) => Ok(who),
            _ => Who::read(text, world),
        }
    }

    /// The entry that names exactly this.
    #[must_use]
    pub fn entry(&self, who: &Who) -> Option<&Entry> {
        self.entries.get(who)
    }

    /// Blocks a caller; gives whether the list is another one now. Who is blocked already stays so
    /// since then, and gets another reason where one is given.
    ///
    /// # Errors
    /// The list is full, or the reason cannot be shown.
    pub fn block(&mut self, who: &Who, reason: &str, now: Duration) -> Result<bool, BlockError> {
        check(reason)?;
        if let Some(entry) = self.entries.get_mut(who) {
            let differs = !reason.is_empty() && *entry.reason != *reason;
            if differs {
                entry.reason = reason.into();
            }
            return Ok(differs);
        }
        if self.entries.len() >= MAX_BLOCKED {
            return Err(BlockError::Full);
        }
        self.entries.insert(who.clone(), Entry { reason: reason.into(), since: now });
        Ok(true)
    }

    /// Blocks a caller no more; gives whether he was on the list.
    pub fn unblock(&mut self, who: &Who) -> bool {
        self.entries.remove(who).is_some()
    }

    /// Somebody of the house calls for help, or did and is done.
    pub fn help_called(&mut self, now: Duration) {
        self.help = Some(now);
    }

    /// Whether whoever helps may be calling back. A clock that was set back since does not end it.
    #[must_use]
    pub fn awaits_call_back(&self, now: Duration) -> bool {
        self.help.is_some_and(|called| now.saturating_sub(called) < CALL_BACK)
    }

    /// What on the list means this caller, if anything does: what names him alone comes before what
    /// names many.
    #[must_use]
    pub fn find(&self, now: Duration, caller: &Caller) -> Option<(&Who, &Entry)> {
        if self.awaits_call_back(now) { None } else { self.would_find(caller) }
    }

    /// The same, as if nobody had called for help.
    #[must_use]
    pub fn would_find(&self, caller: &Caller) -> Option<(&Who, &Entry)> {
        if self.entries.is_empty() {
            return None;
        }
        caller.names().find_map(|who| self.entries.get_key_value(&who))
    }
}

/// Whether a reason can be kept and shown.
///
/// # Errors
/// Why not.
pub fn check(reason: &str) -> Result<(), BlockError> {
    if reason.len() > MAX_REASON {
        return Err(BlockError::TooLong(reason.len()));
    }
    match reason.chars().find(|c| c.is_control()) {
        Some(stray) => Err(BlockError::Letter(stray)),
        None => Ok(()),
    }
}
