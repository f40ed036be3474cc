// SPDX-License-Identifier: GPL-3.0-or-later
//! Sockets, on tokio: what the engine sends goes out here, what comes in goes to the engine.
//!
//! [`Driver`] belongs to the one task that owns the engine. Datagrams are read and written right in
//! that task, many at a wake-up; each connection has a small task of its own that reads, cuts
//! messages and hands them over, and waits without any buffer while nothing comes.
//!
//! **Which local address.** A flow names the address of ours that the far end talks to, since that
//! is what stands in Via and Contact. A UDP socket bound to the wildcard does not know it, so a
//! wildcard is bound as one socket for each address of this machine: then each datagram's socket
//! says it, the kernel answers from that same address, and neither control messages nor guesses
//! are needed. The price is that new addresses must be asked for with [`Driver::refresh`].
//! Connections know their address by themselves, so a TCP wildcard stays one socket.
//!
//! **Room.** What carries the octets is all that a connection's task and queue know of it: a
//! `link::Link`. TLS is one, agreed before the link is there; WebSocket would be another.
//!
//! **Our own requests** go out on ways ([`Driver::way_to`]), from sockets made for them where the
//! service does not listen.

mod bind;
mod connection;
mod datagram;
mod fault;
mod holder;
mod link;
pub mod names;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod ways;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::AbortHandle, time::Sleep};

pub use bind::{BindError, Listen};
pub use fault::FlowFault;
pub use holder::Holder;
pub use names::{Names, NamesReport, NamesSettings};
pub use settings::DriverSettings;
pub use tls::{BadCertificate, BadCredentials, Credentials, Defect, TlsSettings};
pub use ways::NoWay;

use crate::{
    flow::{ConnectionId, Flow, Transmit, Transport},
    peer::PeerIdentity,
    resolver::Place,
    wire::{Malformed, Message},
};
use connection::{Connection, FromTask};
use datagram::Datagrams;
use tls::Tls;
use ways::{Opening, WAYS, Ways};

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message {
        /// How it came.
        flow: Flow,
        /// What.
        message: Message,
    },
    /// A message that cannot be read.
    Malformed {
        /// How it came.
        flow: Flow,
        /// All of it, or the beginning.
        bytes: Bytes,
        /// What is wrong with it.
        fault: Malformed,
    },
    /// TLS is agreed on a connection, and this is who the far end is. Comes before the first message.
    Secured {
        /// Which connection.
        flow: Flow,
        /// Who.
        identity: PeerIdentity,
    },
    /// A connection is gone or could not be made, or a datagram could not be sent.
    FlowFailed {
        /// Which way is closed. Without a connection, all that goes to that address.
        flow: Flow,
        /// Why.
        why: FlowFault,
    },
}

/// All sockets of one engine.
pub struct Driver {
    settings: Arc<DriverSettings>,
    datagrams: Vec<Datagrams>,
    listeners: Vec<Listener>,
    connections: BTreeMap<ConnectionId, Arc<Connection>>,
    by_remote: BTreeMap<(Transport, SocketAddr), ConnectionId>,
    by_source: BTreeMap<IpAddr, usize>,
    ways: Ways,
    tls: Tls,
    last_id: u64,
    /// Counts what client sockets are used for.
    last_use: u64,
    /// When to look at a connection again, one entry for each: the only clock of idle connections.
    checks: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    clock: Option<Pin<Box<Sleep>>>,
    to_driver: mpsc::Sender<FromTask>,
    from_tasks: mpsc::Receiver<FromTask>,
    /// What is to be told before anything else.
    told: VecDeque<Incoming>,
    buffer: Box<[u8]>,
}

/// A socket that takes connections.
struct Listener {
    transport: Transport,
    local: SocketAddr,
    task: AbortHandle,
}

/// How much one wake-up may bring, so that the engine's clock is looked at in between.
const BATCH: usize = 128;

impl Driver {
    /// A driver without sockets.
    #[must_use]
    pub fn new(settings: DriverSettings) -> Self {
        let (to_driver, from_tasks) = mpsc::channel(BATCH);
        Self {
            settings: Arc::new(settings),
            datagrams: Vec::new(),
            listeners: Vec::new(),
            connections: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            by_source: BTreeMap::new(),
            ways: Ways::default(),
            tls: Tls::new(TlsSettings::default()),
            last_id: 0,
            last_use: 0,
            checks: BinaryHeap::new(),
            clock: None,
            to_driver,
            from_tasks,
            told: VecDeque::new(),
            buffer: vec![0; 65_535].into(),
        }
    }

    /// Takes other settings for TLS, for connections from now on; its files are read again.
    pub fn set_tls(&mut self, settings: TlsSettings) {
        self.tls.set(settings);
    }

    /// Where it listens.
    pub fn listeners(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let datagrams = self.datagrams.iter().filter(|socket| socket.heard.is_none());
        let datagrams = datagrams.map(|socket| (Transport::Udp, socket.local));
        let streams = self.listeners.iter().map(|listener| (listener.transport, listener.local));
        datagrams.chain(streams)
    }

