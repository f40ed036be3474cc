// SPDX-License-Identifier: GPL-3.0-or-later
//! Changing networks: interfaces that come and go, addresses that change, routes through a tunnel,
//! a machine that slept.
//!
//! The kernel says that something changed, and so may NetworkManager and logind ([`netlink`],
//! [`hints`]). What they say is only a reason to look: when it has been quiet for a moment
//! ([`Settling`]), the network is looked at anew ([`system::look`]) and compared with what it was
//! ([`Picture::change_to`]). The switchboard then hears of a [`Change`], or of nothing. [`Monitor`]
//! is the loop around all that.

pub mod hints;
pub mod monitor;
pub mod netlink;
mod picture;
mod settling;
pub mod system;
#[cfg(test)]
mod tests;

pub use self::{
    monitor::{Hints, Monitor},
    picture::{Change, Interface, Kind, Picture},
    settling::Settling,
};

/// Why the network is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// An interface, address or route changed, or a program that manages them says so.
    Network,
    /// The machine slept and is awake again: whatever was agreed on before may be over, whether or
    /// not the network looks the same.
    Resumed,
}
