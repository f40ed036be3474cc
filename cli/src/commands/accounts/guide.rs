// SPDX-License-Identifier: GPL-3.0-or-later
//! Finding the provider, and asking what it asks.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::{
    Error, ProvidersProxy,
    wire::{LanguageOptions, ProviderFilter, ProviderSummary, QuestionInfo},
};

use crate::{arguments::Add, failure::Failure, output::Output, prompt, service::Service};

/// So many providers can be chosen from by number.
const CHOICE: usize = 12;

/// What an account is to be made of, and what has to be known for it.
pub(super) struct Target {
    pub(super) what: What,
    pub(super) questions: Vec<QuestionInfo>,
}

/// What an account is made of.
pub(super) enum What {
    Provider(String),
    Domain(String),
    Gateway(String),
}

/// What is wanted, found out by asking if need be.
pub(super) async fn target(
    service: &Service,
    output: &Output,
    wanted: &Add,
    is_there: bool,
) -> Result<Target, Failure> {
    if let Some(extension) = &wanted.gateway {
        return Ok(Target { what: What::Gateway(extension.clone()), questions: Vec::new() });
    }
    if let Some(domain) = &wanted.domain {
        return Ok(of_domain(domain, wanted.trunk));
    }
    let providers = ProvidersProxy::new(&service.connection).await?;
    let mut text = wanted.provider.clone();
    loop {
        let searched = match text.take() {
            Some(text) => text,
            None if is_there => prompt::line(
                "Your provider (its name or a part of it), or the domain of your address: ",
            )?,
            None => {
                return Err(Failure::usage(
                    "no provider was named",
                    "`sipwitch providers` lists them; for another one use --domain",
                ));
            }
        };
        if searched.is_empty() {
            continue;
        }
        let language = language();
        let options = LanguageOptions { language: language.clone() };
        match providers.get_provider(&searched, &options).await {
            Ok(provider) => {
                if let Some(note) = &provider.note {
                    output.line(format!("{}: {note}", provider.name));
                }
                return Ok(Target { what: What::Provider(provider.id), questions: provider.ask });
            }
            Err(Error::NoSuchProvider(_) | Error::BadValue(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let filter = ProviderFilter { search: Some(searched.clone()), language, ..<_>::default() };
        let found = providers.list_providers(&filter).await?;
        match &found[..] {
            [] if searched.contains('.') && is_there => {
                let prompt = format!("No provider has {searched}. Is it your domain? [y/N] ");
                if prompt::line(&prompt)?.to_lowercase().starts_with('y') {
                    return Ok(of_domain(&searched, false));
                }
            }
            [] if is_there => output.line(format!("no provider is called {searched}")),
            [] => {
                return Err(Failure::new(
                    format!("no provider is called {searched}"),
                    "`sipwitch providers` lists them; for another one use --domain",
                ));
            }
            [one] => {
                output.line(format!("{} ({})", one.name, one.id));
                text = Some(one.id.clone());
            }
            several if is_there => text = choose(output, several)?,
            several => {
                let ids: Vec<&str> = several.iter().map(|one| one.id.as_str()).collect();
                return Err(Failure::usage(
                    format!("{searched} may be any of {}", ids.join(", ")),
                    "name one of them",
                ));
            }
        }
    }
}

/// Asks which of several; none for none of them.
fn choose(output: &Output, several: &[ProviderSummary]) -> Result<Option<String>, Failure> {
    for (at, provider) in several.iter().enumerate().take(CHOICE) {
        output.line(format!("{:>3}  {} ({})", at + 1, provider.name, provider.id));
    }
    if several.len() > CHOICE {
        output.line(format!("     and {} more: say more of its name", several.len() - CHOICE));
    }
    let answer = prompt::line("Which (a number, or more of its name): ")?;
    match answer.parse::<usize>() {
        Ok(number) => {
            Ok(number.checked_sub(1).and_then(|at| several.get(at)).map(|one| one.id.clone()))
        }
        Err(_) => Ok(Some(answer).filter(|answer| !answer.is_empty())),
    }
}

fn of_domain(domain: &str, is_trunk: bool) -> Target {
    let question = |key: &str, label: &str, help: Option<&str>, secret| QuestionInfo {
        key: key.into(),
        label: label.into(),
        help: help.map(Into::into),
        example: None,
        pattern: None,
        default: None,
        choices: Vec::new(),
        secret,
    };
    let questions = vec![
        question("user", "User name", Some("what stands before the @ of your address"), false),
        question("password", "Password", None, true),
    ];
    Target {
        what: What::Domain(domain.to_owned()),
        questions: if is_trunk { Vec::new() } else { questions },
    }
}

/// Asks what was not answered.
pub(super) fn answers(
    questions: &[QuestionInfo],
    answers: &mut HashMap<String, String>,
    is_there: bool,
) -> Result<(), Failure> {
    for question in questions.iter().filter(|one| !one.secret) {
        if answers.contains_key(&question.key) {
            continue;
        }
        if !is_there {
            if question.default.is_some() {
                continue;
            }
            return Err(Failure::usage(
                format!("{} is not answered: {}", question.key, question.label),
                format!("use --answer {}=…", question.key),
            ));
        }
        loop {
            let answer = prompt::line(&asked(question))?;
            let answer = match (answer.as_str(), &question.default) {
                ("", Some(default)) => default.clone(),
                ("", None) => continue,
                _ => answer,
            };
            if question.choices.is_empty() || question.choices.contains(&answer) {
                answers.insert(question.key.clone(), answer);
                break;
            }
        }
    }
    Ok(())
}

/// Asks for a secret; empty for not now.
pub(super) fn hidden(question: &QuestionInfo) -> Result<String, Failure> {
    prompt::hidden(&format!("{} (not shown; empty for later): ", question.label))
}

fn asked(question: &QuestionInfo) -> String {
    let mut more: Vec<String> = Vec::new();
    more.extend(question.help.clone());
    if !question.choices.is_empty() {
        more.push(format!("one of {}", question.choices.join(", ")));
    }
    more.extend(question.example.as_ref().map(|example| format!("such as {example}")));
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    let default =
        question.default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
    format!("{}{more}{default}: ", question.label)
}

/// The user's language, by the usual variables.
fn language() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"))?;
    let name = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    (name != "C" && name != "POSIX" && !name.is_empty()).then_some(name)
}
