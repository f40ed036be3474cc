// SPDX-License-Identifier: GPL-3.0-or-later
//! Handlers that find out slowly where they are.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::{MediaAddress, OfferInfo};
use zbus::{
    Message,
    message::Type,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use super::{
    desk::{Desk, LEG, PROPERTIES, SERVICE},
    handler::*,
};
use crate::object::Part;

/// What becomes of an answer of the far end that is led through the service.
const LED: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
                   a=fmtp:101 0-15\r\n";

type Candidates = Vec<(u32, String, u32, HashMap<String, OwnedValue>)>;

/// Where the service has ports for a medium of the description.
fn ours(medium: u32) -> MediaAddress {
    let rtp = 20_000 + 2 * u16::try_from(medium).expect("a small number");
    let here = || "127.0.0.1".to_owned();
    MediaAddress { medium, address: here(), port: rtp, rtcp_address: here(), rtcp_port: rtp + 1 }
}

/// What the service was told last of where media are: medium, and both ports.
fn told(desk: &Desk) -> Vec<(u32, u16, u16)> {
    let (leg, addresses): (u64, Vec<MediaAddress>) = desk.last("SetMediaAddresses");
    assert_eq!(leg, LEG);
    assert!(addresses.iter().all(|at| at.address == "127.0.0.1"), "{addresses:?}");
    addresses.iter().map(|at| (at.medium, at.port, at.rtcp_port)).collect()
}

/// Answers the last call of this member with an error of the service.
fn refuses(desk: &mut Desk, member: &str, error: &str) {
    let is_it = |sent: &&Message| {
        let header = sent.header();
        sent.message_type() == Type::MethodCall && header.member().is_some_and(|of| of == member)
    };
    let call = desk.sent.iter().rev().find(is_it).expect("it was asked");
    let name = format!("org.gnutelephony.SipWitch1.Error.{error}");
    let answer = Message::error(&call.header(), name)
        .and_then(|builder| builder.sender(SERVICE))
        .and_then(|builder| builder.build(&"there are no ports"))
        .expect("a message");
    desk.receive(&answer);
}

/// Answers the last `Dial`.
fn dials(desk: &mut Desk) {
    let is_dial = |sent: &&Message| sent.header().member().is_some_and(|of| of == "Dial");
    let call = desk.sent.iter().rev().find(is_dial).expect("it was asked");
    let path = ObjectPath::from_static_str("/org/gnutelephony/SipWitch1/call/1").expect("a path");
    let answer = Message::method_return(&call.header())
        .and_then(|builder| builder.sender(SERVICE))
        .and_then(|builder| builder.build(&(LEG, path)))
        .expect("a message");
    desk.receive(&answer);
}

#[test]
fn a_call_goes_out_and_is_answered_before_the_handler_knows_where_it_is() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    let offer = handler.description(&desk, "Dial");
    for line in ["o=- 2 1 IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", "m=audio 9 RTP/AVP 8 101"] {
        assert!(offer.lines().any(|found| found == line), "no {line} in\n{offer}");
    }
    assert!(offer.ends_with("a=sendrecv\r\n"), "it holds nobody:\n{offer}");

    // It hears at once where to send.
    desk.sent.clear();
    desk.says("MediaAnchored", &(LEG, vec![ours(0)]));
    let (candidates,): (Candidates,) = (desk.last("RemoteCandidatesAdded"),);
    let at: Vec<_> = candidates.iter().map(|one| (one.0, one.1.as_str(), one.2)).collect();
    assert_eq!(at, [(1, "127.0.0.1", 20_000), (2, "127.0.0.1", 20_001)]);
    assert_eq!(desk.members(), ["RemoteCandidatesAdded", "EndpointsChanged"]);
    let endpoint = handler.path(Part::Endpoint(1));
    let of = "org.freedesktop.Telepathy.Call1.Stream.Endpoint";
    let transport: OwnedValue =
        desk.call(&endpoint, PROPERTIES, "Get", &(of, "Transport")).expect("it is there");
    assert_eq!(transport.downcast_ref::<u32>(), Ok(1));

    // Somebody answers, at the same ports: that is no news of where the far end is.
    desk.sent.clear();
    desk.says("Answered", &(LEG, 0u32, LED.as_bytes()));
    assert!(!desk.members().contains(&"RemoteCandidatesAdded".into()));
    handler.flows(&mut desk, "Receiving", 3);
    handler.flows(&mut desk, "Sending", 3);
    handler.agrees(&mut desk, 1);
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(4), "nothing can reach the handler yet");

    handler.gathers(&mut desk);
    assert_eq!(told(&desk), [(0, 5004, 5005)]);
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
    // From then on it is described as it is, by who made the first description.
    handler.channel(&mut desk, HOLD, "RequestHold", &true).expect("it talks");
    desk.sent.clear();
    handler.flows(&mut desk, "Sending", 0);
    handler.flows(&mut desk, "Receiving", 0);
    let offer = handler.description(&desk, "OfferDescription");
    for line in ["o=- 2 2 IN IP4 127.0.0.1", "m=audio 5004 RTP/AVP 8 101"] {
        assert!(offer.lines().any(|found| found == line), "no {line} in\n{offer}");
    }
    assert!(!desk.members().contains(&"SetMediaAddresses".into()), "once is enough");
}

