// SPDX-License-Identifier: GPL-3.0-or-later
//! The connection: from `RequestConnection` to `Disconnect`.

mod account;
mod addressing;
mod aliasing;
mod anonymity;
mod blocking;
mod calls;
mod contacts;
mod emergency;
mod info;
mod old;
mod past;
mod presence;
mod requests;
mod roster;
mod texts;

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use sipwitch_dbus_interfaces::{
    ObjectName,
    wire::{CertificateFault, PastText},
};
use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use crate::{
    call::{Call, Reason as CallReason},
    definition::{
        Interface,
        connection::{
            ADDRESSING, ALIASING, ANONYMITY, CONNECTION, CONTACT_BLOCKING, CONTACT_CAPABILITIES,
            CONTACT_INFO, CONTACT_LIST, CONTACTS, REQUESTS, SERVICE_POINT, SIMPLE_PRESENCE,
        },
    },
    error::{Error, Name},
    handles::Handles,
    identifier,
    object::ConnectionId,
    outbox::Outbox,
    parameters::ProviderAccount,
    protocol::{CONNECTION_INTERFACES, Protocol, classes, names, statuses},
    reply::{Map, Reply},
    service::{self, Answer, Refused},
    text::{Sent, Text},
};
use account::Provider;

/// How long connecting may take: more than a provider has to answer (RFC 3261 §17.1.2.2), at two
/// of its servers. A service that does not answer at all must not leave a client waiting for ever.
const PATIENCE: Duration = Duration::from_secs(70);

/// Connection_Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It works.
    Connected = 0,
    /// The service is being asked.
    Connecting = 1,
    /// Before `Connect`, and at the end.
    Disconnected = 2,
}

/// Connection_Status_Reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// None of the others.
    NoneSpecified = 0,
    /// Somebody wanted it.
    Requested = 1,
    /// The service or the provider cannot be reached: Mission Control tries again by itself.
    NetworkError = 2,
    /// The provider does not believe who we are: Mission Control does not try again.
    AuthenticationFailed = 3,
    /// The provider's certificate is not believed, for this reason and those below: Mission Control
    /// does not try again.
    CertUntrusted = 7,
    /// Its time is over.
    CertExpired = 8,
    /// Its time has not begun.
    CertNotActivated = 9,
    /// It is for another name.
    CertHostnameMismatch = 10,
    /// It was issued by itself.
    CertSelfSigned = 12,
    /// There is something else against it.
    CertOtherError = 13,
    /// It is withdrawn.
    CertRevoked = 14,
}

/// Why a connection cannot be, or not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    error: Name,
    reason: Reason,
    words: String,
    /// The error of the service, for debuggers.
    debug: String,
}

impl Fault {
    fn new(error: Name, reason: Reason, words: impl Into<String>) -> Self {
        Self { error, reason, words: words.into(), debug: String::new() }
    }

    /// What an error of the service means.
    fn of(refused: &Refused) -> Self {
        let (error, reason) = match refused.of_service() {
            Some("LimitReached") => (Name::ServiceBusy, Reason::NoneSpecified),
            Some("BadValue") => (Name::InvalidArgument, Reason::NoneSpecified),
            Some("Stopping") | None => (Name::NetworkError, Reason::NetworkError),
            Some(_) => (Name::ServiceConfused, Reason::NoneSpecified),
        };
        let (words, debug) = (refused.words.clone(), refused.name.clone());
        Self { error, reason, words, debug }
    }

    /// The provider cannot be reached.
    fn unreachable(certificate: CertificateFault, words: String) -> Self {
        let (error, reason) = match certificate {
            CertificateFault::None => (Name::NetworkError, Reason::NetworkError),
            CertificateFault::Expired => (Name::CertExpired, Reason::CertExpired),
            CertificateFault::NotYetValid => (Name::CertNotActivated, Reason::CertNotActivated),
            CertificateFault::OtherName => {
                (Name::CertHostnameMismatch, Reason::CertHostnameMismatch)
            }
            CertificateFault::SelfSigned => (Name::CertSelfSigned, Reason::CertSelfSigned),
            CertificateFault::UnknownIssuer => (Name::CertUntrusted, Reason::CertUntrusted),
            CertificateFault::Revoked => (Name::CertRevoked, Reason::CertRevoked),
            CertificateFault::OtherPurpose | CertificateFault::Unsound => {
                (Name::CertInvalid, Reason::CertOtherError)
            }
        };
        Self::new(error, reason, words)
    }

