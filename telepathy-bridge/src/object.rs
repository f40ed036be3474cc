// SPDX-License-Identifier: GPL-3.0-or-later
//! Our objects: their paths and their interfaces.

use crate::{
    definition::{
        Interface,
        call::{
            CALL, CALL_DTMF, CHANNEL, CONTENT, CONTENT_DTMF, CONTENT_MEDIA, ENDPOINT, HOLD,
            MEDIA_DESCRIPTION, MUTE, RTCP_FEEDBACK, RTCP_REPORTS, RTP_EXTENSIONS, STREAM,
            STREAM_MEDIA, TRANSFER,
        },
        connection::CONNECTION,
        manager::{DEBUG, MANAGER, PROTOCOL},
        text::{CHAT_STATE, DESTROYABLE, MESSAGES},
    },
    protocol::{ACCOUNT_ID, CONNECTION_INTERFACES, PROTOCOL_INTERFACES, Protocol},
};

/// The manager.
pub(crate) const MANAGER_PATH: &str = "/org/freedesktop/Telepathy/ConnectionManager/sipwitch";
/// What debuggers look at.
pub(crate) const DEBUG_PATH: &str = "/org/freedesktop/Telepathy/debug";
/// Below it are the connections.
const CONNECTIONS_PATH: &str = "/org/freedesktop/Telepathy/Connection/sipwitch";
/// Below it are the names that connections take on the bus.
const CONNECTIONS_NAME: &str = "org.freedesktop.Telepathy.Connection.sipwitch";

/// Which connection: the house, or one of those to providers. What has ended gives its number to
/// the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u8);

/// The bits of a channel's number that name it among those of its connection. The others name the
/// connection, so that a number says which channel of all it is.
const CHANNEL_BITS: u32 = 28;
const CHANNEL_MASK: u32 = (1 << CHANNEL_BITS) - 1;

impl ConnectionId {
    /// That of the protocol `tel`.
    pub(crate) const HOUSE: Self = Self(0);
    /// Those of the protocol `sip`: as many as the service has phones for one program, but for the
    /// house.
    pub(crate) const OF_PROVIDERS: [Self; 7] =
        [Self(1), Self(2), Self(3), Self(4), Self(5), Self(6), Self(7)];

    /// Its protocol.
    pub(crate) fn protocol(self) -> Protocol {
        if self == Self::HOUSE { Protocol::Tel } else { Protocol::Sip }
    }

    /// Its last word in path and name.
    fn word(self) -> String {
        match self {
            Self::HOUSE => ACCOUNT_ID.to_owned(),
            Self(number) => format!("account{number}"),
        }
    }

    /// Its path.
    pub(crate) fn path(self) -> String {
        format!("{CONNECTIONS_PATH}/{}/{}", self.protocol().name(), self.word())
    }

    /// The name that it takes on the bus.
    pub(crate) fn bus_name(self) -> String {
        format!("{CONNECTIONS_NAME}.{}.{}", self.protocol().name(), self.word())
    }

    /// The connection that a path is of, and what stands behind that.
    fn read(path: &str) -> Option<(Self, &str)> {
        let below = path.strip_prefix(CONNECTIONS_PATH)?.strip_prefix('/')?;
        let (protocol, below) = below.split_once('/')?;
        let (word, below) = below.split_once('/').unwrap_or((below, ""));
        let mut all = std::iter::once(Self::HOUSE).chain(Self::OF_PROVIDERS);
        let found = all.find(|id| id.protocol().name() == protocol && id.word() == word)?;
        Some((found, below))
    }

    /// The number of its channel of this number.
    pub(crate) const fn channel(self, number: u32) -> u32 {
        ((self.0 as u32) << CHANNEL_BITS) | (number & CHANNEL_MASK)
    }

    /// The connection of a channel.
    pub(crate) const fn of_channel(number: u32) -> Self {
        Self((number >> CHANNEL_BITS) as u8)
    }
}

/// What a call can do besides.
pub(crate) const CALL_INTERFACES: &[&Interface] = &[&HOLD, &CALL_DTMF, &MUTE, &TRANSFER];
/// What a channel for texts can do besides.
pub(crate) const TEXT_INTERFACES: &[&Interface] = &[&MESSAGES, &DESTROYABLE, &CHAT_STATE];
/// What its contents can do besides.
pub(crate) const CONTENT_INTERFACES: &[&Interface] = &[&CONTENT_MEDIA, &CONTENT_DTMF];
/// What descriptions say besides.
pub(crate) const OFFER_INTERFACES: &[&Interface] =
    &[&RTCP_FEEDBACK, &RTP_EXTENSIONS, &RTCP_REPORTS];
