// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service remembers between two calls, behind one lock that is held for no wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::failures::Failures;

/// Questions of one user to polkit or PAM at one time: each may wait for a person.
const ASKING_EACH: u32 = 4;
/// Passwords that are being proven at one time: each is a process that hashes as slowly as it can.
const PROVING: usize = 4;
/// Of somebody who is refused again and again, one line in the log says enough.
const TOLD_EACH: Duration = Duration::from_secs(60);

/// Shared by all calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    failures: Failures,
    asking: HashMap<u32, u32>,
    proving: HashSet<u32>,
    told: HashMap<u32, Instant>,
}

/// Crosses out when it is dropped what was written down for as long as something takes.
#[derive(Debug)]
pub(crate) struct Entered {
    books: Books,
    kind: Kind,
    uid: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Asking,
    Proving,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        // No line below panics half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this user gets no answer.
    pub(crate) fn wait(&self, uid: u32, now: Instant) -> Option<Duration> {
        self.pages().failures.wait(uid, now)
    }

    /// Compares, unless the user has to wait: nothing comes between the look at the time and the
    /// counting, however many ask at once.
    pub(crate) fn compare(
        &self,
        uid: u32,
        now: Instant,
        is_right: impl FnOnce() -> bool,
    ) -> Compared {
        let mut pages = self.pages();
        if let Some(wait) = pages.failures.wait(uid, now) {
            return Compared::Not(wait);
        }
        if is_right() { Compared::Right } else { Compared::Wrong(pages.failures.failed(uid, now)) }
    }

    /// A password of this user was proven wrong.
    pub(crate) fn failed(&self, uid: u32, now: Instant) -> Option<Duration> {
        self.pages().failures.failed(uid, now)
    }

    /// For as long as somebody is asked on behalf of this user; none if too many are already.
    pub(crate) fn asking(&self, uid: u32) -> Option<Entered> {
        let mut pages = self.pages();
        let count = pages.asking.entry(uid).or_insert(0);
        if *count >= ASKING_EACH {
            return None;
        }
        *count += 1;
        Some(Entered { books: self.clone(), kind: Kind::Asking, uid })
    }

    /// For as long as a password of this user is proven: one after the other, so that failures count.
    pub(crate) fn proving(&self, uid: u32) -> Option<Entered> {
        let mut pages = self.pages();
        if pages.proving.len() >= PROVING || !pages.proving.insert(uid) {
            return None;
        }
        Some(Entered { books: self.clone(), kind: Kind::Proving, uid })
    }

    /// Whether it is time to say again that this user was refused something.
    pub(crate) fn is_to_be_told(&self, uid: u32, now: Instant) -> bool {
        let mut pages = self.pages();
        pages.told.retain(|_, told| now.saturating_duration_since(*told) < TOLD_EACH);
        let new = !pages.told.contains_key(&uid);
        if new {
            pages.told.insert(uid, now);
        }
        new
    }

    /// Whether nothing would be lost if the service ended.
    pub(crate) fn are_empty(&self, now: Instant) -> bool {
        let mut pages = self.pages();
        pages.failures.forget(now) && pages.asking.is_empty() && pages.proving.is_empty()
    }
}

/// What a comparison gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    Right,
    /// Wrong, and how long the wait is now.
    Wrong(Option<Duration>),
    /// It was not looked at: so long is the wait still.
    Not(Duration),
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut pages = self.books.pages();
        match self.kind {
            Kind::Proving => {
                pages.proving.remove(&self.uid);
            }
            Kind::Asking => {
                if let Some(count) = pages.asking.get_mut(&self.uid) {
                    *count -= 1;
                    if *count == 0 {
                        pages.asking.remove(&self.uid);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_of_a_user_is_proven_at_a_time_and_four_in_all() {
        let books = Books::default();
        let held: Vec<Entered> = (0..4).map(|uid| books.proving(uid).unwrap()).collect();
        assert!(books.proving(4).is_none());
        drop(held);
        let first = books.proving(1).unwrap();
        assert!(books.proving(1).is_none());
        assert!(books.proving(2).is_some());
        assert!(!books.are_empty(Instant::now()));
        drop(first);
        assert!(books.proving(1).is_some());
        assert!(books.are_empty(Instant::now()));
    }

    #[test]
    fn a_user_has_four_questions_open_and_others_theirs() {
        let books = Books::default();
        let mut held: Vec<Entered> = (0..4).map(|_| books.asking(1).unwrap()).collect();
        assert!(books.asking(1).is_none());
        assert!(books.asking(2).is_some());
        held.pop();
        assert!(books.asking(1).is_some());
        drop(held);
        assert!(books.are_empty(Instant::now()));
    }

    #[test]
    fn a_refusal_is_told_once_a_minute() {
        let (books, now) = (Books::default(), Instant::now());
        assert!(books.is_to_be_told(1, now) && books.is_to_be_told(2, now));
        assert!(!books.is_to_be_told(1, now + TOLD_EACH / 2));
        assert!(books.is_to_be_told(1, now + TOLD_EACH));
    }

    #[test]
    fn who_waits_is_not_compared() {
        let (books, now) = (Books::default(), Instant::now());
        let mut wait = None;
        while wait.is_none() {
            let Compared::Wrong(now) = books.compare(1, now, || false) else { panic!("it was") };
            wait = now;
        }
        let compared = books.compare(1, now, || panic!("compared"));
        assert_eq!(compared, Compared::Not(wait.unwrap()));
        assert_eq!(books.compare(2, now, || true), Compared::Right);
        assert!(!books.are_empty(now), "a failure is remembered");
    }
}
