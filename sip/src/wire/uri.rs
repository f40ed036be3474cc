// SPDX-License-Identifier: GPL-3.0-or-later

use std::{borrow::Cow, fmt, net::IpAddr};

use bytes::Bytes;
use sipx_sip::uri::Host;

use crate::flow::Transport;

/// A URI that does not follow its grammar; says what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub(super) String);

/// A SIP, SIPS, tel or any other URI (RFC 3261 §19.1, RFC 3966). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uri(pub(super) sipx_sip::Uri);

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, UriError> {
        sipx_sip::Uri::parse(text.into()).map(Self).map_err(|error| UriError(error.to_string()))
    }

    /// `sip:user@host:port`, the parts escaped as needed. An empty user leaves it out.
    ///
    /// # Errors
    /// The host is no host.
    pub fn sip(user: &str, host: &str, port: Option<u16>) -> Result<Self, UriError> {
        Self::parse(sip_text(user, host, port))
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.0.scheme().is_sip()
    }

    /// Whether the scheme is `sips`.
    #[must_use]
    pub fn is_sips(&self) -> bool {
        self.0.scheme().is_secure()
    }

    /// The scheme in the case it was written.
    #[must_use]
    pub fn scheme(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.0.scheme().as_bytes())
    }

    /// The user part with its escapes resolved, or the number of a `tel:` URI. None if there is
    /// none or it is no UTF-8.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        if let Some(tel) = self.0.tel_parts() {
            return String::from_utf8(tel.subscriber().to_vec()).ok();
        }
        self.0.decoded_user().and_then(|user| String::from_utf8(user).ok())
    }

    /// The host as text, without the brackets of an IPv6 reference; empty where the scheme has
    /// none.
    #[must_use]
    pub fn host(&self) -> String {
        match self.0.host() {
            None => String::new(),
            Some(Host::Ip(ip)) => ip.to_string(),
            Some(host) => String::from_utf8_lossy(&host.to_bytes()).into_owned(),
        }
    }

    /// The host, if it is a numeric address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0.host() {
            Some(Host::Ip(ip)) => Some(*ip),
            Some(Host::Name(_)) | None => None,
        }
    }

    /// The port, if stated.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// The value of a URI parameter; empty for one without value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.0.params()?.get(name).map(|param| param.value().unwrap_or_default())
    }

    /// The value of one of the header fields in the URI (RFC 3261 §19.1.1), still escaped.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.headers()?.get(name).map(|param| param.value().unwrap_or_default())
    }

    /// Whether header fields stand in the URI.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        self.0.has_headers()
    }

    /// The transport asked for: the `transport` parameter, or TLS for `sips`, or UDP.
    /// None for a transport we do not know.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        match self.param("transport") {
            Some(value) => {
                let named = Transport::from_name(std::str::from_utf8(value).ok()?)?;
                Some(if self.is_sips() && named == Transport::Tcp { Transport::Tls } else { named })
            }
            None if self.is_sips() => Some(Transport::Tls),
            None => Some(Transport::Udp),
        }
    }

    /// The same URI without header fields and without the parameters that may not stand in a
    /// Request-URI (`method`), RFC 3261 §19.1.1 table 1.
    #[must_use]
    pub fn for_request_line(&self) -> Self {
        if !self.has_headers() && self.param("method").is_none() {
            return self.clone();
        }
        let mut uri = self.0.clone();
        if uri.has_headers() {
            let names: Vec<String> = uri
                .headers()
                .map(|headers| {
                    headers.iter().map(|h| String::from_utf8_lossy(h.name()).into_owned()).collect()
                })
                .unwrap_or_default();
            for name in names {
                uri.remove_header(&name);
            }
        }
        uri.remove_param("method");
        Self(uri)
    }

    /// Whether both mean the same (RFC 3261 §19.1.4).
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        self.0.equivalent(&other.0)
    }

    /// The URI as it goes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // The crate's own begins without any room.
        let mut out = Vec::with_capacity(USUAL);
        self.0.write_to(&mut out);
        out.into()
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        self.0.write_to(out);
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl PartialEq for Uri {
    /// Byte for byte; see [`Uri::is_equivalent`] for the RFC's comparison.
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Uri {}

/// Room for an ordinary URI.
const USUAL: usize = 64;

/// `sip:user@host:port`, of a host that is known to be one, the user escaped as needed.
pub(crate) fn sip_text(user: &str, host: &str, port: Option<u16>) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(USUAL);
    text.push_str("sip:");
    if !user.is_empty() {
        escape_user(user, &mut text);
        text.push('@');
    }
    text.push_str(host);
    if let Some(port) = port {
        let _ = write!(text, ":{port}");
    }
    text
}

/// Escapes what may not stand bare in a user part (RFC 3261 §25.1 `user-unreserved`).
fn escape_user(user: &str, out: &mut String) {
    use std::fmt::Write;
    for &byte in user.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_escapes_resolved() {
        let uri = Uri::parse("sip:10%31@[::1]:5070;transport=TCP?Replaces=a%40b").unwrap();
        assert_eq!(uri.user().as_deref(), Some("101"));
        assert_eq!(uri.ip(), Some("::1".parse().unwrap()));
        assert_eq!(uri.port(), Some(5070));
        assert_eq!(uri.transport(), Some(Transport::Tcp));
        assert_eq!(uri.header("replaces"), Some(&b"a%40b"[..]));
        assert_eq!(uri.for_request_line().header("replaces"), None);
    }

    #[test]
    fn a_user_with_odd_letters_is_escaped() {
        assert_eq!(
            Uri::sip("a b@c", "example", None).unwrap().to_string(),
            "sip:a%20b%40c@example"
        );
        assert_eq!(Uri::parse("tel:+4930123").unwrap().user().as_deref(), Some("+4930123"));
    }
}
