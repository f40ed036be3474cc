// SPDX-License-Identifier: GPL-3.0-or-later

use super::{
    super::*,
    zone::{Zone, wanted},
};

const TWO_SERVERS: &str = "
    _sip._udp.example.org SRV 20 0 5062 b.example.org
    _sip._udp.example.org SRV 10 0 5061 a.example.org
    a.example.org A 192.0.2.1
    a.example.org A 192.0.2.2
    a.example.org AAAA 2001:db8::1
    b.example.org AAAA 2001:db8::2
    b.example.org A 192.0.2.3";

#[test]
fn both_families_take_turns_within_a_server_and_servers_keep_their_order() {
    for (families, expected) in [
        (
            Families::Ipv6First,
            vec![
                "udp:[2001:db8::1]:5061",
                "udp:192.0.2.1:5061",
                "udp:192.0.2.2:5061",
                "udp:[2001:db8::2]:5062",
                "udp:192.0.2.3:5062",
            ],
        ),
        (
            Families::Ipv4First,
            vec![
                "udp:192.0.2.1:5061",
                "udp:[2001:db8::1]:5061",
                "udp:192.0.2.2:5061",
                "udp:192.0.2.3:5062",
                "udp:[2001:db8::2]:5062",
            ],
        ),
        (
            Families::Ipv4Only,
            vec!["udp:192.0.2.1:5061", "udp:192.0.2.2:5061", "udp:192.0.2.3:5062"],
        ),
        (Families::Ipv6Only, vec!["udp:[2001:db8::1]:5061", "udp:[2001:db8::2]:5062"]),
    ] {
        let wanted = Wanted { families, ..wanted("sip:example.org;transport=udp") };
        let found = Zone::new(TWO_SERVERS).find(wanted);
        assert_eq!(found.places(), expected, "{families:?}");
        let of_other = if families == Families::Ipv4Only { "AAAA " } else { "A " };
        if matches!(families, Families::Ipv4Only | Families::Ipv6Only) {
            assert!(!found.asked.iter().any(|asked| asked.starts_with(of_other)));
        }
    }
}

#[test]
fn an_address_of_a_kind_that_may_not_be_used_says_so() {
    let only = Wanted { families: Families::Ipv4Only, ..wanted("sip:[2001:db8::1]") };
    assert_eq!(
        Zone::new("").find(only).error(),
        "sip:[2001:db8::1] cannot be reached: its kind of address may not be used"
    );
    assert_eq!(
        Zone::new("").find(wanted("sip:224.0.1.75")).error(),
        "sip:224.0.1.75 cannot be reached: nothing can be sent to that address"
    );
}

#[test]
fn a_server_listed_twice_is_one_place() {
    let zone = "
        _sip._udp.example.org SRV 10 0 5060 a.example.org
        _sip._udp.example.org SRV 20 0 5060 b.example.org
        a.example.org A 192.0.2.1
        b.example.org A 192.0.2.1";
    let found = Zone::new(zone).find(wanted("sip:example.org;transport=udp"));
    assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
}

#[test]
fn the_seed_decides_among_equals() {
    let mut zone = Zone::new(
        "_sip._udp.example.org SRV 10 100 5060 a.example.org
         _sip._udp.example.org SRV 10 300 5060 b.example.org
         a.example.org A 192.0.2.1
         b.example.org A 192.0.2.2",
    );
    let mut seconds = 0;
    for seed in 0..1000 {
        zone.seed = seed;
        let places = zone.find(wanted("sip:example.org;transport=udp")).places();
        assert_eq!(places.len(), 2);
        seconds += usize::from(places[0] == "udp:192.0.2.2:5060");
    }
    assert!((680..820).contains(&seconds), "{seconds}");
}
