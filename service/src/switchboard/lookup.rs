// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes that wait for what the holder of a number published for it (ENUM, RFC 6116).
//!
//! Routing itself says of which numbers it wants to know: the route is made, and where it asked for
//! a number that was not looked up, it is made again when that is known. So nothing is looked up
//! for an emergency, an extension, or a call that is barred. Whoever waits does so for
//! [`NUMBER_DEADLINE`] at most; then the call goes by the lines, as if nothing had been published.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use bytes::Bytes;
use sipwitch_core::{
    call::{CallId, LegId, QueryId, RouteReason, leg::Invitation},
    cause::Cause,
    contact::{Address, Contact},
    number::E164,
    routing::{Because, Caller, Route, Target},
};
use sipwitch_sip::{resolver::NUMBER_DEADLINE, wire::Uri};

use super::{
    Switchboard,
    ask::{DialOptions, EndpointDial, Refusal, Reply, RouteLine},
    errand::{ErrandId, Errands, Waiter},
    notice::PeerView,
    world::House,
};

/// Routes that wait at one time. Those beyond are made without looking anything up.
const MAX_WAITING: usize = 256;
/// Numbers that are looked up for one route.
const MAX_NUMBERS: usize = 4;

/// Names a route that waits. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LookupId(u64);

/// What was published for the numbers that one route asks for.
#[derive(Debug, Default)]
pub(super) struct Published {
    known: Vec<(E164, Vec<Address>)>,
    /// Nothing more is looked up.
    is_final: bool,
}

impl Published {
    /// Nothing was looked up yet.
    pub(super) const NONE: &'static Self = &Self { known: Vec::new(), is_final: false };

    /// The addresses of a number; none if it was not looked up.
    pub(super) fn of(&self, number: &E164) -> Option<&[Address]> {
        let found = self.known.iter().find(|(known, _)| known == number);
        found.map(|(_, addresses)| addresses.as_slice())
    }
}

/// Why something that needs a route is not done now.
#[derive(Debug)]
pub(super) enum Halt {
    /// It will not be done.
    Refused(Refusal),
    /// These numbers have to be looked up first.
    Unknown(Vec<E164>),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Vec<E164>> for Halt {
    fn from(unknown: Vec<E164>) -> Self {
        Self::Unknown(unknown)
    }
}

/// A leg that asks for a call.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) leg: LegId,
    pub(super) uri: Uri,
    /// What the URI means, if anything.
    pub(super) contact: Option<Contact>,
    /// Our address on the flow that it came by.
    pub(super) heard_at: SocketAddr,
    pub(super) caller: Caller,
    pub(super) phone: Option<u64>,
    pub(super) peer: Option<PeerView>,
    pub(super) invitation: Invitation,
}

/// What a call wants to know (`Action::RouteWanted`).
#[derive(Debug)]
pub(super) struct RouteQuestion {
    pub(super) call: CallId,
    pub(super) query: QueryId,
    pub(super) contact: String,
    pub(super) near: Option<LegId>,
    pub(super) reason: RouteReason,
    /// Who sent the call on.
    pub(super) by: Option<Target>,
}

/// A program that dials as a phone.
#[derive(Debug)]
pub(super) struct EndpointDialling {
    pub(super) phone: u64,
    pub(super) contact: String,
    /// The program's description.
    pub(super) offer: Bytes,
    pub(super) options: EndpointDial,
    pub(super) reply: Reply<(LegId, CallId)>,
}

/// What is done once the numbers are known.
#[derive(Debug)]
pub(super) enum Then {
    /// A call begins.
    Begin(Box<Beginning>),
    /// A call is told its way.
    Answer(Box<RouteQuestion>),
    /// A program dials.
    Dial { contact: String, options: DialOptions, owner: Option<String>, reply: Reply<CallId> },
    /// Somebody wants to know what `Dial` would do.
    Explain { contact: String, options: DialOptions, reply: Reply<Vec<RouteLine>> },
    /// A program dials as a phone.
    EndpointDial(Box<EndpointDialling>),
    /// A call is connected to somebody else.
    Transfer { call: CallId, contact: String, reply: Reply<()> },
}

