// SPDX-License-Identifier: GPL-3.0-or-later
//! What a session service hands over of a phone's answer: lines of NAME=VALUE stand for the dictionary.

use std::collections::HashMap;

use sipwitch_digest_service::Response;

/// A response to a challenge.
pub fn response(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parts: HashMap<String, String> = text
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Ok(response) = Response::read(&parts) else { return };
    assert_eq!(Response::read(&parts).as_ref(), Ok(&response), "it is read alike each time");
    let ha1 = |password: &[u8]| response.algorithm.ha1(&response.user, &response.realm, password);
    let right = [&b"secret"[..], b"other"].map(|password| response.is_of(&ha1(password)));
    assert!(!(right[0] && right[1]), "it is of two passwords");
    // Without its answer it is none.
    let mut parts = parts;
    parts.remove("response");
    assert!(Response::read(&parts).is_err());
}
