// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls that are sent on by whoever was called (3xx).

use super::{Caller, Destination, Origin, Rejected, Route, Target, Why, World, route};
use crate::contact::{Address, Contact};

/// The route for a contact to which `by`, who was called, sent the call on.
///
/// A phone of the house may send a call wherever `caller` may call, which is the one whose phone it
/// is. Somebody outside may not spend what those of the house may, or anybody whom they call could
/// have them call premium numbers. He reaches what a call from him would reach, the extensions; and
/// what costs nothing more than calling him did: a line, names (no numbers) at a domain of its own
/// network, by that line; another domain, addresses of just that domain, directly. The rules and
/// the toll level of the caller hold all the same.
#[must_use]
pub fn sent_on(contact: &Contact, by: &Target, caller: &Caller, world: &impl World) -> Route {
    let origin = match by.destination {
        Destination::Phone(_) => return route(contact, caller, world),
        Destination::Line(line) => Origin::Line(line),
        Destination::Peer => Origin::Peer,
    };
    let inside = route(contact, &Caller { origin, ..caller.clone() }, world);
    if !inside.attempts.is_empty() || !stays_there(contact, by, world) {
        return inside;
    }
    let mut route = route(contact, caller, world);
    let there = |target: &Target| target.destination == by.destination;
    let rejected = &mut route.rejected;
    route.attempts.retain(|attempt| {
        let is_there = attempt.targets.iter().all(there);
        if !is_there {
            let elsewhere = attempt.targets.iter().filter(|target| !there(target));
            rejected.extend(elsewhere.map(|target| Rejected {
                what: target.dialled.to_string(),
                why: Why::FromOutside,
            }));
        }
        is_there
    });
    route
}

/// Whether the contact is where the call was already.
fn stays_there(contact: &Contact, by: &Target, world: &impl World) -> bool {
    let Contact::Sip(address) = contact else { return false };
    match by.destination {
        Destination::Line(id) => {
            let on_net = |line: &&crate::line::Line| line.id == id && line.is_on_net(&address.host);
            !looks_like_number(address) && world.lines().iter().any(|line| on_net(&line))
        }
        Destination::Peer => {
            matches!(by.dialled.parse(), Ok(Contact::Sip(called)) if called.host == address.host)
        }
        Destination::Phone(_) => true,
    }
}

/// Whether a network may take the user part for a telephone number.
fn looks_like_number(address: &Address) -> bool {
    address.user.starts_with(|sign: char| sign.is_ascii_digit() || "+*#(".contains(sign))
}
