// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, sync::Arc};

use rand_core::RngCore;

/// A tag that we gave (RFC 3261 §19.3): 64 random bits, so that it alone finds its dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    /// A fresh one.
    pub(crate) fn random(random: &mut impl RngCore) -> Self {
        Self(random.next_u64())
    }

    /// Reads a tag; None if we cannot have given it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let ours =
            text.len() == 16 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !ours {
            return None;
        }
        u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().map(Self)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A From or To value with our tag.
pub(crate) fn with_tag(value: &[u8], tag: Tag) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(value.len() + 22);
    tagged.extend_from_slice(value);
    tagged.extend_from_slice(b";tag=");
    tagged.extend_from_slice(tag.to_string().as_bytes());
    tagged
}

/// A Call-ID nobody can guess (RFC 3261 §8.1.1.4).
pub(crate) fn new_call_id(random: &mut impl RngCore) -> Arc<[u8]> {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64()).into_bytes().into()
}
