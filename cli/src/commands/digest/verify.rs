// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch digest verify`: does what a phone would do, without the phone.

use std::collections::HashMap;

use md5::Md5;
use serde_json::json;
use sha2::{Sha256, Sha512_256};
use sipwitch_dbus_interfaces::DigestProxy;
use zeroize::Zeroizing;

use super::own_name;
use crate::{
    failure::Failure,
    output::Output,
    prompt::{self, Password},
};

/// Says whether a password is the one that is kept.
pub(super) async fn run(output: &Output, digests: &DigestProxy<'_>) -> Result<(), Failure> {
    let status = digests.status("").await?;
    let user = own_name();
    let algorithm = status.algorithms.iter().find_map(|name| Algorithm::from_name(name));
    let Some(algorithm) = algorithm.filter(|_| status.enrolled) else {
        return Err(Failure::new(
            format!("nothing is kept of {user} that a password could be held against"),
            "`sipwitch digest status` says what is",
        ));
    };
    let password = prompt::password(&format!("password of {user} for phones: "))?;
    let response = algorithm.response(&user, &status.realm, &password);
    drop(password);
    let parts = HashMap::from([
        ("username", user.as_str()),
        ("realm", &status.realm),
        ("nonce", NONCE),
        ("method", METHOD),
        ("uri", URI),
        ("algorithm", algorithm.name()),
        ("response", &response),
    ]);
    let is_right = digests.verify_response(&parts).await?;
    output.value(&json!({ "user": user, "right": is_right }));
    if is_right {
        output.line(format!("that is the password with which phones of {user} register"));
        return Ok(());
    }
    Err(Failure::new(
        "that is not the password that is kept",
        "`sipwitch digest enrol` keeps the login password, if that is what you typed",
    ))
}

/// What is signed; the digest service leaves it to us whether a nonce is fresh.
const NONCE: &str = "sipwitch-digest-verify";
const METHOD: &str = "REGISTER";
const URI: &str = "sip:localhost";

#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512Trunc256,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512Trunc256];

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512Trunc256 => "SHA-512-256",
        }
    }

    fn hash(self, parts: &[&str]) -> Zeroizing<String> {
        let bytes = match self {
            Self::Md5 => of::<Md5>(parts),
            Self::Sha256 => of::<Sha256>(parts),
            Self::Sha512Trunc256 => of::<Sha512_256>(parts),
        };
        let mut digits = Zeroizing::new(String::with_capacity(bytes.len() * 2));
        for byte in bytes.iter() {
            for nibble in [byte >> 4, byte & 15] {
                digits.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
            }
        }
        digits
    }

    /// RFC 7616 §3.4.1, as RFC 2069 has it, without a count.
    fn response(self, user: &str, realm: &str, password: &Password) -> String {
        let one = self.hash(&[user, ":", realm, ":", password]);
        let two = self.hash(&[METHOD, ":", URI]);
        self.hash(&[&one, ":", NONCE, ":", &two]).to_string()
    }
}

fn of<H: sha2::Digest>(parts: &[&str]) -> Zeroizing<Vec<u8>> {
    let mut hash = H::new();
    parts.iter().for_each(|part| hash.update(part));
    Zeroizing::new(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_fips_180_and_rfc_1321() {
        for (algorithm, digest) in [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha512Trunc256,
                "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
            ),
        ] {
            assert_eq!(*algorithm.hash(&["a", "bc"]), digest, "{}", algorithm.name());
            assert!(Algorithm::from_name(algorithm.name()).is_some());
        }
    }

    /// RFC 2069 §2.4, as corrected by its erratum 749.
    #[test]
    fn a_response_without_count_is_that_of_rfc_2069() {
        let one = Algorithm::Md5.hash(&["Mufasa", ":", "testrealm@host.com", ":", "CircleOfLife"]);
        let two = Algorithm::Md5.hash(&["GET", ":", "/dir/index.html"]);
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let response = Algorithm::Md5.hash(&[&one, ":", nonce, ":", &two]);
        assert_eq!(*response, "1949323746fe6a43ef61f9606e7febea");
    }
}
