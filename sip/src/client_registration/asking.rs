// SPDX-License-Identifier: GPL-3.0-or-later
//! What is sent for one binding, and when.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Action, Ping, Registration, Trouble,
    binding::{Binding, Phase},
};
use crate::{
    auth::client::Tries,
    dialog::{MAX_FORWARDS, Tag, new_call_id, with_tag},
    endpoint::{ALLOW, named},
    flow::Flow,
    leg::{contact_of, patience},
    wire::{Draft, Method, Uri, name},
};

/// How long OPTIONS may stay without an answer before the flow counts as broken.
const PING_ANSWERED: Duration = Duration::from_secs(10);
/// How long the registrar may take to take us off.
const REMOVED: Duration = Duration::from_secs(5);

impl Registration {
    /// Puts each binding on its way, and registers it there now.
    pub(super) fn place_bindings(&mut self, now: Instant) {
        let ways = self.ways.clone();
        self.bindings.truncate(ways.len().max(1));
        if ways.is_empty() {
            // What the registrar has of us is kept in mind, to be taken off once there is a way.
            self.bindings.iter_mut().for_each(Binding::rest);
        }
        for (at, way) in (0..self.bindings.len()).zip(ways) {
            self.leave_flow(at, way);
            if let Some(binding) = self.bindings.get_mut(at) {
                binding.start_over();
            }
            self.ask_register(now, at);
        }
    }

