// SPDX-License-Identifier: GPL-3.0-or-later
//! The names of services in the DNS (RFC 3263 §4.1, RFC 7118 §5).

use std::sync::Arc;

use super::{Naptr, Wanted, host::check_name};
use crate::flow::Transport;

impl Wanted {
    /// Whether we may use that transport, and it is secure if it must be.
    pub(super) fn may_use(&self, transport: Transport) -> bool {
        let is_secure = matches!(transport, Transport::Tls | Transport::Wss);
        self.transports.contains(&transport) && (is_secure || !self.secure)
    }
}

/// The transport that is stated, in its secure form where that is needed.
pub(super) fn stated_transport(wanted: &Wanted) -> Result<Option<Transport>, &'static str> {
    let transport = match (wanted.transport, wanted.secure) {
        (None, _) => return Ok(None),
        (Some(Transport::Udp), true) => return Err("sips: cannot be carried by UDP"),
        (Some(Transport::Tcp), true) => Transport::Tls,
        (Some(Transport::Ws), true) => Transport::Wss,
        (Some(transport), _) => transport,
    };
    match wanted.may_use(transport) {
        true => Ok(Some(transport)),
        false => Err("the transport it asks for may not be used"),
    }
}

/// The port where there is none stated.
pub(super) const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tcp | Transport::Udp => 5060,
        Transport::Tls => 5061,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}

/// Where the SRV records of a transport stand. None for WebSocket, which has none.
pub(super) fn service_name(transport: Transport, host: &str) -> Option<Arc<str>> {
    let service = match transport {
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Udp => "_sip._udp",
        Transport::Ws | Transport::Wss => return None,
    };
    Some(format!("{service}.{host}").into())
}

/// The services that NAPTR records name, in their order. Those of other protocols and of transports
/// that we do not have are left out (RFC 3263 §4.1).
pub(super) fn of_naptr(rules: &[Naptr]) -> Vec<(Transport, Arc<str>)> {
    let of = |rule: &Naptr| {
        let transport = match rule.services.to_ascii_uppercase().as_str() {
            "SIP+D2T" => Transport::Tcp,
            "SIP+D2U" => Transport::Udp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let is_terminal = rule.flags.eq_ignore_ascii_case("s") && rule.regexp.is_empty();
        let name = check_name(&rule.replacement).ok()?;
        is_terminal.then_some((transport, name))
    };
    rules.iter().filter_map(of).collect()
}
