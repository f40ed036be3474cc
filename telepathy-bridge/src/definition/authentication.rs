// SPDX-License-Identifier: GPL-3.0-or-later
//! The channel by which a user is asked for a password.

use super::{Interface, immutable, read};

pub(crate) const SERVER_AUTHENTICATION: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Type.ServerAuthentication",
    methods: &[],
    signals: &[],
    properties: &[immutable("AuthenticationMethod", "s")],
};

pub(crate) const SASL: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.SASLAuthentication",
    methods: &[
        ("StartMechanism", "s", ""),
        ("StartMechanismWithData", "say", ""),
        ("Respond", "ay", ""),
        ("AcceptSASL", "", ""),
        ("AbortSASL", "us", ""),
    ],
    signals: &[("NewChallenge", "ay"), ("SASLStatusChanged", "usa{sv}")],
    properties: &[
        immutable("AvailableMechanisms", "as"),
        immutable("HasInitialData", "b"),
        immutable("CanTryAgain", "b"),
        read("SASLStatus", "u"),
        read("SASLError", "s"),
        read("SASLErrorDetails", "a{sv}"),
        immutable("AuthorizationIdentity", "s"),
        immutable("DefaultUsername", "s"),
        immutable("DefaultRealm", "s"),
        immutable("MaySaveResponse", "b"),
    ],
};
