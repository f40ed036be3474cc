// SPDX-License-Identifier: GPL-3.0-or-later
//! What is to be sent, in its order.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
};

use serde::Serialize;
use zbus::{
    Message,
    message::{Flags, Header},
    zvariant::{DynamicType, Structure},
};

use crate::{
    definition::Interface, error::Error, object::ConnectionId, reply::Reply, service::Awaited,
};

/// Messages for the bus. What belongs behind a reply is kept back until that is there.
#[derive(Debug)]
pub(crate) struct Outbox {
    messages: VecDeque<Message>,
    behind: Vec<Message>,
    /// The connection that asks: answers go to who asked.
    asking: ConnectionId,
    /// What the answers to our calls mean, and who waits for them, by the numbers of the calls.
    awaited: HashMap<NonZeroU32, (ConnectionId, Awaited)>,
}

impl Outbox {
    /// With nothing in it.
    pub(crate) fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            behind: Vec::new(),
            asking: ConnectionId::HOUSE,
            awaited: HashMap::new(),
        }
    }

    /// What is asked from now on is asked for this connection.
    pub(crate) const fn asks_for(&mut self, connection: ConnectionId) {
        self.asking = connection;
    }

    /// The next message to be sent.
    pub(crate) fn poll(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// A signal to everybody.
    pub(crate) fn signal(
        &mut self,
        path: &str,
        interface: &Interface,
        member: &str,
        values: impl Into<Structure<'static>>,
    ) {
        self.messages.extend(signal(path, interface, member, &values.into()));
    }

    /// A signal without values.
    pub(crate) fn bare_signal(&mut self, path: &str, interface: &Interface, member: &str) {
        debug_assert_eq!(interface.signal(member), Some(""));
        let built = Message::signal(path, interface.name, member);
        self.messages.extend(built.and_then(|builder| builder.build(&())).ok());
    }

    /// A signal to everybody, behind the reply of the method that runs.
    pub(crate) fn signal_behind(
        &mut self,
        path: &str,
        interface: &Interface,
        member: &str,
        values: impl Into<Structure<'static>>,
    ) {
        self.behind.extend(signal(path, interface, member, &values.into()));
    }

    /// Answers a call, and lets go what was kept back behind the answer.
    pub(crate) fn answer(&mut self, call: &Header<'_>, result: Result<Reply, Error>) {
        let silent = call.primary().flags().contains(Flags::NoReplyExpected);
        let built = match result {
            Ok(Reply::Later) => return,
            _ if silent => None,
            Ok(Reply::Nothing) => Message::method_return(call).and_then(|b| b.build(&())).ok(),
            Ok(Reply::Values(values)) => {
                Message::method_return(call).and_then(|b| b.build(&values)).ok()
            }
            Err(error) => refusal(call, error.name.as_str(), &error.words),
        };
        self.messages.extend(built);
        self.messages.extend(self.behind.drain(..));
    }

    /// Answers a call with an error that is not Telepathy's.
    pub(crate) fn refuse(&mut self, call: &Header<'_>, name: &str, words: &str) {
        self.messages.extend(refusal(call, name, words));
    }

    /// Calls somebody, for an answer that means something to us.
    pub(crate) fn ask<B>(&mut self, to: &Whom<'_>, method: &str, values: &B, awaited: Awaited)
    where
        B: Serialize + DynamicType,
    {
        let message = Message::method_call(to.path, method)
            .and_then(|builder| builder.destination(to.name))
            .and_then(|builder| builder.interface(to.interface))
            .and_then(|builder| builder.build(values));
        match message {
            Ok(message) => {
                let number = message.primary_header().serial_num();
                self.awaited.insert(number, (self.asking, awaited));
                self.messages.push_back(message);
            }
            Err(error) => tracing::warn!("{method} cannot be asked: {error}"),
        }
    }

    /// What the answer with this number means, and for whom; once.
    pub(crate) fn awaited(&mut self, answered: NonZeroU32) -> Option<(ConnectionId, Awaited)> {
        self.awaited.remove(&answered)
    }

    /// A connection is over: nobody waits for what it asked. What it would have got is given back.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        for (of, awaited) in self.awaited.values_mut().filter(|(of, _)| *of == connection) {
            *awaited = match awaited {
                Awaited::Phone | Awaited::UnwantedPhone => Awaited::UnwantedPhone,
                Awaited::Account | Awaited::UnwantedAccount => Awaited::UnwantedAccount,
                _ => Awaited::Nothing,
            };
            *of = ConnectionId::HOUSE;
        }
    }
}

/// An object of somebody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whom<'a> {
    /// The name on the bus.
    pub(crate) name: &'a str,
    /// The object.
    pub(crate) path: &'a str,
    /// The interface.
    pub(crate) interface: &'a str,
}

/// None for what D-Bus cannot carry, which our own tables and paths exclude.
fn signal(
    path: &str,
    interface: &Interface,
    member: &str,
    values: &Structure<'static>,
) -> Option<Message> {
    debug_assert_eq!(
        interface.signal(member),
        Some(values.signature().to_string_no_parens().as_str()),
        "the types of {}.{member}",
        interface.name
    );
    Message::signal(path, interface.name, member).and_then(|builder| builder.build(values)).ok()
}

fn refusal(call: &Header<'_>, name: &str, words: &str) -> Option<Message> {
    Message::error(call, name).and_then(|builder| builder.build(&words)).ok()
}
