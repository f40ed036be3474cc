// SPDX-License-Identifier: GPL-3.0-or-later
//! Extensions from a table in CSV (RFC 4180), such as a spreadsheet saves.
//!
//! The first line names the columns, in any order; only `number` must be there:
//!
//! ```csv
//! number,name,kind,members,ring-seconds,authentication,password
//! 101,Ada,person,,20,,correct horse battery
//! 102,Grace,,,,login,
//! 600,Kitchen,group,101 102,,,
//! ```
//!
//! An empty cell changes nothing in an extension that exists. Columns are separated by commas, or by
//! semicolons if the first line has them. A bad line is reported and the good ones stand.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, ops::RangeInclusive};

use csv::{ByteRecord, ReaderBuilder};
use sipwitch_core::extension::{ExtensionNumber, MAX_DISPLAY, MAX_MEMBERS};

use crate::store::{Authentication, ExtensionKind, Ha1Pair};

/// The largest text taken.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most lines taken, the heading not counted.
pub const MAX_LINES: u32 = 10_000;
/// The shortest password taken. Digests can be guessed at off line by whoever overhears one.
const MIN_PASSWORD: usize = 8;
/// The longest password taken, in bytes.
const MAX_PASSWORD: usize = 256;
/// How long a phone may ring, in seconds.
const RING: RangeInclusive<u32> = 1..=600;

/// One good line. What is none was not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the text, from 1.
    pub line: u32,
    /// The number or name of the extension, valid and in lower case.
    pub number: String,
    /// The display name.
    pub name: Option<String>,
    /// What it is.
    pub kind: Option<ExtensionKind>,
    /// Members of a group, valid and in lower case. Whether they exist is not looked at here.
    pub members: Option<Vec<String>>,
    /// Seconds its phones ring.
    pub ring_seconds: Option<u32>,
    /// How its phones prove that they belong to it.
    pub authentication: Option<Authentication>,
    /// The digests of the password.
    pub digests: Option<Ha1Pair>,
}

/// One bad line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its line in the text, from 1.
    pub line: u32,
    /// What is wrong with it. Never contains a password.
    pub why: String,
}

/// What a table said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The good lines, in order.
    pub rows: Vec<Row>,
    /// The bad ones, in order.
    pub refused: Vec<BadLine>,
}

/// Why nothing at all was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No line at all.
    #[error("the table is empty: its first line must name the columns, number among them")]
    Empty,
    /// The first line has no number.
    #[error(
        "the first line names no column \"number\": it must name the columns, as in \
         number,name,kind,members,ring-seconds,authentication,password"
    )]
    NoNumber,
    /// A column twice.
    #[error("the first line names the column \"{0}\" twice")]
    Twice(Column),
    /// A column we do not know.
    #[error(
        "the first line names a column \"{0}\": known are number, name, kind, members, \
         ring-seconds, authentication and password"
    )]
    UnknownColumn(String),
    /// Too much text.
    #[error("the table has {0} bytes, more than {MAX_BYTES}: import it in parts")]
    TooLarge(usize),
    /// Too many lines.
    #[error("the table has more than {MAX_LINES} lines: import it in parts")]
    TooLong,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// `login` or `password`.
    Authentication,
    /// What the extension is.
    Kind,
    /// Members of a group, separated by blanks.
    Members,
    /// The display name.
    Name,
    /// The number or name.
    Number,
    /// The password.
    Password,
    /// Seconds its phones ring.
    RingSeconds,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Authentication,
        Self::Kind,
        Self::Members,
        Self::Name,
        Self::Number,
        Self::Password,
        Self::RingSeconds,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Kind => "kind",
            Self::Members => "members",
            Self::Name => "name",
            Self::Number => "number",
            Self::Password => "password",
            Self::RingSeconds => "ring-seconds",
        }
    }

    fn from_heading(heading: &str) -> Option<Self> {
        let heading = heading.trim().replace(['_', ' '], "-").to_ascii_lowercase();
        Self::ALL.into_iter().find(|column| column.as_str() == heading)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a table. Each password goes to `digest`, with the number it is for, and nowhere else.
///
/// # Errors
///
/// If the table as a whole cannot be taken. Bad lines are no error: see [`Parsed::refused`].
pub fn parse(text: &str, digest: impl Fn(&str, &str) -> Ha1Pair) -> Result<Parsed, ImportError> {
    if text.len() > MAX_BYTES {
        return Err(ImportError::TooLarge(text.len()));
    }
    // Spreadsheets begin a file in UTF-8 with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let separator = if heading.contains(';') { b';' } else { b',' };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut columns: Option<Vec<Column>> = None;
    let mut parsed = Parsed::default();
    let mut record = ByteRecord::new();
    let mut lines = HashMap::new();
    let mut place = Place { text: text.as_bytes(), byte: 0, line: 1 };
    let mut count = 0;
    // Reading from memory, with lines of any length allowed and checked below, cannot fail.
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let line = place.line_at(record.position().map_or(0, csv::Position::byte));
        let Some(columns) = &columns else {
            columns = Some(read_heading(&record)?);
            continue;
        };
        count += 1;
        if count > MAX_LINES {
            return Err(ImportError::TooLong);
        }
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        match read_row(line, columns, &record, &digest) {
            Ok(row) => match lines.get(&row.number) {
                Some(first) => {
                    let why = format!("{} stands in line {first} already", row.number);
                    parsed.refused.push(BadLine { line, why });
                }
                None => {
                    lines.insert(row.number.clone(), line);
                    parsed.rows.push(row);
                }
            },
            Err(why) => parsed.refused.push(BadLine { line, why }),
        }
    }
    match columns {
        Some(_) => Ok(parsed),
        None => Err(ImportError::Empty),
    }
}

