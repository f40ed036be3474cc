// SPDX-License-Identifier: GPL-3.0-or-later
//! Tones. The handler sends them within its sound (RFC 4733) and says when it has begun and stopped.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use zbus::Message;

use super::{Around, Call, not_now, not_served};
use crate::{
    definition::call::{CONTENT_DTMF, CONTENT_MEDIA},
    error::{Error, Name},
    object::Part,
    outbox::Outbox,
    reply::{Reply, arguments},
};

/// The most tones at once.
const MAX_TONES: usize = 64;
/// How long each of several lasts, and the silence after it: longer than the 40 ms of each that
/// ITU-T Q.24 asks for.
const TONE: Duration = Duration::from_millis(200);
const GAP: Duration = Duration::from_millis(100);

/// Sending_State of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    None = 0,
    PendingSend = 1,
    Sending = 2,
    PendingStop = 3,
}

/// The tones of a call.
#[derive(Debug, Default)]
pub(super) struct Tones {
    event: u8,
    state: State,
    /// Those to follow.
    rest: VecDeque<u8>,
    /// Whether the one that sounds ends by itself.
    is_timed: bool,
    /// Whether somebody stopped it before its end.
    is_cancelled: bool,
    due: Option<Instant>,
}

impl Tones {
    pub(super) const fn event(&self) -> u8 {
        self.event
    }

    pub(super) const fn state(&self) -> u32 {
        self.state as u32
    }

    pub(super) fn is_sending(&self) -> bool {
        self.state != State::None || !self.rest.is_empty()
    }

    /// When [`Call::tones_due`] has something to do.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

/// DTMF_Event.
fn event(tone: char) -> Option<u8> {
    const TONES: &str = "0123456789*#ABCD";
    let at = TONES.find(tone.to_ascii_uppercase())?;
    u8::try_from(at).ok()
}

fn word(event: u8) -> String {
    const TONES: &[u8; 16] = b"0123456789*#ABCD";
    TONES.get(usize::from(event)).map_or_else(String::new, |tone| char::from(*tone).to_string())
}

impl Call {
    pub(super) fn tones_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        if !self.is_confirmed {
            return Err(not_now("the call is not answered"));
        }
        let number = self.number;
        let content = self.content.as_mut().ok_or_else(|| not_now("it is over"))?;
        let tones = &mut content.tones;
        match name {
            "StartTone" | "MultipleTones" => {
                if tones.is_sending() {
                    return Err(Name::NotAvailable.because("tones are being sent: stop them first"));
                }
                let (wanted, is_timed) = match name {
                    "StartTone" => {
                        let event: u8 = arguments(call)?;
                        if event > 15 {
                            let words = format!("{event} is no tone: they go from 0 to 15");
                            return Err(Name::InvalidArgument.because(words));
                        }
                        (VecDeque::from([event]), false)
                    }
                    _ => {
                        let text: String = arguments(call)?;
                        let events: Option<VecDeque<u8>> = text.chars().map(event).collect();
                        let events = events.filter(|all| (1..=MAX_TONES).contains(&all.len()));
                        let words = "tones are 1 to 64 of 0 to 9, *, # and A to D";
                        (events.ok_or_else(|| Name::InvalidArgument.because(words))?, true)
                    }
                };
                tones.rest = wanted;
                tones.is_timed = is_timed;
                tones.is_cancelled = false;
                tones.next(number, around.outbox);
                Ok(Reply::Nothing)
            }
            "StopTone" => {
                tones.is_cancelled = !tones.rest.is_empty();
                tones.rest.clear();
                tones.stop(number, around.outbox);
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler has begun or ended a tone.
    pub(super) fn tone_acknowledged(
        &mut self,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let (event, state): (u8, u32) = arguments(call)?;
        let number = self.number;
        let content = self.content.as_mut().ok_or_else(|| not_now("it is over"))?;
        let tones = &mut content.tones;
        match (tones.state, state) {
            (State::PendingSend, 2) if event == tones.event => {
                tones.state = State::Sending;
                tones.due = tones.is_timed.then(|| around.now + TONE);
                let own = Part::Content.path(number);
                around.outbox.signal(&own, &CONTENT_DTMF, "SendingTones", (word(event),));
                Ok(Reply::Nothing)
            }
            (State::PendingStop, 0) if event == tones.event => {
                tones.state = State::None;
                if tones.rest.is_empty() {
                    tones.due = None;
                    let own = Part::Content.path(number);
                    let values = (tones.is_cancelled,);
                    around.outbox.signal(&own, &CONTENT_DTMF, "StoppedTones", values);
                } else {
                    tones.due = Some(around.now + GAP);
                }
                Ok(Reply::Nothing)
            }
            _ => Err(Name::InvalidArgument.because("this is not what was asked for")),
        }
    }

    /// When [`Self::tones_due`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.content.as_ref()?.tones.due()
    }

    /// Ends the tone that has sounded long enough, or begins the next.
    pub(crate) fn tones_due(&mut self, now: Instant, outbox: &mut Outbox) {
        let number = self.number;
        let Some(content) = &mut self.content else { return };
        let tones = &mut content.tones;
        if tones.due.is_none_or(|at| at > now) {
            return;
        }
        tones.due = None;
        match tones.state {
            State::Sending => tones.stop(number, outbox),
            State::None => tones.next(number, outbox),
            State::PendingSend | State::PendingStop => {}
        }
    }
}

impl Tones {
    fn next(&mut self, call: u32, outbox: &mut Outbox) {
        if let Some(event) = self.rest.pop_front() {
            self.event = event;
            self.state = State::PendingSend;
            self.ask(call, outbox);
        }
    }

    fn stop(&mut self, call: u32, outbox: &mut Outbox) {
        self.due = None;
        if matches!(self.state, State::Sending | State::PendingSend) {
            self.state = State::PendingStop;
            self.ask(call, outbox);
        }
    }

    fn ask(&self, call: u32, outbox: &mut Outbox) {
        let values = (self.event, self.state as u32);
        let own = Part::Content.path(call);
        outbox.signal(&own, &CONTENT_MEDIA, "DTMFChangeRequested", values);
    }
}
