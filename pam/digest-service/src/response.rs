// SPDX-License-Identifier: GPL-3.0-or-later
//! A phone's answer to a challenge, as whoever asks hands it over: strings of strangers.

use std::collections::HashMap;

use sipwitch_digest_store::{Algorithm, Ha1, Name, Realm};
use subtle::ConstantTimeEq as _;

const MOST_PARTS: usize = 32;
const LONGEST_PART: usize = 4096;
/// RFC 7616 §3.4: `nc` has eight digits. Some phones leave out zeros, and hash them so.
const LONGEST_COUNT: usize = 8;

/// What RFC 7616 §3.4.1 makes a response of, besides the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Who the phone says it is.
    pub user: Name,
    /// For which realm.
    pub realm: Realm,
    /// By which hash.
    pub algorithm: Algorithm,
    /// The client's nonce, if the key is of this session (`-sess`).
    session: Option<String>,
    nonce: String,
    uri: String,
    method: String,
    protection: Option<Protection>,
    response: String,
}

/// What follows from `qop`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Protection {
    count: String,
    cnonce: String,
    /// The hash of the body, with `auth-int`.
    body: Option<String>,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// More than there are names for.
    #[error("more than 32 parts")]
    Many,
    /// One is missing.
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    /// One is longer than a header field.
    #[error("\"{0}\" is longer than 4096 bytes")]
    Long(&'static str),
    /// One cannot be what it should be.
    #[error("\"{0}\" cannot be that")]
    Form(&'static str),
}

/// The parts that have a meaning.
struct Parts<'a>(&'a HashMap<String, String>);

impl<'a> Parts<'a> {
    fn find(&self, name: &'static str) -> Result<Option<&'a str>, BadResponse> {
        match self.0.get(name) {
            Some(text) if text.len() > LONGEST_PART => Err(BadResponse::Long(name)),
            found => Ok(found.map(String::as_str)),
        }
    }

    fn want(&self, name: &'static str) -> Result<&'a str, BadResponse> {
        self.find(name)?.ok_or(BadResponse::Missing(name))
    }

    /// A text with something in it.
    fn some(&self, name: &'static str) -> Result<String, BadResponse> {
        match self.want(name)? {
            "" => Err(BadResponse::Form(name)),
            text => Ok(text.to_owned()),
        }
    }

    /// A hash in hexadecimal.
    fn hash(&self, name: &'static str, algorithm: Algorithm) -> Result<String, BadResponse> {
        let text = self.want(name)?;
        let fits = text.len() == algorithm.digits() && is_hexadecimal(text);
        // Lower case is what it is hashed and compared in.
        fits.then(|| text.to_ascii_lowercase()).ok_or(BadResponse::Form(name))
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Response {
    /// Reads the parts.
    ///
    /// # Errors
    /// One is missing, too long, or of a wrong form.
    pub fn read(parts: &HashMap<String, String>) -> Result<Self, BadResponse> {
        if parts.len() > MOST_PARTS {
            return Err(BadResponse::Many);
        }
        let parts = Parts(parts);
        // RFC 7616 §3.4.4: then the name is a hash, which cannot be looked up.
        if parts.find("userhash")?.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Err(BadResponse::Form("userhash"));
        }
        let name = parts.find("algorithm")?.unwrap_or("MD5");
        let (name, of_session) = match name.len().checked_sub("-sess".len()) {
            Some(at) if name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case("-sess") => {
                (&name[..at], true)
            }
            _ => (name, false),
        };
        let same = |known: &Algorithm| known.name().eq_ignore_ascii_case(name);
        let algorithm =
            Algorithm::ALL.into_iter().find(same).ok_or(BadResponse::Form("algorithm"))?;
        let body = match parts.find("qop")? {
            None => None,
            Some("auth") => Some(None),
            Some("auth-int") => Some(Some(parts.hash("body-digest", algorithm)?)),
            Some(_) => return Err(BadResponse::Form("qop")),
        };
        let protection = match body {
            None => None,
            Some(body) => {
                let count = parts.some("nc")?;
                if count.len() > LONGEST_COUNT || !is_hexadecimal(&count) {
                    return Err(BadResponse::Form("nc"));
                }
                Some(Protection { count, cnonce: parts.some("cnonce")?, body })
            }
        };
        Ok(Self {
            user: parts.want("username")?.parse().map_err(|_| BadResponse::Form("username"))?,
            realm: parts.want("realm")?.parse().map_err(|_| BadResponse::Form("realm"))?,
            algorithm,
            session: if of_session { Some(parts.some("cnonce")?) } else { None },
            nonce: parts.some("nonce")?,
            uri: parts.some("uri")?,
            method: parts.some("method")?,
            protection,
            response: parts.hash("response", algorithm)?,
        })
    }

    /// Whether it was made with the password that this digest is of, in constant time.
    #[must_use]
    pub fn is_of(&self, ha1: &Ha1) -> bool {
        let algorithm = self.algorithm;
        let nonce = self.nonce.as_bytes();
        let of_session = self
            .session
            .as_ref()
            .map(|cnonce| algorithm.hash(&[ha1.reveal().as_bytes(), nonce, cnonce.as_bytes()]));
        let key = of_session.as_deref().map_or_else(|| ha1.reveal(), String::as_str).as_bytes();
        let mut request = vec![self.method.as_bytes(), self.uri.as_bytes()];
        let body = self.protection.as_ref().and_then(|protection| protection.body.as_ref());
        request.extend(body.map(String::as_bytes));
        let request = algorithm.hash(&request);
        let request = request.as_bytes();
        let made = match &self.protection {
            None => algorithm.hash(&[key, nonce, request]),
            Some(Protection { count, cnonce, body }) => {
                let qop: &[u8] = if body.is_some() { b"auth-int" } else { b"auth" };
                let (count, cnonce) = (count.as_bytes(), cnonce.as_bytes());
                algorithm.hash(&[key, nonce, count, cnonce, qop, request])
            }
        };
        made.as_bytes().ct_eq(self.response.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests;
