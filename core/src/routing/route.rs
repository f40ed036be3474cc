// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes: what is tried, in which order, and why.

use std::time::Duration;

use super::{Choice, Destination, PATIENCE, Reason, emergency, rules::RuleName, toll::Level};
use crate::{
    cause::Cause,
    extension::ExtensionNumber,
    line::{Down, Security},
    number::Class,
};

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
    /// What rings. Never empty, no destination twice, at most [`super::MAX_FORKS`].
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
    /// It is an emergency, and this line can carry it.
    Emergency {
        /// The line.
        line: Box<str>,
        /// Why it has this place among the lines.
        place: emergency::Place,
    },
    /// The contact is this extension.
    Extension(ExtensionNumber),
    /// The contact is this group.
    Group(ExtensionNumber),
    /// A line leads there.
    Line(Box<Choice>),
    /// It is the turn of this member of the group.
    Member {
        /// The group.
        group: ExtensionNumber,
        /// The member.
        member: ExtensionNumber,
    },
    /// The contact is at this domain, which is called directly.
    Peer(Box<str>),
    /// The holder of the number published an address at this domain.
    Published(Box<str>),
    /// The contact is this service number.
    Service(ExtensionNumber),
    /// It came by the account of this program.
    Program(Box<str>),
}

impl Because {
    /// The order of the attempts for a person who has several addresses.
    pub(super) const fn order(&self) -> u8 {
        match self {
            Self::Emergency { .. } => 0,
            Self::Extension(_)
            | Self::Group(_)
            | Self::Member { .. }
            | Self::Service(_)
            | Self::Program(_) => 1,
            Self::Peer(_) => 2,
            Self::Line(choice) => match choice.reason {
                Reason::OnNet(_) => 2,
                _ => 4,
            },
            Self::Published(_) => 3,
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A rule bars the call.
    Barred(RuleName),
    /// It is the phone that calls.
    CallersOwnPhone,
    /// What was dialled is no number of the world, and the line is in another country.
    CannotDial,
    /// The line has been used as much as it may be.
    CapReached,
    /// The line takes emergency calls alone.
    EmergencyOnly,
    /// It is an emergency number, and nothing here can carry it.
    EmergencyWithoutLine,
    /// A group without members.
    EmptyGroup,
    /// A rule forbids the line.
    Forbidden(RuleName),
    /// The call comes from outside, and leads outside.
    FromOutside,
    /// The line can take no more calls at once.
    InUse,
    /// The line leads to other numbers.
    LeadsElsewhere,
    /// The line is down.
    LineDown(Down),
    /// The contact leads out of the house, and no line leads there.
    NoLine,
    /// The line carries no messages.
    NoMessages,
    /// The line carries no voice.
    NoVoice,
    /// The line is for others.
    NotForCaller,
    /// The extension exists, and no phone is registered for it.
    NotRegistered,
    /// The call came from this line.
    OwnLine,
    /// Other domains are not called directly.
    PeersOff,
    /// The caller may not call numbers of this class.
    Toll {
        /// What the contact is.
        class: Class,
        /// What the caller may call.
        level: Level,
    },
    /// The line does not keep what is said as well as is wanted.
    TooInsecure(Security),
    /// More groups within groups, or more phones, than are rung.
    TooLarge,
    /// Enough others come before it.
    TooMany,
    /// No extension of this name or number.
    Unknown,
}

impl Route {
    /// A route that leads nowhere.
    #[must_use]
    pub fn refused(what: impl Into<String>, why: Why) -> Self {
        Self { attempts: Vec::new(), rejected: vec![Rejected { what: what.into(), why }] }
    }

    /// Why the route leads nowhere, as the caller is told: that no line carries an emergency, else
    /// the best of the rejected. Not found if nothing was even considered.
    #[must_use]
    pub fn refusal(&self) -> Cause {
        if self.rejected.iter().any(|rejected| rejected.why == Why::EmergencyWithoutLine) {
            return Cause::no_emergency_line();
        }
        self.rejected
            .iter()
            .map(|rejected| rejected.why.cause())
            .reduce(Cause::preferred)
            .unwrap_or_else(Cause::not_found)
    }
}
