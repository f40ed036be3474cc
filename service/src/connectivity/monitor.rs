// SPDX-License-Identifier: GPL-3.0-or-later
//! The shell: hears hints, waits until they settle, looks, and tells what changed.

use std::time::Instant;

use futures_util::StreamExt;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{Change, Hint, Picture, Settling, hints, netlink::Netlink, system};

/// Whom to ask for hints beside the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// Nobody.
    Kernel,
    /// NetworkManager and logind, on the system bus, if they are there.
    SystemBus,
}

/// Watches the network of this machine.
#[derive(Debug)]
pub struct Monitor {
    picture: Picture,
    settling: Settling,
    netlink: Option<Netlink>,
    hints: mpsc::Receiver<Hint>,
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
        let (hints_in, hints_out) = mpsc::channel(16);
        let listener =
            (hints == Hints::SystemBus).then(|| tokio::spawn(listen(hints_in)).abort_handle());
        Self {
            picture: look(),
            settling: Settling::default(),
            netlink: netlink.ok(),
            hints: hints_out,
            listener,
        }
    }

    /// The network as it was looked at last, for a person.
    #[must_use]
    pub fn words(&self) -> String {
        self.picture.words()
    }

    /// Waits for the next change. May be given up at any time without losing one.
    pub async fn changed(&mut self) -> Change {
        loop {
            let deadline = self.settling.next_deadline();
            tokio::select! {
                heard = heard(&mut self.netlink) => match heard {
                    Ok(()) => self.settling.hint(Instant::now(), Hint::Network),
                    Err(error) => {
                        tracing::warn!(
                            "changes of the network are not seen by themselves any more: {error}"
                        );
                        self.netlink = None;
                    }
                },
                Some(hint) = self.hints.recv() => self.settling.hint(Instant::now(), hint),
                () = until(deadline) => {
                    let Some(due) = self.settling.handle_deadline(Instant::now()) else { continue };
                    let later = look();
                    let change = self.picture.change_to(&later, due.resumed);
                    self.picture = later;
                    if let Some(change) = change {
                        return change;
                    }
                }
            }
        }
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

async fn heard(netlink: &mut Option<Netlink>) -> std::io::Result<()> {
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
async fn listen(hints_in: mpsc::Sender<Hint>) {
    let heard = async {
        let bus = zbus::Connection::system().await?;
        let mut hints = hints::listen(&bus).await?;
        while let Some(hint) = hints.next().await {
            if hints_in.send(hint).await.is_err() {
                break;
            }
        }
        zbus::Result::Ok(())
    };
    if let Err(error) = heard.await {
        tracing::debug!("no hints about the network from the system bus: {error}");
    }
}
