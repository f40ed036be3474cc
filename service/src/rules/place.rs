// SPDX-License-Identifier: GPL-3.0-or-later
//! Where in the text a rule stands that makes no sense.

use sipwitch_core::routing::rules::RulesError as Error;

use super::edit;
use crate::config::Mistake;

pub(super) fn of(text: &str, error: &Error) -> Mistake {
    let (rule, turn) = match error {
        // The second of the two is the one that is wrong.
        Error::Doubled(name) => (Some(name), 1),
        Error::ChangesWhat(name)
        | Error::LongList(name, _)
        | Error::NotDialled(name, _)
        | Error::SaysNothing(name)
        | Error::Strip { rule: name, .. }
        | Error::Torn(name, _) => (Some(name), 0),
        Error::LineDials(..) | Error::TooMany(_) => (None, 0),
    };
    let at = rule.and_then(|name| edit::find(text, name.as_str(), turn));
    let line = at.map_or(1, |at| text[..at].matches('\n').count() + 1);
    Mistake { line, column: 1, key: String::new(), words: error.to_string() }
}
