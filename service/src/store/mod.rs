// SPDX-License-Identifier: GPL-3.0-or-later
//! The store: what must outlive the process, in one SQLite file.
//!
//! One thread owns the connection. Changes are queued in the order they are made; the thread takes
//! everything that waits and commits it as **one** transaction (group commit), then reports how far
//! it came. Whoever must not promise before a change is safe keeps the [`Ticket`] of its change and
//! waits for a [`Report`] that covers it.
//!
//! *Safe* means: the process may be killed at any moment after [`Report::Committed`]. The journal is
//! written ahead (WAL) and forced to the disk at its checkpoints, not at each commit, so a power cut
//! can lose the last moments, never the file.
//!
//! If the disk is full or fails, nothing is lost from memory: changes stay queued up to a bound, are
//! tried again with growing pauses, and [`Report::Delayed`] says so. If the file is damaged when it
//! is opened, it is moved aside and a new one begun ([`Loaded::aside`]).
//!
//! Reports come over an unbounded channel. It needs no bound of its own: there is at most one report
//! per transaction and one per refused change, both no more than the changes submitted, which are
//! bounded; and the thread can never be blocked by a slow listener.

mod open;
pub mod records;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

pub use self::open::OpenError;
pub use self::records::{
    Authentication, BindingRecord, BlockedRecord, CallRecord, ExtensionKind, ExtensionRecord,
    Ha1Pair, MessageRecord, MeterRecord, SecuredRecord, Settings, TextRecord, TextState,
};

/// Something to keep or to forget. Each change says all there is to say about its record, so that
/// writing it again does no harm.
#[derive(Debug, Clone)]
pub enum Change {
    /// Remember a call that ended.
    AddCall(Box<CallRecord>),
    /// Somebody called for help.
    HelpCalled {
        /// When, or when that call ended.
        at_us: i64,
    },
    /// Block a caller, or replace what is known of that.
    PutBlocked(Box<BlockedRecord>),
    /// Make or replace a registered phone.
    PutBinding(Box<BindingRecord>),
    /// Make or replace an extension.
    PutExtension(Box<ExtensionRecord>),
    /// Make or replace what a line was used. Those of past months are forgotten with that.
    PutMeter(Box<MeterRecord>),
    /// Remember that an account was online over TLS. The oldest beyond the bound are forgotten.
    PutSecured(Box<SecuredRecord>),
    /// Keep a text until a phone takes it. Refused beyond the bounds.
    PutMessage(Box<MessageRecord>),
    /// Remember a text that passed.
    PutText(Box<TextRecord>),
    /// Texts of an extension were read.
    ReadTexts {
        /// Whose.
        extension: String,
        /// Which.
        ids: Vec<u64>,
    },
    /// A text that was sent has got further.
    TextBecame {
        /// Which.
        id: u64,
        /// How it stands now.
        state: TextState,
    },
    /// Block a caller no more.
    RemoveBlocked {
        /// Whom.
        caller: String,
    },
    /// Forget a registered phone.
    RemoveBinding {
        /// Which.
        phone: u64,
    },
    /// Forget an extension, its phones and the texts that wait for it.
    RemoveExtension {
        /// Which.
        number: String,
    },
    /// Forget a text that was taken.
    RemoveMessage {
        /// Which.
        id: u64,
    },
}

/// Names a submitted change. Later changes have greater tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// How far the store came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Every change up to this one is safe, but for those that were refused. Ends a trouble that
    /// [`Report::Delayed`] told of.
    Committed {
        /// The last of them.
        through: Ticket,
    },
    /// Changes up to this one are *not* safe: the disk is full or fails. They stay queued and are
    /// tried again. Do not promise; a warning belongs where the user sees it.
    Delayed {
        /// The last of them.
        through: Ticket,
        /// What is wrong and what to do.
        words: String,
    },
    /// This change alone was not kept and will not be.
    Refused {
        /// Which.
        ticket: Ticket,
        /// Why.
        words: String,
    },
}

/// How much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Past calls; 0 keeps none.
    pub calls: u32,
    /// How long past calls are kept.
    pub calls_age: Duration,
    /// Past texts.
    pub texts: u32,
    /// Texts that wait, in all.
    pub messages: u32,
    /// Texts that wait for one extension.
    pub messages_per_extension: u32,
    /// Changes that may wait to be written.
    pub queue: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            calls: 1000,
            calls_age: Duration::from_secs(90 * 24 * 3600),
            texts: 10_000,
            messages: 1000,
            messages_per_extension: 100,
            queue: 32_768,
        }
    }
}

