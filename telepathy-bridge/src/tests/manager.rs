// SPDX-License-Identifier: GPL-3.0-or-later

use std::{collections::HashMap, fs, path::Path, time::Duration};

use zbus::zvariant::{OwnedValue, Value};

use super::desk::{CONNECTION_PATH, Desk, MANAGER, PROPERTIES};
use crate::{
    definition::Access,
    manager_file,
    object::{MANAGER_PATH, Object},
    protocol::{self, Protocol},
};

const PROTOCOL: &str = "org.freedesktop.Telepathy.Protocol";
const ADDRESSING: &str = "org.freedesktop.Telepathy.Protocol.Interface.Addressing";
const INVALID_ARGUMENT: &str = "org.freedesktop.Telepathy.Error.InvalidArgument";
const NOT_IMPLEMENTED: &str = "org.freedesktop.Telepathy.Error.NotImplemented";

#[test]
fn the_shipped_manager_file_says_what_the_objects_say() {
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/telepathy/managers/sipwitch.manager");
    let shipped = fs::read_to_string(shipped).expect("it is shipped");
    assert_eq!(
        shipped,
        manager_file::text(),
        "make it anew: telepathy-sipwitch --print-manager-file"
    );
}

#[test]
fn the_manager_tells_every_property_of_its_protocol_that_never_changes() {
    let mut desk = Desk::new();
    let all: HashMap<String, OwnedValue> =
        desk.call(MANAGER_PATH, PROPERTIES, "GetAll", &MANAGER).expect("properties");
    let protocols: HashMap<String, HashMap<String, OwnedValue>> =
        all["Protocols"].try_clone().expect("no descriptor").try_into().expect("a{sa{sv}}");
    let told = &protocols["tel"];
    let mut seen = 0;
    for interface in Object::Protocol(Protocol::Tel).interfaces() {
        for property in interface.properties {
            assert_eq!(property.access, Access::Immutable);
            let value = &told[&interface.member(property.name)];
            assert_eq!(value.value_signature().to_string(), property.signature);
            seen += 1;
        }
    }
    assert_eq!(seen, told.len());
}

#[test]
fn every_property_has_the_type_of_its_table() {
    let mut desk = Desk::connected();
    for path in desk.bridge.paths() {
        let object = Object::at(&path).expect("one of ours");
        for interface in object.interfaces() {
            let all: HashMap<String, OwnedValue> =
                desk.call(&path, PROPERTIES, "GetAll", &interface.name).expect("properties");
            assert_eq!(all.len(), interface.properties.len(), "{path} {}", interface.name);
            for property in interface.properties {
                let value = &all[property.name];
                let found = value.value_signature().to_string();
                assert_eq!(found, property.signature, "{}.{}", interface.name, property.name);
            }
        }
    }
}

#[test]
fn introspection_shows_every_interface_and_the_way_to_every_object() {
    let mut desk = Desk::connected();
    for path in desk.bridge.paths() {
        let xml: String = desk
            .call(&path, "org.freedesktop.DBus.Introspectable", "Introspect", &())
            .expect("introspection");
        for interface in Object::at(&path).expect("one of ours").interfaces() {
            assert!(xml.contains(&format!("\"{}\"", interface.name)), "{path}: {xml}");
        }
        let (above, name) = path.rsplit_once('/').expect("a path");
        let xml: String = desk
            .call(above, "org.freedesktop.DBus.Introspectable", "Introspect", &())
            .expect("introspection");
        assert!(xml.contains(&format!("<node name=\"{name}\"/>")), "{above}: {xml}");
    }
}

