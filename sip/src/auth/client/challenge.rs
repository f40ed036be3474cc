// SPDX-License-Identifier: GPL-3.0-or-later
//! Reading challenges (RFC 3261 §25.1, RFC 7616 §3.3), whoever wrote them.
//!
//! Quoted values are kept as they stand, escapes and all: so they go back into quotes unharmed, and
//! so the servers in use hash them.

use super::response::Hash;

/// Parameters and schemes of one field; more are not read.
const MOST_PARAMETERS: usize = 64;
/// The longest value that is kept.
const MOST_OCTETS: usize = 1024;

/// A challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: Box<[u8]>,
    pub(super) nonce: Box<[u8]>,
    pub(super) opaque: Option<Box<[u8]>>,
    pub(super) hash: Hash,
    pub(super) is_session: bool,
    /// The server named the algorithm.
    pub(super) is_named: bool,
    pub(super) qop: Qop,
    pub(super) stale: bool,
}

/// The quality of protection (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qop {
    /// None, as in RFC 2069.
    None,
    /// `auth`.
    Auth,
    /// `auth-int`, where nothing else is offered.
    Integrity,
}

impl Qop {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Auth => "auth",
            Self::Integrity => "auth-int",
        }
    }
}

/// One scheme and its parameters, as they stand.
struct Raw<'a> {
    scheme: &'a [u8],
    params: Vec<(&'a [u8], &'a [u8])>,
}

/// All challenges of one field; None for one that cannot be answered.
pub(super) fn read_all(value: &[u8]) -> Vec<Option<Challenge>> {
    raw(value).iter().map(Raw::understood).collect()
}

/// The `nextnonce` of an Authentication-Info.
pub(super) fn next_nonce(value: &[u8]) -> Option<Box<[u8]>> {
    let mut rest = value;
    for _ in 0..MOST_PARAMETERS {
        let (word, Some(value), after) = word(rest)? else { return None };
        if word.eq_ignore_ascii_case(b"nextnonce") {
            return Some(value.into()).filter(|_| is_sound(value));
        }
        rest = after;
    }
    None
}

fn raw(value: &[u8]) -> Vec<Raw<'_>> {
    let mut found: Vec<Raw<'_>> = Vec::new();
    let mut rest = value;
    for _ in 0..MOST_PARAMETERS {
        let Some((word, value, after)) = word(rest) else { break };
        rest = after;
        match (value, found.last_mut()) {
            (None, _) => found.push(Raw { scheme: word, params: Vec::new() }),
            (Some(value), Some(challenge)) => challenge.params.push((word, value)),
            (Some(_), None) => break,
        }
    }
    found
}

impl Raw<'_> {
    fn understood(&self) -> Option<Challenge> {
        if !self.scheme.eq_ignore_ascii_case(b"Digest") {
            return None;
        }
        let (hash, is_session) = match self.param("algorithm") {
            Some(named) => Hash::from_name(named)?,
            None => (Hash::Md5, false),
        };
        let kept = |name| self.param(name).filter(|value| is_sound(value)).map(Box::<[u8]>::from);
        Some(Challenge {
            realm: kept("realm")?,
            nonce: kept("nonce").filter(|nonce| !nonce.is_empty())?,
            opaque: match self.param("opaque") {
                Some(_) => Some(kept("opaque")?),
                None => None,
            },
            hash,
            is_session,
            is_named: self.param("algorithm").is_some(),
            qop: self.qop()?,
            stale: self.param("stale").is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
        })
    }

    /// The best that is offered; None if all is unknown.
    fn qop(&self) -> Option<Qop> {
        let Some(offered) = self.param("qop") else { return Some(Qop::None) };
        let offers = |wanted: &[u8]| {
            offered.split(|b| *b == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(wanted))
        };
        match () {
            () if offers(b"auth") => Some(Qop::Auth),
            () if offers(b"auth-int") => Some(Qop::Integrity),
            () => None,
        }
    }

    /// The first parameter of that name.
    fn param(&self, wanted: &str) -> Option<&[u8]> {
        self.params
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
            .map(|(_, value)| *value)
    }
}

/// Whether a value may be kept and sent back: it neither is too long nor leaves its line.
fn is_sound(value: &[u8]) -> bool {
    value.len() <= MOST_OCTETS && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// A word, the value after its `=` if there is one, and what stands behind both.
type Word<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn word(bytes: &[u8]) -> Option<Word<'_>> {
    let start = bytes.iter().position(|b| *b != b',' && !b.is_ascii_whitespace())?;
    let bytes = &bytes[start..];
    let ends = |b: &u8| matches!(b, b'=' | b',' | b'"') || b.is_ascii_whitespace();
    let end = bytes.iter().position(ends).unwrap_or(bytes.len());
    if end == 0 {
        return None;
    }
    let (word, after) = bytes.split_at(end);
    let Some(value) = after.trim_ascii_start().strip_prefix(b"=") else {
        return Some((word, None, after));
    };
    let value = value.trim_ascii_start();
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        return Some((word, Some(&quoted[..end]), &quoted[end + 1..]));
    }
    let end = value.iter().position(|b| *b == b',' || b.is_ascii_whitespace());
    let (value, after) = value.split_at(end.unwrap_or(value.len()));
    // A bare value has no quote in it: it could not go back into quotes.
    let is_bare = !value.iter().any(|b| matches!(b, b'"' | b'\\'));
    is_bare.then_some((word, Some(value), after))
}

fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|byte| {
        let closes = !escaped && *byte == b'"';
        escaped = !escaped && *byte == b'\\';
        closes
    })
}
