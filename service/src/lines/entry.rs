// SPDX-License-Identifier: GPL-3.0-or-later
//! One line.

mod standing;
mod wishes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sipwitch_core::line::LineId;
use sipwitch_sip::{
    auth::client::{Credentials, Secret},
    client_registration::{Account, Registration, State},
    driver::FlowFault,
    flow::{Flow, Transport},
    resolver::Place,
    transaction::Failure,
    wire::{Response, name},
};

use super::{
    Facts, Outside, Purpose, Reach, Shared, Standing, Why, Wish, shelter::Shelter, trunk::Trunk,
};
use crate::{
    accounts::NoSecret,
    connectivity::Paths,
    switchboard::errand::{Way, Ways},
};

/// Ways that are kept of one line.
const MOST_WAYS: usize = 8;
/// The first pause after a name led nowhere, doubled by each that follows.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The longest pause.
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_secs(1800);
/// Before a registration that failed is tried again, its servers are looked for anew: so long.
const LOOK_BEFORE: Duration = Duration::from_secs(2);

/// One line.
pub(super) struct Entry {
    pub(super) id: LineId,
    pub(super) facts: Arc<Facts>,
    /// The user part of our Contact, which is this line's alone.
    pub(super) contact_user: Box<str>,
    /// The ways to its servers, the best first.
    pub(super) ways: Vec<Way>,
    /// Those that are taken in an emergency alone, since TLS leads there otherwise.
    pub(super) unsecured: Vec<Way>,
    /// What answers a challenge, once it was fetched.
    pub(super) credentials: Option<Credentials>,
    stage: Stage,
    /// Over which flow a registration was asked for and not answered.
    asked: Option<Flow>,
    /// Why its last flow that failed did, in words.
    broken: Option<Box<FlowFault>>,
    /// Names that led nowhere in a row.
    lookups_failed: u32,
    /// What is written to its provider is rewritten on the way, in this network.
    pub(super) shelter: Option<Shelter>,
    /// A server of it showed a certificate that is not believed, in this network.
    pub(super) distrusts: bool,
    /// It was not begun anew since the network changed: no pause from before counts.
    is_elsewhere: bool,
    /// Somebody wants to see whether it works, by asking for it or by a new password: it is called
    /// neither online nor unreachable before the provider has answered, or has not.
    is_tried: bool,
    /// It was taken off because the machine sleeps.
    sleeps: bool,
    pub(super) told: Option<Standing>,
    pub(super) armed: Option<Instant>,
}

/// How far a line is.
enum Stage {
    /// Nothing was begun.
    Resting,
    /// Its password is being fetched.
    Fetching,
    /// There is no password, because of this.
    Without(NoSecret),
    /// Its servers are being looked for.
    Looking,
    /// There are none, because of this.
    Nowhere { why: String, again: Instant },
    /// The registration does the rest. With the time to look for its servers anew, before it tries
    /// again.
    Registering { registration: Box<Registration>, look: Option<Instant> },
    /// A trunk is watched.
    Watching(Trunk),
    /// A gateway is registered here, or not.
    Gateway(bool),
}

impl Entry {
    pub(super) fn new(id: LineId, facts: Arc<Facts>, contact_user: Box<str>) -> Self {
        let stage = match &facts.reach {
            Reach::Gateway(_) => Stage::Gateway(false),
            Reach::Account(_) | Reach::Trunk { .. } => Stage::Resting,
        };
        Self {
            id,
            facts,
            contact_user,
            ways: Vec::new(),
            unsecured: Vec::new(),
            credentials: None,
            stage,
            asked: None,
            broken: None,
            lookups_failed: 0,
            shelter: None,
            distrusts: false,
            is_elsewhere: false,
            is_tried: false,
            sleeps: false,
            told: None,
            armed: None,
        }
    }

    /// Whether what changed in these facts concerns routing alone, so that what stands may stand.
    pub(super) fn goes_on_with(&self, facts: &Facts) -> bool {
        self.facts.reach == facts.reach && self.facts.is_on == facts.is_on
    }

    /// Whether another network is its business.
    pub(super) fn wants_network(&self) -> bool {
        self.facts.is_on && self.facts.outside().is_some()
    }

    /// Begins, or begins anew: a password that is missing is fetched, servers are looked for.
    pub(super) fn begin(&mut self, shared: &mut Shared<'_>) {
        let facts = Arc::clone(&self.facts);
        let Some(outside) = facts.outside().filter(|_| facts.is_on) else { return };
        self.sleeps = false;
        if outside.has_password && self.credentials.is_none() {
            self.stage = Stage::Fetching;
            let account = Arc::clone(&facts.account);
            shared.out.push_back(Wish::FetchSecret { account });
            return;
        }
        self.look(shared, outside);
    }

