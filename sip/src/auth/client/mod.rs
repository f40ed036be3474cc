// SPDX-License-Identifier: GPL-3.0-or-later
//! Digest authentication on the client's side (RFC 3261 §22, RFC 7616, RFC 8760), sans-IO.
//!
//! [`Answers`] keeps what whoever challenged us is to be shown: it takes the challenges of a 401 or
//! 407 ([`Answers::challenged`]), and puts credentials into every request after that
//! ([`Answers::put`]), so that only the first one costs a round trip.
//!
//! What it holds to:
//! - A password that was refused is not tried again in the same request. Only a server that says
//!   `stale` gets it once more, and twice at most: providers lock out whoever insists.
//! - Of several challenges for one realm the strongest algorithm is taken.
//! - Whatever a server sends, what is kept of it is bounded, and what is sent back stays in its
//!   quotes.

mod challenge;
mod response;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use rand_core::RngCore;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::{challenge::Challenge, response::Space};
use crate::wire::{
    Draft, Name, Response,
    name::{self, PROXY_AUTHENTICATE, PROXY_AUTHENTICATION_INFO, WWW_AUTHENTICATE},
};

/// A password. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a password; whoever had it before wipes that copy.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(Zeroizing::new(password.into()))
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What an account shows to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name for authentication, which need not be the one in the address.
    pub user: String,
    /// The password.
    pub secret: Secret,
    /// The only realm that may see an answer; None answers any.
    pub realm: Option<String>,
}

impl Credentials {
    /// Those for any realm.
    #[must_use]
    pub fn new(user: impl Into<String>, secret: Secret) -> Self {
        Self { user: user.into(), secret, realm: None }
    }
}

/// How often one request was challenged. Each request has its own, from its first sending on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// The spaces answered for, by their index.
    answered: u8,
    stale: u8,
    total: u8,
}

/// Why a challenge is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The server saw the answer and wants another: user name or password are wrong.
    #[error("the user name or the password was refused")]
    Refused,
    /// None of the challenges can be answered: another scheme than Digest, or unknown algorithms.
    #[error("the server asks for a kind of authentication that is not known here")]
    NotKnown,
    /// Only realms ask that are not the account's.
    #[error("another realm asks for the password than the account's")]
    OtherRealm,
    /// There is no challenge that can be read.
    #[error("the server refuses without saying what it wants to see")]
    NoChallenge,
    /// One server after the other asks.
    #[error("the challenges do not come to an end")]
    Endless,
}

/// Those who may challenge one request: proxies on the way and the far end.
const MOST_SPACES: usize = 4;
/// How often a nonce may be called stale in one request.
const MOST_STALE: u8 = 2;
/// How often one request is sent again at all.
const MOST_TRIES: u8 = 6;

/// What those who challenged us are shown.
#[derive(Debug, Default)]
pub struct Answers {
    spaces: Vec<Space>,
}

