// SPDX-License-Identifier: GPL-3.0-or-later
//! What crosses the bus about providers.

use std::{collections::HashMap, fmt, str::FromStr};

use zbus::zvariant::{DeserializeDict, OwnedValue, SerializeDict, Signature, Str, Type, Value};

use super::UnknownWord;

words! {
    /// What a provider is.
    ProviderKind, "kind of provider" {
        /// An operator that leads to telephone numbers.
        Itsp = "itsp",
        /// A free service between SIP addresses.
        FreeSip = "free-sip",
        /// A box in the house with a telephone line.
        HomeRouter = "home-router",
        /// A line for an exchange, with many numbers.
        Trunk = "trunk",
        /// A way into another network.
        Bridge = "bridge",
        /// The exchange of a company or a house.
        Enterprise = "enterprise",
    }
}

words! {
    /// Whether emergency calls are taken.
    EmergencyAbility, "ability" {
        /// They are.
        Yes = "yes",
        /// They are where an address was given.
        LocationRequired = "location-required",
        /// Nobody knows.
        Unknown = "unknown",
        /// They are not.
        No = "no",
    }
}

words! {
    /// What a problem keeps from working.
    Severity, "severity" {
        /// The file is refused.
        Fatal = "error",
        /// Something in it has no effect.
        Warning = "warning",
    }
}

/// Options of `ListProviders`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ProviderFilter {
    /// Those of this country, and those of none.
    pub country: Option<String>,
    /// Those of this kind.
    pub kind: Option<ProviderKind>,
    /// Words that all stand in name, id or domain.
    pub search: Option<String>,
    /// The language of names.
    pub language: Option<String>,
}

/// Options of `GetProvider`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct LanguageOptions {
    /// The language of names and questions.
    pub language: Option<String>,
}

/// Options of `CheckProvider`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct CheckOptions {
    /// The name of the file, without its folder.
    pub file_name: Option<String>,
}

/// A provider in a list.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ProviderSummary {
    /// Its name in files and commands.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where it is used; empty where that does not matter.
    pub country: Vec<String>,
    /// What it is.
    pub kind: ProviderKind,
    /// The domain of its addresses, with places for answers.
    pub domain: String,
    /// Whether it takes emergency calls.
    pub emergency: EmergencyAbility,
    /// What one should know.
    pub note: Option<String>,
    /// Its file.
    pub origin: String,
}

/// Everything about a provider.
#[derive(Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ProviderInfo {
    /// Its name in files and commands.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where it is used; empty where that does not matter.
    pub country: Vec<String>,
    /// What it is.
    pub kind: ProviderKind,
    /// The domain of its addresses, with places for answers.
    pub domain: String,
    /// Whether it takes emergency calls.
    pub emergency: EmergencyAbility,
    /// What one should know.
    pub note: Option<String>,
    /// Its file.
    pub origin: String,
    /// Its own description.
    pub docs: Option<String>,
    /// When the facts were last compared with their source.
    pub verified: Option<String>,
    /// Where the facts are from.
    pub evidence: Vec<String>,
    /// The keys of facts that are likely and not known.
    pub unsure: Vec<String>,
    /// Its pages by their kind.
    pub links: HashMap<String, String>,
    /// Every fact by its key.
    pub facts: HashMap<String, OwnedValue>,
    /// What the user is asked.
    pub ask: Vec<QuestionInfo>,
    /// What in its file is unknown.
    pub warnings: Vec<ProblemInfo>,
}

/// What the user is asked.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct QuestionInfo {
    /// Its name in answers.
    pub key: String,
    /// The question for people.
    pub label: String,
    /// Where the answer is found.
    pub help: Option<String>,
    /// What an answer looks like.
    pub example: Option<String>,
    /// What the whole answer matches.
    pub pattern: Option<String>,
    /// The answer of whoever does not answer.
    pub default: Option<String>,
    /// The only answers there are; empty if any will do.
    pub choices: Vec<String>,
    /// Whether the answer is a password.
    pub secret: bool,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ProblemInfo {
    /// What it keeps from working.
    pub severity: Severity,
    /// The file; none where a text was checked.
    pub file: Option<String>,
    /// From 1; 0 where no place is to blame.
    pub line: u32,
    /// From 1; 0 where no place is to blame.
    pub column: u32,
    /// Such as `server.port`; empty if no key is to blame.
    pub key: String,
    /// For people.
    pub words: String,
}