/// Counts lines. The reader's own count is that of the last record's end, before blank lines.
struct Place<'a> {
    text: &'a [u8],
    byte: usize,
    line: u32,
}

impl Place<'_> {
    /// The line of the first byte at or after a place that is no line end. Places come in order.
    fn line_at(&mut self, byte: u64) -> u32 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(&next) = self.text.get(self.byte) {
            match next {
                b'\n' => self.line += 1,
                b'\r' if self.text.get(self.byte + 1) != Some(&b'\n') => self.line += 1,
                b'\r' => {}
                _ if self.byte >= byte => break,
                _ => {}
            }
            self.byte += 1;
        }
        self.line
    }
}

fn read_heading(record: &ByteRecord) -> Result<Vec<Column>, ImportError> {
    let mut columns = Vec::new();
    for cell in record {
        let heading = String::from_utf8_lossy(cell);
        let column = Column::from_heading(&heading)
            .ok_or_else(|| ImportError::UnknownColumn(heading.escape_debug().take(40).collect()))?;
        if columns.contains(&column) {
            return Err(ImportError::Twice(column));
        }
        columns.push(column);
    }
    if columns.contains(&Column::Number) { Ok(columns) } else { Err(ImportError::NoNumber) }
}

fn read_row(
    line: u32,
    columns: &[Column],
    record: &ByteRecord,
    digest: &impl Fn(&str, &str) -> Ha1Pair,
) -> Result<Row, String> {
    if record.len() != columns.len() {
        return Err(format!("it has {} cells instead of {}", record.len(), columns.len()));
    }
    let cell = |column: Column| -> Result<Option<&str>, String> {
        let Some(index) = columns.iter().position(|other| *other == column) else {
            return Ok(None);
        };
        // The text is a `str` and cells are cut at ASCII characters, so this cannot fail; but it
        // comes from outside.
        let text = std::str::from_utf8(&record[index]).map_err(|_| "it is not UTF-8".to_owned())?;
        // Blanks around a password may be meant.
        let text = if column == Column::Password { text } else { text.trim() };
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let number = cell(Column::Number)?.ok_or("it has no number")?;
    let number = extension(number)?;
    let name = cell(Column::Name)?.map(display_name).transpose()?;
    let kind = cell(Column::Kind)?.map(kind).transpose()?;
    let members = cell(Column::Members)?.map(members).transpose()?;
    if members.is_some() && kind.is_some_and(|kind| kind != ExtensionKind::Group) {
        return Err("it has members but is no group".into());
    }
    let ring_seconds = cell(Column::RingSeconds)?.map(ring_seconds).transpose()?;
    let authentication = cell(Column::Authentication)?.map(authentication).transpose()?;
    let digests = match cell(Column::Password)? {
        None => None,
        Some(_) if authentication == Some(Authentication::Login) => {
            return Err("it authenticates by the login password, and has one of its own".into());
        }
        Some(password) => {
            check_password(password)?;
            Some(digest(&number, password))
        }
    };
    Ok(Row { line, number, name, kind, members, ring_seconds, authentication, digests })
}

fn extension(text: &str) -> Result<String, String> {
    text.parse::<ExtensionNumber>().map(String::from).map_err(|error| error.to_string())
}

fn display_name(text: &str) -> Result<String, String> {
    if text.len() > MAX_DISPLAY {
        return Err(format!("the name has {} bytes, more than {MAX_DISPLAY}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("the name contains a control character".into());
    }
    Ok(text.to_owned())
}

fn kind(text: &str) -> Result<ExtensionKind, String> {
    ExtensionKind::from_word(&text.to_ascii_lowercase()).ok_or_else(|| {
        let text: String = text.escape_debug().take(40).collect();
        format!("\"{text}\" is no kind: use person, group or service")
    })
}

fn authentication(text: &str) -> Result<Authentication, String> {
    Authentication::from_word(&text.to_ascii_lowercase()).ok_or_else(|| {
        let text: String = text.escape_debug().take(40).collect();
        format!("\"{text}\" is no way to authenticate: use login or password")
    })
}

fn members(text: &str) -> Result<Vec<String>, String> {
    let mut members = Vec::new();
    for member in text.split_ascii_whitespace() {
        if members.len() == MAX_MEMBERS {
            return Err(format!("it has more than {MAX_MEMBERS} members"));
        }
        let member = extension(member).map_err(|why| format!("a member: {why}"))?;
        if members.contains(&member) {
            return Err(format!("member {member} is named twice"));
        }
        members.push(member);
    }
    Ok(members)
}

fn ring_seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| RING.contains(seconds));
    seconds.ok_or_else(|| {
        let text: String = text.escape_debug().take(40).collect();
        format!("ring-seconds must be between {} and {}, not \"{text}\"", RING.start(), RING.end())
    })
}

fn check_password(password: &str) -> Result<(), String> {
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.len()) {
        return Err(format!("the password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"));
    }
    if password.chars().any(char::is_control) {
        return Err("the password contains a control character".into());
    }
    Ok(())
}
