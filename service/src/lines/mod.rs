// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines: accounts at providers, trunks to other exchanges and gateways, as they stand now.
//!
//! Owned by the switchboard and as pure as it: passwords, names, answers and the time come in, and
//! after every call [`Lines::poll`] is drained until it gives None and [`Lines::next_deadline`] is
//! asked again. Requests go out through the endpoint of the switchboard, whose answers come back
//! here.
//!
//! The life of an account: it waits for its turn (`pace`), its password is fetched, its servers
//! are looked for, and then a [`Registration`] keeps it registered over the ways that were found. A
//! trunk has no registration: OPTIONS tell whether somebody is there (`trunk`). A gateway is a
//! phone that registers here, and as long as it does the line is up.
//!
//! A line whose password was refused, or missing, is silent until somebody changes that: providers
//! lock out whoever insists.
//!
//! Without lines nothing is kept and nothing wakes up.
//!
//! [`Registration`]: sipwitch_sip::client_registration::Registration

mod entry;
mod facts;
mod incoming;
mod outgoing;
mod pace;
mod record;
mod secured;
mod shelter;
mod trunk;
mod words;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Instant,
};

use sipwitch_core::line::{Line, LineId};
use sipwitch_sip::{
    auth::{Ha1Pair, client::Secret},
    client_registration::{Ask, Notice},
    driver::FlowFault,
    flow::{Flow, Transmit},
    resolver::{Failed, Place, Wanted},
    transaction::{ClientId, Failure},
    wire::{Draft, Response, Uri},
};

use self::{entry::Entry, pace::Pace, record::Record, secured::Secured};
pub use self::{
    facts::{Facts, Outside, Reach},
    outgoing::Outgoing,
    words::Standing,
};
use crate::{
    accounts::NoSecret,
    connectivity::Paths,
    store::SecuredRecord,
    switchboard::errand::{ErrandId, Way, Ways},
};

/// The most lines of one house.
pub const MAX_LINES: usize = 10_000;

/// What lines want done.
#[derive(Debug)]
pub enum Wish {
    /// Send a request; say which transaction it became ([`Lines::sent`]).
    Send {
        /// Whose.
        line: LineId,
        /// What for.
        why: Why,
        /// Over which flow.
        flow: Flow,
        /// What.
        request: Box<Draft>,
    },
    /// Send these bytes as they are.
    Transmit(Transmit),
    /// Find the ways to what is wanted and tell [`Lines::ways_found`].
    FindWays {
        /// Whose.
        line: LineId,
        /// What.
        wanted: Wanted,
        /// What for.
        purpose: Purpose,
    },
    /// Find the way to a place anew, and tell it in the same manner.
    Reach {
        /// Whose.
        line: LineId,
        /// The place.
        place: Place,
        /// What for.
        purpose: Purpose,
    },
    /// Fetch the password of an account and tell [`Lines::secret_came`].
    FetchSecret {
        /// Which.
        account: Arc<str>,
    },
    /// Remember that an account was online over TLS.
    KeepSecured(SecuredRecord),
    /// A line stands in another way now.
    Changed {
        /// Whose account.
        account: Arc<str>,
    },
    /// Something was noticed about the network.
    Noticed {
        /// By which line.
        line: LineId,
        /// What.
        notice: Notice,
    },
}

/// What ways are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The line's servers.
    Servers,
    /// Where the registrar sends us.
    Detour,
    /// A stream that is to be opened anew.
    Stream(Flow),
}

/// What a request of a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The registration's own business.
    Registration(Ask),
    /// To see whether a trunk is there.
    Health,
}

