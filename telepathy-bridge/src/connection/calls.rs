// SPDX-License-Identifier: GPL-3.0-or-later
//! The calls of the connection: which there are, and who is told what of them.

use std::time::Instant;

use sipwitch_dbus_interfaces::wire::{IncomingCallInfo, MediaAddress, OfferInfo, TextInfo};
use zbus::{
    Message,
    zvariant::{ObjectPath, OwnedObjectPath},
};

use super::{Connection, Outcome, texts::Incoming};
use crate::{
    bridge::path,
    call::{Around, Call, End, Reason, Who, transfer_begun},
    definition::{
        Interface,
        call::{CALL, TRANSFER},
        connection::{CONNECTION, REQUESTS},
        text::TEXT,
    },
    error::{Error, Name},
    identifier::ANONYMOUS,
    object::Part,
    outbox::Outbox,
    password::Password,
    reply::{Map, Reply, arguments},
    service::{Answer, Awaited, read},
    text::Text,
};

/// As many as the service has legs for one program.
const MAX_CALLS: usize = 64;

impl Connection {
    /// A new number for a call.
    pub(super) fn next_call(&mut self) -> Result<u32, Error> {
        if self.calls.len() >= MAX_CALLS {
            return Err(Name::NotAvailable.because(format!("there are {MAX_CALLS} calls already")));
        }
        self.next_call += 1;
        Ok(self.id.channel(self.next_call))
    }

    pub(super) fn own(&self) -> Who {
        Who { handle: self.self_handle, id: self.self_id().to_owned() }
    }

    /// The paths of all objects below the connection.
    pub(crate) fn paths(&self) -> Vec<String> {
        let texts = self.texts.values().map(Text::path);
        let password = self.password().map(Password::path);
        self.calls.values().flat_map(Call::paths).chain(texts).chain(password).collect()
    }

    /// A call by its number.
    pub(crate) fn call(&self, number: u32) -> Option<&Call> {
        self.calls.get(&number)
    }

    pub(super) fn has_calls(&self) -> bool {
        self.calls.values().any(|call| !call.is_ended())
    }

    /// `a(oa{sv})`.
    pub(super) fn channels(&self) -> Vec<(ObjectPath<'static>, Map)> {
        let calls = self.calls.values().map(|call| (path(&call.path()), call.immutable()));
        let texts = self.texts.values().map(|text| (path(&text.path()), text.immutable()));
        let password = self.password().map(|asked| (path(&asked.path()), asked.immutable()));
        calls.chain(texts).chain(password).collect()
    }

    /// `a(osuu)`.
    pub(super) fn old_channels(&self) -> Vec<(ObjectPath<'static>, String, u32, u32)> {
        let told =
            |call: &Call| (path(&call.path()), CALL.name.to_owned(), 1, call.target().handle);
        let texts = self
            .texts
            .values()
            .map(|text| (path(&text.path()), TEXT.name.to_owned(), 1, text.target().handle));
        self.calls.values().map(told).chain(texts).collect()
    }

