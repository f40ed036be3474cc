// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers that wait for the store.
//!
//! A full or failing disk does not stop the telephone: what was waiting is answered, takes effect
//! and is kept in memory, and a warning says what a restart would lose
//! (docs/decisions/0007-a-full-disk-does-not-stop-the-telephone.md). Only who asked for a change of
//! the configuration is told that it is not stored.

use std::collections::BTreeMap;

use sipwitch_sip::{transaction::ServerId, wire::Draft};

use super::{
    Switchboard,
    ask::{Imported, Refusal, Reply, TextSent},
};
use crate::{
    secret::Secret,
    store::{Change, Report, Ticket},
};

/// Begins every warning about the store, so that it can be taken back.
const TROUBLE: &str = "not stored: ";

/// Who waits.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A phone, for the answer to its REGISTER.
    Registration {
        /// The REGISTER.
        transaction: ServerId,
        /// The answer.
        response: Draft,
    },
    /// A program, for something done.
    Done {
        /// Where to answer.
        reply: Reply<()>,
    },
    /// A program, for an extension it made.
    Made {
        /// The extension.
        number: String,
        /// Where to answer.
        reply: Reply<String>,
    },
    /// A program, for a password that was generated.
    Password {
        /// The password.
        password: Secret<String>,
        /// Where to answer.
        reply: Reply<Secret<String>>,
    },
    /// A program, for an import.
    Import {
        /// How it went.
        imported: Imported,
        /// Where to answer.
        reply: Reply<Imported>,
    },
    /// A program, for callers who are blocked now, or no more.
    Blocked {
        /// They.
        callers: Vec<String>,
        /// Where to answer.
        reply: Reply<Vec<String>>,
    },
    /// A text that came in and is kept: the sender waits for its answer.
    Text {
        /// The MESSAGE.
        transaction: ServerId,
        /// The answer if it is kept.
        kept: Draft,
        /// The answer if it is not.
        failed: Draft,
    },
    /// A text that a program sent and that is kept.
    Kept {
        /// What it is told.
        sent: TextSent,
        /// Where to answer.
        reply: Reply<TextSent>,
    },
}

/// Who waits for which change.
#[derive(Debug, Default)]
pub(super) struct Storing {
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    is_troubled: bool,
}

impl Switchboard {
    /// Stores changes; whoever waits is answered when all of them are safe.
    pub(super) fn store_then(&mut self, changes: Vec<Change>, waiting: Waiting) {
        let mut last = None;
        for change in changes {
            match self.store.submit(change) {
                Ok(ticket) => last = Some(ticket),
                Err(error) => {
                    let words = error.to_string();
                    self.trouble(&words);
                    self.conclude(waiting, Err(words));
                    return;
                }
            }
        }
        match last {
            Some(ticket) => {
                self.storing.waiting.insert(ticket, waiting);
            }
            None => self.conclude(waiting, Ok(())),
        }
    }

    /// Stores a change that nobody waits for.
    pub(super) fn store_quietly(&mut self, change: Change) {
        if let Err(error) = self.store.submit_quietly(change) {
            self.trouble(&error.to_string());
        }
    }

    pub(super) fn on_stored(&mut self, report: Report) {
        match report {
            Report::Committed { through } => {
                if std::mem::take(&mut self.storing.is_troubled) {
                    self.unwarn(|warning| warning.starts_with(TROUBLE));
                }
                self.conclude_through(through, &Ok(()));
            }
            Report::Delayed { through, words } => {
                self.trouble(&words);
                self.conclude_through(through, &Err(words));
            }
            Report::Refused { ticket, words } => {
                if let Some(waiting) = self.storing.waiting.remove(&ticket) {
                    self.conclude(waiting, Err(words));
                }
            }
        }
    }

    fn trouble(&mut self, words: &str) {
        self.storing.is_troubled = true;
        self.warn(format!("{TROUBLE}{words}"));
    }

    fn conclude_through(&mut self, through: Ticket, how: &Result<(), String>) {
        while let Some(entry) = self.storing.waiting.first_entry() {
            if *entry.key() > through {
                return;
            }
            let waiting = entry.remove();
            self.conclude(waiting, how.clone());
        }
    }

    fn conclude(&mut self, waiting: Waiting, how: Result<(), String>) {
        let refusal = || {
            how.clone().map_err(|words| {
                Refusal::NotStored(format!("it is in effect, but a restart would lose it: {words}"))
            })
        };
        match waiting {
            Waiting::Registration { transaction, response } => {
                self.endpoint.respond(self.now.instant, transaction, &response);
            }
            Waiting::Text { transaction, kept, failed } => {
                // A text is only taken if it is really kept: the sender still has it.
                let response = if how.is_ok() { kept } else { failed };
                self.endpoint.respond(self.now.instant, transaction, &response);
            }
            Waiting::Done { reply } => {
                let _ = reply.send(refusal());
            }
            Waiting::Made { number, reply } => {
                let _ = reply.send(refusal().map(|()| number));
            }
            Waiting::Blocked { callers, reply } => {
                let _ = reply.send(refusal().map(|()| callers));
            }
            Waiting::Password { password, reply } => {
                let _ = reply.send(refusal().map(|()| password));
            }
            Waiting::Import { imported, reply } => {
                let _ = reply.send(refusal().map(|()| imported));
            }
            Waiting::Kept { sent, reply } => {
                let _ = reply.send(how.map(|()| sent).map_err(Refusal::NotStored));
            }
        }
    }
}