/// All lines.
pub struct Lines {
    entries: HashMap<LineId, Entry>,
    by_account: HashMap<Arc<str>, LineId>,
    /// By the user part of our Contact.
    by_user: HashMap<Box<str>, LineId>,
    /// By the addresses of their servers.
    by_source: HashMap<IpAddr, Vec<LineId>>,
    /// Trunks whose calls come from stated networks.
    with_networks: Vec<LineId>,
    /// As routing sees them, in the order in which the user has them.
    seen: Vec<Line>,
    order: HashMap<LineId, (u32, Arc<str>)>,
    requests: HashMap<ClientId, (LineId, Why, Flow)>,
    errands: HashMap<ErrandId, (LineId, Purpose)>,
    deadlines: BTreeSet<(Instant, LineId)>,
    pace: Pace,
    failed: Failed,
    record: Record,
    secured: Secured,
    key: [u8; 32],
    run: [u8; 32],
    last: u64,
    product: String,
    out: VecDeque<Wish>,
}

impl Lines {
    /// None. `key` is the secret of this installation, under which what must stay the same over a
    /// restart is made; `run` is random from the system, for this run alone.
    #[must_use]
    pub fn new(key: &[u8; 32], run: [u8; 32], product: &str) -> Self {
        Self {
            entries: HashMap::new(),
            by_account: HashMap::new(),
            by_user: HashMap::new(),
            by_source: HashMap::new(),
            with_networks: Vec::new(),
            seen: Vec::new(),
            order: HashMap::new(),
            requests: HashMap::new(),
            errands: HashMap::new(),
            deadlines: BTreeSet::new(),
            pace: Pace::default(),
            failed: Failed::default(),
            record: Record::default(),
            secured: Secured::default(),
            key: *key,
            run,
            last: 0,
            product: product.to_owned(),
            out: VecDeque::new(),
        }
    }

