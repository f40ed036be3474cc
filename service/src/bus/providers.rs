// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Providers

use std::{collections::BTreeMap, path::Path, sync::Arc};

use sipwitch_core::{line::EmergencyAbility, number::Region};
use sipwitch_dbus_interfaces::{
    Error,
    wire::{self, ProblemInfo, ProviderInfo, ProviderSummary, QuestionInfo, Severity},
};
use zbus::{
    Connection, interface,
    message::Header,
    object_server::SignalEmitter,
    zvariant::{OwnedValue, Value},
};

use super::{
    caller::Caller,
    desk::{Desk, stopping},
    options::{self, Dictionary, ProviderFilter},
};
use crate::{
    config::Mistake,
    providers::{
        self, AskField, Closed, Entry, Parsed, Provider, Refused, Unreadable, Words, word::Kind,
    },
};

/// What is known of providers.
pub(super) struct Providers {
    pub(super) desk: Arc<Desk>,
    pub(super) providers: providers::Providers,
}

#[interface(name = "org.gnutelephony.SipWitch1.Providers", introspection_docs = false)]
impl Providers {
    #[zbus(out_args("providers"))]
    async fn list_providers(
        &self,
        options: Dictionary,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<ProviderSummary>, Error> {
        let filter = options::providers(options)?;
        let _place = self.desk.enter(&Caller::new(connection, &header)).await?;
        let shelf = self.providers.all().await.map_err(closed)?;
        let fitting = shelf.entries.values().filter(|entry| filter.fits(&entry.provider));
        Ok(fitting.map(|entry| summary(entry, &filter.language)).collect())
    }

    #[zbus(out_args("provider"))]
    async fn get_provider(
        &self,
        id: String,
        options: Dictionary,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<ProviderInfo, Error> {
        let language = options::language("GetProvider", options)?;
        let _place = self.desk.enter(&Caller::new(connection, &header)).await?;
        let unknown = || {
            let id: String = id.chars().take(64).collect();
            Error::NoSuchProvider(format!("there is no provider {id:?}; ListProviders tells all"))
        };
        let id = id.parse().map_err(|_| unknown())?;
        match self.providers.one(id).await.map_err(closed)? {
            Ok(Some(entry)) => Ok(info(&entry, &language)),
            Ok(None) => Err(unknown()),
            Err(refused) => Err(Error::BadValue(refused.to_string())),
        }
    }

    #[zbus(out_args("problems"))]
    async fn check_provider(
        &self,
        text: String,
        options: Dictionary,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<ProblemInfo>, Error> {
        let file_name = options::file_name(options)?;
        let _place = self.desk.enter(&Caller::new(connection, &header)).await?;
        Ok(match providers::check_text(&text, file_name.as_deref()) {
            Ok(Parsed { warnings, .. }) => {
                warnings.iter().map(|one| problem(Severity::Warning, None, one)).collect()
            }
            Err(why) => vec![unreadable(None, &why)],
        })
    }

    #[zbus(out_args("problems"))]
    async fn list_problems(
        &self,
        options: Dictionary,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<ProblemInfo>, Error> {
        options::none("ListProblems", options)?;
        let _place = self.desk.enter(&Caller::new(connection, &header)).await?;
        let shelf = self.providers.all().await.map_err(closed)?;
        let refused = shelf.refused.iter().map(|Refused { file, why }| unreadable(Some(file), why));
        let warnings = shelf.entries.values().flat_map(|entry| {
            let told = |one| problem(Severity::Warning, Some(&entry.origin), one);
            entry.warnings.iter().map(told)
        });
        Ok(refused.chain(warnings).collect())
    }

    #[zbus(signal)]
    pub(super) async fn providers_changed(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

fn closed(Closed: Closed) -> Error {
    stopping()
}

impl ProviderFilter {
    fn fits(&self, provider: &Provider) -> bool {
        let everywhere = provider.country.is_empty() || provider.country.contains(&Region::WORLD);
        let country = |wanted| everywhere || provider.country.contains(&wanted);
        self.country.is_none_or(country)
            && self.kind.is_none_or(|kind| kind == kind_word(provider.kind))
            && self.words.iter().all(|word| {
                let names = provider.names.values().chain([&provider.name]).map(Words::as_str);
                let texts = names.chain([provider.id.as_str(), provider.domain.as_str()]);
                texts.map(str::to_lowercase).any(|text| text.contains(word))
            })
    }
}

fn kind_word(kind: Kind) -> wire::ProviderKind {
    match kind {
        Kind::Itsp => wire::ProviderKind::Itsp,
        Kind::FreeSip => wire::ProviderKind::FreeSip,
        Kind::HomeRouter => wire::ProviderKind::HomeRouter,
        Kind::Trunk => wire::ProviderKind::Trunk,
        Kind::Bridge => wire::ProviderKind::Bridge,
        Kind::Enterprise => wire::ProviderKind::Enterprise,
    }
}

const fn emergency_word(ability: EmergencyAbility) -> wire::EmergencyAbility {
    match ability {
        EmergencyAbility::Yes => wire::EmergencyAbility::Yes,
        EmergencyAbility::LocationRequired => wire::EmergencyAbility::LocationRequired,
        EmergencyAbility::Unknown => wire::EmergencyAbility::Unknown,
        EmergencyAbility::No => wire::EmergencyAbility::No,
    }
}

fn countries(provider: &Provider) -> Vec<String> {
    let named = provider.country.iter().filter(|country| **country != Region::WORLD);
    named.map(ToString::to_string).collect()
}

fn text(words: Option<&Words>) -> Option<String> {
    words.map(ToString::to_string)
}

fn summary(entry: &Entry, language: &str) -> ProviderSummary {
    let provider = &entry.provider;
    ProviderSummary {
        id: provider.id.to_string(),
        name: provider.name_in(language).to_string(),
        country: countries(provider),
        kind: kind_word(provider.kind),
        domain: provider.domain.to_string(),
        emergency: emergency_word(provider.numbers.emergency),
        note: text(provider.note.as_ref()),
        origin: entry.origin.display().to_string(),
    }
}

fn info(entry: &Entry, language: &str) -> ProviderInfo {
    let provider = &entry.provider;
    let summary = summary(entry, language);
    let links = &provider.links;
    let pages = [
        ("portal", &links.portal),
        ("balance", &links.balance),
        ("status", &links.status),
        ("signup", &links.signup),
    ];
    let pages = pages.into_iter().filter_map(|(kind, page)| Some((kind, page.as_ref()?)));
    ProviderInfo {
        id: summary.id,
        name: summary.name,
        country: summary.country,
        kind: summary.kind,
        domain: summary.domain,
        emergency: summary.emergency,
        note: summary.note,
        origin: summary.origin,
        docs: provider.docs.as_ref().map(ToString::to_string),
        verified: provider.verified.as_ref().map(ToString::to_string),
        evidence: provider.evidence.iter().map(ToString::to_string).collect(),
        unsure: provider.unsure.clone(),
        links: pages.map(|(kind, page)| (kind.to_owned(), page.to_string())).collect(),
        facts: provider.facts().into_iter().map(|(key, fact)| (key, value(fact))).collect(),
        ask: provider.ask.fields.iter().map(|field| question(field, language)).collect(),
        warnings: entry.warnings.iter().map(|one| problem(Severity::Warning, None, one)).collect(),
    }
}

fn question(field: &AskField, language: &str) -> QuestionInfo {
    QuestionInfo {
        key: field.key.to_string(),
        label: field.label_in(language).to_string(),
        help: text(field.help.as_ref()),
        example: text(field.example.as_ref()),
        pattern: field.pattern.as_ref().map(ToString::to_string),
        default: text(field.default.as_ref()),
        choices: field.choices.iter().map(ToString::to_string).collect(),
        secret: field.secret,
    }
}

/// A fact as it stands in the file. There are neither fractions nor dates in the schema.
fn value(fact: toml::Value) -> OwnedValue {
    let value = match fact {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Boolean(switch) => Value::from(switch),
        toml::Value::Integer(number) => Value::from(u32::try_from(number).unwrap_or(u32::MAX)),
        toml::Value::Array(items) => {
            let words = items.into_iter().map(|item| match item {
                toml::Value::String(text) => text,
                other => other.to_string(),
            });
            Value::from(words.collect::<Vec<_>>())
        }
        other => Value::from(other.to_string()),
    };
    value.try_into().expect("there is no descriptor in it")
}

fn problem(severity: Severity, file: Option<&Path>, mistake: &Mistake) -> ProblemInfo {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    ProblemInfo {
        severity,
        file: file.map(|file| file.display().to_string()),
        line: place(mistake.line),
        column: place(mistake.column),
        key: mistake.key.clone(),
        words: mistake.words.clone(),
    }
}

fn unreadable(file: Option<&Path>, why: &Unreadable) -> ProblemInfo {
    match why {
        Unreadable::Wrong(mistake) => problem(Severity::Fatal, file, mistake),
        why => {
            let words = format!("it {why}");
            let mistake = Mistake { line: 0, column: 0, key: String::new(), words };
            problem(Severity::Fatal, file, &mistake)
        }
    }
}

impl Provider {
    /// Every fact by its key, but for what is for people and what is asked.
    fn facts(&self) -> BTreeMap<String, toml::Value> {
        let all = toml::Table::try_from(self).expect("it consists of words, numbers and lists");
        let mut facts = BTreeMap::new();
        for (table, value) in all {
            if let (false, toml::Value::Table(_)) =
                (["names", "links", "ask"].contains(&&*table), &value)
            {
                gather(&table, value, &mut facts);
            }
        }
        facts
    }
}

fn gather(path: &str, value: toml::Value, facts: &mut BTreeMap<String, toml::Value>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                gather(&format!("{path}.{name}"), value, facts);
            }
        }
        toml::Value::Array(items) if items.is_empty() => {}
        fact => {
            facts.insert(path.to_owned(), fact);
        }
    }
}
