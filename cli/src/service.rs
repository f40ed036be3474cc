// SPDX-License-Identifier: GPL-3.0-or-later
//! Reaching the service.

use sipwitch_dbus_interfaces::{ObjectName, SipWitchProxy, names};
use zbus::{
    Connection,
    fdo::{ManagedObjects, ObjectManagerProxy, PropertiesProxy},
    names::InterfaceName,
    proxy::MethodFlags,
};

use crate::{failure::Failure, properties::Properties, standing::Standing, world::World};

/// A way to the service. The bus starts it if need be.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// The bus.
    pub(crate) connection: Connection,
    /// The service itself.
    pub(crate) proxy: SipWitchProxy<'static>,
}

impl Service {
    /// Connects to the session bus, or the system bus.
    ///
    /// # Errors
    /// There is no bus.
    pub(crate) async fn connect(system: bool) -> Result<Self, Failure> {
        let (bus, connected) = if system {
            ("system", Connection::system().await)
        } else {
            ("session", Connection::session().await)
        };
        let connection = connected.map_err(|error| {
            Failure::unreachable(
                format!("there is no {bus} bus: {error}"),
                "run this inside a desktop session, or under `dbus-run-session`",
            )
        })?;
        let proxy = SipWitchProxy::builder(&connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        Ok(Self { connection, proxy })
    }

    /// Everything the service shows.
    ///
    /// # Errors
    /// The service cannot be reached.
    pub(crate) async fn world(&self) -> Result<World, Failure> {
        let objects = self.objects().await?.get_managed_objects().await?;
        Ok(World::of(objects))
    }

    /// What the service says of itself, all at once: what it does not know makes nothing fail.
    ///
    /// # Errors
    /// The service cannot be reached.
    pub(crate) async fn standing(&self) -> Result<Standing, Failure> {
        let properties = PropertiesProxy::builder(&self.connection)
            .destination(names::BUS_NAME)?
            .path(ObjectName::Root.path())?
            .build()
            .await?;
        let interface =
            InterfaceName::from_static_str(names::SIPWITCH_INTERFACE).map_err(zbus::Error::from)?;
        let all = properties.get_all(interface).await?;
        Ok(Standing::of(&Properties(all)))
    }

    /// Everything the service shows, if it runs: looking does not start it.
    ///
    /// # Errors
    /// The bus failed.
    pub(crate) async fn world_if_there(&self) -> Result<Option<World>, Failure> {
        let objects = self.objects().await?;
        let asking: zbus::Result<Option<ManagedObjects>> = objects
            .inner()
            .call_with_flags("GetManagedObjects", MethodFlags::NoAutoStart.into(), &())
            .await;
        match asking {
            Ok(objects) => Ok(objects.map(World::of)),
            Err(zbus::Error::MethodError(name, ..)) if is_absent(name.as_str()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What tells of objects that come and go.
    ///
    /// # Errors
    /// The bus failed.
    pub(crate) async fn objects(&self) -> Result<ObjectManagerProxy<'static>, Failure> {
        Ok(ObjectManagerProxy::builder(&self.connection)
            .destination(names::BUS_NAME)?
            .path(ObjectName::Root.path())?
            .build()
            .await?)
    }
}

/// Nobody has the name, or who had it went before the answer.
fn is_absent(error: &str) -> bool {
    ["ServiceUnknown", "NameHasNoOwner", "NoReply"]
        .iter()
        .any(|name| error.strip_prefix("org.freedesktop.DBus.Error.") == Some(*name))
}
