// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers whom the user does not want to hear ([`sipwitch_core::blocking`]).
//!
//! Who is blocked is told 480, as if no phone were there: over a line that does not stop what else the
//! provider rings for the number, which is not ours to silence (a 6xx would, RFC 3261 §16.7), and
//! nobody can tell it from being out. No leg and no call begins, so that no phone rings and no program
//! hears of it; the history does. Texts are taken as if they waited for a phone, and thrown away.

use std::time::Duration;

use sipwitch_core::{
    blocking::{self, BlockError, BlockList, Caller, Entry, MAX_BLOCKED, ParseWhoError, Who},
    cause::Cause,
    contact::Contact,
    extension::ExtensionNumber,
    line::LineId,
    routing::{Because, Destination, Route, Target},
};
use sipwitch_sip::{endpoint::Arrival, wire::Request};

use super::{
    Switchboard,
    ask::{BlockingAsk, Refusal, Reply},
    door::Identity,
    notice::{BlockedChange, BlockedView, Notice},
    storing::Waiting,
};
use crate::{
    local_time,
    secret::Redacted,
    store::{
        Change,
        records::{BlockedRecord, CallRecord},
    },
};

/// What the blocked are told.
const STATUS: u16 = 480;

/// The list as the store has it.
pub(super) fn restore(records: Vec<BlockedRecord>, help_us: Option<i64>) -> BlockList {
    let entry = |record: BlockedRecord| match record.caller.parse() {
        Ok(who) => {
            let since = since_1970(record.since_us);
            Some((who, Entry { reason: record.reason.into(), since }))
        }
        Err(error) => {
            let error: ParseWhoError = error;
            tracing::warn!(
                "a blocked caller cannot be read from the store and is left out: {error}"
            );
            None
        }
    };
    BlockList::restore(records.into_iter().filter_map(entry), help_us.map(since_1970))
}

/// A moment as the list counts it.
fn since_1970(unix_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(unix_us).unwrap_or(0))
}

