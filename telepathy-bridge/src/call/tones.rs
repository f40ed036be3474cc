// SPDX-License-Identifier: GPL-3.0-or-later
//! Tones. The handler sends them within its sound (RFC 4733) and says when it has begun and stopped.
//!
//! They are asked for of the call or of one of its contents, and told of both.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use zbus::{Message, zvariant::Structure};

use super::{Around, Call, Leg, not_now, not_served};
use crate::{
    definition::call::{CALL_DTMF, CONTENT_DTMF, CONTENT_MEDIA},
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
/// How long a pause is among them.
const PAUSE: Duration = Duration::from_secs(3);

/// Sending_State of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    None = 0,
    PendingSend = 1,
    Sending = 2,
    PendingStop = 3,
}

/// What a row of tones is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// DTMF_Event.
    Tone(u8),
    /// Nothing for a while.
    Pause,
    /// What follows waits until the user wants it.
    Wait,
}

/// The tones of a call.
#[derive(Debug, Default)]
pub(super) struct Tones {
    event: u8,
    state: State,
    /// Those to follow.
    rest: VecDeque<Step>,
    /// Those that wait until the user wants them.
    deferred: String,
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
        self.state != State::None || !self.rest.is_empty() || self.due.is_some()
    }

    /// Those that wait until the user wants them.
    pub(super) fn deferred(&self) -> String {
        self.deferred.clone()
    }

    /// When [`Call::tones_due`] has something to do.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

const TONES: &str = "0123456789*#ABCD";

fn step(letter: char) -> Option<Step> {
    match letter.to_ascii_uppercase() {
        'P' | 'X' | ',' => Some(Step::Pause),
        'W' => Some(Step::Wait),
        tone => {
            let at = TONES.find(tone)?;
            u8::try_from(at).ok().map(Step::Tone)
        }
    }
}

fn word(event: u8) -> String {
    TONES.chars().nth(event.into()).map(String::from).unwrap_or_default()
}

fn letters<'a>(steps: impl IntoIterator<Item = &'a Step>) -> String {
    let letter = |step: &Step| match step {
        Step::Tone(event) => word(*event),
        Step::Pause => "p".to_owned(),
        Step::Wait => "w".to_owned(),
    };
    steps.into_iter().map(letter).collect()
}

/// Reads a row of tones.
///
/// # Errors
/// `InvalidArgument` for anything else.
fn row(text: &str) -> Result<VecDeque<Step>, Error> {
    let steps: Option<VecDeque<Step>> = text.chars().take(MAX_TONES + 1).map(step).collect();
    steps.filter(|all| (1..=MAX_TONES).contains(&all.len())).ok_or_else(|| {
        let words = "tones are 1 to 64 of 0 to 9, *, #, A to D, p to pause and w to wait";
        Name::InvalidArgument.because(words)
    })
}

/// Whether these are tones with which a call can begin; none are, too.
///
/// # Errors
/// `InvalidArgument` for anything else.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { row(text).map(drop) }
}

