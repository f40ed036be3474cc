// SPDX-License-Identifier: GPL-3.0-or-later
//! Every target over its seeds, and over seeds cut short and changed in single bytes, so that the
//! targets themselves do not rot.

use std::{fs, path::Path};

fn seeds(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root.join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}")) {
            found.push(fs::read(entry.unwrap().path()).unwrap());
        }
    }
    assert!(!found.is_empty());
    found
}

/// Breaks each seed in so many places.
fn run(target: fn(&[u8]), folders: &[&str], places: usize) {
    for seed in seeds(folders) {
        target(&seed);
        let step = (seed.len() / places).max(1);
        for at in (0..seed.len()).step_by(step) {
            target(&seed[..at]);
            for byte in [0, b' ', b'"', b'%', b',', b';', b'<', b'\r', 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] = byte;
                target(&changed);
            }
        }
    }
}

const MESSAGES: [&str; 2] = ["../sip/tests/torture/rfc4475", "../sip/tests/torture/rfc5118"];

#[test]
fn account() {
    run(crate::account, &["seeds/account"], 97);
}

#[test]
fn challenge() {
    run(crate::challenge, &["seeds/challenge"], 97);
}

#[test]
fn credentials() {
    run(crate::credentials, &["seeds/credentials"], 97);
}

#[test]
fn datagram() {
    run(crate::datagram, &MESSAGES, 97);
}

#[test]
fn description() {
    run(crate::description, &["seeds/description"], 211);
}

#[test]
fn digests() {
    run(crate::digests, &["seeds/digests"], 97);
}

#[test]
fn endpoint() {
    run(crate::endpoint, &["seeds/endpoint", MESSAGES[0]], 7);
}

#[test]
fn names() {
    run(crate::names, &["seeds/names"], 97);
}

#[test]
fn provider() {
    run(crate::provider, &["seeds/provider"], 29);
}

#[test]
fn registration() {
    run(crate::registration, &["seeds/registration", MESSAGES[0]], 97);
}

#[test]
fn rules() {
    run(crate::rules, &["seeds/rules"], 29);
}

#[test]
fn stream() {
    run(crate::stream, &["seeds/stream", MESSAGES[0]], 97);
}

#[test]
fn uri() {
    run(crate::uri, &["seeds/uri"], 97);
}

#[test]
fn response() {
    run(crate::response, &["seeds/response"], 400);
}
