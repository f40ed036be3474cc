// SPDX-License-Identifier: GPL-3.0-or-later
//! What one medium of a description says, for a program that sends and receives it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::extension::direction;
use super::line::{Line, values};
use super::{
    Candidate, Codec, Description, Direction, Fault, Feedback, HeaderExtension, Host, Medium,
    Source, codec, phrase, word,
};

/// The port that throws away what it gets (RFC 863).
const DISCARD: u16 = 9;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Something else: `text`, `image`, `application`.
    Other(String),
}

impl Kind {
    /// The word of an `m=` line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Other(word) => word,
        }
    }

    fn read(text: &str) -> Self {
        match text {
            "audio" => Self::Audio,
            "video" => Self::Video,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What a peer must know to check candidates (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Ice {
    /// The user fragment.
    pub ufrag: String,
    /// The password, good for this session only.
    pub pwd: String,
    /// Whether this end answers checks but makes none.
    pub lite: bool,
}

/// The password is not for a log.
impl std::fmt::Debug for Ice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ice")
            .field("ufrag", &self.ufrag)
            .field("lite", &self.lite)
            .finish_non_exhaustive()
    }
}

/// An attribute that nothing here understands, and that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
}

/// One medium, with what the session says for all of them worked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What is sent.
    pub kind: Kind,
    /// `RTP/AVP`; with a feedback profile `RTP/AVPF`, encrypted `RTP/SAVP` and its like.
    pub profile: String,
    /// Where RTP is wanted.
    pub host: Host,
    /// The port of RTP; 0 if the medium is rejected.
    pub port: u16,
    /// Where RTCP is wanted, if it is not the next port of `host`: `a=rtcp` (RFC 3605).
    pub rtcp: Option<(Option<Host>, u16)>,
    /// Whether RTCP may come to the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Which way it flows, seen from who describes it.
    pub direction: Direction,
    /// The codecs in order of preference; only those whose payload type has a meaning.
    pub codecs: Vec<Codec>,
    /// How much of a medium one packet holds, in milliseconds.
    pub packet_ms: Option<u16>,
    /// How much it may hold at most, in milliseconds.
    pub max_packet_ms: Option<u16>,
    /// What may be asked by RTCP.
    pub feedback: Vec<Feedback>,
    /// Extensions of the RTP header.
    pub extensions: Vec<HeaderExtension>,
    /// What is said of the sources of this medium.
    pub sources: Vec<Source>,
    /// The credentials of ICE, if this end can do it.
    pub ice: Option<Ice>,
    /// Other ways to this end.
    pub candidates: Vec<Candidate>,
    /// Whether no more candidates will come (RFC 8840 §8.2).
    pub end_of_candidates: bool,
    /// All other attributes of the medium, in order: `crypto`, `fingerprint`, `mid` …
    pub others: Vec<Attribute>,
}

impl Stream {
    /// A medium with nothing said of it but where it is wanted.
    #[must_use]
    pub fn new(kind: Kind, profile: &str, address: SocketAddr) -> Self {
        Self {
            kind,
            profile: profile.to_owned(),
            host: address.ip().into(),
            port: address.port(),
            rtcp: None,
            rtcp_mux: false,
            direction: Direction::SendRecv,
            codecs: Vec::new(),
            packet_ms: None,
            max_packet_ms: None,
            feedback: Vec::new(),
            extensions: Vec::new(),
            sources: Vec::new(),
            ice: None,
            candidates: Vec::new(),
            end_of_candidates: false,
            others: Vec::new(),
        }
    }

    /// A medium whose describer does not know yet where it wants it: nowhere, at the port that throws
    /// away what it gets, as RFC 8840 writes it.
    #[must_use]
    pub fn unplaced(kind: Kind, profile: &str) -> Self {
        Self::new(kind, profile, SocketAddr::from(([0, 0, 0, 0], DISCARD)))
    }

    /// Whether it is wanted nowhere yet, and at an address that is told later.
    #[must_use]
    pub const fn is_unplaced(&self) -> bool {
        self.port == DISCARD && self.host.is_nowhere()
    }

