// SPDX-License-Identifier: GPL-3.0-or-later
//! A medium of a call, sound or pictures: what the handler can, what the far end can, and the offers
//! between them.

use std::collections::HashMap;

use sipwitch_media::sdp::Kind;
use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use super::{
    Around, Call, Who,
    described::Described,
    endpoint::Far,
    media::{Local, Remote},
    not_now, not_served,
    offer::Offer,
    places::Whereabouts,
    reason::{self, Reason},
    stream::{Flow, RAW_UDP, Ways},
    tones::Tones,
};
use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{CALL, CONTENT_MEDIA, MEDIA_DESCRIPTION},
    },
    error::{Error, Name},
    object::{CONTENT_INTERFACES, Part},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};

/// Media_Stream_Type.
const AUDIO: u32 = 0;
const VIDEO: u32 = 1;

/// The most contents of a call.
pub(super) const MAX_CONTENTS: usize = 8;
/// The longest name of a content, in bytes.
const MAX_NAME: usize = 64;

/// A medium of a call.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) call: u32,
    /// In its path; no other content of the call has or had it.
    pub(super) number: u32,
    /// Who is at the far end. It stays who it was at first, whoever the call is with later: handlers
    /// know one member of a stream and no other.
    pub(super) member: Who,
    name: String,
    pub(super) kind: Kind,
    is_initial: bool,
    /// Its place among the media of the descriptions, once it has one.
    pub(super) line: Option<usize>,
    /// Whether both ends have it in a description that was answered.
    pub(super) is_established: bool,
    /// What the handler said last, as it said it.
    pub(super) said: Option<Map>,
    pub(super) local: Local,
    /// Whether the handler has told all its candidates.
    pub(super) is_gathered: bool,
    /// Whether the service knows where it is.
    pub(super) whereabouts: Whereabouts,
    /// What the far end said last.
    pub(super) remote: Option<Remote>,
    /// What it said before the offer that is being answered.
    pub(super) before: Option<Remote>,
    pub(super) offer: Option<Offer>,
    /// The handler is busy with an offer: this comes next.
    pub(super) next: Option<Offer>,
    offers: u32,
    /// Which ways the user wants it to flow, and which were last agreed on.
    pub(super) wants: Ways,
    pub(super) agreed: Ways,
    pub(super) transport: u32,
    pub(super) sending: Flow,
    pub(super) receiving: Flow,
    /// Ways that the handler could not: they are not asked for again.
    pub(super) failed: Ways,
    /// Sending_State of both ends.
    pub(super) local_sending: u32,
    pub(super) remote_sending: u32,
    /// The far end's candidates, once there are any: then there is an endpoint.
    pub(super) far: Option<Far>,
    pub(super) tones: Tones,
}

/// What is to be known of a new content.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) is_initial: bool,
    /// Whether the user wants it, and not the far end alone.
    pub(super) is_own: bool,
    pub(super) wants: Ways,
    pub(super) transport: u32,
}

impl Plan {
    /// What is there when a call begins.
    pub(super) fn initial(kind: Kind, name: &str, is_own: bool) -> Self {
        let name = name.to_owned();
        Self { kind, name, is_initial: true, is_own, wants: Ways::BOTH, transport: RAW_UDP }
    }
}

impl Content {
    pub(super) fn new(call: u32, number: u32, member: Who, plan: Plan) -> Self {
        // Of what the far end wants, it says what it can.
        let offer = plan.is_own.then(Offer::first);
        let (local_sending, remote_sending) = match (plan.is_own, plan.wants) {
            (true, ways) => (if ways.sends { 2 } else { 0 }, u32::from(ways.receives)),
            (false, _) => (1, 2),
        };
        let name = if plan.name.is_empty() { plan.kind.as_str().into() } else { plan.name };
        Self {
            call,
            number,
            member,
            name,
            kind: plan.kind,
            is_initial: plan.is_initial,
            line: None,
            is_established: false,
            said: None,
            local: Local::default(),
            is_gathered: false,
            whereabouts: Whereabouts::default(),
            remote: None,
            before: None,
            offer,
            next: None,
            offers: 1,
            wants: plan.wants,
            agreed: plan.wants,
            transport: plan.transport,
            sending: Flow::Stopped,
            receiving: Flow::Stopped,
            failed: Ways::NONE,
            local_sending,
            remote_sending,
            far: None,
            tones: Tones::default(),
        }
    }

