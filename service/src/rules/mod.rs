// SPDX-License-Identifier: GPL-3.0-or-later
//! The user's rules on disk: `rules.toml` beside the configuration.
//!
//! A file that makes no sense is said to, with line and column, and changes nothing: the rules in
//! use stay. Emergencies pass in any case; no rule can say otherwise.

mod edit;
mod place;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sipwitch_core::routing::{
    Rules,
    rules::{Rule, RuleFile},
};
use tokio::sync::mpsc;

use crate::{
    config::Mistake,
    lifecycle::watch::{self, Watch},
    switchboard::ask::{Refusal, RulesAsk},
};

/// A larger file is not one of rules.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Reads text.
///
/// # Errors
///
/// The first mistake, with its place.
pub fn parse(text: &str) -> Result<Rules, Mistake> {
    let file: RuleFile = toml::from_str(text).map_err(|error| Mistake::from_toml(text, &error))?;
    Rules::new(file).map_err(|error| place::of(text, &error))
}

/// Where the user's rules are.
#[must_use]
pub fn path_in(config_home: &Path) -> PathBuf {
    config_home.join("sipwitch").join("rules.toml")
}

/// The rules in use, and the file they are from.
#[derive(Debug)]
pub struct RuleBook {
    path: PathBuf,
    /// Tells when the file changes.
    changes: Option<mpsc::Receiver<()>>,
    rules: Rules,
    problem: Option<String>,
}

impl RuleBook {
    /// Reads the file, which need not exist, and watches it. Needs a tokio runtime.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let watch = Watch::file(&path).inspect_err(|error| {
            tracing::info!("changes of {} are not seen by themselves: {error}", path.display());
        });
        let changes = watch
            .ok()
            .map(|watch| watch::told(watch, "changes of the rules are not seen any more"));
        let mut book = Self { path, changes, rules: Rules::default(), problem: None };
        book.read();
        book
    }

    /// The rules in use.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is wrong with the file, if its rules are not in use.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Waits until the file has changed; for ever, where the system does not tell. May be dropped
    /// and asked again without losing a change.
    pub async fn changed(&mut self) {
        watch::next(&mut self.changes).await;
    }

    /// Reads the file again. Where it makes no sense, the rules in use stay.
    pub fn read(&mut self) {
        let read = self.text().map_err(|refusal| refusal.to_string()).and_then(|text| {
            parse(&text).map_err(|mistake| format!("{}:{mistake}", self.path.display()))
        });
        match read {
            Ok(rules) => {
                self.rules = rules;
                self.problem = None;
            }
            Err(words) => self.problem = Some(format!("{words}; the rules in use stay")),
        }
    }

    /// Does what is asked; says whether the rules in use have changed.
    pub fn answer(&mut self, ask: RulesAsk) -> bool {
        match ask {
            RulesAsk::List { reply } => {
                let rules = self.rules.file().map(|file| file.rule.clone());
                let _ = reply.send(Ok(rules.unwrap_or_default()));
                false
            }
            RulesAsk::Check { text, reply } => {
                let checked = parse(&text).map(drop);
                let _ = reply.send(checked.map_err(|wrong| Refusal::BadValue(wrong.to_string())));
                false
            }
            RulesAsk::Add { rule, first, reply } => {
                let done = self.change(|text| edit::add(text, &rule, first));
                let changed = done.is_ok();
                let _ = reply.send(done);
                changed
            }
            RulesAsk::Remove { name, reply } => {
                let done = self.change(|text| edit::remove(text, &name));
                let changed = done.is_ok();
                let _ = reply.send(done);
                changed
            }
        }
    }

    /// Writes the edited text and uses its rules. A place is named only in what the user wrote, and
    /// with its file: a rule that was asked for stands nowhere yet.
    fn change(
        &mut self,
        edit: impl FnOnce(&str) -> Result<String, Refusal>,
    ) -> Result<(), Refusal> {
        let old = self.text()?;
        let wrong = |refusal| match parse(&old) {
            Ok(_) => refusal,
            Err(mistake) => Refusal::BadValue(format!("{}:{mistake}", self.path.display())),
        };
        let text = edit(&old).map_err(wrong)?;
        let rules = parse(&text).map_err(|mistake| wrong(Refusal::BadValue(mistake.words)))?;
        self.write(&text).map_err(|error| {
            Refusal::NotStored(format!("cannot write {}: {error}", self.path.display()))
        })?;
        self.rules = rules;
        self.problem = None;
        Ok(())
    }

    /// The text of the file; empty if there is none.
    fn text(&self) -> Result<String, Refusal> {
        let unreadable = |why: io::Error| {
            Refusal::NotStored(format!("cannot read {}: {why}", self.path.display()))
        };
        let mut text = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(text),
            Err(error) => return Err(unreadable(error)),
            Ok(file) => {
                let read = file.take(LARGEST_FILE + 1).read_to_string(&mut text);
                if read.map_err(unreadable)? as u64 > LARGEST_FILE {
                    return Err(unreadable(io::Error::other("it is larger than 4 MiB")));
                }
            }
        }
        Ok(text)
    }

    /// A reader sees the old file or the new one, and never half of one.
    fn write(&self, text: &str) -> io::Result<()> {
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder)?;
        let draft = self.path.with_extension("toml.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(draft, &self.path)
    }
}

/// One rule as the file has it.
fn written(rule: &Rule) -> String {
    let file = RuleFile { rule: vec![rule.clone()], ..RuleFile::default() };
    toml::to_string(&file).expect("a rule consists of words and lists")
}
