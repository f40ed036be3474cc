// SPDX-License-Identifier: GPL-3.0-or-later
//! A conversation in writing: a channel with texts that wait to be read.

pub(crate) mod composing;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use sipwitch_dbus_interfaces::wire::PastText;
use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use crate::{
    bridge::path,
    call::Who,
    definition::{
        Access, Interface,
        call::CHANNEL,
        connection::REQUESTS,
        text::{CHAT_STATE, DESTROYABLE, MESSAGES, TEXT},
    },
    error::{Error, Name},
    object::{ConnectionId, TEXT_INTERFACES, text_path},
    outbox::Outbox,
    protocol::names,
    reply::{Map, Reply, arguments},
    service::Refused,
};

/// The longest text that is sent, in bytes: that of the service.
const MAX_TEXT: usize = 1300;
/// The most texts that wait in one channel; then the oldest is gone.
const MAX_PENDING: usize = 500;

/// Channel_Text_Message_Type.
const NORMAL: u32 = 0;
const REPORT: u32 = 4;
/// Channel_Text_Message_Flags.
const NON_TEXT: u32 = 2;
const SCROLLBACK: u32 = 4;
const RESCUED: u32 = 8;
/// Delivery_Reporting_Support_Flags: failures and successes.
const REPORTS: u32 = 1 | 2;
/// Message_Sending_Flags.
const WANTS_REPORT: u32 = 1;
/// Delivery_Status.
const DELIVERED: u32 = 1;
const FAILED_FOR_NOW: u32 = 2;
const FAILED: u32 = 3;
const ACCEPTED: u32 = 4;
/// Channel_Text_Send_Error.
const UNKNOWN: u32 = 0;
const OFFLINE: u32 = 1;
const INVALID_CONTACT: u32 = 2;
const PERMISSION_DENIED: u32 = 3;

/// `(uuuuus)`: number, time, sender, type, flags, text.
type Old = (u32, u32, u32, u32, u32, String);

/// A channel for texts.
#[derive(Debug)]
pub(crate) struct Text {
    number: u32,
    own: Who,
    target: Who,
    is_requested: bool,
    pending: BTreeMap<u32, Pending>,
    next: u32,
    sent: u32,
    composing: composing::Composing,
}

/// What waits to be read.
#[derive(Debug)]
struct Pending {
    parts: Vec<Map>,
    /// As the service knows it; none for reports, and for what was read elsewhere.
    message: Option<u64>,
}

/// What becomes of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays.
    Stays,
    /// It was closed; unread texts want another.
    Closed,
    /// It was destroyed, and its texts with it.
    Destroyed,
}

/// A text on its way.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The number of its channel.
    pub(crate) channel: u32,
    /// The handle of whom it is for.
    pub(crate) contact: u32,
    token: String,
    text: String,
    wants_report: bool,
}

impl Text {
    /// An empty channel; `reads_composing` says whether the far end may be told that the user writes.
    pub(crate) fn new(
        number: u32,
        own: Who,
        target: Who,
        is_requested: bool,
        reads_composing: bool,
    ) -> Self {
        let composing = composing::Composing::new(reads_composing);
        let pending = BTreeMap::new();
        Self { number, own, target, is_requested, pending, next: 1, sent: 0, composing }
    }

    /// The same under another number, with what is unread, after it was closed.
    pub(crate) fn respawned(mut self, number: u32) -> Self {
        self.number = number;
        self.is_requested = false;
        self.pending.retain(|_, pending| !pending.is_scrollback());
        for pending in self.pending.values_mut() {
            if let Some(head) = pending.parts.first_mut() {
                head.insert("rescued".into(), true.into());
            }
        }
        self
    }

    /// Its number.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Whom it is with.
    pub(crate) const fn target(&self) -> &Who {
        &self.target
    }

    /// Whether a client asked for it.
    pub(crate) const fn is_requested(&self) -> bool {
        self.is_requested
    }

    /// Whether something waits to be read.
    pub(crate) fn has_unread(&self) -> bool {
        self.pending.values().any(|pending| !pending.is_scrollback())
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        text_path(self.number)
    }

    /// What never changes, as `NewChannels` tells it.
    pub(crate) fn immutable(&self) -> Map {
        let mut all = Map::new();
        for interface in [&CHANNEL, &MESSAGES] {
            for property in interface.properties {
                if property.access == Access::Immutable
                    && let Some(value) = self.property(property.name)
                {
                    all.insert(interface.member(property.name), value);
                }
            }
        }
        all
    }

