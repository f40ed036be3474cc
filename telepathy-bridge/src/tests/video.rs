// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls with more than sound.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::OfferInfo;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::{
    desk::{Desk, EXCHANGE, LEG, PROPERTIES},
    handler::*,
};
use crate::object::{Object, Part};

const PICTURES: &str = "m=video 40002 RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\n\
                        a=rtcp-fb:96 nack pli\r\na=rtcp-fb:* ccm fir\r\na=rtcp-fb:96 trr-int 100\r\n\
                        a=rtcp-xr:rcvr-rtt=all:50\r\n\
                        a=extmap:2/sendonly urn:ietf:params:rtp-hdrext:toffset\r\n\
                        a=ssrc:4711 cname:far\r\n";

/// Kind, subtype, parameters.
type Message = (String, String, String);

fn with_pictures() -> String {
    format!("{SDP}{PICTURES}")
}

fn with_refused_pictures() -> String {
    format!("{SDP}m=video 0 RTP/AVP 96\r\n")
}

fn media(description: &str) -> Vec<&str> {
    description.lines().filter(|line| line.starts_with("m=")).collect()
}

/// A call that talks and shows.
fn showing(desk: &mut Desk) -> Handler {
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo", true.into());
    handler.asks(desk, &asked);
    handler.accept(desk);
    for content in [1, 2] {
        handler.agrees_to(desk, content, 0);
        handler.gathers_for(desk, content);
    }
    desk.says("Answered", &(LEG, 0u32, with_pictures().as_bytes()));
    for content in [1, 2] {
        handler.flows_for(desk, content, "Receiving", 3);
        handler.flows_for(desk, content, "Sending", 3);
        handler.agrees_to(desk, content, 1);
    }
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
    handler
}

/// Adds a content to a call that talks.
fn adds(desk: &mut Desk, handler: &Handler) -> OwnedObjectPath {
    let channel = handler.path(Part::Channel);
    let added = desk.call(&channel, CALL, "AddContent", &("", 1u32, 3u32)).expect("it talks");
    assert_eq!(desk.last::<OwnedObjectPath>("ContentAdded"), added);
    added
}

#[test]
fn a_call_begins_with_sound_and_pictures() {
    let mut desk = Desk::connected();
    let handler = showing(&mut desk);
    let offer = handler.description(&desk, "Dial");
    assert_eq!(media(&offer), ["m=audio 5004 RTP/AVP 8 101", "m=video 9 RTP/AVP 96"]);
    for (name, expected) in [("InitialAudio", true), ("InitialVideo", true)] {
        let value = handler.property(&mut desk, CALL, name);
        assert_eq!(value.downcast_ref::<bool>(), Ok(expected), "{name}");
    }
    for (content, name) in [(1, "audio"), (2, "video")] {
        let path = handler.path(Part::Content(content));
        let found: OwnedValue =
            desk.call(&path, PROPERTIES, "Get", &(THING, "Name")).expect("a name");
        assert_eq!(found.downcast_ref::<String>().as_deref(), Ok(name));
    }
}

#[test]
fn a_call_may_be_of_pictures_alone() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.remove("org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudio");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo", true.into());
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideoName", "door".into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    handler.gathers(&mut desk);
    handler.agrees_to(&mut desk, 1, 0);
    assert_eq!(media(&handler.description(&desk, "Dial")), ["m=video 5004 RTP/AVP 96"]);
    let name = handler.property(&mut desk, CALL, "InitialVideoName");
    assert_eq!(name.downcast_ref::<String>().as_deref(), Ok("door"));
}

#[test]
fn pictures_that_the_far_end_does_not_want_are_no_more_and_the_sound_goes_on() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo", true.into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    for content in [1, 2] {
        handler.agrees_to(&mut desk, content, 0);
        handler.gathers_for(&mut desk, content);
    }
    desk.says("Answered", &(LEG, 0u32, with_refused_pictures().as_bytes()));
    let (gone, (_, why, _, _)): (OwnedObjectPath, (u32, u32, String, String)) =
        desk.last("ContentRemoved");
    assert_eq!((gone.as_str(), why), (handler.path(Part::Content(2)).as_str(), 4));
    assert_eq!(desk.last::<State>("CallStateChanged").0, 4);
}

