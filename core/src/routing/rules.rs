// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user wants of routes: rules, what lines cost and may be used for, toll levels.
//!
//! [`RuleFile`] is what is written; [`Rules`] is what was found to make sense, with an index by
//! which a number finds its rules among ten thousand. Of all rules that fit, the first that says
//! something about a matter decides that matter; forbidden lines add up.

mod file;
mod index;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    extension::ExtensionNumber,
    line::{Cost, Line, Meter, Rates},
    number::{Class, E164},
    pattern::Pattern,
};

use super::{Caller, LocalTime, toll::Level};
pub use file::{
    Action, Defaults, DomainPattern, ExtensionRule, LineName, LineRule, MAX_NAME, NameError, Rule,
    RuleFile, RuleName,
};
use index::Index;

/// The most rules that are taken.
pub const MAX_RULES: usize = 20_000;
/// The most patterns, domains, lines or extensions that one list of a rule may have.
pub const MAX_LIST: usize = 200;

/// The user's rules, checked and ready for use. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(Option<Arc<Checked>>);

#[derive(Debug, PartialEq, Eq)]
struct Checked {
    file: RuleFile,
    index: Index,
    /// What lines cost by the rules.
    rates: BTreeMap<LineName, Rates>,
}

/// Why rules make no sense. Each names the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Two rules have one name.
    #[error("two rules are called {0:?}: each needs a name of its own")]
    Doubled(RuleName),
    /// A list is too long.
    #[error("rule {0:?} has a list of {1} entries, more than the {MAX_LIST} allowed")]
    LongList(RuleName, usize),
    /// A rule that would change nothing.
    #[error(
        "rule {0:?} says nothing: give it action, strip, prefix, suffix, prefer, only or never"
    )]
    SaysNothing(RuleName),
    /// What is to be stripped is not there.
    #[error("rule {rule:?} strips {strip:?}, but its pattern {pattern:?} does not begin with that")]
    Strip {
        /// The rule.
        rule: RuleName,
        /// What it strips.
        strip: Box<str>,
        /// The pattern.
        pattern: String,
    },
    /// A change of a number without a pattern for numbers.
    #[error("rule {0:?} changes numbers: say which, as in numbers = [\"0.\"]")]
    ChangesWhat(RuleName),
    /// Signs that cannot be dialled.
    #[error("rule {0:?} would dial {1:?}: use digits, * and #, with + at the beginning alone")]
    NotDialled(RuleName, Box<str>),
    /// A line that is wanted and forbidden.
    #[error("rule {0:?} both wants and forbids the line {1}")]
    Torn(RuleName, LineName),
    /// A line's prefix or suffix cannot be dialled.
    #[error("line {0} has {1:?} before or after its numbers: use digits, * and #")]
    LineDials(LineName, Box<str>),
    /// More than [`MAX_RULES`].
    #[error("there are {0} rules, more than the {MAX_RULES} allowed")]
    TooMany(usize),
}

impl Rules {
    /// No rules.
    pub const NONE: &'static Self = &Self(None);

    /// Checks what was written and makes it ready for use.
    ///
    /// # Errors
    ///
    /// When a rule makes no sense; the error names it.
    pub fn new(file: RuleFile) -> Result<Self, RulesError> {
        check(&file)?;
        if file == RuleFile::default() {
            return Ok(Self(None));
        }
        let index = Index::new(&file.rule);
        let rates = |(name, rule): (&LineName, &LineRule)| Some((name.clone(), rule.rates()?));
        let rates = file.line.iter().filter_map(rates).collect();
        Ok(Self(Some(Arc::new(Checked { file, index, rates }))))
    }

    /// What was written, if anything was.
    #[must_use]
    pub fn file(&self) -> Option<&RuleFile> {
        self.0.as_deref().map(|checked| &checked.file)
    }

    /// What holds where nothing else was said.
    pub(super) fn defaults(&self) -> Defaults {
        self.file().map_or_else(Defaults::default, |file| file.default)
    }

    /// What the caller may call.
    pub(super) fn level(&self, caller: Option<&ExtensionNumber>) -> Level {
        let named = caller.and_then(|caller| self.file()?.extension.get(caller)?.may_call);
        named.unwrap_or_else(|| self.defaults().may_call)
    }