    /// A property; no two interfaces have one of the same name.
    pub(crate) fn property(&self, name: &str) -> Option<Value<'static>> {
        let initiator = if self.is_requested { &self.own } else { &self.target };
        Some(match name {
            "ChannelType" => TEXT.name.into(),
            "Interfaces" => self.interface_names().into(),
            "TargetHandle" => self.target.handle.into(),
            "TargetID" => self.target.id.clone().into(),
            "TargetHandleType" => 1u32.into(),
            "Requested" => self.is_requested.into(),
            "InitiatorHandle" => initiator.handle.into(),
            "InitiatorID" => initiator.id.clone().into(),
            "SupportedContentTypes" => vec!["text/plain".to_owned()].into(),
            "MessageTypes" => vec![NORMAL].into(),
            "MessagePartSupportFlags" => 0u32.into(),
            "PendingMessages" => {
                let parts = self.pending.values().map(|pending| pending.parts.clone());
                parts.collect::<Vec<Vec<Map>>>().into()
            }
            "ChatStates" => self.chat_states().into(),
            "DeliveryReportingSupport" => REPORTS.into(),
            _ => return None,
        })
    }

    /// A method.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn method(
        &mut self,
        name: &str,
        call: &Message,
        (outbox, phone): (&mut Outbox, &str),
        (wall, now): (f64, Instant),
    ) -> Result<(Reply, Fate), Error> {
        let reply = match name {
            "GetChannelType" => Reply::of((TEXT.name,)),
            "GetHandle" => Reply::of((1u32, self.target.handle)),
            "GetInterfaces" => Reply::of((self.interface_names(),)),
            "Close" => return Ok((Reply::Nothing, Fate::Closed)),
            "Destroy" => {
                // Whoever destroys it wants to see its texts no more.
                self.tell_read(
                    self.pending.keys().copied().collect::<Vec<_>>().as_slice(),
                    outbox,
                    phone,
                );
                return Ok((Reply::Nothing, Fate::Destroyed));
            }
            "SetChatState" => {
                self.set_chat_state(arguments(call)?, (outbox, phone), now)?;
                Reply::Nothing
            }
            "GetMessageTypes" => Reply::of((vec![NORMAL],)),
            "ListPendingMessages" => {
                let clear: bool = arguments(call)?;
                let all: Vec<Old> =
                    self.pending.iter().map(|(id, one)| old(*id, &one.parts)).collect();
                if clear {
                    let ids = self.pending.keys().copied().collect();
                    self.acknowledge(ids, outbox, phone)?;
                }
                Reply::of((all,))
            }
            "AcknowledgePendingMessages" => {
                self.acknowledge(arguments(call)?, outbox, phone)?;
                Reply::Nothing
            }
            "GetPendingMessageContent" => {
                let (id, wanted): (u32, Vec<u32>) = arguments(call)?;
                let parts = &self.pending.get(&id).ok_or_else(|| unknown(id))?.parts;
                let content = wanted.into_iter().filter_map(|number| {
                    let part = parts.get(usize::try_from(number).ok()?)?;
                    Some((number, part.get("content")?.clone()))
                });
                Reply::of((content.collect::<HashMap<u32, Value<'static>>>(),))
            }
            "Send" => {
                let (kind, text): (u32, String) = arguments(call)?;
                if kind != NORMAL {
                    return Err(Name::NotImplemented.because("only ordinary texts are sent"));
                }
                self.send(text, 0, (outbox, phone), wall)?;
                Reply::Nothing
            }
            "SendMessage" => {
                let (parts, flags): (Vec<HashMap<String, OwnedValue>>, u32) = arguments(call)?;
                Reply::of((self.send(text_of(&parts)?, flags, (outbox, phone), wall)?,))
            }
            _ => return Err(Name::NotImplemented.because(format!("{name} is not served"))),
        };
        Ok((reply, Fate::Stays))
    }

    /// Tells the service that texts were read.
    fn tell_read(&self, ids: &[u32], outbox: &mut Outbox, phone: &str) {
        let messages: Vec<u64> =
            ids.iter().filter_map(|id| self.pending.get(id)?.message).collect();
        if !messages.is_empty() {
            outbox.mark_read(phone, &messages);
        }
    }

    fn acknowledge(
        &mut self,
        ids: Vec<u32>,
        outbox: &mut Outbox,
        phone: &str,
    ) -> Result<(), Error> {
        // All or none, and each once.
        let ids: Vec<u32> = BTreeSet::from_iter(ids).into_iter().collect();
        if let Some(id) = ids.iter().find(|id| !self.pending.contains_key(id)) {
            return Err(unknown(*id));
        }
        self.tell_read(&ids, outbox, phone);
        for id in &ids {
            self.pending.remove(id);
        }
        outbox.signal(&self.path(), &MESSAGES, "PendingMessagesRemoved", (ids,));
        Ok(())
    }

    /// Sends a text; its token, by which the report of its delivery names it.
    fn send(
        &mut self,
        text: String,
        flags: u32,
        (outbox, phone): (&mut Outbox, &str),
        wall: f64,
    ) -> Result<String, Error> {
        if text.is_empty() || text.len() > MAX_TEXT {
            let words = format!("a text has from 1 to {MAX_TEXT} bytes, not {}", text.len());
            return Err(Name::InvalidArgument.because(words));
        }
        self.has_written(outbox);
        self.sent += 1;
        let token = format!("{}-{}", self.number, self.sent);
        let mut head = Map::new();
        head.insert("message-token".into(), token.clone().into());
        head.insert("message-type".into(), NORMAL.into());
        head.insert("message-sender".into(), self.own.handle.into());
        head.insert("message-sender-id".into(), self.own.id.clone().into());
        head.insert("message-sent".into(), seconds(wall).into());
        let wants_report = flags & WANTS_REPORT != 0;
        let told = flags & WANTS_REPORT;
        let values = (vec![head, plain(&text)], told, token.clone());
        outbox.signal(&self.path(), &MESSAGES, "MessageSent", values);
        let values = (old_seconds(wall), NORMAL, text.clone());
        outbox.signal(&self.path(), &TEXT, "Sent", values);
        let (channel, own) = (self.number, token.clone());
        let contact = self.target.handle;
        let sent = Sent { channel, contact, token: own, text: text.clone(), wants_report };
        outbox.send_text(phone, &self.target.id, &text, sent);
        Ok(token)
    }

    /// A text has come, now or in the past.
    pub(crate) fn received(
        &mut self,
        text: &str,
        (message, past): (Option<u64>, Option<&PastText>),
        mut outbox: Option<&mut Outbox>,
        wall: f64,
    ) {
        if let Some(outbox) = &mut outbox {
            self.far_end_rests(outbox);
        }
        let mut head = self.head(NORMAL, wall);
        let at = past.map_or_else(|| seconds(wall), seconds_of);
        head.insert("message-sent".into(), at.into());
        if let Some(message) = message {
            head.insert("message-token".into(), message.to_string().into());
        }
        self.add(vec![head, plain(text)], message, outbox);
    }

    /// A text of the past, that passed at another phone of the extension.
    pub(crate) fn scrolled(&mut self, past: &PastText, outbox: &mut Outbox, wall: f64) {
        let mut head = self.head(NORMAL, wall);
        if past.sent {
            head.insert("message-sender".into(), self.own.handle.into());
            head.insert("message-sender-id".into(), self.own.id.clone().into());
        }
        head.insert("message-sent".into(), seconds_of(past).into());
        head.insert("message-token".into(), past.message.to_string().into());
        head.insert("scrollback".into(), true.into());
        self.add(vec![head, plain(&past.text)], None, Some(outbox));
    }

    /// What became of a text of ours. Failures are always told, the rest to who asked for it.
    pub(crate) fn reported(
        &mut self,
        sent: &Sent,
        result: Result<bool, Refused>,
        mut outbox: Option<&mut Outbox>,
        wall: f64,
    ) {
        let (status, error) = match &result {
            Ok(_) if !sent.wants_report => return,
            Ok(true) => (DELIVERED, None),
            Ok(false) => (ACCEPTED, None),
            Err(refused) => {
                let (status, error, name) = match refused.of_service() {
                    Some("BadContact" | "NoSuchExtension") => {
                        (FAILED, INVALID_CONTACT, "InvalidHandle")
                    }
                    Some("NoRoute") => (FAILED, OFFLINE, "Offline"),
                    Some("NotAllowed") => (FAILED, PERMISSION_DENIED, "PermissionDenied"),
                    Some("BadValue") => (FAILED, UNKNOWN, "InvalidArgument"),
                    Some(_) => (FAILED_FOR_NOW, UNKNOWN, "ServiceBusy"),
                    None => (FAILED_FOR_NOW, UNKNOWN, "NetworkError"),
                };
                (status, Some((error, name)))
            }
        };
        let mut head = self.head(REPORT, wall);
        head.insert("delivery-status".into(), status.into());
        head.insert("delivery-token".into(), sent.token.clone().into());
        if let Some((error, name)) = error {
            let name = format!("org.freedesktop.Telepathy.Error.{name}");
            head.insert("delivery-error".into(), error.into());
            head.insert("delivery-dbus-error".into(), name.into());
            if let Err(refused) = result {
                head.insert("delivery-error-message".into(), refused.words.into());
            }
            let mut echo = Map::new();
            echo.insert("message-type".into(), NORMAL.into());
            head.insert("delivery-echo".into(), vec![echo, plain(&sent.text)].into());
            // Nobody listens yet to a channel that is not announced.
            if let Some(outbox) = &mut outbox {
                let values = (error, old_seconds(wall), NORMAL, sent.text.clone());
                outbox.signal(&self.path(), &TEXT, "SendError", values);
            }
        }
        self.add(vec![head], None, outbox);
    }

    fn head(&self, kind: u32, wall: f64) -> Map {
        let mut head = Map::new();
        head.insert("message-type".into(), kind.into());
        head.insert("message-sender".into(), self.target.handle.into());
        head.insert("message-sender-id".into(), self.target.id.clone().into());
        head.insert("message-received".into(), seconds(wall).into());
        head
    }

    fn add(&mut self, mut parts: Vec<Map>, message: Option<u64>, mut outbox: Option<&mut Outbox>) {
        let id = self.next;
        self.next += 1;
        if let Some(head) = parts.first_mut() {
            head.insert("pending-message-id".into(), id.into());
        }
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_first();
            if let Some(outbox) = &mut outbox {
                outbox.bare_signal(&self.path(), &TEXT, "LostMessage");
            }
        }
        if let Some(outbox) = outbox {
            outbox.signal(&self.path(), &TEXT, "Received", old(id, &parts));
            outbox.signal(&self.path(), &MESSAGES, "MessageReceived", (parts.clone(),));
        }
        self.pending.insert(id, Pending { parts, message });
    }

    fn interface_names(&self) -> Vec<String> {
        let mut names = names(TEXT_INTERFACES);
        names.retain(|name| self.composing.is_offered() || name != CHAT_STATE.name);
        names
    }

    /// Tells that it is closed.
    pub(crate) fn tell_closed(&self, outbox: &mut Outbox) {
        let own = (path(&self.path()),);
        let connection = ConnectionId::of_channel(self.number).path();
        outbox.signal(&connection, &REQUESTS, "ChannelClosed", own);
        outbox.bare_signal(&self.path(), &CHANNEL, "Closed");
    }
}

