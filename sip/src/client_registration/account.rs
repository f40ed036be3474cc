// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use bytes::Bytes;

use crate::wire::Uri;

/// What an account is, and what its provider is known to want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The Request-URI of a REGISTER: the registrar's domain.
    pub registrar: Uri,
    /// The address of record.
    pub address: Uri,
    /// The name shown with it; empty for none.
    pub display: String,
    /// The user part of our Contact. Whatever comes from the provider for this account has it in
    /// its Request-URI, so it must be the account's alone, and nobody should guess it.
    pub contact_user: String,
    /// The URN of this installation, `urn:uuid:…` (RFC 5626 §4.1): the same after a restart.
    pub instance: Option<String>,
    /// Route values: the provider's outbound proxy.
    pub route: Vec<Bytes>,
    /// How long a registration is to hold. Shorter ones find a lost binding earlier and cost more.
    pub expires: Duration,
    /// Whether to ask for flows (RFC 5626) and for GRUUs (RFC 5627), where there is an instance.
    pub outbound: bool,
    /// Whether our Contact is the address under which the registrar sees us, where that is another
    /// one than our own and it takes no flows: for registrars that believe what is written there.
    pub maps_contact: bool,
    /// How flows are kept alive.
    pub keep_alive: KeepAlive,
    /// Whether this provider says 403 when the password is wrong.
    pub forbidden_is_password: bool,
    /// User-Agent; empty leaves it out.
    pub product: String,
}

impl Account {
    /// An ordinary one.
    #[must_use]
    pub fn new(registrar: Uri, address: Uri, contact_user: impl Into<String>) -> Self {
        Self {
            registrar,
            address,
            display: String::new(),
            contact_user: contact_user.into(),
            instance: None,
            route: Vec::new(),
            expires: Duration::from_secs(600),
            outbound: true,
            maps_contact: false,
            keep_alive: KeepAlive::default(),
            forbidden_is_password: false,
            product: String::new(),
        }
    }
}

/// How the flow to a provider is kept open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepAlive {
    /// With what.
    pub ping: Ping,
    /// How often. None finds out whether the flow needs it at all (it goes through an address
    /// translator, or the registrar asks for it) and takes the intervals of RFC 5626 §4.4.1.
    pub interval: Option<Duration>,
}

/// What keeps a flow alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ping {
    /// A double CRLF (RFC 5626 §3.5.1), also in a datagram.
    #[default]
    Crlf,
    /// OPTIONS, whose answer shows also that somebody is there and how we are seen.
    Options,
    /// A REGISTER.
    Register,
    /// Nothing.
    Nothing,
}
