// SPDX-License-Identifier: GPL-3.0-or-later
//! Making and steering calls.

use serde_json::json;
use sipwitch_dbus_interfaces::{
    CallProxy, ObjectName,
    wire::{DialOptions, MessageOptions, NoOptions, RouteLine},
};

use crate::{
    arguments::Dial,
    failure::Failure,
    output::{Mood, Output, duration, now_microseconds},
    service::Service,
    world::Call,
};

fn options(dial: &Dial) -> DialOptions {
    DialOptions {
        from: dial.from.clone(),
        display: dial.display.clone(),
        ring_seconds: dial.ring,
        detached: None,
    }
}

/// `sipwitch dial`
///
/// The call belongs to the program that asked for it, so this one stays until it is over.
pub(crate) async fn dial(service: &Service, output: &Output, dial: &Dial) -> Result<(), Failure> {
    use futures_util::StreamExt;
    let mut ends = service.proxy.receive_call_ended().await?;
    let path = service.proxy.dial(&dial.contact, &options(dial)).await?;
    let Some(ObjectName::Call(id)) = ObjectName::from_path(path.as_str()) else {
        return Err(Failure::new("the service gave a call that is none", "update the service"));
    };
    output.value(&json!({ "call": id, "path": path.as_str() }));
    output.line(format!("call {id}: your phone rings first; interrupt (Ctrl+C) to hang up"));
    let call = call_proxy(service, id).await?;
    let mut states = call.receive_state_changed().await;
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            _ = &mut interrupt => {
                call.hangup().await?;
            }
            Some(change) = states.next() => {
                if let Ok(state) = change.get().await {
                    output.value(&json!({ "call": id, "state": state.as_str() }));
                    output.line(format!("call {id}: {}", paint(output, state.as_str())));
                }
            }
            ended = ends.next() => {
                let Some(ended) = ended else {
                    return Err(Failure::unreachable("the bus is gone", "log in again"));
                };
                let ended = ended.args()?;
                if ended.call().as_str() != path.as_str() {
                    continue;
                }
                let summary = ended.summary();
                output.value(&json!({
                    "call": id, "state": "ended", "sip-code": summary.sip_code, "words": summary.words,
                }));
                output.line(format!("call {id} ended: {}", summary.words));
                // A call that never was is a failure for a script.
                return match summary.answered_at_microseconds {
                    Some(_) => Ok(()),
                    None => Err(Failure::new(summary.words.clone(), "")),
                };
            }
        }
    }
}

/// `sipwitch explain`
pub(crate) async fn explain(
    service: &Service,
    output: &Output,
    dial: &Dial,
) -> Result<(), Failure> {
    let (attempts, rejected) = service.proxy.explain(&dial.contact, &options(dial)).await?;
    output.value(&json!({
        "attempts": attempts.iter().map(route_line).collect::<Vec<_>>(),
        "rejected": rejected.iter().map(route_line).collect::<Vec<_>>(),
    }));
    output.line(crate::output::clean(&dial.contact));
    let last = rejected.is_empty();
    for (at, line) in attempts.iter().enumerate() {
        let branch = if last && at + 1 == attempts.len() { "└─" } else { "├─" };
        let number = output.paint(Mood::Good, &format!("{}.", line.attempt));
        output.line(format!("{branch} {number} {}: {}", line.destination, line.words));
    }
    for (at, line) in rejected.iter().enumerate() {
        let branch = if at + 1 == rejected.len() { "└─" } else { "├─" };
        let no = output.paint(Mood::Doubtful, "not");
        output.line(format!("{branch} {no} {}: {}", line.destination, line.words));
    }
    Ok(())
}

fn route_line(line: &RouteLine) -> serde_json::Value {
    json!({
        "attempt": line.attempt,
        "destination": line.destination,
        "reason": line.reason,
        "words": line.words,
    })
}

/// `sipwitch calls`
pub(crate) async fn list(service: &Service, output: &Output) -> Result<(), Failure> {
    let calls = service.world().await?.calls;
    output.value(&calls);
    let now = now_microseconds();
    let rows: Vec<Vec<String>> = calls
        .iter()
        .map(|call| {
            vec![
                call.id.to_string(),
                call.state.clone(),
                party(&call.caller, &call.caller_name),
                if call.callee.is_empty() {
                    call.contact.clone()
                } else {
                    party(&call.callee, &call.callee_name)
                },
                match call.answered_at_microseconds {
                    0 => "-".into(),
                    answered => duration(now.saturating_sub(answered)),
                },
            ]
        })
        .collect();
    output.table(&["CALL", "STATE", "FROM", "TO", "TIME"], &rows, "no calls");
    Ok(())
}

/// `101 (Anna)`
pub(crate) fn party(address: &str, name: &str) -> String {
    if name.is_empty() { address.to_owned() } else { format!("{address} ({name})") }
}

