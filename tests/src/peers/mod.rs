// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs other people wrote, each driven by its own interface.

mod baresip;
mod kamailio;
mod kde;
mod keyring;
mod linphonec;
mod named;
mod openssl;
mod operator;
mod sipp;
mod sipsak;
mod telepathy;
mod twinkle;
mod unbound;

use std::net::SocketAddr;

pub use baresip::Baresip;
pub use kamailio::Kamailio;
pub use kde::Kde;
pub use keyring::{Keyring, Labelled};
pub use linphonec::Linphonec;
pub use named::{Named, Signed, Zone};
pub use openssl::Openssl;
pub use operator::{Digest, Manner, Misbehaving, Operator, OperatorPlan};
pub use sipp::Sipp;
pub use sipsak::Sipsak;
pub use telepathy::{Elsewhere, Telepathy};
pub use twinkle::Twinkle;
pub use unbound::Unbound;

/// What SIP is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// As in a `transport=` parameter.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }
}

/// What a phone needs to know to register.
#[derive(Debug, Clone)]
pub struct Account {
    /// The extension.
    pub number: String,
    /// Where the registrar listens.
    pub server: SocketAddr,
    /// How it is reached.
    pub transport: Transport,
    /// The password, if it has one.
    pub password: Option<String>,
    /// The name that goes with the password.
    pub login: String,
}

impl Account {
    /// An account without a password, over UDP.
    #[must_use]
    pub fn new(number: &str, server: SocketAddr) -> Self {
        let (number, login) = (number.to_owned(), number.to_owned());
        Self { number, server, transport: Transport::Udp, password: None, login }
    }

    /// The same over another transport.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The same with a password that goes with another name than the number.
    #[must_use]
    pub fn with_login(mut self, login: &str, password: &str) -> Self {
        self.login = login.into();
        self.with_password(password)
    }

    /// Somebody at the same server.
    #[must_use]
    pub fn address_of(&self, number: &str) -> String {
        format!("sip:{number}@{}", self.server)
    }
}
