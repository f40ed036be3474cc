// SPDX-License-Identifier: GPL-3.0-or-later
//! The trace of a call's route: what was tried, what came of it and how long that took.

use std::time::Instant;

use sipwitch_core::{call::LegId, cause::Cause};

use super::notice::TraceLine;
use crate::store::records::TraceRecord;

/// So many attempts of one call are remembered; groups that hunt for long lose the rest.
const MAX_TRACED: usize = 32;

/// What was tried for one call, in the order in which it began.
#[derive(Debug, Default)]
pub(super) struct Trace(Vec<Attempted>);

#[derive(Debug)]
struct Attempted {
    /// None when it is over.
    leg: Option<LegId>,
    began: Instant,
    destination: Box<str>,
    outcome: Outcome,
    milliseconds: u32,
}

#[derive(Debug)]
enum Outcome {
    /// Nothing has been heard yet.
    Dialing,
    /// It rings.
    Ringing,
    /// It answered.
    Answered,
    /// It refused, or could not be reached.
    Failed(Cause),
    /// We gave it up.
    GivenUp(Cause),
    /// It was not tried.
    Skipped(&'static str, Box<str>),
}

impl Trace {
    /// A leg begins.
    pub(super) fn began(&mut self, now: Instant, leg: LegId, destination: String) {
        self.note(now, Some(leg), destination, Outcome::Dialing);
    }

    /// Something the route named is not tried.
    pub(super) fn skipped(
        &mut self,
        now: Instant,
        destination: String,
        why: &'static str,
        words: String,
    ) {
        self.note(now, None, destination, Outcome::Skipped(why, words.into()));
    }

    fn note(&mut self, now: Instant, leg: Option<LegId>, destination: String, outcome: Outcome) {
        if self.0.len() < MAX_TRACED {
            // Most calls have one, and a first push would make room for four.
            self.0.reserve_exact(1);
            let destination = destination.into();
            self.0.push(Attempted { leg, began: now, destination, outcome, milliseconds: 0 });
        }
    }

    /// A leg rings.
    pub(super) fn rings(&mut self, now: Instant, leg: LegId) {
        if let Some(attempted) = self.open(leg)
            && matches!(attempted.outcome, Outcome::Dialing)
        {
            attempted.is_now(now, Outcome::Ringing);
        }
    }

    /// A leg answered; what becomes of it later is the call's story.
    pub(super) fn answered(&mut self, now: Instant, leg: LegId) {
        if let Some(attempted) = self.open(leg) {
            attempted.is_now(now, Outcome::Answered);
            attempted.leg = None;
        }
    }

    /// A leg failed by itself.
    pub(super) fn failed(&mut self, now: Instant, leg: LegId, cause: &Cause) {
        if let Some(attempted) = self.open(leg) {
            attempted.is_now(now, Outcome::Failed(cause.clone()));
            attempted.leg = None;
        }
    }

    /// A leg is ended by us.
    pub(super) fn given_up(&mut self, now: Instant, leg: LegId, cause: &Cause) {
        if let Some(attempted) = self.open(leg) {
            attempted.is_now(now, Outcome::GivenUp(cause.clone()));
            attempted.leg = None;
        }
    }

    fn open(&mut self, leg: LegId) -> Option<&mut Attempted> {
        self.0.iter_mut().find(|attempted| attempted.leg == Some(leg))
    }

    /// As others see it.
    pub(super) fn view(&self) -> Vec<TraceLine> {
        self.0.iter().map(Attempted::view).collect()
    }
}

impl From<TraceLine> for TraceRecord {
    fn from(line: TraceLine) -> Self {
        let TraceLine { destination, outcome, reason, sip_code, words, milliseconds } = line;
        let (outcome, reason) = (outcome.to_owned(), reason.to_owned());
        Self { destination, outcome, reason, sip_code, words, milliseconds }
    }
}

impl Attempted {
    fn is_now(&mut self, now: Instant, outcome: Outcome) {
        let took = now.saturating_duration_since(self.began).as_millis();
        self.milliseconds = u32::try_from(took).unwrap_or(u32::MAX);
        self.outcome = outcome;
    }

    fn view(&self) -> TraceLine {
        let (outcome, cause, words) = match &self.outcome {
            Outcome::Dialing => ("dialing", None, "nothing was heard yet".to_owned()),
            Outcome::Ringing => ("ringing", None, "it rings".to_owned()),
            Outcome::Answered => ("answered", None, "it answered".to_owned()),
            Outcome::Failed(cause) => ("failed", Some(cause), cause.sentence()),
            Outcome::GivenUp(cause) => ("given-up", Some(cause), cause.sentence()),
            Outcome::Skipped(_, words) => ("skipped", None, words.to_string()),
        };
        TraceLine {
            destination: self.destination.to_string(),
            outcome,
            reason: match &self.outcome {
                Outcome::Skipped(why, _) => why,
                _ => "",
            },
            sip_code: match (&self.outcome, cause) {
                (Outcome::Answered, _) => 200,
                (_, Some(cause)) => cause.sip,
                (_, None) => 0,
            },
            words,
            milliseconds: self.milliseconds,
        }
    }
}
