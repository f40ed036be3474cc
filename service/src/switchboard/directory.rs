// SPDX-License-Identifier: GPL-3.0-or-later
//! The extensions of the house.

use std::{collections::BTreeMap, time::Duration};

use sipwitch_core::extension::{
    Extension, ExtensionNumber, GroupMode, Kind, MAX_DISPLAY, MAX_MEMBERS,
};

use super::{
    ask::{ExtensionChange, Refusal},
    notice::{ExtensionView, LoginView},
};
use crate::store::records::{Authentication, ExtensionKind, ExtensionRecord, Ha1Pair};

/// The shortest password taken from a person. Digests can be guessed at off line by whoever
/// overhears one, so less is no protection at all.
pub const MIN_PASSWORD: usize = 8;
/// The longest ring time.
pub const MAX_RING: u32 = 600;
/// The most extensions of one house.
pub const MAX_EXTENSIONS: usize = 100_000;

/// An extension and what proves that a phone belongs to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is dialled.
    pub extension: Extension,
    /// The digests of its password.
    pub digests: Option<Ha1Pair>,
    /// How phones prove that they belong to it.
    pub authentication: Authentication,
}

/// All extensions, by number.
#[derive(Debug, Default)]
pub struct Directory {
    entries: BTreeMap<ExtensionNumber, Entry>,
    /// The most digits of a number among them.
    longest: usize,
}

impl Directory {
    /// The directory as it was stored. Records that are no extension any more are named.
    pub fn restore(records: Vec<ExtensionRecord>) -> (Self, Vec<String>) {
        let mut directory = Self::default();
        let mut refused = Vec::new();
        for record in records {
            match entry_of(&record) {
                Ok(entry) => directory.put(entry),
                Err(why) => refused.push(format!("stored extension {:?}: {why}", record.number)),
            }
        }
        (directory, refused)
    }

    /// The extension of that number.
    #[must_use]
    pub fn entry(&self, number: &ExtensionNumber) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// The extension of that text, if it is a number at all.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Entry> {
        self.entries.get(&text.parse().ok()?)
    }

    /// The most digits that an extension of digits alone has; 0 where there is none.
    #[must_use]
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those whose phones prove themselves by the login password.
    pub fn by_login(&self) -> impl Iterator<Item = &ExtensionNumber> {
        self.entries
            .values()
            .filter(|entry| entry.authentication == Authentication::Login)
            .map(|entry| &entry.extension.number)
    }

    /// How an extension would look after a change; for a new one, `number` is what it starts from.
    ///
    /// # Errors
    /// What about the change cannot be.
    pub fn changed(
        &self,
        number: &ExtensionNumber,
        change: &ExtensionChange,
        digests: impl FnOnce(&str) -> Ha1Pair,
    ) -> Result<Entry, Refusal> {
        let mut entry = self.entries.get(number).cloned().unwrap_or_else(|| Entry {
            extension: Extension::person(number.clone()),
            digests: None,
            authentication: Authentication::default(),
        });
        if !self.entries.contains_key(number) && self.entries.len() >= MAX_EXTENSIONS {
            return Err(Refusal::TooMany(format!(
                "there are {MAX_EXTENSIONS} extensions already: remove some"
            )));
        }
        if let Some(name) = &change.name {
            if name.len() > MAX_DISPLAY || name.chars().any(char::is_control) {
                return Err(Refusal::BadValue(format!(
                    "the name is longer than {MAX_DISPLAY} bytes or has control characters in it"
                )));
            }
            entry.extension.display.clone_from(name);
        }
        if let Some(seconds) = change.ring_seconds {
            if !(1..=MAX_RING).contains(&seconds) {
                return Err(Refusal::BadValue(format!(
                    "ring-seconds {seconds} is not between 1 and {MAX_RING}"
                )));
            }
            entry.extension.ring_time = Some(Duration::from_secs(seconds.into()));
        }
        entry.extension.kind = kind_after(number, &entry.extension.kind, change)?;
        let authentication = authentication_of(change)?;
        if authentication == Some(Authentication::Login) {
            entry.authentication = Authentication::Login;
            // What is not used is not kept.
            entry.digests = None;
        } else if authentication.is_some() || change.password.is_some() {
            entry.authentication = Authentication::Password;
        }
        if let Some(password) = &change.password {
            let password = password.expose();
            if password.chars().count() < MIN_PASSWORD {
                return Err(Refusal::BadValue(format!(
                    "the password is shorter than {MIN_PASSWORD} characters: choose a longer one, \
                     or let one be generated"
                )));
            }
            entry.digests = Some(digests(password));
        }
        Ok(entry)
    }

    /// Puts an extension in its place.
    pub fn put(&mut self, entry: Entry) {
        self.longest = self.longest.max(entry.extension.number.digits());
        self.entries.insert(entry.extension.number.clone(), entry);
    }

    /// Takes an extension away, and out of all groups; gives those groups, changed.
    pub fn remove(&mut self, number: &ExtensionNumber) -> Vec<Entry> {
        self.entries.remove(number);
        self.longest = self.entries.keys().map(ExtensionNumber::digits).max().unwrap_or(0);
        let mut changed = Vec::new();
        for entry in self.entries.values_mut() {
            if let Kind::Group { members, .. } = &mut entry.extension.kind
                && members.contains(number)
            {
                members.retain(|member| member != number);
                changed.push(entry.clone());
            }
        }
        changed
    }
}

