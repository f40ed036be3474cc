// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls of our methods: which object, whether the types are right, who answers.

use std::{collections::HashMap, time::Instant};

use zbus::{
    Message,
    message::Header,
    zvariant::{OwnedValue, Structure, Value},
};

use super::Bridge;
use crate::{
    connection::Connection,
    definition::{
        Access, Interface,
        connection::ANONYMITY,
        manager::{PROTOCOL, PROTOCOL_ADDRESSING},
    },
    error::{Error, Name},
    identifier, introspection,
    object::{ConnectionId, DEBUG_PATH, MANAGER_PATH, Object},
    parameters::{Parameter, ProviderAccount},
    protocol::{self, Protocol},
    reply::{Map, Reply, arguments},
    service::Awaited,
};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const UNKNOWN_OBJECT: &str = "org.freedesktop.DBus.Error.UnknownObject";
const UNKNOWN_PROPERTY: &str = "org.freedesktop.DBus.Error.UnknownProperty";
const READ_ONLY: &str = "org.freedesktop.DBus.Error.PropertyReadOnly";

impl Bridge {
    pub(super) fn called(&mut self, call: &Message, now: Instant) {
        let header = call.header();
        let path = header.path().map(ToString::to_string).unwrap_or_default();
        let interface = header.interface().map(ToString::to_string);
        let member = header.member().map(ToString::to_string).unwrap_or_default();
        match interface.as_deref() {
            Some(INTROSPECTABLE) if member == "Introspect" => {
                match introspection::describe(&path, &self.paths()) {
                    Some(xml) => self.outbox.answer(&header, Ok(Reply::of((xml,)))),
                    None => self.refuse(&header, UNKNOWN_OBJECT, &path),
                }
                return;
            }
            Some(PEER) => {
                self.peer_method(&header, &member);
                return;
            }
            _ => {}
        }
        let known = Object::at(&path);
        let Some(object) = known.filter(|_| self.paths().contains(&path)) else {
            let call = known.is_some_and(
                |object| matches!(object, Object::Call(number, _) if self.has_call(number)),
            );
            if call {
                // Clients may not have heard yet that a content is no more.
                let error = Name::NotAvailable.because("it is over");
                self.outbox.answer(&header, Err(error));
            } else {
                self.refuse(&header, UNKNOWN_OBJECT, &path);
            }
            return;
        };
        if interface.as_deref() == Some(PROPERTIES) {
            self.properties_method(object, &header, &member, call);
            return;
        }
        let found = object.interfaces().into_iter().find_map(|candidate| {
            let is_meant = interface.as_deref().is_none_or(|wanted| wanted == candidate.name);
            candidate.method(&member).filter(|_| is_meant).map(|(takes, _)| (candidate, takes))
        });
        let Some((interface, takes)) = found else {
            self.refuse(&header, UNKNOWN_METHOD, &member);
            return;
        };
        let given = call.body().signature().to_string_no_parens();
        // One structure alone and its fields side by side are the same bytes.
        let result = if given == takes || format!("({given})") == takes {
            self.method(object, (interface, &member), call, now)
        } else {
            let words = format!("{member} takes ({takes}), not ({given})");
            Err(Name::InvalidArgument.because(words))
        };
        debug_assert!(gives_what_it_says(interface, &member, &result), "{member} gives {result:?}");
        self.outbox.answer(&header, result);
    }

