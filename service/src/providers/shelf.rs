// SPDX-License-Identifier: GPL-3.0-or-later
//! Which file of which folder counts.
//!
//! Folders are searched from the highest to the lowest. A file replaces all files of its name in
//! lower folders; an empty file, or a link to `/dev/null`, takes the provider away. A file that is
//! refused still replaces those below it: whoever put it there meant other facts than theirs, and
//! to follow theirs could send a password where it is not meant to go.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{LARGEST_FILE, Parsed, Provider, ProviderId};
use crate::config::Mistake;

/// The folder of providers inside each of ours.
const FOLDER: &str = "providers.d";
/// What the name of each file ends with.
pub(super) const ENDING: &str = ".toml";
/// More files than that, in all folders together, are not read.
pub const MOST_FILES: usize = 1000;

/// Folders with providers, the highest first. None of them need exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

/// A provider, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The provider.
    pub provider: Provider,
    /// Its file.
    pub origin: PathBuf,
    /// What in it is unknown here.
    pub warnings: Vec<Mistake>,
}

/// A file that is no provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub why: Unreadable,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Unreadable::Wrong(mistake) => write!(f, "{}:{mistake}", self.file.display()),
            why => write!(f, "{}: {why}", self.file.display()),
        }
    }
}

impl std::error::Error for Refused {}

/// Why a file is no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(String),
    /// It is a folder, a pipe, a device.
    #[error("is no ordinary file")]
    NoFile,
    /// It is too large to be one.
    #[error("is larger than {} KiB, too large for a provider", LARGEST_FILE / 1024)]
    TooLarge,
    /// There are too many.
    #[error("is one too many: more than {MOST_FILES} providers are not read")]
    TooMany,
    /// It says something wrong.
    #[error("{0}")]
    Wrong(Mistake),
}

/// Every provider there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Those that can be used.
    pub entries: BTreeMap<ProviderId, Arc<Entry>>,
    /// Files that cannot, in the order in which they were met.
    pub refused: Vec<Refused>,
}

impl Shelf {
    /// One provider: none if there is none.
    ///
    /// # Errors
    ///
    /// If its file is refused.
    pub fn one(&self, id: &ProviderId) -> Result<Option<Arc<Entry>>, Refused> {
        if let Some(entry) = self.entries.get(id) {
            return Ok(Some(Arc::clone(entry)));
        }
        let name = format!("{id}{ENDING}");
        let is_its =
            |refused: &&Refused| refused.file.file_name().is_some_and(|have| *have == *name);
        match self.refused.iter().find(is_its) {
            Some(refused) => Err(refused.clone()),
            None => Ok(None),
        }
    }
}

impl Folders {
    /// These folders, the highest first.
    #[must_use]
    pub const fn new(folders: Vec<PathBuf>) -> Self {
        Self(folders)
    }

    /// What the user says, the machine's owner, what is true until the next start, and what is
    /// installed: for the user, then in the order of `XDG_DATA_DIRS`.
    #[must_use]
    pub fn of_user(config_home: &Path, data: &[PathBuf]) -> Self {
        let fixed = [Path::new("/etc"), Path::new("/run")];
        let above = [config_home].into_iter().chain(fixed);
        let all = above.chain(data.iter().map(PathBuf::as_path));
        Self(all.map(|folder| folder.join("sipwitch").join(FOLDER)).collect())
    }

    /// The folders, the highest first.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    /// One provider, without looking at any other; none if there is none, or it was taken away.
    ///
    /// # Errors
    ///
    /// If its file is refused.
    pub fn find(&self, id: &ProviderId) -> Result<Option<Entry>, Refused> {
        let name = format!("{id}{ENDING}");
        for folder in self.iter() {
            let file = folder.join(&name);
            // A link that leads nowhere is there, and is an error.
            if file.symlink_metadata().is_ok() {
                return read(&file);
            }
        }
        Ok(None)
    }

