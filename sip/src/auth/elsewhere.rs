// SPDX-License-Identifier: GPL-3.0-or-later
//! Passwords whose digests somebody else keeps: he is asked whether a response is right, and the
//! verdict comes later. Sans-IO like the rest.
//!
//! [`Authenticator::check_elsewhere`] gives [`Verdict::Asked`] for credentials that may be right;
//! [`Authenticator::poll_inquiry`] then gives what is to be asked, and
//! [`Authenticator::answered_elsewhere`] makes a verdict of the answer. Whoever calls keeps the
//! request meanwhile, under the id of the inquiry.
//!
//! What it holds to, besides all that its parent holds to:
//! - Nonces, their counts and the patience stay here: the keeper sees only what those let through.
//! - An inquiry ends: by its answer, or by its deadline. An answer that comes later is none.
//! - A count of a nonce is used up when the password was right, not when it is asked about: of two
//!   inquiries with the same credentials one is a replay.
//! - Inquiries are few, in all and for each source and name: a flood makes no more work for the
//!   keeper than that, and guesses made at once do not get round the patience for long.
//! - Whether the keeper knows the name at all is his secret: every name is asked about.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{
    Algorithm, Authenticator, Credentials, Offer, Refusal, Shown, Verdict, challenging, malformed,
    nonce::Nonce, with_credentials,
};
use crate::wire::{Draft, Request};

/// How long the keeper may take: less than phones wait (RFC 3261 §17.1.2.2).
pub const PATIENCE: Duration = Duration::from_secs(4);
/// Inquiries at once, in all.
pub const MOST: usize = 64;
/// Inquiries at once about one name from one source: a phone asks for a call and for its
/// registration at the same time, and rarely for more.
pub const MOST_OF_PAIR: usize = 6;
/// Inquiries at once from one source, whatever the names. Loopback is exempt, as for failures.
pub const MOST_OF_SOURCE: usize = 16;
/// When a phone may try again that got no answer.
const AFTER_SILENCE_SECONDS: u64 = 5;
/// The longest value that is handed on. Nobody's name, nonce or address is longer.
const LONGEST: usize = 1024;

/// A realm whose digests somebody else keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The realm, which must not be our own.
    pub realm: String,
    /// The algorithms under which there are digests, the most wanted first. No other is offered or
    /// accepted.
    pub algorithms: Vec<Algorithm>,
}

impl Elsewhere {
    fn offer(&self) -> Offer<'_> {
        Offer { realm: &self.realm, algorithms: &self.algorithms }
    }
}

/// Names an inquiry. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InquiryId(pub u64);

/// What the keeper is asked: whether this response is right, with every value as the client wrote
/// it (RFC 7616 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Which inquiry.
    pub id: InquiryId,
    /// `username`.
    pub username: String,
    /// `realm`.
    pub realm: String,
    /// `nonce`.
    pub nonce: String,
    /// The method of the request.
    pub method: String,
    /// `uri`.
    pub uri: String,
    /// `algorithm`, as it is registered.
    pub algorithm: &'static str,
    /// `response`, in hexadecimal.
    pub response: String,
    /// What makes the response differ each time; none for a client that writes as RFC 2069 has it.
    pub counted: Option<Counted>,
}

/// What a client adds where it heeds `qop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// `qop`.
    pub qop: String,
    /// `nc`, eight digits.
    pub nc: String,
    /// `cnonce`.
    pub cnonce: String,
}

/// What the keeper says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is the right password.
    Right,
    /// It is not, or he knows nobody of that name.
    Wrong,
    /// He was asked about wrong ones too often. That is nobody's fault in particular.
    HeldOff {
        /// When he may be asked again.
        seconds: u64,
    },
    /// He cannot be asked.
    Silent,
}

/// Inquiries under way.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    last: u64,
    told: VecDeque<Inquiry>,
    waiting: HashMap<InquiryId, Waiting>,
}

/// What the answer is held against.
#[derive(Debug)]
struct Waiting {
    give_up: Instant,
    source: IpAddr,
    user_digest: u64,
    user: String,
    nonce: Nonce,
    count: u32,
}

impl Inquiries {
    fn has_room(&self, source: IpAddr, user_digest: u64) -> bool {
        let of_source = || self.waiting.values().filter(|other| is_same(other.source, source));
        let of_pair = of_source().filter(|other| other.user_digest == user_digest).count();
        self.waiting.len() < MOST
            && of_pair < MOST_OF_PAIR
            && (source.to_canonical().is_loopback() || of_source().count() < MOST_OF_SOURCE)
    }
}

/// Sources are the same as they are for failures.
fn is_same(one: IpAddr, other: IpAddr) -> bool {
    super::backoff::net(one) == super::backoff::net(other)
}

impl Authenticator {
    /// Judges the credentials of a request for a realm that somebody else keeps. Gives
    /// [`Verdict::Asked`] where he has to be asked.
    pub fn check_elsewhere(
        &mut self,
        now: u64,
        instant: Instant,
        request: &Request,
        source: IpAddr,
        elsewhere: &Elsewhere,
    ) -> Verdict {
        with_credentials(request, &elsewhere.realm, |found| {
            match self.inquire(now, instant, request, source, found, elsewhere) {
                Ok(id) => Verdict::Asked(id),
                Err(verdict) => verdict,
            }
        })
    }

