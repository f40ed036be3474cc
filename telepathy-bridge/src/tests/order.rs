// SPDX-License-Identifier: GPL-3.0-or-later

use super::{
    desk::{Desk, EXCHANGE, LEG},
    handler::*,
};
use crate::object::Part;

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
            "Dial",
            "reply",
            "LocalCandidatesAdded",
            "reply",
            "SetMediaAddresses",
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
    handler.channel(&mut desk, HOLD, "RequestHold", &true).expect("it talks");
    handler.flows(&mut desk, "Sending", 0);
    handler.flows(&mut desk, "Receiving", 0);
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", SDP.as_bytes()));
    handler.channel(&mut desk, HOLD, "RequestHold", &false).expect("it is held");
    desk.says("OfferAnswered", &(LEG, EXCHANGE, 200u32, "OK", SDP.as_bytes()));
    handler.flows(&mut desk, "Sending", 3);
    handler.flows(&mut desk, "Receiving", 3);
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
            // Held by the user.
            "HoldStateChanged",
            "SendingStateChanged",
            "ReceivingStateChanged",
            "reply",
            "SendingStateChanged",
            "reply",
            "ReceivingStateChanged",
            "OfferDescription",
            "reply",
            "HoldStateChanged",
            "CallStateChanged",
            // And resumed.
            "HoldStateChanged",
            "OfferDescription",
            "reply",
            "HoldStateChanged",
            "CallStateChanged",
            "SendingStateChanged",
            "ReceivingStateChanged",
            "SendingStateChanged",
            "reply",
            "ReceivingStateChanged",
            "reply",
            // The far end hangs up.
            "CallStateChanged",
            "ContentRemoved",
        ]
    );
    desk.call::<_, ()>(&handler.path(Part::Channel), CHANNEL, "Close", &()).expect("once");
    assert_eq!(desk.members(), ["ChannelClosed", "Closed", "reply"]);
    assert!(desk.bridge.paths().iter().all(|path| !path.contains("call1")), "nothing stays");
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
    assert!(String::from_utf8(answer).expect("text").contains("m=audio 9 RTP/AVP 8 101"));
    desk.says("Confirmed", &(LEG, Vec::<u8>::new()));
    assert_eq!(desk.last::<State>("CallStateChanged").0, 5);
    handler.channel(&mut desk, CALL, "Hangup", &(2u32, "", "")).expect("it talks");
    handler.channel(&mut desk, CHANNEL, "Close", &()).expect("once");
    assert_eq!(
        desk.members(),
        [
            "ShowProgress",
            "CallStateChanged",
            "reply",
            "CallStateChanged",
            "SendingStateChanged",
            "ReceivingStateChanged",
            "LocalSendingStateChanged",
            "reply",
            "error",
            "ReceivingStateChanged",
            "reply",
            "LocalMediaDescriptionChanged",
            "RemoteMediaDescriptionsChanged",
            "MediaDescriptionOfferDone",
            "Answer",
            "reply",
            "SendingStateChanged",
            "reply",
            "LocalCandidatesAdded",
            "reply",
            "SetMediaAddresses",
            "reply",
            "CallStateChanged",
            // The user hangs up: the handler is told at once.
            "HangUp",
            "CallStateChanged",
            "ContentRemoved",
            "reply",
            "ChannelClosed",
            "Closed",
            "reply",
        ]
    );
}
