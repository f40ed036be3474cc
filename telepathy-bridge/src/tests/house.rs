// SPDX-License-Identifier: GPL-3.0-or-later
//! The extensions of the played service, and what clients see of them.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::{
    ObjectName,
    names::{EXTENSION_INTERFACE, ROOT, SIPWITCH_INTERFACE},
};
use zbus::{
    Message,
    zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use super::desk::{CONNECTION, CONNECTION_PATH, Desk, PROPERTIES, SERVICE};

const LIST: &str = "org.freedesktop.Telepathy.Connection.Interface.ContactList";
const INFO: &str = "org.freedesktop.Telepathy.Connection.Interface.ContactInfo";
const ALIASING: &str = "org.freedesktop.Telepathy.Connection.Interface.Aliasing";
const PRESENCE: &str = "org.freedesktop.Telepathy.Connection.Interface.SimplePresence";
const CAPABILITIES: &str = "org.freedesktop.Telepathy.Connection.Interface.ContactCapabilities";
const POINTS: &str = "org.freedesktop.Telepathy.Connection.Interface.ServicePoint";
const ADDRESSING: &str = "org.freedesktop.Telepathy.Connection.Interface.Addressing1";

type Attributes = HashMap<u32, HashMap<String, OwnedValue>>;
type Interfaces = HashMap<String, HashMap<String, Value<'static>>>;

fn path(number: &str) -> OwnedObjectPath {
    ObjectName::Extension(number.to_owned()).path()
}

fn extension(number: &str, name: &str, kind: &str, members: &[&str], phones: u32) -> Interfaces {
    let phone = |id: u32| ObjectPath::try_from(format!("{ROOT}/phone/{id}")).expect("a path");
    let phones: Vec<ObjectPath<'static>> = (0..phones).map(phone).collect();
    let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
    let properties = HashMap::from([
        ("Number".to_owned(), number.to_owned().into()),
        ("Name".to_owned(), name.to_owned().into()),
        ("Kind".to_owned(), kind.to_owned().into()),
        ("Members".to_owned(), members.into()),
        ("Phones".to_owned(), phones.into()),
    ]);
    HashMap::from([(EXTENSION_INTERFACE.to_owned(), properties)])
}

/// Everything below the root of the played service.
pub(super) fn objects() -> HashMap<OwnedObjectPath, Interfaces> {
    let account =
        HashMap::from([("org.gnutelephony.SipWitch1.Account".to_owned(), HashMap::new())]);
    HashMap::from([
        (path("101"), extension("101", "Anna", "person", &[], 1)),
        (path("102"), extension("102", "Bert", "person", &[], 1)),
        (path("103"), extension("103", "Dieter", "person", &[], 1)),
        (path("carla"), extension("carla", "", "person", &[], 0)),
        (path("200"), extension("200", "Office", "group", &["102", "carla"], 0)),
        (path("*97"), extension("*97", "Mailbox", "service", &[], 0)),
        (ObjectName::Account("x".into()).path(), account),
    ])
}

fn signal<B>(desk: &mut Desk, sender: &str, path: &str, interface: &str, member: &str, body: &B)
where
    B: serde::Serialize + DynamicType,
{
    let message = Message::signal(path, interface, member)
        .and_then(|builder| builder.sender(sender))
        .and_then(|builder| builder.build(body))
        .expect("a message");
    desk.receive(&message);
}

fn changed(desk: &mut Desk, sender: &str, number: &str, name: &str, value: Value<'_>) {
    let body = (EXTENSION_INTERFACE, HashMap::from([(name, value)]), Vec::<String>::new());
    signal(desk, sender, path(number).as_str(), PROPERTIES, "PropertiesChanged", &body);
}

fn listed(desk: &mut Desk) -> HashMap<String, HashMap<String, OwnedValue>> {
    let wanted = vec![ALIASING, PRESENCE, INFO, CAPABILITIES, ADDRESSING];
    let all: Attributes = desk
        .call(CONNECTION_PATH, LIST, "GetContactListAttributes", &(wanted, false))
        .expect("the list");
    let id = format!("{CONNECTION}/contact-id");
    all.into_values()
        .map(|mut one| (one.remove(&id).expect("an id").try_into().expect("a text"), one))
        .collect()
}

fn presence(one: &HashMap<String, OwnedValue>) -> u32 {
    let presence = one[&format!("{PRESENCE}/presence")].try_clone().expect("no descriptor");
    <(u32, String, String)>::try_from(presence).expect("(uss)").0
}

fn handle(desk: &mut Desk, id: &str) -> u32 {
    let (handle, _): (u32, HashMap<String, OwnedValue>) = desk
        .call(
            CONNECTION_PATH,
            "org.freedesktop.Telepathy.Connection.Interface.Contacts",
            "GetContactByID",
            &(id, Vec::<String>::new()),
        )
        .expect("a contact");
    handle
}

#[test]
fn the_people_of_the_house_are_listed_with_all_that_is_known_of_them() {
    let mut desk = Desk::connected();
    let list = listed(&mut desk);
    let mut ids: Vec<&str> = list.keys().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["*97", "102", "103", "200", "carla"], "all but ourselves");
    let presences = ["102", "200", "carla", "*97"].map(|id| presence(&list[id]));
    assert_eq!(presences, [2, 2, 1, 7], "with a phone, by a member, without, not known");
    let bert = &list["102"];
    assert_eq!(bert[&format!("{ALIASING}/alias")].downcast_ref::<String>().as_deref(), Ok("Bert"));
    for name in ["subscribe", "publish"] {
        assert_eq!(bert[&format!("{LIST}/{name}")].downcast_ref::<u32>(), Ok(4));
    }
    type Fields = Vec<(String, Vec<String>, Vec<String>)>;
    let fields = |id: &str| {
        let info = list[id][&format!("{INFO}/info")].try_clone().expect("no descriptor");
        let fields = Fields::try_from(info).expect("a(sasas)").into_iter();
        fields.map(|(field, _, values)| format!("{field}={}", values.join(";"))).collect::<Vec<_>>()
    };
    assert_eq!(fields("102"), ["fn=Bert", "tel=102"]);
    assert_eq!(fields("carla"), ["x-sip=sip:carla@house.example"]);
    let classes = |id: &str| {
        let value = list[id][&format!("{CAPABILITIES}/capabilities")].try_clone();
        type Classes = Vec<(HashMap<String, OwnedValue>, Vec<String>)>;
        let classes = Classes::try_from(value.expect("no descriptor")).expect("a(a{sv}as)");
        let kind = "org.freedesktop.Telepathy.Channel.ChannelType";
        let texts = |(fixed, _): &(HashMap<String, OwnedValue>, _)| {
            fixed[kind].downcast_ref::<String>().expect("a text").ends_with("Text")
        };
        (!classes.is_empty(), classes.iter().any(texts))
    };
    assert_eq!(["102", "200", "*97"].map(classes), [(true, true), (true, false), (true, false)]);
}

