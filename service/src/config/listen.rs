// SPDX-License-Identifier: GPL-3.0-or-later
//! Where to listen: `udp:127.0.0.1`, `tcp:[::1]:5070`, `tls:192.0.2.1`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The port of SIP without TLS (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;

/// The port of SIP over TLS.
pub const SIPS_PORT: u16 = 5061;

/// What carries SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
    /// Datagrams.
    Udp,
}

impl Transport {
    /// The word used in files, on the bus and in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
        }
    }
}

/// Which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Port {
    /// This one or none; 0 means any that is free.
    Exactly(u16),
    /// 5060 (for TLS 5061) if it is free, else the next that is. All addresses written so share one
    /// number, those for TLS another.
    FirstFree,
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    /// What carries SIP there.
    pub transport: Transport,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Port,
}

impl ListenAddress {
    /// Both transports on the loopback.
    pub const LOOPBACK: [Self; 2] = {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = Port::FirstFree;
        [
            Self { transport: Transport::Udp, address, port },
            Self { transport: Transport::Tcp, address, port },
        ]
    };

    /// Where to bind, with the number that stands for "first free" this time.
    #[must_use]
    pub const fn socket(&self, first_free: u16) -> SocketAddr {
        match self.port {
            Port::Exactly(port) => SocketAddr::new(self.address, port),
            Port::FirstFree => SocketAddr::new(self.address, first_free),
        }
    }

    /// The same, open to other machines: a loopback address becomes every address of its family.
    #[must_use]
    pub const fn opened(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) if address.is_loopback() => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(address) if address.is_loopback() => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            other => other,
        };
        Self { address, ..*self }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = self.transport.as_str();
        match (self.port, self.address) {
            (Port::Exactly(port), address) => {
                write!(f, "{transport}:{}", SocketAddr::new(address, port))
            }
            (Port::FirstFree, IpAddr::V4(address)) => write!(f, "{transport}:{address}"),
            (Port::FirstFree, IpAddr::V6(address)) => write!(f, "{transport}:[{address}]"),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{}\" is no address to listen on: write udp:, tcp: or tls:, an IP address, and \
                 perhaps a port, as in udp:127.0.0.1:5060 or tcp:[::1]",
                text.escape_debug()
            )
        };
        let (transport, place) = text.split_once(':').ok_or_else(wrong)?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            "udp" => Transport::Udp,
            _ => return Err(wrong()),
        };
        if let Ok(socket) = place.parse::<SocketAddr>() {
            let port = Port::Exactly(socket.port());
            return Ok(Self { transport, address: socket.ip(), port });
        }
        let bracketed = place.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match bracketed {
            Some(inside) => inside.parse().map(IpAddr::V6),
            None => place.parse().map(IpAddr::V4),
        };
        Ok(Self { transport, address: address.map_err(|_| wrong())?, port: Port::FirstFree })
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, socket) in [
            ("udp:127.0.0.1", "127.0.0.1:5061"),
            ("tcp:127.0.0.1:0", "127.0.0.1:0"),
            ("udp:[::1]", "[::1]:5061"),
            ("tcp:[::1]:5070", "[::1]:5070"),
            ("udp:0.0.0.0:5060", "0.0.0.0:5060"),
            ("tls:192.0.2.1:5061", "192.0.2.1:5061"),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.socket(5061).to_string(), socket);
        }
        for wrong in [
            "",
            "udp",
            "udp:",
            "sctp:127.0.0.1",
            "127.0.0.1:5060",
            "udp:::1",
            "udp:[127.0.0.1]",
            "tcp:localhost",
            "udp:127.0.0.1:65536",
        ] {
            let error = wrong.parse::<ListenAddress>().unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn one_switch_opens_the_house() {
        for (closed, open) in [
            ("udp:127.0.0.1", "udp:0.0.0.0"),
            ("tcp:[::1]:5070", "tcp:[::]:5070"),
            ("tcp:192.0.2.1:5070", "tcp:192.0.2.1:5070"),
        ] {
            let closed: ListenAddress = closed.parse().unwrap();
            assert_eq!(closed.opened().to_string(), open);
        }
    }
}
