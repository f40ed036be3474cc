// SPDX-License-Identifier: GPL-3.0-or-later
//! Making the value of an Authorization field (RFC 7616 §3.4).

use bytes::BufMut;
use md5::Md5;
use rand_core::RngCore;
use sha2::{Sha256, Sha512_256};

use super::{
    super::ha1::{Output, write_hex},
    Credentials,
    challenge::{Challenge, Qop},
};
use crate::wire::{Draft, Method, Name, name};

/// A hash, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hash {
    Md5,
    Sha256,
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512];

    /// The hash under an algorithm of that name, and whether it is a `-sess` one.
    pub(super) fn from_name(named: &[u8]) -> Option<(Self, bool)> {
        let named = std::str::from_utf8(named).ok()?;
        Self::ALL.into_iter().find_map(|hash| {
            let rest = named.get(hash.name().len()..)?;
            let base = named.get(..hash.name().len())?;
            match () {
                () if !base.eq_ignore_ascii_case(hash.name()) => None,
                () if rest.is_empty() => Some((hash, false)),
                () if rest.eq_ignore_ascii_case("-sess") => Some((hash, true)),
                () => None,
            }
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512-256",
        }
    }

    fn of(self, parts: &[&[u8]]) -> Output {
        match self {
            Self::Md5 => Output::of::<Md5>(parts),
            Self::Sha256 => Output::of::<Sha256>(parts),
            Self::Sha512 => Output::of::<Sha512_256>(parts),
        }
    }
}

/// One who asks: a realm of a proxy or of a far end, and what it gave us last.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) by_proxy: bool,
    challenge: Challenge,
    /// How often the nonce was used.
    pub(super) count: u32,
    pub(super) cnonce: Box<[u8]>,
}

impl Space {
    pub(super) fn new(by_proxy: bool, challenge: Challenge, random: &mut impl RngCore) -> Self {
        let mut octets = [0; 16];
        random.fill_bytes(&mut octets);
        let mut cnonce = [0; 32];
        write_hex(&octets, &mut cnonce);
        Self { by_proxy, challenge, count: 0, cnonce: cnonce.into() }
    }

    pub(super) fn is_of(&self, by_proxy: bool, realm: &[u8]) -> bool {
        self.by_proxy == by_proxy && *self.challenge.realm == *realm
    }

    /// The field that its credentials stand in.
    pub(super) fn field(&self) -> &'static Name {
        if self.by_proxy { &name::PROXY_AUTHORIZATION } else { &name::AUTHORIZATION }
    }

    /// Takes the nonce for the next request. The key of a `-sess` algorithm is bound to the first
    /// one (RFC 7616 §3.4.2), so that stays.
    pub(super) fn renew(&mut self, nonce: Box<[u8]>) {
        if !self.challenge.is_session && !nonce.is_empty() {
            self.challenge.nonce = nonce;
            self.count = 0;
        }
    }

    /// The credentials for a request; None once the nonce is used up.
    pub(super) fn answer(&mut self, draft: &Draft, credentials: &Credentials) -> Option<Vec<u8>> {
        self.count = self.count.checked_add(1)?;
        let about = About {
            method: draft.method().map_or(&b""[..], Method::as_bytes),
            uri: draft.request_uri(),
            body: draft.body_octets(),
        };
        let response = self.response(&about, credentials);
        let Challenge { realm, nonce, opaque, hash, is_session, is_named, qop, .. } =
            &self.challenge;
        let user = credentials.user.as_bytes();
        let count = format!("{:08x}", self.count);
        let mut value = Vec::with_capacity(384);
        value.put_slice(b"Digest username=\"");
        for &byte in user {
            if matches!(byte, b'"' | b'\\') {
                value.push(b'\\');
            }
            value.push(byte);
        }
        let mut quoted = |before: &[u8], text: &[u8]| {
            value.put_slice(before);
            value.put_slice(text);
        };
        quoted(b"\", realm=\"", realm);
        quoted(b"\", nonce=\"", nonce);
        quoted(b"\", uri=\"", about.uri);
        quoted(b"\", response=\"", response.to_hex().as_bytes());
        quoted(b"\"", b"");
        if *is_named {
            quoted(b", algorithm=", hash.name().as_bytes());
            quoted(if *is_session { b"-sess" } else { b"" }, b"");
        }
        if let Some(opaque) = opaque {
            quoted(b", opaque=\"", opaque);
            quoted(b"\"", b"");
        }
        if *qop != Qop::None {
            // Neither stands in quotes (RFC 7616 §3.4), and both are what the server remembers.
            quoted(b", qop=", qop.name().as_bytes());
            quoted(b", nc=", count.as_bytes());
        }
        if *qop != Qop::None || *is_session {
            quoted(b", cnonce=\"", &self.cnonce);
            quoted(b"\"", b"");
        }
        Some(value)
    }
    /// RFC 7616 §3.4.1.
    pub(super) fn response(&self, about: &About<'_>, credentials: &Credentials) -> Output {
        let Challenge { realm, nonce, hash, is_session, qop, .. } = &self.challenge;
        let user = credentials.user.as_bytes();
        let mut key = hash.of(&[user, b":", realm, b":", credentials.secret.as_bytes()]).to_hex();
        if *is_session {
            key = hash.of(&[key.as_bytes(), b":", nonce, b":", &self.cnonce]).to_hex();
        }
        let request = match qop {
            Qop::None | Qop::Auth => hash.of(&[about.method, b":", about.uri]),
            Qop::Integrity => {
                let body = hash.of(&[about.body]).to_hex();
                hash.of(&[about.method, b":", about.uri, b":", body.as_bytes()])
            }
        }
        .to_hex();
        if *qop == Qop::None {
            return hash.of(&[key.as_bytes(), b":", nonce, b":", request.as_bytes()]);
        }
        hash.of(&[
            key.as_bytes(),
            b":",
            nonce,
            b":",
            format!("{:08x}", self.count).as_bytes(),
            b":",
            &self.cnonce,
            b":",
            qop.name().as_bytes(),
            b":",
            request.as_bytes(),
        ])
    }
}

/// What a request is about, as far as its credentials are bound to it.
pub(super) struct About<'a> {
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) body: &'a [u8],
}
