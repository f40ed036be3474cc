// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines as the switchboard sees them: what they want done, calls that leave by them, and requests
//! that come by them.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use sipwitch_core::{
    call::{
        CallId, LegEvent, LegId,
        leg::{Invitation, Party},
    },
    cause::Cause,
    contact::Contact,
    extension::{ExtensionNumber, Kind},
    line::{LineId, Users},
    routing::{
        self, Attempt, Because, Caller, Destination, Origin, PhoneId, Route, Target, Wants, Why,
    },
};
use sipwitch_sip::{
    client_registration::Notice,
    endpoint::{self, Arrival, Incoming, Refused},
    flow::{Flow, Transport},
    registrar::Binding,
    resolver::{Services, Wanted},
    wire::{NameAddr, Request, Uri, name},
};

use super::{
    Switchboard,
    errand::{Errand, Waiter, Ways},
    notice::PeerView,
};
use crate::{
    lines::{Facts, Outgoing, Reach, Wish},
    store::Change,
};

/// A leg whose ways are being looked for.
#[derive(Debug)]
pub(super) struct Starting {
    call: CallId,
    invitation: Invitation,
    leads: Leads,
}

#[derive(Debug)]
enum Leads {
    /// To a line, whose connections are asked for.
    Line(LineId, Box<Outgoing>),
    /// To the domain of an address.
    Peer(Uri),
}

impl Switchboard {
    /// Does what lines want done, until they want nothing more.
    pub(super) fn carry_out_wishes(&mut self) {
        while let Some(wish) = self.lines.poll() {
            match wish {
                Wish::Send { line, why, flow, request } => {
                    let client = self.endpoint.request(self.now.instant, flow, &request);
                    self.lines.sent(client, line, why, flow);
                }
                Wish::Transmit(transmit) => self.raw.push_back(transmit),
                Wish::FindWays { line, wanted, purpose } => {
                    let errand = self.errands.find_ways(wanted, Waiter::Line);
                    self.lines.sent_for(errand, line, purpose);
                }
                Wish::Reach { line, place, purpose } => {
                    let errand = self.errands.reach(vec![place], Waiter::Line);
                    self.lines.sent_for(errand, line, purpose);
                }
                Wish::FetchSecret { account } => self.errands.tell(Errand::FetchSecret { account }),
                Wish::KeepSecured(record) => {
                    self.store_quietly(Change::PutSecured(Box::new(record)));
                }
                Wish::Changed { account } => {
                    self.tell_account(&account);
                    self.subscription_of_account(&account);
                }
                Wish::Noticed { line, notice } => self.noticed(line, &notice),
            }
        }
        self.legs_follow_lines();
    }

    /// A line noticed something about the network between us and its provider.
    fn noticed(&mut self, line: LineId, notice: &Notice) {
        tracing::debug!(line = line.0, "seen by a provider: {notice:?}");
        match notice {
            Notice::ContactChanged { flow, .. } => {
                if let Some(words) = self.lines.rewritten(self.now.instant, line, flow) {
                    self.remark(words);
                }
            }
            Notice::Moved { flow, before, now } => {
                let by = self.lines.title(line).unwrap_or_default().to_owned();
                self.remark(format!(
                    "the provider of {by} sees us as {now} now, and no longer as {before}"
                ));
                self.line_moved(line, flow);
            }
            Notice::Mapped { .. } => {}
        }
    }

    /// Phones came or went: some may be gateways.
    pub(super) fn gateways_changed(&mut self) {
        let registrar = &self.registrar;
        self.lines
            .gateways_are(self.now.instant, |extension| !registrar.phones_of(extension).is_empty());
    }

    /// Starts a leg that leads to a line. Where its connections have to be asked for, that comes
    /// first, and the leg waits.
    ///
    /// # Errors
    /// The line cannot carry it.
    pub(super) fn start_on_line(
        &mut self,
        (call, leg): (CallId, LegId),
        line: LineId,
        target: &Target,
        invitation: &Invitation,
        hides: bool,
    ) -> Result<(), Cause> {
        if let Some(extension) = self.lines.gateway(line) {
            let phone = self.registrar.phones_of(extension).into_iter().next();
            let phone = phone.ok_or_else(Cause::not_registered)?;
            let place = at_gateway(&phone, &target.dialled).ok_or_else(|| Cause::from_sip(484))?;
            self.endpoint.start(self.now.instant, leg, &place, invitation);
            return Ok(());
        }
        let dialled = &target.dialled;
        let outgoing = self.lines.outgoing(self.now.instant, line, dialled, Wants::Call, hides)?;
        if !outgoing.needs_connections() {
            let target = outgoing.target().ok_or_else(|| Cause::from_sip(503))?;
            self.endpoint.start(self.now.instant, leg, &target, invitation);
            return Ok(());
        }
        let places = outgoing.ways.iter().map(|way| way.place.clone()).collect();
        self.errands.reach(places, Waiter::Leg(leg));
        let leads = Leads::Line(line, Box::new(outgoing));
        let invitation = invitation.clone();
        self.starting.insert(leg, Starting { call, invitation, leads });
        Ok(())
    }

