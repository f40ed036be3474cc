// SPDX-License-Identifier: GPL-3.0-or-later
//! Ways around whatever rewrites SIP messages between us and a provider: the SIP ALG of a router.
//!
//! It reads UDP, and often TCP, but cannot read TLS. Where a Contact comes back rewritten, the line
//! tries those of its provider's transports that are better sheltered, one after the other, and
//! goes on as before if none leads anywhere: rewritten is better than unreachable. That is known of
//! one network, and forgotten with it.

use std::time::{Duration, Instant};

use sipwitch_sip::{flow::Transport, resolver::Wanted};

use super::Outside;

/// Ways that led nowhere may lead somewhere after so long: a router was out of order.
const SEEK_AGAIN: Duration = Duration::from_secs(600);

/// What is known of the rewriting between us and a provider in this network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelter {
    /// Over which transports a Contact came back rewritten.
    udp: bool,
    tcp: bool,
    /// Which of the sheltered ways is taken; past the last one, none is.
    at: usize,
    since: Instant,
}

impl Shelter {
    /// A Contact came back rewritten over this transport, for the first time in this network. None
    /// where nobody in between can have done it.
    pub(super) fn sought(now: Instant, outside: &Outside, over: Transport) -> Option<Self> {
        let shelter = Self { udp: false, tcp: false, at: 0, since: now }.rewritten(over)?;
        let sheltered = outside.sheltered.iter();
        let at = sheltered.take_while(|wanted| wanted.transport == Some(over)).count();
        Some(Self { at, ..shelter })
    }

    /// The same over another transport; None as above.
    pub(super) fn rewritten(self, over: Transport) -> Option<Self> {
        match over {
            Transport::Udp => Some(Self { udp: true, ..self }),
            Transport::Tcp => Some(Self { tcp: true, ..self }),
            // What is enciphered is rewritten by the provider itself.
            Transport::Tls | Transport::Ws | Transport::Wss => None,
        }
    }

    /// Whether it is time to seek once more.
    pub(super) fn may_seek_again(self, now: Instant, outside: &Outside) -> bool {
        !self.is_taken(outside) && now >= self.since + SEEK_AGAIN
    }

    /// Where the servers are to be looked for.
    pub(super) fn wanted(self, outside: &Outside) -> &Wanted {
        outside.sheltered.get(self.at).unwrap_or(&outside.wanted)
    }

    /// The way that was taken leads nowhere; says whether there was one to be left.
    pub(super) fn leave(&mut self, outside: &Outside) -> bool {
        let is_taken = self.is_taken(outside);
        self.at += usize::from(is_taken);
        is_taken
    }

    /// Whether a sheltered way is taken.
    pub(super) fn is_taken(self, outside: &Outside) -> bool {
        self.at < outside.sheltered.len()
    }

    /// Whether what goes over this transport is rewritten, as far as was seen.
    pub(super) const fn is_rewritten(self, over: Transport) -> bool {
        match over {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Tls | Transport::Ws | Transport::Wss => false,
        }
    }

    /// What happened, for people.
    pub(super) fn words(self, outside: &Outside) -> String {
        let host = outside.registrar.host();
        let what = format!("SIP messages to {host} are rewritten on the way, as a SIP ALG does");
        match outside.sheltered.get(self.at).and_then(|wanted| wanted.transport) {
            Some(transport) => format!("{what}: {} is tried instead", spoken(transport)),
            None => format!("{what}: switch SIP ALG off in the router"),
        }
    }
}

/// A transport as people know it.
pub(super) const fn spoken(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
        Transport::Ws | Transport::Wss => "WebSocket",
    }
}
