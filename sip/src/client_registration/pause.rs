// SPDX-License-Identifier: GPL-3.0-or-later
//! How long to wait: before a refresh, between keep-alives, and after a failure.

use std::time::Duration;

use super::Registration;

/// Pauses after failures (RFC 5626 §4.5): the first one, the first one while another flow stands,
/// and the longest.
const BASE_ALL_FAILED: Duration = Duration::from_secs(30);
const BASE_ONE_FAILED: Duration = Duration::from_secs(90);
const LONGEST: Duration = Duration::from_secs(1800);

/// How long a Retry-After may put us off.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// No registrar makes us refresh more often.
const SHORTEST_REFRESH: Duration = Duration::from_secs(15);
/// A binding may be lost without a word, so it is refreshed once a day at least.
const LONGEST_REFRESH: Duration = Duration::from_secs(86_400);
/// What a refresh may take with all its repetitions (timer F, 32 s), and a little.
const REFRESH_TAKES: Duration = Duration::from_secs(40);

impl Registration {
    /// The pause after so many failures in a row.
    pub(super) fn pause(
        &mut self,
        failures: u32,
        another_stands: bool,
        retry_after: Option<Duration>,
    ) -> Duration {
        let base = if another_stands { BASE_ONE_FAILED } else { BASE_ALL_FAILED };
        let most = base.saturating_mul(1 << failures.min(16)).min(LONGEST);
        let grown = self.between(most, 50, 100);
        match retry_after {
            // Not before, and not everyone at the same moment after.
            Some(told) => grown.max(self.between(told.min(LONGEST_RETRY_AFTER), 100, 110)),
            None => grown,
        }
    }

    /// When to refresh a registration that holds so long: early enough for all repetitions of the
    /// request, and not at the same moment as others.
    pub(super) fn refresh_after(&mut self, expires: Duration) -> Duration {
        let expires = expires.min(LONGEST_REFRESH);
        let latest = (expires * 85 / 100).min(expires.saturating_sub(REFRESH_TAKES));
        let earliest = expires / 2;
        let span = latest.saturating_sub(earliest);
        (earliest + self.between(span, 0, 100)).max(SHORTEST_REFRESH)
    }

    /// When the next keep-alive is due on a flow that needs one every so often (RFC 5626 §4.4.1).
    pub(super) fn ping_after(&mut self, interval: Duration) -> Duration {
        self.between(interval, 80, 100).max(Duration::from_secs(1))
    }
}
