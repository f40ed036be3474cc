// SPDX-License-Identifier: GPL-3.0-or-later
//! Calling: our INVITE until its final answer (RFC 3261 §13.2).

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Carried, ExchangeId, Fork, Invitation, LegEvent, LegId, Status},
    cause::Cause,
};

use super::{
    Early, Invite, Leg, Standing, State, carried, cause_of, ending,
    line::{Speaker, patience},
    names,
    reliable::Heard,
    session_timer::{self, SessionTimer},
};
use crate::{
    auth::client::Tries,
    dialog::{Dialog, Origin, Tag, new_call_id, with_tag},
    endpoint::{Context, OnLine, Target, named},
    flow::Flow,
    transaction::{ClientId, Failure},
    wire::{Draft, Method, NameAddr, Response, Uri, name},
};

/// Far ends that one INVITE may be forked to. More are answered and ended, never shown.
const MAX_FORKS: usize = 16;

/// Places a far end may send the caller to.
const MAX_TARGETS: usize = 8;

/// How often one INVITE is written anew, for a longer session interval or over a new connection.
const MAX_RETRIES: u8 = 2;

/// An INVITE of ours under way.
pub(super) struct Calling {
    origin: Origin,
    pub(super) client: ClientId,
    /// Kept to be sent once more: after a challenge or a 422, on a new connection, elsewhere.
    pub(super) draft: Draft,
    description: Option<Bytes>,
    pub(super) flow: Flow,
    /// Other places that do the same, the best first.
    pub(super) alternatives: VecDeque<Flow>,
    /// Whether it goes to places that were looked up, not to a phone.
    is_to_place: bool,
    /// When the next place is tried if nothing is heard.
    pub(super) patience: Option<Instant>,
    tries: Tries,
    retries: u8,
    reliable_offered: bool,
    pub(super) early: Vec<Early<Heard>>,
    /// Index of the early dialog that was heard last.
    current: usize,
    next_fork: u32,
    pub(super) next_reliable: u32,
}

impl Calling {
    pub(super) fn local_tag(&self) -> Tag {
        self.origin.local_tag
    }

    /// The CSeq of the INVITE.
    pub(super) fn cseq(&self) -> u32 {
        self.origin.cseq
    }

    pub(super) fn current(&mut self) -> Option<&mut Early<Heard>> {
        self.early.get_mut(self.current)
    }

    /// The early dialog of a response, made if need be.
    fn early_of(&mut self, response: &Response, flow: Flow) -> Option<&mut Early<Heard>> {
        let tag = response.to_tag().unwrap_or_default();
        let at = self.early.iter().position(|early| *early.dialog.remote_tag() == *tag);
        self.current = match at {
            Some(at) => at,
            None if self.early.len() < MAX_FORKS => {
                let dialog = Dialog::of_response(&self.origin, response, flow).ok()?;
                let fork = Fork(self.next_fork);
                self.next_fork += 1;
                self.early.push(Early { fork, dialog, reliable: Heard::default() });
                self.early.len() - 1
            }
            None => return None,
        };
        let early = &mut self.early[self.current];
        early.dialog.heard_on(flow);
        Some(early)
    }
}

