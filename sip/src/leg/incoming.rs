// SPDX-License-Identifier: GPL-3.0-or-later
//! Ringing: their INVITE until its final answer (RFC 3261 §13.3).

use std::sync::Arc;

use sipwitch_core::{
    call::leg::{Carried, Fork, LegEvent, LegId, ReliableId, Status},
    cause::Cause,
};

use super::{
    Early, Invite, Leg, Standing, State, carried,
    line::Speaker,
    names, of_reasons,
    reliable::Shown,
    session_timer::{self, SessionTimer},
};
use crate::{
    dialog::{Dialog, Tag},
    endpoint::{Arrival, Claims, Context, Incoming, OnLine, Refused},
    flow::Flow,
    transaction::ServerId,
    wire::{Draft, Headers, Method, Request, name},
};

/// Early dialogs that one caller is shown.
const MAX_FORKS: usize = 16;

/// Max-Forwards of an INVITE that has none (RFC 3261 §16.6 step 3).
const HOPS: u8 = 70;

/// An INVITE of theirs under way.
pub(super) struct Ringing {
    pub(super) transaction: ServerId,
    pub(super) cseq: u32,
    request: Request,
    pub(super) early: Vec<Early<Shown>>,
    /// The caller takes no unreliable provisional responses.
    reliable_only: bool,
    takes_reliable: bool,
    /// The answer waits for a PRACK (RFC 3262 §3).
    answer: Option<(Fork, Carried)>,
}

/// A leg made of an INVITE, and what was found in it.
pub(crate) struct Accepted {
    pub(crate) leg: Leg,
    pub(crate) incoming: Incoming,
}

impl Ringing {
    pub(super) fn local_tags(&self) -> Vec<Tag> {
        self.early.iter().map(|early| early.dialog.local_tag()).collect()
    }
}

impl Leg {
    /// Makes a leg of an INVITE. Its Replaces, if any, is the endpoint's to look up.
    ///
    /// # Errors
    /// Why not, and the answer to give.
    pub(crate) fn accept(
        context: &mut Context,
        id: LegId,
        arrival: &Arrival,
        line: Option<Arc<OnLine>>,
    ) -> Result<Accepted, (Draft, Refused)> {
        let request = &arrival.request;
        let headers = request.headers();
        let refuse = |context: &mut Context, status: u16, why: String| {
            let draft = context.response_to(request, status, "");
            (draft, Refused { status, why })
        };
        if *request.method() != Method::Invite {
            return Err(refuse(context, 405, "only an INVITE makes a leg".into()));
        }
        if session_timer::is_too_short(headers, &context.settings) {
            let (mut draft, refused) =
                refuse(context, 422, "the session interval is too short".into());
            draft.push(&name::MIN_SE, session_timer::least(&context.settings).to_string());
            return Err((draft, refused));
        }
        let tag = Tag::random(&mut context.random);
        let parts = Dialog::of_request(request, tag, arrival.flow)
            .and_then(|dialog| Ok((dialog, request.from()?, request.to()?, request.cseq()?)));
        let (dialog, from, to, cseq) = match parts {
            Ok(parts) => parts,
            Err(fault) => return Err(refuse(context, fault.status, fault.what)),
        };
        let uri = request.uri();
        let contact = match &line {
            Some(line) => line.contact_value(uri.is_sips(), &arrival.flow),
            None => names::contact(uri.user().as_deref(), uri.is_sips(), &arrival.flow),
        };
        let reliable_only = headers.has_token(&name::REQUIRE, "100rel");
        let takes_reliable = reliable_only || headers.has_token(&name::SUPPORTED, "100rel");
        let hops = headers
            .number(&name::MAX_FORWARDS)
            .map_or(HOPS, |hops| u8::try_from(hops).unwrap_or(u8::MAX).saturating_sub(1));
        let from = names::party(from, &context.settings, &arrival.flow);
        let incoming = Incoming {
            claims: Claims::of(headers, &from, &context.settings, &arrival.flow),
            from,
            to: names::party(to, &context.settings, &arrival.flow),
            request_uri: uri,
            carried: carried::take(headers, request.body()),
            hops,
            reliable_provisional: takes_reliable,
            replaces: None,
        };
        let ringing = Ringing {
            transaction: arrival.transaction,
            cseq: cseq.number,
            request: request.clone(),
            early: vec![Early { fork: Fork::default(), dialog, reliable: Shown::default() }],
            reliable_only,
            takes_reliable,
            answer: None,
        };
        context.own_tag(tag, id);
        context.own_invite(arrival.transaction, id);
        let contact: Arc<[u8]> = contact.into_bytes().into();
        let mut leg = Self::new(id, State::Ringing(Box::new(ringing)), contact);
        leg.learn(headers);
        leg.speaker = line.as_ref().map(Speaker::new);
        Ok(Accepted { leg, incoming })
    }

