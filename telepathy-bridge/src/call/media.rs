// SPDX-License-Identifier: GPL-3.0-or-later
//! The media of a description, and where each end wants them.

use std::net::{IpAddr, SocketAddr};

use sipwitch_dbus_interfaces::wire::MediaAddress;
use sipwitch_media::sdp::{
    self, CandidateKind, Description, Direction, Fault, Host, Ice, Kind, Stream,
};

use super::{
    described::{Codec, Described},
    stream::{ICE, RAW_UDP},
};
use crate::reply::Map;

/// `(usua{sv})`: component, address, port, more.
pub(super) type Candidate = (u32, String, u32, Map);

/// Stream_Component.
pub(super) const DATA: u32 = 1;
pub(super) const CONTROL: u32 = 2;
/// Media_Stream_Base_Proto.
const UDP: u32 = 0;
const TCP: u32 = 1;
/// Call_Stream_Candidate_Type.
const KINDS: [(CandidateKind, u32); 4] = [
    (CandidateKind::Host, 1),
    (CandidateKind::ServerReflexive, 2),
    (CandidateKind::PeerReflexive, 3),
    (CandidateKind::Relayed, 4),
];
/// The most candidates that are shown to a handler.
const MAX_CANDIDATES: usize = 64;

/// A medium of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) profile: String,
    /// What the far end says of it; nothing where it refuses it, or no handler could have it.
    pub(super) remote: Option<Remote>,
}

/// What the far end says of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) described: Described,
    /// Where it is wanted; nowhere while it is held in the old way.
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    /// Which way it is to flow, as the far end sees it.
    pub(super) direction: Direction,
    ice: Option<Ice>,
    candidates: Vec<sdp::Candidate>,
}

/// Reads the media of a description; none if no handler could have any of them.
pub(super) fn read(description: &[u8]) -> Option<Vec<Line>> {
    let description = Description::parse(description).ok()?;
    let lines: Vec<Line> = description.streams().map(line).collect();
    lines.iter().any(|line| line.remote.is_some()).then_some(lines)
}

fn line(stream: Stream) -> Line {
    let is_known = matches!(stream.kind, Kind::Audio | Kind::Video);
    let is_plain = matches!(stream.profile.as_str(), "RTP/AVP" | "RTP/AVPF");
    let is_there = !stream.is_rejected() && !stream.codecs.is_empty();
    let remote = (is_known && is_plain && is_there).then(|| Remote {
        described: Described::of(&stream),
        rtp: stream.rtp_address(),
        rtcp: stream.rtcp_address(),
        direction: stream.direction,
        ice: stream.ice.clone(),
        candidates: stream.candidates.clone(),
    });
    Line { kind: stream.kind, profile: stream.profile, remote }
}

impl Remote {
    /// How the far end is reached: by checks of its candidates only if it can make them.
    pub(super) const fn transport(&self) -> u32 {
        if self.ice.is_some() { ICE } else { RAW_UDP }
    }

    /// The user fragment and the password with which its candidates are checked.
    pub(super) fn credentials(&self) -> (String, String) {
        let of = |ice: &Ice| (ice.ufrag.clone(), ice.pwd.clone());
        self.ice.as_ref().map(of).unwrap_or_default()
    }

    /// Whether it answers checks and makes none.
    pub(super) fn is_lite(&self) -> bool {
        self.ice.as_ref().is_some_and(|ice| ice.lite)
    }

    /// Its addresses as candidates.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        if self.ice.is_some() {
            return self.candidates.iter().filter_map(checked).take(MAX_CANDIDATES).collect();
        }
        let data = self.rtp.map(|address| host(DATA, address));
        let control = self.rtcp.map(|address| host(CONTROL, address));
        data.into_iter().chain(control).collect()
    }

    /// Whether the medium goes to the same place, described alike.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.described == other.described && (self.rtp.is_none() || self.rtp == other.rtp)
    }
}

/// An address as a candidate that is not checked.
pub(super) fn host(component: u32, address: SocketAddr) -> Candidate {
    let mut more = Map::new();
    more.insert("protocol".into(), UDP.into());
    more.insert("type".into(), 1u32.into());
    more.insert("foundation".into(), "1".into());
    more.insert("priority".into(), (1u32 << 24).into());
    (component, address.ip().to_string(), u32::from(address.port()), more)
}

/// A candidate for checks, as Telepathy has it.
fn checked(candidate: &sdp::Candidate) -> Option<Candidate> {
    let ip = candidate.host.ip()?;
    let (_, kind) = KINDS.iter().find(|(kind, _)| *kind == candidate.kind)?;
    let is_udp = candidate.transport.eq_ignore_ascii_case("udp");
    let mut more = Map::new();
    more.insert("protocol".into(), if is_udp { UDP } else { TCP }.into());
    more.insert("type".into(), (*kind).into());
    more.insert("foundation".into(), candidate.foundation.clone().into());
    more.insert("priority".into(), candidate.priority.into());
    if let Some((host, port)) = &candidate.related
        && let Some(ip) = host.ip()
    {
        more.insert("base-ip".into(), ip.to_string().into());
        more.insert("base-port".into(), u32::from(*port).into());
    }
    Some((candidate.component.into(), ip.to_string(), candidate.port.into(), more))
}

