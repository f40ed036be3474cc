// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept instead of a password: HA1 = H(user ":" realm ":" password), RFC 7616 §3.4.2.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::entry::{Name, Realm};

/// A hash that SIP knows (RFC 7616 §6.1, RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// For phones that know no other. Passwords are guessed fastest from this one.
    Md5,
    /// The one that is kept unless another is asked for.
    Sha256,
    /// SHA-512 cut to 256 bits, with initial values of its own (FIPS 180-4 §5.3.6.2).
    Sha512T256,
}

/// Nobody knows an algorithm of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm")]
pub struct UnknownAlgorithm;

/// A digest. It prints as nothing, compares in constant time, and wipes itself.
#[derive(Clone)]
pub struct Ha1(Zeroizing<String>);

impl Algorithm {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Sha512T256, Self::Sha256, Self::Md5];

    /// The name in the file and in SIP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512T256 => "SHA-512-256",
        }
    }

    /// How many hexadecimal digits a digest has.
    #[must_use]
    pub fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512T256 => 64,
        }
    }

    /// The digest of a password. Its bytes are taken as they are: Linux gives them without a character
    /// set, and whoever typed them typed them in UTF-8, as RFC 7616 §4 wants.
    #[must_use]
    pub fn ha1(self, name: &Name, realm: &Realm, password: &[u8]) -> Ha1 {
        Ha1(self.hash(&[name.as_str().as_bytes(), realm.as_str().as_bytes(), password]))
    }

    /// The hash of parts with colons between them, in lower-case hexadecimal: what every step of a
    /// digest is made of (RFC 7616 §3.4).
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> Zeroizing<String> {
        fn hash<D: Digest>(parts: &[&[u8]]) -> Zeroizing<String> {
            let mut hash = D::new();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            let bytes = Zeroizing::new(hash.finalize().to_vec());
            let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
            for byte in bytes.iter() {
                let _ = write!(*text, "{byte:02x}"); // writing into a String cannot fail
            }
            text
        }
        match self {
            Self::Md5 => hash::<Md5>(parts),
            Self::Sha256 => hash::<Sha256>(parts),
            Self::Sha512T256 => hash::<Sha512_256>(parts),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Upper and lower case alike.
impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let same = |name: &str| text.eq_ignore_ascii_case(name);
        match Self::ALL.into_iter().find(|algorithm| same(algorithm.name())) {
            Some(algorithm) => Ok(algorithm),
            // As in the options of the module.
            None if same("sha256") => Ok(Self::Sha256),
            None if same("sha512-256") => Ok(Self::Sha512T256),
            None => Err(UnknownAlgorithm),
        }
    }
}

impl Ha1 {
    /// Reads a digest that has the length of this algorithm's.
    #[must_use]
    pub fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let hexadecimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (hexadecimal && text.len() == algorithm.digits())
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Lower-case hexadecimal digits, which is how SIP hashes on. A secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Ha1 {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Ha1 {}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (Name, Realm) {
        ("Mufasa".parse().unwrap(), "http-auth@example.org".parse().unwrap())
    }

    #[test]
    fn digests_are_those_of_md5sum_sha256sum_and_openssl() {
        let (name, realm) = names();
        for (algorithm, wanted) in [
            (Algorithm::Md5, "3d78807defe7de2157e2b0b6573a855f"),
            (Algorithm::Sha256, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"),
            (
                Algorithm::Sha512T256,
                "fb174f5c3c7802721517cae13b98e2b8dae2e0118cb705d94ee29946319204ce",
            ),
        ] {
            let ha1 = algorithm.ha1(&name, &realm, b"Circle of Life");
            assert_eq!(ha1.reveal(), wanted, "{algorithm}");
            assert_eq!(Ha1::parse(algorithm, wanted), Some(ha1));
        }
    }

    #[test]
    fn algorithms_are_read_as_they_are_written_and_as_options() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            assert_eq!(algorithm.name().to_lowercase().parse(), Ok(algorithm));
        }
        assert_eq!("sha256".parse(), Ok(Algorithm::Sha256));
        assert_eq!("sha512-256".parse(), Ok(Algorithm::Sha512T256));
        assert_eq!("sha-1".parse::<Algorithm>(), Err(UnknownAlgorithm));
    }

    #[test]
    fn a_digest_of_another_length_or_in_capitals_is_none() {
        for text in
            ["", "3d78", "3D78807DEFE7DE2157E2B0B6573A855F", &"g".repeat(32), &"a".repeat(64)]
        {
            assert_eq!(Ha1::parse(Algorithm::Md5, text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_is_not_printed() {
        let (name, realm) = names();
        let ha1 = Algorithm::Md5.ha1(&name, &realm, b"x");
        assert_eq!(format!("{ha1:?}"), "Ha1(..)");
    }
}
