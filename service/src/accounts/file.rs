// SPDX-License-Identifier: GPL-3.0-or-later
//! An account as its file has it: what the user said, and nothing of what the provider says.
//!
//! There is no key for a password, and a password among the answers is refused: it belongs into the
//! keyring.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sipwitch_core::{
    extension::ExtensionNumber,
    line::{Cost, DialFormat, EmergencyAbility},
    number::Region,
    pattern::Pattern,
};

use super::plan::Source;
use crate::{
    config::{
        Mistake,
        unit::{Count, Seconds},
        word::{Algorithm, ExtensionName},
    },
    providers::{
        AskKey, Digits, HostTemplate, Port, ProviderId, Realm, UserTemplate, Words,
        word::{CallerId, ContactAddress, IpFamily, KeepaliveMethod, Scheme, Srv, Transport},
    },
};

/// A larger file is no account's.
pub const LARGEST_FILE: u64 = 64 * 1024;

/// `accounts.d/ID.toml`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AccountFile {
    /// The provider, by its file of facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderId>,
    /// Instead of a provider: the domain of the addresses there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<HostTemplate>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The name a person reads; that of the provider if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Words>,
    /// Whether it is wanted.
    pub enabled: bool,
    /// Its place among the lines.
    pub order: Count<0, 10_000>,
    /// The extension or group that calls and messages from outside reach; empty for whoever has a
    /// phone.
    #[serde(skip_serializing_if = "is_empty")]
    pub incoming: ExtensionName,
    /// The extensions that may call by it; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<ExtensionNumber>,
    /// What the provider asks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<AskKey, String>,
    /// `[server]`
    #[serde(skip_serializing_if = "is_default")]
    pub server: Server,
    /// `[auth]`
    #[serde(skip_serializing_if = "is_default")]
    pub auth: Auth,
    /// `[register]`
    #[serde(skip_serializing_if = "is_default")]
    pub register: Register,
    /// `[identity]`
    #[serde(skip_serializing_if = "is_default")]
    pub identity: Identity,
    /// `[numbers]`
    #[serde(skip_serializing_if = "is_default")]
    pub numbers: Numbers,
    /// `[nat]`
    #[serde(skip_serializing_if = "is_default")]
    pub nat: Nat,
    /// `[costs]`
    #[serde(skip_serializing_if = "is_default")]
    pub costs: Costs,
    /// `[trunk]`
    #[serde(skip_serializing_if = "is_default")]
    pub trunk: Trunk,
    /// `[gateway]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
}

impl Default for AccountFile {
    fn default() -> Self {
        Self {
            provider: None,
            domain: None,
            kind: None,
            title: None,
            enabled: true,
            order: Count::literal(100),
            incoming: ExtensionName::default(),
            users: Vec::new(),
            answers: BTreeMap::new(),
            server: Server::default(),
            auth: Auth::default(),
            register: Register::default(),
            identity: Identity::default(),
            numbers: Numbers::default(),
            nat: Nat::default(),
            costs: Costs::default(),
            trunk: Trunk::default(),
            gateway: None,
        }
    }
}

fn is_empty(name: &ExtensionName) -> bool {
    name.number().is_none()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It registers with a password.
    Account,
    /// A phone registered here that leads to the telephone network.
    Gateway,
    /// A fixed link between two addresses, without a password.
    Trunk,
}

/// `[server]`: where it is reached, if not where the provider says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    /// Where registrations go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registrar: Option<HostTemplate>,
    /// Through what everything goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_proxy: Option<HostTemplate>,
    /// Whether the name system tells servers and ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srv: Option<Srv>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// What carries SIP there, the preferred first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<Transport>,
    /// The host whose certificate is asked for with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_host: Option<HostTemplate>,
    /// The port of TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_port: Option<Port>,
    /// How TLS is written in addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_scheme: Option<Scheme>,
    /// The kinds of IP it is reached by, the preferred first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip: Vec<IpFamily>,
}

/// `[auth]`: as whom we are known, if not as the provider says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Auth {
    /// The user name in challenges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_user: Option<UserTemplate>,
    /// The only realm to which the password may be proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<Realm>,
    /// Digest algorithms that may be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<Algorithm>,
}

/// `[register]`: how our whereabouts are told, if not as the provider says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Register {
    /// Whether to register at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// How long a registration is to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<Seconds<60, 604_800>>,
}

/// `[identity]`: as whom calls are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// The name shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Words>,
    /// The number shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Digits>,
    /// Whether the number is not to be shown.
    pub hide_number: bool,
    /// The user name in From.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserTemplate>,
    /// Where the provider reads the number to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<CallerId>,
}

/// `[numbers]`: how numbers are dialled, and which are ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Numbers {
    /// Our numbers there, by which the provider may call us.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<Digits>,
    /// The form in which numbers are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dial: Option<DialFormat>,
    /// The country whose numbers are national there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// What comes before an area code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_prefix: Option<Digits>,
    /// What comes before a country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub international_prefix: Option<Digits>,
    /// Whether it takes emergency calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyAbility>,
    /// The only numbers it is used for, as they are dialled here; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Pattern>,
    /// Other domains in its own network, besides that of the address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<HostTemplate>,
}

