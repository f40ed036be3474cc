// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user said: one typed tree. [`Default`] is the only place of defaults, the shipped
//! `config.toml` spells them out, and a test compares the two.
//!
//! Units are part of each key's name, bounds part of each value's type ([`mod@unit`]), so that a wrong
//! value is refused while the file is read, with its line and column. An unknown key is an error.

mod change;
mod error;
pub mod listen;
pub mod locale;
pub mod name_server;
#[cfg(test)]
mod tests;
pub mod unit;
pub mod word;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::change::Difference;
pub use self::error::{ConfigError, Mistake};
use self::{
    listen::ListenAddress,
    name_server::NameServer,
    unit::{Bytes, Count, Days, Seconds},
    word::{
        Algorithm, Domain, ExtensionName, FilePath, LogLevel, LogTarget, PasswordPlace,
        ProductName, RegionName,
    },
};

/// The shipped file.
pub const SHIPPED: &str = include_str!("../../../data/sipwitch/config.toml");

/// A larger file is not a configuration.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Everything that can be configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where and as whom SIP is spoken.
    pub sip: Sip,
    /// Phones that register.
    pub registrar: Registrar,
    /// Domains of others.
    pub peers: Peers,
    /// Calls.
    pub calls: Calls,
    /// Calls begun by a program.
    pub dial: Dial,
    /// How numbers are understood.
    pub numbers: Numbers,
    /// Accounts at providers.
    pub accounts: Accounts,
    /// Texts that wait for a phone.
    pub messages: Messages,
    /// Past calls.
    pub history: History,
    /// How names are looked up.
    pub names: Names,
    /// What anybody may demand of the service.
    pub limits: Limits,
    /// Diagnostics.
    pub log: Log,
}

/// `[sip]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sip {
    /// Where to listen. Use [`Config::listen`], which heeds `lan`.
    pub listen: Vec<ListenAddress>,
    /// Whether other machines may reach the service.
    pub lan: bool,
    /// The domain of the extensions; empty means [`Config::domain`] derives it.
    pub domain: Domain,
    /// What Server and User-Agent say; empty means name and version.
    pub user_agent: ProductName,
    /// The certificate that shows who we are, for TLS; empty means none.
    pub tls_certificate: FilePath,
    /// Its key.
    pub tls_key: FilePath,
    /// Certificates of authorities to believe besides those of the system.
    pub tls_authorities: Vec<FilePath>,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: ListenAddress::LOOPBACK.to_vec(),
            lan: false,
            domain: Domain::default(),
            user_agent: ProductName::default(),
            tls_certificate: FilePath::default(),
            tls_key: FilePath::default(),
            tls_authorities: Vec::new(),
        }
    }
}

/// `[registrar]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registrar {
    /// How long a registration lasts if the phone does not say.
    pub default_expires_seconds: Seconds<60, 604_800>,
    /// A shorter time asked for is refused with 423 (RFC 3261 §10.3).
    pub min_expires_seconds: Seconds<1, 86_400>,
    /// A longer time asked for is cut to this.
    pub max_expires_seconds: Seconds<60, 604_800>,
    /// Phones in all. Each costs about a kilobyte.
    pub phones: Count<1, 1_000_000>,
    /// Phones of one extension.
    pub phones_per_extension: Count<1, 100>,
    /// Digest algorithms offered where there are digests for them, the preferred first (RFC 8760).
    pub digest_algorithms: Vec<Algorithm>,
    /// How long a challenge may be answered before a fresh one is given.
    pub nonce_lifetime_seconds: Seconds<5, 86_400>,
    /// Whether a phone of the same user on the same machine registers without a password.
    pub trust_own_loopback: bool,
    /// Whether phones on other machines may prove the login password without TLS: whoever reads the
    /// network can guess at it then.
    pub login_password_without_tls: bool,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            default_expires_seconds: Seconds::literal(3600),
            min_expires_seconds: Seconds::literal(60),
            max_expires_seconds: Seconds::literal(86_400),
            phones: Count::literal(20_000),
            phones_per_extension: Count::literal(10),
            digest_algorithms: vec![Algorithm::Sha512T256, Algorithm::Sha256, Algorithm::Md5],
            nonce_lifetime_seconds: Seconds::literal(300),
            trust_own_loopback: true,
            login_password_without_tls: false,
        }
    }
}

/// `[peers]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peers {
    /// Whether `sip:anyone@their.domain` is called there directly.
    pub call_directly: bool,
    /// Whether domains of others may call the extensions, over TLS.
    pub accept_calls: bool,
    /// New requests a minute from one address that is not of the house.
    pub requests_per_minute: Count<1, 6000>,
}