#[test]
fn a_connection_takes_no_parameter_and_there_is_one() {
    let mut desk = Desk::new();
    let with = HashMap::from([("account", Value::from("anna"))]);
    let refused = desk.call::<_, ()>(MANAGER_PATH, MANAGER, "RequestConnection", &("tel", with));
    assert_eq!(refused, Err(INVALID_ARGUMENT.into()));
    let none: HashMap<String, Value<'_>> = HashMap::new();
    let refused = desk.call::<_, ()>(MANAGER_PATH, MANAGER, "RequestConnection", &("xmpp", &none));
    assert_eq!(refused, Err(NOT_IMPLEMENTED.into()));
    let refused = desk.call::<_, ()>(MANAGER_PATH, MANAGER, "RequestConnection", &"tel");
    assert_eq!(refused, Err(INVALID_ARGUMENT.into()), "types are compared");

    desk.request_connection();
    assert!(desk.members().ends_with(&["reply".into(), "NewConnection".into()]));
    let refused = desk.call::<_, ()>(MANAGER_PATH, MANAGER, "RequestConnection", &("tel", &none));
    assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    assert!(desk.bridge.paths().contains(&CONNECTION_PATH.to_owned()));
}

#[test]
fn the_account_is_named_without_a_parameter() {
    let mut desk = Desk::new();
    let none: HashMap<String, Value<'_>> = HashMap::new();
    let id: Result<String, String> =
        desk.call(&Protocol::Tel.path(), PROTOCOL, "IdentifyAccount", &none);
    assert_eq!(id.as_deref(), Ok(protocol::ACCOUNT_ID));
}

#[test]
fn contacts_are_written_in_one_way() {
    let mut desk = Desk::new();
    for (written, normal) in [
        ("101", Ok("101")),
        ("+49 (30) 123-45", Ok("+493012345")),
        ("tel:+49-30-12345", Ok("+493012345")),
        ("112", Ok("112")),
        ("*21#", Ok("*21#")),
        ("Anna", Ok("anna")),
        ("anna@Example.ORG", Ok("sip:anna@example.org")),
        ("SIP:%61nna@example.org", Ok("sip:anna@example.org")),
        ("sips:anna@example.org:5071", Ok("sips:anna@example.org:5071")),
        ("", Err("org.freedesktop.Telepathy.Error.InvalidHandle")),
        ("gopher:x", Err("org.freedesktop.Telepathy.Error.InvalidHandle")),
    ] {
        let found: Result<String, String> =
            desk.call(&Protocol::Tel.path(), PROTOCOL, "NormalizeContact", &written);
        assert_eq!(found.as_deref().map_err(String::as_str), normal, "{written:?}");
    }
    for (field, address, normal) in [
        ("tel", "+49 30 12345", Ok("+493012345")),
        ("X-SIP", "sip:Anna@Example.org", Ok("sip:Anna@example.org")),
        ("x-sip", "101", Err(INVALID_ARGUMENT)),
        ("x-jabber", "a@b", Err(NOT_IMPLEMENTED)),
    ] {
        let found: Result<String, String> = desk.call(
            &Protocol::Tel.path(),
            ADDRESSING,
            "NormalizeVCardAddress",
            &(field, address),
        );
        assert_eq!(found.as_deref().map_err(String::as_str), normal, "{field} {address:?}");
    }
    for (uri, normal) in [
        ("tel:+49-30-12345", Ok("tel:+493012345")),
        ("sip:anna@example.org", Ok("sip:anna@example.org")),
        ("xmpp:a@b", Err(NOT_IMPLEMENTED)),
        ("101", Err(INVALID_ARGUMENT)),
    ] {
        let found: Result<String, String> =
            desk.call(&Protocol::Tel.path(), ADDRESSING, "NormalizeContactURI", &uri);
        assert_eq!(found.as_deref().map_err(String::as_str), normal, "{uri:?}");
    }
}

#[test]
fn it_ends_when_nobody_has_needed_it_for_five_seconds() {
    let mut desk = Desk::new();
    let at = desk.bridge.next_deadline().expect("it does not stay for ever");
    assert_eq!(at, desk.now + Duration::from_secs(5));
    desk.request_connection();
    assert_eq!(desk.bridge.next_deadline(), None, "a connection needs no waking up");
    desk.call::<_, ()>(CONNECTION_PATH, super::desk::CONNECTION, "Disconnect", &())
        .expect("it ends");
    desk.now = desk.bridge.next_deadline().expect("the last has gone");
    desk.bridge.handle_deadline(desk.now);
    assert!(!desk.bridge.is_over(), "the name is ours until the bus says so");
    desk.drain();
    assert!(desk.bridge.is_over());
}
