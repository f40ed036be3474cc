// SPDX-License-Identifier: GPL-3.0-or-later
//! The bindings and the ways to find them. All indexes change here together.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use super::{Binding, PhoneId, binding::Placed};
use crate::flow::ConnectionId;

#[derive(Debug, Default)]
pub(super) struct Table {
    phones: HashMap<PhoneId, Placed>,
    by_extension: HashMap<Arc<str>, Box<[PhoneId]>>,
    /// Only the phones that are bound to their connection.
    by_connection: BTreeSet<(ConnectionId, PhoneId)>,
    by_deadline: BTreeSet<(Instant, PhoneId)>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.phones.len()
    }

    pub(super) fn placed(&self, phone: PhoneId) -> Option<&Placed> {
        self.phones.get(&phone)
    }

    pub(super) fn binding(&self, phone: PhoneId) -> Option<&Arc<Binding>> {
        self.phones.get(&phone).map(|placed| &placed.binding)
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.phones.values().map(|placed| &placed.binding)
    }

    /// The bindings of an extension, in the order they came.
    pub(super) fn of_extension(&self, extension: &str) -> impl Iterator<Item = &Arc<Binding>> {
        let phones = self.by_extension.get(extension).map_or(&[][..], |phones| &phones[..]);
        phones.iter().filter_map(|phone| self.binding(*phone))
    }

    /// The one string that all bindings of an extension share.
    pub(super) fn extension_name(&self, extension: &str) -> Arc<str> {
        match self.by_extension.get_key_value(extension) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(extension),
        }
    }

    pub(super) fn on_connection(&self, connection: ConnectionId) -> Vec<PhoneId> {
        let first = (connection, PhoneId(0));
        let last = (connection, PhoneId(u64::MAX));
        self.by_connection.range(first..=last).map(|(_, phone)| *phone).collect()
    }

    pub(super) fn due(&self, now: Instant) -> Vec<PhoneId> {
        self.by_deadline.range(..=(now, PhoneId(u64::MAX))).map(|(_, phone)| *phone).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Puts a binding in its place, instead of an older one of the same phone.
    pub(super) fn put(&mut self, binding: Arc<Binding>, deadline: Instant) -> Option<Placed> {
        let phone = binding.phone;
        if let Some(old) = self.phones.get(&phone) {
            let moved = old.binding.extension != binding.extension;
            self.by_deadline.remove(&(old.deadline, phone));
            if let Some(connection) = bound_connection(&old.binding) {
                self.by_connection.remove(&(connection, phone));
            }
            if moved {
                let extension = Arc::clone(&old.binding.extension);
                self.unlist(&extension, phone);
            }
        }
        self.by_deadline.insert((deadline, phone));
        if let Some(connection) = bound_connection(&binding) {
            self.by_connection.insert((connection, phone));
        }
        let listed = self.by_extension.entry(Arc::clone(&binding.extension)).or_default();
        if !listed.contains(&phone) {
            *listed = listed.iter().copied().chain([phone]).collect();
        }
        self.phones.insert(phone, Placed { binding, deadline })
    }

    /// Takes a binding out.
    pub(super) fn take(&mut self, phone: PhoneId) -> Option<Arc<Binding>> {
        let Placed { binding, deadline } = self.phones.remove(&phone)?;
        self.by_deadline.remove(&(deadline, phone));
        if let Some(connection) = bound_connection(&binding) {
            self.by_connection.remove(&(connection, phone));
        }
        let extension = Arc::clone(&binding.extension);
        self.unlist(&extension, phone);
        Some(binding)
    }

    fn unlist(&mut self, extension: &str, phone: PhoneId) {
        if let Some(listed) = self.by_extension.get_mut(extension) {
            *listed = listed.iter().copied().filter(|listed| *listed != phone).collect();
            if listed.is_empty() {
                self.by_extension.remove(extension);
            }
        }
    }
}

fn bound_connection(binding: &Binding) -> Option<ConnectionId> {
    binding.flow.connection.filter(|_| binding.is_flow_bound)
}
