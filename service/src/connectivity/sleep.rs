// SPDX-License-Identifier: GPL-3.0-or-later
//! A machine that goes to sleep, and wakes up. Before it does, whoever has to leave leaves; logind
//! waits for that for as long as we hold its lock, and not longer than it likes itself.

use std::time::{Duration, Instant};

/// Whoever has not left by then stays: logind waits five seconds, if nobody set it otherwise.
const LEAVING: Duration = Duration::from_secs(2);
/// Nothing is heard while the machine sleeps, and this clock stands still. So a machine that is
/// said to sleep and was awake for so long is awake: logind gave it up, or has gone.
const NOT_ASLEEP: Duration = Duration::from_secs(30);

/// Whether the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sleep {
    /// It does not.
    #[default]
    Awake,
    /// It is about to, and somebody has to leave before it does.
    Leaving {
        /// How long it is put off.
        until: Instant,
    },
    /// It may sleep now, or sleeps.
    Asleep {
        /// Then it is awake, whatever was said.
        until: Instant,
    },
}

/// What a deadline brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Sleep is not put off any longer.
    Sleeps,
    /// It is awake again, and nobody said so.
    Awake,
}

impl Sleep {
    /// It is about to sleep. Says whether that is news.
    pub fn comes(&mut self, now: Instant) -> bool {
        let is_news = *self == Self::Awake;
        if is_news {
            *self = Self::Leaving { until: now + LEAVING };
        }
        is_news
    }

    /// Whether somebody has yet to leave.
    #[must_use]
    pub const fn is_put_off(&self) -> bool {
        matches!(self, Self::Leaving { .. })
    }

    /// Everybody has left: it may sleep.
    pub fn may_come(&mut self, now: Instant) {
        if self.is_put_off() {
            *self = Self::Asleep { until: now + NOT_ASLEEP };
        }
    }

    /// It is awake.
    pub fn is_over(&mut self) {
        *self = Self::Awake;
    }

    /// When to call [`Self::handle_deadline`].
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Awake => None,
            Self::Leaving { until } | Self::Asleep { until } => Some(*until),
        }
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) -> Option<Due> {
        match *self {
            Self::Leaving { until } if until <= now => {
                self.may_come(now);
                Some(Due::Sleeps)
            }
            Self::Asleep { until } if until <= now => {
                self.is_over();
                Some(Due::Awake)
            }
            Self::Awake | Self::Leaving { .. } | Self::Asleep { .. } => None,
        }
    }
}
