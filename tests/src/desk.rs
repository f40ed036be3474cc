// SPDX-License-Identifier: GPL-3.0-or-later
//! A program on the bus: the contract's proxies, called from tests that block.

use std::cell::Cell;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::names::{BUS_NAME, CALL_INTERFACE, PHONE_INTERFACE, ROOT};
use sipwitch_dbus_interfaces::wire::{
    AccountState, CallState, CallSummary, DialOptions, ExtensionKind, ExtensionProperties,
    NoOptions,
};
use sipwitch_dbus_interfaces::{
    AccountProxy, CallProxy, ExtensionProxy, ObjectName, PhoneProxy, SipWitchProxy,
};
use tokio::runtime::{Builder, Handle};
use zbus::Connection;
use zbus::fdo::{ObjectManagerProxy, PropertiesProxy};
use zbus::proxy::CacheProperties;
use zbus::zvariant::OwnedObjectPath;

use crate::PATIENCE;

/// A connection to a bus.
#[derive(Debug)]
pub struct Desk {
    connection: Connection,
}

/// The runtime of all desks, with a thread that keeps it alive while the tests do something else.
fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a test has files and memory for a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Streams of signals start a task when they are dropped, wherever that happens: so this thread
/// stays in the runtime to its end.
fn enter_runtime() {
    thread_local! {
        static ENTERED: Cell<bool> = const { Cell::new(false) };
    }
    if !ENTERED.replace(true) {
        std::mem::forget(runtime().enter());
    }
}

impl Desk {
    /// Connects to the bus at an address.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open(address: &str) -> Result<Self> {
        enter_runtime();
        let building = zbus::connection::Builder::address(address)?.build();
        let building = async { tokio::time::timeout(PATIENCE, building).await };
        let connection = runtime().block_on(building).context("the bus does not answer")??;
        Ok(Self { connection })
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
        enter_runtime();
        runtime()
            .block_on(async { tokio::time::timeout(within, future).await })
            .map_err(|_| anyhow!("{what} did not come in {within:?}"))
    }

    /// Has something go on beside the test.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        runtime().spawn(future);
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

    /// Waits until somebody has a name on the bus.
    ///
    /// # Errors
    /// The bus has gone.
    pub async fn name_comes(&self, name: &'static str) -> Result<()> {
        let bus = zbus::fdo::DBusProxy::new(&self.connection).await?;
        let mut changes = bus.receive_name_owner_changed_with_args(&[(0, name)]).await?;
        while !bus.name_has_owner(name.try_into()?).await? {
            changes.next().await.context("the bus has gone")?;
        }
        Ok(())
    }

    /// An account.
    ///
    /// # Errors
    /// The bus has gone.
    pub fn account(&self, id: &str) -> Result<AccountProxy<'static>> {
        let proxy = AccountProxy::builder(&self.connection)
            .path(ObjectName::Account(id.to_owned()).path())?;
        Ok(self.wait("the proxy of an account", proxy.build())??)
    }

    /// Waits until an account stands in one of these ways.
    ///
    /// # Errors
    /// It does not.
    pub fn account_is(&self, id: &str, wanted: &[AccountState]) -> Result<AccountState> {
        let account = self.account(id)?;
        let waiting = async {
            let mut states = account.receive_state_changed().await;
            while let Some(change) = states.next().await {
                let state = change.get().await?;
                if wanted.contains(&state) {
                    return Ok(state);
                }
            }
            anyhow::bail!("the bus has gone")
        };
        self.wait(&format!("{wanted:?} of {id}"), waiting)?
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
        // A program that leaves the bus leaves at once.
        let closing = self.connection.clone().close();
        let _ = runtime().block_on(async { tokio::time::timeout(PATIENCE, closing).await });
    }
}
