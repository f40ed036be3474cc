// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts whom the user does not want to hear: the list of the service, as far as it names somebody.
//!
//! What means many, such as a domain or the beginning of numbers, is no contact and shown to nobody
//! here. A contact that a client writes in another way than the list stands for the same entry, for
//! as long as the connection lives.

use std::collections::{BTreeMap, HashMap};

use sipwitch_dbus_interfaces::wire::BlockedInfo;
use zbus::{Message, zvariant::Value};

use super::Connection;
use crate::{
    definition::connection::CONTACT_BLOCKING,
    error::{Error, Name},
    identifier::ANONYMOUS,
    outbox::Outbox,
    protocol::Protocol,
    reply::{Reply, arguments},
    service::{Answer, Awaited, Refused, read},
};

/// `a{us}`.
type Contacts = HashMap<u32, String>;
/// What the service put on the list, and what it took away.
type Change = (Vec<BlockedInfo>, Vec<String>);

/// Who is blocked.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    state: State,
    /// The entry of the list that each contact stands for.
    entries: BTreeMap<u32, String>,
}

/// How far the list is known.
#[derive(Debug)]
enum State {
    /// The service is being asked, or will be: what it tells meanwhile, and who waits for the list.
    Awaited { changes: Vec<Change>, waiting: Vec<Message> },
    /// It is all there.
    Known,
    /// The service does not say.
    Unknown(String),
}

impl Default for State {
    fn default() -> Self {
        Self::Awaited { changes: Vec::new(), waiting: Vec::new() }
    }
}

