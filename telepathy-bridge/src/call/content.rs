// SPDX-License-Identifier: GPL-3.0-or-later
//! The sound of a call: what the handler can, what the far end can, and the offers between them.
//!
//! The handler accepts one offer after the other. The first of an outgoing call is empty: what it
//! accepts with becomes the offer in SDP.

use std::collections::HashMap;

use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use super::{
    Around, Call, Leg, State, not_now, not_served,
    reason::{self, Reason},
    sound::{Codec, Local, Remote, Shape},
    stream::Flow,
    tones::Tones,
};
use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{CONTENT_MEDIA, MEDIA_DESCRIPTION},
    },
    error::{Error, Name},
    object::{CONTENT_INTERFACES, Part},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};

/// The most codecs of a description: RTP knows no more payload types.
const MAX_CODECS: usize = 128;
/// Its name, one in each call.
const NAME: &str = "audio";

/// The sound of a call.
#[derive(Debug)]
pub(super) struct Content {
    call: u32,
    /// What the handler said last, as it said it.
    described: Option<Map>,
    pub(super) local: Local,
    /// Whether the handler has told all its candidates.
    pub(super) is_gathered: bool,
    /// What the far end said last.
    pub(super) remote: Option<Remote>,
    offer: Option<Offer>,
    /// The handler is busy with an offer: this comes next.
    next: Option<Offer>,
    offers: u32,
    /// Which media there are in the descriptions of this conversation.
    pub(super) shape: Shape,
    /// How often our end was described; the last description.
    version: u64,
    pub(super) written: Vec<u8>,
    pub(super) sending: Flow,
    pub(super) receiving: Flow,
    /// Sending_State of both ends.
    pub(super) local_sending: u32,
    pub(super) remote_sending: u32,
    /// The far end's candidates, once there are any: then there is an endpoint.
    pub(super) far: Option<super::stream::Far>,
    pub(super) credentials: (String, String),
    pub(super) tones: Tones,
}

/// What the handler is to accept.
#[derive(Debug)]
struct Offer {
    number: u32,
    codecs: Vec<Codec>,
    /// Whether the far end said it.
    is_remote: bool,
    /// Whether what the handler accepts with goes to the far end.
    is_answered: bool,
    /// Names the far end's offer to the service, if it came within the conversation.
    exchange: Option<u32>,
}

impl Content {
    pub(super) fn new(call: u32, is_requested: bool) -> Self {
        let first = Offer {
            number: 0,
            codecs: Vec::new(),
            is_remote: false,
            is_answered: true,
            exchange: None,
        };
        // An incoming call shows what the caller said instead.
        let offer = is_requested.then_some(first);
        let (local_sending, remote_sending) = if is_requested { (2, 1) } else { (1, 2) };
        Self {
            call,
            described: None,
            local: Local::default(),
            is_gathered: false,
            remote: None,
            offer,
            next: None,
            offers: 1,
            shape: Shape::default(),
            version: 0,
            written: Vec::new(),
            sending: Flow::Stopped,
            receiving: Flow::Stopped,
            local_sending,
            remote_sending,
            far: None,
            credentials: Default::default(),
            tones: Tones::default(),
        }
    }

    pub(super) fn has_endpoint(&self) -> bool {
        self.far.is_some()
    }

    pub(super) fn offer_number(&self) -> Option<u32> {
        self.offer.as_ref().map(|offer| offer.number)
    }

    /// Whether the handler has agreed to all that was shown to it.
    pub(super) const fn is_agreed(&self) -> bool {
        self.described.is_some() && self.offer.is_none()
    }

