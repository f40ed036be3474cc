// SPDX-License-Identifier: GPL-3.0-or-later
//! Two ends, strangers and a clock of our own.

mod hostile;
mod latching;
mod properties;
mod silence;

use super::*;

const PROGRAM: &str = "127.0.0.1:4000";
const PHONE: &str = "192.0.2.7:5000";
const STRANGER: &str = "198.51.100.66:666";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// An RTP packet of 20 ms of G.711.
fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(172, 0xd5);
    packet
}

/// An empty receiver report.
fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet
}

fn terms(rtp: &str, scope: Scope) -> Terms {
    let rtp = address(rtp);
    let rtcp = Some(SocketAddr::new(rtp.ip(), rtp.port() + 1));
    let (authenticated, sends) = (true, true);
    Terms { rtp: Some(rtp), rtcp, authenticated, sends, ..Terms::unknown(scope) }
}

/// A relay between the program and the phone, and what time it is.
struct Bench {
    relay: Relay,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let (near, far) = (terms(PROGRAM, Scope::Machine), terms(PHONE, Scope::Internet));
        Self { relay: Relay::new(now, near, far), now }
    }

    /// The phone is behind a NAT: its own address means nothing, its signalling's does.
    fn behind_nat() -> Self {
        let mut bench = Self::new();
        let far = Terms {
            signalling: Some(address("203.0.113.5:0").ip()),
            ..terms("10.0.0.2:5000", Scope::Internet)
        };
        bench.relay.describe(bench.now, End::Far, far);
        bench.events();
        bench
    }

    /// Lets time pass as a driver would, and returns what happened meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Event> {
        let until = self.now + time;
        let mut events = Vec::new();
        while let Some(due) = self.relay.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.relay.handle_deadline(self.now);
            events.extend(self.events());
            let next = self.relay.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "it turns on the spot");
        }
        self.now = until;
        events
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.relay.poll()).collect()
    }

    fn packet(&mut self, end: End, component: Component, source: &str, bytes: &[u8]) -> Verdict {
        self.relay.packet(self.now, end, component, address(source), bytes)
    }

    fn rtp(&mut self, end: End, source: &str, ssrc: u32, sequence: u16) -> Verdict {
        self.packet(end, Component::Rtp, source, &rtp(ssrc, sequence))
    }

    fn rtcp(&mut self, end: End, source: &str, ssrc: u32) -> Verdict {
        self.packet(end, Component::Rtcp, source, &rtcp(ssrc))
    }
}

fn forward(end: End, component: Component, to: &str) -> Verdict {
    Verdict::Forward { end, component, to: address(to) }
}

fn to_phone() -> Verdict {
    forward(End::Far, Component::Rtp, PHONE)
}

fn to_program() -> Verdict {
    forward(End::Near, Component::Rtp, PROGRAM)
}

const REFUSED: Verdict = Verdict::Drop(Refusal::Stranger);