    /// An account was made or changed. What changed takes effect at once; what stands and did not
    /// change goes on.
    pub fn put(&mut self, now: Instant, facts: Facts) {
        let id = match self.by_account.get(&facts.account) {
            Some(id) => *id,
            None if self.entries.len() >= MAX_LINES => {
                tracing::warn!(account = %facts.account, "one line too many is left out");
                return;
            }
            None => {
                self.last += 1;
                LineId(self.last)
            }
        };
        let facts = Arc::new(Facts { line: Line { id, ..facts.line.clone() }, ..facts });
        match self.entries.get(&id) {
            Some(entry) if entry.facts == facts => return,
            Some(entry) if entry.goes_on_with(&facts) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.facts = Arc::clone(&facts);
                }
                self.see(&facts);
                let account = Arc::clone(&facts.account);
                self.out.push_back(Wish::Changed { account });
                return self.settle(now, id);
            }
            Some(_) => self.take_down(now, id),
            None => {}
        }
        self.see(&facts);
        self.by_account.insert(Arc::clone(&facts.account), id);
        let entry = Entry::new(id, Arc::clone(&facts), self.contact_user(&facts.account));
        self.by_user.insert(entry.contact_user.clone(), id);
        if matches!(&facts.reach, Reach::Trunk { sources, .. } if !sources.is_empty()) {
            self.with_networks.push(id);
        }
        self.entries.insert(id, entry);
        if facts.is_on && facts.outside().is_some() {
            self.pace.wait(id);
        }
        self.out.push_back(Wish::Changed { account: Arc::clone(&facts.account) });
        self.settle(now, id);
        self.take_turns(now);
    }

    /// An account is gone: it is taken off at the provider, and forgotten.
    pub fn remove(&mut self, now: Instant, account: &str) {
        let Some(id) = self.by_account.remove(account) else { return };
        self.take_down(now, id);
        self.seen.retain(|line| line.id != id);
        self.order.remove(&id);
    }

    /// Somebody wants a line tried at once, whatever was before.
    pub fn retry(&mut self, now: Instant, account: &str) {
        if let Some(id) = self.by_account.get(account).copied() {
            self.with(now, id, |entry, shared| entry.retry(now, shared));
        }
    }

    /// The password of an account was fetched, given or changed.
    pub fn secret_came(&mut self, now: Instant, account: &str, secret: Result<Secret, NoSecret>) {
        if let Some(id) = self.by_account.get(account).copied() {
            self.with(now, id, |entry, shared| entry.secret_came(now, shared, secret));
        }
    }

    /// The network is another one: everything is registered anew, each in its turn.
    pub fn network_changed(&mut self, now: Instant) {
        self.failed.forget();
        self.forgive_all();
        let mut ids: Vec<LineId> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.with(now, id, |entry, _| entry.forget_network());
            if self.entries.get(&id).is_some_and(Entry::wants_network) {
                self.pace.wait(id);
            }
        }
        self.take_turns(now);
    }

    /// The network is the same, but ways through it may be others. Lines whose ways begin elsewhere
    /// now are registered anew; if more can be reached than before, so are those that are not
    /// online. Gives the former.
    pub fn paths_changed(
        &mut self,
        now: Instant,
        paths: &Paths,
        reaches_more: bool,
    ) -> Vec<LineId> {
        let mut moved: Vec<LineId> = Vec::new();
        let mut again: Vec<LineId> = Vec::new();
        for entry in self.entries.values().filter(|entry| entry.wants_network()) {
            if entry.is_led_elsewhere(paths) {
                moved.push(entry.id);
            } else if reaches_more && entry.standing().state == "unreachable" {
                again.push(entry.id);
            }
        }
        moved.sort_unstable();
        again.sort_unstable();
        for id in moved.iter().chain(&again).copied() {
            self.with(now, id, |entry, _| entry.forget_network());
            self.pace.wait(id);
        }
        if !moved.is_empty() || !again.is_empty() {
            self.failed.forget();
            self.take_turns(now);
        }
        moved
    }

    /// The addresses of the servers of all lines.
    pub fn far_ends(&self) -> impl Iterator<Item = IpAddr> {
        self.by_source.keys().copied()
    }

    /// The machine is about to sleep: registrations are taken back, until the network is looked at
    /// when it is awake again.
    pub fn fall_asleep(&mut self, now: Instant) {
        let mut ids: Vec<LineId> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.pace.leave(id);
            self.with(now, id, |entry, shared| entry.fall_asleep(now, shared));
        }
    }

    /// What a line wrote came back rewritten over this flow: its provider is reached otherwise, if
    /// that is possible. Gives what happened in words, if it is news.
    pub fn rewritten(&mut self, now: Instant, id: LineId, flow: &Flow) -> Option<String> {
        let mut words = None;
        self.with(now, id, |entry, shared| words = entry.rewritten(now, shared, flow.transport));
        words
    }

    /// The service stops: everything is taken off at the providers.
    pub fn stop(&mut self, now: Instant) {
        let ids: Vec<LineId> = self.entries.keys().copied().collect();
        for id in ids {
            self.pace.leave(id);
            self.with(now, id, |entry, shared| entry.leave(now, shared));
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether nothing of lines is under way.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.requests.is_empty()
    }

    /// A request that was wished for is under way as this transaction.
    pub fn sent(&mut self, client: ClientId, line: LineId, why: Why, flow: Flow) {
        self.requests.insert(client, (line, why, flow));
    }

    /// Somebody was sent for what was wished.
    pub fn sent_for(&mut self, errand: ErrandId, line: LineId, purpose: Purpose) {
        self.errands.insert(errand, (line, purpose));
    }

    /// Takes an answer, if it is one to a line's request; says to which line's it was.
    pub fn answered(
        &mut self,
        now: Instant,
        client: ClientId,
        response: &Response,
    ) -> Option<LineId> {
        let (id, why, flow) = self.requests.get(&client).copied()?;
        if response.status() >= 200 {
            self.requests.remove(&client);
            self.with(now, id, |entry, shared| {
                entry.answered(now, shared, why, &flow, response);
            });
        }
        Some(id)
    }

    /// A request will not be answered; says whether it was a line's.
    pub fn failed(&mut self, now: Instant, client: ClientId, why: Failure) -> bool {
        let Some((id, what, flow)) = self.requests.remove(&client) else { return false };
        self.with(now, id, |entry, shared| entry.failed(now, shared, what, &flow, why));
        true
    }

    /// The ways to what was looked for are known, or that there is none.
    pub fn ways_found(&mut self, now: Instant, errand: ErrandId, ways: Ways) {
        let Some((id, purpose)) = self.errands.remove(&errand) else { return };
        self.with(now, id, |entry, shared| entry.ways_found(now, shared, purpose, ways));
        self.note_sources(id);
    }

    /// The ways to a line's servers were asked for anew, for a call.
    pub fn reached(&mut self, id: LineId, ways: &[Way]) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.reached(ways);
        }
    }

    /// A connection is gone or could not be made, or a socket is gone; why, in words.
    pub fn flow_failed(&mut self, now: Instant, flow: &Flow, why: &FlowFault) {
        let hit: Vec<LineId> =
            self.of_source(flow.remote.ip()).filter(|id| self.goes_over(*id, flow)).collect();
        for id in hit {
            self.with(now, id, |entry, shared| entry.flow_failed(now, shared, flow, why));
        }
    }

    /// Whether phones are registered where gateways should be.
    pub fn gateways_are(&mut self, now: Instant, is_registered: impl Fn(&str) -> bool) {
        let mut hit = Vec::new();
        for entry in self.entries.values_mut() {
            if let Reach::Gateway(extension) = &entry.facts.reach
                && entry.set_gateway(is_registered(extension))
            {
                hit.push(entry.id);
            }
        }
        hit.sort_unstable();
        for id in hit {
            self.settle(now, id);
        }
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) {
        self.forgive(now);
        self.take_turns(now);
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > now {
                break;
            }
            self.deadlines.pop_first();
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.armed = None;
            }
            self.with(now, id, |entry, shared| entry.handle_deadline(now, shared));
        }
    }

    /// When [`Self::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let line = self.deadlines.first().map(|(due, _)| *due);
        let record = self.record.next_deadline();
        [line, self.pace.next_deadline(), record].into_iter().flatten().min()
    }

    /// The next thing to be done. To be called until there is none, after every other call.
    pub fn poll(&mut self) -> Option<Wish> {
        self.out.pop_front()
    }

    /// The lines as routing sees them, in the order in which the user has them.
    #[must_use]
    pub fn seen(&self) -> &[Line] {
        &self.seen
    }

    /// A line as routing sees it, and how it stands.
    #[must_use]
    pub fn line(&self, id: LineId) -> Option<(&Line, &Facts, Standing)> {
        let entry = self.entries.get(&id)?;
        let line = self.seen.iter().find(|line| line.id == id)?;
        Some((line, &entry.facts, entry.standing()))
    }

    /// The line of an account.
    #[must_use]
    pub fn of_account(&self, account: &str) -> Option<LineId> {
        self.by_account.get(account).copied()
    }

    /// Over which flow a line is reached now, and until when that holds by itself.
    #[must_use]
    pub fn reached_by(&self, id: LineId) -> Option<(Flow, Option<Instant>)> {
        let entry = self.entries.get(&id)?;
        match entry.registration() {
            Some(registration) => Some((registration.flows().next()?, registration.held_until())),
            None => Some((entry.best_of_trunk()?, None)),
        }
    }

    /// The name of a line in words.
    #[must_use]
    pub fn title(&self, id: LineId) -> Option<&str> {
        self.seen.iter().find(|line| line.id == id).map(Line::title)
    }

    /// Changes what routing knows of a line beside its state: how calls by it went.
    fn with_seen(&mut self, id: LineId, change: impl FnOnce(&mut Line)) {
        if let Some(line) = self.seen.iter_mut().find(|line| line.id == id) {
            change(line);
        }
    }

    fn take_turns(&mut self, now: Instant) {
        while let Some(id) = self.pace.turn(now) {
            self.with(now, id, |entry, shared| entry.begin(shared));
        }
    }

    /// Takes a line off and forgets how it stood.
    fn take_down(&mut self, now: Instant, id: LineId) {
        self.pace.leave(id);
        self.record.forget(id);
        self.with(now, id, |entry, shared| entry.leave(now, shared));
        if let Some(entry) = self.entries.remove(&id) {
            self.by_user.remove(&entry.contact_user);
            if let Some(armed) = entry.armed {
                self.deadlines.remove(&(armed, id));
            }
        }
        self.errands.retain(|_, (line, _)| *line != id);
        self.with_networks.retain(|line| *line != id);
        self.by_source.retain(|_, lines| {
            lines.retain(|line| *line != id);
            !lines.is_empty()
        });
    }

    /// Takes up what routing is to know, in the place that the user gave it.
    fn see(&mut self, facts: &Facts) {
        let id = facts.line.id;
        let mut line = facts.line.clone();
        if let Some(at) = self.seen.iter().position(|line| line.id == id) {
            let before = self.seen.remove(at);
            (line.state, line.health) = (before.state, before.health);
        }
        line.meter.used = self.record.used(&facts.account);
        let place = (facts.order, Arc::clone(&facts.account));
        let order = &self.order;
        let at = self.seen.partition_point(|line| order.get(&line.id) < Some(&place));
        self.seen.insert(at, line);
        self.order.insert(id, place);
    }

    fn with(&mut self, now: Instant, id: LineId, act: impl FnOnce(&mut Entry, &mut Shared<'_>)) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let mut shared = Shared {
            out: &mut self.out,
            failed: &mut self.failed,
            secured: &mut self.secured,
            run: &self.run,
            product: &self.product,
            key: &self.key,
        };
        act(entry, &mut shared);
        self.settle(now, id);
    }

    /// Notes when a line wants to be called again, and tells how it stands now.
    fn settle(&mut self, _now: Instant, id: LineId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let next = entry.next_deadline();
        if next != entry.armed {
            if let Some(armed) = entry.armed {
                self.deadlines.remove(&(armed, id));
            }
            if let Some(next) = next {
                self.deadlines.insert((next, id));
            }
            entry.armed = next;
        }
        let standing = entry.standing();
        let state = standing.line_state();
        if let Some(line) = self.seen.iter_mut().find(|line| line.id == id) {
            line.state = state;
        }
        if entry.told.as_ref() != Some(&standing) {
            tracing::info!(
                account = %entry.facts.account, state = standing.state, "{}", standing.cause
            );
            entry.told = Some(standing);
            let account = Arc::clone(&entry.facts.account);
            self.out.push_back(Wish::Changed { account });
        }
    }

    fn note_sources(&mut self, id: LineId) {
        let Some(entry) = self.entries.get(&id) else { return };
        for way in &entry.ways {
            let lines = self.by_source.entry(way.place.address.ip().to_canonical()).or_default();
            if !lines.contains(&id) {
                lines.push(id);
            }
        }
    }

    fn of_source(&self, source: IpAddr) -> impl Iterator<Item = LineId> {
        self.by_source.get(&source.to_canonical()).into_iter().flatten().copied()
    }

    fn goes_over(&self, id: LineId, flow: &Flow) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.ways.iter().any(|way| way.is_over(flow)))
    }

    /// The user part of a line's Contact: the same after a restart, and for nobody to guess.
    fn contact_user(&self, account: &str) -> Box<str> {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let letters = derived(&self.key, "contact", account);
        letters[..24].iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
    }
}

/// What lines share.
struct Shared<'a> {
    out: &'a mut VecDeque<Wish>,
    failed: &'a mut Failed,
    secured: &'a mut Secured,
    run: &'a [u8; 32],
    product: &'a str,
    key: &'a [u8; 32],
}

impl Shared<'_> {
    /// The URN of this installation, as far as an account is concerned (RFC 5626 §4.1): the same
    /// after a restart, and different from account to account, so that providers cannot compare.
    fn instance(&self, account: &str) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&derived(self.key, "instance", account)[..16]);
        // RFC 9562 §5.8: a UUID of our own making.
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// Random for one line of this run.
    fn seed(&self, account: &str) -> [u8; 32] {
        derived(self.run, "seed", account)
    }
}

/// Bytes that follow from a secret and cannot be guessed without it: SHA-256 over what they are for
/// and the secret, which nobody else can extend, since its length is fixed.
fn derived(secret: &[u8; 32], purpose: &str, of: &str) -> [u8; 32] {
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    Ha1Pair::of(of, purpose, &secret).sha256
}

/// Where the registrar sends us.
fn detour(uri: &Uri) -> Option<Wanted> {
    Wanted::of(uri).ok()
}