#[test]
fn what_changes_in_the_house_is_told_and_only_by_the_service() {
    let mut desk = Desk::connected();
    let carla = handle(&mut desk, "carla");
    desk.sent.clear();
    let phone = ObjectPath::from_static_str_unchecked("/org/gnutelephony/SipWitch1/phone/9");
    changed(&mut desk, ":1.66", "carla", "Phones", vec![phone.clone()].into());
    assert!(desk.members().is_empty(), "anybody can send signals");
    changed(&mut desk, SERVICE, "carla", "Phones", vec![phone].into());
    let (told,): (HashMap<u32, (u32, String, String)>,) = desk.last("PresencesChanged");
    assert_eq!(told[&carla].1, "available");
    assert_eq!(told.len(), 1, "the group was in before");
    changed(&mut desk, SERVICE, "carla", "Name", "Carla Columna".into());
    let (told,): (Vec<(u32, String)>,) = desk.last("AliasesChanged");
    assert_eq!(told, [(carla, "Carla Columna".to_owned())]);
    desk.sent.clear();
    changed(&mut desk, SERVICE, "carla", "Kind", "group".into());
    assert_eq!(desk.members(), ["PresencesChanged", "ContactCapabilitiesChanged"]);
    changed(&mut desk, SERVICE, "101", "Name", "Anna Blume".into());
    assert_eq!(desk.members(), ["AliasesChanged", "ContactInfoChanged"], "our own name too");

    let manager = "org.freedesktop.DBus.ObjectManager";
    let new = (path("104"), extension("104", "Dora", "person", &[], 1));
    signal(&mut desk, SERVICE, ROOT, manager, "InterfacesAdded", &new);
    assert_eq!(
        desk.members(),
        [
            "ContactsChangedWithID",
            "ContactsChanged",
            "PresencesChanged",
            "AliasesChanged",
            "ContactInfoChanged"
        ]
    );
    assert_eq!(presence(&listed(&mut desk)["104"]), 2);
    let gone = (path("104"), vec![EXTENSION_INTERFACE]);
    signal(&mut desk, SERVICE, ROOT, manager, "InterfacesRemoved", &gone);
    let dora = handle(&mut desk, "104");
    type Changed = (HashMap<u32, (u32, u32, String)>, HashMap<u32, String>, HashMap<u32, String>);
    let (_, _, gone): Changed = desk.last("ContactsChangedWithID");
    assert_eq!(gone, HashMap::from([(dora, "104".to_owned())]));
    assert!(!listed(&mut desk).contains_key("104"));
}

