// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::{IncomingCallInfo, OfferInfo};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use super::desk::{CONNECTION_PATH, Desk, EXCHANGE, LEG, PROPERTIES};
use crate::object::{Object, Part};

const REQUESTS: &str = "org.freedesktop.Telepathy.Connection.Interface.Requests";
const CHANNEL: &str = "org.freedesktop.Telepathy.Channel";
const CALL: &str = "org.freedesktop.Telepathy.Channel.Type.Call1";
const HOLD: &str = "org.freedesktop.Telepathy.Channel.Interface.Hold";
const CONTENT: &str = "org.freedesktop.Telepathy.Call1.Content.Interface.Media";
const DTMF: &str = "org.freedesktop.Telepathy.Call1.Content.Interface.DTMF";
const DESCRIPTION: &str = "org.freedesktop.Telepathy.Call1.Content.MediaDescription";
const STREAM: &str = "org.freedesktop.Telepathy.Call1.Stream.Interface.Media";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
                   a=fmtp:101 0-15\r\n";

type State = (u32, u32, (u32, u32, String, String), HashMap<String, OwnedValue>);
type Codec = (u32, &'static str, u32, u32, bool, HashMap<&'static str, &'static str>);

fn asked(id: &str) -> HashMap<&'static str, Value<'_>> {
    HashMap::from([
        ("org.freedesktop.Telepathy.Channel.ChannelType", CALL.into()),
        ("org.freedesktop.Telepathy.Channel.TargetHandleType", 1u32.into()),
        ("org.freedesktop.Telepathy.Channel.TargetID", id.into()),
        ("org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudio", true.into()),
    ])
}

/// The handler of a call, by the number of the call.
struct Handler(u32);

impl Handler {
    fn path(&self, part: Part) -> String {
        part.path(self.0)
    }

    fn ask(&self, desk: &mut Desk, id: &str) -> OwnedObjectPath {
        let (path, _): (OwnedObjectPath, HashMap<String, OwnedValue>) =
            desk.call(CONNECTION_PATH, REQUESTS, "CreateChannel", &asked(id)).expect("a call");
        assert_eq!(path.as_str(), self.path(Part::Channel));
        path
    }

    fn accept(&self, desk: &mut Desk) {
        desk.call::<_, ()>(&self.path(Part::Channel), CALL, "Accept", &()).expect("once");
    }

    fn agrees(&self, desk: &mut Desk, offer: u32) {
        let codecs: Vec<Codec> = vec![
            (8, "PCMA", 8000, 0, false, HashMap::new()),
            (101, "telephone-event", 8000, 0, false, HashMap::from([("events", "0-15")])),
        ];
        let said = HashMap::from([(
            "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Codecs",
            Value::from(codecs),
        )]);
        desk.call::<_, ()>(&self.path(Part::Offer(offer)), DESCRIPTION, "Accept", &said)
            .expect("the offer is there");
    }

    fn gathers(&self, desk: &mut Desk) {
        let more: HashMap<&str, Value<'_>> = HashMap::new();
        let candidates = vec![(1u32, "127.0.0.1", 5004u32, &more), (2, "127.0.0.1", 5005, &more)];
        let stream = self.path(Part::Stream);
        desk.call::<_, ()>(&stream, STREAM, "AddCandidates", &candidates).expect("they are taken");
        desk.call::<_, ()>(&stream, STREAM, "FinishInitialCandidates", &()).expect("once");
    }

    fn flows(&self, desk: &mut Desk, way: &str, state: u32) {
        let member = format!("Complete{way}StateChange");
        desk.call::<_, ()>(&self.path(Part::Stream), STREAM, &member, &state).expect("wanted");
    }

    /// A call that talks.
    fn talking(&self, desk: &mut Desk) {
        self.ask(desk, "102");
        self.accept(desk);
        self.agrees(desk, 0);
        self.gathers(desk);
        desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
        self.flows(desk, "Receiving", 3);
        self.flows(desk, "Sending", 3);
        self.agrees(desk, 1);
        assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
        desk.sent.clear();
    }
}

#[test]
fn an_outgoing_call_is_told_in_the_order_of_the_traces() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    assert_eq!(desk.members(), ["reply", "NewChannels", "NewChannel"], "not before the reply");
    handler.accept(&mut desk);
    handler.flows(&mut desk, "Receiving", 3);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    assert_eq!(
        desk.members(),
        [
            "CallStateChanged",
            "ReceivingStateChanged",
            "reply",
            "ReceivingStateChanged",
            "reply",
            "LocalMediaDescriptionChanged",
            "MediaDescriptionOfferDone",
            "reply",
            "LocalCandidatesAdded",
            "reply",
            "Dial",
            "reply",
        ]
    );
    desk.says("Progress", &(LEG, 0u32, 180u32, "Ringing", Vec::<u8>::new()));
    assert_eq!(desk.last::<State>("CallStateChanged").0, 3, "it rings");
    desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
    assert_eq!(desk.last::<State>("CallStateChanged").0, 4, "somebody is there");
    handler.agrees(&mut desk, 1);
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5, "and heard");
    handler.flows(&mut desk, "Sending", 3);
    desk.says("Ended", &(LEG, "hung-up", 200u32, 16u32, ""));
    let (state, _, (_, why, error, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 2));
    assert_eq!(error, "org.freedesktop.Telepathy.Error.Terminated");
    assert_eq!(
        desk.members(),
        [
            "CallMembersChanged",
            "CallStateChanged",
            "RemoteCandidatesAdded",
            "EndpointsChanged",
            "NewMediaDescriptionOffer",
            "CallMembersChanged",
            "CallStateChanged",
            "SendingStateChanged",
            "RemoteMembersChanged",
            "LocalMediaDescriptionChanged",
            "RemoteMediaDescriptionsChanged",
            "MediaDescriptionOfferDone",
            "CallStateChanged",
            "reply",
            "SendingStateChanged",
            "reply",
            "CallStateChanged",
            "ContentRemoved",
        ]
    );
    desk.call::<_, ()>(&handler.path(Part::Channel), CHANNEL, "Close", &()).expect("once");
    assert_eq!(desk.members(), ["ChannelClosed", "Closed", "reply"]);
    assert!(desk.bridge.paths().iter().all(|path| !path.contains("call1")), "nothing stays");
}

