// SPDX-License-Identifier: GPL-3.0-or-later
//! Ending: CANCEL, refusal or BYE, whatever the state asks for; and answers nobody waits for.

use std::sync::Arc;

use sipwitch_core::{
    call::leg::{Carried, LegEvent},
    cause::Cause,
};

use super::{Invite, Leg, State, compose};
use crate::{
    auth::client::Tries,
    dialog::{Dialog, Origin, Tag, split_list},
    endpoint::{Context, OnLine},
    flow::Flow,
    transaction::{ClientId, Failure, ServerId},
    wire::{Headers, Method, Response, name},
};

/// A leg whose end is told and whose dialog still stands.
pub(super) struct Leaving {
    pub(super) dialog: Dialog,
    cause: Cause,
    waits: Waits,
}

/// What a leaving leg waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// The ACK to our 2xx, before which no BYE may go (RFC 3261 §15).
    Ack { server: ServerId, cseq: u32 },
    /// The answer to our BYE.
    Bye { client: ClientId, repeated: bool, tries: Tries },
}

impl Leg {
    /// Ends the leg as the switch says.
    pub(super) fn end(&mut self, context: &mut Context, cause: Cause) {
        match &self.state {
            State::Calling(calling) => {
                calling.cancel(context, &cause, self.line());
                self.finish(context, cause);
            }
            State::Ringing(_) => {
                self.refuse_invite(context, refusal_of(&cause), &cause);
                self.finish(context, cause);
            }
            State::Standing(_) => self.hang_up(context, cause),
            State::Leaving(_) | State::Over => {}
        }
    }

    /// Ends a standing dialog with BYE, and tells the end.
    pub(super) fn hang_up(&mut self, context: &mut Context, cause: Cause) {
        self.forget_exchanges(context);
        self.end_transfers(context, &cause);
        self.acknowledge_silently(context);
        let State::Standing(standing) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let mut dialog = standing.dialog;
        let waits = match standing.invite {
            Invite::Unacknowledged { server, cseq, .. } => Waits::Ack { server, cseq },
            Invite::Idle | Invite::Unconfirmed { .. } => {
                let client = self.send_bye(context, &mut dialog, &cause);
                Waits::Bye { client, repeated: false, tries: Tries::default() }
            }
        };
        let leaving = Leaving { dialog, cause: cause.clone(), waits };
        self.state = State::Leaving(Box::new(leaving));
        self.tell(context, LegEvent::Ended { cause });
    }

    /// Tells the end of a leg that needs no BYE, and forgets it.
    pub(super) fn finish(&mut self, context: &mut Context, cause: Cause) {
        self.forget_exchanges(context);
        if let State::Calling(calling) = &self.state {
            context.late.note(context.now, calling.local_tag(), self.line());
        }
        self.tell(context, LegEvent::Ended { cause });
        self.close(context);
    }

    /// The far end hung up; its BYE is answered.
    pub(super) fn hung_up(&mut self, context: &mut Context, bye: Headers<'_>, tag: &[u8]) {
        match &mut self.state {
            State::Standing(standing) => {
                if let Invite::Unacknowledged { server, .. } = standing.invite {
                    context.table.acknowledged(server);
                }
                self.acknowledge_silently(context);
                self.finish(context, of_reasons(Cause::normal(), bye));
            }
            State::Ringing(_) => {
                // RFC 3261 §15.1.2: a caller may take back an early dialog in this way, too.
                self.refuse_invite(context, 487, &Cause::from_sip(487));
                self.finish(context, Cause::cancelled());
            }
            // A callee may not (§15), but has: the INVITE is still to be answered.
            State::Calling(calling) => calling.drop_early(tag),
            State::Leaving(_) => self.close(context),
            State::Over => {}
        }
    }

    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
    pub(crate) fn ack_missing(&mut self, context: &mut Context, server: ServerId) {
        match &mut self.state {
            State::Standing(standing) => match standing.invite {
                Invite::Unacknowledged { server: ours, .. } if ours == server => {
                    standing.invite = Invite::Idle;
                    context.disown_invite(server);
                    self.hang_up(context, Cause::timeout());
                }
                Invite::Idle | Invite::Unconfirmed { .. } | Invite::Unacknowledged { .. } => {}
            },
            State::Leaving(leaving) => {
                if let Waits::Ack { server: ours, cseq } = leaving.waits
                    && ours == server
                {
                    self.leave_acknowledged(context, cseq);
                }
            }
            State::Calling(_) | State::Ringing(_) | State::Over => {}
        }
    }

