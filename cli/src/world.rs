// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service shows on the bus, as plain values.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sipwitch_dbus_interfaces::{ObjectName, names, wire::LegInfo};
use zbus::{
    fdo::ManagedObjects,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use crate::{output::clean, properties::Properties};

/// A call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Call {
    /// Its number on the bus.
    pub(crate) id: u64,
    /// `dialing`, `ringing`, …
    pub(crate) state: String,
    /// What was dialled.
    pub(crate) contact: String,
    /// Who calls.
    pub(crate) caller: String,
    /// The caller's name.
    pub(crate) caller_name: String,
    /// Who answered or rings.
    pub(crate) callee: String,
    /// The callee's name.
    pub(crate) callee_name: String,
    /// `phone` or `program`.
    pub(crate) origin: String,
    /// Why it goes this way.
    pub(crate) route: String,
    /// Whether it is on hold.
    pub(crate) held: bool,
    /// When it began.
    pub(crate) started_at_microseconds: u64,
    /// When it was answered; 0 if not yet.
    pub(crate) answered_at_microseconds: u64,
    /// Its legs.
    pub(crate) legs: Vec<Leg>,
}

/// One half of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Leg {
    /// `caller` or `callee`.
    pub(crate) role: String,
    /// `dialing`, `ringing`, …
    pub(crate) state: String,
    /// The extension or address.
    pub(crate) address: String,
    /// The phone, if it is one.
    pub(crate) phone: Option<u64>,
}

/// A registered phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Phone {
    /// Its number on the bus.
    pub(crate) id: u64,
    /// Its extension.
    pub(crate) extension: String,
    /// What it registered.
    pub(crate) contact: String,
    /// `udp`, `tcp`.
    pub(crate) transport: String,
    /// Where it is.
    pub(crate) address: String,
    /// Its program.
    pub(crate) user_agent: String,
    /// Its instance identity.
    pub(crate) instance_id: String,
    /// When it registered last.
    pub(crate) registered_at_microseconds: u64,
    /// When that runs out.
    pub(crate) expires_at_microseconds: u64,
}

/// An extension.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Extension {
    /// Its number or name.
    pub(crate) number: String,
    /// Its display name.
    pub(crate) name: String,
    /// `person`, `group`, `service`.
    pub(crate) kind: String,
    /// Members of a group.
    pub(crate) members: Vec<String>,
    /// Whether a password is set.
    pub(crate) has_password: bool,
    /// `password`, `login`.
    pub(crate) authentication: String,
    /// How it stands with the login password.
    pub(crate) login_state: String,
    /// The same for people.
    pub(crate) login_words: String,
    /// How long its phones ring.
    pub(crate) ring_seconds: u64,
    /// Its registered phones.
    pub(crate) phones: Vec<u64>,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Account {
    /// Its name in files and rules.
    pub(crate) id: String,
    /// Its name for people.
    pub(crate) title: String,
    /// The id of its provider; empty for a bare domain or a gateway.
    pub(crate) provider: String,
    /// The provider's name for people.
    pub(crate) provider_name: String,
    /// Under which others reach it.
    pub(crate) address: String,
    /// What the user answered.
    pub(crate) answers: BTreeMap<String, String>,
    /// What is otherwise than the provider says.
    pub(crate) settings: BTreeMap<String, String>,
    /// Whether it is wanted.
    pub(crate) enabled: bool,
    /// The extension or group that calls from outside reach.
    pub(crate) incoming: String,
    /// The extensions that may call by it.
    pub(crate) users: Vec<String>,
    /// Its place among the lines.
    pub(crate) order: u32,
    /// `registering`, `online`, …
    pub(crate) state: String,
    /// Why, in words.
    pub(crate) state_reason: String,
    /// `none`, or what is wrong with the certificate of its server.
    pub(crate) certificate_fault: String,
    /// What to do, in words.
    pub(crate) next_step: String,
    /// When it is tried again by itself.
    pub(crate) tries_again_at_microseconds: u64,
    /// When the registration runs out.
    pub(crate) registered_until_microseconds: u64,
    /// `udp`, `tcp`, `tls`, …
    pub(crate) transport: String,
    /// The server in use.
    pub(crate) server: String,
    /// What people see who are called by it.
    pub(crate) shows_as: String,
    /// How many messages wait at the provider.
    pub(crate) messages_waiting: u32,
    /// The same in words.
    pub(crate) messages_waiting_words: String,
    /// Where its password is.
    pub(crate) password_kept: String,
    /// The line it is.
    pub(crate) line: Option<Line>,
}

