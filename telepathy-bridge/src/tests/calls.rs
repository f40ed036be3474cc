// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::{
    desk::{CONNECTION_PATH, Desk, LEG, PROPERTIES},
    handler::*,
};
use crate::object::{Object, Part};

#[test]
fn what_the_handler_says_is_the_offer() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "+49 30 123");
    handler.accept(&mut desk);
    handler.gathers(&mut desk);
    handler.agrees(&mut desk, 0);
    let (contact, offer, _): (String, Vec<u8>, HashMap<String, OwnedValue>) = desk.last("Dial");
    assert_eq!(contact, "+4930123");
    let offer = String::from_utf8(offer).expect("text");
    for line in [
        "c=IN IP4 127.0.0.1",
        "m=audio 5004 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=fmtp:101 0-15",
        "a=sendrecv",
    ] {
        assert!(offer.lines().any(|found| found == line), "no {line} in\n{offer}");
    }
}

#[test]
fn a_caller_without_a_name_has_a_handle_and_one_without_sound_is_refused() {
    let mut desk = Desk::connected();
    somebody_calls(&mut desk, "", SDP);
    let (channels,): (Vec<(OwnedObjectPath, HashMap<String, OwnedValue>)>,) =
        (desk.last("NewChannels"),);
    let id = &channels[0].1["org.freedesktop.Telepathy.Channel.TargetID"];
    assert_eq!(id.downcast_ref::<String>().expect("a text"), "sip:anonymous@anonymous.invalid");
    desk.sent.clear();
    somebody_calls(&mut desk, "103", "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n");
    let (_, code, _): (u64, u32, HashMap<String, OwnedValue>) = desk.last("Reject");
    assert_eq!(code, 488);
    assert!(!desk.members().contains(&"NewChannels".into()));
}

#[test]
fn hanging_up_before_the_service_has_dialled_hangs_up_after() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    let refused = desk.call::<_, ()>(&handler.path(Part::Channel), CALL, "SetRinging", &());
    assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    let channel = handler.path(Part::Channel);
    desk.sent.clear();
    desk.call::<_, ()>(&channel, CALL, "Hangup", &(2u32, "", "")).expect("once");
    assert_eq!(desk.members(), ["HangUp", "CallStateChanged", "ContentRemoved", "reply"]);
    let twice = desk.call::<_, ()>(&channel, CALL, "Hangup", &(2u32, "", ""));
    assert!(twice.is_err(), "it is over");
}

#[test]
fn only_the_service_is_believed() {
    let mut desk = Desk::connected();
    somebody_calls(&mut desk, "102", SDP);
    desk.sent.clear();
    desk.somebody_says(":1.66", "Ended", &(LEG, "busy", 486u32, 17u32, ""));
    assert_eq!(desk.members(), Vec::<String>::new());
    desk.says("Ended", &(LEG, 3u32));
    assert_eq!(desk.members(), Vec::<String>::new(), "what cannot be read changes nothing");
}

#[test]
fn a_service_that_leaves_ends_its_calls_first() {
    let mut desk = Desk::connected();
    Handler(1).talking(&mut desk);
    desk.service_leaves();
    let (state, _, (_, why, _, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 11));
    let members = desk.members();
    let at = |name: &str| members.iter().position(|member| member == name);
    assert!(at("CallStateChanged") < at("Closed") && at("Closed") < at("ConnectionError"));
}

#[test]
fn a_call_is_ensured_once() {
    let mut desk = Desk::connected();
    type Ensured = (bool, OwnedObjectPath, HashMap<String, OwnedValue>);
    let mut ensured = |id: &str| {
        let call: Ensured =
            desk.call(CONNECTION_PATH, REQUESTS, "EnsureChannel", &asked(id)).expect("a call");
        (call.0, call.1.to_string())
    };
    let (yours, first) = ensured("+49 30 123");
    assert!(yours);
    assert_eq!(ensured("tel:+4930123"), (false, first));
    assert!(ensured("102").0);
}

#[test]
fn every_property_of_a_call_has_the_type_of_its_table() {
    let mut desk = Desk::connected();
    somebody_calls(&mut desk, "102", SDP);
    let paths = desk.bridge.paths();
    assert!(
        paths.contains(&Part::Offer(1, 1).path(1)) && paths.contains(&Part::Endpoint(1).path(1))
    );
    for path in paths.iter().filter(|path| path.contains("/call1")) {
        for interface in Object::at(path).expect("one of ours").interfaces() {
            let all: HashMap<String, OwnedValue> =
                desk.call(path, PROPERTIES, "GetAll", &interface.name).expect("properties");
            assert_eq!(all.len(), interface.properties.len(), "{path} {}", interface.name);
            for property in interface.properties {
                let found = all[property.name].value_signature().to_string();
                assert_eq!(found, property.signature, "{}.{}", interface.name, property.name);
            }
        }
    }
}

#[test]
fn what_a_handler_finds_out_about_its_codecs_is_told_once_and_not_at_once() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let content = handler.path(Part::Content(1));
    let mut now_with = |ptime: &str| {
        let more = HashMap::from([("ptime", ptime)]);
        let codecs = Value::from(vec![(8u32, "PCMA", 8000u32, 0u32, false, more)]);
        let said = HashMap::from([(CODECS, codecs)]);
        desk.call::<_, ()>(&content, MEDIA, "UpdateLocalMediaDescription", &said).expect("heard");
    };
    now_with("20");
    now_with("30");
    assert!(!desk.members().contains(&"OfferDescription".into()), "not yet");
    let began = desk.now;
    desk.pass_time();
    assert_eq!(desk.now.duration_since(began).as_secs(), 2);
    let offers = desk.members().iter().filter(|member| *member == "OfferDescription").count();
    assert_eq!(offers, 1);
}
