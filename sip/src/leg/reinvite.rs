// SPDX-License-Identifier: GPL-3.0-or-later
//! Changing the session: re-INVITE (RFC 3261 §14) and UPDATE (RFC 3311) in both directions, and the
//! refreshes that change nothing (RFC 4028).

use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, Status},
    cause::Cause,
};

use super::{
    Invite, Leg, State,
    asked::{Asked, Matter},
    asking::{Answered, Purpose},
    carried, cause_of, compose,
    session_timer::{self, Due, SessionTimer},
};
use crate::{
    endpoint::Context,
    transaction::{ClientId, ServerId},
    wire::{Draft, Method, Request, Response, name},
};

/// What a request that changes the session runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// A change of ours: 491.
    WithOurs,
    /// An earlier change of the far end: 500 with Retry-After.
    WithTheirs,
}

impl Leg {
    /// Asks for a new session with INVITE.
    pub(super) fn reinvite(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        carried: &Carried,
    ) {
        let is_free = self.clash().is_none();
        match &self.state {
            State::Standing(standing) if is_free && standing.invite == Invite::Idle => {
                self.change(context, exchange, &Method::Invite, carried);
            }
            State::Standing(_) | State::Calling(_) | State::Ringing(_) => {
                self.replied(context, exchange, Status::new(491), Carried::nothing());
            }
            State::Leaving(_) | State::Over => {}
        }
    }

    /// Asks for a new session with UPDATE, in an early dialog too.
    pub(super) fn update(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        carried: &Carried,
    ) {
        if self.clash().is_some() {
            self.replied(context, exchange, Status::new(491), Carried::nothing());
        } else {
            self.change(context, exchange, &Method::Update, carried);
        }
    }

    fn change(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        method: &Method,
        carried: &Carried,
    ) {
        let description = carried.sdp().cloned();
        let invite = *method == Method::Invite;
        let purpose = Purpose::Change { exchange, invite, description };
        if !self.send_change(context, method, carried, purpose) {
            self.replied(context, exchange, Status::new(481), Carried::nothing());
        }
    }

    /// Sends a change, if there is a dialog for it.
    pub(super) fn send_change(
        &mut self,
        context: &mut Context,
        method: &Method,
        carried: &Carried,
        purpose: Purpose,
    ) -> bool {
        let contact = self.contact();
        let timer = match &self.state {
            State::Standing(standing) => Some(standing.timer),
            State::Calling(_) | State::Ringing(_) | State::Leaving(_) | State::Over => None,
        };
        let Some(dialog) = self.dialog() else { return false };
        let (mut draft, flow) = compose(context, dialog, &contact, method);
        if let Some(timer) = timer {
            timer.put(&mut draft);
        }
        carried::put(carried, &mut draft);
        self.ask_far_end(context, flow, draft, purpose);
        true
    }

    /// A change that has not been answered yet, if any.
    pub(super) fn clash(&self) -> Option<Clash> {
        if self.asking.iter().any(|asking| asking.purpose.changes_session()) {
            return Some(Clash::WithOurs);
        }
        let theirs = |asked: &Asked| matches!(asked.matter, Matter::Reinvite | Matter::Update);
        self.asked.iter().any(theirs).then_some(Clash::WithTheirs)
    }

    /// The far end wants another session.
    pub(super) fn change_asked(
        &mut self,
        context: &mut Context,
        server: ServerId,
        request: &Request,
    ) {
        let is_invite = *request.method() == Method::Invite;
        let clash = self.clash().or_else(|| match &self.state {
            _ if !is_invite => None,
            State::Standing(standing) if standing.invite == Invite::Idle => None,
            // The first INVITE is theirs and under way (RFC 3261 §14.2), or ours.
            State::Ringing(_) => Some(Clash::WithTheirs),
            State::Standing(_) | State::Calling(_) | State::Leaving(_) | State::Over => {
                Some(Clash::WithOurs)
            }
        });
        // An UPDATE without a description only refreshes.
        let refreshes = !is_invite && request.body().is_empty();
        if let Some(clash) = clash.filter(|_| !refreshes) {
            return Self::refuse_clash(context, server, request, clash);
        }
        if session_timer::is_too_short(request.headers(), &context.settings) {
            let mut draft = context.response_to(request, 422, "");
            draft.push(&name::MIN_SE, session_timer::least(&context.settings).to_string());
            return context.table.respond(context.now, server, &draft);
        }
        self.learn(request.headers());
        if refreshes {
            let mut draft = context.response_to(request, 200, "");
            let asked = Asked {
                exchange: ExchangeId(0),
                server,
                request: request.clone(),
                matter: Matter::Update,
            };
            return self.accept_change(context, &asked, &mut draft, &Carried::nothing());
        }
        if is_invite {
            context.own_invite(server, self.id);
            self.asks(context, server, request, Ask::Reinvite, Matter::Reinvite);
        } else {
            self.asks(context, server, request, Ask::Update, Matter::Update);
        }
    }

