// SPDX-License-Identifier: GPL-3.0-or-later
//! gnome-keyring-daemon, as it runs in a session without a screen.

use std::fs;

use anyhow::{Context, Result};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::program::{foreign, in_home};
use crate::{House, Program};

/// What the keyring is unlocked with.
const MASTER: &str = "the login password";
/// The bus name of keyrings.
const NAME: &str = "org.freedesktop.secrets";
/// The one keyring there is.
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// The label of an item, and its attributes in order.
pub type Labelled = (String, Vec<(String, String)>);

/// A keyring on the bus of a house, its files in the home of the house.
#[derive(Debug)]
pub struct Keyring {
    program: Program,
}

impl Keyring {
    /// Starts it as a session does for somebody who typed the password: unlocked, and made if there
    /// was none.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn unlocked(house: &House) -> Result<Self> {
        fs::write(house.home().join("master"), MASTER)?;
        Self::start(house, "--unlock < master")
    }

    /// Starts it as a session does for somebody who was let in without a password.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn locked(house: &House) -> Result<Self> {
        Self::start(house, "< /dev/null")
    }

    fn start(house: &House, how: &str) -> Result<Self> {
        let bus = house.bus.as_ref().context("the house has a bus")?;
        let program = foreign("gnome-keyring-daemon", "gnome-keyring")?;
        let program = program.display();
        let line = format!("exec {program} --foreground --components=secrets {how}");
        let mut command = in_home("sh", house.home());
        command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address).args(["-c", &line]);
        let program = Program::start("gnome-keyring-daemon", &mut command)?;
        house.desk().wait("the keyring", house.desk().name_comes(NAME))??;
        Ok(Self { program })
    }

    /// Unlocks it, as a program does that has asked the user.
    ///
    /// # Errors
    /// It refuses.
    pub fn unlock(&self, house: &House) -> Result<()> {
        let desk = house.desk();
        let unlocking = async {
            let at = |interface: &'static str| {
                zbus::Proxy::new(desk.connection(), NAME, "/org/freedesktop/secrets", interface)
            };
            let service = at("org.freedesktop.Secret.Service").await?;
            let (_, session): (OwnedValue, OwnedObjectPath) =
                service.call("OpenSession", &("plain", Value::from(""))).await?;
            let secret = (session, Vec::<u8>::new(), MASTER.as_bytes(), "text/plain");
            let own = at("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface").await?;
            let login = ObjectPath::try_from(LOGIN)?;
            own.call::<_, _, ()>("UnlockWithMasterPassword", &(login, secret)).await?;
            anyhow::Ok(())
        };
        desk.wait("an unlocked keyring", unlocking)?
    }

    /// What it holds: the label and the attributes of each item.
    ///
    /// # Errors
    /// It does not answer.
    pub fn items(&self, house: &House) -> Result<Vec<Labelled>> {
        let desk = house.desk();
        let looking = async {
            let bus = desk.connection();
            let object = |path: String, interface: &'static str| async move {
                zbus::Proxy::new(bus, NAME, path, interface).await
            };
            let login = object(LOGIN.to_owned(), "org.freedesktop.Secret.Collection").await?;
            let mut items = Vec::new();
            for path in login.get_property::<Vec<OwnedObjectPath>>("Items").await? {
                let item = object(path.to_string(), "org.freedesktop.Secret.Item").await?;
                let attributes: std::collections::HashMap<String, String> =
                    item.get_property("Attributes").await?;
                let mut attributes: Vec<_> = attributes.into_iter().collect();
                attributes.sort();
                items.push((item.get_property("Label").await?, attributes));
            }
            anyhow::Ok(items)
        };
        desk.wait("what the keyring holds", looking)?
    }

    /// Ends it and waits until it has.
    pub fn end(mut self) {
        self.program.end();
    }
}
