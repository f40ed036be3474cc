// SPDX-License-Identifier: GPL-3.0-or-later
//! From text to [`Provider`], and what is wrong with a text.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{LARGEST_FILE, Provider, word::Method};
use crate::config::Mistake;

/// A provider, and what was passed over while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The provider.
    pub provider: Provider,
    /// What is unknown here, in the order of the text. None of it keeps the file from being used.
    pub warnings: Vec<Mistake>,
}

/// Why a file is no provider.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large to be one.
    #[error("it is larger than {} KiB, too large for a provider", LARGEST_FILE / 1024)]
    TooLarge,
    /// It says something wrong.
    #[error("{0}")]
    Wrong(#[from] Mistake),
}

impl Provider {
    /// Reads text.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Parsed, Mistake> {
        let provider: Self =
            toml::from_str(text).map_err(|error| Mistake::from_toml(text, &error))?;
        match provider.contradiction() {
            Some((section, key, words)) => Err(Mistake::at_key(text, section, &[key], words)),
            None => Ok(Parsed { provider, warnings: Vec::new() }),
        }
    }

    /// Reads a file, whose name must be the provider's. No more of it is read than a provider can
    /// have.
    ///
    /// # Errors
    ///
    /// If it cannot be read or says something wrong.
    pub fn load(path: &Path) -> Result<Parsed, Unreadable> {
        let file = File::open(path)?;
        if file.metadata()?.len() > LARGEST_FILE {
            return Err(Unreadable::TooLarge);
        }
        let mut text = String::new();
        if file.take(LARGEST_FILE + 1).read_to_string(&mut text)? as u64 > LARGEST_FILE {
            return Err(Unreadable::TooLarge);
        }
        let parsed = Self::parse(&text)?;
        let stem = path.file_stem().unwrap_or_default();
        let id = parsed.provider.id.as_str();
        if stem != id {
            let words = format!("the file must be called {id}.toml, or the id be that of the file");
            return Err(Mistake::at_key(&text, "", &["id"], words).into());
        }
        Ok(parsed)
    }

    /// What each value allows and their combination does not.
    fn contradiction(&self) -> Option<(&'static str, &'static str, String)> {
        let wrong = |section, key, words: &str| Some((section, key, words.to_owned()));
        if self.evidence.is_empty() {
            return wrong("", "evidence", "say where the facts are from; \"memory\" is no shame");
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
    fn places(&self) -> impl Iterator<Item = (&'static str, &'static str, &super::AskKey)> {
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
