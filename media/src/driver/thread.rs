// SPDX-License-Identifier: GPL-3.0-or-later
//! The thread that moves packets.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::net::connect_unspec;
use slab::Slab;

use super::{AnchorId, Command, Opened, Tally, Tell};
use crate::relay::{Component, End, Event, MAX_PACKET, Relay, Terms, Verdict};

/// Sockets that are read before commands and timers have their turn again.
const BATCH: usize = 256;

/// How soon after a packet the next must come for the thread to rest in between, and for how long
/// it rests. Under load a wake-up then serves several packets, as network cards do it; a single
/// call, with a packet each 10 ms, is never delayed.
const BUSY: Duration = Duration::from_micros(400);
const REST: Duration = Duration::from_micros(300);

/// What wakes the thread for commands; no anchor has this token.
const WAKE: u64 = u64::MAX;

struct Socket {
    socket: UdpSocket,
    /// The kernel lets only the latched source in, and knows the way to it.
    connected: bool,
}

struct Anchored {
    id: AnchorId,
    relay: Relay,
    sockets: [[Socket; 2]; 2],
    near: [SocketAddr; 2],
    unsent: u64,
}

pub(super) struct Thread {
    epoll: OwnedFd,
    commands: Receiver<Command>,
    wake: Arc<OwnedFd>,
    tell: Tell,
    anchors: Slab<Anchored>,
    places: BTreeMap<AnchorId, usize>,
    /// Our own ports towards programs. A program that names one of them as its own would have us
    /// talk to ourselves, without end.
    own: BTreeSet<SocketAddr>,
    /// The earliest of all relays' deadlines, or earlier.
    deadline: Option<Instant>,
}

impl Thread {
    pub(super) fn new(
        commands: Receiver<Command>,
        wake: Arc<OwnedFd>,
        tell: Tell,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        let (anchors, places, own) = (Slab::new(), BTreeMap::new(), BTreeSet::new());
        Ok(Self { epoll, commands, wake, tell, anchors, places, own, deadline: None })
    }

