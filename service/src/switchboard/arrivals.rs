// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests outside dialogs: who answers what.

use sipwitch_sip::{
    endpoint::{ALLOW, Arrival, SUPPORTED},
    wire::{Method, name},
};

use super::{Switchboard, login::Stage};

impl Switchboard {
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        if !self.pass_gate(&arrival) {
            return;
        }
        self.attend(arrival, &Stage::New);
    }

    /// Does what a request wants whose sender is known as far as the stage says.
    pub(super) fn attend(&mut self, arrival: Arrival, stage: &Stage) {
        match arrival.request.method() {
            Method::Invite => self.invited(&arrival, stage),
            Method::Register => self.register(arrival, stage),
            Method::Message => self.text_arrived(&arrival, stage),
            Method::Options => self.asked_for_options(&arrival),
            // Presence and dialog state are not kept here, and of messages that wait phones are told
            // unasked (RFC 6665 §4.2.1.2).
            Method::Subscribe | Method::Publish => self.refuse(&arrival, 489),
            Method::Notify => self.notified(&arrival),
            Method::Bye | Method::Update | Method::Prack | Method::Info => {
                self.refuse(&arrival, 481);
            }
            Method::Refer => self.refuse(&arrival, 403),
            Method::Other(_) | Method::Ack | Method::Cancel => self.refuse(&arrival, 405),
        }
    }

    /// Answers with a status.
    pub(super) fn refuse(&mut self, arrival: &Arrival, status: u16) {
        let response = self.endpoint.response_to(&arrival.request, status, "");
        self.endpoint.respond(self.now.instant, arrival.transaction, &response);
    }

    /// RFC 3261 §11.2: what an INVITE to there would find, without calling. Extensions are not told
    /// apart from what does not exist: that would be a way to count them.
    fn asked_for_options(&mut self, arrival: &Arrival) {
        let uri = arrival.request.uri();
        let ours = self.settings.is_own(&uri.host(), uri.port(), Some(arrival.flow.local));
        let mut response =
            self.endpoint.response_to(&arrival.request, if ours { 200 } else { 404 }, "");
        response.push(&name::ALLOW, ALLOW);
        response.push(&name::SUPPORTED, SUPPORTED.join(", "));
        response.push(&name::ACCEPT, "application/sdp, message/sipfrag, text/plain");
        self.endpoint.respond(self.now.instant, arrival.transaction, &response);
    }
}
