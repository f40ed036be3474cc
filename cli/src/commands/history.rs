// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch history`

use serde_json::{Value, json};
use sipwitch_dbus_interfaces::wire::{CallSummary, NoOptions, TraceInfo};

use crate::{
    failure::Failure,
    output::{Output, ago, duration, now_microseconds},
    service::Service,
};

/// Shows past calls.
pub(crate) async fn run(service: &Service, output: &Output, limit: u32) -> Result<(), Failure> {
    let calls = service.proxy.history(limit, &NoOptions {}).await?;
    output.value(&calls.iter().map(summary).collect::<Vec<_>>());
    let now = now_microseconds();
    let rows: Vec<Vec<String>> = calls
        .iter()
        .flat_map(|call| {
            let first = vec![
                ago(now.saturating_sub(call.started_at_microseconds)),
                call.caller.clone(),
                if call.callee.is_empty() { call.contact.clone() } else { call.callee.clone() },
                call.answered_at_microseconds.map_or_else(
                    || "-".into(),
                    |answered| duration(call.ended_at_microseconds.saturating_sub(answered)),
                ),
                call.words.clone(),
            ];
            std::iter::once(first).chain(attempts(&call.route_trace))
        })
        .collect();
    output.table(&["WHEN", "FROM", "TO", "TALKED", "END"], &rows, "no calls yet");
    Ok(())
}

/// Where more than one way was tried: each of them, below the call.
fn attempts(trace: &[TraceInfo]) -> impl Iterator<Item = Vec<String>> {
    let tried = if trace.len() > 1 { trace } else { &[] };
    tried.iter().enumerate().map(|(at, line)| {
        let branch = if at + 1 == tried.len() { "└─" } else { "├─" };
        let words = format!("{branch} {}. {}: {}", at + 1, line.destination, line.words);
        let mut row = vec![String::new(); 4];
        row.push(words);
        row
    })
}

/// A past call as JSON.
pub(crate) fn summary(call: &CallSummary) -> Value {
    json!({
        "contact": call.contact,
        "caller": call.caller,
        "callee": call.callee,
        "started-at-microseconds": call.started_at_microseconds,
        "answered-at-microseconds": call.answered_at_microseconds,
        "ended-at-microseconds": call.ended_at_microseconds,
        "sip-code": call.sip_code,
        "q850-cause": call.q850_cause,
        "words": call.words,
        "route": call.route,
        "route-trace": call.route_trace.iter().map(tried).collect::<Vec<_>>(),
        "blocked": call.blocked,
    })
}

fn tried(line: &TraceInfo) -> Value {
    json!({
        "destination": line.destination,
        "outcome": line.outcome.as_str(),
        "reason": line.reason,
        "sip-code": line.sip_code,
        "words": line.words,
        "milliseconds": line.milliseconds,
    })
}