    /// Whether the handler has said all that a description needs.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_agreed() && self.is_gathered
    }

    pub(super) fn property(
        &self,
        call: &Call,
        interface: &Interface,
        name: &str,
    ) -> Option<Value<'static>> {
        Some(match (interface.name, name) {
            (_, "Interfaces") => crate::protocol::names(CONTENT_INTERFACES).into(),
            (_, "Name") if call.is_requested && !call.audio_name.is_empty() => {
                call.audio_name.clone().into()
            }
            (_, "Name") => NAME.into(),
            // Media_Stream_Type and RTP.
            (_, "Type" | "Packetization") => 0u32.into(),
            (_, "Disposition") => 1u32.into(),
            (_, "Streams") => vec![path(&Part::Stream.path(self.call))].into(),
            (_, "RemoteMediaDescriptions") => self.remote_descriptions(call).into(),
            (_, "LocalMediaDescriptions") => {
                let described = self.described.iter();
                let all: HashMap<u32, Map> =
                    described.map(|said| (call.target.handle, said.clone())).collect();
                all.into()
            }
            (_, "MediaDescriptionOffer") => match &self.offer {
                Some(offer) => (
                    path(&Part::Offer(offer.number).path(self.call)),
                    offer.properties(call.target.handle),
                )
                    .into(),
                None => (path("/"), Map::new()).into(),
            },
            (_, "CurrentDTMFEvent") => self.tones.event().into(),
            (_, "CurrentDTMFState") => self.tones.state().into(),
            (_, "CurrentlySendingTones") => self.tones.is_sending().into(),
            (_, "DeferredTones") => "".into(),
            _ => return None,
        })
    }

    pub(super) fn offer_property(&self, call: &Call, name: &str) -> Option<Value<'static>> {
        let offer = self.offer.as_ref()?;
        offer.properties(call.target.handle).remove(&MEDIA_DESCRIPTION.member(name))
    }

    fn remote_descriptions(&self, call: &Call) -> HashMap<u32, Map> {
        let told = |remote: &Remote| {
            let offer = Offer {
                number: 0,
                codecs: remote.codecs.clone(),
                is_remote: true,
                is_answered: false,
                exchange: None,
            };
            (call.target.handle, offer.properties(call.target.handle))
        };
        self.remote.iter().map(told).collect()
    }

    /// Shows the handler what the far end said; the answer to it, if one is wanted, is what the
    /// handler accepts with.
    pub(super) fn show(
        &mut self,
        remote: Remote,
        is_answered: bool,
        exchange: Option<u32>,
        target: u32,
        outbox: Option<&mut Outbox>,
    ) {
        let codecs = remote.codecs.clone();
        self.shape = remote.shape().clone();
        self.remote = Some(remote);
        let number = self.offers;
        self.offers += 1;
        let offer = Offer { number, codecs, is_remote: true, is_answered, exchange };
        if self.offer.is_some() {
            self.next = Some(offer);
            return;
        }
        if let Some(outbox) = outbox {
            self.tell(&offer, target, outbox);
        }
        self.offer = Some(offer);
    }

    /// Shows the handler that the far end wants to hear of us first.
    pub(super) fn show_nothing(&mut self) {
        let number = self.offers;
        self.offers += 1;
        let (codecs, exchange) = (Vec::new(), None);
        self.offer = Some(Offer { number, codecs, is_remote: false, is_answered: true, exchange });
    }

    /// The far end of an incoming call, before anybody is told of it.
    pub(super) fn reached_first_at(&mut self, candidates: Vec<super::sound::Candidate>) {
        self.far = (!candidates.is_empty()).then(|| super::stream::Far::at(candidates));
    }

    fn tell(&self, offer: &Offer, target: u32, outbox: &mut Outbox) {
        let values = (path(&Part::Offer(offer.number).path(self.call)), offer.properties(target));
        let own = Part::Content.path(self.call);
        outbox.signal(&own, &CONTENT_MEDIA, "NewMediaDescriptionOffer", values);
    }

    /// Describes our end in SDP; the version goes up when something differs.
    pub(super) fn describe(
        &mut self,
        direction: sipwitch_media::sdp::Direction,
        codecs: &[Codec],
    ) -> Result<Vec<u8>, sipwitch_media::sdp::Fault> {
        let session = u64::from(self.call) + 1;
        let now = (session, self.version);
        let same = self.local.write(now, &self.shape, direction, codecs)?;
        if same != self.written {
            let next = (session, self.version + 1);
            self.written = self.local.write(next, &self.shape, direction, codecs)?;
            self.version += 1;
        }
        Ok(self.written.clone())
    }
}

impl Offer {
    fn properties(&self, target: u32) -> Map {
        let mut all = Map::new();
        let mut add = |name: &str, value: Value<'static>| {
            all.insert(MEDIA_DESCRIPTION.member(name), value);
        };
        add("Interfaces", Vec::<String>::new().into());
        add("FurtherNegotiationRequired", self.is_answered.into());
        add("HasRemoteInformation", self.is_remote.into());
        add("Codecs", self.codecs.clone().into());
        add("RemoteContact", target.into());
        add("SSRCs", HashMap::<u32, Vec<u32>>::new().into());
        all
    }
}

/// The codecs of a description of the handler.
fn codecs_of(description: &HashMap<String, OwnedValue>) -> Result<Vec<Codec>, Error> {
    let bad = |words: String| Name::InvalidArgument.because(words);
    let key = MEDIA_DESCRIPTION.member("Codecs");
    let value = description.get(&key).ok_or_else(|| bad(format!("the description lacks {key}")))?;
    if value.value_signature() != "a(usuuba{ss})" {
        return Err(bad(format!("{key} is of the type {}", value.value_signature())));
    }
    let codecs = Vec::<Codec>::try_from(value.clone());
    let codecs = codecs.map_err(|error| bad(format!("{key} cannot be read: {error}")))?;
    if codecs.is_empty() || codecs.len() > MAX_CODECS {
        return Err(bad(format!("{key} has {} codecs", codecs.len())));
    }
    Ok(codecs)
}

