// SPDX-License-Identifier: GPL-3.0-or-later
//! The desk at which the loop around the switchboard deals with accounts: files and passwords on
//! one side, the switchboard on the other.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{
    Account, Kept,
    book::{self, Book, Change, Changed, FindProvider},
    folder::Folder,
    secrets::{Brought, Owner, Secrets},
};
use crate::{
    config::word::PasswordPlace,
    lifecycle::watch,
    providers::{Folders, Watch},
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
        let watched = Folders::new(vec![folder.path().to_owned()]);
        let watch = Watch::new(&watched).inspect_err(|error| {
            let folder = folder.path().display();
            tracing::info!("changes in {folder} are not seen by themselves: {error}");
        });
        Self {
            book: Book::new(folder, find),
            secrets: Secrets::new(place, passwords),
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
                let done = self.book.remove(&account).map(|account| {
                    let id = Arc::clone(&account.plan.id);
                    switchboard.account_gone(now, &id);
                    if account.plan.needs_secret() {
                        self.secrets.forget(id, None);
                    }
                });
                let _ = reply.send(done);
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
        if let Ok(account) = self.book.account(account) {
            self.secrets.fetch(owner(account));
        }
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
        self.secrets.may_ask();
        if password.expose().is_empty() {
            self.secrets.forget(Arc::clone(&account.plan.id), Some(reply));
            return;
        }
        match book::check_password(&password) {
            Ok(()) => self.secrets.keep(owner(account), password, Some(reply)),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
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