/// A way out of the house.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Line {
    /// Its name in files and rules.
    pub(crate) name: String,
    /// `account`, `trunk`, `gateway`, …
    pub(crate) kind: String,
    /// `yes`, `emergency-only`, `no`.
    pub(crate) usable: String,
    /// Why, in words.
    pub(crate) usable_reason: String,
    /// Whether text messages can be sent by it.
    pub(crate) messages: String,
    /// The domains in its own network.
    pub(crate) domains: Vec<String>,
    /// The country whose numbers are national there.
    pub(crate) region: String,
    /// Whether it takes emergency calls.
    pub(crate) emergency: String,
    /// The emergency numbers it knows.
    pub(crate) emergency_numbers: Vec<String>,
    /// What calls cost, in words.
    pub(crate) cost: String,
}

/// Everything below the root.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct World {
    /// The calls under way, oldest first.
    pub(crate) calls: Vec<Call>,
    /// The registered phones.
    pub(crate) phones: Vec<Phone>,
    /// The extensions.
    pub(crate) extensions: Vec<Extension>,
    /// The accounts, in the order in which the user has them.
    pub(crate) accounts: Vec<Account>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", untagged)]
pub(crate) enum Object {
    /// A call.
    Call(Call),
    /// A phone.
    Phone(Phone),
    /// An extension.
    Extension(Extension),
    /// An account.
    Account(Box<Account>),
}

impl World {
    /// What `GetManagedObjects` gave.
    pub(crate) fn of(objects: ManagedObjects) -> Self {
        let mut world = Self::default();
        for (path, interfaces) in objects {
            let line = interfaces
                .iter()
                .find(|(interface, _)| interface.as_str() == names::LINE_INTERFACE)
                .map(|(_, properties)| line_of(&Properties(copied(properties))));
            for (interface, properties) in interfaces {
                let properties = Properties(properties);
                match object_of(&path, interface.as_str(), &properties) {
                    Some(Object::Call(call)) => world.calls.push(call),
                    Some(Object::Phone(phone)) => world.phones.push(phone),
                    Some(Object::Extension(extension)) => world.extensions.push(extension),
                    Some(Object::Account(account)) => {
                        world.accounts.push(Account { line: line.clone(), ..*account });
                    }
                    None => {}
                }
            }
        }
        world.calls.sort_by_key(|call| call.id);
        world.phones.sort_by(|a, b| (&a.extension, a.id).cmp(&(&b.extension, b.id)));
        world.extensions.sort_by(|a, b| a.number.cmp(&b.number));
        world.accounts.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
        world
    }
}

/// The object that has this interface at this path.
pub(crate) fn object_of(path: &str, interface: &str, properties: &Properties) -> Option<Object> {
    match (ObjectName::from_path(path)?, interface) {
        (ObjectName::Call(id), names::CALL_INTERFACE) => {
            Some(Object::Call(call_of(id, properties)))
        }
        (ObjectName::Phone(id), names::PHONE_INTERFACE) => Some(Object::Phone(Phone {
            id,
            extension: properties.text("ExtensionNumber"),
            contact: properties.text("Contact"),
            transport: properties.text("Transport"),
            address: properties.text("Address"),
            user_agent: properties.text("UserAgent"),
            instance_id: properties.text("InstanceId"),
            registered_at_microseconds: properties.number("RegisteredAtMicroseconds"),
            expires_at_microseconds: properties.number("ExpiresAtMicroseconds"),
        })),
        (ObjectName::Extension(_), names::EXTENSION_INTERFACE) => {
            Some(Object::Extension(Extension {
                number: properties.text("Number"),
                name: properties.text("Name"),
                kind: properties.text("Kind"),
                members: properties.take("Members").unwrap_or_default(),
                has_password: properties.take("HasPassword").unwrap_or_default(),
                authentication: properties.text("Authentication"),
                login_state: properties.text("LoginState"),
                login_words: properties.text("LoginWords"),
                ring_seconds: properties.take::<u32>("RingSeconds").map_or(0, u64::from),
                phones: properties
                    .take::<Vec<OwnedObjectPath>>("Phones")
                    .unwrap_or_default()
                    .iter()
                    .filter_map(phone_number)
                    .collect(),
            }))
        }
        (ObjectName::Account(_), names::ACCOUNT_INTERFACE) => {
            Some(Object::Account(Box::new(account_of(properties))))
        }
        _ => None,
    }
}

