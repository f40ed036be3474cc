// SPDX-License-Identifier: GPL-3.0-or-later
//! What the switchboard tells is repeated as signals, in order.

use std::collections::HashMap;

use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::{
    CallProxy, ObjectName, SipWitchProxy, names,
    wire::{CallState, CallSummary, ConnectivityChange},
};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::house::{House, call, extension, phone, soon, world};
use crate::{
    bus::Gone,
    connectivity::Change,
    switchboard::{
        ask::Ask,
        notice::{CallEnd, CallView, Notice, World},
    },
};

type Changed = (String, HashMap<String, OwnedValue>, Vec<String>);

fn ended(id: u64) -> Notice {
    Notice::CallEnded(Box::new(CallEnd {
        call: CallView { answered_us: 5_000, ..call(id) },
        ended_us: 6_000,
        sip_code: 486,
        q850: 17,
        words: "busy".into(),
    }))
}

/// The next signal must be this one.
macro_rules! signal {
    ($house:expr, $object:expr, $member:literal) => {{
        let (path, member, message) = $house.signal().await;
        assert_eq!((path.as_str(), member.as_str()), ($object.path().as_str(), $member));
        message
    }};
}

#[tokio::test]
async fn a_call_is_told_from_its_beginning_to_its_end_in_order() {
    let mut house = House::new(World::default()).await;
    let it = ObjectName::Call(7);

    house.tell(Notice::Call(call(7)));
    let added = signal!(house, ObjectName::Root, "InterfacesAdded");
    let (path, interfaces): (OwnedObjectPath, HashMap<String, HashMap<String, OwnedValue>>) =
        added.body().deserialize().expect("readable");
    assert_eq!(path, it.path());
    assert_eq!(
        interfaces[names::CALL_INTERFACE]["Caller"],
        zbus::zvariant::Str::from("101").into()
    );
    let count = signal!(house, ObjectName::Root, "PropertiesChanged");
    let (_, changed, _): Changed = count.body().deserialize().expect("readable");
    assert_eq!(changed, HashMap::from([("CallCount".into(), 1_u32.into())]));

    // The same again is no news; the next thing told is the answer.
    house.tell(Notice::Call(call(7)));
    house.tell(Notice::Call(CallView { state: "connected", answered_us: 5_000, ..call(7) }));
    let answer = signal!(house, it, "PropertiesChanged");
    let (interface, changed, _): Changed = answer.body().deserialize().expect("readable");
    assert_eq!(interface, names::CALL_INTERFACE);
    let mut names: Vec<_> = changed.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["AnsweredAtMicroseconds", "State"]);

    house.tell(Notice::Dtmf { call: CallId(7), tone: '#', from: "102".into() });
    let tone = signal!(house, it, "DtmfReceived");
    assert_eq!(tone.body().deserialize::<(String, String)>(), Ok(("#".into(), "102".into())));

    house.tell(ended(7));
    let end = signal!(house, it, "PropertiesChanged");
    let (_, changed, _): Changed = end.body().deserialize().expect("readable");
    assert_eq!(changed["State"], zbus::zvariant::Str::from("ended").into());
    assert_eq!(changed["SipCode"], 486_u32.into());
    assert_eq!(changed["EndedAtMicroseconds"], 6_000_u64.into());
    let end = signal!(house, it, "Ended");
    assert_eq!(end.body().deserialize::<(u32, u32, String)>(), Ok((486, 17, "busy".into())));
    let end = signal!(house, ObjectName::Root, "CallEnded");
    let (path, summary): (OwnedObjectPath, CallSummary) =
        end.body().deserialize().expect("readable");
    assert_eq!(path, it.path());
    assert_eq!((summary.callee.as_str(), summary.q850_cause), ("102", Some(17)));
    assert_eq!(summary.answered_at_microseconds, Some(5_000));
    let removed = signal!(house, ObjectName::Root, "InterfacesRemoved");
    let (path, interfaces): (OwnedObjectPath, Vec<String>) =
        removed.body().deserialize().expect("readable");
    assert_eq!((path, interfaces), (it.path(), vec![names::CALL_INTERFACE.into()]));
    signal!(house, ObjectName::Root, "PropertiesChanged");
}

