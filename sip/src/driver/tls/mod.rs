// SPDX-License-Identifier: GPL-3.0-or-later
//! TLS: who is believed, as whom we show ourselves, and the streams that are kept secret by it.
//!
//! Nothing of it is read or kept before the first connection that needs it: authorities are a
//! hundred files' worth of memory that a house without a provider has no use for.

mod certificate;
mod credentials;
mod handshake;
mod session;
#[cfg(test)]
mod tests;
mod trust;
mod verifier;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::NoServerSessionStorage,
};
use tokio::sync::OnceCell;

pub use certificate::{BadCertificate, Defect};
pub use credentials::{BadCredentials, Credentials};
pub(super) use handshake::{accept, connect};
pub(super) use session::TlsStream;

use crate::peer::PeerIdentity;
use credentials::Stamp;
use trust::Trust;
use verifier::{OfClients, OfServers};

/// What TLS needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// As whom we show ourselves. Without it nobody can connect to us over TLS.
    pub own: Option<Credentials>,
    /// Files with certificates of authorities to believe, besides those of the platform. A server's
    /// very certificate is believed too if it is in one of them.
    pub authorities: Vec<PathBuf>,
    /// Whether the authorities of the platform are believed.
    pub platform: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { own: None, authorities: Vec::new(), platform: true }
    }
}

/// How often the files of our certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What all connections share.
pub(super) struct Tls {
    settings: TlsSettings,
    provider: Option<Arc<CryptoProvider>>,
    client: Arc<Client>,
    server: Option<Server>,
}

/// What connections that we open share; made by the first of them.
pub(super) struct Client {
    settings: TlsSettings,
    provider: OnceCell<Arc<CryptoProvider>>,
    trust: OnceCell<Arc<Trust>>,
    config: OnceCell<Arc<ClientConfig>>,
}

struct Server {
    config: Arc<ServerConfig>,
    stamp: Stamp,
    looked: Instant,
}

/// What an accepted connection needs.
#[derive(Clone)]
pub(super) struct Accepting {
    pub(super) config: Arc<ServerConfig>,
    pub(super) client: Arc<Client>,
}

impl Tls {
    pub(super) fn new(settings: TlsSettings) -> Self {
        let client = Arc::new(Client::new(settings.clone()));
        Self { settings, provider: None, client, server: None }
    }

    /// What connections of ours share.
    pub(super) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client)
    }

    /// What accepted connections need. Our certificate is read again when its files have changed;
    /// if that fails, the one of before stays.
    pub(super) fn accepting(&mut self, now: Instant) -> Result<Accepting, BadCredentials> {
        let Some(own) = &self.settings.own else { return Err(BadCredentials::None) };
        let is_stale = match &self.server {
            None => true,
            Some(server) if now < server.looked + LOOK_EVERY => false,
            Some(server) => own.stamp() != server.stamp,
        };
        if is_stale {
            // Before the files are read: what changes meanwhile is seen the next time.
            let stamp = own.stamp();
            let provider = self.provider.get_or_insert_with(provider);
            match server_config(own, provider) {
                Ok(config) => {
                    if self.server.is_some() {
                        tracing::info!("our certificate is renewed");
                        // Connections of ours show it too.
                        self.client = Arc::new(Client::new(self.settings.clone()));
                    }
                    self.server = Some(Server { config, stamp, looked: now });
                }
                Err(error) if self.server.is_none() => return Err(error),
                Err(error) => tracing::warn!("our certificate stays as it was: {error}"),
            }
        }
        let Some(server) = &mut self.server else { return Err(BadCredentials::None) };
        if now >= server.looked + LOOK_EVERY {
            server.looked = now;
        }
        Ok(Accepting { config: Arc::clone(&server.config), client: Arc::clone(&self.client) })
    }

    /// Takes other settings for connections from now on. Files are read again.
    pub(super) fn set(&mut self, settings: TlsSettings) {
        *self = Self::new(settings);
    }
}

impl Client {
    fn new(settings: TlsSettings) -> Self {
        Self {
            settings,
            provider: OnceCell::new(),
            trust: OnceCell::new(),
            config: OnceCell::new(),
        }
    }

    /// How connections of ours are made.
    async fn config(&self) -> Arc<ClientConfig> {
        let made = self.config.get_or_init(|| async {
            let provider = self.provider.get_or_init(|| async { provider() }).await;
            let trust = self.trust().await;
            Arc::new(client_config(&self.settings, provider, trust))
        });
        Arc::clone(made.await)
    }

    async fn trust(&self) -> Arc<Trust> {
        let loaded = self.trust.get_or_init(|| async {
            let (platform, files) = (self.settings.platform, self.settings.authorities.clone());
            // Many files, perhaps on a slow disk.
            let loading = tokio::task::spawn_blocking(move || Trust::load(platform, &files));
            Arc::new(loading.await.unwrap_or_else(|_| Trust::load(false, &[])))
        });
        Arc::clone(loaded.await)
    }

    /// Who shows this chain.
    async fn identity(&self, chain: Option<&[CertificateDer<'_>]>) -> PeerIdentity {
        match chain {
            None | Some([]) => PeerIdentity::Nobody,
            Some(chain) => certificate::identity(&*self.trust().await, chain, UnixTime::now()),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client_config(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    trust: Arc<Trust>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OfServers(trust)));
    let own = settings.own.as_ref().and_then(|own| {
        own.load(provider)
            .inspect_err(|error| tracing::warn!("we show nobody who we are: {error}"))
            .ok()
    });
    match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(credentials::Shown(own))),
        None => builder.with_no_client_auth(),
    }
}

fn server_config(
    own: &Credentials,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, BadCredentials> {
    let own = own.load(provider)?;
    let clients = OfClients(provider.signature_verification_algorithms);
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3")
        .with_client_cert_verifier(Arc::new(clients))
        .with_cert_resolver(Arc::new(credentials::Shown(own)));
    // Phones that come back keep their session themselves, which costs us nothing.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    match rustls::crypto::ring::Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => tracing::debug!("sessions cannot be resumed: {error}"),
    }
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
