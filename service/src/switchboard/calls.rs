// SPDX-License-Identifier: GPL-3.0-or-later
//! The table of calls, and what their state machines want done.

use sipwitch_core::{
    call::{
        Action, Call, CallId, CallState, LegCommand, LegEvent, LegId, QueryId, RouteReason,
        leg::{Invitation, Party, Replaced},
    },
    cause::Cause,
    contact::Contact,
    extension::ExtensionNumber,
    line::LineId,
    number::E164,
    routing::{
        self, Attempt, Because, Caller, Destination, Origin, PhoneId, Route, Target, emergency,
    },
};
use sipwitch_sip::{
    endpoint::{self, Arrival, Incoming},
    flow::Flow,
    registrar,
    wire::Request,
};

use super::{
    Switchboard,
    door::{Identity, Turned},
    entry::{CallEntry, LegEntry, tone_of},
    hiding::Shown,
    login::Stage,
    lookup::{Beginning, Published, RouteQuestion, Then},
    notice::{Notice, PeerView},
    programs::Whose,
};
impl Switchboard {
    /// An INVITE outside any dialog.
    pub(super) fn invited(&mut self, arrival: &Arrival, stage: &Stage) {
        let uri = arrival.request.uri();
        let contact = uri.to_string().parse::<Contact>();
        // Emergency calls come before every other rule: nobody need prove who he is.
        let house = self.house(Some(arrival.flow.local));
        let is_emergency = self.lines.of_request(arrival).is_none()
            && self.foreign_domain(arrival).is_none()
            && contact.as_ref().is_ok_and(|contact| emergency::is_emergency(contact, &house));
        let identity = if is_emergency {
            Identity::Unproven
        } else {
            match self.identify(arrival, stage) {
                Ok(identity) => identity,
                Err(Turned::Later) => return,
                Err(Turned::Away(response)) => {
                    let now = self.now.instant;
                    self.endpoint.respond(now, arrival.transaction, &response);
                    return;
                }
            }
        };
        if !is_emergency && (self.is_stopping || self.begun() >= self.settings.max_calls) {
            self.refuse(arrival, 503);
            return;
        }
        if self.turns_away_blocked(arrival, &identity, contact.as_ref().ok()) {
            return;
        }
        let leg = self.leg_ids.allocate();
        let accepted = match &identity {
            Identity::Line(line) => self.accept_on_line(arrival, leg, *line),
            Identity::Extension(_)
            | Identity::OwnProgram
            | Identity::Peer(_)
            | Identity::Unproven => self.endpoint.accept(self.now.instant, arrival, leg),
        };
        let incoming = match accepted {
            Ok(incoming) => incoming,
            Err(refused) => {
                tracing::info!(source = %arrival.flow, "{refused}");
                return;
            }
        };
        let phone = self.phone_at(&identity, &arrival.flow);
        let invitation = self.invitation(&identity, &incoming, &arrival.request);
        match incoming.replaces {
            Some(Replaced::Leg(replaced)) => self.replace(replaced, leg, phone, invitation),
            Some(Replaced::Unknown) => self.end_orphan(leg, Cause::from_sip(481)),
            None => {
                let extension = match &identity {
                    Identity::Extension(extension) => Some(extension.clone()),
                    Identity::Line(line) => {
                        let (route, dialled) = self.route_of_line(*line, &uri);
                        self.begin_incoming(leg, &dialled, None, None, invitation, route);
                        let call = self.legs.get(&leg).and_then(|call| self.calls.get_mut(call));
                        if let Some(entry) = call {
                            entry.set_on_line(leg, *line);
                        }
                        return;
                    }
                    Identity::OwnProgram | Identity::Peer(_) | Identity::Unproven => None,
                };
                let origin = match &identity {
                    Identity::Peer(_) => Origin::Peer,
                    _ => Origin::House,
                };
                let phone_id = phone.map(PhoneId);
                let caller = Caller { phone: phone_id, extension, origin, ..Caller::default() };
                let peer = match identity {
                    Identity::Peer(domain) => Some(PeerView::new(domain, true)),
                    _ => None,
                };
                let heard_at = arrival.flow.local;
                let contact = contact.ok();
                let beginning =
                    Beginning { leg, uri, contact, heard_at, caller, phone, peer, invitation };
                self.go_on(Then::Begin(Box::new(beginning)), Published::NONE);
            }
        }
    }

