// SPDX-License-Identifier: GPL-3.0-or-later
//! What an account wants otherwise than its provider, one key at a time: `server.port`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::file::AccountFile;

/// The sections whose keys can be set. The others have ways of their own.
const SECTIONS: &[&str] =
    &["server", "auth", "register", "identity", "numbers", "nat", "costs", "trunk"];

/// Keys whose values are no single words.
const NUMBERS: &[&str] = &[
    "server.port",
    "server.tls-port",
    "register.expires-seconds",
    "nat.keepalive.interval-seconds",
    "costs.included-minutes",
    "costs.cap-minutes",
    "costs.calls",
];
const TRUTHS: &[&str] = &["register.required", "identity.hide-number"];
const LISTS: &[&str] = &[
    "server.transports",
    "server.ip",
    "auth.algorithms",
    "numbers.own",
    "numbers.only",
    "numbers.domains",
    "trunk.sources",
];

/// The keys that are set, and their values: a word as it is, everything else as in the file.
pub(super) fn read(file: &AccountFile) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let table = Table::try_from(file).unwrap_or_default();
    for section in SECTIONS {
        if let Some(Value::Table(keys)) = table.get(*section) {
            flatten(section, keys, &mut found);
        }
    }
    found
}

fn flatten(path: &str, table: &Table, found: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = format!("{path}.{key}");
        match value {
            Value::Table(table) => flatten(&path, table, found),
            Value::String(word) => drop(found.insert(path, word.clone())),
            Value::Array(items) if items.iter().all(Value::is_str) => {
                let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                found.insert(path, words.join(","));
            }
            other => drop(found.insert(path, other.to_string())),
        }
    }
}

/// Sets keys, or takes them away where the value is empty.
///
/// # Errors
///
/// The first that cannot be set, named.
pub(super) fn write(
    file: &AccountFile,
    settings: &[(String, String)],
) -> Result<AccountFile, String> {
    let mut table = Table::try_from(file).map_err(|error| error.to_string())?;
    for (key, text) in settings {
        let mut parts = key.split('.');
        let section = parts.next().unwrap_or_default();
        if !SECTIONS.contains(&section) {
            let key: String = key.chars().take(48).collect();
            return Err(format!(
                "{}: no such setting: they begin with {}, as in server.port",
                key.escape_debug(),
                SECTIONS.join(". or ") + "."
            ));
        }
        let rest: Vec<&str> = parts.collect();
        let value = if text.trim().is_empty() { None } else { Some(value(key, text)?) };
        set(&mut table, section, &rest, value).map_err(|()| format!("{key}: no such setting"))?;
    }
    let text = toml::to_string(&table).map_err(|error| error.to_string())?;
    AccountFile::parse(&text).map_err(|mistake| match mistake.key.as_str() {
        "" => mistake.words,
        key => format!("{key}: {}", mistake.words),
    })
}

fn set(table: &mut Table, key: &str, rest: &[&str], value: Option<Value>) -> Result<(), ()> {
    let Some((next, rest)) = rest.split_first() else {
        match value {
            Some(value) => drop(table.insert(key.into(), value)),
            None => drop(table.remove(key)),
        }
        return Ok(());
    };
    let below = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(below) = below else { return Err(()) };
    set(below, next, rest, value)?;
    if below.is_empty() {
        table.remove(key);
    }
    Ok(())
}

fn value(key: &str, text: &str) -> Result<Value, String> {
    let text = text.trim();
    if NUMBERS.contains(&key) {
        let number = text.parse().map_err(|_| format!("{key}: it must be a number"))?;
        return Ok(Value::Integer(number));
    }
    if TRUTHS.contains(&key) {
        let truth = text.parse().map_err(|_| format!("{key}: it must be true or false"))?;
        return Ok(Value::Boolean(truth));
    }
    if LISTS.contains(&key) {
        // As in the file, or words with commas between them.
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let words = inside.unwrap_or(text).split(',').map(unquoted);
        return Ok(Value::Array(
            words.filter(|word| !word.is_empty()).map(|word| Value::String(word.into())).collect(),
        ));
    }
    Ok(Value::String(unquoted(text).into()))
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}
