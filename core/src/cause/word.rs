// SPDX-License-Identifier: GPL-3.0-or-later
//! Causes as stable words, for programs.

use super::Cause;

impl Cause {
    /// The word used on the bus for the end of a leg.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.is_answered_elsewhere() {
            return "answered-elsewhere";
        }
        match (self.sip, self.q850) {
            _ if *self == Self::transferred() => "transferred",
            _ if *self == Self::shutdown() => "stopping",
            (_, Some(31)) if *self == Self::owner_left_bus() => "program-gone",
            // No route, and yet "unavailable": said of emergency calls alone, as is 380.
            (503, Some(3)) | (380, _) => "emergency-unavailable",
            (200..=299, _) => "hung-up",
            (300..=399, _) => "forwarded",
            (401 | 403 | 407, _) => "forbidden",
            (402, _) => "no-credit",
            (404, Some(3)) => "no-route",
            (404 | 410 | 604, _) => "not-found",
            (408, _) => "timeout",
            (415 | 488 | 606, _) => "media",
            (480, Some(19)) => "no-answer",
            (480, Some(20)) => "not-registered",
            (480 | 503, Some(27)) => "line-down",
            (480, Some(34 | 42)) | (503, _) => "congestion",
            (480, _) => "unavailable",
            (484, _) => "bad-number",
            (486 | 600, _) => "busy",
            (487, _) => "cancelled",
            (603 | 607 | 608, _) => "declined",
            (500..=599, _) => "service-error",
            _ => "error",
        }
    }
}
