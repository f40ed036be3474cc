// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes within the house.

use super::{
    Attempt, Because, Caller, Destination, MAX_FORKS, Rejected, Route, Target, Why, World, group,
};
use crate::{
    contact::Contact,
    extension::{Extension, Kind},
};

/// The route to an extension; none where the contact, as dialled in this house, may lead out of it.
pub(super) fn route(here: &Contact, caller: &Caller, world: &impl World) -> Option<Route> {
    let (local, stays) = match here {
        Contact::Name(name) => (name.as_str(), true),
        // An international number is never an extension.
        Contact::Number(number) if !number.is_international() => (number.as_str(), false),
        Contact::Number(_) | Contact::Service(_) => return None,
        Contact::Sip(address) if world.is_own_domain(&address.host, address.port) => {
            (address.user.as_str(), true)
        }
        Contact::Sip(_) => return None,
    };
    let found = local.parse().ok().and_then(|number| world.extension(&number));
    let Some(extension) = found else {
        return stays.then(|| Route::refused(local, Why::Unknown));
    };
    Some(match &extension.kind {
        Kind::Group { members, mode } => group::route(extension, members, *mode, caller, world),
        Kind::Person => {
            single(extension, Because::Extension(extension.number.clone()), caller, world)
        }
        Kind::Service => {
            single(extension, Because::Service(extension.number.clone()), caller, world)
        }
    })
}

/// The route to the phones of one extension.
fn single(extension: &Extension, because: Because, caller: &Caller, world: &impl World) -> Route {
    let mut route = Route::default();
    let mut targets = Vec::new();
    collect(extension, caller, world, &mut targets, &mut route.rejected);
    if !targets.is_empty() {
        let ring = extension.ring_time.unwrap_or_else(|| world.ring_time());
        route.attempts.push(Attempt::new(targets, because, ring));
    }
    route
}

/// Adds the phones of one extension, without the caller's own and those already there.
pub(super) fn collect(
    extension: &Extension,
    caller: &Caller,
    world: &impl World,
    targets: &mut Vec<Target>,
    rejected: &mut Vec<Rejected>,
) {
    let mut reject = |why| {
        rejected.push(Rejected { what: extension.number.to_string(), why });
    };
    let phones = world.phones(&extension.number);
    if phones.is_empty() {
        reject(Why::NotRegistered);
    }
    for phone in phones {
        let destination = Destination::Phone(phone);
        if caller.phone == Some(phone) {
            reject(Why::CallersOwnPhone);
        } else if targets.len() >= MAX_FORKS {
            reject(Why::TooLarge);
            return;
        } else if targets.iter().all(|target| target.destination != destination) {
            targets.push(Target { destination, dialled: extension.number.as_str().into() });
        }
    }
}
