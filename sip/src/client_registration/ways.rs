// SPDX-License-Identifier: GPL-3.0-or-later
//! Which way a binding takes, and what becomes of it when that leads nowhere.

use std::time::{Duration, Instant};

use super::{
    Action, Ask, MOST_WAYS, Registration, Trouble, Wanted,
    binding::{Binding, Phase},
};
use crate::{
    flow::{Flow, Transport},
    transaction::Failure,
};

/// A connection that was given and not used stands ready so long. The driver forgets it later.
const FRESH: Duration = Duration::from_secs(30);
/// How long the way to a known place may take to be told.
const REACHED: Duration = Duration::from_secs(5);

impl Registration {
    /// Ways were given: the connections among them stand ready.
    pub(super) fn are_fresh(&mut self, now: Instant, ways: &[Flow]) {
        self.fresh.retain(|(_, since)| now < *since + FRESH);
        let connections = ways.iter().take(MOST_WAYS).filter(|way| way.connection.is_some());
        self.fresh.extend(connections.map(|way| (*way, now)));
        let excess = self.fresh.len().saturating_sub(2 * MOST_WAYS);
        self.fresh.drain(..excess);
    }

    /// Whether the connection of a binding may be none any more. One that a binding is held over
    /// stands, or its failure would have been told.
    pub(super) fn is_stale(&self, now: Instant, at: usize) -> bool {
        let Some(binding) = self.bindings.get(at) else { return false };
        let is_fresh =
            |(flow, since): &(Flow, Instant)| *flow == binding.flow && now < *since + FRESH;
        binding.flow.connection.is_some() && !binding.is_held() && !self.fresh.iter().any(is_fresh)
    }

    pub(super) fn reach(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.phase = Phase::Reaching { give_up: now + REACHED };
        self.out.push_back(Action::Reach { flow: binding.flow });
    }

    /// The way that was asked for is here, or there is none.
    pub(super) fn take_reached(&mut self, now: Instant, old: &Flow, way: Option<Flow>) {
        if let Some(way) = way {
            let detour = self.detour.iter_mut().flat_map(|detour| &mut detour.ways);
            for known in self.ways.iter_mut().chain(detour).filter(|known| *known == old) {
                *known = way;
            }
            self.are_fresh(now, &[way]);
        }
        for at in 0..self.bindings.len() {
            let Some(binding) = self.bindings.get_mut(at) else { continue };
            if binding.flow != *old || !matches!(binding.phase, Phase::Reaching { .. }) {
                continue;
            }
            match way {
                Some(way) => {
                    binding.set_flow(way);
                    self.send_register(now, at, false);
                }
                None => self.stumble(now, at, Trouble::Broken, None),
            }
        }
    }

    /// A way that this binding has not tried since the last pause, and no other binding has.
    pub(super) fn other_way(&self, at: usize) -> Option<Flow> {
        let ways = self.detour.as_ref().map_or(&self.ways, |detour| &detour.ways);
        let binding = self.bindings.get(at)?;
        if binding.tried + 1 >= ways.len() {
            return None;
        }
        let here = ways.iter().position(|way| *way == binding.flow).unwrap_or(0);
        let others = ways.iter().cycle().skip(here + 1).take(ways.len().saturating_sub(1));
        let is_taken = |way: &Flow| self.bindings.iter().any(|binding| binding.flow == *way);
        others.copied().find(|way| !is_taken(way))
    }

    /// The best way that no other binding has.
    pub(super) fn best_way(&self, at: usize) -> Option<Flow> {
        let is_taken = |way: &Flow| {
            let mut others = self.bindings.iter().enumerate().filter(|(other, _)| *other != at);
            others.any(|(_, binding)| binding.flow == *way)
        };
        self.ways.iter().copied().find(|way| !is_taken(way))
    }

    /// A second flow, where the registrar takes several: none that is less secure than the first.
    pub(super) fn add_flow(&mut self, now: Instant) {
        let ways = self.detour.as_ref().map_or(&self.ways, |detour| &detour.ways);
        let Some(first) = self.bindings.first().map(|binding| binding.flow) else { return };
        let is_secure = |way: &Flow| matches!(way.transport, Transport::Tls | Transport::Wss);
        let fits = |way: &Flow| *way != first && (is_secure(way) || !is_secure(&first));
        let Some(way) = ways.iter().copied().find(fits) else { return };
        let binding = Binding::new(2, way, &mut self.random);
        self.bindings.push(binding);
        self.ask_register(now, 1);
    }

    pub(super) fn take_failure(&mut self, now: Instant, at: usize, ask: Ask, why: Failure) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.pinging.is_some_and(|(pinging, _)| pinging == ask) {
            return self.lost(now, at);
        }
        if let Phase::Asking { removes: true, .. } = binding.phase {
            binding.phase = Phase::Resting;
            return;
        }
        binding.drop_hold();
        let trouble = match why {
            Failure::TimedOut => Trouble::NoAnswer,
            Failure::Unreachable => Trouble::Broken,
        };
        self.stumble(now, at, trouble, None);
    }

    /// The flow of a binding is gone: at once another, over the best way there is. One that never
    /// lasts is left alone for a while (RFC 5626 §4.5).
    pub(super) fn lost(&mut self, now: Instant, at: usize) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        // While a REGISTER is under way its own failure tells.
        if !binding.is_held() || matches!(binding.phase, Phase::Asking { .. }) {
            return;
        }
        binding.forgive(now);
        binding.drop_hold();
        if self.wanted != Wanted::Registered {
            return;
        }
        if binding.failures == 0 {
            binding.failures = 1;
            self.ask_register(now, at);
        } else {
            self.stumble(now, at, Trouble::Broken, None);
        }
    }

    /// It did not work out on this way: the next one, or a pause.
    pub(super) fn stumble(
        &mut self,
        now: Instant,
        at: usize,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) {
        match self.other_way(at) {
            Some(way) => {
                if let Some(binding) = self.bindings.get_mut(at) {
                    binding.tried += 1;
                    binding.trouble = Some(trouble);
                }
                self.leave_flow(at, way);
                self.ask_register(now, at);
            }
            None => self.give_up_ways(now, at, trouble, retry_after),
        }
    }

    /// It did not work out on any way: a pause, and then all again.
    pub(super) fn give_up_ways(
        &mut self,
        now: Instant,
        at: usize,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) {
        if at == 0 {
            self.detour = None;
        }
        let mut others = self.bindings.iter().enumerate().filter(|(other, _)| *other != at);
        let another_stands = others.any(|(_, binding)| binding.is_held());
        let Some(binding) = self.bindings.get_mut(at) else { return };
        binding.forgive(now);
        binding.tried = 0;
        binding.raises = 0;
        binding.trouble = Some(trouble);
        let failures = binding.failures;
        binding.failures = failures.saturating_add(1);
        let pause = self.pause(failures, another_stands, retry_after);
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.phase = Phase::Waiting { until: now + pause };
        }
    }
}
