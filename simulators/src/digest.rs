// SPDX-License-Identifier: GPL-3.0-or-later
//! The answer of a client to a digest challenge (RFC 2617, MD5 with and without qop=auth).

use md5::{Digest, Md5};

/// The value of an Authorization header for a challenge.
pub(crate) fn answer(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> String {
    let realm = parameter(challenge, "realm");
    let nonce = parameter(challenge, "nonce");
    let first = hex(&format!("{user}:{realm}:{password}"));
    let second = hex(&format!("{method}:{uri}"));
    let start = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5"
    );
    if parameter(challenge, "qop").split(',').any(|word| word.trim() == "auth") {
        let response = hex(&format!("{first}:{nonce}:00000001:5ca1ab1e:auth:{second}"));
        format!("{start}, qop=auth, nc=00000001, cnonce=\"5ca1ab1e\", response=\"{response}\"")
    } else {
        format!("{start}, response=\"{}\"", hex(&format!("{first}:{nonce}:{second}")))
    }
}

/// The value of a parameter of a challenge, without its quotes; empty if it is absent.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = challenge[from..].find(name) {
        let start = from + at;
        let before = challenge[..start].chars().next_back();
        if let Some(value) = challenge[start + name.len()..].strip_prefix('=')
            && before.is_none_or(|c| c == ' ' || c == ',')
        {
            return match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => value.split(',').next().unwrap_or_default().trim(),
            };
        }
        from = start + name.len();
    }
    ""
}

fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered() {
        // RFC 2617 section 3.5, with the client nonce and count of our own.
        let challenge =
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let answer = answer(challenge, "Mufasa", "Circle Of Life", "GET", "/dir/index.html");
        assert!(answer.ends_with("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{answer}");
    }
}
