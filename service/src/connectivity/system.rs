// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks at the network of this machine.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

use super::{
    paths::Paths,
    picture::{Interface, Kind, Picture},
};

/// More interfaces than this are not looked at: a machine of containers has hundreds.
const MAX_INTERFACES: usize = 256;

/// The ways to more far ends than this are not looked at: each takes some microseconds.
const MAX_PATHS: usize = 4096;

/// So much of a table of routes is read.
const MAX_TABLE: u64 = 1 << 20;

/// The tables of routes, and which columns say where they lead: all but the counters.
const TABLES: [(&str, &[usize]); 2] =
    [("/proc/net/route", &[0, 1, 2, 3, 6, 7]), ("/proc/net/ipv6_route", &[0, 1, 2, 3, 4, 5, 9])];

/// Addresses that nobody has (RFC 5737, RFC 3849): to ask the kernel for the way there sends
/// nothing, and any default route leads there.
const NOWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// The network as it is now.
///
/// # Errors
/// If the kernel does not tell.
pub fn look() -> io::Result<Picture> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for found in getifaddrs()? {
        let is_up = found.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        if !is_up || found.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        let Some(address) = found.address.as_ref().and_then(address_of) else { continue };
        let name = found.interface_name;
        if let Some(known) = interfaces.iter_mut().find(|interface| interface.name == name) {
            known.addresses.push(address);
        } else if interfaces.len() < MAX_INTERFACES {
            let kind = kind_of(&name, found.flags);
            interfaces.push(Interface { name, kind, addresses: vec![address] });
        }
    }
    for interface in &mut interfaces {
        interface.addresses.sort_unstable();
        interface.addresses.dedup();
    }
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    let outward = NOWHERE.iter().filter_map(|nowhere| address_towards(*nowhere)).collect();
    Ok(Picture { interfaces, outward, routes: routes() })
}

/// Where the ways to these far ends begin. Nothing is sent for this.
#[must_use]
pub fn paths(far_ends: &BTreeSet<IpAddr>) -> Paths {
    let ends = far_ends.iter().copied().take(MAX_PATHS);
    // Any port: routes are not chosen by it.
    ends.filter_map(|far| Some((far, address_towards(SocketAddr::new(far, 9))?))).collect()
}

/// A number that is another one when the routes are. The tables that rules choose (ip-rule(8)) are
/// not in it; whom they lead elsewhere is seen by [`paths`].
fn routes() -> u64 {
    let mut hasher = DefaultHasher::new();
    for (table, columns) in TABLES {
        // A kernel without IPv6 has one table.
        let Ok(file) = File::open(table) else { continue };
        for line in BufReader::new(file.take(MAX_TABLE)).lines().map_while(Result::ok) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            columns.iter().for_each(|at| fields.get(*at).hash(&mut hasher));
        }
    }
    hasher.finish()
}

/// An address that others could reach: link-local ones cannot stand in a message.
fn address_of(storage: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(v4.ip()).filter(|ip| !ip.is_link_local()).map(IpAddr::V4);
    }
    let v6 = storage.as_sockaddr_in6()?.ip();
    Some(v6).filter(|ip| !ip.is_unicast_link_local()).map(IpAddr::V6)
}

/// The address of ours that the kernel would use to talk to that one.
fn address_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    let local = socket.local_addr().ok()?.ip();
    (!local.is_loopback()).then_some(local)
}

fn kind_of(name: &str, flags: InterfaceFlags) -> Kind {
    let folder = Path::new("/sys/class/net").join(name);
    let described = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    let device = described.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or("");
    match device {
        "wlan" => Kind::Wireless,
        "wireguard" => Kind::Tunnel,
        "wwan" => Kind::Mobile,
        _ if folder.join("tun_flags").exists()
            || flags.contains(InterfaceFlags::IFF_POINTOPOINT) =>
        {
            Kind::Tunnel
        }
        _ => Kind::Wired,
    }
}
