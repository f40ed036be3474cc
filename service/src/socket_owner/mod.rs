// SPDX-License-Identifier: GPL-3.0-or-later
//! Who owns the socket at the far end of a flow inside this machine.
//!
//! A phone on this machine that belongs to the user need not know a password: the kernel vouches
//! for it. It is asked through `NETLINK_SOCK_DIAG` (sock_diag(7)), one exact look-up, since reading
//! `/proc/net/udp` costs as much as there are sockets.
//!
//! The answer is only worth something while the socket exists: it is asked anew for each request
//! that begins something.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use sipwitch_sip::flow::{Flow, Transport};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` of `linux/netlink.h`.
const NLM_F_REQUEST: u16 = 1;
/// `NLMSG_ERROR` of `linux/netlink.h`.
const NLMSG_ERROR: u16 = 2;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
/// Where `idiag_uid` stands in `struct inet_diag_msg`.
const UID: usize = 64;

/// Asks the kernel who owns sockets.
#[derive(Debug)]
pub struct SocketOwners {
    netlink: OwnedFd,
    /// Pairs an answer with its question.
    sequence: Cell<u32>,
}

impl SocketOwners {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    /// There is no `sock_diag` here (seccomp, or a kernel without it).
    pub fn open() -> io::Result<Self> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )?;
        bind(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // The kernel answers in the same system call; this only guards against never.
        setsockopt(&netlink, sockopt::ReceiveTimeout, &TimeVal::new(0, 200_000))?;
        Ok(Self { netlink, sequence: Cell::new(0) })
    }

    /// The user who owns the far socket of a flow that ends on loopback here. None if it does not,
    /// or no such socket exists on this machine.
    ///
    /// A phone may speak to loopback from any address of the machine: baresip binds to that of the
    /// network card. That it is one of ours is asked, since a socket bound to no address would be
    /// found for a stranger's as well.
    #[must_use]
    pub fn uid(&self, flow: &Flow) -> Option<u32> {
        let remote = canonical(flow.remote);
        let local = canonical(flow.local);
        if !local.ip().is_loopback() || !is_of_this_machine(remote.ip()) {
            return None;
        }
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        let message = request(sequence, flow.transport, remote, local);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.netlink.as_raw_fd(), &message, &kernel, MsgFlags::empty()).ok()?;
        let mut answer = [0; 512];
        let length = recv(self.netlink.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
        uid_of(sequence, &answer[..length])
    }
}

/// Whether an interface of this machine bears the address.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback()
        || getifaddrs().is_ok_and(|all| {
            all.filter_map(|interface| interface.address).any(|address| {
                let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
                let v6 = || address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
                v4.or_else(v6) == Some(ip)
            })
        })
}