    /// Whether this medium is refused (RFC 3264 §6).
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.port == 0
    }

    /// Whether it speaks of feedback in its profile (RFC 4585 §4.1).
    #[must_use]
    pub fn has_feedback_profile(&self) -> bool {
        self.profile.ends_with("AVPF")
    }

    /// Where RTP is wanted; nowhere if it is rejected, held by `0.0.0.0`, or behind a name.
    #[must_use]
    pub fn rtp_address(&self) -> Option<SocketAddr> {
        let ip = self.host.ip().filter(|ip| !ip.is_unspecified() && self.port != 0)?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// Where RTCP is wanted as long as `a=rtcp-mux` is not agreed upon.
    #[must_use]
    pub fn rtcp_address(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_address()?;
        match &self.rtcp {
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
            Some((_, 0)) => None,
            Some((None, port)) => Some(SocketAddr::new(rtp.ip(), *port)),
            Some((Some(host), port)) => {
                host.ip().filter(|ip| !ip.is_unspecified()).map(|ip| SocketAddr::new(ip, *port))
            }
        }
    }

    /// What `medium` of `description` says; what cannot be understood is passed over.
    #[must_use]
    pub(super) fn read(description: &Description, medium: &Medium) -> Self {
        let host = medium.connection().or_else(|| description.connection()).unwrap_or_default();
        let either = |name: &'static str| {
            let of_session = || description.attributes(name).next();
            medium.attribute(name).or_else(of_session).map(str::to_owned)
        };
        let mut stream = Self {
            kind: Kind::read(medium.kind()),
            profile: medium.profile().to_owned(),
            host,
            port: medium.port(),
            codecs: codecs(medium),
            ice: either("ice-ufrag").zip(either("ice-pwd")).map(|(ufrag, pwd)| Ice {
                ufrag,
                pwd,
                lite: description.attributes("ice-lite").next().is_some(),
            }),
            direction: description.direction().unwrap_or(Direction::SendRecv),
            ..Self::new(Kind::Audio, "", SocketAddr::from(([0, 0, 0, 0], 0)))
        };
        let attributes = medium.lines.iter().filter_map(Line::attribute);
        attributes.for_each(|(name, value)| stream.take(name, value));
        if stream.host.is_nowhere() && stream.ice.is_none() && !stream.is_unplaced() {
            // How RFC 2543 said hold: nothing is wanted there.
            stream.direction = Direction::of(stream.direction.sends(), false);
        }
        stream
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let text = value.unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        if let (Some(direction), None) = (direction(&lower), value) {
            self.direction = direction;
            return;
        }
        match lower.as_str() {
            "rtpmap" | "fmtp" | "ice-ufrag" | "ice-pwd" | "ice-lite" => {}
            "ptime" => self.packet_ms = milliseconds(text),
            "maxptime" => self.max_packet_ms = milliseconds(text),
            "rtcp" => self.rtcp = rtcp(text),
            "rtcp-mux" => self.rtcp_mux = true,
            "rtcp-fb" => self.feedback.extend(Feedback::read(text)),
            "extmap" => self.extensions.extend(HeaderExtension::read(text)),
            "ssrc" => self.sources.extend(Source::read(text)),
            "candidate" => self.candidates.extend(Candidate::read(text)),
            "end-of-candidates" => self.end_of_candidates = true,
            _ => {
                let value = value.map(str::to_owned);
                self.others.push(Attribute { name: name.to_owned(), value });
            }
        }
    }

    /// Written into a description whose session says `session` for where media is wanted.
    pub(super) fn to_medium(&self, session: &Host) -> Result<Medium, Fault> {
        let mut formats: Vec<String> = Vec::with_capacity(self.codecs.len());
        for codec in &self.codecs {
            let format = codec.payload_type.to_string();
            if formats.contains(&format) {
                return Err(Fault::Value("a payload type with two meanings"));
            }
            formats.push(format);
        }
        if formats.is_empty() && self.is_rejected() {
            // A medium has a format even when it is refused (RFC 8866 §9).
            formats.push("0".to_owned());
        }
        let mut medium = Medium::new(self.kind.as_str(), self.port, &self.profile, formats)?;
        let attribute = |medium: &mut Medium, name: &str, value: &str| {
            medium.push('a', &format!("{name}:{value}"));
        };
        if self.host != *session {
            medium.push('c', &self.host.connection()?);
        }
        match &self.rtcp {
            None => {}
            Some((None, port)) => attribute(&mut medium, "rtcp", &port.to_string()),
            Some((Some(host), port)) => {
                attribute(&mut medium, "rtcp", &format!("{port} {}", host.connection()?));
            }
        }
        if self.rtcp_mux {
            medium.push('a', "rtcp-mux");
        }
        if let Some(Ice { ufrag, pwd, lite: _ }) = &self.ice {
            attribute(&mut medium, "ice-ufrag", word(ufrag, "a user fragment of ICE")?);
            attribute(&mut medium, "ice-pwd", word(pwd, "a password of ICE")?);
        }
        for codec in &self.codecs {
            attribute(&mut medium, "rtpmap", &codec.rtpmap()?);
            if let Some(fmtp) = codec.fmtp()? {
                attribute(&mut medium, "fmtp", &fmtp);
            }
        }
        for feedback in &self.feedback {
            attribute(&mut medium, "rtcp-fb", &feedback.text()?);
        }
        if let Some(packet_ms) = self.packet_ms {
            attribute(&mut medium, "ptime", &packet_ms.to_string());
        }
        if let Some(packet_ms) = self.max_packet_ms {
            attribute(&mut medium, "maxptime", &packet_ms.to_string());
        }
        for extension in &self.extensions {
            attribute(&mut medium, "extmap", &extension.text()?);
        }
        for source in &self.sources {
            attribute(&mut medium, "ssrc", &source.text()?);
        }
        for candidate in &self.candidates {
            attribute(&mut medium, "candidate", &candidate.text()?);
        }
        if self.end_of_candidates {
            medium.push('a', "end-of-candidates");
        }
        for Attribute { name, value } in &self.others {
            let name = word(name, "the name of an attribute")?;
            if name.contains(':') {
                return Err(Fault::Value("the name of an attribute"));
            }
            match value {
                Some(value) => attribute(&mut medium, name, phrase(value, "an attribute")?),
                None => medium.push('a', name),
            }
        }
        medium.push('a', self.direction.as_str());
        Ok(medium)
    }
}

