// SPDX-License-Identifier: GPL-3.0-or-later
//! Names that reach one device of an extension (RFC 5627).
//!
//! A public GRUU is the address of record with the instance in its `gr` parameter. A temporary one
//! hides both: its user part is the phone's number and a counter, encrypted. The encryption is a
//! synthetic initialisation vector and a stream made from it (the construction of RFC 5297), with
//! HMAC-SHA-256 as its function: two tokens tell nothing about whether they are for one phone
//! (RFC 5627 §5.4.2), and none can be made up.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::PhoneId;

const PLAIN: usize = 12;
const VECTOR: usize = 13;
const SEALED: usize = VECTOR + PLAIN;
/// 25 bytes are 40 letters without padding.
const LETTERS: usize = SEALED * 8 / 5;
const PREFIX: &str = "tgruu.";
/// Lower case, for those who fold it; without the letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

pub(super) struct Gruus {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Gruus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gruus(…)")
    }
}

impl Gruus {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key)
            .expect("HMAC takes keys of any length (RFC 2104 §2)");
        Self { mac }
    }

    /// The user part of a temporary GRUU.
    pub(super) fn seal(&self, phone: PhoneId, number: u32) -> String {
        let mut plain = [0; PLAIN];
        plain[..8].copy_from_slice(&phone.0.to_be_bytes());
        plain[8..].copy_from_slice(&number.to_be_bytes());
        let mut sealed = [0; SEALED];
        sealed[..VECTOR].copy_from_slice(&self.derive(b"gruu vector", &plain)[..VECTOR]);
        let stream = self.derive(b"gruu stream", &sealed[..VECTOR]);
        for (at, byte) in plain.iter().enumerate() {
            sealed[VECTOR + at] = byte ^ stream[at];
        }
        let mut text = String::with_capacity(PREFIX.len() + LETTERS);
        text.push_str(PREFIX);
        for block in sealed.chunks_exact(5) {
            let bits = block.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for letter in (0..8).rev() {
                text.push(char::from(ALPHABET[(bits >> (letter * 5) & 31) as usize]));
            }
        }
        text
    }

    /// Whose it is, and its number. None if we never made it.
    pub(super) fn open(&self, user: &str) -> Option<(PhoneId, u32)> {
        let letters = user.strip_prefix(PREFIX)?.as_bytes();
        if letters.len() != LETTERS {
            return None;
        }
        let mut sealed = [0; SEALED];
        for (block, letters) in sealed.chunks_exact_mut(5).zip(letters.chunks_exact(8)) {
            let mut bits = 0_u64;
            for letter in letters {
                let value = ALPHABET.iter().position(|known| known == letter)?;
                bits = bits << 5 | value as u64;
            }
            block.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        let (vector, hidden) = sealed.split_at(VECTOR);
        let stream = self.derive(b"gruu stream", vector);
        let mut plain = [0; PLAIN];
        for (at, byte) in hidden.iter().enumerate() {
            plain[at] = byte ^ stream[at];
        }
        let right = self.derive(b"gruu vector", &plain);
        if !bool::from(right[..VECTOR].ct_eq(vector)) {
            return None;
        }
        let mut phone = [0; 8];
        phone.copy_from_slice(&plain[..8]);
        let mut number = [0; 4];
        number.copy_from_slice(&plain[8..]);
        Some((PhoneId(u64::from_be_bytes(phone)), u32::from_be_bytes(number)))
    }

    fn derive(&self, purpose: &[u8], text: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(purpose);
        mac.update(b":");
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

/// A `gr` value as it may stand in a URI parameter (RFC 3261 §25.1 `paramchar`).
pub(super) fn escape(instance: &str) -> String {
    let mut out = String::with_capacity(instance.len());
    for byte in instance.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The instance a `gr` value names.
pub(super) fn unescape(gr: &[u8]) -> String {
    let mut out = Vec::with_capacity(gr.len());
    let mut rest = gr;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (*byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
