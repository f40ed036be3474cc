// SPDX-License-Identifier: GPL-3.0-or-later

mod hostile;
mod order;
mod time;
mod zone;

use zone::{Zone, wanted};

use super::*;
use crate::flow::Transport;

const NAPTR_ALL: &str = "
    example.org NAPTR 10 50 s SIPS+D2T _sips._tcp.example.org
    example.org NAPTR 20 50 s SIP+D2T _sip._tcp.example.org
    example.org NAPTR 30 50 s SIP+D2U _sip._udp.example.org
    _sips._tcp.example.org SRV 0 1 5061 s.example.org
    _sip._tcp.example.org SRV 0 1 5060 t.example.org
    _sip._udp.example.org SRV 0 1 5060 u.example.org
    s.example.org A 192.0.2.1
    t.example.org A 192.0.2.2
    u.example.org A 192.0.2.3";

const HOST_ALONE: &str = "
    example.org A 192.0.2.9
    example.org AAAA 2001:db8::9";

#[test]
fn numeric_addresses_ask_nobody() {
    for (uri, expected) in [
        ("sip:192.0.2.1", "udp:192.0.2.1:5060"),
        ("sip:192.0.2.1:5070", "udp:192.0.2.1:5070"),
        ("sip:192.0.2.1;transport=tcp", "tcp:192.0.2.1:5060"),
        ("sip:192.0.2.1;transport=tls", "tls:192.0.2.1:5061"),
        ("sips:192.0.2.1", "tls:192.0.2.1:5061"),
        ("sips:[2001:db8::1]:5071;transport=tcp", "tls:[2001:db8::1]:5071"),
    ] {
        let found = Zone::new("").find(wanted(uri));
        assert_eq!(found.places(), [expected], "{uri}");
        assert!(found.asked.is_empty(), "{uri}");
    }
}

#[test]
fn a_stated_port_asks_for_addresses_alone() {
    let zone = Zone::new(&format!("{NAPTR_ALL}{HOST_ALONE}"));
    for (uri, transport) in
        [("sip:example.org:5080", "udp"), ("sip:example.org:5080;transport=tcp", "tcp")]
    {
        let found = zone.find(wanted(uri));
        let expected =
            [format!("{transport}:[2001:db8::9]:5080"), format!("{transport}:192.0.2.9:5080")];
        assert_eq!(found.places(), expected, "{uri}");
        assert_eq!(found.asked, ["AAAA example.org", "A example.org"], "{uri}");
    }
}

#[test]
fn a_stated_transport_asks_for_its_servers_alone() {
    let zone = Zone::new(&format!("{NAPTR_ALL}{HOST_ALONE}"));
    for (uri, service, expected) in [
        ("sip:example.org;transport=tcp", "_sip._tcp", "tcp:192.0.2.2:5060"),
        ("sip:example.org;transport=udp", "_sip._udp", "udp:192.0.2.3:5060"),
        ("sip:example.org;transport=tls", "_sips._tcp", "tls:192.0.2.1:5061"),
        ("sips:example.org;transport=tcp", "_sips._tcp", "tls:192.0.2.1:5061"),
    ] {
        let found = zone.find(wanted(uri));
        assert_eq!(found.places(), [expected], "{uri}");
        assert_eq!(found.asked[0], format!("SRV {service}.example.org"), "{uri}");
    }
}

#[test]
fn the_domain_chooses_where_it_has_an_order() {
    let found = Zone::new(NAPTR_ALL).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["tls:192.0.2.1:5061", "tcp:192.0.2.2:5060", "udp:192.0.2.3:5060"]);
    let upside_down = NAPTR_ALL.replace("NAPTR 30", "NAPTR 5");
    let found = Zone::new(&upside_down).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["udp:192.0.2.3:5060", "tls:192.0.2.1:5061", "tcp:192.0.2.2:5060"]);
}

#[test]
fn rules_for_other_protocols_are_left_out() {
    let zone = "
        example.org NAPTR 1 1 s SIP+D2S _sip._sctp.example.org
        example.org NAPTR 2 1 u E2U+sip !^.*$!sip:a@b!
        example.org NAPTR 3 1 a SIP+D2U a.example.org
        example.org NAPTR 4 1 S sip+d2u _sip._udp.elsewhere.example
        _sip._udp.elsewhere.example SRV 0 0 5060 a.example.org
        a.example.org A 192.0.2.1";
    let found = Zone::new(zone).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
    assert_eq!(found.found().unwrap()[0].name.as_ref(), "example.org", "what a certificate shows");
}

#[test]
fn without_rules_of_the_domain_our_order_counts() {
    let zone: String =
        NAPTR_ALL.lines().filter(|line| !line.contains("NAPTR")).collect::<Vec<_>>().join("\n");
    let found = Zone::new(&zone).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["tls:192.0.2.1:5061", "tcp:192.0.2.2:5060", "udp:192.0.2.3:5060"]);
    let ours =
        Wanted { transports: vec![Transport::Udp, Transport::Tls], ..wanted("sip:example.org") };
    let found = Zone::new(&zone).find(ours);
    assert_eq!(found.places(), ["udp:192.0.2.3:5060", "tls:192.0.2.1:5061"]);
}

