// SPDX-License-Identifier: GPL-3.0-or-later

use std::{net::SocketAddr, time::Duration};

use crate::flow::Transport;

/// The methods we take, as Allow tells them (RFC 3261 §20.5).
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS, REFER, NOTIFY, REGISTER";

/// The extensions we take when they are required, as Supported tells them. `path`, `outbound` and
/// `gruu` are the registrar's.
pub const SUPPORTED: &[&str] =
    &["replaces", "timer", "100rel", "norefersub", "path", "outbound", "gruu", "histinfo"];

/// What an endpoint says about itself, and how long it trusts silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Server and User-Agent; empty leaves both out.
    pub product: String,
    /// Hosts whose users are our extensions, besides the addresses we listen on. The first is the
    /// host of From and To towards phones; without any it is the address the phone is reached from.
    pub domains: Vec<String>,
    /// The interval of session timers we ask for (RFC 4028). A shorter one finds dead phones
    /// earlier and costs a message exchange per half interval and leg.
    pub session_interval: Duration,
    /// The shortest interval we take; at least 90 s (RFC 4028 §4).
    pub min_session_interval: Duration,
    /// Where we listen, for peers that are to be written to over another transport than they were
    /// heard on.
    pub listeners: Vec<(Transport, SocketAddr)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            product: String::new(),
            domains: Vec::new(),
            session_interval: Duration::from_secs(1800),
            min_session_interval: Duration::from_secs(90),
            listeners: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether users at this host are ours.
    #[must_use]
    pub fn is_ours(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }
}
