// SPDX-License-Identifier: GPL-3.0-or-later
//! What a registrar's 200 says (RFC 3261 §10.2.4 and its companions).

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use crate::{
    dialog::split_list,
    message_summary,
    wire::{Headers, NameAddr, Response, Uri, Via, name},
};

/// What is read of one answer.
const MOST_FIELDS: usize = 64;
const MOST_CONTACTS: usize = 256;
const MOST_ROUTES: usize = 16;
const MOST_ROUTE_OCTETS: usize = 4096;
const MOST_ASSOCIATED: usize = 16;
const MOST_URI_OCTETS: usize = 1024;

/// What we asked to be kept.
pub(super) struct Sent<'a> {
    pub(super) contact: &'a Uri,
    pub(super) contact_user: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) reg_id: Option<u8>,
    pub(super) expires: Duration,
}

/// What the registrar grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) expires: Duration,
    /// Our Contact as it came back; None if it is not among them.
    pub(super) echoed: Option<Uri>,
    /// The registrar takes several flows (RFC 5626 §4.2.1).
    pub(super) outbound: bool,
    pub(super) flow_timer: Option<Duration>,
    pub(super) service_route: Vec<Bytes>,
    pub(super) associated: Vec<Uri>,
    pub(super) public_gruu: Option<Uri>,
    pub(super) temporary_gruu: Option<Uri>,
    /// It lists what it takes, and subscriptions to mailboxes are not among it.
    pub(super) lacks_summaries: bool,
}

impl Granted {
    /// Reads a 2xx. What cannot be read is as if it were not there: the registration stands.
    pub(super) fn read(response: &Response, sent: &Sent<'_>) -> Self {
        let headers = response.headers();
        let contacts = contacts(headers);
        let ours = ours(&contacts, sent);
        let whole = headers.number(&name::EXPIRES).map(seconds);
        let expires = ours
            .and_then(|contact| contact.param("expires"))
            .and_then(number)
            .map(seconds)
            .or(whole)
            .unwrap_or(sent.expires);
        let gruu = |wanted: &str| {
            let value = ours?.param(wanted)?;
            let text =
                value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
            sip_uri(text)
        };
        Self {
            expires,
            echoed: ours.map(NameAddr::uri),
            outbound: sent.reg_id.is_some() && headers.has_token(&name::REQUIRE, "outbound"),
            flow_timer: headers.number(&name::FLOW_TIMER).filter(|n| *n > 0).map(seconds),
            service_route: routes(headers),
            associated: associated(headers),
            public_gruu: gruu("pub-gruu"),
            temporary_gruu: gruu("temp-gruu"),
            lacks_summaries: [
                (&name::ALLOW, "SUBSCRIBE"),
                (&name::ALLOW_EVENTS, message_summary::EVENT),
            ]
            .iter()
            .any(|(field, wanted)| headers.count(field) > 0 && !headers.has_token(field, wanted)),
        }
    }
}

fn contacts(headers: Headers<'_>) -> Vec<NameAddr> {
    headers
        .all(&name::CONTACT)
        .take(MOST_FIELDS)
        .flat_map(|value| NameAddr::parse_list(&value).unwrap_or_default())
        .take(MOST_CONTACTS)
        .collect()
}

/// Our Contact among those of all our user's phones: the very one that we sent; or the one with our
/// instance and flow, or with our user part, if something rewrote it.
fn ours<'a>(contacts: &'a [NameAddr], sent: &Sent<'_>) -> Option<&'a NameAddr> {
    let is_same = |contact: &&NameAddr| contact.uri().is_equivalent(sent.contact);
    let is_flow = |contact: &&NameAddr| {
        let instance = contact
            .param("+sip.instance")
            .map(|value| value.trim_ascii_start().trim_ascii_end().to_ascii_lowercase());
        let (Some(instance), Some(wanted)) = (instance, sent.instance) else { return false };
        let wanted = format!("<{}>", wanted.to_ascii_lowercase());
        let bare: Vec<u8> = instance.into_iter().filter(|byte| *byte != b'"').collect();
        bare == wanted.as_bytes()
            && contact.param("reg-id").and_then(number) == sent.reg_id.map(u32::from)
    };
    let is_user = |contact: &&NameAddr| {
        !sent.contact_user.is_empty() && contact.uri().user().as_deref() == Some(sent.contact_user)
    };
    let of_flow = |contact: &&NameAddr| {
        let reg_id = contact.param("reg-id").and_then(number);
        is_user(contact) && (reg_id.is_none() || reg_id == sent.reg_id.map(u32::from))
    };
    contacts
        .iter()
        .find(is_same)
        .or_else(|| contacts.iter().find(is_flow))
        .or_else(|| contacts.iter().rev().find(of_flow))
}

/// The Service-Route values, put whole into requests. One that is too long is left out whole: half
/// a route leads nowhere.
fn routes(headers: Headers<'_>) -> Vec<Bytes> {
    let mut found: Vec<Bytes> = Vec::new();
    let mut octets = 0;
    for value in headers.all(&name::SERVICE_ROUTE).take(MOST_FIELDS) {
        for route in split_list(&value) {
            octets += route.len();
            let is_route = NameAddr::parse(route).is_ok_and(|route| route.uri().is_sip());
            if found.len() == MOST_ROUTES || octets > MOST_ROUTE_OCTETS || !is_route {
                return Vec::new();
            }
            found.push(Bytes::copy_from_slice(route));
        }
    }
    found
}

fn associated(headers: Headers<'_>) -> Vec<Uri> {
    headers
        .all(&name::P_ASSOCIATED_URI)
        .take(MOST_FIELDS)
        .flat_map(|value| NameAddr::parse_list(&value).unwrap_or_default())
        .map(|address| address.uri())
        .filter(|uri| uri.to_bytes().len() <= MOST_URI_OCTETS)
        .take(MOST_ASSOCIATED)
        .collect()
}

fn sip_uri(text: &[u8]) -> Option<Uri> {
    let text = (text.len() <= MOST_URI_OCTETS).then(|| text.to_vec())?;
    Uri::parse(text).ok().filter(Uri::is_sip)
}

/// How the far side saw us (RFC 3581 §4): the address and port that it stamped into our Via.
pub(super) fn mapped(response: &Response, local: SocketAddr) -> Option<SocketAddr> {
    let field = response.via()?;
    let via = Via::first(&field).ok()?;
    let text = |name| via.param(name).and_then(|value| std::str::from_utf8(value).ok());
    let received = text("received").map(|ip| ip.trim_matches(['[', ']']));
    let ip = match received {
        Some(ip) => ip.parse().ok()?,
        // Whoever stamps the port alone saw the address that we wrote.
        None => local.ip(),
    };
    let port = match text("rport").filter(|port| !port.is_empty()) {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None if received.is_some() => local.port(),
        None => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