    /// Begins a call that a leg asks for.
    pub(super) fn begin(&mut self, beginning: Beginning, published: &Published) {
        let found = self.route_for(&beginning, published);
        let route = match found {
            Ok(route) => route,
            Err(unknown) => return self.look_up(unknown, Then::Begin(Box::new(beginning))),
        };
        let Beginning { leg, uri, phone, peer, invitation, .. } = beginning;
        let dialled = uri.user().unwrap_or_else(|| uri.to_string());
        self.begin_incoming(leg, &dialled, phone, peer, invitation, route);
    }

    pub(super) fn begin_incoming(
        &mut self,
        leg: LegId,
        dialled: &str,
        phone: Option<u64>,
        peer: Option<PeerView>,
        invitation: Invitation,
        route: Route,
    ) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let caller = invitation.from.clone();
        tracing::info!(
            call = id.0, caller = %crate::secret::Redacted(&caller.address),
            contact = %crate::secret::Redacted(dialled), "call"
        );
        let words = route_words(&route);
        let helps = self.notes_help(&route);
        let now = self.now;
        let call = Call::incoming(now.instant, &mut self.leg_ids, id, leg, invitation, route);
        let mut entry = CallEntry::new(call, dialled, caller.clone(), &words, now.unix_us);
        entry.helps = helps;
        entry.add_leg(leg, "caller", &caller.address, phone);
        if let Some(peer) = peer {
            entry.set_peer(leg, peer);
        }
        self.legs.insert(leg, id);
        self.calls.insert(id, Box::new(entry));
        self.pump(id);
        id
    }

    /// RFC 3891: the new leg takes the place of one of ours.
    fn replace(&mut self, replaced: LegId, leg: LegId, phone: Option<u64>, invitation: Invitation) {
        let Some(id) = self.legs.get(&replaced).copied() else {
            self.end_orphan(leg, Cause::from_sip(481));
            return;
        };
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let address = invitation.from.address.clone();
        match entry.call.replace_leg(self.now.instant, replaced, leg, invitation) {
            Err(cause) => self.end_orphan(leg, cause),
            Ok(()) => {
                let role = entry.legs.iter().find(|leg| leg.id == replaced).map(|leg| leg.role);
                entry.add_leg(leg, role.unwrap_or("caller"), &address, phone);
                self.legs.insert(leg, id);
                self.pump(id);
            }
        }
    }

    /// Ends a leg that belongs to no call.
    pub(super) fn end_orphan(&mut self, leg: LegId, cause: Cause) {
        self.command_leg(leg, LegCommand::End { cause });
    }

    /// What the callee is to be told, with the caller's identity made from what was proven and not
    /// from what was claimed.
    fn invitation(
        &self,
        identity: &Identity,
        incoming: &Incoming,
        request: &Request,
    ) -> Invitation {
        let from = match identity {
            Identity::Extension(number) => {
                let display = self
                    .directory
                    .entry(number)
                    .map(|entry| entry.extension.display.clone())
                    .filter(|display| !display.is_empty())
                    .unwrap_or_else(|| incoming.from.display.clone());
                Party { display, address: number.to_string() }
            }
            Identity::Line(line) => self.caller_on_line(*line, incoming, request),
            Identity::OwnProgram | Identity::Peer(_) | Identity::Unproven => incoming.from.clone(),
        };
        Invitation {
            from,
            to: incoming.to.clone(),
            carried: incoming.carried.clone(),
            reliable_provisional: incoming.reliable_provisional,
            hops: incoming.hops,
            diverted_by: None,
        }
    }

    /// The phone of that extension that is at the other end of the flow.
    fn phone_at(&self, identity: &Identity, flow: &Flow) -> Option<u64> {
        let Identity::Extension(number) = identity else { return None };
        let phones = self.registrar.phones_of(number.as_str());
        let same = phones.iter().find(|binding| {
            (binding.flow.transport, binding.flow.remote) == (flow.transport, flow.remote)
        });
        same.map(|binding| binding.phone.0)
    }

    /// # Errors
    /// Numbers have to be looked up first.
    fn route_for(&self, beginning: &Beginning, published: &Published) -> Result<Route, Vec<E164>> {
        let Beginning { uri, contact, caller, heard_at, .. } = beginning;
        // Phones leave the port out of a GRUU; its instance is unmistakable without.
        let is_own = self.settings.is_own(&uri.host(), None, Some(*heard_at));
        if is_own && let Some(devices) = self.registrar.resolve_gruu(uri) {
            return Ok(self.route_to_devices(&devices));
        }
        match contact {
            Some(contact) => self.find_route(Some(*heard_at), published, |house| {
                routing::route(contact, caller, house)
            }),
            None => Ok(Route::refused(uri.to_string(), routing::Why::Unknown)),
        }
    }

    /// A GRUU leads to one device (RFC 5627 §5.5): its flows are tried one after the other.
    fn route_to_devices(&self, devices: &[std::sync::Arc<registrar::Binding>]) -> Route {
        let mut route = Route::default();
        for device in devices {
            let Some(entry) = self.directory.find(&device.extension) else { continue };
            let number = entry.extension.number.clone();
            let target = Target {
                destination: Destination::Phone(PhoneId(device.phone.0)),
                dialled: number.as_str().into(),
            };
            let ring = entry.extension.ring_time.unwrap_or(self.settings.ring);
            route.attempts.push(Attempt::new(vec![target], Because::Extension(number), ring));
        }
        if route.attempts.is_empty() {
            return Route::refused("the device", routing::Why::NotRegistered);
        }
        route
    }

    /// A leg has something to tell.
    pub(super) fn leg_event(&mut self, leg: LegId, event: LegEvent) {
        let Some(&id) = self.legs.get(&leg) else {
            if matches!(event, LegEvent::Ended { .. }) {
                self.lookups.leg_ended(leg, &mut self.errands);
            }
            return;
        };
        self.judge_line(id, leg, &event);
        let mut gone = None;
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let now = self.now.instant;
        match &event {
            LegEvent::Progress { status, .. } if status.code == 180 => {
                entry.set_leg(leg, "ringing");
                entry.trace.rings(now, leg);
            }
            LegEvent::Answered { .. } | LegEvent::Confirmed { .. } => {
                entry.set_leg(leg, "connected");
                entry.trace.answered(now, leg);
                if matches!(event, LegEvent::Answered { .. }) {
                    entry.set_answered(now, leg);
                }
            }
            LegEvent::Ended { cause } | LegEvent::Redirected { cause, .. } => {
                entry.trace.failed(now, leg, cause);
                gone = entry.take_leg(leg);
            }
            LegEvent::Asked { ask: sipwitch_core::call::leg::Ask::Info, carried, .. } => {
                if let Some(tone) = tone_of(carried) {
                    let from = entry
                        .legs
                        .iter()
                        .find(|known| known.id == leg)
                        .map_or_else(String::new, |known| known.address.to_string());
                    self.notices_if_watched(|| Notice::Dtmf { call: id, tone, from });
                }
            }
            _ => {}
        }
        self.meter(gone);
        let is_over = matches!(event, LegEvent::Ended { .. } | LegEvent::Redirected { .. });
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.call.leg_event(self.now.instant, &mut self.leg_ids, leg, event);
        }
        if is_over {
            self.legs.remove(&leg);
        }
        self.pump(id);
    }

    fn notices_if_watched(&mut self, notice: impl FnOnce() -> Notice) {
        if self.is_watched {
            self.notices.push_back(notice());
        }
    }

    /// Does what a call wants done, until it wants nothing more.
    pub(super) fn pump(&mut self, id: CallId) {
        while let Some(action) = self.calls.get_mut(&id).and_then(|entry| entry.call.poll()) {
            match action {
                Action::Command { leg, command } => {
                    if let LegCommand::End { cause } = &command {
                        self.leg_leaves(id, leg, cause);
                    }
                    self.command_leg(leg, command);
                }
                Action::Start { leg, target, invitation } => {
                    self.start_leg(id, leg, &target, &invitation);
                }
                Action::RouteWanted { query, contact, near, reason, by } => {
                    let wanted = RouteQuestion { call: id, query, contact, near, reason, by };
                    self.go_on(Then::Answer(Box::new(wanted)), Published::NONE);
                }
                Action::JoinWanted { query, leg } => self.join_wanted(id, query, leg),
                Action::Report(report) => self.reported(id, report),
                Action::Ended { cause } => {
                    self.call_ended(id, &cause);
                    return;
                }
            }
        }
        self.settle(id);
    }

    /// Notes when a call wants to be called again, and tells what changed.
    fn settle(&mut self, id: CallId) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let next = entry.call.next_deadline();
        if next != entry.armed {
            if let Some(armed) = entry.armed {
                self.call_deadlines.remove(&(armed, id));
            }
            if let Some(next) = next {
                self.call_deadlines.insert((next, id));
            }
            entry.armed = next;
        }
        if std::mem::take(&mut entry.is_changed) && self.is_watched {
            let view = entry.view();
            self.notices.push_back(Notice::Call(view));
        }
    }

    fn leg_leaves(&mut self, id: CallId, leg: LegId, cause: &Cause) {
        self.judge_given_up(id, leg, cause);
        let gone = self.calls.get_mut(&id).and_then(|entry| {
            entry.trace.given_up(self.now.instant, leg, cause);
            entry.take_leg(leg)
        });
        self.meter(gone);
        self.legs.remove(&leg);
        self.starting.remove(&leg);
    }

    fn start_leg(&mut self, id: CallId, leg: LegId, target: &Target, invitation: &Invitation) {
        let phone = match target.destination {
            Destination::Phone(PhoneId(phone)) => Some(phone),
            Destination::Line(_) | Destination::Peer => None,
        };
        let destination = self.destination_words(target);
        // A program's call rings the user's own phones first, who knows himself.
        let entry = self.calls.get(&id);
        let is_users = entry.is_some_and(|entry| entry.call.state() == CallState::Preparing);
        let shown =
            entry.filter(|_| !is_users).map_or(Shown { hides: false, instead: None }, |entry| {
                self.shown_to(entry, target, invitation)
            });
        let invitation = shown.instead.as_ref().unwrap_or(invitation);
        if let Some(entry) = self.calls.get_mut(&id) {
            let role = if is_users { "caller" } else { "callee" };
            entry.add_leg(leg, role, &target.dialled, phone);
            if let Destination::Line(line) = target.destination {
                entry.set_on_line(leg, line);
            }
            if !is_users {
                entry.trace.began(self.now.instant, leg, destination);
            }
        }
        self.legs.insert(leg, id);
        let started = match target.destination {
            Destination::Line(line) => {
                self.start_on_line((id, leg), line, target, invitation, shown.hides)
            }
            Destination::Peer => self.start_at_peer(id, leg, target, invitation),
            Destination::Phone(PhoneId(phone)) if self.programs.has(phone) => {
                self.programs.start(phone, leg, id, invitation)
            }
            Destination::Phone(PhoneId(phone)) => self.start_at_phone(leg, phone, invitation),
        };
        if let Err(cause) = started {
            if let Some(entry) = self.calls.get_mut(&id) {
                entry.legs.retain(|known| known.id != leg);
                entry.trace.failed(self.now.instant, leg, &cause);
                let event = LegEvent::Ended { cause };
                entry.call.leg_event(self.now.instant, &mut self.leg_ids, leg, event);
            }
            self.legs.remove(&leg);
        }
    }

    /// Starts a leg that leads to a phone.
    ///
    /// # Errors
    /// The phone went between the route and the ring.
    fn start_at_phone(
        &mut self,
        leg: LegId,
        phone: u64,
        invitation: &Invitation,
    ) -> Result<(), Cause> {
        let place = self.registrar.phone(registrar::PhoneId(phone)).and_then(|binding| {
            Some(endpoint::Target::new(
                binding.uri()?,
                binding.routes().iter().map(|hop| format!("<{}>", hop.uri()).into()).collect(),
                binding.reached_by(),
            ))
        });
        let place = place.ok_or_else(Cause::not_registered)?;
        self.endpoint.start(self.now.instant, leg, &place, invitation);
        Ok(())
    }

    /// Answers a call that wants to know its way.
    pub(super) fn route_wanted(&mut self, wanted: RouteQuestion, published: &Published) {
        let RouteQuestion { call: id, query, ref contact, near, reason, ref by } = wanted;
        let entry = self.calls.get(&id);
        let near_leg = entry.and_then(|entry| entry.legs.iter().find(|leg| Some(leg.id) == near));
        let phone = near_leg.and_then(|leg| leg.phone);
        // Whoever sends a call on may send it where he may call himself.
        let extension = match (by.as_ref().map(|by| by.destination), phone) {
            (Some(Destination::Phone(PhoneId(by))), _) => self.extension_of(by),
            (_, Some(phone)) => self.extension_of(phone),
            (_, None) => entry.and_then(|entry| entry.from.clone()),
        };
        let is_outside = near_leg.is_some_and(LegEntry::leads_out);
        let is_strangers = match (reason, by) {
            // Whoever stays did not ask for it, so somebody outside did: that gives him no line of
            // ours.
            (RouteReason::Transfer, _) => {
                !is_outside && entry.is_some_and(|entry| entry.legs.iter().any(LegEntry::leads_out))
            }
            // Neither of the two has any rights here.
            (RouteReason::Diversion, Some(by)) => {
                is_outside && !matches!(by.destination, Destination::Phone(_))
            }
            (RouteReason::Diversion | RouteReason::Dial, _) => false,
        };
        let origin = if is_strangers { Origin::Peer } else { Origin::House };
        let phone = phone.map(PhoneId);
        // A program with an account of its own calls by that, wherever the call goes.
        let by_account = phone.and_then(|PhoneId(phone)| self.line_of_program(phone));
        let caller = Caller { phone, extension, origin, by: by_account, ..Caller::default() };
        let also = match (reason, entry) {
            (RouteReason::Dial, Some(entry)) => entry.also.as_slice(),
            _ => &[],
        };
        let found = match contact.parse::<Contact>() {
            Ok(contact) => {
                let contacts: Vec<Contact> =
                    std::iter::once(contact).chain(also.iter().cloned()).collect();
                self.find_route(None, published, |house| match by {
                    Some(by) => routing::sent_on(&contacts[0], by, &caller, house),
                    None => routing::route_any(&contacts, &caller, house),
                })
            }
            Err(_) => Ok(Route::refused(contact, routing::Why::Unknown)),
        };
        let mut route = match found {
            Ok(route) => route,
            Err(unknown) => return self.look_up(unknown, Then::Answer(Box::new(wanted))),
        };
        let helps = self.notes_help(&route);
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.helps |= helps;
            if let Some(ring) = entry.ring.filter(|_| reason == RouteReason::Dial) {
                route.attempts.iter_mut().for_each(|attempt| attempt.ring = ring);
            }
            let words = route_words(&route);
            entry.route = words.into();
            entry.call.routed(self.now.instant, &mut self.leg_ids, query, route);
        }
    }

    fn line_of_program(&self, phone: u64) -> Option<LineId> {
        match self.programs.whose(phone)? {
            Whose::Account(account) => self.lines.of_account(account),
            Whose::Extension(_) => None,
        }
    }

    /// Whose phone it is.
    fn extension_of(&self, phone: u64) -> Option<ExtensionNumber> {
        if let Some(extension) = self.programs.extension_of(phone) {
            return Some(extension.clone());
        }
        self.registrar.phone(registrar::PhoneId(phone))?.extension.parse().ok()
    }

    /// Attended transfer: the leg that talks with `leg` moves from its call into this one.
    fn join_wanted(&mut self, id: CallId, query: QueryId, leg: LegId) {
        let other = self.legs.get(&leg).copied().filter(|other| *other != id);
        if let Some(other) = other
            && self.calls.get_mut(&other).is_some_and(|entry| entry.call.leave_ringing(leg))
        {
            // First its phones stop to ring: they are to be rung again.
            self.pump(other);
            if let Some(entry) = self.calls.get_mut(&id) {
                entry.call.call_instead(self.now.instant, query);
            }
            return;
        }
        let released = match other.and_then(|other| self.calls.get_mut(&other)) {
            Some(entry) => entry.call.release_peer(leg),
            None => Err(Cause::from_sip(481)),
        };
        if let (Ok(released), Some(other)) = (&released, other) {
            let moved = released.id();
            let known = self.calls.get_mut(&other).and_then(|entry| {
                let at = entry.legs.iter().position(|leg| leg.id == moved)?;
                Some(entry.legs.remove(at))
            });
            self.legs.insert(moved, id);
            if let (Some(known), Some(entry)) = (known, self.calls.get_mut(&id)) {
                entry.legs.push(known);
                entry.is_changed = true;
            }
        }
        let now = self.now.instant;
        let unwanted = match self.calls.get_mut(&id) {
            Some(entry) => entry.call.joined(now, query, released),
            None => released.ok().map(|released| released.id()),
        };
        if let Some(unwanted) = unwanted {
            self.leg_leaves(id, unwanted, &Cause::transferred());
            self.end_orphan(unwanted, Cause::transferred());
        }
        // The other call ended with that, and has that to tell.
        if let Some(other) = other {
            self.pump(other);
        }
    }

    /// What is tried, in words.
    pub(super) fn destination_words(&self, target: &Target) -> String {
        match target.destination {
            Destination::Phone(phone) => format!("phone {} of {}", phone.0, target.dialled),
            Destination::Line(line) => {
                let title = self.lines.title(line).unwrap_or("that is gone");
                format!("{} by line {title}", target.dialled)
            }
            Destination::Peer => format!("{} directly", target.dialled),
        }
    }

    /// Ends every call, because the service stops.
    pub(super) fn end_all_calls(&mut self) {
        let mut ids: Vec<CallId> = self.calls.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(entry) = self.calls.get_mut(&id) {
                entry.call.hang_up(Cause::shutdown());
            }
            self.pump(id);
        }
    }
}

/// Why the call goes this way, in words.
pub(super) fn route_words(route: &Route) -> String {
    match route.attempts.first() {
        Some(attempt) => attempt.because.to_string(),
        None => route.refusal().sentence(),
    }
}
