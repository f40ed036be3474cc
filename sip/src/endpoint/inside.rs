// SPDX-License-Identifier: GPL-3.0-or-later
//! What the transactions tell, and to whom it belongs.

use std::{sync::Arc, time::Duration};

use sipwitch_core::call::leg::{LegEvent, LegId};

use super::{Arrival, Context, Endpoint, Event, OnLine, Owner, late::LateAnswer};
use crate::{
    dialog::Tag,
    flow::Flow,
    leg::{Refer, acknowledge_stray, end_stray_answer},
    transaction::{self, ClientId, Failure, ServerId},
    wire::{Draft, Headers, Method, Name, Request, Response, name},
};

impl Endpoint {
    /// Hands on all that the transactions have to tell.
    pub(super) fn drain(&mut self) {
        while let Some(event) = self.context.table.poll_event() {
            self.dispatch(event);
        }
    }

    fn dispatch(&mut self, event: transaction::Event) {
        match event {
            transaction::Event::Request { transaction, request, flow } => {
                self.requested(Arrival { transaction, request, flow });
            }
            transaction::Event::Cancelled { invite, request } => {
                match self.context.invites.get(&invite) {
                    Some(&leg) => self.with_leg(leg, |leg, context| {
                        leg.cancelled(context, invite, request.headers());
                    }),
                    None => self.withdrawn(invite, &request),
                }
            }
            transaction::Event::Ack { request, flow } => {
                if let Some(leg) = self.leg_addressed(&request) {
                    self.with_leg(leg, |leg, context| leg.acknowledged(context, &request, flow));
                }
            }
            transaction::Event::Response { transaction, response, flow, .. } => {
                self.answered(transaction, response, flow);
            }
            transaction::Event::Failed { transaction, why } => self.failed(transaction, why),
            transaction::Event::AckMissing { transaction } => {
                if let Some(&leg) = self.context.invites.get(&transaction) {
                    self.with_leg(leg, |leg, context| leg.ack_missing(context, transaction));
                }
            }
            transaction::Event::Unanswerable { transaction } => {
                match self.context.invites.get(&transaction) {
                    Some(&leg) => self.with_leg(leg, |leg, context| {
                        leg.unanswerable(context, transaction);
                    }),
                    None => self.tell_withdrawn(transaction),
                }
            }
            transaction::Event::StrayResponse { response, flow } => {
                self.answered_late(&response, flow);
            }
        }
    }

    /// A 2xx to an INVITE whose transaction is gone.
    fn answered_late(&mut self, response: &Response, flow: Flow) {
        let Some(tag) = response.from_tag().and_then(|tag| Tag::parse(&tag)) else { return };
        // The far end has not seen the ACK for longer than any repetition lasts. If its dialog
        // stands, one more helps.
        if let Some(&leg) = self.context.tags.get(&tag) {
            let mut is_its = false;
            self.with_leg(leg, |leg, context| {
                is_its = leg.acknowledge_again(context, response, flow);
            });
            if is_its {
                return;
            }
        }
        let far = response.to_tag().unwrap_or_default();
        let context = &mut self.context;
        match context.late.answer(context.now, tag, &far) {
            Some(LateAnswer::End(line)) => {
                end_stray_answer(context, None, response, flow, line.as_ref());
            }
            Some(LateAnswer::Acknowledge) => acknowledge_stray(context, None, response, flow),
            None => {}
        }
    }

    fn requested(&mut self, arrival: Arrival) {
        let Arrival { transaction, request, flow } = &arrival;
        let tagged = request.to_tag().is_some();
        if !self.context.refuse_extensions(*transaction, request) {
            return;
        }
        if tagged {
            let Some(leg) = self.leg_addressed(request) else {
                // Of a subscription that only the far end remembers: its owner knows.
                if *request.method() == Method::Notify {
                    return self.context.events.push_back(Event::Request(arrival));
                }
                return self.context.respond(*transaction, request, 481);
            };
            let refer = (*request.method() == Method::Refer)
                .then(|| Refer::read(request, |replaces| self.replaced(replaces)));
            return self.with_leg(leg, |leg, context| {
                leg.receive(context, *transaction, request, *flow, refer);
            });
        }
        match request.method() {
            // These exist inside dialogs only (RFC 3261 §15, RFC 3262, RFC 3311, RFC 6086).
            Method::Bye | Method::Prack | Method::Update | Method::Info => {
                self.context.respond(*transaction, request, 481);
            }
            method => {
                if *method == Method::Invite {
                    self.waiting.insert(*transaction);
                }
                self.context.events.push_back(Event::Request(arrival));
            }
        }
    }

    /// The leg whose tag stands in the To.
    fn leg_addressed(&self, request: &Request) -> Option<LegId> {
        let tag = Tag::parse(&request.to_tag()?)?;
        self.context.tags.get(&tag).copied()
    }

    fn withdrawn(&mut self, transaction: ServerId, cancel: &Request) {
        // The CANCEL has all that the answer to its INVITE needs, but for the method of the CSeq.
        let mut draft = self.context.response_to(cancel, 487, "");
        if let Ok(cseq) = cancel.cseq() {
            draft.set(&name::CSEQ, format!("{} INVITE", cseq.number));
        }
        self.context.table.respond(self.context.now, transaction, &draft);
        self.tell_withdrawn(transaction);
    }

    fn tell_withdrawn(&mut self, transaction: ServerId) {
        if self.waiting.remove(&transaction) {
            self.context.events.push_back(Event::Withdrawn { transaction });
        }
    }

