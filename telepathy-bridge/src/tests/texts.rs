// SPDX-License-Identifier: GPL-3.0-or-later

use std::{collections::HashMap, time::Duration};

use sipwitch_dbus_interfaces::wire::{PastText, PastTextState, TextInfo};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::desk::{CONNECTION, CONNECTION_PATH, Desk, PROPERTIES};
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
    assert_eq!(desk.members(), ["NewChannels", "NewChannel", "Texts", "AcceptMessage"]);
    comes(&mut desk, "application/im-iscomposing+xml", "<x/>");
    assert_eq!(desk.members(), Vec::<String>::new(), "what is no text is left to others");
    let path = text_path(1);
    comes(&mut desk, "text/plain", "again");
    assert_eq!(desk.members(), ["Received", "MessageReceived", "AcceptMessage"]);
    desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &vec![2u32]).expect("read");
    assert_eq!(desk.members(), ["MarkRead", "PendingMessagesRemoved", "reply"]);
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

fn past(
    message: u64,
    contact: &str,
    text: &str,
    state: PastTextState,
    elsewhere: bool,
) -> PastText {
    PastText {
        message,
        contact: contact.into(),
        text: text.into(),
        sent: state == PastTextState::Delivered,
        at_microseconds: 1_000_000 * message,
        state,
        elsewhere,
    }
}

/// What waits in a channel: who wrote it, the text, when it was sent, and whether it is of the past.
fn pending(desk: &mut Desk, path: &str) -> Vec<(String, String, i64, bool)> {
    let pending: OwnedValue =
        desk.call(path, PROPERTIES, "Get", &(MESSAGES, "PendingMessages")).expect("a property");
    let pending = Vec::<Parts>::try_from(pending).expect("aaa{sv}");
    let line = |parts: Parts| {
        let text =
            |part: usize, key: &str| parts[part][key].downcast_ref::<String>().expect("text");
        let at = parts[0]["message-sent"].downcast_ref::<i64>().expect("a time");
        let scrollback = parts[0].contains_key("scrollback");
        (text(0, "message-sender-id"), text(1, "content"), at, scrollback)
    };
    pending.into_iter().map(line).collect()
}

#[test]
fn what_nobody_has_read_comes_again_when_the_connection_begins() {
    let mut desk = Desk::new();
    desk.past = vec![
        past(9, "102", "second", PastTextState::Unread, false),
        past(8, "102", "first", PastTextState::Unread, false),
        past(7, "102", "old", PastTextState::Read, false),
    ];
    desk.request_connection();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
    let members = desk.members();
    let connected = members.iter().rposition(|member| member == "StatusChanged").expect("told");
    let new = members.iter().position(|member| member == "NewChannels").expect("told");
    assert!(connected < new, "{members:?}");
    let path = text_path(1);
    let waiting = pending(&mut desk, &path);
    let from = |text: &str, at| ("102".to_owned(), text.to_owned(), at, false);
    assert_eq!(waiting, [from("first", 8), from("second", 9)]);
    desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &vec![1u32, 2]).expect("read");
    let (read,): (Vec<u64>,) = desk.last("MarkRead");
    assert_eq!(read, [8, 9]);
}

#[test]
fn what_passed_at_other_phones_stands_above_a_conversation_and_is_no_reason_for_another() {
    let mut desk = Desk::connected();
    desk.past = vec![
        past(5, "102", "here", PastTextState::Read, false),
        past(4, "102", "sent there", PastTextState::Delivered, true),
        past(3, "102", "read there", PastTextState::Read, true),
    ];
    let path = write_to(&mut desk, "102");
    let waiting = pending(&mut desk, &path);
    let line = |who: &str, text: &str, at| (who.to_owned(), text.to_owned(), at, true);
    assert_eq!(waiting, [line("102", "read there", 3), line("101", "sent there", 4)]);
    desk.sent.clear();
    desk.call::<_, ()>(&path, CHANNEL, "Close", &()).expect("closed");
    assert_eq!(desk.members(), ["ChannelClosed", "Closed", "reply"]);
}

