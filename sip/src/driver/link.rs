// SPDX-License-Identifier: GPL-3.0-or-later

use std::io;

use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
};

/// What carries the octets of a connection: read and written without waiting, from more than one
/// place.
pub(super) enum Link {
    /// Plain TCP.
    Tcp(TcpStream),
}

impl Link {
    /// Waits until it can be read or, if that is of interest, written.
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what there is; `WouldBlock` if there is nothing, zero at the end.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
        }
    }

    /// Writes what it takes; `WouldBlock` if it takes nothing.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
        }
    }
}
