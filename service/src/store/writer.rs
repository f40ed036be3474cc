// SPDX-License-Identifier: GPL-3.0-or-later
//! The thread that owns the connection.
//!
//! It sleeps until something is queued. After a commit it pauses for what is left of [`GATHER`]
//! before it takes more: a lone change that somebody waits for is written at once, while under load
//! some hundred transactions a second carry any number of changes. Changes that nobody waits for
//! may wait a little longer ([`LINGER`]).

use std::{
    collections::HashSet,
    fs::File,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::{
    Bounds, Change, Job, Report, Shared, StoreError, Ticket, open,
    statements::{self, Applied},
};

/// The least time between two commits. A transaction costs about 80 µs however little is in it, a
/// registration in it about 5 µs more: at 1000 registrations a second this makes 13 µs of each.
const GATHER: Duration = Duration::from_millis(10);
/// How long a change that nobody waits for may wait for company.
const LINGER: Duration = Duration::from_millis(100);
/// The first pause before a failed transaction is tried again; doubled each time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// Old calls are looked for when this much time has passed between two of them.
const PRUNE_EVERY_US: i64 = 3600 * 1_000_000;
/// A list emptied after a burst keeps no more room than this.
const KEEP_ROOM: usize = 1024;
/// Phone numbers reserved at a time: a killed process skips at most so many.
const RESERVE: u64 = 16;

/// A disk that does not take what we write.
struct Trouble {
    words: String,
    pause: Duration,
    retry: Instant,
}

pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    bounds: Bounds,
    reports: mpsc::UnboundedSender<Report>,
    /// Created when damage is met, so that the next start looks closely.
    suspect: Option<PathBuf>,
    /// Taken and not yet written, in order. More than one batch only while there is trouble.
    backlog: Vec<(Ticket, Change)>,
    trouble: Option<Trouble>,
    pruned_us: i64,
    /// The highest phone number there ever was, and the highest that is reserved in the database.
    last_phone: u64,
    reserved_phone: u64,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        bounds: Bounds,
        reports: mpsc::UnboundedSender<Report>,
        path: Option<&Path>,
        last_phone: u64,
    ) -> Self {
        Self {
            connection,
            shared,
            bounds,
            reports,
            suspect: path.map(open::suspect_mark),
            backlog: Vec::new(),
            trouble: None,
            pruned_us: 0,
            last_phone,
            reserved_phone: last_phone,
        }
    }

    /// Forces a database just made to the disk, with its name: a checkpoint syncs the journal, its
    /// folder and the file. Without that a power cut could leave an empty file, beside which a
    /// journal full of changes is void.
    pub(super) fn settle(&self) {
        let done = self.connection.query_row("PRAGMA wal_checkpoint", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!("{}", self.explain(&error));
        }
    }

    /// Runs until the store is closed. Gives words if something stayed unwritten.
    pub(super) fn run(mut self) -> Option<String> {
        let bell = StoppedBell(Arc::clone(&self.shared));
        let mut jobs = Vec::new();
        let mut pause_until = Instant::now();
        loop {
            let closing = self.take(&mut jobs, pause_until);
            let mut asks = Vec::new();
            let before = self.backlog.len();
            for job in jobs.drain(..) {
                match job {
                    Job::Change(ticket, change) => self.backlog.push((ticket, change)),
                    ask => asks.push(ask),
                }
            }
            jobs.shrink_to(KEEP_ROOM);
            self.write(self.backlog.len() > before, closing);
            for ask in asks {
                self.answer(ask);
            }
            if closing {
                // Before the reports end: who hears that end may rely on it.
                drop(bell);
                return self.finish();
            }
            pause_until = Instant::now() + GATHER;
        }
    }

    /// Waits for jobs, for the time of a retry, or for the end; true at the end.
    fn take(&self, jobs: &mut Vec<Job>, pause_until: Instant) -> bool {
        let mut queue = self.shared.lock();
        // What was held is written, or still in the backlog.
        queue.held = self.backlog.len();
        while queue.jobs.is_empty() && !queue.closing {
            queue.parked = true;
            queue = match &self.trouble {
                None => self.shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(trouble) => {
                    let left = trouble.retry.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.shared.arrived.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        queue.parked = false;
        if self.trouble.is_none() {
            let lingering = self
                .shared
                .arrived
                .wait_timeout_while(queue, LINGER, |queue| !queue.awaited && !queue.closing);
            queue = lingering.unwrap_or_else(PoisonError::into_inner).0;
        }
        let pause = pause_until.saturating_duration_since(Instant::now());
        if !pause.is_zero() && !queue.closing {
            // Nobody wakes us from this: what comes meanwhile is taken along.
            drop(queue);
            thread::sleep(pause);
            queue = self.shared.lock();
        }
        mem::swap(&mut queue.jobs, jobs);
        queue.awaited = false;
        queue.held += jobs.len();
        queue.closing
    }

    /// Tries to write the backlog, unless it has just failed.
    fn write(&mut self, grown: bool, closing: bool) {
        let Some(&(through, _)) = self.backlog.last() else { return };
        let now = Instant::now();
        if let Some(trouble) = &self.trouble
            && now < trouble.retry
            && !closing
        {
            if grown {
                let words = trouble.words.clone();
                self.compact();
                self.tell(Report::Delayed { through, words });
            }
            return;
        }
        match self.transaction() {
            Ok(refused) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the state database takes changes again");
                }
                self.backlog.clear();
                self.backlog.shrink_to(KEEP_ROOM);
                for (ticket, words) in refused {
                    self.tell(Report::Refused { ticket, words });
                }
                self.tell(Report::Committed { through });
            }
            Err(error) => {
                self.roll_back();
                let words = self.explain(&error);
                let pause = match &self.trouble {
                    None => {
                        tracing::error!("{words}");
                        RETRY_FIRST
                    }
                    Some(trouble) => (trouble.pause * 2).min(RETRY_LONGEST),
                };
                self.trouble = Some(Trouble { words: words.clone(), pause, retry: now + pause });
                self.compact();
                self.tell(Report::Delayed { through, words });
            }
        }
    }

    /// Writes the whole backlog as one transaction. Gives the changes that have no place.
    fn transaction(&mut self) -> rusqlite::Result<Vec<(Ticket, String)>> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut refused = Vec::new();
        let mut last_call_us = None;
        let mut last_phone = self.last_phone;
        for (ticket, change) in &self.backlog {
            match statements::apply(connection, change, &self.bounds) {
                Ok(Applied::Kept) => {}
                Ok(Applied::Refused(words)) => refused.push((*ticket, words.to_owned())),
                Err(error) if is_refusal(&error) => refused.push((*ticket, error.to_string())),
                Err(error) => return Err(error),
            }
            match change {
                Change::AddCall(call) => last_call_us = Some(call.ended_us),
                Change::PutBinding(binding) => last_phone = last_phone.max(binding.phone),
                _ => {}
            }
        }
        if let Some(now_us) = last_call_us {
            statements::prune_calls(connection, &self.bounds)?;
            if now_us.saturating_sub(self.pruned_us) > PRUNE_EVERY_US {
                let age = i64::try_from(self.bounds.calls_age.as_micros()).unwrap_or(i64::MAX);
                statements::prune_calls_before(connection, now_us.saturating_sub(age))?;
                self.pruned_us = now_us;
            }
        }
        let mut reserved = self.reserved_phone;
        if last_phone > reserved {
            reserved = last_phone.saturating_add(RESERVE);
            statements::reserve_phones(connection, reserved)?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        (self.last_phone, self.reserved_phone) = (last_phone, reserved);
        Ok(refused)
    }

    /// SQLite rolls back by itself after some errors, and not after others.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!("the state database cannot roll back: {error}");
        }
    }

    /// A phone that refreshes again and again while the disk is full is kept once, as it was last.
    /// Only phones: their changes are many, and each says all there is to say.
    fn compact(&mut self) {
        let mut seen = HashSet::new();
        let mut index = self.backlog.len();
        let mut keep = vec![true; index];
        for (_, change) in self.backlog.iter().rev() {
            index -= 1;
            keep[index] = match change {
                Change::PutBinding(binding) => seen.insert(binding.phone),
                Change::RemoveBinding { phone } => seen.insert(*phone),
                _ => true,
            };
        }
        let mut keep = keep.into_iter();
        self.backlog.retain(|_| keep.next().unwrap_or(true));
    }

    fn explain(&self, error: &rusqlite::Error) -> String {
        if open::is_damage(error) {
            if let Some(suspect) = &self.suspect
                && let Err(error) = File::create(suspect)
            {
                tracing::warn!("cannot mark the state database for a check: {error}");
            }
            return format!(
                "the state database is damaged ({error}); restart the service: it moves the file \
                 aside and begins anew"
            );
        }
        let next = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "the disk is full; free some space",
            _ => "check the disk and its free space",
        };
        format!("the state database cannot be written: {error}: {next}; it is tried again")
    }

    fn answer(&self, job: Job) {
        let unreadable = |error: rusqlite::Error| StoreError::Unreadable(self.explain(&error));
        // An asker that has gone is ordinary.
        match job {
            Job::Calls { limit, reply } => {
                let _ = reply.send(statements::calls(&self.connection, limit).map_err(unreadable));
            }
            Job::Messages { extension, now_us, reply } => {
                let texts = statements::messages(&self.connection, &extension, now_us);
                let _ = reply.send(texts.map_err(unreadable));
            }
            Job::Expired { now_us, reply } => {
                let expired = statements::expired(&self.connection, now_us);
                let _ = reply.send(expired.map_err(unreadable));
            }
            Job::Texts { wanted, reply } => {
                let texts = statements::texts(&self.connection, &wanted);
                let _ = reply.send(texts.map_err(unreadable));
            }
            Job::Change(..) => {}
        }
    }

    fn tell(&self, report: Report) {
        // The switchboard may have gone first; what was written stays written.
        let _ = self.reports.send(report);
    }

    fn finish(self) -> Option<String> {
        let left = self.backlog.len();
        if self.reserved_phone > self.last_phone
            && let Err(error) = statements::reserve_phones(&self.connection, self.last_phone)
        {
            // Some numbers are skipped, no more.
            tracing::debug!("cannot give reserved phone numbers back: {error}");
        }
        let trouble = self.trouble.map(|trouble| trouble.words);
        let closed = self.connection.close().map_err(|(_, error)| error.to_string());
        match (left, trouble, closed) {
            (0, _, Ok(())) => None,
            (0, _, Err(error)) => Some(format!("the state database did not close well: {error}")),
            (left, trouble, _) => {
                Some(format!("{left} changes could not be kept: {}", trouble.unwrap_or_default()))
            }
        }
    }
}

/// An error that concerns one change alone: the rest of the transaction can stand.
fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    )
}

/// Tells the other side that nobody listens any more, even after a fault.
struct StoppedBell(Arc<Shared>);

impl Drop for StoppedBell {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.stopped = true;
        queue.jobs.clear();
    }
}
