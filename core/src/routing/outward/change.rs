// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers changed by rules.

use crate::{contact::Contact, number::Understood, routing::rules::Rule};

/// The number as the rule wants it, in the form in which the pattern that fits is written. None
/// where nothing is left that could be dialled.
pub(super) fn apply(rule: &Rule, dialled: &str, number: Option<&Understood>) -> Option<Contact> {
    let number = number.map(|number| number.e164.as_str());
    let base = rule.numbers.iter().find_map(|pattern| {
        let base = if pattern.is_international() { number? } else { dialled };
        pattern.fits(base).then_some(base)
    })?;
    let rest = base.strip_prefix(&*rule.strip)?;
    // A + stands at the beginning or nowhere.
    let rest = if rule.prefix.is_empty() { rest } else { rest.trim_start_matches('+') };
    let changed = format!("{}{rest}{}", rule.prefix, rule.suffix).parse().ok()?;
    matches!(changed, Contact::Number(_)).then_some(changed)
}
