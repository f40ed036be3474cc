// SPDX-License-Identifier: GPL-3.0-or-later
//! The phone's side of digest authentication (RFC 7616 §3.4), written anew.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// A challenge, and how often it was answered.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: String,
    algorithm: String,
    pub(super) count: u32,
}

impl Challenge {
    /// The challenge of that algorithm among the values of WWW-Authenticate.
    pub(super) fn read(values: &[&str], algorithm: &str) -> Option<Self> {
        let value = values.iter().find(|value| {
            let named = parameter(value, "algorithm");
            named == algorithm || (named.is_empty() && algorithm == "MD5")
        })?;
        Some(Self {
            realm: parameter(value, "realm"),
            nonce: parameter(value, "nonce"),
            opaque: parameter(value, "opaque"),
            algorithm: algorithm.to_owned(),
            count: 0,
        })
    }

    /// The value of Authorization for one more request.
    pub(super) fn answer(&mut self, user: &str, password: &str, method: &str, uri: &str) -> String {
        self.count += 1;
        let Self { realm, nonce, opaque, algorithm, count } = self;
        let (nc, cnonce) = (format!("{count:08x}"), format!("c{count}"));
        let hash = |text: String| match algorithm.as_str() {
            "SHA-256" => hex(&Sha256::digest(text)),
            "SHA-512-256" => hex(&Sha512_256::digest(text)),
            _ => hex(&Md5::digest(text)),
        };
        let one = hash(format!("{user}:{realm}:{password}"));
        let two = hash(format!("{method}:{uri}"));
        let response = hash(format!("{one}:{nonce}:{nc}:{cnonce}:auth:{two}"));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}, cnonce=\"{cnonce}\", qop=auth, \
             nc={nc}, opaque=\"{opaque}\""
        )
    }
}

/// The value of a parameter of a challenge, unquoted; empty if there is none.
pub(super) fn parameter(value: &str, name: &str) -> String {
    let Some((_, rest)) = value.split_once(&format!("{name}=")) else { return String::new() };
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => rest.split([',', ' ']).next().unwrap_or_default().to_owned(),
    }
}

/// MD5 of a text, in hex.
pub(super) fn hex_md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