    fn answered(&mut self, client: ClientId, response: Response, flow: Flow) {
        let owner = self.context.clients.get(&client).cloned();
        let line = match owner {
            Some(Owner::Leg(leg)) if self.legs.contains_key(&leg) => {
                return self.with_leg(leg, |leg, context| {
                    leg.answered(context, client, &response, flow);
                });
            }
            Some(Owner::Outside) => {
                if response.status() >= 200 {
                    self.context.clients.remove(&client);
                }
                let event = Event::Answered { request: client, response, flow };
                return self.context.events.push_back(event);
            }
            Some(Owner::OnLine) => return self.context.line_answered(client, response, flow),
            Some(Owner::Nobody(_)) if response.status() < 200 => return,
            Some(Owner::Nobody(line)) => Some(line),
            Some(Owner::Leg(_)) | None => None,
        };
        self.context.clients.remove(&client);
        let is_invite = response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if is_invite && (200..=299).contains(&response.status()) {
            end_stray_answer(&mut self.context, Some(client), &response, flow, line.as_ref());
        }
    }

    fn failed(&mut self, client: ClientId, why: Failure) {
        match self.context.clients.get(&client) {
            Some(&Owner::Leg(leg)) if self.legs.contains_key(&leg) => {
                self.with_leg(leg, |leg, context| leg.failed(context, client, why));
            }
            Some(Owner::Outside) => {
                self.context.clients.remove(&client);
                self.context.events.push_back(Event::Failed { request: client, why });
            }
            Some(Owner::OnLine) => self.context.line_failed(client, why),
            Some(Owner::Leg(_) | Owner::Nobody(_)) | None => {
                self.context.clients.remove(&client);
            }
        }
    }
}

/// What legs do with what they share.
impl Context {
    pub(crate) fn tell(&mut self, leg: LegId, event: LegEvent) {
        self.events.push_back(Event::Leg { leg, event });
    }

    pub(crate) fn place_failed(&mut self, flow: Flow, rest: Option<Duration>) {
        self.events.push_back(Event::PlaceFailed { flow, rest });
    }

    pub(crate) fn own_tag(&mut self, tag: Tag, leg: LegId) {
        self.tags.insert(tag, leg);
    }

    pub(crate) fn disown_tag(&mut self, tag: Tag) {
        self.tags.remove(&tag);
    }

    pub(crate) fn own_invite(&mut self, invite: ServerId, leg: LegId) {
        self.invites.insert(invite, leg);
    }

    pub(crate) fn disown_invite(&mut self, invite: ServerId) {
        self.invites.remove(&invite);
    }

    pub(crate) fn own_client(&mut self, client: ClientId, leg: LegId) {
        self.clients.insert(client, Owner::Leg(leg));
    }

    pub(crate) fn disown_client(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    /// Gives up the INVITE of a leg, and whatever may still answer it. On a line, what answers is
    /// ended with the line's credentials.
    pub(crate) fn leave_client(&mut self, client: ClientId, line: Option<&Arc<OnLine>>) {
        match line {
            Some(line) => {
                self.clients.insert(client, Owner::Nobody(Arc::clone(line)));
            }
            None => self.disown_client(client),
        }
    }

    pub(crate) fn tell_moved(&mut self, leg: LegId, moved: bool) {
        self.events.push_back(Event::Moved { leg, moved });
    }

    /// Sends a request of a leg.
    pub(crate) fn request(&mut self, leg: LegId, flow: Flow, draft: &Draft) -> ClientId {
        let client = self.table.request(self.now, flow, draft);
        self.own_client(client, leg);
        client
    }

    /// Sends a request of a leg to a place that was looked up.
    pub(crate) fn request_to_place(&mut self, leg: LegId, flow: Flow, draft: &Draft) -> ClientId {
        let client = self.table.request_to_place(self.now, flow, draft);
        self.own_client(client, leg);
        client
    }

    /// Answers inside a dialog with this status and nothing else.
    pub(crate) fn respond(&mut self, server: ServerId, request: &Request, status: u16) {
        let mut draft = Draft::response_to(request, status, "", None);
        if request.to_tag().is_none() {
            draft = self.response_to(request, status, "");
        } else {
            self.put_product(&mut draft, &name::SERVER);
        }
        self.table.respond(self.now, server, &draft);
    }

    /// Says who we are.
    pub(crate) fn put_product(&self, draft: &mut Draft, wanted: &Name) {
        if !self.settings.product.is_empty() {
            draft.push(wanted, self.product.clone());
        }
    }

    /// Refuses a request that requires an extension we do not speak (RFC 3261 §8.2.2.3). True if
    /// there is none.
    fn refuse_extensions(&mut self, server: ServerId, request: &Request) -> bool {
        let headers: Headers<'_> = request.headers();
        if headers.count(&name::REQUIRE) == 0 {
            return true;
        }
        let mut unsupported = headers.tokens(&name::REQUIRE);
        unsupported.retain(|option| {
            !super::SUPPORTED.iter().any(|ours| ours.eq_ignore_ascii_case(option))
        });
        if unsupported.is_empty() {
            return true;
        }
        unsupported.truncate(16);
        let mut draft = self.response_to(request, 420, "");
        draft.push(&name::UNSUPPORTED, unsupported.join(", "));
        self.table.respond(self.now, server, &draft);
        false
    }
}
