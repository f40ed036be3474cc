// SPDX-License-Identifier: GPL-3.0-or-later
//! The house as routing sees it, and as others see it.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use sipwitch_core::{
    contact::Address,
    extension::{Extension, ExtensionNumber},
    line::Line,
    number::{E164, Region},
    routing::{self, LocalTime, PhoneId, Rules},
};
use sipwitch_sip::registrar::{Binding, Registrar};

use super::{
    Switchboard,
    directory::{self, Directory, Entry},
    lookup::Published,
    notice::{ExtensionView, PhoneView},
    programs::Programs,
    settings::Settings,
};
use crate::lines::Lines;

/// The house as routing sees it.
pub(super) struct House<'a> {
    directory: &'a Directory,
    registrar: &'a Registrar,
    programs: &'a Programs,
    settings: &'a Settings,
    lines: &'a Lines,
    rules: &'a Rules,
    unix_us: i64,
    heard_at: Option<SocketAddr>,
    published: &'a Published,
    /// Numbers of which routing wanted to know more than is known.
    unknown: RefCell<Vec<E164>>,
}

impl<'a> House<'a> {
    /// The same, with what was published for numbers.
    pub(super) fn knowing(self, published: &'a Published) -> Self {
        Self { published, ..self }
    }

    /// The numbers of which routing wanted to know more than is known, each once.
    pub(super) fn into_unknown(self) -> Vec<E164> {
        let mut unknown = self.unknown.into_inner();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

impl routing::World for House<'_> {
    fn extension(&self, number: &ExtensionNumber) -> Option<&Extension> {
        self.directory.entry(number).map(|entry| &entry.extension)
    }

    fn longest_extension(&self) -> usize {
        self.directory.longest()
    }

    fn phones(&self, number: &ExtensionNumber) -> Vec<PhoneId> {
        let phones = self.registrar.phones_of(number.as_str());
        let programs = self.programs.ringing_for(number);
        phones.iter().map(|binding| binding.phone.0).chain(programs).map(PhoneId).collect()
    }

    fn is_own_domain(&self, host: &str, port: Option<u16>) -> bool {
        self.settings.is_own(host, port, self.heard_at)
    }

    fn lines(&self) -> &[Line] {
        self.lines.seen()
    }

    fn rules(&self) -> &Rules {
        self.rules
    }

    fn region(&self) -> Region {
        self.settings.region
    }

    fn local_time(&self) -> Option<LocalTime> {
        crate::local_time::at(self.unix_us)
    }

    fn looks_up(&self) -> bool {
        self.settings.enum_root.is_some()
    }

    fn published(&self, number: &E164) -> &[Address] {
        self.published.of(number).unwrap_or_else(|| {
            self.unknown.borrow_mut().push(number.clone());
            &[]
        })
    }

    fn calls_peers(&self) -> bool {
        self.settings.call_directly
    }

    fn ring_time(&self) -> Duration {
        self.settings.ring
    }
}

impl Switchboard {
    /// The house; `heard_at` is our address on the flow that a request came by.
    pub(super) fn house(&self, heard_at: Option<SocketAddr>) -> House<'_> {
        House {
            directory: &self.directory,
            registrar: &self.registrar,
            programs: &self.programs,
            settings: &self.settings,
            lines: &self.lines,
            rules: &self.rules,
            unix_us: self.now.unix_us,
            heard_at,
            published: Published::NONE,
            unknown: RefCell::default(),
        }
    }

    pub(super) fn extension_view(&self, entry: &Entry) -> ExtensionView {
        let mut phones: Vec<u64> = self
            .registrar
            .phones_of(entry.extension.number.as_str())
            .iter()
            .map(|binding| binding.phone.0)
            .chain(self.programs.belonging_to(entry.extension.number.as_str()))
            .collect();
        phones.sort_unstable();
        directory::view_of(entry, phones, self.settings.ring, &self.login.view())
    }
}

/// A phone as others see it.
pub(super) fn phone_view(binding: &Binding) -> PhoneView {
    PhoneView {
        id: binding.phone.0,
        extension: binding.extension.to_string(),
        contact: binding.contact.to_string(),
        transport: binding.flow.transport.name(),
        address: binding.flow.remote.to_string(),
        user_agent: binding.user_agent.to_string(),
        instance: binding.instance.to_string(),
        registered_us: binding.registered_us,
        expires_us: binding.expires_us,
        program: None,
    }
}
