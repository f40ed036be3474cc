// SPDX-License-Identifier: GPL-3.0-or-later
//! Transfers: REFER (RFC 3515), Replaces in its target (RFC 3891), and the NOTIFYs that tell how it
//! goes, unless they are not wanted (RFC 4488).

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Carried, ExchangeId, LegEvent, Replaced, Status},
    cause::Cause,
};

use super::{
    Leg, State,
    asked::{Asked, Matter},
    asking::Purpose,
    carried, compose,
};
use crate::{
    dialog::Replaces,
    endpoint::Context,
    transaction::ServerId,
    wire::{Draft, Malformed, Method, NameAddr, Request, name, reason_phrase},
};

/// Transfers of one leg that are told about at a time.
const MAX_TRANSFERS: usize = 4;

/// How long a subscription stands between two NOTIFYs. Transfers ring for less.
const SUBSCRIPTION_SECONDS: u32 = 180;

/// What a REFER asks for.
#[derive(Debug, Clone)]
pub(crate) struct Refer {
    target: String,
    replaces: Option<Replaced>,
    subscribes: bool,
}

/// How a REFER wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    subscribes: bool,
    /// Tells several subscriptions of one dialog apart (RFC 3515 §2.4.6).
    event_id: Option<u32>,
}

/// The subscription that a REFER made.
pub(super) struct Transfer {
    exchange: ExchangeId,
    event_id: Option<u32>,
    /// A NOTIFY is not answered yet: another could overtake it.
    telling: bool,
    /// What was told last.
    told: u16,
    next: Option<Status>,
    /// The last NOTIFY has been sent.
    is_over: bool,
}

impl Refer {
    /// Reads a REFER; `look_up` finds the leg that a Replaces names.
    ///
    /// # Errors
    /// What is wrong with its Refer-To.
    pub(crate) fn read(
        request: &Request,
        look_up: impl FnOnce(&Replaces) -> Replaced,
    ) -> Result<Self, Malformed> {
        let headers = request.headers();
        let bad = |what: &str| Malformed::new(400, format!("Refer-To: {what}"));
        if headers.count(&name::REFER_TO) != 1 {
            return Err(bad("there must be exactly one"));
        }
        let value = headers.value(&name::REFER_TO).unwrap_or_default();
        let mut addresses = NameAddr::parse_list(&value)?.into_iter();
        let (Some(address), None) = (addresses.next(), addresses.next()) else {
            return Err(bad("must name exactly one address"));
        };
        let uri = address.uri();
        if uri.param("method").is_some_and(|method| !method.eq_ignore_ascii_case(b"INVITE")) {
            return Err(bad("only calls can be transferred"));
        }
        let replaces = match uri.header("replaces") {
            Some(escaped) => Some(look_up(&Replaces::parse_escaped(escaped)?)),
            None => None,
        };
        let subscribes = !headers
            .value(&name::REFER_SUB)
            .is_some_and(|wish| wish.to_ascii_lowercase().starts_with(b"false"));
        Ok(Self { target: uri.for_request_line().to_string(), replaces, subscribes })
    }
}

impl Leg {
    pub(super) fn transfer_asked(
        &mut self,
        context: &mut Context,
        server: ServerId,
        request: &Request,
        refer: Option<Result<Refer, Malformed>>,
    ) {
        let refer = match refer {
            Some(Ok(refer)) => refer,
            Some(Err(fault)) => return context.respond(server, request, fault.status),
            None => return context.respond(server, request, 400),
        };
        let State::Standing(standing) = &self.state else {
            // Nobody is there yet whom it could transfer.
            return context.respond(server, request, 403);
        };
        let waiting =
            self.asked.iter().filter(|asked| matches!(asked.matter, Matter::Transfer(_))).count();
        if standing.transfers.len() + waiting >= MAX_TRANSFERS {
            return context.respond(server, request, 500);
        }
        let is_first = standing.transfers.is_empty() && waiting == 0;
        let event_id = if is_first { None } else { request.cseq().ok().map(|cseq| cseq.number) };
        let exchange = self.next_exchange();
        let wish = Wish { subscribes: refer.subscribes, event_id };
        self.asked.push(Asked {
            exchange,
            server,
            request: request.clone(),
            matter: Matter::Transfer(wish),
        });
        let event = LegEvent::TransferAsked {
            exchange,
            target: refer.target,
            replaces: refer.replaces,
            carried: carried::take(request.headers(), request.body()),
        };
        self.tell(context, event);
    }