    /// What the rules say about this line.
    pub(super) fn line(&self, line: &Line) -> Policy<'_> {
        let checked = self.0.as_deref();
        Policy {
            rule: checked.and_then(|checked| checked.file.line.get(&*line.name)),
            rates: checked.and_then(|checked| checked.rates.get(&*line.name)),
        }
    }

    /// The rules that fit.
    pub(super) fn verdict(&self, question: &Question<'_>) -> Verdict<'_> {
        let mut verdict = Verdict::default();
        let Some(checked) = self.0.as_deref() else { return verdict };
        for at in checked.index.candidates(question) {
            let Some(rule) = checked.file.rule.get(at as usize) else { continue };
            if question.fits(rule) {
                verdict.hear(rule);
            }
        }
        verdict
    }

    /// Whether any rule needs to know what class a number is of.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// A contact before the rules.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// The digits that were dialled.
    pub(super) dialled: Option<&'a str>,
    /// The number they are.
    pub(super) number: Option<&'a E164>,
    /// The domain, in lower case.
    pub(super) domain: Option<&'a str>,
    pub(super) class: Class,
    pub(super) caller: &'a Caller,
    pub(super) now: Option<LocalTime>,
}

impl Question<'_> {
    fn fits(&self, rule: &Rule) -> bool {
        self.fits_address(rule) && self.fits_circumstances(rule)
    }

    fn fits_address(&self, rule: &Rule) -> bool {
        if rule.numbers.is_empty() && rule.domains.is_empty() {
            return true;
        }
        let number = rule.numbers.iter().any(|pattern| {
            let number = if pattern.is_international() {
                self.number.map(E164::as_str)
            } else {
                self.dialled
            };
            number.is_some_and(|number| pattern.fits(number))
        });
        number
            || self.domain.is_some_and(|domain| rule.domains.iter().any(|known| known.fits(domain)))
    }

    fn fits_circumstances(&self, rule: &Rule) -> bool {
        let class = rule.classes.is_empty() || rule.classes.contains(&self.class);
        let from = rule.from.is_empty()
            || self.caller.extension.as_ref().is_some_and(|caller| rule.from.contains(caller));
        let time = match (self.now, rule.hours) {
            _ if rule.days.is_empty() && rule.hours.is_none() => true,
            (Some(now), Some(hours)) => hours.hold(&rule.days, now),
            (Some(now), None) => rule.days.contains(&now.weekday),
            (None, _) => false,
        };
        class && from && time
    }
}

/// What the rules that fit say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict<'a> {
    /// The first rule that allows or bars.
    pub(super) action: Option<(&'a Rule, Action)>,
    /// The first rule that changes the number.
    pub(super) change: Option<&'a Rule>,
    /// The first rule that prefers lines.
    pub(super) prefer: Option<&'a Rule>,
    /// The first rule that allows some lines alone.
    pub(super) only: Option<&'a Rule>,
    /// Every rule that forbids lines.
    pub(super) never: Vec<&'a Rule>,
}

impl<'a> Verdict<'a> {
    fn hear(&mut self, rule: &'a Rule) {
        if let (None, Some(action)) = (self.action, rule.action) {
            self.action = Some((rule, action));
        }
        if rule.changes() {
            self.change.get_or_insert(rule);
        }
        if !rule.prefer.is_empty() {
            self.prefer.get_or_insert(rule);
        }
        if !rule.only.is_empty() {
            self.only.get_or_insert(rule);
        }
        if !rule.never.is_empty() {
            self.never.push(rule);
        }
    }

    /// With what other rules say of the same call, where these say nothing.
    pub(super) fn then(mut self, more: Self) -> Self {
        self.action = self.action.or(more.action);
        self.prefer = self.prefer.or(more.prefer);
        self.only = self.only.or(more.only);
        self.never.extend(more.never);
        self
    }

    /// Whether the line is among those that alone may be used.
    pub(super) fn allows_alone(&self, line: &Line) -> bool {
        self.only.is_some_and(|rule| rule.only.iter().any(|name| name.as_str() == &*line.name))
    }

    /// The place of a line among those that are preferred.
    pub(super) fn preference(&self, line: &Line) -> Option<(usize, &'a Rule)> {
        let rule = self.prefer?;
        let at = rule.prefer.iter().position(|name| name.as_str() == &*line.name)?;
        Some((at, rule))
    }

    /// The rule that forbids a line.
    pub(super) fn forbids(&self, line: &Line) -> Option<&'a Rule> {
        let names = |names: &[LineName]| names.iter().any(|name| name.as_str() == &*line.name);
        let only = self.only.filter(|rule| !names(&rule.only));
        only.or_else(|| self.never.iter().copied().find(|rule| names(&rule.never)))
    }
}

