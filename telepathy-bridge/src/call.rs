// SPDX-License-Identifier: GPL-3.0-or-later
//! A call: a channel of Telepathy on one side, a leg of the service on the other.
//!
//! Its handler, a program of the user, brings the sound. What it can do comes as a description and
//! as candidates; when both are whole they are an offer or an answer in SDP for the service, and
//! what the service brings back is shown to the handler as an offer to accept (`content`).

mod content;
mod described;
mod endpoint;
mod hold;
mod media;
mod members;
mod mute;
mod offer;
mod places;
mod properties;
mod reason;
mod reports;
mod service;
mod session;
mod stream;
mod tones;
mod transfer;
mod waits;

use std::time::Instant;

use sipwitch_dbus_interfaces::wire::HangUpOptions;
use sipwitch_media::sdp::{Host, Kind};
use zbus::Message;

pub(crate) use reason::{End, Reason};
pub(crate) use tones::check as check_tones;
pub(crate) use transfer::transfer_begun;

use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{
            CALL, CALL_DTMF, CHANNEL, CONTENT, CONTENT_DTMF, CONTENT_MEDIA, ENDPOINT, HOLD,
            MEDIA_DESCRIPTION, MUTE, STREAM, STREAM_MEDIA,
        },
    },
    error::{Error, Name},
    object::{CALL_INTERFACES, ConnectionId, Part},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};
use content::{Content, Plan};
use hold::Holding;
use mute::Muting;
use session::{Asked, Slot};
use waits::Exchange;

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
    /// Whether called sides are not to see who calls.
    pub(crate) hides: bool,
    /// The time.
    pub(crate) now: Instant,
}

/// What a client asks of a new call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// The name of its sound, if it is to have sound.
    pub(crate) audio: Option<String>,
    /// The name of its pictures, if it is to have pictures.
    pub(crate) video: Option<String>,
    /// Stream_Transport_Type, or 0.
    pub(crate) transport: u32,
    /// Tones to be sent as soon as it talks.
    pub(crate) tones: String,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    number: u32,
    own: Who,
    /// Whom it was begun with.
    target: Who,
    /// Whom it is with.
    member: Who,
    is_requested: bool,
    wishes: Wishes,
    transport: u32,
    /// The program that accepted it, which has its sound: its unique name.
    handler: Option<String>,
    state: State,
    flags: u32,
    reason: Reason,
    details: Map,
    member_flags: u32,
    leg: Leg,
    /// Whether the service has our answer.
    is_answered: bool,
    /// Whether both ends know that it was answered.
    is_confirmed: bool,
    contents: Vec<Content>,
    next_content: u32,
    /// The media of its descriptions; how often our end was described, and the last description.
    slots: Vec<Slot>,
    version: u64,
    written: Vec<u8>,
    /// Where its descriptions were first said to be made.
    origin: Option<Host>,
    /// Whether the service wants to know where media are when they are described.
    needs_places: bool,
    /// Our offer that the far end has yet to answer; whether there is something else to offer.
    asked: Option<Asked>,
    wants_offer: bool,
    /// The far end's offer that the handler has yet to answer.
    exchange: Option<Exchange>,
    hold: Holding,
    mute: Muting,
    tones_to_begin_with: String,
    handler_until: Option<Instant>,
    retry_at: Option<Instant>,
    is_closed: bool,
}

impl Call {
    /// A call that a client asks for.
    pub(crate) fn outgoing(number: u32, own: Who, target: Who, wishes: Wishes) -> Self {
        let mut call = Self::new(number, own, target, true, State::PendingInitiator);
        if wishes.transport == stream::ICE {
            call.transport = stream::ICE;
        }
        for (kind, name) in [(Kind::Audio, &wishes.audio), (Kind::Video, &wishes.video)] {
            if let Some(name) = name {
                let transport = call.transport;
                call.new_content(Plan { transport, ..Plan::initial(kind, name, true) });
            }
        }
        call.tones_to_begin_with.clone_from(&wishes.tones);
        call.wishes = wishes;
        call
    }