impl Pending {
    fn is_scrollback(&self) -> bool {
        self.parts.first().is_some_and(|head| head.contains_key("scrollback"))
    }
}

fn unknown(id: u32) -> Error {
    Name::InvalidArgument.because(format!("no text {id} waits to be read"))
}

fn plain(text: &str) -> Map {
    let mut part = Map::new();
    part.insert("content-type".into(), "text/plain".into());
    part.insert("content".into(), text.to_owned().into());
    part
}

/// The first plain text of a message: alternatives to it are for those who can more.
fn text_of(parts: &[HashMap<String, OwnedValue>]) -> Result<String, Error> {
    let text = |part: &HashMap<String, OwnedValue>, key: &str| {
        part.get(key).and_then(|value| value.downcast_ref::<String>().ok())
    };
    let kind = parts.first().and_then(|head| head.get("message-type"));
    if kind.is_some_and(|kind| kind.downcast_ref::<u32>() != Ok(NORMAL)) {
        return Err(Name::NotImplemented.because("only ordinary texts are sent"));
    }
    let bodies = parts.iter().skip(1);
    let mut plain =
        bodies.filter(|part| text(part, "content-type").as_deref() == Some("text/plain"));
    plain
        .find_map(|part| text(part, "content"))
        .ok_or_else(|| Name::InvalidArgument.because("there is no text/plain in this message"))
}

