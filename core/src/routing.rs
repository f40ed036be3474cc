// SPDX-License-Identifier: GPL-3.0-or-later
//! Routing: from a contact and a picture of the world to a route. Pure policy, carried out by the
//! call switch, explained to the user, asserted by tests.

pub mod emergency;
mod group;
pub mod rules;
#[cfg(test)]
mod tests;
mod words;

use std::{borrow::Cow, time::Duration};

use crate::{
    cause::Cause,
    contact::{Address, Contact},
    extension::{Extension, ExtensionNumber, Kind},
    line::{Line, LineId},
    number::{E164, Region},
};
pub use rules::Rules;

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

/// A time on the user's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTime {
    /// The day.
    pub weekday: Weekday,
    /// Minutes since midnight, below 1440.
    pub minute: u16,
}

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days speak for themselves")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The ordered attempts for a contact, each with the reason for its place, and the rejected ones
/// with theirs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Tried in this order; the destinations of one attempt ring together.
    pub attempts: Vec<Attempt>,
    /// What was considered and left out.
    pub rejected: Vec<Rejected>,
}

/// One attempt: everything in it rings together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What rings. Never empty, no destination twice, at most [`MAX_FORKS`].
    pub targets: Vec<Target>,
    /// Why it has this place.
    pub because: Because,
    /// How long it rings.
    pub ring: Duration,
    /// Which of the addresses of the person called it is for, counting from 0: what one line says
    /// of an address, another need not be asked about.
    pub address: u8,
    /// How long it may stay silent, without ringing; none for as long as it rings.
    pub patience: Option<Duration>,
    /// Whether the next attempt follows when this one fails.
    pub persistence: Persistence,
}

impl Attempt {
    /// An attempt in this house: it may ring silently, and the next follows unless somebody
    /// declines for everybody.
    #[must_use]
    pub const fn new(targets: Vec<Target>, because: Because, ring: Duration) -> Self {
        Self {
            targets,
            because,
            ring,
            address: 0,
            patience: None,
            persistence: Persistence::UntilDeclined,
        }
    }

    /// An attempt at one way out of several to the person's address of this number.
    #[must_use]
    pub const fn outside(
        target: Vec<Target>,
        because: Because,
        ring: Duration,
        address: u8,
    ) -> Self {
        Self {
            targets: target,
            because,
            ring,
            address,
            patience: Some(PATIENCE),
            persistence: Persistence::ByCause,
        }
    }
}

/// Whether the next attempt follows when one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// Whatever happened, unless the caller gave up: emergency calls.
    Always,
    /// Only where the cause says that another way may succeed (`call::fail_over`).
    ByCause,
    /// Unless somebody declines for everybody (6xx): members of a group in turn.
    UntilDeclined,
}

/// One thing that rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the leg leads.
    pub destination: Destination,
    /// What is dialled there: the extension whose phone it is, the number or address as the line
    /// takes it, or the whole address of a peer.
    pub dialled: Box<str>,
}

/// Why an attempt is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// The contact is this extension.
    Extension(ExtensionNumber),
    /// The contact is this group.
    Group(ExtensionNumber),
    /// It is the turn of this member of the group.
    Member {
        /// The group.
        group: ExtensionNumber,
        /// The member.
        member: ExtensionNumber,
    },
    /// The contact is this service number.
    Service(ExtensionNumber),
}

/// What was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What was considered: an extension, a phone's extension, or the contact itself.
    pub what: String,
    /// Why it was left out.
    pub why: Why,
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is the phone that calls.
    CallersOwnPhone,
    /// It is an emergency number, and nothing here can carry it.
    EmergencyWithoutLine,
    /// A group without members.
    EmptyGroup,
    /// The contact leads out of the house, and no line leads there.
    NoLine,
    /// The extension exists, and no phone is registered for it.
    NotRegistered,
    /// More groups within groups, or more phones, than are rung.
    TooLarge,
    /// No extension of this name or number.
    Unknown,
}

impl Route {
    /// A route that leads nowhere.
    #[must_use]
    pub fn refused(what: impl Into<String>, why: Why) -> Self {
        Self { attempts: Vec::new(), rejected: vec![Rejected { what: what.into(), why }] }
    }

    /// Why the route leads nowhere, as the caller is told: the best of the rejected. Not found if
    /// nothing was even considered.
    #[must_use]
    pub fn refusal(&self) -> Cause {
        self.rejected
            .iter()
            .map(|rejected| rejected.why.cause())
            .reduce(Cause::preferred)
            .unwrap_or_else(Cause::not_found)
    }
}

/// Finds the route for a contact.
///
/// Emergency numbers come before every other rule: no extension, barring or preference stands in
/// their way, and where no line can carry them the refusal says so.
#[must_use]
pub fn route(contact: &Contact, caller: &Caller, world: &impl World) -> Route {
    let here = contact.at_home(world);
    if emergency::is_emergency(contact, world) {
        return Route::refused(contact.to_string(), Why::EmergencyWithoutLine);
    }
    let local = match &*here {
        Contact::Name(name) => name.as_str(),
        // An international number is never an extension.
        Contact::Number(number) if !number.is_international() => number.as_str(),
        Contact::Number(_) | Contact::Service(_) => return no_line(contact),
        Contact::Sip(address) if !world.is_own_domain(&address.host, address.port) => {
            return no_line(contact);
        }
        Contact::Sip(address) => &address.user,
    };
    let found = local.parse().ok().and_then(|number| world.extension(&number));
    let Some(extension) = found else {
        return Route::refused(local, Why::Unknown);
    };
    match &extension.kind {
        Kind::Group { members, mode } => group::route(extension, members, *mode, caller, world),
        Kind::Person => {
            single(extension, Because::Extension(extension.number.clone()), caller, world)
        }
        Kind::Service => {
            single(extension, Because::Service(extension.number.clone()), caller, world)
        }
    }
}

impl Contact {
    /// The contact as dialled in this house: phones write what was dialled into an address with
    /// their registrar's domain.
    fn at_home(&self, world: &impl World) -> Cow<'_, Self> {
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

fn no_line(contact: &Contact) -> Route {
    Route::refused(contact.to_string(), Why::NoLine)
}

/// The route to the phones of one extension.
fn single(extension: &Extension, because: Because, caller: &Caller, world: &impl World) -> Route {
    let mut route = Route::default();
    let mut targets = Vec::new();
    collect(extension, caller, world, &mut targets, &mut route.rejected);
    if !targets.is_empty() {
        let ring = extension.ring_time.unwrap_or_else(|| world.ring_time());
        route.attempts.push(Attempt::new(targets, because, ring));
    }
    route
}

/// Adds the phones of one extension, without the caller's own and those already there.
fn collect(
    extension: &Extension,
    caller: &Caller,
    world: &impl World,
    targets: &mut Vec<Target>,
    rejected: &mut Vec<Rejected>,
) {
    let mut reject = |why| {
        rejected.push(Rejected { what: extension.number.to_string(), why });
    };
    let phones = world.phones(&extension.number);
    if phones.is_empty() {
        reject(Why::NotRegistered);
    }
    for phone in phones {
        let destination = Destination::Phone(phone);
        if caller.phone == Some(phone) {
            reject(Why::CallersOwnPhone);
        } else if targets.len() >= MAX_FORKS {
            reject(Why::TooLarge);
            return;
        } else if targets.iter().all(|target| target.destination != destination) {
            targets.push(Target { destination, dialled: extension.number.as_str().into() });
        }
    }
}
