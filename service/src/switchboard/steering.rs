// SPDX-License-Identifier: GPL-3.0-or-later
//! What programs ask of calls.

use std::time::Duration;

use sipwitch_core::{
    call::{Call, CallId, CommandError, Dial, Side, Tones, Towards, leg::Party},
    cause::Cause,
    contact::Contact,
    extension::{ExtensionNumber, Kind},
    routing::{self, Caller, Route, emergency},
};

use super::{
    Switchboard,
    ask::{DialOptions, Refusal, Reply, RouteLine},
    calls::route_words,
    entry::CallEntry,
    lookup::{Halt, Published},
};
use crate::store::records::CallRecord;

/// The most addresses of one person beside the first.
const MAX_ADDRESSES: usize = 16;

impl Switchboard {
    /// Rings the user's phones, then connects the contact.
    ///
    /// # Errors
    /// It cannot be called, or a number has to be looked up first.
    pub(super) fn dial(
        &mut self,
        contact: &str,
        options: &DialOptions,
        owner: Option<&str>,
        published: &Published,
    ) -> Result<CallId, Halt> {
        let parsed = parse(contact)?;
        let contacts = all_of(&parsed, &options.also)?;
        let is_emergency =
            contacts.iter().any(|one| emergency::is_emergency(one, &self.house(None)));
        if self.is_stopping {
            return Err(Refusal::Stopping.into());
        }
        if !is_emergency && self.begun() >= self.settings.max_calls {
            let words = format!(
                "{} calls are under way, as many as are allowed: end some, or raise max-calls",
                self.begun()
            );
            return Err(Refusal::TooMany(words).into());
        }
        let caller = self.user(options);
        let far = self
            .find_route(None, published, |house| routing::route_any(&contacts, &caller, house))?;
        // Nobody is to look for a phone first, and then hear that no line carries the call.
        if is_emergency && far.attempts.is_empty() {
            return Err(Refusal::EmergencyUnavailable(far.refusal().sentence()).into());
        }
        let (user, phones) = self.user_side(options)?;
        if far.attempts.is_empty() {
            let words = far.refusal().sentence();
            return Err(Refusal::NoRoute(format!("{contact}: {words}")).into());
        }
        let ring = ring_of(options);
        let display = options.display.clone();
        let shown = Party {
            display: display.unwrap_or_else(|| format!("Calling {}", parsed.user())),
            address: parsed.user().to_owned(),
        };
        self.last_call += 1;
        let id = CallId(self.last_call);
        let words = route_words(&far);
        let dial = Dial { contact: contact.to_owned(), shown, user: user.clone(), phones };
        let now = self.now;
        let call = Call::dial(now.instant, &mut self.leg_ids, id, dial);
        let mut entry = CallEntry::new(call, contact, user, &words, now.unix_us);
        entry.owner = Some(owner.unwrap_or_default().into());
        entry.ring = ring;
        entry.from = caller.extension;
        entry.hides = options.hide_number;
        entry.also = contacts.into_iter().skip(1).collect();
        self.calls.insert(id, Box::new(entry));
        tracing::info!(call = id.0, contact = %crate::secret::Redacted(contact), "dialled by a program");
        self.pump(id);
        Ok(id)
    }

    /// The user who calls by a program: the extension he named, else whoever he is.
    fn user(&self, options: &DialOptions) -> Caller {
        let named = options.from.as_ref().and_then(|named| self.directory.find(named));
        Caller { extension: named.map(|entry| entry.extension.number.clone()), ..Caller::default() }
    }

