// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, sync::mpsc};

use super::{
    Driver, Listener,
    connection::FromTask,
    datagram::Datagrams,
    holder::{Holder, holder_of},
    tls::BadCredentials,
    ways::Heard,
};
use crate::flow::Transport;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// For which transports; they all get the same port.
    pub transports: Vec<Transport>,
    /// At which address, or with the wildcard at all addresses of that family.
    pub address: SocketAddr,
    /// Whether it has to be that port. If not, the next free one within a hundred is taken.
    pub exact: bool,
}

/// Why nobody can be heard there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "{}:{address} is in use by {}; end it, or listen at another port",
        transport.name(),
        holder.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string)
    )]
    InUse {
        /// For which transport.
        transport: Transport,
        /// The address.
        address: SocketAddr,
        /// Who, if that can be seen.
        holder: Option<Holder>,
    },
    /// All ports tried are in use.
    #[error("no port from {address} up to {last} is free for {transports}; name another one")]
    NoneFree {
        /// The first one tried.
        address: SocketAddr,
        /// The last one tried.
        last: u16,
        /// The transports' names.
        transports: String,
    },
    /// The address is none of this machine's.
    #[error("{address} is no address of this machine; see `ip address` for those it has")]
    NotHere {
        /// The address.
        address: SocketAddr,
    },
    /// The kernel does not let this user have it.
    #[error("port {port} may be opened by root only; choose one above 1023")]
    Forbidden {
        /// The port.
        port: u16,
    },
    /// The driver has no such transport.
    #[error("listening for {} is not possible here", transport.name())]
    Unsupported {
        /// The transport.
        transport: Transport,
    },
    /// TLS needs a certificate.
    #[error("cannot listen for tls: {0}")]
    Credentials(#[from] BadCredentials),
    /// Anything else.
    #[error("cannot listen at {}:{address}: {error}", transport.name())]
    Other {
        /// For which transport.
        transport: Transport,
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
}

/// How many ports are tried.
const TRIES: u16 = 100;

impl Driver {
    /// Listens. Gives what for and where, with the port that it came to. Call it inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// Why that is not possible; then it listens nowhere that it did not before.
    pub fn bind(&mut self, listen: &Listen) -> Result<Vec<(Transport, SocketAddr)>, BindError> {
        let first = listen.address.port();
        let last = if listen.exact || first == 0 { first } else { first.saturating_add(TRIES - 1) };
        // A port that the kernel chose for one transport may be in use for another.
        let again = if first == 0 { TRIES } else { 1 };
        let candidates = (first..=last).flat_map(|port| std::iter::repeat_n(port, again.into()));
        let mut in_use = None;
        for port in candidates {
            match self.bind_all(listen, port) {
                Err(error @ BindError::InUse { .. }) => in_use = Some(error),
                done => return done,
            }
        }
        if let Some(error) = in_use.filter(|_| first == last) {
            return Err(error);
        }
        let names: Vec<_> = listen.transports.iter().map(|transport| transport.name()).collect();
        Err(BindError::NoneFree { address: listen.address, last, transports: names.join(" and ") })
    }

    /// Listens for datagrams at addresses that this machine got since the wildcard was bound, and
    /// no longer at those it lost. Gives the new ones and the old ones.
    ///
    /// # Errors
    /// Why that is not possible; what works is kept.
    pub fn refresh(
        &mut self,
        wildcard: SocketAddr,
    ) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), BindError> {
        let wanted = expand(wildcard)?;
        let is_its = |local: &SocketAddr| {
            local.port() == wildcard.port() && local.is_ipv4() == wildcard.is_ipv4()
        };
        let gone: Vec<SocketAddr> = self
            .datagrams
            .iter()
            .filter(|socket| socket.heard.is_none())
            .map(|socket| socket.local)
            .filter(|local| is_its(local) && !wanted.contains(local))
            .collect();
        self.datagrams.retain(|socket| !gone.contains(&socket.local));
        let mut new = Vec::new();
        for address in wanted {
            if self.datagrams.iter().all(|socket| socket.local != address) {
                self.datagrams.push(bind_datagrams(address)?);
                new.push(address);
            }
        }
        Ok((new, gone))
    }

    fn bind_all(
        &mut self,
        listen: &Listen,
        port: u16,
    ) -> Result<Vec<(Transport, SocketAddr)>, BindError> {
        let mut address = SocketAddr::new(listen.address.ip(), port);
        let (mut datagrams, mut listeners) = (Vec::new(), Vec::new());
        for &transport in &listen.transports {
            match transport {
                Transport::Udp => {
                    for at in expand(address)? {
                        // With port 0 the first socket decides for all.
                        let at = SocketAddr::new(at.ip(), address.port());
                        let socket = bind_datagrams(at)?;
                        address.set_port(socket.local.port());
                        datagrams.push(socket);
                    }
                }
                Transport::Tcp | Transport::Tls => {
                    if transport == Transport::Tls {
                        self.tls.accepting(Instant::now())?;
                    }
                    let listener = bind_stream(transport, address)?;
                    let failed = |error| BindError::Other { transport, address, error };
                    address.set_port(listener.local_addr().map_err(failed)?.port());
                    listeners.push((transport, listener, address));
                }
                Transport::Ws | Transport::Wss => {
                    return Err(BindError::Unsupported { transport });
                }
            }
        }
        let mut bound = Vec::new();
        for socket in datagrams {
            bound.push((Transport::Udp, socket.local));
            self.datagrams.push(socket);
        }
        for (transport, listener, local) in listeners {
            bound.push((transport, local));
            let accepting = accept(transport, listener, local, self.to_driver.clone());
            let task = tokio::spawn(accepting).abort_handle();
            self.listeners.push(Listener { transport, local, task });
        }
        Ok(bound)
    }
}

