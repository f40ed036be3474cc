// SPDX-License-Identifier: GPL-3.0-or-later
//! The bus as a test sees it: calls go in, and what comes out is noted in order.

use std::{collections::HashMap, time::Instant};

use serde::{Serialize, de::DeserializeOwned};
use sipwitch_dbus_interfaces::{
    names::{ACCOUNT_INTERFACE, BLOCKING_INTERFACE, BUS_NAME, ENDPOINT_INTERFACE},
    wire::{BlockedInfo, PastText, PastTextState},
};
use zbus::{
    Message,
    message::Type,
    zvariant::{self, DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use crate::{bridge::Bridge, object::MANAGER_PATH};

/// The connection to the house.
pub(super) const CONNECTION_PATH: &str = "/org/freedesktop/Telepathy/Connection/sipwitch/tel/house";

/// The phone that the played service gives us.
pub(super) const PHONE: &str = "/org/gnutelephony/SipWitch1/phone/7";
/// The account that the played service makes for us.
pub(super) const ACCOUNT: &str = "/org/gnutelephony/SipWitch1/account/example_2dorg";
/// The unique name of the played service.
pub(super) const SERVICE: &str = ":1.50";

/// The leg that the played service dials.
pub(super) const LEG: u64 = 70;
/// The exchange of our offers.
pub(super) const EXCHANGE: u32 = 3;

/// A manager and everybody around it.
pub(super) struct Desk {
    pub(super) bridge: Bridge,
    pub(super) now: Instant,
    /// What came out and was not answered by the played service.
    pub(super) sent: Vec<Message>,
    /// Whether the played service answers by itself.
    pub(super) is_served: bool,
    /// Whether it does not answer who is blocked.
    pub(super) keeps_list_back: bool,
    /// The texts of the past that it has, newest first.
    pub(super) past: Vec<PastText>,
}

impl Desk {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            bridge: Bridge::new(now),
            now,
            sent: Vec::new(),
            is_served: true,
            keeps_list_back: false,
            past: Vec::new(),
        }
    }

    /// With a connection that works, and everything forgotten that led there.
    pub(super) fn connected() -> Self {
        let mut desk = Self::new();
        desk.request_connection();
        desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
        desk.sent.clear();
        desk
    }

    pub(super) fn request_connection(&mut self) {
        let parameters: HashMap<String, Value<'_>> = HashMap::new();
        let (name, path): (String, OwnedObjectPath) = self
            .call(MANAGER_PATH, MANAGER, "RequestConnection", &("tel", parameters))
            .expect("a connection");
        assert_eq!(name, "org.freedesktop.Telepathy.Connection.sipwitch.tel.house");
        assert_eq!(path.as_str(), CONNECTION_PATH);
    }

    /// Calls a method of ours; what it gives, or the name of the error.
    pub(super) fn call<B, T>(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        values: &B,
    ) -> Result<T, String>
    where
        B: Serialize + DynamicType,
        T: DeserializeOwned + zvariant::Type,
    {
        let call = Message::method_call(path, member)
            .and_then(|builder| builder.interface(interface))
            .and_then(|builder| builder.sender(":1.99"))
            .and_then(|builder| builder.build(values))
            .expect("a message");
        let serial = call.primary_header().serial_num();
        self.receive(&call);
        let reply = self.sent.iter().find(|sent| sent.header().reply_serial() == Some(serial));
        let reply = reply.unwrap_or_else(|| panic!("{member} was not answered"));
        if reply.message_type() == Type::Error {
            return Err(reply.header().error_name().expect("an error has a name").to_string());
        }
        Ok(reply.body().deserialize().unwrap_or_else(|error| panic!("{member}: {error}")))
    }

    /// Gives the manager a message, and takes what it sends, answering as the service does.
    pub(super) fn receive(&mut self, message: &Message) {
        self.bridge.receive(message, self.now, 0.0);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(sent) = self.bridge.poll() {
            let is_kept_back = self.keeps_list_back
                && sent.header().member().is_some_and(|member| member == "List");
            let is_asked = sent.message_type() == Type::MethodCall && !is_kept_back;
            let answer = (is_asked && self.is_served).then(|| play(&sent, &self.past)).flatten();
            self.sent.push(sent);
            if let Some(answer) = answer {
                self.bridge.receive(&answer, self.now, 0.0);
            }
        }
    }

    /// The members that were sent, calls and signals, and `reply` or `error` for answers; but not
    /// that a handler is watched, which nobody sees.
    pub(super) fn members(&mut self) -> Vec<String> {
        let member = |message: Message| match message.message_type() {
            Type::MethodReturn => "reply".to_owned(),
            Type::Error => "error".to_owned(),
            Type::MethodCall | Type::Signal => {
                message.header().member().expect("it has one").to_string()
            }
        };
        let is_watch = |sent: &Message| {
            let rule: Result<String, _> = sent.body().deserialize();
            rule.is_ok_and(|rule| rule.contains("arg0=':"))
        };
        self.sent.drain(..).filter(|sent| !is_watch(sent)).map(member).collect()
    }

    /// The service says something of our phone.
    pub(super) fn says<B: Serialize + DynamicType>(&mut self, member: &str, values: &B) {
        self.somebody_says(SERVICE, member, values);
    }

    /// Somebody on the bus says something of our phone.
    pub(super) fn somebody_says<B: Serialize + DynamicType>(
        &mut self,
        sender: &str,
        member: &str,
        values: &B,
    ) {
        let message = Message::signal(PHONE, ENDPOINT_INTERFACE, member)
            .and_then(|builder| builder.sender(sender))
            .and_then(|builder| builder.build(values))
            .expect("a message");
        self.receive(&message);
    }

    /// The last thing sent with this member.
    pub(super) fn last<T: DeserializeOwned + zvariant::Type>(&self, member: &str) -> T {
        let found = self
            .sent
            .iter()
            .rev()
            .find(|sent| sent.header().member().is_some_and(|name| name == member));
        let found = found.unwrap_or_else(|| panic!("{member} was not sent"));
        found.body().deserialize().unwrap_or_else(|error| panic!("{member}: {error}"))
    }

    /// The service says how our account stands.
    pub(super) fn account_is(&mut self, state: &str, why: &str) {
        self.account_changes(&[("State", state), ("StateReason", why)]);
    }

    /// The service says what is different with our account.
    pub(super) fn account_changes(&mut self, changed: &[(&str, &str)]) {
        let changed: HashMap<&str, Value<'_>> =
            changed.iter().map(|(name, value)| (*name, Value::from(*value))).collect();
        let values = (ACCOUNT_INTERFACE, changed, Vec::<String>::new());
        let message = Message::signal(ACCOUNT, PROPERTIES, "PropertiesChanged")
            .and_then(|builder| builder.sender(SERVICE))
            .and_then(|builder| builder.build(&values))
            .expect("a message");
        self.receive(&message);
    }

    /// The bus says that the service has left.
    pub(super) fn service_leaves(&mut self) {
        self.leaves(BUS_NAME, SERVICE);
    }

    /// Lets pass what the manager waits for.
    pub(super) fn pass_time(&mut self) {
        self.now = self.bridge.next_deadline().expect("something is waited for");
        self.bridge.handle_deadline(self.now);
        self.drain();
    }

    /// The bus says that a name has no owner any more.
    pub(super) fn leaves(&mut self, name: &str, owner: &str) {
        let message =
            Message::signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged")
                .and_then(|builder| builder.sender("org.freedesktop.DBus"))
                .and_then(|builder| builder.build(&(name, owner, "")))
                .expect("a message");
        self.receive(&message);
    }
}

