// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts: what the user has at providers, exchanges and gateways.
//!
//! One file each, in `accounts.d` of the user's configuration: a provider by name or a bare
//! domain, answers to what the provider asks, and whatever the user wants otherwise. With the
//! provider's facts it becomes a [`Plan`], which is all that a line knows of it. Passwords are
//! elsewhere.

mod account;
pub mod file;
mod merge;
mod plan;
#[cfg(test)]
mod tests;
mod word;

pub use self::{
    account::{Account, Kept, NoSecret},
    file::AccountFile,
    merge::NoPlan,
    plan::{Outside, Plan, Reach, Register, Server, Source, Tls},
    word::AccountId,
};
