// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts who are blocked, as clients block them and as the service tells of them.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::{
    names::{BLOCKING_INTERFACE, ROOT},
    wire::BlockedInfo,
};
use zbus::{
    Message,
    message::Type,
    zvariant::{OwnedValue, Value},
};

use super::desk::{CONNECTION, CONNECTION_PATH, Desk, PROPERTIES, SERVICE, play};

const BLOCKING: &str = "org.freedesktop.Telepathy.Connection.Interface.ContactBlocking";
const CONTACTS: &str = "org.freedesktop.Telepathy.Connection.Interface.Contacts";

type Contacts = HashMap<u32, String>;

fn contacts(all: &[(u32, &str)]) -> Contacts {
    all.iter().map(|(handle, id)| (*handle, (*id).to_owned())).collect()
}

/// The handle of a contact, and whether it is said to be blocked.
fn contact(desk: &mut Desk, id: &str) -> (u32, bool) {
    let wanted = vec![BLOCKING];
    let (handle, known): (u32, HashMap<String, OwnedValue>) =
        desk.call(CONNECTION_PATH, CONTACTS, "GetContactByID", &(id, wanted)).expect("a contact");
    let blocked = known[&format!("{BLOCKING}/blocked")].downcast_ref::<bool>();
    (handle, blocked.expect("true or false"))
}

fn blocked(desk: &mut Desk) -> Contacts {
    let all = desk.call(CONNECTION_PATH, BLOCKING, "RequestBlockedContacts", &());
    all.expect("the list")
}

fn block(desk: &mut Desk, handles: &[u32]) -> Result<(), String> {
    desk.call(CONNECTION_PATH, BLOCKING, "BlockContacts", &(handles, true))
}

fn unblock(desk: &mut Desk, handles: &[u32]) -> Result<(), String> {
    desk.call(CONNECTION_PATH, BLOCKING, "UnblockContacts", &handles)
}

/// Somebody says that the list is another one.
fn told(desk: &mut Desk, sender: &str, blocked: &[&str], unblocked: &[&str]) {
    let info = |caller: &&str| BlockedInfo {
        caller: (*caller).to_owned(),
        reason: String::new(),
        since_microseconds: 1,
    };
    let blocked: Vec<BlockedInfo> = blocked.iter().map(info).collect();
    let message = Message::signal(ROOT, BLOCKING_INTERFACE, "BlockedChanged")
        .and_then(|builder| builder.sender(sender))
        .and_then(|builder| builder.build(&(blocked, unblocked)))
        .expect("a message");
    desk.receive(&message);
}

/// The last change that clients were told.
fn change(desk: &Desk) -> (Contacts, Contacts) {
    desk.last("BlockedContactsChanged")
}

/// What was asked of the list of the service.
fn asked(desk: &Desk, member: &str) -> Vec<Message> {
    let is_it = |sent: &&Message| {
        let header = sent.header();
        header.interface().is_some_and(|name| name == BLOCKING_INTERFACE)
            && header.member().is_some_and(|name| name == member)
    };
    desk.sent.iter().filter(is_it).cloned().collect()
}

#[test]
fn the_list_of_the_service_is_there_as_far_as_it_names_contacts() {
    let mut desk = Desk::connected();
    let all = blocked(&mut desk);
    let mut ids: Vec<&str> = all.values().map(String::as_str).collect();
    ids.sort_unstable();
    let wanted = ["+4940999", "103", "sip:anonymous@anonymous.invalid", "sip:eve@example.org"];
    assert_eq!(ids, wanted, "no domain and no beginning");
    for id in wanted {
        let (handle, is_blocked) = contact(&mut desk, id);
        assert!(is_blocked && all[&handle] == id, "{id}");
    }
    assert!(!contact(&mut desk, "102").1);
    let flags: OwnedValue = desk
        .call(CONNECTION_PATH, PROPERTIES, "Get", &(BLOCKING, "ContactBlockingCapabilities"))
        .expect("a property");
    assert_eq!(flags.downcast_ref::<u32>(), Ok(0), "there is nobody to report to");
    let interfaces: OwnedValue =
        desk.call(CONNECTION_PATH, PROPERTIES, "Get", &(CONNECTION, "Interfaces")).expect("a list");
    let interfaces = Vec::<String>::try_from(interfaces).expect("as");
    assert!(interfaces.iter().any(|name| name == BLOCKING), "{interfaces:?}");
}