impl Default for Peers {
    fn default() -> Self {
        Self { call_directly: true, accept_calls: false, requests_per_minute: Count::literal(10) }
    }
}

/// `[calls]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Calls {
    /// How long phones ring, unless their extension says otherwise.
    pub ring_seconds: Seconds<5, 600>,
    /// After this long without a sign of life a call is over (RFC 4028).
    pub session_expires_seconds: Seconds<90, 86_400>,
    /// Calls at one time. Each costs about four kilobytes.
    pub calls: Count<1, 1_000_000>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            ring_seconds: Seconds::literal(60),
            session_expires_seconds: Seconds::literal(1800),
            calls: Count::literal(10_000),
        }
    }
}

/// `[dial]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dial {
    /// The extension whose phones ring first (a group, if those of several shall); empty means the
    /// only one that has a phone.
    pub from: ExtensionName,
}

/// `[numbers]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Numbers {
    /// The country the house is in; empty means that of the locale.
    pub region: RegionName,
    /// Whether numbers are looked up in the DNS before they are called (ENUM): name servers learn
    /// then whom somebody calls.
    #[serde(rename = "enum")]
    pub look_up: bool,
    /// Below which name numbers are looked up; empty means `e164.arpa`.
    pub enum_root: Domain,
}

/// `[accounts]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Accounts {
    /// Where their passwords are kept.
    pub passwords: PasswordPlace,
}

/// `[messages]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Messages {
    /// Texts that wait, in all.
    pub keep: Count<0, 100_000>,
    /// Texts that wait for one extension.
    pub keep_per_extension: Count<0, 10_000>,
    /// How long they wait.
    pub keep_days: Days<1, 365>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            keep: Count::literal(1000),
            keep_per_extension: Count::literal(100),
            keep_days: Days::literal(7),
        }
    }
}

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct History {
    /// Past calls remembered; 0 remembers none.
    pub keep: Count<0, 1_000_000>,
    /// How long.
    pub keep_days: Days<1, 3650>,
}

impl Default for History {
    fn default() -> Self {
        Self { keep: Count::literal(1000), keep_days: Days::literal(90) }
    }
}