    /// Who the user is, and the way to his own phones: those of all his extensions ring together.
    fn user_side(&self, options: &DialOptions) -> Result<(Party, Route), Refusal> {
        let numbers = match (&options.from, self.settings.dial_from.as_slice()) {
            (Some(named), _) => vec![self.known(named)?],
            (None, []) => vec![self.only_extension_with_phone()?],
            (None, named) => {
                named.iter().map(|named| self.known(named)).collect::<Result<Vec<_>, _>>()?
            }
        };
        let mut phones = Route::default();
        for number in &numbers {
            let route =
                routing::route(&parse(number.as_str())?, &Caller::default(), &self.house(None));
            phones.rejected.extend(route.rejected);
            for attempt in route.attempts {
                match phones.attempts.first_mut() {
                    Some(first) => first.targets.extend(attempt.targets),
                    None => phones.attempts.push(attempt),
                }
            }
        }
        let number = &numbers[0];
        if phones.attempts.is_empty() {
            return Err(Refusal::NoPhone(format!(
                "no phone of extension {number} is registered: start one; \
                 `sipwitch phones add {number}` says what it needs"
            )));
        }
        if let Some(ring) = ring_of(options) {
            for attempt in &mut phones.attempts {
                attempt.ring = ring;
            }
        }
        let display = self
            .directory
            .entry(number)
            .map(|entry| entry.extension.display.clone())
            .unwrap_or_default();
        Ok((Party { display, address: number.to_string() }, phones))
    }

    fn known(&self, named: &str) -> Result<ExtensionNumber, Refusal> {
        let found = self.directory.find(named).map(|entry| entry.extension.number.clone());
        found.ok_or_else(|| Refusal::NotFound { kind: "extension", name: named.to_owned() })
    }

    fn only_extension_with_phone(&self) -> Result<ExtensionNumber, Refusal> {
        let mut with_phone = self.directory.iter().filter(|entry| {
            let number = &entry.extension.number;
            matches!(entry.extension.kind, Kind::Person)
                && (!self.registrar.phones_of(number.as_str()).is_empty()
                    || self.programs.reachable().any(|extension| extension == number))
        });
        match (with_phone.next(), with_phone.next()) {
            (Some(only), None) => Ok(only.extension.number.clone()),
            (None, _) => Err(Refusal::NoPhone(
                "no phone is registered: start one; `sipwitch phones add 101` says what it needs"
                    .into(),
            )),
            (Some(_), Some(_)) => Err(Refusal::NoPhone(
                "several extensions have phones: say which is yours (option from, or dial.from in \
                 the configuration)"
                    .into(),
            )),
        }
    }

    /// What would be tried, and what not.
    ///
    /// # Errors
    /// It makes no sense, or a number has to be looked up first.
    pub(super) fn explain(
        &self,
        contact: &str,
        options: &DialOptions,
        published: &Published,
    ) -> Result<Vec<RouteLine>, Halt> {
        if let Some(from) = &options.from
            && self.directory.find(from).is_none()
        {
            return Err(Refusal::NotFound { kind: "extension", name: from.clone() }.into());
        }
        let contacts = all_of(&parse(contact)?, &options.also)?;
        let caller = self.user(options);
        let route = self
            .find_route(None, published, |house| routing::route_any(&contacts, &caller, house))?;
        let mut lines = Vec::new();
        for (at, attempt) in route.attempts.iter().enumerate() {
            for target in &attempt.targets {
                let destination = self.destination_words(target);
                lines.push(RouteLine {
                    attempt: u32::try_from(at + 1).unwrap_or(u32::MAX),
                    destination,
                    reason: attempt.because.as_str().to_owned(),
                    words: attempt.because.to_string(),
                });
            }
        }
        for rejected in &route.rejected {
            lines.push(RouteLine {
                attempt: 0,
                destination: rejected.what.clone(),
                reason: rejected.why.as_str().to_owned(),
                words: rejected.why.to_string(),
            });
        }
        Ok(lines)
    }

    pub(super) fn hang_up(&mut self, call: CallId) -> Result<(), Refusal> {
        self.entry(call)?.call.hang_up(Cause::normal());
        self.pump(call);
        Ok(())
    }

    pub(super) fn answer_call(&mut self, call: CallId) -> Result<(), Refusal> {
        let done = self.entry(call)?.call.answer();
        if self.answer_wanted(call) {
            return Ok(());
        }
        done.map_err(refusal)
    }