/// How phones are to prove themselves from now on, if that was said.
fn authentication_of(change: &ExtensionChange) -> Result<Option<Authentication>, Refusal> {
    let Some(word) = change.authentication.as_deref() else { return Ok(None) };
    match Authentication::from_word(word) {
        Some(Authentication::Login) if change.password.is_some() => Err(Refusal::BadValue(
            "an extension that authenticates by the login password has none of its own: leave \
             the password out"
                .into(),
        )),
        Some(authentication) => Ok(Some(authentication)),
        None => {
            Err(Refusal::BadValue(format!("authentication {word:?} is none of login and password")))
        }
    }
}

fn kind_after(
    number: &ExtensionNumber,
    before: &Kind,
    change: &ExtensionChange,
) -> Result<Kind, Refusal> {
    let named = match change.kind.as_deref() {
        None => None,
        Some(word) => Some(ExtensionKind::from_word(word).ok_or_else(|| {
            Refusal::BadValue(format!("kind {word:?} is none of person, group and service"))
        })?),
    };
    let members = match &change.members {
        None => None,
        Some(members) if members.len() > MAX_MEMBERS => {
            return Err(Refusal::BadValue(format!("a group has at most {MAX_MEMBERS} members")));
        }
        Some(members) => Some(members_of(number, members)?),
    };
    let was = match before {
        Kind::Group { .. } => ExtensionKind::Group,
        Kind::Person => ExtensionKind::Person,
        Kind::Service => ExtensionKind::Service,
    };
    match (named.unwrap_or(was), members, before) {
        (ExtensionKind::Group, Some(members), Kind::Group { mode, .. }) => {
            Ok(Kind::Group { members, mode: *mode })
        }
        (ExtensionKind::Group, Some(members), _) => {
            Ok(Kind::Group { members, mode: GroupMode::default() })
        }
        (ExtensionKind::Group, None, Kind::Group { .. }) => Ok(before.clone()),
        (ExtensionKind::Group, None, _) => {
            Ok(Kind::Group { members: Vec::new(), mode: GroupMode::default() })
        }
        (_, Some(members), _) if !members.is_empty() => {
            Err(Refusal::BadValue("only a group has members: set kind to group".into()))
        }
        (ExtensionKind::Person, ..) => Ok(Kind::Person),
        (ExtensionKind::Service, ..) => Ok(Kind::Service),
    }
}

fn members_of(
    number: &ExtensionNumber,
    members: &[String],
) -> Result<Vec<ExtensionNumber>, Refusal> {
    let mut parsed: Vec<ExtensionNumber> = Vec::with_capacity(members.len());
    for member in members {
        let member: ExtensionNumber = member
            .parse()
            .map_err(|error| Refusal::BadValue(format!("member {member:?}: {error}")))?;
        if member == *number {
            return Err(Refusal::BadValue(format!("group {number} cannot be its own member")));
        }
        if !parsed.contains(&member) {
            parsed.push(member);
        }
    }
    Ok(parsed)
}

/// How an extension is stored.
#[must_use]
pub fn record_of(entry: &Entry) -> ExtensionRecord {
    let extension = &entry.extension;
    let (kind, members) = match &extension.kind {
        Kind::Group { members, .. } => {
            (ExtensionKind::Group, members.iter().map(ToString::to_string).collect())
        }
        Kind::Person => (ExtensionKind::Person, Vec::new()),
        Kind::Service => (ExtensionKind::Service, Vec::new()),
    };
    ExtensionRecord {
        number: extension.number.to_string(),
        display: extension.display.clone(),
        kind,
        members,
        ring_seconds: extension
            .ring_time
            .map(|time| u32::try_from(time.as_secs()).unwrap_or(MAX_RING)),
        digests: entry.digests.clone(),
        authentication: entry.authentication,
    }
}

fn entry_of(record: &ExtensionRecord) -> Result<Entry, String> {
    let number: ExtensionNumber = record.number.parse().map_err(|error| format!("{error}"))?;
    let kind = match record.kind {
        ExtensionKind::Group => Kind::Group {
            members: members_of(&number, &record.members).map_err(|error| error.to_string())?,
            mode: GroupMode::default(),
        },
        ExtensionKind::Person => Kind::Person,
        ExtensionKind::Service => Kind::Service,
    };
    Ok(Entry {
        extension: Extension {
            number,
            display: record.display.clone(),
            kind,
            ring_time: record.ring_seconds.map(|seconds| Duration::from_secs(seconds.into())),
        },
        digests: record.digests.clone(),
        authentication: record.authentication,
    })
}

/// How an extension looks from outside.
#[must_use]
pub fn view_of(
    entry: &Entry,
    phones: Vec<u64>,
    usual_ring: Duration,
    login: &LoginView,
) -> ExtensionView {
    let record = record_of(entry);
    let ring = entry.extension.ring_time.unwrap_or(usual_ring);
    ExtensionView {
        number: record.number,
        name: record.display,
        kind: record.kind.as_str(),
        members: record.members,
        has_password: entry.digests.is_some(),
        authentication: entry.authentication.as_str(),
        login: match entry.authentication {
            Authentication::Login => login.clone(),
            Authentication::Password => LoginView::default(),
        },
        ring_seconds: u32::try_from(ring.as_secs()).unwrap_or(MAX_RING),
        phones,
    }
}
