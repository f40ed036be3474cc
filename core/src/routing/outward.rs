// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes out of the house.
//!
//! A line must pass every filter; each that fails has its reason in the route. Those that pass are
//! tried in this order:
//!
//! 1. lines that did not just ask to be left alone,
//! 2. those that a rule prefers, in the rule's order,
//! 3. lines that are for these numbers (a gateway's patterns),
//! 4. providers and exchanges before radios before telephone sockets; a radio whose minutes are
//!    paid for counts as a provider,
//! 5. the cheaper, as far as prices are known,
//! 6. those that did not fail lately,
//! 7. those that nobody meters, the better secured, the user's own order.
//!
//! An address at another domain goes by the line in whose network the domain is, else directly.

mod change;

use super::{
    Attempt, Because, Caller, Destination, Origin, Rejected, Route, Target, Wants, Why, World,
    emergency, local,
    rules::{Action, Policy, Question, RuleName, Verdict},
    toll::Level,
};
use crate::{
    contact::{Address, Contact},
    line::{Cost, DialFormat, Line, LineKind, LineState},
    number::{Class, E164, Understood},
};

/// The most lines that are tried for one call, emergencies aside.
pub const MAX_ATTEMPTS: usize = 16;
/// The most published addresses that are tried for one number.
const MAX_PUBLISHED: u8 = 4;
/// So many failures in a row put a line behind those that work.
const FAILING: u16 = 3;
/// Up to so many digits may be a mistyped extension, whatever extensions there are.
const LONGEST_CODE: usize = 5;

/// Why a line was chosen, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name for a person.
    pub line: Box<str>,
    /// What gave it its place.
    pub reason: Reason,
    /// What a minute costs, where that is known.
    pub cost: Option<Cost>,
    /// The rule that changed the number.
    pub changed_by: Option<RuleName>,
}

/// What gave a line its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is a radio.
    Gsm,
    /// Its minutes are paid for.
    Included,
    /// It is for these numbers.
    LeadsThere,
    /// This domain is in its network.
    OnNet(Box<str>),
    /// This rule prefers it.
    Preferred(RuleName),
    /// It is a provider or another exchange.
    Provider,
    /// It is at the telephone socket.
    TelephoneNetwork,
}

/// The route of a contact, as dialled in this house, that is no extension.
pub(super) fn route(here: &Contact, caller: &Caller, world: &impl World) -> Route {
    if caller.origin != Origin::House {
        let why = match here {
            // Nobody outside learns more than that there is no such extension.
            Contact::Number(number) if !number.is_international() => Why::Unknown,
            _ => Why::FromOutside,
        };
        return Route::refused(here.to_string(), why);
    }
    match here {
        Contact::Number(number) => Search::new(caller, world).number(here, number.as_str()),
        Contact::Sip(address) => Search::new(caller, world).address(here, address),
        Contact::Name(name) if caller.by.is_some() => Search::new(caller, world).name(here, name),
        Contact::Name(_) | Contact::Service(_) => Route::refused(here.to_string(), Why::Unknown),
    }
}

/// A number on its way out.
struct Wanted<'a> {
    dialled: &'a str,
    number: Option<&'a Understood>,
    verdict: &'a Verdict<'a>,
    changed_by: Option<&'a RuleName>,
}

struct Search<'a, W> {
    caller: &'a Caller,
    world: &'a W,
    route: Route,
}

impl<'a, W: World> Search<'a, W> {
    fn new(caller: &'a Caller, world: &'a W) -> Self {
        Self { caller, world, route: Route::default() }
    }

    fn number(mut self, contact: &Contact, dialled: &str) -> Route {
        let (caller, world) = (self.caller, self.world);
        // Nothing is asked of the numbering plans where nobody wants to know.
        let is_plain = world.rules().is_empty() && world.lines().is_empty() && !world.looks_up();
        if is_plain && world.rules().level(caller.extension.as_ref()) == Level::Everything {
            let why = if is_for_lines(dialled, world) { Why::NoLine } else { Why::Unknown };
            return Route::refused(contact.to_string(), why);
        }
        let read = |digits: &str| Understood::read(digits, world.region());
        let mut number = read(dialled);
        let mut verdict = world.rules().verdict(&self.question(dialled, number.as_ref()));
        let mut changed = None;
        if let Some(rule) = verdict.change {
            let Some(new) = change::apply(rule, dialled, number.as_ref()) else {
                return Route::refused(contact.to_string(), Why::CannotDial);
            };
            // What it became may call for help, or stay in the house.
            if let Some(help) = emergency::call_for(&new, world) {
                return emergency::route(contact, &help, caller, world);
            }
            if caller.by.is_none()
                && let Some(route) = local::route(&new, caller, world)
            {
                return route;
            }
            number = read(new.user());
            let more = world.rules().verdict(&self.question(new.user(), number.as_ref()));
            verdict = verdict.then(more);
            changed = Some((rule, new));
        }
        let class = class_of(number.as_ref());
        if let Some(why) = self.barred(&verdict, class) {
            return Route::refused(contact.to_string(), why);
        }
        if class == Class::Short && !(world.lines().is_empty() && is_for_lines(dialled, world)) {
            self.reject(dialled, Why::Unknown);
        }
        self.published(number.as_ref());
        self.lines(&Wanted {
            dialled: changed.as_ref().map_or(dialled, |(_, new)| new.user()),
            number: number.as_ref(),
            verdict: &verdict,
            changed_by: changed.as_ref().map(|(rule, _)| &rule.name),
        });
        self.done(contact)
    }

