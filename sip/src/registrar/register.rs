// SPDX-License-Identifier: GPL-3.0-or-later
//! One REGISTER, from request to outcome (RFC 3261 §10.3).
//!
//! Everything is decided on paper first ([`Plan`]); only a request that is granted as a whole
//! changes the table.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Binding, BindingChange, PhoneId, Registrar, Removal, TemporaryGruus,
    binding::{Placed, is_flow_bound, port_of},
    contact::{Wanted, delta_seconds},
    date::date,
    gruu,
};
use crate::{
    flow::Flow,
    wire::{ContactList, Draft, Malformed, NameAddr, Request, Uri, name},
};

/// A REGISTER that may speak for its extension.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The request.
    pub request: &'a Request,
    /// The path it came by.
    pub flow: Flow,
    /// The extension its To names.
    pub extension: &'a str,
    /// When it came.
    pub now: Instant,
    /// The same on the wall clock, in microseconds since 1970.
    pub unix_us: i64,
    /// The tag for the To of the response.
    pub to_tag: &'a str,
}

/// What came of a REGISTER.
#[derive(Debug)]
pub struct Outcome {
    /// The answer, to be sent once the changes are kept.
    pub response: Draft,
    /// What changed; nothing unless the response is a 200.
    pub changes: Vec<BindingChange>,
    /// For [`Registrar::undo`].
    pub undo: Undo,
}

/// How things were before a REGISTER.
#[derive(Debug, Default)]
#[must_use = "keep it until the changes are stored"]
pub struct Undo(Vec<Step>);

#[derive(Debug)]
struct Step {
    phone: PhoneId,
    before: Option<Placed>,
    after: Option<Arc<Binding>>,
}

/// Why a REGISTER is not granted.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    phrase: String,
    field: Option<(&'static crate::wire::Name, String)>,
}

impl Refused {
    pub(super) fn new(status: u16, phrase: &str) -> Self {
        Self { status, phrase: phrase.to_owned(), field: None }
    }

    pub(super) fn too_brief(shortest: Duration) -> Self {
        Self::new(423, "").with(&name::MIN_EXPIRES, shortest.as_secs().to_string())
    }

    fn unsupported(options: &str) -> Self {
        Self::new(420, "").with(&name::UNSUPPORTED, options.to_owned())
    }

    fn with(mut self, name: &'static crate::wire::Name, value: String) -> Self {
        self.field = Some((name, value));
        self
    }
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::new(malformed.status, &malformed.what)
    }
}

/// What the request says beside its contacts.
struct Sender {
    call_id: Box<str>,
    cseq: u32,
    path: Box<str>,
    /// The first hop of requests to this phone, if a Path names one.
    first_hop: Option<Uri>,
    user_agent: Box<str>,
    knows_path: bool,
    knows_gruu: bool,
    /// Whether `reg-id` counts (RFC 5626 §6).
    keeps_flow: bool,
}

/// The changes a request makes, on paper.
#[derive(Default)]
struct Plan {
    puts: Vec<(Arc<Binding>, Duration)>,
    removes: Vec<PhoneId>,
    /// How many of the puts are new phones.
    added: usize,
    /// How many numbers were given to new phones.
    numbered: u64,
    uses_outbound: bool,
}

/// More Contacts in one request than any phone has.
const MOST_CONTACTS: usize = 32;
const LONGEST_PATH: usize = 1024;
const LONGEST_CALL_ID: usize = 256;
const LONGEST_USER_AGENT: usize = 64;
/// Seconds after which a full registrar may be asked again.
const FULL_RETRY_SECONDS: &str = "300";
const OPTIONS: [&str; 3] = ["gruu", "outbound", "path"];

impl Registrar {
    /// Judges a REGISTER and carries it out.
    pub fn register(&mut self, arrival: &Arrival<'_>) -> Outcome {
        match self.plan(arrival) {
            Ok((sender, plan)) => {
                let uses_outbound = plan.uses_outbound;
                let (changes, undo) = self.carry_out(plan, arrival.now);
                let response = self.granted(arrival, &sender, uses_outbound);
                Outcome { response, changes, undo }
            }
            Err(refused) => {
                let tag = Some(arrival.to_tag);
                let mut response =
                    Draft::response_to(arrival.request, refused.status, &refused.phrase, tag);
                if let Some((name, value)) = refused.field {
                    response.push(name, value);
                }
                Outcome { response, changes: Vec::new(), undo: Undo::default() }
            }
        }
    }