fn account_of(properties: &Properties) -> Account {
    Account {
        id: properties.text("Id"),
        title: properties.text("Title"),
        provider: properties.text("Provider"),
        provider_name: properties.text("ProviderName"),
        address: properties.text("Address"),
        answers: properties.pairs("Answers"),
        settings: properties.pairs("Settings"),
        enabled: properties.take("Enabled").unwrap_or_default(),
        incoming: properties.text("Incoming"),
        users: properties.take("Users").unwrap_or_default(),
        order: properties.take("Order").unwrap_or_default(),
        state: properties.text("State"),
        state_reason: properties.text("StateReason"),
        certificate_fault: properties.text("CertificateFault"),
        next_step: properties.text("NextStep"),
        tries_again_at_microseconds: properties.number("TriesAgainAtMicroseconds"),
        registered_until_microseconds: properties.number("RegisteredUntilMicroseconds"),
        transport: properties.text("Transport"),
        server: properties.text("Server"),
        shows_as: properties.text("ShowsAs"),
        messages_waiting: properties.take("MessagesWaiting").unwrap_or_default(),
        messages_waiting_words: properties.text("MessagesWaitingWords"),
        password_kept: properties.text("PasswordKept"),
        line: None,
    }
}

fn line_of(properties: &Properties) -> Line {
    Line {
        name: properties.text("Name"),
        kind: properties.text("Kind"),
        usable: properties.text("Usable"),
        usable_reason: properties.text("UsableReason"),
        messages: properties.text("Messages"),
        domains: properties.take("Domains").unwrap_or_default(),
        region: properties.text("Region"),
        emergency: properties.text("Emergency"),
        emergency_numbers: properties.take("EmergencyNumbers").unwrap_or_default(),
        cost: properties.text("Cost"),
    }
}

fn copied(properties: &HashMap<String, OwnedValue>) -> HashMap<String, OwnedValue> {
    let copy = |value: &OwnedValue| value.try_clone().ok();
    properties.iter().filter_map(|(name, value)| Some((name.clone(), copy(value)?))).collect()
}

fn call_of(id: u64, properties: &Properties) -> Call {
    Call {
        id,
        state: properties.text("State"),
        contact: properties.text("Contact"),
        caller: properties.text("Caller"),
        caller_name: properties.text("CallerName"),
        callee: properties.text("Callee"),
        callee_name: properties.text("CalleeName"),
        origin: properties.text("Origin"),
        route: properties.text("Route"),
        held: properties.take("Held").unwrap_or_default(),
        started_at_microseconds: properties.number("StartedAtMicroseconds"),
        answered_at_microseconds: properties.number("AnsweredAtMicroseconds"),
        legs: properties
            .take::<Vec<LegInfo>>("Legs")
            .unwrap_or_default()
            .into_iter()
            .map(|leg| Leg {
                role: leg.role.to_string(),
                state: leg.state.to_string(),
                address: clean(&leg.address),
                phone: leg.phone.as_ref().and_then(phone_number),
            })
            .collect(),
    }
}

fn phone_number(path: &OwnedObjectPath) -> Option<u64> {
    match ObjectName::from_path(path.as_str()) {
        Some(ObjectName::Phone(id)) => Some(id),
        _ => None,
    }
}
