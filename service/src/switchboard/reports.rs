// SPDX-License-Identifier: GPL-3.0-or-later
//! What calls report, and what is kept and told of those that ended.

use sipwitch_core::{
    call::{CallId, CallState, Report, Side, Skipped, TransferStep},
    cause::Cause,
    routing::Attempt,
};

use super::{
    Switchboard,
    ask::Refusal,
    notice::{CallEnd, Notice},
};
use crate::store::{
    Change,
    records::{CallRecord, TraceRecord},
};

/// Tables keep room for so many entries when they shrink.
const KEEP_ROOM: usize = 256;

impl Switchboard {
    /// Something happened in a call.
    pub(super) fn reported(&mut self, id: CallId, report: Report) {
        if let Report::Skipped { attempt, why } = &report {
            self.skipped(id, attempt, *why);
        }
        let unix_us = self.now.unix_us;
        let Some(entry) = self.calls.get_mut(&id) else { return };
        entry.is_changed = true;
        match report {
            Report::Answered { leg } => {
                if entry.answered_us == 0 {
                    entry.answered_us = unix_us;
                }
                if let Some(party) = entry.call.party(leg) {
                    entry.callee = party.clone();
                }
            }
            Report::Held(is_held) => {
                entry.is_held = is_held;
                // A phone may hold or resume as well, before what was asked is done.
                let by_user = entry.call.is_held_by_user();
                if let Some((_, reply)) = entry.holding.take_if(|(hold, _)| *hold == by_user) {
                    let _ = reply.send(Ok(()));
                }
            }
            Report::HoldRefused(cause) => {
                if let Some((_, reply)) = entry.holding.take() {
                    let words = format!("a phone did not agree: {}", cause.sentence());
                    let _ = reply.send(Err(Refusal::NotInThisState(words)));
                }
            }
            Report::Party { side, party } => {
                match side {
                    Side::Caller => entry.caller = party,
                    Side::Callee => entry.callee = party,
                }
                if let Some(leg) = entry.call.talking(side.other()) {
                    self.party_changed(id, leg);
                }
            }
            Report::State(CallState::Connected) => {
                if entry.answered_us == 0 {
                    entry.answered_us = unix_us;
                }
            }
            Report::Skipped { .. } | Report::State(_) => {}
            Report::TonesEnded { refused } => {
                if let Some(reply) = entry.toning.take() {
                    let _ = reply.send(match refused {
                        None => Ok(()),
                        Some(cause) => Err(Refusal::NotInThisState(format!(
                            "the phone does not take tones: {}",
                            cause.sentence()
                        ))),
                    });
                }
            }
            Report::Transfer(step) => {
                entry.is_transferring =
                    matches!(step, TransferStep::Trying | TransferStep::Ringing);
            }
        }
    }

    fn skipped(&mut self, id: CallId, attempt: &Attempt, why: Skipped) {
        for target in &attempt.targets {
            let way = crate::secret::Redacted(&target.dialled);
            tracing::info!(call = id.0, %way, "not tried: {why}");
            let what = self.destination_words(target);
            if let Some(entry) = self.calls.get_mut(&id) {
                entry.trace.skipped(self.now.instant, what, why.as_str(), why.to_string());
            }
        }
    }

    /// A call is over: it goes into the history.
    pub(super) fn call_ended(&mut self, id: CallId, cause: &Cause) {
        let Some(mut entry) = self.calls.remove(&id) else { return };
        let holding = entry.holding.take().map(|(_, reply)| reply);
        for reply in holding.into_iter().chain(entry.toning.take()) {
            let words = "the call ended before it was done".to_owned();
            let _ = reply.send(Err(Refusal::NotInThisState(words)));
        }
        if let Some(armed) = entry.armed {
            self.call_deadlines.remove(&(armed, id));
        }
        for leg in std::mem::take(&mut entry.legs) {
            self.legs.remove(&leg.id);
            self.meter(Some(leg));
        }
        if entry.helps {
            self.help_called();
        }
        // What a busy hour needed is given back after it.
        if self.calls.len() < self.calls.capacity() / 8 && self.calls.capacity() > KEEP_ROOM {
            self.calls.shrink_to(KEEP_ROOM);
            self.legs.shrink_to(KEEP_ROOM);
        }
        let ended_us = self.now.unix_us;
        let words = cause.sentence();
        tracing::info!(call = id.0, sip = cause.sip, "call ended: {words}");
        self.store_quietly(Change::AddCall(Box::new(CallRecord {
            started_us: entry.started_us,
            answered_us: (entry.answered_us != 0).then_some(entry.answered_us),
            ended_us,
            caller: entry.caller.address.clone(),
            contact: entry.contact.to_string(),
            callee: entry.callee.address.clone(),
            route: entry.route.to_string(),
            sip_code: cause.sip,
            q850: cause.q850_or_mapped(),
            words: words.clone(),
            trace: entry.trace.view().into_iter().map(TraceRecord::from).collect(),
            blocked: String::new(),
        })));
        self.tell(|| {
            let mut call = entry.view();
            call.state = "ended";
            call.legs.clear();
            Notice::CallEnded(Box::new(CallEnd {
                call,
                ended_us,
                sip_code: cause.sip,
                q850: cause.q850_or_mapped().unwrap_or(0),
                words,
            }))
        });
    }
}
