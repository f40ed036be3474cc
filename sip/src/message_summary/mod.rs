// SPDX-License-Identifier: GPL-3.0-or-later
//! What waits in a mailbox (RFC 3842 §5.2): read with bounds, since anybody may have written it, and
//! written anew from numbers alone, so that nothing of it is handed on.

mod subscription;

use std::fmt::{self, Write as _};

pub use subscription::Subscription;

/// The event package.
pub const EVENT: &str = "message-summary";
/// The type of its bodies.
pub const CONTENT_TYPE: &str = "application/simple-message-summary";

/// What is read of a body.
const MOST_OCTETS: usize = 4096;
const MOST_LINES: usize = 64;
/// More than so many are not told apart.
const MOST_COUNTED: u32 = 9999;

/// What waits in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whether anything waits, which may be all that is known.
    pub is_waiting: bool,
    /// What was spoken.
    pub voice: Count,
    /// What was not: faxes, texts, pictures.
    pub other: Count,
}

/// How many of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Not heard or read yet.
    pub new: u32,
    /// Heard or read.
    pub old: u32,
    /// Of the new ones, those marked as urgent.
    pub urgent: u32,
}

impl Summary {
    /// Reads a body. None if it does not say whether anything waits.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body = body.get(..MOST_OCTETS).unwrap_or(body);
        let text = String::from_utf8_lossy(body);
        let mut summary = Self::default();
        let mut said = None;
        for line in text.lines().take(MOST_LINES) {
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("Messages-Waiting") {
                said = said.or_else(|| yes_or_no(value));
            } else if name.eq_ignore_ascii_case("Voice-Message") {
                summary.voice = summary.voice.plus(Count::parse(value));
            } else if is_other(name) {
                summary.other = summary.other.plus(Count::parse(value));
            }
        }
        summary.is_waiting = said?;
        Some(summary)
    }

    /// How many wait; at least one if any does.
    #[must_use]
    pub fn new_messages(&self) -> u32 {
        match self.is_waiting {
            true => self.voice.new.saturating_add(self.other.new).max(1),
            false => 0,
        }
    }

    /// What waits in two mailboxes.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            is_waiting: self.is_waiting || other.is_waiting,
            voice: self.voice.plus(other.voice),
            other: self.other.plus(other.other),
        }
    }

    /// A body for the mailbox of this address.
    #[must_use]
    pub fn body(&self, account: &str) -> String {
        let waiting = if self.is_waiting { "yes" } else { "no" };
        let mut body = format!("Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n");
        // Phones light their lamp by the numbers; one that is known of only by hearsay counts.
        let mut voice = self.voice;
        if self.is_waiting && voice.new == 0 && self.other.new == 0 {
            voice.new = 1;
        }
        for (name, count) in [("Voice-Message", voice), ("Text-Message", self.other)] {
            if count != Count::default() || name == "Voice-Message" {
                let Count { new, old, urgent } = count;
                let _ = write!(body, "{name}: {new}/{old} ({urgent}/0)\r\n");
            }
        }
        body
    }
}

/// In words; empty where nothing waits.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_waiting {
            return Ok(());
        }
        let kinds = [(self.voice, "voice message"), (self.other, "other message")];
        let mut is_first = true;
        for (count, kind) in kinds.into_iter().filter(|(count, _)| count.new > 0) {
            let (comma, many) =
                (if is_first { "" } else { ", " }, if count.new > 1 { "s" } else { "" });
            write!(f, "{comma}{} new {kind}{many}", count.new)?;
            if count.urgent > 0 {
                write!(f, " ({} urgent)", count.urgent)?;
            }
            is_first = false;
        }
        if is_first { f.write_str("messages wait") } else { Ok(()) }
    }
}

impl Count {
    /// `2/8 (0/2)`. What cannot be read counts nothing.
    fn parse(value: &str) -> Self {
        let (all, urgent) = value.split_once('(').unwrap_or((value, ""));
        let (new, old) = all.split_once('/').unwrap_or((all, ""));
        let urgent = urgent.split('/').next().unwrap_or_default();
        let new = number(new);
        Self { new, old: number(old), urgent: number(urgent).min(new) }
    }

    fn plus(self, other: Self) -> Self {
        let sum = |a: u32, b: u32| a.saturating_add(b).min(MOST_COUNTED);
        Self {
            new: sum(self.new, other.new),
            old: sum(self.old, other.old),
            urgent: sum(self.urgent, other.urgent),
        }
    }
}

fn number(text: &str) -> u32 {
    let digits = text.trim();
    match digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        true => digits.parse().unwrap_or(MOST_COUNTED).min(MOST_COUNTED),
        false => 0,
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        value if value.eq_ignore_ascii_case("yes") => Some(true),
        value if value.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

fn is_other(name: &str) -> bool {
    const OTHERS: [&str; 4] =
        ["Fax-Message", "Pager-Message", "Multimedia-Message", "Text-Message"];
    OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_providers_write_them() {
        let full = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n\
                    Voice-Message: 2/8 (1/2)\r\nFax-Message: 1/0\r\n\r\nTo: <x>\r\n";
        for (body, words, count) in [
            (full, "2 new voice messages (1 urgent), 1 new other message", 3),
            ("messages-waiting:YES\nvoice-message : 1/0", "1 new voice message", 1),
            ("Messages-Waiting: yes\r\n", "messages wait", 1),
            ("Messages-Waiting: no\r\nVoice-Message: 0/4 (0/0)\r\n", "", 0),
            ("Messages-Waiting: no\r\nVoice-Message: 3/4\r\n", "", 0),
        ] {
            let summary = Summary::parse(body.as_bytes()).unwrap();
            assert_eq!((summary.to_string().as_str(), summary.new_messages()), (words, count));
        }
    }

    #[test]
    fn what_says_nothing_is_nothing_and_hostile_numbers_are_bounded() {
        let long = format!("{}Messages-Waiting: yes\r\n", "x".repeat(5000));
        let many = format!("{}Messages-Waiting: yes\r\n", "a: b\r\n".repeat(100));
        for body in ["", "\r\n\r\n", "Messages-Waiting: maybe", "yes", ":", &long, &many] {
            assert_eq!(Summary::parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(Summary::parse(&[0xff; 9000]), None);
        let summary =
            "Messages-Waiting: yes\r\nVoice-Message: 99999999999999999999/-1 (7777777777777/";
        let summary = Summary::parse(summary.as_bytes()).unwrap();
        assert_eq!(summary.voice, Count { new: 9999, old: 0, urgent: 9999 });
        assert_eq!(summary.plus(summary).new_messages(), 9999);
        let odd = "Messages-Waiting: yes\r\nVoice-Message: +3/4/5 (((\r\nVoice-Message: 1/1/1";
        assert_eq!(Summary::parse(odd.as_bytes()).unwrap().voice.new, 1);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let summary = Summary {
            is_waiting: true,
            voice: Count { new: 2, old: 8, urgent: 1 },
            other: Count { new: 0, old: 1, urgent: 0 },
        };
        let body = summary.body("sip:101@localhost");
        assert_eq!(Summary::parse(body.as_bytes()), Some(summary), "{body}");
        let hearsay = Summary { is_waiting: true, ..Summary::default() };
        assert!(hearsay.body("sip:101@localhost").contains("Voice-Message: 1/0 (0/0)\r\n"));
        assert!(Summary::default().body("sip:1@x").starts_with("Messages-Waiting: no\r\n"));
    }
}
