// SPDX-License-Identifier: GPL-3.0-or-later
//! The database, asked and changed for the bus: in its words, and with its errors.

use std::path::Path;
use std::time::Duration;

use sipwitch_dbus_interfaces::{
    digest::Error,
    wire::{DigestProblem, DigestSource, DigestStatus},
};
use sipwitch_digest_store::{
    Algorithm, Database, Entry, Error as Fault, Fault as LineFault, Name, Realm, Source, Store,
};

use crate::users::{self, User};

/// How long other writers may keep us waiting. Nobody logs in meanwhile.
const WAIT: Duration = Duration::from_secs(5);

/// The only one of this process who opens the database.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Store,
    /// Where it should be.
    first: std::path::PathBuf,
}

impl Keeper {
    pub(crate) fn new(db: Option<&Path>) -> Self {
        match db {
            Some(path) => Self { store: Store::at(path), first: path.to_owned() },
            None => Self { store: Store::of_the_machine(), first: Store::FIRST.into() },
        }
    }

    /// The database as it is now.
    pub(crate) fn read(&self) -> Result<Database, Error> {
        Ok(self.store.read().map_err(told)?.database)
    }

    /// Changes it where that may wait.
    async fn change<T: Send + 'static>(
        &self,
        mut change: impl FnMut(&mut Database) -> Result<Changed<T>, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut kept = None;
            let written = store.change(WAIT, |database| {
                let (changed, value) = match change(database)? {
                    Changed::Yes(value) => (true, value),
                    Changed::No(value) => (false, value),
                };
                kept = Some(value);
                Ok(changed)
            })?;
            Ok::<_, Fault>((written, kept))
        });
        let (written, kept) = done.await.map_err(failed)?.map_err(told)?;
        if let Some(why) = written.instead {
            tracing::warn!("the database is {} from now on: {why}", written.path.display());
        }
        kept.ok_or_else(|| Error::NotStored("nothing was asked of the database".into()))
    }

    /// The realm; one is made if there is none.
    pub(crate) async fn realm(&self) -> Result<Realm, Error> {
        if let Some(realm) = self.read()?.realm() {
            return Ok(realm);
        }
        let fresh = random()?;
        self.change(move |database| Ok(realm_or(database, &fresh))).await
    }

    /// Keeps what is made for the realm.
    pub(crate) async fn put_new(
        &self,
        entry: impl Fn(&Realm) -> Entry + Send + 'static,
    ) -> Result<(), Error> {
        let fresh = random()?;
        self.change(move |database| {
            let (Changed::Yes(realm) | Changed::No(realm)) = realm_or(database, &fresh);
            database.put(&entry(&realm)).map(Changed::Yes)
        })
        .await
    }

    /// Keeps an entry that took a while to make, if nothing has come in between: a password that was
    /// changed meanwhile, which is newer than this, or another realm.
    pub(crate) async fn put_in_place_of(
        &self,
        before: Option<Entry>,
        entry: Entry,
    ) -> Result<(), Error> {
        let kept = self.change(move |database| {
            let same = database.entry(&entry.name) == before;
            if !same || database.realm().as_ref() != Some(&entry.realm) {
                return Ok(Changed::No(false));
            }
            database.put(&entry).map(|()| Changed::Yes(true))
        });
        if kept.await? {
            return Ok(());
        }
        Err(Error::NotStored("the password or the realm was changed meanwhile: try again".into()))
    }

    /// Keeps nothing of a user. Says whether there was anything.
    pub(crate) async fn remove(&self, name: Name) -> Result<bool, Error> {
        self.change(move |database| {
            Ok(if database.remove(&name) { Changed::Yes(true) } else { Changed::No(false) })
        })
        .await
    }

    /// What is kept of a user of the system.
    pub(crate) fn status(&self, user: &User) -> Result<DigestStatus, Error> {
        let reading = self.store.read().map_err(told)?;
        let mut status = self.empty(&user.name, user.uid, &reading.path);
        if let Some(entry) = reading.database.entry(&user.name) {
            fill(&mut status, &entry, reading.database.realm().as_ref());
            if entry.uid != user.uid {
                status.problem = Some(DigestProblem::OtherPerson);
                status.enrolled = false;
            }
        }
        Ok(status)
    }

    /// What is kept of everybody, and which lines are not used.
    pub(crate) async fn list(&self) -> Result<(Vec<DigestStatus>, Vec<String>), Error> {
        let reading = self.store.read().map_err(told)?;
        let realm = reading.database.realm();
        let entries: Vec<Entry> = reading.database.entries().collect();
        let looked_up = look_up(entries).await?;
        let digests = looked_up.into_iter().map(|(entry, problem)| {
            let mut status = self.empty(&entry.name, entry.uid, &reading.path);
            fill(&mut status, &entry, realm.as_ref());
            if let Some(problem) = problem {
                status.problem = Some(problem);
                status.enrolled = false;
            }
            status
        });
        let problems = reading.database.problems().into_iter().map(|problem| {
            let words = match problem.fault {
                LineFault::Header => "does not say which version the file is of",
                LineFault::Damaged => "cannot be read",
                LineFault::Again => "says again what an earlier line says",
                LineFault::Later => "is of a later version",
            };
            format!("line {} {words}", problem.line)
        });
        Ok((digests.collect(), problems.collect()))
    }

    /// Removes those who are gone.
    pub(crate) async fn prune(&self, dry_run: bool) -> Result<Vec<String>, Error> {
        let entries: Vec<Entry> = self.read()?.entries().collect();
        let looked_up = look_up(entries).await?;
        let gone = looked_up.into_iter().filter(|(_, problem)| problem.is_some());
        let gone: Vec<Entry> = gone.map(|(entry, _)| entry).collect();
        let names = gone.iter().map(|entry| entry.name.to_string()).collect();
        if dry_run || gone.is_empty() {
            return Ok(names);
        }
        self.change(move |database| {
            let mut removed = Vec::new();
            for entry in &gone {
                // Unless the name has come back meanwhile.
                let same = database.entry(&entry.name).is_some_and(|now| now.uid == entry.uid);
                if same && database.remove(&entry.name) {
                    removed.push(entry.name.to_string());
                }
            }
            Ok(if removed.is_empty() { Changed::No(removed) } else { Changed::Yes(removed) })
        })
        .await
    }

    /// Changes the realm; says which one it is, and whose digests were of the old one.
    pub(crate) async fn set_realm(
        &self,
        wanted: Option<Realm>,
        dry_run: bool,
    ) -> Result<(String, Vec<String>), Error> {
        if dry_run {
            let users = of_no_use(&self.read()?, wanted.as_ref());
            return Ok((wanted.map(|realm| realm.to_string()).unwrap_or_default(), users));
        }
        let wanted = match wanted {
            Some(realm) => realm,
            None => random()?,
        };
        self.change(move |database| {
            let told = (wanted.to_string(), of_no_use(database, Some(&wanted)));
            if database.realm().as_ref() == Some(&wanted) {
                return Ok(Changed::No(told));
            }
            database.set_realm(&wanted);
            Ok(Changed::Yes(told))
        })
        .await
    }

    fn empty(&self, name: &Name, uid: u32, path: &Path) -> DigestStatus {
        DigestStatus {
            user: name.to_string(),
            uid,
            enrolled: false,
            problem: None,
            realm: String::new(),
            algorithms: Vec::new(),
            source: None,
            changed_at_microseconds: 0,
            path: path.display().to_string(),
            fallback: path != self.first,
            wait_seconds: 0,
        }
    }
}

