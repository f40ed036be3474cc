// SPDX-License-Identifier: GPL-3.0-or-later
//! What somebody said, line by line, and a way to wait for a line.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A growing list of events. Clones share it, each with a place of its own: a wait begins where the
/// last one of the same clone ended, so that an old event is not taken for a new one.
#[derive(Debug)]
pub struct Transcript<T = String> {
    shared: Arc<Shared<T>>,
    at: usize,
}

#[derive(Debug)]
struct Shared<T> {
    events: Mutex<(Vec<T>, bool)>,
    grown: Condvar,
}

impl<T> Clone for Transcript<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), at: self.at }
    }
}

impl<T: Clone> Default for Transcript<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Transcript<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared { events: Mutex::new((Vec::new(), false)), grown: Condvar::new() };
        Self { shared: Arc::new(shared), at: 0 }
    }

    /// Adds an event and wakes those who wait.
    pub fn push(&self, event: T) {
        self.lock().0.push(event);
        self.shared.grown.notify_all();
    }

    /// Says that no more will come, so that nobody waits in vain.
    pub fn close(&self) {
        self.lock().1 = true;
        self.shared.grown.notify_all();
    }

    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<T> {
        self.lock().0.clone()
    }

    /// Begins the next wait at the end of what is there now.
    pub fn skip(&mut self) {
        let end = self.lock().0.len();
        self.at = end;
    }

    /// Waits for the first event, from this clone's place on, of which `wanted` makes something.
    /// `None` if the deadline passed or no more can come.
    pub fn wait<R>(&mut self, within: Duration, wanted: impl Fn(&T) -> Option<R>) -> Option<R> {
        let deadline = Instant::now() + within;
        let shared = Arc::clone(&self.shared);
        let mut events = shared.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut looked = self.at;
        loop {
            while let Some(event) = events.0.get(looked) {
                looked += 1;
                if let Some(found) = wanted(event) {
                    self.at = looked;
                    return Some(found);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || events.1 {
                return None;
            }
            let woken = shared.grown.wait_timeout(events, left);
            events = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<T>, bool)> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