/// Whether a description says where a medium is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placing {
    /// It does.
    Now,
    /// The service is told when it is known.
    Later,
}

/// The user's end of a medium.
#[derive(Debug, Clone, Default)]
pub(super) struct Local {
    /// What the handler can, or has agreed to.
    pub(super) described: Described,
    /// Where it wants the medium.
    pub(super) candidates: Vec<Candidate>,
    /// With which its candidates are checked; empty where they are not.
    pub(super) credentials: (String, String),
}

impl Local {
    /// Describes the medium; without an address, if that is to be told later.
    ///
    /// # Errors
    /// The handler gave what no description can hold, or no address.
    pub(super) fn stream(
        &self,
        slot: (&Kind, &str),
        place: Placing,
        codecs: &[Codec],
        direction: Direction,
    ) -> Result<Stream, Fault> {
        let (kind, profile) = slot;
        if place == Placing::Later {
            let mut stream = Stream::unplaced(kind.clone(), profile);
            stream.direction = direction;
            self.described.write(codecs, &mut stream)?;
            return Ok(stream);
        }
        let rtp = self.place(DATA).ok_or(Fault::Value("a handler without an address"))?;
        let mut stream = Stream::new(kind.clone(), profile, rtp);
        stream.direction = direction;
        self.described.write(codecs, &mut stream)?;
        if let Some(rtcp) = self.place(CONTROL)
            && (rtcp.ip() != rtp.ip() || Some(rtcp.port()) != rtp.port().checked_add(1))
        {
            let host = (rtcp.ip() != rtp.ip()).then(|| rtcp.ip().into());
            stream.rtcp = Some((host, rtcp.port()));
        }
        let (ufrag, pwd) = &self.credentials;
        if !ufrag.is_empty() && !pwd.is_empty() {
            stream.ice = Some(Ice { ufrag: ufrag.clone(), pwd: pwd.clone(), lite: false });
            stream.candidates = self.candidates.iter().filter_map(to_sdp).collect();
        }
        Ok(stream)
    }

    /// Where the medium at this place of the descriptions is wanted; none without an address.
    pub(super) fn address(&self, line: usize) -> Option<MediaAddress> {
        let (rtp, rtcp) = (self.place(DATA)?, self.place(CONTROL));
        Some(MediaAddress {
            medium: u32::try_from(line).ok()?,
            address: rtp.ip().to_string(),
            port: rtp.port(),
            rtcp_address: rtcp.map(|rtcp| rtcp.ip().to_string()).unwrap_or_default(),
            rtcp_port: rtcp.map(|rtcp| rtcp.port()).unwrap_or_default(),
        })
    }

    /// Where a component is wanted: what others can reach, and of that what the handler likes best.
    fn place(&self, component: u32) -> Option<SocketAddr> {
        let places = self.candidates.iter().filter(|candidate| candidate.0 == component);
        let places = places.filter_map(|(_, ip, port, more)| {
            let ip: IpAddr = ip.parse().ok()?;
            let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
            if word(more, "protocol").unwrap_or(UDP) != UDP {
                return None;
            }
            let priority = word(more, "priority").unwrap_or_default();
            let rank = (!ip.is_loopback(), ip.is_ipv4(), priority);
            Some((rank, SocketAddr::new(ip, port)))
        });
        // Of equals the first.
        places.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, at)| at)
    }
}

fn word(more: &Map, key: &str) -> Option<u32> {
    more.get(key).and_then(|value| value.downcast_ref::<u32>().ok())
}

/// A candidate of the handler for checks, as SDP has it.
fn to_sdp((component, ip, port, more): &Candidate) -> Option<sdp::Candidate> {
    let ip: IpAddr = ip.parse().ok()?;
    let text = |key: &str| more.get(key).and_then(|value| value.downcast_ref::<String>().ok());
    let kind = word(more, "type").unwrap_or(1);
    let (kind, _) = KINDS.iter().find(|(_, number)| *number == kind)?;
    let base: Option<IpAddr> = text("base-ip").and_then(|base| base.parse().ok());
    let base_port = word(more, "base-port").and_then(|port| u16::try_from(port).ok());
    let is_base = *kind != CandidateKind::Host;
    Some(sdp::Candidate {
        foundation: text("foundation")
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "1".into()),
        component: u16::try_from(*component).ok()?,
        transport: if word(more, "protocol") == Some(TCP) { "TCP" } else { "UDP" }.to_owned(),
        priority: word(more, "priority").unwrap_or(1),
        host: Host::from(ip),
        port: u16::try_from(*port).ok()?,
        kind: *kind,
        related: base.map(Host::from).zip(base_port).filter(|_| is_base),
        extensions: Vec::new(),
    })
}
