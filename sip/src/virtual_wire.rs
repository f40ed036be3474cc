// SPDX-License-Identifier: GPL-3.0-or-later
//! A network and a clock that exist only in memory: hours of calls in a moment, each loss,
//! duplicate and delay decided by a seed, so that what went wrong once goes wrong again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::flow::{ConnectionId, Flow, Transmit, Transport};

/// What can be put on the wire.
pub trait Engine {
    /// Takes one message that arrived.
    fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes);

    /// Takes note that a connection broke or could not be made.
    fn flow_failed(&mut self, now: Instant, flow: &Flow);

    /// Does what is due.
    fn handle_deadline(&mut self, now: Instant);

    /// When something will be due.
    fn next_deadline(&self) -> Option<Instant>;

    /// The next message to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        (**self).receive(now, flow, bytes);
    }

    fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        (**self).flow_failed(now, flow);
    }

    fn handle_deadline(&mut self, now: Instant) {
        (**self).handle_deadline(now);
    }

    fn next_deadline(&self) -> Option<Instant> {
        (**self).next_deadline()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        (**self).poll_transmit()
    }
}

/// How bad the wire is. Streams know delay only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// How long everything takes at least.
    pub latency: Duration,
    /// How much longer a datagram may take: with enough of it they overtake each other.
    pub jitter: Duration,
    /// How many datagrams of a hundred are lost.
    pub loss_percent: u32,
    /// How many datagrams of a hundred arrive twice.
    pub duplication_percent: u32,
}

impl Default for Faults {
    /// A quiet local network.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss_percent: 0,
            duplication_percent: 0,
        }
    }
}

/// One message as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When, since the beginning.
    pub at: Duration,
    /// By whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: Bytes,
    /// Whether the wire lost it.
    pub is_lost: bool,
}

