// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts, and what is known of them.

use std::collections::HashMap;

use zbus::{Message, zvariant::Value};

use super::Connection;
use crate::{
    definition::{
        Interface,
        connection::{ADDRESSING, ALIASING, CONNECTION, CONTACT_CAPABILITIES, SIMPLE_PRESENCE},
    },
    error::{Error, Name},
    identifier,
    protocol::classes,
    reply::{Map, Reply, arguments},
};

/// The interfaces that say something of each contact.
pub(super) const WITH_ATTRIBUTES: &[&Interface] =
    &[&CONNECTION, &ALIASING, &SIMPLE_PRESENCE, &CONTACT_CAPABILITIES, &ADDRESSING];

/// `a(a{sv}as)`.
type Classes = Vec<(Map, Vec<String>)>;

impl Connection {
    pub(super) fn contacts_method(&mut self, name: &str, call: &Message) -> Result<Reply, Error> {
        match name {
            "GetContactAttributes" => {
                let (handles, wanted, _hold): (Vec<u32>, Vec<String>, bool) = arguments(call)?;
                self.connected()?;
                Ok(Reply::of((self.attributes_of(&handles, &wanted),)))
            }
            "GetContactByID" => {
                let (id, wanted): (String, Vec<String>) = arguments(call)?;
                self.connected()?;
                let handle = self.handle_of(&id)?;
                Ok(Reply::of((handle, self.attributes(handle, &wanted).unwrap_or_default())))
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    pub(super) fn capabilities_method(
        &mut self,
        name: &str,
        call: &Message,
    ) -> Result<Reply, Error> {
        match name {
            // What the user's programs can do is seen from what they describe; the other end learns it
            // from the offer. So this needs no remembering.
            "UpdateCapabilities" => Ok(Reply::Nothing),
            "GetContactCapabilities" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                let mut capabilities: HashMap<u32, Classes> = HashMap::new();
                for handle in handles {
                    self.handles.inspect(handle)?;
                    capabilities.insert(handle, classes());
                }
                Ok(Reply::of((capabilities,)))
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// The handle of what a client calls a contact.
    pub(super) fn handle_of(&mut self, id: &str) -> Result<u32, Error> {
        let normal = identifier::normal(id, &self.domain)?;
        self.handles.of(&normal)
    }

    /// What is known of contacts; handles that nobody was given are left out.
    pub(super) fn attributes_of(&self, handles: &[u32], wanted: &[String]) -> HashMap<u32, Map> {
        handles
            .iter()
            .filter_map(|&handle| Some((handle, self.attributes(handle, wanted)?)))
            .collect()
    }

    /// What is known of a contact.
    pub(super) fn attributes(&self, handle: u32, wanted: &[String]) -> Option<Map> {
        let identifier = self.handles.identifier(handle)?;
        let mut known = Map::new();
        known.insert(format!("{}/contact-id", CONNECTION.name), identifier.to_owned().into());
        let mut add = |interface: &Interface, name: &str, value: Value<'static>| {
            if wanted.iter().any(|wanted| wanted == interface.name) {
                known.insert(format!("{}/{name}", interface.name), value);
            }
        };
        add(&ALIASING, "alias", self.alias(handle).into());
        add(&SIMPLE_PRESENCE, "presence", self.presence(handle).into());
        add(&CONTACT_CAPABILITIES, "capabilities", classes().into());
        let (fields, uris) = match identifier::addresses(identifier) {
            Some((field, address, uri)) => {
                (HashMap::from([(field.to_owned(), address)]), vec![uri])
            }
            None => (HashMap::new(), Vec::new()),
        };
        add(&ADDRESSING, "addresses", fields.into());
        add(&ADDRESSING, "uris", uris.into());
        Some(known)
    }
}
