// SPDX-License-Identifier: GPL-3.0-or-later
//! What a leg on a line does besides: it answers challenges, tries other ways, and speaks under the
//! line's name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sipwitch_core::cause::Cause;

use super::{
    Leg, State,
    asking::{Asking, Purpose},
    names,
};
use crate::{
    auth::client::{Answers, Tries, in_draft},
    endpoint::{Context, OnLine},
    flow::{Flow, Transport},
    transaction::ClientId,
    wire::{Draft, Name, Response, name, tag},
};

/// How long a way may be silent before the next one is tried: of a datagram the third repetition
/// (after 3.5 s, RFC 3261 §17.1.1.2) may still be answered, and the next way is asked within 4 s.
pub(crate) const fn patience(transport: Transport) -> Duration {
    match transport {
        Transport::Udp => Duration::from_millis(3800),
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => Duration::from_secs(3),
    }
}

/// As whom a leg speaks on its line, and what it knows of those who challenge it.
pub(super) struct Speaker {
    pub(super) line: Arc<OnLine>,
    answers: Answers,
    /// The credentials of our latest INVITE, which its ACK repeats (RFC 3261 §22.1).
    shown: Vec<(Name, Bytes)>,
}

/// A request that may have to be sent once more.
pub(super) struct Kept {
    draft: Draft,
    flow: Flow,
    tries: Tries,
}

impl Speaker {
    pub(super) fn new(line: &Arc<OnLine>) -> Box<Self> {
        Box::new(Self { line: Arc::clone(line), answers: Answers::default(), shown: Vec::new() })
    }

    /// Puts in what those who have challenged us want to see.
    pub(super) fn put(&mut self, draft: &mut Draft) {
        if let Some(credentials) = &self.line.credentials {
            self.answers.put(draft, credentials);
        }
    }

    /// Whether a 401 or 407 can be answered by sending the request once more.
    pub(super) fn takes_challenge(
        &mut self,
        context: &mut Context,
        tries: &mut Tries,
        response: &Response,
    ) -> bool {
        let Some(credentials) = &self.line.credentials else { return false };
        matches!(response.status(), 401 | 407)
            && self.answers.challenged(tries, response, credentials, &mut context.random).is_ok()
    }

    /// Notes what an INVITE that was accepted had shown.
    pub(super) fn accepted(&mut self, invite: &Draft, response: &Response) {
        self.shown = in_draft(invite);
        self.answers.heed(response);
    }

    pub(super) fn put_into_ack(&self, ack: &mut Draft) {
        for (name, value) in &self.shown {
            ack.push(name, value);
        }
    }
}

impl Leg {
    /// The line it is on.
    pub(crate) fn line(&self) -> Option<&Arc<OnLine>> {
        self.speaker.as_ref().map(|speaker| &speaker.line)
    }

    /// Sends a request of ours inside the dialog, and waits for its answer.
    pub(super) fn ask_far_end(
        &mut self,
        context: &mut Context,
        flow: Flow,
        draft: Draft,
        purpose: Purpose,
    ) {
        let (client, kept) = self.send(context, flow, draft, Tries::default());
        self.asking.push(Asking { client, purpose, kept });
    }

    /// Sends a request of ours. On a line it goes with credentials, and is kept.
    fn send(
        &mut self,
        context: &mut Context,
        flow: Flow,
        mut draft: Draft,
        tries: Tries,
    ) -> (ClientId, Option<Box<Kept>>) {
        let Some(speaker) = &mut self.speaker else {
            return (context.request(self.id, flow, &draft), None);
        };
        speaker.put(&mut draft);
        let client = context.request_to_place(self.id, flow, &draft);
        (client, Some(Box::new(Kept { draft, flow, tries })))
    }

