// SPDX-License-Identifier: GPL-3.0-or-later
//! The properties of a call and of its objects.

use sipwitch_media::sdp::Kind;
use zbus::zvariant::{ObjectPath, Value};

use super::Call;
use crate::{
    bridge::path,
    definition::{
        Access, Interface,
        call::{CALL, CALL_DTMF, CHANNEL},
    },
    object::{CALL_INTERFACES, Part},
    reply::Map,
};

impl Call {
    /// What never changes, as `NewChannels` tells it.
    pub(crate) fn immutable(&self) -> Map {
        let mut all = Map::new();
        for interface in [&CHANNEL, &CALL, &CALL_DTMF] {
            for property in interface.properties {
                if property.access == Access::Immutable
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
            Part::Content(number) => self.content(number)?.property(interface, name),
            Part::Stream(number) => self.content(number)?.stream_property(interface, name),
            Part::Endpoint(number) => self.content(number)?.endpoint_property(name),
            Part::Offer(number, offer) => {
                self.content(number)?.offer_property(interface, offer, name)
            }
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
                let paths = self.contents.iter().map(|content| path(&content.path()));
                paths.collect::<Vec<ObjectPath<'static>>>().into()
            }
            (_, "CallStateDetails") => self.details.clone().into(),
            (_, "CallState") => (self.state as u32).into(),
            (_, "CallFlags") => self.flags.into(),
            (_, "CallStateReason") => self.reason.value().into(),
            // The handler brings the sound; Empathy's crashes where it shall not.
            (_, "HardwareStreaming") => false.into(),
            (_, "MutableContents") => true.into(),
            (_, "CallMembers") => self.members().into(),
            (_, "MemberIdentifiers") => self.identifiers().into(),
            (_, "InitialTransport") => self.transport.into(),
            (_, "InitialAudio") => self.initial(Kind::Audio).is_some().into(),
            (_, "InitialVideo") => self.initial(Kind::Video).is_some().into(),
            (_, "InitialAudioName") => self.initial(Kind::Audio).unwrap_or_default().into(),
            (_, "InitialVideoName") => self.initial(Kind::Video).unwrap_or_default().into(),
            (_, "InitialTones") => self.wishes.tones.clone().into(),
            (_, "CurrentlySendingTones") => {
                self.audio().is_some_and(|sound| sound.tones.is_sending()).into()
            }
            (_, "DeferredTones") => {
                self.audio().map(|sound| sound.tones.deferred()).unwrap_or_default().into()
            }
            (_, "LocalMuteState") => (self.mute as u32).into(),
            _ => return None,
        })
    }

    /// The name of what it began with, of this kind.
    fn initial(&self, kind: Kind) -> Option<String> {
        if self.is_requested {
            let wished = if kind == Kind::Audio { &self.wishes.audio } else { &self.wishes.video };
            return wished.clone();
        }
        let mut contents = self.contents.iter();
        contents.find(|content| content.kind == kind).map(|content| content.name().to_owned())
    }
}
