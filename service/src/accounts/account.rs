// SPDX-License-Identifier: GPL-3.0-or-later
//! An account as the switchboard has it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Plan, Reach};

/// An account: its plan, and what its file said for people to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What its line must know.
    pub plan: Arc<Plan>,
    /// What the user answered; never a password.
    pub answers: BTreeMap<String, String>,
    /// What the user wants otherwise than the provider, by the key of the file.
    pub settings: BTreeMap<String, String>,
    /// Where its password is.
    pub kept: Kept,
    /// How long it stays.
    pub holder: Holder,
}

/// Who wants an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Holder {
    /// The user: it has a file, and stays.
    #[default]
    User,
    /// This program, by its unique name on the bus; none where there is no bus. The account goes
    /// with it, and is written nowhere.
    Program(Option<Box<str>>),
}

impl Holder {
    /// Whether it goes with a program.
    #[must_use]
    pub const fn is_program(&self) -> bool {
        matches!(self, Self::Program(_))
    }
}

/// Where a password is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// In the file of passwords.
    File,
    /// In the keyring.
    Keyring,
    /// In memory, until the service ends.
    Memory,
    /// Nowhere.
    None,
    /// None is needed.
    Unneeded,
    /// Nobody looked yet.
    #[default]
    Unknown,
}

impl Kept {
    /// The word on the bus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::Memory => "memory",
            Self::None => "none",
            Self::Unneeded => "unneeded",
            Self::Unknown => "unknown",
        }
    }
}

/// Why there is no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSecret {
    /// The keyring is locked; when the user unlocks it, the password comes by itself.
    Locked,
    /// None is kept.
    Missing,
    /// The keyring cannot be asked, because of this.
    Unavailable(String),
}

impl fmt::Display for NoSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("the keyring that holds its password is locked"),
            Self::Missing => f.write_str("no password is kept for it"),
            Self::Unavailable(why) => write!(f, "the keyring cannot be asked: {why}"),
        }
    }
}

impl Plan {
    /// What people see who are called by it.
    #[must_use]
    pub fn shows_as(&self) -> String {
        match &self.reach {
            Reach::Account(outside) | Reach::Trunk { outside, .. } if outside.hides_number => {
                "anonymous".into()
            }
            Reach::Account(outside) | Reach::Trunk { outside, .. } => {
                outside.number.as_deref().map_or_else(|| self.address(), str::to_owned)
            }
            Reach::Gateway(_) => String::new(),
        }
    }

    /// What calls cost, in words; empty if that is not known.
    #[must_use]
    pub fn cost_words(&self) -> String {
        let minutes = |time: std::time::Duration| time.as_secs() / 60;
        let mut words = match self.costs {
            Some((least, most)) if least == most => vec![format!("{least} a minute")],
            Some((least, most)) => vec![format!("{least} to {most} a minute")],
            None => Vec::new(),
        };
        words.extend(self.included.map(|time| format!("{} minutes included", minutes(time))));
        words.extend(self.cap.map(|time| format!("at most {} minutes a month", minutes(time))));
        words.join(", ")
    }
}
