// SPDX-License-Identifier: GPL-3.0-or-later
//! What is too large for a datagram (RFC 3261 §18.1.1).
//!
//! A large datagram travels in fragments, which many a router drops without a word. So a large
//! request goes by TCP to the same address, and by UDP after all if nobody takes it there.
//!
//! That is for places that were looked up: a provider's proxy, another domain. A phone that
//! registered over UDP is reached where it was heard and nowhere else: most phones take no
//! connections, none behind an address translator can, and in the house fragments arrive. It is
//! only called by TCP with what no datagram can hold at all.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::flow::{Flow, Transport};

/// Octets of a request that still fit a datagram where the path is not known.
const LARGEST_ON_UNKNOWN_PATH: usize = 1_300;

/// Octets that any datagram can hold, the headers of IPv4 and UDP apart.
const LARGEST_DATAGRAM: usize = 65_507;

/// How long it is remembered that an address takes no connections.
const REMEMBER: Duration = Duration::from_secs(3_600);

/// Addresses of which that is remembered.
const MOST_REMEMBERED: usize = 1_024;

/// What a request is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Far {
    /// A place that was looked up.
    Place,
    /// Somebody who is where he was heard.
    Heard,
}

/// Addresses that take datagrams and no connections.
#[derive(Debug, Default)]
pub(super) struct WithoutTcp(BTreeMap<SocketAddr, Instant>);

impl WithoutTcp {
    /// The way by TCP, if a request of that many octets had better go there.
    pub(super) fn instead(
        &self,
        now: Instant,
        flow: &Flow,
        octets: usize,
        far: Far,
    ) -> Option<Flow> {
        // The path to this machine itself is known, and takes any datagram whole.
        let limit = match far {
            Far::Place if !flow.remote.ip().is_loopback() => LARGEST_ON_UNKNOWN_PATH,
            Far::Place | Far::Heard => LARGEST_DATAGRAM,
        };
        let is_known = self.0.get(&flow.remote).is_some_and(|noted| now < *noted + REMEMBER);
        let is_too_large = flow.transport == Transport::Udp && octets > limit;
        (is_too_large && !is_known).then_some(Flow {
            transport: Transport::Tcp,
            connection: None,
            ..*flow
        })
    }

    /// Nobody takes connections there.
    pub(super) fn note(&mut self, now: Instant, remote: SocketAddr) {
        if self.0.len() >= MOST_REMEMBERED && !self.0.contains_key(&remote) {
            let oldest = self.0.iter().min_by_key(|(_, noted)| **noted).map(|(remote, _)| *remote);
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(remote, now);
    }
}
