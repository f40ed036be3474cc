// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines: the ways out of the house, as routing sees them.
//!
//! Whoever owns a line (an account, a modem, a gateway) keeps one [`Line`] for it and changes it
//! when the line changes; [`crate::routing`] reads it and decides by it alone.

mod rates;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{extension::ExtensionNumber, number::Region, pattern::Pattern};

pub use rates::{Cost, ParseCostError, Rates};

/// Names one line for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub u64);

/// A way out of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which one.
    pub id: LineId,
    /// The name it has in files and rules: the account's, such as `dus-net`. Lower case.
    pub name: Box<str>,
    /// The name a person reads; empty if there is none.
    pub display: Box<str>,
    /// What it is.
    pub kind: LineKind,
    /// Whether calls can leave by it now.
    pub state: LineState,
    /// Whether it carries voice.
    pub voice: bool,
    /// Whether it carries text messages.
    pub messages: bool,
    /// Domains whose users it reaches inside its own network, in lower case.
    pub domains: Vec<Box<str>>,
    /// How numbers are dialled there.
    pub numbering: Numbering,
    /// What it makes of emergency calls.
    pub emergency: Emergency,
    /// What calls cost, by the beginning of the number.
    pub rates: Rates,
    /// What may be, and was, used of it.
    pub meter: Meter,
    /// How the last calls went.
    pub health: Health,
    /// How well what is said on it is kept.
    pub security: Security,
    /// Who may call by it.
    pub users: Users,
    /// The numbers it leads to, as they are dialled in this house; none for every number. What a
    /// gateway is for.
    pub leads_to: Vec<Pattern>,
    /// How many calls it can take beside those it has; none where nobody knows a limit.
    pub free: Option<u16>,
}

impl Line {
    /// A line about which nothing else is known yet: it carries voice, is down until its owner
    /// says otherwise, and may be used by everybody for every number.
    #[must_use]
    pub fn new(id: LineId, name: impl Into<Box<str>>, kind: LineKind) -> Self {
        Self {
            id,
            name: name.into(),
            display: Box::default(),
            kind,
            state: LineState::Down(Down::Unreachable),
            voice: true,
            messages: false,
            domains: Vec::new(),
            numbering: Numbering::default(),
            emergency: Emergency::default(),
            rates: Rates::default(),
            meter: Meter::default(),
            health: Health::default(),
            security: Security::None,
            users: Users::Everybody,
            leads_to: Vec::new(),
            free: None,
        }
    }

    /// The name a person reads.
    #[must_use]
    pub fn title(&self) -> &str {
        if self.display.is_empty() { &self.name } else { &self.display }
    }

    /// Whether this domain is in its own network.
    #[must_use]
    pub fn is_on_net(&self, domain: &str) -> bool {
        self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain))
    }
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// An account that registers at a provider, a home router or a private exchange.
    Account,
    /// A phone registered here that leads to the telephone network.
    Gateway {
        /// The extension it registers as.
        extension: ExtensionNumber,
    },
    /// A radio with a SIM card.
    Gsm,
    /// A modem, or an ISDN adapter, at the telephone socket.
    Modem,
    /// A fixed link to another exchange, known by its address.
    Trunk,
}

/// Whether calls can leave by a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// No.
    Down(Down),
    /// Emergency calls alone: a radio that found a network which does not know its SIM card.
    EmergencyOnly,
    /// Yes.
    Up,
}

/// Why a line is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// The keyring that holds its password is locked.
    KeyringLocked,
    /// It needs a password, or another one.
    NeedsPassword,
    /// The gateway is not registered.
    NotRegistered,
    /// Switched off by the user.
    Off,
    /// The provider refuses the account.
    Refused,
    /// It is being registered.
    Registering,
    /// Nothing is heard from it: no network, no answer, no device.
    Unreachable,
}

/// How numbers are dialled on a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbering {
    /// The form in which the line takes numbers.
    pub format: DialFormat,
    /// The country whose numbers are national there; none for the house's own.
    pub region: Option<Region>,
    /// What comes before an area code, if it is not what the country uses.
    pub national_prefix: Option<Box<str>>,
    /// What comes before a country code, if it is not what the country uses.
    pub international_prefix: Option<Box<str>>,
}

/// The form in which a line takes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialFormat {
    /// As they were dialled.
    AsIs,
    /// Country code and number, without the `+`.
    E164,
    /// With the `+`.
    #[default]
    E164Plus,
    /// With the country's international prefix, mostly `00`.
    #[serde(rename = "00")]
    International,
    /// As in the line's country: numbers of other countries with the international prefix.
    National,
}

/// What a line makes of emergency calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emergency {
    /// Whether it takes them.
    pub ability: EmergencyAbility,
    /// The emergency numbers that it knows, if it says so; none for those of its country.
    pub numbers: Vec<Box<str>>,
}

/// Whether a line takes emergency calls, in the order in which lines are tried for one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum EmergencyAbility {
    /// It does.
    Yes,
    /// It does where an address was given to the provider.
    LocationRequired,
    /// Nobody knows.
    #[default]
    Unknown,
    /// It says that it does not. Still better than nothing: tried last.
    No,
}

/// What may be, and was, used of a line in its present period of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meter {
    /// Minutes that are paid for already: while they last, calls cost nothing more.
    pub included: Option<Duration>,
    /// After this much it is not used any more, but for emergencies.
    pub cap: Option<Duration>,
    /// What has been used.
    pub used: Duration,
}

impl Meter {
    /// Whether the cap is reached.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.cap.is_some_and(|cap| self.used >= cap)
    }

    /// Whether minutes are left that are paid for.
    #[must_use]
    pub fn is_included(&self) -> bool {
        self.included.is_some_and(|included| self.used < included)
    }

    /// Whether somebody counts what is used.
    #[must_use]
    pub const fn is_metered(&self) -> bool {
        self.cap.is_some() || self.included.is_some()
    }
}

/// How the last calls by a line went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// How many of the last calls failed for a reason of the line's own, without one that did not.
    pub failures: u16,
    /// It asked to be left alone for a while (503 with Retry-After), and the while is not over.
    pub resting: bool,
}

/// How well what is said on a line is kept, the worst first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Anybody on the way can listen.
    #[default]
    None,
    /// Enciphered to the provider.
    Hop,
    /// Enciphered to the person called.
    EndToEnd,
}

/// Who may call by a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Users {
    /// Every extension.
    #[default]
    Everybody,
    /// These extensions.
    Only(Vec<ExtensionNumber>),
    /// The program whose account it is, and nobody else, emergencies aside.
    ItsProgram,
}

impl Users {
    /// Whether it may be used by this extension. One who has no extension is the user himself,
    /// who calls from a program.
    #[must_use]
    pub fn admit(&self, extension: Option<&ExtensionNumber>) -> bool {
        match (self, extension) {
            (Self::Everybody, _) | (Self::Only(_), None) => true,
            (Self::Only(users), Some(extension)) => users.contains(extension),
            (Self::ItsProgram, _) => false,
        }
    }
}
