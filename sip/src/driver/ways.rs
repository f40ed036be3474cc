// SPDX-License-Identifier: GPL-3.0-or-later
//! Ways to places: from which socket of ours a place is reached.
//!
//! A way costs next to nothing until something is sent: a datagram socket serves all places that
//! are reached from its address, and a connection is opened by the first message. So ways may be
//! asked for whatever a name leads to, and those that are never used are forgotten.
//!
//! A socket that is there for our own requests alone is heard by nobody else: it drops what comes
//! from an address that no way leads to, before anybody reads it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use socket2::Socket;

use super::{
    Driver,
    bind::{address_towards, bind_client_datagrams, bind_client_stream},
};
use crate::{
    flow::{ConnectionId, Flow, Transport},
    resolver::Place,
};

/// Why a place cannot be reached from here.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The address is nobody's.
    #[error("{address} is no address that anybody could be reached at")]
    Nobody {
        /// The address.
        address: SocketAddr,
    },
    /// The kernel knows no route: no interface is up that leads there.
    #[error("there is no network that leads to {address}")]
    NoRoute {
        /// The address.
        address: SocketAddr,
    },
    /// The driver has no such transport.
    #[error("{} is not spoken here", transport.name())]
    Unsupported {
        /// The transport.
        transport: Transport,
    },
    /// No socket could be made.
    #[error("no socket can be had towards {address}: {error}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
}

/// Datagram sockets that serve our own requests: one for each address of ours that such requests
/// go out from. The one used longest ago makes room.
const MOST_CLIENT_SOCKETS: usize = 16;

/// Connections that were prepared and not opened, each of which may hold a socket. The oldest make
/// room.
const MOST_PREPARED: usize = 1_024;

/// Whoever asks for a way sends soon.
pub(super) const FORGET_PREPARED: Duration = Duration::from_secs(60);

/// Addresses of which it is remembered what a certificate has to show there.
const MOST_REMEMBERED: usize = 4_096;

/// No connection: among what is to be looked at, it stands for the ways that were not used.
pub(super) const WAYS: ConnectionId = ConnectionId(0);

/// Addresses that one client socket hears. The one written to longest ago makes room.
const MOST_HEARD: usize = 4_096;

/// The connections that lead to places.
#[derive(Default)]
pub(super) struct Ways {
    /// Not opened yet; in the order they were asked for.
    prepared: BTreeMap<ConnectionId, Prepared>,
    /// Prepared and standing ones.
    by_place: HashMap<Arc<Place>, ConnectionId>,
    /// What a TLS connection to an address had to show when it was last opened, so that a dialog
    /// whose connection broke finds its way again. The oldest make room.
    last_places: HashMap<SocketAddr, Arc<Place>>,
    last_order: VecDeque<SocketAddr>,
    /// Whether the driver's clock is set for the prepared ones.
    is_watched: bool,
}

struct Prepared {
    flow: Flow,
    place: Arc<Place>,
    /// Bound, so that the flow names its true port; none where we listen at that address.
    socket: Option<Socket>,
    since: Instant,
}

/// A connection about to be opened.
pub(super) struct Opening {
    pub(super) flow: Flow,
    /// Where it leads; none if nobody said.
    pub(super) place: Option<Arc<Place>>,
    /// Where it begins; none if that is to be made.
    pub(super) socket: Option<Socket>,
}

impl Ways {
    /// The connection, if it is one that was prepared; it is to be opened now.
    pub(super) fn open(&mut self, id: ConnectionId) -> Option<Opening> {
        let Prepared { flow, place, socket, .. } = self.prepared.remove(&id)?;
        if place.transport == Transport::Tls {
            self.remember(&place);
        }
        Some(Opening { flow, place: Some(place), socket })
    }

    fn remember(&mut self, place: &Arc<Place>) {
        if self.last_places.insert(place.address, Arc::clone(place)).is_none() {
            self.last_order.push_back(place.address);
        }
        if self.last_places.len() > MOST_REMEMBERED
            && let Some(oldest) = self.last_order.pop_front()
        {
            self.last_places.remove(&oldest);
        }
    }

    /// The place that a TLS connection to that address led to.
    pub(super) fn last_place(&self, address: SocketAddr) -> Option<Arc<Place>> {
        self.last_places.get(&address).cloned()
    }

    /// A connection to that place is gone.
    pub(super) fn closed(&mut self, id: ConnectionId, place: &Arc<Place>) {
        if self.by_place.get(place) == Some(&id) {
            self.by_place.remove(place);
        }
    }

    fn prepare(&mut self, id: ConnectionId, prepared: Prepared) {
        if self.prepared.len() >= MOST_PREPARED
            && let Some((id, oldest)) = self.prepared.pop_first()
        {
            self.closed(id, &oldest.place);
        }
        self.by_place.insert(Arc::clone(&prepared.place), id);
        self.prepared.insert(id, prepared);
    }

    /// Forgets what was not used. Gives when there will be more to forget.
    pub(super) fn forget(&mut self, now: Instant) -> Option<Instant> {
        self.prepared.retain(|id, prepared| {
            let is_wanted = prepared.since + FORGET_PREPARED > now;
            if !is_wanted && self.by_place.get(&prepared.place) == Some(id) {
                self.by_place.remove(&prepared.place);
            }
            is_wanted
        });
        let next = self.prepared.values().map(|prepared| prepared.since + FORGET_PREPARED).min();
        self.is_watched = next.is_some();
        next
    }
}

