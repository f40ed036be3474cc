// SPDX-License-Identifier: GPL-3.0-or-later
//! Registering at somebody else's registrar (RFC 3261 §10), over one or two flows (RFC 5626),
//! sans-IO: one [`Registration`] for each account.
//!
//! Answers, failures and the time come in; after every call [`Registration::poll`] is drained until
//! it gives None, and [`Registration::next_deadline`] is asked again. What is to be sent goes
//! through [`Endpoint::request`], and its answer comes back under the [`Ask`] it was sent for.
//!
//! What it holds to:
//! - A password that was refused is not shown again until somebody changes it, or asks for it, or
//!   the network changed and ten minutes are over: providers lock out whoever insists.
//! - One request at a time and flow, and after a failure of all ways a pause that grows
//!   (RFC 5626 §4.5), with chance in it, so that a thousand accounts do not come back at once.
//! - Nothing is sent to keep a flow alive that does not need it.
//!
//! [`Endpoint::request`]: crate::endpoint::Endpoint::request

mod account;
mod answer;
mod answered;
mod asking;
mod binding;
mod pause;
mod redirect;
#[cfg(test)]
mod tests;
mod told;
mod ways;

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

pub use self::{
    account::{Account, KeepAlive, Ping},
    told::{Action, Ask, Notice, Password, Silence, State, Trouble},
};
use self::{
    binding::{Binding, Phase},
    redirect::Detour,
};
use crate::{
    auth::client::Credentials,
    flow::{Flow, Transmit},
    transaction::Failure,
    wire::{Response, Uri},
};

/// Ways that are tried for one account.
const MOST_WAYS: usize = 8;

/// One account at its registrar.
pub struct Registration {
    account: Account,
    credentials: Option<Credentials>,
    random: ChaCha12Rng,
    /// The ways to the registrar or its outbound proxy, the best first.
    ways: Vec<Flow>,
    /// Connections that were given lately and have not failed.
    fresh: Vec<(Flow, Instant)>,
    /// Where the registrar sent us instead.
    detour: Option<Detour>,
    /// The first binding, and a second one where the registrar takes several flows.
    bindings: Vec<Binding>,
    /// A second flow was refused.
    has_one_flow: bool,
    /// What we are to do.
    wanted: Wanted,
    /// What was told last.
    told: State,
    next_ask: u64,
    out: VecDeque<Action>,
}

/// What somebody wants of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Off,
    Registered,
    /// Nothing more is sent; see [`Silence`].
    Silent {
        why: Silence,
        since: Instant,
    },
}

/// A changed network may bring another registrar; not more often than this.
const SILENCE: Duration = Duration::from_secs(600);

impl Registration {
    /// One that does nothing yet. The seed makes ids unguessable and pauses uneven: take it from
    /// the system.
    #[must_use]
    pub fn new(account: Account, credentials: Option<Credentials>, seed: [u8; 32]) -> Self {
        Self {
            account,
            credentials,
            random: ChaCha12Rng::from_seed(seed),
            ways: Vec::new(),
            fresh: Vec::new(),
            detour: None,
            bindings: Vec::new(),
            has_one_flow: false,
            wanted: Wanted::Off,
            told: State::Off,
            next_ask: 0,
            out: VecDeque::new(),
        }
    }

    /// Registers over these ways, the best first; also to be called when the network changed, with
    /// the ways there are now. An account whose password was refused stays silent for ten minutes
    /// all the same.
    pub fn register(&mut self, now: Instant, ways: &[Flow]) {
        self.ways = ways.iter().copied().take(MOST_WAYS).collect();
        self.are_fresh(now, ways);
        self.detour = None;
        match self.wanted {
            Wanted::Silent { since, .. } if now < since + SILENCE => {}
            Wanted::Off | Wanted::Registered | Wanted::Silent { .. } => self.begin(now),
        }
        self.tell_state();
    }