    pub(super) fn run(mut self) {
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(BATCH);
        // One byte more than may be relayed, to see what is longer.
        let mut packet = [0; MAX_PACKET + 1];
        let mut last = Instant::now();
        loop {
            ready.clear();
            let patience = self.deadline.map(|deadline| {
                let wait = deadline.saturating_duration_since(Instant::now());
                Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 })
            });
            let space = rustix::buffer::spare_capacity(&mut ready);
            match epoll::wait(&self.epoll, space, patience.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "no media can be relayed any more");
                    return;
                }
            }
            let now = Instant::now();
            let mut asked = false;
            for event in &ready {
                match event.data.u64() {
                    WAKE => asked = true,
                    token => self.receive(token, now, &mut packet),
                }
            }
            if asked && !self.obey(now) {
                return;
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.look_round(now);
            }
            let busy = now.saturating_duration_since(last) < BUSY;
            last = now;
            if busy && ready.len() < BATCH && !asked {
                std::thread::sleep(REST);
                last += REST;
            }
        }
    }

    /// Takes one packet from a socket; if there are more, epoll says so again.
    fn receive(&mut self, token: u64, now: Instant, packet: &mut [u8]) {
        let (place, end, component) = of_token(token);
        let Some(anchored) = self.anchors.get_mut(place) else { return };
        let socket = &anchored.sockets[end as usize][component as usize].socket;
        // An error is what an earlier packet of ours ran into: its port is closed.
        let Ok((length, source)) = socket.recv_from(packet) else { return };
        let bytes = &packet[..length];
        let verdict = anchored.relay.packet(now, end, component, source, bytes);
        if let Verdict::Forward { end, component, to } = verdict {
            let out = &anchored.sockets[end as usize][component as usize];
            let send = || match out.connected {
                true => out.socket.send(bytes),
                false => out.socket.send_to(bytes, to),
            };
            // The first error can be of an earlier packet, whose port was closed.
            let sent = send().or_else(|error| match error.kind() {
                io::ErrorKind::ConnectionRefused => send(),
                _ => Err(error),
            });
            anchored.unsent += u64::from(sent.is_err());
        }
        self.tell_of(place);
    }

    /// Carries out what an anchor's relay wants, and tells of it.
    fn tell_of(&mut self, place: usize) {
        let Some(anchored) = self.anchors.get_mut(place) else { return };
        let mut changed = false;
        while let Some(event) = anchored.relay.poll() {
            changed = true;
            match event {
                Event::Latched { end, component, source } => {
                    let socket = &mut anchored.sockets[end as usize][component as usize];
                    socket.connected = socket.socket.connect(source).is_ok();
                }
                Event::Opened { end, component } => {
                    let socket = &mut anchored.sockets[end as usize][component as usize];
                    if socket.connected {
                        // If it fails the old source is still the only one, which is safe.
                        socket.connected = connect_unspec(&socket.socket).is_err();
                    }
                }
                Event::Flowing(_) | Event::Silent(_) | Event::Lost(_) => {}
            }
            (self.tell)(anchored.id, event);
        }
        if changed {
            let next = anchored.relay.next_deadline();
            self.deadline = self.deadline.into_iter().chain(next).min();
        }
    }

    fn look_round(&mut self, now: Instant) {
        let places: Vec<usize> = self.places.values().copied().collect();
        for &place in &places {
            if let Some(anchored) = self.anchors.get_mut(place) {
                anchored.relay.handle_deadline(now);
            }
            self.tell_of(place);
        }
        let deadlines =
            self.anchors.iter().filter_map(|(_, anchored)| anchored.relay.next_deadline());
        self.deadline = deadlines.min();
    }

    /// False if there is nothing more to do, ever.
    fn obey(&mut self, now: Instant) -> bool {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open(opened) => self.open(*opened),
                Command::Describe(id, end, mut terms) => {
                    let Some(&place) = self.places.get(&id) else { continue };
                    self.without_us(end, &mut terms);
                    self.anchors[place].relay.describe(now, end, *terms);
                    self.tell_of(place);
                    self.wake_for(place);
                }
                Command::Count(id, tell) => {
                    let anchored = self.places.get(&id).map(|&place| &self.anchors[place]);
                    tell(anchored.map(tally).unwrap_or_default());
                }
                Command::Close(id) => self.close(id),
                Command::Stop => return false,
            }
        }
        true
    }

    fn without_us(&self, end: End, terms: &mut Terms) {
        if end == End::Near {
            let ours = |address: &SocketAddr| self.own.contains(address);
            terms.rtp = terms.rtp.filter(|address| !ours(address));
            terms.rtcp = terms.rtcp.filter(|address| !ours(address));
        }
    }

    fn open(&mut self, opened: Opened) {
        let Opened { id, mut relay, pairs } = opened;
        let near = pairs[End::Near as usize].addresses;
        self.own.extend(near);
        let mut terms = relay.terms(End::Near).clone();
        self.without_us(End::Near, &mut terms);
        relay.describe(Instant::now(), End::Near, terms);
        let sockets =
            pairs.map(|pair| pair.sockets.map(|socket| Socket { socket, connected: false }));
        let place = self.anchors.insert(Anchored { id, relay, sockets, near, unsent: 0 });
        self.places.insert(id, place);
        for end in End::ALL {
            for component in Component::ALL {
                let socket = &self.anchors[place].sockets[end as usize][component as usize].socket;
                let token = epoll::EventData::new_u64(token(place, end, component));
                if let Err(error) = epoll::add(&self.epoll, socket, token, epoll::EventFlags::IN) {
                    tracing::error!(%error, anchor = %id, "a port of a relay is deaf");
                }
            }
        }
        self.tell_of(place);
        self.wake_for(place);
    }

    fn close(&mut self, id: AnchorId) {
        let Some(place) = self.places.remove(&id) else { return };
        // A socket that is closed leaves the epoll set by itself.
        let closed = self.anchors.remove(place);
        for address in closed.near {
            self.own.remove(&address);
        }
        if self.anchors.is_empty() {
            self.anchors = Slab::new();
            self.deadline = None;
        }
    }

    fn wake_for(&mut self, place: usize) {
        let next = self.anchors[place].relay.next_deadline();
        self.deadline = self.deadline.into_iter().chain(next).min();
    }
}

fn tally(anchored: &Anchored) -> Tally {
    let ports = End::ALL
        .map(|end| Component::ALL.map(|component| *anchored.relay.counters(end, component)));
    Tally { ports, unsent: anchored.unsent }
}

/// Place, end and component in one number, as epoll gives it back.
fn token(place: usize, end: End, component: Component) -> u64 {
    (place as u64) << 2 | (end as u64) << 1 | component as u64
}

fn of_token(token: u64) -> (usize, End, Component) {
    let end = if token & 2 == 0 { End::Near } else { End::Far };
    let component = if token & 1 == 0 { Component::Rtp } else { Component::Rtcp };
    ((token >> 2) as usize, end, component)
}
