// SPDX-License-Identifier: GPL-3.0-or-later
//! Extensions of the RTP header (RFC 8285 §8), and sources (RFC 5576).

use super::{Direction, Fault, phrase, word};

/// One `a=extmap`: `1/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderExtension {
    /// The number in the header.
    pub id: u16,
    /// Which way it is used.
    pub direction: Direction,
    /// What it means.
    pub uri: String,
    /// How, in the words of that URI's document; mostly empty.
    pub parameters: String,
}

impl HeaderExtension {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (id, rest) = text.split_once(char::is_whitespace)?;
        let (id, direction) = match id.split_once('/') {
            Some((id, way)) => (id, direction(way)?),
            None => (id, Direction::SendRecv),
        };
        let (uri, parameters) = match rest.trim().split_once(char::is_whitespace) {
            Some((uri, parameters)) => (uri, parameters.trim()),
            None => (rest.trim(), ""),
        };
        if uri.is_empty() {
            return None;
        }
        let (uri, parameters) = (uri.to_owned(), parameters.to_owned());
        Some(Self { id: id.parse().ok()?, direction, uri, parameters })
    }

    pub(super) fn text(&self) -> Result<String, Fault> {
        const WHAT: &str = "an extension of the RTP header";
        let mut text = self.id.to_string();
        if self.direction != Direction::SendRecv {
            text.push('/');
            text.push_str(self.direction.as_str());
        }
        text.push(' ');
        text.push_str(word(&self.uri, WHAT)?);
        let parameters = phrase(&self.parameters, WHAT)?;
        if !parameters.is_empty() {
            text.push(' ');
            text.push_str(parameters);
        }
        Ok(text)
    }
}

/// The word of a direction.
pub(super) fn direction(text: &str) -> Option<Direction> {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    all.into_iter().find(|direction| direction.as_str().eq_ignore_ascii_case(text))
}

/// What one `a=ssrc` says of a source: `2566107569 cname:one`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The source's number in each RTP packet.
    pub ssrc: u32,
    /// `cname`, `msid` …
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
}

impl Source {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (ssrc, rest) = text.split_once(char::is_whitespace)?;
        let (name, value) = match rest.trim().split_once(':') {
            Some((name, value)) => (name, Some(value.trim().to_owned())),
            None => (rest.trim(), None),
        };
        word(name, "").ok()?;
        Some(Self { ssrc: ssrc.parse().ok()?, name: name.to_owned(), value })
    }

    pub(super) fn text(&self) -> Result<String, Fault> {
        const WHAT: &str = "an attribute of a source";
        let name = word(&self.name, WHAT)?;
        if name.contains(':') {
            return Err(Fault::Value(WHAT));
        }
        Ok(match &self.value {
            Some(value) => format!("{} {name}:{}", self.ssrc, phrase(value, WHAT)?),
            None => format!("{} {name}", self.ssrc),
        })
    }
}
