// SPDX-License-Identifier: GPL-3.0-or-later

use super::{
    desk::{Desk, LEG},
    handler::*,
};
use crate::object::Part;

#[test]
fn several_tones_are_sent_one_after_the_other() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    let content = handler.path(Part::Content(1));
    let early = desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"1");
    assert_eq!(early, Err("org.freedesktop.Telepathy.Error.NotAvailable".into()));
    desk.call::<_, ()>(&handler.path(Part::Channel), CHANNEL, "Close", &()).expect("once");

    let handler = Handler(2);
    handler.talking(&mut desk);
    let content = handler.path(Part::Content(1));
    let bad = desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"1?");
    assert_eq!(bad, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
    desk.call::<_, ()>(&content, DTMF, "MultipleTones", &"5#").expect("it talks");
    for event in [5u8, 11] {
        assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 1));
        desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(event, 2u32))
            .expect("it was asked for");
        desk.pass_time();
        assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 3));
        desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(event, 0u32))
            .expect("it was asked for");
        if event == 5 {
            desk.pass_time();
        }
    }
    assert!(!desk.last::<bool>("StoppedTones"), "none was cut short");
    assert_eq!(desk.bridge.next_deadline(), None, "nothing to wake up for");
}

/// The handler sends what it is asked to.
fn sounds(desk: &mut Desk, handler: &Handler, event: u8) {
    let content = handler.path(Part::Content(1));
    assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 1));
    desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(event, 2u32)).expect("asked");
    desk.pass_time();
    assert_eq!(desk.last::<(u8, u32)>("DTMFChangeRequested"), (event, 3));
    desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(event, 0u32)).expect("asked");
}

#[test]
fn tones_of_the_call_are_those_of_its_sound_and_told_of_both() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    handler.channel(&mut desk, CALL_DTMF, "StartTone", &(0u32, 7u8)).expect("it talks");
    let content = handler.path(Part::Content(1));
    desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(7u8, 2u32)).expect("asked");
    let told: Vec<String> = desk
        .sent
        .iter()
        .filter(|sent| sent.header().member().is_some_and(|name| name == "SendingTones"))
        .map(|sent| sent.header().path().expect("a signal has one").to_string())
        .collect();
    assert_eq!(told, [content.clone(), handler.path(Part::Channel)]);
    assert!(
        handler
            .property(&mut desk, CALL_DTMF, "CurrentlySendingTones")
            .downcast_ref::<bool>()
            .expect("a flag")
    );
    handler.channel(&mut desk, CALL_DTMF, "StopTone", &0u32).expect("it sounds");
    desk.call::<_, ()>(&content, MEDIA, "AcknowledgeDTMFChange", &(7u8, 0u32)).expect("asked");
    assert!(!desk.last::<bool>("StoppedTones"), "it had no end of its own");
    let wrong = handler.channel(&mut desk, CALL_DTMF, "StartTone", &(0u32, 16u8));
    assert_eq!(wrong, Err("org.freedesktop.Telepathy.Error.InvalidArgument".into()));
}

#[test]
fn a_call_begins_with_its_tones_which_may_pause_and_wait() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let mut asked = asked("102");
    let name = "org.freedesktop.Telepathy.Channel.Interface.DTMF.InitialTones";
    asked.insert(name, "1p2w3".into());
    handler.asks(&mut desk, &asked);
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
    handler.flows(&mut desk, "Receiving", 3);
    assert!(!desk.members().contains(&"DTMFChangeRequested".into()), "nobody hears them yet");
    handler.agrees(&mut desk, 1);
    let began = desk.now;
    sounds(&mut desk, &handler, 1);
    desk.pass_time();
    desk.pass_time();
    assert!(desk.now.duration_since(began).as_secs() >= 3, "it paused");
    sounds(&mut desk, &handler, 2);
    desk.pass_time();
    assert_eq!(desk.last::<String>("TonesDeferred"), "3");
    let deferred = handler.property(&mut desk, CALL_DTMF, "DeferredTones");
    assert_eq!(deferred.downcast_ref::<String>().expect("a text"), "3");
    handler.channel(&mut desk, CALL_DTMF, "MultipleTones", &"3").expect("they wait");
    sounds(&mut desk, &handler, 3);
    let deferred = handler.property(&mut desk, CALL_DTMF, "DeferredTones");
    assert_eq!(deferred.downcast_ref::<String>().expect("a text"), "");
    assert_eq!(desk.bridge.next_deadline(), None, "nothing to wake up for");
}
