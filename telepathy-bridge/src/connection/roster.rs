// SPDX-License-Identifier: GPL-3.0-or-later
//! The people of the house: the extensions of the service, as a list of contacts that others keep.

use std::collections::{BTreeMap, HashMap};

use sipwitch_dbus_interfaces::{ObjectName, names::EXTENSION_INTERFACE, wire::ExtensionKind};
use zbus::{
    Message,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::{Connection, Outcome};
use crate::{
    definition::connection::{CONTACT_LIST, SIMPLE_PRESENCE},
    error::{Error, Name},
    handles::Handles,
    identifier,
    outbox::Outbox,
    protocol::Protocol,
    reply::{Reply, arguments},
    service::{self, Answer},
};

/// Subscription_State.
const NO: u32 = 1;
const YES: u32 = 4;

/// Contact_List_State.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ListState {
    /// Nobody has asked yet.
    #[default]
    None = 0,
    /// The service is being asked.
    Waiting = 1,
    /// The service does not say.
    Failure = 2,
    /// It is all there.
    Success = 3,
}

/// The objects of the service, by path and interface.
pub(crate) type Objects = HashMap<OwnedObjectPath, Interfaces>;
type Interfaces = HashMap<String, HashMap<String, OwnedValue>>;

/// The extensions, without our own.
#[derive(Debug, Default)]
pub(super) struct Roster {
    state: ListState,
    people: BTreeMap<u32, Person>,
    /// The handle of each, by the path of its object.
    paths: HashMap<String, u32>,
}

/// An extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) kind: ExtensionKind,
    members: Vec<String>,
    phones: usize,
}

/// Whether somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// A phone is there.
    In,
    /// None is.
    Out,
    /// That is not known.
    Unknown,
}

impl Person {
    /// Takes what is said of it; what is not said stays.
    fn learn(&mut self, properties: &HashMap<String, OwnedValue>) {
        let list = |name: &str| {
            let value = properties.get(name)?.try_clone().ok()?;
            Vec::<OwnedValue>::try_from(value).ok()
        };
        if properties.contains_key("Name") {
            self.name = service::text(properties, "Name");
        }
        if let Ok(kind) = service::text(properties, "Kind").parse() {
            self.kind = kind;
        }
        if let Some(members) = list("Members") {
            let member = |value: OwnedValue| value.downcast_ref::<String>().ok();
            self.members = members.into_iter().filter_map(member).collect();
        }
        if let Some(phones) = list("Phones") {
            self.phones = phones.len();
        }
    }
}

impl Roster {
    /// Whether the service is asked to tell of changes.
    pub(super) fn is_watched(&self) -> bool {
        self.state != ListState::None
    }

    /// Who a handle is, if it is an extension.
    pub(super) fn person(&self, handle: u32) -> Option<&Person> {
        self.people.get(&handle)
    }

    /// Whether somebody of the house is in.
    pub(super) fn presence(&self, handle: u32, handles: &Handles) -> Presence {
        let is_in = |person: &Person| person.phones > 0;
        let Some(person) = self.people.get(&handle) else { return Presence::Unknown };
        let found = match person.kind {
            ExtensionKind::Person => is_in(person),
            // A group is in if one of it is; groups in groups are not looked into.
            ExtensionKind::Group => person.members.iter().any(|member| {
                let id = identifier::normal(member, "").ok();
                let member = id.and_then(|id| handles.known(&id));
                member.and_then(|member| self.people.get(&member)).is_some_and(is_in)
            }),
            ExtensionKind::Service => return Presence::Unknown,
        };
        if found { Presence::In } else { Presence::Out }
    }

    fn presences(&self, handles: &Handles) -> BTreeMap<u32, Presence> {
        self.people.keys().map(|&handle| (handle, self.presence(handle, handles))).collect()
    }
}