    fn question<'q>(&self, dialled: &'q str, number: Option<&'q Understood>) -> Question<'q>
    where
        'a: 'q,
    {
        Question {
            dialled: Some(dialled),
            number: number.map(|number| &number.e164),
            domain: None,
            class: class_of(number),
            caller: self.caller,
            // The clock is asked only where a rule may want to know.
            now: (!self.world.rules().is_empty()).then(|| self.world.local_time()).flatten(),
        }
    }

    /// Why the call may not be made at all.
    fn barred(&self, verdict: &Verdict<'_>, class: Class) -> Option<Why> {
        match verdict.action {
            Some((rule, Action::Bar)) => return Some(Why::Barred(rule.name.clone())),
            Some((_, Action::Allow)) => return None,
            None => {}
        }
        let level = self.world.rules().level(self.caller.extension.as_ref());
        (!level.allows(class)).then_some(Why::Toll { class, level })
    }

    /// Addresses that were found for the number.
    fn published(&mut self, number: Option<&Understood>) {
        let Some(number) = number.filter(|_| self.caller.by.is_none()) else { return };
        // The number itself is the address 0: what is said of one is not said of another.
        for (which, address) in (1..=MAX_PUBLISHED).zip(self.world.published(&number.e164)) {
            if self.world.is_own_domain(&address.host, address.port) {
                continue;
            }
            if !self.world.calls_peers() {
                self.reject(&address.host, Why::PeersOff);
            } else {
                self.attempt(
                    Destination::Peer,
                    address.to_string().into(),
                    Because::Published(address.host.as_str().into()),
                    which,
                );
            }
        }
    }

    fn lines(&mut self, wanted: &Wanted<'_>) {
        let mut found = Vec::new();
        for (at, line) in self.world.lines().iter().enumerate() {
            if !self.is_meant(line) {
                continue;
            }
            let policy = self.world.rules().line(line);
            match self.filter(line, policy, wanted) {
                Ok(()) => found.push((self.place(at, line, policy, wanted), line, policy)),
                Err(why) => self.reject(line.title(), why),
            }
        }
        found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        for (count, (_, line, policy)) in found.into_iter().enumerate() {
            if count >= MAX_ATTEMPTS {
                self.reject(line.title(), Why::TooMany);
                continue;
            }
            let dialled = self.dialled(line, policy, wanted);
            let choice = Choice {
                line: line.title().into(),
                reason: reason(line, policy, wanted),
                cost: wanted.number.and_then(|number| cost(line, policy, &number.e164)),
                changed_by: wanted.changed_by.cloned(),
            };
            let because = Because::Line(Box::new(choice));
            self.attempt(Destination::Line(line.id), dialled, because, 0);
        }
    }

    /// Whether the caller is not bound to another line.
    fn is_meant(&self, line: &Line) -> bool {
        self.caller.by.is_none_or(|by| by == line.id)
    }

    /// The first reason that speaks against a line.
    fn filter(&self, line: &Line, policy: Policy<'_>, wanted: &Wanted<'_>) -> Result<(), Why> {
        self.usable(line, policy, wanted.verdict)?;
        if !policy.patterns(line).is_empty() && !leads_there(line, policy, wanted) {
            return Err(Why::LeadsElsewhere);
        }
        let is_here = line.numbering.region.is_none_or(|region| region == self.world.region());
        if wanted.number.is_none() && !is_here && line.numbering.format != DialFormat::AsIs {
            return Err(Why::CannotDial);
        }
        Ok(())
    }