#[test]
fn a_kept_text_is_accepted_first_and_delivered_later() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "998");
    let token = send(&mut desk, &path, "later", 1).expect("a token");
    let report: Parts = desk.last("MessageReceived");
    assert_eq!(report[0]["delivery-status"].downcast_ref::<u32>(), Ok(4));
    desk.sent.clear();
    desk.says("MessageReported", &(78u64, "998", "delivered"));
    assert!(desk.members().is_empty(), "that of another");
    desk.says("MessageReported", &(77u64, "998", "delivered"));
    let report: Parts = desk.last("MessageReceived");
    assert_eq!(report[0]["delivery-status"].downcast_ref::<u32>(), Ok(1));
    assert_eq!(report[0]["delivery-token"].downcast_ref::<String>(), Ok(token));
    desk.sent.clear();
    desk.says("MessageReported", &(77u64, "998", "delivered"));
    assert!(desk.members().is_empty(), "once");
}

#[test]
fn a_kept_text_for_which_nobody_came_is_reported_as_failed_even_after_its_channel() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "998");
    // Nobody asked for reports; failures are told all the same.
    let token = send(&mut desk, &path, "for nobody", 0).expect("a token");
    desk.call::<_, ()>(&path, CHANNEL, "Close", &()).expect("closed");
    desk.sent.clear();
    desk.says("MessageReported", &(77u64, "998", "failed"));
    assert_eq!(desk.members(), ["NewChannels", "NewChannel", "Texts"]);
    let path = text_path(2);
    let pending: OwnedValue =
        desk.call(&path, PROPERTIES, "Get", &(MESSAGES, "PendingMessages")).expect("a property");
    let pending: Vec<Parts> = Vec::try_from(pending).expect("aaa{sv}");
    let head = &pending[0][0];
    assert_eq!(head["delivery-status"].downcast_ref::<u32>(), Ok(3));
    assert_eq!(head["delivery-token"].downcast_ref::<String>(), Ok(token));
    let echo: Parts =
        Vec::try_from(head["delivery-echo"].try_clone().expect("no descriptor")).expect("aa{sv}");
    assert_eq!(echo[1]["content"].downcast_ref::<String>().as_deref(), Ok("for nobody"));
    assert_eq!(head["delivery-dbus-error"].downcast_ref::<String>(), Ok(format!("{ERROR}Offline")));
    desk.sent.clear();
    desk.says("MessageReported", &(77u64, "998", "failed"));
    assert!(desk.members().is_empty(), "once");
}

