// SPDX-License-Identifier: GPL-3.0-or-later
//! One service for one state: whoever holds the lock file owns the database.
//!
//! The kernel frees the lock when its holder ends, however it ends. The file stays: to remove it
//! would let two holders lock two files of one name.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::directories;

/// The name of the lock file in the state folder.
const NAME: &str = "sipwitchd.lock";

/// Held as long as the service runs.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

/// Why the service may not run here.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another service has the state.
    #[error(
        "sipwitchd runs already{} on the state in {state}: stop it first (systemctl --user stop \
         sipwitch), or give this one another state with --state",
        process_words(*.pid)
    )]
    Held {
        /// The state folder.
        state: PathBuf,
        /// The process that holds it, if it said so.
        pid: Option<u32>,
    },
    /// The file cannot be made or locked.
    #[error(
        "cannot lock the state with {path}: {source}; check the folder's permissions and the free space"
    )]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn process_words(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" as process {pid}"))
}

impl Lock {
    /// Takes the lock of a state folder, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// If another process has it, or the file cannot be used.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        let path = state.join(NAME);
        let wrong = |source| LockError::Io { path: path.clone(), source };
        directories::make_private(state).map_err(wrong)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(wrong)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // Only words for the other's error: a full disk does not stop a start.
                if let Err(error) = write_pid(&mut file) {
                    tracing::debug!("cannot write the process number to the lock file: {error}");
                }
                Ok(Self { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => {
                Err(LockError::Held { state: state.to_owned(), pid: read_pid(file) })
            }
            Err((_, error)) => Err(wrong(error.into())),
        }
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn read_pid(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_second_service_is_refused_with_the_process_of_the_first() {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("deep/state");
        let first = Lock::take(&state).unwrap();
        let error = Lock::take(&state).unwrap_err().to_string();
        let expected = format!("runs already as process {}", process::id());
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains(state.to_str().unwrap()), "{error}");
        drop(first);
        Lock::take(&state).unwrap();
    }

    #[test]
    fn a_lock_file_of_a_process_that_ended_is_no_obstacle() {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(NAME), "4194304 and more words than there should be")
            .unwrap();
        let _lock = Lock::take(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert_eq!(text, format!("{}\n", process::id()));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = Lock::take(&folder.path().join("file/state")).unwrap_err();
        assert!(error.to_string().contains("file/state/sipwitchd.lock"), "{error}");
    }
}
