// SPDX-License-Identifier: GPL-3.0-or-later
//! What waits in mailboxes at providers (RFC 3842): told on the bus, and to the phones that a line
//! rings.
//!
//! Providers tell it in a NOTIFY, with or without being asked ([`asking`]). Phones are told in the same way,
//! without a subscription, as exchanges do; one that does not care refuses it, and that is all.

mod asking;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use sipwitch_core::{extension::ExtensionNumber, line::LineId};
use sipwitch_sip::{
    endpoint::{Arrival, Composed},
    message_summary::{CONTENT_TYPE, EVENT, Summary},
    registrar::Binding,
    wire::{Method, name},
};

use self::asking::Asking;
use super::Switchboard;

/// What waits, by account; what is empty is not kept.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    by_account: BTreeMap<Arc<str>, Summary>,
    asking: Asking,
}

impl Mailboxes {
    /// What waits for an account.
    pub(super) fn of(&self, account: &str) -> Summary {
        self.by_account.get(account).copied().unwrap_or_default()
    }

    /// When [`Switchboard::subscriptions_overdue`] wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.asking.next_deadline()
    }
}

impl Switchboard {
    /// Something is notified outside the dialogs of calls.
    pub(super) fn notified(&mut self, arrival: &Arrival) {
        let line = self.lines.of_request(arrival);
        let event = arrival.request.headers().text(&name::EVENT).unwrap_or_default();
        let event = event.split(';').next().unwrap_or_default().trim();
        let Some(line) = line.filter(|_| event.eq_ignore_ascii_case(EVENT)) else {
            // There is no such subscription of ours (RFC 6665 §4.1.3).
            return self.refuse(arrival, 481);
        };
        self.subscription_notified(line, arrival);
        let body = arrival.request.body();
        // The last word of a subscription may have none.
        if body.is_empty() {
            return self.refuse(arrival, 200);
        }
        match Summary::parse(body) {
            Some(summary) => {
                self.refuse(arrival, 200);
                self.mailbox_is(line, summary);
            }
            None => self.refuse(arrival, 400),
        }
    }

    fn mailbox_is(&mut self, line: LineId, summary: Summary) {
        let Some((_, facts, _)) = self.lines.line(line) else { return };
        let account = Arc::clone(&facts.account);
        if self.mailboxes.of(&account) == summary {
            return;
        }
        if summary == Summary::default() {
            self.mailboxes.by_account.remove(&account);
        } else {
            self.mailboxes.by_account.insert(Arc::clone(&account), summary);
        }
        self.tell_account(&account);
        for reader in self.told_of_mailbox(line) {
            let phones = self.registrar.phones_of(reader.as_str());
            self.tell_of_mailboxes(&reader, &phones);
        }
    }

    /// An account is gone, and what waited for it; to be called while its line stands.
    pub(super) fn mailbox_gone(&mut self, account: &str) {
        if let Some(line) = self.lines.of_account(account) {
            self.mailbox_is(line, Summary::default());
            self.mailboxes.asking.forget(line);
        }
        self.mailboxes.by_account.remove(account);
    }

    /// A phone came: it hears of what waits.
    pub(super) fn mailbox_for(&mut self, phone: &Arc<Binding>) {
        if self.mailboxes.by_account.is_empty() {
            return;
        }
        let Ok(reader) = phone.extension.parse::<ExtensionNumber>() else { return };
        if self.waiting_for(&reader) != Summary::default() {
            self.tell_of_mailboxes(&reader, std::slice::from_ref(phone));
        }
    }

    fn told_of_mailbox(&self, line: LineId) -> Vec<ExtensionNumber> {
        match self.lines.line(line).and_then(|(_, facts, _)| facts.outside()) {
            Some(outside) => self.texted_by(line, &outside.address),
            None => Vec::new(),
        }
    }

    /// What waits for an extension, at all accounts that ring it.
    fn waiting_for(&self, reader: &ExtensionNumber) -> Summary {
        let boxes = self.mailboxes.by_account.iter().filter(|(account, _)| {
            let line = self.lines.of_account(account);
            line.is_some_and(|line| self.told_of_mailbox(line).contains(reader))
        });
        boxes.fold(Summary::default(), |sum, (_, summary)| sum.plus(*summary))
    }

    fn tell_of_mailboxes(&mut self, reader: &ExtensionNumber, phones: &[Arc<Binding>]) {
        let address = format!("sip:{reader}@{}", self.settings.domain());
        let body = Bytes::from(self.waiting_for(reader).body(&address));
        for phone in phones {
            let Some(uri) = phone.uri() else { continue };
            let own = format!("<{address}>");
            let mut draft = self.endpoint.compose(&Composed {
                method: &Method::Notify,
                uri: &uri,
                from: &own,
                to: &own,
            });
            for hop in phone.routes() {
                draft.push(&name::ROUTE, format!("<{}>", hop.uri()));
            }
            let flow = phone.reached_by();
            draft
                .push(&name::CONTACT, format!("<sip:{}>", flow.local))
                .push(&name::EVENT, EVENT)
                // Nobody asked, so nothing follows by itself.
                .push(&name::SUBSCRIPTION_STATE, "terminated;reason=noresource")
                .body(CONTENT_TYPE, body.clone());
            // Whatever it thinks of that.
            self.endpoint.request(self.now.instant, flow, &draft);
        }
    }
}
