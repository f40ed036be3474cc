// SPDX-License-Identifier: GPL-3.0-or-later
//! All media of a conversation in one description, and when it is time to send one.

use std::net::Ipv4Addr;

use sipwitch_media::sdp::{Description, Direction, Fault, Host, Kind, Origin, Stream};

use super::{
    Around, Call, Leg, State,
    described::agreed,
    media::{Line, Placing, Remote},
    not_now,
    reason::{self, Reason},
    stream::Flow,
};
use crate::error::Error;

/// A medium of the conversation. Their number never shrinks (RFC 3264 §8).
#[derive(Debug)]
pub(super) struct Slot {
    kind: Kind,
    profile: String,
    /// Whether it was described as refused: then another medium may take its place.
    is_free: bool,
}

/// An offer of ours that the far end has yet to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// How the service names it, once it does.
    pub(super) exchange: Option<u32>,
    /// Whether it holds or resumes; none if it changes something else.
    pub(super) holds: Option<bool>,
}

/// What a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Offer,
    Answer,
}

impl Call {
    /// The media as the far end has them.
    pub(super) fn take_lines(&mut self, lines: &[Line]) {
        for (index, line) in lines.iter().enumerate() {
            let slot = Slot {
                kind: line.kind.clone(),
                profile: line.profile.clone(),
                is_free: line.remote.is_none(),
            };
            match self.slots.get_mut(index) {
                Some(known) => *known = slot,
                None => self.slots.push(slot),
            }
        }
    }

    /// Gives each content a place: one that was freed, or a new one.
    fn place_contents(&mut self) {
        for content in self.contents.iter_mut().filter(|content| content.line.is_none()) {
            // With feedback or without: many phones refuse the profile that says so (RFC 4585), and
            // understand the attributes all the same.
            let profile = "RTP/AVP".to_owned();
            let slot = Slot { kind: content.kind.clone(), profile, is_free: false };
            let free = self.slots.iter().position(|slot| slot.is_free);
            content.line = Some(free.unwrap_or(self.slots.len()));
            match free {
                Some(index) => self.slots[index] = slot,
                None => self.slots.push(slot),
            }
        }
    }

    /// Describes our end in SDP; the version goes up when something differs.
    ///
    /// # Errors
    /// The handler gave what no description can hold.
    pub(super) fn describe(&mut self, turn: Turn) -> Result<Vec<u8>, Fault> {
        if turn == Turn::Offer {
            self.place_contents();
        }
        let holds = self.hold.holds();
        let mut streams = Vec::with_capacity(self.slots.len());
        for index in 0..self.slots.len() {
            let content = self.contents.iter_mut().find(|content| content.line == Some(index));
            let slot = &mut self.slots[index];
            let Some(content) = content else {
                slot.is_free = true;
                let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
                streams.push(Stream::new(slot.kind.clone(), &slot.profile, nowhere));
                continue;
            };
            let (sends, receives) = (content.wants.sends, content.wants.receives && !holds);
            let own = &content.local.described.codecs;
            let (codecs, direction) = match (turn, &content.remote) {
                (Turn::Answer, Some(remote)) => {
                    let theirs = remote.direction;
                    let direction =
                        Direction::of(theirs.receives() && sends, theirs.sends() && receives);
                    (agreed(own, &remote.described.codecs), direction)
                }
                _ => (own.clone(), Direction::of(sends, receives)),
            };
            let waits = content.is_gathered || self.needs_places;
            let placing = if waits { Placing::Now } else { Placing::Later };
            let slot = (&slot.kind, &*slot.profile);
            streams.push(content.local.stream(slot, placing, &codecs, direction)?);
            content.whereabouts = placing.into();
        }
        // A medium that is refused is wanted nowhere, of the same family as the others.
        let host = streams.iter().find(|stream| !stream.is_rejected());
        let host = host.map(|stream| stream.host.clone()).unwrap_or_default();
        for stream in streams.iter_mut().filter(|stream| stream.is_rejected()) {
            stream.host = host.clone();
        }
        let session = u64::from(self.number) + 1;
        // It stays what it was at first, wherever media go (RFC 3264 §8).
        let here = || Host::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let origin = self
            .origin
            .get_or_insert_with(|| if host.is_nowhere() { here() } else { host.clone() });
        let write = |version: u64| -> Result<Vec<u8>, Fault> {
            let (user, host) = ("-".into(), origin.clone());
            let origin = Origin { user, session, version, host };
            Ok(Description::compose(&origin, &streams)?.to_bytes().to_vec())
        };
        let same = write(self.version)?;
        if same != self.written {
            self.version += 1;
            self.written = write(self.version)?;
        }
        Ok(self.written.clone())
    }

    /// Describes our end anew to the far end.
    ///
    /// # Errors
    /// `NotAvailable` while another change is under way, or if it cannot be described.
    pub(super) fn offer_again(
        &mut self,
        holds: Option<bool>,
        around: &mut Around<'_>,
    ) -> Result<(), Error> {
        let Leg::There(leg) = self.leg else { return Err(not_now("there is no far end")) };
        if self.asked.is_some() {
            return Err(not_now("the call is busy with another change"));
        }
        let description = self
            .describe(Turn::Offer)
            .map_err(|fault| not_now(&format!("this cannot be described: {fault}")))?;
        self.wants_offer = false;
        self.asked = Some(Asked { exchange: None, holds });
        around.outbox.offer_description(around.phone, leg, self.number, &description);
        Ok(())
    }

    /// Does what has become possible by what the handler said, or the far end.
    pub(super) fn advance(&mut self, around: &mut Around<'_>) {
        if self.is_ended() {
            return;
        }
        self.steer(around.outbox);
        self.mute_advances(around.outbox);
        self.hold_advances(around);
        if self.can_be_described() {
            match (self.is_requested, self.state, self.leg) {
                (true, State::Initialising, Leg::None) => self.dial(around),
                (false, State::Accepted, Leg::There(leg)) if !self.is_answered => {
                    self.answer(leg, around);
                }
                _ => {}
            }
            self.answer_exchange(around);
            let is_quiet = self.is_confirmed && self.asked.is_none() && self.exchange.is_none();
            if self.wants_offer && is_quiet && self.retry_at.is_none() {
                // Where it cannot be described, the handler will say something else.
                let _ = self.offer_again(None, around);
            }
            if self.exchange.is_none() && !self.awaits_handler() {
                self.handler_until = None;
            }
        }
        self.tell_places(around);
        if self.state == State::Accepted {
            self.look_for_media(around);
        }
    }

    /// Media flow when both ends have agreed and the handler has begun.
    fn look_for_media(&mut self, around: &mut Around<'_>) {
        let flows = self.contents.iter().any(|content| {
            let flows = content.sending == Flow::Started || content.receiving == Flow::Started;
            content.is_whole() && content.remote.is_some() && flows
        });
        if self.is_confirmed && flows {
            let reason = Reason::by(&self.member, reason::PROGRESS_MADE, "");
            self.change(State::Active, reason, around.outbox);
            self.initial_tones(around);
        }
    }

    /// What the far end says of the medium at a place.
    pub(super) fn remote_at(lines: &[Line], line: Option<usize>) -> Option<&Remote> {
        lines.get(line?)?.remote.as_ref()
    }
}
