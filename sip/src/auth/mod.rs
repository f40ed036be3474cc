// SPDX-License-Identifier: GPL-3.0-or-later
//! Digest authentication on the server's side (RFC 3261 §22, RFC 7616, RFC 8760), sans-IO; the
//! client's side is [`client`].
//!
//! [`Authenticator::check`] judges the credentials of a request; [`Authenticator::answer`] makes
//! the response to whatever was not accepted. Time is the wall clock's, in seconds since 1970. Where
//! somebody else keeps the digests, [`Authenticator::check_elsewhere`] has him asked
//! ([`elsewhere`]).
//!
//! What it holds to:
//! - No credentials are accepted twice (nonce counts, RFC 7616 §3.4.5).
//! - A user who does not exist is treated like one whose password was wrong: the same work, the same
//!   answer, the same patience.
//! - A correct password is never refused because of somebody else's wrong ones, unless both come
//!   from one address under one name.
//! - Nothing is remembered for those who only ask; what is remembered for others is bounded.

mod backoff;
pub mod client;
mod credentials;
mod defects;
pub mod elsewhere;
mod ha1;
mod nonce;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use self::{
    backoff::Backoff,
    elsewhere::{Inquiries, InquiryId},
    ha1::{Output, read_hex},
    nonce::{Nonce, Nonces},
};
pub use self::{
    backoff::Patience,
    credentials::Credentials,
    ha1::{Ha1, Ha1Pair, Hash},
};
use crate::wire::{Draft, Malformed, Request, Uri, name};

/// A digest algorithm (RFC 7616 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`.
    Md5,
    /// `MD5-sess`.
    Md5Session,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Session,
    /// `SHA-512-256`.
    Sha512T256,
    /// `SHA-512-256-sess`.
    Sha512T256Session,
}

impl Algorithm {
    /// The name on the wire and in configuration files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Session => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Session => "SHA-256-sess",
            Self::Sha512T256 => "SHA-512-256",
            Self::Sha512T256Session => "SHA-512-256-sess",
        }
    }

    /// The algorithm of that name, in either case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Algorithm; 6] = [
            Algorithm::Md5,
            Algorithm::Md5Session,
            Algorithm::Sha256,
            Algorithm::Sha256Session,
            Algorithm::Sha512T256,
            Algorithm::Sha512T256Session,
        ];
        ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The hash under it.
    #[must_use]
    pub const fn hash(self) -> Hash {
        match self {
            Self::Md5 | Self::Md5Session => Hash::Md5,
            Self::Sha256 | Self::Sha256Session => Hash::Sha256,
            Self::Sha512T256 | Self::Sha512T256Session => Hash::Sha512T256,
        }
    }

    const fn is_session(self) -> bool {
        matches!(self, Self::Md5Session | Self::Sha256Session | Self::Sha512T256Session)
    }
}

/// How the server authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The realm. Stored digests are bound to it.
    pub realm: String,
    /// The algorithms offered, the most wanted first (RFC 8760 §2.4). No other is accepted. Without
    /// MD5 among them, old clients cannot authenticate at all. One for which there are no digests
    /// lets nobody in who takes it.
    pub algorithms: Vec<Algorithm>,
    /// Seconds a nonce can be used.
    pub nonce_seconds: u64,
    /// Used nonces whose counts are remembered; beyond, the oldest become stale before their time.
    pub nonces_remembered: usize,
    /// Whether credentials without `qop` are accepted, as RFC 2069 has them. Off, because RFC 7616
    /// §3.4 demands `qop` of whoever was offered it, and without a count each nonce serves only
    /// once, so that every request costs two.
    pub accept_without_qop: bool,
    /// How many wrong passwords are taken, and what follows.
    pub patience: Patience,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            realm: "sipwitch".to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            nonce_seconds: 300,
            nonces_remembered: 65_536,
            accept_without_qop: false,
            patience: Patience::default(),
        }
    }
}

/// The user name of credentials, as a phone may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Username<'a> {
    /// The part before the `@`, or all of it.
    pub user: &'a str,
    /// The part after it. The digest then was made over `user@domain`, so only a [`Ha1Pair::of`]
    /// that very spelling verifies it.
    pub domain: Option<&'a str>,
}