#[tokio::test]
async fn phones_and_extensions_come_change_and_go() {
    let mut house = House::new(World::default()).await;
    house.tell(Notice::Extension(extension("101")));
    signal!(house, ObjectName::Root, "InterfacesAdded");
    house.tell(Notice::Phone(phone(3)));
    signal!(house, ObjectName::Root, "InterfacesAdded");
    let refreshed = crate::switchboard::notice::PhoneView { expires_us: 9_000, ..phone(3) };
    house.tell(Notice::Phone(refreshed));
    signal!(house, ObjectName::Phone(3), "PropertiesChanged");
    house.tell(Notice::PhoneGone(3));
    signal!(house, ObjectName::Root, "InterfacesRemoved");
    let mut alone = extension("101");
    alone.phones.clear();
    house.tell(Notice::Extension(alone));
    signal!(house, ObjectName::Extension("101".into()), "PropertiesChanged");
    house.tell(Notice::ExtensionGone("101".into()));
    signal!(house, ObjectName::Root, "InterfacesRemoved");
    let mut service = world().service;
    service.warnings.clear();
    house.tell(Notice::Service(service));
    signal!(house, ObjectName::Root, "PropertiesChanged");
}

#[tokio::test]
async fn a_change_of_the_network_is_told_after_its_property() {
    let mut house = House::new(world()).await;
    house.tell(Notice::Connectivity(Box::new(Change {
        gone: vec!["192.0.2.7".parse().unwrap()],
        new: Vec::new(),
        way_changed: true,
        resumed: false,
        is_online: false,
        words: "no network".into(),
    })));
    let property = signal!(house, ObjectName::Root, "PropertiesChanged");
    let (_, changed, _): Changed = property.body().deserialize().expect("readable");
    assert_eq!(changed["Network"], zbus::zvariant::Str::from("no network").into());
    let told = signal!(house, ObjectName::Root, "ConnectivityChanged");
    let (words, details): (String, ConnectivityChange) = told.body().deserialize().unwrap();
    assert_eq!((words.as_str(), details.online), ("no network", false));
    assert_eq!((details.gone, details.new), (vec!["192.0.2.7".to_owned()], vec![]));
}

#[tokio::test]
async fn a_bus_that_fell_behind_is_shown_the_world_anew() {
    // World: calls 1 and 2; the end of 1 and the beginning of 3 are lost.
    let before = World { calls: vec![call(1), call(2)], ..world() };
    let mut house = House::with_room(before, 4).await;
    house.tell(ended(1));
    house.tell(Notice::Call(call(3)));
    for _ in 0..8 {
        house.tell(Notice::Phone(phone(3)));
    }
    // What was lost may have been for a program that is a phone: no snapshot has that.
    match house.asked().await {
        Ask::EndpointsLost => {}
        other => panic!("asked {other:?}"),
    }
    match house.asked().await {
        Ask::Announce => {}
        other => panic!("asked {other:?}"),
    }
    let after = World { calls: vec![call(2), call(3)], ..world() };
    house.tell(Notice::World(Box::new(after)));

    let it = ObjectName::Call(1);
    signal!(house, it, "PropertiesChanged");
    let end = signal!(house, it, "Ended");
    let (code, _, words): (u32, u32, String) = end.body().deserialize().expect("readable");
    assert_eq!(code, 0, "a lost cause is not made up");
    assert!(words.contains("see the history"), "{words}");
    signal!(house, ObjectName::Root, "CallEnded");
    signal!(house, ObjectName::Root, "InterfacesRemoved");
    signal!(house, ObjectName::Root, "PropertiesChanged");
    signal!(house, ObjectName::Root, "InterfacesAdded");
    signal!(house, ObjectName::Root, "PropertiesChanged");

    let call = CallProxy::new(&house.client, ObjectName::Call(3).path()).await.expect("a proxy");
    assert_eq!(soon(call.state()).await, Ok(CallState::Ringing));
    let service = SipWitchProxy::new(&house.client).await.expect("a proxy");
    assert_eq!(soon(service.call_count()).await, Ok(2));
}

#[tokio::test]
async fn an_end_without_a_beginning_is_not_told() {
    let mut house = House::new(World::default()).await;
    house.tell(ended(7));
    house.tell(Notice::Phone(phone(3)));
    signal!(house, ObjectName::Root, "InterfacesAdded");
}

#[tokio::test]
async fn when_the_switchboard_stops_everything_it_told_is_shown_first() {
    let mut house = House::new(World::default()).await;
    house.tell(Notice::Call(call(7)));
    house.tell(ended(7));
    let House { notices, running, .. } = &mut house;
    let (unused, _) = tokio::sync::broadcast::channel(1);
    drop(std::mem::replace(notices, unused));
    assert_eq!(soon(running).await.expect("no panic"), Gone::Switchboard);
    loop {
        let (_, member, _) = house.signal().await;
        if member == "CallEnded" {
            break;
        }
    }
}

#[tokio::test]
async fn when_the_bus_goes_the_mirror_says_so() {
    let House { client, signals, running, asks: _asks, notices: _notices } =
        House::new(World::default()).await;
    drop(signals);
    client.close().await.expect("closed");
    assert_eq!(soon(running).await.expect("no panic"), Gone::Bus);
}
