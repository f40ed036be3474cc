// SPDX-License-Identifier: GPL-3.0-or-later
//! A call: a channel of Telepathy on one side, a leg of the service on the other.
//!
//! Its handler, a program of the user, brings the sound. What it can do comes as a description and
//! as candidates; when both are whole they are an offer or an answer in SDP for the service, and
//! what the service brings back is shown to the handler as an offer to accept (`content`).

mod content;
mod hold;
mod reason;
mod service;
mod sound;
mod stream;
mod tones;

use std::{collections::HashMap, time::Instant};

use sipwitch_dbus_interfaces::wire::HangUpOptions;
use zbus::{
    Message,
    zvariant::{ObjectPath, Value},
};

pub(crate) use reason::Reason;

use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{
            CALL, CHANNEL, CONTENT, CONTENT_DTMF, CONTENT_MEDIA, ENDPOINT, HOLD, MEDIA_DESCRIPTION,
            STREAM, STREAM_MEDIA,
        },
    },
    error::{Error, Name},
    object::{CALL_INTERFACES, ConnectionId, Part},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};
use content::Content;
use hold::Holding;

/// Call_State.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// The user has yet to say that it is to begin.
    PendingInitiator = 1,
    /// The far end is being found.
    Initialising = 2,
    /// It rings.
    Initialised = 3,
    /// Somebody answered.
    Accepted = 4,
    /// Sound flows.
    Active = 5,
    /// It is over, and waits for its handler to close it.
    Ended = 6,
}

/// Call_Flags.
const LOCALLY_HELD: u32 = 1;
const LOCALLY_RINGING: u32 = 2;
const LOCALLY_QUEUED: u32 = 4;
const FORWARDED: u32 = 8;

/// Call_Member_Flags.
const MEMBER_RINGING: u32 = 1;
const MEMBER_HELD: u32 = 2;

/// Our half of the conversation, as the service knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// The service does not know of it yet.
    None,
    /// The service was asked to dial.
    Dialling,
    /// It was asked to dial, and the user has given up since.
    Unwanted,
    /// It is there.
    There(u64),
    /// It was there.
    Gone,
}

/// Who a contact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// Its handle.
    pub(crate) handle: u32,
    /// Its identifier.
    pub(crate) id: String,
}

/// What a call needs of what is around it.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// What is to be sent.
    pub(crate) outbox: &'a mut Outbox,
    /// Our phone.
    pub(crate) phone: &'a str,
    /// The name that the called side is to see, if the user has chosen one.
    pub(crate) display: Option<String>,
    /// The time.
    pub(crate) now: Instant,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    number: u32,
    own: Who,
    target: Who,
    is_requested: bool,
    audio_name: String,
    state: State,
    flags: u32,
    reason: Reason,
    details: Map,
    member_flags: u32,
    leg: Leg,
    /// Whether both ends know that it was answered.
    is_confirmed: bool,
    content: Option<Content>,
    hold: Holding,
    is_closed: bool,
}

impl Call {
    /// A call that a client asks for.
    pub(crate) fn outgoing(number: u32, own: Who, target: Who, audio_name: String) -> Self {
        Self::new(number, own, target, true, audio_name, State::PendingInitiator)
    }

    fn new(
        number: u32,
        own: Who,
        target: Who,
        is_requested: bool,
        audio_name: String,
        state: State,
    ) -> Self {
        let reason = Reason::none(if is_requested { own.handle } else { target.handle });
        Self {
            number,
            content: Some(Content::new(number, is_requested)),
            own,
            target,
            is_requested,
            audio_name,
            state,
            flags: 0,
            reason,
            details: Map::new(),
            member_flags: 0,
            leg: Leg::None,
            is_confirmed: false,
            hold: Holding::default(),
            is_closed: false,
        }
    }

    /// The number in its path.
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

    /// Whether it is over.
    pub(crate) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether its handler has closed it: it is to be forgotten.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether this is its leg.
    pub(crate) fn has_leg(&self, leg: u64) -> bool {
        self.leg == Leg::There(leg)
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        Part::Channel.path(self.number)
    }