/// What the ways of its contents can do besides.
pub(crate) const STREAM_INTERFACES: &[&Interface] = &[&STREAM_MEDIA];

/// The objects of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The channel itself.
    Channel,
    /// A content: sound or pictures, by its number.
    Content(u32),
    /// The way of that content.
    Stream(u32),
    /// The far end of that way.
    Endpoint(u32),
    /// What the handler is to accept of a content: its number, that of the offer.
    Offer(u32, u32),
}

impl Part {
    /// The path of this part of a call.
    pub(crate) fn path(self, call: u32) -> String {
        let channel = channel_path("call", call);
        match self {
            Self::Channel => channel,
            Self::Content(number) => format!("{channel}/content{number}"),
            Self::Stream(number) => format!("{channel}/content{number}/stream"),
            Self::Endpoint(number) => format!("{channel}/content{number}/endpoint"),
            Self::Offer(number, offer) => format!("{channel}/content{number}/offer{offer}"),
        }
    }

    /// Reads what stands behind the connection in a path.
    fn read(below: &str) -> Option<(u32, Self)> {
        let (call, part) = match below.split_once('/') {
            Some((call, part)) => (call, Some(part)),
            None => (below, None),
        };
        let call = call.strip_prefix("call")?.parse().ok()?;
        let Some(part) = part else { return Some((call, Self::Channel)) };
        let (content, below) = match part.split_once('/') {
            Some((content, below)) => (content, Some(below)),
            None => (part, None),
        };
        let number = content.strip_prefix("content")?.parse().ok()?;
        let part = match below {
            None => Self::Content(number),
            Some("stream") => Self::Stream(number),
            Some("endpoint") => Self::Endpoint(number),
            Some(other) => Self::Offer(number, other.strip_prefix("offer")?.parse().ok()?),
        };
        Some((call, part))
    }
}

/// The path of the channel for texts of this number.
pub(crate) fn text_path(number: u32) -> String {
    channel_path("text", number)
}

/// The path of the channel of this number that asks for a password.
pub(crate) fn password_path(number: u32) -> String {
    channel_path("password", number)
}

fn channel_path(kind: &str, number: u32) -> String {
    let connection = ConnectionId::of_channel(number).path();
    format!("{connection}/{kind}{}", number & CHANNEL_MASK)
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// The connection manager.
    Manager,
    /// A protocol.
    Protocol(Protocol),
    /// What debuggers look at.
    Debug,
    /// A connection.
    Connection(ConnectionId),
    /// The channel for texts of this number.
    Text(u32),
    /// The channel of this number that asks for a password.
    Password(u32),
    /// A part of the call of this number.
    Call(u32, Part),
}

impl Object {
    /// Reads a path; none if it is not one of ours.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            MANAGER_PATH => Self::Manager,
            DEBUG_PATH => Self::Debug,
            other => {
                if let Some(protocol) = Protocol::ALL.iter().find(|one| one.path() == other) {
                    return Some(Self::Protocol(*protocol));
                }
                let (connection, below) = ConnectionId::read(other)?;
                if below.is_empty() {
                    return Some(Self::Connection(connection));
                }
                if let Some(number) = below.strip_prefix("text") {
                    return number.parse().ok().map(|n| Self::Text(connection.channel(n)));
                }
                if let Some(number) = below.strip_prefix("password") {
                    return number.parse().ok().map(|n| Self::Password(connection.channel(n)));
                }
                let (call, part) = Part::read(below)?;
                Self::Call(connection.channel(call), part)
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
            Self::Protocol(_) => with(&PROTOCOL, PROTOCOL_INTERFACES),
            Self::Debug => vec![&DEBUG],
            Self::Connection(_) => with(&CONNECTION, CONNECTION_INTERFACES),
            Self::Text(_) => crate::text::interfaces(),
            Self::Password(_) => crate::password::interfaces(),
            Self::Call(_, Part::Channel) => std::iter::once(&CHANNEL)
                .chain([&CALL])
                .chain(CALL_INTERFACES.iter().copied())
                .collect(),
            Self::Call(_, Part::Content(_)) => with(&CONTENT, CONTENT_INTERFACES),
            Self::Call(_, Part::Stream(_)) => with(&STREAM, STREAM_INTERFACES),
            Self::Call(_, Part::Endpoint(_)) => vec![&ENDPOINT],
            Self::Call(_, Part::Offer(..)) => with(&MEDIA_DESCRIPTION, OFFER_INTERFACES),
        }
    }
}
