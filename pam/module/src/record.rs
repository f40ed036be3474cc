// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose digest is kept, and that it is that of the right password.

use std::fmt;
use std::io;
use std::path::PathBuf;

use sipwitch_digest_store::{Database, Entry, Error, Name, Realm, Source};
use subtle::ConstantTimeEq as _;

use crate::WAIT;
use crate::ffi::{self, Token};
use crate::local::{self, Files, Hash};
use crate::options::Options;

/// What became of it.
pub(crate) enum Outcome {
    /// It was written.
    Kept { path: PathBuf, instead: Option<Error> },
    /// It was there.
    Known,
    /// It is not for us to keep.
    Skipped(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { path, .. } => write!(f, "written to {}", path.display()),
            Self::Known => f.write_str("up to date"),
            Self::Skipped(why) => write!(f, "passed over: {why}"),
        }
    }
}

/// What stood in the way.
pub(crate) enum Fault {
    Store(Error),
    Local(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Local(error) => write!(f, "the users of this machine cannot be read: {error}"),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}

/// Keeps the digest of a token that is the user's password, `now` in seconds since 1970.
pub(crate) fn record(
    user: &str,
    token: &Token,
    source: &Source,
    options: &Options,
    now: u64,
) -> Result<Outcome, Fault> {
    let files = Files::OF_THE_MACHINE;
    let Ok(name) = user.parse::<Name>() else {
        return Ok(Outcome::Skipped("the name cannot be stored"));
    };
    let Some(local) = local::user(&files, user)? else {
        return Ok(Outcome::Skipped("no user of this machine"));
    };
    if local.uid < options.minuid {
        return Ok(Outcome::Skipped("the number of the user is below minuid"));
    }
    if let Some(group) = &options.only_group
        && !local::is_in(&files, user, &local, group)?
    {
        return Ok(Outcome::Skipped("not in the group"));
    }
    let entry = |realm: &Realm| {
        let digests = &options.algorithms;
        let entry = Entry::of_password(&name, local.uid, realm, digests, token.bytes());
        Entry { changed: now, source: source.clone(), ..entry }
    };

    // Most logins end here: without a lock, and without the work that crypt(3) is made to be.
    let seen = options.store.read()?.database;
    let stop = passed_over(&seen, &name, local.uid, options, &entry);
    if let Some(outcome) = stop {
        return Ok(outcome);
    }
    let Some(hash) = proven(token, local::hash(&files, user)?) else {
        return Ok(Outcome::Skipped("not proven to be the password of this user"));
    };
    let fresh = Realm::random()?;
    let mut stop = None;
    let written = options.store.change(WAIT, |database| {
        stop = passed_over(database, &name, local.uid, options, &entry);
        // Whoever changed the password since waits for the lock: that one is to be kept, not this.
        if stop.is_none() && !local::hash(&files, user).is_ok_and(|now| now.as_ref() == Some(&hash))
        {
            stop = Some(Outcome::Skipped("the password was changed meanwhile"));
        }
        if stop.is_some() {
            return Ok(false);
        }
        // What the stack says is the realm of the database: the digest service and the phones go by it.
        let realm = options.realm.as_ref();
        let realm = match (realm, database.realm()) {
            (Some(wanted), Some(known)) if *wanted == known => known,
            (None, Some(known)) => known,
            (wanted, _) => {
                let new = wanted.unwrap_or(&fresh).clone();
                database.set_realm(&new);
                new
            }
        };
        database.put(&entry(&realm)).map(|()| true)
    })?;
    Ok(stop.unwrap_or(Outcome::Kept { path: written.path, instead: written.instead }))
}

/// Why there is nothing to be written.
fn passed_over(
    database: &Database,
    name: &Name,
    uid: u32,
    options: &Options,
    entry: &dyn Fn(&Realm) -> Entry,
) -> Option<Outcome> {
    // Under the same name and another number it was somebody else's.
    let old = database.entry(name).filter(|old| old.uid == uid)?;
    if !old.source.follows_login() {
        return Some(Outcome::Skipped("the user has a separate password"));
    }
    let known = database.realm()?;
    let realm = options.realm.as_ref().unwrap_or(&known);
    if *realm != known {
        return None;
    }
    old.is_as_good_as(&entry(realm)).then_some(Outcome::Known)
}

/// The hash, if the token is what it was made of.
fn proven(token: &Token, hash: Option<Hash>) -> Option<Hash> {
    let hash = hash?;
    let setting = hash.setting()?;
    let made = ffi::crypt(token, setting)?;
    let same: bool = made.ct_eq(setting.to_bytes()).into();
    // crypt(3) answers a setting that it does not know with one that begins so.
    (same && made.first() != Some(&b'*')).then_some(hash)
}
