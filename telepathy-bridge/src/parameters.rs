// SPDX-License-Identifier: GPL-3.0-or-later
//! The parameters of the protocols.
//!
//! `tel` has none. Those of `sip` are named and typed as telepathy-rakia has them, so that an account
//! which was made for that can be given to us. What each means here stands in docs/telepathy.md.

use std::{collections::HashMap, fmt};

use sipwitch_dbus_interfaces::wire::AccountProperties;
use zbus::zvariant::{OwnedValue, Value};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Name},
    protocol::Protocol,
};

/// Conn_Mgr_Param_Flags.
const REQUIRED: u32 = 1;
const REGISTER: u32 = 2;
const HAS_DEFAULT: u32 = 4;
const SECRET: u32 = 8;

/// The longest value, in bytes.
const MAX_VALUE: usize = 255;
/// How often a way is kept open where only how was said.
const USUAL_INTERVAL: i64 = 30;
/// The port that stands for none being said.
const USUAL_PORT: u16 = 5060;

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What holds if it is not given; says its type too.
    usual: Usual,
    flags: u32,
}

/// The value of a parameter that is not given.
#[derive(Debug, Clone, Copy)]
enum Usual {
    /// None, of a text.
    NoText,
    /// None, of a port.
    NoPort,
    Text(&'static str),
    Port(u16),
    Number(u32),
    Flag(bool),
}

impl Parameter {
    const fn text(name: &'static str) -> Self {
        Self { name, usual: Usual::NoText, flags: 0 }
    }

    const fn usually(name: &'static str, usual: Usual) -> Self {
        Self { name, usual, flags: HAS_DEFAULT }
    }

    const fn with(self, flags: u32) -> Self {
        Self { flags: self.flags | flags, ..self }
    }

    /// Its type.
    pub(crate) const fn signature(&self) -> &'static str {
        match self.usual {
            Usual::NoText | Usual::Text(_) => "s",
            Usual::NoPort | Usual::Port(_) => "q",
            Usual::Number(_) => "u",
            Usual::Flag(_) => "b",
        }
    }

    /// Whether it can have this value. A number of any type will do that fits: Mission Control knows
    /// no small ones, and sends all as `u` or `i`.
    fn takes(&self, value: &OwnedValue) -> bool {
        match self.usual {
            Usual::NoText | Usual::Text(_) => value.downcast_ref::<&str>().is_ok(),
            Usual::Flag(_) => value.downcast_ref::<bool>().is_ok(),
            Usual::NoPort | Usual::Port(_) => {
                number(value).is_some_and(|n| u16::try_from(n).is_ok())
            }
            Usual::Number(_) => number(value).is_some_and(|n| u32::try_from(n).is_ok()),
        }
    }

    /// The words behind the type in a .manager file.
    pub(crate) fn words(&self) -> String {
        let words = [(REQUIRED, " required"), (REGISTER, " register"), (SECRET, " secret")];
        words.iter().filter(|(flag, _)| self.flags & flag != 0).map(|(_, word)| *word).collect()
    }

    /// Its usual value, if it has one, as a .manager file writes it.
    pub(crate) fn usual(&self) -> Option<String> {
        match self.usual {
            Usual::NoText | Usual::NoPort => None,
            Usual::Text(text) => Some(text.to_owned()),
            Usual::Port(port) => Some(port.to_string()),
            Usual::Number(number) => Some(number.to_string()),
            Usual::Flag(flag) => Some(flag.to_string()),
        }
    }

    /// As it stands on the bus: `(susv)`.
    pub(crate) fn value(&self) -> (String, u32, String, Value<'static>) {
        let usual = match self.usual {
            Usual::NoText => "".into(),
            Usual::Text(text) => text.into(),
            Usual::NoPort => 0u16.into(),
            Usual::Port(port) => port.into(),
            Usual::Number(number) => number.into(),
            Usual::Flag(flag) => flag.into(),
        };
        (self.name.to_owned(), self.flags, self.signature().to_owned(), usual)
    }
}

