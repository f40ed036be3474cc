// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking the providers of accounts that are registered to tell what waits (RFC 6665, RFC 3842): one
//! subscription for each, for as long as its account is online. Nothing is taken back: who still
//! tells when the account is gone hears 481, and forgets it (RFC 6665 §4.2.2).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use sipwitch_core::line::LineId;
use sipwitch_sip::{
    endpoint::{Arrival, Composed, Hiding, OnLine},
    flow::Flow,
    message_summary::Subscription,
    transaction::ClientId,
    wire::{Method, Response, name},
};

use super::super::Switchboard;

/// The subscriptions, by line.
#[derive(Debug, Default)]
pub(super) struct Asking {
    by_line: HashMap<LineId, Asked>,
    requests: HashMap<ClientId, LineId>,
    deadlines: BTreeSet<(Instant, LineId)>,
}

#[derive(Debug)]
struct Asked {
    subscription: Subscription,
    /// Over which flow our Contact was told last.
    flow: Flow,
    armed: Option<Instant>,
}

impl Asking {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(super) fn forget(&mut self, line: LineId) {
        if let Some(Asked { armed: Some(armed), .. }) = self.by_line.remove(&line) {
            self.deadlines.remove(&(armed, line));
        }
        // What is answered late is nobody's.
        self.requests.retain(|_, known| *known != line);
    }
}

impl Switchboard {
    /// A line stands in another way, or is registered once more: its provider is asked, or told that
    /// we are elsewhere.
    pub(in super::super) fn subscription_follows(&mut self, line: LineId) {
        let Some(flow) = self.lines.may_tell_what_waits(line) else {
            if self.mailboxes.asking.by_line.contains_key(&line) && !self.lines.is_online(line) {
                self.mailboxes.asking.forget(line);
            }
            return;
        };
        let asked = self.mailboxes.asking.by_line.entry(line).or_insert_with(|| Asked {
            subscription: Subscription::begin(),
            flow,
            armed: None,
        });
        if asked.flow != flow {
            asked.flow = flow;
            asked.subscription.moved();
        }
        self.ask_what_waits(line);
    }

    /// The same, where only the account is known.
    pub(in super::super) fn subscription_of_account(&mut self, account: &str) {
        if let Some(line) = self.lines.of_account(account) {
            self.subscription_follows(line);
        }
    }

    /// An answer, or None for a failure, if it is to one of these requests; says whether it was.
    pub(in super::super) fn subscription_answered(
        &mut self,
        request: ClientId,
        response: Option<(&Response, &Flow)>,
    ) -> bool {
        let asking = &mut self.mailboxes.asking;
        let Some(line) = asking.requests.get(&request).copied() else { return false };
        if response.is_none_or(|(response, _)| response.status() >= 200) {
            asking.requests.remove(&request);
        }
        if let Some(asked) = asking.by_line.get_mut(&line) {
            let now = self.now.instant;
            match response {
                Some((response, flow)) => asked.subscription.answered(now, response, *flow),
                None => asked.subscription.failed(now),
            }
            self.ask_what_waits(line);
        }
        true
    }

    /// A NOTIFY came by a line: it may say how its subscription stands.
    pub(super) fn subscription_notified(&mut self, line: LineId, arrival: &Arrival) {
        let Some(asked) = self.mailboxes.asking.by_line.get_mut(&line) else { return };
        if asked.subscription.owns(&arrival.request) {
            asked.subscription.notified(self.now.instant, &arrival.request);
            self.ask_what_waits(line);
        }
    }

    /// Does what is due.
    pub(in super::super) fn subscriptions_overdue(&mut self) {
        while let Some(&(due, line)) = self.mailboxes.asking.deadlines.first() {
            if due > self.now.instant {
                break;
            }
            self.mailboxes.asking.deadlines.pop_first();
            if let Some(asked) = self.mailboxes.asking.by_line.get_mut(&line) {
                asked.armed = None;
                asked.subscription.handle_deadline(self.now.instant);
            }
            // The way may be another one by now.
            self.subscription_follows(line);
        }
    }

    /// Sends what a subscription wants to send, and notes when it wants to be asked again.
    fn ask_what_waits(&mut self, line: LineId) {
        let Some(on) = self.lines.speaker(line) else { return };
        let Some((_, facts, _)) = self.lines.line(line) else { return };
        let Some(outside) = facts.outside() else { return };
        let (address, routes) = (outside.address.clone(), outside.route.clone());
        let asking = &mut self.mailboxes.asking;
        let Some(asked) = asking.by_line.get_mut(&line) else { return };
        let flow = asked.flow;
        let endpoint = &mut self.endpoint;
        let request = asked.subscription.next_request(|| {
            let mut draft = endpoint.compose(&Composed {
                method: &Method::Subscribe,
                uri: &address.for_request_line(),
                from: &format!("<{}>", address.for_request_line()),
                to: &format!("<{}>", address.for_request_line()),
            });
            for route in &routes {
                draft.push(&name::ROUTE, route);
            }
            draft
        });
        if let Some((mut draft, is_first)) = request {
            draft.push(&name::CONTACT, on.contact_value(address.is_sips(), &flow));
            // The provider must know whose mailbox it is; inside a dialog its own route counts.
            let mut on = OnLine { hiding: Hiding::Shown, identity: None, ..OnLine::clone(&on) };
            if !is_first {
                on.service_route.clear();
            }
            let now = self.now.instant;
            if let Some(request) = endpoint.request_on_line(now, &[flow], draft, &Arc::new(on)) {
                asking.requests.insert(request, line);
            }
        }
        let next = asked.subscription.next_deadline();
        if next != asked.armed {
            if let Some(armed) = asked.armed {
                asking.deadlines.remove(&(armed, line));
            }
            asking.deadlines.extend(next.map(|next| (next, line)));
            asked.armed = next;
        }
    }
}
