// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Phone
//! One registered device.

use zbus::{proxy, zvariant::OwnedObjectPath};

use crate::Error;

/// Calls `org.gnutelephony.SipWitch1.Phone`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Phone",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Phone {
    /// Forget the registration.
    fn remove(&self) -> Result<(), Error>;

    /// The extension it belongs to.
    #[zbus(property(emits_changed_signal = "const"))]
    fn extension(&self) -> zbus::Result<OwnedObjectPath>;

    /// The number or name of that extension.
    #[zbus(property(emits_changed_signal = "const"))]
    fn extension_number(&self) -> zbus::Result<String>;

    /// The SIP address it gave for itself.
    #[zbus(property)]
    fn contact(&self) -> zbus::Result<String>;

    /// How it is reached.
    #[zbus(property)]
    fn transport(&self) -> zbus::Result<String>;

    /// Where it is reached.
    #[zbus(property)]
    fn address(&self) -> zbus::Result<String>;

    /// The program it says it is.
    #[zbus(property)]
    fn user_agent(&self) -> zbus::Result<String>;

    /// What names the device itself.
    #[zbus(property)]
    fn instance_id(&self) -> zbus::Result<String>;

    /// When it registered last.
    #[zbus(property)]
    fn registered_at_microseconds(&self) -> zbus::Result<u64>;

    /// When it is forgotten.
    #[zbus(property)]
    fn expires_at_microseconds(&self) -> zbus::Result<u64>;
}
