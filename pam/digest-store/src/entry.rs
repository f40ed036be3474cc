// SPDX-License-Identifier: GPL-3.0-or-later
//! One user: names that are safe to write, and the line that holds them.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::ha1::{Algorithm, Ha1};

/// The longest line that is read, in bytes.
pub(crate) const LONGEST_LINE: usize = 4096;

/// How a line of this version begins.
pub(crate) const VERSION: &str = "v1";

const LONGEST_NAME: usize = 256;

/// A text that cannot be stored: empty, too long, or with a colon, a line end or another control
/// character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("empty, longer than 256 bytes, or with a colon or a control character")]
pub struct Refused;

/// Neither of the characters that give the file its form, nor such as hide in a listing.
fn storable(text: &str) -> Result<String, Refused> {
    let bad = |c: char| c == ':' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match text.len() {
        1..=LONGEST_NAME if !text.chars().any(bad) => Ok(text.to_owned()),
        _ => Err(Refused),
    }
}

/// The login name of a user, which is also the user name in SIP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The realm of digests (RFC 7616 §3.3): a digest holds for one realm only. Quotation marks and
/// backslashes are refused too, so that it stands in a header field of SIP as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm(String);

/// What a digest was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The login password, when it was changed.
    Password,
    /// The login password, when somebody logged in with it.
    Login,
    /// The login password, proven to the digest service.
    Enrolled,
    /// A password for SIP alone. It does not follow the login password.
    Separate,
    /// Something of a later version.
    Other(String),
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The login name.
    pub name: Name,
    /// The number of the user: a name whose number changed is another person.
    pub uid: u32,
    /// The realm of the digests.
    pub realm: Realm,
    /// The digests, one for each algorithm.
    pub digests: Vec<(Algorithm, Ha1)>,
    /// Digests by algorithms of a later version, `NAME=DIGEST`.
    pub unknown: Vec<Zeroizing<String>>,
    /// When they were made, in seconds since 1970.
    pub changed: u64,
    /// What they were made of.
    pub source: Source,
}

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        storable(text).map(Self)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Realm {
    /// A realm that no other machine has: 122 random bits in the form of RFC 9562 §5.4.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> Result<Self, std::io::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut bits = u128::from_be_bytes(bytes);
        bits = bits & !(0xf << 76) | 4 << 76;
        bits = bits & !(0b11 << 62) | 0b10 << 62;
        let hex = format!("{bits:032x}");
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Ok(Self(parts.join("-")))
    }

    /// The realm.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Realm {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        if text.contains(['"', '\\']) {
            return Err(Refused);
        }
        storable(text).map(Self)
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::Login => "login",
            Self::Enrolled => "enrolled",
            Self::Separate => "separate",
            Self::Other(name) => name,
        }
    }

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "password" => Self::Password,
            "login" => Self::Login,
            "enrolled" => Self::Enrolled,
            "separate" => Self::Separate,
            _ if is_word(text) => Self::Other(text.to_owned()),
            _ => return None,
        })
    }

    /// Whether the digests are those of the login password, and follow it.
    #[must_use]
    pub fn follows_login(&self) -> bool {
        matches!(self, Self::Password | Self::Login | Self::Enrolled)
    }
}

impl Entry {
    /// The digests of a password for these algorithms.
    #[must_use]
    pub fn of_password(
        name: &Name,
        uid: u32,
        realm: &Realm,
        algorithms: &[Algorithm],
        password: &[u8],
    ) -> Self {
        let digest = |algorithm: &Algorithm| (*algorithm, algorithm.ha1(name, realm, password));
        Self {
            name: name.clone(),
            uid,
            realm: realm.clone(),
            digests: algorithms.iter().map(digest).collect(),
            unknown: Vec::new(),
            changed: 0,
            source: Source::Password,
        }
    }

    /// The digest for an algorithm.
    #[must_use]
    pub fn digest(&self, algorithm: Algorithm) -> Option<&Ha1> {
        self.digests.iter().find(|(known, _)| *known == algorithm).map(|(_, ha1)| ha1)
    }

    /// Whether both hold the same digests for the same person: writing one over the other would
    /// change nothing but the time.
    #[must_use]
    pub fn is_as_good_as(&self, other: &Self) -> bool {
        let found = |(algorithm, ha1): &(Algorithm, Ha1)| other.digest(*algorithm) == Some(ha1);
        self.name == other.name
            && self.uid == other.uid
            && self.realm == other.realm
            && self.digests.len() == other.digests.len()
            && self.digests.iter().all(found)
    }

    /// Reads a line without its end.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let fields: Vec<&str> = std::str::from_utf8(line).ok()?.split(':').collect();
        let [VERSION, name, uid, realm, digests, changed, source] = fields[..] else { return None };
        let mut entry = Self {
            name: name.parse().ok()?,
            uid: number(uid)?,
            realm: realm.parse().ok()?,
            digests: Vec::new(),
            unknown: Vec::new(),
            changed: number(changed)?,
            source: Source::read(source)?,
        };
        for token in digests.split(',') {
            let (name, value) = token.split_once('=')?;
            let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
            match known {
                Some(algorithm) if entry.digest(algorithm).is_none() => {
                    entry.digests.push((algorithm, Ha1::parse(algorithm, value)?));
                }
                None if is_word(name) && is_word(value) => {
                    entry.unknown.push(Zeroizing::new(token.to_owned()));
                }
                _ => return None,
            }
        }
        Some(entry)
    }

    /// The line, without its end.
    pub(crate) fn write(&self) -> Zeroizing<String> {
        // Nothing is reallocated: what was left behind would not be wiped.
        let mut line = Zeroizing::new(String::with_capacity(LONGEST_LINE * 2));
        line.push_str(&format!("{VERSION}:{}:{}:{}:", self.name, self.uid, self.realm));
        for (algorithm, ha1) in &self.digests {
            for part in [algorithm.name(), "=", ha1.reveal(), ","] {
                line.push_str(part);
            }
        }
        for token in &self.unknown {
            line.push_str(token);
            line.push(',');
        }
        line.pop();
        line.push_str(&format!(":{}:{}", self.changed, self.source.name()));
        line
    }
}

/// A decimal number as we write it: no sign, no space, no zero in front.
fn number<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn is_word(text: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'+');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(fits)
}