    /// The ACK that held our BYE back is here, or will never be.
    pub(super) fn leave_acknowledged(&mut self, context: &mut Context, acked: u32) {
        let State::Leaving(leaving) = &mut self.state else { return };
        let Waits::Ack { server, cseq } = leaving.waits else { return };
        if acked != cseq {
            return;
        }
        context.table.acknowledged(server);
        context.disown_invite(server);
        self.bye_again(context, false, Tries::default());
    }

    /// Our BYE was answered at last: unless that asks for credentials, nothing is left to wait for.
    pub(super) fn bye_answered(
        &mut self,
        context: &mut Context,
        client: ClientId,
        response: &Response,
    ) {
        let State::Leaving(leaving) = &self.state else { return };
        let Waits::Bye { client: ours, repeated, mut tries } = leaving.waits else { return };
        if ours != client {
            return;
        }
        context.disown_client(client);
        if let Some(speaker) = &mut self.speaker
            && speaker.takes_challenge(context, &mut tries, response)
        {
            self.bye_again(context, repeated, tries);
        } else {
            self.close(context);
        }
    }

    /// The flow that our BYE went over is no more: over another it may arrive.
    pub(super) fn leave_over_new_flow(&mut self, context: &mut Context) {
        let State::Leaving(leaving) = &self.state else { return };
        if let Waits::Bye { client, repeated: false, tries } = leaving.waits {
            context.disown_client(client);
            self.bye_again(context, true, tries);
        }
    }

    /// Our BYE was not answered. Over a connection that is gone it is said once more.
    pub(super) fn bye_failed(&mut self, context: &mut Context, client: ClientId, why: Failure) {
        let State::Leaving(leaving) = &self.state else { return };
        match leaving.waits {
            Waits::Bye { client: ours, repeated, tries } if ours == client => {
                context.disown_client(client);
                if why == Failure::Unreachable && !repeated && leaving.dialog.is_disconnected() {
                    self.bye_again(context, true, tries);
                } else {
                    self.close(context);
                }
            }
            Waits::Bye { .. } | Waits::Ack { .. } => {}
        }
    }

    pub(super) fn is_leaving_by(&self, wanted: ClientId) -> bool {
        matches!(
            &self.state,
            State::Leaving(leaving)
                if matches!(leaving.waits, Waits::Bye { client, .. } if client == wanted)
        )
    }

    fn bye_again(&mut self, context: &mut Context, repeated: bool, tries: Tries) {
        let State::Leaving(mut leaving) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let client = self.send_bye(context, &mut leaving.dialog, &leaving.cause);
        leaving.waits = Waits::Bye { client, repeated, tries };
        self.state = State::Leaving(leaving);
    }

    fn send_bye(&mut self, context: &mut Context, dialog: &mut Dialog, cause: &Cause) -> ClientId {
        let (mut bye, flow) = compose(context, dialog, &self.contact, &Method::Bye);
        bye.push(&name::REASON, cause.reason());
        if let Some(speaker) = &mut self.speaker {
            speaker.put(&mut bye);
        }
        context.request(self.id, flow, &bye)
    }

    /// Acknowledges a 2xx that the switch has not, so that it is repeated no more.
    fn acknowledge_silently(&mut self, context: &mut Context) {
        if let State::Standing(standing) = &self.state
            && let Invite::Unconfirmed { exchange, .. } = standing.invite
        {
            self.confirm(context, exchange, &Carried::nothing());
        }
    }