    /// Answers a change with 2xx.
    pub(super) fn accept_change(
        &mut self,
        context: &mut Context,
        asked: &Asked,
        draft: &mut Draft,
        carried: &Carried,
    ) {
        let headers = asked.request.headers();
        draft.push(&name::CONTACT, &self.contact);
        context.put_abilities(draft, false);
        let keeps = self.keeps();
        let is_reinvite = asked.matter == Matter::Reinvite;
        if let State::Standing(standing) = &mut self.state {
            standing.timer = SessionTimer::answer(context.now, headers, &context.settings, draft);
            standing.dialog.refresh_target(headers);
            standing.describe(keeps, carried.sdp());
            if is_reinvite && let Ok(cseq) = asked.request.cseq() {
                standing.invite = Invite::Unacknowledged {
                    server: asked.server,
                    exchange: Some(asked.exchange),
                    cseq: cseq.number,
                };
            }
        }
        carried::put(carried, draft);
        context.table.respond(context.now, asked.server, draft);
    }

    /// Our change was accepted. `reinvite` names the exchange if it was an INVITE.
    pub(super) fn changed(
        &mut self,
        context: &mut Context,
        answered: &Answered<'_>,
        reinvite: Option<ExchangeId>,
    ) {
        let headers = answered.response.headers();
        self.learn(headers);
        let keeps = self.keeps();
        let State::Standing(standing) = &mut self.state else { return };
        standing.dialog.refresh_target(headers);
        standing.timer = SessionTimer::of_response(context.now, headers, &context.settings);
        standing.describe(keeps, answered.description.as_ref());
        if let (Some(exchange), Ok(cseq)) = (reinvite, answered.response.cseq()) {
            standing.invite = Invite::Unconfirmed {
                client: answered.client,
                exchange: Some(exchange),
                cseq: cseq.number,
            };
        }
    }

    /// Refreshes the session, or ends one whose far end is silent.
    pub(super) fn keep_alive(&mut self, context: &mut Context) {
        let is_busy = self.clash().is_some();
        let takes_update = self.takes_update;
        let State::Standing(standing) = &mut self.state else { return };
        match standing.timer.due(context.now) {
            Due::Nothing => return,
            Due::Expired => {
                let cause = Cause::timeout().with_text("The other side is no longer there");
                return self.hang_up(context, cause);
            }
            Due::Refresh if is_busy || standing.invite != Invite::Idle => {
                return standing.timer.retry(context.now);
            }
            Due::Refresh => {}
        }
        standing.timer.asked();
        let description = standing.description.clone();
        let (method, carried) = match description {
            _ if takes_update => (Method::Update, Carried::nothing()),
            Some(sdp) => (Method::Invite, Carried::body(sipwitch_core::call::leg::Body::sdp(sdp))),
            // Whoever answers this is there.
            None => (Method::Options, Carried::nothing()),
        };
        let purpose = Purpose::Refresh { method: method.clone() };
        self.send_change(context, &method, &carried, purpose);
    }

    /// Takes the answer to a refresh.
    pub(super) fn refreshed(
        &mut self,
        context: &mut Context,
        client: ClientId,
        method: &Method,
        response: &Response,
    ) {
        let status = response.status();
        let headers = response.headers();
        let is_ok = (200..=299).contains(&status);
        if is_ok && matches!(method, Method::Invite | Method::Update) {
            let answered = Answered { client, response, description: None };
            let reinvite = (*method == Method::Invite).then_some(ExchangeId(0));
            self.changed(context, &answered, reinvite);
            if reinvite.is_some() {
                self.confirm(context, reinvite, &Carried::nothing());
            }
            return;
        }
        if matches!(status, 408 | 481) {
            return self.end_if_gone(context, cause_of(status, headers));
        }
        // A password that was refused is not shown every few seconds: the timer runs out instead.
        if matches!(status, 401 | 407) {
            return;
        }
        if matches!(status, 405 | 501) && *method == Method::Update {
            self.takes_update = false;
        }
        let State::Standing(standing) = &mut self.state else { return };
        match (method, headers.number(&name::MIN_SE)) {
            (Method::Options, _) => {
                standing.timer = SessionTimer::of_response(context.now, headers, &context.settings);
            }
            (_, Some(at_least)) if status == 422 => standing.timer.lengthen(context.now, at_least),
            _ => standing.timer.retry(context.now),
        }
    }

    /// A refresh was not answered; there may be time for another.
    pub(super) fn refresh_failed(&mut self, context: &mut Context) {
        if let State::Standing(standing) = &mut self.state {
            standing.timer.retry(context.now);
        }
    }
}
