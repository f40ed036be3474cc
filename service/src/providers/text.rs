// SPDX-License-Identifier: GPL-3.0-or-later
//! Facts that are text, each of a form that is checked while the file is read.

use std::{collections::BTreeMap, fmt, str::FromStr};

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a wrong text looked like, cut to a length that a message can bear.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.chars().take(48).collect::<String>().escape_debug())
}

/// Whether it is a name of the domain name system (RFC 1035 §2.3), in letters, digits and hyphens.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(label)
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        as_text!($name);
    };
}

/// A type with `as_str` and `FromStr` that is a string in a file.
macro_rules! as_text {
    ($name:ty) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(super) use as_text;

text! {
    /// The name of a provider: that of its file, without `.toml`.
    ProviderId
}

impl FromStr for ProviderId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "{} is no name of a provider: use up to 64 of a-z, 0-9 and hyphens, as in dus-net",
            quoted(text)
        ))
    }
}

text! {
    /// Something for people to read, on one line.
    Words
}

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
            return Err("use one line of up to 500 bytes".into());
        }
        Ok(Self(text.trim().into()))
    }
}

text! {
    /// The name of a question, as placeholders and answers have it.
    AskKey
}

impl FromStr for AskKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "{} is no name of a question: use up to 32 of a-z, 0-9 and hyphens, beginning with a \
             letter",
            quoted(text)
        ))
    }
}

text! {
    /// What can be dialled: digits, `*`, `#`, and a leading `+`.
    Digits
}

impl FromStr for Digits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (1..=32).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#');
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!("{} cannot be dialled: use digits, * and #", quoted(text)))
    }
}

text! {
    /// A language (BCP 47), such as `de` or `de-AT`.
    Language
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        let fits = (2..=3).contains(&first.len())
            && first.bytes().all(|b| b.is_ascii_lowercase())
            && text.len() <= 35
            && parts.all(|part| {
                (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
            });
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!("{} is no language: write it as in de or de-AT", quoted(text)))
    }
}

/// What is said in a language, or in the one that it is a form of.
pub(super) fn in_language<'a>(
    texts: &'a BTreeMap<Language, Words>,
    language: &str,
) -> Option<&'a Words> {
    // A locale, as in de_AT.UTF-8, names a language too.
    let language = language.split(['.', '@']).next()?.replace('_', "-");
    let exactly = |wanted: &str| {
        let found = texts.iter().find(|(have, _)| have.0.eq_ignore_ascii_case(wanted));
        found.map(|(_, words)| words)
    };
    exactly(&language).or_else(|| exactly(language.split('-').next()?))
}

text! {
    /// A page on the web, by https.
    Link
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{} is no page: write https://, a host, and perhaps a path", quoted(text));
        let rest = text.strip_prefix("https://").ok_or_else(wrong)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = host.split_once(':').unwrap_or((host, "443"));
        let fits = is_host_name(host)
            && port.parse::<u16>().is_ok()
            && text.len() <= 500
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
        if fits { Ok(Self(text.into())) } else { Err(wrong()) }
    }
}

text! {
    /// When: a month, `2026-11`, or a day, `2026-11-26`.
    Month
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str, digits: usize| -> Option<u32> {
            let fits = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| part.parse().ok())?
        };
        let parts: Vec<&str> = text.split('-').collect();
        let (year, month, day) = match parts[..] {
            [year, month] => (year, month, "01"),
            [year, month, day] => (year, month, day),
            _ => ("", "", ""),
        };
        let fits = number(year, 4).is_some_and(|year| year >= 2000)
            && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
            && number(day, 2).is_some_and(|day| (1..=31).contains(&day));
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!("{} is no month: write it in quotes, as in \"2026-11\"", quoted(text)))
    }
}

text! {
    /// The realm of a password.
    Realm
}

impl FromStr for Realm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err("use up to 255 printable characters".into());
        }
        Ok(Self(text.into()))
    }
}

text! {
    /// A SIP address without parameters: `sip:echo@example.org`.
    SipUri
}

impl FromStr for SipUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.strip_prefix("sips:").or_else(|| text.strip_prefix("sip:"));
        let fits =
            address.and_then(|address| address.split_once('@')).is_some_and(|(user, host)| {
                let user_fits = (1..=64).contains(&user.len())
                    && user
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&b));
                user_fits && is_host_name(host)
            });
        if fits {
            return Ok(Self(text.into()));
        }
        Err(format!("{} is no address: write it as in sip:echo@example.org", quoted(text)))
    }
}

text! {
    /// A host and a port: `stun.example.org:3478`.
    HostPort
}

impl HostPort {
    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.rsplit_once(':').map_or(self.as_str(), |(host, _)| host)
    }

    /// The port, if one is named.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "1"));
        if is_host_name(host) && port.parse::<u16>().is_ok_and(|port| port != 0) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(format!("{} is no host and port: write it as in stun.example.org:3478", quoted(text)))
    }
}

/// Ports from one to another: `10000-20000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange {
    text: Box<str>,
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl PortRange {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once('-').and_then(|(first, last)| {
            let ends: (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
            (ends.0 != 0 && ends.0 <= ends.1).then_some(ends)
        });
        match ends {
            Some((first, last)) => Ok(Self { text: text.into(), first, last }),
            None => Err(format!("{} is no range of ports: write 10000-20000", quoted(text))),
        }
    }
}

as_text!(PortRange);

text! {
    /// What answers match: a regular expression, always for the whole answer.
    Pattern
}

impl Pattern {
    /// Whether an answer is of this form.
    #[must_use]
    pub fn matches(&self, answer: &str) -> bool {
        // Answers are checked when an account is made: too seldom to keep what this builds.
        Self::build(&self.0).is_ok_and(|regex| regex.is_match(answer))
    }

    /// It runs in time linear to the answer; its size is what must be bounded.
    fn build(text: &str) -> Result<Regex, regex_lite::Error> {
        RegexBuilder::new(&format!("^(?:{text})$")).size_limit(64 * 1024).nest_limit(20).build()
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &dyn fmt::Display| format!("no pattern that is understood here: {why}");
        if text.is_empty() || text.len() > 200 {
            return Err(wrong(&"use up to 200 bytes"));
        }
        // By itself too, so that no bracket of it closes one of ours.
        match Regex::new(text).and_then(|_| Self::build(text)) {
            Ok(_) => Ok(Self(text.into())),
            Err(error) => Err(wrong(&error)),
        }
    }
}
