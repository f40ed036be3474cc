// SPDX-License-Identifier: GPL-3.0-or-later
//! What a certificate says and whether it is to be believed (RFC 5922).

use std::{fmt, net::IpAddr, sync::Arc};

use rustls::{
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
};
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::trust::Trust;
use crate::{
    peer::{KeyPrint, PeerIdentity},
    registrar::date::civil,
    resolver::Host,
};

/// Names of one certificate that are looked at.
const MOST_NAMES: usize = 100;
/// Names that are told.
const MOST_TOLD: usize = 4;

/// id-kp-sipDomain, 1.3.6.1.5.5.7.3.20 (RFC 5924): a certificate for SIP and nothing else.
const EKU_SIP_DOMAIN: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x14];

/// A certificate that is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCertificate {
    /// The names in it, those included that mean nothing for SIP.
    pub shown: Vec<String>,
    /// Who issued it; empty if that is not said.
    pub issuer: String,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What may be wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// It was good until that day.
    Expired(String),
    /// It will be good from that day on.
    NotYet(String),
    /// It is not for that name.
    OtherName(String),
    /// It was issued by itself.
    SelfSigned,
    /// It was issued by somebody who is not trusted.
    UnknownIssuer,
    /// It is for something else than a server or a SIP domain.
    OtherPurpose,
    /// It is withdrawn.
    Revoked,
    /// Anything else.
    Unsound(String),
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Names(&self.shown);
        match &self.defect {
            Defect::Expired(day) => write!(f, "its certificate for {names} expired on {day}"),
            Defect::NotYet(day) => {
                write!(
                    f,
                    "its certificate for {names} is not valid before {day}; is the clock right?"
                )
            }
            Defect::OtherName(wanted) => {
                write!(f, "its certificate is for {names} and not for {wanted}")?;
                if self.shown.iter().any(|name| covers(name, wanted)) {
                    f.write_str("; a name with * counts for nothing here (RFC 5922)")?;
                }
                Ok(())
            }
            Defect::SelfSigned => write!(
                f,
                "its certificate for {names} is self-signed; if you know it, name its file in \
                 tls-authorities"
            ),
            Defect::UnknownIssuer if self.issuer.is_empty() => {
                write!(f, "its certificate for {names} was issued by an authority unknown here")
            }
            Defect::UnknownIssuer => write!(
                f,
                "its certificate for {names} was issued by {}, an authority unknown here",
                self.issuer
            ),
            Defect::OtherPurpose => {
                write!(f, "its certificate for {names} is neither for servers nor for SIP domains")
            }
            Defect::Revoked => write!(f, "its certificate for {names} is revoked"),
            Defect::Unsound(why) => write!(f, "its certificate for {names} is unsound: {why}"),
        }
    }
}

impl std::error::Error for BadCertificate {}

/// Names in a sentence.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        for (at, name) in self.0.iter().take(MOST_TOLD).enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(name)?;
        }
        match self.0.len().saturating_sub(MOST_TOLD) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A certificate that can be read.