    /// What speaks against a line whatever is dialled.
    fn usable(&self, line: &Line, policy: Policy<'_>, verdict: &Verdict<'_>) -> Result<(), Why> {
        let caller = self.caller;
        match caller.wants {
            Wants::Call if !line.voice => return Err(Why::NoVoice),
            Wants::Text if !line.messages => return Err(Why::NoMessages),
            Wants::Call | Wants::Text => {}
        }
        match line.state {
            LineState::Down(down) => return Err(Why::LineDown(down)),
            LineState::EmergencyOnly => return Err(Why::EmergencyOnly),
            LineState::Up => {}
        }
        let is_own = match &line.kind {
            LineKind::Gateway { extension } => caller.extension.as_ref() == Some(extension),
            LineKind::Account | LineKind::Gsm | LineKind::Modem | LineKind::Trunk => false,
        };
        if is_own {
            return Err(Why::OwnLine);
        }
        let asked = caller.extension.as_ref();
        let is_its_own = caller.by == Some(line.id);
        if !is_its_own && (!line.users.admit(asked) || !policy.admits(asked)) {
            return Err(Why::NotForCaller);
        }
        if let Some(rule) = verdict.forbids(line) {
            return Err(Why::Forbidden(rule.name.clone()));
        }
        if line.security < self.world.rules().defaults().least_security {
            return Err(Why::TooInsecure(line.security));
        }
        if policy.meter(line).is_exhausted() {
            return Err(Why::CapReached);
        }
        if line.free == Some(0) && caller.wants == Wants::Call {
            return Err(Why::InUse);
        }
        Ok(())
    }

    fn place(&self, at: usize, line: &Line, policy: Policy<'_>, wanted: &Wanted<'_>) -> Place {
        let meter = policy.meter(line);
        let cost = wanted.number.and_then(|number| cost(line, policy, &number.e164));
        Place {
            resting: line.health.resting,
            preference: wanted.verdict.preference(line).map_or(usize::MAX, |(at, _)| at),
            is_general: !leads_there(line, policy, wanted),
            kind: match line.kind {
                LineKind::Account | LineKind::Trunk => 0,
                LineKind::Gsm if meter.is_included() => 0,
                LineKind::Gsm => 1,
                LineKind::Gateway { .. } | LineKind::Modem => 2,
            },
            cost: cost.map_or(u32::MAX, |cost| cost.0),
            is_failing: line.health.failures >= FAILING,
            failures: line.health.failures,
            is_metered: meter.is_metered(),
            insecurity: std::cmp::Reverse(line.security),
            at,
        }
    }

    /// What is dialled on the line.
    fn dialled(&self, line: &Line, policy: Policy<'_>, wanted: &Wanted<'_>) -> Box<str> {
        let number = match wanted.number {
            Some(number) => line.numbering.dial(number, wanted.dialled, self.world.region()),
            None => wanted.dialled.to_owned(),
        };
        let (prefix, suffix) = policy.added();
        if prefix.is_empty() && suffix.is_empty() {
            return number.into();
        }
        // A + is a sign of its own: nothing can stand before it.
        let number = number.strip_prefix('+').filter(|_| !prefix.is_empty()).unwrap_or(&number);
        format!("{prefix}{number}{suffix}").into()
    }

    /// A name, to one who is bound to a line: whoever has it there.
    fn name(self, contact: &Contact, name: &str) -> Route {
        let mut lines = self.world.lines().iter();
        let domain = lines.find(|line| self.is_meant(line)).and_then(|line| line.domains.first());
        match domain {
            Some(domain) => {
                let (user, host) = (name.to_owned(), domain.to_string());
                self.address(contact, &Address { secure: false, user, host, port: None })
            }
            None => self.done(contact),
        }
    }

