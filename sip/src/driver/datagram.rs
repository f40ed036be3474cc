// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    task::{Context, Poll},
};

use bytes::Bytes;
use nix::{
    libc,
    sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
        sockopt::{Ipv4RecvErr, Ipv6RecvErr},
    },
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{Incoming, ways::Heard};
use crate::{
    flow::{Flow, Transport},
    wire::{Limits, parse_datagram},
};

/// A UDP socket, with what the kernel would not take at once.
///
/// Only arrivals wake its task: the kernel also tells of room for more whenever something was sent,
/// which would be a wake-up for each message.
pub(super) struct Datagrams {
    pub(super) local: SocketAddr,
    /// Whom it hears, if it is there for our own requests alone.
    pub(super) heard: Option<Heard>,
    socket: AsyncFd<UdpSocket>,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    /// Where nobody took what was sent, by ICMP, and how often: it may be a phone that is just
    /// restarting.
    refusing: VecDeque<(SocketAddr, u8)>,
    /// Those who did not take it [`REFUSALS`] times.
    refused: Vec<SocketAddr>,
    /// Tells when the kernel takes more; there only while something waits.
    room: Option<AsyncFd<UdpSocket>>,
}

/// Datagrams read at one go from one socket.
const AT_ONE_GO: usize = 64;

/// So many datagrams in a row are refused before a far end is given up: a request and what repeats it
/// after 0.5 and 1.5 s (RFC 3261 §17.1.1.2).
const REFUSALS: u8 = 3;

/// Far ends of which it is remembered that they refuse datagrams.
const MOST_REFUSING: usize = 64;

/// Datagrams that may wait. Those beyond are lost, as they may be anywhere on their way.
const MOST_WAITING: usize = 1024;

impl Datagrams {
    /// The socket must not block.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        // All share the socket: a bare error would not tell whose datagram met a closed port.
        match local {
            SocketAddr::V4(_) => setsockopt(&socket, Ipv4RecvErr, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvErr, &true)?,
        }
        let socket = watch(socket, Interest::READABLE)?;
        Ok(Self {
            local,
            heard: None,
            socket,
            waiting: VecDeque::new(),
            refusing: VecDeque::new(),
            refused: Vec::new(),
            room: None,
        })
    }

    /// Hears that address from now on, which one of our ways leads to.
    pub(super) fn hear(&mut self, source: IpAddr, used: u64) {
        if let Some(heard) = &mut self.heard {
            heard.note(source, used);
        }
    }

    pub(super) fn send(&mut self, remote: SocketAddr, bytes: Bytes) -> io::Result<()> {
        if self.waiting.is_empty() {
            let mut sent = self.socket.get_ref().send_to(&bytes, remote);
            // The error of an earlier datagram, to whomever: this one has not been sent yet.
            if sent.is_err() && self.read_refusals() {
                sent = self.socket.get_ref().send_to(&bytes, remote);
            }
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map(|_| ()),
            }
        }
        if self.room.is_none() {
            let socket = self.socket.get_ref().try_clone()?;
            self.room = Some(watch(socket, Interest::WRITABLE)?);
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((remote, bytes));
        }
        Ok(())
    }

    /// Those who did not take what was sent to them, nor what was sent again and again (RFC 3261
    /// §18.4).
    pub(super) fn take_refusals(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.refused)
    }

    /// Reads what the kernel was told by ICMP; says whether there was anything. The next datagram
    /// on the socket tells that there is, which a retransmission will be.
    fn read_refusals(&mut self) -> bool {
        let mut any = false;
        for _ in 0..AT_ONE_GO {
            let mut start = [0; 0];
            let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
            let mut iov = [IoSliceMut::new(&mut start)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let fd = self.socket.get_ref().as_raw_fd();
            let read = recvmsg::<SockaddrStorage>(fd, &mut iov, Some(&mut control), flags);
            let Ok(read) = read else { break };
            any = true;
            let is_refusal = read.cmsgs().is_ok_and(|mut all| {
                all.any(|one| match one {
                    ControlMessageOwned::Ipv4RecvErr(error, _)
                    | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                        let unreachable =
                            [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH];
                        unreachable.iter().any(|&errno| u32::try_from(errno) == Ok(error.ee_errno))
                    }
                    _ => false,
                })
            });
            if is_refusal && let Some(remote) = read.address.as_ref().and_then(address) {
                self.note_refusal(remote);
            }
        }
        any
    }

    fn note_refusal(&mut self, remote: SocketAddr) {
        if let Some(at) = self.refusing.iter().position(|(refusing, _)| *refusing == remote) {
            self.refusing[at].1 += 1;
            if self.refusing[at].1 >= REFUSALS {
                self.refusing.remove(at);
                self.refused.push(remote);
            }
            return;
        }
        if self.refusing.len() == MOST_REFUSING {
            self.refusing.pop_front();
        }
        self.refusing.push_back((remote, 1));
    }

    /// Sends what waits, if the kernel takes it.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) {
        let Some(room) = &self.room else { return };
        while let Some((remote, bytes)) = self.waiting.front() {
            let Poll::Ready(Ok(mut ready)) = room.poll_write_ready(context) else { return };
            match room.get_ref().send_to(bytes, remote) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                // Sent, or never to be sent: the retransmission will tell.
                _ => drop(self.waiting.pop_front()),
            }
        }
        self.room = None;
    }

    /// Adds what has come in, up to a bound, or sees to it that the task is woken when something
    /// comes.
    pub(super) fn poll_recv(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        limits: &Limits,
        batch: &mut Vec<Incoming>,
    ) {
        let mut count = 0;
        while count < AT_ONE_GO
            && let Poll::Ready(Ok(mut ready)) = self.socket.poll_read_ready(context)
        {
            match self.socket.get_ref().recv_from(buffer) {
                Ok((length, remote)) => {
                    count += 1;
                    if self.heard.as_ref().is_some_and(|heard| !heard.hears(remote.ip())) {
                        continue;
                    }
                    if !self.refusing.is_empty() {
                        self.refusing.retain(|(refusing, _)| *refusing != remote);
                    }
                    batch.extend(self.read(&buffer[..length], remote, limits));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                // What an earlier datagram ran into; not the fault of this one.
                Err(_) => {
                    count += 1;
                    self.read_refusals();
                }
            }
        }
    }

    fn read(&self, datagram: &[u8], remote: SocketAddr, limits: &Limits) -> Option<Incoming> {
        // Keep-alives of phones behind a NAT, and other noise that has no header.
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            return None;
        }
        let local = self.local;
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let bytes = Bytes::copy_from_slice(datagram);
        Some(match parse_datagram(bytes.clone(), limits) {
            Ok(message) => Incoming::Message { flow, message },
            Err(fault) => Incoming::Malformed { flow, bytes, fault },
        })
    }
}

/// Whom a datagram was for.
fn address(found: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = found.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| found.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

/// Asks tokio to wake us for this alone.
#[expect(
    deprecated,
    reason = "its successor is unsafe, since a type may lie about its descriptor; std's does not"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}