/// Whether the database is to be written, with what is to be told.
enum Changed<T> {
    Yes(T),
    No(T),
}

fn realm_or(database: &mut Database, fresh: &Realm) -> Changed<Realm> {
    match database.realm() {
        Some(realm) => Changed::No(realm),
        None => {
            database.set_realm(fresh);
            Changed::Yes(fresh.clone())
        }
    }
}

/// Who would have to enrol again: whose digests are of the realm that is, and not of the one to come.
fn of_no_use(database: &Database, to_come: Option<&Realm>) -> Vec<String> {
    let Some(realm) = database.realm() else { return Vec::new() };
    if to_come == Some(&realm) {
        return Vec::new();
    }
    let of_it = database.entries().filter(|entry| entry.realm == realm);
    of_it.map(|entry| entry.name.to_string()).collect()
}

fn fill(status: &mut DigestStatus, entry: &Entry, realm: Option<&Realm>) {
    let kept = Algorithm::ALL.into_iter().filter(|algorithm| entry.digest(*algorithm).is_some());
    status.algorithms = kept.map(|algorithm| algorithm.name().to_owned()).collect();
    status.realm = entry.realm.to_string();
    status.changed_at_microseconds = entry.changed.saturating_mul(1_000_000);
    status.source = Some(match &entry.source {
        Source::Separate => DigestSource::Separate,
        source if source.follows_login() => DigestSource::Login,
        _ => DigestSource::Unknown,
    });
    let of_realm = realm == Some(&entry.realm);
    status.problem = (!of_realm).then_some(DigestProblem::OtherRealm);
    status.enrolled = of_realm && !status.algorithms.is_empty();
}

