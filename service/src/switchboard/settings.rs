// SPDX-License-Identifier: GPL-3.0-or-later
//! How the switchboard behaves: what the configuration means here.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use sipwitch_core::number::Region;
use sipwitch_sip::{auth, endpoint, flow::Transport, gate, registrar, resolver::PUBLIC_ROOT};

use crate::config::{Config, Numbers, word};

/// One place where SIP is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// What carries it.
    pub transport: Transport,
    /// The address, with the port that was got.
    pub address: SocketAddr,
}

impl Listening {
    /// `udp:127.0.0.1:5060`
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}:{}", self.transport.name(), self.address)
    }
}

/// How the switchboard behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hosts whose users are our extensions; the first is the one we give ourselves.
    pub domains: Vec<String>,
    /// Where SIP is heard.
    pub listening: Vec<Listening>,
    /// Which address of ours reaches another one.
    pub towards: fn(SocketAddr) -> Option<IpAddr>,
    /// What we call ourselves in Server and User-Agent; empty leaves it out.
    pub product: String,
    /// Whether a program of the same user on this machine needs no password.
    pub trust_own_loopback: bool,
    /// The user we run as.
    pub uid: u32,
    /// How long phones ring that say nothing themselves.
    pub ring: Duration,
    /// The extensions whose phones ring first in `Dial`; none leaves it to whoever has a phone.
    pub dial_from: Vec<String>,
    /// The country the house is in.
    pub region: Region,
    /// Calls under way at once.
    pub max_calls: usize,
    /// The interval of session timers (RFC 4028).
    pub session_interval: Duration,
    /// How long texts are kept that no phone took.
    pub keep_texts: Duration,
    /// How the registrar registers.
    pub registrar: registrar::Rules,
    /// Digest algorithms offered, in order.
    pub algorithms: Vec<auth::Algorithm>,
    /// Whether digests of the login password are taken without TLS from other machines.
    pub login_without_tls: bool,
    /// How long a nonce serves.
    pub nonce_seconds: u64,
    /// What one source may ask.
    pub gate: gate::GateSettings,
    /// What one source may ask from outside the house.
    pub outside: gate::GateSettings,
    /// Whether domains of others may call the extensions.
    pub accept_calls: bool,
    /// Whether addresses at domains of others are called there directly.
    pub call_directly: bool,
    /// Below which name numbers are looked up before they are called; none where they are not.
    pub enum_root: Option<Arc<str>>,
    /// The file the settings came from; empty if none.
    pub configuration_file: String,
}

impl Settings {
    /// The domain we give ourselves.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.domains.first().map_or("localhost", String::as_str)
    }

    /// What the engine must know.
    #[must_use]
    pub fn endpoint(&self) -> endpoint::Settings {
        endpoint::Settings {
            product: self.product.clone(),
            domains: self.domains.clone(),
            session_interval: self.session_interval,
            listeners: self.listening.iter().map(|l| (l.transport, l.address)).collect(),
            ..endpoint::Settings::default()
        }
    }

    /// What the judge of credentials must know.
    #[must_use]
    pub fn auth_rules(&self, realm: &str) -> auth::Rules {
        // Of the passwords of extensions no others are kept.
        let is_kept = |algorithm: &auth::Algorithm| algorithm.hash() != auth::Hash::Sha512T256;
        let kept = self.algorithms.iter().copied().filter(is_kept);
        auth::Rules {
            realm: realm.to_owned(),
            algorithms: kept.collect(),
            nonce_seconds: self.nonce_seconds,
            ..auth::Rules::default()
        }
    }

    /// Our address towards somebody reached over this transport.
    #[must_use]
    pub fn local_for(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let of_family =
            |l: &&Listening| l.transport == transport && l.address.is_ipv4() == remote.is_ipv4();
        // A loopback address cannot reach out, and a phone on loopback is best met there.
        let mut fitting = self.listening.iter().filter(of_family);
        let same = fitting.clone().find(|l| {
            l.address.ip().is_unspecified()
                || l.address.ip().is_loopback() == remote.ip().is_loopback()
        });
        let listening = same.or_else(|| fitting.next())?.address;
        if listening.ip().is_unspecified() {
            // Nobody can write back to the wildcard: the kernel knows which address it would use.
            return Some(SocketAddr::new((self.towards)(remote)?, listening.port()));
        }
        Some(listening)
    }

    /// Whether a host, with a port or without, is this house.
    #[must_use]
    pub fn is_own(&self, host: &str, port: Option<u16>, heard_at: Option<SocketAddr>) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host)) {
            return true;
        }
        let Ok(ip) = host.parse::<IpAddr>() else {
            return false;
        };
        let ip = ip.to_canonical();
        let here = |address: SocketAddr| {
            let same = address.ip().to_canonical() == ip
                || (address.ip().is_loopback() && ip.is_loopback());
            same && port.is_none_or(|port| port == address.port())
        };
        heard_at.is_some_and(here) || self.listening.iter().any(|l| here(l.address))
    }
}

