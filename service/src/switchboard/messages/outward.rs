// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts that leave the house: by a line, as its account; or to another domain directly, as calls
//! do. Nobody keeps them here: who takes them delivers them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use sipwitch_core::{
    call::blames_the_way,
    cause::Cause,
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

/// After so long without an answer another way is tried beside: the time after which a server is
/// given up for calls as well. Somebody may get the text twice, which is better than never.
const SILENCE: Duration = Duration::from_secs(4);

/// Whether another way may take a text where this one answers so: what speaks against the way and
/// not against the address, and that texts are not taken there at all.
pub(super) fn another_may_take_it(status: u16) -> bool {
    matches!(status, 405 | 415 | 420) || blames_the_way(&Cause::from_sip(status), false)
}

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
    /// How a text leaves the house, if it does: by whatever of its route can take it, in order.
    pub(super) fn text_leaves_by(
        &self,
        contact: &Contact,
        extension: Option<ExtensionNumber>,
        by: Option<LineId>,
    ) -> VecDeque<Leaves> {
        let caller = Caller { extension, wants: Wants::Text, by, ..Caller::default() };
        let route = routing::route(contact, &caller, &self.house(None));
        let targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        targets.filter_map(|target| self.text_leaves_to(target)).collect()
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

    /// Sends a text out, by these ways: the next where one fails or says nothing.
    pub(super) fn send_text_out(&mut self, text: Text, further: VecDeque<Leaves>, sender: Sender) {
        let id = self.messages.next;
        self.messages.next += 1;
        self.messages.deadlines.push_back((self.now.instant + PATIENCE, id));
        let programs = Vec::new();
        self.messages.sending.insert(id, Sending { text, open: 0, programs, further, sender });
        self.text_goes_on(id);
    }

    /// Sends a text by the next of its ways out; gives false if there is none left. Where servers
    /// must be looked for, or connections asked for, that comes first.
    pub(super) fn text_goes_on(&mut self, id: u64) -> bool {
        let Some(sending) = self.messages.sending.get_mut(&id) else { return false };
        let Some(leaves) = sending.further.pop_front() else { return false };
        sending.open += 1;
        if !sending.further.is_empty() {
            self.messages.silences.push_back((self.now.instant + SILENCE, id));
        }
        self.text_leaves(id, leaves);
        true
    }

    fn text_leaves(&mut self, id: u64, leaves: Leaves) {
        let looked_for = self.messages.next;
        self.messages.next += 1;
        match &leaves {
            Leaves::Line(_, outgoing) if !outgoing.needs_connections() => {
                self.text_goes_over(id, outgoing);
                return;
            }
            _ if self.messages.looking.len() >= MAX_LOOKING => {
                return self.text_is_stuck(id, "too many texts are on their way");
            }
            Leaves::Line(_, outgoing) => {
                let places = outgoing.ways.iter().map(|way| way.place.clone()).collect();
                self.errands.reach(places, Waiter::Text(looked_for));
            }
            Leaves::Peer(uri) => match wanted_of_peer(uri) {
                Some(wanted) => {
                    self.errands.find_ways(wanted, Waiter::Text(looked_for));
                }
                None => return self.text_is_stuck(id, "its address leads nowhere"),
            },
        }
        self.messages.looking.insert(looked_for, (id, leaves));
    }

    /// The ways of a text are known, or that there is none.
    pub(in super::super) fn text_ways(&mut self, looked_for: u64, ways: Ways) {
        // Its sender may have lost patience, or it goes another way.
        let Some((id, leaves)) = self.messages.looking.remove(&looked_for) else { return };
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
        let (content_type, body) = sending.text.as_it_came();
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

    /// A text cannot go on this way.
    fn text_is_stuck(&mut self, id: u64, why: &str) {
        let Some(sending) = self.messages.sending.get_mut(&id) else { return };
        sending.open = sending.open.saturating_sub(1);
        if self.text_goes_on(id) || self.messages.sending.get(&id).is_none_or(|s| s.open > 0) {
            return;
        }
        if let Some(Sending { text, sender, .. }) = self.messages.sending.remove(&id) {
            self.keep(id, &text, sender, why);
        }
    }

    /// Tries other ways for the texts whose way out says nothing. What was sent may still be taken.
    pub(super) fn silent_texts_go_on(&mut self) {
        while let Some(&(due, id)) = self.messages.silences.front() {
            if due > self.now.instant {
                return;
            }
            self.messages.silences.pop_front();
            // One that failed by itself has gone on already, and has its own time.
            if self.messages.silences.iter().any(|(_, other)| *other == id) {
                continue;
            }
            let looking = self.messages.looking.len();
            self.messages.looking.retain(|_, (text, _)| *text != id);
            if self.messages.looking.len() < looking {
                self.text_is_stuck(id, "its servers are not found in time");
            } else {
                self.text_goes_on(id);
            }
        }
    }
}
