// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the file is, and the only way to change it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::database::Database;
use crate::error::{Error, Hazard};
use crate::place::{Lock, Place};

/// The file of the machine, and where it is kept if `/etc` cannot be written to.
///
/// **The second file, if it is there, is the database.** It begins as a copy of the first, when the
/// first could not be replaced, and whoever changes something is told ([`Written::instead`]). Root
/// goes back by moving it over the first.
#[derive(Clone, Debug)]
pub struct Store {
    first: PathBuf,
    second: Option<PathBuf>,
    owner: u32,
}

/// The database as it was at one moment.
pub struct Reading {
    /// What it holds; empty if there is no file yet.
    pub database: Database,
    /// The file.
    pub path: PathBuf,
}

/// What became of a change.
#[derive(Debug)]
pub struct Written {
    /// The file that holds the database now.
    pub path: PathBuf,
    /// Whether there was anything to change.
    pub changed: bool,
    /// Why it is not the file that it should be, when that was found out just now.
    pub instead: Option<Error>,
}

impl Store {
    /// The place that people look at.
    pub const FIRST: &str = "/etc/sipwitch.db";
    /// The place that can be written to on systems whose `/etc` cannot.
    pub const SECOND: &str = "/var/lib/sipwitch/sipwitch.db";

    /// The database of this machine, which belongs to root.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self { first: Self::FIRST.into(), second: Some(Self::SECOND.into()), owner: 0 }
    }

    /// This file, and no other if it cannot be written to.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { first: path.into(), second: None, owner: 0 }
    }

    /// Another file for when the first one cannot be written to. Its folder is made where it lacks.
    #[must_use]
    pub fn or_else(mut self, path: impl Into<PathBuf>) -> Self {
        self.second = Some(path.into());
        self
    }

    /// Whose the file and its folder must be, root's unless told.
    #[must_use]
    pub fn owned_by(mut self, uid: u32) -> Self {
        self.owner = uid;
        self
    }

    /// Reads it, as it was before or after any change that goes on.
    ///
    /// # Errors
    /// It is not safe, of a later version, or the system refuses. No file is no error.
    pub fn read(&self) -> Result<Reading, Error> {
        for path in self.second.iter().chain([&self.first]) {
            let Some(place) = Place::open(path, self.owner)? else { continue };
            if let Some(database) = database(&place)? {
                return Ok(Reading { database, path: path.clone() });
            }
        }
        Ok(Reading { database: Database::default(), path: self.first.clone() })
    }

    /// Changes it, with all other writers shut out. `change` says whether it changed anything; it is
    /// asked again, on another copy, if the first place turns out to be of no use.
    ///
    /// # Errors
    /// Nothing was written: other writers took longer than `wait`, what is there is not safe, the
    /// system refuses, or `change` did.
    pub fn change(
        &self,
        wait: Duration,
        mut change: impl FnMut(&mut Database) -> Result<bool, Error>,
    ) -> Result<Written, Error> {
        let deadline = Instant::now() + wait;
        if let Some(place) = self.second_in_use()? {
            return change_at(&place, None, None, deadline, &mut change);
        }
        let Some(first) = Place::open(&self.first, self.owner)? else {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::io(&self.first, "written", missing));
        };
        // The lock of the first place is held until all is done: who waits for it looks then whether
        // the second is in use.
        let (why, _held) = match first.lock(deadline) {
            Ok(lock) => {
                if let Some(place) = self.second_in_use()? {
                    return change_at(&place, None, None, deadline, &mut change);
                }
                match change_under(&first, None, &lock, &mut change) {
                    Err(error) if error.is_of_the_place() => (error, Some(lock)),
                    other => return other,
                }
            }
            // Where not even a lock can be made, nobody can write.
            Err(error) if error.is_of_the_place() => (error, None),
            Err(error) => return Err(error),
        };
        let Some(second) = &self.second else { return Err(why) };
        let place = self.make(second)?;
        change_at(&place, Some(&first), Some(why), deadline, &mut change)
    }

    fn second_in_use(&self) -> Result<Option<Place>, Error> {
        let Some(path) = &self.second else { return Ok(None) };
        let Some(place) = Place::open(path, self.owner)? else { return Ok(None) };
        Ok(place.read()?.is_some().then_some(place))
    }

    fn make(&self, path: &Path) -> Result<Place, Error> {
        if let Some(place) = Place::open(path, self.owner)? {
            return Ok(place);
        }
        let folder = path.parent().unwrap_or(path);
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io(folder, "made", error));
            }
            _ => {}
        }
        Place::open(path, self.owner)?.ok_or_else(|| Error::hazard(folder, Hazard::NoFile))
    }
}

/// The database of a place; none if there is no file.
fn database(place: &Place) -> Result<Option<Database>, Error> {
    let Some(text) = place.read()? else { return Ok(None) };
    let later = || Error::Later { path: place.path().to_owned() };
    Database::parse(text).ok_or_else(later).map(Some)
}

type Change<'a> = &'a mut dyn FnMut(&mut Database) -> Result<bool, Error>;

fn change_at(
    place: &Place,
    copy_of: Option<&Place>,
    instead: Option<Error>,
    deadline: Instant,
    change: Change<'_>,
) -> Result<Written, Error> {
    let lock = place.lock(deadline)?;
    let written = change_under(place, copy_of, &lock, change)?;
    Ok(Written { instead, ..written })
}

fn change_under(
    place: &Place,
    copy_of: Option<&Place>,
    lock: &Lock,
    change: Change<'_>,
) -> Result<Written, Error> {
    let mut found = database(place)?;
    if let (None, Some(other)) = (&found, copy_of) {
        found = database(other)?;
    }
    let mut database = found.unwrap_or_default();
    let changed = change(&mut database)?;
    if changed {
        place.replace(&database.into_bytes(), lock)?;
    }
    Ok(Written { path: place.path().to_owned(), changed, instead: None })
}
