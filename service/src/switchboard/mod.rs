// SPDX-License-Identifier: GPL-3.0-or-later
//! The switchboard: the one owner of calls, phones, extensions and the SIP engine.
//!
//! It opens no socket and reads no clock: messages, asks, what the store did and the time come in
//! as method calls; after each of them [`Switchboard::poll_transmit`],
//! [`Switchboard::poll_errand`] and [`Switchboard::poll_notice`] are drained and
//! [`Switchboard::next_deadline`] is asked again. So the whole house can be run in a test, in
//! virtual time (`run` is the loop around it).
//!
//! | room | what it does |
//! |---|---|
//! | [`ask`], [`notice`] | what others ask, and what they are told |
//! | `accounts` | the user's accounts, and how they stand |
//! | `blocking` | callers whom the user does not want to hear |
//! | [`anchors`] | media of programs that go through us |
//! | `arrivals` | requests outside dialogs: who answers what |
//! | `door` | who somebody is, and whether they may come in |
//! | `outside` | callers from other domains |
//! | `registration` | REGISTER, and phones that come and go |
//! | `configured` | settings and rules that change while all runs |
//! | `entry` | a call in the table, and how others see it |
//! | [`errand`] | what has to be done outside: names, secrets, sockets |
//! | `calls` | the table of calls, and what their state machines want done |
//! | `steering` | what programs ask of calls |
//! | `extensions`, [`directory`] | what programs ask of extensions, and the extensions |
//! | [`login`] | phones that prove themselves by the login password |
//! | `lines` | calls that leave by lines, and requests that come by them |
//! | `lookup` | routes that wait for what was published for a number |
//! | `mailbox` | what waits in mailboxes at providers |
//! | `messages` | texts, delivered or kept |
//! | `metering` | how calls by lines went, and how long they lasted |
//! | `moving` | calls that go on when the network changes |
//! | `network` | what the network looks like, and what is told of it |
//! | `programs` | programs that are phones |
//! | `query` | OPTIONS to somebody else |
//! | `reports` | what calls report, and how they ended |
//! | `storing` | answers that wait for the store |
//! | `trace` | what was tried for a call |

mod accounts;
pub mod anchors;
mod arrivals;
pub mod ask;
mod blocking;
mod calls;
mod configured;
pub mod directory;
mod door;
mod entry;
pub mod errand;
mod extensions;
mod hiding;
mod lines;
pub mod login;
mod lookup;
mod mailbox;
mod messages;
mod metering;
mod moving;
mod network;
pub mod notice;
mod outside;
mod programs;
mod query;
mod registration;
mod reports;
pub mod settings;
mod steering;
mod storing;
#[cfg(test)]
mod tests;
mod trace;
mod world;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use sipwitch_core::{
    blocking::BlockList,
    call::{CallId, LegId, LegIds},
    routing::{Rules, emergency},
};
use sipwitch_sip::{
    auth::{
        Authenticator,
        client::Secret,
        elsewhere::{Answer, InquiryId},
    },
    driver::FlowFault,
    endpoint::{Endpoint, Event},
    flow::{ConnectionId, Flow, Transmit},
    gate::Gate,
    peer::PeerIdentity,
    registrar::Registrar,
    transaction::Timers,
    wire::{Malformed, Message, Uri},
};
use tokio::sync::mpsc;

use self::{
    accounts::{Accounts, no_accounts},
    anchors::Anchors,
    ask::{Ask, Refusal},
    directory::Directory,
    entry::CallEntry,
    errand::{ErrandId, Errands, Ways},
    lines::Starting,
    login::{Kept, Login},
    lookup::{Lookups, Published, Then},
    mailbox::Mailboxes,
    messages::Messages,
    moving::Stranded,
    network::Network,
    notice::{Notice, ServiceView, World},
    programs::Programs,
    query::Queries,
    settings::Settings,
    storing::Storing,
};
use crate::{
    accounts::NoSecret,
    lines::Lines,
    socket_owner::SocketOwners,
    store::{Loaded, Report, Store},
};

/// The time: the clock that never jumps, and the one people read.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// Microseconds since 1970, for what is kept or shown.
    pub unix_us: i64,
}

impl Now {
    /// Seconds since 1970, as digest nonces count.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.unix_us / 1_000_000).unwrap_or(0)
    }
}

