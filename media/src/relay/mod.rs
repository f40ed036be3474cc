// SPDX-License-Identifier: GPL-3.0-or-later
//! The relay of one stream: RTP and RTCP between two ends, unread but for their headers.
//!
//! [`Relay::packet`] says for each datagram where it goes, or why it goes nowhere. It opens no
//! socket and reads no clock; what its driver must do otherwise comes out of [`Relay::poll`], and
//! [`Relay::handle_deadline`] wants to be called at [`Relay::next_deadline`], early or late.
//!
//! What must hold, whoever sends what (RFC 7362, and what was learnt from RTP bleed):
//!
//! 1. A source is heard only if its end described it, or if it has the address that end's
//!    signalling comes from. It is *latched* by one packet from the described address, or by
//!    [`PROBES`] consistent ones from another port of the signalling's; an end that is
//!    [symmetric](Terms::symmetric) has no other ports, and is not heard before it described one.
//! 2. A latched end is heard from its source alone. Another is taken only when the end describes
//!    another address, or after silence, if it is allowed by 1 and carries on the same
//!    RTP source; at most once in [`RELATCH`].
//! 3. One packet out for each packet in, and only to the latched source; to a described address
//!    before that only if the end is authenticated, and never to one outside its [`Scope`].
//! 4. Packets are of the kinds of RFC 7983 and cross as they are: SRTP, DTLS and ZRTP pass.
//!    Only RTCP changes its port, where one end multiplexes (RFC 5761) and the other does not.
//!
//! ICE will latch what it has validated, and take the STUN packets for itself; a later termination
//! of SRTP stands between [`Relay::packet`] and the socket. Neither changes the rules above.

mod counters;
mod latch;
mod packet;
mod quiet;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

pub use counters::{Counters, Refusal};
pub use latch::{PROBES, RELATCH};
pub use quiet::{LOST_AFTER, SILENT_AFTER};
pub use scope::Scope;

use latch::{Entry, Latch};
use packet::{Class, Packet};
use quiet::Quiet;

/// The longest packet that is relayed, in bytes. Media is cut to fit an Ethernet frame; what is
/// longer than this is none.
pub const MAX_PACKET: usize = 2048;

/// How long RTP must pause before another source may take it over.
const RTP_PAUSE: Duration = Duration::from_secs(2);
/// The same for RTCP, which comes every five seconds (RFC 3550 §6.2) and may lose two reports.
const RTCP_PAUSE: Duration = Duration::from_secs(15);

/// One of the two between whom a relay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The user's own program.
    Near,
    /// The other side.
    Far,
}

impl End {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Near => Self::Far,
            Self::Far => Self::Near,
        }
    }
}

/// One of the two ports of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The even one, of RTP.
    Rtp,
    /// The odd one, of RTCP.
    Rtcp,
}

impl Component {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Rtp, Self::Rtcp];
}

/// What is known of an end from its signalling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Where its description wants RTP.
    pub rtp: Option<SocketAddr>,
    /// Where it wants RTCP.
    pub rtcp: Option<SocketAddr>,
    /// Whether RTCP comes to and from the port of RTP: agreed on, not offered only.
    pub mux: bool,
    /// Where its signalling comes from: behind a NAT its media do as well, from whatever port.
    pub signalling: Option<IpAddr>,
    /// Whether it sends from the ports at which it receives, and from no others (RFC 4961): then the
    /// address of its signalling counts at the described ports only, and for nothing while none is
    /// described.
    pub symmetric: bool,
    /// Whether the end has proved who it is, so that its word for an address is enough to send
    /// there first.
    pub authenticated: bool,
    /// Whether it is to send: neither held nor only listening. Silence is told only then.
    pub sends: bool,
    /// Which addresses can be its own.
    pub scope: Scope,
}

