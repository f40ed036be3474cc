// SPDX-License-Identifier: GPL-3.0-or-later
//! How calls by lines went, and how long they lasted: what routing asks before it sends the next.
//!
//! A line that failed for a reason of its own goes behind its equals for a while, longer each time,
//! and one that asked to be left alone goes behind all. Whatever rings by it, or answers, is
//! forgiveness. The minutes are those of calls that left by it, as they ended; a new month on the
//! user's calendar begins at nothing.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use sipwitch_core::line::{Health, LineId};

use super::Lines;
use crate::store::{MeterRecord, SecuredRecord};

/// For so long a line that failed once goes behind; doubled by each failure that follows.
const FIRST: Duration = Duration::from_secs(60);
/// At most, and as long as a wish to be left alone is heeded.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How calls by lines went.
#[derive(Debug, Default)]
pub(super) struct Record {
    faults: HashMap<LineId, Fault>,
    due: BTreeSet<(Instant, LineId)>,
    /// What each account was used this month.
    used: HashMap<Box<str>, Duration>,
    /// The month on the user's calendar.
    month: u32,
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    /// In a row.
    times: u16,
    until: Instant,
}

impl Record {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// What an account was used this month.
    pub(super) fn used(&self, account: &str) -> Duration {
        self.used.get(account).copied().unwrap_or_default()
    }

    pub(super) fn forget(&mut self, line: LineId) {
        if let Some(fault) = self.faults.remove(&line) {
            self.due.remove(&(fault.until, line));
        }
    }
}

impl Lines {
    /// A call by a line rang, or was answered: all is forgiven.
    pub fn call_arrived(&mut self, id: LineId) {
        if self.record.faults.contains_key(&id) {
            self.record.forget(id);
            self.with_seen(id, |line| line.health = Health::default());
        }
    }

    /// A call by a line failed for a reason of the line's own, which may want to be left alone for
    /// so long.
    pub fn call_failed(&mut self, now: Instant, id: LineId, rest: Option<Duration>) {
        if !self.entries.contains_key(&id) {
            return;
        }
        let before = self.record.faults.get(&id).map_or(0, |fault| fault.times);
        self.record.forget(id);
        let times = before.saturating_add(1);
        let penance = FIRST.saturating_mul(1 << before.min(8)).max(rest.unwrap_or_default());
        let until = now + penance.min(LONGEST);
        self.record.faults.insert(id, Fault { times, until });
        self.record.due.insert((until, id));
        self.with_seen(id, |line| {
            let resting = rest.is_some_and(|rest| !rest.is_zero());
            line.health = Health { failures: times, resting };
        });
    }

    /// Lines whose time is up are as good as the others; how often they failed is remembered until
    /// a call arrives.
    pub(super) fn forgive(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.record.due.first() {
            if due > now {
                return;
            }
            self.record.due.pop_first();
            self.with_seen(id, |line| line.health = Health::default());
        }
    }

    /// Another network: what could not be reached may be now.
    pub(super) fn forgive_all(&mut self) {
        let record = &mut self.record;
        record.due.clear();
        for (id, _) in std::mem::take(&mut record.faults) {
            self.with_seen(id, |line| line.health = Health::default());
        }
    }

    /// What was used is known from before, and which accounts were reached by TLS.
    pub fn remember(&mut self, month: u32, meters: Vec<MeterRecord>, secured: Vec<SecuredRecord>) {
        self.secured.remember(secured);
        self.record.month = month;
        let of_now = meters.into_iter().filter(|meter| meter.month == month);
        self.record.used = of_now
            .map(|meter| (meter.account.into(), Duration::from_millis(meter.milliseconds)))
            .collect();
    }

    /// Whether anything was used, which a new month would take back.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        !self.record.used.is_empty()
    }

    /// It is this month on the user's calendar.
    pub fn month_is(&mut self, month: u32) {
        if std::mem::replace(&mut self.record.month, month) != month {
            self.record.used.clear();
            self.seen.iter_mut().for_each(|line| line.meter.used = Duration::ZERO);
        }
    }

    /// A call that left by a line is over, and lasted so long. Gives what is to be kept.
    pub fn call_lasted(&mut self, id: LineId, lasted: Duration) -> Option<MeterRecord> {
        let account = self.entries.get(&id)?.facts.account.clone();
        let used = self.record.used.entry(account.as_ref().into()).or_default();
        *used = used.saturating_add(lasted);
        let used = *used;
        self.with_seen(id, |line| line.meter.used = used);
        Some(MeterRecord {
            account: account.as_ref().to_owned(),
            month: self.record.month,
            milliseconds: u64::try_from(used.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