#[test]
fn fifty_conversations_go_on_at_one_time() {
    let mut desk = Desk::connected();
    let paths: Vec<String> =
        (0..50).map(|number| write_to(&mut desk, &format!("+4930{number:06}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        desk.sent.clear();
        send(&mut desk, path, &format!("to {number}"), 0).expect("a token");
        let (contact, text, _): (String, String, HashMap<String, OwnedValue>) =
            desk.last("SendMessage");
        assert_eq!((contact, text), (format!("+4930{number:06}"), format!("to {number}")));
    }
    for path in &paths {
        desk.call::<_, ()>(path, CHANNEL, "Close", &()).expect("closed");
    }
    assert!(desk.bridge.paths().iter().all(|path| !path.contains("/text")), "nothing stays");
}

#[test]
fn nonsense_of_a_client_is_refused_by_telepathys_names_and_changes_nothing() {
    type Part<'a> = HashMap<&'a str, Value<'a>>;
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "102");
    comes(&mut desk, "text/plain", "unread");
    desk.sent.clear();
    let refused = |name: &str| Err(format!("{ERROR}{name}"));
    let plain = |content: Value<'static>| -> Part<'static> {
        HashMap::from([("content-type", "text/plain".into()), ("content", content)])
    };
    let head = |kind: Value<'static>| -> Part<'static> { HashMap::from([("message-type", kind)]) };
    let mut say = |parts: Vec<Part<'_>>, flags: u32| {
        desk.call::<_, String>(&path, MESSAGES, "SendMessage", &(parts, flags)).map(drop)
    };
    for parts in [
        vec![],
        vec![head(0u32.into())],
        vec![head(0u32.into()), plain(7u32.into())],
        vec![head(0u32.into()), plain(vec![1u8, 2].into())],
        vec![head(0u32.into()), plain("x".repeat(1024 * 1024).into())],
        vec![head(0u32.into()), HashMap::from([("content-type", "image/png".into())])],
        vec![head(0u32.into()), HashMap::from([("content-type", 7u32.into())])],
        vec![head(0u32.into()); 10_000],
    ] {
        let words = format!("{} parts", parts.len());
        assert_eq!(say(parts, u32::MAX), refused("InvalidArgument"), "{words}");
    }
    for kind in [Value::from(4u32), Value::from("normal"), Value::from(u32::MAX)] {
        assert_eq!(say(vec![head(kind), plain("x".into())], 0), refused("NotImplemented"));
    }
    // Parts that nobody knows are passed over.
    let unknown = HashMap::from([("content-type", "x/y".into()), ("z", Value::from(0.5))]);
    assert_eq!(say(vec![head(0u32.into()), unknown, plain("it".into())], u32::MAX), Ok(()));

    let mut call = |member: &str, interface: &str, values: &Value<'static>| {
        desk.call::<_, ()>(&path, interface, member, values)
    };
    for ids in [vec![99u32], vec![1, 99], vec![0, u32::MAX]] {
        let acknowledged = call("AcknowledgePendingMessages", TEXT, &ids.into());
        assert_eq!(acknowledged, refused("InvalidArgument"));
    }
    for (member, interface) in [
        ("AcknowledgePendingMessages", TEXT),
        ("SendMessage", MESSAGES),
        ("SetChatState", CHAT_STATE),
        ("GetPendingMessageContent", MESSAGES),
        ("Send", TEXT),
    ] {
        assert_eq!(call(member, interface, &"x".into()), refused("InvalidArgument"), "{member}");
    }
    let content: Result<HashMap<u32, OwnedValue>, _> =
        desk.call(&path, MESSAGES, "GetPendingMessageContent", &(1u32, vec![0u32, 1, 2, u32::MAX]));
    assert_eq!(content.expect("of those that are").keys().copied().collect::<Vec<_>>(), [1]);
    let nothing = desk.call::<_, HashMap<u32, OwnedValue>>(
        &path,
        MESSAGES,
        "GetPendingMessageContent",
        &(99u32, vec![1u32]),
    );
    assert_eq!(nothing.map(drop), refused("InvalidArgument"));

    // The text is still there, and is read once however often it is named.
    desk.sent.clear();
    let ids = vec![1u32, 1, 1];
    desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &ids).expect("it is read");
    let (removed,): (Vec<u32>,) = desk.last("PendingMessagesRemoved");
    let (read,): (Vec<u64>,) = desk.last("MarkRead");
    assert_eq!((removed, read), (vec![1], vec![9]));
    let twice = desk.call::<_, ()>(&path, TEXT, "AcknowledgePendingMessages", &ids);
    assert_eq!(twice, refused("InvalidArgument"));
    desk.call::<_, ()>(&path, CHANNEL, "Close", &()).expect("closed");
    let late = send(&mut desk, &path, "late", 0);
    assert_eq!(late, Err("org.freedesktop.DBus.Error.UnknownObject".into()), "as the bus has it");
}

const CHAT_STATE: &str = "org.freedesktop.Telepathy.Channel.Interface.ChatState";

fn composes(desk: &mut Desk, state: u32, path: &str) -> Result<(), String> {
    desk.call(path, CHAT_STATE, "SetChatState", &state)
}

