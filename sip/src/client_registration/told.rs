// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    auth::client::Denied,
    flow::{Flow, Transmit},
    wire::{Draft, Uri},
};

/// Names one request of a registration. Never means another one of the same registration later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask(pub(super) u64);

/// What a registration wants done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Send a request; its final answer, or that there is none, is told under the ask.
    Send {
        /// Under which.
        ask: Ask,
        /// Over which flow.
        flow: Flow,
        /// What, but for the Via.
        request: Draft,
    },
    /// Send these bytes as they are: a keep-alive.
    Transmit(Transmit),
    /// The connection of this way is gone, or was never opened and may be forgotten: ask for the way
    /// to the same place anew, and tell [`Registration::reached`].
    ///
    /// [`Registration::reached`]: super::Registration::reached
    Reach {
        /// The way as it was.
        flow: Flow,
    },
    /// Find the ways to this URI and tell [`Registration::located`].
    ///
    /// [`Registration::located`]: super::Registration::located
    Locate {
        /// Where the registrar sends us.
        uri: Uri,
    },
    /// The state is another one now.
    State(State),
    /// Something was noticed that others should know.
    Noticed(Notice),
}

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody wants it, or it is being taken back.
    Off,
    /// It is being made.
    Registering,
    /// It stands.
    Online,
    /// The registrar wants to see a password that we do not have. Nothing is sent until
    /// [`Registration::set_credentials`] or [`Registration::retry`].
    ///
    /// [`Registration::set_credentials`]: super::Registration::set_credentials
    /// [`Registration::retry`]: super::Registration::retry
    NeedsPassword(Password),
    /// The registrar does not want us. Nothing is sent until [`Registration::retry`].
    ///
    /// [`Registration::retry`]: super::Registration::retry
    Refused {
        /// With this status.
        status: u16,
    },
    /// It did not work out, and will be tried again.
    Unreachable {
        /// Why.
        why: Trouble,
        /// When it is tried again; None waits for ways.
        again: Option<Instant>,
    },
}

/// What is wrong with the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// There is none.
    Missing,
    /// It was shown and not taken, or must not be shown.
    Denied(Denied),
    /// The answer was 403, by which this provider means the password.
    Forbidden,
}

/// Why nothing is sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The password.
    Password(Password),
    /// The registrar does not want us.
    Refused {
        /// With this status.
        status: u16,
    },
}

/// Why a registration did not work out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no way to the registrar: no network, or no such name.
    NoWay,
    /// Nothing was heard.
    NoAnswer,
    /// The connection cannot be made, or broke.
    Broken,
    /// The registrar answers that it cannot.
    Answered {
        /// With this status.
        status: u16,
        /// And asks to be left alone for so long.
        retry_after: Option<Duration>,
    },
    /// It says that it registered us, and at once that it did not.
    NotKept,
    /// It finds every interval too short.
    IntervalTooBrief,
    /// It sends us in circles, to ourselves, or nowhere.
    Redirected,
    /// It challenges without an end, or without a challenge.
    Challenged(Denied),
}

/// Something about the network that shows in the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The far side sees us under this address, which is another one than before: an address
    /// translator, if it is not the flow's own.
    Mapped {
        /// On this flow.
        flow: Flow,
        /// The address before; None for the first answer.
        before: Option<SocketAddr>,
        /// The address now.
        now: SocketAddr,
    },
    /// The far side sees us under another address than when we registered before, and we are
    /// registered again: what stands over this flow has to tell its far end.
    Moved {
        /// On this flow.
        flow: Flow,
        /// The address before.
        before: SocketAddr,
        /// The address now.
        now: SocketAddr,
    },
    /// Something on the way rewrites what we write: the Contact came back as another one
    /// (a SIP ALG, or a registrar that mends Contacts).
    ContactChanged {
        /// On this flow.
        flow: Flow,
        /// What was sent.
        sent: Uri,
        /// What came back.
        echoed: Uri,
    },
}
