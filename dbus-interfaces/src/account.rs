// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Account
//! What the user has at a provider, an exchange or a gateway.

use std::collections::HashMap;

use zbus::proxy;

use crate::{
    Error,
    wire::{AccountProperties, AccountState, CertificateFault, PasswordKept},
};

/// Calls `org.gnutelephony.SipWitch1.Account`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Account",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Account {
    /// Change the account.
    fn update(&self, properties: &AccountProperties) -> Result<(), Error>;

    /// Set the password, and say where it is kept.
    fn set_password(&self, password: &str) -> Result<PasswordKept, Error>;

    /// Try at once what would be tried later, or not at all.
    fn try_again(&self) -> Result<(), Error>;

    /// Remove the account, its file and its password.
    fn remove(&self) -> Result<(), Error>;

    /// Its name in files and rules.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;

    /// Whether it goes with the program that made it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn transient(&self) -> zbus::Result<bool>;

    /// Its name for people.
    #[zbus(property)]
    fn title(&self) -> zbus::Result<String>;

    /// The id of its provider.
    #[zbus(property)]
    fn provider(&self) -> zbus::Result<String>;

    /// The provider's name for people.
    #[zbus(property)]
    fn provider_name(&self) -> zbus::Result<String>;

    /// Under which others reach it.
    #[zbus(property)]
    fn address(&self) -> zbus::Result<String>;

    /// What the user answered.
    #[zbus(property)]
    fn answers(&self) -> zbus::Result<HashMap<String, String>>;

    /// What the user wants otherwise than the provider.
    #[zbus(property)]
    fn settings(&self) -> zbus::Result<HashMap<String, String>>;

    /// Whether the user wants it.
    #[zbus(property)]
    fn enabled(&self) -> zbus::Result<bool>;

    /// The extension or group that calls from outside reach.
    #[zbus(property)]
    fn incoming(&self) -> zbus::Result<String>;

    /// The extensions that may call by it.
    #[zbus(property)]
    fn users(&self) -> zbus::Result<Vec<String>>;

    /// Its place among the lines.
    #[zbus(property)]
    fn order(&self) -> zbus::Result<u32>;

    /// How it stands.
    #[zbus(property)]
    fn state(&self) -> zbus::Result<AccountState>;

    /// Why, in words.
    #[zbus(property)]
    fn state_reason(&self) -> zbus::Result<String>;

    /// What is wrong with the certificate of its server.
    #[zbus(property)]
    fn certificate_fault(&self) -> zbus::Result<CertificateFault>;

    /// What the user can do, in words.
    #[zbus(property)]
    fn next_step(&self) -> zbus::Result<String>;

    /// When it is tried again by itself.
    #[zbus(property)]
    fn tries_again_at_microseconds(&self) -> zbus::Result<u64>;

    /// When the registration runs out.
    #[zbus(property)]
    fn registered_until_microseconds(&self) -> zbus::Result<u64>;

    /// What carries SIP.
    #[zbus(property)]
    fn transport(&self) -> zbus::Result<String>;

    /// The server in use.
    #[zbus(property)]
    fn server(&self) -> zbus::Result<String>;

    /// What people see who are called by it.
    #[zbus(property)]
    fn shows_as(&self) -> zbus::Result<String>;

    /// How many messages wait at the provider.
    #[zbus(property)]
    fn messages_waiting(&self) -> zbus::Result<u32>;

    /// The same in words.
    #[zbus(property)]
    fn messages_waiting_words(&self) -> zbus::Result<String>;

    /// Where its password is.
    #[zbus(property)]
    fn password_kept(&self) -> zbus::Result<PasswordKept>;
}
