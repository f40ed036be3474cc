// SPDX-License-Identifier: GPL-3.0-or-later
//! Hears when the configuration file changes, without ever looking by itself (inotify(7)).
//!
//! The folder is watched and not the file, because editors replace files. If the folder is missing,
//! its parent is watched until it appears.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
};
use tokio::{io::unix::AsyncFd, sync::mpsc};

/// Something whose changes can be waited for.
pub(crate) trait Changes: Send + 'static {
    /// Waits until something has changed.
    ///
    /// # Errors
    ///
    /// If the system takes the watch away: changes are not heard any more.
    fn changed(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Has a task of its own wait for changes: whoever waits for much else besides asks a channel, and
/// not the system, each time round. Changes that nobody has taken yet are told once. A watch that is
/// lost is told to the log, with what follows from it.
pub(crate) fn told(mut watch: impl Changes, lost: &'static str) -> mpsc::Receiver<()> {
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            if let Err(error) = watch.changed().await {
                return tracing::warn!("{lost}: {error}");
            }
            // One that waits to be taken stands for this one too.
            if let Err(mpsc::error::TrySendError::Closed(())) = tell.try_send(()) {
                return;
            }
        }
    });
    told
}

/// The next change that is [`told`]; never, where none is heard any more.
pub(crate) async fn next(told: &mut Option<mpsc::Receiver<()>>) {
    if let Some(receiver) = told {
        if receiver.recv().await.is_some() {
            return;
        }
        *told = None;
    }
    std::future::pending().await
}

/// Watches one file.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncFd<Descriptor>,
    folder: PathBuf,
    name: OsString,
    watched: Watched,
}

/// What is really watched.
#[derive(Debug)]
enum Watched {
    Folder(WatchDescriptor),
    /// The folder is missing: its parent, for something of its name.
    Parent(WatchDescriptor),
}

/// What the kernel needs to be asked for by number.
#[derive(Debug)]
pub(crate) struct Descriptor(pub(crate) Inotify);

/// A new one, which watches nothing yet. Needs a tokio runtime.
///
/// # Errors
///
/// If the system gives no more of them.
pub(crate) fn descriptor() -> io::Result<AsyncFd<Descriptor>> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe, to make sure of what holds here: the descriptor is \
                  owned, never replaced, and closed after it was taken from the reactor"
    )]
    let inotify = AsyncFd::new(Descriptor(inotify))?;
    Ok(inotify)
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watch {
    /// Watches a file, which need not exist. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// If neither its folder nor that one's parent exists, or the system gives no more watches.
    pub fn new(file: &Path) -> io::Result<Self> {
        let parts = file.parent().zip(file.file_name());
        let (folder, name) = parts.ok_or(io::ErrorKind::InvalidInput)?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let inotify = descriptor()?;
        let watched = watch(&inotify.get_ref().0, folder)?;
        Ok(Self { inotify, folder: folder.to_owned(), name: name.to_owned(), watched })
    }

    /// Waits until the file has changed, come or gone. Several changes at once are told once. May
    /// be dropped and asked again without losing one.
    async fn until_changed(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.inotify.readable().await?;
            let events = match guard.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?)) {
                Ok(events) => events?,
                Err(_would_block) => continue,
            };
            let mut is_changed = false;
            let mut is_lost = false;
            let (Watched::Folder(current) | Watched::Parent(current)) = self.watched;
            for event in events {
                let overflows = event.mask.intersects(AddWatchFlags::IN_Q_OVERFLOW);
                // The watch that we took away ourselves says so too (IN_IGNORED): to take that for a
                // loss would go round for ever.
                if event.wd != current && !overflows {
                    continue;
                }
                is_lost |= event.mask.intersects(AddWatchFlags::IN_IGNORED)
                    || event.mask.intersects(AddWatchFlags::IN_MOVE_SELF);
                // When the kernel's queue overflows nobody knows what happened.
                is_changed |= overflows || event.name.as_deref() == Some(self.wanted());
            }
            let was_parent = matches!(self.watched, Watched::Parent(_));
            if is_lost || (was_parent && is_changed) {
                self.watch_again()?;
                // Between its making and our watching a file may have come into the folder.
                is_changed = true;
            }
            if is_changed {
                return Ok(());
            }
        }
    }

    fn wanted(&self) -> &OsStr {
        match &self.watched {
            Watched::Folder(_) => &self.name,
            Watched::Parent(_) => self.folder.file_name().unwrap_or_default(),
        }
    }

    fn watch_again(&mut self) -> io::Result<()> {
        let (Watched::Folder(old) | Watched::Parent(old)) = &self.watched;
        let inotify = &self.inotify.get_ref().0;
        // It may have gone by itself.
        let _ = inotify.rm_watch(*old);
        self.watched = watch(inotify, &self.folder)?;
        Ok(())
    }
}

impl Changes for Watch {
    fn changed(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.until_changed()
    }
}

fn watch(inotify: &Inotify, folder: &Path) -> io::Result<Watched> {
    let flags = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    match inotify.add_watch(folder, flags) {
        Ok(descriptor) => Ok(Watched::Folder(descriptor)),
        Err(Errno::ENOENT) => {
            let parent = folder.parent().ok_or(io::ErrorKind::NotFound)?;
            let flags =
                AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
            Ok(Watched::Parent(inotify.add_watch(parent, flags)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, future::Future, time::Duration};

    use tempfile::TempDir;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    async fn changed(watch: &mut Watch) {
        let deadline = Duration::from_secs(20);
        tokio::time::timeout(deadline, watch.changed()).await.expect("in time").unwrap();
    }

    /// Nothing is heard: everything written so far has been told.
    async fn quiet(watch: &mut Watch) {
        let heard = tokio::time::timeout(Duration::ZERO, watch.changed()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    #[test]
    fn a_file_written_replaced_and_removed_is_heard() {
        run(async {
            let folder = TempDir::new().unwrap();
            let file = folder.path().join("config.toml");
            let mut watch = Watch::new(&file).unwrap();
            fs::write(folder.path().join("other.toml"), "").unwrap();
            quiet(&mut watch).await;
            fs::write(&file, "[sip]").unwrap();
            changed(&mut watch).await;
            let draft = folder.path().join(".config.toml.swp");
            fs::write(&draft, "[log]").unwrap();
            quiet(&mut watch).await;
            fs::rename(&draft, &file).unwrap();
            changed(&mut watch).await;
            fs::remove_file(&file).unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
        });
    }

    #[test]
    fn a_folder_that_comes_later_is_heard() {
        run(async {
            let home = TempDir::new().unwrap();
            let folder = home.path().join("sipwitch");
            let file = folder.join("config.toml");
            let mut watch = Watch::new(&file).unwrap();
            fs::create_dir(home.path().join("other")).unwrap();
            quiet(&mut watch).await;
            fs::create_dir(&folder).unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
            fs::write(&file, "").unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
            // And goes, and comes again.
            fs::remove_dir_all(&folder).unwrap();
            changed(&mut watch).await;
            fs::create_dir(&folder).unwrap();
            changed(&mut watch).await;
            fs::write(&file, "").unwrap();
            changed(&mut watch).await;
        });
    }

    #[test]
    fn nothing_to_watch_is_an_error() {
        run(async {
            let home = TempDir::new().unwrap();
            assert!(Watch::new(&home.path().join("a/b/config.toml")).is_err());
        });
    }
}
