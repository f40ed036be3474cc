// SPDX-License-Identifier: GPL-3.0-or-later
//! A system bus of a test's own, with a logind and a NetworkManager that do what the test says: no
//! machine is put to sleep for it.

use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use crate::program::new_home;
use crate::{Desk, PATIENCE, PrivateBus};

const LOGIND: &str = "org.freedesktop.login1";
const LOGIND_PATH: &str = "/org/freedesktop/login1";
const LOGIND_INTERFACE: &str = "org.freedesktop.login1.Manager";
const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";
const NETWORK_MANAGER_PATH: &str = "/org/freedesktop/NetworkManager";

/// The bus and who is on it. All of it ends with this value.
#[derive(Debug)]
pub struct SystemBus {
    /// Where it listens.
    pub address: String,
    desk: Desk,
    locks: Locks,
    _bus: PrivateBus,
    _home: TempDir,
}

/// What was asked of logind: the kind of lock, and the end of a pipe that closes when it is given
/// back.
type Locks = Arc<Mutex<Vec<(String, PipeReader)>>>;

struct Logind(Locks);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(
        &self,
        what: &str,
        _who: &str,
        _why: &str,
        mode: &str,
    ) -> zbus::fdo::Result<zbus::zvariant::OwnedFd> {
        let failed = |error: std::io::Error| zbus::fdo::Error::Failed(error.to_string());
        let (ours, theirs) = std::io::pipe().map_err(failed)?;
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.push((format!("{mode} {what}"), ours));
        Ok(OwnedFd::from(theirs).into())
    }
}

impl SystemBus {
    /// A bus with both.
    ///
    /// # Errors
    /// There is no dbus-daemon.
    pub fn start() -> Result<Self> {
        let home = new_home()?;
        let bus = PrivateBus::start(home.path(), None)?;
        let desk = Desk::open(&bus.address)?;
        let locks = Locks::default();
        let serving = async {
            let connection = desk.connection();
            connection.object_server().at(LOGIND_PATH, Logind(Arc::clone(&locks))).await?;
            connection.request_name(LOGIND).await?;
            connection.request_name(NETWORK_MANAGER).await
        };
        desk.wait("the names of the system bus", serving)??;
        Ok(Self { address: bus.address.clone(), desk, locks, _bus: bus, _home: home })
    }

    /// Waits until somebody has sleep put off.
    ///
    /// # Errors
    /// Nobody does.
    pub fn has_lock(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            {
                let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
                if locks.iter().any(|(kind, lock)| kind == "delay sleep" && !is_closed(lock, 0)) {
                    return Ok(());
                }
            }
            ensure!(Instant::now() < deadline, "nobody has sleep put off");
            // Each call that arrives is served in another thread; this one asks the bus and is
            // answered after it.
            self.desk.wait("the bus", self.desk.name_comes(LOGIND))??;
        }
    }

    /// Says that the machine is about to sleep, and waits until nobody puts that off any more. Gives
    /// how long that took.
    ///
    /// # Errors
    /// Somebody puts it off for ever.
    pub fn falls_asleep(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.says(&prepare_for_sleep(true)?)?;
        let locks: Vec<_> = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.drain(..).collect()
        };
        let patience = u16::try_from(PATIENCE.as_millis()).context("a patience of seconds")?;
        for (kind, lock) in locks {
            ensure!(is_closed(&lock, patience), "{kind} is kept");
        }
        Ok(begin.elapsed())
    }

    /// Says that the machine is awake again.
    ///
    /// # Errors
    /// The bus has gone.
    pub fn wakes_up(&self) -> Result<()> {
        self.says(&prepare_for_sleep(false)?)
    }

    /// Says that the Internet is reached (NM_STATE_CONNECTED_GLOBAL).
    ///
    /// # Errors
    /// The bus has gone.
    pub fn is_connected(&self) -> Result<()> {
        let signal = zbus::Message::signal(NETWORK_MANAGER_PATH, NETWORK_MANAGER, "StateChanged")?;
        self.says(&signal.build(&(70_u32,))?)
    }

    fn says(&self, signal: &zbus::Message) -> Result<()> {
        Ok(self.desk.wait("a signal", self.desk.connection().send(signal))??)
    }
}

/// What logind says before and after sleep.
fn prepare_for_sleep(is_ahead: bool) -> zbus::Result<zbus::Message> {
    zbus::Message::signal(LOGIND_PATH, LOGIND_INTERFACE, "PrepareForSleep")?.build(&(is_ahead,))
}

/// Whether the other end of a pipe, to which nobody writes, is closed within so many milliseconds.
fn is_closed(pipe: &PipeReader, within: u16) -> bool {
    let mut ends = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut ends, PollTimeout::from(within)).is_ok_and(|ready| ready > 0)
}
