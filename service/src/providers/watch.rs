// SPDX-License-Identifier: GPL-3.0-or-later
//! Hears when a file in one of several folders changes (inotify(7)).
//!
//! Of a folder that is missing, the nearest above it that exists is watched until it comes.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, Inotify, WatchDescriptor},
};
use tokio::io::unix::AsyncFd;

use super::Folders;
use crate::lifecycle::watch::{Changes, Descriptor, descriptor};

/// Watches folders of providers.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: AsyncFd<Descriptor>,
    folders: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    folder: PathBuf,
    descriptor: WatchDescriptor,
    /// What is waited for where the folder is missing: the next part of its path.
    missing: Option<OsString>,
}

impl Watch {
    /// Watches folders, none of which need exist. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the system gives no more watches.
    pub(crate) fn new(folders: &Folders) -> io::Result<Self> {
        let inotify = descriptor()?;
        let watched = folders.iter().map(|folder| watch(&inotify.get_ref().0, folder));
        let folders = watched.collect::<io::Result<_>>()?;
        Ok(Self { inotify, folders })
    }

    /// Waits until something has changed. May be dropped and asked again without losing a change.
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
                if event.mask.intersects(AddWatchFlags::IN_Q_OVERFLOW) {
                    (is_changed, moved) = (true, true);
                    continue;
                }
                let gone = AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_MOVE_SELF;
                let is_lost = event.mask.intersects(gone);
                for watched in self.folders.iter().filter(|one| one.descriptor == event.wd) {
                    moved |= is_lost;
                    match &watched.missing {
                        Some(part) => moved |= event.name.as_ref() == Some(part),
                        None => {
                            let name = event.name.as_ref().map(|name| name.to_string_lossy());
                            is_changed |= name.is_some_and(|name| name.ends_with(".toml"));
                        }
                    }
                }
            }
            if moved {
                self.watch_again()?;
            }
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
