// SPDX-License-Identifier: GPL-3.0-or-later
//! The handler of a call, and the service that tells of one.

use std::collections::HashMap;

use serde::Serialize;
use sipwitch_dbus_interfaces::wire::IncomingCallInfo;
use zbus::zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value};

use super::desk::{CONNECTION_PATH, Desk, LEG, PROPERTIES};
use crate::object::Part;

pub(super) const REQUESTS: &str = "org.freedesktop.Telepathy.Connection.Interface.Requests";
pub(super) const CHANNEL: &str = "org.freedesktop.Telepathy.Channel";
pub(super) const CALL: &str = "org.freedesktop.Telepathy.Channel.Type.Call1";
pub(super) const HOLD: &str = "org.freedesktop.Telepathy.Channel.Interface.Hold";
pub(super) const MEDIA: &str = "org.freedesktop.Telepathy.Call1.Content.Interface.Media";
pub(super) const DTMF: &str = "org.freedesktop.Telepathy.Call1.Content.Interface.DTMF";
pub(super) const DESCRIPTION: &str = "org.freedesktop.Telepathy.Call1.Content.MediaDescription";
pub(super) const STREAM: &str = "org.freedesktop.Telepathy.Call1.Stream.Interface.Media";
pub(super) const THING: &str = "org.freedesktop.Telepathy.Call1.Content";
pub(super) const CODECS: &str = "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Codecs";
pub(super) const CALL_DTMF: &str = "org.freedesktop.Telepathy.Channel.Interface.DTMF";
pub(super) const MUTE: &str = "org.freedesktop.Telepathy.Call1.Interface.Mute";
pub(super) const WAY: &str = "org.freedesktop.Telepathy.Call1.Stream";
pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
                   a=fmtp:101 0-15\r\n";