    /// Takes back what a REGISTER changed, because it could not be kept. What another one changed
    /// since stays. Of several, the latest is to be undone first.
    pub fn undo(&mut self, undo: Undo) {
        for Step { phone, before, after } in undo.0.into_iter().rev() {
            let is_untouched = match (self.table.binding(phone), &after) {
                (None, None) => true,
                (Some(current), Some(after)) => Arc::ptr_eq(current, after),
                _ => false,
            };
            match before {
                Some(Placed { binding, deadline }) if is_untouched => {
                    self.table.put(binding, deadline);
                }
                None if is_untouched => {
                    self.table.take(phone);
                }
                _ => {}
            }
        }
    }

    fn plan(&self, arrival: &Arrival<'_>) -> Result<(Sender, Plan), Refused> {
        let sender = Sender::of(arrival)?;
        let headers = arrival.request.headers();
        let expires_field = headers.value(&name::EXPIRES).map(|value| delta_seconds(&value));
        let plan = match ContactList::of(headers)? {
            ContactList::All => self.plan_removal_of_all(arrival, &sender, expires_field)?,
            ContactList::Some(contacts) => {
                if contacts.len() > MOST_CONTACTS {
                    return Err(Refused::new(400, "Too Many Contacts"));
                }
                let wanted = contacts
                    .iter()
                    .map(|contact| Wanted::of(contact, expires_field, &self.rules))
                    .collect::<Result<Vec<_>, _>>()?;
                self.plan_contacts(arrival, &sender, wanted)?
            }
        };
        Ok((sender, plan))
    }

    /// RFC 3261 §10.3 item 6.
    fn plan_removal_of_all(
        &self,
        arrival: &Arrival<'_>,
        sender: &Sender,
        expires_field: Option<u32>,
    ) -> Result<Plan, Refused> {
        if expires_field != Some(0) {
            return Err(Refused::new(400, "Contact * Needs Expires 0"));
        }
        let mut plan = Plan::default();
        for binding in self.table.of_extension(arrival.extension) {
            sender.check_order(binding)?;
            plan.removes.push(binding.phone);
        }
        Ok(plan)
    }

    /// RFC 3261 §10.3 item 7.
    fn plan_contacts(
        &self,
        arrival: &Arrival<'_>,
        sender: &Sender,
        wanted: Vec<Wanted>,
    ) -> Result<Plan, Refused> {
        let bound: Vec<&Arc<Binding>> = self.table.of_extension(arrival.extension).collect();
        // RFC 5626 §4.2.1: a flow is one Contact.
        if sender.keeps_flow
            && wanted.len() > 1
            && wanted.iter().any(|one| one.reg_id != 0 && !one.expires.is_zero())
        {
            return Err(Refused::new(400, "A Contact With reg-id Must Stand Alone"));
        }
        let mut plan = Plan::default();
        for wanted in wanted {
            self.check_is_elsewhere(arrival, &wanted)?;
            let counts = sender.keeps_flow && !wanted.instance.is_empty();
            let reg_id = if counts { wanted.reg_id } else { 0 };
            let same = |binding: &Binding| {
                if reg_id != 0 {
                    binding.reg_id == reg_id && binding.instance == wanted.instance
                } else {
                    is_same_contact(binding, &wanted)
                }
            };
            // The same Contact twice in one request: the last word counts.
            plan.take_back(&bound, same);
            let existing = bound.iter().find(|binding| same(binding)).copied();
            if let Some(existing) = existing {
                sender.check_order(existing)?;
            }
            match existing {
                Some(existing) if wanted.expires.is_zero() => plan.removes.push(existing.phone),
                None if wanted.expires.is_zero() => {}
                _ => {
                    plan.uses_outbound |= reg_id != 0;
                    let phone = match existing {
                        Some(existing) => existing.phone,
                        None => plan.number_another(self.next_phone),
                    };
                    let expires = wanted.expires;
                    let existing = existing.map(AsRef::as_ref);
                    let binding = self.bind(arrival, sender, wanted, phone, reg_id, existing);
                    plan.puts.push((Arc::new(binding), expires));
                }
            }
        }
        self.check_room(&plan, bound.len())?;
        Ok(plan)
    }

