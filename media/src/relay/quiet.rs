// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether an end that is to send does.

use std::time::{Duration, Instant};

/// Silence that is told.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);
/// Silence after which the call is not worth keeping.
pub const LOST_AFTER: Duration = Duration::from_secs(90);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    Silent,
    Lost,
}

#[derive(Debug)]
pub(super) struct Quiet {
    /// When it was last heard, or began to be listened for.
    since: Instant,
    expected: bool,
    flowing: bool,
    told: Option<Alarm>,
}

impl Quiet {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, expected: false, flowing: false, told: None }
    }

    /// Whether it is to send from now on. Who was held, or is another than before, is not late.
    pub(super) const fn expect(&mut self, now: Instant, expected: bool, another: bool) {
        if another || expected && !self.expected {
            self.since = now;
            self.told = None;
        }
        if another || !expected {
            self.flowing = false;
        }
        self.expected = expected;
    }

    /// It was heard; whether that is news.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.since = now;
        self.told = None;
        !std::mem::replace(&mut self.flowing, true)
    }

    /// When there may be something to tell.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.told {
            _ if !self.expected => None,
            None => Some(self.since + SILENT_AFTER),
            Some(Alarm::Silent) => Some(self.since + LOST_AFTER),
            Some(Alarm::Lost) => None,
        }
    }

    /// What there is to tell.
    pub(super) fn at(&mut self, now: Instant) -> Option<Alarm> {
        if self.next().is_none_or(|due| now < due) {
            return None;
        }
        let lost = now >= self.since + LOST_AFTER;
        self.told = Some(if lost { Alarm::Lost } else { Alarm::Silent });
        self.flowing = false;
        self.told
    }
}
