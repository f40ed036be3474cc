// SPDX-License-Identifier: GPL-3.0-or-later
//! A medium as one end describes it: Telepathy's MediaDescription, to SDP and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sipwitch_media::sdp::{self, Direction, Fault, Feedback, HeaderExtension, Stream};
use zbus::zvariant::{OwnedValue, Type, Value};

use super::reports::Reports;
use crate::{
    definition::{
        Interface,
        call::{MEDIA_DESCRIPTION, RTCP_FEEDBACK, RTCP_REPORTS, RTP_EXTENSIONS},
    },
    error::{Error, Name},
    object::OFFER_INTERFACES,
    reply::Map,
};

/// `(usuuba{ss})`: payload type, name, clock, channels (0 where they are not said), whether it was
/// updated, parameters.
pub(super) type Codec = (u32, String, u32, u32, bool, HashMap<String, String>);
/// `(sss)`: kind, subtype, parameters.
type Message = (String, String, String);
/// `(uuss)`: number, direction, meaning, parameters.
type Extension = (u32, u32, String, String);

/// The most codecs of a description: RTP knows no more payload types.
const MAX_CODECS: usize = 128;
/// The most messages of one codec, and the most extensions.
const MAX_MESSAGES: usize = 32;
const MAX_EXTENSIONS: usize = 64;
/// How Telepathy says that the least time between reports is not said.
const UNSAID: u32 = u32::MAX;
/// `trr-int`, the least time between reports (RFC 4585 §4.2).
const LEAST_TIME: &str = "trr-int";

/// The parameters that are said of all codecs in SDP, and of each in Telepathy.
const PACKET: &str = "ptime";
const MAX_PACKET: &str = "maxptime";

/// What one end says of a medium.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    /// Its codecs, the best first.
    pub(super) codecs: Vec<Codec>,
    /// What may be asked by RTCP, by payload type: the least time between reports in milliseconds,
    /// and the messages.
    feedback: BTreeMap<u32, (u32, Vec<Message>)>,
    /// Whether it speaks the profile with feedback (RFC 4585).
    has_feedback_profile: bool,
    /// Extensions of the header of RTP.
    extensions: Vec<Extension>,
    /// The sources that it names (RFC 5576).
    sources: Vec<u32>,
    /// What it wants in extended reports.
    reports: Reports,
}

impl Described {
    /// What a description in SDP says of a medium.
    pub(super) fn of(stream: &Stream) -> Self {
        let codecs = codecs(stream);
        let mut feedback = BTreeMap::new();
        for said in &stream.feedback {
            let all = codecs.iter().map(|codec| codec.0);
            let of: Vec<u32> = match said.payload_type {
                Some(number) => all.filter(|of| *of == u32::from(number)).collect(),
                None => all.collect(),
            };
            for number in of {
                let entry = feedback.entry(number).or_insert((UNSAID, Vec::new()));
                if said.kind == LEAST_TIME {
                    entry.0 = said.parameters.parse().unwrap_or(UNSAID);
                } else if entry.1.len() < MAX_MESSAGES {
                    let (subtype, parameters) =
                        said.parameters.split_once(' ').unwrap_or((&said.parameters, ""));
                    entry.1.push((said.kind.clone(), subtype.into(), parameters.trim().into()));
                }
            }
        }
        let extension = |said: &HeaderExtension| {
            let way = flow(said.direction);
            (u32::from(said.id), way, said.uri.clone(), said.parameters.clone())
        };
        let mut sources: Vec<u32> = stream.sources.iter().map(|source| source.ssrc).collect();
        sources.dedup();
        let reports = stream.others.iter().filter(|other| other.name == "rtcp-xr");
        let reports = reports.filter_map(|other| other.value.as_deref()).next();
        Self {
            codecs,
            feedback,
            has_feedback_profile: stream.has_feedback_profile(),
            extensions: stream.extensions.iter().take(MAX_EXTENSIONS).map(extension).collect(),
            sources,
            reports: reports.map(Reports::read).unwrap_or_default(),
        }
    }

