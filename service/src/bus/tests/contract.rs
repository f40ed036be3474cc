// SPDX-License-Identifier: GPL-3.0-or-later
//! What we show equals what the XML promises.

use std::collections::{BTreeSet, HashMap};

use sipwitch_dbus_interfaces::{
    CallProxy, ExtensionProxy, ObjectName, PhoneProxy, SipWitchProxy, contract, names,
    wire::{CallState, ExtensionKind, LegRole, LegState, Origin},
};
use zbus::{
    fdo::{IntrospectableProxy, ObjectManagerProxy, PropertiesProxy},
    proxy::CacheProperties,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::house::{House, account, call, extension, phone, program, soon, world};
use crate::bus::{
    account,
    call::{self, CallRecord, End},
    changes::{self, Property},
    endpoint, extension, line, phone, sipwitch,
    sipwitch::ServiceRecord,
};

#[tokio::test]
async fn introspection_equals_the_xml() {
    let house = House::new(world()).await;
    let root = IntrospectableProxy::builder(&house.client)
        .destination(names::BUS_NAME)
        .expect("a name")
        .path(names::ROOT)
        .expect("a path")
        .build()
        .await
        .expect("a proxy");
    let xml = soon(root.introspect()).await.expect("introspected");
    let mut shown = contract::read(&xml).expect("readable");
    let standard: Vec<_> = shown
        .extract_if(.., |name, _| name.starts_with("org.freedesktop."))
        .map(|(name, _)| name)
        .collect();
    assert!(standard.contains(&"org.freedesktop.DBus.ObjectManager".to_owned()), "{standard:?}");
    assert_eq!(shown, contract::master());
}

/// What the XML says of an interface's properties, by how changes are told.
fn promised(interface: &str, emits: &str) -> BTreeSet<String> {
    contract::master()[interface]
        .properties
        .iter()
        .filter(|(_, property)| property.emits == emits)
        .map(|(name, _)| name.clone())
        .collect()
}

async fn shown_by(
    house: &House,
    object: &ObjectName,
    interface: &str,
) -> HashMap<String, OwnedValue> {
    let proxy = PropertiesProxy::builder(&house.client)
        .destination(names::BUS_NAME)
        .expect("a name")
        .path(object.path())
        .expect("a path")
        .cache_properties(CacheProperties::No)
        .build()
        .await
        .expect("a proxy");
    let interface = interface.try_into().expect("a name");
    soon(proxy.get_all(interface)).await.expect("the object is there")
}

/// The table from which changes are told has every property that changes, and says what a read says.
async fn told_as_read<S>(
    house: &House,
    object: ObjectName,
    interface: &str,
    table: &[Property<S>],
    snapshot: &S,
) {
    let told: BTreeSet<_> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(told, promised(interface, "true"), "{interface}");
    let shown = shown_by(house, &object, interface).await;
    for (name, read) in table {
        assert_eq!(
            Value::from(shown[*name].try_clone().expect("no descriptor")),
            read(snapshot),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_change_is_told_as_a_read_would_show_it() {
    let house = House::new(world()).await;
    let service = ServiceRecord { service: world().service, calls: 1 };
    let root = names::SIPWITCH_INTERFACE;
    told_as_read(&house, ObjectName::Root, root, sipwitch::CHANGING, &service).await;
    let record = CallRecord { call: call(1), end: End::default() };
    told_as_read(&house, ObjectName::Call(1), names::CALL_INTERFACE, call::CHANGING, &record).await;
    let object = ObjectName::Phone(3);
    told_as_read(&house, object, names::PHONE_INTERFACE, phone::CHANGING, &phone(3)).await;
    let object = ObjectName::Phone(5);
    let view = program(5);
    told_as_read(&house, object, names::ENDPOINT_INTERFACE, endpoint::CHANGING, &view).await;
    let object = ObjectName::Extension("*97".into());
    let view = extension("*97");
    told_as_read(&house, object, names::EXTENSION_INTERFACE, extension::CHANGING, &view).await;
    let object = || ObjectName::Account("dus-net".into());
    let view = account("dus-net");
    told_as_read(&house, object(), names::ACCOUNT_INTERFACE, account::CHANGING, &view).await;
    told_as_read(&house, object(), names::LINE_INTERFACE, line::CHANGING, &view).await;
}

#[test]
fn only_what_differs_is_told() {
    let old = phone(3);
    let mut new = old.clone();
    assert!(changes::between(phone::CHANGING, &old, &new).is_empty());
    new.expires_us = 9_000;
    let changed = changes::between(phone::CHANGING, &old, &new);
    assert_eq!(changed, HashMap::from([("ExpiresAtMicroseconds", 9_000_u64.into())]));
}

#[tokio::test]
async fn the_proxies_read_what_the_switchboard_told() {
    let house = House::new(world()).await;
    let bus = &house.client;

    let service = SipWitchProxy::new(bus).await.expect("a proxy");
    assert_eq!(service.version().await.as_deref(), Ok(env!("CARGO_PKG_VERSION")));
    assert_eq!(service.addresses().await, Ok(vec!["udp:127.0.0.1:5060".into()]));
    assert_eq!(service.started_at_microseconds().await, Ok(1_000));
    assert_eq!(service.call_count().await, Ok(1));

    let call = CallProxy::new(bus, ObjectName::Call(1).path()).await.expect("a proxy");
    assert_eq!(call.state().await, Ok(CallState::Ringing));
    assert_eq!(call.origin().await, Ok(Origin::Phone));
    assert_eq!(call.callee_name().await.as_deref(), Ok("Bert"));
    assert_eq!(call.q850_cause().await, Ok(0));
    let legs = call.legs().await.expect("legs");
    assert_eq!((legs[0].role, legs[0].state), (LegRole::Caller, LegState::Connected));
    assert_eq!(legs[0].phone, Some(ObjectName::Phone(3).path()));
    assert_eq!((legs[1].role, legs[1].phone.as_ref()), (LegRole::Callee, None));

    let phone = PhoneProxy::new(bus, ObjectName::Phone(3).path()).await.expect("a proxy");
    assert_eq!(phone.extension().await, Ok(ObjectName::Extension("101".into()).path()));
    assert_eq!(phone.user_agent().await.as_deref(), Ok("baresip"));

    let path = ObjectName::Extension("*97".into()).path();
    let extension = ExtensionProxy::new(bus, path).await.expect("a proxy");
    assert_eq!(extension.number().await.as_deref(), Ok("*97"));
    assert_eq!(extension.kind().await, Ok(ExtensionKind::Person));
    assert_eq!(extension.phones().await, Ok(vec![ObjectName::Phone(3).path()]));
}

#[tokio::test]
async fn the_object_manager_lists_every_object_with_its_interfaces() {
    let house = House::new(world()).await;
    let manager = ObjectManagerProxy::new(&house.client, names::BUS_NAME, names::ROOT);
    let managed = manager.await.expect("a proxy").get_managed_objects().await.expect("listed");
    let mut listed: Vec<(OwnedObjectPath, Vec<String>)> = managed
        .into_iter()
        .map(|(path, interfaces)| {
            let names: BTreeSet<_> = interfaces.keys().map(ToString::to_string).collect();
            (path, names.into_iter().collect::<Vec<_>>())
        })
        .filter(|(_, interfaces)| !interfaces.is_empty())
        .collect();
    listed.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    assert_eq!(
        listed,
        [
            (
                ObjectName::Account("dus-net".into()).path(),
                vec![names::ACCOUNT_INTERFACE.into(), names::LINE_INTERFACE.into()],
            ),
            (ObjectName::Call(1).path(), vec![names::CALL_INTERFACE.into()]),
            (ObjectName::Extension("101".into()).path(), vec![names::EXTENSION_INTERFACE.into()]),
            (ObjectName::Extension("*97".into()).path(), vec![names::EXTENSION_INTERFACE.into()]),
            (ObjectName::Phone(3).path(), vec![names::PHONE_INTERFACE.into()]),
            (
                ObjectName::Phone(5).path(),
                vec![names::ENDPOINT_INTERFACE.into(), names::PHONE_INTERFACE.into()],
            ),
        ]
    );
}
