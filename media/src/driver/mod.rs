// SPDX-License-Identifier: GPL-3.0-or-later
//! The shell of [`relay`](crate::relay): sockets, the clock, and one thread that moves packets.
//!
//! A [`Driver`] opens an [`Anchor`] for each stream that is to go through us: two ports towards the
//! program, two towards the far end. The thread is started with the first anchor. While there is
//! nothing to relay it sleeps, and nothing wakes it.

mod ports;
mod session;
#[cfg(test)]
mod tests;
mod thread;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};
use thiserror::Error;

use crate::relay::{Component, Counters, End, Event, Relay, Terms};

pub use ports::Ports;
pub use session::{LeadError, LocateError, Located, Place, Session};

use ports::Pair;
use thread::Thread;

/// The most anchors at one time; each has four sockets.
pub const MAX_ANCHORS: usize = 4096;

/// Which anchor something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnchorId(u64);

impl fmt::Display for AnchorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why no anchor can be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There are [`MAX_ANCHORS`].
    #[error("{MAX_ANCHORS} streams are relayed already")]
    TooMany,
    /// No two ports that follow each other are free there.
    #[error("no pair of ports is free on {0}")]
    NoPorts(IpAddr),
    /// The address is not ours, or sockets are used up.
    #[error("cannot open ports on {0}: {1}")]
    Address(IpAddr, io::Error),
    /// The thread that relays cannot be had.
    #[error("cannot relay: {0}")]
    Thread(io::Error),
}

/// What was counted at the four ports of an anchor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// By end and component, in the order of [`End::ALL`] and [`Component::ALL`].
    pub ports: [[Counters; 2]; 2],
    /// Packets that should have been sent, and that the kernel did not take.
    pub unsent: u64,
}

impl Tally {
    /// What was counted at one port.
    #[must_use]
    pub const fn at(&self, end: End, component: Component) -> &Counters {
        &self.ports[end as usize][component as usize]
    }
}

type Tell = Box<dyn FnMut(AnchorId, Event) + Send>;
type TellTally = Box<dyn FnOnce(Tally) + Send>;

enum Command {
    Open(Box<Opened>),
    Describe(AnchorId, End, Box<Terms>),
    Count(AnchorId, TellTally),
    Close(AnchorId),
    Stop,
}

/// An anchor on its way to the thread.
struct Opened {
    id: AnchorId,
    relay: Relay,
    pairs: [Pair; 2],
}

/// The way to the thread.
#[derive(Clone)]
struct Line {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
}

impl Line {
    fn send(&self, command: Command) {
        // A thread that is gone has closed everything already.
        if self.commands.send(command).is_ok() {
            // The counter is full only if it has not been read since, and then it will be.
            let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        }
    }
}

/// Opens anchors.
pub struct Driver {
    ports: Ports,
    /// Until the thread has it.
    tell: Option<Tell>,
    line: Option<Line>,
    next: u64,
    open: Arc<AtomicUsize>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver that opens ports out of `ports`, and says by `tell` what happens to its anchors;
    /// it does so in the thread that relays, which must not be kept waiting.
    #[must_use]
    pub fn new(ports: Ports, tell: impl FnMut(AnchorId, Event) + Send + 'static) -> Self {
        let tell: Option<Tell> = Some(Box::new(tell));
        Self { ports, tell, line: None, next: 0, open: Arc::new(AtomicUsize::new(0)) }
    }

    /// Opens ports for one stream: `near` is our address towards the program, `far` that towards
    /// the other side. Nothing passes until both ends are described.
    ///
    /// # Errors
    /// If there are no ports to be had, or the thread cannot be started.
    pub fn open(
        &mut self,
        near: (IpAddr, Terms),
        far: (IpAddr, Terms),
    ) -> Result<Anchor, OpenError> {
        if self.open.load(Ordering::Relaxed) >= MAX_ANCHORS {
            return Err(OpenError::TooMany);
        }
        let pairs = [self.ports.open(near.0)?, self.ports.open(far.0)?];
        let addresses = pairs.each_ref().map(|pair| pair.addresses);
        let line = self.line()?;
        self.next += 1;
        let id = AnchorId(self.next);
        let relay = Relay::new(Instant::now(), near.1, far.1);
        self.open.fetch_add(1, Ordering::Relaxed);
        line.send(Command::Open(Box::new(Opened { id, relay, pairs })));
        Ok(Anchor { id, addresses, line, open: Arc::clone(&self.open) })
    }

    /// The way to the thread, which is started if it was not yet.
    fn line(&mut self) -> Result<Line, OpenError> {
        if let Some(line) = &self.line {
            return Ok(line.clone());
        }
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| OpenError::Thread(error.into()))?;
        let wake = Arc::new(wake);
        let (commands, asked) = mpsc::channel();
        let Some(tell) = self.tell.take() else {
            return Err(OpenError::Thread(io::ErrorKind::BrokenPipe.into()));
        };
        let thread = Thread::new(asked, Arc::clone(&wake), tell).map_err(OpenError::Thread)?;
        std::thread::Builder::new()
            .name("media".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || thread.run())
            .map_err(OpenError::Thread)?;
        let line = Line { commands, wake };
        self.line = Some(line.clone());
        Ok(line)
    }
}

impl Drop for Driver {
    /// Closes all anchors.
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.send(Command::Stop);
        }
    }
}

/// The ports of one relayed stream; closed when it is dropped.
pub struct Anchor {
    id: AnchorId,
    addresses: [[SocketAddr; 2]; 2],
    line: Line,
    open: Arc<AtomicUsize>,
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = &self.addresses;
        f.debug_struct("Anchor").field("id", &self.id).field("addresses", addresses).finish()
    }
}

impl Anchor {
    /// By what it is called in what is told.
    #[must_use]
    pub const fn id(&self) -> AnchorId {
        self.id
    }

    /// Where this end is to send: what is put into the description that it gets.
    #[must_use]
    pub const fn address(&self, end: End, component: Component) -> SocketAddr {
        self.addresses[end as usize][component as usize]
    }

    /// What is known of an end from now on.
    pub fn describe(&self, end: End, terms: Terms) {
        self.line.send(Command::Describe(self.id, end, Box::new(terms)));
    }

    /// Has `tell` called, by the thread that relays, with what was counted so far.
    pub fn count(&self, tell: impl FnOnce(Tally) + Send + 'static) {
        self.line.send(Command::Count(self.id, Box::new(tell)));
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.line.send(Command::Close(self.id));
    }
}
