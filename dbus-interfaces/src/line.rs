// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Line
//! A way out of the house.

use zbus::proxy;

use crate::wire::{LineKind, LineUsable};

/// Reads `org.gnutelephony.SipWitch1.Line`; the XML tells what each member means.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Line",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Line {
    /// Its name in files and rules.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> zbus::Result<String>;

    /// What it is.
    #[zbus(property)]
    fn kind(&self) -> zbus::Result<LineKind>;

    /// Whether calls can leave by it now.
    #[zbus(property)]
    fn usable(&self) -> zbus::Result<LineUsable>;

    /// Why, in words.
    #[zbus(property)]
    fn usable_reason(&self) -> zbus::Result<String>;

    /// Whether text messages can be sent by it.
    #[zbus(property)]
    fn messages(&self) -> zbus::Result<String>;

    /// The domains in its own network.
    #[zbus(property)]
    fn domains(&self) -> zbus::Result<Vec<String>>;

    /// The country whose numbers are national there.
    #[zbus(property)]
    fn region(&self) -> zbus::Result<String>;

    /// Whether it takes emergency calls.
    #[zbus(property)]
    fn emergency(&self) -> zbus::Result<String>;

    /// The emergency numbers it knows.
    #[zbus(property)]
    fn emergency_numbers(&self) -> zbus::Result<Vec<String>>;

    /// What calls cost, in words.
    #[zbus(property)]
    fn cost(&self) -> zbus::Result<String>;
}