#[test]
fn nobody_changes_the_list_here() {
    let mut desk = Desk::connected();
    let bert = vec![handle(&mut desk, "102")];
    let refused = [
        desk.call::<_, ()>(CONNECTION_PATH, LIST, "RequestSubscription", &(&bert, "please")),
        desk.call::<_, ()>(CONNECTION_PATH, LIST, "RemoveContacts", &bert),
        desk.call::<_, ()>(
            CONNECTION_PATH,
            INFO,
            "SetContactInfo",
            &Vec::<(String, Vec<String>, Vec<String>)>::new(),
        ),
    ];
    for refused in refused {
        assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotImplemented".into()));
    }
    let wrong = desk.call::<_, ()>(CONNECTION_PATH, LIST, "RemoveContacts", &"102");
    assert_eq!(wrong, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    let unknown = desk.call::<_, ()>(CONNECTION_PATH, INFO, "RequestContactInfo", &4711u32);
    assert_eq!(unknown, Err("org.freedesktop.Telepathy.Error.InvalidHandle".into()));
}

#[test]
fn the_numbers_of_help_are_those_of_the_service_and_follow_it() {
    type Points = Vec<((u32, String), Vec<String>)>;
    let mut desk = Desk::connected();
    let points: OwnedValue = desk
        .call(CONNECTION_PATH, PROPERTIES, "Get", &(POINTS, "KnownServicePoints"))
        .expect("a property");
    let sos = |numbers: &[&str]| {
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        ((1u32, "urn:service:sos".to_owned()), numbers)
    };
    assert_eq!(Points::try_from(points), Ok(vec![sos(&["112", "911"])]));
    let numbers = vec![
        ("sos".to_owned(), vec!["112".to_owned()]),
        ("sos.police".to_owned(), vec!["110".to_owned()]),
    ];
    let body = (
        SIPWITCH_INTERFACE,
        HashMap::from([("EmergencyNumbers", Value::from(numbers))]),
        Vec::<String>::new(),
    );
    signal(&mut desk, SERVICE, ROOT, PROPERTIES, "PropertiesChanged", &body);
    let (told,): (Points,) = desk.last("ServicePointsChanged");
    let police = ((1, "urn:service:sos.police".to_owned()), vec!["110".to_owned()]);
    assert_eq!(told, [sos(&["112"]), police]);
    desk.sent.clear();
    signal(&mut desk, SERVICE, ROOT, PROPERTIES, "PropertiesChanged", &body);
    assert!(desk.members().is_empty(), "nothing new is not told");
}
