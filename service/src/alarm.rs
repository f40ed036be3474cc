// SPDX-License-Identifier: GPL-3.0-or-later
//! The one clock of the loop around the switchboard, a timer of the kernel's (timerfd_create(2)).
//!
//! The runtime's own timers are made for many. Set to an earlier time one wakes the process at once,
//! only to fall asleep again; and those more than 64 ms away are looked at in between. Under load
//! that was more wake-ups than the deadlines themselves.

use std::{
    future::poll_fn,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Deadlines are met so much late, so that all that fall due meanwhile are met at one wake-up. No
/// timer of SIP is finer than some hundred milliseconds.
const LATE: Duration = Duration::from_millis(20);

/// Rings when a deadline is to be met.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: AsyncFd<Timer>,
    /// When it rings.
    at: Option<Instant>,
}

/// What the kernel needs to be asked for by number.
#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// One that is not set. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the system gives no more timers.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, to make sure of what holds here: the descriptor is \
                      owned, never replaced, and closed after it was taken from the reactor"
        )]
        let timer = AsyncFd::with_interest(Timer(timer), Interest::READABLE)?;
        Ok(Self { timer, at: None })
    }

    /// Whether a deadline is so long past that it is worth meeting while we are awake, which saves
    /// waking up for it.
    pub(crate) fn is_ripe(deadline: Instant, now: Instant) -> bool {
        deadline + LATE / 2 <= now
    }

    /// Sees to it that it rings soon after that deadline, and not before.
    ///
    /// # Errors
    /// If the system does not set the timer.
    pub(crate) fn set(&mut self, deadline: Instant, now: Instant) -> io::Result<()> {
        let latest = deadline + LATE;
        if self.at.is_some_and(|at| (deadline..=latest).contains(&at)) {
            return Ok(());
        }
        // Zero would mean never.
        let left = latest.saturating_duration_since(now).max(Duration::from_nanos(1));
        let ring = Expiration::OneShot(TimeSpec::from_duration(left));
        self.timer.get_ref().0.set(ring, TimerSetTimeFlags::empty())?;
        self.at = Some(latest);
        Ok(())
    }

    /// Waits until it rings; then it is to be set anew. May be given up and asked again.
    ///
    /// # Errors
    /// If the runtime ends.
    pub(crate) async fn ring(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_ring(context)).await
    }

    fn poll_ring(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What it says need not be read: to set it anew empties it.
        ready!(self.timer.poll_read_ready(context))?.clear_ready();
        self.at = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    async fn rings(alarm: &mut Alarm) {
        tokio::time::timeout(LIMIT, alarm.ring()).await.expect("it rings").unwrap();
    }

    #[test]
    fn it_rings_after_the_deadline_each_time_it_is_set() {
        run(async {
            let mut alarm = Alarm::new().unwrap();
            for wait in [0, 1, 30] {
                let now = Instant::now();
                let deadline = now + Duration::from_millis(wait);
                alarm.set(deadline, now).unwrap();
                rings(&mut alarm).await;
                assert!(Instant::now() >= deadline + LATE);
            }
        });
    }

    #[test]
    fn a_deadline_long_past_rings_at_once() {
        run(async {
            let mut alarm = Alarm::new().unwrap();
            let now = Instant::now();
            alarm.set(now, now + Duration::from_secs(5)).unwrap();
            rings(&mut alarm).await;
        });
    }

    #[test]
    fn an_earlier_deadline_comes_first_and_a_later_one_is_not_forgotten() {
        run(async {
            let mut alarm = Alarm::new().unwrap();
            let now = Instant::now();
            alarm.set(now + Duration::from_secs(3600), now).unwrap();
            alarm.set(now + Duration::from_millis(5), now).unwrap();
            rings(&mut alarm).await;
            alarm.set(now + Duration::from_secs(3600), Instant::now()).unwrap();
            let soon = Duration::from_millis(30);
            assert!(tokio::time::timeout(soon, alarm.ring()).await.is_err(), "not before its time");
            alarm.set(now, Instant::now()).unwrap();
            rings(&mut alarm).await;
        });
    }
}
