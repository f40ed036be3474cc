// SPDX-License-Identifier: GPL-3.0-or-later
//! The bus contract of SIP Witch.
//!
//! `xml/` is the master; everything here repeats it in Rust, and tests compare the two:
//! [`names`] of objects, [`wire`] types, [`Error`]s with names that stay, and one proxy for each
//! interface. Programs that speak to the service need nothing else.
//!
//! This crate opens no connection and decides nothing.

#![forbid(unsafe_code)]

pub mod account;
pub mod blocking;
pub mod call;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod digest;
pub mod endpoint;
mod error;
pub mod extension;
pub mod line;
pub mod names;
pub mod phone;
pub mod providers;
pub mod rules;
pub mod sipwitch;
pub mod wire;
pub mod xml;

pub use account::AccountProxy;
pub use blocking::BlockingProxy;
pub use call::CallProxy;
pub use digest::DigestProxy;
pub use endpoint::EndpointProxy;
pub use error::Error;
pub use extension::ExtensionProxy;
pub use line::LineProxy;
pub use names::ObjectName;
pub use phone::PhoneProxy;
pub use providers::ProvidersProxy;
pub use rules::RulesProxy;
pub use sipwitch::{CallerHeldBackStream, SipWitchProxy};

#[cfg(test)]
mod tests;
