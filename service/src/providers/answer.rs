// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user answered.

use std::fmt;

use super::{
    AskField, Provider, Words,
    text::{AskKey, in_language},
};

/// The longest answer.
const LONGEST: usize = 255;

/// An answer that does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerError {
    /// The question; none where no question is to blame.
    pub key: Option<AskKey>,
    /// What is wrong, and what would do.
    pub words: String,
}

impl AnswerError {
    pub(super) fn new(key: &AskKey, words: impl Into<String>) -> Self {
        Self { key: Some(key.clone()), words: words.into() }
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.words)
    }
}

impl std::error::Error for AnswerError {}

impl AskField {
    /// The question in a language, such as `de` or `de-AT`; the usual one where there is none.
    #[must_use]
    pub fn label_in(&self, language: &str) -> &Words {
        in_language(&self.labels, language).unwrap_or(&self.label)
    }

    /// Whether an answer does. The error never repeats it, since it may be a password.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn check(&self, answer: &str) -> Result<(), AnswerError> {
        let wrong = |words: String| Err(AnswerError::new(&self.key, words));
        if answer.is_empty() {
            return wrong("it was not answered".into());
        }
        if answer.len() > LONGEST || answer.chars().any(char::is_control) {
            return wrong(format!("use up to {LONGEST} printable characters"));
        }
        if !self.choices.is_empty() && self.choices.iter().all(|one| one.as_str() != answer) {
            let choices: Vec<&str> = self.choices.iter().map(Words::as_str).collect();
            return wrong(format!("use one of {}", choices.join(", ")));
        }
        match (&self.pattern, &self.example) {
            (Some(pattern), Some(example)) if !pattern.matches(answer) => {
                wrong(format!("it looks unlike what is wanted, such as {example}"))
            }
            (Some(pattern), None) if !pattern.matches(answer) => {
                wrong(format!("it does not match {}", pattern.as_str()))
            }
            _ => Ok(()),
        }
    }
}

impl Provider {
    /// Checks all answers: each question is answered well or has a default, and nothing was
    /// answered that was not asked. A secret need not be here: it has its own way.
    ///
    /// # Errors
    ///
    /// The first answer that does not do.
    pub fn check_answers<'a>(
        &self,
        answers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), AnswerError> {
        let answers: Vec<(&str, &str)> = answers.into_iter().collect();
        for field in &self.ask.fields {
            match answers.iter().find(|(key, _)| *key == field.key.as_str()) {
                Some((_, answer)) => field.check(answer)?,
                None if field.secret || field.default.is_some() => {}
                None => return Err(AnswerError::new(&field.key, "it was not answered")),
            }
        }
        let is_asked = |key: &str| self.ask.fields.iter().any(|field| field.key.as_str() == key);
        match answers.iter().find(|(key, _)| !is_asked(key)) {
            None => Ok(()),
            Some((stray, _)) => {
                let known: Vec<&str> = self.ask.fields.iter().map(|f| f.key.as_str()).collect();
                let stray: String = stray.chars().take(32).collect();
                let words = match known.is_empty() {
                    true => format!("{stray:?} is not asked: {} asks nothing", self.id),
                    false => {
                        format!("{stray:?} is not asked: {} asks {}", self.id, known.join(", "))
                    }
                };
                Err(AnswerError { key: None, words })
            }
        }
    }

    /// The answer to a question, or its default.
    #[must_use]
    pub fn answer_or_default<'a>(&'a self, key: &str, answer: Option<&'a str>) -> Option<&'a str> {
        let field = self.ask.fields.iter().find(|field| field.key.as_str() == key)?;
        answer.filter(|text| !text.is_empty()).or_else(|| field.default.as_ref().map(Words::as_str))
    }
}