fn microseconds(since: Duration) -> i64 {
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn view(who: &Who, entry: &Entry) -> BlockedView {
    BlockedView {
        caller: who.to_string(),
        reason: entry.reason.to_string(),
        since_us: microseconds(entry.since),
    }
}

/// Whether it is help that is called.
fn is_for_help(route: &Route) -> bool {
    let because = route.attempts.first().map(|attempt| &attempt.because);
    matches!(because, Some(Because::Emergency { .. }))
}

/// What is asked of the list.
impl Switchboard {
    pub(super) fn blocking_asked(&mut self, ask: BlockingAsk) {
        match ask {
            BlockingAsk::List { reply } => {
                let _ = reply.send(Ok(self.blocked_views()));
            }
            BlockingAsk::Check { callers, reply } => {
                let _ = reply.send(self.who_would_be_blocked(&callers));
            }
            BlockingAsk::Add { callers, reason, reply } => self.block(&callers, &reason, reply),
            BlockingAsk::Remove { callers, reply } => self.unblock(&callers, reply),
        }
    }

    /// Everybody who is blocked.
    pub(super) fn blocked_views(&self) -> Vec<BlockedView> {
        self.blocking.iter().map(|(who, entry)| view(who, entry)).collect()
    }

    fn who_would_be_blocked(&self, callers: &[String]) -> Result<Vec<String>, Refusal> {
        bounded(callers)?;
        let found = |text: &String| {
            let entry = text.parse().ok().filter(|who| self.blocking.entry(who).is_some());
            if entry.is_some() {
                return Ok(text.clone());
            }
            let named = text.trim().parse::<ExtensionNumber>().ok();
            let named = named.filter(|number| self.directory.entry(number).is_some());
            let caller = match named {
                Some(number) => Caller::extension(&number),
                None if text.trim().eq_ignore_ascii_case("anonymous") => {
                    Caller::on_line(None, self.settings.region)
                }
                None => match super::steering::parse(text)? {
                    contact @ Contact::Sip(_) => Caller::outside(Some(&contact), &self.house(None)),
                    contact => Caller::on_line(Some(&contact), self.settings.region),
                },
            };
            let found = self.blocking.would_find(&caller);
            Ok(found.map(|(who, _)| who.to_string()).unwrap_or_default())
        };
        callers.iter().map(found).collect()
    }

    fn read_callers(&self, callers: &[String]) -> Result<Vec<Who>, Refusal> {
        bounded(callers)?;
        let house = self.house(None);
        let read = |text: &String| {
            self.blocking.read(text, &house).map_err(|error| Refusal::BadContact(error.to_string()))
        };
        callers.iter().map(read).collect()
    }

    fn block(&mut self, callers: &[String], reason: &str, reply: Reply<Vec<String>>) {
        let all = match self.may_block(callers, reason) {
            Ok(all) => all,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        let now = since_1970(self.now.unix_us);
        let (mut told, mut changes) = (Vec::new(), Vec::new());
        for who in &all {
            // That there is room was looked at before.
            if self.blocking.block(who, reason, now) == Ok(true)
                && let Some(entry) = self.blocking.entry(who)
            {
                let view = view(who, entry);
                let BlockedView { caller, reason, since_us } = view.clone();
                changes.push(Change::PutBlocked(Box::new(BlockedRecord {
                    caller,
                    reason,
                    since_us,
                })));
                told.push(view);
            }
        }
        if !told.is_empty() {
            self.tell(|| {
                Notice::Blocked(Box::new(BlockedChange { blocked: told, unblocked: Vec::new() }))
            });
        }
        let callers = all.iter().map(ToString::to_string).collect();
        self.store_then(changes, Waiting::Blocked { callers, reply });
    }

    /// Whom to block, if all of them can be.
    fn may_block(&self, callers: &[String], reason: &str) -> Result<Vec<Who>, Refusal> {
        blocking::check(reason).map_err(refused)?;
        let all = self.read_callers(callers)?;
        let mut new: Vec<&Who> =
            all.iter().filter(|who| self.blocking.entry(who).is_none()).collect();
        new.sort_unstable();
        new.dedup();
        if self.blocking.iter().len() + new.len() > MAX_BLOCKED {
            return Err(refused(BlockError::Full));
        }
        Ok(all)
    }

    fn unblock(&mut self, callers: &[String], reply: Reply<Vec<String>>) {
        let all = match self.read_callers(callers) {
            Ok(all) => all,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        let gone: Vec<String> =
            all.iter().filter(|who| self.blocking.unblock(who)).map(ToString::to_string).collect();
        if !gone.is_empty() {
            let unblocked = gone.clone();
            self.tell(|| {
                Notice::Blocked(Box::new(BlockedChange { blocked: Vec::new(), unblocked }))
            });
        }
        let forget = |caller: &String| Change::RemoveBlocked { caller: caller.clone() };
        let changes = gone.iter().map(forget).collect();
        self.store_then(changes, Waiting::Blocked { callers: gone, reply });
    }
}

/// Calls and texts of the blocked, and calls for help.
impl Switchboard {
    /// Turns a call away whose caller is blocked, if it is for somebody here; whether it was.
    pub(super) fn turns_away_blocked(
        &mut self,
        arrival: &Arrival,
        identity: &Identity,
        contact: Option<&Contact>,
    ) -> bool {
        if self.blocking.is_empty() {
            return false;
        }
        let caller = match identity {
            Identity::Line(line) => self.caller_by_line(*line, &arrival.request),
            Identity::Extension(number) if self.is_for_somebody_here(arrival, contact) => {
                Caller::extension(number)
            }
            Identity::OwnProgram if self.is_for_somebody_here(arrival, contact) => {
                self.caller_from(&arrival.request)
            }
            Identity::Peer(_) => self.caller_from(&arrival.request),
            Identity::Extension(_) | Identity::OwnProgram | Identity::Unproven => return false,
        };
        let shown = self.shown_caller(arrival, identity);
        let uri = arrival.request.uri();
        let dialled = match identity {
            Identity::Line(line) => self.route_of_line(*line, &uri).1,
            _ => uri.user().unwrap_or_else(|| uri.to_string()),
        };
        if !self.is_call_blocked(&caller, shown, dialled) {
            return false;
        }
        self.refuse(arrival, STATUS);
        true
    }

    /// Who calls, as histories have it.
    fn shown_caller(&self, arrival: &Arrival, identity: &Identity) -> String {
        let asserted = match identity {
            Identity::Line(line) => self.asserted_on_line(*line, &arrival.request),
            Identity::Extension(number) => return number.to_string(),
            Identity::OwnProgram | Identity::Peer(_) | Identity::Unproven => None,
        };
        let Some(from) = asserted.or_else(|| arrival.request.from().ok().cloned()) else {
            return String::new();
        };
        let uri = from.uri();
        let is_own = self.settings.is_own(&uri.host(), uri.port(), Some(arrival.flow.local));
        match uri.user() {
            Some(user) if is_own && !user.is_empty() => user,
            _ => uri.for_request_line().to_string(),
        }
    }

    /// A program dials for its extension; if that is blocked here, what the program is told: as if no
    /// phone were there.
    pub(super) fn blocked_program(
        &mut self,
        extension: Option<&ExtensionNumber>,
        route: &Route,
        contact: &str,
    ) -> Option<Refusal> {
        let leads_here = |target: &Target| matches!(target.destination, Destination::Phone(_));
        let mut targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        if is_for_help(route) || !targets.all(leads_here) {
            return None;
        }
        let number = extension?;
        self.is_call_blocked(&Caller::extension(number), number.to_string(), contact.to_owned())
            .then(|| Refusal::NoRoute(format!("{contact}: {}", Cause::not_registered().sentence())))
    }

    /// Whether a call of this caller is blocked; then the history has it.
    pub(super) fn is_call_blocked(
        &mut self,
        caller: &Caller,
        shown: String,
        dialled: String,
    ) -> bool {
        let now_us = self.now.unix_us;
        let Some((who, entry)) = self.blocking.find(since_1970(now_us), caller) else {
            return false;
        };
        let mut words = "blocked by you".to_owned();
        if let Some(day) = local_time::day(microseconds(entry.since)) {
            words.push_str(" on ");
            words.push_str(&day);
        }
        if !entry.reason.is_empty() {
            words.push_str(": ");
            words.push_str(&entry.reason);
        }
        let blocked = who.to_string();
        tracing::info!(
            caller = %Redacted(&shown), by = %Redacted(&blocked), "a call is blocked"
        );
        self.store_quietly(Change::AddCall(Box::new(CallRecord {
            started_us: now_us,
            answered_us: None,
            ended_us: now_us,
            caller: shown,
            contact: dialled,
            callee: String::new(),
            route: format!("{blocked} is blocked"),
            sip_code: STATUS,
            q850: None,
            words,
            trace: Vec::new(),
            blocked,
        })));
        true
    }

    /// Whether this caller is blocked now.
    pub(super) fn is_blocked(&self, caller: &Caller) -> bool {
        self.blocking.find(since_1970(self.now.unix_us), caller).is_some()
    }

    /// Who calls or writes by a line, as its provider says it.
    pub(super) fn caller_by_line(&self, line: LineId, request: &Request) -> Caller {
        let region = self.lines.line(line).and_then(|(_, facts, _)| facts.line.numbering.region);
        let asserted = self.asserted_on_line(line, request);
        let from = asserted.or_else(|| request.from().ok().cloned());
        let contact = from.and_then(|from| from.uri().to_string().parse::<Contact>().ok());
        Caller::on_line(contact.as_ref(), region.unwrap_or(self.settings.region))
    }

    /// Who calls or writes from outside, or as a program of the user's own.
    pub(super) fn caller_from(&self, request: &Request) -> Caller {
        let contact = request.from().ok().map(|from| from.uri().to_string());
        let contact = contact.and_then(|uri| uri.parse::<Contact>().ok());
        Caller::outside(contact.as_ref(), &self.house(None))
    }

    /// Whether a call rings here; one that leaves the house is nobody's business.
    fn is_for_somebody_here(&self, arrival: &Arrival, contact: Option<&Contact>) -> bool {
        let uri = arrival.request.uri();
        let heard_at = arrival.flow.local;
        // A GRUU is one of a phone of ours.
        if self.settings.is_own(&uri.host(), None, Some(heard_at))
            && self.registrar.resolve_gruu(&uri).is_some()
        {
            return true;
        }
        let house = self.house(Some(heard_at));
        let Some(contact) = contact else { return false };
        match &*contact.at_home(&house) {
            here @ (Contact::Name(_) | Contact::Number(_)) => {
                self.directory.find(here.user()).is_some()
            }
            Contact::Service(_) | Contact::Sip(_) => false,
        }
    }

    /// A call has its route; whether it is one for help, after which everybody gets through.
    pub(super) fn notes_help(&mut self, route: &Route) -> bool {
        let helps = is_for_help(route);
        if helps {
            self.help_called();
        }
        helps
    }

    /// Somebody calls for help, or did and is done.
    pub(super) fn help_called(&mut self) {
        self.blocking.help_called(since_1970(self.now.unix_us));
        self.store_quietly(Change::HelpCalled { at_us: self.now.unix_us });
    }
}

fn bounded(callers: &[String]) -> Result<(), Refusal> {
    if callers.len() > MAX_BLOCKED {
        let words = format!("{} callers at once are more than {MAX_BLOCKED}", callers.len());
        return Err(Refusal::TooMany(words));
    }
    Ok(())
}

fn refused(error: BlockError) -> Refusal {
    let words = error.to_string();
    match error {
        BlockError::Full => Refusal::TooMany(words),
        BlockError::Letter(_) | BlockError::TooLong(_) => Refusal::BadValue(words),
    }
}
