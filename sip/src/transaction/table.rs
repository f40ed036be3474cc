// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::{
    ClientId, Event, ServerId, Timers,
    branch::Branches,
    client::{Client, Heard, Kind},
    deadlines::{Deadlines, Who},
    key::{Key, KeyMap, Keys},
    server::{AckOf, Server, Stands},
    slots::Slots,
};
use crate::{
    flow::{Flow, Transmit, Transport},
    wire::{
        CSeq, Draft, Limits, Malformed, Message, Method, Name, Request, Response, Via, name,
        parse_datagram,
    },
};

/// All transactions of one engine.
pub struct Table {
    timers: Timers,
    keys: Keys,
    branches: Branches,
    random: ChaCha12Rng,
    /// How many requests that arrived may be kept; more are refused with 503.
    most_servers: usize,
    servers: Slots<Server>,
    clients: Slots<Client>,
    by_key: KeyMap,
    by_merge: KeyMap,
    /// How many transactions each far end has, so that a flow that fails without any costs nothing.
    remotes: BTreeMap<(Transport, SocketAddr), u32>,
    deadlines: Deadlines,
    out: Out,
}

/// What is polled out of the table.
#[derive(Default)]
pub(super) struct Out {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Out {
    pub(super) fn send(&mut self, flow: Flow, bytes: &Bytes) {
        self.transmits.push_back(Transmit { flow, bytes: bytes.clone() });
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

impl Table {
    /// An empty table. The seed makes branches and tags unguessable.
    #[must_use]
    pub fn new(timers: Timers, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        Self {
            timers,
            keys: Keys::new([random.next_u64(), random.next_u64()]),
            branches: Branches::new(random.next_u64()),
            random,
            most_servers: 200_000,
            servers: Slots::new(),
            clients: Slots::new(),
            by_key: KeyMap::default(),
            by_merge: KeyMap::default(),
            remotes: BTreeMap::new(),
            deadlines: Deadlines::default(),
            out: Out::default(),
        }
    }

    /// Sets how many requests that arrived are kept at most, 200,000 if not set. Each costs some
    /// hundred octets besides its answer; those beyond are refused with 503 and not kept.
    pub const fn set_most_servers(&mut self, most: usize) {
        self.most_servers = most;
    }

    /// How many transactions there are, those included that only wait for repetitions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// Whether there is no transaction at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a message that arrived.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.receive_request(now, flow, request),
            Message::Response(response) => self.receive_response(now, flow, response),
        }
    }

    /// Answers what could not be read, if it deserves an answer (RFC 3261 §16.3).
    pub fn receive_malformed(&mut self, flow: Flow, bytes: &Bytes, fault: &Malformed) {
        if let Some(refusal) = fault.refusal(bytes) {
            self.out.send(flow, &refusal);
        }
    }

    /// Answers a request. A 2xx to an INVITE is repeated until [`Table::acknowledged`]; a refusal
    /// until its ACK. Does nothing for a transaction that has its final answer or is gone.
    pub fn respond(&mut self, now: Instant, transaction: ServerId, response: &Draft) {
        let Some(status) = response.status() else { return };
        let Some(server) = self.servers.find(transaction.slot, transaction.serial) else { return };
        let merge = server.merge;
        let stands = server.respond(now, &self.timers, status, response.encode(), &mut self.out);
        if let (Some(merge), None) = (merge, server.merge) {
            self.by_merge.remove(&merge);
        }
        self.settle_server(transaction, stands);
    }

    /// Answers a new request once and forgets it: its repetitions will be new requests again
    /// (RFC 3261 §8.2.7). With None, nothing is answered at all.
    pub fn dismiss(&mut self, transaction: ServerId, response: Option<&Draft>) {
        let Some(server) = self.servers.find(transaction.slot, transaction.serial) else { return };
        if let Some(response) = response {
            self.out.send(server.flow, &response.encode());
        }
        self.settle_server(transaction, Stands::No);
    }