impl Driver {
    /// The way to a place, from the address of ours that the kernel would use towards it.
    ///
    /// For datagrams it is the socket that listens at that address, or one made for our own
    /// requests. For streams it is a connection that is named here, opened by the first message
    /// and given again for the same place as long as it stands; if it cannot be opened,
    /// [`Incoming::FlowFailed`](super::Incoming::FlowFailed) names it. One that is not used within
    /// a minute may be forgotten, which sending to it tells in the same way.
    ///
    /// # Errors
    /// Why there is none.
    pub fn way_to(&mut self, place: &Place) -> Result<Flow, NoWay> {
        let remote = SocketAddr::new(place.address.ip().to_canonical(), place.address.port());
        let address = remote;
        // The unspecified address would lead to this machine itself.
        if remote.port() == 0 || remote.ip().is_unspecified() || remote.ip().is_multicast() {
            return Err(NoWay::Nobody { address });
        }
        match place.transport {
            Transport::Udp => self.datagrams_to(remote),
            Transport::Tcp | Transport::Tls => self.stream_to(place, remote),
            transport @ (Transport::Ws | Transport::Wss) => Err(NoWay::Unsupported { transport }),
        }
    }

    /// Whether what came this way came by our own doing: to a datagram socket that is there for our
    /// requests, or over a connection that we opened. Then it came from where one of our ways
    /// leads, and nobody found us by our listening.
    #[must_use]
    pub fn is_outward(&self, flow: &Flow) -> bool {
        match flow.connection {
            Some(id) => self.connections.get(&id).is_some_and(|connection| connection.is_ours),
            None => self
                .datagrams
                .iter()
                .any(|socket| socket.local == flow.local && socket.heard.is_some()),
        }
    }

    fn datagrams_to(&mut self, remote: SocketAddr) -> Result<Flow, NoWay> {
        let transport = Transport::Udp;
        if let Some(flow) = self.flow_to(transport, remote) {
            return Ok(flow);
        }
        let local = address_towards(remote).ok_or(NoWay::NoRoute { address: remote })?;
        self.last_use += 1;
        let used = self.last_use;
        let is_it =
            |socket: &&mut super::Datagrams| socket.local.ip() == local && socket.heard.is_some();
        if let Some(socket) = self.datagrams.iter_mut().find(is_it) {
            socket.hear(remote.ip(), used);
            return Ok(Flow { transport, local: socket.local, remote, connection: None });
        }
        let mut socket = bind_client_datagrams(local)
            .map_err(|error| NoWay::Socket { address: remote, error })?;
        let clients = self.datagrams.iter().filter_map(|socket| socket.heard.as_ref());
        if clients.clone().count() >= MOST_CLIENT_SOCKETS {
            let longest_ago = clients.map(Heard::last).min();
            self.datagrams.retain(|socket| socket.heard.as_ref().map(Heard::last) != longest_ago);
        }
        socket.hear(remote.ip(), used);
        let flow = Flow { transport, local: socket.local, remote, connection: None };
        self.datagrams.push(socket);
        Ok(flow)
    }

    fn stream_to(&mut self, place: &Place, remote: SocketAddr) -> Result<Flow, NoWay> {
        let place = Place { address: remote, ..place.clone() };
        // A connection from an address that no longer leads there, since a tunnel came up or
        // another interface took over, is of no more use, if it stands at all.
        let here = address_towards(remote);
        let leads_there = |flow: &Flow| here.is_none_or(|here| flow.local.ip() == here);
        if let Some(&id) = self.ways.by_place.get(&place) {
            if let Some(prepared) = self.ways.prepared.get_mut(&id)
                && leads_there(&prepared.flow)
            {
                prepared.since = Instant::now();
                return Ok(prepared.flow);
            }
            if let Some(connection) = self.connections.get(&id)
                && !connection.is_closing()
                && leads_there(&connection.flow)
            {
                return Ok(connection.flow);
            }
        }
        let (local, socket) = match self.flow_to(place.transport, remote) {
            Some(flow) => (flow.local, None),
            None => {
                let local = here.ok_or(NoWay::NoRoute { address: remote })?;
                let (socket, local) = bind_client_stream(local)
                    .map_err(|error| NoWay::Socket { address: remote, error })?;
                (local, Some(socket))
            }
        };
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        let flow = Flow { transport: place.transport, local, remote, connection: Some(id) };
        let since = Instant::now();
        let prepared = Prepared { flow, place: Arc::new(place), socket, since };
        self.ways.prepare(id, prepared);
        if !std::mem::replace(&mut self.ways.is_watched, true) {
            self.checks.push(Reverse((since + FORGET_PREPARED, WAYS)));
        }
        Ok(flow)
    }
}

/// Whom a client socket hears, and when each was last written to, counted in uses.
#[derive(Debug, Default)]
pub(super) struct Heard {
    sources: BTreeMap<IpAddr, u64>,
    last: u64,
}

impl Heard {
    pub(super) fn hears(&self, source: IpAddr) -> bool {
        self.sources.contains_key(&source)
    }

    pub(super) fn note(&mut self, source: IpAddr, used: u64) {
        self.last = used;
        if self.sources.len() >= MOST_HEARD
            && !self.sources.contains_key(&source)
            && let Some(oldest) =
                self.sources.iter().min_by_key(|(_, used)| **used).map(|(source, _)| *source)
        {
            self.sources.remove(&oldest);
        }
        self.sources.insert(source, used);
    }

    const fn last(&self) -> u64 {
        self.last
    }
}
