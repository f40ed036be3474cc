// SPDX-License-Identifier: GPL-3.0-or-later
//! The desk at which the loop around the switchboard deals with accounts: files and passwords on
//! one side, the switchboard on the other.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{
    Account, Holder, Kept, NoSecret,
    book::{self, Book, Change, Changed, FindProvider},
    folder::{self, Folder},
    secrets::{Brought, Owner, Secrets},
};
use crate::{
    config::word::PasswordPlace,
    lifecycle::watch::{self, Watch},
    secret::Secret,
    switchboard::{
        Inner, Now, Switchboard,
        ask::{Ask, Refusal, Reply},
    },
};

/// Files and passwords of accounts.
pub struct Desk {
    book: Book,
    secrets: Secrets,
    /// The passwords of accounts that programs hold, which are kept nowhere else.
    passing: BTreeMap<Arc<str>, Secret<String>>,
    /// None where the system gives none: files are then read when the configuration is.
    changes: Option<mpsc::Receiver<()>>,
}

/// Something that came by itself.
#[derive(Debug)]
pub enum Event {
    /// A file of an account came, changed or went.
    Files,
    /// The keeper of passwords tells something.
    Brought(Brought),
}

impl Desk {
    /// Nothing is read yet. Needs a tokio runtime.
    #[must_use]
    pub fn new(
        folder: Folder,
        find: FindProvider,
        place: PasswordPlace,
        passwords: PathBuf,
    ) -> Self {
        let watch = Watch::folders([folder.path()], folder::ENDING).inspect_err(|error| {
            let folder = folder.path().display();
            tracing::info!("changes in {folder} are not seen by themselves: {error}");
        });
        Self {
            book: Book::new(folder, find),
            secrets: Secrets::new(place, passwords),
            passing: BTreeMap::new(),
            changes: watch
                .ok()
                .map(|watch| watch::told(watch, "changes of accounts are not seen any more")),
        }
    }

    /// Waits for whatever comes by itself. May be given up.
    pub async fn event(&mut self) -> Event {
        tokio::select! {
            brought = self.secrets.brought() => Event::Brought(brought),
            () = watch::next(&mut self.changes) => Event::Files,
        }
    }

    /// Deals with what came by itself.
    pub fn came(&mut self, now: Now, switchboard: &mut Switchboard, event: Event) {
        match event {
            Event::Files => self.read(now, switchboard),
            Event::Brought(brought) => self.brought(now, switchboard, brought),
        }
    }

    /// Reads all files.
    pub fn read(&mut self, now: Now, switchboard: &mut Switchboard) {
        for change in self.book.read() {
            match change {
                Change::Put(account) => switchboard.put_account(now, account),
                Change::Gone(id) => {
                    // Its password stays: whoever moves files about may bring it back.
                    switchboard.account_gone(now, &id);
                }
            }
        }
        switchboard.account_warnings(now, self.book.warnings());
    }

