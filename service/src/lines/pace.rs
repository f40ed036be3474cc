// SPDX-License-Identifier: GPL-3.0-or-later
//! Turns: many lines that want to begin at once begin one after the other, so that neither the
//! machine nor the provider is run over at the start or after a change of the network.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use sipwitch_core::line::LineId;

/// So many begin at once.
const AT_ONCE: u32 = 20;
/// After that so many more begin with each step: fifty a second.
const MORE: u32 = 5;
/// A step.
const STEP: Duration = Duration::from_millis(100);

/// Who waits for a turn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: VecDeque<LineId>,
    /// How many had a turn lately, and since when they are counted off.
    lately: u32,
    counted: Option<Instant>,
}

impl Pace {
    /// A line waits for its turn. It may wait already.
    pub(super) fn wait(&mut self, line: LineId) {
        if !self.waiting.contains(&line) {
            self.waiting.push_back(line);
        }
    }

    /// A line waits no longer.
    pub(super) fn leave(&mut self, line: LineId) {
        self.waiting.retain(|waiting| *waiting != line);
    }

    /// Whose turn it is. To be called until it is nobody's.
    pub(super) fn turn(&mut self, now: Instant) -> Option<LineId> {
        if self.waiting.is_empty() {
            return None;
        }
        let counted = *self.counted.get_or_insert(now);
        let steps = now.saturating_duration_since(counted).as_millis() / STEP.as_millis();
        if let Ok(steps) = u32::try_from(steps)
            && steps > 0
        {
            self.lately = self.lately.saturating_sub(steps.saturating_mul(MORE));
            self.counted = Some(counted + STEP * steps);
        }
        if self.lately >= AT_ONCE {
            return None;
        }
        self.lately += 1;
        self.waiting.pop_front()
    }

    /// When somebody may have a turn.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let counted = self.counted.filter(|_| !self.waiting.is_empty())?;
        Some(counted + STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_lines_begin_within_twenty_seconds_and_never_all_at_once() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next_deadline(), None);
        (0..1000).for_each(|line| pace.wait(LineId(line)));
        pace.wait(LineId(999));
        let (mut now, mut begun) = (begin, Vec::new());
        loop {
            let before = begun.len();
            while let Some(line) = pace.turn(now) {
                begun.push(line.0);
            }
            assert!(begun.len() - before <= AT_ONCE as usize);
            match pace.next_deadline() {
                Some(next) => now = next,
                None => break,
            }
        }
        assert_eq!(begun, (0..1000).collect::<Vec<_>>(), "in the order in which they came");
        assert!(now - begin <= Duration::from_secs(20), "{:?}", now - begin);
        // One that comes later does not wait.
        pace.wait(LineId(7));
        assert_eq!(pace.turn(now + Duration::from_secs(60)), Some(LineId(7)));
        assert_eq!(pace.next_deadline(), None);
    }
}
