// SPDX-License-Identifier: GPL-3.0-or-later
//! "Somebody is writing": Telepathy's chat states, and the messages of RFC 3994 for them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Text;
use crate::{
    definition::text::CHAT_STATE,
    error::{Error, Name},
    outbox::Outbox,
};

/// Channel_Chat_State.
const GONE: u32 = 0;
const ACTIVE: u32 = 2;
const PAUSED: u32 = 3;
const COMPOSING: u32 = 4;
/// How long the far end is to believe that the user writes, in seconds; it hears of it again before
/// that as long as the client says so (RFC 3994 §3.2: not less than 60).
const REFRESH: u32 = 120;
const AGAIN: Duration = Duration::from_secs(60);
/// How long "somebody is writing" holds where nothing is said (RFC 3994 §3.2), and the longest that is
/// believed.
const USUAL: Duration = Duration::from_secs(120);
const LONGEST: u64 = 600;

/// Who is writing.
#[derive(Debug, Default)]
pub(super) struct Composing {
    is_offered: bool,
    /// Set when it does not want to know (RFC 3994 §3: 415 and the like end it).
    is_refused: bool,
    /// Since when the far end has been told that the user writes.
    told: Option<Instant>,
    own: Option<u32>,
    theirs: Option<u32>,
    /// When the far end is no more believed to be writing.
    until: Option<Instant>,
}

impl Composing {
    /// Nobody is. `is_offered` says whether the far end may be told: it belongs to the house, so that
    /// no strange gateway makes a text for people of it.
    pub(super) fn new(is_offered: bool) -> Self {
        Self { is_offered, ..Self::default() }
    }

    /// Whether the far end may be told.
    pub(super) const fn is_offered(&self) -> bool {
        self.is_offered
    }
}

/// What a far end says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It writes, for so long.
    Active(Duration),
    /// It does not.
    Idle,
}

/// Reads a message of RFC 3994: its state and how long that holds. No more of its XML concerns us.
pub(crate) fn read(xml: &[u8]) -> Option<Told> {
    let xml = std::str::from_utf8(xml).ok()?;
    let text = |wanted: &str| {
        xml.split('<').find_map(|part| {
            let (tag, text) = part.split_once('>')?;
            let name = tag.split_ascii_whitespace().next()?;
            let local = name.rsplit(':').next()?;
            (local == wanted).then(|| text.trim())
        })
    };
    match text("state")? {
        "active" => {
            let seconds = text("refresh").and_then(|text| text.parse::<u64>().ok());
            let span = seconds.map_or(USUAL, |seconds| Duration::from_secs(seconds.min(LONGEST)));
            Some(Told::Active(span))
        }
        // RFC 3994 §3.1: a state that one does not know is idle.
        _ => Some(Told::Idle),
    }
}

fn write(state: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>{state}</state>\
         <contenttype>text/plain</contenttype><refresh>{REFRESH}</refresh></isComposing>"
    )
}

impl Text {
    /// `a{uu}`.
    pub(super) fn chat_states(&self) -> HashMap<u32, u32> {
        let both =
            [(self.own.handle, self.composing.own), (self.target.handle, self.composing.theirs)];
        both.into_iter().filter_map(|(handle, state)| Some((handle, state?))).collect()
    }

    /// The user writes, or does not any more.
    pub(super) fn set_chat_state(
        &mut self,
        state: u32,
        (outbox, phone): (&mut Outbox, &str),
        now: Instant,
    ) -> Result<(), Error> {
        if !(GONE..=COMPOSING).contains(&state) {
            return Err(Name::InvalidArgument.because(format!("{state} is no chat state")));
        }
        if !self.composing.is_offered {
            let words = "whether this contact wants to know that you write is not known";
            return Err(Name::NotImplemented.because(words));
        }
        self.composing.own = Some(state);
        let values = (self.own.handle, state);
        outbox.signal(&self.path(), &CHAT_STATE, "ChatStateChanged", values);
        let composing = &mut self.composing;
        if composing.is_refused {
            return Ok(());
        }
        let said = if state == COMPOSING {
            if composing.told.is_some_and(|told| now < told + AGAIN) {
                return Ok(());
            }
            composing.told = Some(now);
            "active"
        } else {
            if composing.told.take().is_none() {
                return Ok(());
            }
            "idle"
        };
        outbox.send_composing(phone, &self.target.id, &write(said), self.number);
        Ok(())
    }

    /// A text of the user's goes, which says that it is written (RFC 3994 §3.1).
    pub(super) fn has_written(&mut self, outbox: &mut Outbox) {
        self.composing.told = None;
        if self.composing.own.is_some_and(|state| state >= PAUSED) {
            self.composing.own = Some(ACTIVE);
            let values = (self.own.handle, ACTIVE);
            outbox.signal(&self.path(), &CHAT_STATE, "ChatStateChanged", values);
        }
    }

    /// The far end does not want to know.
    pub(crate) fn composing_refused(&mut self) {
        self.composing.is_refused = true;
        self.composing.told = None;
    }

    /// The far end says whether it writes.
    pub(crate) fn far_end_composes(&mut self, told: Told, outbox: &mut Outbox, now: Instant) {
        // Who says so understands it.
        self.composing.is_refused = false;
        match told {
            Told::Active(span) => {
                self.composing.until = Some(now + span);
                self.tell_theirs(COMPOSING, outbox);
            }
            Told::Idle => self.far_end_rests(outbox),
        }
    }

    /// The far end does not write any more.
    pub(super) fn far_end_rests(&mut self, outbox: &mut Outbox) {
        self.composing.until = None;
        if self.composing.theirs == Some(COMPOSING) {
            self.tell_theirs(ACTIVE, outbox);
        }
    }

    fn tell_theirs(&mut self, state: u32, outbox: &mut Outbox) {
        if self.composing.theirs.replace(state) != Some(state) && self.composing.is_offered {
            let values = (self.target.handle, state);
            outbox.signal(&self.path(), &CHAT_STATE, "ChatStateChanged", values);
        }
    }

    /// When [`Self::composing_due`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.composing.until
    }

    /// The far end was to say again that it writes, and has not.
    pub(crate) fn composing_due(&mut self, now: Instant, outbox: &mut Outbox) {
        if self.composing.until.is_some_and(|until| until <= now) {
            self.far_end_rests(outbox);
        }
    }
}