/// What something that had to be waited for brought.
#[derive(Debug)]
pub enum Inner {
    /// The texts that wait for an extension.
    Waiting {
        /// The extension.
        extension: String,
        /// The oldest first.
        messages: Vec<crate::store::records::MessageRecord>,
    },
    /// Texts that waited for too long.
    Expired(crate::store::Expired),
    /// The password of an account, or why there is none: it was fetched, given or changed.
    Secret {
        /// Which account.
        account: Arc<str>,
        /// The password, or why there is none.
        secret: Result<Secret, NoSecret>,
    },
    /// The addresses that were published for a number, or why there are none, in words.
    Published {
        /// Who was sent.
        errand: ErrandId,
        /// What was found; the first is to be tried first.
        addresses: Result<Vec<Uri>, String>,
    },
    /// What the digest service keeps of our user, or why it does not tell, in words with what to do.
    LoginKept(Result<Kept, String>),
    /// The digest service judged a phone.
    LoginJudged {
        /// About which it was asked.
        inquiry: InquiryId,
        /// What it said.
        answer: Answer,
    },
    /// Nothing comes from either end of a leg whose media go through us.
    MediaLost {
        /// Which leg.
        leg: LegId,
    },
    /// The ways to a place that was looked up.
    Ways {
        /// Who was sent.
        errand: ErrandId,
        /// What was found.
        ways: Ways,
    },
}

/// What the switchboard is made of.
#[derive(Debug)]
pub struct Parts {
    /// How it behaves.
    pub settings: Settings,
    /// What was kept, and keeps on.
    pub store: Store,
    /// What the store knew.
    pub loaded: Loaded,
    /// Random, from the system: makes ids unguessable.
    pub seed: [u8; 32],
    /// Leads media through us where a program wants that.
    pub anchors: Box<dyn Anchors>,
    /// Who owns loopback sockets; none where the system does not tell.
    pub owners: Option<SocketOwners>,
    /// Where what had to be waited for comes back, to be handed to [`Switchboard::inner`].
    pub inner: mpsc::UnboundedSender<Inner>,
    /// Whether anybody listens to notices.
    pub is_watched: bool,
}

/// The owner of everything.
pub struct Switchboard {
    now: Now,
    settings: Settings,
    rules: Rules,
    endpoint: Endpoint,
    gate: Gate,
    /// For those who are not of the house.
    outside_gate: Gate,
    /// Who is at the other end of each TLS connection.
    peers: HashMap<ConnectionId, PeerIdentity>,
    authenticator: Authenticator,
    blocking: BlockList,
    owners: Option<SocketOwners>,
    registrar: Registrar,
    directory: Directory,
    calls: HashMap<CallId, Box<CallEntry>>,
    legs: HashMap<LegId, CallId>,
    leg_ids: LegIds,
    last_call: u64,
    call_deadlines: BTreeSet<(Instant, CallId)>,
    messages: Messages,
    mailboxes: Mailboxes,
    accounts: Accounts,
    programs: Programs,
    queries: Queries,
    errands: Errands,
    lines: Lines,
    login: Login,
    lookups: Lookups,
    /// Legs whose ways are being looked for.
    starting: HashMap<LegId, Starting>,
    /// What goes out as it is.
    raw: VecDeque<Transmit>,
    store: Store,
    storing: Storing,
    service: ServiceView,
    is_watched: bool,
    is_stopping: bool,
    notices: VecDeque<Notice>,
    stranded: Stranded,
    network: Network,
    inner: mpsc::UnboundedSender<Inner>,
}