pub(super) const MANAGER: &str = "org.freedesktop.Telepathy.ConnectionManager";
pub(super) const CONNECTION: &str = "org.freedesktop.Telepathy.Connection";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// What the bus and the service answer.
pub(super) fn play(call: &Message, past: &[PastText]) -> Option<Message> {
    let header = call.header();
    let member = header.member().expect("a call has one").to_string();
    let reply = Message::method_return(&header).expect("a reply");
    let reply = reply.sender(SERVICE).expect("a sender");
    let body = call.body();
    if header.interface().is_some_and(|name| name == BLOCKING_INTERFACE) {
        return Some(play_list(call, &member));
    }
    let built = match member.as_str() {
        "RequestName" | "ReleaseName" => reply.build(&1u32),
        "SendMessage" => {
            let (contact, _, options): (String, String, HashMap<String, OwnedValue>) =
                body.deserialize().expect("a text");
            if contact == "999" || (contact == "103" && options.contains_key("content-type")) {
                let name = "org.gnutelephony.SipWitch1.Error.NoRoute";
                Message::error(&header, name)
                    .and_then(|b| b.sender(SERVICE))
                    .and_then(|b| b.build(&"nobody"))
            } else {
                let state = if contact == "998" { "stored" } else { "delivered" };
                reply.build(&HashMap::from([
                    ("state", state.into()),
                    ("message", Value::from(77u64)),
                ]))
            }
        }
        "AcceptMessage" => reply.build(&()),
        "Texts" => {
            let (contact, _, options): (String, u32, HashMap<String, OwnedValue>) =
                body.deserialize().expect("what is wanted");
            let unread = options.contains_key("unread");
            let is_wanted = |text: &&PastText| match unread {
                true => text.state == PastTextState::Unread,
                false => text.contact == contact,
            };
            reply.build(&past.iter().filter(is_wanted).collect::<Vec<_>>())
        }
        "AddMatch" | "RemoveMatch" | "Remove" | "SetAvailable" | "ShowProgress" | "Answer"
        | "Reject" | "HangUp" | "SetMediaAddresses" | "MarkRead" | "AnswerDescription"
        | "RefuseDescription" => reply.build(&()),
        "Transfer" => {
            let (_, contact, _): (u64, String, HashMap<String, OwnedValue>) =
                body.deserialize().expect("a transfer");
            match contact.as_str() {
                "999" => {
                    let name = "org.gnutelephony.SipWitch1.Error.NoRoute";
                    Message::error(&header, name)
                        .and_then(|b| b.sender(SERVICE))
                        .and_then(|b| b.build(&"nobody"))
                }
                _ => reply.build(&()),
            }
        }
        "OfferDescription" => reply.build(&EXCHANGE),
        "Dial" => {
            let call = ObjectPath::from_static_str("/org/gnutelephony/SipWitch1/call/1");
            reply.build(&(LEG, call.expect("a path")))
        }
        "Get" => match body.deserialize::<(String, String)>().expect("two texts").1.as_str() {
            "Domain" => reply.build(&Value::from("House.example")),
            "ExtensionNumber" => reply.build(&Value::from("101")),
            "EmergencyNumbers" => {
                let numbers = vec![("sos".to_owned(), vec!["112".to_owned(), "911".to_owned()])];
                reply.build(&Value::from(numbers))
            }
            other => panic!("nobody knows {other}"),
        },
        "GetManagedObjects" => reply.build(&super::house::objects()),
        "GetAll" if body.deserialize::<String>().expect("a name") == ACCOUNT_INTERFACE => {
            let words = Value::from("the provider is being asked");
            reply.build(&HashMap::from([("State", "registering".into()), ("StateReason", words)]))
        }
        "AddAccount" => reply.build(&ObjectPath::from_static_str(ACCOUNT).expect("a path")),
        "SetPassword" => reply.build(&"memory"),
        "TryAgain" => reply.build(&()),
        "GetAll" => reply.build(&HashMap::from([("Name", Value::from("Anna"))])),
        "RegisterEndpoint" => reply.build(&ObjectPath::from_static_str(PHONE).expect("a path")),
        _ => return None,
    };
    Some(built.expect("a message"))
}

