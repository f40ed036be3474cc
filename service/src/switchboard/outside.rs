// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers from other domains: let in with proof, or held back.
//!
//! Where the user opens the house (`accept-calls`), other domains call over TLS. One whose
//! certificate proves the domain that the From names reaches the extensions, and nothing else: no
//! line, no emergency service, no other house. Whoever proves nothing is told 480, alike for
//! extensions that exist and for those that do not, and the user hears of it on the bus.

use std::sync::Arc;

use sipwitch_core::extension::ExtensionNumber;
use sipwitch_sip::{
    endpoint::Arrival,
    flow::{Flow, Transport},
    peer::PeerIdentity,
    wire::Draft,
};

use super::{
    Now, Switchboard,
    door::Identity,
    notice::{HeldBack, Notice, PeerView},
};

/// The longest name that is shown of a stranger.
const MAX_SHOWN: usize = 255;

impl Switchboard {
    /// TLS is agreed on a connection, and this is who the far end is.
    pub fn secured(&mut self, now: Now, flow: &Flow, identity: PeerIdentity) {
        self.now = now;
        if let Some(connection) = flow.connection {
            self.peers.insert(connection, identity);
        }
    }

    /// The domain of somebody who does not say that he is of this house: only where other domains
    /// may call at all, and over TLS. Who says that he is of this house must show a password.
    pub(super) fn foreign_domain(&self, arrival: &Arrival) -> Option<String> {
        let flow = &arrival.flow;
        if !self.settings.accept_calls || flow.transport != Transport::Tls {
            return None;
        }
        // A phone of ours that is configured with some other domain is still a phone of ours.
        if flow.connection.is_some_and(|connection| self.registrar.is_reached_by(connection)) {
            return None;
        }
        let from = arrival.request.from().ok()?.uri();
        let host = from.host();
        let is_ours = !from.is_sip()
            || host.is_empty()
            || self.settings.is_own(&host, None, Some(flow.local));
        (!is_ours).then(|| host.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect())
    }

    /// Whether somebody of that domain may come in.
    ///
    /// # Errors
    /// The answer to give instead.
    pub(super) fn judge_stranger(
        &mut self,
        arrival: &Arrival,
        domain: String,
    ) -> Result<Identity, Draft> {
        let uri = arrival.request.uri();
        let wanted = uri
            .user()
            .filter(|_| self.settings.is_own(&uri.host(), uri.port(), Some(arrival.flow.local)))
            .and_then(|user| user.parse::<ExtensionNumber>().ok())
            .filter(|number| self.directory.entry(number).is_some());
        let identity = arrival.flow.connection.and_then(|id| self.peers.get(&id));
        let why = match identity {
            Some(identity) if identity.proves(&domain) => match wanted {
                Some(_) => return Ok(Identity::Peer(domain.into())),
                // As for somebody who is not in.
                None => return Err(self.endpoint.response_to(&arrival.request, 480, "")),
            },
            // What is wrong with it is said of its own names, which may be others than the From's.
            Some(claimed @ PeerIdentity::Claimed { why, .. }) => match claimed.claims(&domain) {
                true => why.clone(),
                false => format!("{why}; and it is not for {domain}"),
            },
            Some(PeerIdentity::Proven { domains, .. }) => {
                format!("its certificate is for {} and not for {domain}", names_of(domains))
            }
            Some(PeerIdentity::Nobody) | None => "it showed no certificate".to_owned(),
        };
        // Whom the user does not want to hear is not announced either.
        if self.is_blocked(&self.caller_from(&arrival.request)) {
            return Err(self.endpoint.response_to(&arrival.request, 480, ""));
        }
        tracing::info!(%domain, source = %arrival.flow, "a caller is held back: {why}");
        let user = arrival.request.from().ok().and_then(|from| from.uri().user());
        self.tell(|| {
            Notice::HeldBack(HeldBack {
                caller: match user {
                    Some(user) => format!("{}@{domain}", user.escape_debug()),
                    None => domain.clone(),
                },
                domain,
                extension: wanted.map(|number| number.to_string()).unwrap_or_default(),
                words: why,
            })
        });
        Err(self.endpoint.response_to(&arrival.request, 480, ""))
    }
}

/// The domains of a certificate, for people: those are proven, whatever a caller says.
fn names_of(domains: &[Arc<str>]) -> String {
    match domains {
        [] => "nobody".to_owned(),
        [one] => one.to_string(),
        [one, two] => format!("{one} and {two}"),
        [one, two, others @ ..] => format!("{one}, {two} and {} more", others.len()),
    }
}

impl PeerView {
    pub(super) const fn new(domain: Arc<str>, is_proven: bool) -> Self {
        Self { domain, proof: if is_proven { "certificate" } else { "" } }
    }
}
