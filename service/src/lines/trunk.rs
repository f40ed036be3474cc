// SPDX-License-Identifier: GPL-3.0-or-later
//! Trunks: exchanges that know us by our address. OPTIONS tell whether they are there.

use std::time::{Duration, Instant};

use sipwitch_sip::wire::{Draft, Method, name};

use super::{Outside, Shared, Standing};

/// How often a trunk that is there is asked.
const ASK: Duration = Duration::from_secs(60);
/// The first pause after nothing was heard from any of its addresses, doubled by each that follows.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause: a trunk that comes back is to be noticed.
const PAUSE_AT_MOST: Duration = Duration::from_secs(240);
/// How long one address may be silent before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(4);

/// How a trunk does.
pub(super) struct Trunk {
    state: State,
    /// Which of its addresses is asked, or answered last.
    at: usize,
    /// Addresses asked in vain since one answered.
    in_vain: usize,
    failures: u32,
    is_up: bool,
    why: String,
    serial: u32,
}

enum State {
    /// It is to be asked now.
    Due,
    /// It was asked.
    Asked { give_up: Instant },
    /// It is left alone for a while.
    Waiting { until: Instant },
}

impl Trunk {
    pub(super) fn new(_now: Instant) -> Self {
        Self {
            state: State::Due,
            at: 0,
            in_vain: 0,
            failures: 0,
            is_up: false,
            why: String::new(),
            serial: 0,
        }
    }

    /// It is to be looked for at other addresses.
    pub(super) fn ways_changed(&mut self, _now: Instant) {
        self.at = 0;
        self.in_vain = 0;
        self.state = State::Due;
    }

    /// It answered.
    pub(super) fn answered(&mut self, now: Instant, status: u16) {
        let is_waited_for = matches!(self.state, State::Asked { .. });
        // Whatever it thinks of OPTIONS, it is there; but for these, which say that it is not.
        if matches!(status, 408 | 500 | 502 | 503 | 504) {
            if is_waited_for {
                self.vain(now, format!("it answers {status}"));
            }
            return;
        }
        // An answer that comes late is one all the same.
        self.is_up = true;
        self.in_vain = 0;
        self.failures = 0;
        self.state = State::Waiting { until: now + ASK };
    }

    /// It cannot be reached there.
    pub(super) fn failed(&mut self, now: Instant) {
        if matches!(self.state, State::Asked { .. }) {
            self.vain(now, "it does not answer".to_owned());
        }
    }

    fn vain(&mut self, _now: Instant, why: String) {
        self.why = why;
        self.in_vain += 1;
        self.at += 1;
        self.state = State::Due;
    }

    /// Does what is due; says whether its addresses are to be looked for anew.
    pub(super) fn handle_deadline(&mut self, now: Instant) -> bool {
        match self.state {
            State::Asked { give_up } if give_up <= now => {
                self.vain(now, "it does not answer".to_owned());
                false
            }
            State::Waiting { until } if until <= now => {
                self.state = State::Due;
                !self.is_up
            }
            State::Due | State::Asked { .. } | State::Waiting { .. } => false,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due => None,
            State::Asked { give_up } => Some(give_up),
            State::Waiting { until } => Some(until),
        }
    }

    /// Which of so many addresses is to be asked now.
    pub(super) fn wants_to_ask(&mut self, now: Instant, ways: usize) -> Option<usize> {
        if !matches!(self.state, State::Due) {
            return None;
        }
        if ways == 0 || self.in_vain >= ways {
            self.is_up = false;
            self.in_vain = 0;
            let pause = PAUSE.saturating_mul(1 << self.failures.min(8)).min(PAUSE_AT_MOST);
            self.failures = self.failures.saturating_add(1);
            self.state = State::Waiting { until: now + pause };
            return None;
        }
        self.at %= ways;
        self.state = State::Asked { give_up: now + PATIENCE };
        Some(self.at)
    }

    /// The question.
    pub(super) fn options(&mut self, outside: &Outside, shared: &Shared<'_>) -> Draft {
        self.serial = self.serial.wrapping_add(1);
        let id = super::derived(shared.run, "options", &outside.address.to_string());
        let id: String = id[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut draft = Draft::request(&Method::Options, &outside.registrar);
        for route in &outside.route {
            draft.push(&name::ROUTE, route);
        }
        draft
            .push(&name::MAX_FORWARDS, "70")
            .push(&name::FROM, format!("<{}>;tag={id}", outside.address))
            .push(&name::TO, format!("<{}>", outside.registrar))
            .push(&name::CALL_ID, format!("{id}{}", self.serial))
            .push(&name::CSEQ, format!("{} OPTIONS", self.serial))
            .push(&name::ACCEPT, "application/sdp");
        if !shared.product.is_empty() {
            draft.push(&name::USER_AGENT, shared.product);
        }
        draft
    }

    /// Which of its addresses answered last.
    pub(super) const fn best(&self) -> usize {
        self.at
    }

    pub(super) fn standing(&self) -> Standing {
        if self.is_up {
            return Standing::online("it answers");
        }
        match self.state {
            State::Waiting { until } => Standing::unreachable(self.why.clone(), Some(until)),
            State::Due | State::Asked { .. } => {
                Standing::new("registering", "it is asked whether it is there", "")
            }
        }
    }
}
