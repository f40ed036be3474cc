// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole connection manager as a machine: messages of the bus in, messages out.
//!
//! Everything that arrives comes by [`Bridge::receive`], everything to be sent leaves by
//! [`Bridge::poll`], in an order that clients rely on. The service speaks to us in one stream, its
//! answers among its signals, so that nothing overtakes anything.

mod methods;

use std::time::{Duration, Instant};

use sipwitch_dbus_interfaces::names::{BUS_NAME, ENDPOINT_INTERFACE};
use zbus::{Message, message::Type};

use crate::{
    connection::{Connection, Outcome, Reason},
    debug::Debug,
    definition::manager::MANAGER,
    error::Name,
    object::{CONNECTION_PATH, MANAGER_PATH},
    outbox::Outbox,
    protocol::{CONNECTION_BUS_NAME, MANAGER_BUS_NAME, PROTOCOL_NAME},
    reply::Reply,
    service::{self, Awaited, PRIMARY_OWNER},
};

/// How long the process stays without a connection.
const LINGER: Duration = Duration::from_secs(5);

/// The connection manager.
#[derive(Debug)]
pub(crate) struct Bridge {
    outbox: Outbox,
    debug: Debug,
    connection: Option<Connection>,
    /// Whether a connection is being made: its name is asked for.
    is_making: bool,
    /// When the process ends, if nobody connects before.
    ends_at: Option<Instant>,
    is_over: bool,
}

