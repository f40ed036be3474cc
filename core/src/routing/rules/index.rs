// SPDX-License-Identifier: GPL-3.0-or-later
//! Finds the rules that may fit a contact without asking all of them.

use super::{Question, Rule};

/// Which rules to ask. Positions are those of the rules in the file.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Index {
    /// What the patterns of a rule begin with, in order.
    beginnings: Vec<(Box<str>, u32)>,
    /// The domains of a rule, `*.` taken away, in order.
    domains: Vec<(Box<str>, u32)>,
    /// Rules that name neither.
    others: Vec<u32>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (at, rule) in (0u32..).zip(rules) {
            if rule.numbers.is_empty() && rule.domains.is_empty() {
                index.others.push(at);
            }
            let beginnings = rule.numbers.iter().map(|pattern| (pattern.beginning().into(), at));
            index.beginnings.extend(beginnings);
            let domains = rule.domains.iter().map(|domain| {
                let domain = domain.as_str();
                (domain.strip_prefix("*.").unwrap_or(domain).into(), at)
            });
            index.domains.extend(domains);
        }
        for list in [&mut index.beginnings, &mut index.domains] {
            list.sort_unstable();
            list.dedup();
            list.shrink_to_fit();
        }
        index
    }

    /// The rules that may fit, in the order of the file.
    pub(super) fn candidates(&self, question: &Question<'_>) -> Vec<u32> {
        let mut found = self.others.clone();
        let number = question.number.map(super::E164::as_str);
        for digits in question.dialled.into_iter().chain(number) {
            found.extend(beginnings(&self.beginnings, digits));
        }
        if let Some(domain) = question.domain {
            found.extend(rows(&self.domains, domain));
            for (dot, _) in domain.match_indices('.') {
                found.extend(rows(&self.domains, &domain[dot + 1..]));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The rows that the digits begin with. Rows that begin alike stand side by side, so that each digit
/// leaves fewer of them to look through.
fn beginnings(mut list: &[(Box<str>, u32)], digits: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for length in 0..=digits.len() {
        let Some(beginning) = digits.get(..length) else { continue };
        let start = list.partition_point(|(row, _)| **row < *beginning);
        let end = start + list[start..].partition_point(|(row, _)| row.starts_with(beginning));
        list = &list[start..end];
        if list.is_empty() {
            break;
        }
        found.extend(rows(list, beginning));
    }
    found
}

fn rows<'a>(list: &'a [(Box<str>, u32)], key: &'a str) -> impl Iterator<Item = u32> + 'a {
    let start = list.partition_point(|(row, _)| **row < *key);
    list[start..].iter().take_while(move |(row, _)| **row == *key).map(|(_, at)| *at)
}
