// SPDX-License-Identifier: GPL-3.0-or-later
//! What we ask of the service and of the bus itself, and what their answers are for.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::{
    names::{
        ACCOUNT_INTERFACE, BLOCKING_INTERFACE, BUS_NAME, ENDPOINT_INTERFACE, EXTENSION_INTERFACE,
        PHONE_INTERFACE, ROOT, SIPWITCH_INTERFACE,
    },
    wire::{
        AccountProperties, BlockOptions, EndpointDialOptions, EndpointMessageOptions,
        EndpointOptions, EndpointTransferOptions, HangUpOptions, MediaAddress, PastTextOptions,
        RejectOptions,
    },
};
use zbus::{
    Message,
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use crate::{
    bridge::path,
    outbox::{Outbox, Whom},
    text::Sent,
};

/// The bus itself.
const BUS: Whom<'_> = Whom {
    name: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
};
/// The service.
const SERVICE: Whom<'_> = Whom { name: BUS_NAME, path: ROOT, interface: SIPWITCH_INTERFACE };
/// Tells that somebody is writing (RFC 3994).
pub(crate) const COMPOSING: &str = "application/im-iscomposing+xml";
/// How many unread texts are looked for.
const MOST_UNREAD: u32 = 500;
/// How many texts of the past are looked at for a channel.
const MOST_PAST: u32 = 30;
/// The list of blocked callers.
const BLOCKING: Whom<'_> = Whom { interface: BLOCKING_INTERFACE, ..SERVICE };
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// As which other programs see us among the phones of the house.
const NAME: &str = "Telepathy";
/// DBUS_NAME_FLAG_DO_NOT_QUEUE.
const DO_NOT_QUEUE: u32 = 4;
/// DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER.
pub(crate) const PRIMARY_OWNER: u32 = 1;

/// What the answer to a call of ours is for.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// The connection's name is ours, or not: the request waits for it.
    ConnectionName(Message),
    /// The manager's name was given back.
    ManagerName,
    /// The domain of the house.
    Domain,
    /// We are a phone.
    Phone,
    /// The account is there.
    Account,
    /// The account is there, and nobody wants it any more.
    UnwantedAccount,
    /// How the account stands.
    AccountStands,
    /// The service has the password.
    PasswordTaken,
    /// We are a phone, and nobody wants that any more.
    UnwantedPhone,
    /// Whose phone we are.
    ExtensionNumber,
    /// Who that is.
    Extension,
    /// The objects of the service.
    House,
    /// The numbers of help.
    EmergencyNumbers,
    /// The callers who are blocked.
    BlockedCallers,
    /// The contacts that a client wanted blocked are, or cannot be.
    Blocked(Message, Vec<u32>),
    /// The contacts that a client wanted unblocked are, or cannot be.
    Unblocked(Message),
    /// It rings here, or not: this was wanted.
    Available(bool),
    /// The leg of the call of this number.
    Dialled(u32),
    /// The answer of the call of this number was taken.
    AnswerTaken(u32),
    /// The name of the offer of the call of this number.
    OfferNamed(u32),
    /// The transfer that a client asked for has begun, or cannot.
    Transferred(Message),
    /// What became of a text.
    Texted(Sent),
    /// Texts that nobody has read.
    Unread,
    /// Texts of the past for the channel of this number.
    Past(u32),
    /// Whether the far end of the channel of this number wants to know that we write.
    Composing(u32),
    /// Nothing comes of it.
    Nothing,
}

/// An answer: values, or an error.
pub(crate) type Answer<T> = Result<T, Refused>;

/// An error that somebody answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its name on the bus.
    pub(crate) name: String,
    /// The same for people.
    pub(crate) words: String,
}

impl Refused {
    /// A text that the service kept, and for which nobody came.
    pub(crate) fn expired() -> Self {
        let name = format!("{}.NoRoute", sipwitch_dbus_interfaces::names::ERROR_PREFIX);
        Self { name, words: "nobody came for it as long as it was kept".to_owned() }
    }

    /// The last word of an error of the service's own.
    pub(crate) fn of_service(&self) -> Option<&str> {
        self.name.strip_prefix(sipwitch_dbus_interfaces::names::ERROR_PREFIX)?.strip_prefix('.')
    }
}

