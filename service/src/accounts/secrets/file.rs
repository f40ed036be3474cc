// SPDX-License-Identifier: GPL-3.0-or-later
//! Passwords in a file that only its owner may read: for machines without a keyring, and only if
//! the configuration says so. Whoever has the file has the passwords.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Kept, Owner, SecretStore, Trouble};
use crate::{
    accounts::folder::write_private, lifecycle::directories::make_private, secret::Secret,
};

/// A larger file is none of ours.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// The file.
pub(super) struct PasswordFile {
    path: PathBuf,
    /// What was read of it, until it rests: it is read once for all accounts that begin together.
    read: Option<(Option<Stamp>, Content)>,
}

/// By which a file is known to be the one that was read.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        Self {
            file: (about.dev(), about.ino()),
            length: about.len(),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    passwords: BTreeMap<String, Row>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    domain: String,
    #[serde(with = "wiped")]
    password: Zeroizing<String>,
}

/// A text that is wiped when it is dropped.
mod wiped {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        text: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

impl PasswordFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, read: None }
    }

    /// What stands in the file now, read again only if it is another one.
    fn known(&mut self) -> Result<&Content, Trouble> {
        let now = fs::symlink_metadata(&self.path).ok().map(|about| Stamp::of(&about));
        let content = match self.read.take() {
            Some((then, content)) if then == now => content,
            // A change after the look is seen at the next one.
            _ => self.content()?,
        };
        Ok(&self.read.insert((now, content)).1)
    }

    fn content(&self) -> Result<Content, Trouble> {
        let wrong = |why: &dyn std::fmt::Display| {
            Trouble::Failed(format!("{} cannot be read: {why}", self.path.display()))
        };
        let text = match text(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) => return Err(wrong(&error)),
        };
        // The message of the reader would show the line, and so the password.
        toml::from_str(&text).map_err(|_| wrong(&"it is no file of passwords"))
    }

    fn change(&mut self, change: impl FnOnce(&mut Content)) -> Result<(), Trouble> {
        self.read = None;
        let mut content = self.content()?;
        change(&mut content);
        let text = toml::to_string(&content).map(Zeroizing::new);
        let failed = |why: &dyn std::fmt::Display| {
            Trouble::Failed(format!("{} cannot be written: {why}", self.path.display()))
        };
        let text = text.map_err(|error| failed(&error))?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        make_private(folder)
            .and_then(|()| write_private(&self.path, text.as_bytes()))
            .map_err(|error| failed(&error))
    }
}

fn text(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let about = file.metadata()?;
    if about.mode() & 0o077 != 0 {
        // Others could read it: too late for what is in it, in time for what will be.
        tracing::warn!(
            "{} could be read by others: its passwords should be changed",
            path.display()
        );
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    if about.len() > LARGEST_FILE {
        return Err(io::Error::other("it is too large"));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    Ok(text)
}

impl SecretStore for PasswordFile {
    fn kept(&self) -> Kept {
        Kept::File
    }

    fn read<'a>(
        &'a mut self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Secret<String>>, Trouble>> {
        let found = self.known().map(|content| {
            let row = content.passwords.get(&*owner.account);
            row.filter(|row| row.domain == *owner.domain)
                .map(|row| Secret::new(row.password.as_str().to_owned()))
        });
        async { found }.boxed()
    }

    fn write<'a>(
        &'a mut self,
        owner: &'a Owner,
        secret: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        let done = self.change(|content| {
            let (domain, password) = (owner.domain.to_string(), secret.expose().clone().into());
            content.passwords.insert(owner.account.to_string(), Row { domain, password });
        });
        async { done }.boxed()
    }

    fn remove<'a>(&'a mut self, account: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        let done = match self.content() {
            Ok(content) if content.passwords.contains_key(account) => {
                self.change(|content| drop(content.passwords.remove(account)))
            }
            other => other.map(drop),
        };
        async { done }.boxed()
    }

    fn unlock(&mut self) -> BoxFuture<'static, Result<(), Trouble>> {
        async { Ok(()) }.boxed()
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }

    fn rest(&mut self) {
        self.read = None;
    }
}
