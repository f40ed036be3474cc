// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1
//! The service itself.

#![allow(missing_docs, reason = "zbus writes bare accessors for the arguments of signals")]

use zbus::{
    proxy,
    zvariant::{ObjectPath, OwnedObjectPath},
};

use crate::{
    Error,
    wire::{
        AccountProperties, CallSummary, ConnectivityChange, DialOptions, EmergencyState,
        EndpointOptions, ExtensionProperties, HopInfo, Imported, MessageOptions, MessageResult,
        NamesInfo, NoOptions, RouteLine,
    },
};

/// Calls `org.gnutelephony.SipWitch1`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1",
    default_service = "org.gnutelephony.SipWitch1",
    default_path = "/org/gnutelephony/SipWitch1"
)]
pub trait SipWitch {
    /// Ring the caller's own phones, then call the contact and connect the two.
    fn dial(&self, contact: &str, options: &DialOptions) -> Result<OwnedObjectPath, Error>;

    /// Say what `Dial` would do: the attempts, and what was rejected.
    fn explain(
        &self,
        contact: &str,
        options: &DialOptions,
    ) -> Result<(Vec<RouteLine>, Vec<RouteLine>), Error>;

    /// Send a text to the phones of an extension.
    fn send_message(
        &self,
        contact: &str,
        text: &str,
        options: &MessageOptions,
    ) -> Result<MessageResult, Error>;

    /// Make an extension.
    fn add_extension(
        &self,
        number: &str,
        properties: &ExtensionProperties,
    ) -> Result<OwnedObjectPath, Error>;

    /// Make and change many extensions at once: how many were added, how many changed, and the
    /// lines refused.
    fn import_extensions(&self, csv: &str, options: &NoOptions) -> Result<Imported, Error>;

    /// Make an account.
    fn add_account(&self, properties: &AccountProperties) -> Result<OwnedObjectPath, Error>;

    /// Make the program that asks a phone of an extension.
    fn register_endpoint(&self, options: &EndpointOptions) -> Result<OwnedObjectPath, Error>;

    /// The calls of the past, newest first.
    fn history(&self, limit: u32, options: &NoOptions) -> Result<Vec<CallSummary>, Error>;

    /// Ask an address what it is, without calling it.
    fn query(&self, uri: &str, options: &NoOptions) -> Result<Vec<HopInfo>, Error>;

    /// Say whether names can be looked up, by whom, and whether the answers can be proven.
    fn check_names(&self, domain: &str, options: &NoOptions) -> Result<NamesInfo, Error>;

    /// Read the configuration file again; the answer is what needs a restart.
    fn reload(&self) -> Result<Vec<String>, Error>;

    /// A call ended.
    #[zbus(signal)]
    fn call_ended(&self, call: ObjectPath<'_>, summary: CallSummary) -> zbus::Result<()>;

    /// Somebody of another domain was not let in.
    #[zbus(signal)]
    fn caller_held_back(
        &self,
        caller: &str,
        domain: &str,
        extension: &str,
        words: &str,
    ) -> zbus::Result<()>;

    /// The network changed.
    #[zbus(signal)]
    fn connectivity_changed(&self, words: &str, details: ConnectivityChange) -> zbus::Result<()>;

    /// The version of the program.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;

    /// When the service started.
    #[zbus(property(emits_changed_signal = "const"))]
    fn started_at_microseconds(&self) -> zbus::Result<u64>;

    /// The configuration file in use.
    #[zbus(property)]
    fn configuration_file(&self) -> zbus::Result<String>;

    /// Where SIP is heard.
    #[zbus(property)]
    fn addresses(&self) -> zbus::Result<Vec<String>>;

    /// The domain of the addresses of extensions.
    #[zbus(property)]
    fn domain(&self) -> zbus::Result<String>;

    /// The realm of passwords.
    #[zbus(property)]
    fn realm(&self) -> zbus::Result<String>;

    /// What the user should know.
    #[zbus(property)]
    fn warnings(&self) -> zbus::Result<Vec<String>>;

    /// The network, in words.
    #[zbus(property)]
    fn network(&self) -> zbus::Result<String>;

    /// Whether an emergency call could leave the house.
    #[zbus(property)]
    fn emergency(&self) -> zbus::Result<EmergencyState>;

    /// The same for people.
    #[zbus(property)]
    fn emergency_words(&self) -> zbus::Result<String>;

    /// What is dialled for help here, by service.
    #[zbus(property)]
    fn emergency_numbers(&self) -> zbus::Result<Vec<(String, Vec<String>)>>;

    /// How many calls are under way.
    #[zbus(property)]
    fn call_count(&self) -> zbus::Result<u32>;
}
