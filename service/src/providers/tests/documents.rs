// SPDX-License-Identifier: GPL-3.0-or-later
//! The documents say what the program reads. Between their marks they are made from the list of
//! keys: `TEST_OVERWRITE=1 cargo test -p sipwitch-service documents` writes them anew.

use std::{fmt::Write as _, fs, path::Path};

use super::Provider;
use crate::providers::keys::{KEYS, Key, Value};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Compares what is between two lines of a document, or writes it.
fn between(document: &str, begin: &str, end: &str, wanted: &str) {
    let path = Path::new(ROOT).join(document);
    let text = fs::read_to_string(&path).expect("the document is there");
    let start = text.find(&format!("{begin}\n")).expect("it has its first mark") + begin.len() + 1;
    let stop = start + text[start..].find(end).expect("it has its last mark");
    if std::env::var_os("TEST_OVERWRITE").is_some() {
        fs::write(&path, format!("{}{wanted}{}", &text[..start], &text[stop..])).expect("written");
        return;
    }
    assert!(
        text[start..stop] == *wanted,
        "{document} does not fit the list of keys: run TEST_OVERWRITE=1 cargo test -p \
         sipwitch-service documents, and look at what it changes"
    );
}

/// The table that a key stands in, and its name there.
fn parts(key: &Key) -> (&'static str, &'static str) {
    key.path.split_once('.').unwrap_or(("", key.path))
}

#[test]
fn the_guide_for_contributors_has_every_key() {
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        let (of, name) = parts(key);
        match (of, key.value) {
            ("", Value::Table) => {
                table = key.path;
                write!(text, "\n### `[{table}]`\n\n{}\n\n", key.words).unwrap();
                text.push_str("| key | value | what it says |\n|---|---|---|\n");
                continue;
            }
            ("", _) if text.is_empty() => {
                text.push_str("\n### Before all tables\n\n");
                text.push_str("| key | value | what it says |\n|---|---|---|\n");
            }
            _ => {}
        }
        let (words, value) = (key.words.replace('|', "\\|"), key.value.describe());
        let _ = writeln!(
            text,
            "| `{}` | {} | {words} |",
            if of == table { name } else { key.path },
            value.replace('|', "\\|")
        );
    }
    text.push('\n');
    between(
        "docs/providers.md",
        "<!-- keys: made from service/src/providers/keys.rs -->",
        "<!-- end of keys -->",
        &text,
    );
}

#[test]
fn the_manual_has_every_key() {
    let plain = |text: &str| {
        let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
        if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
    };
    let mut text = String::new();
    for key in KEYS {
        if let ("", Value::Table) = (parts(key).0, key.value) {
            let _ = write!(text, ".SS [{}]\n{}\n", key.path, plain(key.words));
            continue;
        }
        let value = plain(&key.value.describe());
        let _ = write!(
            text,
            ".TP\n.BR {} \" ({})\"\n{}\n",
            plain(key.path),
            value.replace('"', "\\(dq"),
            plain(key.words)
        );
    }
    between(
        "data/man/sipwitch-provider.5",
        ".\\\" keys: made from service/src/providers/keys.rs",
        ".\\\" end of keys",
        &text,
    );
}

#[test]
fn the_example_of_the_guide_is_a_provider() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/providers.md")).unwrap();
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let parsed = Provider::parse(example.expect("an example")).expect("it is sound");
    assert_eq!(parsed.warnings, []);
}