impl Terms {
    /// Nothing known: nothing is accepted from this end, and nothing sent to it.
    #[must_use]
    pub const fn unknown(scope: Scope) -> Self {
        let (rtp, rtcp, signalling) = (None, None, None);
        let (mux, symmetric, authenticated, sends) = (false, false, false, false);
        Self { rtp, rtcp, mux, signalling, symmetric, authenticated, sends, scope }
    }

    /// Whether sources latched under `self` must be found anew under `next`.
    fn moved(&self, next: &Self) -> bool {
        let places = |terms: &Self| {
            let heard_from = (terms.signalling, terms.symmetric, terms.scope);
            (terms.rtp, terms.rtcp, heard_from)
        };
        places(self) != places(next)
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent, as it is, from this port of this end's to `to`.
    Forward {
        /// Towards whom.
        end: End,
        /// From which of our ports there.
        component: Component,
        /// The address.
        to: SocketAddr,
    },
    /// It is dropped; [`Relay::counters`] has counted it.
    Drop(Refusal),
}

/// What happened to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// This source alone is heard from now on: a driver can have the kernel turn away all others.
    Latched {
        /// Of which end.
        end: End,
        /// At which port of ours.
        component: Component,
        /// The address.
        source: SocketAddr,
    },
    /// Other sources may be heard again: a driver must not let the kernel turn them away.
    Opened {
        /// Of which end.
        end: End,
        /// At which port of ours.
        component: Component,
    },
    /// Media of this end flow: the first packet, and the first after silence.
    Flowing(End),
    /// Nothing came from this end for [`SILENT_AFTER`], although it was to send.
    Silent(End),
    /// Nothing came for [`LOST_AFTER`]: nothing will.
    Lost(End),
}

#[derive(Debug)]
struct Side {
    terms: Terms,
    latches: [Latch; 2],
    counters: [Counters; 2],
    quiet: Quiet,
}

impl Side {
    fn new(now: Instant, terms: Terms) -> Self {
        let latches = [Latch::new(RTP_PAUSE), Latch::new(RTCP_PAUSE)];
        let mut side =
            Self { latches, counters: Default::default(), quiet: Quiet::new(now), terms };
        side.settle(now, true);
        side
    }

    /// Takes over what the terms say; `moved` forgets whom we heard.
    fn settle(&mut self, now: Instant, moved: bool) {
        self.quiet.expect(now, self.terms.sends, moved);
        let described = [self.terms.rtp, self.terms.rtcp];
        for (latch, described) in self.latches.iter_mut().zip(described) {
            // Nobody sends from the port 0.
            let port = || described.map_or(0, |address| address.port());
            let only_port = self.terms.symmetric.then(port);
            let described = described.filter(|address| self.terms.scope.has(*address));
            if moved {
                latch.open(described, self.terms.signalling, only_port);
            }
            latch.trust(self.terms.authenticated);
        }
    }

    /// The port of ours to which this end sends, and from which it is sent, packets of this class.
    const fn component(&self, class: Class, came_to: Component) -> Component {
        match class {
            _ if self.terms.mux => Component::Rtp,
            Class::Rtp => Component::Rtp,
            Class::Rtcp => Component::Rtcp,
            Class::Stun | Class::Zrtp | Class::Dtls | Class::TurnChannel => came_to,
        }
    }
}

/// A relay of one stream.
#[derive(Debug)]
pub struct Relay {
    sides: [Side; 2],
    events: VecDeque<Event>,
}

impl Relay {
    /// A relay between two ends of which this much is known.
    #[must_use]
    pub fn new(now: Instant, near: Terms, far: Terms) -> Self {
        Self { sides: [Side::new(now, near), Side::new(now, far)], events: VecDeque::new() }
    }

