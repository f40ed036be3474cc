// SPDX-License-Identifier: GPL-3.0-or-later
//! The file as text. Only the lines of the user in question are read and changed; all others stay
//! byte for byte what they were, so that a login costs no more among ten thousand users than alone.

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::entry::{Entry, LONGEST_LINE, Name, Realm, VERSION};
use crate::error::Error;
use crate::wiped::Wiped;

const HEADER: &str = "# sipwitch digest db v";
const OURS: &[u8] = b"# sipwitch digest db v1";
const REALM: &str = "realm";

/// The contents of the file.
#[derive(Clone)]
pub struct Database(Wiped);

/// A line that is not used, and is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its number; the first is 1.
    pub line: usize,
    /// Why it is not used.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The first line does not say which version the file is of. The next change mends that.
    Header,
    /// It cannot be read.
    Damaged,
    /// An earlier line is of the same user, or says the realm.
    Again,
    /// It is of a later version.
    Later,
}

enum Line {
    Silent,
    Realm(Realm),
    Entry(Entry),
    Unused(Fault),
}

impl Line {
    fn read(line: &[u8]) -> Self {
        if line.is_empty() || line.starts_with(b"#") {
            return Self::Silent;
        }
        let (kind, rest) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => return Self::Unused(Fault::Damaged),
        };
        if kind == VERSION.as_bytes() {
            return Entry::read(line).map_or(Self::Unused(Fault::Damaged), Self::Entry);
        }
        if kind == REALM.as_bytes() {
            let realm = std::str::from_utf8(rest).ok().and_then(|text| text.parse().ok());
            return realm.map_or(Self::Unused(Fault::Damaged), Self::Realm);
        }
        let word = kind.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let fault = if word && !kind.is_empty() { Fault::Later } else { Fault::Damaged };
        Self::Unused(fault)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self([OURS, b"\n"].concat().into())
    }
}

impl Database {
    /// Reads a file. There is none that cannot be read, only one that is none of ours to change.
    #[must_use]
    pub fn parse(text: Wiped) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let later = first.starts_with(HEADER.as_bytes()) && first != OURS;
        (!later).then_some(Self(text))
    }

    /// What to write: a header first, a line end last.
    #[must_use]
    pub fn bytes(&self) -> Wiped {
        let mut bytes = Wiped::with_capacity(self.0.len() + OURS.len() + 2);
        if !self.has_header() {
            bytes.extend_from_slice(OURS);
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&self.0);
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
        bytes
    }

    /// The same, without a copy where none is needed.
    pub(crate) fn into_bytes(self) -> Wiped {
        let whole = self.has_header() && self.0.last() == Some(&b'\n');
        if whole { self.0 } else { self.bytes() }
    }

    /// The realm of new digests, if one was made.
    #[must_use]
    pub fn realm(&self) -> Option<Realm> {
        self.lines().filter(|line| line.starts_with(REALM.as_bytes())).find_map(|line| {
            match Line::read(line) {
                Line::Realm(realm) => Some(realm),
                _ => None,
            }
        })
    }

    /// Says another realm. Digests that are there already stay those of the old one.
    pub fn set_realm(&mut self, realm: &Realm) {
        let line = Zeroizing::new(format!("{REALM}:{realm}"));
        self.replace(Some(line.as_bytes()), |line| matches!(Line::read(line), Line::Realm(_)));
    }

    /// What is kept of a user.
    #[must_use]
    pub fn entry(&self, name: &Name) -> Option<Entry> {
        let start = start_of(name);
        self.lines().filter(|line| line.starts_with(&start)).find_map(Entry::read)
    }

    /// All users, each once, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut seen = HashSet::new();
        self.lines().filter_map(Entry::read).filter(move |entry| seen.insert(entry.name.clone()))
    }

    /// Keeps this and nothing else of the user, where the user's line was, or at the end.
    ///
    /// # Errors
    /// It is too long for a line.
    pub fn put(&mut self, entry: &Entry) -> Result<(), Error> {
        let line = entry.write();
        if line.len() > LONGEST_LINE {
            return Err(Error::TooLong);
        }
        let start = start_of(&entry.name);
        self.replace(Some(line.as_bytes()), |line| is_of(line, &start));
        Ok(())
    }

    /// Keeps nothing of the user. Says whether there was anything.
    pub fn remove(&mut self, name: &Name) -> bool {
        let start = start_of(name);
        self.replace(None, |line| is_of(line, &start))
    }

    /// The lines that are not used, in order.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.has_header() {
            problems.push(Problem { line: 1, fault: Fault::Header });
        }
        let (mut names, mut realm) = (HashSet::new(), false);
        for (line, text) in (1..).zip(self.lines()) {
            let fault = match Line::read(text) {
                Line::Unused(fault) => fault,
                Line::Entry(entry) if !names.insert(entry.name.clone()) => Fault::Again,
                Line::Realm(_) if std::mem::replace(&mut realm, true) => Fault::Again,
                Line::Silent | Line::Entry(_) | Line::Realm(_) => continue,
            };
            problems.push(Problem { line, fault });
        }
        problems
    }

    fn has_header(&self) -> bool {
        self.lines().next() == Some(OURS)
    }

    fn lines(&self) -> Lines<'_> {
        Lines(Some(self.0.strip_suffix(b"\n").unwrap_or(&self.0)))
    }

    /// Puts `new` where the first of the chosen lines was, or at the end, and takes the others away.
    fn replace(&mut self, new: Option<&[u8]>, chosen: impl Fn(&[u8]) -> bool) -> bool {
        let length = self.0.len() + new.map_or(0, <[u8]>::len) + 2;
        let mut text = Wiped::with_capacity(length);
        let (mut new, mut found) = (new, false);
        for line in self.lines() {
            let line = if chosen(line) {
                found = true;
                let Some(new) = new.take() else { continue };
                new
            } else {
                line
            };
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        if let Some(new) = new {
            text.extend_from_slice(new);
            text.push(b'\n');
        }
        self.0 = text;
        found
    }
}

/// What is left of a text, line by line. Whoever logs in waits for it.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0.take()?;
        let Some(end) = memchr::memchr(b'\n', text) else { return Some(text) };
        self.0 = Some(&text[end + 1..]);
        Some(&text[..end])
    }
}

/// How the lines of a user begin. Damaged ones may too.
fn start_of(name: &Name) -> Vec<u8> {
    format!("{VERSION}:{name}:").into_bytes()
}

fn is_of(line: &[u8], start: &[u8]) -> bool {
    line.starts_with(start) && Entry::read(line).is_some()
}

#[cfg(test)]
mod tests;
