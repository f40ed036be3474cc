// SPDX-License-Identifier: GPL-3.0-or-later
//! What an account's file says in words of a form of their own.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::plan::Source;

/// The longest name of an account.
const LONGEST: usize = 64;

/// The name of an account: that of its file, without `.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made of any text: what cannot be in a name becomes a hyphen.
    #[must_use]
    pub fn made_of(text: &str) -> Self {
        let mut name = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            if name.len() == LONGEST - 8 {
                break;
            }
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                _ if name.is_empty() || name.ends_with('-') => {}
                _ => name.push('-'),
            }
        }
        let name = name.trim_end_matches('-');
        Self(if name.is_empty() { "account" } else { name }.into())
    }

    /// The same with a number behind it.
    #[must_use]
    pub(super) fn numbered(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0).into())
    }
}

impl FromStr for AccountId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        if fits {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(48).collect();
        Err(format!(
            "\"{}\" is no name of an account: use up to {LONGEST} of a-z, 0-9 and hyphens, as in \
             dus-net",
            shown.escape_debug()
        ))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown: String = text.chars().take(48).collect();
            format!(
                "\"{}\" is no address: write 192.0.2.1, or a network such as 192.0.2.0/24",
                shown.escape_debug()
            )
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
            None => most,
        };
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if self.address.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == most => write!(f, "{}", self.address),
            bits => write!(f, "{}/{bits}", self.address),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
