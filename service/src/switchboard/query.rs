// SPDX-License-Identifier: GPL-3.0-or-later
//! OPTIONS to somebody else (RFC 3261 §11), hop by hop: with Max-Forwards counting up from 0, so
//! that each hop answers 483 until one answers for itself.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sipwitch_core::contact::Contact;
use sipwitch_sip::{
    endpoint::{ALLOW, Composed},
    flow::Flow,
    resolver::Wanted,
    transaction::{ClientId, Failure},
    wire::{Method, Response, Uri, name},
};

use super::{
    Switchboard,
    ask::{Hop, Refusal, Reply},
    errand::{Waiter, Ways},
    steering::parse,
};

/// More hops than this are not asked.
const MAX_HOPS: u8 = 10;
/// No further place is asked when this much time has passed since the first.
const LONGEST: Duration = Duration::from_secs(60);
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
    /// What is asked, where its places were looked up.
    uri: Option<Uri>,
    /// What is left to be asked, the next one last.
    stops: Vec<Stop>,
    /// When it began.
    begun: Instant,
    asking: Option<(Stop, u8, Instant)>,
    hops: Vec<Hop>,
    reply: Reply<Vec<Hop>>,
}

#[derive(Debug, Clone)]
struct Stop {
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
        let begun = self.now.instant;
        let mut query =
            Query { uri: None, stops: Vec::new(), begun, asking: None, hops: Vec::new(), reply };
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
        if own {
            query.hops.push(self.ourselves(&contact));
            let _ = query.reply.send(Ok(query.hops));
            return;
        }
        let wanted = match Wanted::of(&uri) {
            Ok(wanted) => wanted,
            Err(error) => {
                let _ = query.reply.send(Err(Refusal::BadContact(error.to_string())));
                return;
            }
        };
        query.uri = Some(uri);
        self.queries.open.insert(id, query);
        self.errands.find_ways(wanted, Waiter::Query(id));
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

    /// The ways to what is asked are known, or that there is none.
    pub(super) fn query_ways(&mut self, id: u64, ways: Ways) {
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        match (ways, &query.uri) {
            (Ok(ways), Some(uri)) => {
                let stops = ways.into_iter().rev();
                query.stops = stops
                    .map(|way| Stop { uri: uri.clone(), flow: way.flow, is_phone: false })
                    .collect();
                self.ask_next(id);
            }
            (ways, _) => {
                query.hops.push(Hop {
                    address: String::new(),
                    status: None,
                    reason: ways.err().unwrap_or_default(),
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
        query.stops = phones
            .iter()
            .rev()
            .filter_map(|phone| {
                Some(Stop { uri: phone.uri()?, flow: phone.reached_by(), is_phone: true })
            })
            .collect();
        self.queries.open.insert(id, query);
        self.ask_next(id);
    }

    /// Asks the next place for itself, or ends. A domain may have dozens of places, and each that
    /// says nothing takes its time.
    fn ask_next(&mut self, id: u64) {
        let now = self.now.instant;
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let is_late = !query.hops.is_empty() && now >= query.begun + LONGEST;
        match query.stops.pop().filter(|stop| stop.is_phone || !is_late) {
            Some(stop) => {
                let hops = if stop.is_phone { 70 } else { 0 };
                self.ask_hop(id, stop, hops);
            }
            None => self.query_done(id),
        }
    }

    fn ask_hop(&mut self, id: u64, stop: Stop, hops: u8) {
        let own = format!("<sip:sipwitch@{}>", self.settings.domain());
        let to = format!("<{}>", stop.uri.for_request_line());
        let mut draft = self.endpoint.compose(&Composed {
            method: &Method::Options,
            uri: &stop.uri.for_request_line(),
            from: &own,
            to: &to,
        });
        draft.set(&name::MAX_FORWARDS, hops.to_string());
        draft.push(&name::ACCEPT, "application/sdp");
        let now = self.now.instant;
        let request = self.endpoint.request(now, stop.flow, &draft);
        self.queries.requests.insert(request, id);
        if let Some(query) = self.queries.open.get_mut(&id) {
            query.asking = Some((stop, hops, now));
        }
    }

    /// An answer to a request outside dialogs: a text's or a query's.
    pub(super) fn answered(&mut self, request: ClientId, response: &Response, flow: &Flow) {
        if let Some(line) = self.lines.answered(self.now.instant, request, response) {
            return self.subscription_follows(line);
        }
        if self.text_answered(request, Some(response))
            || self.subscription_answered(request, Some((response, flow)))
        {
            return;
        }
        if response.status() < 200 {
            return;
        }
        let Some(id) = self.queries.requests.remove(&request) else { return };
        let now = self.now.instant;
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let Some((stop, hops, asked)) = query.asking.take() else { return };
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
            self.ask_hop(id, stop, hops + 1);
        } else if stop.is_phone {
            self.ask_next(id);
        } else {
            self.query_done(id);
        }
    }

    /// No answer will come.
    pub(super) fn failed(&mut self, request: ClientId, why: &Failure) {
        if self.lines.failed(self.now.instant, request, *why)
            || self.text_answered(request, None)
            || self.subscription_answered(request, None)
        {
            return;
        }
        let Some(id) = self.queries.requests.remove(&request) else { return };
        let now = self.now.instant;
        let Some(query) = self.queries.open.get_mut(&id) else { return };
        let Some((stop, _, asked)) = query.asking.take() else { return };
        query.hops.push(Hop {
            address: stop.flow.to_string(),
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
