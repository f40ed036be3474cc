// SPDX-License-Identifier: GPL-3.0-or-later
//! Flood protection: how many new requests one source may make.
//!
//! Only what begins something is counted: a request that belongs to no transaction and no dialog.
//! Whoever asks too often is refused without keeping anything ([`Table::dismiss`]); whoever goes on
//! nevertheless is not answered at all, so that nobody can use our refusals against a third.
//!
//! [`Table::dismiss`]: crate::transaction::Table::dismiss

mod network;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

pub use network::{Network, NotANetwork};

/// How much is allowed: a bucket that holds `burst` and gets one more `every` so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How long it takes until there is one more.
    pub every: Duration,
    /// How many at once.
    pub burst: u32,
}

impl Rate {
    /// So many in a second, on average; zero allows none but the burst.
    #[must_use]
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self { every: Duration::from_secs(1).checked_div(count).unwrap_or(FOREVER), burst }
    }

    /// So many in a minute, on average, and so many at once.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        let every = Duration::from_secs(60).checked_div(count).unwrap_or(FOREVER);
        Self { every, burst: count }
    }
}

/// What the gate allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// New requests of one source, where no other rate is set for its network.
    pub requests: Rate,
    /// Refusals to one source; beyond that its requests are dropped.
    pub refusals: Rate,
    /// Networks with a rate of their own; None for those that are not limited. The first one that
    /// contains the source holds.
    pub networks: Vec<(Network, Option<Rate>)>,
    /// How many sources are told apart. Each costs about a hundred octets; those beyond share one
    /// bucket.
    pub sources: usize,
}

impl Default for GateSettings {
    /// An office behind one address may all register at once. Programs on this machine may do much
    /// more, but not take the service from the others.
    fn default() -> Self {
        let local = Some(Rate::per_second(5_000, 10_000));
        Self {
            requests: Rate::per_second(50, 500),
            refusals: Rate::per_second(50, 100),
            networks: vec![(Network::LOOPBACK_V4, local), (Network::LOOPBACK_V6, local)],
            sources: 16_384,
        }
    }
}

/// What to do with a new request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Admit,
    /// Refuse it with 503 and Retry-After, and keep nothing.
    Refuse {
        /// When the source may come again.
        retry_after: Duration,
    },
    /// Say nothing.
    Drop,
}

/// Counts the new requests of each source.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    sources: BTreeMap<Source, Buckets>,
    /// What the sources share that found no place.
    others: Buckets,
    swept: Option<Instant>,
}

/// Who is counted as one: an IPv4 address, or an IPv6 network of 64 bits, of which anyone who has
/// one address has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Buckets {
    requests: Bucket,
    refusals: Bucket,
}

/// A bucket is known by when it will be full again; None and the past mean that it is.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// Takes one out, or says how long it takes until there is one.
    fn take(&mut self, now: Instant, rate: Rate) -> Result<(), Duration> {
        let one = rate.every;
        let depth = one.saturating_mul(rate.burst.saturating_sub(1));
        let full = self.0.filter(|full| *full > now).unwrap_or(now);
        let owed = full - now;
        if rate.burst == 0 || owed > depth {
            return Err(owed.saturating_sub(depth).max(one.min(FOREVER)));
        }
        self.0 = full.checked_add(one);
        Ok(())
    }

    fn is_full(self, now: Instant) -> bool {
        self.0.is_none_or(|full| full <= now)
    }
}

impl Gate {
    /// A gate that has seen nobody.
    #[must_use]
    pub const fn new(settings: GateSettings) -> Self {
        let empty = Bucket(None);
        let others = Buckets { requests: empty, refusals: empty };
        Self { settings, sources: BTreeMap::new(), others, swept: None }
    }

    /// Changes what is allowed from now on.
    pub fn set(&mut self, settings: GateSettings) {
        self.settings = settings;
    }

    /// How many sources it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Counts a new request and judges it.
    pub fn admit(&mut self, now: Instant, address: IpAddr) -> Verdict {
        let address = address.to_canonical();
        let own = self.settings.networks.iter().find(|(network, _)| network.contains(address));
        let rate = match own {
            Some((_, None)) => return Verdict::Admit,
            Some((_, Some(rate))) => *rate,
            None => self.settings.requests,
        };
        let refusals = self.settings.refusals;
        let buckets = self.buckets(now, Source::of(address));
        match buckets.requests.take(now, rate) {
            Ok(()) => Verdict::Admit,
            Err(wait) => match buckets.refusals.take(now, refusals) {
                // In whole seconds, and never at once.
                Ok(()) => Verdict::Refuse {
                    retry_after: Duration::from_secs(wait.as_secs().saturating_add(1).min(60)),
                },
                Err(_) => Verdict::Drop,
            },
        }
    }

    fn buckets(&mut self, now: Instant, source: Source) -> &mut Buckets {
        let is_full = self.sources.len() >= self.settings.sources;
        if is_full && !self.sources.contains_key(&source) {
            self.sweep(now);
            if self.sources.len() >= self.settings.sources {
                return &mut self.others;
            }
        }
        self.sources.entry(source).or_default()
    }

    /// Forgets those whose buckets are full again: they are as good as new. No more than once a
    /// second, or sources made up by the thousand would make this the flood.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now >= swept + Duration::from_secs(1)) {
            self.swept = Some(now);
            self.sources.retain(|_, buckets| {
                !(buckets.requests.is_full(now) && buckets.refusals.is_full(now))
            });
        }
    }
}

/// Longer than any process runs, short enough to reckon with.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