    pub(super) fn path(&self) -> String {
        Part::Content(self.number).path(self.call)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_audio(&self) -> bool {
        self.kind == Kind::Audio
    }

    /// The paths of its objects.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        let number = self.number;
        let endpoint = self.far.as_ref().map(|_| Part::Endpoint(number));
        let offer = self.offer.as_ref().map(|offer| Part::Offer(number, offer.number));
        let parts = [Part::Content(number), Part::Stream(number)];
        let call = self.call;
        parts.into_iter().chain(endpoint).chain(offer).map(move |part| part.path(call))
    }

    /// Whether the handler has agreed to all that was shown to it.
    pub(super) const fn is_agreed(&self) -> bool {
        self.said.is_some() && self.offer.is_none()
    }

    /// Whether the handler has said all that is wanted of it.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_agreed() && self.is_gathered
    }

    pub(super) fn property(&self, interface: &Interface, name: &str) -> Option<Value<'static>> {
        Some(match (interface.name, name) {
            (_, "Interfaces") => crate::protocol::names(CONTENT_INTERFACES).into(),
            (_, "Name") => self.name.clone().into(),
            (_, "Type") => (if self.is_audio() { AUDIO } else { VIDEO }).into(),
            // RTP.
            (_, "Packetization") => 0u32.into(),
            (_, "Disposition") => u32::from(self.is_initial).into(),
            (_, "Streams") => vec![path(&Part::Stream(self.number).path(self.call))].into(),
            (_, "RemoteMediaDescriptions") => self.remote_descriptions().into(),
            (_, "LocalMediaDescriptions") => {
                let said = self.said.iter();
                let all: HashMap<u32, Map> =
                    said.map(|said| (self.member.handle, said.clone())).collect();
                all.into()
            }
            (_, "MediaDescriptionOffer") => match &self.offer {
                Some(offer) => (
                    path(&Part::Offer(self.number, offer.number).path(self.call)),
                    offer.properties(self.member.handle),
                )
                    .into(),
                None => (path("/"), Map::new()).into(),
            },
            (_, "CurrentDTMFEvent") => self.tones.event().into(),
            (_, "CurrentDTMFState") => self.tones.state().into(),
            (_, "CurrentlySendingTones") => self.tones.is_sending().into(),
            (_, "DeferredTones") => self.tones.deferred().into(),
            _ => return None,
        })
    }

    pub(super) fn offer_property(
        &self,
        interface: &Interface,
        number: u32,
        name: &str,
    ) -> Option<Value<'static>> {
        let offer = self.offer.as_ref().filter(|offer| offer.number == number)?;
        if name == "Interfaces" && interface.name != MEDIA_DESCRIPTION.name {
            return None;
        }
        offer.properties(self.member.handle).remove(&interface.member(name))
    }

    pub(super) fn remote_descriptions(&self) -> HashMap<u32, Map> {
        let handle = self.member.handle;
        let told = |remote: &Remote| (handle, remote.described.properties(handle, true, false));
        self.remote.iter().map(told).collect()
    }

    /// Shows the handler what the far end said; if an answer is wanted, it is what the handler
    /// accepts with.
    pub(super) fn show(&mut self, remote: Remote, is_answered: bool, outbox: Option<&mut Outbox>) {
        let offer =
            Offer { number: self.offers, described: Some(remote.described.clone()), is_answered };
        self.offers += 1;
        self.remote = Some(remote);
        if self.offer.is_some() {
            self.next = Some(offer);
            return;
        }
        if let Some(outbox) = outbox {
            self.tell(&offer, outbox);
        }
        self.offer = Some(offer);
    }

    pub(super) fn tell(&self, offer: &Offer, outbox: &mut Outbox) {
        let own = path(&Part::Offer(self.number, offer.number).path(self.call));
        let values = (own, offer.properties(self.member.handle));
        outbox.signal(&self.path(), &CONTENT_MEDIA, "NewMediaDescriptionOffer", values);
    }

    /// The handler describes its end.
    pub(super) fn described(
        &mut self,
        said: HashMap<String, OwnedValue>,
        described: Described,
        outbox: &mut Outbox,
    ) {
        let said: Map = said.into_iter().map(|(key, value)| (key, value.into())).collect();
        self.local.described = described;
        let values = (said.clone(),);
        outbox.signal(&self.path(), &CONTENT_MEDIA, "LocalMediaDescriptionChanged", values);
        self.said = Some(said);
    }
}

impl Call {
    /// A content by its number.
    pub(super) fn content(&self, number: u32) -> Option<&Content> {
        self.contents.iter().find(|content| content.number == number)
    }

