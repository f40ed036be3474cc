// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts, and what is known of them.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::ExtensionKind;
use zbus::{Message, zvariant::Value};

use super::Connection;
use crate::{
    definition::{
        Interface,
        call::CHANNEL,
        connection::{
            ADDRESSING, ALIASING, CONNECTION, CONTACT_BLOCKING, CONTACT_CAPABILITIES, CONTACT_INFO,
            CONTACT_LIST, SIMPLE_PRESENCE,
        },
        text::TEXT,
    },
    error::{Error, Name},
    identifier::{self, ANONYMOUS},
    outbox::Outbox,
    protocol::classes,
    reply::{Map, Reply, arguments},
};

/// The interfaces that say something of each contact.
pub(super) const WITH_ATTRIBUTES: &[&Interface] = &[
    &CONNECTION,
    &ALIASING,
    &SIMPLE_PRESENCE,
    &CONTACT_CAPABILITIES,
    &CONTACT_LIST,
    &CONTACT_INFO,
    &CONTACT_BLOCKING,
    &ADDRESSING,
];

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
                    capabilities.insert(handle, self.capabilities(handle));
                }
                Ok(Reply::of((capabilities,)))
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// What can be done with a contact: everybody is called; groups, numbers that the service
    /// answers and emergency services read nothing; who hides cannot be called back.
    fn capabilities(&self, handle: u32) -> Classes {
        let identifier = self.handles.identifier(handle).unwrap_or_default();
        if identifier == ANONYMOUS {
            return Vec::new();
        }
        let person = self.roster.person(handle);
        let reads = person.is_none_or(|person| person.kind == ExtensionKind::Person)
            && !self.is_emergency(identifier);
        let kind = CHANNEL.member("ChannelType");
        let mut classes = classes();
        classes.retain(|(fixed, _)| reads || fixed.get(&kind) != Some(&TEXT.name.into()));
        classes
    }

    pub(super) fn tell_capabilities(&self, handle: u32, outbox: &mut Outbox) {
        let told = HashMap::from([(handle, self.capabilities(handle))]);
        let signal = "ContactCapabilitiesChanged";
        outbox.signal(&self.id.path(), &CONTACT_CAPABILITIES, signal, (told,));
    }

    /// The handle of what a client calls a contact.
    pub(super) fn handle_of(&mut self, id: &str) -> Result<u32, Error> {
        let normal = self.normal(id)?;
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
        add(&CONTACT_CAPABILITIES, "capabilities", self.capabilities(handle).into());
        add(&CONTACT_LIST, "subscribe", self.subscription(handle).into());
        add(&CONTACT_LIST, "publish", self.subscription(handle).into());
        add(&CONTACT_BLOCKING, "blocked", self.is_blocked(handle).into());
        add(&CONTACT_INFO, "info", self.info(handle).into());
        let addresses = identifier::addresses(identifier, &self.domain);
        let uris: Vec<String> = addresses.iter().map(|(_, _, uri)| uri.clone()).collect();
        let fields: HashMap<String, String> =
            addresses.into_iter().map(|(field, address, _)| (field.to_owned(), address)).collect();
        add(&ADDRESSING, "addresses", fields.into());
        add(&ADDRESSING, "uris", uris.into());
        Some(known)
    }
}