impl Answers {
    /// Takes the challenges of a 401 or 407. After that the request may be sent once more, with the
    /// next CSeq number and what [`Self::put`] puts in.
    ///
    /// # Errors
    /// It must not be sent again.
    pub fn challenged(
        &mut self,
        tries: &mut Tries,
        response: &Response,
        credentials: &Credentials,
        random: &mut impl RngCore,
    ) -> Result<(), Denied> {
        tries.total += 1;
        if tries.total > MOST_TRIES {
            return Err(Denied::Endless);
        }
        let mut best: Vec<(bool, Challenge)> = Vec::new();
        let (mut any, mut elsewhere) = (false, false);
        // A forking proxy puts both into one response (RFC 3261 §16.7 step 7).
        for (field, by_proxy) in [(&*PROXY_AUTHENTICATE, true), (&*WWW_AUTHENTICATE, false)] {
            for value in response.headers().all(field).take(MOST_FIELDS) {
                for found in challenge::read_all(&value) {
                    any = true;
                    let Some(found) = found else { continue };
                    if credentials.realm.as_ref().is_some_and(|r| r.as_bytes() != &*found.realm) {
                        elsewhere = true;
                        continue;
                    }
                    let same = |(proxy, have): &(bool, Challenge)| {
                        *proxy == by_proxy && have.realm == found.realm
                    };
                    match best.iter().position(same) {
                        Some(at) if best[at].1.hash < found.hash => best[at].1 = found,
                        Some(_) => {}
                        None if best.len() < MOST_SPACES => best.push((by_proxy, found)),
                        None => return Err(Denied::Endless),
                    }
                }
            }
        }
        if best.is_empty() {
            return Err(match () {
                () if elsewhere => Denied::OtherRealm,
                () if any => Denied::NotKnown,
                () => Denied::NoChallenge,
            });
        }
        for (by_proxy, challenge) in best {
            self.take(tries, by_proxy, challenge, random)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        tries: &mut Tries,
        by_proxy: bool,
        challenge: Challenge,
        random: &mut impl RngCore,
    ) -> Result<(), Denied> {
        let known = self.spaces.iter().position(|space| space.is_of(by_proxy, &challenge.realm));
        let is_free = |at: &usize| tries.answered & 1 << at == 0;
        let at = match known {
            Some(at) => at,
            None if self.spaces.len() < MOST_SPACES => self.spaces.len(),
            // Whoever asked in an earlier request and not in this one.
            None => (0..MOST_SPACES).find(is_free).ok_or(Denied::Endless)?,
        };
        if !is_free(&at) {
            if !challenge.stale {
                return Err(Denied::Refused);
            }
            tries.stale += 1;
            if tries.stale > MOST_STALE {
                return Err(Denied::Endless);
            }
        }
        tries.answered |= 1 << at;
        let space = Space::new(by_proxy, challenge, random);
        match self.spaces.get_mut(at) {
            Some(have) => *have = space,
            None => self.spaces.push(space),
        }
        Ok(())
    }

    /// Puts credentials for all who have asked so far into a request, in place of those that are in
    /// it.
    pub fn put(&mut self, draft: &mut Draft, credentials: &Credentials) {
        if self.spaces.is_empty() {
            return;
        }
        draft.remove(&name::AUTHORIZATION);
        draft.remove(&name::PROXY_AUTHORIZATION);
        for space in &mut self.spaces {
            if let Some(value) = space.answer(draft, credentials) {
                draft.push(space.field(), value);
            }
        }
    }

    /// Takes the nonce for the next request out of a response (RFC 7615, RFC 7616 §3.5).
    pub fn heed(&mut self, response: &Response) {
        for (field, by_proxy) in
            [(&*PROXY_AUTHENTICATION_INFO, true), (&*name::AUTHENTICATION_INFO, false)]
        {
            let Some(value) = response.headers().value(field) else { continue };
            let Some(nonce) = challenge::next_nonce(&value) else { continue };
            // The field does not say for which realm it is.
            let mut of_kind = self.spaces.iter_mut().filter(|space| space.by_proxy == by_proxy);
            if let (Some(space), None) = (of_kind.next(), of_kind.next()) {
                space.renew(nonce);
            }
        }
    }

    /// Forgets all nonces, as after a change of the password.
    pub fn forget(&mut self) {
        self.spaces.clear();
    }

    /// Whether somebody has asked, so that [`Self::put`] puts something.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spaces.is_empty()
    }
}

/// The credentials in a request of ours, to be repeated in its ACK (RFC 3261 §22.1).
pub(crate) fn in_draft(draft: &Draft) -> Vec<(Name, Bytes)> {
    [&*name::AUTHORIZATION, &*name::PROXY_AUTHORIZATION]
        .into_iter()
        .flat_map(|name| {
            draft.values(name).map(|value| (name.clone(), Bytes::copy_from_slice(value)))
        })
        .collect()
}

/// A response has one field for each who asks and algorithm offered, and not more of those.
const MOST_FIELDS: usize = 16;
