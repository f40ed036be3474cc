// SPDX-License-Identifier: GPL-3.0-or-later
//! The name servers and the hosts file of this machine.

use std::{
    fs::{File, Metadata},
    io::Read,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
        ResolverOpts,
    },
    net::runtime::TokioRuntimeProvider,
    proto::{
        dnssec::TrustAnchors,
        rr::{Name, RecordType},
    },
    system_conf::read_system_conf,
};

use super::{NamesSettings, answer, hosts};
use crate::resolver::{Answer, Kind, NoAnswer, Question};

/// Where the system keeps the addresses of its name servers.
const SERVERS_FILE: &str = "/etc/resolv.conf";
/// A hosts file is read up to here. What block lists add to it is nothing that is called.
const HOSTS_BYTES: u64 = 256 * 1024;
/// However long a name server says that its answer holds.
const LONGEST_MEMORY: Duration = Duration::from_secs(3600);
/// The same for "there is none": whoever adds a record wants it found.
const LONGEST_REGRET: Duration = Duration::from_secs(60);

/// What is built of the system's files, and what they were then.
pub(super) struct Built {
    pub(super) system: System,
    /// For answers that must be proven, built when first needed.
    pub(super) proving: Option<Result<TokioResolver, String>>,
    /// None where the system's files do not matter.
    stamp: Option<Stamp>,
}

/// What questions go to.
#[derive(Clone)]
pub(super) struct System {
    settings: Arc<NamesSettings>,
    resolver: Result<TokioResolver, Arc<str>>,
}

/// A file, as far as a change of it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64)>);

impl Built {
    pub(super) fn new(settings: &Arc<NamesSettings>) -> Self {
        let stamp = settings.servers.is_empty().then(Stamp::now);
        let resolver = resolver(settings, None).map_err(Arc::from);
        let system = System { settings: Arc::clone(settings), resolver };
        Self { system, proving: None, stamp }
    }

    /// Whether the system's files are still what they were.
    pub(super) fn is_current(&self) -> bool {
        self.stamp.is_none_or(|stamp| stamp == Stamp::now())
    }

    /// A resolver that checks signatures, with the trusted keys that are set.
    pub(super) fn proving(&mut self) -> Result<TokioResolver, String> {
        let settings = &self.system.settings;
        let proving = self.proving.get_or_insert_with(|| {
            let anchors = match &settings.trust_anchors {
                None => TrustAnchors::default(),
                Some(file) => TrustAnchors::from_file(file)
                    .map_err(|error| format!("{}: {error}", file.display()))?,
            };
            resolver(settings, Some(Arc::new(anchors)))
        });
        proving.clone()
    }
}

impl Stamp {
    fn now() -> Self {
        let of = |file: Metadata| Some((file.modified().ok()?, file.len()));
        Self(std::fs::metadata(SERVERS_FILE).ok().and_then(of))
    }
}

impl System {
    /// Asks a question, and waits for the answer or until it is clear that none comes.
    pub(super) async fn ask(&self, question: &Question) -> Answer {
        if question.hosts_file
            && let Some(answer) = self.hosts(question)
        {
            return answer;
        }
        let kind = match question.kind {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Naptr => RecordType::NAPTR,
            Kind::Srv => RecordType::SRV,
        };
        let resolver = self.resolver.as_ref().map_err(|why| NoAnswer::Failed(why.to_string()))?;
        let name = whole(&question.name)?;
        answer::of(resolver.lookup(name, kind).await)
    }

    /// What the hosts file says, if it knows the name. A file of the disk's cache is read quicker
    /// than a thread is woken.
    fn hosts(&self, question: &Question) -> Option<Answer> {
        let file = File::open(&self.settings.hosts_file).ok()?;
        let mut text = Vec::new();
        file.take(HOSTS_BYTES).read_to_end(&mut text).ok()?;
        hosts::answer(&String::from_utf8_lossy(&text), question)
    }
}

/// The name with the dot at its end, so that nothing is added to it.
pub(super) fn whole(name: &str) -> Result<Name, NoAnswer> {
    Name::from_ascii(format!("{name}.")).map_err(|error| NoAnswer::Failed(error.to_string()))
}

/// The name servers that are asked, or why there are none.
pub(super) fn servers(settings: &NamesSettings) -> Result<Vec<String>, String> {
    if !settings.servers.is_empty() {
        return Ok(settings.servers.iter().map(ToString::to_string).collect());
    }
    let (config, _) = of_system()?;
    let servers = config.name_servers().iter().map(|server| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        SocketAddr::new(server.ip, port).to_string()
    });
    Ok(servers.collect())
}

fn of_system() -> Result<(ResolverConfig, ResolverOpts), String> {
    read_system_conf().map_err(|error| {
        format!("no name server is set up on this machine ({SERVERS_FILE}: {error})")
    })
}

/// A resolver for the servers that are set, or for those of the system; one that checks signatures
/// if there are keys to trust.
fn resolver(
    settings: &NamesSettings,
    anchors: Option<Arc<TrustAnchors>>,
) -> Result<TokioResolver, String> {
    let (config, mut options) = match settings.servers.as_slice() {
        [] => of_system()?,
        servers => {
            let servers = servers.iter().map(|at| {
                let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
                    let mut connection = ConnectionConfig::new(protocol);
                    connection.port = at.port();
                    connection
                });
                NameServerConfig::new(at.ip(), true, connections.into())
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            (config, ResolverOpts::default())
        }
    };
    // One repetition within the time, since UDP loses things.
    options.timeout = settings.answer;
    options.attempts = 1;
    options.cache_size = settings.remembered;
    options.positive_max_ttl = Some(LONGEST_MEMORY);
    options.negative_max_ttl = Some(LONGEST_REGRET);
    options.use_hosts_file = ResolveHosts::Never;
    // What an answer says of aliases is judged above.
    options.preserve_intermediates = true;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    if let Some(anchors) = anchors {
        options.edns0 = true;
        options.validate = true;
        builder = builder.with_trust_anchor(anchors);
    }
    builder.with_options(options).build().map_err(|error| error.to_string())
}