    fn address(mut self, contact: &Contact, address: &Address) -> Route {
        let (caller, world) = (self.caller, self.world);
        let host = address.host.as_str();
        // A number at the domain of a line costs what it costs when it is dialled.
        let by_number = world.lines().iter().find(|line| line.is_on_net(host)).and_then(|line| {
            let region = line.numbering.region.unwrap_or_else(|| world.region());
            match address.user.parse() {
                Ok(Contact::Number(number)) => {
                    let understood = Understood::read(number.as_str(), region);
                    Some((number, understood))
                }
                _ => None,
            }
        });
        let (dialled, number) = match &by_number {
            Some((number, understood)) => (Some(number.as_str()), understood.as_ref()),
            None => (None, None),
        };
        let class = dialled.map_or(Class::Internet, |_| class_of(number));
        let verdict = world.rules().verdict(&Question {
            dialled,
            number: number.map(|number| &number.e164),
            domain: Some(host),
            class,
            caller,
            now: world.local_time(),
        });
        if let Some(why) = self.barred(&verdict, class) {
            return Route::refused(contact.to_string(), why);
        }
        let mut found = Vec::new();
        for (at, line) in world.lines().iter().enumerate() {
            let preference = verdict.preference(line);
            let is_named =
                preference.is_some() || verdict.allows_alone(line) || caller.by.is_some();
            if !self.is_meant(line) || !is_named && !line.is_on_net(host) {
                continue;
            }
            match self.usable(line, world.rules().line(line), &verdict) {
                Ok(()) => {
                    let reason = match preference {
                        Some((_, rule)) => Reason::Preferred(rule.name.clone()),
                        None => Reason::OnNet(host.into()),
                    };
                    let rank = preference.map_or(usize::MAX, |(at, _)| at);
                    found.push((
                        (line.health.resting, rank, line.health.failures, at),
                        line,
                        reason,
                    ));
                }
                Err(why) => self.reject(line.title(), why),
            }
        }
        found.sort_by_key(|(place, ..)| *place);
        let is_by_line = !found.is_empty();
        for (count, (_, line, reason)) in found.into_iter().enumerate() {
            if count >= MAX_ATTEMPTS {
                self.reject(line.title(), Why::TooMany);
                continue;
            }
            let line_name = line.title().into();
            let choice = Choice { line: line_name, reason, cost: None, changed_by: None };
            let because = Because::Line(Box::new(choice));
            self.attempt(Destination::Line(line.id), address.to_string().into(), because, 0);
        }
        if !is_by_line && caller.by.is_none() {
            match verdict.only {
                Some(rule) => self.reject(host, Why::Forbidden(rule.name.clone())),
                None if !world.calls_peers() => self.reject(host, Why::PeersOff),
                None => self.attempt(
                    Destination::Peer,
                    address.to_string().into(),
                    Because::Peer(host.into()),
                    0,
                ),
            }
        }
        self.done(contact)
    }

    /// Nothing is tried twice. `which` of the addresses of the person called it is for.
    fn attempt(
        &mut self,
        destination: Destination,
        dialled: Box<str>,
        because: Because,
        which: u8,
    ) {
        let target = Target { destination, dialled };
        if self.route.attempts.iter().all(|attempt| !attempt.targets.contains(&target)) {
            let ring = self.world.ring_time();
            self.route.attempts.push(Attempt::outside(vec![target], because, ring, which));
        }
    }

    fn reject(&mut self, what: &str, why: Why) {
        self.route.rejected.push(Rejected { what: what.to_owned(), why });
    }

    fn done(mut self, contact: &Contact) -> Route {
        if self.route.attempts.is_empty() && self.route.rejected.is_empty() {
            self.reject(&contact.to_string(), Why::NoLine);
        }
        self.route
    }
}

/// Whether digits were meant for a line and for no extension, which is told without the numbering
/// plans: they are international, or more than any extension has.
fn is_for_lines(dialled: &str, world: &impl World) -> bool {
    let is_of_digits = || dialled.bytes().all(|byte| byte.is_ascii_digit());
    dialled.starts_with('+')
        || dialled.len() > LONGEST_CODE.max(world.longest_extension()) && is_of_digits()
}

/// A number that no plan knows is one that a single network knows.
fn class_of(number: Option<&Understood>) -> Class {
    number.map_or(Class::Short, |number| number.class)
}

/// Whether the line is for these numbers among others.
fn leads_there(line: &Line, policy: Policy<'_>, wanted: &Wanted<'_>) -> bool {
    policy.patterns(line).iter().any(|pattern| {
        if pattern.is_international() {
            wanted.number.is_some_and(|number| pattern.fits(number.e164.as_str()))
        } else {
            pattern.fits(wanted.dialled)
        }
    })
}

/// What a minute costs; nothing while minutes are paid for.
fn cost(line: &Line, policy: Policy<'_>, number: &E164) -> Option<Cost> {
    if policy.meter(line).is_included() {
        return Some(Cost(0));
    }
    policy.cost(line, number)
}

fn reason(line: &Line, policy: Policy<'_>, wanted: &Wanted<'_>) -> Reason {
    if let Some((_, rule)) = wanted.verdict.preference(line) {
        return Reason::Preferred(rule.name.clone());
    }
    if leads_there(line, policy, wanted) {
        return Reason::LeadsThere;
    }
    if policy.meter(line).is_included() {
        return Reason::Included;
    }
    match line.kind {
        LineKind::Account | LineKind::Trunk => Reason::Provider,
        LineKind::Gateway { .. } | LineKind::Modem => Reason::TelephoneNetwork,
        LineKind::Gsm => Reason::Gsm,
    }
}

/// The place of a line among those that pass: fields in the order in which they decide.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    resting: bool,
    preference: usize,
    is_general: bool,
    kind: u8,
    cost: u32,
    is_failing: bool,
    failures: u16,
    is_metered: bool,
    insecurity: std::cmp::Reverse<crate::line::Security>,
    at: usize,
}
