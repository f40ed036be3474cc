// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch block`

use serde_json::json;
use sipwitch_dbus_interfaces::{
    BlockingProxy,
    wire::{BlockOptions, BlockedInfo},
};

use crate::{
    arguments::Block,
    failure::Failure,
    output::{Output, ago, now_microseconds},
    service::Service,
};

/// Looks after the list of blocked callers.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Block>,
) -> Result<(), Failure> {
    let proxy = BlockingProxy::new(&service.connection).await?;
    match command.unwrap_or(Block::List) {
        Block::List => list(&proxy, output).await,
        Block::Check { callers } => check(&proxy, output, &callers).await,
        Block::Add { callers, reason } => {
            let blocked = proxy.add(&all(&callers), &BlockOptions { reason }).await?;
            output.value(&json!({ "blocked": blocked }));
            output.line(format!("blocked: {}", blocked.join(", ")));
            Ok(())
        }
        Block::Remove { callers } => remove(&proxy, output, &callers).await,
    }
}

fn all(callers: &[String]) -> Vec<&str> {
    callers.iter().map(String::as_str).collect()
}

async fn list(proxy: &BlockingProxy<'_>, output: &Output) -> Result<(), Failure> {
    let blocked = proxy.list().await?;
    let value = |one: &BlockedInfo| {
        json!({
            "caller": one.caller,
            "reason": one.reason,
            "since-microseconds": one.since_microseconds,
        })
    };
    output.value(&blocked.iter().map(value).collect::<Vec<_>>());
    let now = now_microseconds();
    let row = |one: &BlockedInfo| {
        let since = ago(now.saturating_sub(one.since_microseconds));
        vec![one.caller.clone(), since, one.reason.clone()]
    };
    let rows: Vec<Vec<String>> = blocked.iter().map(row).collect();
    output.table(
        &["CALLER", "SINCE", "REASON"],
        &rows,
        "nobody is blocked; `sipwitch block add CALLER` blocks somebody",
    );
    Ok(())
}

async fn check(
    proxy: &BlockingProxy<'_>,
    output: &Output,
    callers: &[String],
) -> Result<(), Failure> {
    let found = proxy.check(&all(callers)).await?;
    let pairs = callers.iter().zip(&found);
    let value = |(caller, by): (&String, &String)| json!({ "caller": caller, "blocked-by": Some(by).filter(|by| !by.is_empty()) });
    output.value(&pairs.clone().map(value).collect::<Vec<_>>());
    for (caller, by) in pairs {
        output.line(match by.as_str() {
            "" => format!("{caller} is not blocked"),
            by if by == caller => format!("{caller} is blocked"),
            by => format!("{caller} is blocked, by {by}"),
        });
    }
    Ok(())
}

async fn remove(
    proxy: &BlockingProxy<'_>,
    output: &Output,
    callers: &[String],
) -> Result<(), Failure> {
    let unblocked = proxy.remove(&all(callers)).await?;
    if unblocked.is_empty() {
        // What stands on the list may mean many, and only that can be removed.
        let by = proxy.check(&all(&callers[..1])).await.unwrap_or_default();
        let next = match by.first().map(String::as_str) {
            None | Some("") => "`sipwitch block` lists who is".to_owned(),
            Some(by) => format!("{by} is on the list and means {}: remove that", callers[0]),
        };
        let cause = format!("{} is not on the list of the blocked", callers.join(", "));
        return Err(Failure::new(cause, &next));
    }
    output.value(&json!({ "unblocked": unblocked }));
    output.line(format!("no longer blocked: {}", unblocked.join(", ")));
    Ok(())
}
