// SPDX-License-Identifier: GPL-3.0-or-later
//! The user's keyring, where some programs look for their password (Secret Service API 0.2).

use std::collections::HashMap;

use futures_util::StreamExt;
use zbus::{
    Connection, Proxy,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use crate::{failure::Failure, output::Output};

const KEYRING: &str = "org.freedesktop.secrets";
const SERVICE: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/aliases/default";

/// What a program asks the keyring for.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// For people.
    pub(super) label: String,
    /// By which it is found.
    pub(super) attributes: HashMap<&'a str, &'a str>,
}

/// Puts a password into the keyring, which may ask the user to unlock it.
///
/// # Errors
/// There is no keyring, or the user keeps it locked.
pub(super) async fn store(
    bus: &Connection,
    output: &Output,
    entry: Entry<'_>,
    password: &str,
) -> Result<(), Failure> {
    let put = put(bus, entry, password);
    match output.waiting("waiting for the keyring to be unlocked", put).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new("the keyring stays locked", "unlock it and try again")),
        Err(error) => Err(Failure::new(
            format!("the password cannot be put into the keyring: {error}"),
            "start a keyring (GNOME Keyring, KWallet), and have it make a default one",
        )),
    }
}

async fn put(bus: &Connection, entry: Entry<'_>, password: &str) -> zbus::Result<bool> {
    let service = Proxy::new(bus, KEYRING, SERVICE, "org.freedesktop.Secret.Service").await?;
    // Plain: the bus is the user's own, and so is all that listens there.
    let (_, session): (OwnedValue, OwnedObjectPath) =
        service.call("OpenSession", &("plain", Value::from(""))).await?;
    let default: OwnedObjectPath = service.call("ReadAlias", &"default").await?;
    if default.as_str() == "/" {
        return Err(zbus::Error::Failure("there is no default keyring".into()));
    }
    let (_, question): (Vec<OwnedObjectPath>, OwnedObjectPath) =
        service.call("Unlock", &(vec![default],)).await?;
    if !agreed(bus, &question).await? {
        return Ok(false);
    }
    let collection =
        Proxy::new(bus, KEYRING, COLLECTION, "org.freedesktop.Secret.Collection").await?;
    let properties = HashMap::from([
        ("org.freedesktop.Secret.Item.Label", Value::from(entry.label)),
        ("org.freedesktop.Secret.Item.Attributes", Value::from(entry.attributes)),
    ]);
    let secret = (session, Vec::<u8>::new(), password.as_bytes(), "text/plain");
    let (_, question): (OwnedObjectPath, OwnedObjectPath) =
        collection.call("CreateItem", &(properties, secret, true)).await?;
    agreed(bus, &question).await
}

/// Has the keyring ask the user what it wants to ask, if anything.
async fn agreed(bus: &Connection, question: &OwnedObjectPath) -> zbus::Result<bool> {
    if question.as_str() == "/" {
        return Ok(true);
    }
    let prompt = Proxy::new(bus, KEYRING, question, "org.freedesktop.Secret.Prompt").await?;
    let mut answers = prompt.receive_signal("Completed").await?;
    let () = prompt.call("Prompt", &"").await?;
    let gone = || zbus::Error::Failure("the keyring has gone".into());
    let (dismissed, _): (bool, OwnedValue) =
        answers.next().await.ok_or_else(gone)?.body().deserialize()?;
    Ok(!dismissed)
}
