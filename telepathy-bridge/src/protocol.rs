// SPDX-License-Identifier: GPL-3.0-or-later
//! What there is to know before a connection is there: the manager's and the protocol's properties.

use std::collections::HashMap;

use zbus::zvariant::Value;

use crate::{
    definition::{
        Interface,
        authentication::SASL,
        call::CALL,
        connection::{
            ADDRESSING, ALIASING, ANONYMITY, CONTACT_BLOCKING, CONTACT_CAPABILITIES, CONTACT_INFO,
            CONTACT_LIST, CONTACTS, REQUESTS, SERVICE_POINT, SIMPLE_PRESENCE,
        },
        manager::{PROTOCOL, PROTOCOL_ADDRESSING, PROTOCOL_PRESENCE},
        text::TEXT,
    },
    error::{Error, Name},
    identifier::{SCHEMES, VCARD_FIELDS},
    object::MANAGER_PATH,
    parameters::Parameter,
    reply::Map,
};

/// The connection manager's name.
pub(crate) const MANAGER_NAME: &str = "sipwitch";
/// The name it takes on the bus.
pub(crate) const MANAGER_BUS_NAME: &str = "org.freedesktop.Telepathy.ConnectionManager.sipwitch";
/// There is one house, so one account. Clients keep its name for ever.
pub(crate) const ACCOUNT_ID: &str = "house";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Telephone numbers, and whatever else can be called: a phone of the house.
    Tel,
    /// An account at a provider, of the client's own.
    Sip,
}

impl Protocol {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[Self::Tel, Self::Sip];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tel => "tel",
            Self::Sip => "sip",
        }
    }

    /// Its path.
    pub(crate) fn path(self) -> String {
        format!("{MANAGER_PATH}/{}", self.name())
    }

    /// The same for people.
    pub(crate) const fn english_name(self) -> &'static str {
        match self {
            Self::Tel => "Telephone",
            Self::Sip => "SIP",
        }
    }

    /// Its icon.
    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Tel => "im-tel",
            Self::Sip => "im-sip",
        }
    }

    /// The field of an address book that is its own.
    pub(crate) const fn vcard_field(self) -> &'static str {
        match self {
            Self::Tel => "tel",
            Self::Sip => "x-sip",
        }
    }

    /// How a connection asks who the user is.
    pub(crate) const fn authentication(self) -> &'static [&'static Interface] {
        match self {
            Self::Tel => &[],
            Self::Sip => &[&SASL],
        }
    }

    /// The protocol that a client names.
    ///
    /// # Errors
    /// `NotImplemented` for every other.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|one| one.name() == name).ok_or_else(|| {
            Name::NotImplemented.because(format!("{name:?} is no protocol of {MANAGER_NAME}"))
        })
    }
}

/// What a connection can do besides.
pub(crate) const CONNECTION_INTERFACES: &[&Interface] = &[
    &REQUESTS,
    &CONTACTS,
    &ALIASING,
    &SIMPLE_PRESENCE,
    &CONTACT_CAPABILITIES,
    &CONTACT_LIST,
    &CONTACT_INFO,
    &CONTACT_BLOCKING,
    &ADDRESSING,
    &SERVICE_POINT,
    &ANONYMITY,
];
/// What the protocol can do besides.
pub(crate) const PROTOCOL_INTERFACES: &[&Interface] = &[&PROTOCOL_ADDRESSING, &PROTOCOL_PRESENCE];

/// A presence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    /// Its name.
    pub(crate) name: &'static str,
    /// Connection_Presence_Type.
    pub(crate) kind: u32,
    /// Whether the user can choose it.
    pub(crate) settable: bool,
}

/// Calls ring here.
pub(crate) const AVAILABLE: Status = Status { name: "available", kind: 2, settable: true };
/// Calls do not ring here.
pub(crate) const BUSY: Status = Status { name: "dnd", kind: 6, settable: true };
/// There is no connection.
pub(crate) const OFFLINE: Status = Status { name: "offline", kind: 1, settable: false };
/// A number does not tell. Clients grey out who is offline, which a number never is.
pub(crate) const UNKNOWN: Status = Status { name: "unknown", kind: 7, settable: false };
/// All of them.
pub(crate) const STATUSES: &[Status] = &[AVAILABLE, BUSY, OFFLINE, UNKNOWN];

/// What a class of channels fixes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fixed {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(u32),
    /// Yes or no.
    Flag(bool),
}

impl Fixed {
    /// As it stands on the bus.
    pub(crate) fn value(self) -> Value<'static> {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
            Self::Flag(flag) => flag.into(),
        }
    }
}

/// A class of channels that can be asked for. Clients compare the fixed properties as a whole: one
/// more or less, and they show no button.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class {
    /// What must be asked for.
    pub(crate) fixed: &'static [(&'static str, Fixed)],
    /// What may be asked for.
    pub(crate) allowed: &'static [&'static str],
}

