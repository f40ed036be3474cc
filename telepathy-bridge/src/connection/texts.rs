// SPDX-License-Identifier: GPL-3.0-or-later
//! The conversations in writing.

use std::time::Instant;

use sipwitch_dbus_interfaces::wire::{ExtensionKind, MessageResult, MessageState, PastText};
use zbus::Message;

use super::Connection;
use crate::{
    bridge::path,
    call::Who,
    definition::text::TEXT,
    error::{Error, Name},
    identifier::ANONYMOUS,
    outbox::Outbox,
    reply::Reply,
    service::{Answer, COMPOSING, Refused},
    text::{Fate, Sent, Text, composing},
};

/// What the service brings.
pub(super) struct Incoming<'a> {
    pub(super) message: u64,
    pub(super) sender: &'a str,
    pub(super) kind: &'a str,
    pub(super) content: &'a [u8],
}

/// More conversations than anybody has open.
const MAX_TEXTS: usize = 256;

impl Connection {
    /// A conversation by its number.
    pub(crate) fn text(&self, number: u32) -> Option<&Text> {
        self.texts.get(&number)
    }

    /// A method of a conversation.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn text_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Result<Reply, Error> {
        let phone = self.phone.as_ref().map(|(phone, _)| phone.as_str()).unwrap_or_default();
        let text = self.texts.get_mut(&number);
        let text = text.ok_or_else(|| Name::NotAvailable.because("it is closed"))?;
        let (reply, fate) = text.method(name, call, (outbox, phone), (self.wall, now))?;
        if fate != Fate::Stays
            && let Some(text) = self.texts.remove(&number)
        {
            text.tell_closed(outbox);
            // What nobody has read comes again in another channel.
            if fate == Fate::Closed && text.has_unread() {
                self.next_call += 1;
                let text = text.respawned(self.id.channel(self.next_call));
                self.announce_text(&text, outbox);
                self.texts.insert(text.number(), text);
            }
        }
        Ok(reply)
    }

    fn announce_text(&self, text: &Text, outbox: &mut Outbox) {
        let told = (&*text.path(), text.immutable());
        self.announce(told, (&TEXT, text.target().handle), text.is_requested(), outbox);
    }

    fn new_text(&mut self, handle: u32, is_requested: bool) -> Result<Text, Error> {
        if self.texts.len() >= MAX_TEXTS {
            let words = format!("there are {MAX_TEXTS} conversations already: close some");
            return Err(Name::NotAvailable.because(words));
        }
        let id = self.handles.inspect(handle)?.to_owned();
        self.next_call += 1;
        let number = self.id.channel(self.next_call);
        let reads_composing =
            self.roster.person(handle).is_some_and(|person| person.kind == ExtensionKind::Person);
        Ok(Text::new(number, self.own(), Who { handle, id }, is_requested, reads_composing))
    }

    /// A client wants to write.
    pub(super) fn text_requested(
        &mut self,
        handle: u32,
        is_ensured: bool,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        if let Some(text) = self.texts.values().find(|text| text.target().handle == handle) {
            // Two channels would share what comes.
            return if is_ensured {
                Ok(Reply::of((false, path(&text.path()), text.immutable())))
            } else {
                Err(Name::NotAvailable.because("there is one with this contact: ensure it"))
            };
        }
        let text = self.new_text(handle, true)?;
        self.announce_text(&text, outbox);
        let (own, properties) = (path(&text.path()), text.immutable());
        self.open(text, outbox);
        Ok(if is_ensured {
            Reply::of((true, own, properties))
        } else {
            Reply::of((own, properties))
        })
    }

    /// A text has come. It is taken when it stands in a channel; what is none is left to others.
    pub(super) fn text_received(&mut self, text: &Incoming<'_>, outbox: &mut Outbox, now: Instant) {
        let id = self.normal(text.sender).unwrap_or_else(|_| ANONYMOUS.into());
        let Ok(handle) = self.handles.of(&id) else { return };
        let kind = text.kind.split(';').next().unwrap_or_default().trim();
        let is_taken = if kind.eq_ignore_ascii_case("text/plain") {
            let words = String::from_utf8_lossy(text.content);
            self.put_text(handle, Some(text.message), &words, None, outbox)
        } else if kind.eq_ignore_ascii_case(COMPOSING)
            && let Some(told) = composing::read(text.content)
        {
            let there = self.texts.values_mut().find(|text| text.target().handle == handle);
            if let Some(text) = there {
                text.far_end_composes(told, outbox, now);
            }
            true
        } else {
            false
        };
        if is_taken && let Some((phone, _)) = &self.phone {
            outbox.accept_message(phone, text.message);
        }
    }

    /// Puts a text into the channel with its sender, which is made where there is none. Without room
    /// it stays with the service.
    pub(super) fn put_text(
        &mut self,
        handle: u32,
        message: Option<u64>,
        words: &str,
        past: Option<&PastText>,
        outbox: &mut Outbox,
    ) -> bool {
        let wall = self.wall;
        let there = self.texts.values_mut().find(|text| text.target().handle == handle);
        if let Some(text) = there {
            text.received(words, (message, past), Some(outbox), wall);
            return true;
        }
        let Ok(mut text) = self.new_text(handle, false) else { return false };
        text.received(words, (message, past), None, wall);
        self.announce_text(&text, outbox);
        self.open(text, outbox);
        true
    }

    /// Takes a new channel, and looks for what was written before.
    fn open(&mut self, text: Text, outbox: &mut Outbox) {
        if let Some((phone, _)) = &self.phone {
            outbox.ask_past(phone, &text.target().id, text.number());
        }
        self.texts.insert(text.number(), text);
    }

    /// Whether the far end wanted to know that the user writes.
    pub(super) fn composing_answered(&mut self, channel: u32, answer: Answer<MessageResult>) {
        if answer.is_err()
            && let Some(text) = self.texts.get_mut(&channel)
        {
            text.composing_refused();
        }
    }

    /// The service says what became of a text.
    pub(super) fn text_sent(
        &mut self,
        sent: &Sent,
        answer: Answer<MessageResult>,
        outbox: &mut Outbox,
    ) {
        if let Ok(MessageResult { state: MessageState::Stored, message: Some(message) }) = answer {
            self.text_stored(message, sent);
        }
        let result = answer.map(|result| result.state == MessageState::Delivered);
        self.report(sent, result, outbox);
    }

    /// Tells what became of a text. That it failed is told in a channel with the same contact where
    /// its own was closed meanwhile.
    pub(super) fn report(
        &mut self,
        sent: &Sent,
        result: Result<bool, Refused>,
        outbox: &mut Outbox,
    ) {
        let wall = self.wall;
        let handle = sent.contact;
        let own = self.texts.contains_key(&sent.channel).then_some(sent.channel);
        let number = own.or_else(|| {
            let of_contact = |text: &&Text| text.target().handle == handle;
            self.texts.values().find(of_contact).map(Text::number)
        });
        if let Some(text) = number.and_then(|number| self.texts.get_mut(&number)) {
            return text.reported(sent, result, Some(outbox), wall);
        }
        if result.is_err()
            && let Ok(mut text) = self.new_text(handle, false)
        {
            text.reported(sent, result, None, wall);
            self.announce_text(&text, outbox);
            self.open(text, outbox);
        }
    }
}