impl Sent {
    /// Its start line.
    #[must_use]
    pub fn start_line(&self) -> String {
        let line = self.bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

/// Engines, the wire between them, and the time.
pub struct VirtualWire<E> {
    begin: Instant,
    now: Instant,
    random: ChaCha8Rng,
    /// How bad the wire is from now on.
    pub faults: Faults,
    /// The engines, each with the address it sends from and listens at.
    pub engines: Vec<(SocketAddr, E)>,
    in_flight: BTreeMap<(Instant, u64), (usize, Flow, Bytes)>,
    serial: u64,
    connections: BTreeMap<(SocketAddr, SocketAddr), ConnectionId>,
    unreachable: BTreeSet<SocketAddr>,
    without_streams: BTreeSet<SocketAddr>,
    /// All that was sent.
    pub log: Vec<Sent>,
}

impl<E: Engine> VirtualWire<E> {
    /// A wire without engines. Everything it does follows from the seed.
    #[must_use]
    pub fn new(seed: u64, begin: Instant) -> Self {
        Self {
            begin,
            now: begin,
            random: ChaCha8Rng::seed_from_u64(seed),
            faults: Faults::default(),
            engines: Vec::new(),
            in_flight: BTreeMap::new(),
            serial: 0,
            connections: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            without_streams: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// Connects an engine; gives its number.
    pub fn add(&mut self, address: SocketAddr, engine: E) -> usize {
        self.engines.push((address, engine));
        self.engines.len() - 1
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How much time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    /// One of the engines.
    pub fn engine(&mut self, number: usize) -> &mut E {
        &mut self.engines[number].1
    }

    /// The flow from one engine to another.
    #[must_use]
    pub fn flow(&self, transport: Transport, from: usize, to: usize) -> Flow {
        let (local, remote) = (self.engines[from].0, self.engines[to].0);
        Flow { transport, local, remote, connection: None }
    }

    /// From now on nothing gets to or from this address; connections to it break.
    pub fn unplug(&mut self, address: SocketAddr) {
        self.unreachable.insert(address);
        let broken: Vec<_> = self
            .connections
            .iter()
            .filter(|((a, b), _)| *a == address || *b == address)
            .map(|(ends, id)| (*ends, *id))
            .collect();
        for ((a, b), id) in broken {
            self.connections.remove(&(a, b));
            for (local, remote) in [(a, b), (b, a)] {
                let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(id) };
                if let Some((_, engine)) = self.engines.iter_mut().find(|(at, _)| *at == local) {
                    engine.flow_failed(self.now, &flow);
                }
            }
        }
    }

    /// The address can be reached again.
    pub fn plug(&mut self, address: SocketAddr) {
        self.unreachable.remove(&address);
    }

    /// From now on this address takes datagrams alone.
    pub fn refuse_streams(&mut self, address: SocketAddr) {
        self.without_streams.insert(address);
    }

    /// Puts one message on the wire towards an engine, as if it came from there.
    pub fn inject(&mut self, flow: Flow, to: usize, bytes: impl Into<Bytes>) {
        let due = self.now + self.faults.latency;
        self.put(due, to, flow, bytes.into());
    }

    /// Lets everything happen that takes no waiting: what is on its way arrives, and so does what
    /// is sent because of that. Deadlines that come later than that are not waited for.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.collect();
            match self.in_flight.keys().next() {
                Some((due, _)) => self.advance_to(*due),
                None => return,
            }
        }
        panic!("the engines never stop talking");
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.advance_to(next);
        }
        self.now = end;
    }

    /// Lets time pass until the condition holds; says whether it came to that within the span.
    pub fn run_until(&mut self, span: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + span;
        loop {
            self.collect();
            if done(self) {
                return true;
            }
            match self.next().filter(|next| *next <= end) {
                Some(next) => self.advance_to(next),
                None => {
                    self.now = end;
                    return false;
                }
            }
        }
    }

    /// When something happens next.
    fn next(&mut self) -> Option<Instant> {
        self.collect();
        let arrival = self.in_flight.keys().next().map(|(due, _)| *due);
        let deadlines = self.engines.iter().filter_map(|(_, engine)| engine.next_deadline());
        arrival.into_iter().chain(deadlines).min()
    }

    fn advance_to(&mut self, then: Instant) {
        self.now = self.now.max(then);
        while let Some(entry) = self.in_flight.first_entry().filter(|e| e.key().0 <= self.now) {
            let (to, flow, bytes) = entry.remove();
            self.engines[to].1.receive(self.now, flow, bytes);
            self.collect();
        }
        for at in 0..self.engines.len() {
            let engine = &mut self.engines[at].1;
            if engine.next_deadline().is_some_and(|due| due <= self.now) {
                engine.handle_deadline(self.now);
            }
        }
        self.collect();
    }

    /// Puts on the wire what the engines have to send.
    fn collect(&mut self) {
        for at in 0..self.engines.len() {
            while let Some(transmit) = self.engines[at].1.poll_transmit() {
                self.carry(at, transmit);
            }
        }
    }

    fn carry(&mut self, from: usize, Transmit { flow, bytes }: Transmit) {
        let local = self.engines[from].0;
        let there = self.engines.iter().position(|(address, _)| *address == flow.remote);
        let cut = self.unreachable.contains(&flow.remote) || self.unreachable.contains(&local);
        let is_stream = flow.transport.is_reliable();
        let is_refused = is_stream && self.without_streams.contains(&flow.remote);
        let is_lost = is_refused
            || cut
            || there.is_none()
            || (!is_stream && self.chance(self.faults.loss_percent));
        let at = self.elapsed();
        self.log.push(Sent { at, from: local, to: flow.remote, bytes: bytes.clone(), is_lost });
        let Some(to) = there.filter(|_| !is_lost) else {
            if is_stream {
                self.engines[from].1.flow_failed(self.now, &flow);
            }
            return;
        };
        let mut arriving =
            Flow { transport: flow.transport, local: flow.remote, remote: local, connection: None };
        let due = self.now + self.faults.latency;
        if is_stream {
            let ends = (local.min(flow.remote), local.max(flow.remote));
            let fresh = ConnectionId(self.connections.len() as u64 + 1 + self.serial);
            arriving.connection = Some(*self.connections.entry(ends).or_insert(fresh));
            return self.put(due, to, arriving, bytes);
        }
        let copies = if self.chance(self.faults.duplication_percent) { 2 } else { 1 };
        for _ in 0..copies {
            let late = self.random_below(self.faults.jitter.as_micros());
            self.put(due + Duration::from_micros(late), to, arriving, bytes.clone());
        }
    }

    fn put(&mut self, due: Instant, to: usize, flow: Flow, bytes: Bytes) {
        self.serial += 1;
        self.in_flight.insert((due, self.serial), (to, flow, bytes));
    }

    fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.random.next_u32() % 100 < percent
    }

    fn random_below(&mut self, most: u128) -> u64 {
        match u64::try_from(most).unwrap_or(u64::MAX) {
            0 => 0,
            most => self.random.next_u64() % most,
        }
    }
}