impl Connection {
    /// A property of the interface.
    pub(super) fn blocking_property(name: &str) -> Option<Value<'static>> {
        // Nobody is there to whom abuse could be reported.
        (name == "ContactBlockingCapabilities").then(|| 0_u32.into())
    }

    /// Whether a contact is on the list.
    pub(super) fn is_blocked(&self, handle: u32) -> bool {
        self.blocked.entries.contains_key(&handle)
    }

    pub(super) fn blocking_method(
        &mut self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        self.connected()?;
        match name {
            "BlockContacts" => {
                // Without a way to report abuse, the contacts are blocked all the same.
                let (handles, _abusive): (Vec<u32>, bool) = arguments(call)?;
                self.block_contacts(&handles, call, outbox)
            }
            "UnblockContacts" => {
                let handles: Vec<u32> = arguments(call)?;
                self.unblock_contacts(&handles, call, outbox)
            }
            "RequestBlockedContacts" => match &mut self.blocked.state {
                State::Awaited { waiting, .. } => {
                    waiting.push(call.clone());
                    Ok(Reply::Later)
                }
                State::Known => Ok(Reply::of((self.blocked_contacts(),))),
                State::Unknown(words) => Err(Name::NotAvailable.because(words.clone())),
            },
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    fn block_contacts(
        &self,
        handles: &[u32],
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        let mut new: Vec<(u32, &str)> = Vec::new();
        for &handle in handles {
            let identifier = self.handles.inspect(handle)?;
            if handle == self.self_handle {
                return Err(Name::InvalidArgument.because("nobody blocks himself"));
            }
            if !self.is_blocked(handle) && !new.iter().any(|(other, _)| *other == handle) {
                new.push((handle, identifier));
            }
        }
        if new.is_empty() {
            return Ok(Reply::Nothing);
        }
        let (handles, callers): (Vec<u32>, Vec<&str>) = new.into_iter().unzip();
        outbox.block(&callers, handles, call.clone());
        Ok(Reply::Later)
    }

    fn unblock_contacts(
        &self,
        handles: &[u32],
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        let mut callers: Vec<&str> = Vec::new();
        for &handle in handles {
            self.handles.inspect(handle)?;
            if let Some(entry) = self.blocked.entries.get(&handle)
                && !callers.contains(&entry.as_str())
            {
                callers.push(entry);
            }
        }
        if callers.is_empty() {
            return Ok(Reply::Nothing);
        }
        outbox.unblock(&callers, call.clone());
        Ok(Reply::Later)
    }

    fn blocked_contacts(&self) -> Contacts {
        let handles = self.blocked.entries.keys();
        handles.filter_map(|&handle| self.with_identifier(handle)).collect()
    }

    fn with_identifier(&self, handle: u32) -> Option<(u32, String)> {
        Some((handle, self.handles.identifier(handle)?.to_owned()))
    }

    /// The contact of an entry; none if it means many, or nobody of this protocol.
    fn contact_of_entry(&mut self, entry: &str) -> Option<u32> {
        let means_many = entry.starts_with('@') || (entry.starts_with('+') && entry.ends_with('*'));
        let is_name = !entry.contains('@')
            && !entry.starts_with(|c: char| c.is_ascii_digit() || "+*#".contains(c));
        let identifier = match (entry, self.id.protocol()) {
            _ if means_many => return None,
            ("anonymous", _) => ANONYMOUS.to_owned(),
            // Who connects to a provider does not see the house.
            (_, Protocol::Sip) if is_name => return None,
            (other, _) => self.normal(other).ok()?,
        };
        // Beyond the bound of handles the list is not complete; blocking goes on.
        self.handles.of(&identifier).ok()
    }

    /// The service tells the list, or does not.
    fn blocked_known(&mut self, answer: Answer<Vec<BlockedInfo>>, outbox: &mut Outbox) {
        let State::Awaited { changes, waiting } = std::mem::take(&mut self.blocked.state) else {
            return;
        };
        let all = match answer {
            Ok(all) => all,
            Err(refused) => {
                tracing::warn!("the blocked callers are not told: {}", refused.words);
                for call in waiting {
                    let error = Name::NotAvailable.because(refused.words.clone());
                    outbox.answer(&call.header(), Err(error));
                }
                self.blocked.state = State::Unknown(refused.words);
                return;
            }
        };
        self.blocked.state = State::Known;
        // What was told while the list was on its way may be older or newer: said again in its order
        // it comes to the same.
        let (mut came, mut went) = (Contacts::new(), Contacts::new());
        for (blocked, unblocked) in std::iter::once((all, Vec::new())).chain(changes) {
            self.learn(&blocked, &unblocked, &mut came, &mut went);
        }
        came.retain(|handle, _| self.is_blocked(*handle));
        self.tell_blocked(came, Contacts::new(), outbox);
        for call in waiting {
            outbox.answer(&call.header(), Ok(Reply::of((self.blocked_contacts(),))));
        }
    }

    /// The service tells that the list is another one.
    pub(super) fn blocked_changed(&mut self, message: &Message, outbox: &mut Outbox) {
        let Ok(change) = message.body().deserialize::<Change>() else { return };
        if let State::Awaited { changes, .. } = &mut self.blocked.state {
            changes.push(change);
            return;
        }
        let (mut came, mut went) = (Contacts::new(), Contacts::new());
        self.learn(&change.0, &change.1, &mut came, &mut went);
        self.tell_blocked(came, went, outbox);
    }

    fn learn(
        &mut self,
        blocked: &[BlockedInfo],
        unblocked: &[String],
        came: &mut Contacts,
        went: &mut Contacts,
    ) {
        for entry in unblocked {
            let gone: Vec<u32> = self.contacts_of(entry).collect();
            for handle in gone {
                self.blocked.entries.remove(&handle);
                went.extend(self.with_identifier(handle));
            }
        }
        for info in blocked {
            if let Some(handle) = self.contact_of_entry(&info.caller)
                && self.blocked.entries.insert(handle, info.caller.clone()).is_none()
            {
                came.extend(self.with_identifier(handle));
            }
        }
    }

    fn contacts_of(&self, entry: &str) -> impl Iterator<Item = u32> {
        let all = self.blocked.entries.iter();
        all.filter(move |(_, other)| *other == entry).map(|(&handle, _)| handle)
    }

    fn tell_blocked(&self, came: Contacts, went: Contacts, outbox: &mut Outbox) {
        if came.is_empty() && went.is_empty() {
            return;
        }
        outbox.signal(&self.id.path(), &CONTACT_BLOCKING, "BlockedContactsChanged", (came, went));
    }

    /// The contacts that a client wanted blocked are, by these entries; or why not.
    fn contacts_blocked(
        &mut self,
        answer: Answer<Vec<String>>,
        handles: &[u32],
        call: &Message,
        outbox: &mut Outbox,
    ) {
        let result = match answer {
            Ok(entries) => {
                let mut came = Contacts::new();
                for (&handle, entry) in handles.iter().zip(entries) {
                    if self.blocked.entries.insert(handle, entry).is_none() {
                        came.extend(self.with_identifier(handle));
                    }
                }
                self.tell_blocked(came, Contacts::new(), outbox);
                Ok(Reply::Nothing)
            }
            Err(refused) => Err(error_of(refused)),
        };
        outbox.answer(&call.header(), result);
    }

    /// The connection ends: whoever waits for the list waits no more.
    pub(super) fn leave_blocked(&mut self, outbox: &mut Outbox) {
        let State::Awaited { waiting, .. } = std::mem::take(&mut self.blocked.state) else {
            return;
        };
        for call in waiting {
            let error = Name::Disconnected.because("the connection has ended");
            outbox.answer(&call.header(), Err(error));
        }
    }
}

fn error_of(refused: Refused) -> Error {
    let name = match refused.of_service() {
        Some("BadContact" | "BadValue") => Name::InvalidArgument,
        Some(_) => Name::NotAvailable,
        None => Name::NetworkError,
    };
    name.because(refused.words)
}

/// What the answers to our questions mean.
impl Connection {
    pub(crate) fn blocking_answered(
        &mut self,
        awaited: Awaited,
        message: &Message,
        outbox: &mut Outbox,
    ) {
        match awaited {
            Awaited::BlockedCallers => self.blocked_known(read(message), outbox),
            Awaited::Blocked(call, handles) => {
                self.contacts_blocked(read(message), &handles, &call, outbox);
            }
            Awaited::Unblocked(call) => {
                let answer: Answer<Vec<String>> = read(message);
                let result = answer.map(|_| Reply::Nothing).map_err(error_of);
                outbox.answer(&call.header(), result);
            }
            _ => {}
        }
    }
}