pub(super) struct Certificate<'a> {
    der: &'a CertificateDer<'a>,
    parsed: EndEntityCert<'a>,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a CertificateDer<'a>) -> Result<Self, BadCertificate> {
        match EndEntityCert::try_from(der) {
            Ok(parsed) => Ok(Self { der, parsed }),
            Err(error) => Err(BadCertificate {
                shown: Vec::new(),
                issuer: String::new(),
                defect: Defect::Unsound(error.to_string()),
            }),
        }
    }

    /// The SIP domains it is for: those of its SIP URIs; if it has none, its DNS names. A name with
    /// a wildcard is none, and the common name is not looked at (RFC 5922 §7.1).
    pub(super) fn domains(&self) -> Vec<Arc<str>> {
        let of_uris: Vec<_> =
            self.parsed.valid_uri_names().take(MOST_NAMES).filter_map(domain_of_uri).collect();
        let names = if of_uris.is_empty() {
            self.parsed.valid_dns_names().take(MOST_NAMES).filter_map(domain).collect()
        } else {
            of_uris
        };
        let mut unique: Vec<Arc<str>> = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        unique
    }

    /// What its key is known by.
    pub(super) fn key(&self) -> KeyPrint {
        KeyPrint(Sha256::digest(self.parsed.subject_public_key_info().as_ref()).into())
    }

    /// Whether it is for that name: a domain, or a numeric address.
    pub(super) fn check_name(&self, wanted: &str) -> Result<(), BadCertificate> {
        let fits = match wanted.parse::<IpAddr>() {
            Ok(address) => self
                .parsed
                .verify_is_valid_for_subject_name(&ServerName::IpAddress(address.into()))
                .is_ok(),
            Err(_) => domain(wanted).is_some_and(|wanted| self.domains().contains(&wanted)),
        };
        if fits { Ok(()) } else { Err(self.bad(Defect::OtherName(plain(wanted)))) }
    }

    /// Whether somebody trusted vouches for it today.
    pub(super) fn check_issuer(
        &self,
        trust: &Trust,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), BadCertificate> {
        // Who puts the very certificate among the authorities means this one, whatever it says
        // about its issuer and its time.
        if trust.knows(self.der) {
            return Ok(());
        }
        let verify = |usage| {
            let trusted: &[TrustAnchor<'_>] = &trust.roots.roots;
            let algorithms: WebPkiSupportedAlgorithms = trust.algorithms;
            self.parsed
                .verify_for_usage(algorithms.all, trusted, intermediates, now, usage, None, None)
                .map(|_| ())
        };
        let verified = match verify(KeyUsage::server_auth()) {
            Err(Error::RequiredEkuNotFoundContext(_)) => {
                verify(KeyUsage::required_if_present(EKU_SIP_DOMAIN))
            }
            verified => verified,
        };
        verified.map_err(|error| self.bad(self.defect(&error)))
    }

    fn defect(&self, error: &Error) -> Defect {
        match error {
            Error::CertExpired { not_after, .. } => Defect::Expired(day(*not_after)),
            Error::CertNotValidYet { not_before, .. } => Defect::NotYet(day(*not_before)),
            Error::UnknownIssuer | Error::CaUsedAsEndEntity
                if self.parsed.issuer() == self.parsed.subject() =>
            {
                Defect::SelfSigned
            }
            Error::UnknownIssuer => Defect::UnknownIssuer,
            Error::RequiredEkuNotFoundContext(_) => Defect::OtherPurpose,
            Error::CertRevoked | Error::CertDistrusted => Defect::Revoked,
            other => Defect::Unsound(other.to_string()),
        }
    }

    fn bad(&self, defect: Defect) -> BadCertificate {
        let uris = self.parsed.valid_uri_names();
        let shown = uris.chain(self.parsed.valid_dns_names()).take(MOST_NAMES).map(plain);
        BadCertificate {
            shown: shown.collect(),
            issuer: issuer_words(self.parsed.issuer()).unwrap_or_default(),
            defect,
        }
    }
}

/// Who shows this chain.
pub(super) fn identity(trust: &Trust, chain: &[CertificateDer<'_>], now: UnixTime) -> PeerIdentity {
    let Some((first, intermediates)) = chain.split_first() else { return PeerIdentity::Nobody };
    let certificate = match Certificate::read(first) {
        Ok(certificate) => certificate,
        Err(bad) => {
            return PeerIdentity::Claimed { domains: [].into(), why: bad.to_string(), key: None };
        }
    };
    let (domains, key) = (certificate.domains().into(), certificate.key());
    match certificate.check_issuer(trust, intermediates, now) {
        Ok(()) => PeerIdentity::Proven { domains, key },
        Err(bad) => PeerIdentity::Claimed { domains, why: bad.to_string(), key: Some(key) },
    }
}

/// The domain that a SIP URI without user names; other URIs name none (RFC 5922 §7.1).
fn domain_of_uri(uri: &str) -> Option<Arc<str>> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let end = rest.find([';', '?', ':']).unwrap_or(rest.len());
    domain(&rest[..end])
}

fn domain(name: &str) -> Option<Arc<str>> {
    match name.parse() {
        Ok(Host::Name(name)) => Some(name),
        Ok(Host::Address(_)) | Err(_) => None,
    }
}

/// Whether that name with a wildcard would be for that one, where wildcards count.
fn covers(wildcard: &str, name: &str) -> bool {
    let Some(parent) = wildcard.strip_prefix("*.") else { return false };
    name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
}

/// A text of a stranger, fit for a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn day(time: UnixTime) -> String {
    let days = i64::try_from(time.as_secs() / 86_400).unwrap_or(0);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The common name in a distinguished name, or else its organisation: the contents of a SEQUENCE of
/// sets of sequences of an OID and a text (RFC 5280 §4.1.2.4).
fn issuer_words(name: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
    let find = |wanted: &[u8]| {
        let mut sets = name;
        while let Some((set, rest)) = element(sets) {
            sets = rest;
            let Some((pair, _)) = element(set) else { continue };
            let Some((oid, value)) = element(pair) else { continue };
            if oid == wanted {
                let (text, _) = element(value)?;
                return Some(plain(&String::from_utf8_lossy(text)));
            }
        }
        None
    };
    find(COMMON_NAME).or_else(|| find(ORGANISATION))
}

/// The contents of the first DER element, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(length)
}
