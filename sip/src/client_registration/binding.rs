// SPDX-License-Identifier: GPL-3.0-or-later
//! One binding at the registrar: one flow, kept by one row of REGISTERs.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rand_core::RngCore;

use super::{
    Action, Ask, MOST_WAYS, Notice, Password, Ping, Registration, Silence, Trouble, Wanted,
    answer::{Granted, Sent, mapped},
};
use crate::{
    auth::client::{Answers, Denied, Tries},
    dialog::{MAX_FORWARDS, Tag, new_call_id, with_tag},
    endpoint::{ALLOW, named},
    flow::Flow,
    leg::{contact_of, patience, seconds_of},
    transaction::Failure,
    wire::{Draft, Method, Response, Uri, name},
};

/// How often a registrar may find the interval too brief.
const MOST_RAISES: u8 = 3;
/// The longest interval we let a registrar ask for.
const LONGEST_EXPIRES: Duration = Duration::from_secs(7 * 86_400);
/// How long OPTIONS may stay without an answer before the flow counts as broken.
const PING_ANSWERED: Duration = Duration::from_secs(10);
/// How long the registrar may take to take us off.
const REMOVED: Duration = Duration::from_secs(5);
/// A connection that was given and not used stands ready so long. The driver forgets it later.
const FRESH: Duration = Duration::from_secs(30);
/// How long the way to a known place may take to be told.
const REACHED: Duration = Duration::from_secs(5);
/// Keep-alives where the registrar names no interval (RFC 5626 §4.4.1).
const DATAGRAM_ALIVE: Duration = Duration::from_secs(29);
const STREAM_ALIVE: Duration = Duration::from_secs(120);

pub(super) struct Binding {
    reg_id: u8,
    pub(super) flow: Flow,
    call_id: Arc<[u8]>,
    tag: Tag,
    cseq: u32,
    pub(super) answers: Answers,
    tries: Tries,
    pub(super) phase: Phase,
    /// As long as the registrar keeps the binding.
    held_until: Option<Instant>,
    pub(super) granted: Option<Granted>,
    /// The next keep-alive, and how often they are.
    ping: Option<(Instant, Duration)>,
    /// An OPTIONS that waits for its answer, and how long.
    pinging: Option<(Ask, Instant)>,
    /// The interval to ask for, once the registrar found ours too brief.
    expires: Option<Duration>,
    raises: u8,
    /// Ways tried without success since the last pause.
    pub(super) tried: usize,
    failures: u32,
    trouble: Option<Trouble>,
    pub(super) mapped: Option<SocketAddr>,
    /// The Contact of a flow that was left, to be taken off.
    left: Option<String>,
    /// The extensions of RFC 5626 and 5627 were refused here.
    is_plain: bool,
    echoed: Option<Uri>,
}

pub(super) enum Phase {
    /// Nothing is to come.
    Resting,
    /// A REGISTER is under way. With a limit if there are other ways to try.
    Asking { ask: Ask, removes: bool, give_up: Option<Instant> },
    /// The way to the same place is asked for anew.
    Reaching { give_up: Instant },
    /// The ways to another registrar are looked for.
    Locating { give_up: Instant },
    /// Until the refresh, or the next try.
    Waiting { until: Instant },
}