impl Connection {
    /// A property of the list.
    pub(super) fn list_property(&self, name: &str) -> Option<Value<'static>> {
        Some(match name {
            "ContactListState" => (self.roster.state as u32).into(),
            "ContactListPersists" | "DownloadAtConnection" => true.into(),
            "CanChangeContactList" | "RequestUsesMessage" => false.into(),
            _ => return None,
        })
    }

    pub(super) fn list_method(&self, name: &str, call: &Message) -> Result<Reply, Error> {
        match name {
            "GetContactListAttributes" => {
                let (wanted, _hold): (Vec<String>, bool) = arguments(call)?;
                self.connected()?;
                if self.roster.state != ListState::Success {
                    return Err(Name::NotYet.because("the service has not told its extensions"));
                }
                let handles: Vec<u32> = self.roster.people.keys().copied().collect();
                let wanted: Vec<String> =
                    wanted.into_iter().chain([CONTACT_LIST.name.to_owned()]).collect();
                Ok(Reply::of((self.attributes_of(&handles, &wanted),)))
            }
            // It is there already.
            "Download" => {
                self.connected()?;
                Ok(Reply::Nothing)
            }
            _ => {
                let words =
                    "the list is that of the extensions: sipwitch extensions add and remove";
                Err(Name::NotImplemented.because(words))
            }
        }
    }

    /// What the list says of a contact: `subscribe`, and `publish`.
    pub(super) fn subscription(&self, handle: u32) -> u32 {
        if self.roster.people.contains_key(&handle) { YES } else { NO }
    }

    pub(super) fn list_awaited(&mut self, outbox: &mut Outbox) {
        self.change_list_state(ListState::Waiting, outbox);
        outbox.watch_house(true);
        outbox.ask_house();
    }

    fn change_list_state(&mut self, state: ListState, outbox: &mut Outbox) {
        self.roster.state = state;
        let values = (state as u32,);
        outbox.signal(&self.id.path(), &CONTACT_LIST, "ContactListStateChanged", values);
    }

    /// The objects of the service are known. Without them it goes on: they are not needed to call.
    pub(crate) fn house_known(&mut self, answer: Answer<Objects>, outbox: &mut Outbox) -> Outcome {
        match answer {
            Ok(objects) => {
                let mut objects: Vec<_> = objects.into_iter().collect();
                objects.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
                for (path, interfaces) in &objects {
                    self.object_came(path.as_str(), interfaces, outbox);
                }
                self.change_list_state(ListState::Success, outbox);
            }
            Err(refused) => {
                tracing::warn!("the extensions are not told: {}", refused.words);
                self.change_list_state(ListState::Failure, outbox);
            }
        }
        if let Some((phone, _)) = &self.phone {
            outbox.ask_unread(phone);
        }
        Outcome::GoesOn
    }

    /// The service says something of its objects.
    pub(crate) fn house_told(
        &mut self,
        path: &str,
        member: &str,
        message: &Message,
        outbox: &mut Outbox,
    ) {
        let body = message.body();
        match member {
            "InterfacesAdded" => {
                if let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, Interfaces)>()
                {
                    self.object_came(path.as_str(), &interfaces, outbox);
                }
            }
            "InterfacesRemoved" => {
                if let Ok((path, _)) = body.deserialize::<(OwnedObjectPath, Vec<String>)>() {
                    self.object_went(path.as_str(), outbox);
                }
            }
            "BlockedChanged" => self.blocked_changed(message, outbox),
            "PropertiesChanged" => {
                type Changed = (String, HashMap<String, OwnedValue>, Vec<String>);
                let Ok((interface, changed, _)) = body.deserialize::<Changed>() else { return };
                if interface == EXTENSION_INTERFACE {
                    self.person_changed(path, &changed, outbox);
                } else if let Some(numbers) = changed.get("EmergencyNumbers") {
                    self.emergency_numbers_known(numbers, outbox);
                }
            }
            _ => {}
        }
    }

    fn object_came(&mut self, path: &str, interfaces: &Interfaces, outbox: &mut Outbox) {
        let Some(properties) = interfaces.get(EXTENSION_INTERFACE) else { return };
        let number = service::text(properties, "Number");
        let Ok(identifier) = identifier::normal(&number, "") else { return };
        // Who connects to a provider has the provider's people around, not those of the house.
        if self.id.protocol() == Protocol::Sip {
            return;
        }
        // Beyond the bound of handles the list is not complete; calling goes on.
        let Ok(handle) = self.handles.of(&identifier) else { return };
        if handle == self.self_handle || self.roster.people.contains_key(&handle) {
            return;
        }
        let person = Person {
            name: String::new(),
            kind: ExtensionKind::Person,
            members: Vec::new(),
            phones: 0,
        };
        self.roster.paths.insert(path.to_owned(), handle);
        self.roster.people.insert(handle, person);
        if self.is_list_told() {
            let entry = HashMap::from([(handle, (YES, YES, String::new()))]);
            let ids = HashMap::from([(handle, identifier)]);
            let none: HashMap<u32, String> = HashMap::new();
            let told = (entry.clone(), ids, none);
            outbox.signal(&self.id.path(), &CONTACT_LIST, "ContactsChangedWithID", told);
            let told = (entry, Vec::<u32>::new());
            outbox.signal(&self.id.path(), &CONTACT_LIST, "ContactsChanged", told);
        }
        self.person_changed(path, properties, outbox);
    }

    fn object_went(&mut self, path: &str, outbox: &mut Outbox) {
        let Some(handle) = self.roster.paths.remove(path) else { return };
        let before = self.roster.presences(&self.handles);
        self.roster.people.remove(&handle);
        self.rename(handle, String::new(), outbox);
        let none: HashMap<u32, (u32, u32, String)> = HashMap::new();
        let id = self.handles.identifier(handle).unwrap_or_default().to_owned();
        let told = (none.clone(), HashMap::<u32, String>::new(), HashMap::from([(handle, id)]));
        outbox.signal(&self.id.path(), &CONTACT_LIST, "ContactsChangedWithID", told);
        outbox.signal(&self.id.path(), &CONTACT_LIST, "ContactsChanged", (none, vec![handle]));
        self.tell_presences(&before, outbox);
    }

    fn person_changed(
        &mut self,
        path: &str,
        properties: &HashMap<String, OwnedValue>,
        outbox: &mut Outbox,
    ) {
        let own = ObjectName::Extension(self.self_id().to_owned()).path();
        if path == own.as_str() {
            self.own_name_changed(properties, outbox);
            return;
        }
        let Some(&handle) = self.roster.paths.get(path) else { return };
        let before = if self.is_list_told() {
            self.roster.presences(&self.handles)
        } else {
            BTreeMap::new()
        };
        let Some(person) = self.roster.people.get_mut(&handle) else { return };
        let old = person.clone();
        person.learn(properties);
        let new = person.clone();
        if self.is_list_told() {
            self.tell_presences(&before, outbox);
            if new.kind != old.kind {
                self.tell_capabilities(handle, outbox);
            }
        }
        if new.name != old.name {
            if self.is_list_told() {
                self.rename(handle, new.name, outbox);
            } else {
                self.aliases.insert(handle, new.name);
            }
        }
    }

    fn is_list_told(&self) -> bool {
        self.roster.state == ListState::Success
    }

    fn tell_presences(&self, before: &BTreeMap<u32, Presence>, outbox: &mut Outbox) {
        let now = self.roster.presences(&self.handles);
        let differs = now.keys().filter(|handle| before.get(handle) != now.get(handle));
        let mut told: Map32 = differs.map(|&handle| (handle, self.presence(handle))).collect();
        let gone = before.keys().filter(|handle| !now.contains_key(handle));
        told.extend(gone.map(|&handle| (handle, self.presence(handle))));
        if !told.is_empty() {
            outbox.signal(&self.id.path(), &SIMPLE_PRESENCE, "PresencesChanged", (told,));
        }
    }
}

type Map32 = HashMap<u32, (u32, String, String)>;