    pub(super) fn content_mut(&mut self, number: u32) -> Result<&mut Content, Error> {
        let found = self.contents.iter_mut().find(|content| content.number == number);
        found.ok_or_else(|| not_now("it is over"))
    }

    /// The sound of the call.
    pub(super) fn audio(&self) -> Option<&Content> {
        self.contents.iter().find(|content| content.is_audio())
    }

    /// A content more.
    pub(super) fn new_content(&mut self, plan: Plan) -> &mut Content {
        self.next_content += 1;
        let plan = Plan { name: self.free_name(&plan), ..plan };
        let member = self.target.clone();
        self.contents.push(Content::new(self.number, self.next_content, member, plan));
        self.contents.last_mut().expect("one was added")
    }

    /// The wanted name, or one like it that no content has.
    fn free_name(&self, plan: &Plan) -> String {
        let wanted = if plan.name.is_empty() { plan.kind.as_str() } else { &plan.name };
        let taken = |name: &str| self.contents.iter().any(|content| content.name == name);
        let mut others = (2..).map(|number| format!("{wanted} {number}"));
        std::iter::once(wanted.to_owned())
            .chain(others.by_ref())
            .find(|name| !taken(name))
            .expect("numbers do not end")
    }

    pub(super) fn tell_added(&self, number: u32, outbox: &mut Outbox) {
        let own = (path(&Part::Content(number).path(self.number)),);
        outbox.signal(&self.path(), &CALL, "ContentAdded", own);
    }

    /// A content is no more. The last one takes the call with it, which is for the caller to do.
    pub(super) fn drop_content(&mut self, number: u32, reason: &Reason, outbox: &mut Outbox) {
        let before = self.contents.len();
        self.contents.retain(|content| content.number != number);
        if self.contents.len() < before {
            let values = (path(&Part::Content(number).path(self.number)), reason.value());
            outbox.signal(&self.path(), &CALL, "ContentRemoved", values);
        }
    }

    /// The handler cannot go on with a content: the call does without, if anything is left.
    pub(super) fn content_fails(&mut self, number: u32, reason: Reason, around: &mut Around<'_>) {
        if self.contents.len() > 1 {
            self.drop_content(number, &reason, around.outbox);
            self.wants_offer = true;
        } else {
            self.hang_up(reason, around);
        }
    }

    pub(super) fn add_content(
        &mut self,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let (name, kind, direction): (String, u32, u32) = arguments(call)?;
        let kind = match kind {
            AUDIO => Kind::Audio,
            VIDEO => Kind::Video,
            other => {
                return Err(Name::InvalidArgument.because(format!("{other} is no kind of content")));
            }
        };
        if direction > 3 {
            return Err(Name::InvalidArgument.because(format!("{direction} is no direction")));
        }
        if name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Name::InvalidArgument.because("the name is too long, or no text"));
        }
        if self.is_ended() {
            return Err(not_now("it is over"));
        }
        if self.contents.len() >= MAX_CONTENTS {
            return Err(not_now("the call has as many contents as may be"));
        }
        let wants = Ways { sends: direction & 1 != 0, receives: direction & 2 != 0 };
        let transport = self.transport;
        let plan = Plan { kind, name, is_initial: false, is_own: true, wants, transport };
        let number = self.new_content(plan).number;
        self.tell_added(number, around.outbox);
        self.wants_offer = true;
        self.await_handler(around.now);
        Ok(Reply::of((path(&Part::Content(number).path(self.number)),)))
    }

    pub(super) fn content_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        match name {
            "Remove" => {
                if self.contents.len() < 2 {
                    return Err(not_now("a call without contents is none: hang up"));
                }
                let reason = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
                self.drop_content(number, &reason, around.outbox);
                self.wants_offer = true;
                Ok(Reply::Nothing)
            }
            "AcknowledgeDTMFChange" => self.tone_acknowledged(number, call, around),
            "Fail" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                self.content_fails(number, Reason::media(&self.own, &words), around);
                Ok(Reply::Nothing)
            }
            "UpdateLocalMediaDescription" => {
                let said: HashMap<String, OwnedValue> = arguments(call)?;
                let described = Described::read(&said)?;
                let content = self.content_mut(number)?;
                if content.said.is_none() {
                    return Err(not_now("the first description comes by accepting the offer"));
                }
                let differs = content.local.described != described;
                content.described(said, described, around.outbox);
                if differs && self.is_confirmed {
                    self.wants_offer = true;
                    self.await_more_of_the_handler(around.now);
                }
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }
}
