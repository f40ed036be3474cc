// SPDX-License-Identifier: GPL-3.0-or-later
//! Fail-over while a call is set up: whether another way is tried after one failed.
//!
//! What is tried is the route's business, and each attempt says how persistent it is. Here stands
//! what a cause means for the ways that are left, and how long all of it may take. Nothing is ever
//! tried again once somebody answered.

use std::time::{Duration, Instant};

use super::action::Skipped;
use crate::{
    cause::Cause,
    routing::{Attempt, Persistence},
};

/// How long all ways together may stay silent, counted from the first.
pub(super) const SET_UP: Duration = Duration::from_secs(20);

/// What a failed attempt means for those that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The way is to blame: any other may succeed.
    OtherWay,
    /// The number may have been misunderstood on the way: one more line is asked, then only other
    /// addresses of the person.
    SecondOpinion,
    /// The address is to blame: only other addresses of the person may succeed.
    OtherAddress,
    /// The person has spoken, or was reached and did not answer.
    Enough,
}

impl Verdict {
    /// What the end of one leg means, which rang or did not.
    pub(super) fn of(cause: &Cause, rang: bool) -> Self {
        // A gateway's Q.850 value says what happened in the telephone network, where the status
        // may be no more than the nearest that fits (RFC 3398 §7.2.4.1).
        if cause.sip != 408
            && let Some(verdict) = cause.q850.and_then(Self::of_q850)
        {
            return verdict;
        }
        match cause.sip {
            486 | 487 | 600 | 603 | 607 | 608 => Self::Enough,
            408 | 480 if rang => Self::Enough,
            404 | 484 => Self::SecondOpinion,
            410 | 480 | 604 => Self::OtherAddress,
            // A 6xx is said for every way (RFC 3261 §16.7 step 5), but for media: 606.
            601..=605 | 609..=699 => Self::Enough,
            // An account that is refused, a server that fails or is silent, media or a request it
            // does not take: another line may.
            _ => Self::OtherWay,
        }
    }

    const fn of_q850(value: u8) -> Option<Self> {
        match value {
            1 | 3 => Some(Self::SecondOpinion),
            16..=19 | 21 | 28 => Some(Self::Enough),
            27 | 34 | 38 | 41 | 42 | 44 | 47 => Some(Self::OtherWay),
            _ => None,
        }
    }
}

/// Whether the end of a leg that was never answered speaks against the way it went by, and not
/// against the address, the person, or what was offered: the next call is better sent by another.
#[must_use]
pub fn blames_the_way(cause: &Cause, rang: bool) -> bool {
    let of_the_way = matches!(cause.sip, 401 | 403 | 407 | 408 | 500..=599);
    of_the_way && Verdict::of(cause, rang) == Verdict::OtherWay
}

/// How far the search for a way has come.
#[derive(Debug)]
pub(super) struct FailOver {
    /// Until when all attempts together may be silent.
    set_up_until: Instant,
    /// When the attempt under way is given up if nothing rings; none once it rings, or where it
    /// may be silent for as long as it rings.
    silent_until: Option<Instant>,
    /// Whether any attempt rang.
    ever_rang: bool,
    present: Option<Present>,
    /// Whether a second line was asked about an address that one did not know.
    asked_twice: bool,
    /// Addresses that are to blame themselves.
    shut: Vec<u8>,
}

/// The attempt under way.
#[derive(Debug)]
struct Present {
    address: u8,
    persistence: Persistence,
    rang: bool,
    verdict: Verdict,
}

impl FailOver {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            set_up_until: now + SET_UP,
            silent_until: None,
            ever_rang: false,
            present: None,
            asked_twice: false,
            shut: Vec::new(),
        }
    }

    /// When to call [`Self::is_silent`].
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.silent_until
    }

    /// Whether the attempt under way has been silent for too long.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.silent_until.is_some_and(|until| until <= now)
    }

    /// Whether an attempt may be made after the one under way, which is over; begins it if so.
    ///
    /// # Errors
    /// Why it is left out.
    pub(super) fn begin(&mut self, now: Instant, attempt: &Attempt) -> Result<(), Skipped> {
        self.may_begin(now, attempt)?;
        self.silent_until = attempt.patience.map(|patience| now + patience);
        if attempt.persistence != Persistence::Always && !self.ever_rang {
            self.silent_until = self.silent_until.map(|until| until.min(self.set_up_until));
        }
        self.present = Some(Present {
            address: attempt.address,
            persistence: attempt.persistence,
            rang: false,
            verdict: Verdict::OtherWay,
        });
        Ok(())
    }

    fn may_begin(&mut self, now: Instant, attempt: &Attempt) -> Result<(), Skipped> {
        let Some(before) = &self.present else { return Ok(()) };
        if attempt.persistence == Persistence::Always || before.persistence != Persistence::ByCause
        {
            return Ok(());
        }
        if !self.ever_rang && self.set_up_until <= now {
            return Err(Skipped::OutOfTime);
        }
        let is_same = before.address == attempt.address;
        match before.verdict {
            Verdict::Enough if before.rang => return Err(Skipped::Reached),
            Verdict::Enough => return Err(Skipped::Declined),
            Verdict::OtherWay => {}
            Verdict::SecondOpinion if is_same && !self.asked_twice => {
                self.asked_twice = true;
                return Ok(());
            }
            Verdict::SecondOpinion | Verdict::OtherAddress => self.shut.push(before.address),
        }
        if self.shut.contains(&attempt.address) {
            return Err(Skipped::SameAddress);
        }
        Ok(())
    }

    /// Somebody's telephone rings.
    pub(super) const fn rings(&mut self) {
        self.silent_until = None;
        self.ever_rang = true;
        if let Some(present) = &mut self.present {
            present.rang = true;
        }
    }

    /// Another way rings in the same attempt, because one of it sent the call on.
    pub(super) fn diverted(&mut self, now: Instant, patience: Option<Duration>) {
        if let (Some(until), Some(patience)) = (self.silent_until, patience) {
            self.silent_until = Some(until.max(now + patience));
        }
    }

    /// A leg of the attempt under way ended. Says what that means for its other legs: whether they
    /// are over too, and whether all is.
    pub(super) fn failed(&mut self, cause: &Cause) -> Failed {
        let Some(present) = &mut self.present else { return Failed::One };
        present.verdict = present.verdict.max(Verdict::of(cause, present.rang));
        // A 6xx speaks for every branch, and for those not yet tried (RFC 3261 §16.7 step 5).
        match present.persistence {
            Persistence::ByCause if cause.sip >= 600 => Failed::Attempt,
            Persistence::UntilDeclined if cause.sip >= 600 => Failed::All,
            _ => Failed::One,
        }
    }
}

/// What is over when a leg has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// The whole search.
    All,
    /// The attempt it belongs to.
    Attempt,
    /// The leg alone.
    One,
}
