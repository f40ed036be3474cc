// SPDX-License-Identifier: GPL-3.0-or-later
//! Why the file could not be read or changed, by what can be done about it.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has to look at it: what is there may be a trap, or was left open to others.
    #[error("{path} {hazard}")]
    Unsafe {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        hazard: Hazard,
    },
    /// Others held the lock for the whole time that was allowed. Trying later may help.
    #[error("{path} is being written by another")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A later version of SIP Witch wrote it.
    #[error("{path} is of a later version")]
    Later {
        /// The file.
        path: PathBuf,
    },
    /// The change makes an entry that could not be read again.
    #[error("the entry is too long for a line")]
    TooLong,
    /// The system refuses.
    #[error("{path} cannot be {doing}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// What makes a file or its folder unfit for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hazard {
    /// A symbolic link.
    #[error("is a symbolic link")]
    Link,
    /// A folder, a pipe, a device.
    #[error("is no plain file")]
    NoFile,
    /// It can be reached by another name.
    #[error("has more than one name")]
    SecondName,
    /// Somebody else's.
    #[error("belongs to somebody else")]
    Owner,
    /// Others may read the file, or put something else into the folder.
    #[error("is open to others")]
    Mode,
    /// Nobody has so many users.
    #[error("is larger than 64 MiB")]
    Size,
}

impl Error {
    pub(crate) fn hazard(path: &Path, hazard: Hazard) -> Self {
        Self::Unsafe { path: path.to_owned(), hazard }
    }

    pub(crate) fn io(path: &Path, doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), doing, source: source.into() }
    }

    /// Whether the place can never be written to as it is, so that another one has to do: it is
    /// read-only, immutable, forbidden, or the file is a mount of its own, which rename cannot replace.
    ///
    /// A full disk is none of these: it may be freed, and two places are worse than an old digest.
    #[must_use]
    pub fn is_of_the_place(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(
            source.raw_os_error().map(Errno::from_raw),
            Some(Errno::EROFS | Errno::EACCES | Errno::EPERM | Errno::EBUSY | Errno::EXDEV)
        )
    }
}