impl Leg {
    /// Sends the INVITE.
    pub(crate) fn start(
        context: &mut Context,
        id: LegId,
        target: &Target,
        invitation: &Invitation,
    ) -> Self {
        let flow = target.flow;
        let local_tag = Tag::random(&mut context.random);
        let request_uri = target.request_uri.for_request_line();
        let (from, to, contact) = match target.line.as_deref() {
            Some(line) => (
                line.from_value(),
                named(&invitation.to.display, &request_uri),
                line.contact_value(request_uri.is_sips(), &flow),
            ),
            None => {
                let from = names::name_addr(&invitation.from, &context.settings, &flow);
                let user = NameAddr::parse(from.as_bytes()).ok().and_then(|f| f.uri().user());
                let to = names::name_addr(&invitation.to, &context.settings, &flow);
                (from, to, names::contact(user.as_deref(), request_uri.is_sips(), &flow))
            }
        };
        let origin = Origin {
            call_id: new_call_id(&mut context.random),
            local: with_tag(from.as_bytes(), local_tag).into(),
            local_tag,
            cseq: 1,
            request_uri: request_uri.to_bytes().as_ref().into(),
        };
        let mut draft = Draft::request(&Method::Invite, &request_uri);
        let service_route = target.line.as_deref().map_or(&[][..], |line| &line.service_route);
        for route in target.route.iter().chain(service_route) {
            draft.push(&name::ROUTE, route);
        }
        draft
            .push(&name::MAX_FORWARDS, invitation.hops.to_string())
            .push(&name::FROM, &origin.local)
            .push(&name::TO, to)
            .push(&name::CALL_ID, &origin.call_id)
            .push(&name::CSEQ, "1 INVITE")
            .push(&name::CONTACT, contact.clone());
        context.put_abilities(&mut draft, invitation.reliable_provisional);
        session_timer::ask(&mut draft, &context.settings, 0);
        if let Some(by) = &invitation.diverted_by {
            draft.push(&name::DIVERSION, names::name_addr(by, &context.settings, &flow));
        }
        context.put_product(&mut draft, &name::USER_AGENT);
        if let Some(line) = &target.line {
            line.put_identity(&mut draft);
        }
        carried::put(&invitation.carried, &mut draft);
        let is_to_place = target.is_place || target.line.is_some();
        let client = send(context, id, flow, &draft, is_to_place);
        context.own_tag(local_tag, id);
        let mut calling = Calling {
            origin,
            client,
            draft,
            description: invitation.carried.sdp().cloned(),
            flow,
            alternatives: target.alternatives.iter().copied().take(MAX_TARGETS).collect(),
            patience: None,
            tries: Tries::default(),
            retries: 0,
            is_to_place,
            reliable_offered: invitation.reliable_provisional,
            early: Vec::new(),
            current: 0,
            next_fork: 0,
            next_reliable: 0,
        };
        calling.arm(context.now);
        let mut leg = Self::new(id, State::Calling(Box::new(calling)), contact.into_bytes().into());
        leg.speaker = target.line.as_ref().map(Speaker::new);
        leg
    }

    /// Whether this is the transaction of our first INVITE.
    pub(super) fn is_calling(&self, client: ClientId) -> bool {
        matches!(&self.state, State::Calling(calling) if calling.client == client)
    }

    /// Takes a response to our first INVITE.
    pub(super) fn invite_answered(
        &mut self,
        context: &mut Context,
        response: &Response,
        flow: Flow,
    ) {
        if let State::Calling(calling) = &mut self.state {
            calling.patience = None;
        }
        match response.status() {
            ..=100 => {}
            101..=199 => self.progressed(context, response, flow),
            200..=299 => self.called_and_answered(context, response, flow),
            300.. => self.refused(context, response),
        }
    }

    fn progressed(&mut self, context: &mut Context, response: &Response, flow: Flow) {
        self.learn(response.headers());
        let State::Calling(calling) = &mut self.state else { return };
        let offered = calling.reliable_offered;
        let mut next = calling.next_reliable;
        let Some(early) = calling.early_of(response, flow) else { return };
        early.dialog.refresh_target(response.headers());
        let fork = early.fork;
        let rseq = super::reliable::rseq_of(response).filter(|_| offered);
        let reliable = match rseq {
            None => None,
            Some(rseq) => match early.reliable.note(rseq, &mut next) {
                Some(id) => Some(id),
                // A repetition, or one that overtook another (RFC 3262 §4): as if not come.
                None => return,
            },
        };
        calling.next_reliable = next;
        let event = LegEvent::Progress {
            fork,
            status: status_of(response),
            reliable,
            carried: carried::take(response.headers(), response.body()),
        };
        self.tell(context, event);
    }

    fn called_and_answered(&mut self, context: &mut Context, response: &Response, flow: Flow) {
        self.learn(response.headers());
        let State::Calling(calling) = &mut self.state else { return };
        let client = calling.client;
        let cseq = calling.origin.cseq;
        let Some(early) = calling.early_of(response, flow) else {
            // Nothing that could be talked to.
            let line = self.speaker.as_ref().map(|speaker| &speaker.line);
            ending::end_stray_answer(context, Some(client), response, flow, line);
            context.disown_client(client);
            self.finish(context, Cause::from_sip(502));
            return;
        };
        early.dialog.confirm(response, flow);
        if let Some(speaker) = &mut self.speaker {
            speaker.accepted(&calling.draft, response);
        }
        let State::Calling(calling) = &mut self.state else { return };
        let early = &calling.early[calling.current];
        let fork = early.fork;
        let current = calling.current;
        let early = calling.early.swap_remove(current);
        let description = calling.description.take();
        let timer = SessionTimer::of_response(context.now, response.headers(), &context.settings);
        let mut standing = Standing {
            dialog: early.dialog,
            invite: Invite::Unconfirmed { client, exchange: None, cseq },
            timer,
            description: None,
            transfers: Vec::new(),
            moving: None,
        };
        standing.describe(self.keeps(), description.as_ref());
        self.state = State::Standing(Box::new(standing));
        let carried = carried::take(response.headers(), response.body());
        self.tell(context, LegEvent::Answered { fork, carried });
    }

