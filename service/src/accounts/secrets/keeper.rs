// SPDX-License-Identifier: GPL-3.0-or-later
//! The keeper of passwords, in a thread of his own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Brought, Kept, NoSecret, Owner, Reply, Request, SecretStore, Trouble};
use crate::{secret::Secret, switchboard::ask::Refusal};

/// A store that does not answer so long will not.
const PATIENCE: Duration = Duration::from_secs(20);
/// After the user closed the keyring's window it is not opened again for so long, unless he asks.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// A keyring that is unlocked with the screen tells nobody (PAM speaks to it past the bus): while
/// somebody waits for it, it is looked at so often.
const SILENT: Duration = Duration::from_secs(60);

/// So long after the last request the store may rest: a thousand accounts that begin in turns ask
/// one after the other.
const QUIET: Duration = Duration::from_secs(2);

/// Looks after passwords.
pub(super) struct Keeper {
    store: Box<dyn SecretStore>,
    brought: mpsc::UnboundedSender<Brought>,
    /// What was told or fetched in this life.
    known: BTreeMap<Arc<str>, Known>,
    /// Who waits for the keyring to be unlocked.
    waiting: BTreeMap<Arc<str>, Owner>,
    /// Accounts whose passwords are to be forgotten when it is.
    leaving: BTreeSet<Arc<str>>,
    /// Nobody has asked the store for anything since it rested.
    is_at_rest: bool,
    /// The user is being asked.
    asking: Option<BoxFuture<'static, Result<(), Trouble>>>,
    dismissed: Option<Instant>,
}

/// A password in memory.
struct Known {
    owner: Owner,
    secret: Secret<String>,
    kept: Kept,
    /// It is to go into the keyring when that is unlocked.
    is_homeless: bool,
}

/// What happened.
enum Event {
    Asked(Option<Request>),
    Answered(Result<(), Trouble>),
    Changed,
    Quiet,
}

impl Keeper {
    pub(super) fn new(
        store: Box<dyn SecretStore>,
        brought: mpsc::UnboundedSender<Brought>,
    ) -> Self {
        Self {
            store,
            brought,
            known: BTreeMap::new(),
            waiting: BTreeMap::new(),
            leaving: BTreeSet::new(),
            is_at_rest: true,
            asking: None,
            dismissed: None,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            // The keeper ends inside: what he holds of the bus needs the runtime to be let go.
            Ok(runtime) => runtime.block_on(async move {
                loop {
                    let event = self.next(&mut requests).await;
                    self.is_at_rest = matches!(event, Event::Quiet);
                    match event {
                        Event::Asked(Some(request)) => self.serve(request).await,
                        Event::Asked(None) => return,
                        Event::Answered(answer) => self.answered(answer).await,
                        Event::Changed => self.look_again().await,
                        Event::Quiet => self.store.rest(),
                    }
                }
            }),
            Err(error) => self.tell(Brought::Warning(format!(
                "passwords cannot be looked after: {error}; restart the service"
            ))),
        }
    }

    async fn next(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>) -> Event {
        let waits = self.waits();
        let may_rest = !waits && !self.is_at_rest;
        let asking = async {
            match &mut self.asking {
                Some(asking) => asking.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            request = requests.recv() => Event::Asked(request),
            answer = asking => Event::Answered(answer),
            () = self.store.changed(), if waits => Event::Changed,
            () = tokio::time::sleep(SILENT), if waits => Event::Changed,
            () = tokio::time::sleep(QUIET), if may_rest => Event::Quiet,
        }
    }

    /// Whether an unlocked keyring would be news.
    fn waits(&self) -> bool {
        !self.waiting.is_empty()
            || !self.leaving.is_empty()
            || self.asking.is_some()
            || self.known.values().any(|known| known.is_homeless)
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Fetch(owner) => self.fetch(owner).await,
            Request::Keep { owner, secret, reply } => self.keep(owner, secret, reply).await,
            Request::Forget { account, reply } => self.forget(account, reply).await,
            Request::MayAsk => self.dismissed = None,
        }
    }

    async fn fetch(&mut self, owner: Owner) {
        let account = Arc::clone(&owner.account);
        if let Some(known) = self.known.get(&account)
            && known.owner.domain == owner.domain
        {
            let secret = Ok((known.secret.clone(), known.kept));
            return self.tell(Brought::Fetched { account, secret });
        }
        self.known.remove(&account);
        let read = in_time(self.store.read(&owner)).await;
        let secret = match read {
            Ok(Some(secret)) => {
                self.waiting.remove(&account);
                Ok((secret, self.store.kept()))
            }
            Ok(None) => {
                self.waiting.remove(&account);
                Err(NoSecret::Missing)
            }
            // It may be in a keyring that is not there yet.
            Err(Trouble::Nobody) => {
                self.waiting.insert(Arc::clone(&account), owner);
                Err(NoSecret::Missing)
            }
            Err(Trouble::Locked) => {
                self.waiting.insert(Arc::clone(&account), owner);
                self.ask_user();
                Err(NoSecret::Locked)
            }
            Err(Trouble::Failed(why)) => Err(NoSecret::Unavailable(why)),
        };
        self.tell(Brought::Fetched { account, secret });
    }

