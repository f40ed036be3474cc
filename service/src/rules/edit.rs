// SPDX-License-Identifier: GPL-3.0-or-later
//! Puts rules into the user's text and takes them out, and leaves the rest as he wrote it.

use sipwitch_core::routing::rules::{Rule, RuleFile};

use super::written;
use crate::{config::Mistake, switchboard::ask::Refusal};

const HEADER: &str = "[[rule]]";

fn read(text: &str) -> Result<RuleFile, Refusal> {
    toml::from_str(text)
        .map_err(|error| Refusal::BadValue(Mistake::from_toml(text, &error).to_string()))
}

/// The text with one more rule, before all others or after them.
pub(super) fn add(text: &str, rule: &Rule, first: bool) -> Result<String, Refusal> {
    let old = read(text)?;
    if old.rule.iter().any(|known| known.name == rule.name) {
        return Err(Refusal::BadValue(format!(
            "a rule is called \"{}\" already: remove it first, or choose another name",
            rule.name
        )));
    }
    let mut wanted = old;
    let place = if first { 0 } else { wanted.rule.len() };
    wanted.rule.insert(place, rule.clone());
    let at = headers(text).next().filter(|_| first).unwrap_or(text.len());
    let (before, after) = text.split_at(at);
    let blank = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let gap = if after.is_empty() { "" } else { "\n" };
    let text = format!("{before}{end}{blank}{}{gap}{after}", written(rule));
    Ok(certain(text, &wanted))
}

/// The text without the rule of this name.
pub(super) fn remove(text: &str, name: &str) -> Result<String, Refusal> {
    let mut wanted = read(text)?;
    let Some(at) = wanted.rule.iter().position(|rule| rule.name.as_str() == name) else {
        return Err(Refusal::BadValue(format!(
            "no rule is called \"{}\": `sipwitch rules` lists them",
            name.escape_debug()
        )));
    };
    wanted.rule.remove(at);
    let edited = find(text, name, 0).map(|start| {
        let rest = &text[start + HEADER.len()..];
        let end = sections(rest).next().map_or(text.len(), |next| start + HEADER.len() + next);
        format!("{}{}", &text[..start], &text[end..])
    });
    Ok(certain(edited.unwrap_or_default(), &wanted))
}

/// The text, if it says what is wanted; else what is wanted, written anew: then the comments are
/// lost, and nothing else.
fn certain(text: String, wanted: &RuleFile) -> String {
    match read(&text) {
        Ok(read) if read == *wanted => text,
        _ => toml::to_string(wanted).expect("rules consist of words and lists"),
    }
}

/// Where the rule of this name begins; `turn` counts those of the same name.
pub(super) fn find(text: &str, name: &str, turn: usize) -> Option<usize> {
    let names = |start: &usize| {
        let rest = &text[*start..];
        let body = &rest[HEADER.len().min(rest.len())..];
        let end = sections(body).next().unwrap_or(body.len());
        let table: Option<toml::Table> = body[..end].parse().ok();
        table.is_some_and(|table| table.get("name").and_then(toml::Value::as_str) == Some(name))
    };
    headers(text).filter(names).nth(turn)
}

/// Where lines begin that open a rule.
fn headers(text: &str) -> impl Iterator<Item = usize> + '_ {
    sections(text).filter(|at| text[*at..].starts_with(HEADER))
}

/// Where lines begin that open a section.
fn sections(text: &str) -> impl Iterator<Item = usize> + '_ {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    starts.filter(|at| text[*at..].starts_with('['))
}
