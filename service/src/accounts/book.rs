// SPDX-License-Identifier: GPL-3.0-or-later
//! The accounts of the user as their files have them, and how programs change them.
//!
//! A change is checked, written, and only then in force. A file that was broken by hand leaves the
//! account as it was, and says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sipwitch_core::{extension::ExtensionNumber, line::Users};

use super::{
    Account, AccountFile, AccountId, Holder, Kept, NoPlan, Plan,
    file::{Gateway, Kind},
    folder::{Folder, Found, MOST_ACCOUNTS},
    merge, settings,
};
use crate::{
    providers::{AskKey, Provider, ProviderId},
    secret::Secret,
    switchboard::ask::{AccountChange, NewAccount, Refusal},
};

/// Finds the facts of a provider: none if there is none, or why its file is refused.
pub type FindProvider = Box<dyn Fn(&ProviderId) -> Result<Option<Provider>, String> + Send>;

/// The accounts of the user.
pub struct Book {
    folder: Folder,
    find: FindProvider,
    entries: BTreeMap<AccountId, Entry>,
    warnings: Vec<String>,
}

struct Entry {
    file: AccountFile,
    account: Account,
}

/// What is different after files were read.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// An account is there, or is another one now.
    Put(Account),
    /// An account is gone.
    Gone(Arc<str>),
}

/// What came of a change that a program asked for.
#[derive(Debug)]
pub struct Changed {
    /// The account as it is now.
    pub account: Account,
    /// The password that came with it.
    pub password: Option<Secret<String>>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(folder: Folder, find: FindProvider) -> Self {
        Self { folder, find, entries: BTreeMap::new(), warnings: Vec::new() }
    }

    /// The folder.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What is wrong with files, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Reads all files again; gives what is different.
    pub fn read(&mut self) -> Vec<Change> {
        let Found { accounts, refused } = self.folder.read();
        let mut warnings: Vec<String> =
            refused.iter().map(|refused| refused.words.clone()).collect();
        let mut broken: BTreeSet<AccountId> =
            refused.into_iter().filter_map(|refused| refused.id).collect();
        let mut providers = BTreeMap::new();
        let mut changes = Vec::new();
        for (id, file) in accounts {
            if self.is_transient(&id) {
                let path = self.folder.path().join(format!("{id}.toml"));
                let why = "a program has an account of this name: choose another";
                warnings.push(format!("{}: {why}", path.display()));
                continue;
            }
            match self.plan(&id, &file, &mut providers) {
                Ok(plan) => {
                    if let Some(account) = self.put(id, file, plan, Holder::User) {
                        changes.push(Change::Put(account));
                    }
                }
                Err(why) => {
                    let path = self.folder.path().join(format!("{id}.toml"));
                    warnings.push(format!("{}: {why}", path.display()));
                    broken.insert(id);
                    continue;
                }
            }
        }
        let present: BTreeSet<AccountId> =
            self.entries.keys().filter(|id| self.folder.has(id)).cloned().collect();
        self.entries.retain(|id, entry| {
            // What is broken stays as it was; only what was taken away is gone.
            let stays = present.contains(id) || entry.account.holder.is_program();
            if !stays {
                changes.push(Change::Gone(Arc::clone(&entry.account.plan.id)));
            }
            stays
        });
        for id in broken.iter().filter(|id| self.entries.contains_key(*id)) {
            warnings.push(format!("the account {id} stays as it was until its file is right"));
        }
        self.warnings = warnings;
        changes
    }

    /// Makes an account. What a program holds is not written.
    ///
    /// # Errors
    ///
    /// If it cannot be, or not be written.
    pub fn add(&mut self, new: NewAccount) -> Result<(AccountId, Changed), Refusal> {
        if self.entries.len() >= MOST_ACCOUNTS {
            return Err(Refusal::TooMany(format!("there are {MOST_ACCOUNTS} accounts already")));
        }
        let bad = |key: &str, why: String| Refusal::BadValue(format!("{key}: {why}"));
        let mut file = AccountFile::default();
        if let Some(provider) = &new.provider {
            file.provider = Some(provider.parse().map_err(|why| bad("provider", why))?);
        }
        if let Some(domain) = &new.domain {
            file.domain = Some(domain.parse().map_err(|why| bad("domain", why))?);
        }
        if let Some(extension) = &new.gateway {
            let extension: ExtensionNumber =
                extension.parse().map_err(|why| bad("gateway", format!("{why}")))?;
            file.gateway = Some(Gateway { extension });
        }
        file.kind = match new.kind.as_deref() {
            None => None,
            Some("account") => Some(Kind::Account),
            Some("gateway") => Some(Kind::Gateway),
            Some("trunk") => Some(Kind::Trunk),
            Some(_) => {
                return Err(bad("kind", "it is one of account, trunk, gateway".into()));
            }
        };
        let id = match &new.id {
            Some(id) => {
                let id: AccountId = id.parse().map_err(|why| bad("id", why))?;
                if self.entries.contains_key(&id) || self.folder.has(&id) {
                    return Err(Refusal::AlreadyExists { kind: "account", name: id.to_string() });
                }
                id
            }
            None => self.free_id(&new),
        };
        if new.holder.is_program() && file.gateway.is_some() {
            return Err(bad("transient", "a gateway is a phone of the house".into()));
        }
        let changed = self.apply(&id, file, new.change, new.holder)?;
        Ok((id, changed))
    }