    /// Every provider.
    #[must_use]
    pub fn read(&self) -> Shelf {
        let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut shelf = Shelf::default();
        for folder in self.iter() {
            for name in names(folder, &mut shelf.refused) {
                if files.len() < MOST_FILES {
                    files.entry(name).or_insert_with_key(|name| folder.join(name));
                } else if !files.contains_key(&name) {
                    // To say it once is enough.
                    let file = folder.join(name);
                    shelf.refused.push(Refused { file, why: Unreadable::TooMany });
                    break;
                }
            }
        }
        for file in files.into_values() {
            match read(&file) {
                Ok(Some(entry)) => {
                    shelf.entries.insert(entry.provider.id.clone(), Arc::new(entry));
                }
                Ok(None) => {}
                Err(refused) => shelf.refused.push(refused),
            }
        }
        shelf
    }
}

/// The names of the files of a folder that may be providers, in order.
fn names(folder: &Path, refused: &mut Vec<Refused>) -> Vec<String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let missing =
                matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
            if !missing {
                let why = Unreadable::Io(error.to_string());
                refused.push(Refused { file: folder.to_owned(), why });
            }
            return Vec::new();
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(ENDING) && !name.starts_with('.'))
        // One more than can be read, so that it is seen that there are too many.
        .take(2 * MOST_FILES)
        .collect();
    names.sort_unstable();
    names
}

/// One file; none if it takes the provider away.
fn read(file: &Path) -> Result<Option<Entry>, Refused> {
    let refuse = |why| Refused { file: file.to_owned(), why };
    let Some(text) = text(file).map_err(refuse)? else { return Ok(None) };
    let wrong = |mistake| refuse(Unreadable::Wrong(mistake));
    let Parsed { provider, warnings } = Provider::parse(&text).map_err(wrong)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    provider.check_file_name(&text, &name).map_err(wrong)?;
    Ok(Some(Entry { provider, origin: file.to_owned(), warnings }))
}

/// What is in a file; none if it masks those below it. Neither a large file nor a pipe is read.
fn text(file: &Path) -> Result<Option<String>, Unreadable> {
    let io = |error: io::Error| {
        Unreadable::Io(match error.kind() {
            io::ErrorKind::InvalidData => "it is no UTF-8 text".into(),
            _ => error.to_string(),
        })
    };
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file);
    let opened: File = opened.map_err(io)?;
    let about = opened.metadata().map_err(io)?;
    if about.file_type().is_char_device() && about.rdev() == libc::makedev(1, 3) {
        return Ok(None);
    }
    if !about.is_file() {
        return Err(Unreadable::NoFile);
    }
    if about.len() > LARGEST_FILE {
        return Err(Unreadable::TooLarge);
    }
    let mut text = String::new();
    let read = opened.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(io)?;
    // It may have grown meanwhile.
    if read as u64 > LARGEST_FILE {
        return Err(Unreadable::TooLarge);
    }
    Ok((!text.is_empty()).then_some(text))
}

/// Reads one file by itself, wherever it is.
///
/// # Errors
///
/// If it is refused; an empty file is, since it says nothing.
pub fn check(file: &Path) -> Result<Entry, Refused> {
    let nothing = || Refused { file: file.to_owned(), why: nothing() };
    read(file)?.ok_or_else(nothing)
}

/// Reads a text that may become a file of this name.
///
/// # Errors
///
/// If it would be refused.
pub fn check_text(text: &str, file_name: Option<&str>) -> Result<Parsed, Unreadable> {
    if text.is_empty() {
        return Err(nothing());
    }
    if text.len() as u64 > LARGEST_FILE {
        return Err(Unreadable::TooLarge);
    }
    let parsed = Provider::parse(text).map_err(Unreadable::Wrong)?;
    if let Some(name) = file_name {
        parsed.provider.check_file_name(text, name).map_err(Unreadable::Wrong)?;
    }
    Ok(parsed)
}

/// What is said of an empty file.
fn nothing() -> Unreadable {
    let words = "an empty file takes away the provider of its name, and is none".into();
    Unreadable::Wrong(Mistake { line: 1, column: 1, key: String::new(), words })
}