#[test]
fn rules_that_lead_to_no_server_are_passed_over() {
    let zone = "
        example.org NAPTR 1 1 s SIP+D2T _sip._tcp.gone.example
        _sip._udp.example.org SRV 0 0 5060 a.example.org
        a.example.org A 192.0.2.1";
    let found = Zone::new(zone).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
}

#[test]
fn a_secure_uri_never_leaves_tls() {
    let found = Zone::new(NAPTR_ALL).find(wanted("sips:example.org"));
    assert_eq!(found.places(), ["tls:192.0.2.1:5061"]);
    let found = Zone::new(HOST_ALONE).find(wanted("sips:example.org"));
    assert_eq!(found.places(), ["tls:[2001:db8::9]:5061", "tls:192.0.2.9:5061"]);
    let found = Zone::new(NAPTR_ALL).find(wanted("sips:example.org;transport=udp"));
    assert_eq!(
        found.error(),
        "sips:example.org;transport=udp cannot be reached: sips: cannot be carried by UDP"
    );
    let plain = Wanted { transports: vec![Transport::Udp], ..wanted("sips:example.org") };
    let error = Zone::new(HOST_ALONE).find(plain).found().unwrap_err();
    assert!(matches!(error, LookupError::Impossible { .. }), "{error}");
}

#[test]
fn a_domain_without_services_is_a_host() {
    let found = Zone::new(HOST_ALONE).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["udp:[2001:db8::9]:5060", "udp:192.0.2.9:5060"]);
    assert_eq!(
        found.asked,
        [
            "SRV _sips._tcp.example.org",
            "SRV _sip._tcp.example.org",
            "SRV _sip._udp.example.org",
            "NAPTR example.org",
            "AAAA example.org",
            "A example.org"
        ]
    );
}

#[test]
fn services_can_be_required_or_left_alone() {
    let required = Wanted { services: Services::Required, ..wanted("sip:example.org") };
    let error = Zone::new(HOST_ALONE).find(required).error();
    assert_eq!(
        error,
        "sip:example.org leads nowhere: SRV _sips._tcp.example.org: no such name, \
         SRV _sip._tcp.example.org: no such name, SRV _sip._udp.example.org: no such name, \
         NAPTR example.org: no records"
    );
    let off = Wanted { services: Services::Off, ..wanted("sip:example.org;transport=tls") };
    let found = Zone::new(&format!("{NAPTR_ALL}{HOST_ALONE}")).find(off);
    assert_eq!(found.places(), ["tls:[2001:db8::9]:5061", "tls:192.0.2.9:5061"]);
}

#[test]
fn a_domain_can_say_that_it_has_no_such_service() {
    let zone = format!("{HOST_ALONE}\n_sip._udp.example.org SRV 0 0 0 .");
    let error = Zone::new(&zone).find(wanted("sip:example.org;transport=udp")).found().unwrap_err();
    assert!(matches!(error, LookupError::NoService { .. }), "{error}");
    // It says so of UDP alone.
    let zone = format!(
        "{zone}\n_sip._tcp.example.org SRV 0 0 5060 a.example.org\na.example.org A 192.0.2.1"
    );
    let found = Zone::new(&zone).find(wanted("sip:example.org"));
    assert_eq!(found.places(), ["tcp:192.0.2.1:5060"]);
}

#[test]
fn websocket_has_no_servers_but_hosts() {
    let ws = Wanted {
        transports: vec![Transport::Ws, Transport::Wss],
        ..wanted("sip:example.org;transport=ws")
    };
    let found = Zone::new(HOST_ALONE).find(ws.clone());
    assert_eq!(found.places(), ["ws:[2001:db8::9]:80", "ws:192.0.2.9:80"]);
    let found = Zone::new(HOST_ALONE).find(Wanted { secure: true, ..ws });
    assert_eq!(found.places(), ["wss:[2001:db8::9]:443", "wss:192.0.2.9:443"]);
}

#[test]
fn aliases_are_followed_in_an_answer_and_beyond() {
    let zone = "
        example.org CNAME b.example.org
        b.example.org CNAME C.Example.org.
        c.example.org A 192.0.2.1";
    for zone in [Zone::new(zone), Zone::new(zone).with_chains()] {
        let found = zone.find(wanted("sip:example.org:5060"));
        assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
        assert_eq!(found.found().unwrap()[0].name.as_ref(), "example.org");
    }
}

#[test]
fn a_certificate_name_of_an_account_replaces_the_host() {
    let account = Wanted {
        certificate_name: Some("example.org".into()),
        ..wanted("sips:sip.provider.example:5061")
    };
    let found = Zone::new("sip.provider.example A 192.0.2.1").find(account);
    assert_eq!(found.found().unwrap()[0].name.as_ref(), "example.org");
}
