// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::TextInfo;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::desk::{CONNECTION_PATH, Desk, PROPERTIES};
use crate::object::{Object, text_path};

const REQUESTS: &str = "org.freedesktop.Telepathy.Connection.Interface.Requests";
const CHANNEL: &str = "org.freedesktop.Telepathy.Channel";
const TEXT: &str = "org.freedesktop.Telepathy.Channel.Type.Text";
const MESSAGES: &str = "org.freedesktop.Telepathy.Channel.Interface.Messages";
const DESTROYABLE: &str = "org.freedesktop.Telepathy.Channel.Interface.Destroyable";

type Parts = Vec<HashMap<String, OwnedValue>>;

fn write_to(desk: &mut Desk, id: &str) -> String {
    let asked: HashMap<&str, Value<'_>> = HashMap::from([
        ("org.freedesktop.Telepathy.Channel.ChannelType", TEXT.into()),
        ("org.freedesktop.Telepathy.Channel.TargetHandleType", 1u32.into()),
        ("org.freedesktop.Telepathy.Channel.TargetID", id.into()),
    ]);
    let (path, _): (OwnedObjectPath, HashMap<String, OwnedValue>) =
        desk.call(CONNECTION_PATH, REQUESTS, "CreateChannel", &asked).expect("a channel");
    path.to_string()
}

fn comes(desk: &mut Desk, kind: &str, text: &str) {
    let info = TextInfo { stored: false, extension: "101".into() };
    desk.says("MessageReceived", &(9u64, "sip:102@house.example", kind, text.as_bytes(), info));
}

fn send(desk: &mut Desk, path: &str, text: &str, flags: u32) -> Result<String, String> {
    let body: HashMap<&str, Value<'_>> =
        HashMap::from([("content-type", "text/plain".into()), ("content", text.into())]);
    let head: HashMap<&str, Value<'_>> = HashMap::new();
    desk.call(path, MESSAGES, "SendMessage", &(vec![head, body], flags))
}

#[test]
fn a_text_is_told_before_it_is_answered_and_its_report_comes_after() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "102");
    desk.sent.clear();
    let token = send(&mut desk, &path, "hello", 1).expect("a token");
    let report: Parts = desk.last("MessageReceived");
    assert_eq!(report[0]["delivery-status"].downcast_ref::<u32>(), Ok(1));
    assert_eq!(report[0]["delivery-token"].downcast_ref::<String>(), Ok(token));
    assert_eq!(
        desk.members(),
        ["MessageSent", "Sent", "SendMessage", "reply", "Received", "MessageReceived"]
    );
    send(&mut desk, &path, "hello", 0).expect("a token");
    assert_eq!(desk.members(), ["MessageSent", "Sent", "SendMessage", "reply"], "none was wanted");
}

#[test]
fn a_text_that_nobody_takes_is_always_reported() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "999");
    desk.sent.clear();
    send(&mut desk, &path, "hello", 0).expect("a token");
    let report: Parts = desk.last("MessageReceived");
    assert_eq!(report[0]["delivery-status"].downcast_ref::<u32>(), Ok(3));
    assert_eq!(
        report[0]["delivery-dbus-error"].downcast_ref::<String>().as_deref(),
        Ok("org.freedesktop.Telepathy.Error.Offline")
    );
    assert!(desk.members().contains(&"SendError".to_owned()));
    for text in [String::new(), "x".repeat(1301)] {
        let refused = send(&mut desk, &path, &text, 0);
        assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    }
}

#[test]
fn a_text_that_comes_waits_to_be_read_and_outlives_its_channel() {
    let mut desk = Desk::connected();
    comes(&mut desk, "text/plain;charset=UTF-8", "grüße");
    assert_eq!(desk.members(), ["NewChannels", "NewChannel", "AcceptMessage"]);
    comes(&mut desk, "application/im-iscomposing+xml", "<x/>");
    assert_eq!(desk.members(), Vec::<String>::new(), "what is no text is left to others");
    let path = text_path(1);
    comes(&mut desk, "text/plain", "again");
    assert_eq!(desk.members(), ["Received", "MessageReceived", "AcceptMessage"]);
    desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &vec![2u32]).expect("read");
    let twice = desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &vec![2u32]);
    assert_eq!(twice, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    desk.sent.clear();

    desk.call::<_, ()>(&path, CHANNEL, "Close", &()).expect("closed");
    assert_eq!(desk.members(), ["ChannelClosed", "Closed", "NewChannels", "NewChannel", "reply"]);
    let path = text_path(2);
    let pending: OwnedValue =
        desk.call(&path, PROPERTIES, "Get", &(MESSAGES, "PendingMessages")).expect("a property");
    let pending: Vec<Parts> = Vec::try_from(pending).expect("aaa{sv}");
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0][1]["content"].downcast_ref::<String>().as_deref(), Ok("grüße"));
    assert_eq!(pending[0][0]["rescued"].downcast_ref::<bool>(), Ok(true));
    desk.call::<_, ()>(&path, DESTROYABLE, "Destroy", &()).expect("destroyed");
    assert!(desk.bridge.paths().iter().all(|path| !path.contains("/text")), "nothing stays");
}

#[test]
fn every_property_of_a_text_channel_has_the_type_of_its_table() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "102");
    for interface in Object::at(&path).expect("one of ours").interfaces() {
        let all: HashMap<String, OwnedValue> =
            desk.call(&path, PROPERTIES, "GetAll", &interface.name).expect("properties");
        assert_eq!(all.len(), interface.properties.len(), "{}", interface.name);
        for property in interface.properties {
            let found = all[property.name].value_signature().to_string();
            assert_eq!(found, property.signature, "{}.{}", interface.name, property.name);
        }
    }
}
