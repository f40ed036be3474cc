// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts: what the user has at providers, exchanges and gateways.
//!
//! One file each, in `accounts.d` of the user's configuration: a provider by name or a bare
//! domain, answers to what the provider asks, and whatever the user wants otherwise. With the
//! provider's facts it becomes a [`Plan`], which is all that a line knows of it.
//!
//! The [`Desk`] belongs to the loop around the switchboard. It has the [`Book`] of files, and the
//! passwords, which are elsewhere ([`secrets`]).

mod account;
pub mod book;
mod desk;
pub mod file;
pub mod folder;
mod merge;
mod plan;
pub mod secrets;
mod settings;
#[cfg(test)]
mod tests;
mod word;

pub use self::{
    account::{Account, Holder, Kept, NoSecret},
    book::{Book, FindProvider},
    desk::{Desk, Event},
    file::AccountFile,
    folder::Folder,
    merge::NoPlan,
    plan::{Outside, Plan, Reach, Register, Server, Source, Tls},
    word::AccountId,
};
