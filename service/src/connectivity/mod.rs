// SPDX-License-Identifier: GPL-3.0-or-later
//! Changing networks: interfaces that come and go, addresses that change, routes through a tunnel,
//! a machine that slept.
//!
//! The kernel says that something changed, and so may NetworkManager and logind ([`netlink`],
//! [`hints`]). What they say is only a reason to look: when it has been quiet for a moment
//! ([`Settling`]), the network is looked at anew ([`system::look`]) and compared with what it was
//! ([`Picture::change_to`]). The switchboard then hears of a [`Change`], if there is one, and of the
//! [`Paths`] to those it talks with: a tunnel that leads to one of them changes nothing else.
//! [`Monitor`] is the loop around all that.
//!
//! Before the machine sleeps ([`Sleep`]), lines are taken off at their providers: who calls then
//! reaches the mailbox there at once, and not a machine that does not hear it. Calls are left alone,
//! since their sound goes from phone to phone, and phones do not sleep.

pub mod hints;
pub mod monitor;
pub mod netlink;
mod paths;
mod picture;
mod settling;
mod sleep;
pub mod system;
#[cfg(test)]
mod tests;

pub use self::{
    monitor::{Hints, Looked, Monitor, News},
    paths::Paths,
    picture::{Change, Interface, Kind, Picture},
    settling::Settling,
    sleep::Sleep,
};

/// Why the network is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// An interface, address or route changed, or a program that manages them says so.
    Network,
    /// The Internet can be reached, as a program says that tries it now and then.
    Connected,
    /// The machine slept and is awake again: whatever was agreed on before may be over, whether or
    /// not the network looks the same.
    Resumed,
}
