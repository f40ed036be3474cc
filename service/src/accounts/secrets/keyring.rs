// SPDX-License-Identifier: GPL-3.0-or-later
//! The keyring of the user's session (Secret Service API), by whichever program offers it.

use std::collections::HashMap;

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use zbus::{Connection, MatchRule, MessageStream, message::Type};
use zeroize::Zeroize as _;

use super::{Kept, Owner, SecretStore, Trouble};
use crate::secret::Secret;

/// What kind of secret it is, for programs that show keyrings.
const SCHEMA: &str = "org.gnutelephony.SipWitch.Account";
/// The bus name of keyrings.
const SERVICE: &str = "org.freedesktop.secrets";
/// Where keyrings have their objects.
const OBJECTS: &str = "/org/freedesktop/secrets";
/// The keyring that is used where none is the default yet.
const LABEL: &str = "Login";

/// The keyring; not connected to before it is needed, nor while nobody needs it.
#[derive(Default)]
pub(super) struct Keyring {
    open: Option<Open>,
}

/// A connection to the session bus.
struct Open {
    connection: Connection,
    /// None where nobody offers a keyring.
    service: Option<SecretService<'static>>,
    /// Signals of keyrings, and of their coming.
    signals: futures_util::stream::SelectAll<MessageStream>,
}

impl Keyring {
    /// The keyring, connected to if it is not.
    async fn service(&mut self) -> Result<&SecretService<'static>, Trouble> {
        if self.open.is_none() {
            self.open = Some(Open::new().await?);
        }
        let open = self.open.as_mut().ok_or(Trouble::Nobody)?;
        if open.service.is_none() {
            let connection = open.connection.clone();
            let service = SecretService::connect_with_existing(EncryptionType::Dh, connection);
            open.service = Some(service.await.map_err(trouble)?);
        }
        open.service.as_ref().ok_or(Trouble::Nobody)
    }

    async fn find(&mut self, owner: &Owner) -> Result<Option<Secret<String>>, Trouble> {
        let service = self.service().await?;
        let found = service.search_items(attributes(owner)).await.map_err(trouble)?;
        if let Some(item) = found.unlocked.first() {
            let bytes = item.get_secret().await.map_err(trouble)?;
            return match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(error) => {
                    error.into_bytes().zeroize();
                    Err(Trouble::Failed("what the keyring has is no text".into()))
                }
            };
        }
        if found.locked.is_empty() && !is_locked(service).await? {
            return Ok(None);
        }
        Err(Trouble::Locked)
    }

    async fn put(&mut self, owner: &Owner, secret: &Secret<String>) -> Result<(), Trouble> {
        let service = self.service().await?;
        match usual(service).await? {
            Some((collection, false)) => create(&collection, owner, secret).await?,
            // Where there is none, one has to be made: the user is asked as for unlocking.
            Some((_, true)) | None => return Err(Trouble::Locked),
        }
        // Those of another domain are not this account's any more.
        let found = service.search_items(of_account(&owner.account)).await.map_err(trouble)?;
        for item in &found.unlocked {
            let domain = item.get_attributes().await.map_err(trouble)?.remove("domain");
            if domain.as_deref() != Some(&*owner.domain) {
                item.delete().await.map_err(trouble)?;
            }
        }
        Ok(())
    }

    async fn take_away(&mut self, account: &str) -> Result<(), Trouble> {
        let service = self.service().await?;
        let found = service.search_items(of_account(account)).await.map_err(trouble)?;
        for item in &found.unlocked {
            Item::delete(item).await.map_err(trouble)?;
        }
        if found.locked.is_empty() && !is_locked(service).await? {
            return Ok(());
        }
        Err(Trouble::Locked)
    }
}