    /// What the service says that cannot be.
    fn confused(words: String) -> Self {
        Self::new(Name::ServiceConfused, Reason::NoneSpecified, words)
    }
}

/// What a connection is.
#[derive(Debug)]
enum Kind {
    /// A phone of the house.
    House,
    /// The phone of an account at a provider.
    Provider(Box<Provider>),
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    kind: Kind,
    /// When it has been connecting for too long.
    gives_up_at: Option<Instant>,
    status: Status,
    handles: Handles,
    self_handle: u32,
    /// The domain of the house; empty until it is known.
    domain: String,
    aliases: HashMap<u32, String>,
    /// Whether those who are called are not to see who calls.
    hides: bool,
    /// Unread texts that are told when the connection works.
    unread: Vec<PastText>,
    /// Texts that the service keeps until somebody takes them, by its numbers for them.
    stored: BTreeMap<u64, Sent>,
    /// The name of our extension.
    own_name: String,
    roster: roster::Roster,
    blocked: blocking::Blocked,
    /// By service, as the service tells it; empty until then.
    emergency_numbers: Vec<(String, Vec<String>)>,
    /// Our phone, and the unique name of the service that made it.
    phone: Option<(String, String)>,
    /// Whether the user wants calls to ring here.
    wants_calls: bool,
    /// Said by the user beside the presence.
    status_message: String,
    calls: BTreeMap<u32, Call>,
    texts: BTreeMap<u32, Text>,
    /// Seconds since 1970, as of the last thing that happened.
    pub(crate) wall: f64,
    /// The number of the last call.
    next_call: u32,
}

/// What happened to the connection beside what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on.
    GoesOn,
    /// It is no more.
    Over,
}