impl Binding {
    pub(super) fn new(reg_id: u8, flow: Flow, random: &mut impl RngCore) -> Self {
        Self {
            reg_id,
            flow,
            call_id: new_call_id(random),
            tag: Tag::random(random),
            cseq: random.next_u32() & 0xffff,
            answers: Answers::default(),
            tries: Tries::default(),
            phase: Phase::Resting,
            held_until: None,
            granted: None,
            ping: None,
            pinging: None,
            expires: None,
            raises: 0,
            tried: 0,
            failures: 0,
            trouble: None,
            mapped: None,
            left: None,
            is_plain: false,
            echoed: None,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    pub(super) fn waits_for(&self, wanted: Ask) -> bool {
        let asking = matches!(self.phase, Phase::Asking { ask, .. } if ask == wanted);
        asking || self.pinging.is_some_and(|(ask, _)| ask == wanted)
    }

    pub(super) fn goes_over(&self, flow: &Flow) -> bool {
        (self.flow.transport, self.flow.local, self.flow.remote)
            == (flow.transport, flow.local, flow.remote)
            && (self.flow.connection == flow.connection
                || self.flow.connection.is_none()
                || flow.connection.is_none())
    }

    /// What went wrong, if it waits to try again.
    pub(super) fn trouble(&self) -> Option<(Trouble, Instant)> {
        match (&self.phase, &self.trouble) {
            (Phase::Waiting { until }, Some(trouble)) => Some((trouble.clone(), *until)),
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Resting => None,
            Phase::Asking { give_up, .. } => give_up,
            Phase::Locating { give_up } | Phase::Reaching { give_up } => Some(give_up),
            Phase::Waiting { until } => Some(until),
        };
        let ping = self.ping.map(|(due, _)| due);
        let pinging = self.pinging.map(|(_, limit)| limit);
        [phase, self.held_until, ping, pinging].into_iter().flatten().min()
    }

    /// Nothing more is sent.
    pub(super) fn rest(&mut self) {
        self.phase = Phase::Resting;
        self.drop_hold();
        self.answers.forget();
    }

    /// The registrar does not know us any more, or cannot reach us.
    fn drop_hold(&mut self) {
        self.held_until = None;
        self.granted = None;
        self.ping = None;
        self.pinging = None;
    }

    /// Takes another flow. The Contact of the old one is taken off with the next REGISTER.
    pub(super) fn set_flow(&mut self, flow: Flow) {
        if self.flow == flow {
            return;
        }
        self.flow = flow;
        self.mapped = None;
        self.echoed = None;
        self.drop_hold();
    }

    fn start_over(&mut self) {
        self.tried = 0;
        self.failures = 0;
        self.raises = 0;
        self.trouble = None;
        self.is_plain = false;
    }
}

impl Registration {
    /// Puts each binding on its way, and registers it there now.
    pub(super) fn place_bindings(&mut self, now: Instant) {
        let ways = self.ways.clone();
        self.bindings.truncate(ways.len());
        for (at, way) in (0..self.bindings.len()).zip(ways) {
            self.leave_flow(at, way);
            if let Some(binding) = self.bindings.get_mut(at) {
                binding.start_over();
            }
            self.ask_register(now, at);
        }
    }

    /// Moves a binding to another way.
    fn leave_flow(&mut self, at: usize, way: Flow) {
        let old = self.contact(at);
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let is_outbound = binding.granted.as_ref().is_some_and(|granted| granted.outbound);
        // With an instance the registrar itself puts the new Contact in the place of the old one.
        if binding.flow != way && binding.is_held() && !is_outbound {
            binding.left = old.map(|uri| uri.to_string());
        }
        binding.set_flow(way);
    }

    /// Our Contact on the flow of a binding.
    fn contact(&self, at: usize) -> Option<Uri> {
        let flow = self.bindings.get(at)?.flow;
        let text =
            contact_of(Some(&self.account.contact_user), self.account.registrar.is_sips(), &flow);
        Uri::parse(text.trim_matches(['<', '>']).to_owned()).ok()
    }

    /// Sends a new REGISTER, one that was not challenged yet.
    pub(super) fn ask_register(&mut self, now: Instant, at: usize) {
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.tries = Tries::default();
        }
        self.send_register(now, at, false);
    }

    /// Takes a binding back, if there may be one.
    pub(super) fn remove_binding(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let may_stand = binding.is_held() || matches!(binding.phase, Phase::Asking { .. });
        binding.drop_hold();
        binding.tries = Tries::default();
        if may_stand {
            self.send_register(now, at, true);
        } else {
            binding.phase = Phase::Resting;
        }
    }

    fn send_register(&mut self, now: Instant, at: usize, removes: bool) {
        if !removes && self.is_stale(now, at) {
            return self.reach(now, at);
        }
        let ask = self.new_ask();
        let more_ways = self.other_way(at).is_some();
        let Some(contact) = self.contact(at) else { return };
        let registrar = match &self.detour {
            Some(detour) => detour.uri.clone(),
            None => self.account.registrar.clone(),
        };
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.cseq = binding.cseq.wrapping_add(1) & 0x7fff_ffff;
        let expires = match removes {
            true => Duration::ZERO,
            false => binding.expires.unwrap_or(self.account.expires),
        }
        .as_secs();
        let mut draft = Draft::request(&Method::Register, &registrar);
        for route in &self.account.route {
            draft.push(&name::ROUTE, route);
        }
        let address = named(&self.account.display, &self.account.address);
        let mut value = format!("<{contact}>;expires={expires}");
        let instance = self.account.instance.as_ref().filter(|_| !binding.is_plain);
        if let Some(instance) = instance {
            value.push_str(&format!(";+sip.instance=\"<{instance}>\""));
            if self.account.outbound {
                value.push_str(&format!(";reg-id={}", binding.reg_id));
            }
        }
        draft
            .push(&name::MAX_FORWARDS, MAX_FORWARDS)
            .push(&name::FROM, with_tag(address.as_bytes(), binding.tag))
            .push(&name::TO, &address)
            .push(&name::CALL_ID, &binding.call_id)
            .push(&name::CSEQ, format!("{} REGISTER", binding.cseq))
            .push(&name::CONTACT, value);
        if let Some(left) = &binding.left {
            draft.push(&name::CONTACT, format!("<{left}>;expires=0"));
        }
        let supported = match (instance, self.account.outbound) {
            (Some(_), true) => "path, gruu, outbound",
            (Some(_), false) => "path, gruu",
            (None, _) => "path",
        };
        draft
            .push(&name::EXPIRES, expires.to_string())
            .push(&name::SUPPORTED, supported)
            .push(&name::ALLOW, ALLOW);
        if !self.account.product.is_empty() {
            draft.push(&name::USER_AGENT, &self.account.product);
        }
        if let Some(credentials) = &self.credentials {
            binding.answers.put(&mut draft, credentials);
        }
        let give_up = match removes {
            true => Some(now + REMOVED),
            false => more_ways.then(|| now + patience(binding.flow.transport)),
        };
        binding.phase = Phase::Asking { ask, removes, give_up };
        let flow = binding.flow;
        self.out.push_back(Action::Send { ask, flow, request: draft });
    }

    /// Ways were given: the connections among them stand ready.
    pub(super) fn are_fresh(&mut self, now: Instant, ways: &[Flow]) {
        self.fresh.retain(|(_, since)| now < *since + FRESH);
        let connections = ways.iter().take(MOST_WAYS).filter(|way| way.connection.is_some());
        self.fresh.extend(connections.map(|way| (*way, now)));
        let excess = self.fresh.len().saturating_sub(2 * MOST_WAYS);
        self.fresh.drain(..excess);
    }

    /// Whether the connection of a binding may be none any more. One that a binding is held over
    /// stands, or its failure would have been told.
    fn is_stale(&self, now: Instant, at: usize) -> bool {
        let Some(binding) = self.bindings.get(at) else { return false };
        let is_fresh =
            |(flow, since): &(Flow, Instant)| *flow == binding.flow && now < *since + FRESH;
        binding.flow.connection.is_some() && !binding.is_held() && !self.fresh.iter().any(is_fresh)
    }

    fn reach(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.phase = Phase::Reaching { give_up: now + REACHED };
        self.out.push_back(Action::Reach { flow: binding.flow });
    }

    /// The way that was asked for is here, or there is none.
    pub(super) fn take_reached(&mut self, now: Instant, old: &Flow, way: Option<Flow>) {
        if let Some(way) = way {
            let detour = self.detour.iter_mut().flat_map(|detour| &mut detour.ways);
            for known in self.ways.iter_mut().chain(detour).filter(|known| *known == old) {
                *known = way;
            }
            self.are_fresh(now, &[way]);
        }
        for at in 0..self.bindings.len() {
            let Some(binding) = self.bindings.get_mut(at) else { continue };
            if binding.flow != *old || !matches!(binding.phase, Phase::Reaching { .. }) {
                continue;
            }
            match way {
                Some(way) => {
                    binding.set_flow(way);
                    self.send_register(now, at, false);
                }
                None => self.stumble(now, at, Trouble::Broken, None),
            }
        }
    }

    /// A way that this binding has not tried since the last pause, and no other binding has.
    fn other_way(&self, at: usize) -> Option<Flow> {
        let ways = self.detour.as_ref().map_or(&self.ways, |detour| &detour.ways);
        let binding = self.bindings.get(at)?;
        if binding.tried + 1 >= ways.len() {
            return None;
        }
        let here = ways.iter().position(|way| *way == binding.flow).unwrap_or(0);
        let others = ways.iter().cycle().skip(here + 1).take(ways.len().saturating_sub(1));
        let is_taken = |way: &Flow| self.bindings.iter().any(|binding| binding.flow == *way);
        others.copied().find(|way| !is_taken(way))
    }

    /// The best way that no other binding has.
    fn best_way(&self, at: usize) -> Option<Flow> {
        let is_taken = |way: &Flow| {
            let mut others = self.bindings.iter().enumerate().filter(|(other, _)| *other != at);
            others.any(|(_, binding)| binding.flow == *way)
        };
        self.ways.iter().copied().find(|way| !is_taken(way))
    }

    pub(super) fn take_answer(&mut self, now: Instant, at: usize, ask: Ask, response: &Response) {
        let moved = self.note_mapped(at, response);
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.pinging.is_some_and(|(pinging, _)| pinging == ask) {
            binding.pinging = None;
            if moved {
                // The registrar still has the old address.
                self.ask_register(now, at);
            }
            return;
        }
        let Phase::Asking { removes, .. } = binding.phase else { return };
        let status = response.status();
        if matches!(status, 401 | 407) {
            return self.challenged(now, at, removes, response);
        }
        binding.answers.heed(response);
        if removes {
            binding.phase = Phase::Resting;
            return;
        }
        match status {
            200..=299 => self.granted(now, at, response),
            300..=399 => self.redirected(now, at, response),
            403 if self.account.forbidden_is_password => {
                self.fall_silent(now, Silence::Password(Password::Forbidden));
            }
            403 | 404 | 410 | 604 => self.fall_silent(now, Silence::Refused { status }),
            423 => self.too_brief(now, at, response),
            420 | 439 if !binding.is_plain && self.account.instance.is_some() => {
                binding.is_plain = true;
                self.ask_register(now, at);
            }
            _ => {
                let retry_after = response
                    .headers()
                    .value(&name::RETRY_AFTER)
                    .and_then(|value| seconds_of(&value))
                    .filter(|_| matches!(status, 404 | 413 | 480 | 486 | 500 | 503 | 600 | 603));
                // 430 says that this flow is dead (RFC 5626 §11.6).
                if status == 430 {
                    binding.drop_hold();
                }
                self.stumble(now, at, Trouble::Answered { status, retry_after }, retry_after);
            }
        }
    }

    fn challenged(&mut self, now: Instant, at: usize, removes: bool, response: &Response) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let answered = match &self.credentials {
            None => return self.fall_silent_unless(now, at, removes, Password::Missing),
            Some(credentials) => binding.answers.challenged(
                &mut binding.tries,
                response,
                credentials,
                &mut self.random,
            ),
        };
        match answered {
            Ok(()) => self.send_register(now, at, removes),
            Err(why @ (Denied::Refused | Denied::NotKnown | Denied::OtherRealm)) => {
                self.fall_silent_unless(now, at, removes, Password::Denied(why));
            }
            Err(_) if removes => binding.phase = Phase::Resting,
            Err(why) => self.give_up_ways(now, at, Trouble::Challenged(why), None),
        }
    }

