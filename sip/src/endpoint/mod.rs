// SPDX-License-Identifier: GPL-3.0-or-later
//! Transactions, dialogs and legs in one engine with one owner.
//!
//! Messages, commands and the time come in; after every call [`Endpoint::poll_transmit`] and
//! [`Endpoint::poll_event`] are drained until they give None, and [`Endpoint::next_deadline`] is
//! asked again.
//!
//! Requests outside dialogs (REGISTER, OPTIONS, MESSAGE, a first INVITE …) are the owner's to
//! answer: with [`Endpoint::respond`], or by making a leg of an INVITE with [`Endpoint::accept`].
//! Requests inside dialogs belong to their leg, and come as [`LegEvent`]s.

mod claims;
mod inside;
mod late;
mod line_asks;
mod on_line;
mod outside;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use sipwitch_core::call::leg::{Carried, Invitation, LegCommand, LegEvent, LegId, Party, Replaced};

pub use claims::{Believed, Claims};
use late::Late;
use line_asks::LineAsks;
pub(crate) use on_line::named;
pub use on_line::{Hiding, Identity, IdentityField, OnLine, OwnContact};
pub use outside::Composed;
pub use settings::{ALLOW, SUPPORTED, Settings};

use crate::{
    dialog::{Listeners, Replaces, Tag},
    flow::{Flow, Transmit},
    leg::Leg,
    transaction::{ClientId, Failure, ServerId, Table, Timers},
    wire::{Draft, Malformed, Message, Request, Response, Uri},
};

/// A request outside any dialog that waits for its answer.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The transaction to answer.
    pub transaction: ServerId,
    /// The request.
    pub request: Request,
    /// How it came.
    pub flow: Flow,
}

/// What the endpoint tells its owner.
#[derive(Debug, Clone)]
pub enum Event {
    /// A request outside any dialog. Never ACK or CANCEL. Unsupported Require is already refused.
    Request(Arrival),
    /// An INVITE that was told as [`Event::Request`] needs no answer any more: its sender cancelled
    /// it (and has its 487), or cannot be reached. Never told once a leg was made of it.
    Withdrawn {
        /// The INVITE.
        transaction: ServerId,
    },
    /// A leg has something to tell.
    Leg {
        /// Which.
        leg: LegId,
        /// What.
        event: LegEvent,
    },
    /// A request sent with [`Endpoint::request`] was answered, provisionally or at last.
    Answered {
        /// What [`Endpoint::request`] gave.
        request: ClientId,
        /// The answer.
        response: Response,
        /// How it came.
        flow: Flow,
    },
    /// A request sent with [`Endpoint::request`] will not be answered.
    Failed {
        /// What [`Endpoint::request`] gave.
        request: ClientId,
        /// Why.
        why: Failure,
    },
    /// A place that was looked up, or one of a line's, did not take the INVITE of a leg: it was
    /// silent, cannot be reached, or refused for itself (RFC 3263 §4.3). The leg goes on elsewhere
    /// if it can; the next one may begin there.
    PlaceFailed {
        /// The way to the place.
        flow: Flow,
        /// For how long the place asked to be left alone (Retry-After).
        rest: Option<Duration>,
    },
    /// What became of [`Endpoint::move_leg`].
    Moved {
        /// The leg.
        leg: LegId,
        /// Whether its far end follows. If not, it still sends to where it did before.
        moved: bool,
    },
}

/// Where an outgoing leg begins.
#[derive(Debug, Clone)]
pub struct Target {
    /// The Request-URI: the Contact of a binding, or the address dialled.
    pub request_uri: Uri,
    /// Route values to put on, the nearest first: the Path of a binding (RFC 3327).
    pub route: Vec<Bytes>,
    /// The way to the first of them.
    pub flow: Flow,
    /// Other ways to it, or to others that do the same: tried in this order where the first one is
    /// broken, silent, or answers 503.
    pub alternatives: Vec<Flow>,
    /// As whom we speak, if this leads to a line.
    pub line: Option<Arc<OnLine>>,
    /// Whether it was looked up, as lines are: then what is too large for a datagram goes by TCP.
    pub is_place: bool,
}