impl<'a> Username<'a> {
    fn of(text: &'a str) -> Self {
        match text.rsplit_once('@') {
            Some((user, domain)) => Self { user, domain: Some(domain) },
            None => Self { user: text, domain: None },
        }
    }
}

/// What [`Authenticator::check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request comes from somebody who knows this user's password.
    Accepted {
        /// The user, without domain.
        user: String,
    },
    /// Who keeps the digests is being asked: the verdict comes later
    /// ([`Authenticator::answered_elsewhere`]).
    Asked(InquiryId),
    /// There are no credentials for us, or they are not right: ask for some.
    Challenge {
        /// Whether only the nonce was at fault, so that the client need not ask its user.
        stale: bool,
    },
    /// Not now, or not so, whatever the password is.
    Refused(Refusal),
    /// The credentials cannot be read.
    Malformed(Malformed),
}

/// Why credentials were refused unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many others wait for who keeps the digests.
    Busy,
    /// Who keeps the digests does not answer.
    NoAnswer {
        /// When it may try again.
        retry_after_seconds: u64,
    },
    /// Too many wrong passwords came from there.
    TooManyFailures {
        /// When it may try again.
        retry_after_seconds: u64,
    },
    /// They lack `qop` ([`Rules::accept_without_qop`]).
    WithoutQop,
}

/// The judge of credentials.
pub struct Authenticator {
    rules: Rules,
    mac: Hmac<Sha256>,
    nonces: Nonces,
    backoff: Backoff,
    inquiries: Inquiries,
    opaque: String,
}

