// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks name servers what a [`Lookup`] wants to know.
//!
//! [`Names`] belongs to whoever gives out lookups; a lookup itself is a future of its own that
//! borrows nothing, to be spawned beside whatever must not wait. Nothing is built, and no file is
//! read, before the first question: a service without accounts has no resolver in its memory.
//!
//! Names are always whole: no search domain is ever added, or `sip.example.org` could become
//! `sip.example.org.attacker.example` (RFC 3263 knows none either).

mod answer;
mod check;
mod hosts;
mod number;
mod system;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep_until, timeout, timeout_at},
};

pub use check::NamesReport;
pub use number::NumberError;

use self::system::{Built, System};
use crate::resolver::{DEADLINE, Lookup, LookupError, Place, Step, Wanted};

/// Where and how names are looked up.
#[derive(Debug, Clone)]
pub struct NamesSettings {
    /// The name servers. None are those of the system, read anew whenever its file changes.
    pub servers: Vec<SocketAddr>,
    /// The hosts file.
    pub hosts_file: PathBuf,
    /// The DNSSEC keys that are trusted, a file of DNSKEY records. None are those of the root,
    /// which are built in.
    pub trust_anchors: Option<PathBuf>,
    /// Lookups at once. Those beyond wait, as long as a lookup may take.
    pub lookups: usize,
    /// Answers that are remembered, until they expire.
    pub remembered: u64,
    /// How long a name server may take for one answer, in two tries.
    pub answer: Duration,
}

impl Default for NamesSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hosts_file: "/etc/hosts".into(),
            trust_anchors: None,
            lookups: 256,
            remembered: 1024,
            answer: Duration::from_secs(2),
        }
    }
}

/// What is asked, and whom.
pub struct Names {
    settings: Arc<NamesSettings>,
    /// Built when first needed, and again after a change of the network.
    built: Option<Built>,
    slots: Arc<Semaphore>,
    chance: RandomState,
    lookups: u64,
}

impl Names {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(settings: NamesSettings) -> Self {
        let slots = Arc::new(Semaphore::new(settings.lookups));
        let settings = Arc::new(settings);
        Self { settings, built: None, slots, chance: RandomState::new(), lookups: 0 }
    }

    /// Forgets name servers and answers: after a change of the network both may be others. Lookups
    /// under way go on as they began.
    pub fn refresh(&mut self) {
        self.built = None;
    }

    /// Finds the places of what is wanted, in the order to be tried, at least one. It takes no
    /// longer than [`DEADLINE`], or twice that while there are too many, and waits for nobody but
    /// the name servers of that domain.
    ///
    /// # Errors
    /// There is no place, with what was asked and what came.
    pub fn resolve(
        &mut self,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Vec<Place>, LookupError>> + Send + use<> {
        self.lookups += 1;
        let seed = self.chance.hash_one(self.lookups);
        // A numeric address is found already, and needs nothing built.
        let found = match Lookup::new(wanted.clone(), Instant::now(), seed).poll() {
            Some(Step::Done(outcome)) => Ok(outcome),
            Some(Step::Ask(_)) | None => Err(self.system()),
        };
        let slots = Arc::clone(&self.slots);
        async move {
            let system = match found {
                Ok(outcome) => return outcome,
                Err(system) => system,
            };
            let Ok(Ok(_slot)) = timeout(DEADLINE, slots.acquire()).await else {
                return Err(LookupError::Busy(wanted.to_string()));
            };
            // Its time begins now: waiting for its turn is not its own fault.
            carry_out(Lookup::new(wanted, Instant::now(), seed), &system).await
        }
    }

    /// What questions go to, as the system is now.
    fn system(&mut self) -> System {
        let settings = &self.settings;
        let built = match self.built.take().filter(Built::is_current) {
            Some(built) => built,
            None => Built::new(settings),
        };
        self.built.insert(built).system.clone()
    }
}

async fn carry_out(mut lookup: Lookup, system: &System) -> Result<Vec<Place>, LookupError> {
    let mut asked = JoinSet::new();
    loop {
        while let Some(step) = lookup.poll() {
            match step {
                Step::Done(outcome) => return outcome,
                Step::Ask(question) => {
                    let system = system.clone();
                    asked.spawn(async move {
                        let answer = system.ask(&question).await;
                        (question, answer)
                    });
                }
            }
        }
        let deadline = lookup.next_deadline().unwrap_or_else(Instant::now);
        match timeout_at(deadline.into(), asked.join_next()).await {
            Ok(Some(Ok((question, answer)))) => {
                lookup.handle_answer(Instant::now(), &question, answer);
            }
            // It died; the lookup ends without it.
            Ok(Some(Err(_))) => {}
            Ok(None) => sleep_until(deadline.into()).await,
            Err(_) => {}
        }
        lookup.handle_deadline(Instant::now());
    }
}