#[test]
fn what_a_client_blocks_is_told_before_its_answer_and_once() {
    let mut desk = Desk::connected();
    let (bert, _) = contact(&mut desk, "102");
    desk.sent.clear();
    assert_eq!(block(&mut desk, &[bert, bert]), Ok(()));
    let add = &asked(&desk, "Add")[0];
    let (callers, _): (Vec<String>, HashMap<String, OwnedValue>) =
        add.body().deserialize().expect("asa{sv}");
    assert_eq!(callers, ["102"], "each once");
    assert_eq!(change(&desk), (contacts(&[(bert, "102")]), Contacts::new()));
    assert_eq!(desk.members(), ["Add", "BlockedContactsChanged", "reply"]);
    assert!(contact(&mut desk, "102").1);
    desk.sent.clear();
    told(&mut desk, SERVICE, &["102"], &[]);
    assert_eq!(block(&mut desk, &[bert]), Ok(()));
    assert_eq!(desk.members(), ["reply"], "nothing is different, and nobody is asked");
    assert_eq!(unblock(&mut desk, &[bert]), Ok(()));
    let remove = &asked(&desk, "Remove")[0];
    assert_eq!(remove.body().deserialize::<Vec<String>>().expect("as"), ["102"]);
    desk.sent.clear();
    told(&mut desk, SERVICE, &[], &["102"]);
    assert_eq!(change(&desk), (Contacts::new(), contacts(&[(bert, "102")])));
    assert!(!contact(&mut desk, "102").1);
    desk.sent.clear();
    assert_eq!(unblock(&mut desk, &[bert]), Ok(()));
    assert_eq!(desk.members(), ["reply"], "who is not blocked is left out");
}

#[test]
fn a_contact_written_in_another_way_stands_for_the_entry_of_the_service() {
    let mut desk = Desk::connected();
    let (local, _) = contact(&mut desk, "030123456");
    desk.sent.clear();
    // The service tells before it answers.
    desk.is_served = false;
    let call = Message::method_call(CONNECTION_PATH, "BlockContacts")
        .and_then(|builder| builder.interface(BLOCKING))
        .and_then(|builder| builder.sender(":1.99"))
        .and_then(|builder| builder.build(&(vec![local], false)))
        .expect("a message");
    desk.receive(&call);
    let add = asked(&desk, "Add").remove(0);
    told(&mut desk, SERVICE, &["+4930123456"], &[]);
    let (came, _) = change(&desk);
    let (world, _) = came.iter().next().map(|(handle, id)| (*handle, id.clone())).expect("one");
    assert_eq!(came, contacts(&[(world, "+4930123456")]));
    desk.sent.clear();
    let answer = play(&add, &[]).expect("an answer");
    desk.receive(&answer);
    assert_eq!(change(&desk).0, contacts(&[(local, "030123456")]));
    assert_eq!(desk.members(), ["BlockedContactsChanged", "reply"]);
    desk.is_served = true;
    told(&mut desk, SERVICE, &[], &["+4930123456"]);
    let both = contacts(&[(world, "+4930123456"), (local, "030123456")]);
    assert_eq!(change(&desk), (Contacts::new(), both));
}

#[test]
fn what_cannot_be_is_refused_with_telepathys_errors() {
    let mut desk = Desk::connected();
    let (bert, _) = contact(&mut desk, "102");
    let (help, _) = contact(&mut desk, "112");
    let (own, _) = contact(&mut desk, "101");
    desk.sent.clear();
    let error = |name: &str| Err(format!("org.freedesktop.Telepathy.Error.{name}"));
    assert_eq!(block(&mut desk, &[bert, 4711]), error("InvalidHandle"));
    assert_eq!(unblock(&mut desk, &[0]), error("InvalidHandle"));
    assert_eq!(block(&mut desk, &[own]), error("InvalidArgument"));
    assert_eq!(asked(&desk, "Add").len(), 0, "all or none");
    assert_eq!(block(&mut desk, &[bert, help]), error("InvalidArgument"));
    assert!(!contact(&mut desk, "102").1);
    assert_eq!(block(&mut desk, &[]), Ok(()));
    told(&mut desk, ":1.66", &["102"], &[]);
    assert!(!contact(&mut desk, "102").1, "anybody can send signals");
    let wrong = desk.call::<_, ()>(CONNECTION_PATH, BLOCKING, "BlockContacts", &"102");
    assert_eq!(wrong, error("InvalidArgument"));
}

