// SPDX-License-Identifier: GPL-3.0-or-later
//! A program on the bus: the contract's proxies, called from tests that block.

use std::future::Future;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::names::{BUS_NAME, CALL_INTERFACE, PHONE_INTERFACE, ROOT};
use sipwitch_dbus_interfaces::wire::{
    CallState, CallSummary, DialOptions, ExtensionKind, ExtensionProperties, NoOptions,
};
use sipwitch_dbus_interfaces::{CallProxy, ExtensionProxy, PhoneProxy, SipWitchProxy};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use zbus::Connection;
use zbus::fdo::{ObjectManagerProxy, PropertiesProxy};
use zbus::proxy::CacheProperties;
use zbus::zvariant::OwnedObjectPath;

use crate::PATIENCE;

/// A connection to a bus, with a thread that keeps it alive while the test does something else.
#[derive(Debug)]
pub struct Desk {
    connection: Connection,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Connects to the bus at an address.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open(address: &str) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(stopped);
        });
        let building = zbus::connection::Builder::address(address)?.build();
        let connection = handle
            .block_on(async { tokio::time::timeout(PATIENCE, building).await })
            .context("the bus does not answer")??;
        Ok(Self { connection, handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Waits for what a future gives, with the patience of all tests.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> Result<T> {
        self.wait_within(PATIENCE, what, future)
    }

    /// Waits for what a future gives.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn wait_within<T>(
        &self,
        within: Duration,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T> {
        self.handle
            .block_on(async { tokio::time::timeout(within, future).await })
            .map_err(|_| anyhow!("{what} did not come in {within:?}"))
    }

    /// The connection itself.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The service; asking it anything activates it.
    ///
    /// # Errors
    /// The bus has gone.
    pub fn service(&self) -> Result<SipWitchProxy<'static>> {
        let proxy = SipWitchProxy::builder(&self.connection).cache_properties(CacheProperties::No);
        Ok(self.wait("the proxy of the service", proxy.build())??)
    }

    /// A call.
    ///
    /// # Errors
    /// The bus has gone.
    pub fn call(&self, path: &OwnedObjectPath) -> Result<CallProxy<'static>> {
        let proxy = CallProxy::builder(&self.connection)
            .path(path.clone())?
            .cache_properties(CacheProperties::No);
        Ok(self.wait("the proxy of a call", proxy.build())??)
    }

    /// Makes an extension.
    ///
    /// # Errors
    /// The service refused.
    pub fn add_extension(&self, number: &str, password: Option<&str>) -> Result<OwnedObjectPath> {
        let properties = ExtensionProperties {
            password: password.map(str::to_owned),
            ..ExtensionProperties::default()
        };
        let service = self.service()?;
        Ok(self.wait("the reply to AddExtension", service.add_extension(number, &properties))??)
    }

    /// Makes and changes extensions by a table, and says how many of each.
    ///
    /// # Errors
    /// The service refused a line or all of it.
    pub fn import(&self, csv: &str) -> Result<(u32, u32)> {
        let service = self.service()?;
        let reply = service.import_extensions(csv, &NoOptions {});
        let (added, changed, refused) = self.wait("the reply to ImportExtensions", reply)??;
        ensure!(refused.is_empty(), "{refused:?}");
        Ok((added, changed))
    }

    /// Makes a group of extensions that ring together.
    ///
    /// # Errors
    /// The service refused.
    pub fn add_group(&self, number: &str, members: &[&str]) -> Result<OwnedObjectPath> {
        let properties = ExtensionProperties {
            kind: Some(ExtensionKind::Group),
            members: Some(members.iter().map(|&m| m.to_owned()).collect()),
            ..ExtensionProperties::default()
        };
        let service = self.service()?;
        Ok(self.wait("the reply to AddExtension", service.add_extension(number, &properties))??)
    }

    /// An extension.
    ///
    /// # Errors
    /// The bus has gone.
    pub fn extension(&self, path: &OwnedObjectPath) -> Result<ExtensionProxy<'static>> {
        let proxy = ExtensionProxy::builder(&self.connection)
            .path(path.clone())?
            .cache_properties(CacheProperties::No);
        Ok(self.wait("the proxy of an extension", proxy.build())??)
    }

    /// Rings the phones of `from`, then calls the contact.
    ///
    /// # Errors
    /// The service refused.
    pub fn dial(&self, from: &str, contact: &str) -> Result<OwnedObjectPath> {
        let options = DialOptions { from: Some(from.into()), ..DialOptions::default() };
        let service = self.service()?;
        Ok(self.wait("the reply to Dial", service.dial(contact, &options))??)
    }

    /// The calls of the past, newest first.
    ///
    /// # Errors
    /// The service refused.
    pub fn history(&self) -> Result<Vec<CallSummary>> {
        let service = self.service()?;
        Ok(self.wait("the reply to History", service.history(100, &NoOptions {}))??)
    }

    /// Waits until a call is in a state.
    ///
    /// # Errors
    /// It was not in time; the state it is in is named.
    pub fn call_is(&self, path: &OwnedObjectPath, wanted: CallState) -> Result<()> {
        let call = self.call(path)?;
        let properties =
            PropertiesProxy::builder(&self.connection).destination(BUS_NAME)?.path(path.clone())?;
        let waiting = async {
            let properties = properties.build().await?;
            let mut changes = properties.receive_properties_changed().await?;
            while call.state().await? != wanted {
                changes.next().await.context("the bus has gone")?;
            }
            anyhow::Ok(())
        };
        match self.wait(&format!("the state {wanted:?} of {path}"), waiting) {
            Ok(result) => result,
            Err(error) => {
                Err(error
                    .context(format!("the call is {:?}", self.wait("its state", call.state()))))
            }
        }
    }

    /// Waits until an extension has so many phones, and hands back their paths.
    ///
    /// # Errors
    /// It has not in time.
    pub fn phones(&self, number: &str, wanted: usize) -> Result<Vec<OwnedObjectPath>> {
        let (objects, path) = (ObjectManagerProxy::builder(&self.connection), ROOT);
        let objects = objects.destination(BUS_NAME)?.path(path)?;
        let waiting = async {
            let objects = objects.build().await?;
            let mut added = objects.receive_interfaces_added().await?;
            let mut removed = objects.receive_interfaces_removed().await?;
            loop {
                let all = objects.get_managed_objects().await?;
                let phones: Vec<_> = all
                    .into_iter()
                    .filter(|(_, interfaces)| {
                        let phone =
                            interfaces.iter().find(|(name, _)| name.as_str() == PHONE_INTERFACE);
                        phone
                            .and_then(|(_, properties)| properties.get("ExtensionNumber"))
                            .is_some_and(|value| {
                                value.downcast_ref::<&str>().is_ok_and(|found| found == number)
                            })
                    })
                    .map(|(path, _)| path)
                    .collect();
                if phones.len() == wanted {
                    return anyhow::Ok(phones);
                }
                tokio::select! {
                    _ = added.next() => {}
                    _ = removed.next() => {}
                }
            }
        };
        self.wait(&format!("{wanted} phones of {number}"), waiting)?
    }

    /// Forgets a phone.
    ///
    /// # Errors
    /// The service refused.
    pub fn forget(&self, phone: &OwnedObjectPath) -> Result<()> {
        let proxy = PhoneProxy::builder(&self.connection)
            .path(phone.clone())?
            .cache_properties(CacheProperties::No);
        let phone = self.wait("the proxy of a phone", proxy.build())??;
        Ok(self.wait("the reply to Remove", phone.remove())??)
    }

    /// The calls there are.
    ///
    /// # Errors
    /// The service has gone.
    pub fn calls(&self) -> Result<Vec<OwnedObjectPath>> {
        let objects =
            ObjectManagerProxy::builder(&self.connection).destination(BUS_NAME)?.path(ROOT)?;
        let asking = async { anyhow::Ok(objects.build().await?.get_managed_objects().await?) };
        let all = self.wait("the objects of the service", asking)??;
        Ok(all
            .into_iter()
            .filter(|(_, interfaces)| interfaces.keys().any(|name| name.as_str() == CALL_INTERFACE))
            .map(|(path, _)| path)
            .collect())
    }

    /// Waits until there are so many calls.
    ///
    /// # Errors
    /// There are not in time.
    pub fn calls_are(&self, wanted: usize) -> Result<Vec<OwnedObjectPath>> {
        let objects =
            ObjectManagerProxy::builder(&self.connection).destination(BUS_NAME)?.path(ROOT)?;
        let watching = async {
            let objects = objects.build().await?;
            anyhow::Ok((
                objects.receive_interfaces_added().await?,
                objects.receive_interfaces_removed().await?,
            ))
        };
        let (mut added, mut removed) = self.wait("the signals of the service", watching)??;
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let calls = self.calls()?;
            if calls.len() == wanted {
                return Ok(calls);
            }
            ensure!(
                std::time::Instant::now() < deadline,
                "{} calls where {wanted} were wanted",
                calls.len()
            );
            self.wait("a call that comes or goes", async {
                tokio::select! {
                    _ = added.next() => {}
                    _ = removed.next() => {}
                }
            })?;
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
