// SPDX-License-Identifier: GPL-3.0-or-later
//! Route sets (RFC 3261 §12.1, §12.2.1.1) and the addresses they lead to.

use std::net::SocketAddr;

use crate::{
    flow::{Flow, Transport},
    wire::{Headers, Malformed, NameAddr, Uri, UriError, name},
};

/// What one route set may measure: it is kept for the whole call.
const MAX_ROUTES: usize = 16;
const MAX_OCTETS: usize = 4096;

/// The proxies that want to stay between us and the far end, the nearest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct RouteSet(Box<[Box<[u8]>]>);

impl RouteSet {
    pub(crate) fn of_request(headers: Headers<'_>) -> Result<Self, Malformed> {
        Self::of(headers, false)
    }

    pub(crate) fn of_response(headers: Headers<'_>) -> Result<Self, Malformed> {
        Self::of(headers, true)
    }

    fn of(headers: Headers<'_>, reversed: bool) -> Result<Self, Malformed> {
        let mut routes: Vec<Box<[u8]>> = Vec::new();
        let mut octets = 0;
        for value in headers.all(&name::RECORD_ROUTE) {
            for route in split_list(&value) {
                octets += route.len();
                if routes.len() == MAX_ROUTES || octets > MAX_OCTETS {
                    return Err(Malformed::new(400, "the Record-Route is too long"));
                }
                NameAddr::parse(route)?;
                routes.push(route.into());
            }
        }
        if reversed {
            routes.reverse();
        }
        Ok(Self(routes.into()))
    }

    /// The address of the nearest proxy.
    pub(crate) fn first(&self) -> Option<Uri> {
        self.0.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri())
    }

    /// The Request-URI and the Route values of a request to this target. A nearest proxy without
    /// `lr` is of RFC 2543: it takes the place of the target, which goes last.
    pub(crate) fn request_line(
        &self,
        target: &[u8],
        parsed: Result<Uri, UriError>,
    ) -> (Uri, Vec<Vec<u8>>) {
        let parsed = parsed.unwrap_or_else(|_| {
            Uri::parse("sip:invalid.invalid").expect("a constant that is a URI")
        });
        match self.first() {
            Some(first) if first.param("lr").is_none() => {
                let mut routes: Vec<_> = self.0[1..].iter().map(|route| route.to_vec()).collect();
                routes.push([b"<", target, b">"].concat());
                (first.for_request_line(), routes)
            }
            _ => (parsed, self.0.iter().map(|route| route.to_vec()).collect()),
        }
    }
}

/// Where we listen, by transport: the near ends of flows that are still to be opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listeners(pub(crate) Vec<(Transport, SocketAddr)>);

impl Listeners {
    /// The flow to a numeric URI, if we speak its transport; otherwise None. What was heard serves
    /// for its own transport, so that answers leave from the address that was written to.
    pub(crate) fn flow_to(&self, uri: &Uri, heard: &Flow) -> Option<Flow> {
        let transport = uri.transport()?;
        let port = uri.port().unwrap_or(match transport {
            Transport::Tls => 5061,
            Transport::Wss => 443,
            Transport::Ws => 80,
            Transport::Udp | Transport::Tcp => 5060,
        });
        if port == 0 {
            return None;
        }
        let remote = SocketAddr::new(uri.ip()?, port);
        // A phone may give the GRUU that we gave it as its Contact (RFC 5627 §4.4.1): that names us,
        // and the phone is where it was heard. Linphone leaves our port out of it.
        let is_bare_gruu = uri.port().is_none() && uri.param("gr").is_some();
        let is_here = |own: SocketAddr| own == remote || (is_bare_gruu && own.ip() == remote.ip());
        let mut of_transport = self.0.iter().filter(|(have, _)| *have == transport);
        if is_here(heard.local) || of_transport.any(|(_, own)| is_here(*own)) {
            return None;
        }
        let local = if transport == heard.transport {
            heard.local
        } else {
            self.0
                .iter()
                .find(|(have, local)| *have == transport && local.is_ipv4() == remote.is_ipv4())?
                .1
        };
        (local.is_ipv4() == remote.is_ipv4()).then_some(Flow {
            transport,
            local,
            remote,
            connection: None,
        })
    }
}

/// The parts of a comma-separated list, commas in quotes and angle brackets apart.
pub(crate) fn split_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    value
        .split(move |&byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => inside = true,
                b'>' if !quoted => inside = false,
                b',' if !quoted && !inside => return true,
                _ => {}
            }
            false
        })
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_that_names_ourselves_leads_nowhere_but_back_where_it_was_heard() {
        let place = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let heard = Flow {
            transport: Transport::Udp,
            local: place("127.0.0.1:5060"),
            remote: place("127.0.0.1:5071"),
            connection: None,
        };
        let listeners = Listeners(vec![(Transport::Udp, place("192.0.2.1:5060"))]);
        for own in [
            "sip:103@127.0.0.1:5060",
            "sip:103@127.0.0.1;gr=urn:uuid:1",
            "sip:103@192.0.2.1;gr=urn:uuid:1",
        ] {
            let uri = Uri::parse(own).expect("a URI");
            assert_eq!(listeners.flow_to(&uri, &heard), None, "{own}");
        }
        let moved = Flow { local: place("127.0.0.1:5061"), ..heard };
        let bare = Uri::parse("sip:103@127.0.0.1;gr=urn:uuid:1").expect("a URI");
        assert_eq!(listeners.flow_to(&bare, &moved), None, "a GRUU without our port");
        let other = Uri::parse("sip:103@127.0.0.1").expect("a URI");
        assert!(listeners.flow_to(&other, &moved).is_some(), "somebody else, at the usual port");
        let elsewhere = Uri::parse("sip:103@127.0.0.1:5072").expect("a URI");
        let flow = listeners.flow_to(&elsewhere, &heard).expect("a way");
        assert_eq!(flow.remote, place("127.0.0.1:5072"));
    }
}