    fn refused(&mut self, context: &mut Context, response: &Response) {
        let State::Calling(calling) = &mut self.state else { return };
        context.disown_client(calling.client);
        let status = response.status();
        let min_se = response.headers().number(&name::MIN_SE).filter(|_| status == 422);
        if let Some(min_se) = min_se.filter(|_| calling.retries < MAX_RETRIES) {
            session_timer::ask(&mut calling.draft, &context.settings, min_se);
            calling.retries += 1;
            calling.again(context, self.id);
            return;
        }
        if let Some(speaker) = &mut self.speaker
            && speaker.takes_challenge(context, &mut calling.tries, response)
        {
            speaker.put(&mut calling.draft);
            calling.arm(context.now);
            calling.again(context, self.id);
            return;
        }
        let cause = cause_of(status, response.headers());
        if matches!(status, 430 | 503) {
            self.tell_failed_place(context, cause.retry_after);
            if self.try_next_place(context, false) {
                return;
            }
        }
        if (300..=399).contains(&status) {
            let State::Calling(calling) = &self.state else { return };
            let asked = self.speaker.is_some().then_some(&**calling);
            let targets = targets_of(response, asked);
            self.tell(context, LegEvent::Redirected { targets, cause: cause.clone() });
        }
        self.finish(context, cause);
    }

    /// Our first INVITE will not be answered.
    pub(super) fn invite_failed(&mut self, context: &mut Context, why: Failure) {
        self.tell_failed_place(context, None);
        if self.try_next_place(context, false) {
            return;
        }
        let is_on_line = self.speaker.is_some();
        let State::Calling(calling) = &mut self.state else { return };
        context.disown_client(calling.client);
        match why {
            Failure::TimedOut => self.finish(context, Cause::timeout()),
            // The connection the phone registered on is gone: one of our own may still reach it.
            Failure::Unreachable
                if calling.flow.connection.is_some()
                    && !is_on_line
                    && calling.early.is_empty()
                    && calling.retries < MAX_RETRIES =>
            {
                calling.flow.connection = None;
                calling.retries += 1;
                calling.again(context, self.id);
            }
            Failure::Unreachable => {
                let cause = Cause { q850: Some(27), ..Cause::from_sip(503) };
                self.finish(context, cause);
            }
        }
    }

    /// Acknowledges the 2xx to our INVITE, the first or a later one.
    pub(super) fn confirm(
        &mut self,
        context: &mut Context,
        confirmed: Option<ExchangeId>,
        carried: &Carried,
    ) {
        let keeps = self.keeps();
        let State::Standing(standing) = &mut self.state else { return };
        let Invite::Unconfirmed { client, exchange, cseq } = standing.invite else { return };
        if exchange != confirmed {
            return;
        }
        let (mut ack, flow) = standing.dialog.ack(cseq, &context.listeners);
        if let Some(speaker) = &self.speaker {
            speaker.put_into_ack(&mut ack);
        }
        carried::put(carried, &mut ack);
        context.table.send_ack(Some(client), flow, &ack);
        // From here on the table repeats the ACK; a 2xx from another far end belongs to nobody.
        context.disown_client(client);
        standing.invite = Invite::Idle;
        standing.describe(keeps, carried.sdp());
    }
}

impl Leg {
    /// Acknowledges a 2xx whose transaction is long gone, if it belongs to the dialog that stands,
    /// or is on its way out. Gives whether it does; else nobody waits for it, which is noted.
    pub(crate) fn acknowledge_again(
        &mut self,
        context: &mut Context,
        response: &Response,
        flow: Flow,
    ) -> bool {
        let (Ok(call_id), Ok(cseq)) = (response.call_id(), response.cseq()) else { return true };
        let far = response.to_tag().unwrap_or_default();
        let standing = match &mut self.state {
            State::Standing(standing) => standing,
            State::Leaving(leaving) => {
                return leaving.dialog.is(&call_id, leaving.dialog.local_tag(), &far);
            }
            // The place that was left for another one answers after all.
            State::Calling(calling) => {
                let tag = calling.local_tag();
                if !context.late.knows(context.now, tag) {
                    context.late.note(context.now, tag, self.line());
                }
                return false;
            }
            State::Ringing(_) | State::Over => return true,
        };
        let dialog = &mut standing.dialog;
        if !dialog.is(&call_id, dialog.local_tag(), &far) {
            let tag = dialog.local_tag();
            if !context.late.knows(context.now, tag) {
                context.late.note(context.now, tag, self.line());
            }
            return false;
        }
        if standing.invite == Invite::Idle {
            dialog.heard_on(flow);
            let (mut ack, flow) = dialog.ack(cseq.number, &context.listeners);
            if let Some(speaker) = &self.speaker {
                speaker.put_into_ack(&mut ack);
            }
            context.table.send_ack(None, flow, &ack);
        }
        true
    }
}

