// SPDX-License-Identifier: GPL-3.0-or-later
//! Carries out the errands of the switchboard: what takes time waits in tasks of its own, and what
//! concerns sockets is asked of the driver by the loop itself.

use sipwitch_sip::{
    driver::{Driver, Names, NamesSettings},
    resolver::{LookupError, Place},
};
use tokio::sync::mpsc;

use crate::switchboard::{
    Inner,
    errand::{Errand, ErrandId, Way, Ways},
};

/// What a task brought, to be finished by the loop.
#[derive(Debug)]
pub(crate) struct Brought {
    errand: ErrandId,
    places: Result<Vec<Place>, LookupError>,
}

/// The errands under way. The switchboard bounds them: each has somebody who waits for it.
pub(crate) struct Errands {
    names: Names,
    brought_in: mpsc::UnboundedSender<Brought>,
    brought: mpsc::UnboundedReceiver<Brought>,
}

impl Errands {
    pub(crate) fn new(names: NamesSettings) -> Self {
        let (brought_in, brought) = mpsc::unbounded_channel();
        Self { names: Names::new(names), brought_in, brought }
    }

    /// Looks names up anew from now on: the network or the settings changed.
    pub(crate) fn refresh(&mut self, names: NamesSettings) {
        self.names = Names::new(names);
    }

    /// Begins an errand, or does it at once.
    pub(crate) fn begin(&mut self, driver: &mut Driver, errand: Errand) {
        match errand {
            Errand::Close(connection) => driver.close(connection),
            // The loop keeps secrets itself.
            Errand::FetchSecret { .. } => {}
            Errand::FindWays { errand, wanted } => {
                let brought = self.brought_in.clone();
                let places = self.names.resolve(wanted);
                tokio::spawn(async move {
                    let places = places.await;
                    // The loop may have ended.
                    let _ = brought.send(Brought { errand, places });
                });
            }
            Errand::Reach { errand, places } => {
                // The ways come back like all others, so that the switchboard is not called from
                // within what it is asked.
                let _ = self.brought_in.send(Brought { errand, places: Ok(places) });
            }
        }
    }

    /// Waits until a task brings something. May be given up at any time.
    pub(crate) async fn brought(&mut self) -> Brought {
        match self.brought.recv().await {
            Some(brought) => brought,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Finishes what was brought, for the switchboard.
    pub(crate) fn finish(&self, driver: &mut Driver, brought: Brought) -> Inner {
        let Brought { errand, places } = brought;
        let ways = match places {
            Err(error) => Err(error.to_string()),
            Ok(places) => ways(driver, &places),
        };
        Inner::Ways { errand, ways }
    }
}

/// Our ways to places. Those that we have no way to are left out, and are the reason if none is
/// left.
fn ways(driver: &mut Driver, places: &[Place]) -> Ways {
    let mut found = Vec::new();
    let mut none = None;
    for place in places {
        match driver.way_to(place) {
            Ok(flow) => found.push(Way { place: place.clone(), flow }),
            Err(why) => none = none.or(Some(why)),
        }
    }
    match none {
        Some(why) if found.is_empty() => Err(why.to_string()),
        _ => Ok(found),
    }
}
