// SPDX-License-Identifier: GPL-3.0-or-later
//! The interfaces of Telepathy (telepathy-spec 0.27) that we serve: names and D-Bus types.
//!
//! What is said of us (introspection, `Interfaces`, the .manager file) and what is taken from others
//! are both held to these tables, so that neither can say what the other does not do.

pub(crate) mod authentication;
pub(crate) mod call;
pub(crate) mod connection;
pub(crate) mod manager;
pub(crate) mod text;

/// An interface.
#[derive(Debug)]
pub(crate) struct Interface {
    /// Its full name.
    pub(crate) name: &'static str,
    /// Name, types taken, types given.
    pub(crate) methods: &'static [(&'static str, &'static str, &'static str)],
    /// Name, types.
    pub(crate) signals: &'static [(&'static str, &'static str)],
    /// Its properties.
    pub(crate) properties: &'static [Property],
}

/// A property of an interface.
#[derive(Debug)]
pub(crate) struct Property {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) signature: &'static str,
    /// What may become of it.
    pub(crate) access: Access,
}

/// What may become of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It never changes; of a channel, it is told with `NewChannels`.
    Immutable,
    /// It changes.
    Read,
    /// It changes, and clients may change it.
    ReadWrite,
}

/// A property that never changes.
const fn immutable(name: &'static str, signature: &'static str) -> Property {
    Property { name, signature, access: Access::Immutable }
}

/// A property that changes.
const fn read(name: &'static str, signature: &'static str) -> Property {
    Property { name, signature, access: Access::Read }
}

/// A property that clients may change.
const fn read_write(name: &'static str, signature: &'static str) -> Property {
    Property { name, signature, access: Access::ReadWrite }
}

impl Interface {
    /// The types that a method takes and gives.
    pub(crate) fn method(&self, name: &str) -> Option<(&'static str, &'static str)> {
        self.methods.iter().find(|method| method.0 == name).map(|method| (method.1, method.2))
    }

    /// The types of a signal.
    pub(crate) fn signal(&self, name: &str) -> Option<&'static str> {
        self.signals.iter().find(|signal| signal.0 == name).map(|signal| signal.1)
    }

    /// A property.
    pub(crate) fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// The full name of a member.
    pub(crate) fn member(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }
}