impl Authenticator {
    /// One with a secret key of this installation, and a random number of this run of the program
    /// that makes nonces of an earlier run stale.
    #[must_use]
    pub fn new(rules: Rules, key: &[u8; 32], run: u64) -> Self {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key)
            .expect("HMAC takes keys of any length (RFC 2104 §2)");
        let mut opaque = [0; 16];
        ha1::write_hex(&purpose(&mac, b"opaque", rules.realm.as_bytes())[..8], &mut opaque);
        Self {
            nonces: Nonces::new(mac.clone(), run, rules.nonce_seconds, rules.nonces_remembered),
            backoff: Backoff::new(rules.patience),
            inquiries: Inquiries::default(),
            opaque: String::from_utf8_lossy(&opaque).into_owned(),
            mac,
            rules,
        }
    }

    /// Takes other rules. The realm stays: stored digests are bound to it. Nonces stay good for the
    /// new lifetime, and no count that was used is forgotten.
    pub fn set_rules(&mut self, rules: Rules) {
        self.nonces.set_bounds(rules.nonce_seconds, rules.nonces_remembered);
        self.backoff.set_patience(rules.patience);
        let realm = std::mem::take(&mut self.rules.realm);
        self.rules = Rules { realm, ..rules };
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.rules.realm
    }

    /// Judges the credentials of a request that came from an address. `lookup` gives the digest of a
    /// user's password under a hash; it should take as long for a user who does not exist.
    pub fn check(
        &mut self,
        now: u64,
        request: &Request,
        source: IpAddr,
        lookup: impl FnOnce(Username<'_>, Hash) -> Option<Ha1>,
    ) -> Verdict {
        with_credentials(request, &self.rules.realm.clone(), |found| {
            self.judge(now, request, source, found, lookup)
        })
    }

    fn judge(
        &mut self,
        now: u64,
        request: &Request,
        source: IpAddr,
        found: &Credentials<'_>,
        lookup: impl FnOnce(Username<'_>, Hash) -> Option<Ha1>,
    ) -> Verdict {
        let offer = Offer { realm: &self.rules.realm, algorithms: &self.rules.algorithms };
        let shown = match self.shown(now, request, source, found, &offer) {
            Ok(shown) => shown,
            Err(verdict) => return verdict,
        };
        let Shown { algorithm, count, username, nonce, ref proof, ref disguise } = shown;
        let user_digest = disguise.user_digest();
        if let Some(wait) = self.backoff.wait(now, source, user_digest) {
            return Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds: wait });
        }

        let hash = algorithm.hash();
        let username = Username::of(username);
        let known = lookup(username, hash).filter(|ha1| ha1.hash() == hash);
        let is_known = known.is_some();
        let ha1 = known.unwrap_or_else(|| fake(hash, &disguise.0));
        let expected = expected_response(algorithm, &ha1, found, request.method().as_bytes());
        let is_right = expected.as_bytes().ct_eq(&proof[..hash.length()]);
        if !(bool::from(is_right) && is_known) {
            self.backoff.failed(now, source, user_digest);
            return Verdict::Challenge { stale: false };
        }
        self.admit(now, source, nonce, count, user_digest, username.user)
    }

    /// What credentials show, as far as it can be said without the password.
    ///
    /// # Errors
    /// The verdict, where they show too little or too much.
    fn shown<'a>(
        &self,
        now: u64,
        request: &Request,
        source: IpAddr,
        found: &'a Credentials<'_>,
        offer: &Offer<'_>,
    ) -> Result<Shown<'a>, Verdict> {
        let Some(algorithm) = algorithm_of(found, offer.algorithms) else {
            return Err(Verdict::Challenge { stale: false });
        };
        let count = self.count_of(found)?;
        let mut proof = [0; 32];
        if read_hex(&found.response, &mut proof[..algorithm.hash().length()]).is_none() {
            return Err(malformed("the response in Authorization has the wrong length or digits"));
        }
        if !is_about(&found.uri, request) {
            return Err(malformed("the uri in Authorization is not the Request-URI"));
        }
        let Ok(username) = std::str::from_utf8(&found.username) else {
            return Err(malformed("the username in Authorization is no UTF-8"));
        };
        let Some(nonce) = self.nonces.read(now, &found.nonce, source, offer.realm) else {
            return Err(Verdict::Challenge { stale: true });
        };
        // From here on the sender is known to receive at its address.
        let disguise = Disguise::of(&self.mac, &self.rules.realm, offer.realm, &found.username);
        Ok(Shown { algorithm, count, username, nonce, proof, disguise })
    }

    /// The password was right.
    fn admit(
        &mut self,
        now: u64,
        source: IpAddr,
        nonce: Nonce,
        count: u32,
        user_digest: u64,
        user: &str,
    ) -> Verdict {
        if !self.nonces.admit(now, nonce, count) {
            // A replay, or a client that lost count; the latter does better with a new nonce.
            return Verdict::Challenge { stale: true };
        }
        self.backoff.succeeded(source, user_digest);
        Verdict::Accepted { user: user.to_owned() }
    }

    /// The nonce count. Without `qop` there is none, so that the nonce serves once.
    fn count_of(&self, found: &Credentials<'_>) -> Result<u32, Verdict> {
        let Some(qop) = &found.qop else {
            return if self.rules.accept_without_qop {
                Ok(u32::MAX)
            } else {
                Err(Verdict::Refused(Refusal::WithoutQop))
            };
        };
        if !qop.eq_ignore_ascii_case(b"auth") {
            return Err(malformed("the qop in Authorization is not auth, which alone was offered"));
        }
        if found.cnonce.is_none() {
            return Err(malformed("Authorization has a qop but no cnonce"));
        }
        let mut nc = [0; 4];
        match found.nc.as_ref().and_then(|digits| read_hex(digits, &mut nc)) {
            Some(()) if nc != [0; 4] => Ok(u32::from_be_bytes(nc)),
            _ => Err(malformed("nc in Authorization is no count of eight hexadecimal digits")),
        }
    }

    /// The response to a request whose verdict was not [`Verdict::Accepted`]: 401 with a challenge
    /// for each algorithm, 403, 503 with Retry-After, or 400. `to_tag` is the tag of the To.
    ///
    /// It is 503 that holds off guessing, because 403 would make an honest phone behind the same
    /// address give up for good (RFC 3261 §21.4.4 against §21.5.4).
    pub fn answer(
        &mut self,
        now: u64,
        request: &Request,
        source: IpAddr,
        verdict: &Verdict,
        to_tag: &str,
    ) -> Draft {
        if let Verdict::Challenge { stale } = verdict {
            let challenges = self.challenges(now, request, source, *stale);
            return challenging(request, to_tag, challenges);
        }
        let tag = Some(to_tag);
        let later = |phrase: &str, seconds: u64| {
            let mut draft = Draft::response_to(request, 503, phrase, tag);
            draft.push(&name::RETRY_AFTER, seconds.to_string());
            draft
        };
        match verdict {
            Verdict::Accepted { .. } => Draft::response_to(request, 200, "", tag),
            Verdict::Asked(_) => Draft::response_to(request, 100, "", None),
            Verdict::Challenge { .. } => Draft::response_to(request, 401, "", tag),
            Verdict::Refused(Refusal::Busy) => later("", 1),
            Verdict::Refused(Refusal::NoAnswer { retry_after_seconds }) => {
                later("Passwords Cannot Be Checked Now", *retry_after_seconds)
            }
            Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds }) => {
                later("Too Many Wrong Passwords", *retry_after_seconds)
            }
            Verdict::Refused(Refusal::WithoutQop) => {
                Draft::response_to(request, 403, "Digest Without qop Is Not Accepted", tag)
            }
            Verdict::Malformed(malformed) => {
                Draft::response_to(request, malformed.status, &malformed.what, tag)
            }
        }
    }

    /// The values of the WWW-Authenticate fields, one for each algorithm in order (RFC 8760 §2.4);
    /// MD5 alone for clients that stumble over more than that.
    pub fn challenges(
        &mut self,
        now: u64,
        request: &Request,
        source: IpAddr,
        stale: bool,
    ) -> Vec<String> {
        let offer = Offer { realm: &self.rules.realm, algorithms: &self.rules.algorithms };
        offer.challenges(&mut self.nonces, &self.opaque, now, request, source, stale)
    }

    /// The value of an Authentication-Info field that spares a client the next challenge (RFC 7615
    /// §3, RFC 7616 §3.5).
    pub fn authentication_info(&mut self, now: u64, source: IpAddr) -> String {
        format!("nextnonce=\"{}\"", self.nonces.issue(now, source, &self.rules.realm))
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// A realm, and the algorithms that are taken there.
struct Offer<'a> {
    realm: &'a str,
    algorithms: &'a [Algorithm],
}