    fn bind(
        &self,
        arrival: &Arrival<'_>,
        sender: &Sender,
        wanted: Wanted,
        phone: PhoneId,
        reg_id: u32,
        existing: Option<&Binding>,
    ) -> Binding {
        let hop = sender.first_hop.as_ref().unwrap_or(&wanted.uri);
        let expires_us = i64::try_from(wanted.expires.as_micros()).unwrap_or(i64::MAX);
        let mut gruus = existing.map_or_else(TemporaryGruus::default, |old| old.gruus);
        if existing.is_some_and(|old| old.call_id != sender.call_id) {
            // RFC 5627 §5.4.2: another Call-ID, another life.
            gruus.first = gruus.next;
        }
        if sender.knows_gruu && !wanted.instance.is_empty() {
            gruus.next = gruus.next.saturating_add(1);
        }
        Binding {
            phone,
            extension: self.table.extension_name(arrival.extension),
            is_flow_bound: reg_id != 0 || is_flow_bound(hop, &arrival.flow),
            contact: wanted.text,
            instance: wanted.instance,
            reg_id,
            call_id: sender.call_id.clone(),
            cseq: sender.cseq,
            path: sender.path.clone(),
            flow: arrival.flow,
            user_agent: sender.user_agent.clone(),
            registered_us: arrival.unix_us,
            expires_us: arrival.unix_us.saturating_add(expires_us),
            q: wanted.q,
            gruus,
        }
    }

    /// A Contact that leads back to us would be a loop.
    fn check_is_elsewhere(&self, arrival: &Arrival<'_>, wanted: &Wanted) -> Result<(), Refused> {
        let uri = &wanted.uri;
        let is_our_gruu = uri.param("gr").is_some()
            && uri
                .user()
                .is_some_and(|user| user == arrival.extension || self.gruus.open(&user).is_some());
        let is_our_socket = uri.transport().is_some_and(|transport| {
            let local = arrival.flow.local;
            transport == arrival.flow.transport
                && uri.ip().is_some_and(|ip| ip.to_canonical() == local.ip().to_canonical())
                && port_of(uri, transport) == local.port()
        });
        if is_our_gruu || is_our_socket {
            return Err(Refused::new(403, "Contact Leads Back To The Registrar"));
        }
        Ok(())
    }

    fn check_room(&self, plan: &Plan, bound: usize) -> Result<(), Refused> {
        if plan.added == 0 {
            return Ok(());
        }
        let left = |count: usize| (count + plan.added).saturating_sub(plan.removes.len());
        if left(bound) > self.rules.phones_per_extension {
            return Err(Refused::new(403, "Too Many Phones At This Extension"));
        }
        if left(self.table.len()) > self.rules.phones {
            return Err(Refused::new(503, "Too Many Phones")
                .with(&name::RETRY_AFTER, FULL_RETRY_SECONDS.to_owned()));
        }
        Ok(())
    }

    fn carry_out(&mut self, plan: Plan, now: Instant) -> (Vec<BindingChange>, Undo) {
        let mut changes = Vec::with_capacity(plan.removes.len() + plan.puts.len());
        let mut steps = Vec::with_capacity(changes.capacity());
        for phone in plan.removes {
            let before = self.table.placed(phone).cloned();
            if let Some(binding) = self.table.take(phone) {
                changes.push(BindingChange::Removed { binding, why: Removal::Unregistered });
                steps.push(Step { phone, before, after: None });
            }
        }
        for (binding, expires) in plan.puts {
            let phone = binding.phone;
            self.next_phone = self.next_phone.max(phone.0.saturating_add(1));
            let before = self.table.put(Arc::clone(&binding), now + expires);
            changes.push(match before {
                None => BindingChange::Added(Arc::clone(&binding)),
                Some(_) => BindingChange::Refreshed(Arc::clone(&binding)),
            });
            steps.push(Step { phone, before, after: Some(binding) });
        }
        (changes, Undo(steps))
    }