    /// Starts a leg that leads to the domain of an address, once its servers are found.
    ///
    /// # Errors
    /// The address leads nowhere.
    pub(super) fn start_at_peer(
        &mut self,
        call: CallId,
        leg: LegId,
        target: &Target,
        invitation: &Invitation,
    ) -> Result<(), Cause> {
        let uri = Uri::parse(target.dialled.to_string()).map_err(|_| Cause::from_sip(484))?;
        let wanted = wanted_of_peer(&uri).ok_or_else(|| Cause::from_sip(484))?;
        self.errands.find_ways(wanted, Waiter::Leg(leg));
        let (invitation, leads) = (invitation.clone(), Leads::Peer(uri));
        self.starting.insert(leg, Starting { call, invitation, leads });
        Ok(())
    }

    /// The ways of a leg that waits for them are known, or that there is none.
    pub(super) fn leg_ways(&mut self, leg: LegId, ways: Ways) {
        // It may have been given up meanwhile.
        let Some(Starting { call, invitation, leads }) = self.starting.remove(&leg) else { return };
        let target = match (ways, leads) {
            (Ok(ways), Leads::Line(line, outgoing)) => {
                self.lines.reached(line, &ways);
                Outgoing { ways, ..*outgoing }.target()
            }
            (Ok(ways), Leads::Peer(uri)) => {
                // Over TLS nobody else is called: who cannot prove it is not spoken to.
                let is_proven = ways.iter().all(|way| way.flow.transport == Transport::Tls);
                if let Some(entry) = self.calls.get_mut(&call) {
                    entry.set_peer(leg, PeerView::new(uri.host().into(), is_proven));
                }
                let mut flows = ways.iter().map(|way| way.flow);
                flows.next().map(|flow| endpoint::Target {
                    alternatives: flows.collect::<Vec<Flow>>(),
                    is_place: true,
                    ..endpoint::Target::new(uri, Vec::new(), flow)
                })
            }
            (Err(why), _) => {
                tracing::info!(call = call.0, "no way for a leg: {why}");
                None
            }
        };
        match target {
            Some(target) => self.endpoint.start(self.now.instant, leg, &target, &invitation),
            // No name server, no network: another way may do (RFC 3261 §8.1.3.1).
            None => {
                let cause = Cause { q850: Some(27), ..Cause::from_sip(503) };
                self.leg_event(leg, LegEvent::Ended { cause });
            }
        }
    }
}

/// What comes by lines.
impl Switchboard {
    /// Makes a leg of an INVITE that a line brought.
    pub(super) fn accept_on_line(
        &mut self,
        arrival: &Arrival,
        leg: LegId,
        line: LineId,
    ) -> Result<Incoming, Refused> {
        match self.lines.speaker(line) {
            Some(on) => self.endpoint.accept_on_line(self.now.instant, arrival, leg, on),
            None => self.endpoint.accept(self.now.instant, arrival, leg),
        }
    }

    /// The route of a call that a line brought, and what was dialled, for people.
    pub(super) fn route_of_line(&self, line: LineId, uri: &Uri) -> (Route, String) {
        let Some((seen, facts, _)) = self.lines.line(line) else {
            return (Route::refused(uri.to_string(), Why::Unknown), uri.to_string());
        };
        let dialled = facts.called_as().unwrap_or_else(|| seen.title().to_owned());
        if facts.line.users == Users::ItsProgram {
            return (self.route_to_program(facts, &dialled), dialled);
        }
        let caller = Caller { origin: Origin::Line(line), ..Caller::default() };
        let mut route = Route::default();
        for number in self.rung_by(facts, uri) {
            let Ok(contact) = number.as_str().parse::<Contact>() else { continue };
            let found = routing::route(&contact, &caller, &self.house(None));
            route.rejected.extend(found.rejected);
            match (route.attempts.first_mut(), found.attempts) {
                // The phones of several ring together.
                (Some(first), attempts) => {
                    let targets = attempts.into_iter().flat_map(|attempt| attempt.targets);
                    first.targets.extend(targets);
                    first.targets.truncate(routing::MAX_FORKS);
                }
                (None, attempts) => route.attempts = attempts,
            }
        }
        if route.attempts.is_empty() && route.rejected.is_empty() {
            return (Route::refused(&dialled, Why::NotRegistered), dialled);
        }
        (route, dialled)
    }

    /// The route to the program whose account it is.
    fn route_to_program(&self, facts: &Facts, dialled: &str) -> Route {
        let at = |phone| Target {
            destination: Destination::Phone(PhoneId(phone)),
            dialled: facts.account.as_ref().into(),
        };
        let targets: Vec<Target> = self.programs.reachable_at(&facts.account).map(at).collect();
        if targets.is_empty() {
            return Route::refused(dialled, Why::NotRegistered);
        }
        let because = Because::Program(facts.line.title().into());
        let attempts = vec![Attempt::new(targets, because, self.settings.ring)];
        Route { attempts, ..Route::default() }
    }