/// A route that waits.
#[derive(Debug)]
struct Waiting {
    /// How long.
    until: Instant,
    /// What has not come yet.
    missing: Vec<(ErrandId, E164)>,
    published: Published,
    then: Then,
}

/// Routes that wait, the longest waiting first.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    last: u64,
    waiting: BTreeMap<LookupId, Waiting>,
}

impl Lookups {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        // All wait equally long.
        self.waiting.first_key_value().map(|(_, waiting)| waiting.until)
    }

    /// Legs that ask for a call which has not begun.
    fn legs(&self) -> impl Iterator<Item = LegId> {
        self.waiting.values().filter_map(|waiting| match &waiting.then {
            Then::Begin(beginning) => Some(beginning.leg),
            _ => None,
        })
    }

    /// A leg is gone, and what it asked for with it.
    pub(super) fn leg_ended(&mut self, leg: LegId, errands: &mut Errands) {
        let is_its = |then: &Then| matches!(then, Then::Begin(begun) if begun.leg == leg);
        self.forget(is_its, errands);
    }

    /// A program left the bus before what it dialled became a call.
    pub(super) fn owner_left(&mut self, gone: &str, errands: &mut Errands) {
        let is_its =
            |then: &Then| matches!(then, Then::Dial { owner: Some(owner), .. } if owner == gone);
        self.forget(is_its, errands);
    }

    fn forget(&mut self, unwanted: impl Fn(&Then) -> bool, errands: &mut Errands) {
        self.waiting.retain(|_, waiting| {
            let is_unwanted = unwanted(&waiting.then);
            if is_unwanted {
                waiting.missing.iter().for_each(|(errand, _)| errands.give_up(*errand));
            }
            !is_unwanted
        });
    }
}

impl Switchboard {
    /// Calls that have begun, and those that wait for their route.
    pub(super) fn begun(&self) -> usize {
        self.calls.len() + self.lookups.legs().count()
    }

