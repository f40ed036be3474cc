// SPDX-License-Identifier: GPL-3.0-or-later
//! Who somebody is, and whether they may come in.

use std::{net::IpAddr, sync::Arc};

use sipwitch_core::{extension::ExtensionNumber, line::LineId};
use sipwitch_sip::{
    auth::{Ha1, Hash, Refusal, Verdict},
    endpoint::Arrival,
    gate,
    wire::{Draft, NameAddr, name},
};

use super::{Switchboard, login::Stage};

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Somebody who may speak for this extension.
    Extension(ExtensionNumber),
    /// A program of the user we run for, which may say what it likes about itself: it could do the
    /// same over the bus.
    OwnProgram,
    /// Whoever calls through this line: its provider answers for him, as far as anybody does.
    Line(LineId),
    /// Somebody of another domain, which its certificate proves.
    Peer(Arc<str>),
    /// Nobody in particular. Only emergency calls get so far.
    Unproven,
}

/// Why somebody does not come in.
#[derive(Debug)]
pub(super) enum Turned {
    /// He is told so: a challenge, or a refusal.
    Away(Box<Draft>),
    /// It is not known yet: the request is kept, and comes again
    /// ([`attend`](Switchboard::attend)).
    Later,
}

impl From<Draft> for Turned {
    fn from(response: Draft) -> Self {
        Self::Away(Box::new(response))
    }
}

impl Switchboard {
    /// Whether one more new request of that source is taken.
    pub(super) fn admits(&mut self, source: IpAddr) -> bool {
        matches!(self.gate.admit(self.now.instant, source), gate::Verdict::Admit)
    }

    /// Refuses what comes too often, without remembering it. Gives whether it may stay.
    pub(super) fn pass_gate(&mut self, arrival: &Arrival) -> bool {
        let source = arrival.flow.remote.ip();
        let verdict = match self.foreign_domain(arrival) {
            Some(_) => self.outside_gate.admit(self.now.instant, source),
            None => self.gate.admit(self.now.instant, source),
        };
        match verdict {
            gate::Verdict::Admit => true,
            gate::Verdict::Refuse { retry_after } => {
                let mut busy = self.endpoint.response_to(&arrival.request, 503, "");
                busy.push(&name::RETRY_AFTER, retry_after.as_secs().max(1).to_string());
                self.endpoint.dismiss(arrival.transaction, Some(&busy));
                false
            }
            gate::Verdict::Drop => {
                self.endpoint.dismiss(arrival.transaction, None);
                false
            }
        }
    }

    /// Who sent the request.
    ///
    /// # Errors
    /// Why not, or not yet.
    pub(super) fn identify(
        &mut self,
        arrival: &Arrival,
        stage: &Stage,
    ) -> Result<Identity, Turned> {
        if let Some(line) = self.lines.of_request(arrival) {
            return Ok(Identity::Line(line));
        }
        if let Some(domain) = self.foreign_domain(arrival) {
            return self.judge_stranger(arrival, domain).map_err(Turned::from);
        }
        let named = arrival.request.from().ok().and_then(|from| self.extension_in(from, arrival));
        if self.is_own_program(arrival) {
            return Ok(named.map_or(Identity::OwnProgram, Identity::Extension));
        }
        let user = self.authenticate(arrival, named.as_ref(), stage)?;
        match user.parse::<ExtensionNumber>() {
            Ok(number) if self.directory.entry(&number).is_some() => {
                Ok(Identity::Extension(number))
            }
            _ => Err(self.turned_away(arrival, 403)),
        }
    }

    pub(super) fn turned_away(&mut self, arrival: &Arrival, status: u16) -> Turned {
        self.endpoint.response_to(&arrival.request, status, "").into()
    }

    /// Whether the request comes from a socket on this machine that belongs to our user.
    pub(super) fn is_own_program(&self, arrival: &Arrival) -> bool {
        self.settings.trust_own_loopback
            && self
                .owners
                .as_ref()
                .and_then(|owners| owners.uid(&arrival.flow))
                .is_some_and(|uid| uid == self.settings.uid)
    }

    /// The user whose password the request proves, which says that it is of an extension.
    ///
    /// # Errors
    /// Why it does not, or not yet.
    pub(super) fn authenticate(
        &mut self,
        arrival: &Arrival,
        named: Option<&ExtensionNumber>,
        stage: &Stage,
    ) -> Result<String, Turned> {
        if let Some(number) = self.authenticates_by_login(arrival, named) {
            return self.authenticate_by_login(arrival, number, stage);
        }
        let now = self.now.unix_seconds();
        let source = arrival.flow.remote.ip();
        let directory = &self.directory;
        let verdict = self.authenticator.check(now, &arrival.request, source, |username, hash| {
            let digests = directory.find(username.user)?.digests.as_ref()?;
            match hash {
                Hash::Md5 => Some(Ha1::md5(digests.md5.expose())),
                Hash::Sha256 => Some(Ha1::sha256(digests.sha256.expose())),
                Hash::Sha512T256 => None,
            }
        });
        match verdict {
            Verdict::Accepted { user } => Ok(user),
            verdict => {
                note_refusal(arrival, &verdict);
                let tag = self.endpoint.stateless_tag(&arrival.request);
                Err(self.authenticator.answer(now, &arrival.request, source, &verdict, &tag).into())
            }
        }
    }

    /// Turns away who was not let in. Who has not tried yet is not remembered for being asked to
    /// (RFC 3261 §26.3.2.4); who has tried must not count twice when the answer is lost.
    pub(super) fn turn_away(&mut self, arrival: &Arrival, response: &Draft) {
        let has_tried = arrival.request.headers().count(&name::AUTHORIZATION) > 0;
        if response.status() == Some(401) && !has_tried {
            self.endpoint.dismiss(arrival.transaction, Some(response));
        } else {
            self.endpoint.respond(self.now.instant, arrival.transaction, response);
        }
    }

    /// The extension that an address of this house names.
    pub(super) fn extension_in(
        &self,
        address: &NameAddr,
        arrival: &Arrival,
    ) -> Option<ExtensionNumber> {
        let uri = address.uri();
        if !self.settings.is_own(&uri.host(), uri.port(), Some(arrival.flow.local)) {
            return None;
        }
        let number: ExtensionNumber = uri.user()?.parse().ok()?;
        self.directory.entry(&number).map(|entry| entry.extension.number.clone())
    }
}

/// Says in the log whose credentials were not taken: who guesses passwords, and who mistyped one.
/// A first request has none, and a stale nonce is nobody's fault.
pub(super) fn note_refusal(arrival: &Arrival, verdict: &Verdict) {
    let source = &arrival.flow;
    match verdict {
        Verdict::Accepted { .. } | Verdict::Asked(_) | Verdict::Challenge { stale: true } => {}
        Verdict::Challenge { stale: false } => {
            if arrival.request.headers().count(&name::AUTHORIZATION) > 0 {
                tracing::info!(%source, "a wrong password, or a user that does not exist");
            }
        }
        Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds }) => {
            tracing::info!(%source, "too many wrong passwords: held off for {retry_after_seconds} s");
        }
        Verdict::Refused(Refusal::Busy) => {
            tracing::info!(%source, "too many phones wait for the digest service");
        }
        Verdict::Refused(Refusal::NoAnswer { .. }) => {
            tracing::info!(%source, "a phone was told to try later: the digest service is silent");
        }
        Verdict::Refused(Refusal::WithoutQop) => {
            tracing::info!(%source, "a digest without qop was refused");
        }
        Verdict::Malformed(fault) => tracing::info!(%source, "unreadable credentials: {fault}"),
    }
}
