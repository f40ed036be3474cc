// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers of the house who are not to be shown: because their phone says so (Privacy, RFC 3323
//! §4.2), or because a program asked for it. An emergency call is never hidden: who helps must be
//! able to call back.

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Carried, Field, Invitation, Party},
    contact::Contact,
    routing::{Destination, Target, emergency},
};

use super::{Switchboard, entry::CallEntry};

const PRIVACY: &str = "Privacy";

/// What a leg is told of a caller who may want to hide.
pub(super) struct Shown {
    /// Whether the far end is not to see who calls.
    pub(super) hides: bool,
    /// What is said instead of the call's own invitation, where that is something else.
    pub(super) instead: Option<Invitation>,
}

/// Asks for the caller to be hidden.
pub(super) fn ask(carried: &mut Carried) {
    if !is_asked(carried) {
        let (name, value) = (Bytes::from_static(PRIVACY.as_bytes()), Bytes::from_static(b"id"));
        carried.fields.push(Field { name, value });
    }
}

/// Whether what crosses asks for the caller to be hidden.
fn is_asked(carried: &Carried) -> bool {
    let privacy = carried.fields.iter().filter(|field| is_privacy(field));
    let words = privacy.flat_map(|field| field.value.split(|&byte| matches!(byte, b';' | b',')));
    words.map(<[u8]>::trim_ascii).any(|word| {
        ["id", "user", "header"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    })
}

fn is_privacy(field: &Field) -> bool {
    field.name.eq_ignore_ascii_case(PRIVACY.as_bytes())
}

impl Switchboard {
    /// What a called side is told of who calls.
    pub(super) fn shown_to(
        &self,
        entry: &CallEntry,
        target: &Target,
        invitation: &Invitation,
    ) -> Shown {
        let is_asked = is_asked(&invitation.carried);
        if !entry.hides && !is_asked {
            return Shown { hides: false, instead: None };
        }
        let mut other = invitation.clone();
        let contact = target.dialled.parse::<Contact>();
        if contact.is_ok_and(|one| emergency::is_emergency(&one, &self.house(None))) {
            other.carried.fields.retain(|field| !is_privacy(field));
            return Shown { hides: false, instead: Some(other) };
        }
        // Who calls from outside says for himself what he shows, and has said it.
        let is_ours = entry.legs.iter().any(|leg| leg.role == "caller" && leg.phone.is_some());
        if !entry.hides && !is_ours {
            return Shown { hides: false, instead: None };
        }
        match target.destination {
            // The line says who we are, and hides it, in the way of its provider.
            Destination::Line(line) if self.lines.gateway(line).is_none() => {
                other.carried.fields.retain(|field| !is_privacy(field));
            }
            Destination::Line(_) | Destination::Peer | Destination::Phone(_) => {
                other.from = Party::default();
                ask(&mut other.carried);
            }
        }
        Shown { hides: true, instead: Some(other) }
    }
}
