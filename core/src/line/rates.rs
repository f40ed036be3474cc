// SPDX-License-Identifier: GPL-3.0-or-later
//! What calls cost.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::number::E164;

/// What a minute costs, in thousandths of whatever money the user pays with. Lines are compared
/// with each other, so all of a house are to be given in the same money.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Cost(pub u32);

/// A text is not what a minute costs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not what a minute costs: write 0.02 or 1.5, with up to three decimals")]
pub struct ParseCostError(String);

impl FromStr for Cost {
    type Err = ParseCostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseCostError(text.chars().take(20).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 6 || part.len() > 3 {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let thousandths: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
        Ok(Self(whole * 1000 + thousandths))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1000, self.0 % 1000);
        match thousandths % 10 {
            0 => write!(f, "{whole}.{:02}", thousandths / 10),
            _ => write!(f, "{whole}.{thousandths:03}"),
        }
    }
}

impl TryFrom<String> for Cost {
    type Error = ParseCostError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cost> for String {
    fn from(cost: Cost) -> Self {
        cost.to_string()
    }
}

/// What calls cost by the beginning of the international number: the longest that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates {
    /// Beginnings without the `+`, in order, each once; the empty one stands for all others.
    rows: Vec<(Box<str>, Cost)>,
}

impl Rates {
    /// No price is known for any number.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { rows: Vec::new() }
    }

    /// Whether no price is known for any number.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.rows.is_empty()
    }

    /// What a minute to this number costs, where that is known.
    #[must_use]
    pub fn of(&self, number: &E164) -> Option<Cost> {
        let mut digits = number.digits();
        loop {
            // The last row that is not behind it either is its beginning, or shares no more with
            // it than any row that could be.
            let behind = self.rows.partition_point(|(row, _)| **row <= *digits);
            let (row, cost) = self.rows.get(behind.checked_sub(1)?)?;
            let shared = row.bytes().zip(digits.bytes()).take_while(|(a, b)| a == b).count();
            if shared == row.len() {
                return Some(*cost);
            }
            digits = &digits[..shared];
        }
    }
}

/// Pairs of a beginning (with or without `+`; empty for all other numbers) and a cost; the last of
/// two for the same beginning counts.
impl<T: AsRef<str>> FromIterator<(T, Cost)> for Rates {
    fn from_iter<I: IntoIterator<Item = (T, Cost)>>(pairs: I) -> Self {
        let sorted: std::collections::BTreeMap<Box<str>, Cost> = pairs
            .into_iter()
            .map(|(beginning, cost)| (beginning.as_ref().trim_start_matches('+').into(), cost))
            .collect();
        Self { rows: sorted.into_iter().collect() }
    }
}
