// SPDX-License-Identifier: GPL-3.0-or-later
//! The keeper, with a keyring that does what the test says.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::{Notify, mpsc};

use super::{
    Brought, Kept, NoSecret, Owner, Request, SecretStore, Trouble, file::PasswordFile,
    keeper::Keeper,
};
use crate::secret::Secret;

/// What the keyring is, and what was done to it.
#[derive(Default)]
struct State {
    trouble: Option<Trouble>,
    kept: BTreeMap<String, String>,
    unlocks: usize,
    /// What the user answers; none lets him think.
    answer: Option<Result<(), Trouble>>,
    rests: usize,
}

#[derive(Clone, Default)]
struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Fake {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    fn done<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut State) -> T,
    ) -> BoxFuture<'a, Result<T, Trouble>> {
        let done = self.look(|state| match &state.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(work(state)),
        });
        async { done }.boxed()
    }
}

impl SecretStore for Fake {
    fn kept(&self) -> Kept {
        Kept::Keyring
    }

    fn read<'a>(
        &'a mut self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Secret<String>>, Trouble>> {
        self.done(|state| state.kept.get(&key(owner)).cloned().map(Secret::new))
    }

    fn write<'a>(
        &'a mut self,
        owner: &'a Owner,
        secret: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        self.done(|state| drop(state.kept.insert(key(owner), secret.expose().clone())))
    }

    fn remove<'a>(&'a mut self, account: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        let start = format!("{account} ");
        self.done(|state| state.kept.retain(|key, _| !key.starts_with(&start)))
    }

    fn unlock(&mut self) -> BoxFuture<'static, Result<(), Trouble>> {
        let answer = self.look(|state| {
            state.unlocks += 1;
            state.answer.clone()
        });
        match answer {
            Some(answer) => async { answer }.boxed(),
            None => std::future::pending().boxed(),
        }
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        self.changed.notified().boxed()
    }

    fn rest(&mut self) {
        self.look(|state| state.rests += 1);
    }
}

fn key(owner: &Owner) -> String {
    format!("{} {}", owner.account, owner.domain)
}

fn owner(account: &str, domain: &str) -> Owner {
    Owner { account: account.into(), domain: domain.into(), title: account.into() }
}

/// A keeper in its thread.
struct Desk {
    requests: mpsc::UnboundedSender<Request>,
    brought: mpsc::UnboundedReceiver<Brought>,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn of(store: impl SecretStore + 'static) -> Self {
        let (requests, received) = mpsc::unbounded_channel();
        let (brought_in, brought) = mpsc::unbounded_channel();
        std::thread::spawn(move || Keeper::new(Box::new(store), brought_in).run(received));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { requests, brought, runtime }
    }

    fn fetch(&self, account: &str) {
        self.requests.send(Request::Fetch(owner(account, "example.org"))).unwrap();
    }

    fn keep(&self, account: &str, password: &str) {
        let secret = Secret::new(password.to_owned());
        let owner = owner(account, "example.org");
        self.requests.send(Request::Keep { owner, secret, reply: None }).unwrap();
    }

    fn next(&mut self) -> Brought {
        let deadline = Duration::from_secs(20);
        let next = async { tokio::time::timeout(deadline, self.brought.recv()).await };
        self.runtime.block_on(next).expect("in time").expect("the keeper lives")
    }

    fn fetched(&mut self) -> Result<(String, Kept), NoSecret> {
        match self.next() {
            Brought::Fetched { secret, .. } => {
                secret.map(|(secret, kept)| (secret.expose().clone(), kept))
            }
            other => panic!("{other:?}"),
        }
    }

