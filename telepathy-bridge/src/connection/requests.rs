// SPDX-License-Identifier: GPL-3.0-or-later
//! Channels that clients ask for.

use std::collections::HashMap;

use zbus::{Message, zvariant::OwnedValue};

use super::Connection;
use crate::{
    bridge::path,
    call::{Call, Who},
    definition::call::{CALL, CHANNEL},
    error::{Error, Name},
    outbox::Outbox,
    protocol::CLASSES,
    reply::{Reply, arguments},
};

/// What a client asks for.
struct Request {
    /// Whether it is a call, or else a conversation in writing.
    is_call: bool,
    target: Target,
    audio_name: String,
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
        let audio_name = take::<String>(&mut asked, &CALL.member("InitialAudioName"))?;
        let kind = take::<String>(&mut asked, &CHANNEL.member("ChannelType"))?;
        let is_call = kind.is_some_and(|kind| kind == CALL.name);
        Ok(Self { is_call, target, audio_name: audio_name.unwrap_or_default() })
    }
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
        if !request.is_call {
            return self.text_requested(handle, is_ensured, outbox);
        }
        if is_ensured {
            let there = self.calls.values().find(|c| c.target().handle == handle && !c.is_ended());
            if let Some(call) = there {
                return Ok(Reply::of((false, path(&call.path()), call.immutable())));
            }
        }
        let id = self.handles.inspect(handle)?.to_owned();
        let number = self.next_call()?;
        let call = Call::outgoing(number, self.own(), Who { handle, id }, request.audio_name);
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
