// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use zbus::zvariant::{OwnedValue, Value};

use super::desk::{CONNECTION, CONNECTION_PATH, Desk, PROPERTIES};
use crate::handles::MAX_HANDLES;

const ALIASING: &str = "org.freedesktop.Telepathy.Connection.Interface.Aliasing";
const CONTACTS: &str = "org.freedesktop.Telepathy.Connection.Interface.Contacts";
const PRESENCE: &str = "org.freedesktop.Telepathy.Connection.Interface.SimplePresence";
const INVALID_HANDLE: &str = "org.freedesktop.Telepathy.Error.InvalidHandle";

#[test]
fn connecting_is_told_in_the_order_that_clients_wait_for() {
    let mut desk = Desk::new();
    desk.request_connection();
    let early = desk.call::<_, u32>(CONNECTION_PATH, CONNECTION, "GetSelfHandle", &());
    assert_eq!(early, Err("org.freedesktop.Telepathy.Error.Disconnected".into()));
    desk.sent.clear();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Connect", &()).expect("it connects");
    assert_eq!(
        desk.members(),
        [
            "StatusChanged",
            "AddMatch",
            "Get",
            "RegisterEndpoint",
            "reply",
            "Get",
            "GetAll",
            "ContactListStateChanged",
            "AddMatch",
            "AddMatch",
            "AddMatch",
            "AddMatch",
            "Get",
            "List",
            "GetManagedObjects",
            "ServicePointsChanged",
            "BlockedContactsChanged",
            "ContactListStateChanged",
            "Texts",
            "SetAvailable",
            "SelfHandleChanged",
            "SelfContactChanged",
            "StatusChanged",
            "PresencesChanged",
        ]
    );
    assert_eq!(desk.call(CONNECTION_PATH, CONNECTION, "GetStatus", &()), Ok(0u32));
}

#[test]
fn disconnecting_is_told_and_leaves_nothing() {
    let mut desk = Desk::connected();
    desk.call::<_, ()>(CONNECTION_PATH, CONNECTION, "Disconnect", &()).expect("it ends");
    let mut members = desk.members();
    members.dedup();
    assert_eq!(members, ["Remove", "RemoveMatch", "StatusChanged", "ReleaseName", "reply"]);
    let gone = desk.call::<_, u32>(CONNECTION_PATH, CONNECTION, "GetStatus", &());
    assert_eq!(gone, Err("org.freedesktop.DBus.Error.UnknownObject".into()));
}

#[test]
fn a_service_that_leaves_is_an_error_before_it_is_a_status() {
    let mut desk = Desk::connected();
    desk.service_leaves();
    let error = desk.sent.first().expect("it is told");
    let (name, _): (String, HashMap<String, OwnedValue>) =
        error.body().deserialize().expect("sa{sv}");
    assert_eq!(name, "org.freedesktop.Telepathy.Error.NetworkError");
    let mut members = desk.members();
    members.dedup();
    assert_eq!(members, ["ConnectionError", "RemoveMatch", "StatusChanged", "ReleaseName"]);
    desk.request_connection();
}

#[test]
fn who_writes_the_same_contact_differently_gets_the_same_handle() {
    let mut desk = Desk::connected();
    let same = vec!["+49 30 123", "tel:+4930123", "+4930123"];
    let handles: Vec<u32> =
        desk.call(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, same)).expect("handles");
    assert!(handles[0] > 0 && handles.iter().all(|handle| *handle == handles[0]), "{handles:?}");
    let house = vec!["102", "sip:102@house.example", "sip:102@other.example"];
    let handles: Vec<u32> =
        desk.call(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, house)).expect("handles");
    assert_eq!(handles[0], handles[1], "an address of the house is its user");
    assert_ne!(handles[0], handles[2]);
    let ids: Vec<String> = desk
        .call(CONNECTION_PATH, CONNECTION, "InspectHandles", &(1u32, vec![handles[2]]))
        .expect("identifiers");
    assert_eq!(ids, ["sip:102@other.example"]);
    let bad = desk.call::<_, Vec<u32>>(
        CONNECTION_PATH,
        CONNECTION,
        "RequestHandles",
        &(1u32, vec!["a b"]),
    );
    assert_eq!(bad, Err(INVALID_HANDLE.into()));
    let unknown = desk.call::<_, Vec<String>>(
        CONNECTION_PATH,
        CONNECTION,
        "InspectHandles",
        &(1u32, [0u32, 9]),
    );
    assert!(unknown.is_err());
}

#[test]
fn a_million_handles_are_not_given() {
    let mut desk = Desk::connected();
    let many: Vec<String> = (0..=MAX_HANDLES).map(|number| format!("9{number}")).collect();
    let refused =
        desk.call::<_, Vec<u32>>(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, many));
    assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    let known: Vec<u32> = desk
        .call(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, vec!["101"]))
        .expect("those that there are go on");
    assert_eq!(known.len(), 1);
}