impl Target {
    /// A phone, or whatever else needs no more than a way.
    #[must_use]
    pub const fn new(request_uri: Uri, route: Vec<Bytes>, flow: Flow) -> Self {
        Self { request_uri, route, flow, alternatives: Vec::new(), line: None, is_place: false }
    }
}

/// What [`Endpoint::accept`] found in an INVITE.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Who calls, by the From. Its address is a user part alone if the host is ours
    /// ([`Settings::domains`] or the address the INVITE came to), else the whole URI. Not proven:
    /// the owner knows who authenticated.
    pub from: Party,
    /// Who is called, by the To; addressed in the same way.
    pub to: Party,
    /// What else is said about the caller.
    pub claims: Claims,
    /// What was dialled; on a line our Contact, whose user part says which account it is.
    pub request_uri: Uri,
    /// The offer and the fields to carry.
    pub carried: Carried,
    /// How many more hops the call may take: already one less than it came with.
    pub hops: u8,
    /// Whether the caller takes reliable provisional responses (RFC 3262).
    pub reliable_provisional: bool,
    /// The leg that this one asks to take the place of (RFC 3891).
    pub replaces: Option<Replaced>,
}

/// The INVITE made no leg, and wants no answer: it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the INVITE was refused with {status}: {why}")]
pub struct Refused {
    /// The status it was answered with.
    pub status: u16,
    /// Why, for the log.
    pub why: String,
}

/// Who waits for the answer to a request that we sent.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    Leg(LegId),
    Outside,
    /// A request on a line, which answers challenges by itself.
    OnLine,
    /// Nobody any more: should somebody take the call, it is ended, as this line.
    Nobody(Arc<OnLine>),
}

/// What legs share: the transactions below them and the ears above them.
pub(crate) struct Context {
    pub(crate) now: Instant,
    pub(crate) table: Table,
    pub(crate) t1: Duration,
    pub(crate) random: ChaCha12Rng,
    pub(crate) settings: Settings,
    /// The product of the settings, to be shared by messages.
    product: Bytes,
    pub(crate) listeners: Listeners,
    events: VecDeque<Event>,
    /// Our tags, all of them random: each alone finds its leg.
    tags: HashMap<Tag, LegId>,
    clients: HashMap<ClientId, Owner>,
    line_asks: LineAsks,
    pub(crate) late: Late,
    /// First INVITEs, so that CANCEL finds their leg.
    invites: HashMap<ServerId, LegId>,
}

/// The whole engine.
pub struct Endpoint {
    context: Context,
    legs: HashMap<LegId, Box<Leg>>,
    /// First INVITEs that the owner was told of and has not answered yet.
    waiting: HashSet<ServerId>,
    deadlines: BTreeSet<(Instant, LegId)>,
}

impl Endpoint {
    /// An endpoint without legs. The seed makes ids unguessable: take it from the system.
    #[must_use]
    pub fn new(now: Instant, settings: Settings, timers: Timers, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let mut below = [0; 32];
        random.fill_bytes(&mut below);
        Self {
            context: Context {
                now,
                t1: timers.t1,
                table: Table::new(timers, below),
                random,
                listeners: Listeners(settings.listeners.clone()),
                product: settings.product.clone().into(),
                settings,
                events: VecDeque::new(),
                tags: HashMap::new(),
                clients: HashMap::new(),
                line_asks: LineAsks::default(),
                late: Late::default(),
                invites: HashMap::new(),
            },
            legs: HashMap::new(),
            waiting: HashSet::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Takes other settings; legs that stand keep what they said.
    pub fn set_settings(&mut self, settings: Settings) {
        self.context.listeners = Listeners(settings.listeners.clone());
        self.context.product = settings.product.clone().into();
        self.context.settings = settings;
    }

    /// Takes a message that arrived.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        self.context.now = now;
        self.context.table.receive(now, flow, message);
        self.drain();
    }

    /// Answers what could not be read, if it deserves an answer (RFC 3261 §16.3).
    pub fn receive_malformed(&mut self, flow: Flow, bytes: &Bytes, fault: &Malformed) {
        self.context.table.receive_malformed(flow, bytes, fault);
    }

    /// What was sent there cannot arrive, or a connection is gone.
    pub fn flow_failed(&mut self, now: Instant, flow: &Flow) {
        self.context.now = now;
        for leg in self.legs.values_mut() {
            leg.flow_failed(flow);
        }
        self.context.table.flow_failed(now, flow);
        self.drain();
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) {
        self.context.now = now;
        self.context.table.handle_deadline(now);
        self.context.hasten_line_asks();
        self.drain();
        while let Some(&(due, leg)) = self.deadlines.first() {
            if due > now {
                break;
            }
            self.deadlines.pop_first();
            self.with_leg(leg, |leg, context| {
                leg.armed = None;
                leg.handle_deadline(context);
            });
            self.drain();
        }
    }

    /// When [`Self::handle_deadline`] wants to be called. May change with every other call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let leg = self.deadlines.first().map(|(due, _)| *due);
        let ask = self.context.line_asks.next_deadline();
        [self.context.table.next_deadline(), leg, ask].into_iter().flatten().min()
    }