    /// The To tag for a stateless answer: the same for each repetition of the request.
    #[must_use]
    pub fn stateless_tag(&self, request: &Request) -> String {
        self.keys.tag(request)
    }

    /// The 2xx to this INVITE was acknowledged.
    pub fn acknowledged(&mut self, transaction: ServerId) {
        if let Some(server) = self.servers.find(transaction.slot, transaction.serial) {
            server.accepted_is_acknowledged();
            self.settle_server(transaction, Stands::Yes);
        }
    }

    /// Sends a request, which must have no Via. Its Via names `flow.local` and asks for `rport`.
    /// Not for ACK and CANCEL.
    pub fn request(&mut self, now: Instant, flow: Flow, request: &Draft) -> ClientId {
        let kind = match request.method() {
            Some(Method::Invite) => Kind::Invite,
            _ => Kind::Other,
        };
        let secret = self.random.next_u64();
        let via = self.branches.via(&flow, self.clients.next_slot(), secret);
        let bytes = request.encode_with_via(Some(&via));
        self.insert_client(now, flow, secret, bytes, kind)
    }

    /// Cancels an INVITE that has no final answer: at once if there was a provisional one, else as
    /// soon as there is one (RFC 3261 §9.1). The fields (Reason) go along. The INVITE still gets its
    /// final answer, or fails 64*T1 after the CANCEL.
    pub fn cancel(&mut self, now: Instant, transaction: ClientId, fields: &[(Name, Bytes)]) {
        let Some(client) = self.clients.find(transaction.slot, transaction.serial) else { return };
        if let Some(bytes) = client.cancel(now, &self.timers, fields) {
            self.send_cancel(now, transaction, bytes);
        }
    }

    /// Acknowledges a 2xx to an INVITE. The draft must have the To of that 2xx, and no Via. With
    /// the INVITE's transaction the ACK is repeated for each repetition of that 2xx; None, for a
    /// stray 2xx, sends it just once.
    pub fn send_ack(&mut self, transaction: Option<ClientId>, flow: Flow, ack: &Draft) {
        let bytes =
            ack.encode_with_via(Some(&self.branches.ack_via(&flow, self.random.next_u64())));
        self.out.send(flow, &bytes);
        let Some(transaction) = transaction else { return };
        if let Some(client) = self.clients.find(transaction.slot, transaction.serial) {
            let to = ack.value(&name::TO).and_then(|to| crate::wire::tag(to)).unwrap_or_default();
            client.keep_ack(self.keys.short(to), flow, bytes);
        }
    }

    /// What was sent there cannot arrive, or what was to come from there cannot come.
    pub fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        let there = (flow.transport, flow.remote);
        if !self.remotes.contains_key(&there) {
            return;
        }
        let is_it = |its: &Flow| {
            (its.transport, its.remote) == there
                && (its.connection == flow.connection
                    || its.connection.is_none()
                    || flow.connection.is_none())
        };
        let clients: Vec<ClientId> = self
            .clients
            .iter_mut()
            .filter(|(_, _, client)| is_it(&client.flow))
            .map(|(slot, serial, _)| ClientId { slot, serial })
            .collect();
        for id in clients {
            if let Some(client) = self.clients.find(id.slot, id.serial) {
                let stands = client.lose_flow(id, &mut self.out);
                self.settle_client(id, stands);
            }
        }
        let servers: Vec<ServerId> = self
            .servers
            .iter_mut()
            .filter(|(_, _, server)| is_it(&server.flow))
            .map(|(slot, serial, _)| ServerId { slot, serial })
            .collect();
        for id in servers {
            let Some(server) = self.servers.find(id.slot, id.serial) else { continue };
            let before = server.flow;
            let stands = server.lose_flow(&mut self.out);
            let after = server.flow;
            match stands {
                Stands::Yes => self.count_moved(&before, &after),
                Stands::No => self.out.tell(Event::Unanswerable { transaction: id }),
            }
            self.settle_server(id, stands);
        }
        let _ = now;
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) {
        while let Some((at, who)) = self.deadlines.pop(now) {
            match who {
                Who::Server(id) => {
                    let Some(server) = self.servers.find(id.slot, id.serial) else { continue };
                    if server.entered.take(at) {
                        let stands = server.handle_deadline(now, &self.timers, id, &mut self.out);
                        self.settle_server(id, stands);
                    }
                }
                Who::Client(id) => {
                    let Some(client) = self.clients.find(id.slot, id.serial) else { continue };
                    if client.entered.take(at) {
                        let stands = client.handle_deadline(now, &self.timers, id, &mut self.out);
                        self.settle_client(id, stands);
                    }
                }
            }
        }
    }

