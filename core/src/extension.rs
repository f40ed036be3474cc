// SPDX-License-Identifier: GPL-3.0-or-later
//! Extensions: the local numbers and names.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::routing::emergency;

/// The longest number or name of an extension, in bytes.
pub const MAX_EXTENSION: usize = 32;
/// The longest display name, in bytes.
pub const MAX_DISPLAY: usize = 100;
/// The most members one group may have.
pub const MAX_MEMBERS: usize = 200;

/// Names that mean something else and can be nobody's.
const RESERVED: &[&str] = &["all", "anonymous", "sipwitch", "sos", "unknown"];

/// The number or name of an extension: `101`, `*98`, `alice`, `door-bell`. Always lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtensionNumber(Box<str>);

/// Why a text cannot be the number of an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseExtensionError {
    /// No text.
    #[error("the extension is empty: give a number such as 101 or a name such as alice")]
    Empty,
    /// It is an emergency number.
    #[error("{0:?} is an emergency number and cannot be an extension")]
    Emergency(String),
    /// A character that extensions do not have.
    #[error(
        "character {0:?} cannot be part of an extension: use letters a-z, digits, *, #, '.', '-' or '_'"
    )]
    Letter(char),
    /// Begins or ends with a separator.
    #[error("extension {0:?} begins or ends with a separator")]
    Separator(String),
    /// A name with a meaning of its own.
    #[error("{0:?} is reserved and cannot be an extension: choose another name")]
    Reserved(String),
    /// Longer than [`MAX_EXTENSION`].
    #[error("the extension is {0} bytes long, more than the {MAX_EXTENSION} allowed")]
    TooLong(usize),
}

impl ExtensionNumber {
    /// The number or name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many digits it has; 0 where it has anything else.
    #[must_use]
    pub fn digits(&self) -> usize {
        let is_number = self.0.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { self.0.len() } else { 0 }
    }
}

impl FromStr for ExtensionNumber {
    type Err = ParseExtensionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParseExtensionError as Error;
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.len() > MAX_EXTENSION {
            return Err(Error::TooLong(text.len()));
        }
        let lower = text.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "*#.-_".contains(c);
        if let Some(stray) = lower.chars().find(|c| !allowed(*c)) {
            return Err(Error::Letter(stray));
        }
        let separator = |c: char| ".-_".contains(c);
        if lower.starts_with(separator) || lower.ends_with(separator) {
            return Err(Error::Separator(lower));
        }
        if RESERVED.contains(&lower.as_str()) {
            return Err(Error::Reserved(lower));
        }
        if emergency::is_universal(&lower) {
            return Err(Error::Emergency(lower));
        }
        Ok(Self(lower.into()))
    }
}

impl TryFrom<String> for ExtensionNumber {
    type Error = ParseExtensionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExtensionNumber> for String {
    fn from(number: ExtensionNumber) -> Self {
        number.0.into()
    }
}

impl fmt::Display for ExtensionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A local number or name, and what answers there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its number or name.
    pub number: ExtensionNumber,
    /// The name a person reads; empty if there is none.
    pub display: String,
    /// What it is.
    pub kind: Kind,
    /// How long it rings before the next attempt; none for the house's usual time.
    pub ring_time: Option<Duration>,
}

impl Extension {
    /// A person with no display name and the usual ring time.
    #[must_use]
    pub const fn person(number: ExtensionNumber) -> Self {
        Self { number, display: String::new(), kind: Kind::Person, ring_time: None }
    }
}

/// What an extension is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Several extensions under one number.
    Group {
        /// Who belongs to it; groups may contain groups.
        members: Vec<ExtensionNumber>,
        /// How they ring.
        mode: GroupMode,
    },
    /// Somebody with phones.
    Person,
    /// A number behind which a program answers: it registers as a phone and is rung as one.
    Service,
}

/// How the members of a group ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupMode {
    /// All phones of all members at once.
    #[default]
    All,
    /// One member after the other, in the order of the list.
    InOrder,
}
