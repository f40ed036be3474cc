// SPDX-License-Identifier: GPL-3.0-or-later

use super::{
    desk::{Desk, EXCHANGE, LEG},
    handler::*,
};
use crate::object::Part;
use sipwitch_dbus_interfaces::wire::OfferInfo;

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
    assert_eq!(
        desk.members(),
        ["CallMembersChanged", "SendingStateChanged", "AnswerDescription"],
        "nobody hears what is sent to who holds"
    );
    handler.flows(&mut desk, "Sending", 0);
    desk.sent.clear();

    let moved = SDP.replace("40000", "50000");
    desk.says("DescriptionOffered", &(LEG, 6u32, moved.as_bytes(), OfferInfo { held: false }));
    assert_eq!(
        desk.members(),
        [
            "CallMembersChanged",
            "RemoteCandidatesAdded",
            "NewMediaDescriptionOffer",
            "SendingStateChanged"
        ]
    );
    handler.agrees(&mut desk, 2);
    let (_, exchange, _): (u64, u32, Vec<u8>) = desk.last("AnswerDescription");
    assert_eq!(exchange, 6);
}

#[test]
fn muting_stops_the_sound_and_is_not_told_to_the_far_end() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    handler.channel(&mut desk, MUTE, "RequestMuted", &true).expect("it talks");
    assert_eq!(desk.last::<u32>("MuteStateChanged"), 2, "the handler has to do it");
    assert_eq!(desk.last::<u32>("SendingStateChanged"), 2);
    handler.flows(&mut desk, "Sending", 0);
    assert_eq!(desk.last::<u32>("MuteStateChanged"), 1);
    handler.channel(&mut desk, MUTE, "RequestMuted", &true).expect("as it is");
    handler.channel(&mut desk, MUTE, "RequestMuted", &false).expect("it is muted");
    assert_eq!(desk.last::<u32>("MuteStateChanged"), 3);
    handler.flows(&mut desk, "Sending", 3);
    assert_eq!(desk.last::<u32>("MuteStateChanged"), 0);
    assert!(!desk.members().contains(&"OfferDescription".into()));
}

#[test]
fn who_is_muted_stays_so_while_the_call_is_held() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.channel(&mut desk, MUTE, "RequestMuted", &true).expect("before it talks");
    assert_eq!(desk.last::<u32>("MuteStateChanged"), 1, "nothing is sent that were to be stopped");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
    handler.flows(&mut desk, "Receiving", 3);
    handler.agrees(&mut desk, 1);
    desk.sent.clear();
    handler.channel(&mut desk, HOLD, "RequestHold", &true).expect("it talks");
    handler.flows(&mut desk, "Receiving", 0);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", SDP.as_bytes()));
    handler.channel(&mut desk, HOLD, "RequestHold", &false).expect("it is held");
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", SDP.as_bytes()));
    assert_eq!(desk.last::<(u32, u32)>("HoldStateChanged"), (0, 1));
    assert!(!desk.members().contains(&"SendingStateChanged".into()), "it is still muted");
}
