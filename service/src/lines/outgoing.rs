// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls and texts that leave by a line.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    cause::Cause,
    line::{LineId, LineState},
    routing::Wants,
};
use sipwitch_sip::{
    client_registration::{Registration, State},
    endpoint::{OnLine, OwnContact, Target},
    flow::Flow,
    resolver::Place,
    wire::Uri,
};

use super::{Lines, Outside, entry::Entry};
use crate::switchboard::errand::Way;

/// How something leaves by a line.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The Request-URI.
    pub request_uri: Uri,
    /// Route values: the provider's outbound proxy.
    pub route: Vec<Bytes>,
    /// As whom we speak.
    pub on: Arc<OnLine>,
    /// The ways, the best first; never none.
    pub ways: Vec<Way>,
}

impl Outgoing {
    /// Whether its connections must be asked for first: any may be gone, or was never opened.
    #[must_use]
    pub fn needs_connections(&self) -> bool {
        self.ways.iter().any(|way| way.flow.connection.is_some())
    }

    /// Where a leg begins.
    #[must_use]
    pub fn target(self) -> Option<Target> {
        let mut flows = self.ways.into_iter().map(|way| way.flow);
        let mut target = Target::new(self.request_uri, self.route, flows.next()?);
        target.alternatives = flows.collect();
        target.line = Some(self.on);
        Some(target)
    }
}

impl Lines {
    /// How something leaves by a line to what is dialled there, without showing who calls if
    /// `hides`; by the account's own settings it may not show it anyway.
    ///
    /// # Errors
    /// The line is down, is a gateway, or cannot dial that.
    pub fn outgoing(
        &self,
        now: Instant,
        id: LineId,
        dialled: &str,
        wants: Wants,
        hides: bool,
    ) -> Result<Outgoing, Cause> {
        let Some(entry) = self.entries.get(&id) else { return Err(out_of_order("it is gone")) };
        let standing = entry.standing();
        let in_emergency = match standing.line_state() {
            LineState::Up => false,
            LineState::EmergencyOnly if wants == Wants::Call => true,
            LineState::EmergencyOnly | LineState::Down(_) => {
                return Err(out_of_order(&standing.cause));
            }
        };
        let outside = entry.facts.outside().ok_or_else(|| out_of_order("it is a phone"))?;
        let (hiding, code) = outside.hiding(hides);
        let request_uri = outside.request_uri(dialled, wants, code)?;
        let mut ways = if in_emergency { entry.unsecured.clone() } else { entry.best_ways() };
        self.put_failed_last(now, &mut ways);
        if ways.is_empty() {
            return Err(out_of_order("no way leads to its servers"));
        }
        let on = Arc::new(OnLine { hiding, ..entry.speaker(outside) });
        Ok(Outgoing { request_uri, route: outside.route.clone(), on, ways })
    }

    /// A place did not take a call: it is asked last for a while, or for as long as it wants
    /// (RFC 3263 §4.3).
    pub fn place_failed(&mut self, now: Instant, flow: &Flow, rest: Option<Duration>) {
        let place = Place { transport: flow.transport, address: flow.remote, name: Arc::default() };
        match rest {
            Some(rest) => self.failed.asked_for_rest(now, &place, rest),
            None => self.failed.failed(now, &place),
        }
    }

    /// Puts the ways to places that failed a short while ago last; none is left out.
    pub fn put_failed_last(&self, now: Instant, ways: &mut [Way]) {
        ways.sort_by_cached_key(|way| self.failed.until(now, &way.place));
    }

    /// As whom we speak on a line.
    #[must_use]
    pub fn speaker(&self, id: LineId) -> Option<Arc<OnLine>> {
        let entry = self.entries.get(&id)?;
        Some(Arc::new(entry.speaker(entry.facts.outside()?)))
    }

    /// As whom the line that spoke so speaks now.
    #[must_use]
    pub fn speaker_now(&self, on: &OnLine) -> Option<Arc<OnLine>> {
        self.speaker(*self.by_user.get(on.contact.user())?)
    }

    /// The flow over which the line that speaks so is held, the best if there are several.
    #[must_use]
    pub fn best_flow(&self, on: &OnLine) -> Option<Flow> {
        let entry = self.entries.get(self.by_user.get(on.contact.user())?)?;
        match entry.registration() {
            Some(registration) => registration.flows().next(),
            None => entry.best_of_trunk(),
        }
    }

    /// Whether an account is registered.
    #[must_use]
    pub fn is_online(&self, id: LineId) -> bool {
        let registration = self.entries.get(&id).and_then(Entry::registration);
        registration.is_some_and(|registration| registration.state() == State::Online)
    }

    /// The flow over which the provider of a registered account may be asked what waits there; none
    /// if it said that it does not tell.
    #[must_use]
    pub fn may_tell_what_waits(&self, id: LineId) -> Option<Flow> {
        let registration = self.entries.get(&id)?.registration()?;
        let may = self.is_online(id) && registration.may_offer_summaries();
        registration.flows().next().filter(|_| may)
    }

    /// The extension whose phone a gateway is.
    #[must_use]
    pub fn gateway(&self, id: LineId) -> Option<&str> {
        self.entries.get(&id)?.facts.reach.gateway()
    }
}

impl Entry {
    fn speaker(&self, outside: &Outside) -> OnLine {
        let from = outside.from.clone().unwrap_or_else(|| outside.address.clone());
        OnLine {
            display: outside.display.clone(),
            contact: self.own_contact(outside),
            credentials: self.credentials.clone(),
            identity: outside.identity.clone(),
            hiding: outside.hiding,
            service_route: self
                .registration()
                .map(|registration| registration.service_route().to_vec())
                .unwrap_or_default(),
            ..OnLine::new(from, &*self.contact_user)
        }
    }

    /// Where the far end of a call reaches us: by the GRUU that the registrar gave, which outlives
    /// a change of our address (RFC 5627 §4.4); where the provider wants it so, under the address
    /// that it sees; or else at our end of the flow. A GRUU that promises
    /// less or more of the way than the account's address is left alone (RFC 3261 §8.1.1.8).
    fn own_contact(&self, outside: &Outside) -> OwnContact {
        let user = self.contact_user.to_string();
        let gruu = self.registration().and_then(Registration::public_gruu);
        let gruu = gruu.filter(|gruu| gruu.is_sips() == outside.address.is_sips());
        let mapped = self.registration().and_then(Registration::mapped_contact);
        match (gruu, mapped) {
            (Some(gruu), _) => OwnContact::Whole { user, address: gruu.clone() },
            (None, Some(address)) => OwnContact::Mapped { user, address },
            (None, None) => OwnContact::AtFlow { user },
        }
    }

    /// The ways to its servers: those it is registered over before the others.
    fn best_ways(&self) -> Vec<Way> {
        let held: Vec<Flow> = match self.registration() {
            Some(registration) => registration.flows().collect(),
            None => self.best_of_trunk().into_iter().collect(),
        };
        let rank =
            |way: &&Way| held.iter().position(|flow| way.is_over(flow)).unwrap_or(held.len());
        let mut ways: Vec<&Way> = self.ways.iter().collect();
        ways.sort_by_key(rank);
        ways.into_iter().cloned().collect()
    }
}

/// A line that cannot carry a call, so that another one is tried.
fn out_of_order(why: &str) -> Cause {
    Cause { q850: Some(27), text: why.to_owned(), ..Cause::from_sip(503) }
}
