// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    io::{self, Read, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustls::Connection;
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
};

use super::handshake::words;

/// A stream on which TLS is agreed.
pub(in crate::driver) struct TlsStream {
    stream: TcpStream,
    session: Mutex<Connection>,
}

/// Reads and writes without waiting.
pub(super) struct Io<'a>(pub(super) &'a TcpStream);

impl Read for Io<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsStream {
    pub(super) fn new(stream: TcpStream, session: Connection) -> Self {
        Self { stream, session: Mutex::new(session) }
    }

    fn session(&self) -> MutexGuard<'_, Connection> {
        // Nothing here leaves it half-way.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::driver) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        // What was deciphered already makes no socket readable.
        if self.has_unread() {
            return Ok(Ready::READABLE);
        }
        self.stream.ready(interest).await
    }

    fn has_unread(&self) -> bool {
        let state = self.session().process_new_packets();
        state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    pub(in crate::driver) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session();
        loop {
            match session.reader().read(buffer) {
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a farewell. No message is taken for whole by that: each says
                // how long it is.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            session.read_tls(&mut Io(&self.stream))?;
            if let Err(error) = session.process_new_packets() {
                // The alert that says so.
                let _ = flush(&mut session, &self.stream);
                return Err(io::Error::new(io::ErrorKind::InvalidData, words(&error)));
            }
            flush(&mut session, &self.stream)?;
        }
    }

    pub(in crate::driver) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut session = self.session();
        flush(&mut session, &self.stream)?;
        // One record after the other, so that no more is kept here than the kernel does not take.
        if session.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = session.writer().write(bytes)?;
        flush(&mut session, &self.stream)?;
        Ok(written)
    }

    #[cfg(test)]
    pub(in crate::driver) fn is_resumed(&self) -> bool {
        self.session().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Writes what was enciphered and not taken.
    pub(in crate::driver) fn try_flush(&self) -> io::Result<()> {
        flush(&mut self.session(), &self.stream)
    }

    /// Whether something enciphered waits to be written.
    pub(in crate::driver) fn wants_write(&self) -> bool {
        self.session().wants_write()
    }

    /// Says farewell, so that the far end knows that nothing was cut off.
    pub(in crate::driver) fn shut(&self) {
        let mut session = self.session();
        session.send_close_notify();
        let _ = flush(&mut session, &self.stream);
    }
}

fn flush(session: &mut Connection, stream: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(&mut Io(stream)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
