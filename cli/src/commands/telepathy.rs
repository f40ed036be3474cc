// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch telepathy`: the account by which Telepathy's programs call through the service.
//!
//! It is kept by Mission Control, Telepathy's account manager, and made with its own means.

use std::{collections::HashMap, fs, os::unix::fs::DirBuilderExt as _, path::PathBuf};

use serde_json::json;
use zbus::{
    Connection,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use crate::{
    arguments::Telepathy,
    failure::Failure,
    output::{Mood, Output},
};

const MANAGER: &str = "org.freedesktop.Telepathy.AccountManager";
const MANAGER_PATH: &str = "/org/freedesktop/Telepathy/AccountManager";
const ACCOUNT: &str = "org.freedesktop.Telepathy.Account";
const ADDRESSING: &str = "org.freedesktop.Telepathy.Account.Interface.Addressing";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// What the paths of our accounts begin with: the connection manager and the protocol.
const OURS: &str = "/org/freedesktop/Telepathy/Account/sipwitch/tel/";
/// The addresses for which clients offer the account.
const SCHEMES: [&str; 3] = ["tel", "sip", "sips"];
/// Available, as clients write it.
const AVAILABLE: (u32, &str, &str) = (2, "available", "");

/// Connection_Status of an account that nothing is done for.
const DISCONNECTED: u32 = 2;

/// An account of ours.
struct Account {
    path: OwnedObjectPath,
    is_enabled: bool,
    /// Connection_Status.
    status: u32,
    error: String,
    /// The same for people.
    words: String,
}

/// Does what was asked.
///
/// # Errors
/// Mission Control is not there, or refuses.
pub(crate) async fn run(command: &Telepathy, output: &Output) -> Result<(), Failure> {
    let bus = Connection::session().await.map_err(|error| {
        Failure::unreachable(
            format!("there is no session bus: {error}"),
            "run this inside a desktop session, or under `dbus-run-session`",
        )
    })?;
    let desk = Desk { bus };
    match command {
        Telepathy::Setup => desk.set_up(*output).await,
        Telepathy::FirstUse => desk.first_use(*output).await,
        Telepathy::Status => desk.show(*output).await,
        Telepathy::Remove => desk.remove(*output).await,
    }
}

/// A way to Mission Control, which the bus starts if need be.
struct Desk {
    bus: Connection,
}

impl Desk {
    async fn call<B, T>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        values: &B,
    ) -> Result<T, Failure>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        T: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let called = self.bus.call_method(Some(MANAGER), path, Some(interface), method, values);
        match called.await {
            Ok(reply) => Ok(reply.body().deserialize()?),
            Err(zbus::Error::MethodError(name, _, _))
                if name == "org.freedesktop.DBus.Error.ServiceUnknown" =>
            {
                Err(Failure::unreachable(
                    "Mission Control, which keeps Telepathy's accounts, is not installed",
                    "install the package telepathy-mission-control-5",
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn accounts(&self) -> Result<Vec<Account>, Failure> {
        let all: HashMap<String, OwnedValue> =
            self.call(MANAGER_PATH, PROPERTIES, "GetAll", &MANAGER).await?;
        let mut accounts = Vec::new();
        for name in ["ValidAccounts", "InvalidAccounts"] {
            let Some(value) = all.get(name) else { continue };
            let paths = Vec::<ObjectPath<'_>>::try_from(value.clone()).unwrap_or_default();
            for path in paths.iter().filter(|path| path.starts_with(OURS)) {
                let said: HashMap<String, OwnedValue> =
                    self.call(path, PROPERTIES, "GetAll", &ACCOUNT).await?;
                accounts.push(Account::read(path, &said));
            }
        }
        Ok(accounts)
    }

    /// Makes the account, unless that was done before: whoever removed it does not want it back.
    async fn first_use(&self, output: Output) -> Result<(), Failure> {
        let made = Made::of_user()?;
        if made.is_noted() {
            output.line("this was done before: `sipwitch telepathy setup` does it again");
        } else if !self.has_mission_control().await? {
            output.line("Mission Control, which keeps Telepathy's accounts, is not installed");
        } else if !self.accounts().await?.is_empty() {
            made.note()?;
            output.line("there is an account");
        } else {
            self.set_up(output).await?;
        }
        Ok(())
    }

    /// Whether the bus knows Mission Control, without starting it.
    async fn has_mission_control(&self) -> Result<bool, Failure> {
        let bus = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        for method in ["ListNames", "ListActivatableNames"] {
            let reply = self.bus.call_method(Some(bus), path, Some(bus), method, &()).await?;
            let names: Vec<String> = reply.body().deserialize()?;
            if names.iter().any(|name| name == MANAGER) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn set_up(&self, output: Output) -> Result<(), Failure> {
        let there = self.accounts().await?;
        let (path, words) = match there.into_iter().next() {
            Some(account) => {
                for (name, value) in [
                    ("Enabled", Value::from(true)),
                    ("ConnectAutomatically", true.into()),
                    ("RequestedPresence", AVAILABLE.into()),
                ] {
                    let values = (ACCOUNT, name, value);
                    self.call::<_, ()>(&account.path, PROPERTIES, "Set", &values).await?;
                }
                (account.path, "the account was there, and is enabled")
            }
            None => (self.make().await?, "the account is made"),
        };
        for scheme in SCHEMES {
            let values = (scheme, true);
            self.call::<_, ()>(&path, ADDRESSING, "SetURISchemeAssociation", &values).await?;
        }
        Made::of_user()?.note()?;
        output.value(&json!({ "account": path.as_str() }));
        output.line(format!("{words}; it connects by itself, and `sipwitch telepathy` tells how"));
        Ok(())
    }

    async fn make(&self) -> Result<OwnedObjectPath, Failure> {
        let key = |name: &str| format!("{ACCOUNT}.{name}");
        let properties: HashMap<String, Value<'_>> = HashMap::from([
            (key("Enabled"), true.into()),
            (key("ConnectAutomatically"), true.into()),
            (key("AutomaticPresence"), AVAILABLE.into()),
            (key("RequestedPresence"), AVAILABLE.into()),
            (key("Icon"), "im-tel".into()),
            (key("Service"), "sipwitch".into()),
        ]);
        let parameters: HashMap<String, Value<'_>> = HashMap::new();
        let values = ("sipwitch", "tel", "SIP Witch", parameters, properties);
        self.call(MANAGER_PATH, MANAGER, "CreateAccount", &values).await
    }

    async fn show(&self, output: Output) -> Result<(), Failure> {
        let accounts = self.accounts().await?;
        let told: Vec<_> = accounts
            .iter()
            .map(|account| {
                json!({
                    "account": account.path.as_str(),
                    "enabled": account.is_enabled,
                    "state": account.state(),
                    "error": account.error,
                    "words": account.words,
                })
            })
            .collect();
        output.value(&told);
        for account in &accounts {
            let mood = if account.status == 0 { Mood::Good } else { Mood::Doubtful };
            let error = match (account.status, &*account.error, &*account.words) {
                (0, _, _) | (_, "", _) => String::new(),
                (_, error, "") => format!(": {error}"),
                (_, _, words) => format!(": {words}"),
            };
            output.line(format!("{}{error}", output.paint(mood, account.state())));
            if account.is_enabled && account.status == DISCONNECTED {
                output.line("`sipwitch telepathy setup` tries it again");
            }
        }
        if accounts.is_empty() {
            output.line("there is no account of SIP Witch: `sipwitch telepathy setup` makes one");
        }
        Ok(())
    }

    async fn remove(&self, output: Output) -> Result<(), Failure> {
        let accounts = self.accounts().await?;
        if accounts.is_empty() {
            return Err(Failure::new("there is no account of SIP Witch", ""));
        }
        for account in &accounts {
            self.call::<_, ()>(&account.path, ACCOUNT, "Remove", &()).await?;
            output.value(&json!({ "removed": account.path.as_str() }));
        }
        output.line("removed");
        Ok(())
    }
}

/// The note that the account was made once.
struct Made {
    file: PathBuf,
}

impl Made {
    fn of_user() -> Result<Self, Failure> {
        let folder = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let state = folder("XDG_STATE_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
            .ok_or_else(|| Failure::new("neither HOME nor XDG_STATE_HOME is set", ""))?;
        Ok(Self { file: state.join("sipwitch/telepathy-account-made") })
    }

    fn is_noted(&self) -> bool {
        self.file.exists()
    }

    fn note(&self) -> Result<(), Failure> {
        let mut folders = fs::DirBuilder::new();
        folders.recursive(true).mode(0o700);
        let noted = self.file.parent().map_or(Ok(()), |folder| folders.create(folder));
        noted.and_then(|()| fs::write(&self.file, "")).map_err(|error| {
            let file = self.file.display();
            Failure::new(format!("{file} cannot be written: {error}"), "see whose the folder is")
        })
    }
}

impl Account {
    fn read(path: &ObjectPath<'_>, said: &HashMap<String, OwnedValue>) -> Self {
        let status = said.get("ConnectionStatus").and_then(|value| value.downcast_ref().ok());
        let error = said.get("ConnectionError").and_then(|value| value.downcast_ref().ok());
        let enabled = said.get("Enabled").and_then(|value| value.downcast_ref().ok());
        let details = said.get("ConnectionErrorDetails").cloned();
        let details = details.map(HashMap::<String, OwnedValue>::try_from);
        let details = details.and_then(Result::ok).unwrap_or_default();
        let words = details.get("server-message").and_then(|value| value.downcast_ref().ok());
        Self {
            path: path.to_owned().into(),
            is_enabled: enabled.unwrap_or(false),
            // Disconnected, as long as nobody says otherwise.
            status: status.unwrap_or(DISCONNECTED),
            error: error.unwrap_or_default(),
            words: words.unwrap_or_default(),
        }
    }

    const fn state(&self) -> &'static str {
        match (self.is_enabled, self.status) {
            (false, _) => "disabled",
            (true, 0) => "connected",
            (true, 1) => "connecting",
            (true, _) => "disconnected",
        }
    }
}