/// The state of a call in its colour.
pub(crate) fn paint(output: &Output, state: &str) -> String {
    let mood = match state {
        "connected" => Mood::Good,
        "ended" => Mood::Plain,
        _ => Mood::Doubtful,
    };
    output.paint(mood, state)
}

/// `sipwitch hangup`
pub(crate) async fn hangup(
    service: &Service,
    output: &Output,
    call: Option<u64>,
    all: bool,
) -> Result<(), Failure> {
    if !all {
        let id = which(service, call).await?;
        call_proxy(service, id).await?.hangup().await?;
        return done(output, id, "ended");
    }
    let calls = service.world().await?.calls;
    for Call { id, .. } in &calls {
        call_proxy(service, *id).await?.hangup().await?;
    }
    output.value(&json!({ "ended": calls.len() }));
    output.line(format!("{} calls ended", calls.len()));
    Ok(())
}

/// `sipwitch hold`
pub(crate) async fn hold(
    service: &Service,
    output: &Output,
    call: Option<u64>,
) -> Result<(), Failure> {
    let id = which(service, call).await?;
    call_proxy(service, id).await?.hold().await?;
    done(output, id, "held")
}

/// `sipwitch resume`
pub(crate) async fn resume(
    service: &Service,
    output: &Output,
    call: Option<u64>,
) -> Result<(), Failure> {
    let id = which(service, call).await?;
    call_proxy(service, id).await?.resume().await?;
    done(output, id, "connected")
}

/// `sipwitch answer`
pub(crate) async fn answer(
    service: &Service,
    output: &Output,
    call: Option<u64>,
) -> Result<(), Failure> {
    let id = which(service, call).await?;
    call_proxy(service, id).await?.answer().await?;
    done(output, id, "connected")
}

/// `sipwitch transfer`
pub(crate) async fn transfer(
    service: &Service,
    output: &Output,
    contact: &str,
    call: Option<u64>,
) -> Result<(), Failure> {
    let id = which(service, call).await?;
    call_proxy(service, id).await?.transfer(contact, &NoOptions {}).await?;
    done(output, id, "transferring")
}

/// `sipwitch dtmf`
pub(crate) async fn dtmf(
    service: &Service,
    output: &Output,
    tones: &str,
    call: Option<u64>,
) -> Result<(), Failure> {
    let id = which(service, call).await?;
    call_proxy(service, id).await?.send_dtmf(tones, &NoOptions {}).await?;
    output.value(&json!({ "call": id, "sent": tones }));
    output.line(format!("call {id}: sent {tones}"));
    Ok(())
}

/// `sipwitch message`
pub(crate) async fn message(
    service: &Service,
    output: &Output,
    contact: &str,
    text: &str,
    from: Option<String>,
) -> Result<(), Failure> {
    let result = service.proxy.send_message(contact, text, &MessageOptions { from }).await?;
    output.value(&json!({ "state": result.state.as_str() }));
    output.line(match result.state {
        sipwitch_dbus_interfaces::wire::MessageState::Delivered => "delivered",
        sipwitch_dbus_interfaces::wire::MessageState::Stored => {
            "kept: it is delivered when a phone of theirs registers"
        }
    });
    Ok(())
}

fn done(output: &Output, id: u64, state: &str) -> Result<(), Failure> {
    output.value(&json!({ "call": id, "state": state }));
    output.line(format!("call {id}: {}", paint(output, state)));
    Ok(())
}

async fn call_proxy(service: &Service, id: u64) -> Result<CallProxy<'static>, Failure> {
    Ok(CallProxy::builder(&service.connection).path(ObjectName::Call(id).path())?.build().await?)
}

/// The call that was named, or the only one there is.
async fn which(service: &Service, named: Option<u64>) -> Result<u64, Failure> {
    let calls = service.world().await?.calls;
    choose(named, &calls.iter().map(|call| call.id).collect::<Vec<_>>())
}

fn choose(named: Option<u64>, there: &[u64]) -> Result<u64, Failure> {
    match (named, there) {
        (Some(id), there) if there.contains(&id) => Ok(id),
        (Some(id), _) => Err(Failure::new(
            format!("there is no call {id}"),
            "`sipwitch calls` lists the calls under way",
        )),
        (None, [only]) => Ok(*only),
        (None, []) => Err(Failure::new("there is no call under way", "")),
        (None, many) => Err(Failure::usage(
            format!("there are {} calls under way", many.len()),
            "say which; `sipwitch calls` lists them",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_call_need_not_be_named() {
        assert_eq!(choose(None, &[7]), Ok(7));
        assert_eq!(choose(Some(7), &[6, 7]), Ok(7));
        assert!(choose(Some(5), &[6, 7]).unwrap_err().cause.contains('5'));
        assert!(choose(None, &[]).is_err());
        assert!(choose(None, &[6, 7]).unwrap_err().cause.contains("2 calls"));
    }
}