    /// The 200 with everything that is bound now (RFC 3261 §10.3 item 8).
    fn granted(&self, arrival: &Arrival<'_>, sender: &Sender, uses_outbound: bool) -> Draft {
        let mut draft = Draft::response_to(arrival.request, 200, "", Some(arrival.to_tag));
        let record = arrival.request.to().ok().map(|to| to.uri());
        for binding in self.table.of_extension(arrival.extension) {
            let Some(placed) = self.table.placed(binding.phone) else { continue };
            let left = placed.deadline.saturating_duration_since(arrival.now);
            let mut value = format!("<{}>;expires={}", binding.contact, left.as_secs());
            if binding.q < 1000 {
                let _ = write!(value, ";q=0.{:03}", binding.q);
            }
            if !binding.instance.is_empty() {
                let _ = write!(value, ";+sip.instance=\"<{}>\"", binding.instance);
                if binding.reg_id != 0 {
                    let _ = write!(value, ";reg-id={}", binding.reg_id);
                }
                if let (true, Some(record)) = (sender.knows_gruu, &record) {
                    self.write_gruus(&mut value, binding, record);
                }
            }
            draft.push(&name::CONTACT, value);
        }
        if sender.knows_path {
            for path in arrival.request.headers().all(&name::PATH) {
                draft.push(&name::PATH, path);
            }
        }
        if uses_outbound {
            draft.push(&name::REQUIRE, "outbound");
            if let Some(timer) = self.rules.flow_timer {
                draft.push(&name::FLOW_TIMER, timer.as_secs().to_string());
            }
        }
        draft.push(&name::SUPPORTED, "gruu, outbound, path");
        draft.push(&name::DATE, date(arrival.unix_us));
        draft
    }

    fn write_gruus(&self, value: &mut String, binding: &Binding, record: &Uri) {
        let scheme = if record.is_sips() { "sips" } else { "sip" };
        let host = match (record.host(), record.port()) {
            (host, port) if host.contains(':') => {
                format!("[{host}]{}", port.map(|port| format!(":{port}")).unwrap_or_default())
            }
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host,
        };
        let Ok(public) = Uri::sip(&binding.extension, &host, None) else { return };
        let public = public.to_string();
        let address = public.strip_prefix("sip:").unwrap_or(&public);
        let gr = gruu::escape(&binding.instance);
        let _ = write!(value, ";pub-gruu=\"{scheme}:{address};gr={gr}\"");
        if let Some(latest) = binding.gruus.next.checked_sub(1) {
            let user = self.gruus.seal(binding.phone, latest);
            let _ = write!(value, ";temp-gruu=\"{scheme}:{user}@{host};gr\"");
        }
    }
}

impl Sender {
    fn of(arrival: &Arrival<'_>) -> Result<Self, Refused> {
        let request = arrival.request;
        let headers = request.headers();
        let unknown: Vec<String> = headers
            .tokens(&name::REQUIRE)
            .into_iter()
            .filter(|option| !OPTIONS.iter().any(|known| option.eq_ignore_ascii_case(known)))
            .collect();
        if !unknown.is_empty() {
            return Err(Refused::unsupported(&unknown.join(", ")));
        }
        let knows = |option| {
            headers.has_token(&name::SUPPORTED, option) || headers.has_token(&name::REQUIRE, option)
        };
        let knows_path = knows("path");
        let path = path_of(request)?;
        if !path.is_empty() && !knows_path {
            // RFC 3327 §5.3: the phone would not know that its calls take a detour.
            return Err(Refused::unsupported("path"));
        }
        let routes = NameAddr::parse_list(path.as_bytes()).unwrap_or_default();
        let wants_outbound = knows("outbound");
        if wants_outbound && is_relayed(request) && wants_flow(request) {
            // RFC 5626 §6: the hop next to the phone must have said that it keeps the flow.
            let edge = routes.last().map(NameAddr::uri);
            if edge.is_none_or(|edge| edge.param("ob").is_none()) {
                return Err(Refused::new(439, ""));
            }
        }
        let call_id = request.call_id()?;
        let call_id = std::str::from_utf8(&call_id)
            .ok()
            .filter(|id| id.len() <= LONGEST_CALL_ID)
            .ok_or_else(|| Refused::new(400, "Call-ID Is Too Long Or No Text"))?;
        Ok(Self {
            call_id: call_id.into(),
            cseq: request.cseq()?.number,
            first_hop: routes.first().map(NameAddr::uri),
            user_agent: user_agent_of(request),
            knows_path,
            knows_gruu: knows("gruu"),
            // On datagrams a flow is kept by STUN (RFC 5626 §4.4.2), which is not spoken here:
            // there the registration is an ordinary one.
            keeps_flow: wants_outbound && arrival.flow.transport.is_reliable(),
            path,
        })
    }