/// As old clients see a message.
fn old(id: u32, parts: &[Map]) -> Old {
    let head = parts.first();
    let number = |key: &str| {
        let value = head.and_then(|head| head.get(key));
        value.and_then(|value| value.downcast_ref::<u32>().ok()).unwrap_or_default()
    };
    let time = head.and_then(|head| head.get("message-received"));
    let time = time.and_then(|time| time.downcast_ref::<i64>().ok()).unwrap_or_default();
    let content = parts.get(1).and_then(|part| part.get("content"));
    let text = content.and_then(|text| text.downcast_ref::<String>().ok());
    let flag = |key: &str, flag: u32| {
        if head.is_some_and(|head| head.contains_key(key)) { flag } else { 0 }
    };
    let flags = if text.is_none() { NON_TEXT } else { 0 }
        | flag("rescued", RESCUED)
        | flag("scrollback", SCROLLBACK);
    let time = u32::try_from(time).unwrap_or(u32::MAX);
    (id, time, number("message-sender"), number("message-type"), flags, text.unwrap_or_default())
}

#[allow(clippy::cast_possible_truncation, reason = "seconds since 1970 fit for a long time")]
fn seconds(wall: f64) -> i64 {
    wall as i64
}

fn seconds_of(past: &PastText) -> i64 {
    i64::try_from(past.at_microseconds / 1_000_000).unwrap_or(i64::MAX)
}

fn old_seconds(wall: f64) -> u32 {
    u32::try_from(seconds(wall)).unwrap_or(u32::MAX)
}

/// The interfaces of a channel for texts.
pub(crate) fn interfaces() -> Vec<&'static Interface> {
    vec![&CHANNEL, &TEXT, &MESSAGES, &DESTROYABLE, &CHAT_STATE]
}