impl Calling {
    /// Sends the INVITE once more, as a new one.
    pub(super) fn again(&mut self, context: &mut Context, leg: LegId) {
        self.origin.cseq += 1;
        self.draft.set(&name::CSEQ, format!("{} INVITE", self.origin.cseq));
        self.early.clear();
        self.client = send(context, leg, self.flow, &self.draft, self.is_to_place);
    }

    /// Waits so long for the present place: there is another, or the caller may know another way.
    /// A phone may take its time.
    fn arm(&mut self, now: Instant) {
        let is_short = self.is_to_place || !self.alternatives.is_empty();
        self.patience = is_short.then(|| now + patience(self.flow.transport));
    }

    /// The place that was asked, if it is one that was looked up and is still all that was asked.
    pub(super) fn place(&self) -> Option<Flow> {
        (self.is_to_place && self.early.is_empty()).then_some(self.flow)
    }

    /// Goes to another place, where our Contact is another one.
    pub(super) fn move_to(&mut self, context: &Context, flow: Flow, contact: &[u8]) {
        self.flow = flow;
        self.draft.set(&name::CONTACT, contact);
        self.tries = Tries::default();
        self.arm(context.now);
    }

    /// Gives the INVITE up: CANCEL now or as soon as may be (RFC 3261 §9.1).
    pub(super) fn cancel(&self, context: &mut Context, cause: &Cause, line: Option<&Arc<OnLine>>) {
        let reason = (name::REASON.clone(), Bytes::from(cause.reason()));
        context.table.cancel(context.now, self.client, &[reason]);
        // An answer that crosses the CANCEL belongs to nobody: the endpoint ends it.
        context.leave_client(self.client, line);
    }

    /// Drops the early dialog that its far end took back.
    pub(super) fn drop_early(&mut self, remote_tag: &[u8]) {
        self.early.retain(|early| early.dialog.remote_tag() != remote_tag);
        self.current = self.early.len().saturating_sub(1);
    }
}

pub(super) fn status_of(response: &Response) -> Status {
    let code = response.status();
    let reason = response.reason();
    let usual = reason == crate::wire::reason_phrase(code);
    Status { code, reason: if usual { String::new() } else { reason.chars().take(128).collect() } }
}

/// The Contacts of a 3xx, the most wanted first (RFC 3261 §8.1.3.4, §20.10 `q`). A phone may send
/// the caller to another extension of ours; on a line, `asked` says what leads round in a circle:
/// whom it was asked for, and we ourselves.
fn targets_of(response: &Response, asked: Option<&Calling>) -> Vec<String> {
    let leads_on = |uri: &Uri| {
        let Some(asked) = asked else { return true };
        let own = asked.flow.local;
        let is_us = uri.ip() == Some(own.ip()) && uri.port().unwrap_or(5060) == own.port();
        !is_us && *uri.to_bytes() != *asked.origin.request_uri
    };
    let mut targets: Vec<(u16, String)> = Vec::new();
    for value in response.headers().all(&name::CONTACT) {
        for contact in NameAddr::parse_list(&value).unwrap_or_default() {
            let wanted = contact.param("q").map_or(1000, thousandths);
            if !leads_on(&contact.uri()) {
                continue;
            }
            let target = contact.uri().to_string();
            if !targets.iter().any(|(_, have)| *have == target) {
                targets.push((wanted, target));
            }
        }
    }
    targets.sort_by_key(|(wanted, _)| std::cmp::Reverse(*wanted));
    targets.into_iter().take(MAX_TARGETS).map(|(_, target)| target).collect()
}

/// A `q` value (RFC 3261 §25.1 `qvalue`) as a whole number.
fn thousandths(q: &[u8]) -> u16 {
    std::str::from_utf8(q)
        .ok()
        .and_then(|q| q.trim().parse::<f32>().ok())
        .filter(|q| (0.0..=1.0).contains(q))
        .map_or(0, |q| (q * 1000.0).round() as u16)
}

fn send(
    context: &mut Context,
    leg: LegId,
    flow: Flow,
    draft: &Draft,
    is_to_place: bool,
) -> ClientId {
    if is_to_place {
        context.request_to_place(leg, flow, draft)
    } else {
        context.request(leg, flow, draft)
    }
}
