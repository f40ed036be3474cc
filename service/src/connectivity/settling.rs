// SPDX-License-Identifier: GPL-3.0-or-later
//! Waits until a change of networks is over: an interface that comes up says so many times.

use std::time::{Duration, Instant};

use super::Hint;

/// So long must it be quiet.
const QUIET: Duration = Duration::from_millis(500);
/// So long after the first hint the network is looked at in any case: an interface that never
/// comes to rest must not keep everybody else waiting.
const LONGEST: Duration = Duration::from_secs(2);

/// Whether, and when, the network is to be looked at.
#[derive(Debug, Default)]
pub struct Settling {
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    look: Instant,
    latest: Instant,
    look_for: Look,
}

/// The network is to be looked at now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Whether the machine slept since the last look.
    pub resumed: bool,
    /// Whether the Internet is said to be reached since then.
    pub connected: bool,
}

impl Settling {
    /// Something changed.
    pub fn hint(&mut self, now: Instant, hint: Hint) {
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            look: now + QUIET,
            latest: now + LONGEST,
            look_for: Look::default(),
        });
        waiting.look = (now + QUIET).min(waiting.latest);
        match hint {
            Hint::Network => {}
            Hint::Connected => waiting.look_for.connected = true,
            Hint::Resumed => waiting.look_for.resumed = true,
        }
    }

    /// When to call [`Self::handle_deadline`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.look)
    }

    /// Whether the time to look has come. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) -> Option<Look> {
        Some(self.waiting.take_if(|waiting| waiting.look <= now)?.look_for)
    }
}
