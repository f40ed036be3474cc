// SPDX-License-Identifier: GPL-3.0-or-later
//! Who asks: whether he may, and whether he is still there.

use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::Error;
use tokio::{sync::mpsc, task::AbortHandle};
use zbus::{
    Connection, MatchRule, MessageStream,
    fdo::DBusProxy,
    message::{Header, Type},
    names::{OwnedUniqueName, UniqueName},
    proxy::CacheProperties,
};

use crate::switchboard::ask::Ask;

/// The program that called a method.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    connection: &'a Connection,
    /// None on a connection without a bus.
    name: Option<&'a UniqueName<'a>>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(connection: &'a Connection, header: &'a Header<'a>) -> Self {
        let name = if connection.is_bus() { header.sender() } else { None };
        Self { connection, name }
    }

    /// Its unique name; none on a connection without a bus.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.map(|name| name.as_str())
    }

    /// Starts to watch whether the program stays. None on a connection without a bus.
    pub(super) async fn presence(&self) -> Result<Option<Presence>, Error> {
        let Some(name) = self.name else { return Ok(None) };
        let departure = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")?
            .interface("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .arg(0, name.as_str())?
            .build();
        let departures = MessageStream::for_match_rule(departure, self.connection, Some(1)).await?;
        // It may have left before we began to watch.
        if !bus(self.connection).await?.name_has_owner(name.clone().into()).await? {
            return Err(Error::NotAllowed(format!("{name} has left the bus")));
        }
        Ok(Some(Presence { name: name.to_owned().into(), departures }))
    }
}

/// A program on the bus, watched.
#[derive(Debug)]
pub(super) struct Presence {
    name: OwnedUniqueName,
    departures: MessageStream,
}

impl Presence {
    /// Its unique name, which the bus never gives again.
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Tells the switchboard when the program leaves.
    pub(super) fn report_to(mut self, asks: mpsc::Sender<Ask>) -> Watch {
        let owner = self.name().to_owned();
        let task = tokio::spawn(async move {
            // Either the one signal that the rule lets through, or the end of the bus.
            let _ = self.departures.next().await;
            let _ = asks.send(Ask::OwnerLeft { owner: self.name().to_owned() }).await;
        });
        Watch { owner, task: task.abort_handle() }
    }
}

/// Watches an owner as long as it lives itself.
#[derive(Debug)]
pub(super) struct Watch {
    owner: String,
    task: AbortHandle,
}

impl Watch {
    /// Who is watched.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who may ask.
#[derive(Debug)]
pub(super) enum Guard {
    /// Everyone on the bus, which is the user's own.
    Everyone,
    /// Root and this user.
    User(u32),
}

impl Guard {
    /// Root and the user of this process.
    pub(super) fn of_this_process() -> Self {
        Self::User(nix::unistd::geteuid().as_raw())
    }

    /// Refuses whom it must not let through.
    pub(super) async fn admit(&self, caller: &Caller<'_>) -> Result<(), Error> {
        let Self::User(ours) = *self else { return Ok(()) };
        let Some(name) = caller.name else {
            return Err(Error::NotAllowed("the caller has no name on the bus".into()));
        };
        let bus = bus(caller.connection).await?;
        match bus.get_connection_unix_user(name.clone().into()).await? {
            user if permits(ours, user) => Ok(()),
            user => Err(Error::NotAllowed(format!(
                "user {user} may not do this; ask root or user {ours}"
            ))),
        }
    }
}

const fn permits(ours: u32, user: u32) -> bool {
    user == 0 || user == ours
}

async fn bus(connection: &Connection) -> zbus::Result<DBusProxy<'_>> {
    DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await
}

#[cfg(test)]
mod tests {
    use super::permits;

    #[test]
    fn only_root_and_the_user_of_the_service_may_change_anything() {
        for (ours, user, may) in [
            (1000, 1000, true),
            (1000, 0, true),
            (1000, 1001, false),
            (0, 1000, false),
            (0, 0, true),
        ] {
            assert_eq!(permits(ours, user), may, "{user} asks {ours}");
        }
    }
}