/// The keyring that is used where none is named, and whether it is locked; none if there is none.
async fn usual<'a>(
    service: &'a SecretService<'_>,
) -> Result<Option<(Collection<'a>, bool)>, Trouble> {
    let collection = match service.get_default_collection().await {
        Ok(collection) => collection,
        Err(Error::NoResult) => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    match collection.is_locked().await {
        Ok(is_locked) => Ok(Some((collection, is_locked))),
        // It has the name, and was never made.
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(trouble(error)),
    }
}

/// Whether the usual keyring is locked: then it may not even say what is in it.
async fn is_locked(service: &SecretService<'_>) -> Result<bool, Trouble> {
    Ok(usual(service).await?.is_some_and(|(_, is_locked)| is_locked))
}

fn is_absent(error: &Error) -> bool {
    let name = match error {
        Error::Zbus(error) => name_of(error),
        Error::ZbusFdo(error) => zbus::DBusError::name(error).to_string(),
        _ => return false,
    };
    matches!(
        name.as_str(),
        "org.freedesktop.DBus.Error.UnknownMethod" | "org.freedesktop.DBus.Error.UnknownObject"
    )
}

async fn create(
    collection: &Collection<'_>,
    owner: &Owner,
    secret: &Secret<String>,
) -> Result<(), Trouble> {
    let label = format!("SIP password for {}", owner.title);
    let bytes = secret.expose().as_bytes();
    let made = collection.create_item(&label, attributes(owner), bytes, true, "text/plain").await;
    made.map(drop).map_err(trouble)
}

fn of_account(account: &str) -> HashMap<&str, &str> {
    HashMap::from([("xdg:schema", SCHEMA), ("account-id", account)])
}

fn attributes(owner: &Owner) -> HashMap<&str, &str> {
    let mut attributes = of_account(&owner.account);
    attributes.insert("domain", &owner.domain);
    attributes
}

impl Open {
    async fn new() -> Result<Self, Trouble> {
        let connection = Connection::session().await.map_err(|_| Trouble::Nobody)?;
        let signals = [
            MatchRule::builder()
                .msg_type(Type::Signal)
                .sender(SERVICE)
                .and_then(|rule| rule.path_namespace(OBJECTS)),
            MatchRule::builder()
                .msg_type(Type::Signal)
                .sender("org.freedesktop.DBus")
                .and_then(|rule| rule.member("NameOwnerChanged"))
                .and_then(|rule| rule.arg(0, SERVICE)),
        ];
        let mut streams = Vec::new();
        for rule in signals {
            let rule = rule.map_err(|error| Trouble::Failed(error.to_string()))?.build();
            let stream = MessageStream::for_match_rule(rule, &connection, Some(8)).await;
            streams.push(stream.map_err(|error| Trouble::Failed(error.to_string()))?);
        }
        let signals = futures_util::stream::select_all(streams);
        Ok(Self { connection, service: None, signals })
    }

    /// Waits for a signal that may mean that a keyring was unlocked, or came.
    async fn changed(&mut self) {
        while let Some(message) = self.signals.next().await {
            let Ok(message) = message else { return };
            let header = message.header();
            match header.member().map(|member| member.as_str()) {
                Some("NameOwnerChanged") => {
                    // Its session went with it.
                    self.service = None;
                    return;
                }
                Some("PropertiesChanged" | "CollectionChanged" | "CollectionCreated") => return,
                _ => {}
            }
        }
        // The bus is gone.
        std::future::pending().await
    }
}

impl SecretStore for Keyring {
    fn kept(&self) -> Kept {
        Kept::Keyring
    }

    fn read<'a>(
        &'a mut self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Secret<String>>, Trouble>> {
        self.find(owner).boxed()
    }

    fn write<'a>(
        &'a mut self,
        owner: &'a Owner,
        secret: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        self.put(owner, secret).boxed()
    }

    fn remove<'a>(&'a mut self, account: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.take_away(account).boxed()
    }

    fn unlock(&mut self) -> BoxFuture<'static, Result<(), Trouble>> {
        let connection = self.open.as_ref().map(|open| open.connection.clone());
        async move {
            let connection = connection.ok_or(Trouble::Nobody)?;
            // No secret crosses this session, so there is nothing to encipher.
            let service = SecretService::connect_with_existing(EncryptionType::Plain, connection)
                .await
                .map_err(trouble)?;
            match usual(&service).await? {
                Some((collection, _)) => collection.unlock().await.map_err(trouble),
                None => {
                    service.create_collection(LABEL, "default").await.map(drop).map_err(trouble)
                }
            }
        }
        .boxed()
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        match &mut self.open {
            Some(open) => open.changed().boxed(),
            None => std::future::pending().boxed(),
        }
    }

    fn rest(&mut self) {
        self.open = None;
    }
}

/// What the trouble is. The words never have anything of what was to be kept.
fn trouble(error: Error) -> Trouble {
    match error {
        Error::Locked => Trouble::Locked,
        Error::Unavailable => Trouble::Nobody,
        Error::Prompt | Error::PromptDisconnected => {
            Trouble::Failed("the window that asks to unlock it was closed".into())
        }
        Error::Zbus(error) => of_bus(&error),
        Error::ZbusFdo(error) => of_bus(&zbus::Error::FDO(Box::new(error))),
        other => Trouble::Failed(format!("the keyring: {other}")),
    }
}

fn name_of(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(name, ..) => name.to_string(),
        zbus::Error::FDO(error) => zbus::DBusError::name(&**error).to_string(),
        _ => String::new(),
    }
}

fn of_bus(error: &zbus::Error) -> Trouble {
    match name_of(error).as_str() {
        "org.freedesktop.Secret.Error.IsLocked" => Trouble::Locked,
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound" => Trouble::Nobody,
        _ => Trouble::Failed(format!("the keyring: {error}")),
    }
}