    fn stored(&mut self) -> (Kept, bool) {
        match self.next() {
            Brought::Stored { kept, refusal, .. } => (kept, refusal.is_none()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_password_that_is_kept_comes() {
    let keyring = Fake::default();
    keyring.set(|state| drop(state.kept.insert("a example.org".into(), "hunter2".into())));
    let mut desk = Desk::of(keyring.clone());
    desk.fetch("a");
    assert_eq!(desk.fetched(), Ok(("hunter2".into(), Kept::Keyring)));
    desk.fetch("b");
    assert_eq!(desk.fetched(), Err(NoSecret::Missing));
    assert_eq!(keyring.look(|state| state.unlocks), 0);
}

#[test]
fn a_locked_keyring_is_asked_for_once_and_the_passwords_come_when_it_opens() {
    let keyring = Fake::default();
    keyring.set(|state| {
        state.trouble = Some(Trouble::Locked);
        drop(state.kept.insert("a example.org".into(), "hunter2".into()));
    });
    let mut desk = Desk::of(keyring.clone());
    for account in ["a", "b"] {
        desk.fetch(account);
        assert_eq!(desk.fetched(), Err(NoSecret::Locked));
    }
    assert_eq!(keyring.look(|state| state.unlocks), 1, "one window for all");
    // Meanwhile a password is given: it is used, and goes home later.
    desk.keep("c", "given");
    assert_eq!(desk.fetched(), Ok(("given".into(), Kept::Memory)));
    assert_eq!(desk.stored(), (Kept::Memory, true));

    keyring.set(|state| state.trouble = None);
    keyring.changed.notify_one();
    assert_eq!(desk.stored(), (Kept::Keyring, true));
    assert_eq!(desk.fetched(), Ok(("hunter2".into(), Kept::Keyring)));
    assert_eq!(desk.fetched(), Err(NoSecret::Missing));
    let kept = keyring.look(|state| state.kept.get("c example.org").cloned());
    assert_eq!(kept.as_deref(), Some("given"));
}

#[test]
fn whoever_closed_the_window_is_left_alone_until_he_asks() {
    let keyring = Fake::default();
    keyring.set(|state| {
        state.trouble = Some(Trouble::Locked);
        state.answer = Some(Err(Trouble::Failed("closed".into())));
    });
    let mut desk = Desk::of(keyring.clone());
    for account in ["a", "b", "c"] {
        desk.fetch(account);
        assert_eq!(desk.fetched(), Err(NoSecret::Locked));
        // The answer of the user is served before the next request, which this one waits for.
        desk.keep("z", "z");
        desk.next();
        desk.next();
    }
    let before = keyring.look(|state| state.unlocks);
    assert!(before <= 2, "{before} windows");
    desk.requests.send(Request::MayAsk).unwrap();
    desk.fetch("a");
    assert_eq!(desk.fetched(), Err(NoSecret::Locked));
    assert_eq!(keyring.look(|state| state.unlocks), before + 1);
}

#[test]
fn without_a_keyring_a_password_lives_in_memory_until_one_comes() {
    let keyring = Fake::default();
    keyring.set(|state| state.trouble = Some(Trouble::Nobody));
    let mut desk = Desk::of(keyring.clone());
    desk.fetch("a");
    assert_eq!(desk.fetched(), Err(NoSecret::Missing));
    desk.keep("a", "given");
    assert_eq!(desk.fetched(), Ok(("given".into(), Kept::Memory)));
    assert_eq!(desk.stored(), (Kept::Memory, true));
    desk.fetch("a");
    assert_eq!(desk.fetched(), Ok(("given".into(), Kept::Memory)));
    keyring.set(|state| state.trouble = None);
    keyring.changed.notify_one();
    assert_eq!(desk.stored(), (Kept::Keyring, true));
}

#[test]
fn a_password_is_not_shown_to_another_domain() {
    let keyring = Fake::default();
    keyring.set(|state| state.trouble = Some(Trouble::Nobody));
    let mut desk = Desk::of(keyring);
    desk.keep("a", "given");
    desk.next();
    desk.next();
    desk.requests.send(Request::Fetch(owner("a", "evil.example"))).unwrap();
    assert_eq!(desk.fetched(), Err(NoSecret::Missing));
}

#[test]
fn a_file_keeps_passwords_for_its_owner_alone_and_forgets_them() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("state").join("passwords.toml");
    let mut desk = Desk::of(PasswordFile::new(path.clone()));
    desk.keep("a", "hunter2");
    assert_eq!(desk.fetched(), Ok(("hunter2".into(), Kept::File)));
    assert_eq!(desk.stored(), (Kept::File, true));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut another = Desk::of(PasswordFile::new(path.clone()));
    another.fetch("a");
    assert_eq!(another.fetched(), Ok(("hunter2".into(), Kept::File)));
    let forget = Request::Forget { account: "a".into(), reply: None };
    another.requests.send(forget).unwrap();
    assert_eq!(another.stored(), (Kept::None, true));
    assert!(!std::fs::read_to_string(&path).unwrap().contains("hunter2"));

    std::fs::write(&path, "[passwords.a]\ndomain = \"x\"\npassword = \"hunter2\"\nodd = 1")
        .unwrap();
    another.fetch("a");
    let Err(NoSecret::Unavailable(why)) = another.fetched() else { panic!("it was read") };
    assert!(why.contains("no file of passwords") && !why.contains("hunter2"), "{why}");
}
