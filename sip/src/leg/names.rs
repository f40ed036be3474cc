// SPDX-License-Identifier: GPL-3.0-or-later
//! Parties as From, To and Contact show them.

use std::net::SocketAddr;

use sipwitch_core::call::leg::Party;

use crate::{
    endpoint::Settings,
    flow::{Flow, Transport},
    wire::{NameAddr, Uri, sip_text},
};

/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// A name-addr for a party. A bare user lives in our first domain, or where the far side reaches us.
pub(crate) fn name_addr(party: &Party, settings: &Settings, flow: &Flow) -> String {
    let address = party.address.trim();
    if address.is_empty() {
        return ANONYMOUS.to_owned();
    }
    let whole = if address.contains(':') {
        Uri::parse(address.to_owned())
    } else if address.contains('@') {
        Uri::parse(format!("sip:{address}"))
    } else {
        match settings.domains.first() {
            Some(domain) => Uri::sip(address, domain, None),
            None => {
                let (host, port) = host_port(flow.local, flow.transport);
                Uri::sip(address, &host, port)
            }
        }
    };
    let Ok(uri) = whole else { return ANONYMOUS.to_owned() };
    let uri = uri.for_request_line();
    if party.display.is_empty() {
        return format!("<{uri}>");
    }
    let mut text = String::with_capacity(party.display.len() + 64);
    text.push('"');
    for c in party.display.chars().take(128) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text.push_str("\" <");
    text.push_str(&uri.to_string());
    text.push('>');
    text
}

/// Our Contact on a leg: where its far end sends requests to.
pub(crate) fn contact(user: Option<&str>, secure: bool, flow: &Flow) -> String {
    let (host, port) = host_port(flow.local, flow.transport);
    let uri = sip_text(user.unwrap_or_default(), &host, port);
    let uri = if secure { uri.replacen("sip:", "sips:", 1) } else { uri };
    match flow.transport {
        Transport::Udp => format!("<{uri}>"),
        // `sips:` says it already, and `transport=tls` is of old beside it (RFC 5630 §3.1.4).
        Transport::Tls if secure => format!("<{uri}>"),
        other => format!("<{uri};transport={}>", other.name()),
    }
}

fn host_port(local: SocketAddr, transport: Transport) -> (String, Option<u16>) {
    let host = match local {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    let usual = if transport == Transport::Tls { 5061 } else { 5060 };
    (host, (local.port() != usual).then_some(local.port()))
}

/// The party that a From or To names.
pub(crate) fn party(address: &NameAddr, settings: &Settings, flow: &Flow) -> Party {
    let uri = address.uri();
    let is_ours = uri.is_sip()
        && (uri.ip().is_some_and(|ip| ip == flow.local.ip()) || settings.is_ours(&uri.host()));
    let address_of = match uri.user() {
        Some(user) if is_ours && !user.is_empty() => user,
        _ => uri.for_request_line().to_string(),
    };
    Party { display: address.display(), address: address_of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(display: &str, address: &str, domains: &[&str]) -> String {
        let settings = Settings {
            domains: domains.iter().map(|&domain| domain.into()).collect(),
            ..Settings::default()
        };
        let flow = Flow {
            transport: Transport::Udp,
            local: "[::1]:5070".parse().unwrap(),
            remote: "[::1]:5060".parse().unwrap(),
            connection: None,
        };
        name_addr(&Party { display: display.into(), address: address.into() }, &settings, &flow)
    }

    #[test]
    fn users_live_at_home_and_whole_addresses_where_they_say() {
        for (display, address, value) in [
            ("", "101", "<sip:101@[::1]:5070>"),
            ("Eve \"E\"\r\nVia: x", "101", "\"Eve \\\"E\\\"  Via: x\" <sip:101@[::1]:5070>"),
            ("", "bob@example.org", "<sip:bob@example.org>"),
            ("", "sips:bob@example.org?Replaces=a", "<sips:bob@example.org>"),
            ("", "tel:+4930123", "<tel:+4930123>"),
            ("Bob", "", ANONYMOUS),
        ] {
            assert_eq!(shown(display, address, &[]), value);
        }
        assert_eq!(shown("", "101", &["home.example", "b"]), "<sip:101@home.example>");
    }

    #[test]
    fn no_address_breaks_out_of_its_brackets() {
        for address in
            ["sip:a@b>;tag=1", "a>;tag=1", "sip:a@b\r\nX: y", "a b@c>", "sip:", "x:<y>", "a\"b"]
        {
            let value = shown("", address, &[]);
            let read = NameAddr::parse(value.as_bytes()).unwrap();
            assert_eq!(read.params().count(), 0, "{value}");
            assert_eq!(value.matches(['>', '\r', '\n']).count(), 1, "{value}");
        }
    }
}