/// What may be asked of a call, beside the one medium that its class fixes.
macro_rules! call_class {
    ($fixed:literal, $other:literal) => {
        Class {
            fixed: &[
                ("org.freedesktop.Telepathy.Channel.ChannelType", Fixed::Text(CALL.name)),
                ("org.freedesktop.Telepathy.Channel.TargetHandleType", Fixed::Number(1)),
                (
                    concat!("org.freedesktop.Telepathy.Channel.Type.Call1.", $fixed),
                    Fixed::Flag(true),
                ),
            ],
            allowed: &[
                "org.freedesktop.Telepathy.Channel.TargetHandle",
                "org.freedesktop.Telepathy.Channel.TargetID",
                concat!("org.freedesktop.Telepathy.Channel.Type.Call1.", $other),
                "org.freedesktop.Telepathy.Channel.Type.Call1.InitialAudioName",
                "org.freedesktop.Telepathy.Channel.Type.Call1.InitialVideoName",
                "org.freedesktop.Telepathy.Channel.Type.Call1.InitialTransport",
                "org.freedesktop.Telepathy.Channel.Interface.DTMF.InitialTones",
            ],
        }
    };
}

/// All of them.
pub(crate) const CLASSES: &[Class] = &[
    call_class!("InitialAudio", "InitialVideo"),
    call_class!("InitialVideo", "InitialAudio"),
    Class {
        fixed: &[
            ("org.freedesktop.Telepathy.Channel.ChannelType", Fixed::Text(TEXT.name)),
            ("org.freedesktop.Telepathy.Channel.TargetHandleType", Fixed::Number(1)),
        ],
        allowed: &[
            "org.freedesktop.Telepathy.Channel.TargetHandle",
            "org.freedesktop.Telepathy.Channel.TargetID",
        ],
    },
];

/// The classes as they stand on the bus: `a(a{sv}as)`.
pub(crate) fn classes() -> Vec<(Map, Vec<String>)> {
    let class = |class: &Class| {
        let fixed = class.fixed.iter().map(|(name, fixed)| ((*name).to_owned(), fixed.value()));
        (fixed.collect(), owned(class.allowed))
    };
    CLASSES.iter().map(class).collect()
}

/// The presences as they stand on the bus: `a{s(ubb)}`.
pub(crate) fn statuses() -> HashMap<String, (u32, bool, bool)> {
    STATUSES.iter().map(|s| (s.name.to_owned(), (s.kind, s.settable, false))).collect()
}

/// The names of interfaces.
pub(crate) fn names(interfaces: &[&Interface]) -> Vec<String> {
    interfaces.iter().map(|interface| interface.name.to_owned()).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A property of a protocol.
pub(crate) fn property(
    protocol: Protocol,
    interface: &Interface,
    name: &str,
) -> Option<Value<'static>> {
    Some(match (interface.name, name) {
        (i, "Interfaces") if i == PROTOCOL.name => names(PROTOCOL_INTERFACES).into(),
        (i, "Parameters") if i == PROTOCOL.name => {
            protocol.parameters().iter().map(Parameter::value).collect::<Vec<_>>().into()
        }
        (i, "ConnectionInterfaces") if i == PROTOCOL.name => names(CONNECTION_INTERFACES).into(),
        (i, "RequestableChannelClasses") if i == PROTOCOL.name => classes().into(),
        (i, "VCardField") if i == PROTOCOL.name => protocol.vcard_field().into(),
        (i, "EnglishName") if i == PROTOCOL.name => protocol.english_name().into(),
        (i, "Icon") if i == PROTOCOL.name => protocol.icon().into(),
        (i, "AuthenticationTypes") if i == PROTOCOL.name => names(protocol.authentication()).into(),
        (i, "AddressableVCardFields") if i == PROTOCOL_ADDRESSING.name => {
            owned(VCARD_FIELDS).into()
        }
        (i, "AddressableURISchemes") if i == PROTOCOL_ADDRESSING.name => owned(SCHEMES).into(),
        (i, "Statuses") if i == PROTOCOL_PRESENCE.name => statuses().into(),
        _ => return None,
    })
}

/// The manager's `Protocols`: each protocol with all its properties that never change, by their
/// full names.
pub(crate) fn protocols() -> HashMap<String, Map> {
    let properties = |protocol: Protocol| {
        let interfaces = std::iter::once(&&PROTOCOL).chain(PROTOCOL_INTERFACES);
        interfaces
            .flat_map(|interface| interface.properties.iter().map(move |p| (interface, p.name)))
            .filter_map(|(interface, name)| {
                Some((interface.member(name), property(protocol, interface, name)?))
            })
            .collect()
    };
    let named = |one: &Protocol| (one.name().to_owned(), properties(*one));
    Protocol::ALL.iter().map(named).collect()
}