    /// When [`Table::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next message to send. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// The next thing to tell. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        // Without a Via nobody can say where an answer goes; the check below words it.
        let Some(field) = request.via().map(std::borrow::Cow::into_owned) else {
            return self.refuse(flow, &request, &Malformed::new(400, "there is no Via"));
        };
        let via = match Via::first(&field) {
            Ok(via) => via,
            Err(fault) => return self.refuse(flow, &request, &fault),
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
            return self.receive_cancel(back, known, request);
        }
        if let Some(server) = known.and_then(|id| self.servers.find(id.slot, id.serial)) {
            return server.repeat(&mut self.out);
        }
        let merge = match self.check_new(&request) {
            Ok(merge) => merge,
            Err(fault) => return self.refuse(back, &request, &fault),
        };
        let server = Server::new(now, &self.timers, back, (key, merge), Some(fallback), &request);
        let transaction = self.insert_server(server);
        self.out.tell(Event::Request { transaction, request, flow });
    }

    /// Whether a request may become a transaction. Gives the key that its copies would have.
    fn check_new(&self, request: &Request) -> Result<Option<Key>, Malformed> {
        request.check()?;
        let is_in_dialog = request.to_tag().is_some();
        // Whoever is the end of the way answers whatever hops are left (RFC 3261 §11, §16.3); for
        // the rest that begins something, the call switch would be the next hop.
        let ends_here = matches!(request.method(), Method::Options | Method::Register);
        if request.hops()? == Some(0) && !is_in_dialog && !ends_here {
            return Err(Malformed::new(483, ""));
        }
        if request.headers().all(&name::VIA).any(|field| self.branches.stand_in(&field)) {
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

    /// Refuses a request without keeping anything of it (RFC 3261 §8.2.7).
    fn refuse(&mut self, flow: Flow, request: &Request, fault: &Malformed) {
        let phrase = if matches!(fault.status, 400 | 482) { fault.what.as_str() } else { "" };
        let tag = self.keys.tag(request);
        let mut draft = Draft::response_to(request, fault.status, phrase, Some(&tag));
        if fault.status == 503 {
            draft.push(&name::RETRY_AFTER, RETRY_AFTER);
        }
        self.out.send(flow, &draft.encode());
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
        if request.check().is_ok() {
            self.out.tell(Event::Ack { request, flow });
        }
    }

    fn receive_cancel(&mut self, back: Flow, invite: Option<ServerId>, request: Request) {
        if let Err(fault) = request.check() {
            return self.refuse(back, &request, &fault);
        }
        let Some(invite) = invite else {
            return self.refuse(back, &request, &Malformed::new(481, ""));
        };
        let Some(server) = self.servers.find(invite.slot, invite.serial) else { return };
        // The tag should be the one that the answers to the INVITE have (RFC 3261 §9.2).
        let tag = server.last_answer().and_then(tag_in).unwrap_or_else(|| self.keys.tag(&request));
        let draft = Draft::response_to(&request, 200, "", Some(&tag));
        self.out.send(back, &draft.encode());
        if server.cancel() {
            self.out.tell(Event::Cancelled { invite, request });
        }
    }

    fn receive_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Some(field) = response.via() else { return };
        let Some(branch) = Via::first(&field).ok().and_then(|via| via.branch()) else { return };
        let Some((slot, secret)) = self.branches.read(branch) else { return };
        let Ok(CSeq { method, .. }) = response.cseq() else { return };
        if response.check().is_err() || method == Method::Cancel {
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

    fn send_cancel(&mut self, now: Instant, invite: ClientId, bytes: Bytes) {
        let Some(client) = self.clients.find(invite.slot, invite.serial) else { return };
        let (flow, secret) = (client.flow, client.secret);
        let id = self.insert_client(now, flow, secret, bytes, Kind::Cancel);
        if let Some(client) = self.clients.find(invite.slot, invite.serial) {
            client.cancel = Some(id);
        }
        // Its new limit.
        self.settle_client(invite, Stands::Yes);
    }

    fn insert_client(
        &mut self,
        now: Instant,
        flow: Flow,
        secret: u64,
        bytes: Bytes,
        kind: Kind,
    ) -> ClientId {
        self.out.send(flow, &bytes);
        let client = Client::new(now, &self.timers, flow, secret, bytes, kind);
        let (slot, serial) = self.clients.insert(client);
        let id = ClientId { slot, serial };
        *self.remotes.entry((flow.transport, flow.remote)).or_default() += 1;
        self.settle_client(id, Stands::Yes);
        id
    }

    fn insert_server(&mut self, server: Server) -> ServerId {
        let (key, merge, flow) = (server.key, server.merge, server.flow);
        let (slot, serial) = self.servers.insert(server);
        let id = ServerId { slot, serial };
        self.by_key.insert(key, id);
        if let Some(merge) = merge {
            self.by_merge.insert(merge, id);
        }
        *self.remotes.entry((flow.transport, flow.remote)).or_default() += 1;
        self.settle_server(id, Stands::Yes);
        id
    }

    /// Enters the deadline of a transaction that stands, and gives back one that does not.
    fn settle_server(&mut self, id: ServerId, stands: Stands) {
        if stands == Stands::Yes {
            if let Some(server) = self.servers.find(id.slot, id.serial) {
                let wanted = server.deadline();
                self.deadlines.enter(Who::Server(id), &mut server.entered, wanted);
            }
            return;
        }
        let Some(server) = self.servers.remove(id.slot, id.serial) else { return };
        forget_key(&mut self.by_key, Some(server.key));
        forget_key(&mut self.by_merge, server.merge);
        self.count_gone(&server.flow);
        self.sweep();
    }

    fn settle_client(&mut self, id: ClientId, stands: Stands) {
        if stands == Stands::Yes {
            if let Some(client) = self.clients.find(id.slot, id.serial) {
                let wanted = client.deadline();
                self.deadlines.enter(Who::Client(id), &mut client.entered, wanted);
            }
            return;
        }
        let Some(client) = self.clients.remove(id.slot, id.serial) else { return };
        self.count_gone(&client.flow);
        self.sweep();
    }

    fn sweep(&mut self) {
        let (servers, clients) = (&mut self.servers, &mut self.clients);
        self.deadlines.sweep(servers.len() + clients.len(), |who| match who {
            Who::Server(id) => servers.find(id.slot, id.serial).is_some(),
            Who::Client(id) => clients.find(id.slot, id.serial).is_some(),
        });
    }

    fn count_gone(&mut self, flow: &Flow) {
        if let std::collections::btree_map::Entry::Occupied(mut entry) =
            self.remotes.entry((flow.transport, flow.remote))
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn count_moved(&mut self, before: &Flow, after: &Flow) {
        self.count_gone(before);
        *self.remotes.entry((after.transport, after.remote)).or_default() += 1;
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

fn forget_key(map: &mut KeyMap, key: Option<Key>) {
    if let Some(key) = key {
        map.remove(&key);
    }
    if map.is_empty() && map.capacity() > 64 {
        *map = KeyMap::default();
    }
}
