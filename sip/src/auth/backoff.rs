// SPDX-License-Identifier: GPL-3.0-or-later
//! Patience with wrong passwords, and its end.
//!
//! Failures are counted for each pair of source and user name and, with eight times the patience,
//! for each source, so that neither one password nor many names can be guessed quickly. A source is
//! an IPv4 address or the first 64 bits of an IPv6 one: who has one address of such a net has them
//! all. Loopback is exempt from the second count, because there every user of the machine is one
//! source and a single wrong phone would shut out the others.
//!
//! Only credentials made with a nonce that we gave to that very source count, so nobody can shut
//! out another by forging addresses.

use std::{collections::HashMap, net::IpAddr};

use super::nonce::as_v6;

/// How many wrong passwords are taken, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Failures without consequence.
    pub free: u32,
    /// Seconds of refusal after the first failure beyond; doubled by each further one.
    pub first_seconds: u64,
    /// The longest refusal, in seconds.
    pub longest_seconds: u64,
    /// One failure is forgiven each time so many seconds pass without another.
    pub forgiven_seconds: u64,
    /// Sources and pairs remembered. The least guilty are forgotten first.
    pub remembered: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            free: 5,
            first_seconds: 2,
            longest_seconds: 300,
            forgiven_seconds: 60,
            remembered: 4096,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    net: u128,
    /// A digest of the user name; 0 for the count of the source alone.
    user: u64,
}

#[derive(Debug, Clone, Copy)]
struct Guilt {
    failures: u32,
    last: u64,
}

pub(super) struct Backoff {
    patience: Patience,
    guilt: HashMap<Key, Guilt>,
}

const SPRAYED: u32 = 8;

impl Backoff {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, guilt: HashMap::new() }
    }

    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Seconds until this source may try this user again; None if it may now.
    pub(super) fn wait(&self, now: u64, source: IpAddr, user: u64) -> Option<u64> {
        if self.guilt.is_empty() {
            return None;
        }
        keys(source, user)
            .filter_map(|(key, patience)| self.wait_of(now, self.guilt.get(&key)?, patience))
            .max()
    }

    pub(super) fn failed(&mut self, now: u64, source: IpAddr, user: u64) {
        for (key, _) in keys(source, user) {
            if self.guilt.len() >= self.patience.remembered && !self.guilt.contains_key(&key) {
                self.forget_some(now);
            }
            let failures = self.guilt.get(&key).map_or(0, |guilt| self.left(now, guilt));
            let guilt = Guilt { failures: failures.saturating_add(1), last: now };
            self.guilt.insert(key, guilt);
        }
    }

    /// The right password clears the pair, but not the source: else one account of one's own would
    /// pay for guessing at all the others.
    pub(super) fn succeeded(&mut self, source: IpAddr, user: u64) {
        if !self.guilt.is_empty() {
            self.guilt.remove(&Key { net: net(source), user });
        }
    }

    /// Failures not yet forgiven. A clock that was set back forgives nothing.
    fn left(&self, now: u64, guilt: &Guilt) -> u32 {
        let forgiven = now.saturating_sub(guilt.last) / self.patience.forgiven_seconds.max(1);
        guilt.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    fn wait_of(&self, now: u64, guilt: &Guilt, patience: u32) -> Option<u64> {
        let free = self.patience.free.saturating_mul(patience);
        let doublings = guilt.failures.checked_sub(free)?.checked_sub(1)?.min(32);
        let refused = self.patience.first_seconds.saturating_mul(1 << doublings);
        let refused = refused.min(self.patience.longest_seconds);
        // A clock that was set back makes nobody wait longer than the longest refusal from then.
        let since = now.saturating_sub(guilt.last);
        refused.checked_sub(since).filter(|left| *left > 0)
    }

    /// Makes room for an eighth of the table: what is forgiven goes first, then the least guilty.
    fn forget_some(&mut self, now: u64) {
        let mut left: Vec<(u32, u64, Key)> = self
            .guilt
            .iter()
            .map(|(key, guilt)| (self.left(now, guilt), guilt.last, *key))
            .collect();
        let room = (self.patience.remembered / 8).max(2).min(left.len());
        left.select_nth_unstable_by_key(room - 1, |(failures, last, _)| (*failures, *last));
        for (_, _, key) in &left[..room] {
            self.guilt.remove(key);
        }
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.guilt.len()
    }
}

fn keys(source: IpAddr, user: u64) -> impl Iterator<Item = (Key, u32)> {
    let net = net(source);
    let sprayed = (!source.to_canonical().is_loopback()).then_some((Key { net, user: 0 }, SPRAYED));
    std::iter::once((Key { net, user }, 1)).chain(sprayed)
}

pub(super) fn net(source: IpAddr) -> u128 {
    let bits = as_v6(source).to_bits();
    if source.to_canonical().is_ipv4() { bits } else { bits >> 64 << 64 }
}
