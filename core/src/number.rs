// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers of the world: countries and international numbers (E.164).

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A country (ISO 3166-1 alpha-2, upper case): `DE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region([u8; 2]);

/// A text is not the code of a country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the two-letter code of a country, such as DE or US")]
pub struct ParseRegionError(String);

impl Region {
    /// The whole world: no country.
    pub const WORLD: Self = Self(*b"ZZ");

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("two ASCII letters")
    }
}

impl FromStr for Region {
    type Err = ParseRegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(ParseRegionError(text.chars().take(20).collect())),
        }
    }
}

impl TryFrom<String> for Region {
    type Error = ParseRegionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.as_str().into()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An international number (ITU-T E.164): `+4930123456`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(Box<str>);

/// Why a text is no international number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseE164Error {
    /// Too few or too many digits.
    #[error("an international number has 3 to 15 digits, not {0}")]
    Length(usize),
    /// No `+` at the beginning.
    #[error("an international number begins with +")]
    MissingPlus,
    /// Something that is not a digit.
    #[error("{0:?} has no place in an international number")]
    NotADigit(char),
}

impl E164 {
    /// With the `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }
}

impl FromStr for E164 {
    type Err = ParseE164Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').ok_or(ParseE164Error::MissingPlus)?;
        if let Some(stray) = digits.chars().find(|c| !c.is_ascii_digit()) {
            return Err(ParseE164Error::NotADigit(stray));
        }
        match digits.len() {
            3..=15 => Ok(Self(text.into())),
            other => Err(ParseE164Error::Length(other)),
        }
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
