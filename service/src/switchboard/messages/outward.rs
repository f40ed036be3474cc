// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts that leave the house: by a line, as its account; or to another domain directly, as calls
//! do. Nobody keeps them here: who takes them delivers them.

use std::sync::Arc;

use sipwitch_core::{
    contact::Contact,
    extension::ExtensionNumber,
    line::LineId,
    routing::{self, Caller, Destination, Target, Wants},
};
use sipwitch_sip::{
    endpoint::{Composed, OnLine},
    flow::Flow,
    wire::{Method, NameAddr, Uri, name},
};

use super::{
    super::{
        Switchboard,
        errand::{Waiter, Ways},
        lines::wanted_of_peer,
    },
    PATIENCE, Sender, Sending, Text,
};
use crate::lines::Outgoing;

/// Texts whose ways are looked for at once.
const MAX_LOOKING: usize = 256;

/// How a text leaves the house.
#[derive(Debug)]
pub(super) enum Leaves {
    /// By a line.
    Line(LineId, Box<Outgoing>),
    /// To the domain of an address.
    Peer(Uri),
}

impl Switchboard {
    /// How a text leaves the house, if it does: by the first on its route that can take it.
    pub(super) fn text_leaves_by(
        &self,
        contact: &Contact,
        extension: Option<ExtensionNumber>,
        by: Option<LineId>,
    ) -> Option<Leaves> {
        let caller = Caller { extension, wants: Wants::Text, by, ..Caller::default() };
        let route = routing::route(contact, &caller, &self.house(None));
        let mut targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        targets.find_map(|target| self.text_leaves_to(target))
    }

    fn text_leaves_to(&self, target: &Target) -> Option<Leaves> {
        match target.destination {
            Destination::Line(line) => {
                let outgoing = self
                    .lines
                    .outgoing(self.now.instant, line, &target.dialled, Wants::Text, false)
                    .ok()?;
                Some(Leaves::Line(line, Box::new(outgoing)))
            }
            Destination::Peer => Uri::parse(target.dialled.to_string()).ok().map(Leaves::Peer),
            Destination::Phone(_) => None,
        }
    }

    /// Sends a text out. Where its servers must be looked for, or connections asked for, that
    /// comes first.
    pub(super) fn send_text_out(&mut self, text: Text, leaves: Leaves, sender: Sender) {
        let id = self.messages.next;
        self.messages.next += 1;
        self.messages.deadlines.push_back((self.now.instant + PATIENCE, id));
        self.messages.sending.insert(id, Sending { text, open: 1, programs: Vec::new(), sender });
        match &leaves {
            Leaves::Line(_, outgoing) if !outgoing.needs_connections() => {
                return self.text_goes_over(id, outgoing);
            }
            _ if self.messages.looking.len() >= MAX_LOOKING => {
                return self.text_is_stuck(id, "too many texts are on their way");
            }
            Leaves::Line(_, outgoing) => {
                let places = outgoing.ways.iter().map(|way| way.place.clone()).collect();
                self.errands.reach(places, Waiter::Text(id));
            }
            Leaves::Peer(uri) => match wanted_of_peer(uri) {
                Some(wanted) => {
                    self.errands.find_ways(wanted, Waiter::Text(id));
                }
                None => return self.text_is_stuck(id, "its address leads nowhere"),
            },
        }
        self.messages.looking.insert(id, leaves);
    }

    /// The ways of a text are known, or that there is none.
    pub(in super::super) fn text_ways(&mut self, id: u64, ways: Ways) {
        // Its sender may have lost patience.
        let Some(leaves) = self.messages.looking.remove(&id) else { return };
        match (ways, leaves) {
            (Ok(ways), Leaves::Line(line, outgoing)) => {
                self.lines.reached(line, &ways);
                self.text_goes_over(id, &Outgoing { ways, ..*outgoing });
            }
            (Ok(ways), Leaves::Peer(request_uri)) => {
                let Some(sending) = self.messages.sending.get(&id) else { return };
                let from = NameAddr::parse(sending.text.from.as_bytes()).map(|from| from.uri());
                let Ok(from) = from else {
                    return self.text_is_stuck(id, "its sender has no address");
                };
                // No account stands behind it: nothing is shown to whoever asks for a password.
                let on = Arc::new(OnLine::new(from, String::new()));
                let outgoing = Outgoing { request_uri, route: Vec::new(), on, ways };
                self.text_goes_over(id, &outgoing);
            }
            (Err(why), _) => {
                tracing::info!(text = id, "no way for a text: {why}");
                self.text_is_stuck(id, &why);
            }
        }
    }

    fn text_goes_over(&mut self, id: u64, outgoing: &Outgoing) {
        let Some(sending) = self.messages.sending.get(&id) else { return };
        let (content_type, body) = (sending.text.content_type.clone(), sending.text.body.clone());
        let mut draft = self.endpoint.compose(&Composed {
            method: &Method::Message,
            uri: &outgoing.request_uri.for_request_line(),
            from: &outgoing.on.from_value(),
            to: &format!("<{}>", outgoing.request_uri.for_request_line()),
        });
        for route in &outgoing.route {
            draft.push(&name::ROUTE, route);
        }
        draft.body(content_type, body);
        let ways: Vec<Flow> = outgoing.ways.iter().map(|way| way.flow).collect();
        match self.endpoint.request_on_line(self.now.instant, &ways, draft, &outgoing.on) {
            Some(request) => {
                self.messages.requests.insert(request, id);
            }
            None => self.text_is_stuck(id, "no way leads there"),
        }
    }

    /// A text cannot go on.
    fn text_is_stuck(&mut self, id: u64, why: &str) {
        if let Some(Sending { text, sender, .. }) = self.messages.sending.remove(&id) {
            self.keep(id, &text, sender, why);
        }
    }
}
