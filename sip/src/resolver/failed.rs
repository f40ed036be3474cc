// SPDX-License-Identifier: GPL-3.0-or-later
//! A memory of places that failed, so that the next request need not fail there again (RFC 3263
//! §4.3 leaves it to us for how long).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Place;
use crate::flow::Transport;

/// How long a place that failed is put last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Penance {
    /// After the first failure; doubled by each that follows.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
    /// How many places are remembered. Those whose time is up first are forgotten first.
    pub remembered: usize,
}

impl Default for Penance {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(30),
            longest: Duration::from_secs(15 * 60),
            remembered: 1024,
        }
    }
}

/// Places that failed a short while ago. None is ever left out: they are put last, for all others
/// may fail as well.
#[derive(Debug, Clone, Default)]
pub struct Failed {
    penance: Penance,
    places: BTreeMap<(Transport, SocketAddr), Fault>,
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    times: u32,
    until: Instant,
    /// Until when it is remembered that it failed, so that the next penance is longer.
    forgotten: Instant,
}

impl Failed {
    /// A memory of nothing.
    #[must_use]
    pub const fn new(penance: Penance) -> Self {
        Self { penance, places: BTreeMap::new() }
    }

    /// A place did not answer, or could not be reached.
    pub fn failed(&mut self, now: Instant, place: &Place) {
        self.punish(now, place, Duration::ZERO);
    }

    /// A place asked to be left alone for so long (503 with Retry-After, RFC 3261 §21.5.4). It is
    /// believed up to the longest penance.
    pub fn asked_for_rest(&mut self, now: Instant, place: &Place, rest: Duration) {
        self.punish(now, place, rest);
    }

    /// A place answered: all is forgiven.
    pub fn answered(&mut self, place: &Place) {
        self.places.remove(&key(place));
    }

    /// Forgets everything: the network changed, and what could not be reached may be now.
    pub fn forget(&mut self) {
        self.places.clear();
    }

    /// Until when a place is put last.
    #[must_use]
    pub fn until(&self, now: Instant, place: &Place) -> Option<Instant> {
        self.places.get(&key(place)).map(|fault| fault.until).filter(|until| *until > now)
    }

    /// Puts those that failed last, the one whose time is up first before the others. The others
    /// keep their order.
    pub fn sort(&self, now: Instant, places: &mut [Place]) {
        if !self.places.is_empty() {
            places.sort_by_cached_key(|place| self.until(now, place));
        }
    }

    fn punish(&mut self, now: Instant, place: &Place, rest: Duration) {
        let Penance { first, longest, remembered } = self.penance;
        let key = key(place);
        if self.places.len() >= remembered && !self.places.contains_key(&key) {
            self.forget_some(now);
        }
        let before = self.places.get(&key).filter(|fault| fault.forgotten > now);
        let times = before.map_or(0, |fault| fault.times);
        // What fails during its penance was tried because nothing else was left: no more of it.
        let is_again = before.is_some_and(|fault| fault.until > now);
        let doubled = first.saturating_mul(1 << times.min(16));
        let lasts = doubled.max(rest).min(longest);
        let until = match before {
            Some(fault) if is_again => fault.until.max(now + rest.min(longest)),
            _ => now + lasts,
        };
        let times = if is_again { times } else { times.saturating_add(1) };
        self.places.insert(key, Fault { times, until, forgotten: until + lasts });
    }

    /// Makes room: what is over goes, and an eighth of the rest.
    fn forget_some(&mut self, now: Instant) {
        self.places.retain(|_, fault| fault.forgotten > now);
        let room = (self.penance.remembered / 8).max(1);
        if self.places.len() + room <= self.penance.remembered {
            return;
        }
        let mut ends: Vec<Instant> = self.places.values().map(|fault| fault.until).collect();
        let last = room.min(ends.len()) - 1;
        let (_, end, _) = ends.select_nth_unstable(last);
        let end = *end;
        self.places.retain(|_, fault| fault.until > end);
    }
}

const fn key(place: &Place) -> (Transport, SocketAddr) {
    (place.transport, place.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn place(last: u8) -> Place {
        let address = SocketAddr::from(([192, 0, 2, last], 5060));
        Place { transport: Transport::Udp, address, name: "example.org".into() }
    }

    fn order(failed: &Failed, now: Instant) -> Vec<u8> {
        let mut places = vec![place(1), place(2), place(3)];
        failed.sort(now, &mut places);
        let last = |place: &Place| place.address.ip().to_canonical().to_string();
        places
            .iter()
            .map(|place| last(place).rsplit('.').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn who_failed_is_last_until_its_time_is_up() {
        let now = Instant::now();
        let mut failed = Failed::default();
        failed.failed(now, &place(1));
        failed.failed(now + SECOND, &place(2));
        assert_eq!(order(&failed, now + SECOND), [3, 1, 2]);
        assert_eq!(order(&failed, now + 30 * SECOND), [1, 3, 2]);
        assert_eq!(order(&failed, now + 31 * SECOND), [1, 2, 3]);
        failed.failed(now, &place(1));
        failed.answered(&place(1));
        assert_eq!(order(&failed, now), [1, 3, 2]);
    }

    #[test]
    fn who_fails_again_waits_longer_and_who_was_well_for_long_does_not() {
        let mut now = Instant::now();
        let mut failed = Failed::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            failed.failed(now, &place(1));
            let until = failed.until(now, &place(1)).unwrap();
            waits.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        now += 900 * SECOND;
        failed.failed(now, &place(1));
        assert_eq!(failed.until(now, &place(1)), Some(now + 30 * SECOND));
    }

    #[test]
    fn a_burst_of_failures_is_one() {
        let now = Instant::now();
        let mut failed = Failed::default();
        for _ in 0..100 {
            failed.failed(now, &place(1));
        }
        assert_eq!(failed.until(now, &place(1)), Some(now + 30 * SECOND));
    }

    #[test]
    fn a_rest_that_is_asked_for_is_given_up_to_a_bound() {
        let now = Instant::now();
        let mut failed = Failed::default();
        failed.asked_for_rest(now, &place(1), 120 * SECOND);
        assert_eq!(failed.until(now, &place(1)), Some(now + 120 * SECOND));
        failed.asked_for_rest(now, &place(2), Duration::MAX);
        assert_eq!(failed.until(now, &place(2)), Some(now + 900 * SECOND));
    }

    #[test]
    fn however_many_fail_few_are_remembered() {
        let now = Instant::now();
        let mut failed = Failed::new(Penance { remembered: 16, ..Penance::default() });
        for last in 0..=255 {
            failed.failed(now + SECOND * u32::from(last), &place(last));
            assert!(failed.places.len() <= 16);
        }
        assert!(failed.until(now + 255 * SECOND, &place(255)).is_some());
    }
}