/// Which past texts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedTexts {
    /// Whose.
    pub extension: String,
    /// With whom; empty for everybody.
    pub contact: String,
    /// Only those that nobody has read.
    pub unread: bool,
    /// At most this many.
    pub limit: u32,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In memory: nothing outlives the process. For a service that cannot have a file.
    Memory,
}

/// What was found when the store was opened.
#[derive(Debug)]
pub struct Loaded {
    /// The settings made with the database.
    pub settings: Settings,
    /// All extensions, by number.
    pub extensions: Vec<ExtensionRecord>,
    /// The phones whose registration has not run out, by phone.
    pub bindings: Vec<BindingRecord>,
    /// What lines were used, by account.
    pub meters: Vec<MeterRecord>,
    /// The accounts that were online over TLS.
    pub secured: Vec<SecuredRecord>,
    /// The callers who are blocked.
    pub blocked: Vec<BlockedRecord>,
    /// When somebody called for help last.
    pub help_us: Option<i64>,
    /// How many texts wait, by extension.
    pub messages_waiting: Vec<(String, u32)>,
    /// When the first of them expires, microseconds since 1970.
    pub messages_expire_us: Option<i64>,
    /// A phone number above that of every phone there ever was.
    pub next_phone: u64,
    /// A message number not used by any stored message, nor any above it.
    pub next_message: u64,
    /// Set when a damaged or foreign database was moved aside and a new one begun.
    pub aside: Option<Aside>,
}

/// Kept texts whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// They, the oldest first. They are still there until somebody removes them.
    pub messages: Vec<MessageRecord>,
    /// When the next one expires.
    pub next_us: Option<i64>,
}

/// A database that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where it is now.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

impl Aside {
    /// A warning for the log and the bus, with the next step.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "the state database could not be used ({}) and was moved to {}; the service began anew: \
             add the extensions again, or stop it and put a backup in the old place",
            self.reason,
            self.moved_to.display()
        )
    }
}

/// Why a change or a question was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too many changes wait.
    #[error("too many changes wait for the disk; see the service's warnings")]
    Full,
    /// The store has stopped.
    #[error("the store has stopped; restart the service")]
    Stopped,
    /// The database could not answer.
    #[error("the state database cannot be read: {0}")]
    Unreadable(String),
}

/// What an opened store consists of.
#[derive(Debug)]
pub struct Opened {
    /// Takes changes.
    pub store: Store,
    /// What was kept before.
    pub loaded: Loaded,
    /// Tells how far the store came. Closed when the store stops.
    pub reports: mpsc::UnboundedReceiver<Report>,
}

/// The switchboard's end of the store. Dropping it writes what waits and stops the thread.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Option<String>>>,
}

impl Store {
    /// Opens or makes the database and starts its thread. `realm` is used only when the database
    /// is new; `now_us` tells which registrations have run out.
    ///
    /// # Errors
    ///
    /// If the place cannot be used at all (permissions, no space, another program holds it). A
    /// damaged database is no error: see [`Loaded::aside`].
    pub fn open(
        place: &Place,
        bounds: &Bounds,
        realm: &str,
        now_us: i64,
    ) -> Result<Opened, OpenError> {
        let open::Ready { connection, loaded, is_new } = open::open(place, bounds, realm, now_us)?;
        let shared = Arc::new(Shared::new(bounds.queue));
        let (tell, reports) = mpsc::unbounded_channel();
        let path = match place {
            Place::File(path) => Some(path.as_path()),
            Place::Memory => None,
        };
        let writer = writer::Writer::new(
            connection,
            Arc::clone(&shared),
            bounds.clone(),
            tell,
            path,
            loaded.next_phone - 1,
        );
        let thread = thread::Builder::new()
            .name("store".into())
            .stack_size(512 * 1024)
            .spawn(move || {
                if is_new {
                    writer.settle();
                }
                writer.run()
            })
            .map_err(OpenError::Thread)?;
        let store = Self { shared, thread: Some(thread) };
        Ok(Opened { store, loaded, reports })
    }

    /// Queues a change that somebody waits for.
    ///
    /// # Errors
    ///
    /// If too many changes wait or the store has stopped: the change is not kept.
    pub fn submit(&self, change: Change) -> Result<Ticket, StoreError> {
        self.queue(change, true)
    }