impl Offer<'_> {
    fn challenges(
        &self,
        nonces: &mut Nonces,
        opaque: &str,
        now: u64,
        request: &Request,
        source: IpAddr,
        stale: bool,
    ) -> Vec<String> {
        let nonce = nonces.issue(now, source, self.realm);
        let realm = Quoted(self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            // Phones from before RFC 7616 know neither the others nor charset.
            let charset = match algorithm.hash() {
                Hash::Md5 => "",
                Hash::Sha256 | Hash::Sha512T256 => ", charset=UTF-8",
            };
            format!(
                "Digest realm={realm}, nonce=\"{nonce}\", opaque=\"{opaque}\"{stale}, \
                 algorithm={}, qop=\"auth\"{charset}",
                algorithm.name(),
            )
        };
        defects::algorithms_for(request, self.algorithms).map(challenge).collect()
    }
}

/// What credentials show before anybody looks at the password.
struct Shown<'a> {
    algorithm: Algorithm,
    count: u32,
    username: &'a str,
    nonce: Nonce,
    /// The response, in as many bytes as the hash has.
    proof: [u8; 32],
    disguise: Disguise,
}

/// A value that stands for a user, whether he exists or not, and that nobody can guess.
struct Disguise([u8; 32]);

impl Disguise {
    /// A user of another realm is somebody else, also under the same name.
    fn of(mac: &Hmac<Sha256>, own_realm: &str, realm: &str, username: &[u8]) -> Self {
        if realm == own_realm {
            return Self(purpose(mac, b"unknown user", username));
        }
        Self(purpose(mac, b"user elsewhere", username))
    }

    /// Under which his failures are counted; 0 is the count of a source alone.
    fn user_digest(&self) -> u64 {
        let mut digest = [0; 8];
        digest.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(digest) | 1
    }
}

