// SPDX-License-Identifier: GPL-3.0-or-later
//! Our requests inside the dialog, until the far end has answered them.

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Ask, Carried, ExchangeId, LegEvent, Status},
    cause::Cause,
};

use super::{
    Invite, Leg, State, carried, cause_of, compose, ending, line::Kept, outgoing::status_of,
};
use crate::{
    endpoint::Context,
    flow::Flow,
    transaction::{ClientId, Failure},
    wire::{Method, Response, name},
};

/// A request of ours under way.
pub(super) struct Asking {
    pub(super) client: ClientId,
    pub(super) purpose: Purpose,
    /// On a line, where it may be challenged.
    pub(super) kept: Option<Box<Kept>>,
}

/// What it is for.
pub(super) enum Purpose {
    /// The switch changes the session; what it describes is kept if a refresh may have to repeat it.
    Change { exchange: ExchangeId, invite: bool, description: Option<Bytes> },
    /// The switch asks something else.
    Plain { exchange: ExchangeId },
    /// A session refresh of our own.
    Refresh { method: Method },
    /// The far end is told our new place.
    Move { method: Method, description: Option<Bytes>, tries: u8 },
    /// The far end is told how its transfer goes.
    Notify { transfer: ExchangeId },
}

impl Purpose {
    /// Whether it may carry an offer (RFC 3264).
    pub(super) fn changes_session(&self) -> bool {
        match self {
            Self::Change { .. } | Self::Move { .. } => true,
            Self::Refresh { method } => *method == Method::Invite,
            Self::Plain { .. } | Self::Notify { .. } => false,
        }
    }
}

impl Leg {
    /// Asks what the switch wants to know. Anything but a re-INVITE.
    pub(super) fn ask(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        ask: Ask,
        carried: &Carried,
    ) {
        let method = match ask {
            Ask::Reinvite => return self.reinvite(context, exchange, carried),
            Ask::Update => return self.update(context, exchange, carried),
            Ask::Prack { reliable } => {
                return self.acknowledge_progress(context, exchange, reliable, carried);
            }
            Ask::Info => Method::Info,
            Ask::Message => Method::Message,
            Ask::Options => Method::Options,
            Ask::Notify => Method::Notify,
            Ask::Other(name) => Method::from_bytes(&name),
        };
        // The methods that the dialog itself lives by are not the switch's to send.
        let is_ours = matches!(
            method,
            Method::Ack | Method::Bye | Method::Cancel | Method::Invite | Method::Prack
        );
        let contact = self.contact();
        match self.dialog() {
            Some(dialog) if !is_ours => {
                let (mut draft, flow) = compose(context, dialog, &contact, &method);
                carried::put(carried, &mut draft);
                self.ask_far_end(context, flow, draft, Purpose::Plain { exchange });
            }
            _ => self.replied(context, exchange, Status::new(481), Carried::nothing()),
        }
    }

    fn acknowledge_progress(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        reliable: sipwitch_core::call::leg::ReliableId,
        carried: &Carried,
    ) {
        let found = self.heard_progress(reliable);
        let contact = self.contact();
        if let (State::Calling(calling), Some((fork, rseq))) = (&mut self.state, found) {
            let cseq = calling.cseq();
            if let Some(early) = calling.early.iter_mut().find(|early| early.fork == fork) {
                let (mut draft, flow) =
                    compose(context, &mut early.dialog, &contact, &Method::Prack);
                draft.push(&name::RACK, format!("{rseq} {cseq} INVITE"));
                carried::put(carried, &mut draft);
                return self.ask_far_end(context, flow, draft, Purpose::Plain { exchange });
            }
        }
        // The final answer was faster: it acknowledges by itself all that came before.
        let status = if self.is_confirmed() { 200 } else { 481 };
        self.replied(context, exchange, Status::new(status), Carried::nothing());
    }

    pub(super) fn replied(
        &self,
        context: &mut Context,
        exchange: ExchangeId,
        status: Status,
        carried: Carried,
    ) {
        self.tell(context, LegEvent::Replied { exchange, status, carried });
    }