impl Call {
    pub(super) fn content_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "Remove" => Err(not_now("a call without sound is none: hang up")),
            "AcknowledgeDTMFChange" => self.tone_acknowledged(call, around),
            "Fail" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                self.hang_up(Reason::media(&self.own, &words), around);
                Ok(Reply::Nothing)
            }
            "UpdateLocalMediaDescription" => {
                let said: HashMap<String, OwnedValue> = arguments(call)?;
                let codecs = codecs_of(&said)?;
                let content = self.content.as_mut().ok_or_else(|| not_now("it is over"))?;
                if content.described.is_none() {
                    return Err(not_now("the first description comes by accepting the offer"));
                }
                let differs = content.local.codecs != codecs;
                self.described(said, codecs, around.outbox);
                if differs && self.is_confirmed {
                    self.offer_again(None, around)?;
                }
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    fn described(
        &mut self,
        said: HashMap<String, OwnedValue>,
        codecs: Vec<Codec>,
        outbox: &mut Outbox,
    ) {
        let Some(content) = &mut self.content else { return };
        let said: Map = said.into_iter().map(|(key, value)| (key, value.into())).collect();
        content.local.codecs = codecs;
        let own = Part::Content.path(self.number);
        outbox.signal(&own, &CONTENT_MEDIA, "LocalMediaDescriptionChanged", (said.clone(),));
        content.described = Some(said);
    }

    pub(super) fn offer_method(
        &mut self,
        part: Part,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "Accept" => {
                let said: HashMap<String, OwnedValue> = arguments(call)?;
                let codecs = codecs_of(&said)?;
                self.described(said, codecs, around.outbox);
                self.offer_done(around);
                Ok(Reply::Nothing)
            }
            "Reject" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                let exchange = self.content.as_ref().and_then(|content| {
                    let offer = content.offer.as_ref();
                    offer.filter(|offer| Part::Offer(offer.number) == part)?.exchange
                });
                match (exchange, self.leg) {
                    // All stays as it was.
                    (Some(exchange), Leg::There(leg)) => {
                        around.outbox.refuse_description(around.phone, leg, exchange, 488);
                        self.offer_done(around);
                    }
                    _ => {
                        let error = reason::error("Media.CodecsIncompatible");
                        let reason = Reason { error, ..Reason::media(&self.own, &words) };
                        self.hang_up(reason, around);
                    }
                }
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler has accepted what was shown to it: tells so, and shows what waited.
    fn offer_done(&mut self, around: &mut Around<'_>) {
        let target = self.target.handle;
        let own = Part::Content.path(self.number);
        let remote = self.content.as_ref().map(|content| content.remote_descriptions(self));
        let Some(content) = &mut self.content else { return };
        let Some(done) = content.offer.take() else { return };
        if done.is_remote {
            let remote = (remote.unwrap_or_default(),);
            around.outbox.signal(&own, &CONTENT_MEDIA, "RemoteMediaDescriptionsChanged", remote);
        }
        around.outbox.bare_signal(&own, &CONTENT_MEDIA, "MediaDescriptionOfferDone");
        if let Some(next) = content.next.take() {
            content.tell(&next, target, around.outbox);
            content.offer = Some(next);
        }
        if let Some(exchange) = done.exchange {
            self.answer_exchange(exchange, around);
        }
    }

    /// Does what has become possible by what the handler said.
    pub(super) fn advance(&mut self, around: &mut Around<'_>) {
        let Some(content) = &self.content else { return };
        if !content.is_whole() {
            return;
        }
        match (self.is_requested, self.state, self.leg) {
            (true, State::Initialising, Leg::None) => self.dial(around),
            (false, State::Accepted, Leg::There(leg)) if content.written.is_empty() => {
                self.answer(leg, around);
            }
            (_, State::Accepted, _) => self.look_for_sound(around.outbox),
            _ => {}
        }
    }

    /// Sound flows when both ends have agreed and the handler has begun.
    pub(super) fn look_for_sound(&mut self, outbox: &mut Outbox) {
        let Some(content) = &self.content else { return };
        let flows = content.sending == Flow::Started || content.receiving == Flow::Started;
        let agreed = content.is_agreed() && content.remote.is_some();
        if self.state == State::Accepted && self.is_confirmed && agreed && flows {
            let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
            self.change(State::Active, reason, outbox);
        }
    }
}
