// SPDX-License-Identifier: GPL-3.0-or-later
//! What an address book would have of a contact: name, number, address. The service knows no more,
//! and nobody changes it here.

use std::collections::HashMap;

use zbus::{Message, zvariant::Value};

use super::Connection;
use crate::{
    definition::connection::CONTACT_INFO,
    error::{Error, Name},
    identifier,
    outbox::Outbox,
    reply::{Reply, arguments},
};

/// Contact_Info_Flags: changes are told without being asked for.
const PUSH: u32 = 2;

/// `(sasas)`: field of a vCard, its parameters, its values.
pub(super) type Field = (String, Vec<String>, Vec<String>);

impl Connection {
    /// A property of the interface.
    pub(super) fn info_property(name: &str) -> Option<Value<'static>> {
        Some(match name {
            "ContactInfoFlags" => PUSH.into(),
            // None can be set.
            "SupportedFields" => Vec::<(String, Vec<String>, u32, u32)>::new().into(),
            _ => return None,
        })
    }

    pub(super) fn info_method(
        &self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        match name {
            "GetContactInfo" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                let mut known: HashMap<u32, Vec<Field>> = HashMap::new();
                for handle in handles {
                    self.handles.inspect(handle)?;
                    known.insert(handle, self.info(handle));
                }
                Ok(Reply::of((known,)))
            }
            "RefreshContactInfo" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                handles.iter().try_for_each(|&handle| self.handles.inspect(handle).map(drop))?;
                for handle in handles {
                    self.tell_info(handle, outbox);
                }
                Ok(Reply::Nothing)
            }
            "RequestContactInfo" => {
                let handle: u32 = arguments(call)?;
                self.connected()?;
                self.handles.inspect(handle)?;
                Ok(Reply::of((self.info(handle),)))
            }
            _ => {
                let words =
                    "names and numbers are those of the extensions: sipwitch extensions change";
                Err(Name::NotImplemented.because(words))
            }
        }
    }

    /// What is known of a contact.
    pub(super) fn info(&self, handle: u32) -> Vec<Field> {
        let identifier = self.handles.identifier(handle).unwrap_or_default();
        let mut fields: Vec<Field> = Vec::new();
        let mut add = |field: &str, value: String| {
            fields.push((field.to_owned(), Vec::new(), vec![value]));
        };
        if let Some(name) = self.aliases.get(&handle) {
            add("fn", name.clone());
        }
        for (field, address, _) in identifier::addresses(identifier, &self.domain) {
            add(field, address);
        }
        fields
    }

    /// Tells what is known of a contact.
    pub(super) fn tell_info(&self, handle: u32, outbox: &mut Outbox) {
        let told = (handle, self.info(handle));
        outbox.signal(&self.id.path(), &CONTACT_INFO, "ContactInfoChanged", told);
    }
}
