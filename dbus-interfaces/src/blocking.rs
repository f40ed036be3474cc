// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Blocking
//! Callers whom the user does not want to hear.

#![allow(missing_docs, reason = "zbus writes bare accessors for the arguments of signals")]

use zbus::proxy;

use crate::{
    Error,
    wire::{BlockOptions, BlockedInfo},
};

/// Calls `org.gnutelephony.SipWitch1.Blocking`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Blocking",
    default_service = "org.gnutelephony.SipWitch1",
    default_path = "/org/gnutelephony/SipWitch1"
)]
pub trait Blocking {
    /// Those who are blocked.
    fn list(&self) -> Result<Vec<BlockedInfo>, Error>;

    /// What on the list means each of these.
    fn check(&self, callers: &[&str]) -> Result<Vec<String>, Error>;

    /// Block callers.
    fn add(&self, callers: &[&str], options: &BlockOptions) -> Result<Vec<String>, Error>;

    /// Block callers no more.
    fn remove(&self, callers: &[&str]) -> Result<Vec<String>, Error>;

    /// The list is another one.
    #[zbus(signal)]
    fn blocked_changed(
        &self,
        blocked: Vec<BlockedInfo>,
        unblocked: Vec<String>,
    ) -> zbus::Result<()>;
}
