// SPDX-License-Identifier: GPL-3.0-or-later
//! The bus: translates between the switchboard and the contract in `dbus-interfaces/xml`.
//!
//! Each interface has its file, and does nothing but translate. Asks go to the switchboard through
//! the `desk`; what the switchboard tells is repeated by the `mirror`, the only place that adds
//! or removes objects and emits signals. Interface objects look at the mirror's snapshots and own
//! nothing.
//!
//! Invariants: objects are served before the name is taken. A reply comes after the objects and
//! properties show what it speaks of. No method takes its interface by `&mut`, so none can keep
//! another waiting. What clients can make us remember is bounded: a bounded number of asks, one
//! watch per call that a program owns, and notices in a ring that the slow lose.

mod account;
mod blocking;
mod call;
mod caller;
mod changes;
mod desk;
mod endpoint;
mod extension;
mod line;
mod media;
mod mirror;
mod options;
mod phone;
mod providers;
mod rules;
mod sipwitch;

use std::sync::Arc;

use sipwitch_dbus_interfaces::names;
use tokio::sync::{broadcast, mpsc};
use zbus::{
    Connection, connection,
    fdo::{self, RequestNameFlags},
};

use crate::{
    providers::Providers,
    switchboard::{ask::Ask, notice::Notice},
};

use caller::Guard;
use desk::Desk;
use mirror::Mirror;

pub use mirror::Gone;

/// Which bus to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum BusKind {
    /// The bus of the user's session.
    #[default]
    Session,
    /// The bus of the machine; only root and the user of the service may ask anything. Who may
    /// read properties and hear signals is for the bus's policy file to say.
    System,
    /// None: the service runs alone.
    None,
}

/// Why the bus cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no bus to connect to.
    #[error(
        "cannot reach the {0} bus: {1}; start the service inside a session, or with --bus none"
    )]
    NoBus(&'static str, #[source] zbus::Error),
    /// Somebody else has the name.
    #[error(
        "{name} is taken on this bus: another sipwitchd runs here; stop it first, or start with \
         --bus none",
        name = names::BUS_NAME
    )]
    NameTaken,
    /// The bus does not let us have the name.
    #[error("the bus refuses the name {name}: {0}", name = names::BUS_NAME)]
    NameRefused(#[source] zbus::Error),
    /// An object cannot be served.
    #[error("cannot serve objects on the bus: {0}")]
    Serve(#[source] zbus::Error),
    /// The switchboard has stopped.
    #[error("the switchboard stopped before the bus was served")]
    Stopped,
}

/// Connects to a bus, serves everything there is, and takes the name.
///
/// `notices` must be subscribed before the switchboard runs. None if no bus is wanted.
///
/// # Errors
///
/// No bus, no name, or no switchboard: see [`BusError`].
pub async fn open(
    kind: BusKind,
    asks: mpsc::Sender<Ask>,
    notices: broadcast::Receiver<Notice>,
    providers: Providers,
) -> Result<Option<Serving>, BusError> {
    let (name, builder, guard) = match kind {
        BusKind::Session => ("session", connection::Builder::session(), Guard::Everyone),
        BusKind::System => ("system", connection::Builder::system(), Guard::of_this_process()),
        BusKind::None => return Ok(None),
    };
    let no_bus = |error| BusError::NoBus(name, error);
    let connection = builder.map_err(no_bus)?.build().await.map_err(no_bus)?;
    let serving = serve(connection, guard, asks, notices, providers).await?;
    serving.take_name().await?;
    Ok(Some(serving))
}

/// Everything is served; the name is not taken.
async fn serve(
    connection: Connection,
    guard: Guard,
    asks: mpsc::Sender<Ask>,
    notices: broadcast::Receiver<Notice>,
    providers: Providers,
) -> Result<Serving, BusError> {
    let (desk, errands) = Desk::new(asks, guard);
    let server = connection.object_server();
    server.at(names::ROOT, fdo::ObjectManager).await.map_err(BusError::Serve)?;
    let mut mirror = Mirror::new(connection.clone(), Arc::new(desk), notices, errands, providers);
    mirror.fill().await?;
    Ok(Serving { connection, mirror })
}

/// The objects on the bus.
#[derive(Debug)]
pub struct Serving {
    connection: Connection,
    mirror: Mirror,
}

impl Serving {
    async fn take_name(&self) -> Result<(), BusError> {
        let flags = RequestNameFlags::DoNotQueue.into();
        match self.connection.request_name_with_flags(names::BUS_NAME, flags).await {
            Ok(_) => Ok(()),
            Err(zbus::Error::NameTaken) => Err(BusError::NameTaken),
            Err(error) => Err(BusError::NameRefused(error)),
        }
    }

    /// Repeats what the switchboard tells, until one of the two ends is gone.
    pub async fn run(self) -> Gone {
        self.mirror.run().await
    }
}

#[cfg(test)]
mod tests;