    /// Reads what a handler says.
    ///
    /// # Errors
    /// `InvalidArgument` where a key has another type, or there are no codecs, or too many.
    pub(super) fn read(said: &HashMap<String, OwnedValue>) -> Result<Self, Error> {
        let bad = |words: String| Name::InvalidArgument.because(words);
        let key = MEDIA_DESCRIPTION.member("Codecs");
        let codecs: Vec<Codec> = take(said, &MEDIA_DESCRIPTION, "Codecs")?
            .ok_or_else(|| bad(format!("the description lacks {key}")))?;
        if codecs.is_empty() || codecs.len() > MAX_CODECS {
            return Err(bad(format!("{key} has {} codecs", codecs.len())));
        }
        let feedback: HashMap<u32, (u32, Vec<Message>)> =
            take(said, &RTCP_FEEDBACK, "FeedbackMessages")?.unwrap_or_default();
        let extensions: Vec<Extension> =
            take(said, &RTP_EXTENSIONS, "HeaderExtensions")?.unwrap_or_default();
        let messages = feedback.values().map(|(_, messages)| messages.len()).max().unwrap_or(0);
        if feedback.len() > MAX_CODECS || messages > MAX_MESSAGES {
            return Err(bad("there are too many messages of feedback".into()));
        }
        if extensions.len() > MAX_EXTENSIONS {
            return Err(bad(format!("{} extensions are too many", extensions.len())));
        }
        Ok(Self {
            codecs,
            feedback: feedback.into_iter().collect(),
            has_feedback_profile: take(said, &RTCP_FEEDBACK, "DoesAVPF")?.unwrap_or(false),
            extensions,
            sources: Vec::new(),
            reports: Reports {
                loss: take(said, &RTCP_REPORTS, "LossRLEMaxSize")?.unwrap_or(0),
                duplicates: take(said, &RTCP_REPORTS, "DuplicateRLEMaxSize")?.unwrap_or(0),
                receipts: take(said, &RTCP_REPORTS, "PacketReceiptTimesMaxSize")?.unwrap_or(0),
                round_trips: take(said, &RTCP_REPORTS, "DLRRMaxSize")?.unwrap_or(0),
                round_trip_mode: take(said, &RTCP_REPORTS, "RTTMode")?.unwrap_or(0),
                statistics: take(said, &RTCP_REPORTS, "StatisticsFlags")?.unwrap_or(0),
                has_metrics: take(said, &RTCP_REPORTS, "EnableMetrics")?.unwrap_or(false),
            },
        })
    }

    /// The properties of a MediaDescription that says this, by their full names.
    pub(super) fn properties(&self, member: u32, is_remote: bool, is_answered: bool) -> Map {
        let mut all = Map::new();
        let mut add = |interface: &Interface, name: &str, value: Value<'static>| {
            all.insert(interface.member(name), value);
        };
        let own = &MEDIA_DESCRIPTION;
        add(own, "Interfaces", crate::protocol::names(OFFER_INTERFACES).into());
        add(own, "FurtherNegotiationRequired", is_answered.into());
        add(own, "HasRemoteInformation", is_remote.into());
        add(own, "Codecs", self.codecs.clone().into());
        add(own, "RemoteContact", member.into());
        let sources = (!self.sources.is_empty()).then(|| (member, self.sources.clone()));
        add(own, "SSRCs", sources.into_iter().collect::<HashMap<u32, Vec<u32>>>().into());
        let feedback: HashMap<u32, (u32, Vec<Message>)> =
            self.feedback.iter().map(|(number, said)| (*number, said.clone())).collect();
        add(&RTCP_FEEDBACK, "FeedbackMessages", feedback.into());
        add(&RTCP_FEEDBACK, "DoesAVPF", self.has_feedback_profile.into());
        add(&RTP_EXTENSIONS, "HeaderExtensions", self.extensions.clone().into());
        let reports = &self.reports;
        for (name, value) in [
            ("LossRLEMaxSize", reports.loss),
            ("DuplicateRLEMaxSize", reports.duplicates),
            ("PacketReceiptTimesMaxSize", reports.receipts),
            ("DLRRMaxSize", reports.round_trips),
            ("RTTMode", reports.round_trip_mode),
            ("StatisticsFlags", reports.statistics),
        ] {
            add(&RTCP_REPORTS, name, value.into());
        }
        add(&RTCP_REPORTS, "EnableMetrics", reports.has_metrics.into());
        all
    }

    /// Says this of a medium in SDP, of those codecs.
    ///
    /// # Errors
    /// The handler gave what no description can hold.
    pub(super) fn write(&self, codecs: &[Codec], stream: &mut Stream) -> Result<(), Fault> {
        // Farstream gives one payload type to two codecs at times: of these the first holds, as it
        // does when a description is read.
        let mut seen = BTreeSet::new();
        let firsts = codecs.iter().filter(|codec| seen.insert(codec.0));
        stream.codecs = firsts.map(to_sdp).collect::<Result<_, Fault>>()?;
        stream.packet_ms = milliseconds(codecs, PACKET);
        stream.max_packet_ms = milliseconds(codecs, MAX_PACKET);
        for (number, (least, messages)) in &self.feedback {
            if !codecs.iter().any(|codec| codec.0 == *number) {
                continue;
            }
            let number = u8::try_from(*number).map_err(|_| Fault::Value("a payload type"))?;
            let mut add = |kind: &str, parameters: String| {
                let kind = kind.to_owned();
                stream.feedback.push(Feedback { payload_type: Some(number), kind, parameters });
            };
            if *least != UNSAID {
                add(LEAST_TIME, least.to_string());
            }
            for (kind, subtype, parameters) in messages {
                add(kind, format!("{subtype} {parameters}").trim().to_owned());
            }
        }
        for (id, way, uri, parameters) in &self.extensions {
            let id = u16::try_from(*id).map_err(|_| Fault::Value("the number of an extension"))?;
            let direction = Direction::of(way & 1 != 0, way & 2 != 0);
            let (uri, parameters) = (uri.clone(), parameters.clone());
            stream.extensions.push(HeaderExtension { id, direction, uri, parameters });
        }
        if let Some(value) = self.reports.text() {
            let (name, value) = ("rtcp-xr".to_owned(), Some(value));
            stream.others.push(sdp::Attribute { name, value });
        }
        Ok(())
    }
}

