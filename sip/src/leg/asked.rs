// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests of the far end inside its dialog, until the switch has answered them.

use std::sync::Arc;

use rand_core::RngCore;
use sipwitch_core::call::leg::{Ask, Carried, ExchangeId, LegEvent, Status};

use super::{Leg, Refer, State, carried, refer, reinvite::Clash, reliable::Acknowledged};
use crate::{
    dialog::{Order, Tag},
    endpoint::Context,
    flow::Flow,
    transaction::ServerId,
    wire::{Draft, Malformed, Method, Request, name},
};

/// Requests of one far end that wait at a time.
const MAX_ASKED: usize = 16;

/// A request that waits for the switch.
pub(crate) struct Asked {
    pub(super) exchange: ExchangeId,
    pub(super) server: ServerId,
    pub(super) request: Request,
    pub(super) matter: Matter,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    Reinvite,
    Update,
    Transfer(refer::Wish),
    Plain,
}

impl Asked {
    /// Answers with this status and nothing else.
    pub(super) fn refuse(&self, context: &mut Context, status: u16) {
        if self.matter == Matter::Reinvite {
            context.disown_invite(self.server);
        }
        context.respond(self.server, &self.request, status);
    }
}

impl Leg {
    /// Takes a request that has our tag in its To. `refer` is what its Refer-To says, if it is a
    /// REFER.
    pub(crate) fn receive(
        &mut self,
        context: &mut Context,
        server: ServerId,
        request: &Request,
        flow: Flow,
        refer: Option<Result<Refer, Malformed>>,
    ) {
        let tag = request.to_tag().and_then(|tag| Tag::parse(&tag));
        let cseq = request.cseq();
        let (Some(tag), Ok(cseq)) = (tag, cseq) else {
            return context.respond(server, request, 481);
        };
        let Some(dialog) = self.dialog_of(request, tag) else {
            return context.respond(server, request, 481);
        };
        if dialog.note_cseq(cseq.number) == Order::Late {
            return context.respond(server, request, 500);
        }
        dialog.heard_on(flow);
        if *request.method() == Method::Bye {
            context.respond(server, request, 200);
            let tag = request.from_tag().unwrap_or_default();
            return self.hung_up(context, request.headers(), &tag);
        }
        if matches!(self.state, State::Leaving(_)) {
            return context.respond(server, request, 481);
        }
        if self.asked.len() >= MAX_ASKED {
            return refuse_for_now(context, server, request);
        }
        let ask = match request.method() {
            Method::Invite | Method::Update => {
                return self.change_asked(context, server, request);
            }
            Method::Refer => return self.transfer_asked(context, server, request, refer),
            Method::Prack => match self.acknowledged_progress(context, request, tag) {
                Acknowledged::Nothing => return context.respond(server, request, 481),
                Acknowledged::Ours => {
                    context.respond(server, request, 200);
                    return self.answer_if_ready(context);
                }
                Acknowledged::Theirs(reliable) => Ask::Prack { reliable },
            },
            Method::Info => Ask::Info,
            Method::Message => Ask::Message,
            Method::Options => Ask::Options,
            Method::Notify => Ask::Notify,
            other => Ask::Other(bytes::Bytes::copy_from_slice(other.as_bytes())),
        };
        let is_prack = matches!(ask, Ask::Prack { .. });
        self.asks(context, server, request, ask, Matter::Plain);
        if is_prack {
            self.answer_if_ready(context);
        }
    }

    /// Hands a request to the switch.
    pub(super) fn asks(
        &mut self,
        context: &mut Context,
        server: ServerId,
        request: &Request,
        ask: Ask,
        matter: Matter,
    ) {
        let exchange = self.next_exchange();
        let carried = carried::take(request.headers(), request.body());
        self.asked.push(Asked { exchange, server, request: request.clone(), matter });
        self.tell(context, LegEvent::Asked { exchange, ask, carried });
    }

    /// Refuses a request that changes the session while another does (RFC 3261 §14.2,
    /// RFC 3311 §5.2).
    pub(super) fn refuse_clash(
        context: &mut Context,
        server: ServerId,
        request: &Request,
        clash: Clash,
    ) {
        match clash {
            Clash::WithOurs => context.respond(server, request, 491),
            Clash::WithTheirs => refuse_for_now(context, server, request),
        }
    }

    /// Answers what the far end asked.
    pub(super) fn reply(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        status: &Status,
        carried: &Carried,
    ) {
        let Some(at) = self.asked.iter().position(|asked| asked.exchange == exchange) else {
            return;
        };
        if !status.is_final() {
            let asked = &self.asked[at];
            if asked.matter == Matter::Reinvite && status.code > 100 {
                let mut draft =
                    Draft::response_to(&asked.request, status.code, &status.reason, None);
                draft.push(&name::CONTACT, &self.contact);
                context.table.respond(context.now, asked.server, &draft);
            }
            return;
        }
        let asked = self.asked.swap_remove(at);
        let code = relayed(status.code);
        let mut draft = Draft::response_to(&asked.request, code, &status.reason, None);
        context.put_product(&mut draft, &name::SERVER);
        match asked.matter {
            Matter::Reinvite | Matter::Update if status.is_success() => {
                self.accept_change(context, &asked, &mut draft, carried);
            }
            Matter::Reinvite => {
                context.disown_invite(asked.server);
                carried::put(carried, &mut draft);
                context.table.respond(context.now, asked.server, &draft);
            }
            Matter::Transfer(wish) if status.is_success() => {
                self.accept_transfer(context, &asked, wish, carried);
            }
            Matter::Update | Matter::Transfer(_) | Matter::Plain => {
                if *asked.request.method() == Method::Options {
                    context.put_abilities(&mut draft, false);
                }
                carried::put(carried, &mut draft);
                context.table.respond(context.now, asked.server, &draft);
            }
        }
    }

    /// Our Contact.
    pub(super) fn contact(&self) -> Arc<[u8]> {
        Arc::clone(&self.contact)
    }
}

/// RFC 3261 §14.2: somewhere between 0 and 10 seconds.
fn refuse_for_now(context: &mut Context, server: ServerId, request: &Request) {
    let mut draft = context.response_to(request, 500, "");
    let wait = context.random.next_u32() % 11;
    draft.push(&name::RETRY_AFTER, wait.to_string());
    if *request.method() == Method::Invite {
        context.disown_invite(server);
    }
    context.table.respond(context.now, server, &draft);
}

/// The answer of another leg as it can be said on this one: its far end cannot answer a challenge
/// made to us, and must not take a silence behind us for the end of its own dialog (RFC 5057 §5.1).
fn relayed(status: u16) -> u16 {
    match status {
        401 | 407 => 403,
        408 => 504,
        other => other,
    }
}
