// SPDX-License-Identifier: GPL-3.0-or-later
//! Our objects: their paths and their interfaces.

use crate::{
    definition::{
        Interface,
        call::{
            CALL, CHANNEL, CONTENT, CONTENT_DTMF, CONTENT_MEDIA, ENDPOINT, HOLD, MEDIA_DESCRIPTION,
            STREAM, STREAM_MEDIA,
        },
        connection::CONNECTION,
        manager::{DEBUG, MANAGER, PROTOCOL},
        text::{DESTROYABLE, MESSAGES},
    },
    protocol::{CONNECTION_INTERFACES, PROTOCOL_INTERFACES},
};

/// The manager.
pub(crate) const MANAGER_PATH: &str = "/org/freedesktop/Telepathy/ConnectionManager/sipwitch";
/// The protocol.
pub(crate) const PROTOCOL_PATH: &str = "/org/freedesktop/Telepathy/ConnectionManager/sipwitch/tel";
/// What debuggers look at.
pub(crate) const DEBUG_PATH: &str = "/org/freedesktop/Telepathy/debug";
/// The connection.
pub(crate) const CONNECTION_PATH: &str = "/org/freedesktop/Telepathy/Connection/sipwitch/tel/house";

/// What a call can do besides.
pub(crate) const CALL_INTERFACES: &[&Interface] = &[&HOLD];
/// What a channel for texts can do besides.
pub(crate) const TEXT_INTERFACES: &[&Interface] = &[&MESSAGES, &DESTROYABLE];
/// What its sound can do besides.
pub(crate) const CONTENT_INTERFACES: &[&Interface] = &[&CONTENT_MEDIA, &CONTENT_DTMF];
/// What the way of its sound can do besides.
pub(crate) const STREAM_INTERFACES: &[&Interface] = &[&STREAM_MEDIA];

/// The objects of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The channel itself.
    Channel,
    /// Its sound.
    Content,
    /// The way of the sound.
    Stream,
    /// The far end of that way.
    Endpoint,
    /// What the handler is to accept.
    Offer(u32),
}

impl Part {
    /// The path of this part of a call.
    pub(crate) fn path(self, call: u32) -> String {
        let channel = format!("{CONNECTION_PATH}/call{call}");
        match self {
            Self::Channel => channel,
            Self::Content => format!("{channel}/audio"),
            Self::Stream => format!("{channel}/audio/stream"),
            Self::Endpoint => format!("{channel}/audio/endpoint"),
            Self::Offer(number) => format!("{channel}/audio/offer{number}"),
        }
    }

    /// Reads what stands behind the connection in a path.
    fn read(below: &str) -> Option<(u32, Self)> {
        let (call, part) = match below.split_once('/') {
            Some((call, part)) => (call, Some(part)),
            None => (below, None),
        };
        let call = call.strip_prefix("call")?.parse().ok()?;
        let part = match part {
            None => Self::Channel,
            Some("audio") => Self::Content,
            Some("audio/stream") => Self::Stream,
            Some("audio/endpoint") => Self::Endpoint,
            Some(other) => Self::Offer(other.strip_prefix("audio/offer")?.parse().ok()?),
        };
        Some((call, part))
    }
}

/// The path of the channel for texts of this number.
pub(crate) fn text_path(number: u32) -> String {
    format!("{CONNECTION_PATH}/text{number}")
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// The connection manager.
    Manager,
    /// The protocol.
    Protocol,
    /// What debuggers look at.
    Debug,
    /// The connection.
    Connection,
    /// The channel for texts of this number.
    Text(u32),
    /// A part of the call of this number.
    Call(u32, Part),
}

impl Object {
    /// Reads a path; none if it is not one of ours.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            MANAGER_PATH => Self::Manager,
            PROTOCOL_PATH => Self::Protocol,
            DEBUG_PATH => Self::Debug,
            CONNECTION_PATH => Self::Connection,
            other => {
                let below = other.strip_prefix(CONNECTION_PATH)?.strip_prefix('/')?;
                if let Some(number) = below.strip_prefix("text") {
                    return number.parse().ok().map(Self::Text);
                }
                let (call, part) = Part::read(below)?;
                Self::Call(call, part)
            }
        })
    }

    /// The interfaces of the object, Telepathy's only.
    pub(crate) fn interfaces(self) -> Vec<&'static Interface> {
        let with = |first: &'static Interface, others: &[&'static Interface]| {
            std::iter::once(first).chain(others.iter().copied()).collect()
        };
        match self {
            Self::Manager => vec![&MANAGER],
            Self::Protocol => with(&PROTOCOL, PROTOCOL_INTERFACES),
            Self::Debug => vec![&DEBUG],
            Self::Connection => with(&CONNECTION, CONNECTION_INTERFACES),
            Self::Text(_) => crate::text::interfaces(),
            Self::Call(_, Part::Channel) => std::iter::once(&CHANNEL)
                .chain([&CALL])
                .chain(CALL_INTERFACES.iter().copied())
                .collect(),
            Self::Call(_, Part::Content) => with(&CONTENT, CONTENT_INTERFACES),
            Self::Call(_, Part::Stream) => with(&STREAM, STREAM_INTERFACES),
            Self::Call(_, Part::Endpoint) => vec![&ENDPOINT],
            Self::Call(_, Part::Offer(_)) => vec![&MEDIA_DESCRIPTION],
        }
    }
}