/// Judges the credentials that a request has for a realm.
fn with_credentials(
    request: &Request,
    realm: &str,
    judge: impl FnOnce(&Credentials<'_>) -> Verdict,
) -> Verdict {
    for value in request.headers().all(&name::AUTHORIZATION).take(MOST_CREDENTIALS) {
        match Credentials::parse(&value) {
            // Credentials for another realm are somebody else's (RFC 3261 §22.3).
            Ok(Some(found)) if found.realm.as_ref() == realm.as_bytes() => return judge(&found),
            Ok(_) => {}
            Err(malformed) => return Verdict::Malformed(malformed),
        }
    }
    Verdict::Challenge { stale: false }
}

fn challenging(request: &Request, to_tag: &str, challenges: Vec<String>) -> Draft {
    let mut draft = Draft::response_to(request, 401, "", Some(to_tag));
    for challenge in challenges {
        draft.push(&name::WWW_AUTHENTICATE, challenge);
    }
    draft
}

fn algorithm_of(found: &Credentials<'_>, offered: &[Algorithm]) -> Option<Algorithm> {
    let algorithm = match &found.algorithm {
        None => Algorithm::Md5,
        Some(name) => Algorithm::from_name(std::str::from_utf8(name).ok()?)?,
    };
    offered.contains(&algorithm).then_some(algorithm)
}

/// A request has one set of credentials for each proxy on its way, and not more of those.
const MOST_CREDENTIALS: usize = 8;

fn malformed(what: &str) -> Verdict {
    Verdict::Malformed(Malformed::new(400, what))
}

/// A value of our own derived from the key, separate for each purpose.
fn purpose(mac: &Hmac<Sha256>, purpose: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = mac.clone();
    mac.update(purpose);
    mac.update(b":");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// What takes the place of the digest of a user who does not exist: nobody can guess it, and it is
/// the same each time.
fn fake(hash: Hash, unknown: &[u8; 32]) -> Ha1 {
    match hash {
        Hash::Sha256 => Ha1::sha256(unknown),
        Hash::Sha512T256 => Ha1::sha512_256(unknown),
        Hash::Md5 => {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&unknown[16..]);
            Ha1::md5(&bytes)
        }
    }
}

/// RFC 7616 §3.4.1, with every value as the client wrote it.
fn expected_response(
    algorithm: Algorithm,
    ha1: &Ha1,
    found: &Credentials<'_>,
    method: &[u8],
) -> Output {
    let hash = algorithm.hash();
    let nonce = found.nonce.as_ref();
    let cnonce = found.cnonce.as_deref().unwrap_or_default();
    let mut secret = ha1.to_hex();
    if algorithm.is_session() {
        secret = hash.of(&[secret.as_bytes(), b":", nonce, b":", cnonce]).to_hex();
    }
    let ha2 = hash.of(&[method, b":", &found.uri]).to_hex();
    let parts: &[&[u8]] = match (&found.qop, &found.nc) {
        (Some(qop), Some(nc)) => &[
            secret.as_bytes(),
            b":",
            nonce,
            b":",
            nc,
            b":",
            cnonce,
            b":",
            qop,
            b":",
            ha2.as_bytes(),
        ],
        _ => &[secret.as_bytes(), b":", nonce, b":", ha2.as_bytes()],
    };
    hash.of(parts)
}

/// Whether the `uri` of credentials means the Request-URI (RFC 7616 §3.4.6), so that credentials
/// overheard for one number cannot be turned on another.
///
/// Some clients (SIPp) sign the server alone, whomever they call. RFC 3261 §22.4 lets us take
/// that; it weakens the credentials of no client but those.
fn is_about(uri: &[u8], request: &Request) -> bool {
    let requested = request.uri();
    if requested.to_bytes().as_ref() == uri {
        return true;
    }
    let Ok(uri) = Uri::parse(uri.to_vec()) else { return false };
    let is_server = || {
        uri.is_sip()
            && uri.user().is_none()
            && (uri.scheme().eq_ignore_ascii_case(&requested.scheme()))
            && (uri.port(), uri.host().to_ascii_lowercase())
                == (requested.port(), requested.host().to_ascii_lowercase())
    };
    uri.is_equivalent(&requested) || is_server()
}

/// A quoted string (RFC 3261 §25.1).
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}
