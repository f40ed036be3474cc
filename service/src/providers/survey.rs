// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks over a file before it is read: what schema it has, what in it is unknown here, and what
//! must not be in it.

use toml::de::{DeTable, DeValue};

use super::{
    SCHEMA,
    keys::{self, Value},
};
use crate::config::Mistake;

/// More than so many unknown keys are told no one by one.
const MOST_WARNINGS: usize = 50;

/// Words of which a key that asks for a secret is made.
const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "secret",
    "pin",
    "token",
    "credential",
    "credentials",
    "ha1",
];
/// Words of which a key that names a program is made.
const HOOKS: &[&str] =
    &["exec", "execute", "command", "cmd", "script", "hook", "hooks", "shell", "program"];

/// Looks over a file; gives what is unknown in it, in the order of the text.
///
/// # Errors
///
/// If it is no TOML, of another schema, or holds what no provider's file may hold.
pub(super) fn survey(text: &str) -> Result<Vec<Mistake>, Mistake> {
    let file = DeTable::parse(text).map_err(|error| Mistake::from_toml(text, &error))?;
    check_schema(text, file.get_ref())?;
    let mut survey = Survey { text, unknown: Vec::new() };
    survey.table("", file.get_ref())?;
    let mut unknown = survey.unknown;
    unknown.sort_by_key(|mistake| (mistake.line, mistake.column));
    if unknown.len() > MOST_WARNINGS {
        let more = unknown.len() - MOST_WARNINGS;
        unknown.truncate(MOST_WARNINGS);
        if let Some(last) = unknown.last_mut() {
            last.words.push_str(&format!("; and {more} more unknown keys follow"));
        }
    }
    Ok(unknown)
}

/// First of all: a file of another schema may mean anything by the rest.
fn check_schema(text: &str, file: &DeTable<'_>) -> Result<(), Mistake> {
    let Some((_, schema)) = file.iter().find(|(key, _)| key.get_ref().as_ref() == "schema") else {
        let words = format!("missing: begin the file with schema = {SCHEMA}");
        return Err(Mistake::at(text, 0, "schema", words));
    };
    let number = schema.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
    if number == Some(i64::from(SCHEMA)) {
        return Ok(());
    }
    let words = format!("only schema {SCHEMA} is understood here: this file needs a later version");
    Err(Mistake::at(text, schema.span().start, "schema", words))
}

struct Survey<'a> {
    text: &'a str,
    unknown: Vec<Mistake>,
}

impl Survey<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Result<(), Mistake> {
        for (name, value) in table {
            let (name, start) = (name.get_ref().as_ref(), name.span().start);
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            match keys::find(&path) {
                Some(key) => self.known(&path, key.value, value.get_ref())?,
                None => {
                    self.forbidden(&path, name, start)?;
                    let words = self.suggestion(&path, name);
                    self.unknown.push(Mistake::at(self.text, start, &cut(&path), words));
                    self.unknown_value(&path, value.get_ref())?;
                }
            }
        }
        Ok(())
    }

    /// A value of a wrong type is for the reading to refuse.
    fn known(&mut self, path: &str, key: Value, value: &DeValue<'_>) -> Result<(), Mistake> {
        match (key, value) {
            (Value::Tables, DeValue::Array(items)) => {
                for item in items {
                    if let DeValue::Table(table) = item.get_ref() {
                        self.table(path, table)?;
                    }
                }
                Ok(())
            }
            (_, DeValue::Table(table)) => self.table(path, table),
            _ => Ok(()),
        }
    }

    /// What is unknown may hold anything but what is forbidden.
    fn unknown_value(&self, path: &str, value: &DeValue<'_>) -> Result<(), Mistake> {
        match value {
            DeValue::Array(items) => {
                items.iter().try_for_each(|item| self.unknown_value(path, item.get_ref()))
            }
            DeValue::Table(table) => table.iter().try_for_each(|(name, value)| {
                let (name, start) = (name.get_ref().as_ref(), name.span().start);
                self.forbidden(path, name, start)?;
                self.unknown_value(path, value.get_ref())
            }),
            _ => Ok(()),
        }
    }

    fn forbidden(&self, path: &str, name: &str, start: usize) -> Result<(), Mistake> {
        let lower = name.to_ascii_lowercase();
        let made_of =
            |words: &[&str]| lower.split(['-', '_', '.', ' ']).any(|w| words.contains(&w));
        let words = if made_of(SECRETS) {
            "a provider's file holds no secrets: have it asked for by a field of [ask] with secret = \
             true"
        } else if made_of(HOOKS) {
            "a provider's file runs nothing: it holds facts alone"
        } else {
            return Ok(());
        };
        Err(Mistake::at(self.text, start, &cut(path), words.into()))
    }

    fn suggestion(&self, path: &str, name: &str) -> String {
        let table = path.strip_suffix(name).and_then(|path| path.strip_suffix('.')).unwrap_or("");
        let known: Vec<&str> = keys::below(table).filter(|name| *name != "*").collect();
        let name: String = name.chars().take(48).collect();
        let name = name.escape_debug();
        match Mistake::nearest(&name.to_string(), &known) {
            Some(near) => format!("unknown key \"{name}\": did you mean \"{near}\"?"),
            None => format!("unknown key \"{name}\": it has no effect here"),
        }
    }
}

fn cut(path: &str) -> String {
    path.chars().take(80).flat_map(char::escape_debug).collect()
}
