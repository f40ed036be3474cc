// SPDX-License-Identifier: GPL-3.0-or-later
//! Candidates: where else an end can perhaps be reached (RFC 8839 §5.1).

use super::{Fault, Host, word};

/// The most extensions of one candidate that are understood.
const MAX_EXTENSIONS: usize = 16;

/// How an end came to know an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// One of its interfaces has it.
    Host,
    /// A STUN server saw it.
    ServerReflexive,
    /// The far end saw it.
    PeerReflexive,
    /// A TURN server lent it.
    Relayed,
}

const KINDS: [(&str, CandidateKind); 4] = [
    ("host", CandidateKind::Host),
    ("srflx", CandidateKind::ServerReflexive),
    ("prflx", CandidateKind::PeerReflexive),
    ("relay", CandidateKind::Relayed),
];

impl CandidateKind {
    /// The word of RFC 8839.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

/// One `a=candidate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The same for candidates that will succeed or fail together.
    pub foundation: String,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// `UDP` or `TCP`.
    pub transport: String,
    /// The greater, the better.
    pub priority: u32,
    /// The address.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// How it came to be known.
    pub kind: CandidateKind,
    /// The address it is a mapping of, if it is one.
    pub related: Option<(Host, u16)>,
    /// Further words in pairs, such as `("generation", "0")`.
    pub extensions: Vec<(String, String)>,
}

impl Candidate {
    /// The value of `a=candidate`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let foundation = words.next().filter(|word| word.len() <= 32)?.to_owned();
        let component =
            words.next()?.parse().ok().filter(|component| (1..=256).contains(component))?;
        let transport = words.next()?.to_owned();
        let priority = words.next()?.parse().ok()?;
        let host = Host::read(words.next()?)?;
        let port = words.next()?.parse().ok()?;
        if !words.next()?.eq_ignore_ascii_case("typ") {
            return None;
        }
        let kind = words.next()?;
        let (_, kind) = KINDS.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(kind))?;
        let (mut address, mut of_port) = (None, None);
        let mut extensions = Vec::new();
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            match key {
                "raddr" => address = Some(Host::read(value)?),
                "rport" => of_port = Some(value.parse().ok()?),
                _ if extensions.len() == MAX_EXTENSIONS => return None,
                _ => extensions.push((key.to_owned(), value.to_owned())),
            }
        }
        let related = address.zip(of_port);
        Some(Self {
            foundation,
            component,
            transport,
            priority,
            host,
            port,
            kind,
            related,
            extensions,
        })
    }

    pub(super) fn text(&self) -> Result<String, Fault> {
        const WHAT: &str = "a candidate";
        if self.foundation.len() > 32
            || !(1..=256).contains(&self.component)
            || self.extensions.len() > MAX_EXTENSIONS
        {
            return Err(Fault::Value(WHAT));
        }
        let mut text = format!(
            "{} {} {} {} {} {} typ {}",
            word(&self.foundation, WHAT)?,
            self.component,
            word(&self.transport, WHAT)?,
            self.priority,
            self.host.checked()?,
            self.port,
            self.kind.as_str()
        );
        if let Some((host, port)) = &self.related {
            text.push_str(&format!(" raddr {} rport {port}", host.checked()?));
        }
        for (key, value) in &self.extensions {
            if matches!(key.as_str(), "raddr" | "rport") {
                return Err(Fault::Value(WHAT));
            }
            text.push_str(&format!(" {} {}", word(key, WHAT)?, word(value, WHAT)?));
        }
        Ok(text)
    }
}
