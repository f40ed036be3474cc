// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

/// The base values all timers are made of (RFC 3261 §17.1.1.1, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// The round trip to expect, and the first interval between repetitions. Greater values make
    /// lost datagrams cost more time; smaller ones repeat needlessly.
    pub t1: Duration,
    /// The greatest interval between repetitions of anything but an INVITE.
    pub t2: Duration,
    /// How long a datagram may wander in the network.
    pub t4: Duration,
    /// How long repeated refusals of our INVITE are acknowledged again (timer D, at least 32 s).
    pub d: Duration,
    /// How long an INVITE may stay without any answer of the user before the table sends 100 Trying
    /// (RFC 3261 §17.2.1).
    pub trying: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
            trying: Duration::from_millis(200),
        }
    }
}

impl Timers {
    /// 64*T1: timers B, F, H, J, L and M.
    #[must_use]
    pub const fn give_up(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}
