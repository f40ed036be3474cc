// SPDX-License-Identifier: GPL-3.0-or-later
//! A peer that knows nothing but the XML: it takes what the XML says, answers what the XML says,
//! and refuses everything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::StreamExt as _;
use tokio::net::UnixStream;
use zbus::{
    Connection, Guid, MessageStream, connection,
    message::{Message, Type as MessageType},
    zvariant::{Array, Dict, ObjectPath, Signature, Structure, StructureBuilder, Value},
};

use crate::{
    contract::{self, Argument, Interface},
    names,
};

/// Under this name the peer sends.
pub(super) const SENDER: &str = ":1.1";

/// All interfaces, of both services.
pub(super) fn everything() -> BTreeMap<String, Interface> {
    contract::master().into_iter().chain(contract::digest_master()).collect()
}

/// Two ends of one connection, without a bus.
pub(super) async fn pair() -> (Connection, Connection) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let guid = Guid::generate();
    let server = connection::Builder::unix_stream(ours).server(guid).expect("a guid").p2p().build();
    let client = connection::Builder::unix_stream(theirs).p2p().build();
    let (server, client) = tokio::join!(server, client);
    (server.expect("the serving end"), client.expect("the calling end"))
}

/// Answers until the other end closes; then tells all members that were asked for.
pub(super) async fn answer(connection: Connection) -> BTreeSet<String> {
    let master = everything();
    let mut asked = BTreeSet::new();
    let mut messages = MessageStream::from(&connection);
    while let Some(Ok(message)) = messages.next().await {
        if message.message_type() != MessageType::MethodCall {
            continue;
        }
        match answer_to(&master, &message, &mut asked) {
            Ok(Some(body)) => connection.reply(&message.header(), &body).await,
            Ok(None) => connection.reply(&message.header(), &()).await,
            Err(complaint) => {
                let header = message.header();
                connection.reply_error(&header, "org.example.Contract", &complaint).await
            }
        }
        .expect("the other end still listens");
    }
    asked
}

type Answer = Result<Option<Structure<'static>>, String>;

fn answer_to(
    master: &BTreeMap<String, Interface>,
    message: &Message,
    asked: &mut BTreeSet<String>,
) -> Answer {
    let header = message.header();
    let member = header.member().ok_or("no member")?.to_string();
    let interface = header.interface().ok_or("no interface")?.to_string();
    if interface == "org.freedesktop.DBus.Properties" {
        let body = message.body();
        let (interface, name): (String, String) =
            body.deserialize().map_err(|error| error.to_string())?;
        let property = master
            .get(&interface)
            .and_then(|interface| interface.properties.get(&name))
            .ok_or_else(|| format!("{interface} has no property {name}"))?;
        asked.insert(format!("{interface} {name}"));
        let value = property_sample(&interface, &name, &property.signature);
        return Ok(Some(StructureBuilder::new().add_field(value).build().expect("one field")));
    }
    let method = master
        .get(&interface)
        .and_then(|interface| interface.methods.get(&member))
        .ok_or_else(|| format!("{interface} has no method {member}"))?;
    let came = message.body().signature().to_string_no_parens();
    let wanted = contract::signature(&method.takes);
    if came != wanted {
        return Err(format!("{member} takes {wanted} and got {came}"));
    }
    asked.insert(format!("{interface} {member}"));
    Ok(body(&method.answers))
}

/// Sends one signal as the XML has it.
pub(super) async fn signal(connection: &Connection, path: &str, interface: &str, name: &str) {
    let arguments = &contract::master()[interface].signals[name];
    let message = Message::signal(path, interface, name)
        .expect("valid names")
        .sender(SENDER)
        .expect("a valid name");
    let message = match body(arguments) {
        Some(body) => message.build(&body),
        None => message.build(&()),
    };
    let message = message.expect("a valid message");
    connection.send(&message).await.expect("the other end listens");
}

fn body(arguments: &[Argument]) -> Option<Structure<'static>> {
    let mut body = StructureBuilder::new();
    for (name, signature) in arguments {
        body.push_value(sample(name, signature));
    }
    (!arguments.is_empty()).then(|| body.build().expect("at least one field"))
}

