// SPDX-License-Identifier: GPL-3.0-or-later
//! Tones sent in the user's stead, as INFO with `application/dtmf-relay`: media does not pass
//! here, so that tones cannot be put into it.

use std::{collections::VecDeque, str::FromStr};

use bytes::Bytes;

use super::{
    Call, CommandError, LegId, Report, Side,
    exchange::{Kind, Purpose},
    leg::{Ask, Body, Carried, Status},
};
use crate::cause::Cause;

/// The most tones sent at once.
pub const MAX_TONES: usize = 64;
/// How long each tone sounds, in milliseconds.
const DURATION: u16 = 160;

/// Tones: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tones(Box<str>);

/// Why a text is no tones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTonesError {
    /// None at all.
    #[error("no tones were given")]
    Empty,
    /// Not a key of a telephone.
    #[error("{0:?} is not a tone: use 0-9, *, # and A-D")]
    NotATone(char),
    /// More than [`MAX_TONES`].
    #[error("{0} tones were given, more than the {MAX_TONES} sent at once")]
    TooMany(usize),
}

impl FromStr for Tones {
    type Err = ParseTonesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tones: String =
            text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
        if let Some(stray) = tones.chars().find(|c| !"0123456789*#ABCD".contains(*c)) {
            return Err(ParseTonesError::NotATone(stray));
        }
        match tones.len() {
            0 => Err(ParseTonesError::Empty),
            1..=MAX_TONES => Ok(Self(tones.into())),
            count => Err(ParseTonesError::TooMany(count)),
        }
    }
}

/// Who is to hear tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Towards {
    /// Both sides.
    Both,
    /// One side.
    Side(Side),
}

/// Tones not sent yet. One at a time: their order is their meaning.
#[derive(Debug)]
pub(super) struct ToneQueue {
    towards: Towards,
    left: VecDeque<char>,
    /// How many legs have not answered the tone under way.
    unanswered: u8,
}

impl Call {
    /// Sends tones; [`Report::TonesEnded`] tells when they are through.
    ///
    /// # Errors
    /// When the call is not connected, or earlier tones are not through yet.
    pub fn send_tones(&mut self, towards: Towards, tones: &Tones) -> Result<(), CommandError> {
        if self.is_over() {
            return Err(CommandError::Ended);
        }
        if self.listeners(towards).is_empty() {
            return Err(CommandError::NotConnected);
        }
        if self.tones.is_some() {
            return Err(CommandError::Busy);
        }
        let left = tones.0.chars().collect();
        self.tones = Some(Box::new(ToneQueue { towards, left, unanswered: 0 }));
        self.next_tone();
        Ok(())
    }

    /// The answered legs that are to hear tones.
    fn listeners(&self, towards: Towards) -> Vec<LegId> {
        let sides: &[Side] = match towards {
            Towards::Both => &[Side::Caller, Side::Callee],
            Towards::Side(Side::Callee) => &[Side::Callee],
            Towards::Side(Side::Caller) => &[Side::Caller],
        };
        let legs = sides.iter().filter_map(|side| self.talking(*side));
        legs.filter(|leg| self.stage(*leg).is_some_and(super::switch::Stage::is_answered)).collect()
    }

    fn next_tone(&mut self) {
        let Some(queue) = &mut self.tones else { return };
        let Some(tone) = queue.left.pop_front() else {
            self.tones = None;
            return self.report(Report::TonesEnded { refused: None });
        };
        let listeners = self.listeners(self.tones.as_ref().map_or(Towards::Both, |q| q.towards));
        if listeners.is_empty() {
            return self.tones_refused(Cause::from_sip(480));
        }
        if let Some(queue) = &mut self.tones {
            queue.unanswered = listeners.len() as u8;
        }
        let text = format!("Signal={tone}\r\nDuration={DURATION}\r\n");
        let body = Body {
            content_type: Bytes::from_static(b"application/dtmf-relay"),
            bytes: text.into(),
        };
        for leg in listeners {
            self.ask(leg, Ask::Info, Carried::body(body.clone()), Kind::Plain, Purpose::Tone);
        }
    }

    pub(super) fn tone_replied(&mut self, status: &Status) {
        if !status.is_success() {
            return self.tones_refused(Cause::from_sip(status.code));
        }
        let Some(queue) = &mut self.tones else { return };
        queue.unanswered = queue.unanswered.saturating_sub(1);
        if queue.unanswered == 0 {
            self.next_tone();
        }
    }

    /// The rest would only confuse.
    pub(super) fn tones_refused(&mut self, cause: Cause) {
        if self.tones.take().is_none() {
            return;
        }
        for exchange in &mut self.exchanges {
            if matches!(exchange.purpose, Purpose::Tone) {
                exchange.purpose = Purpose::Orphan { delayed: false };
            }
        }
        self.report(Report::TonesEnded { refused: Some(cause) });
    }
}
