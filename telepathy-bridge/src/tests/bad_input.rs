// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::{
    desk::{CONNECTION_PATH, Desk, LEG},
    handler::*,
};
use crate::object::Part;

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
fn a_description_without_codecs_is_refused() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    let offer = handler.path(Part::Offer(1, 0));
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

fn error<T>(name: &str) -> Result<T, String> {
    Err(format!("org.freedesktop.Telepathy.Error.{name}"))
}

#[test]
fn offers_that_the_handler_never_answers_end_the_call_in_a_while() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    assert_eq!(desk.bridge.next_deadline(), None, "it may think for as long as it likes");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    let began = desk.now;
    desk.pass_time();
    assert_eq!(desk.now.duration_since(began).as_secs(), 25);
    let (state, _, (_, why, error, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 12));
    assert_eq!(error, "org.freedesktop.Telepathy.Error.Media.StreamingError");
    assert_eq!(desk.bridge.next_deadline(), None);

    somebody_calls(&mut desk, "102", SDP);
    Handler(2).accept(&mut desk);
    desk.pass_time();
    let members = desk.members();
    assert_eq!(members.iter().filter(|member| *member == "HangUp").count(), 2, "{members:?}");
}

#[test]
fn what_is_said_after_the_end_is_refused_and_changes_nothing() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    desk.says("Ended", &(LEG, "hung-up", 200u32, 16u32, ""));
    let more: HashMap<&str, Value<'_>> = HashMap::new();
    let candidates = vec![(1u32, "127.0.0.1", 5004u32, &more)];
    let stream = handler.path(Part::Stream(1));
    let late = desk.call::<_, ()>(&stream, STREAM, "AddCandidates", &candidates);
    assert_eq!(late, error("NotAvailable"));
    let content = handler.path(Part::Content(1));
    assert_eq!(desk.call::<_, ()>(&content, DTMF, "StartTone", &1u8), error("NotAvailable"));
    for (interface, member) in [(CALL, "Accept"), (CALL, "SetRinging"), (CALL, "SetQueued")] {
        assert_eq!(handler.channel(&mut desk, interface, member, &()), error("NotAvailable"));
    }
    assert_eq!(handler.channel(&mut desk, HOLD, "RequestHold", &true), error("NotAvailable"));
    assert_eq!(handler.channel(&mut desk, MUTE, "RequestMuted", &true), error("NotAvailable"));
    let added = desk.call::<_, OwnedObjectPath>(
        &handler.path(Part::Channel),
        CALL,
        "AddContent",
        &("more", 0u32, 3u32),
    );
    assert_eq!(added.map(drop), error("NotAvailable"));
    desk.says("Answered", &(LEG, 0u32, SDP.as_bytes()));
    let state = handler.property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(6), "it stays over");
    handler.channel(&mut desk, CHANNEL, "Close", &()).expect("once");
    assert!(handler.channel(&mut desk, CHANNEL, "Close", &()).is_err());
}

#[test]
fn a_handler_that_dies_takes_its_calls_along_and_no_others() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    somebody_calls(&mut desk, "103", SDP);
    desk.sent.clear();
    desk.leaves(":1.98", ":1.98");
    assert_eq!(desk.members(), Vec::<String>::new(), "that was somebody else");
    desk.leaves(":1.99", ":1.99");
    let (state, _, (_, why, error, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 12));
    assert_eq!(error, "org.freedesktop.Telepathy.Error.Media.StreamingError");
    assert_eq!(
        desk.members(),
        ["HangUp", "CallStateChanged", "ContentRemoved", "ChannelClosed", "Closed"]
    );
    let state = Handler(2).property(&mut desk, CALL, "CallState");
    assert_eq!(state.downcast_ref::<u32>(), Ok(3), "nobody has taken that one yet");
}

#[test]
fn an_offer_is_accepted_once() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    let codecs: Vec<Codec> = vec![(0, "PCMU", 8000, 0, false, HashMap::new())];
    let said = HashMap::from([(CODECS, Value::from(codecs))]);
    assert_eq!(handler.says(&mut desk, (1, 0), &said), error("NotAvailable"));
    assert_eq!(handler.says(&mut desk, (1, 9), &said), error("NotAvailable"));
    assert_eq!(handler.says(&mut desk, (9, 0), &said), error("NotAvailable"));
}

#[test]
fn fifty_calls_go_on_at_once_and_the_sixty_fifth_is_refused() {
    let mut desk = Desk::connected();
    for number in 1..=64 {
        let handler = Handler(number);
        handler.ask(&mut desk, "102");
        if number <= 50 {
            handler.accept(&mut desk);
            handler.agrees(&mut desk, 0);
            handler.gathers(&mut desk);
        }
    }
    let dialled = desk.members().iter().filter(|member| *member == "Dial").count();
    assert_eq!(dialled, 50);
    let more = desk.call::<_, (OwnedObjectPath, HashMap<String, OwnedValue>)>(
        CONNECTION_PATH,
        REQUESTS,
        "CreateChannel",
        &asked("102"),
    );
    assert_eq!(more.map(drop), error("NotAvailable"));
}

#[test]
fn a_call_is_asked_for_in_words_that_it_understands() {
    let mut desk = Desk::connected();
    let mut refused = |name: &'static str, value: Value<'static>| {
        let mut wished = asked("102");
        wished.insert(name, value);
        desk.call::<_, (OwnedObjectPath, HashMap<String, OwnedValue>)>(
            CONNECTION_PATH,
            REQUESTS,
            "CreateChannel",
            &wished,
        )
        .map(drop)
    };
    let tones = "org.freedesktop.Telepathy.Channel.Interface.DTMF.InitialTones";
    assert_eq!(refused(tones, "1?".into()), error("InvalidArgument"));
    assert_eq!(refused(tones, 1u32.into()), error("InvalidArgument"));
    let transport = "org.freedesktop.Telepathy.Channel.Type.Call1.InitialTransport";
    assert_eq!(refused(transport, 3u32.into()), error("NotImplemented"));
    let name = "org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudioName";
    assert_eq!(refused(name, "x".repeat(65).into()), error("InvalidArgument"));
    let video = "org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideo";
    assert_eq!(refused(video, "yes".into()), error("InvalidArgument"));
}
