// SPDX-License-Identifier: GPL-3.0-or-later
//! Routing: from a contact and a picture of the world to a route. Pure policy, carried out by the
//! call switch, explained to the user, asserted by tests.

pub mod emergency;
mod group;
mod local;
pub mod outward;
mod route;
pub mod rules;
mod sent_on;
#[cfg(test)]
mod tests;
mod time;
pub mod toll;
mod words;

use std::{borrow::Cow, time::Duration};

use crate::{
    contact::{Address, Contact},
    extension::{Extension, ExtensionNumber},
    line::{Line, LineId},
    number::{E164, Region},
};

pub use outward::{Choice, MAX_ATTEMPTS, Reason};
pub use route::{Attempt, Because, Persistence, Rejected, Route, Target, Why};
pub use rules::Rules;
pub use sent_on::sent_on;
pub use time::{Hours, LocalTime, ParseHoursError, Weekday};

/// How long a phone rings where nothing else was said.
pub const RING_TIME: Duration = Duration::from_secs(60);
/// How long a way out of the house may stay silent before the next is tried: telephone networks
/// take up to 12 s to find a mobile phone.
pub const PATIENCE: Duration = Duration::from_secs(12);
/// The most phones that one attempt rings.
pub const MAX_FORKS: usize = 64;

/// Names one registered device for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneId(pub u64);

/// Where a leg can lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A way out of the house.
    Line(LineId),
    /// The domain of the address dialled, directly.
    Peer,
    /// A registered device.
    Phone(PhoneId),
}

/// What routing must know of the world. Read, never changed.
pub trait World {
    /// The extension with this number.
    fn extension(&self, number: &ExtensionNumber) -> Option<&Extension>;

    /// The most digits of an extension that has digits alone; 0 where there is none. What is longer
    /// was never meant for this house.
    fn longest_extension(&self) -> usize {
        0
    }

    /// The phones registered for the extension now, the preferred one first.
    fn phones(&self, number: &ExtensionNumber) -> Vec<PhoneId>;

    /// Whether the domain or address is this service itself.
    fn is_own_domain(&self, host: &str, port: Option<u16>) -> bool;

    /// The ways out of the house, in the order in which the user has them.
    fn lines(&self) -> &[Line] {
        &[]
    }

    /// What the user wants of routes.
    fn rules(&self) -> &Rules {
        Rules::NONE
    }

    /// The country the house is in: how numbers are understood that were dialled without a
    /// country code.
    fn region(&self) -> Region {
        Region::WORLD
    }

    /// The time on the user's clock; none where nobody knows it. Rules for certain hours hold
    /// then as if it were never that hour.
    fn local_time(&self) -> Option<LocalTime> {
        None
    }

    /// Whether addresses that were published for numbers are wanted at all.
    fn looks_up(&self) -> bool {
        false
    }

    /// Addresses that the holder of the number published for it (ENUM, RFC 6116), as far as they
    /// were looked up and proven.
    fn published(&self, _number: &E164) -> &[Address] {
        &[]
    }

    /// Whether peers are called directly, at their own domains.
    fn calls_peers(&self) -> bool {
        false
    }

    /// Emergency numbers of the country, beside those of [`emergency::UNIVERSAL`].
    fn emergency_numbers(&self) -> &[String] {
        &[]
    }

    /// How long phones of an extension ring that says nothing itself.
    fn ring_time(&self) -> Duration {
        RING_TIME
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// The phone, which is not rung back.
    pub phone: Option<PhoneId>,
    /// The extension that calls; none for a program of the user's own.
    pub extension: Option<ExtensionNumber>,
    /// Where the call comes from.
    pub origin: Origin,
    /// What it is for.
    pub wants: Wants,
    /// The only line it may go by, emergencies aside: that of a program with an account of its own,
    /// to which the house is no place to call.
    pub by: Option<LineId>,
}

/// Where a call comes from. Only the house calls out: a stranger is never connected to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Origin {
    /// A phone or a program of the user's own.
    #[default]
    House,
    /// A line.
    Line(LineId),
    /// Another domain.
    Peer,
}

/// What a caller wants of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wants {
    /// To talk.
    #[default]
    Call,
    /// To send a text.
    Text,
}

/// Finds the route for a contact.
///
/// Emergency numbers come before every other rule: no extension, barring or preference stands in
/// their way, and where no line can carry them the refusal says so. Then come the extensions of
/// the house, direct calls to other domains, and the lines in the order of [`outward`]. A caller who
/// is bound to a line calls by that, whatever the contact is.
#[must_use]
pub fn route(contact: &Contact, caller: &Caller, world: &impl World) -> Route {
    if let Some(dialled) = emergency::call_for(contact, world) {
        return emergency::route(contact, &dialled, caller, world);
    }
    if caller.by.is_some() {
        return outward::route(contact, caller, world);
    }
    let here = contact.at_home(world);
    if let Some(route) = local::route(&here, caller, world) {
        return route;
    }
    outward::route(&here, caller, world)
}

/// Finds the route for one person who has several addresses, the more wanted first: the attempts
/// of all, in the order of their kind (extensions, direct calls, lines), nothing tried twice.
#[must_use]
pub fn route_any(contacts: &[Contact], caller: &Caller, world: &impl World) -> Route {
    let mut whole = Route::default();
    let mut ranked: Vec<(u8, Attempt)> = Vec::new();
    let mut addresses = 0u8;
    for contact in contacts {
        let mut one = route(contact, caller, world);
        // Each attempt says which of all the addresses it is for.
        let before = addresses;
        for attempt in &mut one.attempts {
            attempt.address = attempt.address.saturating_add(before);
            addresses = addresses.max(attempt.address.saturating_add(1));
        }
        let ranks = ranks(&one.attempts);
        ranked.extend(ranks.into_iter().zip(one.attempts));
        whole.rejected.extend(one.rejected);
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    whole.attempts = ranked.into_iter().map(|(_, attempt)| attempt).collect();
    let mut seen: Vec<Target> = Vec::new();
    for attempt in &mut whole.attempts {
        attempt.targets.retain(|target| !seen.contains(target));
        seen.extend(attempt.targets.iter().cloned());
    }
    whole.attempts.retain(|attempt| !attempt.targets.is_empty());
    let mut rejected: Vec<Rejected> = Vec::new();
    for one in whole.rejected {
        if !rejected.contains(&one) {
            rejected.push(one);
        }
    }
    Route { rejected, ..whole }
}

/// Where the attempts for one address stand among those for others, by their kind. Among themselves
/// they keep their order, which says more: a line that a rule prefers, say, comes before the one in
/// whose network the address is.
fn ranks(attempts: &[Attempt]) -> Vec<u8> {
    let mut ranks: Vec<u8> = attempts.iter().map(|attempt| attempt.because.order()).collect();
    for at in (1..ranks.len()).rev() {
        ranks[at - 1] = ranks[at - 1].min(ranks[at]);
    }
    ranks
}

impl Contact {
    /// The contact as dialled in this house: phones write what was dialled into an address with
    /// their registrar's domain.
    #[must_use]
    pub fn at_home(&self, world: &impl World) -> Cow<'_, Self> {
        match self {
            Self::Sip(address) if world.is_own_domain(&address.host, address.port) => {
                match address.user.parse() {
                    Ok(dialled) => Cow::Owned(dialled),
                    Err(_) => Cow::Borrowed(self),
                }
            }
            Self::Name(_) | Self::Number(_) | Self::Service(_) | Self::Sip(_) => {
                Cow::Borrowed(self)
            }
        }
    }
}