pub(super) type State = (u32, u32, (u32, u32, String, String), HashMap<String, OwnedValue>);
pub(super) type Codec = (u32, &'static str, u32, u32, bool, HashMap<&'static str, &'static str>);

pub(super) fn asked(id: &str) -> HashMap<&'static str, Value<'_>> {
    HashMap::from([
        ("org.freedesktop.Telepathy.Channel.ChannelType", CALL.into()),
        ("org.freedesktop.Telepathy.Channel.TargetHandleType", 1u32.into()),
        ("org.freedesktop.Telepathy.Channel.TargetID", id.into()),
        ("org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudio", true.into()),
    ])
}

/// The handler of a call, by the number of the call.
pub(super) struct Handler(pub(super) u32);

impl Handler {
    pub(super) fn path(&self, part: Part) -> String {
        part.path(self.0)
    }

    pub(super) fn ask(&self, desk: &mut Desk, id: &str) -> OwnedObjectPath {
        self.asks(desk, &asked(id))
    }

    /// Asks for a call of its own kind.
    pub(super) fn asks(
        &self,
        desk: &mut Desk,
        asked: &HashMap<&'static str, Value<'_>>,
    ) -> OwnedObjectPath {
        let (path, _): (OwnedObjectPath, HashMap<String, OwnedValue>) =
            desk.call(CONNECTION_PATH, REQUESTS, "CreateChannel", asked).expect("a call");
        assert_eq!(path.as_str(), self.path(Part::Channel));
        path
    }

    pub(super) fn accept(&self, desk: &mut Desk) {
        desk.call::<_, ()>(&self.path(Part::Channel), CALL, "Accept", &()).expect("once");
    }

    pub(super) fn agrees(&self, desk: &mut Desk, offer: u32) {
        self.accepts(desk, (1, offer), sound());
    }

    /// Accepts an offer of one of its contents, with what the kind of that can.
    pub(super) fn agrees_to(&self, desk: &mut Desk, content: u32, offer: u32) {
        let of = self.path(Part::Content(content));
        let kind: OwnedValue = desk.call(&of, PROPERTIES, "Get", &(THING, "Type")).expect("a kind");
        let is_sound = kind.downcast_ref::<u32>() == Ok(0);
        let pictures = || vec![(96, "VP8", 90000, 0, false, HashMap::new())];
        self.accepts(desk, (content, offer), if is_sound { sound() } else { pictures() });
    }

    fn accepts(&self, desk: &mut Desk, offer: (u32, u32), codecs: Vec<Codec>) {
        self.says(desk, offer, &HashMap::from([(CODECS, Value::from(codecs))]))
            .expect("the offer is there");
    }

    /// Accepts an offer with these words.
    pub(super) fn says(
        &self,
        desk: &mut Desk,
        (content, offer): (u32, u32),
        said: &HashMap<&str, Value<'_>>,
    ) -> Result<(), String> {
        desk.call::<_, ()>(&self.path(Part::Offer(content, offer)), DESCRIPTION, "Accept", said)
    }

    pub(super) fn gathers(&self, desk: &mut Desk) {
        self.gathers_for(desk, 1);
    }

    pub(super) fn gathers_for(&self, desk: &mut Desk, content: u32) {
        let more: HashMap<&str, Value<'_>> = HashMap::new();
        let port = 5002 + 2 * content;
        let candidates = vec![(1u32, "127.0.0.1", port, &more), (2, "127.0.0.1", port + 1, &more)];
        let stream = self.path(Part::Stream(content));
        desk.call::<_, ()>(&stream, STREAM, "AddCandidates", &candidates).expect("they are taken");
        desk.call::<_, ()>(&stream, STREAM, "FinishInitialCandidates", &()).expect("once");
    }

    pub(super) fn flows(&self, desk: &mut Desk, way: &str, state: u32) {
        self.flows_for(desk, 1, way, state);
    }

    pub(super) fn flows_for(&self, desk: &mut Desk, content: u32, way: &str, state: u32) {
        let member = format!("Complete{way}StateChange");
        desk.call::<_, ()>(&self.path(Part::Stream(content)), STREAM, &member, &state)
            .expect("wanted");
    }

    /// Calls a method of the channel itself.
    pub(super) fn channel<B: Serialize + DynamicType>(
        &self,
        desk: &mut Desk,
        interface: &str,
        member: &str,
        values: &B,
    ) -> Result<(), String> {
        desk.call::<_, ()>(&self.path(Part::Channel), interface, member, values)
    }

    /// A property of the channel itself.
    pub(super) fn property(&self, desk: &mut Desk, interface: &str, name: &str) -> OwnedValue {
        desk.call(&self.path(Part::Channel), PROPERTIES, "Get", &(interface, name)).expect(name)
    }

    /// The last offer or answer that the service was given, whatever gave it.
    pub(super) fn description(&self, desk: &Desk, member: &str) -> String {
        let sent = match member {
            "Dial" => desk.last::<(String, Vec<u8>, HashMap<String, OwnedValue>)>(member).1,
            "AnswerDescription" => desk.last::<(u64, u32, Vec<u8>)>(member).2,
            _ => desk.last::<(u64, Vec<u8>)>(member).1,
        };
        String::from_utf8(sent).expect("text")
    }

    /// A call that talks.
    pub(super) fn talking(&self, desk: &mut Desk) {
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

fn sound() -> Vec<Codec> {
    vec![
        (8, "PCMA", 8000, 0, false, HashMap::new()),
        (101, "telephone-event", 8000, 0, false, HashMap::from([("events", "0-15")])),
    ]
}

pub(super) fn somebody_calls(desk: &mut Desk, caller: &str, offer: &str) {
    let who = IncomingCallInfo {
        caller: caller.into(),
        caller_name: "Bert".into(),
        dialled: "101".into(),
        diverted_by: None,
    };
    let call = ObjectPath::from_static_str("/org/gnutelephony/SipWitch1/call/9").expect("a path");
    desk.says("IncomingCall", &(LEG, call, offer.as_bytes(), who));
}