    /// Shows progress in the early dialog of a fork.
    pub(super) fn progress(
        &mut self,
        context: &mut Context,
        fork: Fork,
        status: &Status,
        reliable: Option<ReliableId>,
        carried: &Carried,
    ) {
        let id = self.id;
        let contact = Arc::clone(&self.contact);
        let State::Ringing(ringing) = &mut self.state else { return };
        if !(101..=199).contains(&status.code) || ringing.answer.is_some() {
            return;
        }
        let Some(at) = ringing.early_of(context, id, fork) else { return };
        let mut draft = ringing.response(context, at, status, &contact);
        carried::put(carried, &mut draft);
        let server = ringing.transaction;
        if ringing.reliable_only || (reliable.is_some() && ringing.takes_reliable) {
            ringing.early[at].reliable.show(context, server, draft, reliable);
        } else {
            context.table.respond(context.now, server, &draft);
        }
    }

    /// Answers in the dialog of a fork; the other early dialogs are over with it.
    pub(super) fn answer(&mut self, context: &mut Context, fork: Fork, carried: Carried) {
        let id = self.id;
        let contact = Arc::clone(&self.contact);
        let State::Ringing(ringing) = &mut self.state else { return };
        let Some(at) = ringing.early_of(context, id, fork) else { return };
        if ringing.early[at].reliable.is_waiting() {
            ringing.answer = Some((fork, carried));
            return;
        }
        let mut draft = ringing.response(context, at, &Status::new(200), &contact);
        let timer = SessionTimer::answer(
            context.now,
            ringing.request.headers(),
            &context.settings,
            &mut draft,
        );
        carried::put(&carried, &mut draft);
        let server = ringing.transaction;
        context.table.respond(context.now, server, &draft);
        let cseq = ringing.cseq;
        let dialog = ringing.early.swap_remove(at).dialog;
        for early in &ringing.early {
            context.disown_tag(early.dialog.local_tag());
        }
        let mut standing = Standing {
            dialog,
            invite: Invite::Unacknowledged { server, exchange: None, cseq },
            timer,
            description: None,
            transfers: Vec::new(),
            moving: None,
        };
        standing.describe(self.keeps(), carried.sdp());
        self.state = State::Standing(Box::new(standing));
    }

    /// Gives the answer that waited for a PRACK.
    pub(super) fn answer_if_ready(&mut self, context: &mut Context) {
        let State::Ringing(ringing) = &mut self.state else { return };
        if let Some((fork, carried)) = ringing.answer.take() {
            self.answer(context, fork, carried);
        }
    }

    /// Refuses the INVITE; the leg is still to be finished.
    pub(super) fn refuse_invite(&mut self, context: &mut Context, status: u16, cause: &Cause) {
        let State::Ringing(ringing) = &mut self.state else { return };
        let tag = ringing.early.first().map(|early| early.dialog.local_tag().to_string());
        let mut draft = Draft::response_to(&ringing.request, status, "", tag.as_deref());
        // RFC 6432: a response may tell the Q.850 value, which says more than the status.
        if let Some(reason) = cause.q850.and_then(|_| cause.q850_reason()) {
            draft.push(&name::REASON, reason);
        }
        context.put_product(&mut draft, &name::SERVER);
        context.table.respond(context.now, ringing.transaction, &draft);
        context.disown_invite(ringing.transaction);
    }