    /// Whoever goes anyway need not be asked for a password.
    fn fall_silent_unless(&mut self, now: Instant, at: usize, removes: bool, why: Password) {
        match self.bindings.get_mut(at) {
            Some(binding) if removes => binding.phase = Phase::Resting,
            _ => self.fall_silent(now, Silence::Password(why)),
        }
    }

    fn granted(&mut self, now: Instant, at: usize, response: &Response) {
        let Some(contact) = self.contact(at) else { return };
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let instance = self.account.instance.as_deref().filter(|_| !binding.is_plain);
        let sent = Sent {
            contact: &contact,
            contact_user: &self.account.contact_user,
            instance,
            reg_id: instance.filter(|_| self.account.outbound).map(|_| binding.reg_id),
            expires: binding.expires.unwrap_or(self.account.expires),
        };
        let granted = Granted::read(response, &sent);
        if granted.expires.is_zero() {
            binding.drop_hold();
            return self.stumble(now, at, Trouble::NotKept, None);
        }
        binding.start_over_but_plain();
        binding.left = None;
        binding.held_until = Some(now + granted.expires.min(LONGEST_EXPIRES));
        let flow = binding.flow;
        let changed = granted.echoed.clone().filter(|echoed| {
            let place = |uri: &Uri| (uri.host().to_ascii_lowercase(), uri.port().unwrap_or(5060));
            place(echoed) != place(&contact)
        });
        let is_new = changed.is_some() && changed != binding.echoed;
        binding.echoed.clone_from(&changed);
        let interval = self.account.keep_alive.interval.or_else(|| {
            let is_translated = binding.mapped.is_some_and(|mapped| mapped != flow.local);
            let usual = if flow.transport.is_reliable() { STREAM_ALIVE } else { DATAGRAM_ALIVE };
            let needed = granted.outbound || is_translated || changed.is_some();
            granted.flow_timer.or_else(|| needed.then_some(usual))
        });
        let takes_flows = granted.outbound;
        let expires = granted.expires;
        binding.granted = Some(granted);
        let mut refresh = self.refresh_after(expires);
        let mut ping = None;
        if let Some(interval) = interval {
            let after = self.ping_after(interval);
            match self.account.keep_alive.ping {
                Ping::Crlf | Ping::Options => ping = Some((now + after, interval)),
                Ping::Register => refresh = refresh.min(after),
                Ping::Nothing => {}
            }
        }
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.ping = ping;
            binding.phase = Phase::Waiting { until: now + refresh };
        }
        if let Some(echoed) = changed.filter(|_| is_new) {
            self.notice(Notice::ContactChanged { flow, sent: contact, echoed });
        }
        if takes_flows && self.bindings.len() == 1 {
            self.add_flow(now);
        }
    }

    /// A second flow, where the registrar takes several.
    fn add_flow(&mut self, now: Instant) {
        let ways = self.detour.as_ref().map_or(&self.ways, |detour| &detour.ways);
        let first = self.bindings.first().map(|binding| binding.flow);
        let Some(way) = ways.iter().copied().find(|way| Some(*way) != first) else { return };
        let binding = Binding::new(2, way, &mut self.random);
        self.bindings.push(binding);
        self.ask_register(now, 1);
    }

    /// 423 (RFC 3261 §10.2.8): a few times, and only if that leads anywhere.
    fn too_brief(&mut self, now: Instant, at: usize, response: &Response) {
        let least = response.headers().number(&name::MIN_EXPIRES);
        let least = least.map(|least| Duration::from_secs(least.into()));
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let asked = binding.expires.unwrap_or(self.account.expires);
        binding.raises += 1;
        match least {
            Some(least)
                if least > asked && least <= LONGEST_EXPIRES && binding.raises <= MOST_RAISES =>
            {
                binding.expires = Some(least);
                self.ask_register(now, at);
            }
            Some(_) | None => self.give_up_ways(now, at, Trouble::IntervalTooBrief, None),
        }
    }

    pub(super) fn take_failure(&mut self, now: Instant, at: usize, ask: Ask, why: Failure) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.pinging.is_some_and(|(pinging, _)| pinging == ask) {
            return self.lost(now, at);
        }
        if let Phase::Asking { removes: true, .. } = binding.phase {
            binding.phase = Phase::Resting;
            return;
        }
        binding.drop_hold();
        let trouble = match why {
            Failure::TimedOut => Trouble::NoAnswer,
            Failure::Unreachable => Trouble::Broken,
        };
        self.stumble(now, at, trouble, None);
    }

    /// The flow of a binding is gone: at once another, over the best way there is.
    pub(super) fn lost(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        // While a REGISTER is under way its own failure tells.
        if !binding.is_held() || matches!(binding.phase, Phase::Asking { .. }) {
            return;
        }
        binding.drop_hold();
        if self.wanted == Wanted::Registered {
            self.ask_register(now, at);
        }
    }

    /// It did not work out on this way: the next one, or a pause.
    fn stumble(
        &mut self,
        now: Instant,
        at: usize,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) {
        match self.other_way(at) {
            Some(way) => {
                if let Some(binding) = self.bindings.get_mut(at) {
                    binding.tried += 1;
                    binding.trouble = Some(trouble);
                }
                self.leave_flow(at, way);
                self.ask_register(now, at);
            }
            None => self.give_up_ways(now, at, trouble, retry_after),
        }
    }

    /// It did not work out on any way: a pause, and then all again.
    pub(super) fn give_up_ways(
        &mut self,
        now: Instant,
        at: usize,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) {
        if at == 0 {
            self.detour = None;
        }
        let mut others = self.bindings.iter().enumerate().filter(|(other, _)| *other != at);
        let another_stands = others.any(|(_, binding)| binding.is_held());
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.tried = 0;
        binding.raises = 0;
        binding.trouble = Some(trouble);
        let failures = binding.failures;
        binding.failures = failures.saturating_add(1);
        let pause = self.pause(failures, another_stands, retry_after);
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.phase = Phase::Waiting { until: now + pause };
        }
    }

    pub(super) fn do_due(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.held_until.is_some_and(|until| until <= now) {
            binding.drop_hold();
        }
        if binding.pinging.is_some_and(|(_, limit)| limit <= now) {
            return self.lost(now, at);
        }
        match binding.phase {
            Phase::Asking { removes: true, give_up: Some(limit), .. } if limit <= now => {
                binding.phase = Phase::Resting;
            }
            Phase::Asking { removes: false, give_up: Some(limit), .. } if limit <= now => {
                binding.drop_hold();
                self.stumble(now, at, Trouble::NoAnswer, None);
            }
            Phase::Reaching { give_up } if give_up <= now => {
                self.stumble(now, at, Trouble::Broken, None);
            }
            Phase::Locating { give_up } if give_up <= now => {
                self.give_up_ways(now, at, Trouble::Redirected, None);
            }
            Phase::Waiting { until } if until <= now => {
                if binding.trouble.is_some()
                    && let Some(way) = self.best_way(at)
                {
                    self.leave_flow(at, way);
                }
                self.ask_register(now, at);
            }
            Phase::Resting
            | Phase::Asking { .. }
            | Phase::Locating { .. }
            | Phase::Reaching { .. }
            | Phase::Waiting { .. } => self.keep_alive(now, at),
        }
    }

    fn keep_alive(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get(at) else { return };
        let Some((_, interval)) = binding.ping.filter(|(due, _)| *due <= now) else { return };
        let flow = binding.flow;
        let after = self.ping_after(interval);
        let by_options = self.account.keep_alive.ping == Ping::Options;
        let ask = by_options.then(|| self.new_ask());
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.ping = Some((now + after, interval));
        match ask {
            None => self.send_raw(flow, b"\r\n\r\n"),
            Some(ask) if binding.pinging.is_none() => {
                binding.pinging = Some((ask, now + PING_ANSWERED));
                let request = self.options();
                self.out.push_back(Action::Send { ask, flow, request });
            }
            Some(_) => {}
        }
    }

    fn options(&mut self) -> Draft {
        let tag = Tag::random(&mut self.random);
        let call_id = new_call_id(&mut self.random);
        let mut draft = Draft::request(&Method::Options, &self.account.registrar);
        for route in &self.account.route {
            draft.push(&name::ROUTE, route);
        }
        let from = format!("<{}>", self.account.address);
        draft
            .push(&name::MAX_FORWARDS, MAX_FORWARDS)
            .push(&name::FROM, with_tag(from.as_bytes(), tag))
            .push(&name::TO, format!("<{}>", self.account.registrar))
            .push(&name::CALL_ID, &call_id)
            .push(&name::CSEQ, "1 OPTIONS");
        if !self.account.product.is_empty() {
            draft.push(&name::USER_AGENT, &self.account.product);
        }
        draft
    }

    /// Learns under which address we are seen; says whether that is another one than before.
    fn note_mapped(&mut self, at: usize, response: &Response) -> bool {
        let Some(binding) = self.bindings.get_mut(at) else { return false };
        let Some(now) = mapped(response, binding.flow.local) else { return false };
        let before = binding.mapped.replace(now);
        if before == Some(now) {
            return false;
        }
        let flow = binding.flow;
        self.notice(Notice::Mapped { flow, before, now });
        before.is_some()
    }
}

impl Binding {
    fn start_over_but_plain(&mut self) {
        let is_plain = self.is_plain;
        self.start_over();
        self.is_plain = is_plain;
    }
}
