// SPDX-License-Identifier: GPL-3.0-or-later
//! A name server in memory: lines like those of a zone file.

use std::{collections::BTreeMap, time::Instant};

use super::super::*;
use crate::wire::Uri;

pub(super) fn wanted(uri: &str) -> Wanted {
    Wanted::of(&Uri::parse(uri.to_owned()).unwrap()).unwrap()
}

pub(super) struct Zone {
    records: BTreeMap<String, Vec<Record>>,
    chains: bool,
    pub(super) seed: u64,
}

pub(super) struct Found {
    outcome: Option<Result<Vec<Place>, LookupError>>,
    pub(super) asked: Vec<String>,
}

impl Found {
    pub(super) fn found(&self) -> Result<Vec<Place>, LookupError> {
        self.outcome.clone().expect("an outcome")
    }

    pub(super) fn places(&self) -> Vec<String> {
        self.found().unwrap().iter().map(ToString::to_string).collect()
    }

    pub(super) fn error(&self) -> String {
        self.found().unwrap_err().to_string()
    }
}

impl Zone {
    pub(super) fn new(lines: &str) -> Self {
        let mut records = BTreeMap::<String, Vec<Record>>::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let record = record(line);
            records.entry(record.owner.to_ascii_lowercase()).or_default().push(record);
        }
        Self { records, chains: false, seed: 0 }
    }

    /// Answers with whole chains of aliases, as resolvers do.
    pub(super) fn with_chains(self) -> Self {
        Self { chains: true, ..self }
    }

    /// Plays a lookup to its end.
    pub(super) fn find(&self, wanted: Wanted) -> Found {
        let now = Instant::now();
        let mut lookup = Lookup::new(wanted, now, self.seed);
        let mut found = Found { outcome: None, asked: Vec::new() };
        while let Some(step) = lookup.poll() {
            match step {
                Step::Ask(question) => {
                    assert!(!found.asked.contains(&question.to_string()), "asked twice");
                    found.asked.push(question.to_string());
                    lookup.handle_answer(now, &question, self.answer(&question));
                }
                Step::Done(outcome) => found.outcome = Some(outcome),
            }
        }
        found
    }

    pub(super) fn answer(&self, question: &Question) -> Answer {
        let Some(records) = self.records.get(question.name.as_ref()) else {
            return Err(NoAnswer::NoSuchName);
        };
        let mut answer: Vec<Record> = records
            .iter()
            .filter(|record| {
                matches!(
                    (question.kind, &record.data),
                    (_, Data::Cname(_))
                        | (Kind::A, Data::A(_))
                        | (Kind::Aaaa, Data::Aaaa(_))
                        | (Kind::Naptr, Data::Naptr(_))
                        | (Kind::Srv, Data::Srv(_))
                )
            })
            .cloned()
            .collect();
        if let (true, [Record { data: Data::Cname(of), .. }]) = (self.chains, &answer[..]) {
            let name = of.to_ascii_lowercase();
            let name = name.trim_end_matches('.').into();
            answer.extend(self.answer(&Question { name, ..question.clone() })?);
        }
        if answer.is_empty() { Err(NoAnswer::NoRecords) } else { Ok(answer) }
    }
}

/// One line: owner, kind, and what the kind wants. A rule's replacement begins with no `!`.
pub(super) fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words[at].parse().unwrap();
    let data = match words[1] {
        "A" => Data::A(words[2].parse().unwrap()),
        "AAAA" => Data::Aaaa(words[2].parse().unwrap()),
        "CNAME" => Data::Cname(words[2].to_owned()),
        "SRV" => Data::Srv(Srv {
            priority: number(2),
            weight: number(3),
            port: number(4),
            target: words[5].to_owned(),
        }),
        "NAPTR" => {
            let (regexp, replacement) = match words[6].starts_with('!') {
                true => (words[6], "."),
                false => ("", words[6]),
            };
            Data::Naptr(Naptr {
                order: number(2),
                preference: number(3),
                flags: words[4].to_owned(),
                services: words[5].to_owned(),
                regexp: regexp.to_owned(),
                replacement: replacement.to_owned(),
            })
        }
        other => panic!("no such kind: {other}"),
    };
    Record { owner: words[0].to_owned(), data }
}