impl Connection {
    /// A connection to the house, which waits for `Connect`.
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            kind: Kind::House,
            gives_up_at: None,
            status: Status::Disconnected,
            handles: Handles::default(),
            self_handle: 0,
            domain: String::new(),
            aliases: HashMap::new(),
            hides: false,
            unread: Vec::new(),
            stored: BTreeMap::new(),
            own_name: String::new(),
            roster: roster::Roster::default(),
            blocked: blocking::Blocked::default(),
            emergency_numbers: Vec::new(),
            phone: None,
            wants_calls: true,
            status_message: String::new(),
            calls: BTreeMap::new(),
            texts: BTreeMap::new(),
            wall: 0.0,
            next_call: 0,
        }
    }

    /// Whether a signal from this sender is the service's word.
    pub(crate) fn is_service(&self, sender: &str) -> bool {
        self.phone.as_ref().is_some_and(|(_, owner)| owner == sender)
    }

    /// A connection to a provider, which waits for `Connect`. Who we are there is known.
    pub(crate) fn to_provider(id: ConnectionId, given: ProviderAccount) -> Self {
        let mut connection = Self::new(id);
        connection.domain.clone_from(&given.domain);
        let own = connection.normal(&given.address()).unwrap_or_else(|_| given.address());
        // The first handle is never refused.
        connection.self_handle = connection.handles.of(&own).unwrap_or_default();
        if !given.alias.is_empty() {
            connection.own_name.clone_from(&given.alias);
            connection.aliases.insert(connection.self_handle, given.alias.clone());
        }
        connection.kind = Kind::Provider(Box::new(Provider::new(given)));
        connection
    }

    /// The one way in which a contact is written.
    fn normal(&self, id: &str) -> Result<String, Error> {
        match self.id.protocol() {
            Protocol::Tel => identifier::normal(id, &self.domain),
            Protocol::Sip => identifier::normal_at(id, &self.domain),
        }
    }

    /// Whether a signal from this sender about this object is the service's word to us.
    pub(crate) fn is_our_phone(&self, path: &str, sender: &str) -> bool {
        self.phone.as_ref().is_some_and(|(phone, owner)| phone == path && owner == sender)
    }

    fn self_id(&self) -> &str {
        self.handles.identifier(self.self_handle).unwrap_or_default()
    }

    /// A property of the connection.
    pub(crate) fn property(&self, interface: &Interface, name: &str) -> Option<Value<'static>> {
        Some(match (interface.name, name) {
            (i, "Interfaces") if i == CONNECTION.name => names(CONNECTION_INTERFACES).into(),
            (i, "SelfHandle") if i == CONNECTION.name => self.self_handle.into(),
            (i, "SelfID") if i == CONNECTION.name => self.self_id().to_owned().into(),
            (i, "Status") if i == CONNECTION.name => (self.status as u32).into(),
            (i, "HasImmortalHandles") if i == CONNECTION.name => true.into(),
            (i, "Channels") if i == REQUESTS.name => self.channels().into(),
            (i, "RequestableChannelClasses") if i == REQUESTS.name => classes().into(),
            (i, "ContactAttributeInterfaces") if i == CONTACTS.name => {
                names(contacts::WITH_ATTRIBUTES).into()
            }
            (i, "Statuses") if i == SIMPLE_PRESENCE.name => statuses().into(),
            (i, "MaximumStatusMessageLength") if i == SIMPLE_PRESENCE.name => {
                presence::MAX_MESSAGE.into()
            }
            (i, "KnownServicePoints") if i == SERVICE_POINT.name => self.service_points().into(),
            (i, name) if i == ANONYMITY.name => return self.anonymity_property(name),
            (i, name) if i == CONTACT_BLOCKING.name => return Self::blocking_property(name),
            (i, name) if i == CONTACT_LIST.name => return self.list_property(name),
            (i, name) if i == CONTACT_INFO.name => return Self::info_property(name),
            _ => return None,
        })
    }

    /// A method of the connection.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn method(
        &mut self,
        interface: &Interface,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<Reply, Error> {
        match interface.name {
            i if i == CONNECTION.name => match name {
                "Connect" => {
                    self.connect(outbox);
                    Ok(Reply::Nothing)
                }
                _ => self.old_method(name, call),
            },
            i if i == REQUESTS.name => self.requests_method(name, call, outbox),
            i if i == CONTACTS.name => self.contacts_method(name, call),
            i if i == ALIASING.name => self.aliasing_method(name, call, outbox),
            i if i == SIMPLE_PRESENCE.name => self.presence_method(name, call, outbox),
            i if i == CONTACT_CAPABILITIES.name => self.capabilities_method(name, call),
            i if i == CONTACT_BLOCKING.name => self.blocking_method(name, call, outbox),
            i if i == CONTACT_LIST.name => self.list_method(name, call),
            i if i == CONTACT_INFO.name => self.info_method(name, call, outbox),
            i if i == ADDRESSING.name => self.addressing_method(name, call),
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }

    /// What needs a connection that works.
    fn connected(&self) -> Result<(), Error> {
        if self.status == Status::Connected {
            return Ok(());
        }
        Err(Name::Disconnected.because("the connection is not connected: call Connect first"))
    }

    fn connect(&mut self, outbox: &mut Outbox) {
        if self.status != Status::Disconnected {
            return;
        }
        self.change_status(Status::Connecting, Reason::Requested, outbox);
        outbox.watch_service(true);
        match &self.kind {
            Kind::House => outbox.register(),
            Kind::Provider(provider) => outbox.add_account(&provider.given.properties()),
        }
    }

    /// It has begun to connect, if it does.
    pub(crate) fn hurries(&mut self, now: Instant) {
        if self.status == Status::Connecting && self.gives_up_at.is_none() {
            self.gives_up_at = Some(now + PATIENCE);
        }
    }

    /// Gives up what has been connecting for too long.
    fn overdue(&mut self, now: Instant, outbox: &mut Outbox) -> Outcome {
        if self.gives_up_at.is_none_or(|at| at > now) {
            return Outcome::GoesOn;
        }
        let words = "the service does not answer";
        self.fail(&Fault::new(Name::NetworkError, Reason::NetworkError, words), outbox)
    }

    fn change_status(&mut self, status: Status, reason: Reason, outbox: &mut Outbox) {
        self.status = status;
        if status != Status::Connecting {
            self.gives_up_at = None;
        }
        let values = (status as u32, reason as u32);
        outbox.signal(&self.id.path(), &CONNECTION, "StatusChanged", values);
    }

    /// The domain of the house.
    pub(crate) fn domain_known(&mut self, answer: Answer<OwnedValue>) {
        // Where it fails, registering fails too, and says why.
        if let Ok(domain) = answer
            && let Ok(domain) = domain.downcast_ref::<String>()
        {
            self.domain = domain.to_ascii_lowercase();
        }
    }

    /// We are a phone, or shall not be.
    pub(crate) fn phone_known(
        &mut self,
        answer: Answer<String>,
        sender: &str,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Outcome {
        match answer {
            Ok(path) => {
                if matches!(self.kind, Kind::House) {
                    outbox.ask_extension_number(&path);
                }
                self.phone = Some((path, sender.to_owned()));
                self.settle(outbox, now)
            }
            Err(refused) => self.fail(&Fault::of(&refused), outbox),
        }
    }

    /// Whose phone we are.
    pub(crate) fn extension_number_known(
        &mut self,
        answer: Answer<OwnedValue>,
        outbox: &mut Outbox,
    ) -> Outcome {
        let number = match answer.map(|value| value.downcast_ref::<String>()) {
            Ok(Ok(number)) => number,
            Ok(Err(error)) => {
                return self.fail(&Fault::confused(error.to_string()), outbox);
            }
            Err(refused) => return self.fail(&Fault::of(&refused), outbox),
        };
        let identifier = identifier::normal(&number, "").unwrap_or(number);
        match self.handles.of(&identifier) {
            Ok(handle) => self.self_handle = handle,
            Err(error) => {
                return self.fail(&Fault::confused(error.words), outbox);
            }
        }
        outbox.ask_extension(&ObjectName::Extension(identifier).path());
        Outcome::GoesOn
    }

    /// Who we are.
    pub(crate) fn extension_known(
        &mut self,
        answer: Answer<HashMap<String, OwnedValue>>,
        outbox: &mut Outbox,
    ) -> Outcome {
        let extension = match answer {
            Ok(extension) => extension,
            Err(refused) => return self.fail(&Fault::of(&refused), outbox),
        };
        let name = service::text(&extension, "Name");
        if !name.is_empty() {
            self.own_name.clone_from(&name);
            self.aliases.entry(self.self_handle).or_insert(name);
        }
        self.list_awaited(outbox);
        Outcome::GoesOn
    }

    /// It rings here, or not. The first time, this is the last step of connecting.
    pub(crate) fn available_known(
        &mut self,
        answer: Answer<()>,
        available: bool,
        outbox: &mut Outbox,
    ) -> Outcome {
        if let Err(refused) = answer {
            return self.fail(&Fault::of(&refused), outbox);
        }
        if self.status == Status::Connecting {
            let id = self.self_id().to_owned();
            outbox.signal(&self.id.path(), &CONNECTION, "SelfHandleChanged", (self.self_handle,));
            let values = (self.self_handle, id);
            outbox.signal(&self.id.path(), &CONNECTION, "SelfContactChanged", values);
            self.change_status(Status::Connected, Reason::Requested, outbox);
            self.tell_unread(outbox);
        }
        self.presence_changed(outbox);
        // The user changed their mind while the service was asked.
        if available != self.wants_calls
            && let Some((phone, _)) = &self.phone
        {
            outbox.set_available(phone, self.wants_calls);
        }
        Outcome::GoesOn
    }

    /// The connection cannot be, or not go on: says why, and ends.
    fn fail(&mut self, fault: &Fault, outbox: &mut Outbox) -> Outcome {
        let mut details = Map::new();
        details.insert("server-message".into(), fault.words.clone().into());
        details.insert("debug-message".into(), fault.debug.clone().into());
        let values = (fault.error.as_str().to_owned(), details);
        outbox.signal(&self.id.path(), &CONNECTION, "ConnectionError", values);
        self.leave(fault.reason, outbox);
        Outcome::Over
    }

    /// The service has gone; it is started again by the next connection.
    pub(crate) fn service_gone(&mut self, outbox: &mut Outbox, now: Instant) -> Outcome {
        if self.phone.is_none() {
            // Its answer, an error, is still to come.
            return Outcome::GoesOn;
        }
        self.close_calls(Some(&CallReason::service_gone()), outbox, now);
        self.phone = None;
        self.account_gone();
        let words = "the service has left the bus";
        self.fail(&Fault::new(Name::NetworkError, Reason::NetworkError, words), outbox)
    }

    /// Ends the connection; it is of no use afterwards.
    pub(crate) fn end(&mut self, reason: Reason, outbox: &mut Outbox, now: Instant) {
        self.close_calls(None, outbox, now);
        self.leave(reason, outbox);
    }

    fn leave(&mut self, reason: Reason, outbox: &mut Outbox) {
        if let Some((phone, _)) = self.phone.take() {
            outbox.unregister(&phone);
        }
        self.leave_account(outbox);
        self.leave_blocked(outbox);
        outbox.watch_service(false);
        if self.roster.is_watched() {
            outbox.watch_house(false);
        }
        self.change_status(Status::Disconnected, reason, outbox);
    }
}
