// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch doctor`: [`machine`] is what can be seen without the service, [`house`] what the
//! service says of itself, [`names`] how names are looked up.

mod house;
mod machine;
mod names;

use serde::Serialize;

use crate::{
    failure::Failure,
    output::{Mood, Output},
    service::Service,
};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What.
    about: &'static str,
    /// `good`, `doubtful`, `bad`.
    verdict: &'static str,
    /// What was found.
    found: String,
    /// What to do; empty if nothing.
    next: String,
}

impl Finding {
    fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, verdict: "good", found: found.into(), next: String::new() }
    }

    fn doubtful(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about, verdict: "doubtful", found: found.into(), next: next.into() }
    }

    /// The service did not tell it: wrong, unless it is only too old to know.
    fn not_told(about: &'static str, why: impl Into<Failure>) -> Self {
        let failure: Failure = why.into();
        if failure.is_of_older_service() {
            return Self::doubtful(about, failure.cause, failure.next);
        }
        Self::bad(about, failure.cause, failure.next)
    }

    fn bad(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about, verdict: "bad", found: found.into(), next: next.into() }
    }
}

/// Looks for what could keep calls from working.
pub(crate) async fn run(system: bool, output: &Output) -> Result<(), Failure> {
    let mut findings = vec![machine::runtime_directory(), machine::clock(), machine::network()];
    match Service::connect(system).await {
        Err(failure) => findings.push(Finding::bad("bus", failure.cause, failure.next)),
        Ok(service) => {
            findings.push(Finding::good("bus", "the bus answers"));
            match house::look(&service, output).await {
                Ok(more) => findings.extend(more),
                Err(failure) => {
                    findings.push(Finding::bad("service", failure.cause, failure.next));
                }
            }
        }
    }
    output.value(&findings);
    for finding in &findings {
        let (mood, mark) = match finding.verdict {
            "good" => (Mood::Good, "✓"),
            "doubtful" => (Mood::Doubtful, "!"),
            _ => (Mood::Bad, "✗"),
        };
        output.line(format!(
            "{} {:<13} {}",
            output.paint(mood, mark),
            finding.about,
            finding.found
        ));
        if !finding.next.is_empty() {
            output.line(format!("  {:<13} → {}", "", finding.next));
        }
    }
    let things = match findings.iter().filter(|finding| finding.verdict == "bad").count() {
        0 => return Ok(()),
        1 => "one thing keeps calls from working".to_owned(),
        several => format!("{several} things keep calls from working"),
    };
    Err(Failure::new(things, "do what the arrows say"))
}
