// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch rules`

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde_json::json;
use sipwitch_dbus_interfaces::{
    RulesProxy,
    wire::{RuleInfo, RuleOptions},
};

use crate::{
    arguments::{RuleArguments, Rules},
    failure::Failure,
    output::{Mood, Output},
    service::Service,
};

/// The most bytes of a file of rules.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Looks after the rules of routing.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Rules>,
) -> Result<(), Failure> {
    let proxy = RulesProxy::new(&service.connection).await?;
    match command.unwrap_or(Rules::List) {
        Rules::List => list(&proxy, output).await,
        Rules::Check { file } => check(&proxy, output, &file).await,
        Rules::Add { rule } => {
            let options = RuleOptions { first: rule.first.then_some(true) };
            let name = rule.name.clone();
            proxy.add(&of(*rule), &options).await?;
            done(output, &name, "added")
        }
        Rules::Remove { name } => {
            proxy.remove(&name).await?;
            done(output, &name, "removed")
        }
    }
}

fn done(output: &Output, name: &str, what: &str) -> Result<(), Failure> {
    output.value(&json!({ "rule": name, "done": what }));
    output.line(format!("rule \"{name}\" {what}"));
    Ok(())
}

fn of(rule: RuleArguments) -> RuleInfo {
    let list = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    RuleInfo {
        name: rule.name,
        numbers: list(rule.numbers),
        domains: list(rule.domains),
        classes: list(rule.classes),
        from: list(rule.from),
        days: list(rule.days),
        hours: rule.hours,
        action: rule.action,
        strip: rule.strip,
        prefix: rule.prefix,
        suffix: rule.suffix,
        prefer: list(rule.prefer),
        only: list(rule.only),
        never: list(rule.never),
    }
}

/// The parts of a rule, in the order in which a person reads them; `about` comes first.
fn parts(rule: &RuleInfo) -> Vec<(&'static str, bool, String)> {
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(" "));
    [
        ("numbers", true, list(&rule.numbers)),
        ("domains", true, list(&rule.domains)),
        ("classes", true, list(&rule.classes)),
        ("from", true, list(&rule.from)),
        ("days", true, list(&rule.days)),
        ("hours", true, rule.hours.clone()),
        ("action", false, rule.action.clone()),
        ("strip", false, rule.strip.clone()),
        ("prefix", false, rule.prefix.clone()),
        ("suffix", false, rule.suffix.clone()),
        ("prefer", false, list(&rule.prefer)),
        ("only", false, list(&rule.only)),
        ("never", false, list(&rule.never)),
    ]
    .into_iter()
    .filter_map(|(key, about, value)| Some((key, about, value?)))
    .collect()
}

async fn list(proxy: &RulesProxy<'_>, output: &Output) -> Result<(), Failure> {
    let rules = proxy.list().await?;
    let values: Vec<_> = rules
        .iter()
        .map(|rule| {
            json!({
                "name": rule.name,
                "numbers": rule.numbers,
                "domains": rule.domains,
                "classes": rule.classes,
                "from": rule.from,
                "days": rule.days,
                "hours": rule.hours,
                "action": rule.action,
                "strip": rule.strip,
                "prefix": rule.prefix,
                "suffix": rule.suffix,
                "prefer": rule.prefer,
                "only": rule.only,
                "never": rule.never,
            })
        })
        .collect();
    output.value(&values);
    let cell = |rule: &RuleInfo, about: bool| {
        let parts = parts(rule).into_iter().filter(|(_, is_about, _)| *is_about == about);
        let parts: Vec<_> = parts.map(|(key, _, value)| format!("{key} {value}")).collect();
        if parts.is_empty() { "every call".to_owned() } else { parts.join(", ") }
    };
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| vec![rule.name.clone(), cell(rule, true), cell(rule, false)])
        .collect();
    output.table(
        &["RULE", "ABOUT", "SAYS"],
        &rows,
        "no rules: calls take the line that costs least; `sipwitch rules add` makes one",
    );
    Ok(())
}

async fn check(proxy: &RulesProxy<'_>, output: &Output, path: &Path) -> Result<(), Failure> {
    let unreadable =
        |why: io::Error| Failure::new(format!("cannot read {}: {why}", path.display()), "");
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if read as u64 > MAX_FILE {
        return Err(unreadable(io::Error::other("it is larger than 4 MiB")));
    }
    proxy.check(&text).await.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.cause = format!("{}:{}", path.display(), failure.cause);
        failure
    })?;
    output.value(&json!({ "file": path, "valid": true }));
    output.line(format!("{}: {}", path.display(), output.paint(Mood::Good, "valid")));
    Ok(())
}
