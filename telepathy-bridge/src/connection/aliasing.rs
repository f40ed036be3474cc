// SPDX-License-Identifier: GPL-3.0-or-later
//! Names for people. Ours can be changed; it is what called sides see. Those of others cannot.

use std::collections::HashMap;

use zbus::{Message, zvariant::OwnedValue};

use super::Connection;
use crate::{
    definition::connection::ALIASING,
    error::{Error, Name},
    outbox::Outbox,
    reply::{Reply, arguments},
    service,
};

/// The longest name, in bytes: that of `Dial`.
const MAX_ALIAS: usize = 128;
/// Connection_Alias_Flags: the user cannot change the names of others.
const NO_FLAGS: u32 = 0;

impl Connection {
    pub(super) fn aliasing_method(
        &mut self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        match name {
            "GetAliasFlags" => Ok(Reply::of((NO_FLAGS,))),
            "GetAliases" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                let mut aliases = HashMap::new();
                for handle in handles {
                    self.handles.inspect(handle)?;
                    aliases.insert(handle, self.alias(handle));
                }
                Ok(Reply::of((aliases,)))
            }
            "RequestAliases" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                let alias =
                    |&handle: &u32| self.handles.inspect(handle).map(|_| self.alias(handle));
                let aliases: Result<Vec<String>, Error> = handles.iter().map(alias).collect();
                Ok(Reply::of((aliases?,)))
            }
            "SetAliases" => {
                let wanted: HashMap<u32, String> = arguments(call)?;
                self.connected()?;
                for (&handle, alias) in &wanted {
                    self.handles.inspect(handle)?;
                    if handle != self.self_handle {
                        let words = "only your own name can be changed here";
                        return Err(Name::NotAvailable.because(words));
                    }
                    if alias.len() > MAX_ALIAS || alias.chars().any(char::is_control) {
                        let words = format!("a name has at most {MAX_ALIAS} bytes in one line");
                        return Err(Name::InvalidArgument.because(words));
                    }
                }
                for (handle, alias) in wanted {
                    // Mission Control gives an account without a nickname its identifier for one.
                    let is_none = alias == self.self_id();
                    let alias = if is_none { self.own_name.clone() } else { alias };
                    self.rename(handle, alias, outbox);
                }
                Ok(Reply::Nothing)
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// The name of a contact: its identifier where no other is known.
    pub(super) fn alias(&self, handle: u32) -> String {
        let alias = self.aliases.get(&handle).map(String::as_str);
        alias.or_else(|| self.handles.identifier(handle)).unwrap_or_default().to_owned()
    }

    /// The name of our extension changed, which is ours unless the user chose another.
    pub(super) fn own_name_changed(
        &mut self,
        properties: &HashMap<String, OwnedValue>,
        outbox: &mut Outbox,
    ) {
        if !properties.contains_key("Name") {
            return;
        }
        let before = std::mem::replace(&mut self.own_name, service::text(properties, "Name"));
        if self.aliases.get(&self.self_handle).is_none_or(|alias| *alias == before) {
            self.rename(self.self_handle, self.own_name.clone(), outbox);
        }
    }

    /// A contact has another name; an empty one means that there is none.
    pub(super) fn rename(&mut self, handle: u32, alias: String, outbox: &mut Outbox) {
        let before = self.alias(handle);
        if alias.is_empty() {
            self.aliases.remove(&handle);
        } else {
            self.aliases.insert(handle, alias);
        }
        let now = self.alias(handle);
        if now != before {
            outbox.signal(&self.id.path(), &ALIASING, "AliasesChanged", (vec![(handle, now)],));
            self.tell_info(handle, outbox);
        }
    }
}