    /// Takes a response to a request of this leg.
    pub(crate) fn answered(
        &mut self,
        context: &mut Context,
        client: ClientId,
        response: &Response,
        flow: Flow,
    ) {
        if self.is_calling(client) {
            return self.invite_answered(context, response, flow);
        }
        if let State::Standing(standing) = &self.state
            && let Invite::Unconfirmed { client: invite, .. } = standing.invite
            && invite == client
        {
            // Repeated until the switch confirms; or one more far end that answered.
            if *response.to_tag().unwrap_or_default() != *standing.dialog.remote_tag() {
                ending::end_stray_answer(context, Some(client), response, flow, self.line());
            }
            return;
        }
        let status = response.status();
        if status < 200 {
            return;
        }
        if self.is_leaving_by(client) {
            return self.bye_answered(context, client, response);
        }
        let Some(at) = self.asking.iter().position(|asking| asking.client == client) else {
            return context.disown_client(client);
        };
        let asking = self.asking.swap_remove(at);
        if let State::Standing(standing) = &mut self.state {
            standing.dialog.heard_on(flow);
        }
        let Some(asking) = self.asked_again(context, asking, response) else {
            return context.disown_client(client);
        };
        // A 2xx to a re-INVITE is repeated until it is acknowledged.
        let is_kept = status < 300 && response.cseq().is_ok_and(|c| c.method == Method::Invite);
        self.heed(&asking, response, is_kept);
        let Asking { purpose, .. } = asking;
        if !is_kept {
            context.disown_client(client);
        }
        let carried = || carried::take(response.headers(), response.body());
        match purpose {
            Purpose::Change { exchange, invite, description } => {
                if status < 300 {
                    let answered = Answered { client, response, description };
                    self.changed(context, &answered, invite.then_some(exchange));
                }
                self.replied(context, exchange, status_of(response), carried());
            }
            Purpose::Plain { exchange } => {
                self.replied(context, exchange, status_of(response), carried());
            }
            Purpose::Refresh { method } => {
                return self.refreshed(context, client, &method, response);
            }
            Purpose::Move { method, description, tries } => {
                return self.move_answered(context, client, response, (method, description, tries));
            }
            Purpose::Notify { transfer } => {
                return self.transfer_told(context, transfer, status);
            }
        }
        self.end_if_gone(context, cause_of(status, response.headers()));
    }

    /// There will be no answer to a request of this leg.
    pub(crate) fn failed(&mut self, context: &mut Context, client: ClientId, why: Failure) {
        if self.is_calling(client) {
            return self.invite_failed(context, why);
        }
        if self.is_leaving_by(client) {
            return self.bye_failed(context, client, why);
        }
        context.disown_client(client);
        let Some(at) = self.asking.iter().position(|asking| asking.client == client) else {
            return;
        };
        let Asking { purpose, .. } = self.asking.swap_remove(at);
        let (status, cause) = match why {
            Failure::TimedOut => (408, Cause::timeout()),
            Failure::Unreachable => (503, Cause::from_sip(503)),
        };
        match purpose {
            Purpose::Change { exchange, .. } | Purpose::Plain { exchange } => {
                self.replied(context, exchange, Status::new(status), Carried::nothing());
            }
            Purpose::Refresh { .. } => self.refresh_failed(context),
            Purpose::Move { .. } => return context.tell_moved(self.id, false),
            Purpose::Notify { transfer } => return self.transfer_told(context, transfer, status),
        }
        self.end_if_gone(context, cause);
    }

    /// Ends a dialog that the far end does not know any more, or does not answer in (RFC 5057 §5.1,
    /// RFC 3261 §12.2.1.2).
    pub(super) fn end_if_gone(&mut self, context: &mut Context, cause: Cause) {
        if matches!(cause.sip, 408 | 481) && self.is_confirmed() {
            self.hang_up(context, cause);
        }
    }
}

/// A 2xx to a request that changed the session.
pub(super) struct Answered<'a> {
    pub(super) client: ClientId,
    pub(super) response: &'a Response,
    pub(super) description: Option<Bytes>,
}
