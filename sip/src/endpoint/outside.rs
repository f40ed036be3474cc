// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests outside dialogs: first INVITEs that become legs, and what the owner asks and answers.

use std::sync::Arc;

use bytes::Bytes;
use sipwitch_core::call::leg::{LegId, Replaced};

use super::{ALLOW, Arrival, Context, Endpoint, Incoming, OnLine, Refused};
use crate::{
    dialog::{MAX_FORWARDS, Replaces, Tag, new_call_id, with_tag},
    leg::{Accepted, Leg},
    wire::{Draft, Method, Request, Uri, name},
};

/// A request to be written by [`Endpoint::compose`].
#[derive(Debug, Clone, Copy)]
pub struct Composed<'a> {
    /// The method.
    pub method: &'a Method,
    /// The Request-URI.
    pub uri: &'a Uri,
    /// The From, as a name-addr without tag.
    pub from: &'a str,
    /// The To, as a name-addr without tag.
    pub to: &'a str,
}

impl Endpoint {
    pub(super) fn accept_invite(
        &mut self,
        arrival: &Arrival,
        id: LegId,
        line: Option<Arc<OnLine>>,
    ) -> Result<Incoming, Refused> {
        if *arrival.request.method() == Method::Invite && !self.waiting.remove(&arrival.transaction)
        {
            return Err(Refused {
                status: 487,
                why: "the INVITE was answered or withdrawn".into(),
            });
        }
        let replaces = self.replaces_of(&arrival.request).map_err(|(status, why)| {
            (self.context.response_to(&arrival.request, status, ""), Refused { status, why })
        });
        let accepted = replaces.and_then(|replaces| {
            Leg::accept(&mut self.context, id, arrival, line).map(|accepted| (accepted, replaces))
        });
        match accepted {
            Ok((Accepted { leg, mut incoming }, replaces)) => {
                incoming.replaces = replaces;
                self.legs.insert(id, Box::new(leg));
                self.settle(id);
                Ok(incoming)
            }
            Err((draft, refused)) => {
                self.context.table.respond(self.context.now, arrival.transaction, &draft);
                self.drain();
                Err(refused)
            }
        }
    }

    /// The leg that an INVITE asks to take the place of (RFC 3891 §3).
    fn replaces_of(&self, request: &Request) -> Result<Option<Replaced>, (u16, String)> {
        let headers = request.headers();
        let Some(value) = headers.value(&name::REPLACES) else { return Ok(None) };
        if headers.count(&name::REPLACES) > 1 {
            return Err((400, "Replaces stands there twice".into()));
        }
        let replaces = Replaces::parse(&value).map_err(|fault| (fault.status, fault.what))?;
        let replaced = self.replaced(&replaces);
        if let Replaced::Leg(leg) = replaced
            && replaces.early_only
            && self.legs.get(&leg).is_some_and(|leg| leg.is_confirmed())
        {
            return Err((486, "the call to be picked up was already answered".into()));
        }
        Ok(Some(replaced))
    }
}

impl Context {
    pub(crate) fn response_to(&mut self, request: &Request, status: u16, phrase: &str) -> Draft {
        let tag = Tag::random(&mut self.random).to_string();
        let mut draft = Draft::response_to(request, status, phrase, Some(&tag));
        if status == 405 {
            draft.push(&name::ALLOW, ALLOW);
        }
        self.put_product(&mut draft, &name::SERVER);
        draft
    }

    pub(super) fn compose(&mut self, request: &Composed<'_>) -> Draft {
        let tag = Tag::random(&mut self.random);
        let call_id = new_call_id(&mut self.random);
        let mut draft = Draft::request(request.method, request.uri);
        draft
            .push(&name::MAX_FORWARDS, Bytes::from_static(MAX_FORWARDS))
            .push(&name::FROM, with_tag(request.from.as_bytes(), tag))
            .push(&name::TO, request.to)
            .push(&name::CALL_ID, &call_id)
            .push(&name::CSEQ, format!("1 {}", request.method));
        self.put_product(&mut draft, &name::USER_AGENT);
        draft
    }

    /// Says what we can do, in a message that begins or changes a session.
    pub(crate) fn put_abilities(&self, draft: &mut Draft, reliable_provisional: bool) {
        draft.push(&name::ALLOW, ALLOW);
        let supported = if reliable_provisional {
            "replaces, timer, norefersub, 100rel"
        } else {
            "replaces, timer, norefersub"
        };
        draft.push(&name::SUPPORTED, supported);
    }
}
