// SPDX-License-Identifier: GPL-3.0-or-later

use std::{collections::VecDeque, io, net::SocketAddr, task::Context};

use bytes::Bytes;
use tokio::net::UdpSocket;

use super::Incoming;
use crate::{
    flow::{Flow, Transport},
    wire::{Limits, parse_datagram},
};

/// A UDP socket, with what the kernel would not take at once.
pub(super) struct Datagrams {
    pub(super) local: SocketAddr,
    socket: UdpSocket,
    waiting: VecDeque<(SocketAddr, Bytes)>,
}

/// Datagrams read at one go from one socket.
const AT_ONE_GO: usize = 64;

/// Datagrams that may wait. Those beyond are lost, as they may be anywhere on their way.
const MOST_WAITING: usize = 1024;

impl Datagrams {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self { local: socket.local_addr()?, socket, waiting: VecDeque::new() })
    }

    pub(super) fn send(&mut self, remote: SocketAddr, bytes: Bytes) -> io::Result<()> {
        if self.waiting.is_empty() {
            // Straight to the kernel: tokio believes a fresh socket to be full until it was asked.
            match socket2::SockRef::from(&self.socket).send_to(&bytes, &remote.into()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map(|_| ()),
            }
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((remote, bytes));
        }
        Ok(())
    }

    /// Sends what waits, if the kernel takes it.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) {
        while !self.waiting.is_empty() && self.socket.poll_send_ready(context).is_ready() {
            while let Some((remote, bytes)) = self.waiting.front() {
                match self.socket.try_send_to(bytes, *remote) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Sent, or never to be sent: the retransmission will tell.
                    _ => self.waiting.pop_front(),
                };
            }
        }
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
        while count < AT_ONE_GO && self.socket.poll_recv_ready(context).is_ready() {
            match self.socket.try_recv_from(buffer) {
                Ok((length, remote)) => {
                    count += 1;
                    batch.extend(self.read(&buffer[..length], remote, limits));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
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