impl Bridge {
    /// A manager without a connection.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            outbox: Outbox::default(),
            debug: Debug::default(),
            connection: None,
            is_making: false,
            ends_at: Some(now + LINGER),
            is_over: false,
        }
    }

    /// Takes a message of the bus. `wall` is the time as seconds since 1970, for debuggers.
    pub(crate) fn receive(&mut self, message: &Message, now: Instant, wall: f64) {
        self.debug.now = wall;
        if let Some(connection) = &mut self.connection {
            connection.wall = wall;
        }
        match message.message_type() {
            Type::MethodCall => self.called(message, now),
            Type::MethodReturn | Type::Error => self.answered(message, now),
            Type::Signal => self.signalled(message, now),
        }
        let is_needed = self.connection.is_some() || self.is_making;
        self.ends_at = match self.ends_at {
            _ if is_needed => None,
            Some(at) => Some(at),
            None => Some(now + LINGER),
        };
    }

    /// The next message to be sent. Take them all before the next input.
    pub(crate) fn poll(&mut self) -> Option<Message> {
        self.outbox.poll()
    }

    /// When [`Self::handle_deadline`] has something to do. May change with every input.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let of_calls = self.connection.as_ref().and_then(Connection::next_deadline);
        self.ends_at.into_iter().chain(of_calls).min()
    }

    /// Does what is due. Calling it too early does nothing.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        if self.ends_at.is_some_and(|at| at <= now) {
            self.ends_at = None;
            // Whoever asks before the name is gone is still answered.
            self.outbox.give_back_name(MANAGER_BUS_NAME, Awaited::ManagerName);
        }
        if let Some(connection) = &mut self.connection {
            connection.handle_deadline(now, &mut self.outbox);
        }
    }

    /// Whether the process is to end.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// An answer to a call of ours.
    fn answered(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let Some(awaited) = header.reply_serial().and_then(|serial| self.outbox.awaited(serial))
        else {
            return;
        };
        match awaited {
            Awaited::Nothing => return,
            Awaited::ManagerName => {
                self.is_over = self.connection.is_none() && !self.is_making;
                if !self.is_over {
                    self.outbox.take_name(MANAGER_BUS_NAME, Awaited::Nothing);
                }
                return;
            }
            Awaited::ConnectionName(request) => {
                self.connection_name_known(&request, service::read(message));
                return;
            }
            _ => {}
        }
        let Some(connection) = &mut self.connection else { return };
        let outbox = &mut self.outbox;
        let outcome = match awaited {
            Awaited::Domain => {
                connection.domain_known(service::read(message));
                Outcome::GoesOn
            }
            Awaited::Phone => {
                let path: service::Answer<zbus::zvariant::OwnedObjectPath> = service::read(message);
                let sender = header.sender().map(ToString::to_string).unwrap_or_default();
                connection.phone_known(path.map(|path| path.to_string()), &sender, outbox)
            }
            Awaited::ExtensionNumber => {
                connection.extension_number_known(service::read(message), outbox)
            }
            Awaited::Extension => connection.extension_known(service::read(message), outbox),
            Awaited::Available(available) => {
                connection.available_known(service::read(message), available, outbox)
            }
            Awaited::Dialled(_)
            | Awaited::AnswerTaken(_)
            | Awaited::OfferNamed(_)
            | Awaited::Texted(_) => {
                connection.call_answered(&awaited, message, outbox, now);
                Outcome::GoesOn
            }
            Awaited::Nothing | Awaited::ManagerName | Awaited::ConnectionName(_) => Outcome::GoesOn,
        };
        self.after(outcome);
    }

    fn signalled(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let from_bus = header.sender().is_some_and(|sender| sender == "org.freedesktop.DBus");
        if from_bus && header.member().is_some_and(|member| member == "NameOwnerChanged") {
            let changed: Result<(String, String, String), _> = message.body().deserialize();
            if let Ok((name, old, _)) = changed
                && name == BUS_NAME
                && !old.is_empty()
                && let Some(connection) = &mut self.connection
            {
                let outcome = connection.service_gone(&mut self.outbox, now);
                self.after(outcome);
            }
        }
        let is_for_phone = header.interface().is_some_and(|name| name == ENDPOINT_INTERFACE);
        if is_for_phone && let Some(connection) = &mut self.connection {
            let path = header.path().map(ToString::to_string).unwrap_or_default();
            let sender = header.sender().map(ToString::to_string).unwrap_or_default();
            let member = header.member().map(ToString::to_string).unwrap_or_default();
            // Anybody on the bus can send signals; only those of the service are its word.
            if connection.is_our_phone(&path, &sender) {
                connection.told(&member, message, &mut self.outbox, now);
                self.debug.note(&mut self.outbox, format!("the service said {member}"));
            }
        }
    }

    /// What becomes of the connection after something happened to it.
    fn after(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::GoesOn => {}
            Outcome::Over => {
                self.connection = None;
                self.outbox.give_back_name(CONNECTION_BUS_NAME, Awaited::Nothing);
                self.debug.note(&mut self.outbox, "the connection is over".into());
            }
        }
    }

    /// The user wants no connection any more.
    fn disconnect(&mut self, now: Instant) {
        if let Some(mut connection) = self.connection.take() {
            connection.end(Reason::Requested, &mut self.outbox, now);
            self.after(Outcome::Over);
        }
    }

    fn connection_name_known(&mut self, request: &Message, answer: service::Answer<u32>) {
        self.is_making = false;
        let header = request.header();
        if answer != Ok(PRIMARY_OWNER) {
            let words = format!("another program has the name {CONNECTION_BUS_NAME}");
            self.outbox.answer(&header, Err(Name::NotAvailable.because(words)));
            return;
        }
        self.connection = Some(Connection::new());
        self.debug.note(&mut self.outbox, "a connection was asked for".into());
        let values =
            (CONNECTION_BUS_NAME.to_owned(), path(CONNECTION_PATH), PROTOCOL_NAME.to_owned());
        self.outbox.signal_behind(MANAGER_PATH, &MANAGER, "NewConnection", values);
        let values = (CONNECTION_BUS_NAME.to_owned(), path(CONNECTION_PATH));
        self.outbox.answer(&header, Ok(Reply::of(values)));
    }
}

/// One of our own paths, as a value.
pub(crate) fn path(path: &str) -> zbus::zvariant::ObjectPath<'static> {
    zbus::zvariant::ObjectPath::from_string_unchecked(path.to_owned())
}
