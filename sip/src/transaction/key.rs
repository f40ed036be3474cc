// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::hash_map::DefaultHasher,
    hash::{BuildHasherDefault, Hasher},
};

use crate::wire::{CSeq, Method, Request, Via};

/// What identifies a request (RFC 3261 §17.2.3), as a hash with a secret: 128 bits of which nobody
/// outside can find two alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u128);

/// Makes keys and whatever else nobody outside may guess from what it is made of.
pub(super) struct Keys {
    secret: [u64; 2],
}

impl Keys {
    pub(super) const fn new(secret: [u64; 2]) -> Self {
        Self { secret }
    }

    fn of(&self, kind: u8, parts: &[&[u8]]) -> u128 {
        let mut halves = self.secret.map(|secret| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret);
            hasher.write_u64(secret.rotate_left(32) ^ self.secret[1]);
            hasher.write_u8(kind);
            hasher
        });
        for half in &mut halves {
            for part in parts {
                half.write_usize(part.len());
                half.write(part);
            }
        }
        u128::from(halves[0].finish()) << 64 | u128::from(halves[1].finish())
    }

    /// The transaction that a request belongs to. With `method` INVITE for an ACK or a CANCEL it is
    /// the transaction these are about.
    pub(super) fn transaction(&self, request: &Request, via: &Via<'_>, method: &Method) -> Key {
        let method = method.as_bytes();
        if let (true, Some(branch)) = (via.has_unique_branch(), via.branch()) {
            let port = via.port.unwrap_or(0).to_be_bytes();
            let host = via.host.to_ascii_lowercase();
            return Key(self.of(b'b', &[branch, &host, &port, method]));
        }
        // RFC 2543 knew no unique branches: the whole of what does not change is compared, without
        // the To tag, which only the ACK has.
        let uri = request.uri().to_bytes();
        let field = request.via().unwrap_or_default();
        let from_tag = request.from_tag().unwrap_or_default();
        let call_id = request.call_id().unwrap_or_default();
        let number = request.cseq().map(|cseq| cseq.number).unwrap_or_default().to_be_bytes();
        let hop = &field[..via.length];
        Key(self.of(b'o', &[hop, &uri, &from_tag, &call_id, &number, method]))
    }

    /// What copies of one request have in common that came on different ways (RFC 3261 §8.2.2.2).
    pub(super) fn merge(&self, request: &Request, cseq: &CSeq) -> Option<Key> {
        let from_tag = request.from_tag()?;
        let call_id = request.call_id().ok()?;
        let number = cseq.number.to_be_bytes();
        Some(Key(self.of(b'm', &[&from_tag, &call_id, &number, cseq.method.as_bytes()])))
    }

    /// A To tag that is the same for each repetition of the request.
    pub(super) fn tag(&self, request: &Request) -> String {
        let from_tag = request.from_tag().unwrap_or_default();
        let call_id = request.call_id().unwrap_or_default();
        let via = request.via().unwrap_or_default();
        let branch = Via::first(&via).ok().and_then(|via| via.branch()).unwrap_or_default();
        format!("{:016x}", self.of(b't', &[&from_tag, &call_id, branch]) as u64)
    }

    /// A short name for a To tag.
    pub(super) fn short(&self, tag: &[u8]) -> u64 {
        self.of(b's', &[tag]) as u64
    }
}

/// Maps by key need no further hashing.
pub(super) type KeyMap = std::collections::HashMap<Key, super::ServerId, BuildHasherDefault<Fold>>;

/// Takes one half of a key as its hash.
#[derive(Default)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}