#[test]
fn a_contact_has_all_that_was_asked_for_and_a_wrong_handle_nothing() {
    let mut desk = Desk::connected();
    let wanted = vec![ALIASING, PRESENCE, "org.example.Unknown"];
    let (handle, known): (u32, HashMap<String, OwnedValue>) = desk
        .call(CONNECTION_PATH, CONTACTS, "GetContactByID", &("+49 30 123", &wanted))
        .expect("a contact");
    let text = |key: &str| known[key].downcast_ref::<String>().expect("a text");
    assert_eq!(known.len(), 3);
    assert_eq!(text("org.freedesktop.Telepathy.Connection/contact-id"), "+4930123");
    assert_eq!(text("org.freedesktop.Telepathy.Connection.Interface.Aliasing/alias"), "+4930123");
    let presence = &known["org.freedesktop.Telepathy.Connection.Interface.SimplePresence/presence"];
    let presence: (u32, String, String) =
        presence.try_clone().expect("no descriptor").try_into().expect("(uss)");
    assert_eq!(presence.0, 7, "a number is never offline");

    let all: HashMap<u32, HashMap<String, OwnedValue>> = desk
        .call(
            CONNECTION_PATH,
            CONTACTS,
            "GetContactAttributes",
            &(vec![handle, 999], wanted, false),
        )
        .expect("those that are known");
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [handle]);
}

#[test]
fn our_own_name_can_be_changed_and_no_others() {
    let mut desk = Desk::connected();
    let own: u32 = desk.call(CONNECTION_PATH, CONNECTION, "GetSelfHandle", &()).expect("connected");
    let aliases: HashMap<u32, String> =
        desk.call(CONNECTION_PATH, ALIASING, "GetAliases", &vec![own]).expect("a name");
    assert_eq!(aliases[&own], "Anna", "the name of the extension");
    desk.sent.clear();
    let wanted = HashMap::from([(own, "Anna Blume")]);
    desk.call::<_, ()>(CONNECTION_PATH, ALIASING, "SetAliases", &wanted).expect("it is ours");
    assert_eq!(desk.members(), ["AliasesChanged", "ContactInfoChanged", "reply"]);
    let (other, _): (u32, HashMap<String, OwnedValue>) = desk
        .call(CONNECTION_PATH, CONTACTS, "GetContactByID", &("102", Vec::<String>::new()))
        .expect("a contact");
    let wanted = HashMap::from([(other, "Bert")]);
    let refused = desk.call::<_, ()>(CONNECTION_PATH, ALIASING, "SetAliases", &wanted);
    assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
}

#[test]
fn who_is_busy_is_no_phone_that_rings() {
    let mut desk = Desk::connected();
    desk.call::<_, ()>(CONNECTION_PATH, PRESENCE, "SetPresence", &("dnd", "in a talk"))
        .expect("settable");
    assert_eq!(desk.members(), ["SetAvailable", "reply", "PresencesChanged"]);
    for (status, error) in [("offline", "NotAvailable"), ("asleep", "InvalidArgument")] {
        let refused = desk.call::<_, ()>(CONNECTION_PATH, PRESENCE, "SetPresence", &(status, ""));
        assert_eq!(refused, Err(format!("org.freedesktop.Telepathy.Error.{error}")));
    }
}

#[test]
fn who_hides_the_number_says_so_with_each_call() {
    const ANONYMITY: &str = "org.freedesktop.Telepathy.Connection.Interface.Anonymity";
    let mut desk = Desk::connected();
    let mut set = |name: &str, value: Value<'_>| {
        desk.call::<_, ()>(CONNECTION_PATH, PROPERTIES, "Set", &(ANONYMITY, name, value))
    };
    let error = |name: &str| Err(format!("org.freedesktop.Telepathy.Error.{name}"));
    assert_eq!(set("AnonymityModes", 1u32.into()), Ok(()));
    assert_eq!(set("AnonymityModes", 5u32.into()), error("NotImplemented"));
    assert_eq!(set("AnonymityModes", "1".into()), error("InvalidArgument"));
    assert_eq!(set("AnonymityMandatory", false.into()), Ok(()));
    assert_eq!(set("AnonymityMandatory", true.into()), error("NotAvailable"));
    assert_eq!(
        set("SupportedAnonymityModes", 1u32.into()),
        Err("org.freedesktop.DBus.Error.PropertyReadOnly".into())
    );
    let (modes,): (u32,) = desk.last("AnonymityModesChanged");
    assert_eq!(modes, 1);
    let modes: OwnedValue = desk
        .call(CONNECTION_PATH, PROPERTIES, "Get", &(ANONYMITY, "AnonymityModes"))
        .expect("a property");
    assert_eq!(modes.downcast_ref::<u32>(), Ok(1));
}