/// The address of ours that the kernel would use to talk to that one. Nothing is sent for this.
pub(super) fn address_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// The addresses that a wildcard stands for. Link-local ones of IPv6 are left out: they mean
/// nothing in a Via or a Contact without the name of an interface, which cannot stand there.
fn expand(address: SocketAddr) -> Result<Vec<SocketAddr>, BindError> {
    if !address.ip().is_unspecified() {
        return Ok(vec![address]);
    }
    let interfaces = nix::ifaddrs::getifaddrs().map_err(|error| BindError::Other {
        transport: Transport::Udp,
        address,
        error: error.into(),
    })?;
    let mut found: Vec<SocketAddr> = interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|storage| {
            let v4 = storage.as_sockaddr_in().map(|at| IpAddr::V4(at.ip()));
            v4.or_else(|| storage.as_sockaddr_in6().map(|at| IpAddr::V6(at.ip())))
        })
        .filter(|ip| match ip {
            IpAddr::V4(_) => address.is_ipv4(),
            IpAddr::V6(ip) => address.is_ipv6() && !ip.is_unicast_link_local(),
        })
        .map(|ip| SocketAddr::new(ip, address.port()))
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn bind_datagrams(address: SocketAddr) -> Result<Datagrams, BindError> {
    let make = || {
        let socket = new_socket(address, Type::DGRAM, Protocol::UDP)?;
        // Room for a rush of calls; the kernel gives as much of it as it is set to.
        let _ = socket.set_recv_buffer_size(4 << 20);
        let _ = socket.set_send_buffer_size(1 << 20);
        socket.bind(&address.into())?;
        Datagrams::new(socket.into())
    };
    make().map_err(|error| classify(Transport::Udp, address, error))
}

/// A socket for our own requests, heard by those alone whom it is told of.
pub(super) fn bind_client_datagrams(local: IpAddr) -> io::Result<Datagrams> {
    let address = SocketAddr::new(local, 0);
    let socket = new_socket(address, Type::DGRAM, Protocol::UDP)?;
    let _ = socket.set_recv_buffer_size(1 << 20);
    socket.bind(&address.into())?;
    let mut socket = Datagrams::new(socket.into())?;
    socket.heard = Some(Heard::default());
    Ok(socket)
}

/// Where a connection begins that is yet to be made.
pub(super) fn bind_client_stream(local: IpAddr) -> io::Result<(Socket, SocketAddr)> {
    let address = SocketAddr::new(local, 0);
    let socket = new_socket(address, Type::STREAM, Protocol::TCP)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket();
    let bound = bound.ok_or_else(|| io::Error::other("the socket has no address"))?;
    Ok((socket, bound))
}

fn bind_stream(transport: Transport, address: SocketAddr) -> Result<TcpListener, BindError> {
    let make = || {
        let socket = new_socket(address, Type::STREAM, Protocol::TCP)?;
        // Connections of an earlier run that still linger do not count as somebody listening.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        TcpListener::from_std(socket.into())
    };
    make().map_err(|error| classify(transport, address, error))
}

fn new_socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn classify(transport: Transport, address: SocketAddr, error: io::Error) -> BindError {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            BindError::InUse { transport, address, holder: holder_of(transport, address) }
        }
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            BindError::Forbidden { port: address.port() }
        }
        _ => BindError::Other { transport, address, error },
    }
}

async fn accept(
    transport: Transport,
    listener: TcpListener,
    listening: SocketAddr,
    to_driver: mpsc::Sender<FromTask>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let accepted = FromTask::Accepted { stream, transport, listening };
                if to_driver.send(accepted).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: trying at once would only burn the processor.
                tracing::warn!(%error, %listening, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
