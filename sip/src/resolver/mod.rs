// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a SIP URI leads: transports, addresses and ports, in the order to be tried (RFC 3263, with
//! the two families of addresses as in RFC 7984).
//!
//! Nothing here asks a name server. What is to be found is [`Wanted`]; a [`Lookup`] says what is to
//! be asked and takes the answers; what comes of it are [`Place`]s. Answers come from strangers:
//! what a lookup asks, follows and keeps is bounded, whatever they say.

mod e164;
mod error;
mod failed;
mod host;
mod known;
mod lookup;
mod order;
mod place;
mod question;
mod service;
#[cfg(test)]
mod tests;
mod wanted;

pub use e164::{NUMBER_DEADLINE, NotAnE164Number, PUBLIC_ROOT, number_addresses, number_domain};
pub use error::{Asked, Came, LookupError};
pub use failed::{Failed, Penance};
pub use host::{Host, NotAHost};
pub use lookup::{DEADLINE, Lookup, PATIENCE, Step};
pub use place::Place;
pub use question::{Answer, Data, Kind, Naptr, NoAnswer, Question, Record, Srv};
pub use wanted::{Families, NotWanted, Services, Wanted};
