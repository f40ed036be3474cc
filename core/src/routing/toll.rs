// SPDX-License-Identifier: GPL-3.0-or-later
//! Toll levels: what an extension may call. Emergencies are never asked about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::number::Class;

/// What an extension may call; each level holds the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The house.
    Internal,
    /// Addresses on the Internet, and numbers of the own country that are no mobile telephones and
    /// cost no more than a call.
    National,
    /// Mobile telephones of the own country.
    Mobile,
    /// Numbers of other countries.
    International,
    /// Premium and short numbers too.
    #[default]
    Everything,
}

impl Level {
    /// Whether it allows calls of this class.
    #[must_use]
    pub fn allows(self, class: Class) -> bool {
        self >= Self::needed(class)
    }

    /// The lowest level that allows calls of this class.
    #[must_use]
    pub const fn needed(class: Class) -> Self {
        match class {
            Class::Internal => Self::Internal,
            Class::Freephone | Class::Internet | Class::National => Self::National,
            Class::Mobile => Self::Mobile,
            Class::International => Self::International,
            Class::Premium | Class::Short => Self::Everything,
        }
    }

    /// Its stable lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Internal => "internal",
            Self::International => "international",
            Self::Mobile => "mobile",
            Self::National => "national",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
