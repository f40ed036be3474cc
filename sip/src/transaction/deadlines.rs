// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::{ClientId, ServerId};

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Client(ClientId),
    Server(ServerId),
}

/// When each transaction wants to be woken. One that changes its mind leaves its old entry behind,
/// which is skipped when its time comes, or swept out when there are too many.
#[derive(Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Who)>>,
    /// Where the [`GRID`] begins.
    origin: Option<Instant>,
}

/// A deadline, and how much its hour matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// Something is to be sent or told.
    Exactly(Instant),
    /// A transaction that is over is forgotten: nobody notices when, as long as it is not before
    /// this. These are nearly all deadlines of a busy server, so they are put on a [`GRID`], and
    /// many are met at one wake-up.
    AtLeisure(Instant),
}

/// The distance of the points of time at which transactions are forgotten. So small that what falls
/// due at one of them at a thousand calls a second takes less than a millisecond.
const GRID: Duration = Duration::from_millis(100);

/// The earliest entry of one transaction; whatever else stands in the heap for it is old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entered(Option<Instant>);

impl Deadlines {
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Sees to it that the transaction is woken no later than it wants.
    pub(super) fn enter(&mut self, who: Who, entered: &mut Entered, wanted: Option<Deadline>) {
        let wanted = match wanted {
            None => return,
            Some(Deadline::Exactly(at)) => at,
            Some(Deadline::AtLeisure(at)) => self.on_grid(at),
        };
        if entered.0.is_none_or(|at| wanted < at) {
            entered.0 = Some(wanted);
            self.heap.push(Reverse((wanted, who)));
        }
    }

    /// The next point of the grid after that one.
    fn on_grid(&mut self, at: Instant) -> Instant {
        let origin = *self.origin.get_or_insert(at);
        let past = at.saturating_duration_since(origin);
        let rest = past.as_nanos() % GRID.as_nanos();
        let rest = Duration::from_nanos(u64::try_from(rest).unwrap_or_default());
        at + (GRID - rest)
    }

    /// The next entry that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, Who)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Drops entries of transactions that are gone, if they are the most.
    pub(super) fn sweep(&mut self, live: usize, mut is_live: impl FnMut(Who) -> bool) {
        if self.heap.len() > 64 + 4 * live {
            self.heap.retain(|Reverse((_, who))| is_live(*who));
            self.heap.shrink_to(2 * self.heap.len());
        }
    }
}

impl Entered {
    /// Whether this entry is the one to obey. It is used up by that.
    pub(super) fn take(&mut self, at: Instant) -> bool {
        let obeyed = self.0 == Some(at);
        if obeyed {
            self.0 = None;
        }
        obeyed
    }
}

/// A repetition: when, and how long to wait after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    pub(super) at: Instant,
    pub(super) interval: Duration,
}

impl Again {
    pub(super) fn after(now: Instant, interval: Duration) -> Self {
        Self { at: now + interval, interval }
    }

    /// The one after this one: twice the wait, but no more than `most`.
    pub(super) fn doubled(self, now: Instant, most: Duration) -> Self {
        Self::after(now, self.interval.saturating_mul(2).min(most))
    }
}