    /// Forgets the ways that do not fit. A binding that stands over one of them stands on.
    pub fn narrow(&mut self, fits: impl Fn(&Flow) -> bool) {
        self.ways.retain(|way| fits(way));
    }

    /// Tries at once, whatever was before: somebody asked for it. One that is off stays off.
    pub fn retry(&mut self, now: Instant) {
        if self.wanted != Wanted::Off {
            self.begin(now);
        }
        self.tell_state();
    }

    /// Takes another password, or takes it away. A new one is tried at once.
    pub fn set_credentials(&mut self, now: Instant, credentials: Option<Credentials>) {
        if self.credentials == credentials {
            return;
        }
        self.credentials = credentials;
        for binding in &mut self.bindings {
            binding.answers.forget();
        }
        if self.wanted != Wanted::Off && self.credentials.is_some() {
            self.begin(now);
        }
        self.tell_state();
    }

    /// Takes the registration back and stays off.
    pub fn unregister(&mut self, now: Instant) {
        self.wanted = Wanted::Off;
        self.detour = None;
        for at in 0..self.bindings.len() {
            self.remove_binding(now, at);
        }
        self.tell_state();
    }

    /// Takes the answer to what was sent for an ask. One that is no longer waited for is ignored.
    pub fn answered(&mut self, now: Instant, ask: Ask, response: &Response) {
        if response.status() >= 200
            && let Some(at) = self.bindings.iter().position(|binding| binding.waits_for(ask))
        {
            self.take_answer(now, at, ask, response);
            self.tell_state();
        }
    }

    /// What was sent for an ask has no answer.
    pub fn failed(&mut self, now: Instant, ask: Ask, why: Failure) {
        if let Some(at) = self.bindings.iter().position(|binding| binding.waits_for(ask)) {
            self.take_failure(now, at, ask, why);
            self.tell_state();
        }
    }