/// Reads an answer.
pub(crate) fn read<T>(message: &Message) -> Answer<T>
where
    T: serde::de::DeserializeOwned + zbus::zvariant::Type,
{
    let body = message.body();
    if message.message_type() == Type::Error {
        let name = message.header().error_name().map(ToString::to_string).unwrap_or_default();
        return Err(Refused { name, words: body.deserialize().unwrap_or_default() });
    }
    body.deserialize().map_err(|error| Refused {
        name: "org.freedesktop.DBus.Error.InvalidSignature".into(),
        words: error.to_string(),
    })
}

/// A text among properties.
pub(crate) fn text(properties: &HashMap<String, OwnedValue>, name: &str) -> String {
    let found = properties.get(name).and_then(|value| value.downcast_ref::<String>().ok());
    found.unwrap_or_default()
}

impl Outbox {
    /// Asks for a name on the bus.
    pub(crate) fn take_name(&mut self, name: &str, awaited: Awaited) {
        self.ask(&BUS, "RequestName", &(name, DO_NOT_QUEUE), awaited);
    }

    /// Gives a name back.
    pub(crate) fn give_back_name(&mut self, name: &str, awaited: Awaited) {
        self.ask(&BUS, "ReleaseName", &name, awaited);
    }

    /// Wants to hear when the service comes and goes, or not any more.
    pub(crate) fn watch_service(&mut self, watch: bool) {
        self.watch(BUS_NAME, watch);
    }

    /// Wants to hear when a program leaves the bus, or not any more.
    pub(crate) fn watch(&mut self, program: &str, watch: bool) {
        let rule = format!(
            "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
             member='NameOwnerChanged',arg0='{program}'"
        );
        let method = if watch { "AddMatch" } else { "RemoveMatch" };
        self.ask(&BUS, method, &rule, Awaited::Nothing);
    }

    /// Becomes a phone of the house.
    pub(crate) fn register(&mut self) {
        let properties = Whom { interface: PROPERTIES, ..SERVICE };
        self.ask(&properties, "Get", &(SIPWITCH_INTERFACE, "Domain"), Awaited::Domain);
        let options = EndpointOptions {
            name: Some(NAME.into()),
            anchored: Some(true),
            marks_read: Some(true),
            ..EndpointOptions::default()
        };
        self.ask(&SERVICE, "RegisterEndpoint", &options, Awaited::Phone);
    }

    /// Becomes the phone of an account.
    pub(crate) fn register_at(&mut self, account: &str) {
        let options = EndpointOptions {
            account: Some(OwnedObjectPath::from(path(account))),
            name: Some(NAME.into()),
            anchored: Some(true),
            marks_read: Some(true),
            ..EndpointOptions::default()
        };
        self.ask(&SERVICE, "RegisterEndpoint", &options, Awaited::Phone);
    }

    /// Has an account made.
    pub(crate) fn add_account(&mut self, account: &AccountProperties) {
        self.ask(&SERVICE, "AddAccount", account, Awaited::Account);
    }

    /// Wants to hear how an account fares, or not any more.
    pub(crate) fn watch_account(&mut self, account: &str, watch: bool) {
        let rule = format!(
            "type='signal',sender='{BUS_NAME}',interface='{PROPERTIES}',\
             member='PropertiesChanged',path='{account}',arg0='{ACCOUNT_INTERFACE}'"
        );
        let method = if watch { "AddMatch" } else { "RemoveMatch" };
        self.ask(&BUS, method, &rule, Awaited::Nothing);
    }

    /// Asks how an account stands.
    pub(crate) fn ask_account(&mut self, account: &str) {
        let whom = Whom { name: BUS_NAME, path: account, interface: PROPERTIES };
        self.ask(&whom, "GetAll", &ACCOUNT_INTERFACE, Awaited::AccountStands);
    }

    /// Gives the password of an account.
    pub(crate) fn set_password(&mut self, account: &str, password: &str) {
        let whom = Whom { name: BUS_NAME, path: account, interface: ACCOUNT_INTERFACE };
        self.ask(&whom, "SetPassword", &password, Awaited::PasswordTaken);
    }

    /// Wants an account tried once more.
    pub(crate) fn try_again(&mut self, account: &str) {
        let whom = Whom { name: BUS_NAME, path: account, interface: ACCOUNT_INTERFACE };
        self.ask(&whom, "TryAgain", &(), Awaited::Nothing);
    }

    /// Wants an account no more.
    pub(crate) fn remove_account(&mut self, account: &str) {
        let whom = Whom { name: BUS_NAME, path: account, interface: ACCOUNT_INTERFACE };
        self.ask(&whom, "Remove", &(), Awaited::Nothing);
    }

