// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers of the world: countries and international numbers (E.164).

mod code;
mod format;
mod plan;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use plan::{forget, is_loaded};

/// A country (ISO 3166-1 alpha-2, upper case): `DE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region([u8; 2]);

/// A text is not the code of a country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the two-letter code of a country, such as DE or US")]
pub struct ParseRegionError(String);

impl Default for Region {
    fn default() -> Self {
        Self::WORLD
    }
}

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

/// What a dialled number turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// The number as the whole world dials it.
    pub e164: E164,
    /// What it is to the house.
    pub class: Class,
    /// Its country code.
    code: u16,
    /// As it is dialled within its own country.
    national: Box<str>,
}

impl Understood {
    /// Understands a number that was dialled in this region: `030123456` in Germany, and any with
    /// a `+` anywhere. None for what the world does not dial: short numbers, codes of a network.
    #[must_use]
    pub fn read(dialled: &str, region: Region) -> Option<Self> {
        plan::understand(dialled, region)
    }

    /// The number without its country code.
    fn significant(&self) -> &str {
        let digits = self.e164.digits();
        digits.strip_prefix(&*self.code.to_string()).unwrap_or(digits)
    }
}

/// What calling a contact is to the house. Rules and toll levels go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A number that costs its caller nothing, in the house's own country.
    Freephone,
    /// Within the house.
    Internal,
    /// Somebody at a domain, over the Internet.
    Internet,
    /// A number of another country.
    International,
    /// A mobile telephone of the house's own country, where numbers tell.
    Mobile,
    /// Any other number of the house's own country.
    National,
    /// A number that costs more than a call: premium and shared rates, satellites.
    Premium,
    /// A number that only one network knows: directory enquiries, service codes.
    Short,
}

impl Class {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Freephone,
        Self::Internal,
        Self::Internet,
        Self::International,
        Self::Mobile,
        Self::National,
        Self::Premium,
        Self::Short,
    ];

    /// Its stable lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Freephone => "freephone",
            Self::Internal => "internal",
            Self::Internet => "internet",
            Self::International => "international",
            Self::Mobile => "mobile",
            Self::National => "national",
            Self::Premium => "premium",
            Self::Short => "short",
        }
    }
}
