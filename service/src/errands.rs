// SPDX-License-Identifier: GPL-3.0-or-later
//! Carries out the errands of the switchboard: what takes time waits in tasks of its own, and what
//! concerns sockets is asked of the driver by the loop itself.

use sipwitch_sip::{
    driver::{Driver, Names, NamesReport, NamesSettings, names::NumberError},
    resolver::{Host, LookupError, Place, Wanted},
    wire::Uri,
};
use tokio::sync::mpsc;

use crate::{
    digest_service::DigestService,
    switchboard::{
        Inner,
        ask::{NamesChecked, Refusal, Reply},
        errand::{Errand, ErrandId, Way, Ways},
    },
};

/// What a task brought, to be finished by the loop.
#[derive(Debug)]
pub(crate) enum Brought {
    /// Places, to which ways are to be found.
    Places(ErrandId, Result<Vec<Place>, LookupError>),
    /// The addresses that were published for a number.
    Published(ErrandId, Result<Vec<Uri>, NumberError>),
}

/// The errands under way. The switchboard bounds them: each has somebody who waits for it.
pub(crate) struct Errands {
    names: Names,
    digests: DigestService,
    brought_in: mpsc::UnboundedSender<Brought>,
    brought: mpsc::UnboundedReceiver<Brought>,
}

impl Errands {
    /// What needs nothing of the loop goes straight to `inner`.
    pub(crate) fn new(names: NamesSettings, inner: mpsc::UnboundedSender<Inner>) -> Self {
        let (brought_in, brought) = mpsc::unbounded_channel();
        let digests = DigestService::new(inner);
        Self { names: Names::new(names), digests, brought_in, brought }
    }

    /// Looks names up anew from now on: the network or the settings changed.
    pub(crate) fn refresh(&mut self, names: NamesSettings) {
        self.names = Names::new(names);
    }

    /// Begins an errand, or does it at once.
    pub(crate) fn begin(&mut self, driver: &mut Driver, errand: Errand) {
        match errand {
            Errand::Close(connection) => driver.close(connection),
            Errand::JudgeLogin(inquiry) => self.digests.judge(*inquiry),
            Errand::LookAtLogin => self.digests.look(),
            // The loop keeps secrets itself.
            Errand::FetchSecret { .. } => {}
            Errand::FindWays { errand, wanted } => {
                let brought = self.brought_in.clone();
                let places = self.names.resolve(wanted);
                tokio::spawn(async move {
                    let places = places.await;
                    // The loop may have ended.
                    let _ = brought.send(Brought::Places(errand, places));
                });
            }
            Errand::FindPublished { errand, number, root } => {
                let brought = self.brought_in.clone();
                let addresses = self.names.addresses_of_number(number.as_str(), &root);
                tokio::spawn(async move {
                    let addresses = addresses.await;
                    let _ = brought.send(Brought::Published(errand, addresses));
                });
            }
            Errand::Reach { errand, places } => {
                // The ways come back like all others, so that the switchboard is not called from
                // within what it is asked.
                let _ = self.brought_in.send(Brought::Places(errand, Ok(places)));
            }
        }
    }

    /// Says how names are looked up.
    pub(crate) fn check_names(&self, domain: &str, reply: Reply<NamesChecked>) {
        let wanted = match domain {
            "" => None,
            domain => match domain.parse::<Host>() {
                Ok(host) => Some(Wanted::new(host)),
                Err(why) => {
                    // The asker may have gone, here and below.
                    let _ = reply.send(Err(Refusal::BadValue(why.to_string())));
                    return;
                }
            },
        };
        let checking = self.names.check(wanted);
        tokio::spawn(async move {
            let _ = reply.send(Ok(checked(checking.await)));
        });
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
        match brought {
            Brought::Places(errand, places) => {
                let ways = match places {
                    Err(error) => Err(error.to_string()),
                    Ok(places) => ways(driver, &places),
                };
                Inner::Ways { errand, ways }
            }
            Brought::Published(errand, addresses) => {
                let addresses = addresses.map_err(|error| error.to_string());
                Inner::Published { errand, addresses }
            }
        }
    }
}

fn checked(report: NamesReport) -> NamesChecked {
    let NamesReport { servers, signatures, places, took } = report;
    let (places, not_found) = match places {
        Some(Ok(places)) => (places.iter().map(ToString::to_string).collect(), None),
        Some(Err(error)) => (Vec::new(), Some(error.to_string())),
        None => (Vec::new(), None),
    };
    let silence = signatures.as_ref().err();
    let silence = silence.map(|why| format!("the name servers do not answer: {why}"));
    let failure = servers.as_ref().err().cloned().or(silence).or(not_found);
    NamesChecked {
        servers: servers.unwrap_or_default(),
        signatures: signatures.ok(),
        places,
        failure: failure.unwrap_or_default(),
        milliseconds: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
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