    /// Is no phone any more.
    pub(crate) fn unregister(&mut self, phone: &str) {
        let whom = Whom { name: BUS_NAME, path: phone, interface: PHONE_INTERFACE };
        self.ask(&whom, "Remove", &(), Awaited::Nothing);
    }

    /// Asks whose phone we are.
    pub(crate) fn ask_extension_number(&mut self, phone: &str) {
        let whom = Whom { name: BUS_NAME, path: phone, interface: PROPERTIES };
        self.ask(&whom, "Get", &(PHONE_INTERFACE, "ExtensionNumber"), Awaited::ExtensionNumber);
    }

    /// Asks who an extension is.
    pub(crate) fn ask_extension(&mut self, path: &str) {
        let whom = Whom { name: BUS_NAME, path, interface: PROPERTIES };
        self.ask(&whom, "GetAll", &EXTENSION_INTERFACE, Awaited::Extension);
    }

    /// Wants to hear of extensions that come, go and change, of the numbers of help, and of callers
    /// who are blocked; or not any more. What calls and phones do besides wakes nobody here.
    pub(crate) fn watch_house(&mut self, watch: bool) {
        let method = if watch { "AddMatch" } else { "RemoveMatch" };
        let manager = "org.freedesktop.DBus.ObjectManager";
        let extensions = format!("{ROOT}/extension");
        for rule in [
            format!("interface='{manager}',path='{ROOT}',arg0path='{extensions}/'"),
            format!(
                "interface='{PROPERTIES}',member='PropertiesChanged',path_namespace='{extensions}'"
            ),
            format!(
                "interface='{PROPERTIES}',member='PropertiesChanged',path='{ROOT}',\
                 arg0='{SIPWITCH_INTERFACE}'"
            ),
            format!("interface='{BLOCKING_INTERFACE}',member='BlockedChanged',path='{ROOT}'"),
        ] {
            let rule = format!("type='signal',sender='{BUS_NAME}',{rule}");
            self.ask(&BUS, method, &rule, Awaited::Nothing);
        }
    }

    /// Asks for the extensions, for the numbers of help and for the callers who are blocked.
    pub(crate) fn ask_house(&mut self) {
        let properties = Whom { interface: PROPERTIES, ..SERVICE };
        let wanted = (SIPWITCH_INTERFACE, "EmergencyNumbers");
        self.ask(&properties, "Get", &wanted, Awaited::EmergencyNumbers);
        self.ask(&BLOCKING, "List", &(), Awaited::BlockedCallers);
        let manager = Whom { interface: "org.freedesktop.DBus.ObjectManager", ..SERVICE };
        self.ask(&manager, "GetManagedObjects", &(), Awaited::House);
    }

    /// Blocks callers, for a client that asks for these handles.
    pub(crate) fn block(&mut self, callers: &[&str], handles: Vec<u32>, request: Message) {
        let values = (callers, BlockOptions::default());
        self.ask(&BLOCKING, "Add", &values, Awaited::Blocked(request, handles));
    }

    /// Blocks callers no more.
    pub(crate) fn unblock(&mut self, callers: &[&str], request: Message) {
        self.ask(&BLOCKING, "Remove", &callers, Awaited::Unblocked(request));
    }

    /// Says whether it may ring here.
    pub(crate) fn set_available(&mut self, phone: &str, available: bool) {
        let whom = Whom { name: BUS_NAME, path: phone, interface: ENDPOINT_INTERFACE };
        self.ask(&whom, "SetAvailable", &available, Awaited::Available(available));
    }

    /// Calls, for the call of this number.
    pub(crate) fn dial(
        &mut self,
        phone: &str,
        call: u32,
        contact: &str,
        offer: &[u8],
        options: &EndpointDialOptions,
    ) {
        self.ask(&endpoint(phone), "Dial", &(contact, offer, options), Awaited::Dialled(call));
    }

    /// Tells a caller how far the call is.
    pub(crate) fn show_progress(&mut self, phone: &str, leg: u64, sip_code: u32) {
        let nothing: &[u8] = &[];
        self.ask(&endpoint(phone), "ShowProgress", &(leg, sip_code, nothing), Awaited::Nothing);
    }