    pub(super) fn hold(&mut self, call: CallId, hold: bool, reply: Reply<()>) {
        let now = self.now.instant;
        let begun = self.entry(call).and_then(|entry| {
            // What is so already is done already.
            let changes = entry.call.is_held_by_user() != hold;
            let done = if hold { entry.call.hold(now) } else { entry.call.resume(now) };
            done.map_err(refusal)?;
            Ok(changes)
        });
        match begun {
            Ok(true) => {
                if let Ok(entry) = self.entry(call) {
                    entry.holding = Some((hold, reply));
                }
            }
            Ok(false) => {
                let _ = reply.send(Ok(()));
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
        self.pump(call);
    }

    /// Connects the caller's side of a call to somebody else.
    ///
    /// # Errors
    /// It cannot be done, or a number has to be looked up first.
    pub(super) fn transfer(
        &mut self,
        call: CallId,
        contact: &str,
        published: &Published,
    ) -> Result<(), Halt> {
        let parsed = parse(contact)?;
        self.entry(call)?;
        let route = self.find_route(None, published, |house| {
            routing::route(&parsed, &Caller::default(), house)
        })?;
        let target = Party { display: String::new(), address: parsed.user().to_owned() };
        let now = self.now.instant;
        let Some(entry) = self.calls.get_mut(&call) else { return Err(no_call(call).into()) };
        let done = entry.call.transfer(now, &mut self.leg_ids, Side::Caller, target, route);
        self.pump(call);
        Ok(done.map_err(refusal)?)
    }

    pub(super) fn send_dtmf(&mut self, call: CallId, tones: &str, reply: Reply<()>) {
        let begun = tones
            .parse::<Tones>()
            .map_err(|error| Refusal::BadValue(error.to_string()))
            .and_then(|tones| {
                let entry = self.entry(call)?;
                entry.call.send_tones(Towards::Side(Side::Callee), &tones).map_err(refusal)
            });
        match begun {
            Ok(()) => {
                if let Ok(entry) = self.entry(call) {
                    entry.toning = Some(reply);
                }
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
        self.pump(call);
    }

    pub(super) fn owner_left(&mut self, owner: &str) {
        self.lookups.owner_left(owner, &mut self.errands);
        let mut ids: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, entry)| entry.owner.as_deref() == Some(owner))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(entry) = self.calls.get_mut(&id) {
                entry.call.hang_up(Cause::owner_left_bus());
            }
            self.pump(id);
        }
    }

    pub(super) fn history(&self, limit: u32, reply: Reply<Vec<CallRecord>>) {
        let answer = self.store.calls(limit);
        tokio::spawn(async move {
            let calls = match answer.await {
                Ok(Ok(records)) => Ok(records),
                Ok(Err(error)) => Err(Refusal::NotStored(error.to_string())),
                Err(_) => Err(Refusal::NotStored("the store has stopped".into())),
            };
            let _ = reply.send(calls);
        });
    }

    fn entry(&mut self, call: CallId) -> Result<&mut CallEntry, Refusal> {
        self.calls.get_mut(&call).map(Box::as_mut).ok_or_else(|| no_call(call))
    }
}

/// How long each side may ring, if the program says so.
fn ring_of(options: &DialOptions) -> Option<Duration> {
    let seconds = options.ring_seconds?.clamp(1, super::directory::MAX_RING);
    Some(Duration::from_secs(seconds.into()))
}

pub(super) fn no_call(call: CallId) -> Refusal {
    Refusal::NotFound { kind: "call", name: call.0.to_string() }
}

/// A person's addresses, the one to be preferred first.
pub(super) fn all_of(first: &Contact, also: &[String]) -> Result<Vec<Contact>, Refusal> {
    if also.len() > MAX_ADDRESSES {
        return Err(Refusal::BadValue(format!(
            "also names {} addresses, more than the {MAX_ADDRESSES} one person may have",
            also.len()
        )));
    }
    let also = also.iter().map(|contact| parse(contact));
    std::iter::once(Ok(first.clone())).chain(also).collect()
}

pub(super) fn parse(contact: &str) -> Result<Contact, Refusal> {
    contact.parse().map_err(|error: sipwitch_core::contact::ParseContactError| {
        Refusal::BadContact(error.to_string())
    })
}

pub(super) fn refusal(error: CommandError) -> Refusal {
    match error {
        CommandError::Unreachable(_) => Refusal::NoRoute(error.to_string()),
        CommandError::Busy
        | CommandError::DoesNotApply(_)
        | CommandError::Ended
        | CommandError::NotConnected => Refusal::NotInThisState(error.to_string()),
    }
}