/// `[names]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Names {
    /// The name servers that are asked; none are those of the system.
    pub servers: Vec<NameServer>,
    /// A file of DNSKEY records that are trusted instead of the root's, which are built in; empty
    /// means none.
    pub trust_anchors: FilePath,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// New requests a second from one address, over a long time.
    pub requests_per_second: Count<1, 1_000_000>,
    /// New requests from one address at once.
    pub request_burst: Count<1, 1_000_000>,
    /// Connections in all.
    pub connections: Count<1, 100_000>,
    /// Connections from one address.
    pub connections_per_source: Count<1, 100_000>,
    /// A connection that is silent this long is closed. Shorter than registrations last, it makes
    /// phones unreachable that send no keep-alives.
    pub idle_connection_seconds: Seconds<10, 86_400>,
    /// A message that is not whole after this long closes its connection.
    pub half_message_seconds: Seconds<1, 600>,
    /// The largest message, headers and body.
    pub message_bytes: Bytes<4096, 1_048_576>,
    /// Header fields in one message.
    pub header_fields: Count<32, 4096>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: Count::literal(100),
            request_burst: Count::literal(400),
            connections: Count::literal(20_000),
            connections_per_source: Count::literal(12_000),
            idle_connection_seconds: Seconds::literal(7200),
            half_message_seconds: Seconds::literal(10),
            // A body of 64 KiB, and as much again for its headers.
            message_bytes: Bytes::literal(131_072),
            header_fields: Count::literal(256),
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// How much is said.
    pub level: LogLevel,
    /// Where to.
    pub target: LogTarget,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or says something wrong; the error names the place.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |why| ConfigError::Unreadable { path: path.to_owned(), why };
        let mut text = String::new();
        let read = File::open(path)
            .and_then(|file| file.take(LARGEST_FILE + 1).read_to_string(&mut text))
            .map_err(unreadable)?;
        if read as u64 > LARGEST_FILE {
            return Err(unreadable(io::Error::other("it is larger than 1 MiB")));
        }
        Self::parse(&text).map_err(|mistake| ConfigError::Wrong { path: path.to_owned(), mistake })
    }

    /// Reads a file that need not be there: without one the defaults apply.
    ///
    /// # Errors
    ///
    /// As [`Config::load`], but for a file that does not exist.
    pub fn load_if_present(path: &Path) -> Result<Option<Self>, ConfigError> {
        match Self::load(path) {
            Ok(config) => Ok(Some(config)),
            Err(ConfigError::Unreadable { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads text.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let config: Self =
            toml::from_str(text).map_err(|error| Mistake::from_toml(text, &error))?;
        match config.contradiction() {
            Some((section, keys, words)) => Err(Mistake::at_key(text, section, keys, words)),
            None => Ok(config),
        }
    }

    /// What each value allows and their combination does not: the section, the key, after it those
    /// it disagrees with, and words.
    fn contradiction(&self) -> Option<(&'static str, &'static [&'static str], String)> {
        let registrar = &self.registrar;
        if self.sip.listen.is_empty() {
            return Some((
                "sip",
                &["listen"],
                "no address to listen on: leave the key out, or name one".into(),
            ));
        }
        if let Some(open) = self.sip.listen.iter().find(|at| !at.address.is_loopback())
            && !self.sip.lan
        {
            let words =
                format!("{open} can be reached by other machines: set lan = true if that is meant");
            return Some(("sip", &["listen"], words));
        }
        match (self.sip.tls_certificate.is_set(), self.sip.tls_key.is_set()) {
            (true, false) => {
                let words = "a certificate without its key is of no use: set tls-key too".into();
                return Some(("sip", &["tls-certificate", "tls-key"], words));
            }
            (false, true) => {
                let words = "a key without its certificate is of no use: set tls-certificate too";
                return Some(("sip", &["tls-key", "tls-certificate"], words.into()));
            }
            (false, false) if self.listens_for_tls() => {
                let words = "tls: needs a certificate to show: set tls-certificate and tls-key";
                return Some(("sip", &["listen", "tls-certificate"], words.into()));
            }
            (true, true) | (false, false) => {}
        }
        if self.peers.accept_calls && !self.listens_for_tls() {
            let words = "domains of others call over TLS: name a tls: address in sip.listen".into();
            return Some(("peers", &["accept-calls"], words));
        }
        let (least, most) = (registrar.min_expires_seconds, registrar.max_expires_seconds);
        if least.value() > most.value() {
            let words = format!("must not be above max-expires-seconds, which is {most}");
            return Some(("registrar", &["min-expires-seconds", "max-expires-seconds"], words));
        }
        let usual = registrar.default_expires_seconds.value();
        if !(least.value()..=most.value()).contains(&usual) {
            let words = format!(
                "must be between min-expires-seconds ({least}) and max-expires-seconds ({most})"
            );
            return Some((
                "registrar",
                &["default-expires-seconds", "min-expires-seconds", "max-expires-seconds"],
                words,
            ));
        }
        let algorithms = &registrar.digest_algorithms;
        if algorithms.iter().all(|algorithm| *algorithm == Algorithm::Sha512T256) {
            return Some((
                "registrar",
                &["digest-algorithms"],
                "no phone could register by the password of its extension: name SHA-256, MD5 or both"
                    .into(),
            ));
        }
        if (1..algorithms.len()).any(|at| algorithms[..at].contains(&algorithms[at])) {
            let words = "each algorithm may be named once".into();
            return Some(("registrar", &["digest-algorithms"], words));
        }
        None
    }

    /// Whether others may connect over TLS.
    fn listens_for_tls(&self) -> bool {
        self.sip.listen.iter().any(|at| at.transport == listen::Transport::Tls)
    }

    /// Where to listen. With `lan` an address of the loopback stands for every address of its
    /// family, so that one switch opens the house.
    #[must_use]
    pub fn listen(&self) -> Vec<ListenAddress> {
        let open = |at: &ListenAddress| if self.sip.lan { at.opened() } else { *at };
        self.sip.listen.iter().map(open).collect()
    }

    /// The domain of the extensions: what was configured; else, as long as no other machine can
    /// reach the service, `localhost`; else the name of the machine.
    #[must_use]
    pub fn domain<'a>(&'a self, hostname: &'a str) -> &'a str {
        match (self.sip.domain.as_str(), self.sip.lan) {
            ("", true) if !hostname.is_empty() => hostname,
            ("", _) => "localhost",
            (domain, _) => domain,
        }
    }

    /// What Server and User-Agent say.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        match self.sip.user_agent.as_str() {
            "" => concat!("SIPWitch/", env!("CARGO_PKG_VERSION")),
            name => name,
        }
    }
}

/// Where the user's file is: `$XDG_CONFIG_HOME/sipwitch/config.toml`.
#[must_use]
pub fn path_in(config_home: &Path) -> PathBuf {
    config_home.join("sipwitch").join("config.toml")
}
