// SPDX-License-Identifier: GPL-3.0-or-later
//! Certificates made for a test.

use std::{fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::super::{Credentials, Trust};

/// An authority, and a place for what it issues.
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) directory: TempDir,
}

/// A certificate with its key; the chain has no root.
pub(super) struct Issued {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
}

/// A certificate for these names: `sip:` URIs, numeric addresses or DNS names.
pub(super) fn names(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "nobody.example");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if name.contains(':') => SanType::URI((*name).try_into().unwrap()),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("Test Authority")
    }

    pub(super) fn named(name: &str) -> Self {
        let params = authority(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { chain: vec![certificate.der().clone()], key }
    }

    /// Issued by another one in between.
    pub(super) fn issue_in_between(&self, params: &CertificateParams) -> Issued {
        let between = authority("In Between");
        let between_key = KeyPair::generate().unwrap();
        let between_certificate = between.signed_by(&between_key, &self.issuer).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(between, between_key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Issued { chain: vec![certificate.der().clone(), between_certificate.der().clone()], key }
    }

    /// Believes this authority alone.
    pub(super) fn trust(&self) -> Trust {
        Trust::load(false, &[self.file()])
    }

    /// Its certificate, as a file.
    pub(super) fn file(&self) -> PathBuf {
        let file = self.directory.path().join("authority.pem");
        fs::write(&file, pem("CERTIFICATE", &self.certificate)).unwrap();
        file
    }

    /// What was issued, as files of that name.
    pub(super) fn write(&self, name: &str, issued: &Issued) -> Credentials {
        let credentials = Credentials {
            certificate: self.directory.path().join(format!("{name}.pem")),
            key: self.directory.path().join(format!("{name}.key")),
        };
        let chain: String = issued.chain.iter().map(|one| pem("CERTIFICATE", one)).collect();
        fs::write(&credentials.certificate, chain).unwrap();
        fs::write(&credentials.key, issued.key.serialize_pem()).unwrap();
        credentials
    }
}

impl Issued {
    pub(super) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], key }
    }
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = three.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte));
            let bits = bits << (8 * (3 - three.len()));
            for at in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
                text.push(if at > three.len() { '=' } else { char::from(letter) });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
