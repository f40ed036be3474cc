// SPDX-License-Identifier: GPL-3.0-or-later
//! As whom we show ourselves: our certificate and its key, in files that others renew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::trust::{read_certificates, read_file};

/// Where our certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The certificate, and behind it those that lead to its authority; PEM.
    pub certificate: PathBuf,
    /// Its key; PEM.
    pub key: PathBuf,
}

/// Why we cannot show who we are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// None are configured.
    #[error("there is no certificate to show: set tls-certificate and tls-key")]
    None,
    /// The certificate cannot be read.
    #[error("the certificate in {file}: {why}", file = file.display())]
    Certificate {
        /// Its file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The key cannot be read.
    #[error("the key in {file}: {why}", file = file.display())]
    Key {
        /// Its file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// They do not belong together.
    #[error(
        "the key in {key} does not belong to the certificate in {certificate}",
        key = key.display(), certificate = certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// How the files looked when they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Credentials {
    pub(super) fn stamp(&self) -> Stamp {
        let look = |file: &Path| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Stamp([look(&self.certificate), look(&self.key)])
    }

    pub(super) fn load(
        &self,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, BadCredentials> {
        let chain = read_certificates(&self.certificate)
            .map_err(|why| BadCredentials::Certificate { file: self.certificate.clone(), why })?;
        let bad_key = |why| BadCredentials::Key { file: self.key.clone(), why };
        let pem = zeroize::Zeroizing::new(read_file(&self.key).map_err(bad_key)?);
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            bad_key("there is no private key in it (PEM without password is expected)".into())
        })?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => BadCredentials::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            },
            other => bad_key(format!("it cannot be used: {other}")),
        })?;
        Ok(Arc::new(key))
    }
}

/// Shows the same to everybody.
#[derive(Debug)]
pub(super) struct Shown(pub(super) Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(
        &self,
        _issuers: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