#[test]
fn an_answer_does_not_wait_for_the_handler_to_find_itself() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    somebody_calls(&mut desk, "102", LED);
    handler.accept(&mut desk);
    assert!(!desk.members().contains(&"Answer".into()), "what it can is not known yet");
    handler.agrees(&mut desk, 1);
    let (leg, answer): (u64, Vec<u8>) = desk.last("Answer");
    assert_eq!(leg, LEG);
    assert!(String::from_utf8(answer).expect("text").contains("\r\nm=audio 9 RTP/AVP 8 101\r\n"));
    desk.says("MediaAnchored", &(LEG, vec![ours(0)]));
    desk.says("Confirmed", &(LEG, Vec::<u8>::new()));
    handler.flows(&mut desk, "Receiving", 3);
    handler.flows(&mut desk, "Sending", 3);
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(4));
    handler.gathers(&mut desk);
    assert_eq!(told(&desk), [(0, 5004, 5005)]);
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
}

#[test]
fn candidates_that_come_before_the_service_has_dialled_are_told_after() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    desk.is_served = false;
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    assert!(!desk.sent.iter().any(|sent| {
        sent.header().member().is_some_and(|member| member == "SetMediaAddresses")
    }));
    dials(&mut desk);
    assert_eq!(told(&desk), [(0, 5004, 5005)]);
}

#[test]
fn each_medium_is_told_of_when_its_own_candidates_are_there() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    asked.insert("org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo", true.into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    handler.agrees_to(&mut desk, 1, 0);
    handler.agrees_to(&mut desk, 2, 0);
    desk.says("MediaAnchored", &(LEG, vec![ours(0), ours(1), ours(7)]));
    let members = desk.members();
    let reached = members.iter().filter(|member| *member == "RemoteCandidatesAdded").count();
    assert_eq!(reached, 2, "of another medium nothing is known: {members:?}");
    handler.gathers_for(&mut desk, 2);
    assert_eq!(told(&desk), [(1, 5006, 5007)]);
    handler.gathers_for(&mut desk, 1);
    assert_eq!(told(&desk), [(0, 5004, 5005)]);
}

#[test]
fn pictures_that_are_added_do_not_wait_either() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let added: Result<OwnedObjectPath, String> =
        desk.call(&handler.path(Part::Channel), CALL, "AddContent", &("", 1u32, 3u32));
    added.expect("it talks");
    handler.agrees_to(&mut desk, 2, 0);
    let offer = handler.description(&desk, "OfferDescription");
    let media: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(media, ["m=audio 5004 RTP/AVP 8 101", "m=video 9 RTP/AVP 96"]);
    handler.gathers_for(&mut desk, 2);
    assert_eq!(told(&desk), [(1, 5006, 5007)]);
}

#[test]
fn pictures_that_the_far_end_adds_are_answered_at_once() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let more = format!("{SDP}m=video 40002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n");
    desk.says("DescriptionOffered", &(LEG, 5u32, more.as_bytes(), OfferInfo { held: false }));
    handler.agrees_to(&mut desk, 2, 1);
    let answer = handler.description(&desk, "AnswerDescription");
    assert!(answer.contains("\r\nm=video 9 RTP/AVP 96\r\n"), "{answer}");
    handler.gathers_for(&mut desk, 2);
    assert_eq!(told(&desk), [(1, 5006, 5007)]);
}

#[test]
fn where_the_service_has_no_ports_the_call_waits_for_the_address_as_it_must() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    desk.is_served = false;
    handler.agrees(&mut desk, 0);
    refuses(&mut desk, "Dial", "LimitReached");
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(2), "it goes on");
    desk.sent.clear();
    handler.gathers(&mut desk);
    assert!(handler.description(&desk, "Dial").contains("m=audio 5004 "));
    // The same once more is what it says.
    refuses(&mut desk, "Dial", "LimitReached");
    assert_eq!(desk.last::<State>("CallStateChanged").0, 6);

    somebody_calls(&mut desk, "103", SDP);
    let handler = Handler(2);
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 1);
    refuses(&mut desk, "Answer", "LimitReached");
    desk.sent.clear();
    handler.gathers(&mut desk);
    let (_, answer): (u64, Vec<u8>) = desk.last("Answer");
    assert!(String::from_utf8(answer).expect("text").contains("m=audio 5004 "));
}

#[test]
fn a_handler_that_never_finds_itself_ends_the_call_although_somebody_answered() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    desk.says("Answered", &(LEG, 0u32, LED.as_bytes()));
    handler.agrees(&mut desk, 1);
    desk.pass_time();
    let (state, _, (_, why, error, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 12));
    assert_eq!(error, "org.freedesktop.Telepathy.Error.Media.StreamingError");
    assert!(desk.members().contains(&"HangUp".into()));
    // Late, it is refused as everything is that comes after the end.
    let more: HashMap<&str, Value<'_>> = HashMap::new();
    let candidates = vec![(1u32, "127.0.0.1", 5004u32, &more)];
    let stream = handler.path(Part::Stream(1));
    for late in [
        desk.call::<_, ()>(&stream, STREAM, "AddCandidates", &candidates),
        desk.call::<_, ()>(&stream, STREAM, "FinishInitialCandidates", &()),
    ] {
        assert_eq!(late, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    }
    desk.says("MediaAnchored", &(LEG, vec![ours(0)]));
    assert_eq!(desk.members(), ["error", "error"], "and nobody is told");
}

#[test]
fn a_handler_that_is_nowhere_has_no_call() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    let stream = handler.path(Part::Stream(1));
    desk.call::<_, ()>(&stream, STREAM, "FinishInitialCandidates", &()).expect("once");
    let (state, _, (_, why, _, words), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 12), "{words}");
    assert!(desk.members().contains(&"HangUp".into()));
}
