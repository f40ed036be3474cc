// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the two ends of a leg are.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use sipwitch_media::{
    driver::{Located, Place},
    relay::Scope,
    sdp::Description,
};
use sipwitch_sip::flow::{Flow, Transport};

use crate::{
    socket_owner::SocketOwners,
    switchboard::anchors::{Far, Unlocated},
};

/// An address of the Internet that is nobody's (RFC 5737): the way there is the way out. Nothing is
/// sent to it.
pub(super) const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const HERE_IN_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// The port that throws away what it gets (RFC 863).
const DISCARD: u16 = 9;

/// Where media are wanted: as it is described, or where that is left out as it is known.
pub(super) fn described(description: &[u8], known: &[Located]) -> Vec<Located> {
    let Ok(said) = Description::parse(description) else { return Vec::new() };
    let located =
        said.streams().enumerate().filter_map(|(medium, stream)| match stream.rtp_address() {
            Some(rtp) => Some(Located { medium, rtp, rtcp: stream.rtcp_address() }),
            None if stream.is_unplaced() => {
                known.iter().find(|known| known.medium == medium).copied()
            }
            None => None,
        });
    located.collect()
}

/// Programs are on this machine, by whatever address of it they describe themselves. They send from
/// the ports at which they receive: whoever else sends to ours is not the program.
pub(super) fn near_place(wanted: &[Located]) -> Place {
    let is_in_6 = !wanted.is_empty() && wanted.iter().all(|at| at.rtp.is_ipv6());
    let ours = if is_in_6 { HERE_IN_6 } else { HERE };
    // Only an address of ours can be bound.
    let is_elsewhere = |at: &Located| !at.rtp.ip().is_loopback() && is_own(at.rtp.ip());
    let scope = if wanted.iter().any(is_elsewhere) { Scope::House } else { Scope::Machine };
    // What a program sends to a loopback address comes from one, if its socket has no address of its
    // own. Then that port is its there, too; another user's is not.
    let mut others = wanted.iter().filter(|at| at.rtp.ip() != ours);
    let signalling = others.all(|at| is_users_own(ours, at)).then_some(ours);
    Place { ours, scope, signalling, symmetric: true, authenticated: true }
}

/// Whether the ports belong to our user at this address as well. Where the kernel does not tell, the
/// numbers of the ports have to do.
fn is_users_own(ours: IpAddr, at: &Located) -> bool {
    let Ok(owners) = SocketOwners::open() else { return true };
    let us = nix::unistd::getuid().as_raw();
    let owner = |port: u16| {
        // As if a packet of ours came there.
        let (remote, local) = (SocketAddr::new(ours, port), SocketAddr::new(ours, DISCARD));
        owners.uid(&Flow { transport: Transport::Udp, local, remote, connection: None })
    };
    // Not everybody has a port for reports; but nobody else is to get them.
    let reports = at.rtcp.and_then(|rtcp| owner(rtcp.port()));
    owner(at.rtp.port()) == Some(us) && reports.is_none_or(|uid| uid == us)
}

/// Where a program is reached that says so. It may have asked its router for an address of the
/// Internet, as farstream does by UPnP: then the same port is its own on loopback.
///
/// # Errors
/// It is not there.
pub(super) fn on_this_machine(at: Located) -> Result<Located, Unlocated> {
    let is_here = |at: SocketAddr| at.ip().is_loopback() || is_own(at.ip());
    let no_port = at.rtp.port() == 0 || at.rtcp.is_some_and(|rtcp| rtcp.port() == 0);
    let addresses = [Some(at.rtp), at.rtcp];
    let elsewhere = addresses.into_iter().flatten().find(|address| !is_here(*address));
    match elsewhere {
        _ if no_port => Err(Unlocated::Impossible(format!("{} has no port", at.rtp.ip()))),
        None => Ok(at),
        Some(_) if at.rtp.is_ipv4() && is_users_own(HERE, &at) => {
            let here = |address: SocketAddr| SocketAddr::new(HERE, address.port());
            Ok(Located { rtp: here(at.rtp), rtcp: at.rtcp.map(here), ..at })
        }
        Some(address) => {
            let words = format!("{address} is no address of a socket of the user on this machine");
            Err(Unlocated::Impossible(words))
        }
    }
}

fn is_own(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

pub(super) fn far_place(far: Far) -> Place {
    let towards = far.signalling.unwrap_or(OUTSIDE);
    let ours = far.ours.or_else(|| ours_towards(towards).ok()).unwrap_or(HERE);
    let scope = match far.signalling.map(|ip| ip.to_canonical()) {
        Some(ip) if ip.is_loopback() => Scope::Machine,
        Some(ip) if Scope::Internet.has((ip, 9).into()) => Scope::Internet,
        _ => Scope::House,
    };
    // Whatever loopback address a program of this machine describes, a socket of its that has none
    // speaks from the first.
    let signalling = match far.signalling {
        Some(ip) if scope == Scope::Machine => Some(if ip.is_ipv6() { HERE_IN_6 } else { HERE }),
        other => other,
    };
    let symmetric = false;
    Place { ours, scope, signalling, symmetric, authenticated: far.is_authenticated }
}

/// Our address on the way there. Nothing is sent.
fn ours_towards(there: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((there, 9))?;
    Ok(socket.local_addr()?.ip())
}
