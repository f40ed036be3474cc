// SPDX-License-Identifier: GPL-3.0-or-later
//! The house: a switchboard with its store, under a clock that only moves when it is told to.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::call::CallId;
use sipwitch_sip::{
    auth::client,
    flow::{Flow, Transmit, Transport},
    resolver::{Host, Place as At, Wanted},
    wire::{self, Limits, Uri},
};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use super::super::{
    Inner, Now, Parts, Switchboard,
    ask::{Ask, ExtensionChange, Refusal, Reply},
    errand::{Errand, Way, Ways},
    notice::{CallEnd, CallView, Notice},
    settings::{Circumstances, Listening, Settings},
};
use super::{anchors::FakeAnchors, keeper::Keeper};
use crate::{
    accounts::NoSecret,
    config::Config,
    secret::Secret,
    socket_owner::SocketOwners,
    store::{Bounds, Place, Report, Store},
};

/// Where the house is heard.
pub(super) const HOUSE: &str = "127.0.0.1:5060";
/// When everything begins, on the clock of people.
const BEGIN_US: i64 = 1_800_000_000_000_000;
/// How long the real thread of the store may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// It takes everything; the store is waited for.
    Good,
    /// It takes everything, and says nothing yet.
    Slow,
    /// It takes nothing.
    Full,
}

/// What a house is built from.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) place: Place,
    pub(super) bounds: Bounds,
    pub(super) owners: Option<SocketOwners>,
    pub(super) seed: [u8; 32],
}

impl Plan {
    pub(super) fn usual() -> Self {
        Self {
            settings: settings(),
            place: Place::Memory,
            bounds: Bounds::default(),
            owners: None,
            seed: [7; 32],
        }
    }

    pub(super) fn in_file(path: PathBuf) -> Self {
        Self { place: Place::File(path), ..Self::usual() }
    }
}

/// The settings of an ordinary house: the defaults, but for what depends on the machine.
pub(super) fn settings() -> Settings {
    let address = HOUSE.parse().unwrap();
    let circumstances = Circumstances {
        listening: vec![
            Listening { transport: Transport::Udp, address },
            Listening { transport: Transport::Tcp, address },
        ],
        hostname: "house".into(),
        uid: 1000,
        ..Circumstances::default()
    };
    let settings = Settings::of(&Config::default(), &circumstances);
    Settings { trust_own_loopback: false, ..settings }
}

/// A switchboard, its store and its clock.
pub(super) struct House {
    pub(super) board: Switchboard,
    /// The ports that it thinks it has.
    pub(super) anchors: FakeAnchors,
    pub(super) disk: Disk,
    pub(super) notices: Vec<Notice>,
    /// The places of names; what is not here does not exist.
    pub(super) names: HashMap<String, Vec<(Transport, SocketAddr)>>,
    /// What was published for numbers.
    pub(super) published: HashMap<String, Vec<String>>,
    /// The numbers that were looked up.
    pub(super) looked_up: Vec<String>,
    /// Whether name servers say nothing of numbers.
    pub(super) is_dns_silent: bool,
    /// The passwords in the keyring; what is not here is not kept.
    pub(super) keyring: HashMap<String, Result<client::Secret, NoSecret>>,
    /// The digest service.
    pub(super) keeper: Keeper,
    /// Our address towards everybody, if it is no longer that of the beginning.
    pub(super) moved_to: Option<SocketAddr>,
    /// Those to whom a tunnel leads, and our end of it.
    pub(super) tunnels: HashMap<IpAddr, SocketAddr>,
    /// Errands that were begun and not answered yet.
    errands: VecDeque<Errand>,
    reports: mpsc::UnboundedReceiver<Report>,
    inner: mpsc::UnboundedReceiver<Inner>,
    runtime: Runtime,
    begin: Instant,
    now: Instant,
}

impl House {
    pub(super) fn build(plan: Plan) -> Self {
        let now = Instant::now();
        Self::build_at(plan, now, now)
    }