#[test]
fn that_the_user_writes_is_told_to_people_of_the_house_until_they_refuse() {
    let mut desk = Desk::connected();
    let path = write_to(&mut desk, "102");
    desk.sent.clear();
    composes(&mut desk, 4, &path).expect("told");
    let (_, xml, _): (String, String, HashMap<String, OwnedValue>) = desk.last("SendMessage");
    assert!(xml.contains("<state>active</state>"), "{xml}");
    assert_eq!(desk.members(), ["ChatStateChanged", "SendMessage", "reply"]);
    composes(&mut desk, 4, &path).expect("told");
    assert_eq!(desk.members(), ["ChatStateChanged", "reply"], "not again so soon");
    desk.now += Duration::from_secs(61);
    composes(&mut desk, 4, &path).expect("told");
    assert_eq!(desk.members(), ["ChatStateChanged", "SendMessage", "reply"]);
    composes(&mut desk, 3, &path).expect("told");
    let (_, xml, _): (String, String, HashMap<String, OwnedValue>) = desk.last("SendMessage");
    assert!(xml.contains("<state>idle</state>"), "{xml}");
    assert_eq!(composes(&mut desk, 5, &path), Err(format!("{ERROR}InvalidArgument")));

    let other = write_to(&mut desk, "103");
    composes(&mut desk, 4, &other).expect("told");
    desk.sent.clear();
    for state in [3, 4] {
        composes(&mut desk, state, &other).expect("told");
    }
    assert_eq!(
        desk.members(),
        ["ChatStateChanged", "reply", "ChatStateChanged", "reply"],
        "who does not want to know is left in peace"
    );
    let outside = write_to(&mut desk, "+4930123");
    assert_eq!(composes(&mut desk, 4, &outside), Err(format!("{ERROR}NotImplemented")));
    let interfaces: Vec<String> =
        desk.call(&outside, CHANNEL, "GetInterfaces", &()).expect("a list");
    assert!(!interfaces.contains(&CHAT_STATE.to_owned()), "{interfaces:?}");
}

const ERROR: &str = "org.freedesktop.Telepathy.Error.";

#[test]
fn that_somebody_writes_is_seen_until_the_text_is_there_or_nothing_is_heard() {
    let mut desk = Desk::connected();
    write_to(&mut desk, "102");
    desk.sent.clear();
    let active = "<?xml version=\"1.0\"?><c:isComposing xmlns:c=\"urn:x\"><c:state>active</c:state>\
                  <c:refresh>90</c:refresh></c:isComposing>";
    comes(&mut desk, "application/im-iscomposing+xml", active);
    let (who, state): (u32, u32) = desk.last("ChatStateChanged");
    assert_eq!(desk.members(), ["ChatStateChanged", "AcceptMessage"]);
    assert_eq!((who, state), (desk_handle(&mut desk, "102"), 4));
    desk.sent.clear();
    comes(&mut desk, "text/plain", "here it is");
    assert_eq!(
        desk.members(),
        ["ChatStateChanged", "Received", "MessageReceived", "AcceptMessage"]
    );
    comes(&mut desk, "application/im-iscomposing+xml", active);
    desk.sent.clear();
    let due = desk.bridge.next_deadline().expect("it is not believed for ever");
    assert_eq!(due, desk.now + Duration::from_secs(90));
    desk.bridge.handle_deadline(due);
    desk.drain();
    let (_, state): (u32, u32) = desk.last("ChatStateChanged");
    assert_eq!(state, 2);
    for junk in ["", "<state>", "<state>active", "<", "<x/>", "\u{0}"] {
        comes(&mut desk, "application/im-iscomposing+xml", junk);
    }
}

fn desk_handle(desk: &mut Desk, id: &str) -> u32 {
    let ids = vec![id.to_owned()];
    let handles: Vec<u32> =
        desk.call(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, ids)).expect("a handle");
    handles[0]
}