    /// Makes a route.
    ///
    /// # Errors
    /// These numbers have to be looked up first.
    pub(super) fn find_route(
        &self,
        heard_at: Option<SocketAddr>,
        published: &Published,
        find: impl FnOnce(&House<'_>) -> Route,
    ) -> Result<Route, Vec<E164>> {
        let house = self.house(heard_at).knowing(published);
        let route = find(&house);
        let mut unknown = house.into_unknown();
        // Nobody who needs help waits for a name server.
        let is_emergency = matches!(
            route.attempts.first().map(|attempt| &attempt.because),
            Some(Because::Emergency { .. })
        );
        if unknown.is_empty()
            || is_emergency
            || published.is_final
            || self.settings.enum_root.is_none()
            || self.lookups.waiting.len() >= MAX_WAITING
        {
            return Ok(route);
        }
        unknown.truncate(MAX_NUMBERS);
        Err(unknown)
    }

    /// Looks numbers up, and does the rest when they are known.
    pub(super) fn look_up(&mut self, unknown: Vec<E164>, then: Then) {
        let Some(root) = self.settings.enum_root.clone() else {
            return self.go_on(then, &Published { is_final: true, ..Published::default() });
        };
        self.lookups.last += 1;
        let id = LookupId(self.lookups.last);
        let mut send = |number: E164| {
            let waiter = Waiter::Lookup(id);
            let errand = self.errands.find_published(number.clone(), root.clone(), waiter);
            (errand, number)
        };
        let missing = unknown.into_iter().map(&mut send).collect();
        let published = Published { is_final: true, ..Published::default() };
        let until = self.now.instant + NUMBER_DEADLINE;
        self.lookups.waiting.insert(id, Waiting { until, missing, published, then });
    }

    /// What was published for a number is known, or why nothing can be known.
    pub(super) fn number_known(
        &mut self,
        id: LookupId,
        errand: ErrandId,
        addresses: Result<Vec<Uri>, String>,
    ) {
        let Some(waiting) = self.lookups.waiting.get_mut(&id) else { return };
        let Some(at) = waiting.missing.iter().position(|(sent, _)| *sent == errand) else { return };
        let (_, number) = waiting.missing.swap_remove(at);
        let addresses = addresses.unwrap_or_else(|why| {
            tracing::debug!(number = %crate::secret::Redacted(number.as_str()), "{why}");
            Vec::new()
        });
        let addresses = addresses.iter().filter_map(|uri| match uri.to_string().parse() {
            Ok(Contact::Sip(address)) => Some(address),
            _ => None,
        });
        waiting.published.known.push((number, addresses.collect()));
        if waiting.missing.is_empty()
            && let Some(Waiting { published, then, .. }) = self.lookups.waiting.remove(&id)
        {
            self.resume(then, &published);
        }
    }

    /// Whoever waited long enough goes on with what is known.
    pub(super) fn lookups_overdue(&mut self) {
        while let Some(first) = self.lookups.waiting.first_entry() {
            if first.get().until > self.now.instant {
                return;
            }
            let Waiting { missing, published, then, .. } = first.remove();
            missing.iter().for_each(|(errand, _)| self.errands.give_up(*errand));
            self.resume(then, &published);
        }
    }

    /// The service stops: nobody waits any more.
    pub(super) fn end_lookups(&mut self) {
        while let Some((_, waiting)) = self.lookups.waiting.pop_first() {
            waiting.missing.iter().for_each(|(errand, _)| self.errands.give_up(*errand));
            match waiting.then {
                Then::Begin(beginning) => self.end_orphan(beginning.leg, Cause::shutdown()),
                then => self.resume(then, &waiting.published),
            }
        }
    }

    /// Does what waited.
    fn resume(&mut self, then: Then, published: &Published) {
        let call = match &then {
            Then::Answer(wanted) => Some(wanted.call),
            _ => None,
        };
        self.go_on(then, published);
        // A call that was told its way has more to say.
        if let Some(call) = call {
            self.pump(call);
        }
    }

    /// Does what needs a route, or sends for what has to be known first.
    pub(super) fn go_on(&mut self, then: Then, published: &Published) {
        if self.lines.is_metered() {
            self.see_month();
        }
        match then {
            Then::Begin(beginning) => self.begin(*beginning, published),
            Then::Answer(wanted) => self.route_wanted(*wanted, published),
            Then::Dial { contact, options, owner, reply } => {
                match self.dial(&contact, &options, owner.as_deref(), published) {
                    Err(Halt::Unknown(unknown)) => {
                        self.look_up(unknown, Then::Dial { contact, options, owner, reply });
                    }
                    done => tell(done, reply),
                }
            }
            Then::Explain { contact, options, reply } => {
                match self.explain(&contact, &options, published) {
                    Err(Halt::Unknown(unknown)) => {
                        self.look_up(unknown, Then::Explain { contact, options, reply });
                    }
                    done => tell(done, reply),
                }
            }
            Then::EndpointDial(dialling) => match self.program_dials(&dialling, published) {
                Err(Halt::Unknown(unknown)) => self.look_up(unknown, Then::EndpointDial(dialling)),
                done => tell(done, dialling.reply),
            },
            Then::Transfer { call, contact, reply } => {
                match self.transfer(call, &contact, published) {
                    Err(Halt::Unknown(unknown)) => {
                        self.look_up(unknown, Then::Transfer { call, contact, reply });
                    }
                    done => tell(done, reply),
                }
            }
        }
    }
}

/// Tells whoever asked what came of it.
fn tell<T>(done: Result<T, Halt>, reply: Reply<T>) {
    let done = match done {
        Ok(value) => Ok(value),
        Err(Halt::Refused(refusal)) => Err(refusal),
        // Whoever has to wait was sorted out before.
        Err(Halt::Unknown(_)) => return,
    };
    let _ = reply.send(done);
}
