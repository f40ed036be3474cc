// SPDX-License-Identifier: GPL-3.0-or-later

use std::io;

use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
};

use super::tls::TlsStream;

/// What carries the octets of a connection: read and written without waiting, from more than one
/// place.
pub(super) enum Link {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS that is agreed.
    Tls(Box<TlsStream>),
}

impl Link {
    /// Waits until it can be read or, if that is of interest, written.
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Tls(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what there is; `WouldBlock` if there is nothing, zero at the end.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Tls(stream) => stream.try_read(buffer),
        }
    }

    /// Writes what it takes; `WouldBlock` if it takes nothing.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Tls(stream) => stream.try_write(bytes),
        }
    }

    /// Writes what it took and kept.
    pub(super) fn try_flush(&self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(stream) => stream.try_flush(),
        }
    }

    /// Whether it keeps something that is to be written.
    pub(super) fn wants_write(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Tls(stream) => stream.wants_write(),
        }
    }

    /// Ends it in good order, as far as that can be done without waiting.
    pub(super) fn shut(&self) {
        match self {
            Self::Tcp(_) => {}
            Self::Tls(stream) => stream.shut(),
        }
    }
}
