// SPDX-License-Identifier: GPL-3.0-or-later
//! OPTIONS to somebody else (RFC 3261 §11), hop by hop: with Max-Forwards counting up from 0, so
//! that each hop answers 483 until one answers for itself.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use sipwitch_core::contact::Contact;
use sipwitch_sip::{
    endpoint::{ALLOW, Composed},
    flow::{Flow, Transport},
    transaction::{ClientId, Failure},
    wire::{Method, Response, Uri, name},
};

use super::{
    Inner, Switchboard,
    ask::{Hop, Refusal, Reply},
    steering::parse,
};

/// More hops than this are not asked.
const MAX_HOPS: u8 = 10;
/// Queries under way at once.
const MAX_QUERIES: usize = 32;

/// Queries under way.
#[derive(Debug, Default)]
pub(super) struct Queries {
    last: u64,
    open: HashMap<u64, Query>,
    pub(super) requests: HashMap<ClientId, u64>,
}

#[derive(Debug)]
struct Query {
    /// What is left to be asked, the next one last.
    places: Vec<Place>,
    asking: Option<(Place, u8, Instant)>,
    hops: Vec<Hop>,
    reply: Reply<Vec<Hop>>,
}

#[derive(Debug, Clone)]
struct Place {
    uri: Uri,
    flow: Flow,
    /// A phone that registered here is one hop away for sure.
    is_phone: bool,
}

