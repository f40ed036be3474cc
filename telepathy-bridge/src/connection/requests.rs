// SPDX-License-Identifier: GPL-3.0-or-later
//! Channels that clients ask for.

use std::collections::HashMap;

use zbus::{Message, zvariant::OwnedValue};

use super::Connection;
use crate::{
    bridge::path,
    call::{Call, Who, Wishes, check_tones},
    definition::call::{CALL, CALL_DTMF, CHANNEL},
    error::{Error, Name},
    outbox::Outbox,
    protocol::CLASSES,
    reply::{Reply, arguments},
};

/// The longest name of a content, in bytes.
const MAX_NAME: usize = 64;

/// What a client asks for.
struct Request {
    /// What it asks of a call; nothing of a conversation in writing.
    call: Option<Wishes>,
    target: Target,
}

enum Target {
    Handle(u32),
    Id(String),
}

impl Request {
    /// Holds what is asked for against the classes there are.
    fn read(mut asked: HashMap<String, OwnedValue>) -> Result<Self, Error> {
        let class = CLASSES.iter().find(|class| {
            class
                .fixed
                .iter()
                .all(|(name, fixed)| asked.get(*name).is_some_and(|value| **value == fixed.value()))
        });
        let Some(class) = class else {
            let words = "no class of channels is like this: see RequestableChannelClasses";
            return Err(Name::NotImplemented.because(words));
        };
        let known = |name: &str| {
            class.allowed.contains(&name) || class.fixed.iter().any(|(fixed, _)| *fixed == name)
        };
        if let Some(name) = asked.keys().find(|name| !known(name)) {
            return Err(Name::NotImplemented.because(format!("{name} cannot be asked for")));
        }
        let handle = take::<u32>(&mut asked, &CHANNEL.member("TargetHandle"))?;
        let id = take::<String>(&mut asked, &CHANNEL.member("TargetID"))?;
        let target = match (handle, id) {
            (Some(handle), None) => Target::Handle(handle),
            (None, Some(id)) => Target::Id(id),
            _ => {
                let words = "give either TargetID or TargetHandle";
                return Err(Name::InvalidArgument.because(words));
            }
        };
        let kind = take::<String>(&mut asked, &CHANNEL.member("ChannelType"))?;
        let is_call = kind.is_some_and(|kind| kind == CALL.name);
        let call = if is_call { Some(wishes(&mut asked)?) } else { None };
        Ok(Self { call, target })
    }
}

/// What is asked of a call.
fn wishes(asked: &mut HashMap<String, OwnedValue>) -> Result<Wishes, Error> {
    let mut medium = |initial: &str, name: &str| -> Result<Option<String>, Error> {
        let is_there = take::<bool>(asked, &CALL.member(initial))?.unwrap_or(false);
        let word = take::<String>(asked, &CALL.member(name))?.unwrap_or_default();
        if word.len() > MAX_NAME || word.chars().any(char::is_control) {
            let words = format!("{name} is too long, or no text");
            return Err(Name::InvalidArgument.because(words));
        }
        Ok(is_there.then_some(word))
    };
    let audio = medium("InitialAudio", "InitialAudioName")?;
    let video = medium("InitialVideo", "InitialVideoName")?;
    let transport = take::<u32>(asked, &CALL.member("InitialTransport"))?.unwrap_or_default();
    if transport > 2 {
        let words = format!("the transport {transport} is not to be had: only 1, UDP, and 2, ICE");
        return Err(Name::NotImplemented.because(words));
    }
    let tones = take::<String>(asked, &CALL_DTMF.member("InitialTones"))?.unwrap_or_default();
    check_tones(&tones)?;
    Ok(Wishes { audio, video, transport, tones })
}

fn take<T: TryFrom<OwnedValue>>(
    asked: &mut HashMap<String, OwnedValue>,
    name: &str,
) -> Result<Option<T>, Error> {
    asked
        .remove(name)
        .map(T::try_from)
        .transpose()
        .map_err(|_| Name::InvalidArgument.because(format!("{name} is of another type")))
}

impl Connection {
    pub(super) fn requests_method(
        &mut self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        let asked: HashMap<String, OwnedValue> = arguments(call)?;
        self.connected()?;
        let request = Request::read(asked)?;
        let handle = match request.target {
            Target::Handle(handle) => {
                self.handles.inspect(handle)?;
                handle
            }
            Target::Id(id) => self.handle_of(&id)?,
        };
        let is_ensured = name == "EnsureChannel";
        let Some(wishes) = request.call else {
            return self.text_requested(handle, is_ensured, outbox);
        };
        if is_ensured {
            let there = self.calls.values().find(|c| c.target().handle == handle && !c.is_ended());
            if let Some(call) = there {
                return Ok(Reply::of((false, path(&call.path()), call.immutable())));
            }
        }
        let id = self.handles.inspect(handle)?.to_owned();
        let number = self.next_call()?;
        let call = Call::outgoing(number, self.own(), Who { handle, id }, wishes);
        self.announce_call(&call, outbox);
        let (own, properties) = (path(&call.path()), call.immutable());
        self.calls.insert(number, call);
        Ok(if is_ensured {
            Reply::of((true, own, properties))
        } else {
            Reply::of((own, properties))
        })
    }
}
