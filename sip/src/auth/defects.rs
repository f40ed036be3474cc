// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones that fail when they are offered more than one algorithm.
//!
//! RFC 8760 §2.4 lets a server send one challenge for each algorithm, and a client picks the first
//! it knows. Some clients look at the first alone, some at the last, and some take any challenge
//! they do not know as a failure of the whole response, so that no order serves them all. Those that
//! were seen to fail are offered MD5 alone, if it is offered at all. Clients that do not say what
//! they are count among them: phones say it, test tools such as SIPp (which looks at the first) do
//! not.
//!
//! Nothing is lost by believing the User-Agent: who could forge it could as well remove the better
//! challenge from an answer that offers both.

use super::{Algorithm, Hash};
use crate::wire::{Request, name};

/// The beginning of a word of the User-Agent, and the version from which on it is no longer true, if one is
/// known.
const MD5_ONLY: &[(&str, Option<u32>)] = &[
    // libre knew MD5 alone until its 2.x, and gives up with ENOSYS otherwise.
    ("baresip v", Some(2)),
    // 0.9.8 looks at the first challenge.
    ("sipsak", None),
    // sofia-sip (GNOME Calls, telepathy-rakia) gives up in whichever order they come.
    ("sofia-sip/", None),
    // 1.10 looks at the last.
    ("Twinkle/", None),
];

/// The algorithms to offer to whoever sent the request.
pub(super) fn algorithms_for<'a>(
    request: &Request,
    offered: &'a [Algorithm],
) -> impl Iterator<Item = &'a Algorithm> {
    let is_md5 = |algorithm: &Algorithm| algorithm.hash() == Hash::Md5;
    let only_md5 = offered.iter().any(is_md5)
        && request.headers().value(&name::USER_AGENT).is_none_or(|agent| is_defective(&agent));
    offered.iter().filter(move |algorithm| !only_md5 || is_md5(algorithm))
}

fn is_defective(agent: &[u8]) -> bool {
    MD5_ONLY.iter().any(|(product, mended)| {
        // A library names itself after the program that uses it.
        let stands_at = agent.windows(product.len()).position(|part| part == product.as_bytes());
        let Some(at) = stands_at.filter(|at| *at == 0 || agent[at - 1] == b' ') else {
            return false;
        };
        let version = &agent[at + product.len()..];
        let digits: String =
            version.iter().take_while(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
        match (mended, digits.parse::<u32>()) {
            (Some(mended), Ok(version)) => version < *mended,
            (Some(_), Err(_)) | (None, _) => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_versions_are_taken_for_defective() {
        assert!(is_defective(b"baresip v1.0.0 (x86_64/linux)"));
        assert!(is_defective(b"baresip v0.6.6"));
        assert!(is_defective(b"sipsak 0.9.8.1"));
        assert!(is_defective(b"Twinkle/1.10.2"));
        assert!(is_defective(b"Telepathy-Rakia/0.8.0 sofia-sip/1.12.11"));
        assert!(!is_defective(b"notsofia-sip/1"));
        assert!(!is_defective(b"baresip v3.5.1 (x86_64/linux)"));
        assert!(!is_defective(b"Linphone/5.1"));
    }
}
