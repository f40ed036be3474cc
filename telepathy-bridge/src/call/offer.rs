// SPDX-License-Identifier: GPL-3.0-or-later
//! What the handler is to accept, one thing after the other. The first of a content that the user
//! wants is empty: what the handler accepts it with becomes the offer in SDP.

use std::collections::HashMap;

use zbus::{Message, zvariant::OwnedValue};

use super::{
    Around, Call, Leg,
    described::Described,
    not_now, not_served,
    reason::{self, Reason},
};
use crate::{
    definition::call::CONTENT_MEDIA,
    error::Error,
    reply::{Map, Reply, arguments},
};

/// What the handler is to accept.
#[derive(Debug)]
pub(super) struct Offer {
    /// In its path.
    pub(super) number: u32,
    /// What the far end says, if it has said anything.
    pub(super) described: Option<Described>,
    /// Whether what the handler accepts with goes to the far end.
    pub(super) is_answered: bool,
}

impl Offer {
    /// Nothing is known of the far end.
    pub(super) const fn first() -> Self {
        Self { number: 0, described: None, is_answered: true }
    }

    pub(super) fn properties(&self, member: u32) -> Map {
        match &self.described {
            Some(said) => said.properties(member, true, self.is_answered),
            None => Described::default().properties(member, false, self.is_answered),
        }
    }
}

impl Call {
    pub(super) fn offer_method(
        &mut self,
        (content, offer): (u32, u32),
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let waits = self.content_mut(content)?.offer.as_ref();
        if waits.is_none_or(|waits| waits.number != offer) {
            return Err(not_now("this offer was answered, or another has taken its place"));
        }
        match name {
            "Accept" => {
                let said: HashMap<String, OwnedValue> = arguments(call)?;
                let described = Described::read(&said)?;
                self.content_mut(content)?.described(said, described, around.outbox);
                self.offer_done(content, around);
                Ok(Reply::Nothing)
            }
            "Reject" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                self.offer_rejected(content, &words, around)?;
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler cannot have what was shown to it.
    fn offer_rejected(
        &mut self,
        number: u32,
        words: &str,
        around: &mut Around<'_>,
    ) -> Result<(), Error> {
        let is_established = self.content_mut(number)?.is_established;
        match (self.exchange, self.leg) {
            // What was there before stays as it was.
            (Some(_), Leg::There(_)) if is_established => {
                self.refuse_exchange(around);
                self.offer_done(number, around);
            }
            _ => {
                let error = reason::error("Media.CodecsIncompatible");
                let reason = Reason { error, ..Reason::media(&self.own, words) };
                self.content_fails(number, reason, around);
            }
        }
        Ok(())
    }

    /// The handler has dealt with what was shown to it: tells so, and shows what waited.
    fn offer_done(&mut self, number: u32, around: &mut Around<'_>) {
        let Ok(content) = self.content_mut(number) else { return };
        let Some(done) = content.offer.take() else { return };
        let own = content.path();
        if done.described.is_some() {
            let remote = (content.remote_descriptions(),);
            around.outbox.signal(&own, &CONTENT_MEDIA, "RemoteMediaDescriptionsChanged", remote);
        }
        around.outbox.bare_signal(&own, &CONTENT_MEDIA, "MediaDescriptionOfferDone");
        if let Some(next) = content.next.take() {
            content.tell(&next, around.outbox);
            content.offer = Some(next);
        }
    }
}