impl Switchboard {
    /// The house as it was left.
    #[must_use]
    pub fn new(now: Now, parts: Parts) -> Self {
        let Parts { settings, store, loaded, seed, anchors, owners, inner, is_watched } = parts;
        let key = *loaded.settings.key.expose();
        let mut run = [0; 8];
        run.copy_from_slice(&seed[..8]);
        let authenticator = Authenticator::new(
            settings.auth_rules(&loaded.settings.realm),
            &key,
            u64::from_be_bytes(run),
        );
        let (directory, refused) = Directory::restore(loaded.extensions);
        let mut warnings: Vec<String> = refused;
        warnings.extend(loaded.aside.as_ref().map(crate::store::Aside::words));
        let service = ServiceView {
            addresses: settings.listening.iter().map(settings::Listening::words).collect(),
            domain: settings.domain().to_owned(),
            realm: loaded.settings.realm.clone(),
            configuration_file: settings.configuration_file.clone(),
            started_us: now.unix_us,
            warnings,
            network: String::new(),
            emergency: emergency::Availability::None.as_str(),
            emergency_words: emergency::Availability::None.to_string(),
            emergency_numbers: Vec::new(),
        };
        let mut switchboard = Self {
            now,
            endpoint: Endpoint::new(now.instant, settings.endpoint(), Timers::default(), seed),
            gate: Gate::new(settings.gate.clone()),
            outside_gate: Gate::new(settings.outside.clone()),
            peers: HashMap::new(),
            authenticator,
            blocking: blocking::restore(loaded.blocked, loaded.help_us),
            owners,
            registrar: Registrar::new(settings.registrar.clone(), &key, loaded.next_phone),
            directory,
            calls: HashMap::new(),
            legs: HashMap::new(),
            leg_ids: LegIds::new(),
            last_call: 0,
            call_deadlines: BTreeSet::new(),
            messages: Messages::new(
                loaded.next_message,
                loaded.messages_waiting,
                loaded.messages_expire_us,
            ),
            mailboxes: Mailboxes::default(),
            accounts: Accounts::default(),
            programs: Programs::new(anchors),
            queries: Queries::default(),
            errands: Errands::default(),
            lines: Lines::new(&key, seed, &settings.product),
            login: Login::default(),
            lookups: Lookups::default(),
            starting: HashMap::new(),
            raw: VecDeque::new(),
            store,
            storing: Storing::default(),
            service,
            rules: Rules::default(),
            is_watched,
            is_stopping: false,
            notices: VecDeque::new(),
            stranded: Stranded::default(),
            network: Network::default(),
            inner,
            settings,
        };
        switchboard.restore_phones(loaded.bindings);
        let month = crate::local_time::month(now.unix_us).unwrap_or(0);
        switchboard.lines.remember(month, loaded.meters, loaded.secured);
        switchboard.region_known();
        switchboard.look_for_help();
        switchboard.look_at_login();
        switchboard
    }

    /// A message arrived.
    pub fn receive(&mut self, now: Now, flow: Flow, message: Message) {
        self.now = now;
        self.endpoint.receive(now.instant, flow, message);
        self.drain();
    }

    /// Something arrived that is no message.
    pub fn receive_malformed(&mut self, now: Now, flow: Flow, bytes: &Bytes, fault: &Malformed) {
        self.now = now;
        if self.admits(flow.remote.ip()) {
            self.endpoint.receive_malformed(flow, bytes, fault);
        }
        self.drain();
    }

    /// What was sent there cannot arrive.
    pub fn flow_failed(&mut self, now: Now, flow: &Flow, why: &FlowFault) {
        self.now = now;
        self.endpoint.flow_failed(now.instant, flow);
        self.lines.flow_failed(now.instant, flow, why);
        self.drain();
    }

    /// A connection closed: phones bound to it are gone, requests over it failed.
    pub fn connection_closed(
        &mut self,
        now: Now,
        flow: &Flow,
        connection: ConnectionId,
        why: &FlowFault,
    ) {
        self.now = now;
        self.peers.remove(&connection);
        self.login.connection_closed(connection);
        let changes = self.registrar.connection_closed(connection);
        self.phones_changed(&changes);
        self.endpoint.flow_failed(now.instant, flow);
        self.lines.flow_failed(now.instant, flow, why);
        self.drain();
    }

    /// Somebody asks.
    pub fn ask(&mut self, now: Now, ask: Ask) {
        self.now = now;
        self.answer(ask);
        self.drain();
    }

    /// The store tells how far it came.
    pub fn stored(&mut self, now: Now, report: Report) {
        self.now = now;
        self.on_stored(report);
        self.drain();
    }

    /// Something that had to be waited for is there.
    pub fn inner(&mut self, now: Now, inner: Inner) {
        self.now = now;
        match inner {
            Inner::Waiting { extension, messages } => self.deliver_waiting(&extension, messages),
            Inner::Expired(expired) => self.texts_expired(expired),
            Inner::Secret { account, secret } => self.secret_came(&account, secret),
            Inner::Published { errand, addresses } => self.published_found(errand, addresses),
            Inner::LoginKept(kept) => self.login_kept(kept),
            Inner::LoginJudged { inquiry, answer } => self.login_judged(inquiry, answer),
            Inner::MediaLost { leg } => self.media_lost(leg),
            Inner::Ways { errand, ways } => self.ways_found(errand, ways),
        }
        self.drain();
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Now) {
        self.now = now;
        self.endpoint.handle_deadline(now.instant);
        self.lines.handle_deadline(now.instant);
        self.subscriptions_overdue();
        self.programs_overdue();
        self.login_overdue();
        self.drain();
        let changes = self.registrar.handle_deadline(now.instant);
        self.phones_changed(&changes);
        self.texts_overdue();
        self.lookups_overdue();
        self.drain();
        while let Some(&(due, call)) = self.call_deadlines.first() {
            if due > now.instant {
                break;
            }
            self.call_deadlines.pop_first();
            if let Some(entry) = self.calls.get_mut(&call) {
                entry.armed = None;
                entry.call.deadline(now.instant, &mut self.leg_ids);
                self.pump(call);
            }
            self.drain();
        }
    }