/// An IPv4 address that came through an IPv6 socket is an IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn request(
    sequence: u32,
    transport: Transport,
    remote: SocketAddr,
    local: SocketAddr,
) -> [u8; HEADER + REQUEST] {
    let protocol =
        if transport == Transport::Udp { libc_protocol::UDP } else { libc_protocol::TCP };
    // For TCP the source is the socket asked about and the destination its peer. For UDP the
    // kernel looks up as if a datagram had arrived: from the source at the destination
    // (net/ipv4/udp_diag.c), so the socket asked about is the destination.
    let (source, destination) =
        if transport == Transport::Udp { (local, remote) } else { (remote, local) };
    let mut message = [0; HEADER + REQUEST];
    let total = u32::try_from(HEADER + REQUEST).unwrap_or(u32::MAX);
    message[0..4].copy_from_slice(&total.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    let body = &mut message[HEADER..];
    body[0] = if remote.is_ipv4() { libc_protocol::INET } else { libc_protocol::INET6 };
    body[1] = protocol;
    body[4..8].copy_from_slice(&u32::MAX.to_ne_bytes()); // any state
    body[8..10].copy_from_slice(&source.port().to_be_bytes());
    body[10..12].copy_from_slice(&destination.port().to_be_bytes());
    put_ip(&mut body[12..28], source.ip());
    put_ip(&mut body[28..44], destination.ip());
    // Interface 0 is any; a cookie of all ones matches any socket.
    body[48..56].copy_from_slice(&u64::MAX.to_ne_bytes());
    message
}

fn put_ip(place: &mut [u8], ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => place[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => place.copy_from_slice(&v6.octets()),
    }
}

fn uid_of(sequence: u32, answer: &[u8]) -> Option<u32> {
    if u32::from_ne_bytes(answer.get(8..12)?.try_into().ok()?) != sequence {
        return None;
    }
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if kind == NLMSG_ERROR || kind != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let uid = answer.get(HEADER + UID..HEADER + UID + 4)?;
    Some(u32::from_ne_bytes(uid.try_into().ok()?))
}

/// Numbers of the kernel's interface, so that no further crate is needed for four of them.
mod libc_protocol {
    pub(super) const TCP: u8 = 6;
    pub(super) const UDP: u8 = 17;
    pub(super) const INET: u8 = 2;
    pub(super) const INET6: u8 = 10;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    fn flow(transport: Transport, local: SocketAddr, remote: SocketAddr) -> Flow {
        Flow { transport, local, remote, connection: None }
    }

    #[test]
    fn our_own_sockets_are_ours() {
        let me = nix::unistd::getuid().as_raw();
        let owners = SocketOwners::open().unwrap();
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let ours = UdpSocket::bind(host).unwrap();
            let theirs = UdpSocket::bind(host).unwrap();
            let udp =
                flow(Transport::Udp, ours.local_addr().unwrap(), theirs.local_addr().unwrap());
            assert_eq!(owners.uid(&udp), Some(me), "{udp}");

            let listener = TcpListener::bind(host).unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let tcp =
                flow(Transport::Tcp, listener.local_addr().unwrap(), stream.local_addr().unwrap());
            assert_eq!(owners.uid(&tcp), Some(me), "{tcp}");
        }
    }

    #[test]
    fn a_socket_that_is_gone_or_not_on_loopback_belongs_to_nobody() {
        let owners = SocketOwners::open().unwrap();
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(owners.uid(&flow(Transport::Udp, ours.local_addr().unwrap(), gone)), None);
        let far = "192.0.2.1:5060".parse().unwrap();
        assert_eq!(owners.uid(&flow(Transport::Udp, ours.local_addr().unwrap(), far)), None);
    }

    #[test]
    fn a_phone_bound_to_the_network_card_is_ours_too() {
        let me = nix::unistd::getuid().as_raw();
        let owners = SocketOwners::open().unwrap();
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Where a datagram to the world would leave; without a network it is loopback again.
        let card = UdpSocket::bind("0.0.0.0:0").unwrap();
        let card = card
            .connect("198.51.100.1:9")
            .and_then(|()| card.local_addr())
            .map_or_else(|_| "127.0.0.1".parse().unwrap(), |at| at.ip());
        let theirs = UdpSocket::bind((card, 0)).unwrap();
        let udp = flow(Transport::Udp, ours.local_addr().unwrap(), theirs.local_addr().unwrap());
        assert_eq!(owners.uid(&udp), Some(me), "{udp}");
        let wildcard = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = wildcard.local_addr().unwrap().port();
        let stranger = SocketAddr::new("203.0.113.9".parse().unwrap(), port);
        assert_eq!(owners.uid(&flow(Transport::Udp, ours.local_addr().unwrap(), stranger)), None);
    }

    #[test]
    fn a_wildcard_socket_is_found_by_the_address_it_sent_from() {
        let me = nix::unistd::getuid().as_raw();
        let owners = SocketOwners::open().unwrap();
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        let theirs = UdpSocket::bind("0.0.0.0:0").unwrap();
        let from =
            SocketAddr::new("127.0.0.1".parse().unwrap(), theirs.local_addr().unwrap().port());
        let dual = UdpSocket::bind("[::]:0").unwrap();
        let mapped =
            SocketAddr::new("127.0.0.1".parse().unwrap(), dual.local_addr().unwrap().port());
        for remote in [from, mapped] {
            let udp = flow(Transport::Udp, ours.local_addr().unwrap(), remote);
            assert_eq!(owners.uid(&udp), Some(me));
        }
    }
}
