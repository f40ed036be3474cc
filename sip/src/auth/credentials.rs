// SPDX-License-Identifier: GPL-3.0-or-later
//! Reading the value of an Authorization field (RFC 3261 §25.1, RFC 7616 §3.4).

use std::borrow::Cow;

use crate::wire::Malformed;

/// The digest credentials a client sent. Values are without quotes; escapes are resolved only where
/// there were some.
#[derive(Debug, Clone, Default)]
pub struct Credentials<'a> {
    /// `username`.
    pub username: Cow<'a, [u8]>,
    /// `realm`.
    pub realm: Cow<'a, [u8]>,
    /// `nonce`.
    pub nonce: Cow<'a, [u8]>,
    /// `uri`.
    pub uri: Cow<'a, [u8]>,
    /// `response`, in hexadecimal.
    pub response: Cow<'a, [u8]>,
    /// `algorithm`, if stated.
    pub algorithm: Option<Cow<'a, [u8]>>,
    /// `qop`, if stated.
    pub qop: Option<Cow<'a, [u8]>>,
    /// `cnonce`, if stated.
    pub cnonce: Option<Cow<'a, [u8]>>,
    /// `nc`, if stated: the eight digits as they came.
    pub nc: Option<Cow<'a, [u8]>>,
}

/// More parameters than any client sends.
const MOST_PARAMETERS: usize = 32;

impl<'a> Credentials<'a> {
    /// Reads the value of an Authorization field. None for a scheme other than Digest.
    ///
    /// # Errors
    /// A parameter is no `name=value`, stands twice, or is missing.
    pub fn parse(value: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let value = value.trim_ascii();
        let scheme_end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, mut rest) = value.split_at(scheme_end);
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Ok(None);
        }
        let mut seen = 0_u16;
        let mut found = Self::default();
        for _ in 0..MOST_PARAMETERS {
            rest = skip_separators(rest);
            if rest.is_empty() {
                return found.complete(seen).map(Some);
            }
            let (name, value, after) = parameter(rest)?;
            rest = after;
            let Some(which) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known))
            else {
                continue;
            };
            if seen & 1 << which != 0 {
                return Err(Malformed::new(400, "a parameter of Authorization stands twice"));
            }
            seen |= 1 << which;
            match which {
                0 => found.username = value,
                1 => found.realm = value,
                2 => found.nonce = value,
                3 => found.uri = value,
                4 => found.response = value,
                5 => found.algorithm = Some(value),
                6 => found.qop = Some(value),
                7 => found.cnonce = Some(value),
                _ => found.nc = Some(value),
            }
        }
        Err(Malformed::new(400, "Authorization has too many parameters"))
    }

    fn complete(self, seen: u16) -> Result<Self, Malformed> {
        match (0..REQUIRED).find(|which| seen & 1 << which == 0) {
            None => Ok(self),
            Some(which) => {
                let name = String::from_utf8_lossy(NAMES[which]);
                Err(Malformed::new(400, format!("Authorization has no {name}")))
            }
        }
    }
}

/// The parameters we read; the first [`REQUIRED`] must be there.
const NAMES: [&[u8]; 9] =
    [b"username", b"realm", b"nonce", b"uri", b"response", b"algorithm", b"qop", b"cnonce", b"nc"];
const REQUIRED: usize = 5;

fn skip_separators(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| *b != b',' && !b.is_ascii_whitespace());
    &bytes[start.unwrap_or(bytes.len())..]
}

/// A name, its value, and what stands behind them.
type Parameter<'a> = (&'a [u8], Cow<'a, [u8]>, &'a [u8]);

/// Cuts `name = token` or `name = "quoted"` off the front.
fn parameter(bytes: &[u8]) -> Result<Parameter<'_>, Malformed> {
    let bad = || Malformed::new(400, "a parameter of Authorization is no name=value");
    let equals = bytes.iter().position(|b| *b == b'=').ok_or_else(bad)?;
    let name = bytes[..equals].trim_ascii_end();
    if name.is_empty() || name.iter().any(|b| *b == b',' || *b == b'"' || *b <= b' ') {
        return Err(bad());
    }
    let rest = bytes[equals + 1..].trim_ascii_start();
    if rest.first() == Some(&b'"') {
        let (value, after) = quoted(&rest[1..]).ok_or_else(bad)?;
        // Nothing but a separator may follow a closing quote.
        return match after.trim_ascii_start().first() {
            None | Some(b',') => Ok((name, value, after)),
            Some(_) => Err(bad()),
        };
    }
    let end = rest.iter().position(|b| *b == b',').unwrap_or(rest.len());
    let value = rest[..end].trim_ascii_end();
    if value.is_empty() || value.iter().any(|b| *b == b'"' || b.is_ascii_whitespace()) {
        return Err(bad());
    }
    Ok((name, Cow::Borrowed(value), &rest[end..]))
}

/// Reads up to the closing quote; gives the value and what stands behind the quote.
fn quoted(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = bytes.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    if bytes[end] == b'"' {
        return Some((Cow::Borrowed(&bytes[..end]), &bytes[end + 1..]));
    }
    let mut value = bytes[..end].to_vec();
    let mut at = end;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some((Cow::Owned(value), &bytes[at + 1..])),
            b'\\' => {
                value.push(*bytes.get(at + 1)?);
                at += 2;
            }
            byte => {
                value.push(byte);
                at += 1;
            }
        }
    }
}
