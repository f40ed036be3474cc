// SPDX-License-Identifier: GPL-3.0-or-later
//! One binding at the registrar: one flow, kept by a row of REGISTER requests.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rand_core::RngCore;

use super::{Ask, Trouble, answer::Granted};
use crate::{
    auth::client::{Answers, Tries},
    dialog::{Tag, new_call_id},
    flow::Flow,
    wire::Uri,
};

/// A flow that stood so long is a good one: what failed before is forgotten (RFC 5626 §4.5).
const STOOD: Duration = Duration::from_secs(120);

pub(super) struct Binding {
    pub(super) reg_id: u8,
    pub(super) flow: Flow,
    pub(super) call_id: Arc<[u8]>,
    pub(super) tag: Tag,
    pub(super) cseq: u32,
    pub(super) answers: Answers,
    pub(super) tries: Tries,
    pub(super) phase: Phase,
    /// As long as the registrar keeps the binding.
    pub(super) held_until: Option<Instant>,
    /// Since when, without a break.
    pub(super) held_since: Option<Instant>,
    pub(super) granted: Option<Granted>,
    /// The next keep-alive, and how often they are.
    pub(super) ping: Option<(Instant, Duration)>,
    /// An OPTIONS that waits for its answer, and how long.
    pub(super) pinging: Option<(Ask, Instant)>,
    /// The interval to ask for, once the registrar found ours too brief.
    pub(super) expires: Option<Duration>,
    pub(super) raises: u8,
    /// Ways tried without success since the last pause.
    pub(super) tried: usize,
    pub(super) failures: u32,
    pub(super) trouble: Option<Trouble>,
    pub(super) mapped: Option<SocketAddr>,
    /// How we were seen when the registration was granted last.
    pub(super) registered_as: Option<SocketAddr>,
    /// The Contact of the latest REGISTER.
    pub(super) sent: Option<Uri>,
    /// How often it was sent anew at once, because we are seen elsewhere than it says.
    pub(super) corrections: u8,
    /// What the registrar has bound, as far as we know.
    pub(super) bound: Option<Bound>,
    /// The extensions of RFC 5626 and 5627 were refused here.
    pub(super) is_plain: bool,
    pub(super) echoed: Option<Uri>,
}

/// A Contact at the registrar.
pub(super) struct Bound {
    pub(super) contact: String,
    /// As it came back, if something rewrote it.
    pub(super) echoed: Option<String>,
    pub(super) until: Instant,
    /// The registrar knows flows, and puts the new Contact of one in the place of the old one.
    pub(super) outbound: bool,
}

pub(super) enum Phase {
    /// Nothing is to come.
    Resting,
    /// A REGISTER is under way. With a limit if there are other ways to try.
    Asking { ask: Ask, removes: bool, give_up: Option<Instant> },
    /// The way to the same place is asked for anew.
    Reaching { give_up: Instant },
    /// The ways to another registrar are looked for.
    Locating { give_up: Instant },
    /// Until the refresh, or the next try.
    Waiting { until: Instant },
}

impl Binding {
    pub(super) fn new(reg_id: u8, flow: Flow, random: &mut impl RngCore) -> Self {
        Self {
            reg_id,
            flow,
            call_id: new_call_id(random),
            tag: Tag::random(random),
            cseq: random.next_u32() & 0xffff,
            answers: Answers::default(),
            tries: Tries::default(),
            phase: Phase::Resting,
            held_until: None,
            granted: None,
            ping: None,
            pinging: None,
            expires: None,
            raises: 0,
            tried: 0,
            failures: 0,
            trouble: None,
            mapped: None,
            registered_as: None,
            sent: None,
            corrections: 0,
            bound: None,
            held_since: None,
            is_plain: false,
            echoed: None,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    pub(super) fn waits_for(&self, wanted: Ask) -> bool {
        let asking = matches!(self.phase, Phase::Asking { ask, .. } if ask == wanted);
        asking || self.pinging.is_some_and(|(ask, _)| ask == wanted)
    }

    pub(super) fn goes_over(&self, flow: &Flow) -> bool {
        (self.flow.transport, self.flow.remote) == (flow.transport, flow.remote)
            && (self.flow.connection == flow.connection
                || self.flow.connection.is_none()
                || flow.connection.is_none())
    }

    /// What went wrong, if it waits to try again.
    pub(super) fn trouble(&self) -> Option<(Trouble, Instant)> {
        match (&self.phase, &self.trouble) {
            (Phase::Waiting { until }, Some(trouble)) => Some((trouble.clone(), *until)),
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Resting => None,
            Phase::Asking { give_up, .. } => give_up,
            Phase::Locating { give_up } | Phase::Reaching { give_up } => Some(give_up),
            Phase::Waiting { until } => Some(until),
        };
        let ping = self.ping.map(|(due, _)| due);
        let pinging = self.pinging.map(|(_, limit)| limit);
        [phase, self.held_until, ping, pinging].into_iter().flatten().min()
    }

    /// Nothing more is sent.
    pub(super) fn rest(&mut self) {
        self.phase = Phase::Resting;
        self.drop_hold();
        self.answers.forget();
    }

    /// The registrar does not know us any more, or cannot reach us.
    pub(super) fn drop_hold(&mut self) {
        self.held_until = None;
        self.held_since = None;
        self.granted = None;
        self.ping = None;
        self.pinging = None;
    }

    /// Forgets failures from before a flow that stood for long.
    pub(super) fn forgive(&mut self, now: Instant) {
        if self.held_since.is_some_and(|since| since + STOOD <= now) {
            self.failures = 0;
        }
    }

    /// Takes another flow. The Contact of the old one is taken off with the next REGISTER.
    pub(super) fn set_flow(&mut self, flow: Flow) {
        if self.flow == flow {
            return;
        }
        self.flow = flow;
        self.mapped = None;
        self.registered_as = None;
        self.corrections = 0;
        self.echoed = None;
        self.drop_hold();
    }

    pub(super) fn start_over(&mut self) {
        self.tried = 0;
        self.failures = 0;
        self.raises = 0;
        self.trouble = None;
        self.is_plain = false;
    }
}