    pub(super) fn accept_transfer(
        &mut self,
        context: &mut Context,
        asked: &Asked,
        wish: Wish,
        carried: &Carried,
    ) {
        let mut draft = Draft::response_to(&asked.request, 202, "", None);
        draft.push(&name::CONTACT, &self.contact);
        context.put_product(&mut draft, &name::SERVER);
        if !wish.subscribes {
            draft.push(&name::REFER_SUB, "false");
        }
        carried::put(carried, &mut draft);
        context.table.respond(context.now, asked.server, &draft);
        let State::Standing(standing) = &mut self.state else { return };
        if wish.subscribes {
            standing.transfers.push(Transfer {
                exchange: asked.exchange,
                event_id: wish.event_id,
                telling: false,
                told: 0,
                next: None,
                is_over: false,
            });
            // RFC 3515 §2.4.4: the first NOTIFY goes at once.
            self.transfer_progress(context, asked.exchange, &Status::new(100));
        }
    }

    /// Tells the far end how its transfer goes.
    pub(super) fn transfer_progress(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        status: &Status,
    ) {
        let State::Standing(standing) = &mut self.state else { return };
        let found = standing.transfers.iter_mut().find(|transfer| transfer.exchange == exchange);
        let Some(transfer) = found else { return };
        if transfer.is_over || status.code == transfer.told {
            return;
        }
        if transfer.telling {
            // Only the latest counts, and nothing comes after the end.
            if !transfer.next.as_ref().is_some_and(Status::is_final) {
                transfer.next = Some(status.clone());
            }
            return;
        }
        transfer.telling = true;
        transfer.told = status.code;
        transfer.is_over = status.is_final();
        let event = match transfer.event_id {
            Some(id) => format!("refer;id={id}"),
            None => "refer".to_owned(),
        };
        let (mut draft, flow) =
            compose(context, &mut standing.dialog, &self.contact, &Method::Notify);
        let state = if status.is_final() {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={SUBSCRIPTION_SECONDS}")
        };
        draft.push(&name::EVENT, event).push(&name::SUBSCRIPTION_STATE, state);
        let phrase =
            if status.reason.is_empty() { reason_phrase(status.code) } else { &status.reason };
        let phrase: String = phrase.chars().filter(|c| !c.is_control()).collect();
        let fragment = format!("SIP/2.0 {} {phrase}\r\n", status.code);
        draft.body("message/sipfrag;version=2.0", Bytes::from(fragment));
        self.ask_far_end(context, flow, draft, Purpose::Notify { transfer: exchange });
    }

    /// A NOTIFY was answered, or never will be. A far end that does not know the subscription any
    /// more has lost that, not its dialog (RFC 5057 §4.3).
    pub(super) fn transfer_told(
        &mut self,
        context: &mut Context,
        exchange: ExchangeId,
        status: u16,
    ) {
        let State::Standing(standing) = &mut self.state else { return };
        let at = standing.transfers.iter().position(|transfer| transfer.exchange == exchange);
        let Some(at) = at else { return };
        let transfer = &mut standing.transfers[at];
        transfer.telling = false;
        if status >= 300 || transfer.is_over {
            standing.transfers.swap_remove(at);
        } else if let Some(next) = transfer.next.take() {
            self.transfer_progress(context, exchange, &next);
        }
    }

    /// Closes the subscriptions of a leg that ends, before its BYE.
    pub(super) fn end_transfers(&mut self, context: &mut Context, cause: &Cause) {
        let State::Standing(standing) = &mut self.state else { return };
        let mut open = Vec::new();
        for transfer in &mut standing.transfers {
            if transfer.is_over {
                continue;
            }
            transfer.telling = false;
            let last = transfer.next.take().filter(Status::is_final);
            // A leg that ends well in the middle of a transfer has been replaced by it.
            let code = if cause.is_normal() { 200 } else { cause.sip };
            open.push((transfer.exchange, last.unwrap_or_else(|| Status::new(code))));
        }
        for (exchange, status) in open {
            self.transfer_progress(context, exchange, &status);
        }
    }
}