impl Switchboard {
    pub(super) fn query(&mut self, text: &str, reply: Reply<Vec<Hop>>) {
        if self.queries.open.len() >= MAX_QUERIES {
            let words = format!("{MAX_QUERIES} queries are under way: try again later");
            let _ = reply.send(Err(Refusal::TooMany(words)));
            return;
        }
        let contact = match parse(text) {
            Ok(contact) => contact,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        self.queries.last += 1;
        let id = self.queries.last;
        let mut query = Query { places: Vec::new(), asking: None, hops: Vec::new(), reply };
        let own = match &contact {
            Contact::Sip(address) => self.settings.is_own(&address.host, address.port, None),
            _ => true,
        };
        if own && !contact.user().is_empty() {
            self.query_extension(id, &contact, query);
            return;
        }
        if let Contact::Sip(address) = &contact
            && self.settings.is_own(&address.host, address.port.or(Some(5060)), None)
        {
            let _ = query.reply.send(Ok(vec![self.this_service(&address.host)]));
            return;
        }
        let uri = match Uri::parse(contact.to_string()) {
            Ok(uri) => uri,
            Err(error) => {
                let _ = query.reply.send(Err(Refusal::BadContact(error.to_string())));
                return;
            }
        };
        // Contact drops parameters; the transport asked for still counts.
        let uri = match Uri::parse(text.to_owned()) {
            Ok(full) if full.is_sip() => full,
            _ => uri,
        };
        let transport = uri.transport().unwrap_or(Transport::Udp);
        let port = uri.port().unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
        if own {
            query.hops.push(self.ourselves(&contact));
            let _ = query.reply.send(Ok(query.hops));
            return;
        }
        if let Ok(ip) = uri.host().parse::<IpAddr>() {
            self.queries.open.insert(id, query);
            self.ask_addresses(id, &uri, &[SocketAddr::new(ip, port)]);
            return;
        }
        let host = uri.host();
        let inner = self.inner.clone();
        query.places = vec![Place {
            uri,
            flow: Flow {
                transport,
                local: SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0),
                remote: SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port),
                connection: None,
            },
            is_phone: false,
        }];
        self.queries.open.insert(id, query);
        tokio::spawn(async move {
            let addresses = match tokio::net::lookup_host((host.as_str(), port)).await {
                Ok(found) => Ok(found.take(8).collect()),
                Err(error) => Err(format!("{host}: {error}")),
            };
            let _ = inner.send(Inner::Resolved { query: id, addresses });
        });
    }

    /// What others find who ask us. A request to ourselves would rightly be taken for a loop.
    fn this_service(&self, host: &str) -> Hop {
        Hop {
            address: host.to_owned(),
            status: Some(200),
            reason: "OK: it is this service itself".to_owned(),
            server: self.settings.product.clone(),
            allow: ALLOW.to_owned(),
            milliseconds: 0,
        }
    }

    /// What whoever asks us hears. Asking over the wire would meet our own loop detection.
    fn ourselves(&self, contact: &Contact) -> Hop {
        Hop {
            address: contact.to_string(),
            status: Some(200),
            reason: "OK: it is this service itself".to_owned(),
            server: self.settings.product.clone(),
            allow: ALLOW.to_owned(),
            milliseconds: 0,
        }
    }

    pub(super) fn resolved(&mut self, id: u64, addresses: Result<Vec<SocketAddr>, String>) {
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let place = query.places.pop();
        match (addresses, place) {
            (Ok(addresses), Some(place)) if !addresses.is_empty() => {
                self.ask_addresses(id, &place.uri, &addresses);
            }
            (addresses, _) => {
                let reason = addresses.err().unwrap_or_else(|| "the name has no address".into());
                query.hops.push(Hop {
                    address: String::new(),
                    status: None,
                    reason,
                    server: String::new(),
                    allow: String::new(),
                    milliseconds: 0,
                });
                self.query_done(id);
            }
        }
    }

    fn query_extension(&mut self, id: u64, contact: &Contact, mut query: Query) {
        let Some(entry) = self.directory.find(contact.user()) else {
            let name = contact.user().to_owned();
            let _ = query.reply.send(Err(Refusal::NotFound { kind: "extension", name }));
            return;
        };
        let phones = self.registrar.phones_of(entry.extension.number.as_str());
        query.places = phones
            .iter()
            .rev()
            .filter_map(|phone| {
                Some(Place { uri: phone.uri()?, flow: phone.reached_by(), is_phone: true })
            })
            .collect();
        self.queries.open.insert(id, query);
        self.ask_next(id);
    }

    fn ask_addresses(&mut self, id: u64, uri: &Uri, addresses: &[SocketAddr]) {
        let transport = uri.transport().unwrap_or(Transport::Udp);
        let places: Vec<Place> = addresses
            .iter()
            .rev()
            .filter_map(|remote| {
                let local = self.settings.local_for(transport, *remote)?;
                let flow = Flow { transport, local, remote: *remote, connection: None };
                Some(Place { uri: uri.clone(), flow, is_phone: false })
            })
            .collect();
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        if places.is_empty() {
            query.hops.push(Hop {
                address: addresses.first().map(ToString::to_string).unwrap_or_default(),
                status: None,
                reason: format!("the service does not listen on {} of that kind", transport.name()),
                server: String::new(),
                allow: String::new(),
                milliseconds: 0,
            });
        }
        query.places = places;
        self.ask_next(id);
    }

    /// Asks the next place for itself, or ends.
    fn ask_next(&mut self, id: u64) {
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        match query.places.pop() {
            Some(place) => {
                let hops = if place.is_phone { 70 } else { 0 };
                self.ask_hop(id, place, hops);
            }
            None => self.query_done(id),
        }
    }

    fn ask_hop(&mut self, id: u64, place: Place, hops: u8) {
        let own = format!("<sip:sipwitch@{}>", self.settings.domain());
        let to = format!("<{}>", place.uri.for_request_line());
        let mut draft = self.endpoint.compose(&Composed {
            method: &Method::Options,
            uri: &place.uri.for_request_line(),
            from: &own,
            to: &to,
        });
        draft.set(&name::MAX_FORWARDS, hops.to_string());
        draft.push(&name::ACCEPT, "application/sdp");
        let now = self.now.instant;
        let request = self.endpoint.request(now, place.flow, &draft);
        self.queries.requests.insert(request, id);
        if let Some(query) = self.queries.open.get_mut(&id) {
            query.asking = Some((place, hops, now));
        }
    }

    /// An answer to a request outside dialogs: a text's or a query's.
    pub(super) fn answered(&mut self, request: ClientId, response: &Response, flow: &Flow) {
        if self.text_answered(request, Some(response)) {
            return;
        }
        if response.status() < 200 {
            return;
        }
        let Some(id) = self.queries.requests.remove(&request) else { return };
        let now = self.now.instant;
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let Some((place, hops, asked)) = query.asking.take() else { return };
        let headers = response.headers();
        query.hops.push(Hop {
            address: flow.to_string(),
            status: Some(response.status()),
            reason: response.reason().into_owned(),
            server: headers
                .text(&name::SERVER)
                .or_else(|| headers.text(&name::USER_AGENT))
                .unwrap_or_default(),
            allow: headers.tokens(&name::ALLOW).join(", "),
            milliseconds: u32::try_from((now - asked).as_millis()).unwrap_or(u32::MAX),
        });
        if response.status() == 483 && hops < MAX_HOPS {
            self.ask_hop(id, place, hops + 1);
        } else if place.is_phone {
            self.ask_next(id);
        } else {
            self.query_done(id);
        }
    }

    /// No answer will come.
    pub(super) fn failed(&mut self, request: ClientId, why: &Failure) {
        if self.text_answered(request, None) {
            return;
        }
        let Some(id) = self.queries.requests.remove(&request) else { return };
        let now = self.now.instant;
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let Some((place, _, asked)) = query.asking.take() else { return };
        query.hops.push(Hop {
            address: place.flow.to_string(),
            status: None,
            reason: match why {
                Failure::TimedOut => "no answer came in time".to_owned(),
                Failure::Unreachable => "it cannot be reached".to_owned(),
            },
            server: String::new(),
            allow: String::new(),
            milliseconds: u32::try_from((now - asked).as_millis()).unwrap_or(u32::MAX),
        });
        self.ask_next(id);
    }

    fn query_done(&mut self, id: u64) {
        if let Some(query) = self.queries.open.remove(&id) {
            let _ = query.reply.send(Ok(query.hops));
        }
    }
}
