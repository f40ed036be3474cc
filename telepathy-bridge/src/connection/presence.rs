// SPDX-License-Identifier: GPL-3.0-or-later
//! Presence: whether calls ring here, and whether somebody of the house has a phone. That of others
//! is not known, which is what is said of it.

use std::collections::HashMap;

use zbus::Message;

use super::{Connection, Status, roster::Presence as Known};
use crate::{
    definition::connection::SIMPLE_PRESENCE,
    error::{Error, Name},
    outbox::Outbox,
    protocol::{AVAILABLE, BUSY, OFFLINE, STATUSES, UNKNOWN},
    reply::{Reply, arguments},
};

/// No limit is told (0): the message is kept for the user's own programs and goes nowhere.
pub(super) const MAX_MESSAGE: u32 = 0;
/// What is kept of it, in bytes.
const KEPT_MESSAGE: usize = 1024;

/// `(uss)`.
type Presence = (u32, String, String);

impl Connection {
    pub(super) fn presence_method(
        &mut self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        match name {
            "GetPresences" => {
                let handles: Vec<u32> = arguments(call)?;
                self.connected()?;
                let mut presences: HashMap<u32, Presence> = HashMap::new();
                for handle in handles {
                    self.handles.inspect(handle)?;
                    presences.insert(handle, self.presence(handle));
                }
                Ok(Reply::of((presences,)))
            }
            "SetPresence" => {
                let (status, mut message): (String, String) = arguments(call)?;
                let known = STATUSES.iter().find(|known| known.name == status);
                let known = known.ok_or_else(|| {
                    Name::InvalidArgument.because(format!("{status:?} is no status of ours"))
                })?;
                if !known.settable {
                    let words = format!("{status:?} cannot be chosen: disconnect instead");
                    return Err(Name::NotAvailable.because(words));
                }
                while message.len() > KEPT_MESSAGE {
                    message.pop();
                }
                self.wants_calls = known.name == AVAILABLE.name;
                self.status_message = message;
                // Before that, it is part of connecting.
                if self.status == Status::Connected
                    && let Some((phone, _)) = &self.phone
                {
                    outbox.set_available(phone, self.wants_calls);
                }
                Ok(Reply::Nothing)
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// The presence of a contact.
    pub(super) fn presence(&self, handle: u32) -> Presence {
        if handle != self.self_handle {
            let status = match self.roster.presence(handle, &self.handles) {
                Known::In => AVAILABLE,
                Known::Out => OFFLINE,
                Known::Unknown => UNKNOWN,
            };
            return (status.kind, status.name.into(), String::new());
        }
        let status = match (self.status, self.wants_calls) {
            (Status::Connected, true) => AVAILABLE,
            (Status::Connected, false) => BUSY,
            (Status::Connecting | Status::Disconnected, _) => OFFLINE,
        };
        (status.kind, status.name.into(), self.status_message.clone())
    }

    /// Tells our own presence.
    pub(super) fn presence_changed(&self, outbox: &mut Outbox) {
        let presences = HashMap::from([(self.self_handle, self.presence(self.self_handle))]);
        outbox.signal(&self.id.path(), &SIMPLE_PRESENCE, "PresencesChanged", (presences,));
    }
}
