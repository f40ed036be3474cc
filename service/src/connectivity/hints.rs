// SPDX-License-Identifier: GPL-3.0-or-later
//! What other programs on the system bus know of the network: NetworkManager, that it switched, and
//! logind, that the machine sleeps or slept. Both may be absent; nothing depends on them alone.
//!
//! Anybody may send signals on the system bus, so only those count that come from the owners of the
//! two names.

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::{
    Connection, Proxy,
    proxy::{CacheProperties, MethodFlags},
    zvariant::OwnedFd,
};

use super::Hint;

/// Name, object and interface.
type Place = (&'static str, &'static str, &'static str);

const NETWORK_MANAGER: Place = (
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
);
const LOGIND: Place =
    ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager");

/// NM_STATE_CONNECTED_GLOBAL: the Internet is reached, also where a portal kept it back before,
/// of which the kernel knows nothing.
const CONNECTED_GLOBAL: u32 = 70;

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// A reason to look.
    Hint(Hint),
    /// The machine is about to sleep.
    Sleeps,
    /// It does not sleep before this lock is closed, as long as logind has the patience.
    Lock(OwnedFd),
}

/// Hears what comes on this bus and tells it on, for as long as the bus stands and somebody listens.
///
/// # Errors
/// If the bus does not take the match rules.
pub async fn listen(system_bus: &Connection, tell: mpsc::Sender<Heard>) -> zbus::Result<()> {
    let logind = proxy(system_bus, LOGIND).await?;
    let manager = proxy(system_bus, NETWORK_MANAGER).await?;
    let mut sleeps = logind.receive_signal("PrepareForSleep").await?;
    let mut states = manager.receive_signal("StateChanged").await?;
    // Locks go with the logind that gave them.
    let mut owners = logind.receive_owner_changed().await?;
    let mut wants_lock = true;
    loop {
        if std::mem::take(&mut wants_lock)
            && let Some(lock) = lock(&logind).await
            && tell.send(Heard::Lock(lock)).await.is_err()
        {
            return Ok(());
        }
        let heard = tokio::select! {
            Some(signal) = sleeps.next() => match signal.body().deserialize::<bool>() {
                Ok(true) => Heard::Sleeps,
                Ok(false) => {
                    wants_lock = true;
                    Heard::Hint(Hint::Resumed)
                }
                Err(_) => continue,
            },
            Some(signal) = states.next() => match signal.body().deserialize::<u32>() {
                Ok(CONNECTED_GLOBAL) => Heard::Hint(Hint::Connected),
                Ok(_) => Heard::Hint(Hint::Network),
                Err(_) => continue,
            },
            Some(owner) = owners.next() => {
                wants_lock = owner.is_some();
                continue;
            }
            else => return Ok(()),
        };
        if tell.send(heard).await.is_err() {
            return Ok(());
        }
    }
}

async fn proxy(bus: &Connection, (name, path, interface): Place) -> zbus::Result<Proxy<'static>> {
    zbus::proxy::Builder::new(bus)
        .destination(name)?
        .path(path)?
        .interface(interface)?
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// Has sleep put off until we have left (systemd.directives, "Inhibitor Locks").
async fn lock(logind: &Proxy<'_>) -> Option<OwnedFd> {
    let what = ("sleep", "SIP Witch", "lines are taken off at their providers first", "delay");
    let flags = MethodFlags::NoAutoStart.into();
    match logind.call_with_flags("Inhibit", flags, &what).await {
        Ok(lock) => lock,
        Err(error) => {
            tracing::debug!("lines will not be taken off before the machine sleeps: {error}");
            None
        }
    }
}
