// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts by the addresses of an address book.

use std::collections::HashMap;

use zbus::Message;

use super::Connection;
use crate::{
    error::{Error, Name},
    identifier,
    reply::{Map, Reply, arguments},
};

impl Connection {
    pub(super) fn addressing_method(&mut self, name: &str, call: &Message) -> Result<Reply, Error> {
        match name {
            "GetContactsByURI" => {
                let (uris, wanted): (Vec<String>, Vec<String>) = arguments(call)?;
                self.connected()?;
                Ok(self.contacts_by(uris, &wanted, |uri| {
                    identifier::normal_uri(uri).map(|_| uri.to_owned())
                }))
            }
            "GetContactsByVCardField" => {
                let (field, addresses, wanted): (String, Vec<String>, Vec<String>) =
                    arguments(call)?;
                self.connected()?;
                if !identifier::VCARD_FIELDS.contains(&field.to_ascii_lowercase().as_str()) {
                    return Err(Name::NotImplemented.because(format!("{field} is not called here")));
                }
                Ok(self.contacts_by(addresses, &wanted, |address| {
                    identifier::normal_vcard(&field, address)
                }))
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// The contacts at addresses; those that are no addresses are left out.
    fn contacts_by(
        &mut self,
        addresses: Vec<String>,
        wanted: &[String],
        read: impl Fn(&str) -> Result<String, Error>,
    ) -> Reply {
        let mut requested: HashMap<String, u32> = HashMap::new();
        for address in addresses {
            if let Ok(handle) = read(&address).and_then(|id| self.handle_of(&id)) {
                requested.insert(address, handle);
            }
        }
        let handles: Vec<u32> = requested.values().copied().collect();
        let attributes: HashMap<u32, Map> = self.attributes_of(&handles, wanted);
        Reply::of((requested, attributes))
    }
}
