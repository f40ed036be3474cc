// SPDX-License-Identifier: GPL-3.0-or-later
//! Patterns of numbers, as rules and gateways have them.
//!
//! Digits, `*`, `#` and a `+` in front stand for themselves; `X` is any digit, `Z` is 1 to 9, `N`
//! is 2 to 9, and a `.` at the end is anything that may follow, also nothing: `+4930.` is Berlin,
//! `0800XXXXXXX` a German freephone number, `.` every number. A pattern with a `+` is held against
//! the international form of a number, any other against what was dialled.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::contact::MAX_DIGITS;

/// A pattern of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    signs: Box<str>,
    is_open: bool,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternError {
    /// Nothing.
    #[error("the pattern is empty: write . for every number")]
    Empty,
    /// Something that has no place where it stands.
    #[error(
        "{0:?} has no place in the pattern {1:?}: use digits, * and #, X (any digit), Z (1 to 9), \
         N (2 to 9), + at the beginning and . at the end"
    )]
    Sign(char, String),
    /// Longer than any number.
    #[error("the pattern is {0} signs long, more than the {MAX_DIGITS} a number can have")]
    TooLong(usize),
}

impl Pattern {
    /// Whether it is held against international numbers.
    #[must_use]
    pub fn is_international(&self) -> bool {
        self.signs.starts_with('+')
    }

    /// Whether the number, as dialled or international as the pattern wants it, fits.
    #[must_use]
    pub fn fits(&self, number: &str) -> bool {
        let (signs, number) = (self.signs.as_bytes(), number.as_bytes());
        let length =
            if self.is_open { number.len() >= signs.len() } else { number.len() == signs.len() };
        length && signs.iter().zip(number).all(|(sign, digit)| fits(*sign, *digit))
    }

    /// The signs that stand for themselves at its beginning.
    #[must_use]
    pub fn beginning(&self) -> &str {
        let end = self.signs.find(['X', 'Z', 'N']).unwrap_or(self.signs.len());
        &self.signs[..end]
    }
}

const fn fits(sign: u8, digit: u8) -> bool {
    match sign {
        b'X' => digit.is_ascii_digit(),
        b'Z' => matches!(digit, b'1'..=b'9'),
        b'N' => matches!(digit, b'2'..=b'9'),
        itself => itself == digit,
    }
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParsePatternError as Error;
        let (signs, is_open) = match text.strip_suffix('.') {
            Some(signs) => (signs, true),
            None => (text, false),
        };
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if signs.len() > MAX_DIGITS + 1 {
            return Err(Error::TooLong(signs.len()));
        }
        let digits = signs.strip_prefix('+').unwrap_or(signs);
        let known = |c: &char| c.is_ascii_digit() || "*#XZN".contains(*c);
        match digits.chars().find(|c| !known(c)) {
            Some(stray) => Err(Error::Sign(stray, text.into())),
            None => Ok(Self { signs: signs.into(), is_open }),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = ParsePatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signs)?;
        if self.is_open { f.write_str(".") } else { Ok(()) }
    }
}
