// SPDX-License-Identifier: GPL-3.0-or-later
//! Carries out the errands of the switchboard: what takes time waits in tasks of its own, and what
//! concerns sockets is asked of the driver by the loop itself.

use std::net::SocketAddr;

use sipwitch_sip::{
    driver::Driver,
    flow::Transport,
    resolver::{Host, Place, Wanted},
};
use tokio::sync::mpsc;

use crate::switchboard::{
    Inner,
    errand::{Errand, ErrandId, Way},
};

/// More places than this are not tried for one name.
const MAX_PLACES: usize = 32;

/// What a task brought, to be finished by the loop.
#[derive(Debug)]
pub(crate) struct Brought {
    errand: ErrandId,
    places: Result<Vec<Place>, String>,
}

/// The errands under way. The switchboard bounds them: each has somebody who waits for it.
#[derive(Debug)]
pub(crate) struct Errands {
    brought_in: mpsc::UnboundedSender<Brought>,
    brought: mpsc::UnboundedReceiver<Brought>,
}

impl Errands {
    pub(crate) fn new() -> Self {
        let (brought_in, brought) = mpsc::unbounded_channel();
        Self { brought_in, brought }
    }

    /// Begins an errand, or does it at once.
    pub(crate) fn begin(&mut self, driver: &mut Driver, errand: Errand) {
        match errand {
            Errand::Close(connection) => driver.close(connection),
            Errand::FindWays { errand, wanted } => {
                let brought = self.brought_in.clone();
                tokio::spawn(async move {
                    let places = resolve(&wanted).await;
                    // The loop may have ended.
                    let _ = brought.send(Brought { errand, places });
                });
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
        let ways = places.and_then(|places| {
            let mut why = "the name has no address".to_owned();
            let mut ways = Vec::new();
            for place in places.into_iter().take(MAX_PLACES) {
                match driver.flow_to(place.transport, place.address) {
                    Some(flow) => ways.push(Way { place, flow }),
                    None => {
                        why = format!(
                            "the service does not listen on {} for it",
                            place.transport.name()
                        );
                    }
                }
            }
            if ways.is_empty() { Err(why) } else { Ok(ways) }
        });
        Inner::Ways { errand, ways }
    }
}

/// The places of a host by its addresses alone.
async fn resolve(wanted: &Wanted) -> Result<Vec<Place>, String> {
    let transport =
        wanted.transport.unwrap_or(if wanted.secure { Transport::Tls } else { Transport::Udp });
    let port = wanted.port.unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
    let addresses: Vec<SocketAddr> = match &wanted.host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => tokio::net::lookup_host((&**name, port))
            .await
            .map_err(|error| format!("{name}: {error}"))?
            .collect(),
    };
    let name = wanted.name();
    let place = |address| Place { transport, address, name: name.clone() };
    Ok(addresses.into_iter().map(place).collect())
}
