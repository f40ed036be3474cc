// SPDX-License-Identifier: GPL-3.0-or-later
//! The folder of accounts.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    file::{AccountFile, Unreadable},
    word::AccountId,
};
use crate::lifecycle::directories::make_private;

/// More accounts than that are not read.
pub const MOST_ACCOUNTS: usize = 10_000;

/// What the name of each file ends with.
pub(super) const ENDING: &str = ".toml";

/// `accounts.d`, which need not exist.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// A file that is no account.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Refused {
    /// The account it would be, if its name is one.
    pub id: Option<AccountId>,
    /// File, line, and what is wrong.
    pub words: String,
}

/// What is in the folder.
#[derive(Debug, Default)]
pub struct Found {
    /// The accounts.
    pub accounts: BTreeMap<AccountId, AccountFile>,
    /// Files that are none.
    pub refused: Vec<Refused>,
}

impl Folder {
    /// The folder of a user, in the folder of all his configuration.
    #[must_use]
    pub fn of_user(config_home: &Path) -> Self {
        Self { path: config_home.join("sipwitch").join("accounts.d") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads everything.
    #[must_use]
    pub fn read(&self) -> Found {
        let mut found = Found::default();
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return found,
            Err(error) => {
                let words = format!("{}: {error}", self.path.display());
                found.refused.push(Refused { id: None, words });
                return found;
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(ENDING) && !name.starts_with('.'))
            .take(MOST_ACCOUNTS + 1)
            .collect();
        names.sort_unstable();
        if names.len() > MOST_ACCOUNTS {
            names.truncate(MOST_ACCOUNTS);
            let words = format!(
                "{}: more than {MOST_ACCOUNTS} files: the last ones are left out",
                self.path.display()
            );
            found.refused.push(Refused { id: None, words });
        }
        for name in names {
            let path = self.path.join(&name);
            let shown = path.display();
            let id = match name.trim_end_matches(ENDING).parse::<AccountId>() {
                Ok(id) => id,
                Err(why) => {
                    found.refused.push(Refused { id: None, words: format!("{shown}: {why}") });
                    continue;
                }
            };
            match AccountFile::load(&path) {
                Ok(file) => drop(found.accounts.insert(id, file)),
                Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let words = match error {
                        Unreadable::Wrong(mistake) => format!("{shown}:{mistake}"),
                        other => format!("{shown}: {other}"),
                    };
                    found.refused.push(Refused { id: Some(id), words });
                }
            }
        }
        found
    }

    /// Whether there is a file of this name, whatever is in it.
    #[must_use]
    pub fn has(&self, id: &AccountId) -> bool {
        self.file(id).symlink_metadata().is_ok()
    }

    /// Writes an account: wholly or not at all, and for its owner's eyes alone.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then nothing has changed.
    pub fn write(&self, id: &AccountId, text: &str) -> io::Result<()> {
        make_private(&self.path)?;
        write_private(&self.file(id), text.as_bytes())
    }

    /// Removes an account; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(&self, id: &AccountId) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn file(&self, id: &AccountId) -> PathBuf {
        self.path.join(format!("{id}{ENDING}"))
    }
}

/// Writes a file that only its owner may read: beside it first, then in its place, so that neither
/// a full disk nor the loss of power leaves half of it.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // What was begun is of no use; that it cannot be removed either is a smaller trouble.
        let _ = fs::remove_file(&draft);
    }
    written?;
    // The name is on disk when its folder is.
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft of an earlier life with our number.
    let _ = fs::remove_file(draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}
