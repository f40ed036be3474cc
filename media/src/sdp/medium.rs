// SPDX-License-Identifier: GPL-3.0-or-later
//! One medium of a description: its `m=` line, and what belongs to it.

use std::net::SocketAddr;

use super::host::connection_to;
use super::line::{Line, first, values};
use super::{Fault, Host, MAX_FORMATS, word};

/// Attributes by which two ends find ways to each other past the addresses of the description
/// (RFC 8839). Once the description names a relay they would lead around it.
pub(super) const ICE: &[&str] = &[
    "candidate",
    "end-of-candidates",
    "ice-lite",
    "ice-mismatch",
    "ice-options",
    "ice-pacing",
    "ice-pwd",
    "ice-ufrag",
    "remote-candidates",
];

/// One medium, line by line as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    kind: String,
    port: u16,
    ports: u16,
    profile: String,
    formats: Vec<String>,
    /// The `m=` line, then all up to the next.
    pub(super) lines: Vec<Line>,
}

impl Medium {
    /// `audio 49170/2 RTP/AVP 0 8` (RFC 8866 §5.14).
    pub(super) fn of_line(line: Line) -> Option<Self> {
        let text = line.text()?;
        let mut words = text.split_ascii_whitespace();
        let kind = words.next()?.to_owned();
        let (port, ports) = match words.next()?.split_once('/') {
            Some((port, ports)) => (port.parse().ok()?, ports.parse().ok()?),
            None => (text.split_ascii_whitespace().nth(1)?.parse().ok()?, 1),
        };
        let profile = words.next()?.to_owned();
        let formats: Vec<String> = words.map(str::to_owned).collect();
        if formats.len() > MAX_FORMATS {
            return None;
        }
        Some(Self { kind, port, ports, profile, formats, lines: vec![line] })
    }

    /// A medium of ours; its words are checked.
    pub(super) fn new(
        kind: &str,
        port: u16,
        profile: &str,
        formats: Vec<String>,
    ) -> Result<Self, Fault> {
        if formats.len() > MAX_FORMATS {
            return Err(Fault::TooMany("formats"));
        }
        if formats.is_empty() {
            return Err(Fault::Value("a medium without a format"));
        }
        let mut text = format!(
            "{} {port} {}",
            word(kind, "the kind of a medium")?,
            word(profile, "a profile")?
        );
        for format in &formats {
            text.push(' ');
            text.push_str(word(format, "a format")?);
        }
        let lines = vec![Line::new('m', &text)];
        let (kind, profile) = (kind.to_owned(), profile.to_owned());
        Ok(Self { kind, port, ports: 1, profile, formats, lines })
    }

    /// How an answer refuses this medium of an offer: the same with port 0 (RFC 3264 §6).
    #[must_use]
    pub fn rejected(&self) -> Self {
        let mut rejected = Self { lines: self.lines[..1].to_vec(), ..self.clone() };
        rejected.set_port(0);
        rejected
    }

    /// `audio`, `video` or another.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The port, 0 if the medium is rejected or not used.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many pairs of ports are meant; nearly always 1.
    #[must_use]
    pub const fn ports(&self) -> u16 {
        self.ports
    }

    /// `RTP/AVP` and its like.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The formats in order of preference: payload types, where the profile is one of RTP.
    #[must_use]
    pub fn formats(&self) -> &[String] {
        &self.formats
    }

    /// Where this medium is wanted, if it says so itself; else the session does.
    #[must_use]
    pub fn connection(&self) -> Option<Host> {
        first(&self.lines, b'c').and_then(Host::of_connection)
    }

    /// The first value of this attribute; empty if it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.lines
            .iter()
            .filter_map(Line::attribute)
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// The values of this attribute, in order.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.lines, name)
    }

    fn set_port(&mut self, port: u16) {
        self.port = port;
        self.ports = 1;
        // The profile of a relayed medium is not ours to judge, nor its spacing to keep.
        let mut text = format!("{} {port} {}", self.kind, self.profile);
        for format in &self.formats {
            text.push(' ');
            text.push_str(format);
        }
        self.lines[0] = Line::new('m', &text);
    }

    /// Has the far end send to `rtp` and `rtcp` instead, and to nowhere else: candidates are taken
    /// out. All other lines stay, `a=rtcp-mux` among them, which the two ends agree on.
    pub(super) fn redirect(&mut self, rtp: SocketAddr, rtcp: SocketAddr) {
        self.set_port(rtp.port());
        self.lines.retain(|line| !line.is(b'c') && !line.is_attribute(ICE));
        // i= comes before c= (RFC 8866 §9); whatever else stands there comes after.
        let at = self.lines.iter().take_while(|line| line.is(b'm') || line.is(b'i')).count();
        self.lines.insert(at, Line::new('c', &connection_to(rtp.ip())));
        self.lines.retain(|line| !line.is_attribute(&["rtcp"]));
        if rtcp.ip() != rtp.ip() {
            let text = format!("rtcp:{} {}", rtcp.port(), connection_to(rtcp.ip()));
            self.lines.push(Line::new('a', &text));
        } else if Some(rtcp.port()) != rtp.port().checked_add(1) {
            self.lines.push(Line::new('a', &format!("rtcp:{}", rtcp.port())));
        }
    }

    pub(super) fn push(&mut self, kind: char, text: &str) {
        self.lines.push(Line::new(kind, text));
    }
}
