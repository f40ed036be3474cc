// SPDX-License-Identifier: GPL-3.0-or-later
//! The few edits of a session description (RFC 8866) that a switch makes.
//!
//! Descriptions are handled line by line as bytes, never parsed as a whole: what no edit concerns
//! stays as it was, unknown attributes and odd spacing included. Where no edit is needed none is
//! made, and the description crosses byte for byte.

mod answer;
mod origin;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use answer::inactive_answer_to;
pub use origin::continued;

/// Which way media flows, seen from who describes it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Neither way.
    Inactive,
    /// Towards the describer only.
    RecvOnly,
    /// From the describer only.
    SendOnly,
    /// Both ways.
    SendRecv,
}

impl Direction {
    /// The attribute's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::RecvOnly => "recvonly",
            Self::SendOnly => "sendonly",
            Self::SendRecv => "sendrecv",
        }
    }

    fn of_attribute(line: &[u8]) -> Option<Self> {
        match line.trim_ascii_end() {
            b"a=inactive" => Some(Self::Inactive),
            b"a=recvonly" => Some(Self::RecvOnly),
            b"a=sendonly" => Some(Self::SendOnly),
            b"a=sendrecv" => Some(Self::SendRecv),
            _ => None,
        }
    }

    /// Whether the describer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendRecv)
    }

    /// Whether the describer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::RecvOnly | Self::SendRecv)
    }

    /// Of the two ways.
    #[must_use]
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (false, false) => Self::Inactive,
            (false, true) => Self::RecvOnly,
            (true, false) => Self::SendOnly,
            (true, true) => Self::SendRecv,
        }
    }
}

/// The lines, each with its own ending (CRLF, LF, or none at the very end).
pub(super) fn lines(sdp: &[u8]) -> impl Iterator<Item = &[u8]> {
    sdp.split_inclusive(|&byte| byte == b'\n')
}

fn is_media(line: &[u8]) -> bool {
    line.starts_with(b"m=")
}

/// The port of an `m=` line; 0 where it cannot be read, as for a line that is rejected.
fn port(media: &[u8]) -> u16 {
    media
        .split(|&byte| byte == b' ')
        .nth(1)
        // `49170/2` names two ports.
        .and_then(|word| word.split(|&byte| byte == b'/').next())
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.trim().parse().ok())
        .unwrap_or(0)
}

/// How many media the description has, rejected ones included.
#[must_use]
pub fn media_count(sdp: &[u8]) -> usize {
    lines(sdp).filter(|line| is_media(line)).count()
}

/// Which way media flows in the description as a whole: a way is open if it is for any medium that
/// is in use.
///
/// An address of `0.0.0.0` closes the way towards the describer, as RFC 2543 phones still say hold.
#[must_use]
pub fn direction(sdp: &[u8]) -> Direction {
    struct Media {
        used: bool,
        direction: Direction,
        nowhere: bool,
    }
    let (mut session, mut session_nowhere) = (Direction::SendRecv, false);
    let mut current: Option<Media> = None;
    let (mut sends, mut receives) = (false, false);
    let mut close = |media: Option<Media>| {
        if let Some(media) = media.filter(|media| media.used) {
            sends |= media.direction.sends();
            receives |= media.direction.receives() && !media.nowhere;
        }
    };
    for line in lines(sdp) {
        if is_media(line) {
            let used = port(line) != 0;
            let next = Media { used, direction: session, nowhere: session_nowhere };
            close(current.replace(next));
        } else if let Some(direction) = Direction::of_attribute(line) {
            match &mut current {
                Some(media) => media.direction = direction,
                None => session = direction,
            }
        } else if line.starts_with(b"c=") {
            let nowhere = line.trim_ascii_end() == b"c=IN IP4 0.0.0.0";
            match &mut current {
                Some(media) => media.nowhere = nowhere,
                None => session_nowhere = nowhere,
            }
        }
    }
    close(current);
    Direction::of(sends, receives)
}

/// The description with every medium flowing this way.
#[must_use]
pub fn with_direction(sdp: &Bytes, wanted: Direction) -> Bytes {
    let attribute = format!("a={}\r\n", wanted.as_str());
    let mut out = Vec::with_capacity(sdp.len() + attribute.len());
    let mut in_media = false;
    let finish = |out: &mut Vec<u8>, in_media: bool| {
        if in_media {
            end_line(out);
            out.extend_from_slice(attribute.as_bytes());
        }
    };
    for line in lines(sdp) {
        if is_media(line) {
            finish(&mut out, in_media);
            in_media = true;
        }
        if Direction::of_attribute(line).is_none() {
            out.extend_from_slice(line);
        }
    }
    finish(&mut out, in_media);
    if out == sdp[..] { sdp.clone() } else { out.into() }
}

/// The description with exactly as many media as asked for: missing ones are those of `like`,
/// rejected (RFC 3264 §6, §8: media are never taken away, and an answer has as many as its offer).
#[must_use]
pub fn fitted(sdp: &Bytes, count: usize, like: &[u8]) -> Bytes {
    let have = media_count(sdp);
    if have == count {
        return sdp.clone();
    }
    let mut out = Vec::with_capacity(sdp.len());
    let mut seen = 0;
    for line in lines(sdp) {
        seen += usize::from(is_media(line));
        if seen > count {
            break;
        }
        out.extend_from_slice(line);
    }
    for media in
        lines(like).filter(|line| is_media(line)).skip(have).take(count.saturating_sub(have))
    {
        end_line(&mut out);
        push_rejected(&mut out, media);
    }
    out.into()
}

/// Whether both say the same about where and under which keys each medium is received.
#[must_use]
pub fn same_places(one: &[u8], other: &[u8]) -> bool {
    places(one).eq(places(other))
}

fn places(sdp: &[u8]) -> impl Iterator<Item = (&[u8], Option<u16>)> {
    const KEYS: &[&[u8]] =
        &[b"a=crypto:", b"a=fingerprint:", b"a=ice-ufrag:", b"a=ice-pwd:", b"a=setup:"];
    lines(sdp).filter_map(|line| {
        if is_media(line) {
            return Some((&b"m="[..], Some(port(line))));
        }
        let told = line.starts_with(b"c=") || KEYS.iter().any(|key| line.starts_with(key));
        told.then(|| (line.trim_ascii_end(), None))
    })
}

/// Ends the line under construction, if it lacks its end.
fn end_line(out: &mut Vec<u8>) {
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// Adds the `m=` line with port 0, which rejects it.
fn push_rejected(out: &mut Vec<u8>, media: &[u8]) {
    for (at, word) in media.trim_ascii_end().split(|&byte| byte == b' ').enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(if at == 1 { b"0" } else { word });
    }
    out.extend_from_slice(b"\r\n");
}