    /// Answers what is asked of accounts; gives back what is not for us.
    pub fn asked(&mut self, now: Now, switchboard: &mut Switchboard, ask: Ask) -> Option<Ask> {
        match ask {
            Ask::AddAccount { account, reply } => match self.book.add(*account) {
                Ok((id, changed)) => {
                    self.put(now, switchboard, changed, (reply, id.to_string()));
                }
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
            Ask::ChangeAccount { account, change, reply } => {
                match self.book.change(&account, *change) {
                    Ok(changed) => self.put(now, switchboard, changed, (reply, ())),
                    Err(refusal) => drop(reply.send(Err(refusal))),
                }
            }
            Ask::SetAccountPassword { account, password, reply } => {
                self.set_password(&account, password, reply);
            }
            Ask::RemoveAccount { account, reply } => {
                let _ = reply.send(self.remove(now, switchboard, &account));
            }
            Ask::OwnerLeft { owner } => {
                for account in self.book.held_by(&owner) {
                    // It was there a line ago.
                    let _ = self.remove(now, switchboard, &account);
                }
                return Some(Ask::OwnerLeft { owner });
            }
            ask @ Ask::TryAccountAgain { .. } => {
                self.secrets.may_ask();
                return Some(ask);
            }
            other => return Some(other),
        }
        None
    }

    /// Fetches a password for the switchboard.
    pub fn fetch(&mut self, account: &str) {
        let Ok(account) = self.book.account(account) else { return };
        if !account.holder.is_program() {
            self.secrets.fetch(owner(account));
            return;
        }
        let id = Arc::clone(&account.plan.id);
        let secret = self.passing.get(&id).cloned().map(|secret| (secret, Kept::Memory));
        let secret = secret.ok_or(NoSecret::Missing);
        self.secrets.bring(Brought::Fetched { account: id, secret });
    }

    fn remove(
        &mut self,
        now: Now,
        switchboard: &mut Switchboard,
        account: &str,
    ) -> Result<(), Refusal> {
        let account = self.book.remove(account)?;
        let id = Arc::clone(&account.plan.id);
        switchboard.account_gone(now, &id);
        if account.holder.is_program() {
            self.passing.remove(&id);
        } else if account.plan.needs_secret() {
            self.secrets.forget(id, None);
        }
        Ok(())
    }

    /// The password goes first, so that it is there when its account is looked at; and who asked is
    /// answered when it is where it will be.
    fn put<T: Send + 'static>(
        &mut self,
        now: Now,
        switchboard: &mut Switchboard,
        changed: Changed,
        (reply, answer): (Reply<T>, T),
    ) {
        let Changed { account, password } = changed;
        match password {
            Some(password) if account.holder.is_program() => {
                let id = Arc::clone(&account.plan.id);
                switchboard.put_account(now, account);
                self.pass(&id, password);
                let _ = reply.send(Ok(answer));
            }
            Some(password) => {
                let (stored_in, stored) = oneshot::channel();
                self.secrets.keep(owner(&account), password, Some(stored_in));
                tokio::spawn(async move {
                    // That it could not be stored is told as a warning: the account is there.
                    let _ = stored.await;
                    let _ = reply.send(Ok(answer));
                });
                switchboard.put_account(now, account);
            }
            None => {
                switchboard.put_account(now, account);
                let _ = reply.send(Ok(answer));
            }
        }
    }

    fn set_password(&mut self, id: &str, password: Secret<String>, reply: Reply<&'static str>) {
        let account = match self.book.account(id) {
            Ok(account) if account.plan.needs_secret() => account,
            Ok(account) => {
                let words = format!("the {} {id} has no password", account.plan.kind());
                let _ = reply.send(Err(Refusal::NotInThisState(words)));
                return;
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        if account.holder == Holder::User {
            self.secrets.may_ask();
        }
        if account.holder.is_program() {
            let checked = book::check_password(&password);
            let id = Arc::clone(&account.plan.id);
            let _ = reply.send(checked.map(|()| self.pass(&id, password).as_str()));
            return;
        }
        if password.expose().is_empty() {
            self.secrets.forget(Arc::clone(&account.plan.id), Some(reply));
            return;
        }
        match book::check_password(&password) {
            Ok(()) => self.secrets.keep(owner(account), password, Some(reply)),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// A password of an account that a program holds; an empty one is none.
    fn pass(&mut self, account: &Arc<str>, password: Secret<String>) -> Kept {
        if password.expose().is_empty() {
            self.passing.remove(account);
        } else {
            self.passing.insert(Arc::clone(account), password);
        }
        self.fetch(account);
        if self.passing.contains_key(account) { Kept::Memory } else { Kept::None }
    }

    fn brought(&mut self, now: Now, switchboard: &mut Switchboard, brought: Brought) {
        match brought {
            Brought::Fetched { account, secret } => {
                use sipwitch_sip::auth::client::Secret as Shown;
                let kept = secret.as_ref().map_or(Kept::None, |(_, kept)| *kept);
                self.kept(now, switchboard, &account, kept);
                let secret = secret.map(|(secret, _)| Shown::new(secret.expose().as_str()));
                switchboard.inner(now, Inner::Secret { account, secret });
            }
            Brought::Stored { account, kept, reply, refusal } => {
                self.kept(now, switchboard, &account, kept);
                if let Some(refusal) = &refusal {
                    switchboard.warn(format!("the password of {account} is not stored: {refusal}"));
                }
                // Whoever asked may have gone.
                if let Some(reply) = reply {
                    let _ = reply.send(refusal.map_or_else(|| Ok(kept.as_str()), Err));
                }
            }
            Brought::Warning(words) => switchboard.warn(words),
        }
    }

    fn kept(&mut self, now: Now, switchboard: &mut Switchboard, account: &str, kept: Kept) {
        if let Some(account) = self.book.kept(account, kept) {
            switchboard.put_account(now, account);
        }
    }
}

fn owner(account: &Account) -> Owner {
    let plan = &account.plan;
    let domain = plan.outside().map(|outside| outside.domain.to_string());
    Owner {
        account: Arc::clone(&plan.id),
        domain: domain.unwrap_or_default().into(),
        title: plan.title.as_ref().into(),
    }
}