/// What the rules say about a line, over what the line says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy<'a> {
    pub(super) rule: Option<&'a LineRule>,
    rates: Option<&'a Rates>,
}

impl<'a> Policy<'a> {
    /// The numbers the line is for.
    pub(super) fn patterns<'b>(&self, line: &'b Line) -> &'b [Pattern]
    where
        'a: 'b,
    {
        match self.rule {
            Some(rule) if !rule.numbers.is_empty() => &rule.numbers,
            _ => &line.leads_to,
        }
    }

    /// Whether the extension may use it. One who has no extension is the user himself.
    pub(super) fn admits(&self, caller: Option<&ExtensionNumber>) -> bool {
        let users = self.rule.map_or(&[][..], |rule| &rule.users);
        users.is_empty() || caller.is_none_or(|caller| users.contains(caller))
    }

    /// What is dialled before and after every number.
    pub(super) fn added(&self) -> (&'a str, &'a str) {
        self.rule.map_or(("", ""), |rule| (&rule.prefix, &rule.suffix))
    }

    pub(super) fn cost(&self, line: &Line, number: &E164) -> Option<Cost> {
        self.rates.and_then(|rates| rates.of(number)).or_else(|| line.rates.of(number))
    }

    pub(super) fn meter(&self, line: &Line) -> Meter {
        let minutes = |minutes: Option<u32>| {
            minutes.map(|minutes| std::time::Duration::from_secs(60 * u64::from(minutes)))
        };
        let (included, cap) = self.rule.map_or((None, None), |rule| {
            (minutes(rule.included_minutes), minutes(rule.cap_minutes))
        });
        Meter {
            included: included.or(line.meter.included),
            cap: cap.or(line.meter.cap),
            used: line.meter.used,
        }
    }
}

fn check(file: &RuleFile) -> Result<(), RulesError> {
    if file.rule.len() > MAX_RULES {
        return Err(RulesError::TooMany(file.rule.len()));
    }
    let mut names = BTreeSet::new();
    for rule in &file.rule {
        if !names.insert(&rule.name) {
            return Err(RulesError::Doubled(rule.name.clone()));
        }
        check_rule(rule)?;
    }
    let dialled = |text: &str| text.bytes().all(is_dialled);
    for (name, line) in &file.line {
        for added in [&line.prefix, &line.suffix] {
            if !dialled(added) || added.len() > MAX_NAME {
                return Err(RulesError::LineDials(name.clone(), added.clone()));
            }
        }
    }
    Ok(())
}

const fn is_dialled(sign: u8) -> bool {
    sign.is_ascii_digit() || sign == b'*' || sign == b'#'
}

fn check_rule(rule: &Rule) -> Result<(), RulesError> {
    let name = || rule.name.clone();
    for length in [
        rule.numbers.len(),
        rule.domains.len(),
        rule.from.len(),
        rule.prefer.len(),
        rule.only.len(),
        rule.never.len(),
    ] {
        if length > MAX_LIST {
            return Err(RulesError::LongList(name(), length));
        }
    }
    let is_idle = rule.action.is_none()
        && !rule.changes()
        && rule.prefer.is_empty()
        && rule.only.is_empty()
        && rule.never.is_empty();
    if is_idle {
        return Err(RulesError::SaysNothing(name()));
    }
    let wanted = || rule.prefer.iter().chain(&rule.only);
    if let Some(torn) = wanted().find(|line| rule.never.contains(line)) {
        return Err(RulesError::Torn(name(), torn.clone()));
    }
    if !rule.changes() {
        return Ok(());
    }
    if rule.numbers.is_empty() {
        return Err(RulesError::ChangesWhat(name()));
    }
    let prefix = rule.prefix.strip_prefix('+').unwrap_or(&rule.prefix);
    for (added, signs) in [(&rule.prefix, prefix), (&rule.suffix, &*rule.suffix)] {
        if !signs.bytes().all(is_dialled) || added.len() > MAX_NAME {
            return Err(RulesError::NotDialled(name(), added.clone()));
        }
    }
    let odd = rule.numbers.iter().find(|pattern| !pattern.beginning().starts_with(&*rule.strip));
    odd.map_or(Ok(()), |pattern| {
        let (rule, strip) = (name(), rule.strip.clone());
        Err(RulesError::Strip { rule, strip, pattern: pattern.to_string() })
    })
}
