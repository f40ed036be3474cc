// SPDX-License-Identifier: GPL-3.0-or-later
//! Legs: one INVITE and the dialog it makes, in the language of the call switch.
//!
//! A leg is an enum of what it is doing, and each thing it does has its file: it calls
//! (`outgoing`), is called (`incoming`), changes the session (`reinvite`), asks and is asked
//! (`asking`, `asked`), shows progress reliably (`reliable`), transfers (`refer`), stays alive
//! (`session_timer`) and ends (`ending`). On a line it speaks as an account (`line`), and may be moved
//! to another flow (`moving`).
//!
//! [`LegEvent::Ended`] is told once, as the last event. A leg may stand a little longer, silently,
//! until its BYE is answered.

mod asked;
mod asking;
mod carried;
mod ending;
mod incoming;
mod line;
mod moving;
mod names;
mod outgoing;
mod refer;
mod reinvite;
mod reliable;
mod session_timer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Ask, ExchangeId, Fork, LegCommand, LegEvent, LegId},
    cause::Cause,
};

pub(crate) use asked::Asked;
pub(crate) use ending::{acknowledge_stray, end_stray_answer, of_reasons};
pub(crate) use incoming::Accepted;
pub(crate) use line::patience;
pub(crate) use names::{contact as contact_of, party};
pub(crate) use refer::Refer;

use crate::{
    dialog::{Dialog, Tag},
    endpoint::Context,
    flow::Flow,
    transaction::{ClientId, ServerId},
    wire::{Draft, Headers, Method, Request, name},
};

/// One leg.
pub(crate) struct Leg {
    id: LegId,
    /// The deadline the endpoint has noted for this leg.
    pub(crate) armed: Option<Instant>,
    state: State,
    /// Our Contact.
    contact: Arc<[u8]>,
    /// The far end's Allow names UPDATE.
    takes_update: bool,
    /// What the far end asked and nobody has answered yet.
    asked: Vec<Asked>,
    /// What we asked and the far end has not answered yet.
    asking: Vec<asking::Asking>,
    next_exchange: u32,
    /// What there is besides on a line.
    speaker: Option<Box<line::Speaker>>,
}

enum State {
    /// Our INVITE has no final answer.
    Calling(Box<outgoing::Calling>),
    /// Their INVITE has no final answer.
    Ringing(Box<incoming::Ringing>),
    /// The dialog stands.
    Standing(Box<Standing>),
    /// The end is told; a BYE is still to be sent or answered.
    Leaving(Box<ending::Leaving>),
    /// To be forgotten.
    Over,
}

/// A dialog after its first 2xx.
struct Standing {
    dialog: Dialog,
    invite: Invite,
    timer: session_timer::SessionTimer,
    /// What we last described, kept only where a refresh has to repeat it.
    description: Option<Bytes>,
    transfers: Vec<refer::Transfer>,
    /// Our new place, which the far end is still to be told.
    moving: Option<Box<moving::Move>>,
}

/// Whether our description is kept, to be said once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// A line's leg may be moved to another flow at any time.
    Always,
    /// Where refreshes are ours and have to repeat it.
    ForRefresh,
    Never,
}

/// What the latest INVITE of a standing dialog still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Invite {
    /// Nothing.
    Idle,
    /// Ours was answered 2xx; the switch has not confirmed it. No exchange: it is the first one.
    Unconfirmed { client: ClientId, exchange: Option<ExchangeId>, cseq: u32 },
    /// Theirs was answered 2xx; the ACK is not here. No exchange: it is the first one.
    Unacknowledged { server: ServerId, exchange: Option<ExchangeId>, cseq: u32 },
}

/// One of several dialogs that a first INVITE may make.
struct Early<R> {
    fork: Fork,
    dialog: Dialog,
    reliable: R,
}

impl Leg {
    fn new(id: LegId, state: State, contact: Arc<[u8]>) -> Self {
        Self {
            id,
            armed: None,
            state,
            contact,
            takes_update: false,
            asked: Vec::new(),
            asking: Vec::new(),
            next_exchange: 0,
            speaker: None,
        }
    }

