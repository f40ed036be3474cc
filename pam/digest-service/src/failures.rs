// SPDX-License-Identifier: GPL-3.0-or-later
//! How long somebody has to wait who was wrong too often. There is no clock here.
//!
//! A right password forgives nothing: whoever has one right response, such as from a phone that was
//! listened to, could otherwise mix it in and guess on without end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many may be wrong without a wait: a phone that tries all it knows after a change.
const AT_ONCE: u32 = 5;
/// One is forgotten each.
const FORGOTTEN_EACH: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// With this many the wait is the longest, and more are not counted: they would only be forgotten later.
const MOST: u32 = AT_ONCE + 9;

/// The failures of each user, by number.
#[derive(Debug, Default)]
pub struct Failures(HashMap<u32, Record>);

#[derive(Clone, Copy, Debug)]
struct Record {
    count: u32,
    /// From when on the next one is being forgotten.
    since: Instant,
    /// No answer before.
    until: Instant,
}

impl Record {
    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs();
        let passed = u32::try_from(passed / FORGOTTEN_EACH.as_secs()).unwrap_or(u32::MAX);
        let forgotten = passed.min(self.count);
        self.count -= forgotten;
        self.since += FORGOTTEN_EACH * forgotten;
    }
}

impl Failures {
    /// How long a user has to wait; none if the next one is looked at.
    #[must_use]
    pub fn wait(&self, uid: u32, now: Instant) -> Option<Duration> {
        let wait = self.0.get(&uid)?.until.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// A user was wrong. Says how long the wait is now.
    pub fn failed(&mut self, uid: u32, now: Instant) -> Option<Duration> {
        let record = self.0.entry(uid).or_insert(Record { count: 0, since: now, until: now });
        record.forget(now);
        if record.count == 0 {
            record.since = now;
        }
        record.count = (record.count + 1).min(MOST);
        let doubled = record.count.checked_sub(AT_ONCE)?;
        let wait = Duration::from_secs(1 << doubled).min(LONGEST_WAIT);
        record.until = now + wait;
        Some(wait)
    }

    /// Forgets what is over. Says whether nothing is left, so that nothing is lost with this value.
    pub fn forget(&mut self, now: Instant) -> bool {
        self.0.retain(|_, record| {
            record.forget(now);
            record.count > 0 || record.until > now
        });
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn five_are_answered_at_once_and_each_further_one_doubles_the_wait() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let mut now = start;
        for _ in 1..AT_ONCE {
            assert_eq!(failures.failed(7, now), None);
            assert_eq!(failures.wait(7, now), None);
        }
        for seconds in [1, 2, 4, 8, 16] {
            assert_eq!(failures.failed(7, now), Some(seconds * SECOND));
            assert_eq!(failures.wait(7, now), Some(seconds * SECOND));
            assert_eq!(failures.wait(8, now), None, "others are not meant");
            now += seconds * SECOND;
            assert_eq!(failures.wait(7, now), None);
        }
    }

    #[test]
    fn who_guesses_as_fast_as_he_may_gets_hardly_more_than_one_a_minute() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let (mut now, mut guesses) = (start, 0);
        while now < start + 24 * 60 * 60 * SECOND {
            match failures.wait(7, now) {
                Some(wait) => now += wait,
                None => {
                    failures.failed(7, now);
                    guesses += 1;
                }
            }
        }
        assert!((1000..1600).contains(&guesses), "{guesses} in a day");
    }

    #[test]
    fn the_wait_has_an_end_and_everything_is_forgotten() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for _ in 0..1000 {
            assert!(failures.failed(7, start).is_none_or(|wait| wait <= LONGEST_WAIT));
        }
        assert_eq!(failures.wait(7, start), Some(LONGEST_WAIT));
        assert!(!failures.forget(start + FORGOTTEN_EACH * (MOST - 1)));
        assert!(failures.forget(start + FORGOTTEN_EACH * MOST));
        assert_eq!(failures.failed(7, start + FORGOTTEN_EACH * MOST), None);
    }

    #[test]
    fn a_phone_that_was_forgotten_after_a_change_keeps_nobody_out() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for minute in 0..1000 {
            let now = start + minute * FORGOTTEN_EACH;
            assert_eq!(failures.failed(7, now), None, "minute {minute}");
        }
    }
}
