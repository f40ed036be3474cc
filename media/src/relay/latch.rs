// SPDX-License-Identifier: GPL-3.0-or-later
//! From whom one port hears, and to whom it sends.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::Scope;
use super::packet::{Class, Mark, Packet};

/// How many consistent packets an address that was not described must send before it is latched.
pub const PROBES: u8 = 3;
/// The least time between two sources of the same description.
pub const RELATCH: Duration = Duration::from_secs(5);

/// What a latch says of a packet's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The one that is latched.
    Known,
    /// Latched by this packet.
    Latched,
    /// It may become the one.
    Probing,
    /// None of ours.
    Stranger,
}

#[derive(Debug)]
struct Probe {
    source: SocketAddr,
    packet: Packet,
    count: u8,
}

#[derive(Debug)]
struct Lock {
    source: SocketAddr,
    /// The last packet's, once it had one.
    mark: Option<Mark>,
    since: Instant,
    heard: Instant,
    /// It has been silent: another may carry on in its place.
    loose: bool,
}

#[derive(Debug)]
enum State {
    Open { probe: Option<Probe> },
    Locked(Lock),
}

#[derive(Debug)]
pub(super) struct Latch {
    described: Option<SocketAddr>,
    signalling: Option<IpAddr>,
    /// The signalling's address counts at this port only, if at one only.
    only_port: Option<u16>,
    /// The described address is good enough to send there first.
    trusted: bool,
    /// Silence that loosens it.
    pause: Duration,
    state: State,
}

impl Latch {
    pub(super) const fn new(pause: Duration) -> Self {
        let state = State::Open { probe: None };
        let (described, signalling) = (None, None);
        Self { described, signalling, only_port: None, trusted: false, pause, state }
    }

    /// Forgets whom it heard.
    pub(super) fn open(
        &mut self,
        described: Option<SocketAddr>,
        signalling: Option<IpAddr>,
        only_port: Option<u16>,
    ) {
        (self.described, self.signalling, self.only_port) = (described, signalling, only_port);
        self.state = State::Open { probe: None };
    }

    pub(super) const fn trust(&mut self, trusted: bool) {
        self.trusted = trusted;
    }

    /// Where to send.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Locked(lock) => Some(lock.source),
            State::Open { .. } => self.described.filter(|_| self.trusted),
        }
    }

    pub(super) const fn source(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Locked(lock) => Some(lock.source),
            State::Open { .. } => None,
        }
    }

    /// Host and RTP source of whoever is latched.
    pub(super) fn speaker(&self) -> Option<(IpAddr, u32)> {
        match &self.state {
            State::Locked(Lock { source, mark: Some(mark), .. }) => Some((source.ip(), mark.ssrc)),
            State::Locked(Lock { mark: None, .. }) | State::Open { .. } => None,
        }
    }

    /// Whose packet this is. `companion` is who is latched at the port of RTP, if this is that of
    /// RTCP: its reports are few, and need not be waited for three times.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &Packet,
        companion: Option<(IpAddr, u32)>,
        scope: Scope,
    ) -> Entry {
        let described = self.described == Some(source);
        // A program that describes an address of the network may send from a loopback one: whoever
        // signals from there is there, whatever the scope of what is described.
        let signals = self.signalling == Some(source.ip())
            && self.only_port.is_none_or(|port| port == source.port());
        let is_possible = scope.has(source) || signals;
        match &mut self.state {
            State::Locked(lock) if lock.source == source => {
                lock.heard = now;
                if packet.mark.is_some() && (packet.class == Class::Rtp || lock.mark.is_none()) {
                    lock.mark = packet.mark;
                }
                // Whoever was silent and comes back is the only one again.
                if std::mem::take(&mut lock.loose) { Entry::Latched } else { Entry::Known }
            }
            State::Locked(lock) => {
                let allowed = described || signals;
                let carries_on = match (packet.mark, lock.mark) {
                    (Some(mark), Some(before)) => mark.follows(before),
                    _ => false,
                };
                let rested = now.saturating_duration_since(lock.since) >= RELATCH;
                if lock.loose && allowed && carries_on && rested && is_possible {
                    self.lock(now, source, packet.mark);
                    Entry::Latched
                } else {
                    Entry::Stranger
                }
            }
            State::Open { .. } if described => {
                self.lock(now, source, packet.mark);
                Entry::Latched
            }
            State::Open { probe } => {
                let of_companion = self.only_port.is_none()
                    && packet.mark.is_some_and(|mark| companion == Some((source.ip(), mark.ssrc)));
                if !is_possible || !(of_companion || signals) {
                    return Entry::Stranger;
                }
                let count = match probe {
                    Some(probe) if probe.source == source && consistent(&probe.packet, packet) => {
                        probe.count + 1
                    }
                    _ => 1,
                };
                if of_companion || count >= PROBES {
                    self.lock(now, source, packet.mark);
                    return Entry::Latched;
                }
                *probe = Some(Probe { source, packet: *packet, count });
                Entry::Probing
            }
        }
    }

    fn lock(&mut self, now: Instant, source: SocketAddr, mark: Option<Mark>) {
        let (since, heard) = (now, now);
        self.state = State::Locked(Lock { source, mark, since, heard, loose: false });
    }

    /// When it will have been silent for long enough to hear another, if there can be another.
    pub(super) fn loosens(&self) -> Option<Instant> {
        match &self.state {
            State::Locked(Lock { mark: Some(_), loose: false, heard, .. }) => {
                Some(*heard + self.pause)
            }
            State::Locked(_) | State::Open { .. } => None,
        }
    }

    /// Whether it hears others from now on.
    pub(super) fn loosen(&mut self, now: Instant) -> bool {
        let due = self.loosens().is_some_and(|due| due <= now);
        if let (true, State::Locked(lock)) = (due, &mut self.state) {
            lock.loose = true;
        }
        due
    }
}

/// Whether one sender can have sent both, in this order.
fn consistent(before: &Packet, next: &Packet) -> bool {
    let follows = match (before.mark, next.mark) {
        // Not the same packet again, which anybody could have copied.
        (Some(before), Some(next)) => {
            next.follows(before) && (next.sequence.is_none() || next.sequence != before.sequence)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    before.class == next.class && follows
}
