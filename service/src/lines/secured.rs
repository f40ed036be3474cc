// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts that are reached by TLS and by nothing less.
//!
//! The names of a provider lead to its servers by TLS and, behind that, by TCP and UDP. Whoever can
//! keep us from the first of these would have us go by the others, and then reads whom we call and
//! guesses at the password. So an account that was online over TLS is not tried without it any more,
//! not even after a restart, and none is tried without it while a server shows a certificate that is
//! not believed, unless its own settings name other transports. Only emergency calls leave by
//! whatever way there is.

use std::collections::HashSet;

use sipwitch_sip::flow::{Flow, Transport};

use super::{Outside, Reach, Shared, Standing, Wish, entry::Entry};
use crate::{store::SecuredRecord, switchboard::errand::Way};

/// Which accounts were online over TLS.
#[derive(Debug, Default)]
pub(super) struct Secured {
    known: HashSet<SecuredRecord>,
}

impl Secured {
    /// What is known from before.
    pub(super) fn remember(&mut self, records: Vec<SecuredRecord>) {
        self.known.extend(records);
    }

    fn holds(&self, outside: &Outside) -> bool {
        !outside.goes_unsecured && self.known.contains(&record(outside))
    }
}

/// An account at its servers: with other servers, or in another name, it is another one.
fn record(outside: &Outside) -> SecuredRecord {
    SecuredRecord { address: outside.address.to_string(), server: outside.wanted.host.to_string() }
}

impl Entry {
    /// Puts aside the ways that must not be taken; gives the others.
    pub(super) fn secured(&mut self, shared: &Shared<'_>, ways: Vec<Way>) -> Vec<Way> {
        let facts = &self.facts;
        let was_secured = facts.outside().is_some_and(|outside| shared.secured.holds(outside));
        if self.shelter.is_some() || !(was_secured || self.distrusts) {
            self.unsecured.clear();
            return ways;
        }
        let (secured, unsecured) = ways.into_iter().partition(|way| is_secure(&way.flow));
        self.unsecured = unsecured;
        secured
    }

    /// It is online: over TLS that is remembered, and the other ways are put aside.
    pub(super) fn note_secured(&mut self, shared: &mut Shared<'_>) {
        let Reach::Account(outside) = &self.facts.reach else { return };
        let is_over_tls = self
            .registration()
            .and_then(|registration| registration.flows().next())
            .is_some_and(|flow| is_secure(&flow));
        // A sheltered way is that of one network.
        if !is_over_tls || outside.goes_unsecured || self.shelter.is_some() {
            return;
        }
        let record = record(outside);
        if shared.secured.known.insert(record.clone()) {
            shared.out.push_back(Wish::KeepSecured(record));
        }
        self.distrusts = false;
        self.put_aside(shared);
    }

    /// A server showed a certificate that is not believed: somebody else may be in between, who
    /// would have us go without.
    pub(super) fn distrust(&mut self, shared: &Shared<'_>) {
        let Reach::Account(outside) = &self.facts.reach else { return };
        if !outside.goes_unsecured && self.shelter.is_none() {
            self.distrusts = true;
            self.put_aside(shared);
        }
    }

    fn put_aside(&mut self, shared: &Shared<'_>) {
        if self.ways.iter().any(|way| !is_secure(&way.flow)) {
            let ways = std::mem::take(&mut self.ways);
            self.ways = self.secured(shared, ways);
            self.narrow(is_secure);
        }
    }

    /// How it stands where TLS does not lead to it, as it does otherwise.
    pub(super) fn standing_unsecured(&self, otherwise: Standing) -> Standing {
        if self.unsecured.is_empty() { otherwise } else { otherwise.without_tls() }
    }
}

fn is_secure(flow: &Flow) -> bool {
    matches!(flow.transport, Transport::Tls | Transport::Wss)
}