    /// Queues a change that nobody waits for: it is written within a moment, with what comes
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Store::submit`].
    pub fn submit_quietly(&self, change: Change) -> Result<Ticket, StoreError> {
        self.queue(change, false)
    }

    fn queue(&self, change: Change, is_awaited: bool) -> Result<Ticket, StoreError> {
        let mut queue = self.shared.lock();
        if queue.stopped {
            return Err(StoreError::Stopped);
        }
        if queue.jobs.len() + queue.held >= self.shared.bound {
            return Err(StoreError::Full);
        }
        queue.last = Ticket(queue.last.0 + 1);
        let ticket = queue.last;
        self.shared.push(queue, Job::Change(ticket, change), is_awaited);
        Ok(ticket)
    }

    /// Past calls, the newest first. Sees every change submitted before and written since.
    pub fn calls(&self, limit: u32) -> oneshot::Receiver<Result<Vec<CallRecord>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Calls { limit, reply });
        answer
    }

    /// The texts that wait for an extension and have not run out, the oldest first.
    pub fn messages(
        &self,
        extension: &str,
        now_us: i64,
    ) -> oneshot::Receiver<Result<Vec<MessageRecord>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Messages { extension: extension.to_owned(), now_us, reply });
        answer
    }

    /// The kept texts whose time is over.
    pub fn expired(&self, now_us: i64) -> oneshot::Receiver<Result<Expired, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Expired { now_us, reply });
        answer
    }

    /// Past texts of an extension, the newest first.
    pub fn texts(
        &self,
        wanted: WantedTexts,
    ) -> oneshot::Receiver<Result<Vec<TextRecord>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Texts { wanted, reply });
        answer
    }

    /// Writes what waits, folds the journal into the database and stops the thread.
    ///
    /// # Errors
    ///
    /// With words, if something could not be written.
    pub fn close(mut self) -> Result<(), String> {
        match self.stop() {
            Some(words) => Err(words),
            None => Ok(()),
        }
    }

    fn ask(&self, job: Job) {
        let queue = self.shared.lock();
        // A dropped job closes its reply: the asker hears that the store has stopped.
        if !queue.stopped && queue.jobs.len() < self.shared.bound {
            self.shared.push(queue, job, true);
        }
    }

    fn stop(&mut self) -> Option<String> {
        let thread = self.thread.take()?;
        let mut queue = self.shared.lock();
        queue.closing = true;
        drop(queue);
        self.shared.arrived.notify_one();
        thread.join().unwrap_or_else(|_| Some("the store's thread ended by a fault".into()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(words) = self.stop() {
            tracing::error!("{words}");
        }
    }
}

/// The path of the database under the user's state directory.
#[must_use]
pub fn path_in(state_directory: &Path) -> PathBuf {
    state_directory.join("state.db")
}

/// What goes to the thread.
#[derive(Debug)]
enum Job {
    Change(Ticket, Change),
    Calls {
        limit: u32,
        reply: oneshot::Sender<Result<Vec<CallRecord>, StoreError>>,
    },
    Messages {
        extension: String,
        now_us: i64,
        reply: oneshot::Sender<Result<Vec<MessageRecord>, StoreError>>,
    },
    Expired {
        now_us: i64,
        reply: oneshot::Sender<Result<Expired, StoreError>>,
    },
    Texts {
        wanted: WantedTexts,
        reply: oneshot::Sender<Result<Vec<TextRecord>, StoreError>>,
    },
}

/// The queue between the two sides. Not a channel, because the thread takes all of it at once, and
/// because a submitter need not wake a thread that only pauses to gather more.
#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    bound: usize,
}

#[derive(Debug)]
struct Queue {
    jobs: Vec<Job>,
    /// Changes the thread has taken and not yet written.
    held: usize,
    /// The ticket given out last.
    last: Ticket,
    /// The thread waits to be woken by anything.
    parked: bool,
    /// Somebody waits for one of the jobs.
    awaited: bool,
    closing: bool,
    stopped: bool,
}

impl Shared {
    fn new(bound: usize) -> Self {
        let queue = Queue {
            jobs: Vec::new(),
            held: 0,
            last: Ticket(0),
            parked: false,
            awaited: false,
            closing: false,
            stopped: false,
        };
        Self { queue: Mutex::new(queue), arrived: Condvar::new(), bound }
    }

    /// A fault of one side while it held the lock leaves the queue whole: each use is one step.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, job: Job, is_awaited: bool) {
        queue.jobs.push(job);
        let is_first_awaited = is_awaited && !queue.awaited;
        queue.awaited |= is_awaited;
        let wake = std::mem::take(&mut queue.parked) || is_first_awaited;
        drop(queue);
        if wake {
            self.arrived.notify_one();
        }
    }
}
