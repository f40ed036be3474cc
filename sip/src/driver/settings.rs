// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use crate::wire::Limits;

/// What sockets may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverSettings {
    /// What a message may measure.
    pub limits: Limits,
    /// Connections in all; each costs about a kilobyte. New ones beyond are closed at once.
    pub connections: usize,
    /// Connections of one source (an IPv6 network of 64 bits counts as one).
    pub connections_of_source: usize,
    /// How long a connection may be silent. Longer than registrations last, or phones without
    /// keep-alives become unreachable.
    pub idle: Duration,
    /// How long a connection may take until its first whole message.
    pub first_message: Duration,
    /// How long one message may take to arrive once it has begun.
    pub whole_message: Duration,
    /// How long a connection of ours may take to stand.
    pub connect: Duration,
    /// How long TLS may take to be agreed.
    pub handshake: Duration,
    /// Octets that may wait for a far end that does not read. Beyond that it is disconnected.
    pub send_bytes: usize,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connections: 20_000,
            connections_of_source: 12_000,
            idle: Duration::from_secs(2 * 3600),
            first_message: Duration::from_secs(60),
            whole_message: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            send_bytes: 512 * 1024,
        }
    }
}
