// SPDX-License-Identifier: GPL-3.0-or-later
//! The socket of a simulated phone.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Instant;

use crate::{Message, Result};

/// What the phone speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// One connection to the server, kept as long as the phone lives.
    Tcp,
}

/// A socket to the server that sends and receives whole messages, or any bytes.
#[derive(Debug)]
pub enum Wire {
    /// A datagram socket, connected to the server.
    Udp(UdpSocket),
    /// A stream, with the bytes that are not yet a whole message.
    Tcp(TcpStream, Vec<u8>),
}

impl Wire {
    /// Opens a socket from an address of ours to the server.
    ///
    /// # Errors
    /// The socket cannot be made or the server does not take the connection.
    pub fn open(transport: Transport, from: IpAddr, server: SocketAddr) -> Result<Self> {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind((from, 0)).map_err(|e| format!("bind {from}: {e}"))?;
                socket.connect(server).map_err(|e| format!("connect to {server}: {e}"))?;
                Ok(Self::Udp(socket))
            }
            Transport::Tcp => {
                let stream =
                    TcpStream::connect(server).map_err(|e| format!("connect to {server}: {e}"))?;
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                Ok(Self::Tcp(stream, Vec::new()))
            }
        }
    }

    /// Our own address.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local(&self) -> Result<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream, _) => stream.local_addr(),
        }
        .map_err(|e| e.to_string())
    }

    /// The transport's name as in a Via header.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Tcp(..) => "TCP",
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Udp(socket) => socket.send(bytes).map(|_| ()),
            Self::Tcp(stream, _) => stream.write_all(bytes),
        }
        .map_err(|e| format!("send: {e}"))
    }

    /// Waits for the next whole message.
    ///
    /// # Errors
    /// The deadline passed or the connection was closed.
    pub fn receive(&mut self, deadline: Instant) -> Result<Message> {
        let mut buffer = vec![0; 70_000];
        loop {
            if let Self::Tcp(_, held) = self
                && let Some(message) = Message::take_from_stream(held)
            {
                return Ok(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("nothing came before the deadline".into());
            }
            let read = match self {
                Self::Udp(socket) => {
                    socket.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
                    socket.recv(&mut buffer)
                }
                Self::Tcp(stream, _) => {
                    stream.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
                    stream.read(&mut buffer)
                }
            };
            match (read, &mut *self) {
                (Ok(length), Self::Udp(_)) => {
                    if let Some(message) = Message::from_datagram(&buffer[..length]) {
                        return Ok(message);
                    }
                }
                (Ok(0), Self::Tcp(..)) => return Err("the server closed the connection".into()),
                (Ok(length), Self::Tcp(_, held)) => held.extend_from_slice(&buffer[..length]),
                // A datagram that met a closed port comes back as an error of the next receive.
                (Err(error), _)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock
                            | ErrorKind::TimedOut
                            | ErrorKind::Interrupted
                            | ErrorKind::ConnectionRefused
                    ) => {}
                (Err(error), _) => return Err(format!("receive: {error}")),
            }
        }
    }
}