/// The parameters of `sip`.
const SIP: &[Parameter] = &[
    Parameter::text("account").with(REQUIRED | REGISTER),
    Parameter::text("auth-user"),
    Parameter::text("password").with(SECRET),
    Parameter::text("alias"),
    Parameter::text("registrar"),
    Parameter::text("proxy-host"),
    Parameter::usually("port", Usual::Port(USUAL_PORT)),
    Parameter::usually("transport", Usual::Text("auto")),
    Parameter::usually("loose-routing", Usual::Flag(false)),
    Parameter::usually("discover-binding", Usual::Flag(true)),
    Parameter::usually("keepalive-mechanism", Usual::Text("auto")),
    Parameter::usually("keepalive-interval", Usual::Number(0)),
    Parameter::usually("discover-stun", Usual::Flag(true)),
    Parameter::text("stun-server"),
    Parameter::usually("stun-port", Usual::Port(3478)),
    Parameter::usually("immutable-streams", Usual::Flag(false)),
    Parameter::text("local-ip-address"),
    Parameter { name: "local-port", usual: Usual::NoPort, flags: 0 },
    Parameter::text("extra-auth-user"),
    Parameter::text("extra-auth-password").with(SECRET),
    Parameter::usually("ignore-tls-errors", Usual::Flag(false)),
];

impl Protocol {
    /// Its parameters. Without any that is required, an account needs nothing from the user.
    pub(crate) const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Tel => &[],
            Self::Sip => SIP,
        }
    }

    /// Holds the parameters of an account against those there are.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is unknown, of another type, too long, or missing.
    pub(crate) fn check(self, given: &HashMap<String, OwnedValue>) -> Result<(), Error> {
        let wrong = |words: String| Err(Name::InvalidArgument.because(words));
        // The same one is named whatever the order of the dictionary.
        let mut names: Vec<&String> = given.keys().collect();
        names.sort_unstable();
        for name in names {
            let known = self.parameters().iter().find(|known| known.name == name);
            let Some(known) = known else {
                let name: String = name.chars().take(48).collect();
                return wrong(format!("{name:?} is no parameter of the protocol {}", self.name()));
            };
            let value = &given[name];
            if !known.takes(value) {
                let signature = value.value_signature();
                return wrong(format!("{name} is of type {}, not {signature}", known.signature()));
            }
            if value
                .downcast_ref::<&str>()
                .is_ok_and(|text| text.len() > MAX_VALUE || text.chars().any(char::is_control))
            {
                return wrong(format!("{name} has more than {MAX_VALUE} bytes, or odd ones"));
            }
        }
        let missing = self
            .parameters()
            .iter()
            .find(|known| known.flags & REQUIRED != 0 && text(given, known.name).is_none());
        match missing {
            Some(missing) => wrong(format!("{} is missing", missing.name)),
            None => Ok(()),
        }
    }
}

/// What a client says of an account at a provider.
pub(crate) struct ProviderAccount {
    /// The user part of its address.
    pub(crate) user: String,
    /// The domain of its address.
    pub(crate) domain: String,
    /// The name that called sides see; empty for none.
    pub(crate) alias: String,
    /// The password, if it was given.
    pub(crate) password: Option<Zeroizing<String>>,
    settings: HashMap<String, String>,
}