    /// The next message to send. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.context.table.poll_transmit()
    }

    /// The next thing to tell. To be called until there is none, after every other call.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.context.events.pop_front()
    }

    /// Makes a leg of an INVITE outside any dialog. The id must never have been used.
    ///
    /// # Errors
    /// The INVITE asks for what cannot be, and has been answered so; or it was answered or withdrawn
    /// before.
    pub fn accept(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        leg: LegId,
    ) -> Result<Incoming, Refused> {
        self.context.now = now;
        self.accept_invite(arrival, leg, None)
    }

    /// The same for an INVITE that a line brought: from now on we speak there as the line.
    ///
    /// # Errors
    /// Those of [`Self::accept`].
    pub fn accept_on_line(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        leg: LegId,
        line: Arc<OnLine>,
    ) -> Result<Incoming, Refused> {
        self.context.now = now;
        self.accept_invite(arrival, leg, Some(line))
    }

    /// Answers a request outside any dialog. Does nothing if it has its final answer or is gone.
    pub fn respond(&mut self, now: Instant, transaction: ServerId, response: &Draft) {
        self.context.now = now;
        if response.status().is_some_and(|status| status >= 200) {
            self.waiting.remove(&transaction);
        }
        self.context.table.respond(now, transaction, response);
        self.drain();
    }

    /// Answers a new request once and forgets it (RFC 3261 §8.2.7); with None, drops it unanswered.
    pub fn dismiss(&mut self, transaction: ServerId, response: Option<&Draft>) {
        self.waiting.remove(&transaction);
        self.context.table.dismiss(transaction, response);
    }

    /// A tag for an answer that makes no dialog.
    #[must_use]
    pub fn new_tag(&mut self) -> String {
        Tag::random(&mut self.context.random).to_string()
    }

    /// A tag for an answer after which the request is forgotten ([`Self::dismiss`]): the same for
    /// each repetition of the request.
    #[must_use]
    pub fn stateless_tag(&self, request: &Request) -> String {
        self.context.table.stateless_tag(request)
    }

    /// The answer to a request outside dialogs, tagged and signed with our Server.
    #[must_use]
    pub fn response_to(&mut self, request: &Request, status: u16, phrase: &str) -> Draft {
        self.context.response_to(request, status, phrase)
    }

    /// Sends a request outside any dialog, such as OPTIONS or MESSAGE; see [`Self::compose`].
    pub fn request(&mut self, now: Instant, flow: Flow, request: &Draft) -> ClientId {
        self.context.now = now;
        let id = self.context.table.request(now, flow, request);
        self.context.clients.insert(id, Owner::Outside);
        self.drain();
        id
    }

    /// Sends a request outside any dialog on a line: the line's identity and Service-Route are put
    /// in, a challenge is answered, and where a way is broken, silent or answers 503 the next one is
    /// tried. All that is told under the one id that this gives.
    pub fn request_on_line(
        &mut self,
        now: Instant,
        ways: &[Flow],
        request: Draft,
        line: &Arc<OnLine>,
    ) -> Option<ClientId> {
        self.context.now = now;
        let id = self.context.ask_on_line(ways, request, line);
        self.drain();
        id
    }

    /// A request with all that every request must have: From with a tag, To, Call-ID, CSeq,
    /// Max-Forwards and User-Agent. `from` and `to` are name-addr values without tag.
    #[must_use]
    pub fn compose(&mut self, request: &Composed<'_>) -> Draft {
        self.context.compose(request)
    }

    /// Calls somebody. The id must never have been used.
    pub fn start(&mut self, now: Instant, leg: LegId, target: &Target, invitation: &Invitation) {
        self.context.now = now;
        let made = Leg::start(&mut self.context, leg, target, invitation);
        self.legs.insert(leg, Box::new(made));
        self.settle(leg);
        self.drain();
    }

    /// Moves a leg to another flow: its far end is told with a re-INVITE where to send from now on
    /// (a target refresh, RFC 3261 §12.2). A line that is given is the one that the leg speaks on
    /// from now on: its Contact may be another. The session stays as it was described last, unless a new
    /// description is given. [`Event::Moved`] tells what became of it.
    pub fn move_leg(
        &mut self,
        now: Instant,
        leg: LegId,
        flow: Flow,
        line: Option<Arc<OnLine>>,
        description: Option<Bytes>,
    ) {
        self.context.now = now;
        self.with_leg(leg, |leg, context| leg.move_to(context, flow, line, description));
        self.drain();
    }

    /// Does what the switch says. A leg that is over, or never was, does nothing.
    pub fn command(&mut self, now: Instant, leg: LegId, command: LegCommand) {
        self.context.now = now;
        self.with_leg(leg, |leg, context| leg.command(context, command));
        self.drain();
    }

    /// The leg with this dialog, as a Replaces or Target-Dialog names it; `local_tag` is ours.
    #[must_use]
    pub fn leg_of_dialog(
        &self,
        call_id: &[u8],
        local_tag: &[u8],
        remote_tag: &[u8],
    ) -> Option<LegId> {
        let tag = Tag::parse(local_tag)?;
        let leg = *self.context.tags.get(&tag)?;
        self.legs.get(&leg)?.has_dialog(call_id, tag, remote_tag).then_some(leg)
    }

    /// How the far end of a leg was heard last, or where it was moved to, or, before anything was
    /// heard, where its INVITE went: what is of interest when a network goes away. None for a leg that
    /// has neither.
    #[must_use]
    pub fn flow_of(&self, leg: LegId) -> Option<Flow> {
        self.legs.get(&leg)?.flow()
    }

    /// Whether a leg was answered and is not over: only then it can be moved.
    #[must_use]
    pub fn is_answered(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.is_confirmed())
    }

    /// As whom a leg speaks; None for one that leads to a phone.
    #[must_use]
    pub fn line_of(&self, leg: LegId) -> Option<&Arc<OnLine>> {
        self.legs.get(&leg)?.line()
    }

    /// How many legs there are, those included that only wait for their last answer.
    #[must_use]
    pub fn leg_count(&self) -> usize {
        self.legs.len()
    }

    /// How many transactions there are, those included that only wait for repetitions.
    #[must_use]
    pub fn transaction_count(&self) -> usize {
        self.context.table.len()
    }

    /// Gives back the room that tables took in a rush.
    pub fn shrink(&mut self) {
        self.legs.shrink_to_fit();
        self.waiting.shrink_to_fit();
        self.context.tags.shrink_to_fit();
        self.context.clients.shrink_to_fit();
        self.context.invites.shrink_to_fit();
        self.context.late.shrink(self.context.now);
    }

    fn replaced(&self, replaces: &Replaces) -> Replaced {
        self.leg_of_dialog(&replaces.call_id, &replaces.to_tag, &replaces.from_tag)
            .map_or(Replaced::Unknown, Replaced::Leg)
    }

    fn with_leg(&mut self, id: LegId, act: impl FnOnce(&mut Leg, &mut Context)) {
        if let Some(leg) = self.legs.get_mut(&id) {
            act(leg, &mut self.context);
            self.settle(id);
        }
    }

    /// Forgets a leg that is over, or notes when it wants to be called again.
    fn settle(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let next = if leg.is_over() { None } else { leg.next_deadline() };
        if next != leg.armed {
            if let Some(armed) = leg.armed {
                self.deadlines.remove(&(armed, id));
            }
            if let Some(next) = next {
                self.deadlines.insert((next, id));
            }
            leg.armed = next;
        }
        if leg.is_over() {
            self.legs.remove(&id);
        }
    }
}