    /// A connection is gone, or a socket.
    pub fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        self.fresh.retain(|(fresh, _)| fresh != flow);
        for at in 0..self.bindings.len() {
            if self.bindings.get(at).is_some_and(|binding| binding.goes_over(flow)) {
                self.lost(now, at);
            }
        }
        self.tell_state();
    }

    /// The way to a place was asked for anew ([`Action::Reach`]); none if there is none.
    pub fn reached(&mut self, now: Instant, old: &Flow, way: Option<Flow>) {
        self.take_reached(now, old, way);
        self.tell_state();
    }

    /// The ways to where the registrar sent us ([`Action::Locate`]); none if there are none.
    pub fn located(&mut self, now: Instant, ways: &[Flow]) {
        self.take_detour(now, ways);
        self.tell_state();
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) {
        for at in 0..self.bindings.len() {
            self.do_due(now, at);
        }
        self.tell_state();
    }

    /// When [`Self::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.bindings.iter().filter_map(Binding::next_deadline).min()
    }

    /// The next thing to do. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// Whether no answer is waited for: after [`Self::unregister`], that it is taken back, or will
    /// not be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.bindings.iter().any(|binding| matches!(binding.phase, Phase::Asking { .. }))
    }

    /// Whether it is being found out whether the registrar takes us.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        let tries = |phase: &Phase| matches!(phase, Phase::Asking { .. } | Phase::Reaching { .. });
        self.bindings.iter().any(|binding| tries(&binding.phase))
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.told.clone()
    }

    /// The flows over which the account can be reached now, the best first: calls go out over the
    /// same ones.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        self.bindings.iter().filter(|binding| binding.is_held()).map(|binding| binding.flow)
    }

    /// Until when the account can be reached if nothing more is done; none if it cannot.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.bindings.iter().filter_map(|binding| binding.held_until).max()
    }

    /// The proxies that requests on this line go through, as the registrar said (RFC 3608).
    #[must_use]
    pub fn service_route(&self) -> &[Bytes] {
        self.held().map_or(&[], |held| &held.service_route)
    }

    /// The other addresses of the account (RFC 7315 §4.1).
    #[must_use]
    pub fn associated(&self) -> &[Uri] {
        self.held().map_or(&[], |held| &held.associated)
    }

    /// The address to be written into our Contact, if it is not that of the flow: the one under
    /// which the registrar sees us, for registrars that want that and take no flows.
    #[must_use]
    pub fn mapped_contact(&self) -> Option<SocketAddr> {
        let binding = self.bindings.iter().find(|binding| binding.is_held())?;
        self.mapped_contact_of(binding)
    }

    /// The address that reaches this very device through the registrar, where it gave one
    /// (RFC 5627).
    #[must_use]
    pub fn public_gruu(&self) -> Option<&Uri> {
        self.held().and_then(|held| held.public_gruu.as_ref())
    }

    /// The same without the account's name in it.
    #[must_use]
    pub fn temporary_gruu(&self) -> Option<&Uri> {
        self.held().and_then(|held| held.temporary_gruu.as_ref())
    }

    /// Whether a subscription to what waits in the account's mailbox may be asked for: the registrar
    /// did not list what it takes (Allow, Allow-Events) and leave that out.
    #[must_use]
    pub fn may_offer_summaries(&self) -> bool {
        self.held().is_some_and(|held| !held.lacks_summaries)
    }

    /// What the account is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    fn held(&self) -> Option<&answer::Granted> {
        self.bindings.iter().find(|binding| binding.is_held()).and_then(|b| b.granted.as_ref())
    }

    fn begin(&mut self, now: Instant) {
        self.wanted = Wanted::Registered;
        self.has_one_flow = false;
        if let (Some(flow), true) = (self.ways.first(), self.bindings.is_empty()) {
            self.bindings.push(Binding::new(1, *flow, &mut self.random));
        }
        self.place_bindings(now);
    }

    fn fall_silent(&mut self, now: Instant, at: usize, why: Silence) {
        if at > 0 && self.bindings.first().is_some_and(Binding::is_held) {
            // The account is good; only its second flow is not wanted.
            self.bindings.truncate(at);
            self.has_one_flow = true;
            return;
        }
        self.wanted = Wanted::Silent { why, since: now };
        self.bindings.truncate(1);
        for binding in &mut self.bindings {
            binding.rest();
        }
    }

    fn new_ask(&mut self) -> Ask {
        self.next_ask += 1;
        Ask(self.next_ask)
    }

    fn send_raw(&mut self, flow: Flow, bytes: &'static [u8]) {
        self.out.push_back(Action::Transmit(Transmit { flow, bytes: Bytes::from_static(bytes) }));
    }

    fn notice(&mut self, notice: Notice) {
        self.out.push_back(Action::Noticed(notice));
    }

    /// Tells the state if it is another one.
    fn tell_state(&mut self) {
        let state = self.present_state();
        if state != self.told {
            self.told = state.clone();
            self.out.push_back(Action::State(state));
        }
    }

    fn present_state(&self) -> State {
        let is_held = self.bindings.iter().any(Binding::is_held);
        match self.wanted {
            Wanted::Off => State::Off,
            Wanted::Silent { why: Silence::Password(why), .. } => State::NeedsPassword(why),
            Wanted::Silent { why: Silence::Refused { status }, .. } => State::Refused { status },
            Wanted::Registered if is_held => State::Online,
            Wanted::Registered if self.ways.is_empty() => {
                State::Unreachable { why: Trouble::NoWay, again: None }
            }
            Wanted::Registered => match self.bindings.first().map(Binding::trouble) {
                Some(Some((why, again))) => State::Unreachable { why, again: Some(again) },
                Some(None) | None => State::Registering,
            },
        }
    }

    /// A moment between two shares of a span, by chance.
    fn between(&mut self, span: Duration, from_percent: u32, to_percent: u32) -> Duration {
        let width = span * to_percent.saturating_sub(from_percent) / 100;
        let chance = self.random.next_u32() % 1024;
        span * from_percent / 100 + width * chance / 1024
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("state", &self.told).finish_non_exhaustive()
    }
}
