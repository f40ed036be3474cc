// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines of a description, kept as they came.

use bytes::{BufMut, Bytes, BytesMut};

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    CrLf,
    /// As some phones write all of theirs.
    Lf,
    /// The end of the description.
    Nothing,
}

/// One line, with its own ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    bytes: Bytes,
    ending: Ending,
}

impl Line {
    /// The next line of `rest`, which is not empty.
    pub(super) fn take(rest: &mut Bytes) -> Self {
        let Some(feed) = rest.iter().position(|&byte| byte == b'\n') else {
            return Self { bytes: rest.split_off(0), ending: Ending::Nothing };
        };
        let mut bytes = rest.split_to(feed + 1);
        bytes.truncate(feed);
        if bytes.last() == Some(&b'\r') {
            bytes.truncate(feed - 1);
            return Self { bytes, ending: Ending::CrLf };
        }
        Self { bytes, ending: Ending::Lf }
    }

    /// A line of ours; `text` holds no control character.
    pub(super) fn new(kind: char, text: &str) -> Self {
        Self { bytes: format!("{kind}={text}").into(), ending: Ending::CrLf }
    }

    /// Nothing but an ending, as some peers append.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// The letter before `=`, if this is a line of a description.
    pub(super) fn kind(&self) -> Option<u8> {
        match *self.bytes {
            [kind, b'=', ..] if kind.is_ascii_alphabetic() => Some(kind),
            _ => None,
        }
    }

    pub(super) fn is(&self, kind: u8) -> bool {
        self.kind() == Some(kind)
    }

    /// What stands after `=`, without spaces around it, if it is text. What is not UTF-8 or holds
    /// control characters is carried along, but never understood.
    pub(super) fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes.get(2..)?).ok()?.trim();
        (!text.contains(|c: char| c.is_control() && c != '\t')).then_some(text)
    }

    /// Name and value of an attribute.
    pub(super) fn attribute(&self) -> Option<(&str, Option<&str>)> {
        if !self.is(b'a') {
            return None;
        }
        let text = self.text()?;
        Some(match text.split_once(':') {
            Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
            None => (text, None),
        })
    }

    pub(super) fn is_attribute(&self, names: &[&str]) -> bool {
        self.attribute()
            .is_some_and(|(name, _)| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() + 2
    }

    /// Appends the line; only the very last may be without an ending.
    pub(super) fn write(&self, last: bool, to: &mut BytesMut) {
        to.put_slice(&self.bytes);
        match self.ending {
            Ending::CrLf => to.put_slice(b"\r\n"),
            Ending::Lf => to.put_slice(b"\n"),
            Ending::Nothing if last => {}
            Ending::Nothing => to.put_slice(b"\r\n"),
        }
    }
}

/// The values of all attributes of this name, empty for those that have none.
pub(super) fn values<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a str> {
    lines
        .iter()
        .filter_map(Line::attribute)
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.unwrap_or_default())
}

/// The first line of this kind, understood.
pub(super) fn first(lines: &[Line], kind: u8) -> Option<&str> {
    lines.iter().find(|line| line.is(kind)).and_then(Line::text)
}