    /// Whom a line rings: the extension it is set to; for a trunk the one that was dialled; else
    /// the user's own, or whoever has a phone.
    fn rung_by(&self, facts: &Facts, uri: &Uri) -> Vec<ExtensionNumber> {
        if facts.line.users == Users::ItsProgram {
            return Vec::new();
        }
        let known =
            |text: &str| self.directory.find(text).map(|entry| entry.extension.number.clone());
        if let Some(number) = facts.rings.as_deref().and_then(known) {
            return vec![number];
        }
        if matches!(facts.reach, Reach::Trunk { .. })
            && let Some(number) = uri.user().as_deref().and_then(known)
        {
            return vec![number];
        }
        let own: Vec<ExtensionNumber> =
            self.settings.dial_from.iter().filter_map(|number| known(number)).collect();
        if !own.is_empty() {
            return own;
        }
        let mut numbers: Vec<ExtensionNumber> =
            self.registrar.phones().filter_map(|phone| known(&phone.extension)).collect();
        numbers.extend(self.programs.reachable().cloned());
        numbers.sort_unstable();
        numbers.dedup();
        numbers.truncate(routing::MAX_FORKS);
        numbers
    }

    /// The program that takes the texts of a line, if it is a program's own.
    ///
    /// # Errors
    /// It is a program's, and that cannot be reached: with the status to be answered.
    pub(super) fn program_texted_by(&self, line: LineId) -> Result<Option<u64>, u16> {
        let Some((_, facts, _)) = self.lines.line(line) else { return Ok(None) };
        if facts.line.users != Users::ItsProgram {
            return Ok(None);
        }
        self.programs.reachable_at(&facts.account).next().map(Some).ok_or(480)
    }

    /// Who takes a text from a line: the extension it would ring, or all members of the group.
    pub(super) fn texted_by(&self, line: LineId, uri: &Uri) -> Vec<ExtensionNumber> {
        let Some((_, facts, _)) = self.lines.line(line) else { return Vec::new() };
        let mut open: VecDeque<ExtensionNumber> =
            self.rung_by(facts, uri).into_iter().take(1).collect();
        let (mut seen, mut readers) = (HashSet::new(), Vec::new());
        while let Some(number) = open.pop_front() {
            if readers.len() == routing::MAX_FORKS || !seen.insert(number.clone()) {
                continue;
            }
            match self.directory.entry(&number).map(|entry| &entry.extension.kind) {
                Some(Kind::Group { members, .. }) => open.extend(members.iter().cloned()),
                Some(Kind::Person | Kind::Service) => readers.push(number),
                None => {}
            }
        }
        readers
    }

    /// Who calls by a line, as its provider says it.
    pub(super) fn caller_on_line(
        &self,
        line: LineId,
        incoming: &Incoming,
        request: &Request,
    ) -> Party {
        match self.asserted_on_line(line, request) {
            Some(asserted) => {
                let display = match asserted.display() {
                    display if display.is_empty() => incoming.from.display.clone(),
                    display => display,
                };
                Party { display, address: asserted.uri().for_request_line().to_string() }
            }
            None => incoming.from.clone(),
        }
    }

    /// Whom the provider of a line vouches for, where that is believed and may be known.
    pub(super) fn asserted_on_line(&self, line: LineId, request: &Request) -> Option<NameAddr> {
        let (_, facts, _) = self.lines.line(line)?;
        let trusts = facts.outside().is_some_and(|outside| outside.trusts_asserted);
        let headers = request.headers();
        // Who hides his number hides it from us too (RFC 3325 §7).
        let is_hidden = headers.has_token(&name::PRIVACY, "id");
        let value = headers.value(&name::P_ASSERTED_IDENTITY).filter(|_| trusts && !is_hidden)?;
        NameAddr::parse_list(&value).ok()?.into_iter().next()
    }
}

/// Where the servers of another domain are to be looked for. No file of this machine says where
/// the domains of others are, and a web server is not called for the want of a service.
pub(super) fn wanted_of_peer(uri: &Uri) -> Option<Wanted> {
    let wanted = Wanted::of(uri).ok()?;
    Some(Wanted { hosts_file: false, services: Services::Required, ..wanted })
}

/// The target of a call through a gateway: what is dialled, at the phone that is one.
fn at_gateway(phone: &Arc<Binding>, dialled: &str) -> Option<endpoint::Target> {
    let contact = phone.uri()?;
    let uri = Uri::sip(dialled, &contact.host(), contact.port()).ok()?;
    let route = phone.routes().iter().map(|hop| format!("<{}>", hop.uri()).into()).collect();
    Some(endpoint::Target::new(uri, route, phone.reached_by()))
}
