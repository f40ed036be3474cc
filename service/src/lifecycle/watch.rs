// SPDX-License-Identifier: GPL-3.0-or-later
//! Hears when files change, without ever looking by itself (inotify(7)): one file, or all of some
//! folders that have an ending.
//!
//! Folders are watched and not files, because editors replace files. Of a folder that is missing, the
//! nearest above it that exists is watched until it comes: who begins with an empty home has none of
//! them.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
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

/// Watches files.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncFd<Descriptor>,
    folders: Vec<Watched>,
    files: Files,
}

/// Which files of a folder count.
#[derive(Debug)]
enum Files {
    Named(OsString),
    EndingWith(&'static str),
}

#[derive(Debug)]
struct Watched {
    folder: PathBuf,
    descriptor: WatchDescriptor,
    /// What is waited for where the folder is missing: the next part of its path.
    missing: Option<OsString>,
}

/// What the kernel needs to be asked for by number.
#[derive(Debug)]
struct Descriptor(Inotify);

/// A new one, which watches nothing yet. Needs a tokio runtime.
///
/// # Errors
///
/// If the system gives no more of them.
fn descriptor() -> io::Result<AsyncFd<Descriptor>> {
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
    /// If it has no name, or the system gives no more watches.
    pub fn file(file: &Path) -> io::Result<Self> {
        let parts = file.parent().zip(file.file_name());
        let (folder, name) = parts.ok_or(io::ErrorKind::InvalidInput)?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Self::new([folder], Files::Named(name.to_owned()))
    }

    /// Watches the files with an ending in folders, none of which need exist. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// If the system gives no more watches.
    pub fn folders<'a>(
        folders: impl IntoIterator<Item = &'a Path>,
        ending: &'static str,
    ) -> io::Result<Self> {
        Self::new(folders, Files::EndingWith(ending))
    }

    fn new<'a>(folders: impl IntoIterator<Item = &'a Path>, files: Files) -> io::Result<Self> {
        let inotify = descriptor()?;
        let watched = folders.into_iter().map(|folder| watch(&inotify.get_ref().0, folder));
        let folders = watched.collect::<io::Result<_>>()?;
        Ok(Self { inotify, folders, files })
    }

    /// Waits until a file has changed, come or gone. Several changes at once are told once. May be
    /// dropped and asked again without losing one.
    async fn until_changed(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.inotify.readable().await?;
            let events = match guard.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?)) {
                Ok(events) => events?,
                Err(_would_block) => continue,
            };
            let mut is_changed = false;
            let mut moved = false;
            for event in events {
                // When the kernel's queue overflows nobody knows what happened.
                if event.mask.intersects(AddWatchFlags::IN_Q_OVERFLOW) {
                    (is_changed, moved) = (true, true);
                    continue;
                }
                let gone = AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_MOVE_SELF;
                let is_lost = event.mask.intersects(gone);
                // A watch that we took away ourselves says so too (IN_IGNORED), and is none of these.
                for watched in self.folders.iter().filter(|one| one.descriptor == event.wd) {
                    moved |= is_lost;
                    match &watched.missing {
                        Some(part) => moved |= event.name.as_ref() == Some(part),
                        None => is_changed |= self.files.changed(&watched.folder, &event),
                    }
                }
            }
            if moved {
                self.watch_again()?;
            }
            // Between the making of a folder and our watching it, a file may have come into it.
            if moved || is_changed {
                return Ok(());
            }
        }
    }

    /// Watches what is there now. A folder above several of ours is one watch for all of them, so
    /// each is only taken away when none needs it any more.
    fn watch_again(&mut self) -> io::Result<()> {
        let inotify = &self.inotify.get_ref().0;
        let mut old = Vec::new();
        for watched in &mut self.folders {
            let new = watch(inotify, &watched.folder)?;
            old.push(std::mem::replace(watched, new).descriptor);
        }
        for descriptor in old {
            if self.folders.iter().all(|watched| watched.descriptor != descriptor) {
                // It may have gone by itself.
                let _ = inotify.rm_watch(descriptor);
            }
        }
        Ok(())
    }
}

impl Files {
    /// Whether an event in a folder is about a file that counts, and that can be read now.
    fn changed(&self, folder: &Path, event: &InotifyEvent) -> bool {
        let Some(name) = event.name.as_deref() else { return false };
        let counts = match self {
            Self::Named(wanted) => name == wanted,
            Self::EndingWith(ending) => name.as_encoded_bytes().ends_with(ending.as_bytes()),
        };
        // Whoever makes a file is still writing it, and its closing is told; a link is whole at once.
        counts
            && (!event.mask.intersects(AddWatchFlags::IN_CREATE) || !is_being_written(folder, name))
    }
}

fn is_being_written(folder: &Path, name: &OsStr) -> bool {
    let about = fs::symlink_metadata(folder.join(name));
    about.is_ok_and(|about| about.is_file() && about.nlink() == 1)
}

impl Changes for Watch {
    fn changed(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.until_changed()
    }
}

fn watch(inotify: &Inotify, folder: &Path) -> io::Result<Watched> {
    // One set for all, since the kernel has one watch for a folder, however it is come by.
    let flags = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    let mut missing = None;
    for there in folder.ancestors() {
        match inotify.add_watch(there, flags) {
            Ok(descriptor) => {
                return Ok(Watched { folder: folder.to_owned(), descriptor, missing });
            }
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => {
                missing = there.file_name().map(ToOwned::to_owned);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::NotFound.into())
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
            let mut watch = Watch::file(&file).unwrap();
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
            let mut watch = Watch::file(&file).unwrap();
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
    fn folders_that_come_one_after_the_other_are_heard() {
        run(async {
            let home = TempDir::new().unwrap();
            let folder = home.path().join(".config/sipwitch");
            let file = folder.join("rules.toml");
            let mut watch = Watch::file(&file).unwrap();
            fs::write(home.path().join("rules.toml"), "").unwrap();
            quiet(&mut watch).await;
            fs::create_dir(home.path().join(".config")).unwrap();
            changed(&mut watch).await;
            fs::create_dir(&folder).unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
            fs::write(&file, "").unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
        });
    }

    #[test]
    fn a_file_is_heard_when_it_is_whole_and_a_link_at_once() {
        run(async {
            let folder = TempDir::new().unwrap();
            let (file, other) = (folder.path().join("config.toml"), folder.path().join("other"));
            let mut watch = Watch::file(&file).unwrap();
            let being_written = fs::File::create(&file).unwrap();
            quiet(&mut watch).await;
            drop(being_written);
            changed(&mut watch).await;
            fs::rename(&file, &other).unwrap();
            changed(&mut watch).await;
            std::os::unix::fs::symlink(&other, &file).unwrap();
            changed(&mut watch).await;
            fs::remove_file(&file).unwrap();
            changed(&mut watch).await;
            fs::hard_link(&other, &file).unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
        });
    }

    #[test]
    fn files_of_other_endings_do_not_count() {
        run(async {
            let folder = TempDir::new().unwrap();
            let mut watch = Watch::folders([folder.path()], ".toml").unwrap();
            fs::write(folder.path().join("a.toml~"), "").unwrap();
            quiet(&mut watch).await;
            fs::write(folder.path().join("a.toml"), "").unwrap();
            changed(&mut watch).await;
            quiet(&mut watch).await;
        });
    }
}
