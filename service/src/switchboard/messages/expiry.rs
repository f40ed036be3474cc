// SPDX-License-Identifier: GPL-3.0-or-later
//! Kept texts that nobody came for: they are forgotten in time, and their senders hear of it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    super::{Inner, Now, Switchboard},
    Messages, Sender,
};
use crate::store::{Change, Expired, records::TextState};

/// When to look again where something could not be forgotten yet, in microseconds.
const AGAIN_US: i64 = 60_000_000;

impl Messages {
    /// A text is kept that long.
    pub(super) fn expires(&mut self, at_us: i64) {
        self.expires_us = Some(self.expires_us.map_or(at_us, |known| known.min(at_us)));
    }

    /// When the first kept text expires. The clock on the wall counts: the machine may sleep.
    pub(super) fn expiry(&self, now: Now) -> Option<Instant> {
        let left = self.expires_us.filter(|_| !self.is_expiring)?.saturating_sub(now.unix_us);
        now.instant.checked_add(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }
}

impl Switchboard {
    /// Looks for kept texts whose time is over.
    pub(super) fn texts_expire(&mut self) {
        let messages = &mut self.messages;
        if messages.is_expiring || messages.expires_us.is_none_or(|at| self.now.unix_us < at) {
            return;
        }
        messages.expires_us = None;
        messages.is_expiring = true;
        // A phone that is being asked may still take it, and then it is not expired.
        let under_way = self.texts_under_way();
        let now_us = self.now.unix_us;
        let answer = self.store.expired(now_us);
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let mut expired = match answer.await {
                Ok(Ok(expired)) => expired,
                // The store says elsewhere what is the matter with it.
                Ok(Err(_)) | Err(_) => {
                    Expired { messages: Vec::new(), next_us: Some(now_us + AGAIN_US) }
                }
            };
            let found = expired.messages.len();
            expired.messages.retain(|message| !under_way.contains(&message.id));
            if expired.messages.len() < found {
                let again = now_us + AGAIN_US;
                expired.next_us = Some(expired.next_us.map_or(again, |next| next.min(again)));
            }
            let _ = inner.send(Inner::Expired(expired));
        });
    }

    /// Kept texts whose time is over.
    pub(in super::super) fn texts_expired(&mut self, expired: Expired) {
        self.messages.is_expiring = false;
        if let Some(next_us) = expired.next_us {
            self.messages.expires(next_us);
        }
        for message in expired.messages {
            self.messages.kept_no_more(&message.extension);
            if let Some(author) = self.author_of(&message) {
                self.report(&author, &message.extension, TextState::Failed);
            }
            self.store_quietly(Change::RemoveMessage { id: message.id });
        }
    }

    /// The kept texts that are being delivered.
    pub(super) fn texts_under_way(&self) -> HashSet<u64> {
        let sending = self.messages.sending.values();
        let kept = sending.filter_map(|sending| match sending.sender {
            Sender::Kept(number) => Some(number),
            Sender::Phone(_) | Sender::Program(_) | Sender::Call(..) | Sender::Nobody => None,
        });
        kept.collect()
    }
}
