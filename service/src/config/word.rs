// SPDX-License-Identifier: GPL-3.0-or-later
//! Settings that are words.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sipwitch_core::{
    extension::{ExtensionNumber, ParseExtensionError},
    number::{ParseRegionError, Region},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Begins the names of all crates of the library that looks up names, and a part is told by the
/// beginning of its name.
const NAME_LIBRARY: &str = "hickory";

/// A digest algorithm, named as on the wire (RFC 7616 §6.1, RFC 8760 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Algorithm {
    /// Broken for other uses, still all that many phones know.
    #[serde(rename = "MD5")]
    Md5,
    /// The strongest for which the passwords of extensions are kept.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// Kept by the digest service alone.
    #[serde(rename = "SHA-512-256")]
    Sha512T256,
}

/// Where passwords of accounts are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordPlace {
    /// In the keyring of the session.
    #[default]
    Keyring,
    /// In a file that only the user may read. Whoever has the file has the passwords.
    File,
    /// In memory, until the service ends.
    Memory,
}

/// Where diagnostics go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogTarget {
    /// The journal under systemd, else standard error.
    #[default]
    Auto,
    /// The journal.
    Journal,
    /// Standard error.
    Stderr,
}

/// How much is said: a level, and levels for parts: `info,sipwitch_sip=debug`.
#[derive(Debug, Clone)]
pub struct LogLevel {
    text: String,
    targets: Targets,
}

impl PartialEq for LogLevel {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LogLevel {}

impl LogLevel {
    /// The filter.
    #[must_use]
    pub const fn targets(&self) -> &Targets {
        &self.targets
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        let targets = Targets::new().with_default(LevelFilter::INFO);
        Self { text: "info".into(), targets: without_names(targets) }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{}\" is no level: use error, warn, info, debug, trace or off, and PART=LEVEL \
                 after commas",
                text.escape_debug()
            )
        };
        // `Targets` takes a lone word that is no level for the name of a part, and switches
        // everything else off: a misspelt level would silence the service.
        let is_level = |word: &str| LevelFilter::from_str(word.trim()).is_ok();
        let is_part = |word: &str| word.split_once('=').is_some_and(|(_, level)| is_level(level));
        if !text.split(',').all(|word| is_level(word) || is_part(word)) {
            return Err(wrong());
        }
        let targets = Targets::from_str(text).map_err(|_| wrong())?;
        Ok(Self { text: text.to_owned(), targets: without_names(targets) })
    }
}

/// Keeps the name library at its errors, unless the user wants more of just it: what it warns of
/// holds whole answers, and in them the numbers that were looked up.
fn without_names(targets: Targets) -> Targets {
    let is_named = targets.iter().any(|(part, _)| part == NAME_LIBRARY);
    match targets.default_level() {
        Some(level) if !is_named => {
            targets.with_target(NAME_LIBRARY, level.min(LevelFilter::ERROR))
        }
        _ => targets,
    }
}

/// The whole path of a file, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// Whether one is named.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.0.as_os_str().is_empty()
    }

    /// The path; empty if none is named.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Relative to what? The service is started from anywhere.
        if !text.is_empty() && !text.starts_with('/') {
            return Err(serde::de::Error::custom(format_args!(
                "\"{}\" is no whole path: write it from the root, as in /home/ada/key.pem",
                text.escape_debug()
            )));
        }
        Ok(Self(text.into()))
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// A host name that phones use as the domain of their addresses, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The name; may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = String;

    /// A hostname of RFC 3261 §25.1, or an IPv4 address; its length is bounded by RFC 1035 §2.3.4.
    fn from_str(text: &str) -> Result<Self, String> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.is_empty() || (text.len() <= 253 && text.split('.').all(label)) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "\"{}\" is no domain: use a name such as house.example.org",
                text.escape_debug()
            ))
        }
    }
}

/// The number or name of an extension, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionName(Option<ExtensionNumber>);

impl ExtensionName {
    /// The number or name; may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", ExtensionNumber::as_str)
    }

    /// The extension, if one is named.
    #[must_use]
    pub const fn number(&self) -> Option<&ExtensionNumber> {
        self.0.as_ref()
    }
}

impl FromStr for ExtensionName {
    type Err = ParseExtensionError;

    fn from_str(text: &str) -> Result<Self, ParseExtensionError> {
        Ok(Self(if text.is_empty() { None } else { Some(text.parse()?) }))
    }
}

/// A country, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegionName(Option<Region>);

impl RegionName {
    /// The two letters; may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", Region::as_str)
    }

    /// The country, if one is named.
    #[must_use]
    pub const fn region(&self) -> Option<Region> {
        self.0
    }
}

impl FromStr for RegionName {
    type Err = ParseRegionError;

    fn from_str(text: &str) -> Result<Self, ParseRegionError> {
        Ok(Self(if text.is_empty() { None } else { Some(text.parse()?) }))
    }
}

/// What Server and User-Agent say, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductName(String);

impl ProductName {
    /// The text; may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProductName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 128 || !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err("use up to 128 printable ASCII characters".into());
        }
        Ok(Self(text.trim().to_owned()))
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}

as_text!(Domain, ExtensionName, LogLevel, ProductName, RegionName);