/// Passwords are not shown.
impl fmt::Debug for ProviderAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderAccount")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl ProviderAccount {
    /// Reads the parameters, which were checked.
    ///
    /// # Errors
    /// `InvalidArgument` for values that cannot be.
    pub(crate) fn read(given: &HashMap<String, OwnedValue>) -> Result<Self, Error> {
        let address = Address::read(text(given, "account").unwrap_or_default())?;
        let mut settings = HashMap::new();
        let mut set = |key: &str, value: String| drop(settings.insert(key.to_owned(), value));
        if let Some(user) = text(given, "auth-user") {
            set("auth.auth-user", user.to_owned());
        }
        if let Some(alias) = text(given, "alias") {
            set("identity.display-name", alias.to_owned());
        }
        if let Some(registrar) = text(given, "registrar") {
            set("server.registrar", Place::read("registrar", registrar)?.host.to_owned());
        }
        let proxy = text(given, "proxy-host").map(|proxy| Place::read("proxy-host", proxy));
        let proxy = proxy.transpose()?;
        let port = given.get("port").and_then(number).and_then(|port| u16::try_from(port).ok());
        let port = port.filter(|port| *port != 0);
        let port = match &proxy {
            Some(proxy) => proxy.port.or(port),
            // Where the usual one is said as one says nothing, the name system tells more.
            None => address.port.or_else(|| port.filter(|port| *port != USUAL_PORT)),
        };
        if let Some(proxy) = &proxy {
            set("server.outbound-proxy", proxy.host.to_owned());
        }
        if let Some(port) = port {
            set("server.port", port.to_string());
        }
        let transport = text(given, "transport").unwrap_or("auto").to_ascii_lowercase();
        match transport.as_str() {
            "auto" if address.is_secure => set("server.transports", "tls".into()),
            "auto" => {}
            "udp" | "tcp" | "tls" => set("server.transports", transport),
            other => {
                let words = format!("transport: {other:?} is none of auto, udp, tcp, tls");
                return Err(Name::InvalidArgument.because(words));
            }
        }
        if address.is_secure {
            set("server.tls-scheme", "sips".into());
        }
        let interval = given.get("keepalive-interval").and_then(number);
        let interval = interval.filter(|seconds| *seconds > 0).map(|s| s.clamp(5, 3600));
        let mechanism = text(given, "keepalive-mechanism").unwrap_or("auto");
        let method = match mechanism {
            "auto" => interval.map(|_| "crlf"),
            "register" => Some("register"),
            "options" => Some("options"),
            // What is sent to a STUN server keeps the same way open as blank lines do.
            "stun" => Some("crlf"),
            "off" => None,
            other => {
                let words = format!(
                    "keepalive-mechanism: {other:?} is none of auto, register, options, stun, off"
                );
                return Err(Name::InvalidArgument.because(words));
            }
        };
        if let Some(method) = method {
            set("nat.keepalive.method", method.into());
            let seconds = interval.unwrap_or(USUAL_INTERVAL);
            set("nat.keepalive.interval-seconds", seconds.to_string());
        }
        let discovers = given.get("discover-binding");
        if discovers.and_then(|flag| flag.downcast_ref::<bool>().ok()) != Some(false) {
            set("nat.contact", "mapped".into());
        }
        let password = text(given, "password").filter(|password| !password.is_empty());
        Ok(Self {
            user: address.user.to_owned(),
            domain: address.host.to_ascii_lowercase(),
            alias: text(given, "alias").unwrap_or_default().to_owned(),
            password: password.map(|password| Zeroizing::new(password.to_owned())),
            settings,
        })
    }

    /// Its address, as a person reads it.
    pub(crate) fn address(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }

    /// What the service is to make of it.
    pub(crate) fn properties(&self) -> AccountProperties {
        AccountProperties {
            domain: Some(self.domain.clone()),
            transient: Some(true),
            title: Some(self.address()),
            answers: Some(HashMap::from([("user".to_owned(), self.user.clone())])),
            settings: Some(self.settings.clone()),
            password: self.password.as_ref().map(|password| password.to_string()),
            ..AccountProperties::default()
        }
    }
}

/// The parameter `account`: `alice@example.org`, or the same with `sip:` or `sips:`.
struct Address<'a> {
    is_secure: bool,
    user: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Address<'a> {
    fn read(text: &'a str) -> Result<Self, Error> {
        let (is_secure, rest) = without_scheme(text.trim());
        let rest = rest.split([';', '?']).next().unwrap_or_default();
        let Some((user, place)) = rest.rsplit_once('@').filter(|(user, _)| !user.is_empty()) else {
            let words = "account: give a user and a domain, such as alice@example.org";
            return Err(Name::InvalidArgument.because(words));
        };
        let Place { host, port } = Place::read("account", place)?;
        Ok(Self { is_secure, user, host, port })
    }
}

/// A host, and a port if one is said.
struct Place<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Place<'a> {
    fn read(what: &str, text: &'a str) -> Result<Self, Error> {
        let (_, rest) = without_scheme(text.trim());
        let rest = rest.split([';', '?', '>']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        // What stands in brackets is an address of IPv6, and has colons of its own.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = port.map(str::parse).transpose();
        match port {
            Ok(port) if !host.is_empty() => Ok(Self { host, port }),
            _ => {
                let words = format!("{what}: {rest:?} is no host, with or without a port");
                Err(Name::InvalidArgument.because(words))
            }
        }
    }
}

fn without_scheme(text: &str) -> (bool, &str) {
    let text = text.trim_start_matches('<');
    match text.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (false, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => (true, rest),
        _ => (false, text),
    }
}

fn number(value: &OwnedValue) -> Option<i64> {
    match **value {
        Value::U8(number) => Some(number.into()),
        Value::I16(number) => Some(number.into()),
        Value::U16(number) => Some(number.into()),
        Value::I32(number) => Some(number.into()),
        Value::U32(number) => Some(number.into()),
        Value::I64(number) => Some(number),
        Value::U64(number) => i64::try_from(number).ok(),
        _ => None,
    }
}

fn text<'a>(given: &'a HashMap<String, OwnedValue>, name: &str) -> Option<&'a str> {
    let text = given.get(name)?.downcast_ref::<&str>().ok()?;
    (!text.is_empty()).then_some(text)
}