    /// Moves a binding to another way.
    pub(super) fn leave_flow(&mut self, at: usize, way: Flow) {
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.set_flow(way);
        }
    }

    /// Our Contact on the flow of a binding.
    pub(super) fn contact(&self, at: usize) -> Option<Uri> {
        let binding = self.bindings.get(at)?;
        let seen = self.mapped_contact_of(binding);
        let flow = seen.map_or(binding.flow, |local| Flow { local, ..binding.flow });
        let text =
            contact_of(Some(&self.account.contact_user), self.account.registrar.is_sips(), &flow);
        Uri::parse(text.trim_matches(['<', '>']).to_owned()).ok()
    }

    /// The address under which the registrar sees us, where that is what our Contact must say.
    pub(super) fn mapped_contact_of(&self, binding: &Binding) -> Option<SocketAddr> {
        let takes_flows = binding.bound.as_ref().is_some_and(|bound| bound.outbound);
        let wanted = self.account.maps_contact && !takes_flows;
        binding.mapped.filter(|mapped| wanted && *mapped != binding.flow.local)
    }

    /// Sends a new REGISTER, one that was not challenged yet.
    pub(super) fn ask_register(&mut self, now: Instant, at: usize) {
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.tries = Tries::default();
        }
        self.send_register(now, at, false);
    }

    /// Takes a binding back, if there may be one.
    pub(super) fn remove_binding(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let may_stand = binding.bound.is_some() || matches!(binding.phase, Phase::Asking { .. });
        binding.drop_hold();
        binding.tries = Tries::default();
        if may_stand {
            self.send_register(now, at, true);
        } else {
            binding.phase = Phase::Resting;
        }
    }

    pub(super) fn send_register(&mut self, now: Instant, at: usize, removes: bool) {
        if !removes && self.is_stale(now, at) {
            return self.reach(now, at);
        }
        let ask = self.new_ask();
        let more_ways = self.other_way(at).is_some();
        let Some(contact) = self.contact(at) else { return };
        let registrar = match &self.detour {
            Some(detour) => detour.uri.clone(),
            None => self.account.registrar.clone(),
        };
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.cseq = binding.cseq.wrapping_add(1) & 0x7fff_ffff;
        let expires = match removes {
            true => Duration::ZERO,
            false => binding.expires.unwrap_or(self.account.expires),
        }
        .as_secs();
        let mut draft = Draft::request(&Method::Register, &registrar);
        for route in &self.account.route {
            draft.push(&name::ROUTE, route);
        }
        let address = named(&self.account.display, &self.account.address);
        let mut value = format!("<{contact}>;expires={expires}");
        let instance = self.account.instance.as_ref().filter(|_| !binding.is_plain);
        if let Some(instance) = instance {
            value.push_str(&format!(";+sip.instance=\"<{instance}>\""));
            if self.account.outbound {
                value.push_str(&format!(";reg-id={}", binding.reg_id));
            }
        }
        draft
            .push(&name::MAX_FORWARDS, MAX_FORWARDS)
            .push(&name::FROM, with_tag(address.as_bytes(), binding.tag))
            .push(&name::TO, &address)
            .push(&name::CALL_ID, &binding.call_id)
            .push(&name::CSEQ, format!("{} REGISTER", binding.cseq))
            .push(&name::CONTACT, value);
        // Where the registrar does not know flows, the Contact of the one that was left stays.
        if let Some(bound) = &binding.bound
            && !bound.outbound
            && now < bound.until
            && bound.contact != contact.to_string()
            && bound.echoed.as_deref() != Some(&*contact.to_string())
        {
            let bound = bound.echoed.as_ref().unwrap_or(&bound.contact);
            draft.push(&name::CONTACT, format!("<{bound}>;expires=0"));
        }
        binding.sent = Some(contact);
        let supported = match (instance, self.account.outbound) {
            (Some(_), true) => "path, gruu, outbound",
            (Some(_), false) => "path, gruu",
            (None, _) => "path",
        };
        draft
            .push(&name::EXPIRES, expires.to_string())
            .push(&name::SUPPORTED, supported)
            .push(&name::ALLOW, ALLOW);
        if !self.account.product.is_empty() {
            draft.push(&name::USER_AGENT, &self.account.product);
        }
        if let Some(credentials) = &self.credentials {
            binding.answers.put(&mut draft, credentials);
        }
        let give_up = match removes {
            true => Some(now + REMOVED),
            false => more_ways.then(|| now + patience(binding.flow.transport)),
        };
        binding.phase = Phase::Asking { ask, removes, give_up };
        let flow = binding.flow;
        self.out.push_back(Action::Send { ask, flow, request: draft });
    }

    pub(super) fn options(&mut self) -> Draft {
        let tag = Tag::random(&mut self.random);
        let call_id = new_call_id(&mut self.random);
        let mut draft = Draft::request(&Method::Options, &self.account.registrar);
        for route in &self.account.route {
            draft.push(&name::ROUTE, route);
        }
        let from = format!("<{}>", self.account.address);
        draft
            .push(&name::MAX_FORWARDS, MAX_FORWARDS)
            .push(&name::FROM, with_tag(from.as_bytes(), tag))
            .push(&name::TO, format!("<{}>", self.account.registrar))
            .push(&name::CALL_ID, &call_id)
            .push(&name::CSEQ, "1 OPTIONS");
        if !self.account.product.is_empty() {
            draft.push(&name::USER_AGENT, &self.account.product);
        }
        draft
    }

    pub(super) fn do_due(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.held_until.is_some_and(|until| until <= now) {
            binding.drop_hold();
        }
        if binding.pinging.is_some_and(|(_, limit)| limit <= now) {
            return self.lost(now, at);
        }
        match binding.phase {
            Phase::Asking { removes: true, give_up: Some(limit), .. } if limit <= now => {
                binding.phase = Phase::Resting;
            }
            Phase::Asking { removes: false, give_up: Some(limit), .. } if limit <= now => {
                binding.drop_hold();
                self.stumble(now, at, Trouble::NoAnswer, None);
            }
            Phase::Reaching { give_up } if give_up <= now => {
                self.stumble(now, at, Trouble::Broken, None);
            }
            Phase::Locating { give_up } if give_up <= now => {
                self.give_up_ways(now, at, Trouble::Redirected, None);
            }
            Phase::Waiting { until } if until <= now => {
                if binding.trouble.is_some()
                    && let Some(way) = self.best_way(at)
                {
                    self.leave_flow(at, way);
                }
                self.ask_register(now, at);
            }
            Phase::Resting
            | Phase::Asking { .. }
            | Phase::Locating { .. }
            | Phase::Reaching { .. }
            | Phase::Waiting { .. } => self.keep_alive(now, at),
        }
    }

    pub(super) fn keep_alive(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get(at) else { return };
        let Some((_, interval)) = binding.ping.filter(|(due, _)| *due <= now) else { return };
        let flow = binding.flow;
        let after = self.ping_after(interval);
        let by_options = self.account.keep_alive.ping == Ping::Options;
        let ask = by_options.then(|| self.new_ask());
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.ping = Some((now + after, interval));
        match ask {
            None => self.send_raw(flow, b"\r\n\r\n"),
            Some(ask) if binding.pinging.is_none() => {
                binding.pinging = Some((ask, now + PING_ANSWERED));
                let request = self.options();
                self.out.push_back(Action::Send { ask, flow, request });
            }
            Some(_) => {}
        }
    }
}