    /// Takes a call.
    pub(crate) fn answer_leg(&mut self, phone: &str, leg: u64, call: u32, answer: &[u8]) {
        self.ask(&endpoint(phone), "Answer", &(leg, answer), Awaited::AnswerTaken(call));
    }

    /// Does not take a call.
    pub(crate) fn reject(&mut self, phone: &str, leg: u64, sip_code: u32) {
        let values = (leg, sip_code, RejectOptions::default());
        self.ask(&endpoint(phone), "Reject", &values, Awaited::Nothing);
    }

    /// Leaves a call.
    pub(crate) fn hang_up(&mut self, phone: &str, leg: u64, options: &HangUpOptions) {
        self.ask(&endpoint(phone), "HangUp", &(leg, options), Awaited::Nothing);
    }

    /// Says where media are that were described without an address. Where the leg has ended since,
    /// nobody wants to know.
    pub(crate) fn set_media_addresses(&mut self, phone: &str, leg: u64, at: &[MediaAddress]) {
        self.ask(&endpoint(phone), "SetMediaAddresses", &(leg, at), Awaited::Nothing);
    }

    /// Describes our end anew.
    pub(crate) fn offer_description(&mut self, phone: &str, leg: u64, call: u32, offer: &[u8]) {
        let awaited = Awaited::OfferNamed(call);
        self.ask(&endpoint(phone), "OfferDescription", &(leg, offer), awaited);
    }

    /// Answers an offer of the far end.
    pub(crate) fn answer_description(
        &mut self,
        phone: &str,
        leg: u64,
        exchange: u32,
        answer: &[u8],
    ) {
        let values = (leg, exchange, answer);
        self.ask(&endpoint(phone), "AnswerDescription", &values, Awaited::Nothing);
    }

    /// Connects the far end with a contact, or with that of another leg.
    pub(crate) fn transfer(
        &mut self,
        phone: &str,
        leg: u64,
        (contact, other): (&str, Option<u64>),
        request: Message,
    ) {
        let contact = if other.is_some() { "" } else { contact };
        let options = EndpointTransferOptions { other_leg: other };
        let awaited = Awaited::Transferred(request);
        self.ask(&endpoint(phone), "Transfer", &(leg, contact, options), awaited);
    }

    /// Takes a text.
    pub(crate) fn accept_message(&mut self, phone: &str, message: u64) {
        self.ask(&endpoint(phone), "AcceptMessage", &message, Awaited::Nothing);
    }

    /// Sends a text.
    pub(crate) fn send_text(&mut self, phone: &str, contact: &str, text: &str, sent: Sent) {
        let values = (contact, text, EndpointMessageOptions::default());
        self.ask(&endpoint(phone), "SendMessage", &values, Awaited::Texted(sent));
    }

    /// Tells that the user writes, or does not any more, for the channel of this number.
    pub(crate) fn send_composing(&mut self, phone: &str, contact: &str, xml: &str, channel: u32) {
        let options = EndpointMessageOptions { content_type: Some(COMPOSING.into()) };
        let values = (contact, xml, options);
        self.ask(&endpoint(phone), "SendMessage", &values, Awaited::Composing(channel));
    }

    /// Asks for the texts that nobody has read.
    pub(crate) fn ask_unread(&mut self, phone: &str) {
        let options = PastTextOptions { unread: Some(true) };
        self.ask(&endpoint(phone), "Texts", &("", MOST_UNREAD, options), Awaited::Unread);
    }

    /// Asks for the last texts with a contact, for the channel of this number.
    pub(crate) fn ask_past(&mut self, phone: &str, contact: &str, channel: u32) {
        let values = (contact, MOST_PAST, PastTextOptions::default());
        self.ask(&endpoint(phone), "Texts", &values, Awaited::Past(channel));
    }

    /// Says that texts were read.
    pub(crate) fn mark_read(&mut self, phone: &str, messages: &[u64]) {
        self.ask(&endpoint(phone), "MarkRead", &messages, Awaited::Nothing);
    }

    /// Refuses an offer of the far end.
    pub(crate) fn refuse_description(&mut self, phone: &str, leg: u64, exchange: u32, code: u32) {
        let values = (leg, exchange, code);
        self.ask(&endpoint(phone), "RefuseDescription", &values, Awaited::Nothing);
    }
}

/// Our phone, for its program.
const fn endpoint(phone: &str) -> Whom<'_> {
    Whom { name: BUS_NAME, path: phone, interface: ENDPOINT_INTERFACE }
}
