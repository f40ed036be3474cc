// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether names can be looked up at all, for whoever looks for the reason why calls do not work.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{Names, system};
use crate::resolver::{LookupError, NoAnswer, Place, Wanted};

/// How the name servers do.
#[derive(Debug)]
pub struct NamesReport {
    /// The name servers in use, each such as `192.0.2.53:53`, or why there are none.
    pub servers: Result<Vec<String>, String>,
    /// Whether they hand on signatures, so that DNSSEC can prove answers, or why they do not say.
    pub signatures: Result<bool, NoAnswer>,
    /// Where a domain leads, if one was asked for.
    pub places: Option<Result<Vec<Place>, LookupError>>,
    /// To the end of all that.
    pub took: Duration,
}

impl Names {
    /// Asks the name servers about the root, and about a domain if one is named. It takes no longer
    /// than [`DEADLINE`](crate::resolver::DEADLINE), or twice that while there is much to look up.
    ///
    /// Nothing that was remembered answers, and nothing of this is remembered.
    pub fn check(
        &self,
        domain: Option<Wanted>,
    ) -> impl Future<Output = NamesReport> + Send + use<> {
        let begun = Instant::now();
        let mut names = Self::new((*self.settings).clone());
        let servers = system::servers(&names.settings);
        async move {
            let places = domain.map(|wanted| names.resolve(wanted));
            let places = async {
                match places {
                    Some(places) => Some(places.await),
                    None => None,
                }
            };
            let (signatures, places) = tokio::join!(names.can_prove(), places);
            NamesReport { servers, signatures, places, took: begun.elapsed() }
        }
    }
}
