// SPDX-License-Identifier: GPL-3.0-or-later

use crate::wire::Malformed;

/// The dialog named by a Replaces (RFC 3891 §6.1), seen from whoever receives it: `to_tag` is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID.
    pub call_id: Vec<u8>,
    /// The tag of the side that is asked.
    pub to_tag: Vec<u8>,
    /// The tag of the far side.
    pub from_tag: Vec<u8>,
    /// Only an early dialog is to be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the value of a Replaces header field.
    ///
    /// # Errors
    /// A part is missing or there twice.
    pub fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let bad = |what: &str| Malformed::new(400, format!("Replaces: {what}"));
        if value.contains(&b',') {
            return Err(bad("names more than one dialog"));
        }
        let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let call_id = parts.next().unwrap_or_default().to_vec();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let equals = part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
            let (name, value) = part.split_at(equals);
            let value = value.get(1..).unwrap_or_default().trim_ascii().to_vec();
            let slot = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"to-tag" => &mut to_tag,
                b"from-tag" => &mut from_tag,
                b"early-only" => {
                    early_only = true;
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(bad("gives a tag twice"));
            }
        }
        match (to_tag, from_tag) {
            (Some(to_tag), Some(from_tag)) if !call_id.is_empty() => {
                Ok(Self { call_id, to_tag, from_tag, early_only })
            }
            _ => Err(bad("needs a Call-ID, a to-tag and a from-tag")),
        }
    }

    /// Reads the escaped value that stands in a Refer-To (RFC 3261 §19.1.1).
    ///
    /// # Errors
    /// As for [`Self::parse`], or an escape is cut short.
    pub fn parse_escaped(value: &[u8]) -> Result<Self, Malformed> {
        let unescaped = unescape(value)
            .ok_or_else(|| Malformed::new(400, "Replaces: an escape is no octet"))?;
        Self::parse(&unescaped)
    }
}

fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            out.push(*first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    Some(out)
}