/// `[nat]`: what keeps the way open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nat {
    /// What is sent, and how often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Keepalive>,
    /// Which address of ours it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactAddress>,
}

/// `nat.keepalive`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keepalive {
    /// What is sent.
    pub method: KeepaliveMethod,
    /// How often.
    pub interval_seconds: Seconds<5, 3600>,
}

/// `[costs]`: what calls cost, and how much is to be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Costs {
    /// What a minute costs, by the beginning of the international number without its `+`; the
    /// empty beginning stands for all other numbers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_minute: BTreeMap<String, Cost>,
    /// Minutes of a month that are paid for already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub included_minutes: Option<Count<1, 1_000_000>>,
    /// After so many minutes in a month it is used for emergencies alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_minutes: Option<Count<1, 1_000_000>>,
    /// Calls at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Count<1, 10_000>>,
}

/// `[trunk]`: the other side of a fixed link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trunk {
    /// The addresses and networks that its calls come from; empty for those of its servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// `[gateway]`: a phone that leads to the telephone network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gateway {
    /// The extension it registers as.
    pub extension: ExtensionNumber,
}

/// Why a file is no account.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is too large to be one.
    #[error("it is larger than {} KiB, too large for an account", LARGEST_FILE / 1024)]
    TooLarge,
    /// It says something wrong.
    #[error("{0}")]
    Wrong(#[from] Mistake),
}

impl AccountFile {
    /// Reads text.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let file: Self = toml::from_str(text).map_err(|error| Mistake::from_toml(text, &error))?;
        match file.contradiction() {
            Some((section, key, words)) => Err(Mistake::at_key(text, section, &[key], words)),
            None => Ok(file),
        }
    }

    /// Reads a file. No more of it is read than an account can have, and nothing but a file: a pipe
    /// would keep us waiting.
    ///
    /// # Errors
    ///
    /// If it cannot be read or says something wrong.
    pub fn load(path: &Path) -> Result<Self, Unreadable> {
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file").into());
        }
        let mut text = String::new();
        let file = File::open(path)?;
        if file.take(LARGEST_FILE + 1).read_to_string(&mut text)? as u64 > LARGEST_FILE {
            return Err(Unreadable::TooLarge);
        }
        Ok(Self::parse(&text)?)
    }

    /// As text, without what is as usual.
    ///
    /// # Errors
    ///
    /// If what it holds cannot stand in one file.
    pub fn text(&self) -> Result<String, Mistake> {
        let whole = |words| Mistake { line: 0, column: 0, key: String::new(), words };
        let body = toml::to_string(self).map_err(|error| whole(error.to_string()))?;
        let text = format!(
            "# An account of SIP Witch; its keys are described in sipwitch-account(5).\n# The \
             password is not here: use `sipwitch accounts password`.\n\n{body}"
        );
        if text.len() as u64 > LARGEST_FILE {
            return Err(whole(Unreadable::TooLarge.to_string()));
        }
        // What was put together must hold together.
        Self::parse(&text).map(|_| text)
    }

    /// What it is, as far as the file says it.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.kind.or_else(|| self.gateway.is_some().then_some(Kind::Gateway))
    }

    /// What each value allows and their combination does not.
    fn contradiction(&self) -> Option<(&'static str, &'static str, String)> {
        let wrong = |section, key, words: &str| Some((section, key, words.to_owned()));
        let is_gateway = self.kind() == Some(Kind::Gateway);
        match (&self.provider, &self.domain, &self.gateway) {
            (Some(_), Some(_), _) => {
                return wrong("", "domain", "name a provider or a domain, and not both");
            }
            (None, None, None) if is_gateway => {
                return wrong("", "gateway", "missing: say which extension the gateway is");
            }
            (None, None, None) => {
                return wrong("", "provider", "missing: name a provider, or a domain");
            }
            (None, None, Some(_)) | (_, _, None) => {}
            (_, _, Some(_)) => {
                return wrong("", "gateway", "a gateway is a phone here: it has no provider");
            }
        }
        if let Some(domain) = &self.domain
            && domain.places().next().is_some()
        {
            return wrong("", "domain", "write the domain itself, such as sip.example.org");
        }
        if self.kind == Some(Kind::Gateway) && self.gateway.is_none() {
            return wrong("", "kind", "a gateway needs a section [gateway] with its extension");
        }
        if self.gateway.is_some() && !is_gateway {
            return wrong("", "kind", "with a section [gateway] it is a gateway");
        }
        if !self.trunk.sources.is_empty() && self.kind.is_some_and(|kind| kind != Kind::Trunk) {
            return wrong("trunk", "sources", "this is no trunk: use kind = \"trunk\"");
        }
        if self
            .costs
            .per_minute
            .keys()
            .any(|beginning| beginning.len() > 15 || !beginning.bytes().all(|b| b.is_ascii_digit()))
        {
            let words = "write the beginning of an international number without +, such as \"49\"";
            return wrong("costs", "per-minute", words);
        }
        None
    }
}
