// SPDX-License-Identifier: GPL-3.0-or-later
//! The registrar (RFC 3261 §10.3), sans-IO: which phones are at which extension.
//!
//! [`Registrar::register`] takes an authenticated REGISTER and gives an [`Outcome`]: the response,
//! what changed, and the means to undo it. The bindings change at once; the response is to be held
//! until a store has the changes; if the store fails, [`Registrar::undo`] puts everything back and
//! 500 is sent instead (RFC 3261 §10.3 item 7).
//!
//! Beside RFC 3261: Path (RFC 3327), flows and instances (RFC 5626, on streams), GRUUs (RFC 5627).
//! The caller has checked that the user may speak for the extension.
//!
//! Two clocks come in: `now` for deadlines, and the wall clock in microseconds since 1970 for what
//! outlives the process.

mod binding;
mod contact;
pub(crate) mod date;
mod gruu;
mod register;
mod table;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::{
    binding::{Binding, BindingChange, PhoneId, Removal, TemporaryGruus},
    register::{Arrival, Outcome, Undo},
};
use self::{gruu::Gruus, table::Table};
use crate::{flow::ConnectionId, wire::Uri};

/// How the registrar registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Shorter registrations are refused with 423 (RFC 3261 §10.3 item 7).
    pub shortest: Duration,
    /// What is asked for beyond is cut to this.
    pub longest: Duration,
    /// What is granted to whoever asks for nothing.
    pub usual: Duration,
    /// Phones of one extension.
    pub phones_per_extension: usize,
    /// Phones in all.
    pub phones: usize,
    /// The Flow-Timer told to phones that keep their flow open (RFC 5626 §4.4): they send a
    /// keep-alive within so many seconds. None leaves the pace to them.
    pub flow_timer: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(60),
            longest: Duration::from_secs(7200),
            usual: Duration::from_secs(3600),
            phones_per_extension: 10,
            phones: 100_000,
            flow_timer: Some(Duration::from_secs(120)),
        }
    }
}

/// All bindings.
#[derive(Debug)]
pub struct Registrar {
    rules: Rules,
    gruus: Gruus,
    next_phone: u64,
    table: Table,
}

impl Registrar {
    /// One without bindings. `key` is a secret of this installation, under which temporary GRUUs
    /// are made; `next_phone` is a number above that of every phone there ever was.
    #[must_use]
    pub fn new(rules: Rules, key: &[u8; 32], next_phone: u64) -> Self {
        Self {
            rules,
            gruus: Gruus::new(key),
            next_phone: next_phone.max(1),
            table: Table::default(),
        }
    }

    /// New rules, for what registers from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Takes up the bindings that a store kept. Those that ran out meanwhile are left out; the
    /// connections of the others are gone, and a phone that was bound to one registers again when
    /// it notices. Gives what the store may forget.
    pub fn restore(
        &mut self,
        now: Instant,
        unix_us: i64,
        bindings: impl IntoIterator<Item = Binding>,
    ) -> Vec<BindingChange> {
        let mut forgotten = Vec::new();
        for mut binding in bindings {
            self.next_phone = self.next_phone.max(binding.phone.0.saturating_add(1));
            binding.flow.connection = None;
            binding.extension = self.table.extension_name(&binding.extension);
            let left = u64::try_from(binding.expires_us.saturating_sub(unix_us)).unwrap_or(0);
            // A wall clock that was far ahead when it was written must not make it eternal.
            let left = Duration::from_micros(left).min(self.rules.longest);
            let binding = Arc::new(binding);
            if left.is_zero() || self.table.len() >= self.rules.phones {
                forgotten.push(BindingChange::Removed { binding, why: Removal::Expired });
            } else {
                self.table.put(binding, now + left);
            }
        }
        forgotten
    }

