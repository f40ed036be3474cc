// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch watch`

use std::{collections::HashMap, time::Instant};

use futures_util::{Stream, StreamExt};
use serde_json::json;
use sipwitch_dbus_interfaces::names::{BUS_NAME, CALL_INTERFACE, ROOT};
use tokio::signal::unix::{SignalKind, signal};
use zbus::{MatchRule, Message, MessageStream, message::Type};

use super::calls::{paint, party};
use crate::{
    failure::Failure,
    output::{Mood, Output, clean},
    service::Service,
    world::{Call, Object, Phone, World},
};

/// What we last said of each thing, so that only what is new is said.
#[derive(Default)]
struct Seen {
    calls: HashMap<u64, Call>,
    phones: HashMap<u64, Phone>,
}

/// Shows calls and phones as they come and go.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    count: Option<u64>,
) -> Result<(), Failure> {
    // Listen first, then look, so that nothing falls between.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut owners = service.proxy.inner().receive_owner_changed().await?;
    let mut signals = signals(service).await?;
    let start = Instant::now();
    let mut seen = Seen::default();
    let mut said = 0;
    let world = service.world().await?;
    output.line(format!(
        "watching: {} phones, {} calls; Ctrl+C stops",
        world.phones.len(),
        world.calls.len()
    ));
    said += seen.say(output, start, world);
    while count.is_none_or(|count| said < count) {
        tokio::select! {
            _ = interrupts.recv() => return Ok(()),
            owner = owners.next() => match owner {
                None => return Err(Failure::bus_is_gone()),
                Some(None) => {
                    output.value(&json!({ "event": "service-gone" }));
                    output.line(format!("{} the service has ended; waiting for it", since(start)));
                    said += 1;
                }
                Some(Some(_)) => {
                    output.value(&json!({ "event": "service-back" }));
                    output.line(format!("{} the service is there again", since(start)));
                    said += 1;
                    if let Some(world) = service.world_if_there().await? {
                        said += seen.say(output, start, world);
                    }
                }
            },
            signal = signals.next() => match signal {
                None => return Err(Failure::bus_is_gone()),
                Some(message) => {
                    said += ended(output, start, &message?);
                    if let Some(world) = service.world_if_there().await? {
                        said += seen.say(output, start, world);
                    }
                }
            },
        }
    }
    Ok(())
}

async fn signals(
    service: &Service,
) -> Result<impl Stream<Item = zbus::Result<Message>> + Unpin, Failure> {
    let rule =
        MatchRule::builder().msg_type(Type::Signal).sender(BUS_NAME)?.path_namespace(ROOT)?.build();
    Ok(MessageStream::for_match_rule(rule, &service.connection, Some(256)).await?)
}

/// The end of a call comes as a signal with its cause.
fn ended(output: &Output, start: Instant, message: &Message) -> u64 {
    let header = message.header();
    let is_end = header.interface().is_some_and(|name| name.as_str() == CALL_INTERFACE)
        && header.member().is_some_and(|name| name.as_str() == "Ended");
    if !is_end {
        return 0;
    }
    let Ok((sip_code, _, words)) = message.body().deserialize::<(u32, u32, String)>() else {
        return 0;
    };
    let path = header.path().map(ToString::to_string).unwrap_or_default();
    let id = path.rsplit('/').next().unwrap_or_default().to_owned();
    output.value(&json!({
        "event": "call-ended", "call": id.parse::<u64>().ok(), "sip-code": sip_code, "words": words,
    }));
    output.line(format!("{} call {id} ended: {}", since(start), clean(&words)));
    1
}

fn since(start: Instant) -> String {
    format!("{:>8.3}", start.elapsed().as_secs_f64())
}

impl Seen {
    fn say(&mut self, output: &Output, start: Instant, world: World) -> u64 {
        let mut said = 0;
        let phones: HashMap<u64, Phone> =
            world.phones.into_iter().map(|phone| (phone.id, phone)).collect();
        for phone in phones.values() {
            if !self.phones.contains_key(&phone.id) {
                said += phone_line(output, start, phone, "registered", Mood::Good);
            }
        }
        for phone in self.phones.values() {
            if !phones.contains_key(&phone.id) {
                said += phone_line(output, start, phone, "gone", Mood::Doubtful);
            }
        }
        self.phones = phones;
        let calls: HashMap<u64, Call> =
            world.calls.into_iter().map(|call| (call.id, call)).collect();
        let mut ids: Vec<&u64> = calls.keys().collect();
        ids.sort_unstable();
        for id in ids {
            let call = &calls[id];
            let told = |before: &Call| before.state == call.state && before.callee == call.callee;
            if !self.calls.get(id).is_some_and(told) {
                output.value(&Object::Call(call.clone()));
                let callee = if call.callee.is_empty() { &call.contact } else { &call.callee };
                output.line(format!(
                    "{} call {id} {}: {} → {}",
                    since(start),
                    paint(output, &call.state),
                    party(&call.caller, &call.caller_name),
                    party(callee, &call.callee_name),
                ));
                said += 1;
            }
        }
        self.calls = calls;
        said
    }
}

fn phone_line(output: &Output, start: Instant, phone: &Phone, what: &str, mood: Mood) -> u64 {
    output.value(&json!({
        "event": format!("phone-{what}"),
        "phone": phone.id,
        "extension": phone.extension,
        "address": phone.address,
    }));
    output.line(format!(
        "{} phone {} of {} {} ({}:{}) {}",
        since(start),
        phone.id,
        phone.extension,
        output.paint(mood, what),
        phone.transport,
        phone.address,
        phone.user_agent,
    ));
    1
}
