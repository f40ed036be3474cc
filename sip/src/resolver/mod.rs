// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a SIP URI leads: transports, addresses and ports, in the order to be tried (RFC 3263).
//!
//! Nothing here asks a name server. What is to be found is [`Wanted`]; what comes of it are
//! [`Place`]s.

mod host;
mod place;
mod wanted;

pub use host::{Host, NotAHost};
pub use place::Place;
pub use wanted::{Families, NotWanted, Services, Wanted};
