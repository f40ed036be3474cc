// SPDX-License-Identifier: GPL-3.0-or-later
//! Where messages come from and go to.

use std::{fmt, net::SocketAddr};

use bytes::Bytes;

/// What carries messages (RFC 3261 §18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket inside TLS.
    Wss,
}

impl Transport {
    /// Whether the transport repeats lost data by itself, so that requests need not be repeated.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The name in a Via (RFC 3261 §20.42).
    #[must_use]
    pub const fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The lower-case name, as in a `transport=` parameter, a configuration file or on the bus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The transport of that name, in either case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.name().eq_ignore_ascii_case(name))
    }
}

/// Names one connection of a stream transport for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A path between one of our sockets and one far address (RFC 5626 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub transport: Transport,
    /// Our side; for a stream not yet connected, the listener's address of that transport.
    pub local: SocketAddr,
    /// The far side.
    pub remote: SocketAddr,
    /// The connection, for a stream that stands. None asks the driver to reuse one to the same far
    /// address or to open one.
    pub connection: Option<ConnectionId>,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name(), self.remote)
    }
}

/// Bytes to put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where.
    pub flow: Flow,
    /// What: one whole message.
    pub bytes: Bytes,
}
