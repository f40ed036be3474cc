// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole connection manager as a machine: messages of the bus in, messages out.
//!
//! Everything that arrives comes by [`Bridge::receive`], everything to be sent leaves by
//! [`Bridge::poll`], in an order that clients rely on. The service speaks to us in one stream, its
//! answers among its signals, so that nothing overtakes anything.

mod methods;

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use sipwitch_dbus_interfaces::names::{
    ACCOUNT_INTERFACE, BLOCKING_INTERFACE, BUS_NAME, ENDPOINT_INTERFACE,
};
use zbus::{
    Message,
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use crate::{
    connection::{Connection, Outcome, Reason},
    debug::Debug,
    definition::manager::MANAGER,
    error::Name,
    object::{ConnectionId, MANAGER_PATH},
    outbox::Outbox,
    protocol::MANAGER_BUS_NAME,
    reply::Reply,
    service::{self, Awaited, PRIMARY_OWNER},
};

/// The interfaces by which the service tells of its objects.
const OF_THE_HOUSE: [&str; 3] =
    ["org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties", BLOCKING_INTERFACE];
/// How long the process stays without a connection.
const LINGER: Duration = Duration::from_secs(5);

/// The connection manager.
#[derive(Debug)]
pub(crate) struct Bridge {
    outbox: Outbox,
    debug: Debug,
    connections: BTreeMap<ConnectionId, Connection>,
    /// The connections that are being made: their names are asked for.
    making: BTreeMap<ConnectionId, Connection>,
    /// When the process ends, if nobody connects before.
    ends_at: Option<Instant>,
    is_over: bool,
}

impl Bridge {
    /// A manager without a connection.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            outbox: Outbox::new(),
            debug: Debug::default(),
            connections: BTreeMap::new(),
            making: BTreeMap::new(),
            ends_at: Some(now + LINGER),
            is_over: false,
        }
    }

    /// Takes a message of the bus. `wall` is the time as seconds since 1970, for debuggers.
    pub(crate) fn receive(&mut self, message: &Message, now: Instant, wall: f64) {
        self.debug.now = wall;
        for connection in self.connections.values_mut() {
            connection.wall = wall;
        }
        match message.message_type() {
            Type::MethodCall => self.called(message, now),
            Type::MethodReturn | Type::Error => self.answered(message, now),
            Type::Signal => self.signalled(message, now),
        }
        self.linger(now);
    }

    /// Stays for a while when nobody needs it any more.
    fn linger(&mut self, now: Instant) {
        self.ends_at = match self.ends_at {
            _ if self.is_needed() => None,
            Some(at) => Some(at),
            None => Some(now + LINGER),
        };
    }

    fn is_needed(&self) -> bool {
        !self.connections.is_empty() || !self.making.is_empty()
    }

    /// A connection, and where what it asks goes out.
    fn connection(&mut self, id: ConnectionId) -> Option<(&mut Connection, &mut Outbox)> {
        self.outbox.asks_for(id);
        Some((self.connections.get_mut(&id)?, &mut self.outbox))
    }

    /// The next message to be sent. Take them all before the next input.
    pub(crate) fn poll(&mut self) -> Option<Message> {
        self.outbox.poll()
    }

    /// When [`Self::handle_deadline`] has something to do. May change with every input.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let of_calls = self.connections.values().filter_map(Connection::next_deadline);
        self.ends_at.into_iter().chain(of_calls).min()
    }

    /// Does what is due. Calling it too early does nothing.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        if self.ends_at.is_some_and(|at| at <= now) {
            self.ends_at = None;
            // Whoever asks before the name is gone is still answered.
            self.outbox.give_back_name(MANAGER_BUS_NAME, Awaited::ManagerName);
        }
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in all {
            let Some((connection, outbox)) = self.connection(id) else { continue };
            let outcome = connection.handle_deadline(now, outbox);
            self.after(id, outcome);
            self.linger(now);
        }
    }

    /// Whether the process is to end.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// An answer to a call of ours.
    fn answered(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let awaited = header.reply_serial().and_then(|serial| self.outbox.awaited(serial));
        let Some((id, awaited)) = awaited else { return };
        match awaited {
            Awaited::Nothing => return,
            Awaited::UnwantedAccount => {
                let path: service::Answer<OwnedObjectPath> = service::read(message);
                if let Ok(path) = path {
                    self.outbox.remove_account(&path);
                }
                return;
            }
            Awaited::UnwantedPhone => {
                let path: service::Answer<OwnedObjectPath> = service::read(message);
                if let Ok(path) = path {
                    self.outbox.unregister(&path);
                }
                return;
            }
            Awaited::ManagerName => {
                self.is_over = !self.is_needed();
                if !self.is_over {
                    self.outbox.take_name(MANAGER_BUS_NAME, Awaited::Nothing);
                }
                return;
            }
            Awaited::ConnectionName(request) => {
                self.connection_name_known(id, &request, service::read(message));
                return;
            }
            _ => {}
        }
        let Some((connection, outbox)) = self.connection(id) else { return };
        let outcome = match awaited {
            Awaited::Domain => {
                connection.domain_known(service::read(message));
                Outcome::GoesOn
            }
            Awaited::Phone => {
                let path: service::Answer<OwnedObjectPath> = service::read(message);
                let sender = header.sender().map(ToString::to_string).unwrap_or_default();
                connection.phone_known(path.map(|path| path.to_string()), &sender, outbox, now)
            }
            Awaited::Account => {
                let path: service::Answer<OwnedObjectPath> = service::read(message);
                let sender = header.sender().map(ToString::to_string).unwrap_or_default();
                connection.account_known(path.map(|path| path.to_string()), &sender, outbox)
            }
            Awaited::AccountStands => {
                connection.account_stands(service::read(message), outbox, now)
            }
            Awaited::PasswordTaken => connection.password_taken(service::read(message), outbox),
            Awaited::ExtensionNumber => {
                connection.extension_number_known(service::read(message), outbox)
            }
            Awaited::Extension => connection.extension_known(service::read(message), outbox),
            Awaited::House => connection.house_known(service::read(message), outbox),
            Awaited::EmergencyNumbers => {
                connection.emergency_numbers_answered(service::read(message), outbox);
                Outcome::GoesOn
            }
            blocking @ (Awaited::BlockedCallers | Awaited::Blocked(..) | Awaited::Unblocked(_)) => {
                connection.blocking_answered(blocking, message, outbox);
                Outcome::GoesOn
            }
            Awaited::Unread => {
                connection.unread_known(service::read(message), outbox);
                Outcome::GoesOn
            }
            Awaited::Available(available) => {
                connection.available_known(service::read(message), available, outbox)
            }
            Awaited::Dialled(_)
            | Awaited::AnswerTaken(_)
            | Awaited::OfferNamed(_)
            | Awaited::Transferred(_)
            | Awaited::Texted(_)
            | Awaited::Past(_)
            | Awaited::Composing(_) => {
                connection.call_answered(&awaited, message, outbox, now);
                Outcome::GoesOn
            }
            Awaited::Nothing
            | Awaited::UnwantedPhone
            | Awaited::UnwantedAccount
            | Awaited::ManagerName
            | Awaited::ConnectionName(_) => Outcome::GoesOn,
        };
        self.after(id, outcome);
    }

    fn signalled(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let from_bus = header.sender().is_some_and(|sender| sender == "org.freedesktop.DBus");
        if from_bus && header.member().is_some_and(|member| member == "NameOwnerChanged") {
            let changed = message.body().deserialize::<(String, String, String)>();
            if let Ok((name, old, _)) = &changed
                && name == BUS_NAME
                && !old.is_empty()
            {
                let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
                for id in all {
                    let Some((connection, outbox)) = self.connection(id) else { continue };
                    let outcome = connection.service_gone(outbox, now);
                    self.after(id, outcome);
                }
            }
            if let Ok((name, _, new)) = &changed
                && new.is_empty()
            {
                let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
                for id in all {
                    let Some((connection, outbox)) = self.connection(id) else { continue };
                    connection.program_gone(name, outbox, now);
                }
            }
        }
        let is_of_house =
            header.interface().is_some_and(|name| OF_THE_HOUSE.contains(&name.as_str()));
        if is_of_house {
            let path = header.path().map(ToString::to_string).unwrap_or_default();
            let sender = header.sender().map(ToString::to_string).unwrap_or_default();
            let member = header.member().map(ToString::to_string).unwrap_or_default();
            let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
            for id in all {
                let Some((connection, outbox)) = self.connection(id) else { continue };
                if connection.is_service(&sender) {
                    connection.house_told(&path, &member, message, outbox);
                }
            }
        }
        if header.member().is_some_and(|member| member == "PropertiesChanged") {
            self.account_changed(message, now);
        }
        let is_for_phone = header.interface().is_some_and(|name| name == ENDPOINT_INTERFACE);
        if is_for_phone {
            let path = header.path().map(ToString::to_string).unwrap_or_default();
            let sender = header.sender().map(ToString::to_string).unwrap_or_default();
            let member = header.member().map(ToString::to_string).unwrap_or_default();
            // Anybody on the bus can send signals; only those of the service are its word.
            let told = |connection: &Connection| connection.is_our_phone(&path, &sender);
            let id = self.connections.iter().find(|(_, one)| told(one)).map(|(id, _)| *id);
            if let Some((connection, outbox)) = id.and_then(|id| self.connection(id)) {
                connection.told(&member, message, outbox, now);
                self.debug.note(&mut self.outbox, format!("the service said {member}"));
                // An account that was lost meanwhile was kept for the sake of what talked.
                if let Some((connection, outbox)) = id.and_then(|id| self.connection(id)) {
                    let outcome = connection.settle(outbox, now);
                    if let Some(id) = id {
                        self.after(id, outcome);
                    }
                }
            }
        }
    }

    /// The service says that an account is different.
    fn account_changed(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let path = header.path().map(ToString::to_string).unwrap_or_default();
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let is_its = |connection: &Connection| connection.is_our_account(&path, &sender);
        let id = self.connections.iter().find(|(_, one)| is_its(one)).map(|(id, _)| *id);
        let changed: Result<(String, HashMap<String, OwnedValue>, Vec<String>), _> =
            message.body().deserialize();
        if let (Some(id), Ok((interface, changed, _))) = (id, changed)
            && interface == ACCOUNT_INTERFACE
            && let Some((connection, outbox)) = self.connection(id)
        {
            let outcome = connection.account_stands(Ok(changed), outbox, now);
            self.after(id, outcome);
        }
    }

    /// What becomes of the connection after something happened to it.
    fn after(&mut self, id: ConnectionId, outcome: Outcome) {
        match outcome {
            Outcome::GoesOn => {}
            Outcome::Over => {
                self.connections.remove(&id);
                self.outbox.forget(id);
                self.outbox.give_back_name(&id.bus_name(), Awaited::Nothing);
                self.debug.note(&mut self.outbox, "the connection is over".into());
            }
        }
    }

    /// The user wants no connection any more.
    fn disconnect(&mut self, id: ConnectionId, now: Instant) {
        if let Some((connection, outbox)) = self.connection(id) {
            connection.end(Reason::Requested, outbox, now);
            self.after(id, Outcome::Over);
        }
    }

    fn connection_name_known(
        &mut self,
        id: ConnectionId,
        request: &Message,
        answer: service::Answer<u32>,
    ) {
        let header = request.header();
        let Some(connection) = self.making.remove(&id) else { return };
        let name = id.bus_name();
        if answer != Ok(PRIMARY_OWNER) {
            let words = format!("another program has the name {name}");
            self.outbox.answer(&header, Err(Name::NotAvailable.because(words)));
            return;
        }
        self.connections.insert(id, connection);
        self.debug.note(&mut self.outbox, "a connection was asked for".into());
        let values = (name.clone(), path(&id.path()), id.protocol().name().to_owned());
        self.outbox.signal_behind(MANAGER_PATH, &MANAGER, "NewConnection", values);
        let values = (name, path(&id.path()));
        self.outbox.answer(&header, Ok(Reply::of(values)));
    }
}

/// One of our own paths, as a value.
pub(crate) fn path(path: &str) -> zbus::zvariant::ObjectPath<'static> {
    zbus::zvariant::ObjectPath::from_string_unchecked(path.to_owned())
}