#[test]
fn what_the_far_end_says_of_pictures_is_shown_whole() {
    let mut desk = Desk::connected();
    somebody_calls(&mut desk, "102", &with_pictures());
    let offer = Handler(1).path(Part::Offer(2, 1));
    let mut get = |part: &str, name: &str| -> OwnedValue {
        let interface = format!("org.freedesktop.Telepathy.Call1.Content.MediaDescription{part}");
        desk.call(&offer, PROPERTIES, "Get", &(interface, name)).expect(name)
    };
    let feedback: HashMap<u32, (u32, Vec<Message>)> =
        get(".Interface.RTCPFeedback", "FeedbackMessages").try_into().expect("its type");
    let (least, messages) = &feedback[&96];
    assert_eq!(*least, 100);
    let message = |kind: &str, subtype: &str| (kind.to_owned(), subtype.to_owned(), String::new());
    assert_eq!(*messages, [message("nack", "pli"), message("ccm", "fir")]);
    let profile = get(".Interface.RTCPFeedback", "DoesAVPF");
    assert_eq!(profile.downcast_ref::<bool>(), Ok(true));
    let extensions: Vec<(u32, u32, String, String)> =
        get(".Interface.RTPHeaderExtensions", "HeaderExtensions").try_into().expect("its type");
    let uri = "urn:ietf:params:rtp-hdrext:toffset".to_owned();
    assert_eq!(extensions, [(2, 1, uri, String::new())]);
    let most = get(".Interface.RTCPExtendedReports", "DLRRMaxSize");
    assert_eq!(most.downcast_ref::<u32>(), Ok(50));
    let sources: HashMap<u32, Vec<u32>> = get("", "SSRCs").try_into().expect("its type");
    assert_eq!(sources.into_values().collect::<Vec<_>>(), [vec![4711]]);
}

#[test]
fn what_the_handler_says_of_pictures_is_described_whole() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo", true.into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    // Two of one payload type, as farstream has them at times.
    let codecs: Vec<Codec> = vec![
        (96, "VP8", 90000, 0, false, HashMap::new()),
        (96, "H264", 90000, 0, false, HashMap::new()),
    ];
    let feedback = HashMap::from([(96u32, (200u32, vec![("ccm", "tmmbr", "smaxpr=120")]))]);
    let extensions = vec![(3u32, 3u32, "urn:ietf:params:rtp-hdrext:toffset", "")];
    let own = "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Interface";
    let (messages, avpf) =
        (format!("{own}.RTCPFeedback.FeedbackMessages"), format!("{own}.RTCPFeedback.DoesAVPF"));
    let (header, reports) = (
        format!("{own}.RTPHeaderExtensions.HeaderExtensions"),
        format!("{own}.RTCPExtendedReports.StatisticsFlags"),
    );
    let said = HashMap::from([
        (CODECS, Value::from(codecs)),
        (messages.as_str(), feedback.into()),
        (avpf.as_str(), true.into()),
        (header.as_str(), extensions.into()),
        (reports.as_str(), 5u32.into()),
    ]);
    handler.gathers_for(&mut desk, 2);
    handler.says(&mut desk, (2, 0), &said).expect("all is of its type");
    let offer = handler.description(&desk, "Dial");
    for line in [
        "m=video 5006 RTP/AVP 96",
        "a=rtcp-fb:96 trr-int 200",
        "a=rtcp-fb:96 ccm tmmbr smaxpr=120",
        "a=extmap:3 urn:ietf:params:rtp-hdrext:toffset",
        "a=rtcp-xr:stat-summary=loss,jitt",
    ] {
        assert!(offer.lines().any(|found| found == line), "no {line} in\n{offer}");
    }
    let wrong = HashMap::from([(avpf.as_str(), Value::from("yes"))]);
    let refused = handler.says(&mut desk, (2, 0), &wrong);
    assert!(refused.is_err());
}

