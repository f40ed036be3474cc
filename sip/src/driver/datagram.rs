// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{Interest, unix::AsyncFd};

use super::Incoming;
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
    socket: AsyncFd<UdpSocket>,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    /// Tells when the kernel takes more; there only while something waits.
    room: Option<AsyncFd<UdpSocket>>,
}

/// Datagrams read at one go from one socket.
const AT_ONE_GO: usize = 64;

/// Datagrams that may wait. Those beyond are lost, as they may be anywhere on their way.
const MOST_WAITING: usize = 1024;

impl Datagrams {
    /// The socket must not block.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let socket = watch(socket, Interest::READABLE)?;
        Ok(Self { local, socket, waiting: VecDeque::new(), room: None })
    }

    pub(super) fn send(&mut self, remote: SocketAddr, bytes: Bytes) -> io::Result<()> {
        if self.waiting.is_empty() {
            match self.socket.get_ref().send_to(&bytes, remote) {
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
        &self,
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
                    batch.extend(self.read(&buffer[..length], remote, limits));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                // What an earlier datagram ran into; not the fault of this one.
                Err(_) => count += 1,
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

/// Asks tokio to wake us for this alone.
#[expect(
    deprecated,
    reason = "its successor is unsafe, since a type may lie about its descriptor; std's does not"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}
