// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Extension
//! One extension.

use zbus::{proxy, zvariant::OwnedObjectPath};

use crate::{
    Error,
    wire::{Authentication, ExtensionKind, ExtensionProperties, LoginState},
};

/// Calls `org.gnutelephony.SipWitch1.Extension`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Extension",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Extension {
    /// Change the extension.
    fn update(&self, properties: &ExtensionProperties) -> Result<(), Error>;

    /// Set the password.
    fn set_password(&self, password: &str) -> Result<(), Error>;

    /// Set a password made at random, and tell it this once.
    fn generate_password(&self) -> Result<String, Error>;

    /// Remove the extension and forget its phones.
    fn remove(&self) -> Result<(), Error>;

    /// The number or name by which it is dialled.
    #[zbus(property(emits_changed_signal = "const"))]
    fn number(&self) -> zbus::Result<String>;

    /// Its name for people.
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;

    /// What it is.
    #[zbus(property)]
    fn kind(&self) -> zbus::Result<ExtensionKind>;

    /// The numbers of a group's members.
    #[zbus(property)]
    fn members(&self) -> zbus::Result<Vec<String>>;

    /// Whether a password is set.
    #[zbus(property)]
    fn has_password(&self) -> zbus::Result<bool>;

    /// Whose password its phones register with.
    #[zbus(property)]
    fn authentication(&self) -> zbus::Result<Authentication>;

    /// Whether phones can register with the login password.
    #[zbus(property)]
    fn login_state(&self) -> zbus::Result<LoginState>;

    /// The same for people.
    #[zbus(property)]
    fn login_words(&self) -> zbus::Result<String>;

    /// How long its phones ring.
    #[zbus(property)]
    fn ring_seconds(&self) -> zbus::Result<u32>;

    /// Its registered phones.
    #[zbus(property)]
    fn phones(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
}