    /// How many connections there are.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// The flow to an address not talked to before: from the address of ours that the kernel would
    /// use, at the port where we listen for that transport. None if we do not listen there.
    #[must_use]
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let local = bind::address_towards(remote)?;
        let is_it = |listening: &SocketAddr| {
            listening.ip() == local
                || (listening.ip().is_unspecified() && listening.is_ipv4() == local.is_ipv4())
        };
        let (_, listening) =
            self.listeners().find(|(of, listening)| *of == transport && is_it(listening))?;
        let local = SocketAddr::new(local, listening.port());
        Some(Flow { transport, local, remote, connection: None })
    }

    /// Waits until something comes in and adds it to the batch. May be given up at any time.
    pub async fn recv(&mut self, batch: &mut Vec<Incoming>) {
        poll_fn(|context| self.poll_recv(context, batch)).await;
    }

    fn poll_recv(&mut self, context: &mut Context<'_>, batch: &mut Vec<Incoming>) -> Poll<()> {
        let begin = batch.len();
        loop {
            batch.extend(self.told.drain(..));
            for socket in &mut self.datagrams {
                socket.poll_flush(context);
                socket.poll_recv(context, &mut self.buffer, &self.settings.limits, batch);
            }
            for at in 0..self.datagrams.len() {
                self.tell_refusals(at);
            }
            let mut is_idle = false;
            while batch.len() < begin + BATCH {
                match self.from_tasks.poll_recv(context) {
                    Poll::Ready(Some(event)) => self.take(event, batch),
                    Poll::Ready(None) | Poll::Pending => {
                        is_idle = true;
                        break;
                    }
                }
            }
            let rang = is_idle && self.poll_clock(context);
            if batch.len() > begin {
                return Poll::Ready(());
            }
            // What a check closed is told by its task; a new check needs its clock set.
            if is_idle && !rang && self.told.is_empty() {
                return Poll::Pending;
            }
        }
    }

    /// Sends a message: a datagram at once, on a stream at once or as soon as it takes more. If
    /// that fails, [`Incoming::FlowFailed`] tells.
    pub fn send(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        if !flow.transport.is_reliable() {
            return self.send_datagram(flow, bytes);
        }
        let id = flow.connection.or_else(|| self.connection_to(&flow));
        let connection = match id.and_then(|id| self.connections.get(&id)) {
            Some(connection) => Arc::clone(connection),
            None => {
                let opening = match id {
                    Some(id) => self.ways.open(id),
                    None => Some(Opening { flow, place: None, socket: None }),
                };
                let Some(opening) = opening else {
                    return self.fail(flow, "the connection is gone");
                };
                match self.connect(opening) {
                    Ok(connection) => connection,
                    Err(why) => return self.fail(flow, why),
                }
            }
        };
        if !connection.send(bytes, self.settings.send_bytes) {
            connection.close("it does not take what is sent");
        }
    }

    /// The connection for a flow that names none: one to the place that the address was last used
    /// for, opened anew if need be, or else any to that address.
    fn connection_to(&mut self, flow: &Flow) -> Option<ConnectionId> {
        if flow.transport == Transport::Tls
            && let Some(place) = self.ways.last_place(flow.remote)
            && let Ok(way) = self.way_to(&place)
        {
            return way.connection;
        }
        self.by_remote.get(&(flow.transport, flow.remote)).copied()
    }

    /// Closes a connection; [`Incoming::FlowFailed`] follows.
    pub fn close(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.connections.get(&connection) {
            connection.close("closed by us");
        }
    }

    fn send_datagram(&mut self, flow: Flow, bytes: Bytes) {
        let exact = self.datagrams.iter().position(|socket| socket.local == flow.local);
        let Some(at) = exact else { return self.fail(flow, "no socket has that local address") };
        self.last_use += 1;
        self.datagrams[at].hear(flow.remote.ip(), self.last_use);
        if let Err(error) = self.datagrams[at].send(flow.remote, bytes) {
            self.fail(flow, error.to_string());
        }
        self.tell_refusals(at);
    }

    /// Tells of those who did not take what was sent to them.
    fn tell_refusals(&mut self, at: usize) {
        let local = self.datagrams[at].local;
        for remote in self.datagrams[at].take_refusals() {
            let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
            self.fail(flow, "nobody listens there");
        }
    }

    fn fail(&mut self, flow: Flow, why: impl Into<FlowFault>) {
        self.told.push_back(Incoming::FlowFailed { flow, why: why.into() });
    }

    fn connect(&mut self, opening: Opening) -> Result<Arc<Connection>, &'static str> {
        let Opening { flow, place, socket } = opening;
        let tls = match (flow.transport, &place) {
            (Transport::Tcp, _) => None,
            (Transport::Tls, Some(_)) => Some(self.tls.client()),
            (Transport::Tls, None) => return Err("nobody says whom a certificate must show there"),
            _ => return Err("this transport cannot be opened from here"),
        };
        if self.connections.len() >= self.settings.connections {
            return Err("there are too many connections");
        }
        let connection = self.insert(flow, true, place);
        let to_driver = self.to_driver.clone();
        connection::spawn_connect(&connection, socket, tls, &self.settings, to_driver);
        Ok(connection)
    }

    fn accept(
        &mut self,
        stream: tokio::net::TcpStream,
        transport: Transport,
        listening: SocketAddr,
    ) {
        let (Ok(remote), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
        let source = source_of(remote.ip());
        let of_source = self.by_source.get(&source).copied().unwrap_or_default();
        // Too many: it is closed by being dropped.
        if self.connections.len() >= self.settings.connections
            || of_source >= self.settings.connections_of_source
        {
            tracing::debug!("a connection is refused: too many of this source or of all");
            return;
        }
        let tls = match transport {
            Transport::Tls => match self.tls.accepting(Instant::now()) {
                Ok(accepting) => Some(accepting),
                Err(error) => return tracing::warn!("a connection is refused: {error}"),
            },
            _ => None,
        };
        let local = SocketAddr::new(local.ip().to_canonical(), listening.port());
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let flow = Flow { transport, local, remote, connection: None };
        let connection = self.insert(flow, false, None);
        let to_driver = self.to_driver.clone();
        connection::spawn_accepted(&connection, stream, tls, &self.settings, to_driver);
    }

    fn insert(&mut self, asked: Flow, is_ours: bool, place: Option<Arc<Place>>) -> Arc<Connection> {
        let id = asked.connection.unwrap_or_else(|| {
            self.last_id += 1;
            ConnectionId(self.last_id)
        });
        let flow = Flow { connection: Some(id), ..asked };
        let now = Instant::now();
        let connection = Arc::new(Connection::new(flow, asked, now, is_ours, place));
        self.connections.insert(id, Arc::clone(&connection));
        // Over TLS an address is not enough: connections that are to show a name are found by it.
        if connection.place.is_none() || flow.transport == Transport::Tcp {
            self.by_remote.insert((flow.transport, flow.remote), id);
        }
        *self.by_source.entry(source_of(flow.remote.ip())).or_default() += 1;
        self.checks.push(Reverse((connection.check_at(&self.settings), id)));
        connection
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(&id)?;
        if let Some(place) = &connection.place {
            self.ways.closed(id, place);
        }
        let flow = connection.flow;
        let remote = (flow.transport, flow.remote);
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
        let source = source_of(flow.remote.ip());
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
        if self.checks.len() > 64 + 2 * self.connections.len() {
            self.checks.retain(|Reverse((_, id))| *id == WAYS || self.connections.contains_key(id));
            self.checks.shrink_to(self.checks.len());
        }
        Some(connection)
    }

    fn take(&mut self, event: FromTask, batch: &mut Vec<Incoming>) {
        match event {
            FromTask::Accepted { stream, transport, listening } => {
                self.accept(stream, transport, listening);
            }
            FromTask::Incoming(incoming) => batch.push(incoming),
            FromTask::Closed { id, was_open, why } => {
                if let Some(connection) = self.remove(id) {
                    // Nobody knows of a stranger who never came in.
                    if !was_open && !connection.is_ours {
                        return tracing::debug!(flow = %connection.flow, "{why}");
                    }
                    // What never was open is told as it was asked for.
                    let flow = if was_open { connection.flow } else { connection.asked };
                    batch.push(Incoming::FlowFailed { flow, why });
                }
            }
        }
    }

    /// Looks at the connections whose time has come. Says whether there was one.
    fn poll_clock(&mut self, context: &mut Context<'_>) -> bool {
        let Some(Reverse((next, _))) = self.checks.peek().copied() else {
            self.clock = None;
            return false;
        };
        let next = tokio::time::Instant::from_std(next);
        let clock = self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if clock.deadline() != next {
            clock.as_mut().reset(next);
        }
        if clock.as_mut().poll(context).is_pending() {
            return false;
        }
        let now = Instant::now();
        while let Some(Reverse((_, id))) = self.checks.peek().copied().filter(|c| c.0.0 <= now) {
            self.checks.pop();
            if id == WAYS {
                self.checks.extend(self.ways.forget(now).map(|due| Reverse((due, WAYS))));
            }
            let Some(connection) = self.connections.get(&id) else { continue };
            let due = connection.check_at(&self.settings);
            if due <= now {
                connection.close("nothing came for too long");
                // Its task may be about to hand something over: looked at again later.
                self.checks.push(Reverse((now + Duration::from_secs(60), id)));
            } else {
                self.checks.push(Reverse((due, id)));
            }
        }
        true
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.task.abort();
        }
        for connection in self.connections.values() {
            connection.close("the service ends");
        }
    }
}

/// Whom connections are counted for: an address, or an IPv6 network of 64 bits.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}