    async fn keep(
        &mut self,
        owner: Owner,
        secret: Secret<String>,
        reply: Option<Reply<&'static str>>,
    ) {
        let account = Arc::clone(&owner.account);
        self.waiting.remove(&account);
        self.leaving.remove(&account);
        let written = in_time(self.store.write(&owner, &secret)).await;
        let place = self.store.kept();
        let (kept, is_homeless, refusal) = match written {
            Ok(()) => (place, false, None),
            Err(Trouble::Locked) => {
                self.ask_user();
                (Kept::Memory, true, None)
            }
            Err(Trouble::Nobody) => (Kept::Memory, true, None),
            Err(Trouble::Failed(why)) => (Kept::Memory, false, Some(Refusal::NotStored(why))),
        };
        if kept == Kept::Memory {
            let known = Known { owner, secret: secret.clone(), kept, is_homeless };
            self.known.insert(Arc::clone(&account), known);
        } else {
            self.known.remove(&account);
        }
        self.tell(Brought::Fetched { account: Arc::clone(&account), secret: Ok((secret, kept)) });
        self.tell(Brought::Stored { account, kept, reply, refusal });
    }

    async fn forget(&mut self, account: Arc<str>, reply: Option<Reply<&'static str>>) {
        self.known.remove(&account);
        self.waiting.remove(&account);
        let refusal = match in_time(self.store.remove(&account)).await {
            Ok(()) | Err(Trouble::Nobody) => None,
            Err(Trouble::Locked) => {
                self.leaving.insert(Arc::clone(&account));
                None
            }
            Err(Trouble::Failed(why)) => Some(Refusal::NotStored(why)),
        };
        let kept = Kept::None;
        if reply.is_some() {
            let secret = Err(NoSecret::Missing);
            self.tell(Brought::Fetched { account: Arc::clone(&account), secret });
        }
        self.tell(Brought::Stored { account, kept, reply, refusal });
    }

    /// Opens the keyring's window, unless it is open, or the user closed it a moment ago.
    fn ask_user(&mut self) {
        let is_left_alone = self.dismissed.is_some_and(|since| since.elapsed() < LEFT_ALONE);
        if self.asking.is_none() && !is_left_alone {
            tracing::info!("asking to unlock the keyring");
            self.asking = Some(self.store.unlock());
        }
    }

    async fn answered(&mut self, answer: Result<(), Trouble>) {
        self.asking = None;
        match answer {
            Ok(()) => self.look_again().await,
            Err(why) => {
                tracing::info!("the keyring stays locked: {why}");
                self.dismissed = Some(Instant::now());
            }
        }
    }

    /// The keyring may be open now.
    async fn look_again(&mut self) {
        for account in std::mem::take(&mut self.leaving) {
            if in_time(self.store.remove(&account)).await == Err(Trouble::Locked) {
                self.leaving.insert(account);
            }
        }
        let homeless: Vec<Arc<str>> = self
            .known
            .iter()
            .filter(|(_, known)| known.is_homeless)
            .map(|(account, _)| Arc::clone(account))
            .collect();
        for account in homeless {
            let Some(known) = self.known.get(&account) else { continue };
            if in_time(self.store.write(&known.owner, &known.secret)).await.is_ok() {
                self.known.remove(&account);
                let kept = self.store.kept();
                self.tell(Brought::Stored { account, kept, reply: None, refusal: None });
            }
        }
        let waiting: Vec<Owner> = self.waiting.values().cloned().collect();
        for owner in waiting {
            match in_time(self.store.read(&owner)).await {
                Ok(secret) => {
                    self.waiting.remove(&owner.account);
                    let kept = self.store.kept();
                    let secret = secret.map(|secret| (secret, kept)).ok_or(NoSecret::Missing);
                    self.tell(Brought::Fetched { account: owner.account, secret });
                }
                // As it was: whatever changed, it was something else.
                Err(Trouble::Locked | Trouble::Nobody) => return,
                Err(Trouble::Failed(why)) => {
                    self.waiting.remove(&owner.account);
                    let secret = Err(NoSecret::Unavailable(why));
                    self.tell(Brought::Fetched { account: owner.account, secret });
                }
            }
        }
    }

    fn tell(&self, brought: Brought) {
        // The service may be ending.
        let _ = self.brought.send(brought);
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(PATIENCE, what)
        .await
        .unwrap_or_else(|_| Err(Trouble::Failed("the keyring does not answer".into())))
}