    /// Does something with a call; forgets it if that closed it.
    fn with<T>(
        &mut self,
        number: u32,
        outbox: &mut Outbox,
        now: Instant,
        act: impl FnOnce(&mut Call, &mut Around<'_>) -> T,
    ) -> Option<T> {
        let display = self.aliases.get(&self.self_handle).cloned();
        let hides = self.hides;
        let phone = self.phone.as_ref().map(|(phone, _)| phone.as_str()).unwrap_or_default();
        let call = self.calls.get_mut(&number)?;
        let result = act(call, &mut Around { outbox, phone, display, hides, now });
        if call.is_closed() {
            self.calls.remove(&number);
        }
        Some(result)
    }

    /// A method of one of the objects of a call.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn call_method(
        &mut self,
        (number, part): (u32, Part),
        (interface, name): (&Interface, &str),
        message: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Result<Reply, Error> {
        if interface.name == TRANSFER.name {
            return self.transfer(number, message, outbox, now);
        }
        let result = self.with(number, outbox, now, |call, around| {
            call.method(part, interface, name, message, around)
        });
        result.unwrap_or_else(|| Err(Name::NotAvailable.because("the call is over")))
    }

    /// Connects the far end of a call with somebody else: with whom another call talks, if one does.
    fn transfer(
        &mut self,
        number: u32,
        message: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Result<Reply, Error> {
        let (member, destination): (u32, u32) = arguments(message)?;
        let id = self.handles.inspect(destination)?.to_owned();
        let mut others = self.calls.values().filter(|call| call.number() != number);
        let other = others.find_map(|call| call.leg_with(destination));
        let result = self.with(number, outbox, now, |call, around| {
            call.transfer(member, (&id, other), message, around)
        });
        result.unwrap_or_else(|| Err(Name::NotAvailable.because("the call is over")))
    }

    /// Tells of a new call: behind the reply where a client asked for it, before which clients could
    /// not tell whose it is.
    pub(super) fn announce(
        &self,
        (own, properties): (&str, Map),
        (kind, handle): (&Interface, u32),
        is_requested: bool,
        outbox: &mut Outbox,
    ) {
        let connection = self.id.path();
        let channels = (vec![(path(own), properties)],);
        let old = (path(own), kind.name.to_owned(), 1u32, handle, is_requested);
        if is_requested {
            outbox.signal_behind(&connection, &REQUESTS, "NewChannels", channels);
            outbox.signal_behind(&connection, &CONNECTION, "NewChannel", old);
        } else {
            outbox.signal(&connection, &REQUESTS, "NewChannels", channels);
            outbox.signal(&connection, &CONNECTION, "NewChannel", old);
        }
    }

    pub(super) fn announce_call(&self, call: &Call, outbox: &mut Outbox) {
        let told = (&*call.path(), call.immutable());
        self.announce(told, (&CALL, call.target().handle), call.is_requested(), outbox);
    }

    /// Ends and closes every call.
    pub(super) fn close_calls(
        &mut self,
        reason: Option<&Reason>,
        outbox: &mut Outbox,
        now: Instant,
    ) {
        let numbers: Vec<u32> = self.calls.keys().copied().collect();
        for number in numbers {
            self.with(number, outbox, now, |call, around| {
                if let Some(reason) = reason {
                    call.end(reason.clone(), around);
                }
                call.close(around);
            });
        }
        for (_, text) in std::mem::take(&mut self.texts) {
            text.tell_closed(outbox);
        }
    }

    /// When [`Self::handle_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let of_calls = self.calls.values().filter_map(Call::next_deadline);
        let of_texts = self.texts.values().filter_map(Text::next_deadline);
        of_calls.chain(of_texts).chain(self.gives_up_at).min()
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(&mut self, now: Instant, outbox: &mut Outbox) -> Outcome {
        let due = |call: &&Call| call.next_deadline().is_some_and(|at| at <= now);
        let numbers: Vec<u32> = self.calls.values().filter(due).map(Call::number).collect();
        for number in numbers {
            self.with(number, outbox, now, |call, around| call.handle_deadline(around));
        }
        for text in self.texts.values_mut() {
            text.composing_due(now, outbox);
        }
        self.overdue(now, outbox)
    }

    /// A program has left the bus: calls of which it had the sound end.
    pub(crate) fn program_gone(&mut self, name: &str, outbox: &mut Outbox, now: Instant) {
        let numbers: Vec<u32> = self.calls.keys().copied().collect();
        for number in numbers {
            self.with(number, outbox, now, |call, around| call.handler_gone(name, around));
        }
    }

    /// The service has answered what a call asked of it.
    pub(crate) fn call_answered(
        &mut self,
        awaited: &Awaited,
        message: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) {
        match awaited {
            &Awaited::Dialled(number) => {
                let answer: Answer<(u64, OwnedObjectPath)> = read(message);
                let leg = answer.map(|(leg, _)| leg);
                self.with(number, outbox, now, |call, around| call.dialled(leg, around));
            }
            &Awaited::AnswerTaken(number) => {
                let answer = read(message);
                self.with(number, outbox, now, |call, around| call.answer_taken(answer, around));
            }
            &Awaited::OfferNamed(number) => {
                let answer = read(message);
                self.with(number, outbox, now, |call, around| call.offer_named(answer, around));
            }
            Awaited::Transferred(request) => {
                outbox.answer(&request.header(), transfer_begun(read(message)));
            }
            Awaited::Texted(sent) => self.text_sent(sent, read(message), outbox),
            &Awaited::Past(channel) => self.past_known(channel, read(message), outbox),
            &Awaited::Composing(channel) => self.composing_answered(channel, read(message)),
            _ => {}
        }
    }

    /// The service says something of our phone.
    pub(crate) fn told(
        &mut self,
        member: &str,
        message: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) {
        if let Err(error) = self.take(member, message, outbox, now) {
            tracing::warn!("{member} of the service cannot be read: {error}");
        }
    }

    fn take(
        &mut self,
        member: &str,
        message: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) -> zbus::Result<()> {
        let body = message.body();
        match member {
            "IncomingCall" => {
                let (leg, _, offer, who): (u64, OwnedObjectPath, Vec<u8>, IncomingCallInfo) =
                    body.deserialize()?;
                self.called(leg, &offer, who, outbox);
            }
            "MediaAnchored" => {
                let (leg, addresses): (u64, Vec<MediaAddress>) = body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| call.anchored(&addresses, around));
            }
            "Progress" => {
                let (leg, _, code, words, description): (u64, u32, u32, String, Vec<u8>) =
                    body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.progress(code, &words, &description, around);
                });
            }
            "Answered" => {
                let (leg, _, description): (u64, u32, Vec<u8>) = body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.answered(&description, around);
                });
            }
            "Confirmed" => {
                let (leg, description): (u64, Vec<u8>) = body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.confirmed(&description, around);
                });
            }
            "DescriptionOffered" => {
                let (leg, exchange, description, info): (u64, u32, Vec<u8>, OfferInfo) =
                    body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.offered(exchange, &description, info.held, around);
                });
            }
            "OfferAnswered" => {
                let (leg, exchange, code, _, description): (u64, u32, u32, String, Vec<u8>) =
                    body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.offer_answered(exchange, code, &description, around);
                });
            }
            "Ended" => {
                let (leg, word, _, q850, words): (u64, String, u32, u32, String) =
                    body.deserialize()?;
                self.with_leg(leg, outbox, now, |call, around| {
                    call.leg_ended(&End { word: &word, q850, words: &words }, around);
                });
            }
            "MessageReceived" => {
                let (message, sender, kind, content, _): (u64, String, String, Vec<u8>, TextInfo) =
                    body.deserialize()?;
                let text = Incoming { message, sender: &sender, kind: &kind, content: &content };
                self.text_received(&text, outbox, now);
            }
            "MessageReported" => {
                let (message, _, state): (u64, String, String) = body.deserialize()?;
                self.text_reported(message, &state, outbox);
            }
            "PartyChanged" => {
                let (leg, _, address, name): (u64, OwnedObjectPath, String, String) =
                    body.deserialize()?;
                if let Some(party) = self.party(&address, name, outbox) {
                    self.with_leg(leg, outbox, now, |call, around| {
                        call.party_changed(party, around.outbox);
                    });
                }
            }
            // Telepathy has no place for the others: tones heard by INFO, answering for
            // somebody, how far a transfer is.
            _ => {}
        }
        Ok(())
    }

    fn with_leg(
        &mut self,
        leg: u64,
        outbox: &mut Outbox,
        now: Instant,
        act: impl FnOnce(&mut Call, &mut Around<'_>),
    ) {
        let number = self.calls.values().find(|call| call.has_leg(leg)).map(Call::number);
        if let Some(number) = number {
            self.with(number, outbox, now, act);
        }
    }

    /// Who has this address, by this name; none if there are no handles left.
    fn party(&mut self, address: &str, name: String, outbox: &mut Outbox) -> Option<Who> {
        // A handle is wanted even for who does not say who it is.
        let id = self.normal(address).unwrap_or_else(|_| ANONYMOUS.into());
        let handle = self.handles.of(&id).ok()?;
        // The service knows the people of the house better than their phones do.
        let is_known = self.roster.person(handle).is_some_and(|person| !person.name.is_empty());
        if !name.is_empty() && handle != self.self_handle && !is_known {
            self.rename(handle, name, outbox);
        }
        Some(Who { handle, id })
    }

    /// Somebody calls.
    fn called(&mut self, leg: u64, offer: &[u8], who: IncomingCallInfo, outbox: &mut Outbox) {
        let phone = self.phone.as_ref().map(|(phone, _)| phone.clone()).unwrap_or_default();
        let party = self.party(&who.caller, who.caller_name, outbox);
        let Some((party, number)) = party.zip(self.next_call().ok()) else {
            outbox.reject(&phone, leg, 480);
            return;
        };
        match Call::incoming(number, self.own(), party, leg, offer) {
            Some(call) => {
                self.announce_call(&call, outbox);
                self.calls.insert(number, call);
            }
            None => outbox.reject(&phone, leg, 488),
        }
    }
}