#[test]
fn pictures_are_added_and_removed_within_the_call() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let added = adds(&mut desk, &handler);
    assert_eq!(added.as_str(), handler.path(Part::Content(2)));
    assert!(!desk.members().contains(&"OfferDescription".into()), "the handler must say how first");
    handler.agrees_to(&mut desk, 2, 0);
    handler.gathers_for(&mut desk, 2);
    let offer = handler.description(&desk, "OfferDescription");
    assert_eq!(media(&offer), ["m=audio 5004 RTP/AVP 8 101", "m=video 9 RTP/AVP 96"]);
    handler.flows_for(&mut desk, 2, "Receiving", 3);
    desk.sent.clear();
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", with_pictures().as_bytes()));
    assert_eq!(
        desk.members(),
        [
            "RemoteCandidatesAdded",
            "EndpointsChanged",
            "NewMediaDescriptionOffer",
            "SendingStateChanged",
            "RemoteMembersChanged",
        ]
    );
    handler.agrees_to(&mut desk, 2, 1);
    handler.flows_for(&mut desk, 2, "Sending", 3);

    desk.call::<_, ()>(added.as_str(), THING, "Remove", &()).expect("it is not the last");
    assert_eq!(
        desk.last::<(OwnedObjectPath, (u32, u32, String, String))>("ContentRemoved").0,
        added
    );
    let offer = handler.description(&desk, "OfferDescription");
    assert_eq!(media(&offer), ["m=audio 5004 RTP/AVP 8 101", "m=video 0 RTP/AVP 0"]);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", with_refused_pictures().as_bytes()));

    // Another content takes the place of the old one.
    adds(&mut desk, &handler);
    handler.agrees_to(&mut desk, 3, 0);
    handler.gathers_for(&mut desk, 3);
    let offer = handler.description(&desk, "OfferDescription");
    assert_eq!(media(&offer), ["m=audio 5004 RTP/AVP 8 101", "m=video 9 RTP/AVP 96"]);
    let last = desk.call::<_, ()>(&handler.path(Part::Content(1)), THING, "Remove", &());
    last.expect("there is another");
    let last = desk.call::<_, ()>(&handler.path(Part::Content(3)), THING, "Remove", &());
    assert_eq!(last, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
}

#[test]
fn pictures_that_are_refused_are_taken_back_and_tried_again_after_a_clash() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    adds(&mut desk, &handler);
    handler.agrees_to(&mut desk, 2, 0);
    handler.gathers_for(&mut desk, 2);
    desk.sent.clear();
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 491u32, "", Vec::<u8>::new()));
    assert_eq!(desk.members(), Vec::<String>::new());
    desk.pass_time();
    assert_eq!(desk.members(), ["OfferDescription"]);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 488u32, "", Vec::<u8>::new()));
    assert_eq!(desk.members(), ["ContentRemoved"]);
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(5), "the sound goes on");
}

#[test]
fn the_far_end_adds_pictures_and_the_user_answers_with_ours_or_not() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let offered = |desk: &mut Desk, exchange: u32, sdp: &str| {
        desk.says(
            "DescriptionOffered",
            &(LEG, exchange, sdp.as_bytes(), OfferInfo { held: false }),
        );
    };
    offered(&mut desk, 5, &with_pictures());
    assert_eq!(desk.members(), ["ContentAdded", "ReceivingStateChanged"]);
    handler.flows_for(&mut desk, 2, "Receiving", 3);
    handler.gathers_for(&mut desk, 2);
    handler.agrees_to(&mut desk, 2, 1);
    let answer = handler.description(&desk, "AnswerDescription");
    assert_eq!(media(&answer), ["m=audio 5004 RTP/AVP 8 101", "m=video 5006 RTP/AVPF 96"]);
    assert!(answer.ends_with("a=recvonly\r\n"), "the user was not asked yet: {answer}");

    let stream = handler.path(Part::Stream(2));
    desk.sent.clear();
    desk.call::<_, ()>(&stream, WAY, "SetSending", &true).expect("it is there");
    assert!(handler.description(&desk, "OfferDescription").ends_with("a=sendrecv\r\n"));
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", with_pictures().as_bytes()));
    assert_eq!(desk.last::<(u32, (u32, u32, String, String))>("LocalSendingStateChanged").0, 2);
    handler.flows_for(&mut desk, 2, "Sending", 3);

    desk.sent.clear();
    offered(&mut desk, 6, &with_refused_pictures());
    assert_eq!(desk.members(), ["ContentRemoved", "AnswerDescription"]);
}

