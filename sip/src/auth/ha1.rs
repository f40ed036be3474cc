// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept in place of a password: H(user:realm:password), RFC 7616 §3.4.2.

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use zeroize::Zeroize;

/// The hash under a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// RFC 1321. Weak, but the only one many phones know.
    Md5,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4 §5.3.6.2: SHA-512 with initial values of its own, cut to 256 bits.
    Sha512T256,
}

impl Hash {
    /// Hashes the parts as if they stood in one piece.
    pub(super) fn of(self, parts: &[&[u8]]) -> Output {
        match self {
            Self::Md5 => Output::of::<Md5>(parts),
            Self::Sha256 => Output::of::<Sha256>(parts),
            Self::Sha512T256 => Output::of::<Sha512_256>(parts),
        }
    }

    /// Octets of its output.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 | Self::Sha512T256 => 32,
        }
    }
}

/// The output of a hash, wiped when dropped because it may be as good as a password.
pub(super) struct Output {
    bytes: [u8; 32],
    length: usize,
}

impl Output {
    pub(super) fn of<H: Digest>(parts: &[&[u8]]) -> Self {
        let mut hash = H::new();
        for part in parts {
            hash.update(part);
        }
        let mut bytes = [0; 32];
        let output = hash.finalize();
        bytes[..output.len()].copy_from_slice(&output);
        Self { bytes, length: output.len() }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// In lower-case hexadecimal, as digests enter one another.
    pub(super) fn to_hex(&self) -> Hex {
        let mut hex = Hex { digits: [0; 64], length: self.length * 2 };
        write_hex(self.as_bytes(), &mut hex.digits);
        hex
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// The hexadecimal digits of an [`Output`], wiped when dropped.
pub(super) struct Hex {
    digits: [u8; 64],
    length: usize,
}

impl Hex {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[..self.length]
    }
}

impl Drop for Hex {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

/// Writes two lower-case digits for each byte.
pub(super) fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Reads exactly `out.len()` bytes of hexadecimal in either case.
pub(super) fn read_hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    if digits.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(())
}

/// One digest of a password. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Ha1 {
    hash: Hash,
    bytes: [u8; 32],
}

impl Ha1 {
    /// One made with MD5.
    #[must_use]
    pub fn md5(digest: &[u8; 16]) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(digest);
        Self { hash: Hash::Md5, bytes }
    }

    /// One made with SHA-256.
    #[must_use]
    pub const fn sha256(digest: &[u8; 32]) -> Self {
        Self { hash: Hash::Sha256, bytes: *digest }
    }

    /// One made with SHA-512-256.
    #[must_use]
    pub const fn sha512_256(digest: &[u8; 32]) -> Self {
        Self { hash: Hash::Sha512T256, bytes: *digest }
    }

    /// The hash it was made with.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    pub(super) fn to_hex(&self) -> Hex {
        let length = self.hash.length();
        let mut hex = Hex { digits: [0; 64], length: length * 2 };
        write_hex(&self.bytes[..length], &mut hex.digits);
        hex
    }
}

impl Drop for Ha1 {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({:?}, …)", self.hash)
    }
}

/// The digests of one password under the hashes that most phones know. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Ha1Pair {
    /// With MD5.
    pub md5: [u8; 16],
    /// With SHA-256.
    pub sha256: [u8; 32],
}

impl Ha1Pair {
    /// The digests of a password. They hold for this very spelling of user and realm: a phone that
    /// names itself `101@example.org` needs a pair of its own.
    #[must_use]
    pub fn of(user: &str, realm: &str, password: &str) -> Self {
        let parts: [&[u8]; 5] =
            [user.as_bytes(), b":", realm.as_bytes(), b":", password.as_bytes()];
        let mut pair = Self { md5: [0; 16], sha256: [0; 32] };
        pair.md5.copy_from_slice(Hash::Md5.of(&parts).as_bytes());
        pair.sha256.copy_from_slice(Hash::Sha256.of(&parts).as_bytes());
        pair
    }

    /// The digest under one hash, if there is one.
    #[must_use]
    pub fn under(&self, hash: Hash) -> Option<Ha1> {
        match hash {
            Hash::Md5 => Some(Ha1::md5(&self.md5)),
            Hash::Sha256 => Some(Ha1::sha256(&self.sha256)),
            Hash::Sha512T256 => None,
        }
    }
}

impl Drop for Ha1Pair {
    fn drop(&mut self) {
        self.md5.zeroize();
        self.sha256.zeroize();
    }
}

impl fmt::Debug for Ha1Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1Pair(…)")
    }
}
