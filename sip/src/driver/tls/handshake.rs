// SPDX-License-Identifier: GPL-3.0-or-later

use std::{io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConnection, Connection, Error, ServerConnection,
    pki_types::ServerName,
};
use tokio::net::TcpStream;

use super::{Accepting, BadCertificate, Client, TlsStream, session::Io};
use crate::{driver::FlowFault, peer::PeerIdentity};

/// Agrees with a server that has to be `name`.
pub(in crate::driver) async fn connect(
    client: &Client,
    stream: TcpStream,
    name: &str,
) -> Result<(TlsStream, PeerIdentity), FlowFault> {
    let server = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("no certificate can be for {name:?}"))?;
    let session =
        ClientConnection::new(client.config().await, server).map_err(|error| words(&error))?;
    agree(client, stream, session.into()).await.map_err(|failed| match failed {
        Failed::Session(error) => match bad_certificate(&error) {
            Some(bad) => FlowFault::Certificate { name: name.into(), bad: Box::new(bad.clone()) },
            None => words(&error).into(),
        },
        Failed::Stream(why) => why.into(),
    })
}

/// Agrees with a client, whoever it is.
pub(in crate::driver) async fn accept(
    accepting: &Accepting,
    stream: TcpStream,
) -> Result<(TlsStream, PeerIdentity), FlowFault> {
    let session =
        ServerConnection::new(Arc::clone(&accepting.config)).map_err(|error| words(&error))?;
    agree(&accepting.client, stream, session.into()).await.map_err(|failed| match failed {
        Failed::Session(error) => words(&error).into(),
        Failed::Stream(why) => why.into(),
    })
}

/// Why nothing was agreed.
enum Failed {
    /// One of the two ends did not like what it was told.
    Session(Error),
    /// What carries it broke.
    Stream(String),
}

async fn agree(
    client: &Client,
    stream: TcpStream,
    mut session: Connection,
) -> Result<(TlsStream, PeerIdentity), Failed> {
    let of_stream = |error: io::Error| Failed::Stream(error.to_string());
    loop {
        while session.wants_write() {
            match session.write_tls(&mut Io(&stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stream.writable().await.map_err(of_stream)?;
                }
                Err(error) => return Err(of_stream(error)),
            }
        }
        if !session.is_handshaking() {
            break;
        }
        stream.readable().await.map_err(of_stream)?;
        match session.read_tls(&mut Io(&stream)) {
            Ok(0) => {
                let why = "the far end hung up before TLS was agreed";
                return Err(Failed::Stream(why.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(of_stream(error)),
        }
        if let Err(error) = session.process_new_packets() {
            // The alert that says so; whether it arrives does not matter any more.
            let _ = session.write_tls(&mut Io(&stream));
            return Err(Failed::Session(error));
        }
    }
    let identity = client.identity(session.peer_certificates()).await;
    Ok((TlsStream::new(stream, session), identity))
}

/// What our verifier had against the certificate of the far end, if it was that.
fn bad_certificate(error: &Error) -> Option<&BadCertificate> {
    let Error::InvalidCertificate(CertificateError::Other(why)) = error else { return None };
    why.0.downcast_ref()
}

/// Why TLS failed, for a person.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(why)) => why.0.to_string(),
        Error::InvalidMessage(_) => "what the far end speaks is not TLS".to_owned(),
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied,
        ) => "the far end does not accept our certificate".to_owned(),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the far end wants a certificate of ours, and we have none".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the far end does not know the name that it was asked for".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        )
        | Error::PeerIncompatible(_) => {
            "the far end speaks no TLS that is still safe (1.2 or later)".to_owned()
        }
        other => other.to_string(),
    }
}