/// Whether the users are still those that they were. It may ask other machines, one user after the
/// other.
async fn look_up(entries: Vec<Entry>) -> Result<Vec<(Entry, Option<DigestProblem>)>, Error> {
    let done = tokio::task::spawn_blocking(move || {
        let one = |entry: Entry| {
            let uid = users::number_of(&entry.name).map_err(|error| {
                Error::NotStored(format!("{} cannot be looked up: {error}", entry.name))
            })?;
            let problem = match uid {
                None => Some(DigestProblem::NoSuchUser),
                Some(uid) if uid != entry.uid => Some(DigestProblem::OtherPerson),
                Some(_) => None,
            };
            Ok((entry, problem))
        };
        entries.into_iter().map(one).collect()
    });
    done.await.map_err(failed)?
}

fn random() -> Result<Realm, Error> {
    Realm::random().map_err(|error| Error::NotStored(format!("no random numbers: {error}")))
}

fn failed(error: tokio::task::JoinError) -> Error {
    Error::NotStored(format!("the work on the database ended early: {error}"))
}

fn told(fault: Fault) -> Error {
    tracing::warn!("{fault}");
    if fault.is_of_the_place() {
        return Error::ReadOnly(fault.to_string());
    }
    Error::NotStored(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(folder: &Path) -> Keeper {
        let first = folder.join("sipwitch.db");
        let owner = nix::unistd::geteuid().as_raw();
        Keeper { store: Store::at(&first).owned_by(owner), first }
    }

    fn entry(realm: &Realm, password: &str) -> Entry {
        let name = "anna".parse().unwrap();
        Entry::of_password(&name, 2001, realm, &[Algorithm::Sha256], password.as_bytes())
    }

    fn kept(keeper: &Keeper) -> Option<Entry> {
        keeper.read().unwrap().entry(&"anna".parse().unwrap())
    }

    #[tokio::test]
    async fn what_was_changed_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path());
        let realm = keeper.realm().await.unwrap();
        let (old, new) = (entry(&realm, "old"), entry(&realm, "new"));
        // It was the old one while PAM was asked, but a change of the password comes first.
        keeper.put_in_place_of(None, new.clone()).await.unwrap();
        for before in [None, Some(old.clone())] {
            let refused = keeper.put_in_place_of(before, old.clone()).await;
            assert!(matches!(refused, Err(Error::NotStored(_))), "{refused:?}");
            assert_eq!(kept(&keeper), Some(new.clone()));
        }
        // Nor is a digest kept for a realm that is none any more.
        keeper.set_realm(None, false).await.unwrap();
        let refused = keeper.put_in_place_of(Some(new.clone()), old).await;
        assert!(matches!(refused, Err(Error::NotStored(_))), "{refused:?}");
        assert_eq!(kept(&keeper), Some(new));
    }

    #[tokio::test]
    async fn the_realm_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path());
        let first = keeper.realm().await.unwrap();
        assert_eq!(keeper.realm().await.unwrap(), first);
        keeper.put_new(|realm| entry(realm, "old")).await.unwrap();
        assert_eq!(kept(&keeper).unwrap().realm, first);
        let (named, users) = keeper.set_realm(Some("house".parse().unwrap()), true).await.unwrap();
        assert_eq!((named.as_str(), users), ("house", vec!["anna".to_owned()]));
        assert_eq!(keeper.realm().await.unwrap(), first);
    }
}
