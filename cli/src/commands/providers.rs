// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch providers`

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sipwitch_dbus_interfaces::{
    Error, ProvidersProxy,
    wire::{
        CheckOptions, LanguageOptions, NoOptions, ProblemInfo, ProviderFilter, ProviderInfo,
        QuestionInfo, Severity,
    },
};

use crate::{
    arguments::{ProviderFilterArguments, Providers},
    failure::Failure,
    output::{Mood, Output},
    service::Service,
};

/// More of a file is not read: no provider is larger, and one byte more shows it.
const LARGEST: u64 = 64 * 1024 + 1;

/// Tells what is known of providers.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Providers>,
) -> Result<(), Failure> {
    let proxy = ProvidersProxy::new(&service.connection).await?;
    match command.unwrap_or_else(|| Providers::List(ProviderFilterArguments::default())) {
        Providers::List(filter) => list(&proxy, output, filter).await,
        Providers::Show { id } => show(&proxy, output, &id).await,
        Providers::Check { files } => check(&proxy, output, &files).await,
    }
}

async fn list(
    proxy: &ProvidersProxy<'_>,
    output: &Output,
    arguments: ProviderFilterArguments,
) -> Result<(), Failure> {
    let filter = ProviderFilter {
        country: arguments.country,
        kind: arguments.kind.map(|kind| kind.parse()).transpose().map_err(
            |error: sipwitch_dbus_interfaces::wire::UnknownWord| {
                Failure::usage(error.to_string(), "")
            },
        )?,
        search: (!arguments.search.is_empty()).then(|| arguments.search.join(" ")),
        language: language(),
    };
    let providers = proxy.list_providers(&filter).await?;
    let values: Vec<Value> = providers
        .iter()
        .map(|provider| {
            json!({
                "id": provider.id,
                "name": provider.name,
                "country": provider.country,
                "kind": provider.kind.as_str(),
                "domain": provider.domain,
                "emergency": provider.emergency.as_str(),
                "note": provider.note,
                "origin": provider.origin,
            })
        })
        .collect();
    output.value(&values);
    let rows: Vec<Vec<String>> = providers
        .into_iter()
        .map(|provider| {
            let country = provider.country.join(" ");
            vec![provider.id, country, provider.kind.to_string(), provider.name]
        })
        .collect();
    let nothing = if filter == (ProviderFilter { language: language(), ..Default::default() }) {
        "no provider is installed; any account can be made with a domain and a password"
    } else {
        "none fits; `sipwitch providers list` shows all, and any-sip-provider fits any"
    };
    output.table(&["ID", "COUNTRY", "KIND", "NAME"], &rows, nothing);
    // Whoever looks for a provider whose file is refused is to see why it is not there.
    for problem in proxy.list_problems(&NoOptions {}).await? {
        if problem.severity == Severity::Fatal {
            output.line(output.paint(Mood::Doubtful, &format!("! {}", place(&problem, ""))));
        }
    }
    Ok(())
}

async fn show(proxy: &ProvidersProxy<'_>, output: &Output, id: &str) -> Result<(), Failure> {
    let options = LanguageOptions { language: language() };
    let provider = proxy.get_provider(id, &options).await.map_err(|error| match error {
        Error::NoSuchProvider(_) => {
            Failure::new(format!("there is no provider {id}"), "`sipwitch providers` lists them")
        }
        other => other.into(),
    })?;
    output.value(&as_json(&provider));
    let line = |name: &str, text: &str| {
        if !text.is_empty() {
            output.line(format!("  {name:<14} {text}"));
        }
    };
    output.line(output.paint(Mood::Good, &provider.name));
    line("id", &provider.id);
    line("kind", provider.kind.as_str());
    line("country", &provider.country.join(" "));
    line("domain", &provider.domain);
    line("emergency", provider.emergency.as_str());
    line("note", provider.note.as_deref().unwrap_or_default());
    line("docs", provider.docs.as_deref().unwrap_or_default());
    let verified = provider.verified.as_deref().map(|at| format!(", verified {at}"));
    line("evidence", &(provider.evidence.join(", ") + &verified.unwrap_or_default()));
    line("file", &provider.origin);
    let mut links: Vec<_> = provider.links.iter().collect();
    links.sort();
    for (kind, page) in links {
        line(kind, page);
    }
    output.line("facts");
    let mut facts: Vec<_> = provider.facts.iter().collect();
    facts.sort_by_key(|(key, _)| key.as_str());
    for (key, fact) in facts {
        let unsure = provider.unsure.iter().any(|unsure| {
            unsure == key || key.strip_prefix(unsure).is_some_and(|rest| rest.starts_with('.'))
        });
        let mark =
            if unsure { output.paint(Mood::Doubtful, "  (unverified)") } else { String::new() };
        output.line(format!("  {key:<30} {}{mark}", words(fact)));
    }
    if !provider.ask.is_empty() {
        output.line("asks");
    }
    for field in &provider.ask {
        output.line(format!("  {:<14} {}", field.key, asked(field)));
    }
    for problem in &provider.warnings {
        let told = place(problem, &provider.origin);
        output.line(output.paint(Mood::Doubtful, &format!("! {told}")));
    }
    Ok(())
}

