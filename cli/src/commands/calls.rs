// SPDX-License-Identifier: GPL-3.0-or-later
//! Making and steering calls.

use serde_json::json;
use sipwitch_dbus_interfaces::{
    CallProxy, ObjectName,
    wire::{MessageOptions, NoOptions, RouteLine},
};

use super::dial::options;
use crate::{
    arguments::Whom,
    failure::Failure,
    output::{Mood, Output, duration, now_microseconds},
    service::Service,
    world::Call,
};

/// `sipwitch explain`
pub(crate) async fn explain(
    service: &Service,
    output: &Output,
    dial: &Whom,
) -> Result<(), Failure> {
    let (attempts, rejected) = service.proxy.explain(&dial.contact, &options(dial)).await?;
    output.value(&json!({
        "attempts": attempts.iter().map(route_line).collect::<Vec<_>>(),
        "rejected": rejected.iter().map(route_line).collect::<Vec<_>>(),
    }));
    output.line(&dial.contact);
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
    if attempts.is_empty() && rejected.iter().any(|line| line.reason == "no-line") {
        output.line("   → make a line: sipwitch accounts add");
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
    let mut ended = 0;
    for Call { id, .. } in &calls {
        match call_proxy(service, *id).await?.hangup().await.map_err(Failure::from) {
            Ok(()) => ended += 1,
            // It ended by itself meanwhile.
            Err(failure) if failure.is_of_something_gone() => {}
            Err(failure) => return Err(failure),
        }
    }
    output.value(&json!({ "ended": ended }));
    output.line(match ended {
        0 => "there is no call under way".into(),
        1 => "1 call ended".into(),
        many => format!("{many} calls ended"),
    });
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
    let call = call_proxy(service, id).await?;
    call.resume().await?;
    if call.held().await? {
        output.value(&json!({ "call": id, "state": "held" }));
        output.line(format!(
            "call {id} is still held by a phone: it is resumed on the phone that holds it"
        ));
        return Ok(());
    }
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
    let options = MessageOptions { from };
    let sending = service.proxy.send_message(contact, text, &options);
    let result = output.waiting("sending", sending).await?;
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

/// A call on the bus.
pub(super) async fn call_proxy(service: &Service, id: u64) -> Result<CallProxy<'static>, Failure> {
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
        (None, []) => {
            Err(Failure::new("there is no call under way", "`sipwitch dial CONTACT` makes one"))
        }
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