#[test]
fn what_the_handler_says_is_the_offer() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "+49 30 123");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
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

fn somebody_calls(desk: &mut Desk, caller: &str, offer: &str) {
    let who = IncomingCallInfo {
        caller: caller.into(),
        caller_name: "Bert".into(),
        dialled: "101".into(),
        diverted_by: None,
    };
    let call = ObjectPath::from_static_str("/org/gnutelephony/SipWitch1/call/9").expect("a path");
    desk.says("IncomingCall", &(LEG, call, offer.as_bytes(), who));
}

#[test]
fn an_incoming_call_rings_is_answered_and_talks() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    somebody_calls(&mut desk, "102", SDP);
    assert_eq!(desk.members(), ["NewChannels", "NewChannel"]);
    let channel = handler.path(Part::Channel);
    desk.call::<_, ()>(&channel, CALL, "SetRinging", &()).expect("it rings");
    handler.accept(&mut desk);
    let twice = desk.call::<_, ()>(&channel, CALL, "Accept", &());
    assert_eq!(twice, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    handler.flows(&mut desk, "Receiving", 3);
    handler.agrees(&mut desk, 1);
    handler.flows(&mut desk, "Sending", 3);
    handler.gathers(&mut desk);
    let (leg, answer): (u64, Vec<u8>) = desk.last("Answer");
    assert_eq!(leg, LEG);
    assert!(String::from_utf8(answer).expect("text").contains("m=audio 5004 RTP/AVP 8 101"));
    desk.says("Confirmed", &(LEG, Vec::<u8>::new()));
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
    assert_eq!(
        desk.members(),
        [
            "ShowProgress",
            "CallStateChanged",
            "reply",
            "CallStateChanged",
            "SendingStateChanged",
            "LocalSendingStateChanged",
            "ReceivingStateChanged",
            "reply",
            "error",
            "ReceivingStateChanged",
            "reply",
            "LocalMediaDescriptionChanged",
            "RemoteMediaDescriptionsChanged",
            "MediaDescriptionOfferDone",
            "reply",
            "SendingStateChanged",
            "reply",
            "LocalCandidatesAdded",
            "reply",
            "Answer",
            "reply",
            "CallStateChanged",
        ]
    );
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
fn the_user_holds_and_resumes() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let channel = handler.path(Part::Channel);
    desk.call::<_, ()>(&channel, HOLD, "RequestHold", &true).expect("it talks");
    assert_eq!(
        desk.members(),
        ["HoldStateChanged", "SendingStateChanged", "ReceivingStateChanged", "reply"]
    );
    handler.flows(&mut desk, "Sending", 0);
    handler.flows(&mut desk, "Receiving", 0);
    let (_, offer): (u64, Vec<u8>) = desk.last("OfferDescription");
    assert!(String::from_utf8(offer).expect("text").contains("a=sendonly"));
    let held = SDP.replace("a=fmtp", "a=recvonly\r\na=fmtp");
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", held.as_bytes()));
    assert_eq!(desk.last::<(u32, u32)>("HoldStateChanged"), (1, 1));
    assert_eq!(desk.last::<State>("CallStateChanged").1, 1, "locally held");

    desk.call::<_, ()>(&channel, HOLD, "RequestHold", &false).expect("it is held");
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", SDP.as_bytes()));
    assert_eq!(desk.last::<(u32, u32)>("HoldStateChanged"), (0, 1));
    handler.flows(&mut desk, "Sending", 3);
    handler.flows(&mut desk, "Receiving", 3);
}