    fn build_at(plan: Plan, begin: Instant, now: Instant) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let time = Now { instant: now, unix_us: wall(begin, now) };
        let opened = Store::open(&plan.place, &plan.bounds, "house.test", time.unix_us).unwrap();
        let (inner_in, inner) = mpsc::unbounded_channel();
        let anchors = FakeAnchors::default();
        let parts = Parts {
            settings: plan.settings,
            store: opened.store,
            loaded: opened.loaded,
            seed: plan.seed,
            anchors: Box::new(anchors.clone()),
            owners: plan.owners,
            inner: inner_in,
            is_watched: true,
        };
        let board = Switchboard::new(time, parts);
        let reports = opened.reports;
        Self {
            board,
            anchors,
            disk: Disk::Good,
            notices: Vec::new(),
            names: HashMap::new(),
            published: HashMap::new(),
            looked_up: Vec::new(),
            is_dns_silent: false,
            keyring: HashMap::new(),
            keeper: Keeper::default(),
            moved_to: None,
            tunnels: HashMap::new(),
            errands: VecDeque::new(),
            reports,
            inner,
            runtime,
            begin,
            now,
        }
    }

    /// The process is killed, so much time passes, and another one begins with the same file.
    pub(super) fn rebuild(self, plan: Plan, away: Duration) -> Self {
        let (begin, now) = (self.begin, self.now + away);
        drop(self);
        Self::build_at(plan, begin, now)
    }

    pub(super) fn time(&self) -> Now {
        Now { instant: self.now, unix_us: wall(self.begin, self.now) }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    pub(super) fn instant(&self) -> Instant {
        self.now
    }

    /// Bytes arrive, as the driver would hand them in.
    pub(super) fn receive(&mut self, flow: Flow, bytes: Vec<u8>) {
        let now = self.time();
        let _guard = self.runtime.enter();
        let bytes = Bytes::from(bytes);
        match wire::parse_datagram(bytes.clone(), &Limits::default()) {
            Ok(message) => self.board.receive(now, flow, message),
            Err(fault) => self.board.receive_malformed(now, flow, &bytes, &fault),
        }
    }

    /// Time passes up to this moment, at which something may be due.
    pub(super) fn advance(&mut self, to: Instant) {
        self.now = self.now.max(to);
        if self.board.next_deadline().is_some_and(|due| due <= self.now) {
            let now = self.time();
            let _guard = self.runtime.enter();
            self.board.handle_deadline(now);
            let next = self.board.next_deadline();
            assert!(next.is_none_or(|due| due > self.now), "a deadline that passed stays noted");
        }
    }

    /// Gives what is to be sent, and gathers what is to be told.
    pub(super) fn outgoing(&mut self) -> Vec<Transmit> {
        let mut outgoing = Vec::new();
        while let Some(transmit) = self.board.poll_transmit() {
            outgoing.push(transmit);
        }
        while let Some(errand) = self.board.poll_errand() {
            self.errands.push_back(errand);
        }
        while let Some(notice) = self.board.poll_notice() {
            self.notices.push(notice);
        }
        outgoing
    }

    /// Carries out what the switchboard wants done outside. Gives whether there was anything.
    pub(super) fn errands(&mut self) -> bool {
        let is_any = !self.errands.is_empty();
        while let Some(errand) = self.errands.pop_front() {
            match errand {
                Errand::Close(_) => {}
                Errand::FindWays { errand, wanted } => {
                    let ways = self.ways_of(&wanted);
                    self.come_in(Inner::Ways { errand, ways });
                }
                Errand::Reach { errand, places } => {
                    let way =
                        |place: At| Way { flow: self.way(place.transport, place.address), place };
                    let ways = Ok(places.into_iter().map(way).collect());
                    self.come_in(Inner::Ways { errand, ways });
                }
                Errand::FindPublished { number, .. } if self.is_dns_silent => {
                    self.looked_up.push(number.to_string());
                }
                Errand::FindPublished { errand, number, root } => {
                    assert_eq!(&*root, "e164.arpa");
                    let found = self.published.get(number.as_str()).cloned();
                    self.looked_up.push(number.to_string());
                    let uri = |uri: &String| Uri::parse(uri.clone()).unwrap();
                    let addresses = match found {
                        Some(found) => Ok(found.iter().map(uri).collect()),
                        None => Err("nobody published anything".to_owned()),
                    };
                    self.come_in(Inner::Published { errand, addresses });
                }
                Errand::LookAtLogin => {
                    if let Some(kept) = self.keeper.look() {
                        self.come_in(Inner::LoginKept(kept));
                    }
                }
                Errand::JudgeLogin(inquiry) => {
                    let id = inquiry.id;
                    if let Some(answer) = self.keeper.judge(*inquiry) {
                        self.come_in(Inner::LoginJudged { inquiry: id, answer });
                    }
                }
                Errand::FetchSecret { account } => {
                    let secret = self.keyring.get(&*account).cloned();
                    let secret = secret.unwrap_or(Err(NoSecret::Missing));
                    self.come_in(Inner::Secret { account, secret });
                }
            }
        }
        is_any
    }

    fn ways_of(&self, wanted: &Wanted) -> Ways {
        let transport = wanted.transport.unwrap_or(Transport::Udp);
        let places = match &wanted.host {
            Host::Address(address) => {
                vec![(transport, SocketAddr::new(*address, wanted.port.unwrap_or(5060)))]
            }
            Host::Name(name) => self.names.get(&**name).cloned().unwrap_or_default(),
        };
        let may_use =
            |transport: &Transport| wanted.transport.is_none_or(|only| only == *transport);
        let places = places.into_iter().filter(|(transport, _)| may_use(transport));
        let way = |(transport, address): (Transport, SocketAddr)| Way {
            place: At { transport, address, name: wanted.name() },
            flow: self.way(transport, address),
        };
        // The house listens on IPv4 alone.
        let ways: Vec<Way> = places.filter(|(_, at)| at.is_ipv4()).map(way).collect();
        if ways.is_empty() { Err(format!("{wanted} leads nowhere")) } else { Ok(ways) }
    }

    pub(super) fn come_in(&mut self, inner: Inner) {
        let now = self.time();
        let _guard = self.runtime.enter();
        self.board.inner(now, inner);
    }

    /// Waits for the store until nobody else does. Gives whether there was anything to wait for.
    pub(super) fn store(&mut self) -> bool {
        let mut has_waited = false;
        let now = self.time();
        while self.disk != Disk::Slow && !self.board.storing.waiting.is_empty() {
            has_waited = true;
            let report = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, self.reports.recv()).await });
            let report = report.expect("the store answers in time").expect("the store runs");
            let report = match (self.disk, report) {
                (Disk::Full, Report::Committed { through }) => {
                    Report::Delayed { through, words: "the disk is full: make room".into() }
                }
                (_, report) => report,
            };
            let _guard = self.runtime.enter();
            self.board.stored(now, report);
        }
        while !self.board.messages.fetching.is_empty() || self.board.messages.is_expiring {
            has_waited = true;
            let inner = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, self.inner.recv()).await });
            let inner = inner.expect("the store answers in time").expect("we hold a sender");
            let _guard = self.runtime.enter();
            self.board.inner(now, inner);
        }
        has_waited
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        let now = self.time();
        let _guard = self.runtime.enter();
        self.board.ask(now, ask);
    }

    /// Asks something whose answer comes with time.
    pub(super) fn begin<T>(&mut self, ask: impl FnOnce(Reply<T>) -> Ask) -> Asked<T> {
        let (reply, answer) = oneshot::channel();
        self.ask(ask(reply));
        Asked(answer)
    }

    /// Waits for an answer that needs only the store, not the phones.
    pub(super) fn wait<T>(&mut self, asked: Asked<T>) -> Result<T, Refusal> {
        self.store();
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, asked.0).await })
            .expect("an answer in time")
            .expect("every ask is answered")
    }

    pub(super) fn add_extension(&mut self, number: &str, change: ExtensionChange) {
        let asked = self.begin(|reply| Ask::AddExtension { number: number.into(), change, reply });
        assert_eq!(self.wait(asked).unwrap(), number);
    }

    /// The flow to somebody from where we are now.
    fn way(&self, transport: Transport, remote: SocketAddr) -> Flow {
        let flow = Self::flow(transport, remote);
        let tunnel = self.tunnels.get(&remote.ip()).copied();
        Flow { local: tunnel.or(self.moved_to).unwrap_or(flow.local), ..flow }
    }

    pub(super) fn flow(transport: Transport, remote: SocketAddr) -> Flow {
        Flow { transport, local: HOUSE.parse().unwrap(), remote, connection: None }
    }

    /// The latest that was told of a call.
    pub(super) fn view(&self, id: CallId) -> &CallView {
        let told = self.notices.iter().rev().find_map(|notice| match notice {
            Notice::Call(view) if view.id == id => Some(view),
            Notice::CallEnded(end) if end.call.id == id => Some(&end.call),
            _ => None,
        });
        told.unwrap_or_else(|| panic!("nothing was told of {id:?}: {:#?}", self.notices))
    }

    /// The states a call was told to be in, each once.
    pub(super) fn states(&self, id: CallId) -> Vec<&'static str> {
        let mut states: Vec<&'static str> = Vec::new();
        for notice in &self.notices {
            let state = match notice {
                Notice::Call(view) if view.id == id => view.state,
                Notice::CallEnded(end) if end.call.id == id => end.call.state,
                _ => continue,
            };
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        states
    }

    /// How a call ended.
    pub(super) fn end(&self, id: CallId) -> &CallEnd {
        let mut ends = self.notices.iter().filter_map(|notice| match notice {
            Notice::CallEnded(end) if end.call.id == id => Some(end),
            _ => None,
        });
        let end = ends.next().unwrap_or_else(|| panic!("{id:?} has not ended"));
        assert!(ends.next().is_none(), "{id:?} ended twice");
        end
    }

    /// Nothing is under way, and nothing is kept of what was.
    pub(super) fn assert_empty(&self) {
        let board = &self.board;
        assert_eq!(board.call_count(), 0, "calls are left");
        assert_eq!(board.endpoint.leg_count(), 0, "legs are left");
        assert!(board.legs.is_empty(), "legs are remembered: {:?}", board.legs);
        assert!(board.call_deadlines.is_empty(), "deadlines of calls are left");
        assert!(board.is_quiet());
        assert!(board.messages.sending.is_empty(), "texts are under way");
        assert!(board.messages.requests.is_empty(), "requests with texts are remembered");
        assert!(board.queries.requests.is_empty(), "queries are under way");
        assert!(board.errands.is_empty(), "errands are under way");
        assert!(board.login.is_empty(), "somebody waits for the digest service");
        assert!(self.anchors.are_closed(), "ports are open");
        assert!(board.storing.waiting.is_empty(), "somebody waits for the store");
    }
}

/// An answer that is on its way.
pub(super) struct Asked<T>(oneshot::Receiver<Result<T, Refusal>>);

impl<T: std::fmt::Debug> Asked<T> {
    /// The answer, which must be there.
    pub(super) fn answer(mut self) -> Result<T, Refusal> {
        self.0.try_recv().expect("the answer should be there")
    }

    /// Makes sure that the answer is not there yet.
    pub(super) fn is_open(&mut self) -> bool {
        matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// An extension with a password.
pub(super) fn person(password: &str) -> ExtensionChange {
    ExtensionChange { password: Some(Secret::new(password.into())), ..ExtensionChange::default() }
}

fn wall(begin: Instant, now: Instant) -> i64 {
    BEGIN_US + i64::try_from((now - begin).as_micros()).unwrap()
}
