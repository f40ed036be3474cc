// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom this machine trusts to say who is who.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// A larger file is none of certificates.
pub(super) const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The authorities.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) roots: RootCertStore,
    /// Those the user named, each of which is believed for itself as well.
    named: Vec<CertificateDer<'static>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    /// Reads the platform's authorities, and those in further files. What cannot be read is told in
    /// the log and left out: less is trusted then, never more.
    pub(super) fn load(platform: bool, files: &[PathBuf]) -> Self {
        let mut roots = RootCertStore::empty();
        if platform {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors.iter().take(3) {
                tracing::warn!("authorities of this system: {error}");
            }
            roots.add_parsable_certificates(found.certs);
            roots.roots.shrink_to_fit();
        }
        let mut named = Vec::new();
        for file in files {
            match read_certificates(file) {
                Ok(certificates) => named.extend(certificates),
                Err(why) => tracing::warn!("authorities in {}: {why}", file.display()),
            }
        }
        roots.add_parsable_certificates(named.iter().cloned());
        if roots.is_empty() && named.is_empty() {
            tracing::warn!(
                "no certificate authority is known: install ca-certificates, or name files in \
                 tls-authorities"
            );
        }
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        Self { roots, named, algorithms }
    }

    /// Whether the user named this very certificate.
    pub(super) fn knows(&self, certificate: &CertificateDer<'_>) -> bool {
        self.named.iter().any(|named| named == certificate)
    }
}

/// All certificates in a PEM file, at least one.
pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read_file(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("there is no certificate in it (PEM is expected)".into())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("it cannot be read as PEM: {error}")),
    }
}

pub(super) fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(file)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if read as u64 > LARGEST_FILE {
        return Err("it is larger than 4 MiB".into());
    }
    Ok(bytes)
}
