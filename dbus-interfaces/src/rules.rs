// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Rules
//! The user's rules of routing.

use zbus::proxy;

use crate::{
    Error,
    wire::{RuleInfo, RuleOptions},
};

/// Calls `org.gnutelephony.SipWitch1.Rules`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Rules",
    default_service = "org.gnutelephony.SipWitch1",
    default_path = "/org/gnutelephony/SipWitch1"
)]
pub trait Rules {
    /// The rules in use.
    fn list(&self) -> Result<Vec<RuleInfo>, Error>;

    /// Say whether a text would be taken.
    fn check(&self, toml: &str) -> Result<(), Error>;

    /// Add a rule.
    fn add(&self, rule: &RuleInfo, options: &RuleOptions) -> Result<(), Error>;

    /// Remove a rule.
    fn remove(&self, name: &str) -> Result<(), Error>;
}