/// What the service answers of its list of blocked callers.
fn play_list(call: &Message, member: &str) -> Message {
    let header = call.header();
    let reply = Message::method_return(&header).expect("a reply");
    let reply = reply.sender(SERVICE).expect("a sender");
    let body = call.body();
    let built = match member {
        "List" => {
            let callers =
                ["+49900*", "+4940999", "103", "@example.com", "anonymous", "eve@example.org"];
            let info = |caller: &str| BlockedInfo {
                caller: caller.to_owned(),
                reason: String::new(),
                since_microseconds: 1,
            };
            reply.build(&callers.map(info).to_vec())
        }
        "Add" => {
            let (callers, _): (Vec<String>, HashMap<String, OwnedValue>) =
                body.deserialize().expect("callers and options");
            if callers.iter().any(|caller| caller == "112") {
                let name = "org.gnutelephony.SipWitch1.Error.BadContact";
                return Message::error(&header, name)
                    .and_then(|builder| builder.sender(SERVICE))
                    .and_then(|builder| builder.build(&"who helps is never blocked"))
                    .expect("a message");
            }
            let kept = |caller: String| match caller.strip_prefix("0") {
                Some(rest) => format!("+49{rest}"),
                None => caller.trim_start_matches("sip:").to_lowercase(),
            };
            reply.build(&callers.into_iter().map(kept).collect::<Vec<_>>())
        }
        "Remove" => reply.build(&body.deserialize::<Vec<String>>().expect("callers")),
        other => panic!("nobody knows {other}"),
    };
    built.expect("a message")
}