#[test]
fn pictures_that_nobody_answers_are_refused_and_the_sound_goes_on() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let sdp = with_pictures();
    desk.says("DescriptionOffered", &(LEG, 5u32, sdp.as_bytes(), OfferInfo { held: false }));
    desk.sent.clear();
    desk.pass_time();
    assert_eq!(desk.members(), ["RefuseDescription", "ContentRemoved", "OfferDescription"]);
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(5));
}

#[test]
fn the_way_of_a_content_is_for_the_user_to_say() {
    let mut desk = Desk::connected();
    let handler = showing(&mut desk);
    let stream = handler.path(Part::Stream(2));
    desk.sent.clear();
    desk.call::<_, ()>(&stream, WAY, "SetSending", &false).expect("it talks");
    assert_eq!(desk.last::<u32>("SendingStateChanged"), 2);
    assert!(handler.description(&desk, "OfferDescription").ends_with("a=recvonly\r\n"));
    handler.flows_for(&mut desk, 2, "Sending", 0);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", with_pictures().as_bytes()));
    assert_eq!(desk.last::<(u32, (u32, u32, String, String))>("LocalSendingStateChanged").0, 0);

    let nobody = desk.call::<_, ()>(&stream, WAY, "RequestReceiving", &(999u32, false));
    assert_eq!(nobody, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    let target = handler.property(&mut desk, CHANNEL, "TargetHandle");
    let target = target.downcast_ref::<u32>().expect("a handle");
    desk.call::<_, ()>(&stream, WAY, "RequestReceiving", &(target, false)).expect("it talks");
    assert!(handler.description(&desk, "OfferDescription").ends_with("a=inactive\r\n"));
}

#[test]
fn who_checks_candidates_is_reached_by_those_that_check_and_by_others_too() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialTransport", 2u32.into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    let stream = handler.path(Part::Stream(1));
    desk.call::<_, ()>(&stream, STREAM, "SetCredentials", &("near", "secret-of-ours"))
        .expect("once");
    handler.gathers(&mut desk);
    handler.agrees(&mut desk, 0);
    let offer = handler.description(&desk, "Dial");
    for line in [
        "m=audio 5004 RTP/AVP 8 101",
        "a=ice-ufrag:near",
        "a=candidate:1 1 UDP 1 127.0.0.1 5004 typ host",
    ] {
        assert!(offer.lines().any(|found| found == line), "no {line} in\n{offer}");
    }
    let checks = SDP.replace(
        "a=fmtp",
        "a=ice-ufrag:far\r\na=ice-pwd:secret-of-theirs\r\n\
         a=candidate:7 1 UDP 99 192.0.2.9 40000 typ srflx raddr 10.0.0.9 rport 4000\r\na=fmtp",
    );
    desk.says("Answered", &(LEG, 0u32, checks.as_bytes()));
    let endpoint = handler.path(Part::Endpoint(1));
    let of = "org.freedesktop.Telepathy.Call1.Stream.Endpoint";
    let mut get = |name: &str| -> OwnedValue {
        desk.call(&endpoint, PROPERTIES, "Get", &(of, name)).expect(name)
    };
    assert_eq!(get("Transport").downcast_ref::<u32>(), Ok(2));
    let credentials: (String, String) = get("RemoteCredentials").try_into().expect("its type");
    assert_eq!(credentials.0, "far");
    type Candidate = (u32, String, u32, HashMap<String, OwnedValue>);
    let candidates: Vec<Candidate> = get("RemoteCandidates").try_into().expect("its type");
    let (component, ip, port, more) = &candidates[0];
    assert_eq!((*component, ip.as_str(), *port), (1, "192.0.2.9", 40000));
    assert_eq!(more["type"].downcast_ref::<u32>(), Ok(2));

    let handler = Handler(2);
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
    let _ = handler;
}

#[test]
fn every_property_of_pictures_has_the_type_of_its_table() {
    let mut desk = Desk::connected();
    somebody_calls(&mut desk, "102", &with_pictures());
    let paths = desk.bridge.paths();
    assert!(paths.contains(&Part::Offer(2, 1).path(1)), "{paths:?}");
    for path in paths.iter().filter(|path| path.contains("/content2")) {
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
