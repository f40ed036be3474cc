// SPDX-License-Identifier: GPL-3.0-or-later
//! A name server: `192.0.2.53`, `[2001:db8::53]:5353`.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The port of DNS (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// Where a name server answers, by UDP and TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameServer(SocketAddr);

impl NameServer {
    /// Address and port.
    #[must_use]
    pub const fn socket(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for NameServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let alone = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS_PORT));
        let place = text.parse().ok().or_else(alone).filter(|place| place.port() != 0);
        place.map(Self).ok_or_else(|| {
            format!(
                "\"{}\" is no name server: write an IP address, and perhaps a port, as in \
                 192.0.2.53 or [2001:db8::53]:5353",
                text.escape_debug()
            )
        })
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.port() {
            DNS_PORT => self.0.ip().fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for NameServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for NameServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_and_written() {
        for (text, socket) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            let server: NameServer = text.parse().unwrap();
            assert_eq!(server.socket().to_string(), socket);
            assert_eq!(server.to_string(), text);
        }
        for wrong in ["", "dns.example.org", "192.0.2.53:0", "[2001:db8::53]"] {
            assert!(wrong.parse::<NameServer>().unwrap_err().contains(wrong));
        }
    }
}
