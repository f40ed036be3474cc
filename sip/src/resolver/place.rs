// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::flow::Transport;

/// One place where a request may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// What carries it.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// What the certificate of the far side must show: the domain that was looked up, never the
    /// target of an SRV record, since whoever forges DNS chooses that (RFC 5922 §7.1). A numeric
    /// address, where that was asked for.
    pub name: Arc<str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name(), self.address)
    }
}
