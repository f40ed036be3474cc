// SPDX-License-Identifier: GPL-3.0-or-later

use std::net::IpAddr;

use super::{Malformed, scan};

/// What every branch of an RFC 3261 element begins with (§8.1.1.7).
pub(crate) const COOKIE: &[u8] = b"z9hG4bK";

/// One hop of a Via field (RFC 3261 §20.42), read in place.
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    /// The transport as it was spelled.
    pub transport: &'a [u8],
    /// The host as it was spelled, in brackets for IPv6.
    pub host: &'a [u8],
    /// The port, if stated.
    pub port: Option<u16>,
    params: &'a [u8],
    branch: Option<&'a [u8]>,
    asks_rport: bool,
    /// How many octets the hop takes in its field; after it comes a comma or the end.
    pub length: usize,
}

impl<'a> Via<'a> {
    /// Reads the first hop of an unfolded field value.
    ///
    /// # Errors
    /// It is malformed.
    pub fn first(field: &'a [u8]) -> Result<Self, Malformed> {
        let length = scan::position_outside(field, b',').unwrap_or(field.len());
        Self::read(&field[..length]).ok_or_else(|| Malformed::new(400, "Via is malformed"))
    }

    fn read(hop: &'a [u8]) -> Option<Self> {
        let semicolon = hop.iter().position(|&byte| byte == b';').unwrap_or(hop.len());
        let (before, params) = hop.split_at(semicolon);
        let mut parts = before.splitn(3, |&byte| byte == b'/');
        let protocol = parts.next()?.trim_ascii();
        let version = parts.next()?.trim_ascii();
        let rest = parts.next()?.trim_ascii();
        let space = rest.iter().position(u8::is_ascii_whitespace)?;
        let (transport, sent_by) = (&rest[..space], rest[space..].trim_ascii());
        let (host, port) = host_and_port(sent_by)?;
        if ![protocol, version, transport].into_iter().all(scan::is_token) {
            return None;
        }
        let (mut branch, mut asks_rport) = (None, false);
        for (name, value) in scan::params(params) {
            if !scan::is_token(name) {
                return None;
            }
            if name.eq_ignore_ascii_case(b"branch") {
                branch = branch.or_else(|| value.filter(|value| !value.is_empty()));
            }
            asks_rport |= name.eq_ignore_ascii_case(b"rport");
        }
        Some(Self { transport, host, port, params, branch, asks_rport, length: hop.len() })
    }

    /// The value of a parameter; empty for one without value.
    #[must_use]
    pub fn param(&self, wanted: &str) -> Option<&'a [u8]> {
        scan::params(self.params)
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// The branch.
    #[must_use]
    pub const fn branch(&self) -> Option<&'a [u8]> {
        self.branch
    }

    /// Whether the branch is unique by itself; if not, the sender follows RFC 2543.
    #[must_use]
    pub fn has_unique_branch(&self) -> bool {
        self.branch().is_some_and(|branch| {
            branch.len() > COOKIE.len() && branch[..COOKIE.len()].eq_ignore_ascii_case(COOKIE)
        })
    }

    /// Whether answers are to go to the port the request came from (RFC 3581).
    #[must_use]
    pub const fn asks_rport(&self) -> bool {
        self.asks_rport
    }

    /// The host, if it is a numeric address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let text = std::str::from_utf8(self.host).ok()?;
        text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// The hop with `received`, and with the value of `rport` if that was asked for: what the
    /// sender is told about where it was seen (RFC 3261 §18.2.1, RFC 3581 §4). What it claimed
    /// about that itself is dropped.
    #[must_use]
    pub fn stamped(&self, hop: &[u8], seen: std::net::SocketAddr) -> Vec<u8> {
        let asks = self.asks_rport;
        let semicolon = hop.len() - self.params.len();
        let mut out = Vec::with_capacity(hop.len() + 64);
        out.extend_from_slice(hop[..semicolon].trim_ascii_end());
        for (name, value) in scan::params(self.params) {
            if name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport") {
                continue;
            }
            out.push(b';');
            out.extend_from_slice(name);
            if let Some(value) = value {
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
        if asks || self.ip() != Some(seen.ip().to_canonical()) {
            out.extend_from_slice(format!(";received={}", seen.ip().to_canonical()).as_bytes());
        }
        if asks {
            out.extend_from_slice(format!(";rport={}", seen.port()).as_bytes());
        }
        out
    }
}

/// A host and, after a colon, a port.
fn host_and_port(sent_by: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let end = if sent_by.first() == Some(&b'[') {
        sent_by.iter().position(|&byte| byte == b']')? + 1
    } else {
        sent_by.iter().position(|&byte| byte == b':').unwrap_or(sent_by.len())
    };
    let (host, rest) = (sent_by[..end].trim_ascii(), sent_by[end..].trim_ascii());
    let sound = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%')
    };
    if host.is_empty() || !host.iter().all(sound) {
        return None;
    }
    if rest.is_empty() {
        return Some((host, None));
    }
    let digits = std::str::from_utf8(rest.strip_prefix(b":")?.trim_ascii()).ok()?;
    let port = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((host, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_may_be_spelled_with_room_between_its_parts() {
        let field = b"SIP  / 2.0  / UDP    first.example.com : 4000;ttl=16\t\
                      ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1, SIP/2.0/TCP other";
        let via = Via::first(field).unwrap();
        assert_eq!(via.transport, b"UDP");
        assert_eq!((via.host, via.port), (&b"first.example.com"[..], Some(4000)));
        assert_eq!(via.branch(), Some(&b"z9hG4bKa7c6a8dlze.1"[..]));
        assert_eq!(via.param("TTL"), Some(&b"16"[..]));
        assert_eq!(&field[via.length..via.length + 1], b",");
        assert!(via.has_unique_branch());
    }

    #[test]
    fn an_address_in_brackets_is_read_with_and_without_port() {
        let via = Via::first(b"SIP/2.0/UDP [2001:db8::9:1]:6050;branch=1;rport").unwrap();
        assert_eq!(via.ip(), Some("2001:db8::9:1".parse().unwrap()));
        assert_eq!(via.port, Some(6050));
        assert!(via.asks_rport() && !via.has_unique_branch());
        assert_eq!(Via::first(b"SIP/2.0/UDP [::1]").unwrap().port, None);
    }

    #[test]
    fn what_is_no_hop_is_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 host",
            "SIP/2.0/UDP host:port",
            "SIP/2.0/UDP :5",
            "SIP/2.0/UDP h:70000",
            "SIP/2.0/UDP h o",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h;=1",
        ] {
            assert!(Via::first(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_stamp_tells_where_the_sender_was_seen_and_nothing_it_claimed() {
        let seen = "192.0.2.1:6000".parse().unwrap();
        for (hop, stamped) in [
            ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            (
                "SIP/2.0/UDP phone;branch=z9hG4bK1;received=9.9.9.9",
                "SIP/2.0/UDP phone;branch=z9hG4bK1;received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1",
                "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.1;rport=6000",
            ),
        ] {
            let via = Via::first(hop.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(via.stamped(hop.as_bytes(), seen)).unwrap(), stamped);
        }
    }
}