    /// When [`Self::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let call = self.call_deadlines.first().map(|(due, _)| *due);
        let text = self.messages.next_deadline(self.now);
        let (mailbox, lookup) = (self.mailboxes.next_deadline(), self.lookups.next_deadline());
        let (phone, line) = (self.registrar.next_deadline(), self.lines.next_deadline());
        let (sip, program) = (self.endpoint.next_deadline(), self.programs.next_deadline());
        let (judged, login) = (self.authenticator.next_deadline(), self.login.next_deadline());
        let all = [sip, program, judged, login, phone, call, text, line, lookup, mailbox];
        all.into_iter().flatten().min()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit().or_else(|| self.raw.pop_front())
    }

    /// The next thing to tell.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Something a person should know; told once.
    pub fn warn(&mut self, words: String) {
        tracing::warn!("{words}");
        if !self.service.warnings.contains(&words) {
            self.service.warnings.push(words);
            self.tell_service();
        }
    }

    /// A warning whose cause is gone.
    fn unwarn(&mut self, is_gone: impl Fn(&str) -> bool) {
        let before = self.service.warnings.len();
        self.service.warnings.retain(|warning| !is_gone(warning));
        if self.service.warnings.len() != before {
            self.tell_service();
        }
    }

    /// Whether nothing is under way any more, so that the process can end after [`Ask::Stop`].
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty()
            && self.lookups.is_empty()
            && self.leg_count() == 0
            && self.programs.is_idle()
            && self.lines.is_quiet()
    }

    /// How many requests are under way, those included that only wait for repetitions.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.endpoint.transaction_count()
    }

    /// How many legs there are.
    #[must_use]
    pub fn leg_count(&self) -> usize {
        self.endpoint.leg_count() + self.programs.leg_count()
    }

    /// Gives back the room that tables took in a rush.
    pub fn shrink(&mut self) {
        self.calls.shrink_to_fit();
        self.legs.shrink_to_fit();
        self.endpoint.shrink();
    }

    /// How many calls are under way.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Gives the store back, to be closed.
    #[must_use]
    pub fn into_store(self) -> Store {
        self.store
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Snapshot { reply } => {
                let _ = reply.send(Ok(self.world_view()));
            }
            Ask::Announce => {
                let world = self.world_view();
                self.tell(|| Notice::World(Box::new(world)));
            }
            Ask::Stop => self.stop(),
            Ask::OwnerLeft { owner } => {
                self.owner_left(&owner);
                self.program_left(&owner);
            }
            Ask::RegisterEndpoint { endpoint, owner, reply } => {
                let _ = reply.send(self.register_endpoint(&endpoint, owner));
            }
            Ask::Endpoint { phone, owner, ask } => {
                self.endpoint_asks(phone, owner.as_deref(), ask);
            }
            Ask::EndpointsLost => self.programs_lost(),
            Ask::Dial { contact, options, owner, reply } => {
                self.go_on(Then::Dial { contact, options, owner, reply }, Published::NONE);
            }
            Ask::Explain { contact, options, reply } => {
                self.go_on(Then::Explain { contact, options, reply }, Published::NONE);
            }
            Ask::Hangup { call, reply } => {
                let _ = reply.send(self.hang_up(call));
            }
            Ask::Answer { call, reply } => {
                let _ = reply.send(self.answer_call(call));
            }
            Ask::Hold { call, reply } => self.hold(call, true, reply),
            Ask::Resume { call, reply } => self.hold(call, false, reply),
            Ask::Transfer { call, contact, reply } => {
                self.go_on(Then::Transfer { call, contact, reply }, Published::NONE);
            }
            Ask::SendDtmf { call, tones, reply } => self.send_dtmf(call, &tones, reply),
            Ask::AddExtension { number, change, reply } => {
                self.add_extension(&number, &change, reply);
            }
            Ask::ChangeExtension { number, change, reply } => {
                self.change_extension(&number, &change, reply);
            }
            Ask::GeneratePassword { number, reply } => self.generate_password(&number, reply),
            Ask::RemoveExtension { number, reply } => self.remove_extension(&number, reply),
            Ask::ImportExtensions { csv, reply } => self.import_extensions(&csv, reply),
            Ask::TryAccountAgain { account, reply } => {
                let _ = reply.send(self.try_account_again(&account));
            }
            // Files and secrets belong to the loop around us, which answers these itself.
            Ask::AddAccount { reply, .. } => {
                let _ = reply.send(Err(no_accounts()));
            }
            Ask::ChangeAccount { reply, .. } | Ask::RemoveAccount { reply, .. } => {
                let _ = reply.send(Err(no_accounts()));
            }
            Ask::SetAccountPassword { reply, .. } => {
                let _ = reply.send(Err(no_accounts()));
            }
            Ask::RemovePhone { phone, reply } => self.remove_phone(phone, reply),
            Ask::History { limit, reply } => self.history(limit, reply),
            Ask::Query { uri, reply } => self.query(&uri, reply),
            Ask::Blocking(ask) => self.blocking_asked(ask),
            Ask::SendMessage { contact, from, text, reply } => {
                self.send_message(&contact, from.as_deref(), None, (text, None), reply);
            }
            // The rules' file and the names belong to the loop around us, which answers these itself.
            Ask::Rules(_) | Ask::CheckNames { .. } => {}
            // The configuration belongs to the loop around us, which answers this itself.
            Ask::Reload { reply } => {
                let _ = reply.send(Err(Refusal::NotInThisState(
                    "there is no configuration to read again".into(),
                )));
            }
        }
    }

    /// Hands on what the engine has to tell, until it has nothing more.
    fn drain(&mut self) {
        loop {
            self.drain_endpoint();
            let Some((leg, event)) = self.programs.next_event() else { break };
            self.leg_event(leg, event);
        }
        self.tell_programs();
    }

    fn drain_endpoint(&mut self) {
        self.carry_out_wishes();
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Request(arrival) => self.arrived(arrival),
                // Otherwise an INVITE is answered at once or made a leg of.
                Event::Withdrawn { transaction } => self.login.withdrawn(transaction),
                Event::Leg { leg, event } => self.leg_event(leg, event),
                Event::Answered { request, response, flow } => {
                    self.answered(request, &response, &flow);
                }
                Event::Failed { request, why } => self.failed(request, &why),
                Event::PlaceFailed { flow, rest } => {
                    self.lines.place_failed(self.now.instant, &flow, rest);
                }
                Event::Moved { leg, moved } => self.leg_moved(leg, moved),
            }
            self.carry_out_wishes();
        }
    }

    fn stop(&mut self) {
        if self.is_stopping {
            return;
        }
        self.is_stopping = true;
        self.end_all_calls();
        self.end_lookups();
        self.lines.stop(self.now.instant);
    }

    fn tell(&mut self, notice: impl FnOnce() -> Notice) {
        if self.is_watched {
            self.notices.push_back(notice());
        }
    }

    fn tell_service(&mut self) {
        self.look_for_help();
        if self.is_watched {
            self.notices.push_back(Notice::Service(self.service.clone()));
        }
    }

    /// Something of a line changed: whether help can be called, and by which numbers, may have, too.
    fn help_may_differ(&mut self) {
        if self.is_watched && self.look_for_help() {
            self.notices.push_back(Notice::Service(self.service.clone()));
        }
    }

    /// Looks whether help can be called, and by which numbers; whether that is new.
    fn look_for_help(&mut self) -> bool {
        let house = self.house(None);
        let emergency = emergency::availability(&house);
        let services = emergency::services(&house).into_iter();
        let numbers: Vec<(String, Vec<String>)> =
            services.map(|(service, numbers)| (service.to_owned(), numbers)).collect();
        let words = emergency.to_string();
        let service = &mut self.service;
        if service.emergency_words == words && service.emergency_numbers == numbers {
            return false;
        }
        service.emergency = emergency.as_str();
        service.emergency_words = words;
        service.emergency_numbers = numbers;
        true
    }

    fn world_view(&self) -> World {
        World {
            service: self.service.clone(),
            calls: self.calls.values().map(|entry| entry.view()).collect(),
            phones: self
                .registrar
                .phones()
                .map(|binding| world::phone_view(binding))
                .chain(self.programs.views())
                .collect(),
            accounts: self.account_views(),
            blocked: self.blocked_views(),
            extensions: self.directory.iter().map(|entry| self.extension_view(entry)).collect(),
        }
    }
}
