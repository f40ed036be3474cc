// SPDX-License-Identifier: GPL-3.0-or-later
//! Our objects: their paths and their interfaces.

use crate::{
    definition::{
        Interface,
        connection::CONNECTION,
        manager::{DEBUG, MANAGER, PROTOCOL},
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
}

impl Object {
    /// Reads a path; none if it is not one of ours.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            MANAGER_PATH => Self::Manager,
            PROTOCOL_PATH => Self::Protocol,
            DEBUG_PATH => Self::Debug,
            CONNECTION_PATH => Self::Connection,
            _ => return None,
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
        }
    }
}