    /// Whether this request is later than the one that made a binding, if both belong to one
    /// sequence. If not, nothing of the request counts.
    fn check_order(&self, binding: &Binding) -> Result<(), Refused> {
        if binding.call_id == self.call_id && self.cseq <= binding.cseq {
            return Err(Refused::new(500, "CSeq Is Not Higher Than The Last"));
        }
        Ok(())
    }
}

impl Plan {
    fn number_another(&mut self, next_phone: u64) -> PhoneId {
        let phone = PhoneId(next_phone.saturating_add(self.numbered));
        self.added += 1;
        self.numbered += 1;
        phone
    }

    /// Forgets what an earlier Contact of the same request asked for the same binding.
    fn take_back(&mut self, bound: &[&Arc<Binding>], same: impl Fn(&Binding) -> bool) {
        let is_bound = |phone: PhoneId| bound.iter().find(|binding| binding.phone == phone);
        let before = self.puts.len();
        let mut refreshes = 0;
        self.puts.retain(|(binding, _)| {
            let stays = !same(binding);
            refreshes += usize::from(!stays && is_bound(binding.phone).is_some());
            stays
        });
        self.added -= before - self.puts.len() - refreshes;
        self.removes.retain(|phone| !is_bound(*phone).is_some_and(|binding| same(binding)));
    }
}

fn is_same_contact(binding: &Binding, wanted: &Wanted) -> bool {
    binding.contact == wanted.text
        || binding.uri().is_some_and(|uri| uri.is_equivalent(&wanted.uri))
}

/// All Path fields as one value; empty if there is none.
fn path_of(request: &Request) -> Result<Box<str>, Refused> {
    let mut path = String::new();
    for value in request.headers().all(&name::PATH) {
        let Ok(value) = std::str::from_utf8(&value) else {
            return Err(Refused::new(400, "Path Is No Text"));
        };
        if !path.is_empty() {
            path.push_str(", ");
        }
        path.push_str(value);
        if path.len() > LONGEST_PATH {
            return Err(Refused::new(400, "Path Too Long"));
        }
    }
    if !path.is_empty() {
        let routes = NameAddr::parse_list(path.as_bytes())?;
        if routes.iter().any(|route| !route.uri().is_sip()) {
            return Err(Refused::new(400, "Path Is No SIP Address"));
        }
    }
    Ok(path.into())
}

/// Whether it came through a proxy.
fn is_relayed(request: &Request) -> bool {
    let headers = request.headers();
    headers.count(&name::VIA) > 1
        || headers.value(&name::VIA).is_some_and(|value| value.contains(&b','))
}

/// Whether a Contact asks for a flow.
fn wants_flow(request: &Request) -> bool {
    match ContactList::of(request.headers()) {
        Ok(ContactList::Some(contacts)) => contacts.iter().any(|contact| {
            contact.param("reg-id").is_some() && contact.param("+sip.instance").is_some()
        }),
        _ => false,
    }
}

fn user_agent_of(request: &Request) -> Box<str> {
    let text = request.headers().text(&name::USER_AGENT).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect::<String>().into()
}
