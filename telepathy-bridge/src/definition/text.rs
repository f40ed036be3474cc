// SPDX-License-Identifier: GPL-3.0-or-later
//! Channels for texts.

use super::{Interface, immutable, read};

pub(crate) const TEXT: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Type.Text",
    methods: &[
        ("AcknowledgePendingMessages", "au", ""),
        ("GetMessageTypes", "", "au"),
        ("ListPendingMessages", "b", "a(uuuuus)"),
        ("Send", "us", ""),
    ],
    signals: &[("LostMessage", ""), ("Received", "uuuuus"), ("SendError", "uuus"), ("Sent", "uus")],
    properties: &[],
};

pub(crate) const MESSAGES: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.Messages",
    methods: &[("GetPendingMessageContent", "uau", "a{uv}"), ("SendMessage", "aa{sv}u", "s")],
    signals: &[
        ("MessageReceived", "aa{sv}"),
        ("MessageSent", "aa{sv}us"),
        ("PendingMessagesRemoved", "au"),
    ],
    properties: &[
        immutable("SupportedContentTypes", "as"),
        immutable("MessageTypes", "au"),
        immutable("MessagePartSupportFlags", "u"),
        read("PendingMessages", "aaa{sv}"),
        immutable("DeliveryReportingSupport", "u"),
    ],
};

pub(crate) const DESTROYABLE: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.Destroyable",
    methods: &[("Destroy", "", "")],
    signals: &[],
    properties: &[],
};

pub(crate) const CHAT_STATE: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.ChatState",
    methods: &[("SetChatState", "u", "")],
    signals: &[("ChatStateChanged", "uu")],
    properties: &[read("ChatStates", "a{uu}")],
};