    /// Somebody asks for it: what was refused is tried once more, which nothing else brings about.
    pub(super) fn retry(&mut self, now: Instant, shared: &mut Shared<'_>) {
        if let Stage::Registering { registration, .. } = &mut self.stage
            && matches!(registration.state(), State::NeedsPassword(_) | State::Refused { .. })
        {
            registration.retry(now);
            return self.carry_out(now, shared);
        }
        self.is_elsewhere = true;
        self.is_tried = true;
        self.begin(shared);
    }

    fn look(&mut self, shared: &mut Shared<'_>, outside: &Outside) {
        // What stands goes on meanwhile.
        if !matches!(self.stage, Stage::Registering { .. } | Stage::Watching(_)) {
            self.stage = Stage::Looking;
        }
        shared.out.push_back(Wish::FindWays {
            line: self.id,
            wanted: self.shelter.map_or(&outside.wanted, |s| s.wanted(outside)).clone(),
            purpose: Purpose::Servers,
        });
    }

    /// The network is another one: what was rewritten in the last one may not be in this one.
    pub(super) fn forget_network(&mut self) {
        (self.shelter, self.distrusts) = (None, false);
        self.is_elsewhere = true;
    }

    /// Whether the way to one of its servers begins at another address of ours than it did.
    pub(super) fn is_led_elsewhere(&self, paths: &Paths) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|way| paths.lead_from_elsewhere(way.flow.local.ip(), way.flow.remote.ip()))
    }

    /// The machine is about to sleep: whoever calls is not to ring a machine that does not hear.
    pub(super) fn fall_asleep(&mut self, now: Instant, shared: &mut Shared<'_>) {
        let Stage::Registering { registration, look } = &mut self.stage else { return };
        // One that was refused stays silent, and remembers that it has to.
        if matches!(registration.state(), State::Online | State::Registering) {
            *look = None;
            registration.unregister(now);
            self.sleeps = true;
            self.carry_out(now, shared);
        }
    }

    /// Its Contact came back rewritten over this transport. A sheltered way is looked for, where
    /// there is one. Gives what happened in words, if it is news.
    pub(super) fn rewritten(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        over: Transport,
    ) -> Option<String> {
        let facts = Arc::clone(&self.facts);
        let outside = facts.outside()?;
        if let Some(shelter) = self.shelter.filter(|known| !known.may_seek_again(now, outside)) {
            // The way that was to be a shelter is none: it stands all the same.
            self.shelter = Some(shelter.rewritten(over)?);
            return None;
        }
        let shelter = Shelter::sought(now, outside, over)?;
        self.shelter = Some(shelter);
        if shelter.is_taken(outside) {
            self.look(shared, outside);
        }
        Some(shelter.words(outside))
    }

    /// The sheltered way that was taken leads nowhere: the next one, or as before. Says whether
    /// there was one.
    fn leave_shelter(&mut self, shared: &mut Shared<'_>) -> bool {
        let facts = Arc::clone(&self.facts);
        let (Some(outside), Some(shelter)) = (facts.outside(), &mut self.shelter) else {
            return false;
        };
        let left = shelter.leave(outside);
        if left {
            self.look(shared, outside);
        }
        left
    }

    /// The password came, or does not.
    pub(super) fn secret_came(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        secret: Result<Secret, NoSecret>,
    ) {
        let facts = Arc::clone(&self.facts);
        let Some(outside) = facts.outside() else { return };
        let secret = match secret {
            Ok(secret) => secret,
            Err(why) => {
                // One that is there is as good as before.
                if self.credentials.is_none() && facts.is_on {
                    self.stage = Stage::Without(why);
                }
                return;
            }
        };
        let realm = outside.realm.clone();
        let credentials = Credentials { user: outside.user.clone(), secret, realm };
        let is_new = self.credentials.as_ref() != Some(&credentials);
        self.credentials = Some(credentials.clone());
        match &mut self.stage {
            Stage::Registering { registration, .. } if is_new => {
                registration.set_credentials(now, Some(credentials));
                self.is_tried = true;
                self.carry_out(now, shared);
            }
            Stage::Fetching | Stage::Without(_) => self.begin(shared),
            Stage::Resting
            | Stage::Looking
            | Stage::Nowhere { .. }
            | Stage::Registering { .. }
            | Stage::Watching(_)
            | Stage::Gateway(_) => {}
        }
    }

    /// Ways were found, or none.
    pub(super) fn ways_found(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        purpose: Purpose,
        ways: Ways,
    ) {
        match purpose {
            Purpose::Servers => self.servers_found(now, shared, ways),
            Purpose::Detour => {
                if let Stage::Registering { registration, .. } = &mut self.stage {
                    let ways: Vec<Flow> =
                        ways.unwrap_or_default().iter().map(|way| way.flow).collect();
                    registration.located(now, &ways);
                    self.carry_out(now, shared);
                }
            }
            Purpose::Stream(old) => self.stream_found(now, shared, &old, ways),
        }
    }

    fn servers_found(&mut self, now: Instant, shared: &mut Shared<'_>, ways: Ways) {
        let facts = Arc::clone(&self.facts);
        let Some(outside) = facts.outside() else { return };
        let mut ways = match ways {
            Ok(ways) => ways,
            Err(why) => return self.nowhere(now, shared, why),
        };
        self.lookups_failed = 0;
        let mut places: Vec<Place> = ways.iter().map(|way| way.place.clone()).collect();
        shared.failed.sort(now, &mut places);
        ways.sort_by_key(|way| places.iter().position(|place| *place == way.place));
        let mut ways = self.secured(shared, ways);
        if ways.is_empty() {
            return self.nowhere(now, shared, "it has no servers that are reached by TLS".into());
        }
        ways.truncate(MOST_WAYS);
        let flows: Vec<Flow> = ways.iter().map(|way| way.flow).collect();
        let is_same = self.ways == ways;
        let is_elsewhere = std::mem::take(&mut self.is_elsewhere);
        self.ways = ways;
        match (&facts.reach, &mut self.stage) {
            // It tries again by itself, after a pause that must not begin anew, unless the network
            // is another one.
            (_, Stage::Registering { registration, look }) => {
                *look = None;
                let waits = matches!(registration.state(), State::Unreachable { .. });
                if !(is_same && waits) || is_elsewhere {
                    registration.register(now, &flows);
                }
            }
            (Reach::Account(_), _) => {
                let account = self.account(shared, outside);
                let seed = shared.seed(&facts.account);
                let mut registration =
                    Box::new(Registration::new(account, self.credentials.clone(), seed));
                registration.register(now, &flows);
                self.stage = Stage::Registering { registration, look: None };
            }
            (Reach::Trunk { .. }, Stage::Watching(trunk)) => trunk.ways_changed(now),
            (Reach::Trunk { .. }, _) => self.stage = Stage::Watching(Trunk::new(now)),
            (Reach::Gateway(_), _) => {}
        }
        self.carry_out(now, shared);
    }

    fn nowhere(&mut self, now: Instant, shared: &mut Shared<'_>, why: String) {
        self.is_tried = false;
        if self.leave_shelter(shared) {
            return;
        }
        let pause = LOOK_AGAIN.saturating_mul(1 << self.lookups_failed.min(6));
        self.lookups_failed = self.lookups_failed.saturating_add(1);
        let again = now + pause.min(LOOK_AGAIN_AT_MOST) + self.jitter(shared);
        match &mut self.stage {
            // What stood may still stand: a name server that is down takes no line down.
            Stage::Registering { look, .. } => *look = Some(again),
            Stage::Watching(_) => {}
            _ => self.stage = Stage::Nowhere { why, again },
        }
    }

    /// A few seconds that differ from line to line.
    fn jitter(&self, shared: &Shared<'_>) -> Duration {
        let chance = shared.seed(&self.facts.account);
        Duration::from_millis(u64::from(u16::from_be_bytes([chance[0], chance[1]])) / 8)
    }

    fn account(&self, shared: &Shared<'_>, outside: &Outside) -> Account {
        Account {
            display: outside.display.clone(),
            instance: Some(shared.instance(&self.facts.account)),
            route: outside.route.clone(),
            expires: outside.expires,
            keep_alive: outside.keep_alive,
            maps_contact: outside.maps_contact,
            forbidden_is_password: outside.forbidden_is_password,
            product: shared.product.to_owned(),
            ..Account::new(outside.registrar.clone(), outside.address.clone(), &*self.contact_user)
        }
    }

    /// A stream was given a new way, or there is none.
    fn stream_found(&mut self, now: Instant, shared: &mut Shared<'_>, old: &Flow, ways: Ways) {
        let found = ways.ok().and_then(|ways| ways.into_iter().next());
        if let Some(found) = &found {
            for way in self.ways.iter_mut().filter(|way| way.place == found.place) {
                way.flow = found.flow;
            }
        }
        if let Stage::Registering { registration, .. } = &mut self.stage {
            registration.reached(now, old, found.map(|way| way.flow));
            self.carry_out(now, shared);
        }
    }

    /// Takes other connections to the same places, but for those that the registration minds.
    pub(super) fn reached(&mut self, ways: &[Way]) {
        let held: Vec<Flow> = self
            .registration()
            .map(|registration| registration.flows().collect())
            .unwrap_or_default();
        for way in self.ways.iter_mut().filter(|way| !held.contains(&way.flow)) {
            if let Some(found) = ways.iter().find(|found| found.place == way.place) {
                way.flow = found.flow;
            }
        }
    }

    /// An answer came.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        why: Why,
        flow: &Flow,
        response: &Response,
    ) {
        if self.asked == Some(*flow) {
            self.asked = None;
        }
        if let Some(way) = self.ways.iter().find(|way| way.is_over(flow)) {
            match response.status() {
                503 => {
                    let rest = response.headers().number(&name::RETRY_AFTER);
                    match rest {
                        Some(seconds) => {
                            let rest = Duration::from_secs(seconds.into());
                            shared.failed.asked_for_rest(now, &way.place, rest);
                        }
                        None => shared.failed.failed(now, &way.place),
                    }
                }
                _ => shared.failed.answered(&way.place),
            }
        }
        match (why, &mut self.stage) {
            (Why::Registration(ask), Stage::Registering { registration, .. }) => {
                registration.answered(now, ask, response);
            }
            (Why::Health, Stage::Watching(trunk)) => trunk.answered(now, response.status()),
            // It is about something else by now.
            _ => {}
        }
        self.carry_out(now, shared);
    }

    /// No answer will come.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        what: Why,
        flow: &Flow,
        why: Failure,
    ) {
        if self.asked == Some(*flow) {
            self.asked = None;
        }
        if let Some(way) = self.ways.iter().find(|way| way.is_over(flow)) {
            shared.failed.failed(now, &way.place);
        }
        match (what, &mut self.stage) {
            (Why::Registration(ask), Stage::Registering { registration, .. }) => {
                registration.failed(now, ask, why);
            }
            (Why::Health, Stage::Watching(trunk)) => trunk.failed(now),
            // It is about something else by now.
            _ => {}
        }
        self.carry_out(now, shared);
    }

    /// A flow is gone, or could not be had.
    pub(super) fn flow_failed(
        &mut self,
        now: Instant,
        shared: &mut Shared<'_>,
        flow: &Flow,
        why: &FlowFault,
    ) {
        self.broken = Some(Box::new(why.clone()));
        if matches!(why, FlowFault::Certificate { .. }) {
            self.distrust(shared);
        }
        if let Stage::Registering { registration, .. } = &mut self.stage {
            registration.flow_failed(now, flow);
        }
        self.carry_out(now, shared);
    }

    /// Does what is due.
    pub(super) fn handle_deadline(&mut self, now: Instant, shared: &mut Shared<'_>) {
        let facts = Arc::clone(&self.facts);
        let is_time_to_look = match &mut self.stage {
            Stage::Nowhere { again, .. } => *again <= now,
            Stage::Registering { registration, look } => {
                registration.handle_deadline(now);
                let is_time = look.is_some_and(|look| look <= now);
                if is_time {
                    *look = None;
                }
                is_time
            }
            Stage::Watching(trunk) => trunk.handle_deadline(now),
            Stage::Resting
            | Stage::Fetching
            | Stage::Without(_)
            | Stage::Looking
            | Stage::Gateway(_) => false,
        };
        if is_time_to_look && let Some(outside) = facts.outside() {
            self.look(shared, outside);
        }
        self.carry_out(now, shared);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Nowhere { again, .. } => Some(*again),
            Stage::Registering { registration, look } => {
                [registration.next_deadline(), *look].into_iter().flatten().min()
            }
            Stage::Watching(trunk) => trunk.next_deadline(),
            Stage::Resting
            | Stage::Fetching
            | Stage::Without(_)
            | Stage::Looking
            | Stage::Gateway(_) => None,
        }
    }

    /// Takes the line off at its provider.
    pub(super) fn leave(&mut self, now: Instant, shared: &mut Shared<'_>) {
        if let Stage::Registering { registration, look } = &mut self.stage {
            *look = None;
            registration.unregister(now);
            self.carry_out(now, shared);
        } else if !matches!(self.stage, Stage::Gateway(_)) {
            self.stage = Stage::Resting;
        }
    }

    /// Forgets the ways that do not fit.
    pub(super) fn narrow(&mut self, fits: impl Fn(&Flow) -> bool) {
        if let Stage::Registering { registration, .. } = &mut self.stage {
            registration.narrow(fits);
        }
    }

    /// Whether the phone of a gateway is registered; says whether that is news.
    pub(super) fn set_gateway(&mut self, is_registered: bool) -> bool {
        match &mut self.stage {
            Stage::Gateway(before) if *before != is_registered => {
                *before = is_registered;
                true
            }
            _ => false,
        }
    }

    /// The registration, where there is one.
    pub(super) fn registration(&self) -> Option<&Registration> {
        match &self.stage {
            Stage::Registering { registration, .. } => Some(registration),
            _ => None,
        }
    }

    /// The address of a trunk that answered last.
    pub(super) fn best_of_trunk(&self) -> Option<Flow> {
        match &self.stage {
            Stage::Watching(trunk) => self.ways.get(trunk.best()).map(|way| way.flow),
            _ => None,
        }
    }
}
