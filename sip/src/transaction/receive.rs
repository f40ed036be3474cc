// SPDX-License-Identifier: GPL-3.0-or-later
//! What becomes of a message that arrived: whose it is, whether it is sound, and whether it is new.

use std::{borrow::Cow, time::Instant};

use bytes::Bytes;

use super::{
    ClientId, Event, ServerId, Table,
    client::Heard,
    key::Key,
    server::{AckOf, Server, Stands},
};
use crate::{
    flow::Flow,
    gate::Verdict,
    wire::{
        CSeq, Draft, Limits, Malformed, Message, Method, Request, Response, Via, name,
        parse_datagram,
    },
};

impl Table {
    pub(super) fn receive_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        // Without a Via nobody can say where an answer goes; the check below words it.
        let Some(field) = request.via().map(Cow::into_owned) else {
            return self.refuse(now, flow, &request, &Malformed::new(400, "there is no Via"));
        };
        let via = match Via::first(&field) {
            Ok(via) => via,
            Err(fault) => return self.refuse(now, flow, &request, &fault),
        };
        let back = way_back(&flow, &via);
        let is_about_invite = matches!(request.method(), Method::Ack | Method::Cancel);
        let method = if is_about_invite { &Method::Invite } else { request.method() };
        let key = self.keys.transaction(&request, &via, method);
        let known = self.by_key.get(&key).copied();
        let fallback = via.port.unwrap_or(DEFAULT_PORT);
        if *request.method() == Method::Ack {
            return self.receive_ack(now, flow, known, request);
        }
        let mut stamped = via.stamped(&field[..via.length], flow.remote);
        stamped.extend_from_slice(&field[via.length..]);
        request.stamp_via(stamped.into());
        if *request.method() == Method::Cancel {
            return self.receive_cancel(now, back, known, request);
        }
        if let Some(server) = known.and_then(|id| self.servers.find(id.slot, id.serial)) {
            return server.repeat(&mut self.out);
        }
        let merge = match self.check_new(&request, &field, &via) {
            Ok(merge) => merge,
            Err(fault) => return self.refuse(now, back, &request, &fault),
        };
        let server = Server::new(now, &self.timers, back, (key, merge), Some(fallback), &request);
        let transaction = self.insert_server(server);
        self.out.tell(Event::Request { transaction, request, flow });
    }

    /// Whether a request may become a transaction. Gives the key that its copies would have.
    fn check_new(
        &mut self,
        request: &Request,
        field: &[u8],
        via: &Via<'_>,
    ) -> Result<Option<Key>, Malformed> {
        request.check_beside_via()?;
        let is_in_dialog = request.to_tag().is_some();
        // Whoever is the end of the way answers whatever hops are left (RFC 3261 §11, §16.3); for
        // the rest that begins something, the call switch would be the next hop.
        let ends_here = matches!(request.method(), Method::Options | Method::Register);
        if request.hops()? == Some(0) && !is_in_dialog && !ends_here {
            return Err(Malformed::new(483, ""));
        }
        if self.is_loop(request, field, via) {
            return Err(Malformed::new(482, ""));
        }
        let merge = if is_in_dialog { None } else { self.keys.merge(request, &request.cseq()?) };
        if merge.is_some_and(|merge| self.by_merge.contains_key(&merge)) {
            return Err(Malformed::new(482, "Merged Request"));
        }
        if self.servers.len() >= self.most_servers {
            return Err(Malformed::new(503, ""));
        }
        Ok(merge)
    }

    /// Whether the request is one of ours that came back (RFC 3261 §16.3 item 4). One that comes
    /// back to ask for somebody else is no loop: a proxy sent it on, and here it begins anew. In
    /// the end Max-Forwards bounds that too.
    fn is_loop(&mut self, request: &Request, field: &[u8], first: &Via<'_>) -> bool {
        if let Some(is_loop) = self.comes_back(request, first) {
            return is_loop;
        }
        let beyond = field.get(first.length + 1..).unwrap_or_default();
        let others = request.headers().all(&name::VIA).skip(1);
        for field in std::iter::once(Cow::Borrowed(beyond)).chain(others) {
            let mut rest: &[u8] = &field;
            while let Ok(via) = Via::first(rest) {
                if let Some(is_loop) = self.comes_back(request, &via) {
                    return is_loop;
                }
                rest = rest.get(via.length + 1..).unwrap_or_default();
            }
        }
        false
    }

    /// If a hop is ours, whether it sent this request for the same address.
    fn comes_back(&mut self, request: &Request, via: &Via<'_>) -> Option<bool> {
        let (slot, secret) = via.branch().and_then(|branch| self.branches.read(branch))?;
        let sent = self.clients.at(slot).filter(|(_, client)| client.secret == secret);
        let asked = sent.and_then(|(_, client)| client.request_uri());
        Some(asked.is_none_or(|asked| *asked == *request.uri().to_bytes()))
    }

    /// Refuses a request without keeping anything of it (RFC 3261 §8.2.7).
    fn refuse(&mut self, now: Instant, flow: Flow, request: &Request, fault: &Malformed) {
        if self.refusals.admit(now, flow.remote.ip()) != Verdict::Admit {
            return;
        }
        let phrase = if matches!(fault.status, 400 | 482) { fault.what.as_str() } else { "" };
        let tag = self.keys.tag(request);
        let mut draft = Draft::response_to(request, fault.status, phrase, Some(&tag));
        if fault.status == 503 {
            draft.push(&name::RETRY_AFTER, RETRY_AFTER);
        }
        let bytes = self.out.write(&flow, &draft, None);
        self.out.send(flow, &bytes);
    }

    fn receive_ack(&mut self, now: Instant, flow: Flow, known: Option<ServerId>, request: Request) {
        if let Some(id) = known
            && let Some(server) = self.servers.find(id.slot, id.serial)
        {
            let (whose, stands) = server.acknowledge(now, &self.timers);
            self.settle_server(id, stands);
            match whose {
                AckOf::Refusal => return,
                // Some phones use the INVITE's branch for it (RFC 2543).
                AckOf::Acceptance => {}
            }
        }
        // An ACK is never answered: what is not sound is dropped.
        if request.check_beside_via().is_ok() {
            self.out.tell(Event::Ack { request, flow });
        }
    }

    fn receive_cancel(
        &mut self,
        now: Instant,
        back: Flow,
        invite: Option<ServerId>,
        request: Request,
    ) {
        if let Err(fault) = request.check_beside_via() {
            return self.refuse(now, back, &request, &fault);
        }
        let Some(invite) = invite else {
            return self.refuse(now, back, &request, &Malformed::new(481, ""));
        };
        let Some(server) = self.servers.find(invite.slot, invite.serial) else { return };
        // The tag should be the one that the answers to the INVITE have (RFC 3261 §9.2).
        let tag = server.last_answer().and_then(tag_in).unwrap_or_else(|| self.keys.tag(&request));
        let draft = Draft::response_to(&request, 200, "", Some(&tag));
        let bytes = self.out.write(&back, &draft, None);
        self.out.send(back, &bytes);
        if server.cancel() {
            self.out.tell(Event::Cancelled { invite, request });
        }
    }

    pub(super) fn receive_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Some(field) = response.via() else { return };
        let Ok(via) = Via::first(&field) else { return };
        let Some((slot, secret)) = via.branch().and_then(|b| self.branches.read(b)) else { return };
        let Ok(CSeq { method, .. }) = response.cseq() else { return };
        if response.check_beside_via(&field, &via).is_err() || method == Method::Cancel {
            if method == Method::Cancel {
                self.forget_cancel(slot, secret, response.status());
            }
            return;
        }
        let is_invite = method == Method::Invite;
        let is_success = (200..300).contains(&response.status());
        let Some((serial, client)) = self
            .clients
            .at(slot)
            .filter(|(_, client)| client.secret == secret && client.is_invite() == is_invite)
        else {
            if is_invite && is_success {
                self.out.tell(Event::StrayResponse { response, flow });
            }
            return;
        };
        let transaction = ClientId { slot, serial };
        let tag = self.keys.short(&response.to_tag().unwrap_or_default());
        let (heard, stands) = client.hear(now, &self.timers, &response, tag, &mut self.out);
        let cancel = client.waiting_cancel(now, &self.timers);
        match heard {
            Heard::News | Heard::Repeated => {
                let repeated = matches!(heard, Heard::Repeated);
                self.out.tell(Event::Response { transaction, response, flow, repeated });
            }
            Heard::Stray => self.out.tell(Event::StrayResponse { response, flow }),
            Heard::Nothing => {}
        }
        self.settle_client(transaction, stands);
        if let Some(bytes) = cancel {
            self.send_cancel(now, transaction, bytes);
        }
    }

    /// A CANCEL has the branch of its INVITE, so it is found through that (RFC 3261 §17.1.3).
    fn forget_cancel(&mut self, slot: u32, secret: u64, status: u16) {
        let invite = self.clients.at(slot).filter(|(_, client)| client.secret == secret);
        if let Some(id) = invite.and_then(|(_, client)| client.cancel)
            && status >= 200
        {
            self.settle_client(id, Stands::No);
        }
    }
}

/// The port of a Via that names none (RFC 3261 §18.2.2).
const DEFAULT_PORT: u16 = 5060;

/// Seconds after which a sender may try again when there are too many transactions.
const RETRY_AFTER: &str = "5";

/// Where the answers to a request go (RFC 3261 §18.2.2, RFC 3581 §4): on a stream, the way it came;
/// else to the address it came from, and there to the port it came from if it asks for that, or to
/// the port its sender named. `maddr` is not followed: it would let anyone aim our answers.
fn way_back(flow: &Flow, via: &Via<'_>) -> Flow {
    let mut back = *flow;
    if !flow.transport.is_reliable() && !via.asks_rport() {
        back.remote.set_port(via.port.filter(|port| *port != 0).unwrap_or(DEFAULT_PORT));
    }
    back
}

/// The To tag in an answer of ours.
fn tag_in(answer: &Bytes) -> Option<String> {
    let Ok(Message::Response(response)) = parse_datagram(answer.clone(), &Limits::default()) else {
        return None;
    };
    response.to_tag().map(|tag| String::from_utf8_lossy(&tag).into_owned())
}
