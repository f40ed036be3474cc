// SPDX-License-Identifier: GPL-3.0-or-later
//! The user's accounts, and how they stand.
//!
//! Their files and secrets belong to the loop around the switchboard, which tells here what came of
//! them; what an account does is its line's business ([`crate::lines`]).

use std::{collections::BTreeMap, sync::Arc};

use sipwitch_core::line::{EmergencyAbility, LineId, LineState, Users};
use sipwitch_sip::auth::client::Secret;

use super::{
    Now, Switchboard,
    ask::Refusal,
    notice::{AccountStanding, AccountView, LineView, Notice},
};
use crate::{
    accounts::{Account, Holder, NoSecret, Plan},
    lines::Facts,
};

/// The accounts by their ids.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    entries: BTreeMap<Arc<str>, Entry>,
    /// What is wrong with files.
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    account: Account,
    /// Why it can be no line, in words; empty if it is one.
    unusable: String,
}

/// The answer to what only the loop around us can do.
pub(super) fn no_accounts() -> Refusal {
    Refusal::NotInThisState("there is no folder of accounts".into())
}

impl Switchboard {
    /// Under which others reach an account.
    pub(super) fn account_address(&self, id: &str) -> Option<String> {
        self.accounts.entries.get(id).map(|entry| entry.account.plan.address())
    }

    /// An account was made or changed. What did not change goes on.
    pub fn put_account(&mut self, now: Now, account: Account) {
        self.now = now;
        let id = Arc::clone(&account.plan.id);
        if self.accounts.entries.get(&id).is_some_and(|entry| entry.account == account) {
            return;
        }
        let unusable = match Facts::of(&account.plan) {
            Ok(facts) => {
                self.lines.put(now.instant, facts);
                self.gateways_changed();
                String::new()
            }
            Err(error) => {
                self.lines.remove(now.instant, &id);
                error.to_string()
            }
        };
        self.accounts.entries.insert(Arc::clone(&id), Entry { account, unusable });
        self.tell_account(&id);
        self.drain();
    }

    /// An account is gone.
    pub fn account_gone(&mut self, now: Now, id: &str) {
        self.now = now;
        if self.accounts.entries.remove(id).is_some() {
            self.remove_programs_at(id);
            self.mailbox_gone(id);
            self.lines.remove(now.instant, id);
            self.tell(|| Notice::AccountGone(id.to_owned()));
            self.help_may_differ();
        }
        self.drain();
    }

    /// Files of accounts that are wrong, one line each; those told before are right by now.
    pub fn account_warnings(&mut self, now: Now, warnings: &[String]) {
        self.now = now;
        let old = std::mem::take(&mut self.accounts.warnings);
        self.unwarn(|words| {
            old.iter().any(|old| old == words) && !warnings.iter().any(|new| new == words)
        });
        self.accounts.warnings = warnings.to_vec();
        for words in warnings {
            self.warn(words.clone());
        }
        self.drain();
    }

    pub(super) fn try_account_again(&mut self, id: &str) -> Result<(), Refusal> {
        let not_found = || Refusal::NotFound { kind: "account", name: id.to_owned() };
        let entry = self.accounts.entries.get(id).ok_or_else(not_found)?;
        if !entry.account.plan.enabled {
            let words = format!("the account {id} is off: switch it on first");
            return Err(Refusal::NotInThisState(words));
        }
        self.lines.retry(self.now.instant, id);
        Ok(())
    }

    /// The password of an account came, or does not.
    pub(super) fn secret_came(&mut self, id: &str, secret: Result<Secret, NoSecret>) {
        self.lines.secret_came(self.now.instant, id, secret);
    }

    /// The account that a program holds, for the phone that it wants to be.
    ///
    /// # Errors
    /// There is none, or it is another's.
    pub(super) fn account_held(&self, id: &str, owner: Option<&str>) -> Result<Arc<str>, Refusal> {
        let not_found = || Refusal::NotFound { kind: "account", name: id.to_owned() };
        let (id, entry) = self.accounts.entries.get_key_value(id).ok_or_else(not_found)?;
        match &entry.account.holder {
            Holder::Program(holder) if holder.as_deref() == owner => Ok(Arc::clone(id)),
            Holder::Program(_) | Holder::User => {
                let words = format!("the account {id} is not one that this program holds");
                Err(Refusal::NotAllowed(words))
            }
        }
    }