    /// The caller gave up before the answer. To a re-INVITE nothing is done: its answer is on its
    /// way from another far end, and both ends must think the same of the session.
    pub(crate) fn cancelled(
        &mut self,
        context: &mut Context,
        server: ServerId,
        cancel: Headers<'_>,
    ) {
        if !matches!(&self.state, State::Ringing(ringing) if ringing.transaction == server) {
            return;
        }
        let told = of_reasons(Cause::cancelled(), cancel);
        let cause = if told.is_answered_elsewhere() {
            told
        } else {
            Cause { text: told.text, ..Cause::cancelled() }
        };
        self.refuse_invite(context, 487, &Cause::from_sip(487));
        self.finish(context, cause);
    }

    /// The caller cannot be reached with an answer.
    pub(crate) fn unanswerable(&mut self, context: &mut Context, server: ServerId) {
        match &self.state {
            State::Ringing(ringing) if ringing.transaction == server => {
                self.finish(context, Cause::timeout());
            }
            State::Standing(standing) => match standing.invite {
                Invite::Unacknowledged { server: ours, .. } if ours == server => {
                    self.ack_missing(context, server);
                }
                Invite::Idle | Invite::Unconfirmed { .. } | Invite::Unacknowledged { .. } => {}
            },
            State::Leaving(_) => self.ack_missing(context, server),
            State::Ringing(_) | State::Calling(_) | State::Over => {}
        }
    }

    /// Takes the ACK to our 2xx.
    pub(crate) fn acknowledged(&mut self, context: &mut Context, ack: &Request, flow: Flow) {
        let Ok(acked) = ack.cseq() else { return };
        let keeps = self.keeps();
        match &mut self.state {
            State::Standing(standing) if standing.dialog.owns(ack) => {
                let Invite::Unacknowledged { server, exchange, cseq } = standing.invite else {
                    return;
                };
                if acked.number != cseq {
                    return;
                }
                standing.dialog.heard_on(flow);
                standing.invite = Invite::Idle;
                standing.describe(keeps, None);
                context.table.acknowledged(server);
                context.disown_invite(server);
                let carried = carried::take(ack.headers(), ack.body());
                let event = match exchange {
                    None => LegEvent::Confirmed { carried },
                    Some(exchange) => LegEvent::ReinviteConfirmed { exchange, carried },
                };
                self.tell(context, event);
            }
            State::Leaving(leaving) if leaving.dialog.owns(ack) => {
                leaving.dialog.heard_on(flow);
                self.leave_acknowledged(context, acked.number);
            }
            State::Standing(_)
            | State::Leaving(_)
            | State::Calling(_)
            | State::Ringing(_)
            | State::Over => {}
        }
    }
}

impl Ringing {
    /// The index of a fork's early dialog, made if need be. The first fork to be shown takes the
    /// The index of a fork's early dialog, made if need be.
    fn early_of(&mut self, context: &mut Context, leg: LegId, fork: Fork) -> Option<usize> {
        if let Some(at) = self.early.iter().position(|early| early.fork == fork) {
            return Some(at);
        }
        let first = self.early.first()?;
        if self.early.len() == MAX_FORKS {
            return Some(self.early.len() - 1);
        }
        let tag = Tag::random(&mut context.random);
        let dialog = first.dialog.with_local_tag(&self.request, tag);
        context.own_tag(tag, leg);
        self.early.push(Early { fork, dialog, reliable: Shown::default() });
        Some(self.early.len() - 1)
    }

    /// A response that makes or confirms a dialog (RFC 3261 §12.1.1).
    fn response(&self, context: &Context, at: usize, status: &Status, contact: &[u8]) -> Draft {
        let tag = self.early[at].dialog.local_tag().to_string();
        let mut draft = Draft::response_to(&self.request, status.code, &status.reason, Some(&tag));
        for route in self.request.headers().all(&name::RECORD_ROUTE) {
            draft.push(&name::RECORD_ROUTE, route);
        }
        draft.push(&name::CONTACT, contact);
        context.put_abilities(&mut draft, self.takes_reliable);
        context.put_product(&mut draft, &name::SERVER);
        draft
    }
}
