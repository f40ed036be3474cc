// SPDX-License-Identifier: GPL-3.0-or-later
//! A file for secrets in a folder: read only if nobody else could have put it there, written so that
//! it is the old one or the new one at any time. The folder is opened once, and everything is done
//! relative to it, so that a name that changes its meaning meanwhile changes nothing here.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Error, Hazard};
use crate::wiped::Wiped;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

const LARGEST_FILE: u64 = 64 << 20;
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A lock is asked for this often. Asking lets the wait have an end, which flock(2) alone has not.
const PATIENCE: Duration = Duration::from_millis(2);

/// Where a file is, or will be.
#[derive(Debug)]
pub(crate) struct Place {
    folder: File,
    path: PathBuf,
    name: OsString,
    owner: u32,
}

/// Held until it is dropped, and by no process that is gone.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

impl Place {
    /// Opens the folder. There is none: nothing.
    pub(crate) fn open(path: &Path, owner: u32) -> Result<Option<Self>, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::hazard(path, Hazard::NoFile));
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = match open(parent, flags, Mode::empty()) {
            Ok(folder) => File::from(folder),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => return Err(Error::hazard(parent, Hazard::Link)),
            Err(errno) => return Err(Error::io(parent, "opened", errno)),
        };
        let meta = folder.metadata().map_err(|error| Error::io(parent, "examined", error))?;
        if meta.uid() != owner {
            return Err(Error::hazard(parent, Hazard::Owner));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(Error::hazard(parent, Hazard::Mode));
        }
        Ok(Some(Self { folder, path: path.to_owned(), name: name.to_owned(), owner }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds. There is none: nothing.
    pub(crate) fn read(&self) -> Result<Option<Wiped>, Error> {
        let file = match self.open_in_it(&self.name, OFlag::O_RDONLY) {
            Ok(file) => file,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(Error::hazard(&self.path, Hazard::Link)),
            Err(errno) => return Err(Error::io(&self.path, "opened", errno)),
        };
        let size = self.examine(&file, &self.path)?;
        if size > LARGEST_FILE {
            return Err(Error::hazard(&self.path, Hazard::Size));
        }
        // Room for all and one more, so that it is not reallocated: what was left behind would not
        // be wiped.
        let room = usize::try_from(size).unwrap_or_default() + 1;
        let mut text = Wiped::with_capacity(room);
        file.take(size)
            .read_to_end(&mut text)
            .map_err(|error| Error::io(&self.path, "read", error))?;
        Ok(Some(text))
    }

    /// Waits until no other writes here.
    pub(crate) fn lock(&self, deadline: Instant) -> Result<Lock, Error> {
        let name = self.beside("lock");
        let path = self.path.with_file_name(&name);
        let file = match self.open_in_it(&name, OFlag::O_RDWR | OFlag::O_CREAT) {
            Ok(file) => file,
            Err(Errno::ELOOP) => return Err(Error::hazard(&path, Hazard::Link)),
            Err(errno) => return Err(Error::io(&path, "opened", errno)),
        };
        self.examine(&file, &path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(PATIENCE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Busy { path: self.path.clone() });
                }
                Err(TryLockError::Error(error)) => return Err(Error::io(&path, "locked", error)),
            }
        }
    }

    /// Puts a new file in the place of the old one. Whoever calls holds the lock.
    ///
    /// If only the last step fails, the new file is there, but a power cut may bring back the old one.
    pub(crate) fn replace(&self, text: &[u8], _lock: &Lock) -> Result<(), Error> {
        let new = self.beside("new");
        let path = self.path.with_file_name(&new);
        self.remove(&new, &path)?; // what a writer left that was killed
        let done = self.write(&new, text).map_err(|error| Error::io(&path, "written", error));
        let done = done.and_then(|()| {
            renameat(&self.folder, &*new, &self.folder, &*self.name)
                .map_err(|errno| Error::io(&self.path, "replaced", errno))
        });
        if done.is_err() {
            let _ = self.remove(&new, &path); // it was not to be: the first error is the one to tell
            return done;
        }
        match self.folder.sync_all() {
            // A file system that keeps no order of names to wait for.
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
            other => other.map_err(|error| Error::io(&self.path, "made to last", error)),
        }
    }

    fn write(&self, name: &OsStr, text: &[u8]) -> std::io::Result<()> {
        let create = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = self.open_in_it(name, create)?;
        // A program that runs as root for a user has the user's group, and the user's umask.
        fchown(&file, Some(self.owner), (self.owner == 0).then_some(0))?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text)?;
        file.sync_all()
    }

    fn remove(&self, name: &OsStr, path: &Path) -> Result<(), Error> {
        match unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::io(path, "removed", errno)),
        }
    }

    /// Neither follows a link, nor waits for the other end of a pipe, nor makes a terminal ours.
    fn open_in_it(&self, name: &OsStr, how: OFlag) -> Result<File, Errno> {
        let safe = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        openat(&self.folder, name, how | safe, PRIVATE).map(File::from)
    }

    /// Looks at what was opened, not at what is found under its name by now.
    fn examine(&self, file: &File, path: &Path) -> Result<u64, Error> {
        let meta = file.metadata().map_err(|error| Error::io(path, "examined", error))?;
        let hazard = if !meta.is_file() {
            Hazard::NoFile
        } else if meta.uid() != self.owner {
            Hazard::Owner
        } else if meta.mode() & 0o077 != 0 {
            Hazard::Mode
        } else if meta.nlink() > 1 {
            Hazard::SecondName
        } else {
            return Ok(meta.len());
        };
        Err(Error::hazard(path, hazard))
    }

    /// `.NAME.ENDING`, in the same folder: a rename crosses no file system.
    fn beside(&self, ending: &str) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(".");
        name.push(ending);
        name
    }
}
