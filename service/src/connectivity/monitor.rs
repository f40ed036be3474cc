// SPDX-License-Identifier: GPL-3.0-or-later
//! The shell: hears hints, waits until they settle, looks, and tells what changed; and holds sleep
//! off while somebody has to leave first.

use std::time::Instant;

use tokio::{sync::mpsc, task::AbortHandle};
use zbus::zvariant::OwnedFd;

use super::{
    Change, Hint, Picture, Settling, Sleep,
    hints::{self, Heard},
    netlink::Netlink,
    settling::Look,
    sleep::Due,
    system,
};

/// Whom to ask for hints beside the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// Nobody.
    Kernel,
    /// NetworkManager and logind, on the system bus, if they are there.
    SystemBus,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The network was looked at.
    Looked(Looked),
    /// The machine is about to sleep. It waits a moment for [`Monitor::may_sleep`].
    Sleeps,
}

/// What was found when the network was looked at. The ways to single far ends may be others even
/// where nothing is told here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// What differs, if anything does that is of interest.
    pub change: Option<Change>,
    /// Whether somebody may be reached who could not be before.
    pub reaches_more: bool,
}

/// Watches the network of this machine.
#[derive(Debug)]
pub struct Monitor {
    picture: Picture,
    settling: Settling,
    sleep: Sleep,
    /// As long as it is held, the machine does not sleep.
    lock: Option<OwnedFd>,
    netlink: Option<Netlink>,
    heard: mpsc::Receiver<Heard>,
    listener: Option<AbortHandle>,
}

impl Monitor {
    /// Begins to watch. Needs a tokio runtime. Where the system does not tell of changes, none are
    /// told on, and the log says so.
    #[must_use]
    pub fn start(hints: Hints) -> Self {
        let netlink = Netlink::open().inspect_err(|error| {
            tracing::warn!("changes of the network are not seen by themselves: {error}");
        });
        let (tell, heard) = mpsc::channel(16);
        let listener =
            (hints == Hints::SystemBus).then(|| tokio::spawn(listen(tell)).abort_handle());
        Self {
            picture: look(),
            settling: Settling::default(),
            sleep: Sleep::default(),
            lock: None,
            netlink: netlink.ok(),
            heard,
            listener,
        }
    }

    /// The network as it was looked at last, for a person.
    #[must_use]
    pub fn words(&self) -> String {
        self.picture.words()
    }

    /// Whether the machine waits for [`Self::may_sleep`].
    #[must_use]
    pub const fn holds_sleep_off(&self) -> bool {
        self.sleep.is_put_off()
    }

    /// Nobody has to leave any more: the machine may sleep.
    pub fn may_sleep(&mut self) {
        self.sleep.may_come(Instant::now());
        self.lock = None;
    }

    /// Waits for the next news. May be given up at any time without losing one.
    pub async fn news(&mut self) -> News {
        loop {
            let deadline = [self.settling.next_deadline(), self.sleep.next_deadline()];
            tokio::select! {
                heard = changed(&mut self.netlink) => match heard {
                    Ok(()) => self.hint(Hint::Network),
                    Err(error) => {
                        tracing::warn!(
                            "changes of the network are not seen by themselves any more: {error}"
                        );
                        self.netlink = None;
                    }
                },
                Some(heard) = self.heard.recv() => match heard {
                    Heard::Hint(hint) => self.hint(hint),
                    Heard::Lock(lock) => self.lock = Some(lock),
                    Heard::Sleeps if self.sleep.comes(Instant::now()) => {
                        tracing::info!("the machine is about to sleep");
                        // It is looked at anyhow when it wakes up.
                        self.settling = Settling::default();
                        return News::Sleeps;
                    }
                    Heard::Sleeps => {}
                },
                () = until(deadline.into_iter().flatten().min()) => {
                    let now = Instant::now();
                    match self.sleep.handle_deadline(now) {
                        Some(Due::Sleeps) => self.lock = None,
                        Some(Due::Awake) => self.hint(Hint::Resumed),
                        None => {}
                    }
                    if let Some(due) = self.settling.handle_deadline(now) {
                        return News::Looked(self.look(due));
                    }
                }
            }
        }
    }

    /// A reason to look. On the way to sleep there is none: the interfaces go down one by one.
    fn hint(&mut self, hint: Hint) {
        if hint == Hint::Resumed {
            self.sleep.is_over();
        }
        if self.sleep == Sleep::Awake {
            self.settling.hint(Instant::now(), hint);
        }
    }

    fn look(&mut self, due: Look) -> Looked {
        let later = look();
        let change = self.picture.change_to(&later, due.resumed);
        let reaches_more = due.connected
            || self.picture.routes != later.routes
            || change.as_ref().is_some_and(|change| !change.new.is_empty());
        self.picture = later;
        Looked { change, reaches_more }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// What cannot be looked at is not there.
fn look() -> Picture {
    system::look()
        .inspect_err(|error| tracing::warn!("the network cannot be looked at: {error}"))
        .unwrap_or_default()
}

async fn changed(netlink: &mut Option<Netlink>) -> std::io::Result<()> {
    match netlink {
        Some(netlink) => netlink.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Hands on what the system bus says. Its absence is no fault: the kernel is heard as well.
async fn listen(tell: mpsc::Sender<Heard>) {
    let heard = async {
        let bus = zbus::Connection::system().await?;
        hints::listen(&bus, tell).await
    };
    if let Err(error) = heard.await {
        tracing::debug!("no hints about the network from the system bus: {error}");
    }
}