    /// The paths of all its objects.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut parts = vec![Part::Channel];
        if let Some(content) = &self.content {
            parts.extend([Part::Content, Part::Stream]);
            parts.extend(content.has_endpoint().then_some(Part::Endpoint));
            parts.extend(content.offer_number().map(Part::Offer));
        }
        parts.into_iter().map(|part| part.path(self.number)).collect()
    }

    /// What never changes, as `NewChannels` tells it.
    pub(crate) fn immutable(&self) -> Map {
        let mut all = Map::new();
        for interface in [&CHANNEL, &CALL] {
            for property in interface.properties {
                if property.access == crate::definition::Access::Immutable
                    && let Some(value) = self.property(Part::Channel, interface, property.name)
                {
                    all.insert(interface.member(property.name), value);
                }
            }
        }
        all
    }

    /// A property of one of its objects.
    pub(crate) fn property(
        &self,
        part: Part,
        interface: &Interface,
        name: &str,
    ) -> Option<Value<'static>> {
        match part {
            Part::Channel => self.channel_property(interface, name),
            Part::Content => self.content.as_ref()?.property(self, interface, name),
            Part::Stream => self.content.as_ref()?.stream_property(self, interface, name),
            Part::Endpoint => self.content.as_ref()?.endpoint_property(name),
            Part::Offer(_) => self.content.as_ref()?.offer_property(self, name),
        }
    }

    fn channel_property(&self, interface: &Interface, name: &str) -> Option<Value<'static>> {
        let initiator = if self.is_requested { &self.own } else { &self.target };
        Some(match (interface.name, name) {
            (_, "ChannelType") => CALL.name.into(),
            (_, "Interfaces") => crate::protocol::names(CALL_INTERFACES).into(),
            (_, "TargetHandle") => self.target.handle.into(),
            (_, "TargetID") => self.target.id.clone().into(),
            (_, "TargetHandleType") => 1u32.into(),
            (_, "Requested") => self.is_requested.into(),
            (_, "InitiatorHandle") => initiator.handle.into(),
            (_, "InitiatorID") => initiator.id.clone().into(),
            (_, "Contents") => {
                let part = |_: &Content| path(&Part::Content.path(self.number));
                self.content.iter().map(part).collect::<Vec<ObjectPath<'static>>>().into()
            }
            (_, "CallStateDetails") => self.details.clone().into(),
            (_, "CallState") => (self.state as u32).into(),
            (_, "CallFlags") => self.flags.into(),
            (_, "CallStateReason") => self.reason.value().into(),
            // The handler brings the sound; Empathy's crashes where it shall not.
            (_, "HardwareStreaming" | "InitialVideo" | "MutableContents") => false.into(),
            (_, "CallMembers") => self.members().into(),
            (_, "MemberIdentifiers") => self.identifiers().into(),
            (_, "InitialTransport") => stream::RAW_UDP.into(),
            (_, "InitialAudio") => true.into(),
            (_, "InitialAudioName") => self.audio_name.clone().into(),
            (_, "InitialVideoName") => "".into(),
            _ => return None,
        })
    }

    fn members(&self) -> HashMap<u32, u32> {
        HashMap::from([(self.target.handle, self.member_flags)])
    }

    fn identifiers(&self) -> HashMap<u32, String> {
        HashMap::from([(self.target.handle, self.target.id.clone())])
    }

    /// A method of one of its objects.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn method(
        &mut self,
        part: Part,
        interface: &Interface,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let reply = match interface.name {
            i if i == CHANNEL.name => self.channel_method(name, around),
            i if i == CALL.name => self.call_method(name, call, around),
            i if i == HOLD.name => self.hold_method(name, call, around),
            i if i == CONTENT.name || i == CONTENT_MEDIA.name => {
                self.content_method(name, call, around)
            }
            i if i == CONTENT_DTMF.name => self.tones_method(name, call, around),
            i if i == MEDIA_DESCRIPTION.name => self.offer_method(part, name, call, around),
            i if i == STREAM.name || i == STREAM_MEDIA.name => {
                self.stream_method(name, call, around)
            }
            i if i == ENDPOINT.name => self.endpoint_method(name, call, around),
            _ => Err(not_served(name)),
        }?;
        self.advance(around);
        Ok(reply)
    }

    fn channel_method(&mut self, name: &str, around: &mut Around<'_>) -> Result<Reply, Error> {
        match name {
            "GetChannelType" => Ok(Reply::of((CALL.name,))),
            "GetHandle" => Ok(Reply::of((1u32, self.target.handle))),
            "GetInterfaces" => Ok(Reply::of((crate::protocol::names(CALL_INTERFACES),))),
            "Close" => {
                self.close(around);
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    fn call_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "SetRinging" | "SetQueued" => {
                if self.is_requested || self.state != State::Initialised {
                    return Err(not_now("only an incoming call that is not answered rings"));
                }
                let (flag, code) = match name {
                    "SetRinging" => (LOCALLY_RINGING, 180),
                    _ => (LOCALLY_QUEUED, 182),
                };
                let others = self.flags & !(LOCALLY_RINGING | LOCALLY_QUEUED);
                self.flags = others | flag;
                if let Leg::There(leg) = self.leg {
                    around.outbox.show_progress(around.phone, leg, code);
                }
                let reason = Reason::by_user(&self.own, reason::PROGRESS_MADE, "");
                self.change(self.state, reason, around.outbox);
                Ok(Reply::Nothing)
            }
            "Accept" => {
                match (self.is_requested, self.state) {
                    (true, State::PendingInitiator) => {
                        let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
                        self.change(State::Initialising, reason, around.outbox);
                        self.want_receiving(around.outbox);
                    }
                    (false, State::Initialised) => {
                        self.flags &= !(LOCALLY_RINGING | LOCALLY_QUEUED);
                        let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
                        self.change(State::Accepted, reason, around.outbox);
                        self.want_sending(around.outbox);
                        self.want_receiving(around.outbox);
                    }
                    _ => return Err(not_now("it was accepted already, or is over")),
                }
                Ok(Reply::Nothing)
            }
            "Hangup" => {
                let (why, error, words): (u32, String, String) = arguments(call)?;
                if self.is_ended() {
                    return Err(not_now("it is over already"));
                }
                let reason = Reason { actor: self.own.handle, why, error, words };
                self.hang_up(reason, around);
                Ok(Reply::Nothing)
            }
            "AddContent" => Err(not_now("this call has its sound, and no more can be added")),
            _ => Err(not_served(name)),
        }
    }

    /// Its handler has no more use for it.
    pub(crate) fn close(&mut self, around: &mut Around<'_>) {
        if !self.is_ended() {
            let terminated = reason::error("Terminated");
            let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, &terminated);
            self.hang_up(reason, around);
        }
        self.is_closed = true;
        let requests = &crate::definition::connection::REQUESTS;
        let own = (path(&self.path()),);
        let connection = ConnectionId::of_channel(self.number).path();
        around.outbox.signal(&connection, requests, "ChannelClosed", own);
        around.outbox.bare_signal(&self.path(), &CHANNEL, "Closed");
    }

    /// The user ends it. The handler is told at once; the far end learns it meanwhile.
    fn hang_up(&mut self, reason: Reason, around: &mut Around<'_>) {
        match self.leg {
            Leg::None | Leg::Gone | Leg::Unwanted => {}
            Leg::Dialling => self.leg = Leg::Unwanted,
            Leg::There(leg) if !self.is_requested && self.state < State::Accepted => {
                around.outbox.reject(around.phone, leg, reason.sip_code());
                self.leg = Leg::Gone;
            }
            Leg::There(leg) => {
                around.outbox.hang_up(around.phone, leg, &HangUpOptions::default());
                self.leg = Leg::Gone;
            }
        }
        self.end(reason, around.outbox);
    }

    /// It is over, whoever ended it.
    pub(crate) fn end(&mut self, reason: Reason, outbox: &mut Outbox) {
        if self.is_ended() {
            return;
        }
        self.member_flags = 0;
        self.flags = 0;
        if !reason.words.is_empty() {
            self.details.insert("hangup-message".into(), reason.words.clone().into());
        }
        let value = reason.value();
        self.change(State::Ended, reason, outbox);
        if self.content.take().is_some() {
            let content = path(&Part::Content.path(self.number));
            outbox.signal(&self.path(), &CALL, "ContentRemoved", (content, value));
        }
    }

    fn change(&mut self, state: State, reason: Reason, outbox: &mut Outbox) {
        self.state = state;
        self.reason = reason;
        let values = (state as u32, self.flags, self.reason.value(), self.details.clone());
        outbox.signal(&self.path(), &CALL, "CallStateChanged", values);
    }

    /// The far end rings, or holds, or does not any more.
    fn change_member(&mut self, flags: u32, outbox: &mut Outbox) {
        if self.member_flags == flags {
            return;
        }
        self.member_flags = flags;
        let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
        let values = (self.members(), self.identifiers(), Vec::<u32>::new(), reason.value());
        outbox.signal(&self.path(), &CALL, "CallMembersChanged", values);
    }
}

fn not_now(words: &str) -> Error {
    Name::NotAvailable.because(words)
}

fn not_served(method: &str) -> Error {
    Name::NotImplemented.because(format!("{method} is not served"))
}