    fn new(number: u32, own: Who, target: Who, is_requested: bool, state: State) -> Self {
        let reason = Reason::none(if is_requested { own.handle } else { target.handle });
        Self {
            number,
            own,
            member: target.clone(),
            target,
            is_requested,
            wishes: Wishes::default(),
            transport: stream::RAW_UDP,
            handler: None,
            state,
            flags: 0,
            reason,
            details: Map::new(),
            member_flags: 0,
            leg: Leg::None,
            is_answered: false,
            is_confirmed: false,
            contents: Vec::new(),
            next_content: 0,
            slots: Vec::new(),
            version: 0,
            written: Vec::new(),
            origin: None,
            needs_places: false,
            asked: None,
            wants_offer: false,
            exchange: None,
            hold: Holding::default(),
            mute: Muting::default(),
            tones_to_begin_with: String::new(),
            handler_until: None,
            retry_at: None,
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
        let contents = self.contents.iter().flat_map(Content::paths);
        std::iter::once(self.path()).chain(contents).collect()
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
            i if i == MUTE.name => self.mute_method(name, call, around),
            i if i == CALL_DTMF.name => self.call_tones_method(name, call, around),
            i => match part {
                Part::Content(number) if i == CONTENT.name || i == CONTENT_MEDIA.name => {
                    self.content_method(number, name, call, around)
                }
                Part::Content(number) if i == CONTENT_DTMF.name => {
                    self.tones_method(number, name, call, around)
                }
                Part::Offer(number, offer) if i == MEDIA_DESCRIPTION.name => {
                    self.offer_method((number, offer), name, call, around)
                }
                Part::Stream(number) if i == STREAM.name || i == STREAM_MEDIA.name => {
                    self.stream_method(number, name, call, around)
                }
                Part::Endpoint(number) if i == ENDPOINT.name => {
                    self.endpoint_method(number, name, call, around)
                }
                _ => Err(not_served(name)),
            },
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
                self.accept(around)?;
                self.handler = call.header().sender().map(ToString::to_string);
                if let Some(handler) = &self.handler {
                    around.outbox.watch(handler, true);
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
            "AddContent" => self.add_content(call, around),
            _ => Err(not_served(name)),
        }
    }

    /// The user wants it.
    fn accept(&mut self, around: &mut Around<'_>) -> Result<(), Error> {
        let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
        match (self.is_requested, self.state) {
            (true, State::PendingInitiator) => {
                self.change(State::Initialising, reason, around.outbox);
            }
            (false, State::Initialised) => {
                self.flags &= !(LOCALLY_RINGING | LOCALLY_QUEUED);
                self.change(State::Accepted, reason.clone(), around.outbox);
                self.steer(around.outbox);
                for content in &mut self.contents {
                    content.local_sends(stream::SENDING, &reason, around.outbox);
                }
            }
            _ => return Err(not_now("it was accepted already, or is over")),
        }
        self.await_handler(around.now);
        Ok(())
    }

    /// The program with its sound has left the bus.
    pub(crate) fn handler_gone(&mut self, name: &str, around: &mut Around<'_>) {
        if self.handler.as_deref() == Some(name) && !self.is_closed {
            let words = "the program with the sound has gone";
            self.hang_up(Reason::media(&self.own, words), around);
            // Nobody else would.
            self.close(around);
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
        if let Some(handler) = self.handler.take() {
            around.outbox.watch(&handler, false);
        }
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
        self.end(reason, around);
    }

    /// It is over, whoever ended it.
    pub(crate) fn end(&mut self, reason: Reason, around: &mut Around<'_>) {
        if self.is_ended() {
            return;
        }
        self.member_flags = 0;
        self.flags = 0;
        self.handler_until = None;
        self.retry_at = None;
        if !reason.words.is_empty() {
            self.details.insert("hangup-message".into(), reason.words.clone().into());
        }
        self.change(State::Ended, reason.clone(), around.outbox);
        let numbers: Vec<u32> = self.contents.iter().map(|content| content.number).collect();
        for number in numbers {
            self.drop_content(number, &reason, around.outbox);
        }
    }

    fn change(&mut self, state: State, reason: Reason, outbox: &mut Outbox) {
        self.state = state;
        self.reason = reason;
        let values = (state as u32, self.flags, self.reason.value(), self.details.clone());
        outbox.signal(&self.path(), &CALL, "CallStateChanged", values);
    }
}

fn not_now(words: &str) -> Error {
    Name::NotAvailable.because(words)
}

fn not_served(method: &str) -> Error {
    Name::NotImplemented.because(format!("{method} is not served"))
}
