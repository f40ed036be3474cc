// SPDX-License-Identifier: GPL-3.0-or-later
//! Which addresses can be an end's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where an end lives. A description may name any address; one that lies elsewhere would have us
/// send to somebody who never asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On this machine: loopback addresses only.
    Machine,
    /// In the house or a private network: any address of one host but loopback and link-local.
    House,
    /// On the Internet: no private address either.
    Internet,
}

impl Scope {
    /// Whether an end of this scope can have that address.
    #[must_use]
    pub fn has(self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        if address.port() == 0 || ip.is_unspecified() || ip.is_multicast() {
            return false;
        }
        match self {
            Self::Machine => ip.is_loopback(),
            Self::House => !ip.is_loopback() && !is_of_link(ip),
            Self::Internet => !ip.is_loopback() && !is_of_link(ip) && !is_private(ip),
        }
    }
}

/// Link-local and broadcast.
fn is_of_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Of a network that is somebody's own: RFC 1918, RFC 6598 (what is behind a carrier's NAT),
/// RFC 4193; and what is no host's at all (`0.0.0.0/8`, `240.0.0.0/4`).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let of_carrier = first == 100 && (64..128).contains(&second);
            ip.is_private() || of_carrier || first == 0 || first >= 240 || is_of_protocols(ip)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || is_site_local(ip),
    }
}

/// 192.0.0.0/24 is kept for protocols (RFC 6890).
fn is_of_protocols(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [192, 0, 0, _])
}

/// fec0::/10, which was given up (RFC 3879) and still is nobody's.
fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}
