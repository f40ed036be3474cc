// SPDX-License-Identifier: GPL-3.0-or-later
//! Who has the providers: a task that reads them when somebody asks, hears when a file changes, and
//! forgets what nobody has asked for in a while.
//!
//! Until the first question no file is opened and no folder is watched: a service that has no
//! account and no open panel pays nothing.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{Entry, Folders, ProviderId, Refused, Shelf, shelf::ENDING};
use crate::{
    lifecycle::watch::{Changes, Watch},
    memory,
};

/// Questions that may wait.
const WAITING: usize = 64;
/// All files of a package come at once, and are told once.
const SETTLE: Duration = Duration::from_millis(200);
/// After so long without a question what was read is given back.
const UNUSED: Duration = Duration::from_secs(120);

/// The way to the providers, for whoever asks.
#[derive(Debug, Clone)]
pub struct Providers {
    wants: mpsc::Sender<Want>,
    changes: watch::Receiver<u64>,
}

/// The task that has them.
#[derive(Debug)]
pub struct Library {
    folders: Arc<Folders>,
    wants: mpsc::Receiver<Want>,
    changes: watch::Sender<u64>,
    watch: Option<Watch>,
    shelf: Option<Arc<Shelf>>,
    /// Of what was refused when it was last read, to say it once.
    refused: Vec<Refused>,
}

#[derive(Debug)]
enum Want {
    All(oneshot::Sender<Arc<Shelf>>),
    One(ProviderId, oneshot::Sender<Result<Option<Arc<Entry>>, Refused>>),
}

/// The library has ended: so does the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is stopping")]
pub struct Closed;

/// The providers in these folders. Nothing is read before somebody asks.
#[must_use]
pub fn open(folders: Folders) -> (Providers, Library) {
    let (wants_in, wants) = mpsc::channel(WAITING);
    let (changes, changes_out) = watch::channel(0);
    let folders = Arc::new(folders);
    let library =
        Library { folders, wants, changes, watch: None, shelf: None, refused: Vec::new() };
    (Providers { wants: wants_in, changes: changes_out }, library)
}

impl Providers {
    /// Every provider.
    ///
    /// # Errors
    ///
    /// If the service is stopping.
    pub async fn all(&self) -> Result<Arc<Shelf>, Closed> {
        let (reply, answer) = oneshot::channel();
        self.wants.send(Want::All(reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// One provider: none if there is none; the refusal if its file is refused.
    ///
    /// # Errors
    ///
    /// If the service is stopping.
    pub async fn one(&self, id: ProviderId) -> Result<Result<Option<Arc<Entry>>, Refused>, Closed> {
        let (reply, answer) = oneshot::channel();
        self.wants.send(Want::One(id, reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Changes whenever a file of a provider came, went or changed after somebody asked for any.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

impl Library {
    /// Answers until nobody can ask any more.
    pub async fn run(mut self) {
        let far = || Instant::now() + Duration::from_secs(365 * 86_400);
        let (tell, release) = (sleep_until(far()), sleep_until(far()));
        tokio::pin!(tell, release);
        let (mut is_untold, mut is_kept) = (false, false);
        loop {
            tokio::select! {
                want = self.wants.recv() => match want {
                    Some(want) => {
                        self.answer(want).await;
                        is_kept = self.shelf.is_some();
                        release.as_mut().reset(Instant::now() + UNUSED);
                    }
                    None => return,
                },
                () = changed(&mut self.watch) => {
                    self.shelf = None;
                    if !is_untold {
                        is_untold = true;
                        tell.as_mut().reset(Instant::now() + SETTLE);
                    }
                }
                () = &mut tell, if is_untold => {
                    is_untold = false;
                    self.changes.send_modify(|times| *times += 1);
                }
                () = &mut release, if is_kept => {
                    is_kept = false;
                    self.shelf = None;
                    memory::give_back();
                }
            }
        }
    }

    async fn answer(&mut self, want: Want) {
        if self.watch.is_none() {
            // Before anything is read, so that no change falls between the two.
            self.watch = Watch::folders(self.folders.iter(), ENDING)
                .inspect_err(|error| tracing::info!("changes of providers are not seen: {error}"))
                .ok();
        }
        match want {
            Want::All(reply) => {
                let shelf = self.shelf().await;
                let _ = reply.send(shelf);
            }
            Want::One(id, reply) => {
                let found = match &self.shelf {
                    Some(shelf) => shelf.one(&id),
                    None => {
                        let folders = Arc::clone(&self.folders);
                        let found = away(move || folders.find(&id)).await;
                        found.map(|entry| entry.map(Arc::new))
                    }
                };
                let _ = reply.send(found);
            }
        }
    }

    async fn shelf(&mut self) -> Arc<Shelf> {
        if let Some(shelf) = &self.shelf {
            return Arc::clone(shelf);
        }
        let folders = Arc::clone(&self.folders);
        let shelf = Arc::new(away(move || folders.read()).await);
        if shelf.refused != self.refused {
            for refused in &shelf.refused {
                tracing::warn!("a provider is passed over: {refused}");
            }
            self.refused.clone_from(&shelf.refused);
        }
        // What cannot be watched may be old when it is asked for again.
        if self.watch.is_some() {
            self.shelf = Some(Arc::clone(&shelf));
        }
        shelf
    }
}

/// Waits for a change; for ever where nothing is watched. A watch that the system takes away is a
/// change too, the last that is seen.
async fn changed(watch: &mut Option<Watch>) {
    let Some(looking) = watch else { return std::future::pending().await };
    if let Err(error) = looking.changed().await {
        tracing::warn!("changes of providers are not seen any more: {error}");
        *watch = None;
    }
}

/// Reads files where it keeps nobody waiting.
async fn away<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
