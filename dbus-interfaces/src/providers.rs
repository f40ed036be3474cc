// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Providers
//! What is known of operators, home routers and exchanges.

#![allow(missing_docs, reason = "zbus writes bare accessors for the arguments of signals")]

use zbus::proxy;

use crate::{
    Error,
    wire::{
        CheckOptions, LanguageOptions, NoOptions, ProblemInfo, ProviderFilter, ProviderInfo,
        ProviderSummary,
    },
};

/// Calls `org.gnutelephony.SipWitch1.Providers`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Providers",
    default_service = "org.gnutelephony.SipWitch1",
    default_path = "/org/gnutelephony/SipWitch1"
)]
pub trait Providers {
    /// The providers that an account can be made of.
    fn list_providers(&self, options: &ProviderFilter) -> Result<Vec<ProviderSummary>, Error>;

    /// Everything about one of them.
    fn get_provider(&self, id: &str, options: &LanguageOptions) -> Result<ProviderInfo, Error>;

    /// What would be wrong with a file.
    fn check_provider(&self, text: &str, options: &CheckOptions)
    -> Result<Vec<ProblemInfo>, Error>;

    /// What is wrong with the files that are installed.
    fn list_problems(&self, options: &NoOptions) -> Result<Vec<ProblemInfo>, Error>;

    /// What was told may be different by now.
    #[zbus(signal)]
    fn providers_changed(&self) -> zbus::Result<()>;
}