    /// Changes an account.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot become that.
    pub fn change(&mut self, id: &str, change: AccountChange) -> Result<Changed, Refusal> {
        let (id, entry) = self.existing(id)?;
        let (id, file) = (id.clone(), entry.file.clone());
        let holder = entry.account.holder.clone();
        self.apply(&id, file, change, holder)
    }

    /// Removes an account and its file.
    ///
    /// # Errors
    ///
    /// If there is none, or its file cannot be removed.
    pub fn remove(&mut self, id: &str) -> Result<Account, Refusal> {
        let id = self.existing(id)?.0.clone();
        if !self.is_transient(&id) {
            self.folder.remove(&id).map_err(|error| {
                Refusal::NotStored(format!("the file of {id} cannot be removed: {error}"))
            })?;
        }
        let entry = self.entries.remove(&id);
        entry
            .map(|entry| entry.account)
            .ok_or_else(|| Refusal::NotFound { kind: "account", name: id.to_string() })
    }

    /// The accounts that a program holds.
    #[must_use]
    pub fn held_by(&self, program: &str) -> Vec<String> {
        let is_its = |account: &Account| matches!(&account.holder, Holder::Program(Some(holder)) if **holder == *program);
        let held = self.entries.iter().filter(|(_, entry)| is_its(&entry.account));
        held.map(|(id, _)| id.to_string()).collect()
    }

