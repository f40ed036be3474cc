// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use super::question::{NoAnswer, Question};

/// Why a lookup found no place. Sorted by what may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// So many lookups are under way that this one was not begun: try again in a moment.
    #[error("{0} cannot be looked up now: too many lookups are under way")]
    Busy(String),
    /// What is wanted contradicts itself or what we may use: another URI or setting helps.
    #[error("{wanted} cannot be reached: {why}")]
    Impossible {
        /// What was wanted.
        wanted: String,
        /// What stands against what.
        why: &'static str,
    },
    /// The name servers could not say, or none answered: another network or time may help.
    #[error("{wanted} could not be looked up: {asked}")]
    NoAnswer {
        /// What was wanted.
        wanted: String,
        /// What was asked, and what came.
        asked: Asked,
    },
    /// The domain says that it does not serve this (RFC 2782, a target of "."): its own answer.
    #[error("{wanted} cannot be reached: its domain says that it has no such service ({asked})")]
    NoService {
        /// What was wanted.
        wanted: String,
        /// What was asked, and what came.
        asked: Asked,
    },
    /// No name server knows of it: another name helps.
    #[error("{wanted} leads nowhere: {asked}")]
    Nowhere {
        /// What was wanted.
        wanted: String,
        /// What was asked, and what came.
        asked: Asked,
    },
}

impl LookupError {
    /// Whether the same lookup may well succeed soon.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::NoAnswer { .. })
    }
}

/// What was asked, and what came of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked(pub Vec<(Question, Came)>);

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Nothing that could be used, because of this.
    Nothing(NoAnswer),
    /// That many records, none of which can be used.
    Useless(usize),
    /// That many records.
    Records(usize),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More are only counted.
        const SHOWN: usize = 8;
        for (at, (question, came)) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{question}: {came}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 if self.0.is_empty() => f.write_str("nothing was asked"),
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(why) => why.fmt(f),
            Self::Useless(1) => f.write_str("1 record, of no use"),
            Self::Useless(count) => write!(f, "{count} records, none of use"),
            Self::Records(1) => f.write_str("1 record"),
            Self::Records(count) => write!(f, "{count} records"),
        }
    }
}
