// SPDX-License-Identifier: GPL-3.0-or-later
//! A certificate authority of a test, and what it issues, as PEM files.

use std::path::PathBuf;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

use crate::program::new_home;

/// An authority that only those believe who are given its [`file`](Self::file).
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate.
    pub file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, each in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn new() -> Result<Self> {
        Self::named("Authority of a test")
    }

    /// A new one of that name.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn named(name: &str) -> Result<Self> {
        let folder = new_home()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let file = folder.path().join("authority.pem");
        std::fs::write(&file, params.self_signed(&key)?.pem())?;
        Ok(Self { file, issuer: Issuer::new(params, key), folder })
    }

    /// A certificate for a domain.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn issue(&self, domain: &str) -> Result<Credentials> {
        let (key, params) = (KeyPair::generate()?, for_domain(domain)?);
        self.keep(domain, &params.signed_by(&key, &self.issuer)?.pem(), &key)
    }

    /// One that was good until 2 January 2020.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn issue_expired(&self, domain: &str) -> Result<Credentials> {
        let (key, mut params) = (KeyPair::generate()?, for_domain(domain)?);
        params.not_before = date_time_ymd(2019, 1, 2);
        params.not_after = date_time_ymd(2020, 1, 2);
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.keep(&format!("expired-{domain}"), &certificate.pem(), &key)
    }

    /// One that nobody issued but its owner.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn self_signed(&self, domain: &str) -> Result<Credentials> {
        let (key, params) = (KeyPair::generate()?, for_domain(domain)?);
        self.keep(&format!("own-{domain}"), &params.self_signed(&key)?.pem(), &key)
    }

    fn keep(&self, name: &str, certificate: &str, key: &KeyPair) -> Result<Credentials> {
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let credentials = Credentials { certificate: path("pem"), key: path("key") };
        std::fs::write(&credentials.certificate, certificate)?;
        std::fs::write(&credentials.key, key.serialize_pem())?;
        Ok(credentials)
    }
}

fn for_domain(domain: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "nobody.example");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
