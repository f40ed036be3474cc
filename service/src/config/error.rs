// SPDX-License-Identifier: GPL-3.0-or-later
//! What is wrong with a configuration, and where.

use std::{fmt, io, ops::Range, path::PathBuf};

use toml::de::DeTable;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It says something wrong.
    #[error("{path}:{mistake}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What, and where.
        mistake: Mistake,
    },
}

/// Something wrong in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The section and key, as far as they are known: `sip.listen`.
    pub key: String,
    /// What is wrong, and what to do.
    pub words: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.words)
    }
}

impl std::error::Error for Mistake {}

impl Mistake {
    /// What the parser or a type complained of.
    pub(crate) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        Self::from_toml_at(text, error, error.span().unwrap_or(0..0))
    }

    /// The same, by somebody who knows the place better.
    pub(crate) fn from_toml_at(text: &str, error: &toml::de::Error, span: Range<usize>) -> Self {
        let (line, column) = place(text, span.start);
        let key = key_around(text, &span);
        let words = match unknown_key(error.message()) {
            Some((unknown, known)) => match nearest(unknown, &known) {
                Some(near) => format!("unknown key \"{unknown}\": did you mean \"{near}\"?"),
                None => format!("unknown key \"{unknown}\": known here are {}", known.join(", ")),
            },
            None => match missing_key(error.message()) {
                Some(missing) => format!("the key \"{missing}\" is missing"),
                None => error.message().trim().replace('\n', ", "),
            },
        };
        Self { line, column, key, words }
    }

    /// Something at a byte of a text.
    pub(crate) fn at(text: &str, byte: usize, key: &str, words: String) -> Self {
        let (line, column) = place(text, byte);
        Self { line, column, key: key.to_owned(), words }
    }

    /// The known word that is nearest to an unknown one, if it is near enough to be meant.
    pub(crate) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
        nearest(unknown, known)
    }

    /// What the combination of values does not allow. The first key is named; the place is that of
    /// the first that is written. An empty section means the keys before all sections.
    pub(crate) fn at_key(text: &str, section: &str, keys: &[&str], words: String) -> Self {
        let span = keys.iter().find_map(|key| span_of(text, section, key)).unwrap_or(0..0);
        let (line, column) = place(text, span.start);
        let key = keys.first().copied().unwrap_or_default();
        let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        Self { line, column, key, words }
    }
}

/// Line and column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Where a key stands in a text that has been parsed before; none if it is not written.
fn span_of(text: &str, section: &str, key: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut sections = document.get_ref().iter();
    if section.is_empty() {
        return sections
            .find(|(name, _)| name.get_ref().as_ref() == key)
            .map(|(name, _)| name.span());
    }
    let (_, table) = sections.find(|(name, _)| name.get_ref().as_ref() == section)?;
    let mut keys = table.get_ref().as_table()?.iter();
    keys.find(|(name, _)| name.get_ref().as_ref() == key).map(|(name, _)| name.span())
}

/// The section and key that a span of a parsed text belongs to; empty where the text is no TOML.
fn key_around(text: &str, span: &Range<usize>) -> String {
    let document = DeTable::parse(text).ok();
    document.and_then(|document| key_in(document.get_ref(), "", span)).unwrap_or_default()
}

/// The same below a path. Tables of a header of their own end with it, whatever is in them.
fn key_in(table: &DeTable<'_>, path: &str, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        if key.span() == *span {
            return Some(path);
        }
        let below = value.get_ref().as_table().and_then(|table| key_in(table, &path, span));
        let whole = value.span();
        let is_inside = whole.start <= span.start && span.end <= whole.end;
        below.or_else(|| is_inside.then_some(path))
    })
}

/// Takes serde's words for an unknown field apart: the field, and those it knows.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

/// Takes serde's words for a missing field apart.
fn missing_key(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// The known word that is nearest, if it is near enough to be meant.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    // A foreign word may be long; ours are not, and a distance to it would say nothing.
    let unknown = unknown.get(..64).unwrap_or(unknown).replace('_', "-").to_ascii_lowercase();
    let contains = |word: &str| unknown.len() >= 4 && word.contains(&unknown);
    let steps = |word: &str| if contains(word) { 0 } else { distance(&unknown, word) };
    let (steps, word) = known.iter().map(|word| (steps(word), *word)).min()?;
    (steps <= 1 + word.len() / 4).then_some(word)
}

/// How many letters must be put in, left out, changed, or exchanged with their neighbour to make
/// one word the other (Damerau's distance in its simple form, which edits no place twice).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["listen", "lan", "domain", "user-agent"];
        for (unknown, near) in [
            ("lisen", Some("listen")),
            ("LISTEN", Some("listen")),
            ("user_agent", Some("user-agent")),
            ("agent", Some("user-agent")),
            ("lam", Some("lan")),
            ("domian", Some("domain")),
            ("realm", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, &known), near, "{unknown}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest(&"x".repeat(1_000_000), &known), None);
    }
}
