// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch dial`

use futures_util::StreamExt;
use serde_json::json;
use sipwitch_dbus_interfaces::{ObjectName, wire::DialOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::calls::{call_proxy, paint};
use crate::{
    arguments::{Dial, Whom},
    failure::Failure,
    output::Output,
    service::Service,
};

/// How to call.
pub(super) fn options(whom: &Whom) -> DialOptions {
    DialOptions {
        from: whom.from.clone(),
        display: whom.display.clone(),
        ring_seconds: whom.ring,
        detached: None,
        hide_number: whom.hide_number.then_some(true),
        also: Some(whom.also.clone()).filter(|also| !also.is_empty()),
    }
}

/// Makes a call and tells how it goes.
///
/// The call belongs to the program that asked for it, so this one stays until it is over, unless it
/// asked for a detached one.
pub(crate) async fn run(service: &Service, output: &Output, dial: &Dial) -> Result<(), Failure> {
    // Listen first, then dial, so that nothing falls between.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut ends = service.proxy.receive_call_ended().await?;
    let mut owners = service.proxy.inner().receive_owner_changed().await?;
    let detached = dial.detach.then_some(true);
    let options = DialOptions { detached, ..options(&dial.whom) };
    let path = service.proxy.dial(&dial.whom.contact, &options).await?;
    let Some(ObjectName::Call(id)) = ObjectName::from_path(path.as_str()) else {
        return Err(Failure::new("the service gave a call that is none", "update the service"));
    };
    output.value(&json!({ "call": id, "path": path.as_str() }));
    if dial.detach {
        output.line(format!(
            "call {id}: your phone rings first; `sipwitch hangup {id}` ends the call"
        ));
        return Ok(());
    }
    output.line(format!("call {id}: your phone rings first; Ctrl+C hangs up"));
    let call = call_proxy(service, id).await?;
    let mut states = call.receive_state_changed().await;
    let mut hanging_up = false;
    loop {
        tokio::select! {
            _ = interrupts.recv() => {
                if std::mem::replace(&mut hanging_up, true) {
                    return Err(Failure::new(
                        format!("interrupted while call {id} was ended"),
                        "`sipwitch calls` shows whether it is over",
                    ));
                }
                match call.hangup().await.map_err(Failure::from) {
                    // If it has ended by itself, its end is about to be told.
                    Err(failure) if !failure.is_of_something_gone() => return Err(failure),
                    _ => {}
                }
            }
            Some(change) = states.next() => {
                if let Ok(state) = change.get().await {
                    output.value(&json!({ "call": id, "state": state.as_str() }));
                    output.line(format!("call {id}: {}", paint(output, state.as_str())));
                }
            }
            ended = ends.next() => {
                let Some(ended) = ended else { return Err(Failure::bus_is_gone()) };
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
                    None => Err(Failure::new(
                        format!("call {id} was not answered: {}", summary.words), "",
                    )),
                };
            }
            owner = owners.next() => match owner {
                None => return Err(Failure::bus_is_gone()),
                Some(Some(_)) => {}
                Some(None) => return Err(Failure::unreachable(
                    format!("the service has ended, and with it what it knew of call {id}"),
                    "`sipwitch status` starts it again; `sipwitch calls` shows what is left",
                )),
            }
        }
    }
}