impl Call {
    /// Tones asked for of the call: they are for its sound.
    pub(super) fn call_tones_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let sound = self.audio().map(|content| content.number);
        let sound = sound.ok_or_else(|| not_now("the call has no sound"))?;
        match name {
            // The number was of a stream once, and means nothing any more.
            "StartTone" => {
                let (_, event): (u32, u8) = arguments(call)?;
                self.start_tone(sound, event, around)
            }
            "StopTone" => self.stop_tones(sound, around),
            "MultipleTones" => self.start_tones(sound, &arguments::<String>(call)?, around),
            _ => Err(not_served(name)),
        }
    }

    pub(super) fn tones_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "StartTone" => self.start_tone(number, arguments(call)?, around),
            "StopTone" => self.stop_tones(number, around),
            "MultipleTones" => self.start_tones(number, &arguments::<String>(call)?, around),
            _ => Err(not_served(name)),
        }
    }

    fn start_tone(
        &mut self,
        number: u32,
        event: u8,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        if event > 15 {
            let words = format!("{event} is no tone: they go from 0 to 15");
            return Err(Name::InvalidArgument.because(words));
        }
        self.begin(number, VecDeque::from([Step::Tone(event)]), false, around)
    }

    fn start_tones(
        &mut self,
        number: u32,
        text: &str,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        self.begin(number, row(text)?, true, around)
    }

    fn begin(
        &mut self,
        number: u32,
        steps: VecDeque<Step>,
        is_timed: bool,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        if !self.is_confirmed || !matches!(self.leg, Leg::There(_)) {
            return Err(not_now("the call is not answered"));
        }
        let tones = &mut self.content_mut(number)?.tones;
        if tones.is_sending() {
            return Err(not_now("tones are being sent: stop them first"));
        }
        tones.rest = steps;
        tones.is_timed = is_timed;
        tones.is_cancelled = false;
        tones.deferred.clear();
        self.next_tone(number, around.now, around.outbox);
        Ok(Reply::Nothing)
    }

    fn stop_tones(&mut self, number: u32, around: &mut Around<'_>) -> Result<Reply, Error> {
        if !self.is_confirmed {
            return Err(not_now("the call is not answered"));
        }
        let tones = &mut self.content_mut(number)?.tones;
        tones.is_cancelled = tones.is_timed && tones.is_sending();
        tones.rest.clear();
        match tones.state {
            State::Sending | State::PendingSend => self.end_tone(number, around.outbox),
            State::PendingStop => {}
            State::None if tones.due.take().is_some() => {
                self.tell_tones(number, "StoppedTones", (true,), around.outbox);
            }
            State::None => {}
        }
        Ok(Reply::Nothing)
    }

    /// The tones that were asked for with the call itself.
    pub(super) fn initial_tones(&mut self, around: &mut Around<'_>) {
        let wanted = std::mem::take(&mut self.tones_to_begin_with);
        let sound = self.audio().map(|content| content.number);
        if let (Some(number), Ok(steps)) = (sound, row(&wanted)) {
            // Nothing else sounds yet.
            let _ = self.begin(number, steps, true, around);
        }
    }

    /// The handler has begun or ended a tone.
    pub(super) fn tone_acknowledged(
        &mut self,
        number: u32,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let (event, state): (u8, u32) = arguments(call)?;
        let tones = &mut self.content_mut(number)?.tones;
        match (tones.state, state) {
            (State::PendingSend, 2) if event == tones.event => {
                tones.state = State::Sending;
                tones.due = tones.is_timed.then(|| around.now + TONE);
                self.tell_tones(number, "SendingTones", (word(event),), around.outbox);
                Ok(Reply::Nothing)
            }
            (State::PendingStop, 0) if event == tones.event => {
                tones.state = State::None;
                if tones.rest.is_empty() {
                    tones.due = None;
                    let cancelled = (tones.is_cancelled,);
                    self.tell_tones(number, "StoppedTones", cancelled, around.outbox);
                } else {
                    tones.due = Some(around.now + GAP);
                }
                Ok(Reply::Nothing)
            }
            _ => Err(Name::InvalidArgument.because("this is not what was asked for")),
        }
    }

    /// Ends the tone that has sounded long enough, or begins the next.
    pub(super) fn tones_due(&mut self, now: Instant, outbox: &mut Outbox) {
        let due = |tones: &Tones| tones.due.is_some_and(|at| at <= now);
        let all = self.contents.iter().filter(|content| due(&content.tones));
        let numbers: Vec<u32> = all.map(|content| content.number).collect();
        for number in numbers {
            let Ok(content) = self.content_mut(number) else { continue };
            content.tones.due = None;
            match content.tones.state {
                State::Sending => self.end_tone(number, outbox),
                State::None => self.next_tone(number, now, outbox),
                State::PendingSend | State::PendingStop => {}
            }
        }
    }

    fn next_tone(&mut self, number: u32, now: Instant, outbox: &mut Outbox) {
        let Ok(content) = self.content_mut(number) else { return };
        let tones = &mut content.tones;
        match tones.rest.pop_front() {
            Some(Step::Tone(event)) => {
                tones.event = event;
                tones.state = State::PendingSend;
                self.ask_tone(number, outbox);
            }
            Some(Step::Pause) => tones.due = Some(now + PAUSE),
            Some(Step::Wait) => {
                tones.deferred = letters(&tones.rest);
                tones.rest.clear();
                let deferred = (tones.deferred.clone(),);
                self.tell_tones(number, "TonesDeferred", deferred, outbox);
                self.tell_tones(number, "StoppedTones", (false,), outbox);
            }
            None => self.tell_tones(number, "StoppedTones", (false,), outbox),
        }
    }

    fn end_tone(&mut self, number: u32, outbox: &mut Outbox) {
        let Ok(content) = self.content_mut(number) else { return };
        content.tones.due = None;
        content.tones.state = State::PendingStop;
        self.ask_tone(number, outbox);
    }

    fn ask_tone(&mut self, number: u32, outbox: &mut Outbox) {
        let Ok(content) = self.content_mut(number) else { return };
        let values = (content.tones.event, content.tones.state as u32);
        outbox.signal(&content.path(), &CONTENT_MEDIA, "DTMFChangeRequested", values);
    }

    fn tell_tones(
        &self,
        number: u32,
        member: &str,
        values: impl Into<Structure<'static>>,
        outbox: &mut Outbox,
    ) {
        let values = values.into();
        let content = Part::Content(number).path(self.number);
        let copy = values.try_clone();
        outbox.signal(&content, &CONTENT_DTMF, member, values);
        if let Ok(copy) = copy {
            outbox.signal(&self.path(), &CALL_DTMF, member, copy);
        }
    }
}
