// SPDX-License-Identifier: GPL-3.0-or-later
//! The files in which a machine itself keeps its users and groups: a line for each name, with colons
//! between the fields.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::wiped::Wiped;

/// As much as is read of a file, in bytes.
const LARGEST_FILE: u64 = 64 << 20;

/// What passwd(5), group(5) or shadow(5) held when it was read. It is wiped: shadow(5) has secrets.
#[derive(Clone)]
pub struct Table(Wiped);

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len().min(LARGEST_FILE);
        // With room for all, nothing is reallocated and left behind.
        let room = usize::try_from(size).unwrap_or_default() + 1;
        let mut text = Wiped::with_capacity(room);
        file.take(size).read_to_end(&mut text)?;
        Ok(Self(text))
    }

    /// The fields of the first line of this name, the name itself first.
    #[must_use]
    pub fn line(&self, name: &str) -> Option<Vec<&[u8]>> {
        if name.contains(':') {
            return None;
        }
        let mut text = &self.0[..];
        loop {
            let end = memchr::memchr(b'\n', text);
            let line = &text[..end.unwrap_or(text.len())];
            let rest = line.strip_prefix(name.as_bytes());
            if rest.is_some_and(|rest| rest.first() == Some(&b':')) {
                return Some(line.split(|byte| *byte == b':').collect());
            }
            text = &text[end? + 1..];
        }
    }

    /// A number in the line of this name.
    #[must_use]
    pub fn number(&self, name: &str, field: usize) -> Option<u32> {
        std::str::from_utf8(self.line(name)?.get(field)?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_whole_name_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        assert!(Table::read(&path).is_err());
        let text = "annab:x:1::\nanna\nanna:x:2001:7:\n\nanna:x:9::\nbert:x:-1:\nlast:x:3";
        std::fs::write(&path, text).unwrap();
        let table = Table::read(&path).unwrap();
        assert_eq!(table.line("anna").unwrap(), [&b"anna"[..], b"x", b"2001", b"7", b""]);
        assert_eq!((table.number("anna", 2), table.number("last", 2)), (Some(2001), Some(3)));
        for (name, field) in [("anna", 1), ("anna", 4), ("anna", 5), ("bert", 2)] {
            assert_eq!(table.number(name, field), None, "{name} {field}");
        }
        for name in ["", "ann", "las", "anna:x", "nobody", "x"] {
            assert_eq!(table.line(name), None, "{name}");
        }
    }
}
