// SPDX-License-Identifier: GPL-3.0-or-later
//! A call in the table, and how others see it.

use std::time::{Duration, Instant};

use sipwitch_core::{
    call::{
        Call, CallState, LegId, Side,
        leg::{Carried, Party},
    },
    contact::Contact,
    extension::ExtensionNumber,
    line::LineId,
};

use super::{
    ask::Reply,
    notice::{CallView, LegView, PeerView},
    trace::Trace,
};

/// A call and what is known of it besides its state.
#[derive(Debug)]
pub(super) struct CallEntry {
    pub(super) call: Call,
    /// When its deadline is noted.
    pub(super) armed: Option<Instant>,
    /// The unique bus name of the program whose call it is.
    pub(super) owner: Option<Box<str>>,
    /// How long the called side may ring, where a program said so.
    pub(super) ring: Option<Duration>,
    /// The extension for which a program dialled, where it said so.
    pub(super) from: Option<ExtensionNumber>,
    /// Whether the program that dialled wants the caller hidden.
    pub(super) hides: bool,
    /// Whether help is called.
    pub(super) helps: bool,
    /// Further addresses of the person called.
    pub(super) also: Vec<Contact>,
    /// Who waits for a hold (true) or its end (false) to be done.
    pub(super) holding: Option<(bool, Reply<()>)>,
    /// Who waits for tones to be sent.
    pub(super) toning: Option<Reply<()>>,
    pub(super) contact: Box<str>,
    pub(super) caller: Party,
    pub(super) callee: Party,
    pub(super) route: Box<str>,
    pub(super) started_us: i64,
    pub(super) answered_us: i64,
    pub(super) is_held: bool,
    pub(super) is_transferring: bool,
    pub(super) is_changed: bool,
    pub(super) legs: Vec<LegEntry>,
    pub(super) trace: Trace,
}

#[derive(Debug)]
pub(super) struct LegEntry {
    pub(super) id: LegId,
    pub(super) role: &'static str,
    pub(super) state: &'static str,
    pub(super) address: Box<str>,
    pub(super) phone: Option<u64>,
    /// The other domain, if it is one's.
    pub(super) peer: Option<Box<PeerView>>,
    /// The line it is on.
    pub(super) line: Option<LineId>,
    /// When somebody answered it that we called.
    pub(super) answered: Option<Instant>,
}

impl LegEntry {
    /// Whether somebody outside is at its far end.
    pub(super) const fn leads_out(&self) -> bool {
        self.line.is_some() || self.peer.is_some()
    }
}

impl CallEntry {
    pub(super) fn new(call: Call, contact: &str, caller: Party, route: &str, now_us: i64) -> Self {
        Self {
            call,
            armed: None,
            owner: None,
            ring: None,
            from: None,
            hides: false,
            helps: false,
            also: Vec::new(),
            holding: None,
            toning: None,
            contact: contact.into(),
            caller,
            callee: Party::default(),
            route: route.into(),
            started_us: now_us,
            answered_us: 0,
            is_held: false,
            is_transferring: false,
            is_changed: true,
            legs: Vec::new(),
            trace: Trace::default(),
        }
    }

    pub(super) fn add_leg(
        &mut self,
        id: LegId,
        role: &'static str,
        address: &str,
        phone: Option<u64>,
    ) {
        let address = address.into();
        let (peer, line, answered) = (None, None, None);
        let state = "dialing";
        // Most calls have two, and the first push would make room for four.
        self.legs.reserve_exact(1);
        self.legs.push(LegEntry { id, role, state, address, phone, peer, line, answered });
        self.is_changed = true;
    }

    pub(super) fn set_on_line(&mut self, id: LegId, line: LineId) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) {
            leg.line = Some(line);
        }
    }

    /// Somebody whom we called answered.
    pub(super) fn set_answered(&mut self, now: Instant, id: LegId) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) {
            leg.answered.get_or_insert(now);
        }
    }

    /// The line that a leg of ours called by, until it is answered.
    pub(super) fn calling_line(&self, id: LegId) -> Option<(LineId, bool)> {
        let leg = self.legs.iter().find(|leg| leg.id == id && leg.answered.is_none())?;
        (leg.role == "callee").then_some((leg.line?, leg.state == "ringing"))
    }

    /// Takes out a leg that is over.
    pub(super) fn take_leg(&mut self, id: LegId) -> Option<LegEntry> {
        let at = self.legs.iter().position(|leg| leg.id == id)?;
        self.is_changed = true;
        Some(self.legs.remove(at))
    }

    pub(super) fn set_peer(&mut self, id: LegId, peer: PeerView) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) {
            leg.peer = Some(Box::new(peer));
            self.is_changed = true;
        }
    }

    pub(super) fn set_leg(&mut self, id: LegId, state: &'static str) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id)
            && leg.state != state
        {
            leg.state = state;
            self.is_changed = true;
        }
    }

    /// Which side the leg is on now: transfers change that.
    fn role(&self, leg: &LegEntry) -> &'static str {
        if self.call.talking(Side::Caller) == Some(leg.id) {
            "caller"
        } else if self.call.talking(Side::Callee) == Some(leg.id) {
            "callee"
        } else {
            leg.role
        }
    }

    /// The call as others see it.
    pub(super) fn view(&self) -> CallView {
        let state = match self.call.state() {
            CallState::Preparing | CallState::Calling => "dialing",
            CallState::Ringing => "ringing",
            CallState::Connected if self.is_transferring => "transferring",
            CallState::Connected if self.is_held => "held",
            CallState::Connected => "connected",
            CallState::Ended => "ended",
        };
        CallView {
            id: self.call.id(),
            state,
            contact: self.contact.to_string(),
            caller: self.caller.address.clone(),
            caller_name: self.caller.display.clone(),
            callee: self.callee.address.clone(),
            callee_name: self.callee.display.clone(),
            origin: if self.owner.is_some() { "program" } else { "phone" },
            started_us: self.started_us,
            answered_us: self.answered_us,
            held: self.is_held,
            legs: self
                .legs
                .iter()
                .map(|leg| LegView {
                    role: self.role(leg),
                    state: leg.state,
                    address: leg.address.to_string(),
                    phone: leg.phone,
                })
                .collect(),
            route: self.route.to_string(),
            peer: *self.legs.iter().find_map(|leg| leg.peer.clone()).unwrap_or_default(),
            trace: self.trace.view(),
        }
    }
}

/// The tone in an INFO (`application/dtmf-relay`, or `application/dtmf` with the bare tone).
pub(super) fn tone_of(carried: &Carried) -> Option<char> {
    let body = carried.body.as_ref()?;
    let kind = std::str::from_utf8(&body.content_type).ok()?.to_ascii_lowercase();
    let text = std::str::from_utf8(&body.bytes).ok()?;
    let signal = if kind.starts_with("application/dtmf-relay") {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })?
    } else if kind.starts_with("application/dtmf") {
        text.trim()
    } else {
        return None;
    };
    let mut letters = signal.chars();
    match (letters.next(), letters.next()) {
        (Some(tone), None) if tone.is_ascii_digit() || "*#ABCDabcd".contains(tone) => {
            Some(tone.to_ascii_uppercase())
        }
        // Some phones write the event numbers of RFC 4733.
        (Some('1'), Some('0')) if signal.len() == 2 => Some('*'),
        (Some('1'), Some('1')) if signal.len() == 2 => Some('#'),
        _ => None,
    }
}
