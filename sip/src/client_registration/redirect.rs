// SPDX-License-Identifier: GPL-3.0-or-later
//! Registrars that send us elsewhere (RFC 3261 §8.1.3.4): a few times, never in a circle, never to
//! ourselves.

use std::time::{Duration, Instant};

use super::{Action, MOST_WAYS, Registration, Trouble, binding::Phase};
use crate::{
    flow::Flow,
    wire::{NameAddr, Response, Uri, name},
};

/// Redirections in a row.
const MOST_REDIRECTIONS: usize = 5;
/// How long the ways to the new place may take to be found.
const LOCATING: Duration = Duration::from_secs(10);

/// Where the registrar sent us instead.
#[derive(Debug)]
pub(super) struct Detour {
    pub(super) uri: Uri,
    /// None as long as they are not found.
    pub(super) ways: Vec<Flow>,
    /// All places in the order they were named.
    visited: Vec<Uri>,
}

impl Registration {
    pub(super) fn redirected(&mut self, now: Instant, at: usize, response: &Response) {
        let mut visited = match self.detour.take() {
            Some(detour) => detour.visited,
            None => vec![self.account.registrar.clone()],
        };
        let next = targets_of(response).into_iter().find(|uri| {
            let is_down = self.account.registrar.is_sips() && !uri.is_sips();
            !is_down && !self.is_us(at, uri) && !visited.iter().any(|have| have.is_equivalent(uri))
        });
        match next {
            Some(uri) if visited.len() <= MOST_REDIRECTIONS => {
                visited.push(uri.clone());
                self.detour = Some(Detour { uri: uri.clone(), ways: Vec::new(), visited });
                self.bindings.truncate(1);
                if let Some(binding) = self.bindings.first_mut() {
                    binding.phase = Phase::Locating { give_up: now + LOCATING };
                }
                self.out.push_back(Action::Locate { uri });
            }
            Some(_) | None => self.give_up_ways(now, at, Trouble::Redirected, None),
        }
    }

    /// The ways to the new place are found, or there are none.
    pub(super) fn take_detour(&mut self, now: Instant, ways: &[Flow]) {
        let waits =
            self.bindings.first().is_some_and(|b| matches!(b.phase, Phase::Locating { .. }));
        let Some(detour) = self.detour.as_mut().filter(|_| waits) else { return };
        let Some(first) = ways.first().copied() else {
            return self.give_up_ways(now, 0, Trouble::Redirected, None);
        };
        detour.ways = ways.iter().copied().take(MOST_WAYS).collect();
        self.are_fresh(now, ways);
        if let Some(binding) = self.bindings.first_mut() {
            binding.set_flow(first);
            binding.tried = 0;
        }
        self.ask_register(now, 0);
    }

    /// Whether a Contact of a 3xx points at ourselves.
    fn is_us(&self, at: usize, uri: &Uri) -> bool {
        if uri.user().as_deref() == Some(&self.account.contact_user) {
            return true;
        }
        self.bindings.get(at).is_some_and(|binding| {
            let mine = [Some(binding.flow.local), binding.mapped];
            mine.into_iter()
                .flatten()
                .any(|own| uri.ip() == Some(own.ip()) && uri.port().unwrap_or(5060) == own.port())
        })
    }
}

/// The Contacts of a 3xx that a REGISTER can go to.
fn targets_of(response: &Response) -> Vec<Uri> {
    response
        .headers()
        .all(&name::CONTACT)
        .take(8)
        .flat_map(|value| NameAddr::parse_list(&value).unwrap_or_default())
        .map(|contact| contact.uri().for_request_line())
        .filter(|uri| uri.is_sip() && uri.to_bytes().len() <= 1024)
        .take(8)
        .collect()
}