#[test]
fn who_asks_too_early_waits_and_what_was_told_meanwhile_counts() {
    let mut desk = Desk::new();
    desk.keeps_list_back = true;
    desk.request_connection();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
    let list = asked(&desk, "List").remove(0);
    told(&mut desk, SERVICE, &["bob@example.org"], &["103"]);
    desk.sent.clear();
    let call = Message::method_call(CONNECTION_PATH, "RequestBlockedContacts")
        .and_then(|builder| builder.interface(BLOCKING))
        .and_then(|builder| builder.sender(":1.99"))
        .and_then(|builder| builder.build(&()))
        .expect("a message");
    desk.receive(&call);
    assert!(desk.members().is_empty());
    desk.receive(&play(&list, &[]).expect("an answer"));
    let (came, went) = change(&desk);
    let mut ids: Vec<&str> = came.values().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "+4940999",
            "sip:anonymous@anonymous.invalid",
            "sip:bob@example.org",
            "sip:eve@example.org"
        ]
    );
    assert!(went.is_empty());
    assert_eq!(desk.members(), ["BlockedContactsChanged", "reply"]);
    assert_eq!(blocked(&mut desk), came);
}

#[test]
fn a_service_that_does_not_tell_the_list_is_said_to_and_one_that_ends_leaves_nobody_waiting() {
    let mut desk = Desk::new();
    desk.keeps_list_back = true;
    desk.request_connection();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
    let list = asked(&desk, "List").remove(0);
    let answer = Message::error(&list.header(), "org.gnutelephony.SipWitch1.Error.NotStored")
        .and_then(|builder| builder.sender(SERVICE))
        .and_then(|builder| builder.build(&"no list"))
        .expect("a message");
    desk.receive(&answer);
    let refused =
        desk.call::<_, Contacts>(CONNECTION_PATH, BLOCKING, "RequestBlockedContacts", &());
    assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));

    let mut desk = Desk::new();
    desk.keeps_list_back = true;
    desk.request_connection();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
    let call = Message::method_call(CONNECTION_PATH, "RequestBlockedContacts")
        .and_then(|builder| builder.interface(BLOCKING))
        .and_then(|builder| builder.sender(":1.99"))
        .and_then(|builder| builder.build(&()))
        .expect("a message");
    desk.receive(&call);
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Disconnect", &()).expect("it ends");
    let serial = call.primary_header().serial_num();
    let reply = desk.sent.iter().find(|sent| sent.header().reply_serial() == Some(serial));
    assert_eq!(reply.map(|reply| reply.message_type()), Some(Type::Error));
}

#[test]
fn a_connection_to_a_provider_has_those_who_can_be_of_it() {
    let mut desk = Desk::new();
    let account: HashMap<String, Value<'_>> = HashMap::from([
        ("account".to_owned(), "anna@example.org".into()),
        ("password".to_owned(), "secret".into()),
    ]);
    let (_, path): (String, zbus::zvariant::OwnedObjectPath) = desk
        .call(
            crate::object::MANAGER_PATH,
            super::desk::MANAGER,
            "RequestConnection",
            &("sip", account),
        )
        .expect("a connection");
    desk.call::<_, ()>(path.as_str(), CONNECTION, "Connect", &()).expect("it connects");
    desk.account_is("online", "");
    told(&mut desk, SERVICE, &["anna", "+4930100", "bob@example.org"], &[]);
    let all: Contacts =
        desk.call(path.as_str(), BLOCKING, "RequestBlockedContacts", &()).expect("the list");
    let mut ids: Vec<&str> = all.values().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "+4930100",
            "+4940999",
            "103",
            "sip:anonymous@anonymous.invalid",
            "sip:bob@example.org",
            "sip:eve@example.org"
        ]
    );
}