/// What only the running program knows of itself.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Where SIP is heard, with the ports that were got.
    pub listening: Vec<Listening>,
    /// The name of this machine; may be empty.
    pub hostname: String,
    /// The user we run as.
    pub uid: u32,
    /// The configuration file; empty if none.
    pub configuration_file: String,
    /// The country of the user's locale.
    pub region: Region,
}

impl Settings {
    /// What the configuration means under these circumstances.
    #[must_use]
    pub fn of(config: &Config, circumstances: &Circumstances) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let domain = config.domain(&circumstances.hostname).to_owned();
        let mut domains = vec![domain];
        for own in ["localhost", &circumstances.hostname] {
            if !own.is_empty() && !domains.iter().any(|domain| domain.eq_ignore_ascii_case(own)) {
                domains.push(own.to_owned());
            }
        }
        let registrar = &config.registrar;
        let limits = &config.limits;
        let mut gate = gate::GateSettings::default();
        gate.requests = gate::Rate::per_second(
            limits.requests_per_second.value(),
            limits.request_burst.value(),
        );
        // Programs on this machine are given more by default; the configuration can only add.
        for (_, rate) in &mut gate.networks {
            if let Some(rate) = rate {
                rate.every = rate.every.min(gate.requests.every);
                rate.burst = rate.burst.max(gate.requests.burst);
            }
        }
        Self {
            domains,
            listening: circumstances.listening.clone(),
            towards: kernel_towards,
            product: config.user_agent().to_owned(),
            trust_own_loopback: registrar.trust_own_loopback,
            uid: circumstances.uid,
            ring: seconds(config.calls.ring_seconds.value()),
            dial_from: Some(config.dial.from.as_str())
                .filter(|from| !from.is_empty())
                .map(ToOwned::to_owned)
                .into_iter()
                .collect(),
            region: config.numbers.region.region().unwrap_or(circumstances.region),
            max_calls: config.calls.calls.value() as usize,
            session_interval: seconds(config.calls.session_expires_seconds.value()),
            keep_texts: Duration::from_secs(
                u64::from(config.messages.keep_days.value()) * 24 * 3600,
            ),
            registrar: registrar::Rules {
                shortest: seconds(registrar.min_expires_seconds.value()),
                longest: seconds(registrar.max_expires_seconds.value()),
                usual: seconds(registrar.default_expires_seconds.value()),
                phones_per_extension: registrar.phones_per_extension.value() as usize,
                phones: registrar.phones.value() as usize,
                ..registrar::Rules::default()
            },
            algorithms: registrar
                .digest_algorithms
                .iter()
                .map(|algorithm| match algorithm {
                    word::Algorithm::Md5 => auth::Algorithm::Md5,
                    word::Algorithm::Sha256 => auth::Algorithm::Sha256,
                    word::Algorithm::Sha512T256 => auth::Algorithm::Sha512T256,
                })
                .collect(),
            login_without_tls: registrar.login_password_without_tls,
            nonce_seconds: registrar.nonce_lifetime_seconds.value().into(),
            gate,
            outside: outside_gate(config.peers.requests_per_minute.value()),
            accept_calls: config.peers.accept_calls,
            call_directly: config.peers.call_directly,
            enum_root: enum_root(&config.numbers).filter(|_| config.peers.call_directly),
            configuration_file: circumstances.configuration_file.clone(),
        }
    }
}

/// Where numbers are looked up, if the user wants it.
fn enum_root(numbers: &Numbers) -> Option<Arc<str>> {
    let named = Some(numbers.enum_root.as_str()).filter(|root| !root.is_empty());
    numbers.look_up.then(|| named.unwrap_or(PUBLIC_ROOT).into())
}

/// The address the kernel would send from: it routes when a socket is connected, and sends nothing.
fn kernel_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr =
        if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Who is not of the house is given little, wherever he is: nothing depends on him.
fn outside_gate(per_minute: u32) -> gate::GateSettings {
    let rate = gate::Rate::per_minute(per_minute);
    gate::GateSettings { requests: rate, refusals: rate, networks: Vec::new(), sources: 4_096 }
}