/// What the payload types of this medium mean. Of two meanings the first holds, and one that is
/// listed twice is one.
fn codecs(medium: &Medium) -> Vec<Codec> {
    let mut said: BTreeMap<u8, Codec> = BTreeMap::new();
    for codec in values(&medium.lines, "rtpmap").filter_map(Codec::of_rtpmap) {
        said.entry(codec.payload_type).or_insert(codec);
    }
    let mut parameters: BTreeMap<u8, &str> = BTreeMap::new();
    for (number, text) in values(&medium.lines, "fmtp").filter_map(fmtp) {
        parameters.entry(number).or_insert(text);
    }
    let mut seen = BTreeSet::new();
    let numbers = medium.formats().iter().filter_map(|format| codec::payload_type(format));
    numbers
        .filter(|&number| seen.insert(number))
        .filter_map(|number| {
            let mut codec = said.remove(&number).or_else(|| Codec::assigned(number))?;
            if let Some(text) = parameters.get(&number) {
                codec.read_parameters(text);
            }
            Some(codec)
        })
        .collect()
}

/// `101 0-15`.
fn fmtp(text: &str) -> Option<(u8, &str)> {
    let (number, parameters) = text.split_once(char::is_whitespace)?;
    Some((codec::payload_type(number)?, parameters))
}

/// Whole milliseconds; some peers write `20.0`.
fn milliseconds(text: &str) -> Option<u16> {
    text.split('.').next()?.trim().parse().ok().filter(|&ms| ms > 0)
}

/// `53020 IN IP4 192.0.2.1`, or the port alone.
fn rtcp(text: &str) -> Option<(Option<Host>, u16)> {
    match text.split_once(char::is_whitespace) {
        Some((port, connection)) => {
            Some((Some(Host::of_connection(connection)?), port.parse().ok()?))
        }
        None => Some((None, text.parse().ok()?)),
    }
}

impl Description {
    /// The direction of all media that do not say otherwise.
    fn direction(&self) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| self.attributes(direction.as_str()).next().is_some())
    }
}
