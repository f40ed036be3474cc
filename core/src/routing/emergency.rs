// SPDX-License-Identifier: GPL-3.0-or-later
//! Emergency numbers. They come before every other rule.

use super::World;
use crate::contact::Contact;

/// Numbers that mean an emergency wherever one is (3GPP TS 22.101 §10.1.1 lists them for phones
/// without a SIM card); those that other countries use for something else are left to
/// [`World::emergency_numbers`].
pub const UNIVERSAL: &[&str] = &["000", "112", "911", "999"];

/// Whether the text is one of [`UNIVERSAL`].
#[must_use]
pub fn is_universal(number: &str) -> bool {
    UNIVERSAL.contains(&number)
}

/// Whether the contact calls for help: `112`, `sos`, `urn:service:sos.fire`, also as the user part
/// of an address of this house. At a foreign domain such a user part is that domain's to interpret.
#[must_use]
pub fn is_emergency(contact: &Contact, world: &impl World) -> bool {
    let here = contact.at_home(world);
    let dialled = match &*here {
        Contact::Service(_) => return true,
        Contact::Number(number) => number.as_str(),
        Contact::Name(name) => name,
        Contact::Sip(_) => return false,
    };
    let is_sos = dialled.eq_ignore_ascii_case("sos")
        || dialled.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sos."));
    is_sos || is_universal(dialled) || world.emergency_numbers().iter().any(|n| n == dialled)
}
