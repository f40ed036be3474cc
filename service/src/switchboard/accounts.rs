// SPDX-License-Identifier: GPL-3.0-or-later
//! The user's accounts, and how they stand.
//!
//! Their files and secrets belong to the loop around the switchboard, which tells here what came of
//! them.

use std::{collections::BTreeMap, sync::Arc};

use sipwitch_core::line::EmergencyAbility;
use sipwitch_sip::auth::client::Secret;

use super::{
    Now, Switchboard,
    ask::Refusal,
    errand::Errand,
    notice::{AccountStanding, AccountView, LineView, Notice},
};
use crate::accounts::{Account, NoSecret, Plan};

/// The accounts by their ids.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    entries: BTreeMap<Arc<str>, Entry>,
}

#[derive(Debug)]
struct Entry {
    account: Account,
    standing: AccountStanding,
}

/// The answer to what only the loop around us can do.
pub(super) fn no_accounts() -> Refusal {
    Refusal::NotInThisState("there is no folder of accounts".into())
}

impl Switchboard {
    /// An account was made or changed. What did not change goes on.
    pub fn put_account(&mut self, now: Now, account: Account) {
        self.now = now;
        let id = Arc::clone(&account.plan.id);
        match self.accounts.entries.get_mut(&id) {
            Some(entry) if entry.account == account => return,
            Some(entry) if entry.account.plan == account.plan => entry.account = account,
            _ => {
                let standing = self.begin_account(&account.plan);
                self.accounts.entries.insert(Arc::clone(&id), Entry { account, standing });
            }
        }
        self.tell_account(&id);
        self.drain();
    }

    /// An account is gone.
    pub fn account_gone(&mut self, now: Now, id: &str) {
        self.now = now;
        if self.accounts.entries.remove(id).is_some() {
            self.tell(|| Notice::AccountGone(id.to_owned()));
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
        let plan = Arc::clone(&entry.account.plan);
        let standing = self.begin_account(&plan);
        self.stands(id, standing);
        Ok(())
    }

    /// The password of an account came, or does not.
    pub(super) fn secret_came(&mut self, id: &str, secret: Result<Secret, NoSecret>) {
        let Some(entry) = self.accounts.entries.get(id) else { return };
        if !entry.account.plan.enabled {
            return;
        }
        let standing = match secret {
            Ok(_) => standing("registering", "it waits for its turn", ""),
            Err(why @ NoSecret::Locked) => standing(
                "keyring-locked",
                why.to_string(),
                "unlock the keyring; it goes on by itself",
            ),
            Err(why @ (NoSecret::Missing | NoSecret::Unavailable(_))) => {
                standing("needs-password", why.to_string(), "give it its password")
            }
        };
        self.stands(id, standing);
    }

    pub(super) fn account_views(&self) -> Vec<AccountView> {
        let mut entries: Vec<&Entry> = self.accounts.entries.values().collect();
        entries.sort_by_key(|entry| entry.account.plan.order);
        entries.into_iter().map(view).collect()
    }

    fn begin_account(&mut self, plan: &Plan) -> AccountStanding {
        if !plan.enabled {
            return standing("off", "it is switched off", "switch it on to use it");
        }
        if plan.needs_secret() {
            self.errands.tell(Errand::FetchSecret { account: Arc::clone(&plan.id) });
            return standing("registering", "its password is being fetched", "");
        }
        standing("registering", "it waits for its turn", "")
    }

    fn stands(&mut self, id: &str, standing: AccountStanding) {
        if let Some(entry) = self.accounts.entries.get_mut(id)
            && entry.standing != standing
        {
            entry.standing = standing;
            self.tell_account(id);
        }
    }

    fn tell_account(&mut self, id: &str) {
        if self.is_watched
            && let Some(entry) = self.accounts.entries.get(id)
        {
            self.notices.push_back(Notice::Account(Box::new(view(entry))));
        }
    }
}

fn standing(state: &'static str, cause: impl Into<String>, next: &str) -> AccountStanding {
    AccountStanding {
        state,
        cause: cause.into(),
        next_step: next.to_owned(),
        ..AccountStanding::default()
    }
}

fn view(entry: &Entry) -> AccountView {
    let Entry { account, standing } = entry;
    let plan = &account.plan;
    AccountView {
        id: plan.id.to_string(),
        title: plan.title.to_string(),
        provider: plan.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
        provider_name: plan.provider_name.to_string(),
        address: plan.address(),
        answers: account.answers.clone(),
        settings: account.settings.clone(),
        enabled: plan.enabled,
        incoming: plan.incoming.as_ref().map(ToString::to_string).unwrap_or_default(),
        users: match &plan.users {
            sipwitch_core::line::Users::Everybody => Vec::new(),
            sipwitch_core::line::Users::Only(users) => {
                users.iter().map(ToString::to_string).collect()
            }
        },
        order: plan.order,
        password_kept: account.kept.as_str(),
        standing: standing.clone(),
        shows_as: plan.shows_as(),
        line: line_view(plan, standing),
    }
}

fn line_view(plan: &Plan, standing: &AccountStanding) -> LineView {
    LineView {
        kind: plan.kind(),
        usable: if standing.state == "online" { "yes" } else { "no" },
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
