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
    client::{Client, Kind},
    deadlines::{Deadlines, Who},
    key::{Key, KeyMap, Keys},
    server::{Server, Stands},
    size::{Far, WithoutTcp},
    slots::Slots,
};
use crate::{
    flow::{Flow, Transmit, Transport},
    gate::{Gate, GateSettings},
    wire::{Draft, Malformed, Message, Method, Name, Request, Sheet, name},
};

/// All transactions of one engine.
pub struct Table {
    pub(super) timers: Timers,
    pub(super) keys: Keys,
    pub(super) branches: Branches,
    random: ChaCha12Rng,
    /// How many requests that arrived may be kept; more are refused with 503.
    pub(super) most_servers: usize,
    /// Bounds the answers to requests that may not even become a transaction: nobody is to aim them
    /// at a third by a forged address.
    pub(super) refusals: Gate,
    pub(super) servers: Slots<Server>,
    pub(super) clients: Slots<Client>,
    pub(super) by_key: KeyMap,
    pub(super) by_merge: KeyMap,
    /// How many transactions each far end has, so that a flow that fails without any costs nothing.
    remotes: BTreeMap<(Transport, SocketAddr), u32>,
    /// Where a large request is not to be tried by TCP again.
    without_tcp: WithoutTcp,
    pub(super) deadlines: Deadlines,
    pub(super) out: Out,
}

/// What is polled out of the table.
#[derive(Default)]
pub(super) struct Out {
    sheet: Sheet,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Out {
    pub(super) fn send(&mut self, flow: Flow, bytes: &Bytes) {
        self.transmits.push_back(Transmit { flow, bytes: bytes.clone() });
    }

    /// Writes a message of which nothing is kept longer than a timer runs. Not for a stream, which
    /// may keep it for as long as the far end does not read.
    pub(super) fn write(&mut self, flow: &Flow, draft: &Draft, via: Option<&[u8]>) -> Bytes {
        if flow.transport.is_reliable() {
            draft.encode_with_via(via)
        } else {
            draft.encode_on(&mut self.sheet, via)
        }
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
            refusals: Gate::new(GateSettings::default()),
            servers: Slots::new(),
            clients: Slots::new(),
            by_key: KeyMap::default(),
            by_merge: KeyMap::default(),
            remotes: BTreeMap::new(),
            without_tcp: WithoutTcp::default(),
            deadlines: Deadlines::default(),
            out: Out::default(),
        }
    }

    /// Sets how many requests that arrived are kept at most, 200,000 if not set. Each costs some
    /// hundred octets besides its answer; those beyond are refused with 503 and not kept.
    pub const fn set_most_servers(&mut self, most: usize) {
        self.most_servers = most;
    }

    /// Sets how many requests of one source are refused that may not even become a transaction;
    /// those beyond are dropped.
    pub fn set_refusals(&mut self, settings: GateSettings) {
        self.refusals.set(settings);
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
        // A phone may ring for minutes.
        let bytes = if status < 200 {
            response.encode()
        } else {
            self.out.write(&server.flow, response, None)
        };
        let stands = server.respond(now, &self.timers, status, bytes, &mut self.out);
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
            let bytes = self.out.write(&server.flow, response, None);
            self.out.send(server.flow, &bytes);
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

    /// Sends a request to somebody who is reached where he was heard. The request must have no Via:
    /// it gets one that names `flow.local` and asks for `rport`. Not for ACK and CANCEL.
    pub fn request(&mut self, now: Instant, flow: Flow, request: &Draft) -> ClientId {
        self.send_request(now, flow, request, Far::Heard)
    }

    /// Sends a request to a place that was looked up: as [`Table::request`], but one that is too
    /// large for a datagram goes by TCP if the place takes that (RFC 3261 §18.1.1).
    pub fn request_to_place(&mut self, now: Instant, flow: Flow, request: &Draft) -> ClientId {
        self.send_request(now, flow, request, Far::Place)
    }

    fn send_request(&mut self, now: Instant, flow: Flow, request: &Draft, far: Far) -> ClientId {
        let kind = match request.method() {
            Some(Method::Invite) => Kind::Invite,
            _ => Kind::Other,
        };
        let secret = self.random.next_u64();
        let slot = self.clients.next_slot();
        let via = self.branches.via(&flow, slot, secret);
        let bytes = self.out.write(&flow, request, Some(&via));
        let Some(instead) = self.without_tcp.instead(now, &flow, bytes.len(), far) else {
            return self.insert_client(now, flow, secret, bytes, kind);
        };
        let via = self.branches.via(&instead, slot, secret);
        let by_tcp = self.out.write(&instead, request, Some(&via));
        let id = self.insert_client(now, instead, secret, by_tcp, kind);
        if let Some(client) = self.clients.find(id.slot, id.serial) {
            client.keep_datagram(flow, bytes);
        }
        id
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

    /// Gives a request up that another place is asked now. It is repeated no more; an INVITE is
    /// cancelled if something answers it after all.
    pub fn abandon(&mut self, now: Instant, transaction: ClientId, fields: &[(Name, Bytes)]) {
        if let Some(client) = self.clients.find(transaction.slot, transaction.serial) {
            client.repeat_no_more();
            self.settle_client(transaction, Stands::Yes);
        }
        self.cancel(now, transaction, fields);
    }

    /// Acknowledges a 2xx to an INVITE. The draft must have the To of that 2xx, and no Via. With
    /// the INVITE's transaction the ACK is repeated for each repetition of that 2xx; None, for a
    /// stray 2xx, sends it just once.
    pub fn send_ack(&mut self, transaction: Option<ClientId>, flow: Flow, ack: &Draft) {
        let via = self.branches.ack_via(&flow, self.random.next_u64());
        let bytes = self.out.write(&flow, ack, Some(&via));
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
            let Some(client) = self.clients.find(id.slot, id.serial) else { continue };
            let before = client.flow;
            if client.fall_back(now, &self.timers, &mut self.out) {
                let after = client.flow;
                self.without_tcp.note(now, after.remote);
                self.count_moved(&before, &after);
                self.settle_client(id, Stands::Yes);
                continue;
            }
            let stands = client.lose_flow(id, &mut self.out);
            self.settle_client(id, stands);
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

    pub(super) fn send_cancel(&mut self, now: Instant, invite: ClientId, bytes: Bytes) {
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

    pub(super) fn insert_server(&mut self, server: Server) -> ServerId {
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
    pub(super) fn settle_server(&mut self, id: ServerId, stands: Stands) {
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

    pub(super) fn settle_client(&mut self, id: ClientId, stands: Stands) {
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

fn forget_key(map: &mut KeyMap, key: Option<Key>) {
    if let Some(key) = key {
        map.remove(&key);
    }
    if map.is_empty() && map.capacity() > 64 {
        *map = KeyMap::default();
    }
}
