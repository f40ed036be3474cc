// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};

use crate::{
    flow::{Flow, Transport},
    wire::{NameAddr, Uri},
};

/// Names one registered phone, over refreshes and over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneId(pub u64);

impl fmt::Display for PhoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A phone at an extension: one binding of RFC 3261 §10, with what RFC 3327, 5626 and 5627 add.
///
/// It is a value: a refresh makes a new one, and whoever holds the old one may go on holding it.
/// Texts are exactly as long as they need to be and point into no datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Names the phone.
    pub phone: PhoneId,
    /// The extension it belongs to.
    pub extension: Arc<str>,
    /// The Contact URI as it was registered.
    pub contact: Box<str>,
    /// `+sip.instance` without its quotes and angle brackets (RFC 5626 §4.1); empty if none was
    /// given.
    pub instance: Box<str>,
    /// `reg-id` (RFC 5626 §4.2); 0 if none counts.
    pub reg_id: u32,
    /// The Call-ID of the last REGISTER.
    pub call_id: Box<str>,
    /// Its CSeq number.
    pub cseq: u32,
    /// The Path (RFC 3327) as one field value; empty if there was none.
    pub path: Box<str>,
    /// The path the last REGISTER came by.
    pub flow: Flow,
    /// Whether requests must take that flow and no other: the phone lies behind a NAT, asked for
    /// it (RFC 5626), or has no address of its own.
    pub is_flow_bound: bool,
    /// The User-Agent, cut to a sensible length; may be empty.
    pub user_agent: Box<str>,
    /// When it registered last, in microseconds since 1970.
    pub registered_us: i64,
    /// When that runs out, in microseconds since 1970.
    pub expires_us: i64,
    /// The preference `q` in thousandths; 1000 if none was given.
    pub q: u16,
    /// Which temporary GRUUs stand for it (RFC 5627 §3.1.2).
    pub gruus: TemporaryGruus,
}

impl Binding {
    /// The Contact as a URI. None only if a store was tampered with.
    #[must_use]
    pub fn uri(&self) -> Option<Uri> {
        Uri::parse(self.contact.as_bytes().to_vec()).ok()
    }

    /// The Route fields of a request to this phone, topmost first (RFC 3327 §5.3).
    #[must_use]
    pub fn routes(&self) -> Vec<NameAddr> {
        if self.path.is_empty() {
            return Vec::new();
        }
        NameAddr::parse_list(self.path.as_bytes()).unwrap_or_default()
    }

    /// The path that requests to this phone take: the flow it registered by if it is bound to it,
    /// else a way to the address of its Contact or of the first Path entry.
    #[must_use]
    pub fn reached_by(&self) -> Flow {
        // A connection that did not outlive a restart leads nowhere. Unless the phone asked for
        // that flow and no other (RFC 5626 §5.3), somebody may yet listen at its Contact.
        let is_lost = self.flow.transport == Transport::Tcp
            && self.flow.connection.is_none()
            && self.reg_id == 0;
        if self.is_flow_bound && !is_lost {
            return self.flow;
        }
        let first = self.routes().first().map(NameAddr::uri).or_else(|| self.uri());
        first.and_then(|uri| toward(&uri, &self.flow)).unwrap_or(self.flow)
    }

    /// Whether its Contact names another address than the one it registered from.
    #[must_use]
    pub fn is_behind_nat(&self) -> bool {
        self.uri().is_some_and(|uri| {
            uri.ip().is_some_and(|ip| ip.to_canonical() != self.flow.remote.ip().to_canonical())
        })
    }
}

/// The way to the numeric address of a URI. None if its host is a name, or its transport unknown.
fn toward(uri: &Uri, came_by: &Flow) -> Option<Flow> {
    let transport = uri.transport()?;
    let remote = SocketAddr::new(uri.ip()?, port_of(uri, transport));
    if (transport, remote) == (came_by.transport, came_by.remote) {
        return Some(*came_by);
    }
    Some(Flow { transport, local: came_by.local, remote, connection: None })
}

/// The port of a URI, or the usual one (RFC 3261 §19.1.2).
pub(super) fn port_of(uri: &Uri, transport: Transport) -> u16 {
    uri.port().unwrap_or(match transport {
        Transport::Tls | Transport::Wss => 5061,
        Transport::Udp | Transport::Tcp | Transport::Ws => 5060,
    })
}

/// Whether requests to a Contact can only take the flow its REGISTER came by.
pub(super) fn is_flow_bound(contact: &Uri, flow: &Flow) -> bool {
    let Some(ip) = contact.ip() else {
        // A name nobody can be found by, such as the `.invalid` of RFC 7118 §5; or a real one,
        // which the flow reaches without asking.
        return true;
    };
    let Some(transport) = contact.transport() else { return true };
    match flow.transport {
        // A browser or a TLS client cannot be called back (RFC 5626 §1).
        Transport::Ws | Transport::Wss | Transport::Tls => true,
        // Behind a NAT, or the port of this very connection, on which nobody listens.
        Transport::Tcp => {
            ip.to_canonical() != flow.remote.ip().to_canonical()
                || (transport == Transport::Tcp
                    && port_of(contact, transport) == flow.remote.port())
        }
        Transport::Udp => ip.to_canonical() != flow.remote.ip().to_canonical(),
    }
}

/// The temporary GRUUs of a phone: those numbered `first` to `next - 1` are good.
///
/// Each answer gives a new one and all stay good while the Call-ID stays (RFC 5627 §5.4.2), so two
/// numbers tell it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TemporaryGruus {
    /// The lowest number that is good.
    pub first: u32,
    /// The number of the one to come.
    pub next: u32,
}

impl TemporaryGruus {
    /// As a store keeps it; empty if there never was one.
    #[must_use]
    pub fn to_text(self) -> String {
        if self.next == 0 { String::new() } else { format!("{}-{}", self.first, self.next) }
    }

    /// Reads what [`TemporaryGruus::to_text`] wrote; anything else means that none is good.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        text.split_once('-')
            .and_then(|(first, next)| {
                Some(Self { first: first.parse().ok()?, next: next.parse().ok()? })
            })
            .unwrap_or_default()
    }
}

/// What a registration, the clock or the owner did to a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingChange {
    /// It is new.
    Added(Arc<Binding>),
    /// It registered again; anything but its name may have changed.
    Refreshed(Arc<Binding>),
    /// It is gone.
    Removed {
        /// What it was.
        binding: Arc<Binding>,
        /// Why.
        why: Removal,
    },
}

impl BindingChange {
    /// The binding as it is now, or was last.
    #[must_use]
    pub fn binding(&self) -> &Arc<Binding> {
        match self {
            Self::Added(binding) | Self::Refreshed(binding) | Self::Removed { binding, .. } => {
                binding
            }
        }
    }
}

/// Why a phone is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The connection it was bound to closed.
    ConnectionClosed,
    /// It did not register again in time.
    Expired,
    /// The owner of the house took it out, or its extension.
    Ordered,
    /// It asked for it.
    Unregistered,
}

impl Removal {
    /// The word for it on the bus and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionClosed => "connection-closed",
            Self::Expired => "expired",
            Self::Ordered => "ordered",
            Self::Unregistered => "unregistered",
        }
    }
}

/// A binding in its place, with its deadline.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) binding: Arc<Binding>,
    pub(super) deadline: Instant,
}