    /// Answers a challenge by sending the request once more. Gives the request back if that is
    /// not to be.
    pub(super) fn asked_again(
        &mut self,
        context: &mut Context,
        asking: Asking,
        response: &Response,
    ) -> Option<Asking> {
        let Asking { client, purpose, kept } = asking;
        let Some(mut kept) = kept else { return Some(Asking { client, purpose, kept: None }) };
        let takes = self
            .speaker
            .as_mut()
            .is_some_and(|speaker| speaker.takes_challenge(context, &mut kept.tries, response));
        let cseq = if takes { self.next_cseq_of(&kept.draft) } else { None };
        let Some(cseq) = cseq else { return Some(Asking { client, purpose, kept: Some(kept) }) };
        let Kept { mut draft, flow, tries } = *kept;
        let method = draft.method().map(ToString::to_string).unwrap_or_default();
        draft.set(&name::CSEQ, format!("{cseq} {method}"));
        let (client, kept) = self.send(context, flow, draft, tries);
        self.asking.push(Asking { client, purpose, kept });
        None
    }

    /// Learns from an answer to a request of ours what the next one needs.
    pub(super) fn heed(&mut self, asking: &Asking, response: &Response, is_accepted_invite: bool) {
        let (Some(speaker), Some(kept)) = (&mut self.speaker, &asking.kept) else { return };
        if is_accepted_invite {
            speaker.accepted(&kept.draft, response);
        } else {
            speaker.answers.heed(response);
        }
    }

    /// The next number in the dialog that a request of ours was in.
    fn next_cseq_of(&mut self, draft: &Draft) -> Option<u32> {
        let remote = draft.value(&name::TO).and_then(tag).unwrap_or_default();
        let dialog = match &mut self.state {
            State::Calling(calling) => calling
                .early
                .iter_mut()
                .map(|early| &mut early.dialog)
                .find(|dialog| dialog.remote_tag() == remote),
            State::Ringing(ringing) => ringing.early.last_mut().map(|early| &mut early.dialog),
            State::Standing(standing) => Some(&mut standing.dialog),
            State::Leaving(leaving) => Some(&mut leaving.dialog),
            State::Over => None,
        };
        dialog.map(crate::dialog::Dialog::next_cseq)
    }

    /// Our Contact on another flow.
    pub(super) fn contact_on(&self, flow: &Flow) -> Arc<[u8]> {
        let before = String::from_utf8_lossy(&self.contact);
        let is_secure = before.starts_with("<sips:");
        let contact = match self.line() {
            Some(line) => line.contact_value(is_secure, flow),
            None => {
                let before = crate::wire::NameAddr::parse(&self.contact).ok();
                let user = before.and_then(|contact| contact.uri().user());
                names::contact(user.as_deref(), is_secure, flow)
            }
        };
        contact.into_bytes().into()
    }

    /// Gives up the place that our first INVITE went to, and asks the next one. Not once anything
    /// rang: that would ring twice.
    pub(super) fn try_next_place(&mut self, context: &mut Context, is_silent: bool) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        if !calling.early.is_empty() {
            return false;
        }
        let Some(next) = calling.alternatives.pop_front() else { return false };
        let before = calling.client;
        if is_silent {
            self.abandon(context, before);
        } else {
            context.disown_client(before);
        }
        self.contact = self.contact_on(&next);
        let State::Calling(calling) = &mut self.state else { return false };
        calling.move_to(context, next, &self.contact);
        if let Some(speaker) = &mut self.speaker {
            speaker.put(&mut calling.draft);
        }
        calling.again(context, self.id);
        true
    }

    /// Whoever begins another leg shall know which place did not take this one.
    pub(super) fn tell_failed_place(&self, context: &mut Context, rest: Option<Duration>) {
        if let State::Calling(calling) = &self.state
            && let Some(flow) = calling.place()
        {
            context.place_failed(flow, rest);
        }
    }

    /// Nothing was heard from the last place either: whoever has another way shall try it now.
    pub(super) fn give_up_silent_place(&mut self, context: &mut Context) {
        let State::Calling(calling) = &mut self.state else { return };
        calling.patience = None;
        let client = calling.client;
        self.abandon(context, client);
        self.finish(context, Cause::timeout());
    }

    /// Leaves an INVITE that nothing was heard of; what is still heard of it belongs to nobody.
    fn abandon(&self, context: &mut Context, client: ClientId) {
        let reason = (name::REASON.clone(), Bytes::from(Cause::timeout().reason()));
        context.table.abandon(context.now, client, &[reason]);
        context.leave_client(client, self.line());
    }
}