    /// What is known of an end now. Only if it is elsewhere than before are its sources looked for
    /// anew: a description that is repeated changes nothing.
    pub fn describe(&mut self, now: Instant, end: End, terms: Terms) {
        let side = &mut self.sides[end as usize];
        let moved = side.terms.moved(&terms);
        let before = std::mem::replace(&mut side.terms, terms);
        side.settle(now, moved);
        if moved {
            for component in Component::ALL {
                self.events.push_back(Event::Opened { end, component });
            }
        } else if side.terms.mux && !before.mux {
            // What is latched stays so: RTCP now comes from where RTP does.
            side.latches[Component::Rtcp as usize].open(None, None, None);
            self.events.push_back(Event::Opened { end, component: Component::Rtcp });
        }
    }

    /// What is known of this end.
    #[must_use]
    pub const fn terms(&self, end: End) -> &Terms {
        &self.sides[end as usize].terms
    }

    /// Says what becomes of the packet that came from `source` to this port of this end's.
    pub fn packet(
        &mut self,
        now: Instant,
        end: End,
        component: Component,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Verdict {
        let verdict = self.judge(now, end, component, source, bytes);
        let counters = &mut self.sides[end as usize].counters[component as usize];
        match verdict {
            Verdict::Forward { end: to, component, .. } => {
                counters.heard(bytes.len());
                self.sides[to as usize].counters[component as usize].sent(bytes.len());
            }
            Verdict::Drop(refusal) => counters.refused(refusal),
        }
        verdict
    }

    fn judge(
        &mut self,
        now: Instant,
        end: End,
        component: Component,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Verdict {
        if bytes.len() > MAX_PACKET {
            return Verdict::Drop(Refusal::Oversize);
        }
        let Some(packet) = Packet::read(bytes) else {
            return Verdict::Drop(Refusal::NoMedia);
        };
        let side = &mut self.sides[end as usize];
        let companion = match component {
            Component::Rtp => None,
            Component::Rtcp => side.latches[Component::Rtp as usize].speaker(),
        };
        let scope = side.terms.scope;
        match side.latches[component as usize].admit(now, source, &packet, companion, scope) {
            Entry::Known | Entry::Probing => {}
            Entry::Latched => self.events.push_back(Event::Latched { end, component, source }),
            Entry::Stranger => return Verdict::Drop(Refusal::Stranger),
        }
        if packet.class == Class::Rtp && side.quiet.heard(now) {
            self.events.push_back(Event::Flowing(end));
        }
        let to = end.other();
        let other = &self.sides[to as usize];
        let component = other.component(packet.class, component);
        match other.latches[component as usize].destination() {
            Some(address) => Verdict::Forward { end: to, component, to: address },
            None => Verdict::Drop(Refusal::Nowhere),
        }
    }

    /// Notices who has fallen silent.
    pub fn handle_deadline(&mut self, now: Instant) {
        for end in End::ALL {
            let side = &mut self.sides[end as usize];
            for component in Component::ALL {
                if side.latches[component as usize].loosen(now) {
                    self.events.push_back(Event::Opened { end, component });
                }
            }
            match side.quiet.at(now) {
                Some(quiet::Alarm::Silent) => self.events.push_back(Event::Silent(end)),
                Some(quiet::Alarm::Lost) => self.events.push_back(Event::Lost(end)),
                None => {}
            }
        }
    }

    /// When to call [`Self::handle_deadline`]; never, while nobody is to send and all is open. It
    /// changes with [`Self::describe`], with each event, and grows later with packets.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let latches = self.sides.iter().flat_map(|side| &side.latches);
        let alarms = self.sides.iter().filter_map(|side| side.quiet.next());
        latches.filter_map(Latch::loosens).chain(alarms).min()
    }

    /// The next thing that happened.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What was counted at this port of this end's.
    #[must_use]
    pub const fn counters(&self, end: End, component: Component) -> &Counters {
        &self.sides[end as usize].counters[component as usize]
    }

    /// Where this end is heard from, once that is known.
    #[must_use]
    pub fn source(&self, end: End, component: Component) -> Option<SocketAddr> {
        self.sides[end as usize].latches[component as usize].source()
    }
}
