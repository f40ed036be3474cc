// SPDX-License-Identifier: GPL-3.0-or-later
//! Rules as they are written.

use std::{borrow::Borrow, collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    extension::ExtensionNumber,
    line::{Cost, Rates, Security},
    number::Class,
    pattern::Pattern,
    routing::{Hours, Weekday, toll::Level},
};

/// The longest name of a rule or line, in bytes.
pub const MAX_NAME: usize = 64;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleFile {
    /// What holds where nothing else was said.
    #[serde(skip_serializing_if = "is_default")]
    pub default: Defaults,
    /// What single extensions may do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extension: BTreeMap<ExtensionNumber, ExtensionRule>,
    /// What single lines cost, and are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub line: BTreeMap<LineName, LineRule>,
    /// The rules, the more important first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<Rule>,
}

/// What holds where nothing else was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    /// What extensions may call.
    pub may_call: Level,
    /// Lines that keep what is said less well are not used.
    pub least_security: Security,
}

/// What an extension may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExtensionRule {
    /// What it may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_call: Option<Level>,
}

/// What a line costs, and is for. Where nothing is written, what the line says of itself holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LineRule {
    /// Not used after so many minutes in its period of account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_minutes: Option<u32>,
    /// What a minute costs, by the beginning of the international number; `""` is all others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cost: BTreeMap<Beginning, Cost>,
    /// Minutes that are paid for already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub included_minutes: Option<u32>,
    /// The numbers it is for; none for every number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Pattern>,
    /// Dialled before every number: the `0` of a private exchange.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub prefix: Box<str>,
    /// Dialled after every number.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub suffix: Box<str>,
    /// The extensions that may use it; none for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<ExtensionNumber>,
}

impl LineRule {
    pub(super) fn rates(&self) -> Option<Rates> {
        let pairs = self.cost.iter().map(|(beginning, cost)| (beginning.0.as_ref(), *cost));
        (!self.cost.is_empty()).then(|| pairs.collect::<Rates>())
    }
}

/// One rule: whom it is about, when, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What it is called. Shown wherever it decides something.
    pub name: RuleName,
    /// The numbers it is about; with no domains beside them: none for every contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Pattern>,
    /// The domains it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainPattern>,
    /// The classes of number it is about; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// The extensions whose calls it is about; none for all, and for programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<ExtensionNumber>,
    /// The days on which it holds; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// The part of the day in which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// Whether the call may be made at all, whatever the caller's toll level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Taken away at the beginning of the number, in the form in which its pattern is written.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub strip: Box<str>,
    /// Put before the number.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub prefix: Box<str>,
    /// Put after the number.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub suffix: Box<str>,
    /// Lines to be tried first, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<LineName>,
    /// The only lines to be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<LineName>,
    /// Lines not to be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<LineName>,
}

impl Rule {
    /// A rule that is about every contact and says nothing yet.
    #[must_use]
    pub fn new(name: RuleName) -> Self {
        Self {
            name,
            numbers: Vec::new(),
            domains: Vec::new(),
            classes: Vec::new(),
            from: Vec::new(),
            days: Vec::new(),
            hours: None,
            action: None,
            strip: Box::default(),
            prefix: Box::default(),
            suffix: Box::default(),
            prefer: Vec::new(),
            only: Vec::new(),
            never: Vec::new(),
        }
    }

    /// Whether it changes numbers.
    #[must_use]
    pub fn changes(&self) -> bool {
        !(self.strip.is_empty() && self.prefix.is_empty() && self.suffix.is_empty())
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Yes, whatever the caller's toll level is.
    Allow,
    /// No.
    Bar,
}

impl Action {
    /// Its lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Bar => "bar",
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Why a text is no name, domain or beginning of a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the beginning of international numbers.
    #[error(
        "{0:?} is not the beginning of international numbers: write +49, or \"\" for all others"
    )]
    Beginning(String),
    /// Not a domain.
    #[error("{0:?} is not a domain: write example.org, or *.example.org for all below it")]
    Domain(String),
    /// Not the name of a line.
    #[error("{0:?} is not the name of a line: use letters a-z, digits, '.', '-' and '_'")]
    Line(String),
    /// Not the name of a rule.
    #[error("{0:?} is not a name for a rule: use 1 to {MAX_NAME} printable characters")]
    Rule(String),
}

/// A text with rules of its own, checked when it is read.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        /// In quotes, as messages show it.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<Box<str>, NameError> = $check;
                check(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

text!(
    /// The name of a rule: what a person writes.
    RuleName,
    |text| {
        let name = text.trim();
        let is_name = (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
        if is_name { Ok(name.into()) } else { Err(NameError::Rule(shown(text))) }
    }
);

text!(
    /// The name of a line, as accounts have it, in lower case.
    LineName,
    |text| {
        let letter = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let is_name = (1..=MAX_NAME).contains(&text.len()) && text.chars().all(letter);
        if is_name {
            Ok(text.to_ascii_lowercase().into())
        } else {
            Err(NameError::Line(shown(text)))
        }
    }
);

text!(
    /// The beginning of international numbers: `+49`; empty for all numbers.
    Beginning,
    |text| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_beginning = digits.len() <= 15
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (text.is_empty() || !digits.is_empty());
        if is_beginning { Ok(text.into()) } else { Err(NameError::Beginning(shown(text))) }
    }
);

text!(
    /// A domain, or `*.` and a domain for all below it.
    DomainPattern,
    |text| {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let is_domain = name.len() <= 253 && name.split('.').all(label);
        if is_domain { Ok(text.to_lowercase().into()) } else { Err(NameError::Domain(shown(text))) }
    }
);

impl DomainPattern {
    /// Whether this domain, in lower case, fits.
    #[must_use]
    pub fn fits(&self, domain: &str) -> bool {
        match self.0.strip_prefix("*.") {
            None => *self.0 == *domain,
            Some(below) => {
                domain.strip_suffix(below).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        }
    }
}