    /// Whether it can be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// All tags by which the far end may address it.
    pub(crate) fn local_tags(&self) -> Vec<Tag> {
        match &self.state {
            State::Calling(calling) => vec![calling.local_tag()],
            State::Ringing(ringing) => ringing.local_tags(),
            State::Standing(standing) => vec![standing.dialog.local_tag()],
            State::Leaving(leaving) => vec![leaving.dialog.local_tag()],
            State::Over => Vec::new(),
        }
    }

    /// Whether one of its dialogs has these ids.
    pub(crate) fn has_dialog(&self, call_id: &[u8], local_tag: Tag, remote_tag: &[u8]) -> bool {
        self.dialogs().any(|dialog| dialog.is(call_id, local_tag, remote_tag))
    }

    /// How its far end was heard last.
    pub(crate) fn flow(&self) -> Option<Flow> {
        let asked = match &self.state {
            State::Calling(calling) => Some(calling.flow),
            State::Ringing(_) | State::Standing(_) | State::Leaving(_) | State::Over => None,
        };
        self.dialogs().last().map(Dialog::flow).or(asked)
    }

    /// Whether its dialog is confirmed, no longer early.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Standing(_))
    }

    /// Does what the switch says.
    pub(crate) fn command(&mut self, context: &mut Context, command: LegCommand) {
        // After the end nothing more is told, not even that a command comes too late.
        if matches!(self.state, State::Leaving(_) | State::Over) {
            return;
        }
        match command {
            LegCommand::Progress { fork, status, reliable, carried } => {
                self.progress(context, fork, &status, reliable, &carried);
            }
            LegCommand::Answer { fork, carried } => self.answer(context, fork, carried),
            LegCommand::Confirm { carried } => self.confirm(context, None, &carried),
            LegCommand::ConfirmReinvite { exchange, carried } => {
                self.confirm(context, Some(exchange), &carried);
            }
            LegCommand::Ask { exchange, ask: Ask::Reinvite, carried } => {
                self.reinvite(context, exchange, &carried);
            }
            LegCommand::Ask { exchange, ask, carried } => {
                self.ask(context, exchange, ask, &carried);
            }
            LegCommand::Reply { exchange, status, carried } => {
                self.reply(context, exchange, &status, &carried);
            }
            LegCommand::TransferProgress { exchange, status } => {
                self.transfer_progress(context, exchange, &status);
            }
            LegCommand::End { cause } => self.end(context, cause),
        }
    }

    /// A connection is gone.
    pub(crate) fn flow_failed(&mut self, flow: &Flow) {
        match &mut self.state {
            State::Calling(calling) => {
                calling.early.iter_mut().for_each(|early| early.dialog.lost(flow));
            }
            State::Ringing(ringing) => {
                ringing.early.iter_mut().for_each(|early| early.dialog.lost(flow));
            }
            State::Standing(standing) => standing.dialog.lost(flow),
            State::Leaving(leaving) => leaving.dialog.lost(flow),
            State::Over => {}
        }
    }

    /// When it wants to be called next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Ringing(ringing) => ringing.next_deadline(),
            State::Standing(standing) => {
                let timer = standing.timer.next_deadline();
                let moving = standing.moving.as_ref().map(|moving| moving.due());
                Some(moving.map_or(timer, |moving| moving.min(timer)))
            }
            State::Calling(calling) => calling.patience,
            State::Leaving(_) | State::Over => None,
        }
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(&mut self, context: &mut Context) {
        match &self.state {
            State::Ringing(_) => self.repeat_reliable(context),
            State::Standing(_) => {
                self.move_if_due(context);
                self.keep_alive(context);
            }
            State::Calling(calling) => {
                if calling.patience.is_some_and(|until| until <= context.now) {
                    self.tell_failed_place(context, None);
                    if !self.try_next_place(context, true) {
                        self.give_up_silent_place(context);
                    }
                }
            }
            State::Leaving(_) | State::Over => {}
        }
    }

    fn keeps(&self) -> Keeps {
        match () {
            () if self.speaker.is_some() => Keeps::Always,
            () if self.takes_update => Keeps::Never,
            () => Keeps::ForRefresh,
        }
    }

    fn dialogs(&self) -> Box<dyn Iterator<Item = &Dialog> + '_> {
        match &self.state {
            State::Calling(calling) => Box::new(calling.early.iter().map(|early| &early.dialog)),
            State::Ringing(ringing) => Box::new(ringing.early.iter().map(|early| &early.dialog)),
            State::Standing(standing) => Box::new(std::iter::once(&standing.dialog)),
            State::Leaving(_) | State::Over => Box::new(std::iter::empty()),
        }
    }

    /// The dialog that a request of the far end is in.
    fn dialog_of(&mut self, request: &Request, tag: Tag) -> Option<&mut Dialog> {
        let fits = |dialog: &&mut Dialog| dialog.local_tag() == tag && dialog.owns(request);
        match &mut self.state {
            State::Calling(calling) => {
                calling.early.iter_mut().map(|early| &mut early.dialog).find(fits)
            }
            State::Ringing(ringing) => {
                ringing.early.iter_mut().map(|early| &mut early.dialog).find(fits)
            }
            State::Standing(standing) => Some(&mut standing.dialog).filter(fits),
            State::Leaving(leaving) => Some(&mut leaving.dialog).filter(fits),
            State::Over => None,
        }
    }

    /// The dialog that our own requests go into: while there are several, the one that was heard
    /// or spoken in last.
    fn dialog(&mut self) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Calling(calling) => calling.current().map(|early| &mut early.dialog),
            State::Ringing(ringing) => ringing.early.last_mut().map(|early| &mut early.dialog),
            State::Standing(standing) => Some(&mut standing.dialog),
            State::Leaving(_) | State::Over => None,
        }
    }

    fn tell(&self, context: &mut Context, event: LegEvent) {
        context.tell(self.id, event);
    }

    fn next_exchange(&mut self) -> ExchangeId {
        self.next_exchange = self.next_exchange.wrapping_add(1);
        ExchangeId(self.next_exchange)
    }

    /// Learns from Allow what the far end takes.
    fn learn(&mut self, headers: Headers<'_>) {
        if headers.count(&name::ALLOW) > 0 {
            self.takes_update = headers.has_token(&name::ALLOW, "UPDATE");
        }
    }
}