/// The same for a property, whose words depend on the interface.
fn property_sample(interface: &str, name: &str, signature: &str) -> Value<'static> {
    match (interface, name) {
        (names::ACCOUNT_INTERFACE, "State") => "keyring-locked".into(),
        (names::ACCOUNT_INTERFACE, "CertificateFault") => "other-name".into(),
        (names::LINE_INTERFACE, "Kind") => "trunk".into(),
        _ => sample(name, signature),
    }
}

/// Some value of the type; where the contract asks for certain words, one of them.
fn sample(name: &str, signature: &str) -> Value<'static> {
    let words = |words: &[(&'static str, Value<'static>)]| {
        Value::from(words.iter().cloned().collect::<HashMap<_, _>>())
    };
    match name {
        "State" => return "dialing".into(),
        "Origin" => return "phone".into(),
        "Kind" => return "person".into(),
        "Authentication" => return "login".into(),
        "LoginState" => return "not-enrolled".into(),
        "Emergency" => return "unsure".into(),
        "PasswordKept" => return "memory".into(),
        "Usable" => return "emergency-only".into(),
        "kept" => return "keyring".into(),
        "result" => return words(&[("state", "stored".into())]),
        "report" => {
            let none = || Vec::<String>::new().into();
            return words(&[
                ("servers", none()),
                ("signatures", "unknown".into()),
                ("places", none()),
                ("failure", "no answer in time".into()),
                ("milliseconds", 5000_u32.into()),
            ]);
        }
        "provider" => {
            let nothing = || Vec::<HashMap<String, Value<'_>>>::new().into();
            let none = || Vec::<String>::new().into();
            return words(&[
                ("id", "dus-net".into()),
                ("name", "dus.net".into()),
                ("country", vec!["DE".to_owned()].into()),
                ("kind", "itsp".into()),
                ("domain", "proxy.dus.net".into()),
                ("emergency", "unknown".into()),
                ("origin", "/usr/share/sipwitch/providers.d/dus-net.toml".into()),
                ("evidence", none()),
                ("unsure", none()),
                ("links", HashMap::<String, String>::new().into()),
                (
                    "facts",
                    HashMap::from([("server.port".to_owned(), Value::from(5060_u32))]).into(),
                ),
                ("ask", nothing()),
                ("warnings", nothing()),
            ]);
        }
        "properties" => {
            return words(&[
                ("caller", "101".into()),
                ("caller-name", "".into()),
                ("dialled", "102".into()),
                ("held", true.into()),
                ("stored", false.into()),
                ("extension", "102".into()),
            ]);
        }
        "details" => {
            return words(&[
                ("online", true.into()),
                ("resumed", false.into()),
                ("gone", Vec::<String>::new().into()),
                ("new", vec!["192.0.2.7".to_owned()].into()),
            ]);
        }
        "status" => {
            return words(&[
                ("user", "anna".into()),
                ("uid", 1000_u32.into()),
                ("enrolled", true.into()),
                ("realm", "house".into()),
                ("algorithms", vec!["SHA-256".to_owned()].into()),
                ("source", "separate".into()),
                ("changed-at-microseconds", 1_u64.into()),
                ("path", "/etc/sipwitch.db".into()),
                ("fallback", false.into()),
                ("wait-seconds", 0_u32.into()),
            ]);
        }
        "summary" => {
            return words(&[
                ("contact", "102".into()),
                ("caller", "101".into()),
                ("callee", "".into()),
                ("started-at-microseconds", 1_u64.into()),
                ("ended-at-microseconds", 2_u64.into()),
                ("sip-code", 486_u32.into()),
                ("words", "busy".into()),
                ("route", "".into()),
                ("route-trace", Vec::<HashMap<String, Value<'_>>>::new().into()),
                ("a-key-of-the-future", "ignored".into()),
            ]);
        }
        _ => {}
    }
    match signature.parse().expect("a valid signature") {
        Signature::Bool => true.into(),
        Signature::U32 => 1_u32.into(),
        Signature::U64 => 1_u64.into(),
        Signature::Str => "text".into(),
        Signature::ObjectPath => {
            ObjectPath::try_from(format!("{}/call/1", names::ROOT)).expect("a path").into()
        }
        Signature::Array(item) => Array::new(item.signature()).into(),
        Signature::Dict { key, value } => Dict::new(key.signature(), value.signature()).into(),
        other => panic!("no sample for {other}"),
    }
}