    fn is_transient(&self, id: &AccountId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.account.holder.is_program())
    }

    /// One account.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn account(&self, id: &str) -> Result<&Account, Refusal> {
        self.existing(id).map(|(_, entry)| &entry.account)
    }

    /// Notes where a password is; gives the account if that is news.
    pub fn kept(&mut self, id: &str, kept: Kept) -> Option<Account> {
        let entry = self.entries.get_mut(&id.parse().ok()?)?;
        if entry.account.kept == kept || entry.account.kept == Kept::Unneeded {
            return None;
        }
        entry.account.kept = kept;
        Some(entry.account.clone())
    }

    fn existing(&self, id: &str) -> Result<(&AccountId, &Entry), Refusal> {
        let found = id.parse().ok().and_then(|id: AccountId| self.entries.get_key_value(&id));
        found.ok_or_else(|| Refusal::NotFound { kind: "account", name: id.to_owned() })
    }

    fn free_id(&self, new: &NewAccount) -> AccountId {
        let text = [&new.provider, &new.domain, &new.gateway].into_iter().flatten().next();
        let base = AccountId::made_of(text.map_or("account", String::as_str));
        let is_free = |id: &AccountId| !self.entries.contains_key(id) && !self.folder.has(id);
        if is_free(&base) {
            return base;
        }
        (2..).map(|number| base.numbered(number)).find(is_free).unwrap_or(base)
    }

    fn plan(
        &self,
        id: &AccountId,
        file: &AccountFile,
        known: &mut BTreeMap<ProviderId, Result<Option<Arc<Provider>>, String>>,
    ) -> Result<Plan, String> {
        let mut provider = None;
        if let Some(name) = &file.provider {
            // A thousand accounts of one provider read its file once.
            let found = known
                .entry(name.clone())
                .or_insert_with(|| (self.find)(name).map(|found| found.map(Arc::new)));
            provider = found.clone().map_err(|why| format!("its provider is refused: {why}"))?;
        }
        let found = provider.as_deref();
        Plan::of(id, file, |_| found).map_err(|why: NoPlan| why.to_string())
    }

    /// Takes an account up; gives it if it is news.
    fn put(
        &mut self,
        id: AccountId,
        file: AccountFile,
        mut plan: Plan,
        holder: Holder,
    ) -> Option<Account> {
        if holder.is_program() {
            plan.users = Users::ItsProgram;
            plan.incoming = None;
        }
        let before = self.entries.get(&id).map(|entry| &entry.account);
        let is_same_place = before.is_some_and(|account| {
            account.plan.needs_secret() == plan.needs_secret()
                && account.plan.outside().map(|o| &o.domain) == plan.outside().map(|o| &o.domain)
        });
        let kept = match before {
            _ if !plan.needs_secret() => Kept::Unneeded,
            Some(account) if is_same_place => account.kept,
            _ => Kept::Unknown,
        };
        let plan = match before {
            Some(account) if *account.plan == plan => Arc::clone(&account.plan),
            _ => Arc::new(plan),
        };
        let account = Account {
            plan,
            answers: file.answers.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
            settings: settings::read(&file),
            kept,
            holder,
        };
        let is_news = before != Some(&account);
        self.entries.insert(id, Entry { file, account: account.clone() });
        is_news.then_some(account)
    }

    fn apply(
        &mut self,
        id: &AccountId,
        mut file: AccountFile,
        change: AccountChange,
        holder: Holder,
    ) -> Result<Changed, Refusal> {
        let AccountChange { password, answers, .. } = &change;
        let mut password = password.clone();
        for (key, answer) in answers {
            if self.is_secret(&file, key)? {
                password = Some(answer.clone());
                continue;
            }
            let key: AskKey = key.parse().map_err(Refusal::BadValue)?;
            if answer.expose().is_empty() {
                file.answers.remove(&key);
            } else {
                file.answers.insert(key, answer.expose().clone());
            }
        }
        let file = changed(file, &change)?;
        if let Some(given) = &password {
            self.check_password(&file, given)?;
        }
        let plan = self.plan(id, &file, &mut BTreeMap::new()).map_err(Refusal::BadValue)?;
        if password.is_some() && !plan.needs_secret() {
            let words = format!("password: a {} has none", plan.kind());
            return Err(Refusal::BadValue(words));
        }
        let text = file.text().map_err(|mistake| Refusal::BadValue(mistake.words))?;
        if !holder.is_program() {
            self.folder.write(id, &text).map_err(|error| {
                let folder = self.folder.path().display();
                Refusal::NotStored(format!(
                    "the account {id} cannot be written to {folder}: {error}"
                ))
            })?;
        }
        self.put(id.clone(), file, plan, holder);
        let account = self.account(id.as_str())?.clone();
        Ok(Changed { account, password })
    }

    fn provider(&self, file: &AccountFile) -> Result<Option<Provider>, Refusal> {
        match (&file.provider, &file.domain) {
            (Some(name), _) => (self.find)(name)
                .map_err(|why| Refusal::BadValue(format!("provider: {why}")))?
                .map(Some)
                .ok_or_else(|| Refusal::BadValue(NoPlan::NoProvider(name.clone()).to_string())),
            (None, Some(domain)) => merge::bare(domain, file.kind())
                .map(Some)
                .map_err(|why| Refusal::BadValue(why.to_string())),
            (None, None) => Ok(None),
        }
    }

    fn is_secret(&self, file: &AccountFile, key: &str) -> Result<bool, Refusal> {
        let provider = self.provider(file)?;
        let secret = provider.as_ref().and_then(Provider::secret);
        Ok(secret.is_some_and(|field| field.key.as_str() == key))
    }

    fn check_password(&self, file: &AccountFile, given: &Secret<String>) -> Result<(), Refusal> {
        let provider = self.provider(file)?;
        match provider.as_ref().and_then(Provider::secret) {
            Some(field) => {
                field.check(given.expose()).map_err(|error| Refusal::BadValue(error.to_string()))
            }
            None => check_password(given),
        }
    }
}

/// Whether something can be a password at all; what it is is never repeated.
///
/// # Errors
///
/// If it cannot.
pub fn check_password(given: &Secret<String>) -> Result<(), Refusal> {
    let given = given.expose();
    if given.len() > 255 || given.chars().any(char::is_control) {
        let words = "password: use up to 255 bytes of printable characters";
        return Err(Refusal::BadValue(words.into()));
    }
    Ok(())
}

/// The file after a change, but for answers and password.
fn changed(mut file: AccountFile, change: &AccountChange) -> Result<AccountFile, Refusal> {
    let bad = |key: &str, why: String| Refusal::BadValue(format!("{key}: {why}"));
    if let Some(title) = &change.title {
        file.title = match title.trim() {
            "" => None,
            title => Some(title.parse().map_err(|why| bad("title", why))?),
        };
    }
    if let Some(enabled) = change.enabled {
        file.enabled = enabled;
    }
    if let Some(incoming) = &change.incoming {
        file.incoming = incoming.parse().map_err(|why| bad("incoming", format!("{why}")))?;
    }
    if let Some(users) = &change.users {
        file.users = users
            .iter()
            .map(|user| user.parse().map_err(|why| bad("users", format!("{why}"))))
            .collect::<Result<_, _>>()?;
    }
    if let Some(order) = change.order {
        file.order = i64::from(order).try_into().map_err(|why| bad("order", format!("{why}")))?;
    }
    if let Some(region) = &change.region {
        file.numbers.region = match region.trim() {
            "" => None,
            region => Some(region.parse().map_err(|why| bad("region", format!("{why}")))?),
        };
    }
    // Also where nothing was set: the rest of the file must hold together.
    settings::write(&file, &change.settings).map_err(Refusal::BadValue)
}