    /// The phones of an extension, the preferred ones first (`q`, then the latest registration).
    #[must_use]
    pub fn phones_of(&self, extension: &str) -> Vec<Arc<Binding>> {
        let mut phones: Vec<_> = self.table.of_extension(extension).cloned().collect();
        phones.sort_by_key(|phone| std::cmp::Reverse((phone.q, phone.registered_us, phone.phone)));
        phones
    }

    /// The phone of that name.
    #[must_use]
    pub fn phone(&self, phone: PhoneId) -> Option<&Arc<Binding>> {
        self.table.binding(phone)
    }

    /// All phones, in no order.
    pub fn phones(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.table.bindings()
    }

    /// How many phones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no phone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The number the next new phone will have.
    #[must_use]
    pub const fn next_phone(&self) -> u64 {
        self.next_phone
    }

    /// Gives a number to a phone that does not register by SIP.
    pub const fn number_foreign(&mut self) -> PhoneId {
        let phone = PhoneId(self.next_phone);
        self.next_phone = self.next_phone.saturating_add(1);
        phone
    }

    /// The flows of the device a GRUU stands for, the latest first (RFC 5627 §5.5, RFC 5626 §7).
    /// Whether the host part is ours is for the caller to know. None if the URI is no GRUU; empty
    /// if it is one and the device is not registered: 480.
    #[must_use]
    pub fn resolve_gruu(&self, uri: &Uri) -> Option<Vec<Arc<Binding>>> {
        let gr = uri.param("gr")?;
        let user = uri.user().unwrap_or_default();
        let (extension, instance) = if gr.is_empty() {
            let Some((phone, number)) = self.gruus.open(&user) else { return Some(Vec::new()) };
            match self.table.binding(phone) {
                Some(binding) if (binding.gruus.first..binding.gruus.next).contains(&number) => {
                    (binding.extension.to_string(), binding.instance.to_string())
                }
                _ => return Some(Vec::new()),
            }
        } else {
            (user, gruu::unescape(gr))
        };
        let mut flows: Vec<_> = self
            .table
            .of_extension(&extension)
            .filter(|binding| !instance.is_empty() && *binding.instance == *instance)
            .cloned()
            .collect();
        flows.sort_by_key(|flow| std::cmp::Reverse((flow.registered_us, flow.phone)));
        Some(flows)
    }

    /// Removes a phone.
    pub fn remove(&mut self, phone: PhoneId) -> Option<BindingChange> {
        let binding = self.table.take(phone)?;
        Some(BindingChange::Removed { binding, why: Removal::Ordered })
    }

    /// Removes all phones of an extension.
    pub fn remove_extension(&mut self, extension: &str) -> Vec<BindingChange> {
        let phones: Vec<_> = self.table.of_extension(extension).map(|b| b.phone).collect();
        self.remove_all(phones, Removal::Ordered)
    }

    /// Whether a phone is bound to that connection.
    #[must_use]
    pub fn is_reached_by(&self, connection: ConnectionId) -> bool {
        !self.table.on_connection(connection).is_empty()
    }

    /// A connection closed: the phones bound to it are gone.
    pub fn connection_closed(&mut self, connection: ConnectionId) -> Vec<BindingChange> {
        let phones = self.table.on_connection(connection);
        self.remove_all(phones, Removal::ConnectionClosed)
    }

    /// Removes what ran out. Call it again when [`Registrar::next_deadline`] is reached; a call too
    /// early does nothing.
    pub fn handle_deadline(&mut self, now: Instant) -> Vec<BindingChange> {
        let phones = self.table.due(now);
        self.remove_all(phones, Removal::Expired)
    }

    /// When [`Registrar::handle_deadline`] wants to be called; changed by everything that changes a
    /// binding.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    fn remove_all(&mut self, phones: Vec<PhoneId>, why: Removal) -> Vec<BindingChange> {
        phones
            .into_iter()
            .filter_map(|phone| self.table.take(phone))
            .map(|binding| BindingChange::Removed { binding, why })
            .collect()
    }
}
