// SPDX-License-Identifier: GPL-3.0-or-later
//! Passwords of accounts: where they are kept, and how they come from there.
//!
//! They are in the user's keyring (the Secret Service), unless the configuration says otherwise. A
//! keyring that is locked is no error: the user may be asked to unlock it, which takes as long as
//! it takes, and when it is unlocked the passwords come by themselves. Where there is no keyring a
//! password lives in memory until the service ends.
//!
//! All of this happens in a thread of its own (`keeper`), which begins at the first password that
//! is needed: the exchange of keys with the keyring would keep calls waiting.

mod file;
mod keeper;
mod keyring;
mod memory;
#[cfg(test)]
mod tests;
use std::{path::PathBuf, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use self::keeper::Keeper;
use super::{Kept, NoSecret};
use crate::{
    config::word::PasswordPlace,
    secret::Secret,
    switchboard::ask::{Refusal, Reply},
};

/// Whose password it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The account.
    pub account: Arc<str>,
    /// The domain to which the password may be proven: an account that moved to another one does
    /// not take its password along.
    pub domain: Arc<str>,
    /// The name a person reads in the keyring's own window.
    pub title: Arc<str>,
}

/// Somewhere passwords are kept.
pub trait SecretStore: Send {
    /// What it is.
    fn kept(&self) -> Kept;

    /// Reads a password: none if none is kept.
    fn read<'a>(
        &'a mut self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Secret<String>>, Trouble>>;

    /// Keeps a password in place of the one before.
    fn write<'a>(
        &'a mut self,
        owner: &'a Owner,
        secret: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Forgets the passwords of an account, whatever their domain; none is no error.
    fn remove<'a>(&'a mut self, account: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;

    /// Asks the user to unlock it, and waits for the answer. Does not hold the store meanwhile.
    fn unlock(&mut self) -> BoxFuture<'static, Result<(), Trouble>>;

    /// Waits until it may have been unlocked, or have come into being. May be given up.
    fn changed(&mut self) -> BoxFuture<'_, ()>;

    /// Nobody wants anything for now: what is costly to hold may go.
    fn rest(&mut self);
}

/// Why a store did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It is locked.
    #[error("the keyring is locked")]
    Locked,
    /// There is none.
    #[error("there is no keyring in this session")]
    Nobody,
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

/// What came of something that was asked of the keeper.
#[derive(Debug)]
pub enum Brought {
    /// A password was fetched, or there is none.
    Fetched {
        /// Whose.
        account: Arc<str>,
        /// The password, and where it is.
        secret: Result<(Secret<String>, Kept), NoSecret>,
    },
    /// A password went where it is kept, or only into memory.
    Stored {
        /// Whose.
        account: Arc<str>,
        /// Where it is.
        kept: Kept,
        /// Who waits for it.
        reply: Option<Reply<&'static str>>,
        /// What went wrong.
        refusal: Option<Refusal>,
    },
    /// Something that a person should know.
    Warning(String),
}

/// What is asked of the keeper.
#[derive(Debug)]
enum Request {
    Fetch(Owner),
    Keep {
        owner: Owner,
        secret: Secret<String>,
        reply: Option<Reply<&'static str>>,
    },
    Forget {
        account: Arc<str>,
        reply: Option<Reply<&'static str>>,
    },
    /// The user is there: he may be asked to unlock the keyring once more.
    MayAsk,
}

/// The way to the keeper of passwords.
#[derive(Debug)]
pub struct Secrets {
    place: PasswordPlace,
    file: PathBuf,
    brought_in: mpsc::UnboundedSender<Brought>,
    brought: mpsc::UnboundedReceiver<Brought>,
    keeper: Option<mpsc::UnboundedSender<Request>>,
}

impl Secrets {
    /// Nothing is begun before a password is needed. `file` is where passwords are if the
    /// configuration wants them in a file.
    #[must_use]
    pub fn new(place: PasswordPlace, file: PathBuf) -> Self {
        let (brought_in, brought) = mpsc::unbounded_channel();
        Self { place, file, brought_in, brought, keeper: None }
    }

    /// Fetches a password; [`Brought::Fetched`] tells what came of it, and once more whenever that
    /// changes by itself.
    pub fn fetch(&mut self, owner: Owner) {
        self.ask(Request::Fetch(owner));
    }

    /// Brings something that needs no keeper.
    pub fn bring(&self, brought: Brought) {
        // We hold the other end ourselves.
        let _ = self.brought_in.send(brought);
    }

    /// Keeps a password.
    pub fn keep(
        &mut self,
        owner: Owner,
        secret: Secret<String>,
        reply: Option<Reply<&'static str>>,
    ) {
        self.ask(Request::Keep { owner, secret, reply });
    }

    /// Forgets a password.
    pub fn forget(&mut self, account: Arc<str>, reply: Option<Reply<&'static str>>) {
        self.ask(Request::Forget { account, reply });
    }

    /// Says that the user is there, who may have closed the window of the keyring before.
    pub fn may_ask(&mut self) {
        if self.keeper.is_some() {
            self.ask(Request::MayAsk);
        }
    }

    /// Waits for what came of anything. May be given up.
    pub async fn brought(&mut self) -> Brought {
        match self.brought.recv().await {
            Some(brought) => brought,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    fn ask(&mut self, request: Request) {
        let brought = self.brought_in.clone();
        let keeper = match &self.keeper {
            Some(keeper) => keeper,
            None => {
                let (requests, received) = mpsc::unbounded_channel();
                let store = self.store();
                let begun = std::thread::Builder::new()
                    .name("passwords".into())
                    .spawn(move || Keeper::new(store, brought).run(received));
                if let Err(error) = begun {
                    tracing::warn!("passwords cannot be looked after: {error}");
                }
                self.keeper.insert(requests)
            }
        };
        // Without its thread nobody answers, and that was said.
        let _ = keeper.send(request);
    }

    fn store(&self) -> Box<dyn SecretStore> {
        match self.place {
            PasswordPlace::Keyring => Box::new(keyring::Keyring::default()),
            PasswordPlace::Memory => Box::new(memory::Memory),
            PasswordPlace::File => Box::new(file::PasswordFile::new(self.file.clone())),
        }
    }
}
