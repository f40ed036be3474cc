// SPDX-License-Identifier: GPL-3.0-or-later
//! Who calls, as others say besides the From (RFC 3325, RFC 3323, RFC 5806, RFC 7044).

use sipwitch_core::call::leg::Party;

use super::{Incoming, Settings};
use crate::{
    flow::Flow,
    leg::party,
    wire::{Headers, Name, NameAddr, name},
};

/// Addresses that are read of one kind: RFC 3325 §9.1 knows two, and nobody was diverted more often.
const MOST_ASSERTED: usize = 2;
const MOST_DIVERSIONS: usize = 8;

/// What an INVITE says about its caller. Anybody can write it: whom to believe is the owner's to
/// know ([`Incoming::caller`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// P-Asserted-Identity.
    pub asserted: Vec<Party>,
    /// Remote-Party-ID.
    pub remote_party: Option<Party>,
    /// The caller wants not to be shown (Privacy, or an anonymous From).
    pub is_withheld: bool,
    /// Whom the call was for before it came to us, the last one first (Diversion, or
    /// History-Info).
    pub diverted: Vec<Party>,
}

/// What is believed of a line, besides the From.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Believed {
    /// Nothing: for whoever is not a provider or a trunk of ours.
    #[default]
    From,
    /// P-Asserted-Identity.
    Asserted,
    /// Remote-Party-ID.
    RemoteParty,
    /// Either, P-Asserted-Identity first.
    Any,
}

impl Claims {
    pub(crate) fn of(headers: Headers<'_>, from: &Party, settings: &Settings, flow: &Flow) -> Self {
        let read = |name: &Name, most: usize| -> Vec<(NameAddr, Party)> {
            headers
                .all(name)
                .take(most)
                .flat_map(|value| NameAddr::parse_list(&value).unwrap_or_default())
                .take(most)
                .map(|address| {
                    let party = party(&address, settings, flow);
                    (address, party)
                })
                .collect()
        };
        let remote = read(&name::REMOTE_PARTY_ID, 4).into_iter().find(|(address, _)| {
            address.param("party").is_none_or(|party| party.eq_ignore_ascii_case(b"calling"))
        });
        let hides = |address: &NameAddr| {
            address.param("privacy").is_some_and(|value| !value.eq_ignore_ascii_case(b"off"))
        };
        let asks = headers.all(&name::PRIVACY).any(|value| {
            let mut wishes = value.split(|byte| matches!(byte, b';' | b','));
            wishes.any(|wish| {
                let wish = wish.trim_ascii();
                [&b"id"[..], b"user", b"header"].iter().any(|w| wish.eq_ignore_ascii_case(w))
            })
        });
        let diverted = read(&name::DIVERSION, MOST_DIVERSIONS);
        let diverted = if diverted.is_empty() {
            // The last entry is ourselves (RFC 7044 §9.2).
            let mut history = read(&name::HISTORY_INFO, MOST_DIVERSIONS);
            history.pop();
            history.reverse();
            history
        } else {
            diverted
        };
        Self {
            asserted: read(&name::P_ASSERTED_IDENTITY, MOST_ASSERTED)
                .into_iter()
                .map(|(_, party)| party)
                .collect(),
            is_withheld: asks
                || is_anonymous(from)
                || remote.as_ref().is_some_and(|(address, _)| hides(address)),
            remote_party: remote.map(|(_, party)| party),
            diverted: diverted.into_iter().map(|(_, party)| party).collect(),
        }
    }
}

impl Incoming {
    /// Who is to be shown as the caller, if so much is believed. Somebody who does not want to be
    /// shown has no address.
    #[must_use]
    pub fn caller(&self, believed: Believed) -> Party {
        let claims = &self.claims;
        let asserted = claims.asserted.first();
        let remote = claims.remote_party.as_ref();
        let told = match believed {
            Believed::From => None,
            Believed::Asserted => asserted,
            Believed::RemoteParty => remote,
            Believed::Any => asserted.or(remote),
        };
        if claims.is_withheld {
            return Party::default();
        }
        let mut party = told.unwrap_or(&self.from).clone();
        if party.display.is_empty() {
            party.display.clone_from(&self.from.display);
        }
        party
    }
}

/// RFC 3323 §4.1.1.3, and as providers write it.
fn is_anonymous(from: &Party) -> bool {
    let address = from.address.to_ascii_lowercase();
    let address =
        address.strip_prefix("sips:").or_else(|| address.strip_prefix("sip:")).unwrap_or(&address);
    let user = address.split(['@', ';']).next().unwrap_or_default();
    user == "anonymous" || address.contains("@anonymous.invalid")
}
