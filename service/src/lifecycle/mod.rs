// SPDX-License-Identifier: GPL-3.0-or-later
//! What the system around the process says to it and hears from it: folders, the lock that keeps a
//! second service away, signals, the configuration file on disk, and the service manager.

pub mod addresses;
pub mod directories;
pub mod lock;
pub mod manager;
pub mod signals;
#[cfg(test)]
mod tests;
pub mod watch;

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

pub use self::{
    addresses::AddressFile,
    directories::{Directories, DirectoryError},
    lock::{Lock, LockError},
    signals::{Signal, Signals},
    watch::Watch,
};
use crate::switchboard::settings::Listening;

/// What is told where the configuration file is not watched any more.
const UNSEEN: &str = "changes of the configuration are not seen by themselves any more; use systemctl \
     --user reload sipwitch";

/// The life of the process, from the lock to the last word to the service manager. The lock is held
/// until this is dropped: drop it after the store is closed.
#[derive(Debug)]
pub struct Lifecycle {
    runtime: PathBuf,
    addresses: Option<AddressFile>,
    status: String,
    signals: Signals,
    /// Tells when the configuration file changes.
    changes: Option<mpsc::Receiver<()>>,
    _lock: Lock,
}

/// Why the service cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The state is not ours to have.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Signals cannot be heard.
    #[error("cannot hear signals: {0}")]
    Signals(#[source] io::Error),
}

/// The addresses cannot be published.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the addresses in use to {folder}: {source}; check its permissions and free space"
)]
pub struct PublishError {
    folder: PathBuf,
    source: io::Error,
}

impl Lifecycle {
    /// Takes the lock and the signals, and begins to watch the configuration file. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// If another service has the state, or the system refuses.
    pub fn begin(directories: &Directories, config_file: &Path) -> Result<Self, BeginError> {
        let lock = Lock::take(&directories.state)?;
        let signals = Signals::take().map_err(BeginError::Signals)?;
        allow_files();
        // Without it SIGHUP and the bus still reload.
        let watch = Watch::file(config_file).inspect_err(|error| {
            tracing::info!(
                "changes of {} are not seen by themselves: {error}",
                config_file.display()
            );
        });
        Ok(Self {
            runtime: directories.runtime.clone(),
            addresses: None,
            status: String::new(),
            signals,
            changes: watch.ok().map(|watch| watch::told(watch, UNSEEN)),
            _lock: lock,
        })
    }

    /// Waits for a signal or a change of the configuration file. May be dropped and asked again
    /// without losing one.
    pub async fn signal(&mut self) -> Signal {
        tokio::select! {
            biased;
            signal = self.signals.next() => signal,
            () = watch::next(&mut self.changes) => Signal::Reload,
        }
    }

    /// SIP is heard there: tells the service manager and whoever reads the runtime folder.
    ///
    /// # Errors
    ///
    /// If the runtime folder cannot be written. The service manager is told even so.
    pub fn ready(&mut self, listening: &[Listening]) -> Result<(), PublishError> {
        let addresses: Vec<String> = listening.iter().map(Listening::words).collect();
        self.status = format!("listening on {}", addresses.join(", "));
        manager::ready(&self.status);
        match AddressFile::write(&self.runtime, &addresses) {
            Ok(file) => {
                self.addresses = Some(file);
                Ok(())
            }
            Err(source) => Err(PublishError { folder: self.runtime.clone(), source }),
        }
    }

    /// The configuration is being read again; [`Lifecycle::reloaded`] must follow.
    pub fn reloading(&mut self) {
        manager::reloading();
    }

    /// The configuration was read, or refused.
    pub fn reloaded(&mut self) {
        manager::ready(&self.status);
    }

    /// Calls are being ended.
    pub fn stopping(&mut self) {
        manager::stopping();
    }

    /// SIP is not heard any more.
    pub fn ended(&mut self) {
        self.addresses = None;
    }
}

/// Each connection is an open file; the usual soft limit of 1024 is for programs that use
/// `select(2)`, which we do not.
fn allow_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}
