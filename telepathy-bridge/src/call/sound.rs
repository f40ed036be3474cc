// SPDX-License-Identifier: GPL-3.0-or-later
//! Sound as Telepathy describes it, to SDP and back.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use sipwitch_media::sdp::{self, Description, Direction, Fault, Kind, Origin, Stream};

use crate::reply::Map;

/// `(usuuba{ss})`: payload type, name, clock, channels (0 where they are not said), whether it was
/// updated, parameters.
pub(super) type Codec = (u32, String, u32, u32, bool, HashMap<String, String>);
/// `(usua{sv})`: component, address, port, more.
pub(super) type Candidate = (u32, String, u32, Map);

/// Stream_Component.
pub(super) const DATA: u32 = 1;
const CONTROL: u32 = 2;
/// Media_Stream_Base_Proto and Call_Stream_Candidate_Type.
const UDP: u32 = 0;
const HOST: u32 = 1;

/// The parameters that are said of all codecs in SDP, and of each in Telepathy.
const PACKET: &str = "ptime";
const MAX_PACKET: &str = "maxptime";

/// What the far end said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// Its codecs.
    pub(super) codecs: Vec<Codec>,
    /// Where it wants its sound; nowhere while it holds in the old way.
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    /// Which way it wants it to flow.
    pub(super) direction: Direction,
    /// All media of the description, and which of them is the sound.
    shape: Shape,
}

/// The media of a conversation: their number never shrinks (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    media: Vec<(Kind, String)>,
    sound: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { media: vec![(Kind::Audio, "RTP/AVP".to_owned())], sound: 0 }
    }
}

impl Remote {
    /// Reads a description; none if there is no sound in it that we could have.
    pub(super) fn read(description: &[u8]) -> Option<Self> {
        let description = Description::parse(description).ok()?;
        let streams: Vec<Stream> = description.streams().collect();
        let sound = streams.iter().position(|stream| {
            let is_plain = matches!(stream.profile.as_str(), "RTP/AVP" | "RTP/AVPF");
            stream.kind == Kind::Audio
                && is_plain
                && !stream.is_rejected()
                && !stream.codecs.is_empty()
        })?;
        let stream = &streams[sound];
        Some(Self {
            codecs: codecs(stream),
            rtp: stream.rtp_address(),
            rtcp: stream.rtcp_address(),
            direction: stream.direction,
            shape: Shape {
                sound,
                media: streams.iter().map(|s| (s.kind.clone(), s.profile.clone())).collect(),
            },
        })
    }

    /// Its addresses as candidates.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let candidate = |component: u32, address: SocketAddr| {
            let mut more = Map::new();
            more.insert("protocol".into(), UDP.into());
            more.insert("type".into(), HOST.into());
            more.insert("foundation".into(), "1".into());
            more.insert("priority".into(), (1u32 << 24).into());
            (component, address.ip().to_string(), u32::from(address.port()), more)
        };
        let data = self.rtp.map(|address| candidate(DATA, address));
        let control = self.rtcp.map(|address| candidate(CONTROL, address));
        data.into_iter().chain(control).collect()
    }

    /// Whether the sound goes to the same place, in the same codecs.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.codecs == other.codecs && (self.rtp.is_none() || self.rtp == other.rtp)
    }

    /// The media.
    pub(super) const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What we may answer to it while we want to send and receive, or hold.
    pub(super) const fn answer(&self, hold: bool) -> Direction {
        Direction::of(self.direction.receives(), self.direction.sends() && !hold)
    }
}

/// The user's end.
#[derive(Debug, Clone, Default)]
pub(super) struct Local {
    /// What the handler can, or has agreed to.
    pub(super) codecs: Vec<Codec>,
    /// Where it wants its sound.
    pub(super) candidates: Vec<Candidate>,
}

impl Local {
    /// Writes a description.
    ///
    /// # Errors
    /// The handler gave what no description can hold, or no address.
    pub(super) fn write(
        &self,
        (session, version): (u64, u64),
        shape: &Shape,
        direction: Direction,
        codecs: &[Codec],
    ) -> Result<Vec<u8>, Fault> {
        let rtp = self.place(DATA).ok_or(Fault::Value("a handler without an address"))?;
        let mut streams = Vec::with_capacity(shape.media.len());
        for (index, (kind, profile)) in shape.media.iter().enumerate() {
            let nowhere = SocketAddr::new(rtp.ip(), 0);
            let place = if index == shape.sound { rtp } else { nowhere };
            let mut stream = Stream::new(kind.clone(), profile, place);
            if index == shape.sound {
                stream.direction = direction;
                stream.codecs = codecs.iter().map(to_sdp).collect::<Result<_, Fault>>()?;
                stream.packet_ms = milliseconds(codecs, PACKET);
                stream.max_packet_ms = milliseconds(codecs, MAX_PACKET);
                if let Some(rtcp) = self.place(CONTROL)
                    && (rtcp.ip() != rtp.ip() || Some(rtcp.port()) != rtp.port().checked_add(1))
                {
                    let host = (rtcp.ip() != rtp.ip()).then(|| rtcp.ip().into());
                    stream.rtcp = Some((host, rtcp.port()));
                }
            }
            streams.push(stream);
        }
        let origin = Origin { user: "-".into(), session, version, host: rtp.ip().into() };
        Ok(Description::compose(&origin, &streams)?.to_bytes().to_vec())
    }

    /// Where a component is wanted: what the handler likes best, before that what others can reach.
    fn place(&self, component: u32) -> Option<SocketAddr> {
        let places = self.candidates.iter().filter(|candidate| candidate.0 == component);
        let places = places.filter_map(|(_, ip, port, more)| {
            let ip: IpAddr = ip.parse().ok()?;
            let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
            let priority = more.get("priority").and_then(|value| value.downcast_ref::<u32>().ok());
            let rank = (!ip.is_loopback(), ip.is_ipv4(), priority.unwrap_or_default());
            Some((rank, SocketAddr::new(ip, port)))
        });
        // Of equals the first.
        places.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, at)| at)
    }
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