impl Standing {
    /// Keeps what we describe, if a refresh will have to repeat it.
    fn describe(&mut self, keeps: Keeps, description: Option<&Bytes>) {
        let is_kept = match keeps {
            Keeps::Always => true,
            Keeps::ForRefresh => self.timer.role() == session_timer::Role::Ours,
            Keeps::Never => false,
        };
        if !is_kept {
            self.description = None;
        } else if let Some(description) = description {
            // Shared with whoever else keeps what the other side said.
            self.description = Some(description.clone());
        }
    }
}

/// A request in a dialog, with the fields that every one of its method has.
fn compose(
    context: &Context,
    dialog: &mut Dialog,
    contact: &[u8],
    method: &Method,
) -> (Draft, Flow) {
    let (mut draft, flow) = dialog.request(method, &context.listeners);
    // Target refresh requests, and those that may begin a usage (RFC 3261 §12.2, RFC 6665 §4.4.1).
    if matches!(
        method,
        Method::Invite | Method::Update | Method::Notify | Method::Subscribe | Method::Refer
    ) {
        draft.push(&name::CONTACT, contact);
    }
    if matches!(method, Method::Invite | Method::Update) {
        context.put_abilities(&mut draft, false);
    }
    context.put_product(&mut draft, &name::USER_AGENT);
    (draft, flow)
}

/// The cause that goes with a status, refined by the message's Reason (RFC 3326).
fn cause_of(status: u16, headers: Headers<'_>) -> Cause {
    let cause = of_reasons(Cause::from_sip(status), headers);
    let is_for_now = matches!(status, 404 | 413 | 480 | 486 | 500 | 503 | 600 | 603);
    let retry_after = headers.value(&name::RETRY_AFTER).filter(|_| is_for_now);
    Cause { retry_after: retry_after.and_then(|value| seconds_of(&value)), ..cause }
}

/// A Retry-After, but for its comment and parameters (RFC 3261 §20.33).
pub(crate) fn seconds_of(value: &[u8]) -> Option<Duration> {
    let digits = value.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(|n: u32| Duration::from_secs(n.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_leg_is_small() {
        // Its few strings come on top, a quarter of a KiB in an ordinary call.
        let octets = size_of::<Leg>() + size_of::<Standing>();
        assert!(octets <= 640, "{octets}");
        assert!(size_of::<Leg>() <= 176, "{}", size_of::<Leg>());
    }
}