    /// Gives up all that is asked in either direction (RFC 3261 §15.1.2 recommends 487).
    fn forget_exchanges(&mut self, context: &mut Context) {
        for asked in std::mem::take(&mut self.asked) {
            asked.refuse(context, 487);
        }
        for asking in std::mem::take(&mut self.asking) {
            context.disown_client(asking.client);
        }
    }

    fn close(&mut self, context: &mut Context) {
        for tag in self.local_tags() {
            context.disown_tag(tag);
        }
        match &self.state {
            State::Ringing(ringing) => context.disown_invite(ringing.transaction),
            State::Standing(standing) => {
                if let Invite::Unacknowledged { server, .. } = standing.invite {
                    context.disown_invite(server);
                }
            }
            State::Leaving(leaving) => match leaving.waits {
                Waits::Ack { server, .. } => {
                    context.table.acknowledged(server);
                    context.disown_invite(server);
                }
                Waits::Bye { client, .. } => context.disown_client(client),
            },
            State::Calling(_) | State::Over => {}
        }
        self.state = State::Over;
    }
}

/// Ends what a 2xx began that nobody waits for: a second far end that answered, or one that did
/// while we cancelled, or later (RFC 3261 §13.2.2.4, §9.1). The 2xx itself tells all that is needed.
pub(crate) fn end_stray_answer(
    context: &mut Context,
    client: Option<ClientId>,
    response: &Response,
    flow: Flow,
    line: Option<&Arc<OnLine>>,
) {
    let Some(mut dialog) = acknowledged(context, client, response, flow) else { return };
    let (mut bye, way) = compose(context, &mut dialog, &[], &Method::Bye);
    bye.push(&name::REASON, Cause::answered_elsewhere().reason());
    match line {
        Some(line) => context.bye_on_line(way, bye, line),
        None => {
            context.table.request(context.now, way, &bye);
        }
    }
}

/// Acknowledges such a 2xx once more.
pub(crate) fn acknowledge_stray(
    context: &mut Context,
    client: Option<ClientId>,
    response: &Response,
    flow: Flow,
) {
    let _ = acknowledged(context, client, response, flow);
}

/// Sends the ACK to a 2xx that nobody waits for. Gives the dialog that it made.
fn acknowledged(
    context: &mut Context,
    client: Option<ClientId>,
    response: &Response,
    flow: Flow,
) -> Option<Dialog> {
    let headers = response.headers();
    let (from, contact) = (headers.value(&name::FROM)?, headers.value(&name::CONTACT)?);
    let (cseq, call_id) = (response.cseq().ok()?, response.call_id().ok()?);
    let local_tag = response.from_tag().and_then(|tag| Tag::parse(&tag))?;
    let origin = Origin {
        call_id: call_id.as_ref().into(),
        local: from.as_ref().into(),
        local_tag,
        cseq: cseq.number,
        request_uri: contact.as_ref().into(),
    };
    let dialog = Dialog::of_response(&origin, response, flow).ok()?;
    let (ack, way) = dialog.ack(cseq.number, &context.listeners);
    context.table.send_ack(client, way, &ack);
    Some(dialog)
}

/// Refines a cause by the Reason fields of a message (RFC 3326): the first that is understood says
/// why, and a Q.850 value is taken wherever it stands.
pub(crate) fn of_reasons(mut cause: Cause, headers: Headers<'_>) -> Cause {
    for value in headers.all(&name::REASON) {
        for reason in split_list(&value) {
            let Some(told) =
                std::str::from_utf8(reason).ok().and_then(|text| Cause::from_reason(text).ok())
            else {
                continue;
            };
            if told.is_answered_elsewhere() {
                return told;
            }
            cause.q850 = told.q850.or(cause.q850);
            if cause.text.is_empty() {
                cause.text = told.text;
            }
        }
    }
    cause
}

/// The status that refuses an INVITE for this cause. What only makes sense between the switch and
/// another leg (a challenge, a redirection without targets, an extension not spoken there) becomes
/// what it means for the caller.
fn refusal_of(cause: &Cause) -> u16 {
    match cause.sip {
        401 | 407 | 494 => 403,
        420..=423 => 500,
        code @ 400..=699 => code,
        _ => 480,
    }
}