fn asked(field: &QuestionInfo) -> String {
    let mut text = field.label.clone();
    let mut add = |before: &str, more: Option<&str>| {
        if let Some(more) = more {
            text.push_str(&format!("{before}{more}"));
        }
    };
    add("; ", field.help.as_deref());
    add("; for example ", field.example.as_deref());
    add("; if not answered ", field.default.as_deref());
    let choices = field.choices.join(", ");
    add("; one of ", (!choices.is_empty()).then_some(&choices));
    add("", field.secret.then_some(" (secret, kept in the keyring)"));
    text
}

async fn check(
    proxy: &ProvidersProxy<'_>,
    output: &Output,
    files: &[PathBuf],
) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let mut values = Vec::new();
    for file in files {
        let text = read(file)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|_| file.as_os_str() != "-");
        let shown = file.display().to_string();
        let problems = match unsendable(&text) {
            Some(problem) => vec![problem],
            None => proxy.check_provider(&text, &CheckOptions { file_name: name }).await?,
        };
        let is_valid = problems.iter().all(|problem| problem.severity == Severity::Warning);
        values.push(json!({
            "file": shown,
            "valid": is_valid,
            "problems": problems.iter().map(problem_json).collect::<Vec<_>>(),
        }));
        for problem in &problems {
            let (mood, mark) = match problem.severity {
                Severity::Fatal => (Mood::Bad, ""),
                Severity::Warning => (Mood::Doubtful, " (has no effect)"),
            };
            output.line(output.paint(mood, &format!("{}{mark}", place(problem, &shown))));
        }
        if is_valid {
            output.line(format!("{shown}: {}", output.paint(Mood::Good, "valid")));
        } else {
            refused.push(shown);
        }
    }
    output.value(&values);
    if refused.is_empty() {
        return Ok(());
    }
    let next = "sipwitch-provider(5) describes every key";
    Err(Failure::new(format!("{} would be refused", refused.join(", ")), next))
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(
            format!("{}: {error}", file.display()),
            "name a text file that can be read, or - for standard input",
        )),
    }
}

/// What no provider can be, and the bus would not carry.
fn unsendable(text: &str) -> Option<ProblemInfo> {
    let words = if text.len() as u64 == LARGEST {
        "it is larger than 64 KiB, too large for a provider"
    } else if text.contains('\0') {
        "it is no text: there is a NUL in it"
    } else {
        return None;
    };
    Some(ProblemInfo {
        severity: Severity::Fatal,
        file: None,
        line: 0,
        column: 0,
        key: String::new(),
        words: words.into(),
    })
}

/// `file:line:column: key: words`
/// A mistake with its place.
pub(super) fn place(problem: &ProblemInfo, file: &str) -> String {
    let mut text = problem.file.clone().unwrap_or_else(|| file.to_owned());
    if problem.line > 0 {
        text.push_str(&format!(":{}:{}", problem.line, problem.column));
    }
    text.push_str(": ");
    if !problem.key.is_empty() {
        text.push_str(&format!("{}: ", problem.key));
    }
    text + &problem.words
}

fn problem_json(problem: &ProblemInfo) -> Value {
    json!({
        "severity": problem.severity.as_str(),
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "words": problem.words,
    })
}

fn as_json(provider: &ProviderInfo) -> Value {
    let facts: serde_json::Map<String, Value> =
        provider.facts.iter().map(|(key, fact)| (key.clone(), fact_json(fact))).collect();
    json!({
        "id": provider.id,
        "name": provider.name,
        "country": provider.country,
        "kind": provider.kind.as_str(),
        "domain": provider.domain,
        "emergency": provider.emergency.as_str(),
        "note": provider.note,
        "docs": provider.docs,
        "verified": provider.verified,
        "evidence": provider.evidence,
        "unsure": provider.unsure,
        "origin": provider.origin,
        "links": provider.links,
        "facts": facts,
        "ask": provider.ask.iter().map(|field| json!({
            "key": field.key,
            "label": field.label,
            "help": field.help,
            "example": field.example,
            "pattern": field.pattern,
            "default": field.default,
            "choices": field.choices,
            "secret": field.secret,
        })).collect::<Vec<_>>(),
        "warnings": provider.warnings.iter().map(problem_json).collect::<Vec<_>>(),
    })
}

/// A fact is a text, a number, a switch or a list of texts; what a later version adds is shown as
/// it came.
fn fact_json(fact: &zbus::zvariant::Value<'_>) -> Value {
    use zbus::zvariant::Value as Fact;
    match fact {
        Fact::Str(text) => json!(text.as_str()),
        Fact::U32(number) => json!(number),
        Fact::Bool(switch) => json!(switch),
        Fact::Array(items) => items.iter().map(fact_json).collect(),
        Fact::Value(inner) => fact_json(inner),
        other => json!(other.to_string()),
    }
}

fn words(fact: &zbus::zvariant::Value<'_>) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match fact_json(fact) {
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        other => text(&other),
    }
}

/// The language of the user's messages; none for the usual one.
fn language() -> Option<String> {
    let named =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    named
        .into_iter()
        .find(|value| !value.is_empty())
        .filter(|value| value != "C" && value != "POSIX")
}