#[test]
fn a_hold_that_the_far_end_refuses_is_taken_back() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let channel = handler.path(Part::Channel);
    desk.call::<_, ()>(&channel, HOLD, "RequestHold", &true).expect("it talks");
    handler.flows(&mut desk, "Sending", 0);
    handler.flows(&mut desk, "Receiving", 0);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 488u32, "", Vec::<u8>::new()));
    assert_eq!(desk.last::<(u32, u32)>("HoldStateChanged"), (0, 2));
    assert_eq!(desk.last::<u32>("SendingStateChanged"), 1);
}

#[test]
fn the_far_end_holds_without_the_handlers_doing_and_moves_with_it() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let held = SDP.replace("a=fmtp", "a=sendonly\r\na=fmtp");
    desk.says("DescriptionOffered", &(LEG, 5u32, held.as_bytes(), OfferInfo { held: true }));
    let (_, exchange, answer): (u64, u32, Vec<u8>) = desk.last("AnswerDescription");
    assert_eq!(exchange, 5);
    assert!(String::from_utf8(answer).expect("text").contains("a=recvonly"));
    assert_eq!(desk.members(), ["CallMembersChanged", "AnswerDescription"]);

    let moved = SDP.replace("40000", "50000");
    desk.says("DescriptionOffered", &(LEG, 6u32, moved.as_bytes(), OfferInfo { held: false }));
    assert_eq!(
        desk.members(),
        ["CallMembersChanged", "RemoteCandidatesAdded", "NewMediaDescriptionOffer"]
    );
    handler.agrees(&mut desk, 2);
    let (_, exchange, _): (u64, u32, Vec<u8>) = desk.last("AnswerDescription");
    assert_eq!(exchange, 6);
}

