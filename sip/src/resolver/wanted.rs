// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, sync::Arc};

use super::{Host, NotAHost};
use crate::{flow::Transport, wire::Uri};

/// What is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The domain, host or numeric address.
    pub host: Host,
    /// The port, if one is stated. Then nothing but addresses is looked up (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// The transport, if one is stated. None leaves the choice to the domain.
    pub transport: Option<Transport>,
    /// Whether nothing but TLS will do, as for `sips:`.
    pub secure: bool,
    /// The transports that we may use, the best first. The order counts where the domain has no
    /// order of its own (NAPTR).
    pub transports: Vec<Transport>,
    /// The kinds of address that we may use.
    pub families: Families,
    /// Whether SRV and NAPTR records are looked for.
    pub services: Services,
    /// What a certificate must show instead of the host: the domain of an account whose provider
    /// states the host that serves it, where that certificate is made out to the domain.
    pub certificate_name: Option<Arc<str>>,
    /// Whether the hosts file of this machine may answer. It may for our own accounts and not for
    /// the domains of others.
    pub hosts_file: bool,
}

/// The kinds of address that may be used, and which comes first (RFC 7984).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Families {
    /// Both, IPv4 first in each pair.
    Ipv4First,
    /// IPv4 alone.
    Ipv4Only,
    /// Both, IPv6 first in each pair.
    #[default]
    Ipv6First,
    /// IPv6 alone.
    Ipv6Only,
}

/// Whether a domain's services are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Services {
    /// Never: the host is a host. Some providers publish records that lead elsewhere.
    Off,
    /// They are needed: without an SRV record there is no service, whatever address the name has.
    /// So with the domains of others, whose web server would else be rung.
    Required,
    /// If there are none, the name itself is the server (RFC 3263 §4.2).
    #[default]
    Usual,
}

impl Wanted {
    /// A host, reached by what its domain offers of TLS, TCP and UDP.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host,
            port: None,
            transport: None,
            secure: false,
            transports: vec![Transport::Tls, Transport::Tcp, Transport::Udp],
            families: Families::default(),
            services: Services::default(),
            certificate_name: None,
            hosts_file: true,
        }
    }

    /// What a SIP URI asks for. A `maddr` parameter is looked up in place of the host (RFC 3263
    /// §4), but a certificate must show the host.
    ///
    /// # Errors
    /// The URI has no host that could be looked up, or wants a transport that we do not know.
    pub fn of(uri: &Uri) -> Result<Self, NotWanted> {
        if !uri.is_sip() {
            return Err(NotWanted::Scheme(uri.scheme().into_owned()));
        }
        let host: Host = uri.host().parse()?;
        let transport = match uri.param("transport") {
            Some(name) => {
                let name = String::from_utf8_lossy(name);
                let named = Transport::from_name(&name)
                    .ok_or_else(|| NotWanted::Transport(name.into_owned()))?;
                Some(named)
            }
            None => None,
        };
        let secure = uri.is_sips();
        let mut wanted = Self { port: uri.port(), transport, secure, ..Self::new(host) };
        if let Some(instead) = uri.param("maddr") {
            wanted.certificate_name = Some(wanted.host.name());
            wanted.host = String::from_utf8_lossy(instead).parse()?;
        }
        Ok(wanted)
    }

    /// What a certificate must show.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.certificate_name.clone().unwrap_or_else(|| self.host.name())
    }
}

/// A URI that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWanted {
    /// Its host is none.
    #[error(transparent)]
    Host(#[from] NotAHost),
    /// It is neither `sip:` nor `sips:`.
    #[error("a {0}: URI names no place; only sip: and sips: do")]
    Scheme(String),
    /// It wants a transport that we do not know.
    #[error("the transport {0:?} is not known; it may be udp, tcp, tls, ws or wss")]
    Transport(String),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some(transport) = self.transport {
            write!(f, ";transport={}", transport.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Wanted, NotWanted> {
        Wanted::of(&Uri::parse(text.to_owned()).unwrap())
    }

    #[test]
    fn a_uri_says_what_is_wanted() {
        for text in ["sip:example.org", "sips:example.org:5071", "sip:[2001:db8::1];transport=tcp"]
        {
            assert_eq!(of(text).unwrap().to_string(), text);
        }
        assert_eq!(of("sip:101@Example.org").unwrap().name().as_ref(), "example.org");
        assert_eq!(of("tel:+4930123456"), Err(NotWanted::Scheme("tel".to_owned())));
        let sctp = of("sip:example.org;transport=sctp");
        assert_eq!(sctp, Err(NotWanted::Transport("sctp".to_owned())));
    }

    #[test]
    fn an_maddr_is_looked_up_and_the_host_is_proven() {
        let wanted = of("sip:101@example.org;maddr=192.0.2.7").unwrap();
        assert_eq!(wanted.host.to_string(), "192.0.2.7");
        assert_eq!(wanted.name().as_ref(), "example.org");
    }
}