    fn inquire(
        &mut self,
        now: u64,
        instant: Instant,
        request: &Request,
        source: IpAddr,
        found: &Credentials<'_>,
        elsewhere: &Elsewhere,
    ) -> Result<InquiryId, Verdict> {
        let shown = self.shown(now, request, source, found, &elsewhere.offer())?;
        let Shown { algorithm, count, username, nonce, disguise, .. } = shown;
        let user_digest = disguise.user_digest();
        if let Some(wait) = self.backoff.wait(now, source, user_digest) {
            let refusal = Refusal::TooManyFailures { retry_after_seconds: wait };
            return Err(Verdict::Refused(refusal));
        }
        let inquiry = Inquiry {
            id: InquiryId(self.inquiries.last + 1),
            username: username.to_owned(),
            realm: elsewhere.realm.clone(),
            nonce: text("nonce", &found.nonce)?,
            method: request.method().to_string(),
            uri: text("uri", &found.uri)?,
            algorithm: algorithm.name(),
            response: text("response", &found.response)?,
            counted: match (&found.qop, &found.nc, &found.cnonce) {
                (Some(qop), Some(nc), Some(cnonce)) => Some(Counted {
                    qop: text("qop", qop)?,
                    nc: text("nc", nc)?,
                    cnonce: text("cnonce", cnonce)?,
                }),
                _ => None,
            },
        };
        if username.len() > LONGEST || inquiry.method.len() > LONGEST {
            return Err(malformed("the username in Authorization or the method is too long"));
        }
        if !self.inquiries.has_room(source, user_digest) {
            return Err(Verdict::Refused(Refusal::Busy));
        }
        let waiting = Waiting {
            give_up: instant + PATIENCE,
            source,
            user_digest,
            user: username.to_owned(),
            nonce,
            count,
        };
        let id = inquiry.id;
        self.inquiries.last = id.0;
        self.inquiries.told.push_back(inquiry);
        self.inquiries.waiting.insert(id, waiting);
        Ok(id)
    }

    /// The next thing to ask the keeper. To be called until there is none, after every check.
    pub fn poll_inquiry(&mut self) -> Option<Inquiry> {
        self.inquiries.told.pop_front()
    }

    /// The keeper answered; gives what that means. None for an inquiry that is over.
    pub fn answered_elsewhere(
        &mut self,
        now: u64,
        id: InquiryId,
        answer: Answer,
    ) -> Option<Verdict> {
        let waiting = self.inquiries.waiting.remove(&id)?;
        let Waiting { source, user_digest, user, nonce, count, .. } = waiting;
        Some(match answer {
            Answer::Right => self.admit(now, source, nonce, count, user_digest, &user),
            Answer::Wrong => {
                self.backoff.failed(now, source, user_digest);
                Verdict::Challenge { stale: false }
            }
            Answer::HeldOff { seconds } => {
                Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds: seconds.max(1) })
            }
            Answer::Silent => silence(),
        })
    }

    /// Gives up on inquiries whose time is over, with the verdict for each. Harmless when called too
    /// early.
    pub fn elsewhere_overdue(&mut self, instant: Instant) -> Vec<(InquiryId, Verdict)> {
        let inquiries = &mut self.inquiries;
        let over: Vec<InquiryId> = inquiries
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.give_up <= instant)
            .map(|(id, _)| *id)
            .collect();
        for id in &over {
            inquiries.waiting.remove(id);
        }
        inquiries.told.retain(|inquiry| !over.contains(&inquiry.id));
        over.into_iter().map(|id| (id, silence())).collect()
    }

    /// When [`Self::elsewhere_overdue`] wants to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.inquiries.waiting.values().map(|waiting| waiting.give_up).min()
    }

    /// The response to a request whose verdict was neither [`Verdict::Accepted`] nor
    /// [`Verdict::Asked`], as [`Self::answer`] gives it for our own realm.
    pub fn answer_elsewhere(
        &mut self,
        now: u64,
        request: &Request,
        source: IpAddr,
        elsewhere: &Elsewhere,
        verdict: &Verdict,
        to_tag: &str,
    ) -> Draft {
        let Verdict::Challenge { stale } = verdict else {
            return self.answer(now, request, source, verdict, to_tag);
        };
        let challenges = elsewhere.offer().challenges(
            &mut self.nonces,
            &self.opaque,
            now,
            request,
            source,
            *stale,
        );
        challenging(request, to_tag, challenges)
    }
}

const fn silence() -> Verdict {
    Verdict::Refused(Refusal::NoAnswer { retry_after_seconds: AFTER_SILENCE_SECONDS })
}

/// A value to be handed on.
fn text(name: &str, value: &[u8]) -> Result<String, Verdict> {
    match std::str::from_utf8(value) {
        Ok(text) if text.len() <= LONGEST => Ok(text.to_owned()),
        Ok(_) => Err(malformed(&format!("the {name} in Authorization is too long"))),
        Err(_) => Err(malformed(&format!("the {name} in Authorization is no UTF-8"))),
    }
}