    /// The address of an account.
    pub(super) fn address_of_account(&self, id: &str) -> String {
        let entry = self.accounts.entries.get(id);
        entry.map(|entry| entry.account.plan.address()).unwrap_or_default()
    }

    pub(super) fn account_views(&self) -> Vec<AccountView> {
        let mut entries: Vec<&Entry> = self.accounts.entries.values().collect();
        entries.sort_by_key(|entry| entry.account.plan.order);
        entries.into_iter().map(|entry| self.account_view(entry)).collect()
    }

    pub(super) fn tell_account(&mut self, id: &str) {
        if self.is_watched
            && let Some(entry) = self.accounts.entries.get(id)
        {
            let view = self.account_view(entry);
            self.notices.push_back(Notice::Account(Box::new(view)));
            self.help_may_differ();
        }
    }

    fn account_view(&self, entry: &Entry) -> AccountView {
        let account = &entry.account;
        let plan = &account.plan;
        let line = self.lines.of_account(&plan.id);
        let waiting = self.mailboxes.of(&plan.id);
        AccountView {
            id: plan.id.to_string(),
            transient: account.holder.is_program(),
            title: plan.title.to_string(),
            provider: plan.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
            provider_name: plan.provider_name.to_string(),
            address: plan.address(),
            answers: account.answers.clone(),
            settings: account.settings.clone(),
            enabled: plan.enabled,
            incoming: plan.incoming.as_ref().map(ToString::to_string).unwrap_or_default(),
            users: match &plan.users {
                Users::Everybody | Users::ItsProgram => Vec::new(),
                Users::Only(users) => users.iter().map(ToString::to_string).collect(),
            },
            order: plan.order,
            password_kept: account.kept.as_str(),
            standing: line.map_or_else(
                || AccountStanding {
                    state: "refused",
                    cause: entry.unusable.clone(),
                    next_step: "change what is wrong in it".into(),
                    ..AccountStanding::default()
                },
                |line| self.account_standing(line),
            ),
            shows_as: plan.shows_as(),
            messages_waiting: waiting.new_messages(),
            messages_waiting_words: waiting.to_string(),
            line: self.line_view(plan, line),
        }
    }

    fn account_standing(&self, line: LineId) -> AccountStanding {
        let Some((_, _, standing)) = self.lines.line(line) else {
            return AccountStanding::default();
        };
        let reached = self.lines.reached_by(line);
        let wall = |at: std::time::Instant| {
            let left = at.saturating_duration_since(self.now.instant).as_micros();
            self.now.unix_us.saturating_add(i64::try_from(left).unwrap_or(i64::MAX))
        };
        AccountStanding {
            state: standing.state,
            cause: standing.cause,
            certificate: standing.certificate,
            next_step: standing.next,
            again_us: standing.again.map_or(0, wall),
            until_us: reached.and_then(|(_, until)| until).map_or(0, wall),
            transport: reached.map_or("", |(flow, _)| flow.transport.name()),
            server: reached.map(|(flow, _)| flow.remote.to_string()).unwrap_or_default(),
        }
    }

    fn line_view(&self, plan: &Plan, line: Option<LineId>) -> LineView {
        let state = line.and_then(|line| self.lines.line(line)).map(|(line, _, _)| line.state);
        LineView {
            kind: plan.kind(),
            usable: match state {
                Some(LineState::Up) => "yes",
                Some(LineState::EmergencyOnly) => "emergency-only",
                Some(LineState::Down(_)) | None => "no",
            },
            messages: plan.messages.as_str(),
            domains: plan.domains.iter().map(ToString::to_string).collect(),
            region: plan.numbering.region.map(|region| region.to_string()).unwrap_or_default(),
            emergency: match plan.emergency.ability {
                EmergencyAbility::Yes => "yes",
                EmergencyAbility::LocationRequired => "location-required",
                EmergencyAbility::Unknown => "unknown",
                EmergencyAbility::No => "no",
            },
            emergency_numbers: plan.emergency.numbers.iter().map(ToString::to_string).collect(),
            cost: plan.cost_words(),
        }
    }
}
