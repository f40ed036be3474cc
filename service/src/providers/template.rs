// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts with places for the user's answers: `{account}.example.org`.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    answer::AnswerError,
    text::{AskKey, as_text, is_host_name, quoted},
};

/// A text with places in it. What stands around the places is checked by whoever uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Place(AskKey),
}

impl Template {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The questions whose answers it takes.
    pub fn places(&self) -> impl Iterator<Item = &AskKey> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Place(key) => Some(key),
            Piece::Text(_) => None,
        })
    }

    /// What stands around the places.
    fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&**text),
            Piece::Place(_) => None,
        })
    }

    fn fill<'a>(&self, answer: impl Fn(&str) -> Option<&'a str>) -> Result<String, AnswerError> {
        let mut filled = String::new();
        for piece in &self.pieces {
            filled.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Place(key) => answer(key.as_str())
                    .ok_or_else(|| AnswerError::new(key, "it was not answered"))?,
            });
        }
        Ok(filled)
    }

    /// The error of a text that came out wrong: the last answer that went in is named.
    fn blame(&self, words: &str) -> AnswerError {
        AnswerError { key: self.places().last().cloned(), words: words.into() }
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            let inside = brace.strip_prefix('{').and_then(|brace| brace.split_once('}'));
            let (key, after) = inside.ok_or_else(|| {
                format!("{} has a brace without its fellow: write {{account}}", quoted(text))
            })?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Place(key.parse()?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        if pieces.is_empty() || text.len() > 253 {
            return Err("use between 1 and 253 bytes, or leave the key out".into());
        }
        Ok(Self { text: text.into(), pieces })
    }
}

/// A host: a name, an address, or what becomes one with the user's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTemplate(Template);

impl HostTemplate {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The questions whose answers it takes.
    pub fn places(&self) -> impl Iterator<Item = &AskKey> {
        self.0.places()
    }

    /// The host: a name in lower case, or an IP address, that of IPv6 in brackets.
    ///
    /// # Errors
    ///
    /// If an answer is missing, or does not make a host.
    pub fn fill<'a>(
        &self,
        answer: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, AnswerError> {
        let filled = self.0.fill(answer)?;
        let bare = filled.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bare.unwrap_or(&filled).parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Ok(format!("[{address}]")),
            Ok(IpAddr::V4(address)) if bare.is_none() => Ok(address.to_string()),
            _ if is_host_name(&filled) => Ok(filled.to_ascii_lowercase()),
            _ => Err(self.0.blame("it makes no host name: use one such as sip.example.org")),
        }
    }
}

impl FromStr for HostTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let template: Template = text.parse()?;
        let no_places = template.places().next().is_none();
        let fits = if no_places {
            is_host_name(text) || text.parse::<IpAddr>().is_ok()
        } else {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
            template.literals().all(|literal| literal.bytes().all(fits))
        };
        if fits {
            return Ok(Self(template));
        }
        Err(format!(
            "{} is no host: write a name such as sip.example.org, without port or parameters",
            quoted(text)
        ))
    }
}

as_text!(HostTemplate);

/// The user part of an address, or what becomes one with the user's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTemplate(Template);

impl UserTemplate {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The questions whose answers it takes.
    pub fn places(&self) -> impl Iterator<Item = &AskKey> {
        self.0.places()
    }

    /// The user, not yet escaped for an address (it may hold `@`).
    ///
    /// # Errors
    ///
    /// If an answer is missing, or cannot be part of a user.
    pub fn fill<'a>(
        &self,
        answer: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, AnswerError> {
        let filled = self.0.fill(answer)?;
        if (1..=255).contains(&filled.len()) && filled.bytes().all(fits_user) {
            return Ok(filled);
        }
        Err(self.0.blame("it makes no user name: use printable characters without blanks"))
    }
}

/// What can be in a user, once escaped: what is printed, and neither blank nor bracket nor quote.
const fn fits_user(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'\\' | b'{' | b'}')
}

impl FromStr for UserTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let template: Template = text.parse()?;
        if template.literals().all(|literal| literal.bytes().all(fits_user)) {
            return Ok(Self(template));
        }
        Err(format!("{} is no user name: use printable characters without blanks", quoted(text)))
    }
}

as_text!(UserTemplate);
