// SPDX-License-Identifier: GPL-3.0-or-later
//! Pairs of ports.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use socket2::SockRef;

use super::OpenError;

/// Expedited forwarding (RFC 3246), as IP has it in its header: voice does not wait behind mail.
const EXPEDITED: u32 = 46 << 2;

/// How many pairs are tried before the ports count as used up.
const TRIES: usize = 128;

/// From which ports pairs are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(RangeInclusive<u16>);

impl Ports {
    /// Ports of this range; none if it holds no pair that begins with an even port.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Option<Self> {
        let first = range.start().checked_next_multiple_of(2)?;
        let pairs = first != 0 && first < *range.end();
        pairs.then_some(Self(first..=*range.end()))
    }

    /// A pair at random, so that nobody knows beforehand where to aim: even for RTP, the next for
    /// RTCP (RFC 3550 §11).
    fn pick(&self) -> Result<u16, getrandom::Error> {
        let pairs = (u32::from(*self.0.end()) + 1 - u32::from(*self.0.start())) / 2;
        let at = getrandom::u32()? % pairs;
        // Within the range, which is one of ports.
        Ok(self.0.start() + (at * 2) as u16)
    }

    pub(super) fn open(&self, ip: IpAddr) -> Result<Pair, OpenError> {
        for _ in 0..TRIES {
            let port = self
                .pick()
                .map_err(|error| OpenError::Thread(io::Error::other(error.to_string())))?;
            match Pair::bind(ip, port) {
                Ok(pair) => return Ok(pair),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(OpenError::Address(ip, error)),
            }
        }
        Err(OpenError::NoPorts(ip))
    }
}

impl Default for Ports {
    /// Below the ports that the kernel gives to whoever does not care.
    fn default() -> Self {
        Self(16384..=32767)
    }
}

/// Two sockets.
pub(super) struct Pair {
    pub(super) sockets: [UdpSocket; 2],
    pub(super) addresses: [SocketAddr; 2],
}

impl Pair {
    fn bind(ip: IpAddr, port: u16) -> io::Result<Self> {
        let addresses = [SocketAddr::new(ip, port), SocketAddr::new(ip, port + 1)];
        let sockets = [UdpSocket::bind(addresses[0])?, UdpSocket::bind(addresses[1])?];
        for socket in &sockets {
            socket.set_nonblocking(true)?;
            // Networks that forbid it exist; packets then go as others do.
            let _ = match ip {
                IpAddr::V4(_) => SockRef::from(socket).set_tos_v4(EXPEDITED),
                IpAddr::V6(_) => SockRef::from(socket).set_tclass_v6(EXPEDITED),
            };
        }
        Ok(Self { sockets, addresses })
    }
}
