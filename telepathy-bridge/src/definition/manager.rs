// SPDX-License-Identifier: GPL-3.0-or-later
//! The connection manager, its protocol, and what debuggers see.

use super::{Interface, immutable, read, read_write};

pub(crate) const MANAGER: Interface = Interface {
    name: "org.freedesktop.Telepathy.ConnectionManager",
    methods: &[
        ("GetParameters", "s", "a(susv)"),
        ("ListProtocols", "", "as"),
        ("RequestConnection", "sa{sv}", "so"),
    ],
    signals: &[("NewConnection", "sos")],
    properties: &[immutable("Protocols", "a{sa{sv}}"), read("Interfaces", "as")],
};

pub(crate) const PROTOCOL: Interface = Interface {
    name: "org.freedesktop.Telepathy.Protocol",
    methods: &[("IdentifyAccount", "a{sv}", "s"), ("NormalizeContact", "s", "s")],
    signals: &[],
    properties: &[
        immutable("Interfaces", "as"),
        immutable("Parameters", "a(susv)"),
        immutable("ConnectionInterfaces", "as"),
        immutable("RequestableChannelClasses", "a(a{sv}as)"),
        immutable("VCardField", "s"),
        immutable("EnglishName", "s"),
        immutable("Icon", "s"),
        immutable("AuthenticationTypes", "as"),
    ],
};

pub(crate) const PROTOCOL_ADDRESSING: Interface = Interface {
    name: "org.freedesktop.Telepathy.Protocol.Interface.Addressing",
    methods: &[("NormalizeVCardAddress", "ss", "s"), ("NormalizeContactURI", "s", "s")],
    signals: &[],
    properties: &[
        immutable("AddressableVCardFields", "as"),
        immutable("AddressableURISchemes", "as"),
    ],
};

pub(crate) const PROTOCOL_PRESENCE: Interface = Interface {
    name: "org.freedesktop.Telepathy.Protocol.Interface.Presence",
    methods: &[],
    signals: &[],
    properties: &[immutable("Statuses", "a{s(ubb)}")],
};

pub(crate) const DEBUG: Interface = Interface {
    name: "org.freedesktop.Telepathy.Debug",
    methods: &[("GetMessages", "", "a(dsus)")],
    signals: &[("NewDebugMessage", "dsus")],
    properties: &[read_write("Enabled", "b")],
};
