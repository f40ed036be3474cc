// SPDX-License-Identifier: GPL-3.0-or-later
//! What one Contact of a REGISTER asks for.

use std::time::Duration;

use super::{Rules, register::Refused};
use crate::wire::{NameAddr, Uri};

/// Longer Contact URIs and instances are refused: each is kept for every phone.
const LONGEST_TEXT: usize = 512;
/// RFC 3261 §10.2.1.1: what cannot be read counts as an hour.
const MALFORMED_EXPIRES: u32 = 3600;

/// One Contact, read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) uri: Uri,
    pub(super) text: Box<str>,
    /// Zero to take the binding out.
    pub(super) expires: Duration,
    pub(super) q: u16,
    pub(super) instance: Box<str>,
    /// As sent; whether it counts is decided with the rest of the request.
    pub(super) reg_id: u32,
}

impl Wanted {
    pub(super) fn of(
        address: &NameAddr,
        expires_field: Option<u32>,
        rules: &Rules,
    ) -> Result<Self, Refused> {
        let uri = address.uri();
        if !uri.is_sip() || uri.host().is_empty() {
            return Err(Refused::new(400, "Contact Is No SIP Address"));
        }
        let bytes = uri.to_bytes();
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(Refused::new(400, "Contact Is No Text"));
        };
        let instance = instance_of(address);
        if text.len() > LONGEST_TEXT || instance.len() > LONGEST_TEXT {
            return Err(Refused::new(400, "Contact Too Long"));
        }
        let asked = match address.param("expires") {
            Some(value) => Some(delta_seconds(value)),
            None => expires_field,
        };
        Ok(Self {
            text: text.into(),
            expires: granted(asked, rules)?,
            q: address.param("q").map_or(1000, thousandths),
            reg_id: reg_id_of(address),
            instance,
            uri,
        })
    }
}

/// The time granted for the time asked for (RFC 3261 §10.3 item 7).
fn granted(asked: Option<u32>, rules: &Rules) -> Result<Duration, Refused> {
    let Some(asked) = asked else { return Ok(rules.usual) };
    let asked = Duration::from_secs(asked.into());
    // An hour is never too short.
    let shortest = rules.shortest.min(Duration::from_secs(3600));
    if !asked.is_zero() && asked < shortest {
        return Err(Refused::too_brief(shortest));
    }
    Ok(asked.min(rules.longest))
}

/// A number of seconds; one too large for 32 bits is the largest (RFC 3261 §20.19).
pub(super) fn delta_seconds(value: &[u8]) -> u32 {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return MALFORMED_EXPIRES;
    }
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

/// A `qvalue` (RFC 3261 §25.1) in thousandths. What cannot be read counts as 1.
fn thousandths(value: &[u8]) -> u16 {
    let (whole, fraction) = match value.iter().position(|b| *b == b'.') {
        Some(point) => (&value[..point], &value[point + 1..]),
        None => (value, &b""[..]),
    };
    if whole != b"0" || fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return 1000;
    }
    fraction.iter().chain(b"000").take(3).fold(0, |q, digit| q * 10 + u16::from(digit - b'0'))
}

/// `+sip.instance` without its angle brackets (RFC 5626 §4.1).
fn instance_of(address: &NameAddr) -> Box<str> {
    let text = address.param("+sip.instance").and_then(|value| std::str::from_utf8(value).ok());
    let text = text.unwrap_or_default().trim();
    let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    // It goes out again inside quotes and angle brackets.
    if bare.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\<>".contains(&b)) {
        bare.into()
    } else {
        Box::default()
    }
}

/// `reg-id` (RFC 5626 §4.2): 1 to 2^31 - 1; 0 if there is none.
fn reg_id_of(address: &NameAddr) -> u32 {
    address
        .param("reg-id")
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|digits| digits.parse::<u32>().ok())
        .filter(|reg_id| *reg_id < 1 << 31)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_thousandths() {
        for (text, q) in [
            ("0", 0),
            ("0.", 0),
            ("0.5", 500),
            ("0.05", 50),
            ("0.123", 123),
            ("1", 1000),
            ("1.000", 1000),
            ("0.1234", 1000),
            ("-1", 1000),
            ("", 1000),
        ] {
            assert_eq!(thousandths(text.as_bytes()), q, "{text}");
        }
    }

    #[test]
    fn times_are_read_with_mercy() {
        for (text, seconds) in [
            ("0", 0),
            ("60", 60),
            ("4294967296", u32::MAX),
            ("1000000000000000000000000000000000", u32::MAX),
            ("soon", 3600),
            ("-5", 3600),
            ("", 3600),
        ] {
            assert_eq!(delta_seconds(text.as_bytes()), seconds, "{text}");
        }
    }
}
