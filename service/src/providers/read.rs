// SPDX-License-Identifier: GPL-3.0-or-later
//! From text to [`Provider`], and what is wrong with a text.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{Provider, keys, survey, word::Method};
use crate::config::Mistake;

/// A provider, and what was passed over while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The provider.
    pub provider: Provider,
    /// What is unknown here, in the order of the text. None of it keeps the file from being used.
    pub warnings: Vec<Mistake>,
}

impl Provider {
    /// Reads text.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Parsed, Mistake> {
        let warnings = survey::survey(text)?;
        let provider: Self = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            Mistake::from_toml_at(text, &error, pinpoint(text, &error, span))
        })?;
        match provider.contradiction() {
            Some((section, key, words)) => Err(Mistake::at_key(text, section, &[key], words)),
            None => Ok(Parsed { provider, warnings }),
        }
    }

    /// Checks that the provider is called as its file is.
    ///
    /// # Errors
    ///
    /// The place of the id, if it is not.
    pub fn check_file_name(&self, text: &str, name: &str) -> Result<(), Mistake> {
        let id = self.id.as_str();
        if name.strip_suffix(".toml") == Some(id) {
            return Ok(());
        }
        let words = format!("the file must be called {id}.toml, or the id be that of the file");
        Err(Mistake::at_key(text, "", &["id"], words))
    }

    /// What each value allows and their combination does not.
    fn contradiction(&self) -> Option<(&'static str, &'static str, String)> {
        let wrong = |section, key, words: &str| Some((section, key, words.to_owned()));
        if self.evidence.is_empty() {
            return wrong("", "evidence", "say where the facts are from; \"memory\" is no shame");
        }
        if let Some(stray) = self.unsure.iter().find(|path| keys::find(path).is_none()) {
            let stray: String = stray.chars().take(48).collect();
            let words = format!("{stray:?} is no key: name one with its table, as in media.srtp");
            return Some(("", "unsure", words));
        }
        if self.auth.method == Method::Digest && self.auth.user.is_none() {
            return wrong("auth", "user", "missing: say which answer is the user name");
        }
        let fields = &self.ask.fields;
        if let Some(at) =
            (1..fields.len()).find(|at| fields[..*at].iter().any(|f| f.key == fields[*at].key))
        {
            let words = format!("{} is asked twice", fields[at].key);
            return Some(("ask", "fields", words));
        }
        if fields.iter().filter(|field| field.secret).count() > 1 {
            return wrong("ask", "fields", "only one answer can be the secret");
        }
        for field in fields {
            if field.secret && (field.default.is_some() || !field.choices.is_empty()) {
                let words = format!("{} is secret: a file cannot know its answer", field.key);
                return Some(("ask", "fields", words));
            }
            if let Some(default) = &field.default
                && let Err(error) = field.check(default.as_str())
            {
                return Some(("ask", "fields", format!("default of {error}")));
            }
        }
        for (section, key, place) in self.places() {
            let field = fields.iter().find(|field| field.key == *place);
            let words = match field {
                Some(field) if !field.secret => continue,
                Some(_) => format!("{{{place}}} is a secret, which stands in no address"),
                None => format!("{{{place}}} is not asked: add it to the fields of [ask]"),
            };
            return Some((section, key, words));
        }
        None
    }

    /// Every place for an answer: section, key, question.
    pub(super) fn places(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, &super::AskKey)> {
        let server = &self.server;
        let tls = server.tls.as_ref().and_then(|tls| tls.host.as_ref());
        let hosts = [
            ("", "domain", Some(&self.domain)),
            ("server", "registrar", server.registrar.as_ref()),
            ("server", "outbound-proxy", server.outbound_proxy.as_ref()),
            ("server", "tls", tls),
        ];
        let users = [
            ("auth", "user", self.auth.user.as_ref()),
            ("auth", "auth-user", self.auth.auth_user.as_ref()),
            ("identity", "from-user", self.identity.from_user.as_ref()),
        ];
        let hosts = hosts.into_iter().flat_map(|(section, key, host)| {
            host.into_iter().flat_map(move |host| host.places().map(move |p| (section, key, p)))
        });
        let users = users.into_iter().flat_map(|(section, key, user)| {
            user.into_iter().flat_map(move |user| user.places().map(move |p| (section, key, p)))
        });
        hosts.chain(users)
    }
}

/// The parser knows no better place for a mistake inside a list than the list, which may be as long
/// as all questions together. To find the item, the list is read again with each item alone.
fn pinpoint(text: &str, error: &toml::de::Error, span: Range<usize>) -> Range<usize> {
    let Ok(file) = DeTable::parse(text) else { return span };
    let Some(items) = list_at(file.get_ref(), &span) else { return span };
    let alone = items.iter().take(MOST_ITEMS).map(Spanned::span).find(|item| {
        let (before, after) = (&text[..span.start], &text[span.end..]);
        let alone = format!("{before}[{}]{after}", &text[item.clone()]);
        let read = toml::from_str::<Provider>(&alone);
        read.is_err_and(|other| other.message() == error.message())
    });
    alone.unwrap_or(span)
}

/// So many items of a list are tried.
const MOST_ITEMS: usize = 64;

/// The list that stands at a place.
fn list_at<'a, 'i>(table: &'a DeTable<'i>, span: &Range<usize>) -> Option<&'a DeArray<'i>> {
    let around = table.iter().map(|(_, value)| value).find(|value| {
        let value = value.span();
        value.start <= span.start && span.end <= value.end
    });
    match around.map(|value| (value.span(), value.get_ref())) {
        Some((at, DeValue::Array(items))) if at == *span => Some(items),
        Some((_, DeValue::Table(table))) => list_at(table, span),
        // A table that is written by its header spans that header alone.
        _ => table.iter().find_map(|(_, value)| list_at(value.get_ref().as_table()?, span)),
    }
}