    /// The paths of all objects.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = [MANAGER_PATH, DEBUG_PATH].map(str::to_owned).into();
        paths.extend(Protocol::ALL.iter().map(|protocol| protocol.path()));
        for (id, connection) in &self.connections {
            paths.push(id.path());
            paths.extend(connection.paths());
        }
        paths
    }

    /// Whether the call of this number is there.
    fn has_call(&self, number: u32) -> bool {
        let connection = self.connections.get(&ConnectionId::of_channel(number));
        connection.is_some_and(|connection| connection.call(number).is_some())
    }

    fn refuse(&mut self, header: &Header<'_>, name: &str, what: &str) {
        self.outbox.refuse(header, name, &format!("{what}: there is no such thing here"));
    }

    fn peer_method(&mut self, header: &Header<'_>, member: &str) {
        match member {
            "Ping" => self.outbox.answer(header, Ok(Reply::Nothing)),
            // Of a machine with a bus it stands in a file that everybody can read for themselves.
            _ => self.refuse(header, UNKNOWN_METHOD, member),
        }
    }

    fn method(
        &mut self,
        object: Object,
        (interface, name): (&Interface, &str),
        call: &Message,
        now: Instant,
    ) -> Result<Reply, Error> {
        match object {
            Object::Manager => self.manager_method(name, call),
            Object::Protocol(protocol) => protocol_method(protocol, interface, name, call),
            Object::Debug => Ok(Reply::of((self.debug.messages(),))),
            Object::Connection(id) if name == "Disconnect" => {
                self.disconnect(id, now);
                Ok(Reply::Nothing)
            }
            Object::Connection(id) => match self.connection(id) {
                Some((connection, outbox)) => {
                    let result = connection.method(interface, name, call, outbox);
                    connection.hurries(now);
                    result
                }
                None => Err(disconnected()),
            },
            Object::Text(number) => match self.connection(ConnectionId::of_channel(number)) {
                Some((connection, outbox)) => {
                    connection.text_method(number, name, call, outbox, now)
                }
                None => Err(disconnected()),
            },
            Object::Password(number) => {
                let id = ConnectionId::of_channel(number);
                let (connection, outbox) = self.connection(id).ok_or_else(disconnected)?;
                let (reply, outcome) =
                    connection.password_method(number, name, call, outbox, now)?;
                self.after(id, outcome);
                Ok(reply)
            }
            Object::Call(number, part) => match self.connection(ConnectionId::of_channel(number)) {
                Some((connection, outbox)) => {
                    let method = (interface, name);
                    connection.call_method((number, part), method, call, outbox, now)
                }
                None => Err(disconnected()),
            },
        }
    }

    fn manager_method(&mut self, name: &str, call: &Message) -> Result<Reply, Error> {
        match name {
            "ListProtocols" => {
                let names = Protocol::ALL.iter().map(|one| one.name().to_owned());
                Ok(Reply::of((names.collect::<Vec<String>>(),)))
            }
            "GetParameters" => {
                let protocol = Protocol::named(&arguments::<String>(call)?)?;
                let all = protocol.parameters().iter().map(Parameter::value);
                Ok(Reply::of((all.collect::<Vec<_>>(),)))
            }
            "RequestConnection" => {
                let (wanted, parameters): (String, HashMap<String, OwnedValue>) = arguments(call)?;
                let protocol = Protocol::named(&wanted)?;
                protocol.check(&parameters)?;
                let (id, connection) = self.new_connection(protocol, &parameters)?;
                self.making.insert(id, connection);
                self.outbox.asks_for(id);
                let awaited = Awaited::ConnectionName(call.clone());
                self.outbox.take_name(&id.bus_name(), awaited);
                Ok(Reply::Later)
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    fn new_connection(
        &self,
        protocol: Protocol,
        parameters: &HashMap<String, OwnedValue>,
    ) -> Result<(ConnectionId, Connection), Error> {
        let not_available = |words: String| Err(Name::NotAvailable.because(words));
        let is_taken =
            |id: &ConnectionId| self.connections.contains_key(id) || self.making.contains_key(id);
        match protocol {
            Protocol::Tel if is_taken(&ConnectionId::HOUSE) => {
                not_available("there is a connection already: there is one house".into())
            }
            Protocol::Tel => Ok((ConnectionId::HOUSE, Connection::new(ConnectionId::HOUSE))),
            Protocol::Sip => {
                let given = ProviderAccount::read(parameters)?;
                let address = given.address();
                let mut all = self.connections.values().chain(self.making.values());
                if all.any(|other| other.account_address().as_ref() == Some(&address)) {
                    return not_available(format!("{address} has a connection already"));
                }
                match ConnectionId::OF_PROVIDERS.into_iter().find(|id| !is_taken(id)) {
                    Some(id) => Ok((id, Connection::to_provider(id, given))),
                    None => {
                        not_available("there are as many connections as can be: end one".into())
                    }
                }
            }
        }
    }

    fn property(
        &self,
        object: Object,
        interface: &Interface,
        name: &str,
    ) -> Option<Value<'static>> {
        let value = match object {
            Object::Manager => match name {
                "Protocols" => Some(protocol::protocols().into()),
                "Interfaces" => Some(Vec::<String>::new().into()),
                _ => None,
            },
            Object::Protocol(protocol) => protocol::property(protocol, interface, name),
            Object::Debug => Some(self.debug.is_told.into()),
            Object::Connection(id) => self.connections.get(&id)?.property(interface, name),
            Object::Text(number) => {
                let connection = self.connections.get(&ConnectionId::of_channel(number))?;
                connection.text(number)?.property(name)
            }
            Object::Password(number) => {
                let connection = self.connections.get(&ConnectionId::of_channel(number))?;
                connection.password().filter(|asked| asked.number() == number)?.property(name)
            }
            Object::Call(number, part) => {
                let connection = self.connections.get(&ConnectionId::of_channel(number))?;
                connection.call(number)?.property(part, interface, name)
            }
        };
        debug_assert_eq!(
            value.as_ref().map(|value| value.value_signature().to_string()),
            interface.property(name).map(|property| property.signature.to_owned()),
            "the type of {}.{name}",
            interface.name
        );
        value
    }

    fn properties_method(
        &mut self,
        object: Object,
        header: &Header<'_>,
        member: &str,
        call: &Message,
    ) {
        let body = call.body();
        let of = |name: &str| object.interfaces().into_iter().find(|i| i.name == name);
        match member {
            "GetAll" => {
                let Ok(name) = body.deserialize::<String>() else {
                    return self.refuse(header, UNKNOWN_METHOD, member);
                };
                let mut all = Map::new();
                if let Some(interface) = of(&name) {
                    for property in interface.properties {
                        if let Some(value) = self.property(object, interface, property.name) {
                            all.insert(property.name.to_owned(), value);
                        }
                    }
                }
                self.outbox.answer(header, Ok(Reply::of((all,))));
            }
            "Get" => {
                let Ok((interface, name)) = body.deserialize::<(String, String)>() else {
                    return self.refuse(header, UNKNOWN_METHOD, member);
                };
                let value = of(&interface)
                    .filter(|interface| interface.property(&name).is_some())
                    .and_then(|interface| self.property(object, interface, &name));
                match value {
                    Some(value) => self.outbox.answer(header, Ok(Reply::of((value,)))),
                    None => self.refuse(header, UNKNOWN_PROPERTY, &name),
                }
            }
            "Set" => {
                let Ok((interface, name, value)) =
                    body.deserialize::<(String, String, OwnedValue)>()
                else {
                    return self.refuse(header, UNKNOWN_METHOD, member);
                };
                match of(&interface).and_then(|interface| interface.property(&name)) {
                    None => self.refuse(header, UNKNOWN_PROPERTY, &name),
                    Some(known) if known.access != Access::ReadWrite => {
                        self.refuse(header, READ_ONLY, &name);
                    }
                    Some(_) => {
                        let result = self.set_property(object, &interface, &name, &value);
                        self.outbox.answer(header, result.map(|()| Reply::Nothing));
                    }
                }
            }
            _ => self.refuse(header, UNKNOWN_METHOD, member),
        }
    }

    fn set_property(
        &mut self,
        object: Object,
        interface: &str,
        name: &str,
        value: &OwnedValue,
    ) -> Result<(), Error> {
        if let Object::Connection(id) = object
            && interface == ANONYMITY.name
        {
            return match self.connection(id) {
                Some((connection, outbox)) => connection.set_anonymity(name, value, outbox),
                None => Err(Name::Disconnected.because("there is no connection")),
            };
        }
        match (object, value.downcast_ref::<bool>()) {
            (Object::Debug, Ok(told)) => {
                self.debug.is_told = told;
                Ok(())
            }
            _ => Err(Name::InvalidArgument.because(format!("{name} is true or false"))),
        }
    }
}

fn disconnected() -> Error {
    Name::Disconnected.because("there is no connection")
}

fn protocol_method(
    protocol: Protocol,
    interface: &Interface,
    name: &str,
    call: &Message,
) -> Result<Reply, Error> {
    match (interface.name, name) {
        (i, "IdentifyAccount") if i == PROTOCOL.name => {
            let parameters: HashMap<String, OwnedValue> = arguments(call)?;
            protocol.check(&parameters)?;
            Ok(Reply::of((match protocol {
                Protocol::Tel => protocol::ACCOUNT_ID.to_owned(),
                Protocol::Sip => ProviderAccount::read(&parameters)?.address(),
            },)))
        }
        (i, "NormalizeContact") if i == PROTOCOL.name => {
            Ok(Reply::of((identifier::normal(&arguments::<String>(call)?, "")?,)))
        }
        (i, "NormalizeVCardAddress") if i == PROTOCOL_ADDRESSING.name => {
            let (field, address): (String, String) = arguments(call)?;
            Ok(Reply::of((identifier::normal_vcard(&field, &address)?,)))
        }
        (i, "NormalizeContactURI") if i == PROTOCOL_ADDRESSING.name => {
            Ok(Reply::of((identifier::normal_uri(&arguments::<String>(call)?)?,)))
        }
        _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
    }
}

/// Whether a reply has the types of the table; errors always do.
fn gives_what_it_says(interface: &Interface, method: &str, result: &Result<Reply, Error>) -> bool {
    let gives = interface.method(method).map(|(_, gives)| gives).unwrap_or_default();
    match result {
        Ok(Reply::Nothing) => gives.is_empty(),
        Ok(Reply::Values(values)) => Structure::signature(values).to_string_no_parens() == gives,
        Ok(Reply::Later) | Err(_) => true,
    }
}
