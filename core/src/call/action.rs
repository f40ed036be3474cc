// SPDX-License-Identifier: GPL-3.0-or-later
//! What a call asks of its owner, and what it tells about itself.

use std::fmt;

use super::leg::{Invitation, LegCommand, LegId, Party};
use crate::{
    cause::Cause,
    routing::{Attempt, Target},
};

/// What the owner of a call is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Give the leg this command.
    Command {
        /// Which leg.
        leg: LegId,
        /// What it is to do.
        command: LegCommand,
    },
    /// The call is over; always the last action. Its legs have been told to end, and what they
    /// still say concerns nobody.
    Ended {
        /// Why.
        cause: Cause,
    },
    /// A leg of another call is to be joined with one of this one. Take it out of its call with
    /// [`super::Call::release_peer`] and answer with [`super::Call::joined`]; or where that call
    /// only rings, end it with [`super::Call::leave_ringing`] and answer with
    /// [`super::Call::call_instead`].
    JoinWanted {
        /// Names the wish in the answer.
        query: QueryId,
        /// The leg whose peer is wanted.
        leg: LegId,
    },
    /// Tell whoever watches the call.
    Report(Report),
    /// A contact is to be routed. Answer with [`super::Call::routed`].
    RouteWanted {
        /// Names the wish in the answer.
        query: QueryId,
        /// Whom to reach, as the phone or program wrote it.
        contact: String,
        /// The leg that will be connected there, which is not to be rung itself; none while a
        /// program's call rings the user's own phones.
        near: Option<LegId>,
        /// What it is for.
        reason: RouteReason,
        /// Who sent the call on, for a diversion: what was rung, and as what. Somebody outside has
        /// not the rights of the caller ([`crate::routing::sent_on`]).
        by: Option<Target>,
    },
    /// Start a leg. It lives until the adapter says [`super::LegEvent::Ended`].
    Start {
        /// Its name.
        leg: LegId,
        /// Where it leads, and on whose behalf.
        target: Target,
        /// How it begins.
        invitation: Box<Invitation>,
    },
}

/// What a contact is to be routed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteReason {
    /// The user's phone answered a call that a program dials.
    Dial,
    /// A phone sent the call on (3xx).
    Diversion,
    /// A phone asked for a transfer (REFER).
    Transfer,
}

/// What is told to whoever watches the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Whom the call was for answered, on this leg. (The leg's target came with
    /// [`Action::Start`].) Who comes by a transfer is told with [`Report::Party`].
    Answered {
        /// The leg.
        leg: LegId,
    },
    /// Somebody holds the call, or nobody does any more. Also told when a hold or resume that was
    /// asked for is done.
    Held(bool),
    /// A hold or resume that was asked for did not happen.
    HoldRefused(Cause),
    /// Another party is now on this side.
    Party {
        /// The side.
        side: Side,
        /// Who.
        party: Party,
    },
    /// Something the route named is not tried.
    Skipped {
        /// What.
        attempt: Box<Attempt>,
        /// Why.
        why: Skipped,
    },
    /// The call came to another state.
    State(CallState),
    /// All tones were sent, or the far end does not take them.
    TonesEnded {
        /// Why they were refused.
        refused: Option<Cause>,
    },
    /// How a transfer goes.
    Transfer(TransferStep),
}

/// Why an attempt that the route named is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// The person called, or the network, has spoken: no other way changes that.
    Declined,
    /// Finding a way took too long already.
    OutOfTime,
    /// The person's telephone rang, and nobody answered.
    Reached,
    /// Another line said that this address does not exist or cannot be reached.
    SameAddress,
}

impl Skipped {
    /// The word used on the bus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::OutOfTime => "out-of-time",
            Self::Reached => "reached",
            Self::SameAddress => "same-address",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declined => "the call was answered with a no, which no other way changes",
            Self::OutOfTime => "finding a way took too long already",
            Self::Reached => "the telephone rang, and nobody answered",
            Self::SameAddress => "another line said that this address cannot be reached",
        })
    }
}

/// How a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferStep {
    /// The new party is connected.
    Done,
    /// It failed; the call is as it was before.
    Failed(Cause),
    /// The new party's phone rings.
    Ringing,
    /// It was accepted.
    Trying,
}

/// Where a call is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallState {
    /// A program dialled, and the user's own phones ring.
    Preparing,
    /// The other side is being called.
    Calling,
    /// The other side's phone rings.
    Ringing,
    /// Both sides talk (or hold).
    Connected,
    /// Over.
    Ended,
}

impl CallState {
    /// The word used on the bus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }
}

/// The two sides of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who was called.
    Callee,
    /// Who called; the user, where a program dialled.
    Caller,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Callee => Self::Caller,
            Self::Caller => Self::Callee,
        }
    }
}

/// Names a wish of a call in the answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueryId(pub u32);

/// Why a command was not taken. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Something else is being changed; trying again shortly may help.
    #[error("the call is being changed already: try again in a moment")]
    Busy,
    /// It does not apply to this call, ever.
    #[error("{0}")]
    DoesNotApply(&'static str),
    /// The call is over.
    #[error("the call is over")]
    Ended,
    /// The call is not connected yet, or no longer.
    #[error("the call is not connected")]
    NotConnected,
    /// The route leads nowhere.
    #[error("{}", .0.sentence())]
    Unreachable(Cause),
}

/// Hands out names for legs. One for the whole process.
#[derive(Debug, Default)]
pub struct LegIds {
    last: u64,
}

impl LegIds {
    /// Begins with 1.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// A name that no leg had before.
    pub const fn allocate(&mut self) -> LegId {
        self.last += 1;
        LegId(self.last)
    }
}