#[test]
fn several_tones_are_sent_one_after_the_other() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    let content = handler.path(Part::Content);
    let early = desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"1");
    assert_eq!(early, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    desk.call::<_, ()>(&handler.path(Part::Channel), CHANNEL, "Close", &()).expect("once");

    let handler = Handler(2);
    handler.talking(&mut desk);
    let content = handler.path(Part::Content);
    let bad = desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"1x");
    assert_eq!(bad, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"5#").expect("it talks");
    for event in [5u8, 11] {
        assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 1));
        desk.call::<_, ()>(&content, CONTENT, "AcknowledgeDTMFChange", &(event, 2u32))
            .expect("it was asked for");
        pass_time(&mut desk);
        assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 3));
        desk.call::<_, ()>(&content, CONTENT, "AcknowledgeDTMFChange", &(event, 0u32))
            .expect("it was asked for");
        if event == 5 {
            pass_time(&mut desk);
        }
    }
    assert!(!desk.last::<bool>("StoppedTones"), "none was cut short");
    assert_eq!(desk.bridge.next_deadline(), None, "nothing to wake up for");
}

fn pass_time(desk: &mut Desk) {
    desk.now = desk.bridge.next_deadline().expect("a tone has an end");
    desk.bridge.handle_deadline(desk.now);
    desk.drain();
}

#[test]
fn why_a_call_ended_is_told_in_telepathys_words() {
    for (word, why, error) in [
        ("busy", 8, "Busy"),
        ("declined", 4, "Rejected"),
        ("no-answer", 5, "NoAnswer"),
        ("not-found", 6, "DoesNotExist"),
        ("bad-number", 6, "InvalidHandle"),
        ("no-credit", 7, "InsufficientBalance"),
        ("forbidden", 7, "PermissionDenied"),
        ("congestion", 10, "ServiceBusy"),
        ("media", 12, "Media.CodecsIncompatible"),
        ("emergency-unavailable", 10, "EmergencyCallsNotSupported"),
        ("timeout", 11, "NetworkError"),
        ("answered-elsewhere", 2, "PickedUpElsewhere"),
        ("a-word-of-the-future", 9, "Confused"),
    ] {
        let mut desk = Desk::connected();
        somebody_calls(&mut desk, "102", SDP);
        desk.says("Ended", &(LEG, word, 0u32, 0u32, "so it is"));
        let (state, _, (_, found, name, words), details) = desk.last::<State>("CallStateChanged");
        assert_eq!((state, found), (6, why), "{word}");
        assert_eq!(name, format!("org.freedesktop.Telepathy.Error.{error}"));
        assert_eq!(words, "so it is");
        assert!(details.contains_key("hangup-message"));
    }
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
fn what_cannot_be_asked_for_is_refused_by_name() {
    let mut desk = Desk::connected();
    let error = |name: &str| Err(format!("org.freedesktop.Telepathy.Error.{name}"));
    let mut refused = |asked: HashMap<&str, Value<'_>>| {
        desk.call::<_, (OwnedObjectPath, HashMap<String, OwnedValue>)>(
            CONNECTION_PATH,
            REQUESTS,
            "CreateChannel",
            &asked,
        )
        .map(drop)
    };
    let mut both = asked("102");
    both.insert("org.freedesktop.Telepathy.Channel.TargetHandle", 1u32.into());
    assert_eq!(refused(both), error("InvalidArgument"));
    let mut unknown = asked("102");
    unknown.insert("org.example.Extra", 1u32.into());
    assert_eq!(refused(unknown), error("NotImplemented"));
    let mut wrong = asked("102");
    wrong.insert("org.freedesktop.Telepathy.Channel.TargetID", 7u32.into());
    assert_eq!(refused(wrong), error("InvalidArgument"));
    let mut silent = asked("102");
    silent.remove("org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudio");
    assert_eq!(refused(silent), error("NotImplemented"));
    assert_eq!(refused(asked("a b")), error("InvalidHandle"));
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
    assert!(paths.contains(&Part::Offer(1).path(1)) && paths.contains(&Part::Endpoint.path(1)));
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
fn a_description_without_codecs_is_refused() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    let offer = handler.path(Part::Offer(0));
    let nothing: HashMap<&str, Value<'_>> = HashMap::new();
    let wrong = HashMap::from([(
        "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Codecs",
        Value::from("PCMA"),
    )]);
    for said in [nothing, wrong] {
        let refused = desk.call::<_, ()>(&offer, DESCRIPTION, "Accept", &said);
        assert_eq!(refused, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    }
    handler.agrees(&mut desk, 0);
}
