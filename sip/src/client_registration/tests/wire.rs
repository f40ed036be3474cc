// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts at our own registrar, over a wire that loses, repeats and reorders.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::fixture::{account, credentials};
use crate::{
    auth::{self, Authenticator, Ha1Pair, Verdict},
    client_registration::{Action, Ask, Registration, State},
    endpoint::{Endpoint, Event, Settings},
    flow::{Flow, Transmit, Transport},
    registrar::{self, Registrar},
    transaction::{ClientId, Timers},
    virtual_wire::{Engine, VirtualWire},
    wire::{Limits, Method, parse_datagram},
};

enum Side {
    Account(Box<Client>),
    Provider(Box<Provider>),
}

struct Client {
    endpoint: Endpoint,
    registration: Registration,
    asks: HashMap<ClientId, Ask>,
    raw: Vec<Transmit>,
    sent: usize,
}

struct Provider {
    endpoint: Endpoint,
    judge: Authenticator,
    registrar: Registrar,
    refuses: bool,
    begin: Instant,
    seen: usize,
}

impl Client {
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(action) = self.registration.poll() {
                match action {
                    Action::Send { ask, flow, request } => {
                        self.sent += 1;
                        let id = self.endpoint.request(now, flow, &request);
                        self.asks.insert(id, ask);
                    }
                    Action::Transmit(transmit) => self.raw.push(transmit),
                    Action::State(_) | Action::Noticed(_) => {}
                    Action::Locate { .. } | Action::Reach { .. } => panic!("nothing moves here"),
                }
            }
            let Some(event) = self.endpoint.poll_event() else { return };
            match event {
                Event::Answered { request, response, .. } => {
                    if response.status() >= 200
                        && let Some(ask) = self.asks.remove(&request)
                    {
                        self.registration.answered(now, ask, &response);
                    }
                }
                Event::Failed { request, why } => {
                    if let Some(ask) = self.asks.remove(&request) {
                        self.registration.failed(now, ask, why);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Provider {
    fn settle(&mut self, now: Instant) {
        let seconds = (now - self.begin).as_secs() + 1_000_000;
        while let Some(event) = self.endpoint.poll_event() {
            let Event::Request(arrival) = event else { continue };
            let (request, source) = (&arrival.request, arrival.flow.remote.ip());
            assert_eq!(*request.method(), Method::Register);
            self.seen += 1;
            let password = if self.refuses { "another" } else { "secret" };
            let verdict = self.judge.check(seconds, request, source, |_, hash| {
                Ha1Pair::of("alice", "sipwitch", password).under(hash)
            });
            let answer = if matches!(verdict, Verdict::Accepted { .. }) {
                self.registrar
                    .register(&registrar::Arrival {
                        request,
                        flow: arrival.flow,
                        extension: "alice",
                        now,
                        unix_us: 1_700_000_000_000_000,
                        to_tag: "t",
                    })
                    .response
            } else {
                self.judge.answer(seconds, request, source, &verdict, "t")
            };
            self.endpoint.respond(now, arrival.transaction, &answer);
        }
    }
}

impl Engine for Side {
    fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let message = parse_datagram(bytes, &Limits::default()).expect("sound");
        match self {
            Self::Account(client) => {
                client.endpoint.receive(now, flow, message);
                client.settle(now);
            }
            Self::Provider(provider) => {
                provider.endpoint.receive(now, flow, message);
                provider.settle(now);
            }
        }
    }

    fn flow_failed(&mut self, _: Instant, _: &Flow) {}

    fn handle_deadline(&mut self, now: Instant) {
        match self {
            Self::Account(client) => {
                client.endpoint.handle_deadline(now);
                client.registration.handle_deadline(now);
                client.settle(now);
            }
            Self::Provider(provider) => {
                provider.endpoint.handle_deadline(now);
                provider.settle(now);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Account(client) => {
                let mine = client.registration.next_deadline();
                [client.endpoint.next_deadline(), mine].into_iter().flatten().min()
            }
            Self::Provider(provider) => provider.endpoint.next_deadline(),
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        match self {
            Self::Account(client) => client.raw.pop().or_else(|| client.endpoint.poll_transmit()),
            Self::Provider(provider) => provider.endpoint.poll_transmit(),
        }
    }
}

const OURS: &str = "192.0.2.1:5060";
const THEIRS: &str = "198.51.100.1:5060";

fn world(seed: u64, refuses: bool) -> VirtualWire<Side> {
    let begin = Instant::now();
    let mut wire = VirtualWire::new(seed, begin);
    let octets = [u8::try_from(seed % 251).unwrap(); 32];
    let endpoint = |octets| Endpoint::new(begin, Settings::default(), Timers::default(), octets);
    let client = Client {
        endpoint: endpoint(octets),
        registration: Registration::new(account(), credentials("secret"), octets),
        asks: HashMap::new(),
        raw: Vec::new(),
        sent: 0,
    };
    let provider = Provider {
        endpoint: endpoint([255; 32]),
        judge: Authenticator::new(auth::Rules::default(), &[1; 32], 1),
        registrar: Registrar::new(registrar::Rules::default(), &[1; 32], 1),
        refuses,
        begin,
        seen: 0,
    };
    wire.add(OURS.parse().unwrap(), Side::Account(Box::new(client)));
    wire.add(THEIRS.parse().unwrap(), Side::Provider(Box::new(provider)));
    let way = wire.flow(Transport::Udp, 0, 1);
    client_of(&mut wire).registration.register(begin, &[way]);
    client_of(&mut wire).settle(begin);
    wire
}

fn client_of(wire: &mut VirtualWire<Side>) -> &mut Client {
    match wire.engine(0) {
        Side::Account(client) => client,
        Side::Provider(_) => unreachable!("the account came first"),
    }
}

fn provider_of(wire: &mut VirtualWire<Side>) -> &mut Provider {
    match wire.engine(1) {
        Side::Provider(provider) => provider,
        Side::Account(_) => unreachable!("the account came first"),
    }
}

#[test]
fn a_day_at_our_own_registrar_over_a_bad_wire_is_a_day_online() {
    for seed in 0..10 {
        let mut wire = world(seed, false);
        wire.faults.loss_percent = 20;
        wire.faults.duplication_percent = 10;
        wire.faults.jitter = Duration::from_millis(700);
        let is_online =
            |wire: &mut VirtualWire<Side>| client_of(wire).registration.state() == State::Online;
        assert!(wire.run_until(Duration::from_secs(120), is_online), "seed {seed}");
        let mut offline = 0;
        for _ in 0..24 * 60 {
            wire.run_for(Duration::from_secs(60));
            offline += usize::from(!is_online(&mut wire));
            let bound = provider_of(&mut wire).registrar.len();
            assert_eq!(bound, 1, "seed {seed}");
        }
        assert!(offline <= 3, "seed {seed}: {offline} minutes offline");
        let client = client_of(&mut wire);
        // A refresh every seven minutes, each challenged again because a nonce holds five.
        assert!(client.sent <= 2 * 24 * 12, "seed {seed}: {}", client.sent);
        wire.faults.loss_percent = 0;
        let now = wire.now();
        client_of(&mut wire).registration.unregister(now);
        client_of(&mut wire).settle(now);
        wire.run_for(Duration::from_secs(10));
        assert_eq!(provider_of(&mut wire).registrar.len(), 0, "seed {seed}");
    }
}

#[test]
fn our_own_registrar_sees_a_wrong_password_once() {
    let mut wire = world(1, true);
    wire.run_for(Duration::from_secs(86_400));
    assert!(matches!(client_of(&mut wire).registration.state(), State::NeedsPassword(_)));
    assert_eq!(provider_of(&mut wire).seen, 2, "one without and one with it");
}

#[test]
fn a_provider_that_was_away_finds_its_account_back() {
    let mut wire = world(7, false);
    wire.run_for(Duration::from_secs(10));
    let there: SocketAddr = THEIRS.parse().unwrap();
    wire.unplug(there);
    wire.run_for(Duration::from_secs(7200));
    assert!(matches!(
        client_of(&mut wire).registration.state(),
        State::Unreachable { .. } | State::Registering
    ));
    wire.plug(there);
    let is_online =
        |wire: &mut VirtualWire<Side>| client_of(wire).registration.state() == State::Online;
    assert!(wire.run_until(Duration::from_secs(1900), is_online));
}