/// A key of a description of a handler; none if it is absent.
fn take<T>(
    said: &HashMap<String, OwnedValue>,
    interface: &Interface,
    name: &str,
) -> Result<Option<T>, Error>
where
    T: TryFrom<OwnedValue> + Type,
{
    let key = interface.member(name);
    let Some(value) = said.get(&key) else { return Ok(None) };
    let bad = |is: String| Name::InvalidArgument.because(format!("{key} is of the type {is}"));
    if value.value_signature() != T::SIGNATURE {
        return Err(bad(value.value_signature().to_string()));
    }
    T::try_from(value.clone()).map(Some).map_err(|_| bad("of its table, and cannot be read".into()))
}

/// MediaStreamDirection.
const fn flow(direction: Direction) -> u32 {
    (direction.sends() as u32) | ((direction.receives() as u32) << 1)
}

/// Those of our codecs that an offer has, by the offer's payload types.
pub(super) fn agreed(own: &[Codec], offered: &[Codec]) -> Vec<Codec> {
    let both = own.iter().filter(|codec| offered.iter().any(|other| is_like(codec, other)));
    both.cloned().collect()
}

fn is_like(one: &Codec, other: &Codec) -> bool {
    one.0 == other.0 && one.1.eq_ignore_ascii_case(&other.1) && one.2 == other.2
}

fn codecs(stream: &Stream) -> Vec<Codec> {
    let codec = |codec: &sdp::Codec| {
        let mut parameters: HashMap<String, String> = codec.parameters.iter().cloned().collect();
        for (key, value) in [(PACKET, stream.packet_ms), (MAX_PACKET, stream.max_packet_ms)] {
            if let Some(value) = value {
                parameters.insert(key.into(), value.to_string());
            }
        }
        let channels = if codec.channels == 1 { 0 } else { u32::from(codec.channels) };
        let payload_type = u32::from(codec.payload_type);
        (payload_type, codec.name.clone(), codec.clock_hz, channels, false, parameters)
    };
    stream.codecs.iter().map(codec).collect()
}

fn to_sdp(codec: &Codec) -> Result<sdp::Codec, Fault> {
    let (payload_type, name, clock_hz, channels, _, parameters) = codec;
    let payload_type = u8::try_from(*payload_type).map_err(|_| Fault::Value("a payload type"))?;
    let channels = u8::try_from((*channels).max(1)).map_err(|_| Fault::Value("channels"))?;
    let mut parameters: Vec<(String, String)> = parameters
        .iter()
        .filter(|(key, _)| key.as_str() != PACKET && key.as_str() != MAX_PACKET)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    // A dictionary has no order, a description that is sent twice has the same.
    parameters.sort();
    Ok(sdp::Codec { channels, parameters, ..sdp::Codec::new(payload_type, name, *clock_hz) })
}

fn milliseconds(codecs: &[Codec], key: &str) -> Option<u16> {
    codecs.iter().find_map(|codec| codec.5.get(key)?.parse().ok().filter(|ms| *ms > 0))
}
