// SPDX-License-Identifier: GPL-3.0-or-later
//! What forged, broken and mean name servers say.

use std::time::Instant;

use proptest::prelude::*;

use super::{
    super::*,
    zone::{Zone, record, wanted},
};

#[test]
fn aliases_in_a_circle_end() {
    let zone = "
        example.org CNAME b.example.org
        b.example.org CNAME c.example.org
        c.example.org CNAME example.org";
    let found = Zone::new(zone).find(wanted("sip:example.org:5060"));
    assert!(matches!(found.found(), Err(LookupError::Nowhere { .. })));
    assert!(found.asked.len() <= 6, "{:?}", found.asked);

    let found = Zone::new("example.org CNAME example.org").find(wanted("sip:example.org"));
    assert!(matches!(found.found(), Err(LookupError::Nowhere { .. })));
}

#[test]
fn a_chain_of_aliases_without_end_is_left() {
    let zone: String = (0..1000)
        .map(|at| format!("a{at}.example.org CNAME a{}.example.org\n", at + 1))
        .chain(["a1000.example.org A 192.0.2.1\n".to_owned()])
        .collect();
    let found = Zone::new(&zone).find(wanted("sip:a0.example.org:5060"));
    assert!(found.found().is_err());
    assert!(found.asked.len() <= 20, "{:?}", found.asked);
    let chains = Zone::new(&zone).with_chains().find(wanted("sip:a990.example.org:5060"));
    assert_eq!(chains.places(), ["udp:192.0.2.1:5060"], "ten are followed");
}

#[test]
fn thousands_of_servers_are_asked_for_no_more_than_a_few() {
    let zone: String = (0..5000)
        .map(|at| {
            format!(
                "_sip._udp.example.org SRV {} 1 5060 a{at}.example.org\na{at}.example.org A 10.0.{}.{}\n",
                at % 3,
                at / 256,
                at % 256
            )
        })
        .collect();
    let begun = Instant::now();
    let found = Zone::new(&zone).find(wanted("sip:example.org;transport=udp"));
    assert!(found.places().len() <= 32);
    assert!(found.places().len() >= 8);
    assert!(found.asked.len() <= 48);
    assert!(begun.elapsed().as_secs() < 10, "it is no endless work");
}

#[test]
fn what_stands_beside_the_question_is_not_believed() {
    let now = Instant::now();
    let mut lookup = Lookup::new(wanted("sip:example.org:5060"), now, 0);
    while let Some(step) = lookup.poll() {
        match step {
            Step::Ask(question) => {
                let poison = ["evil.example A 203.0.113.66", "www.example.org A 203.0.113.67"];
                let mut answer: Vec<Record> = poison.iter().map(|line| record(line)).collect();
                answer.push(record("EXAMPLE.org. A 192.0.2.1"));
                // An alias of another name leads nobody anywhere.
                answer.push(record("evil.example CNAME example.org"));
                lookup.handle_answer(now, &question, Ok(answer));
            }
            Step::Done(found) => {
                let found = found.unwrap();
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].to_string(), "udp:192.0.2.1:5060");
            }
        }
    }
}

#[test]
fn addresses_that_are_none_are_left_out() {
    let zone = "
        example.org A 0.0.0.0
        example.org A 255.255.255.255
        example.org A 224.0.1.75
        example.org AAAA ::
        example.org AAAA ff02::1
        example.org AAAA ::ffff:10.0.0.1";
    let found = Zone::new(zone).find(wanted("sip:example.org:5060"));
    assert_eq!(
        found.error(),
        "sip:example.org:5060 leads nowhere: AAAA example.org: 3 records, none of use, \
         A example.org: 3 records, none of use"
    );
}

#[test]
fn servers_that_are_none_are_left_out() {
    let long = "a".repeat(64);
    let zone = format!(
        "_sip._udp.example.org SRV 1 0 0 zero.example.org
         _sip._udp.example.org SRV 2 0 5060 {long}.example.org
         _sip._udp.example.org SRV 3 0 5060 a\\032b.example.org
         _sip._udp.example.org SRV 4 0 5060 _sip._udp.example.org
         _sip._udp.example.org SRV 5 0 5060 300.1.1.1
         _sip._udp.example.org SRV 6 0 5060 192.0.2.1."
    );
    let found = Zone::new(&zone).find(wanted("sip:example.org;transport=udp"));
    assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
}

#[test]
fn a_name_too_long_for_its_service_is_a_host() {
    let name =
        format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(57));
    assert_eq!(name.len(), 249);
    let found = Zone::new(&format!("{name} A 192.0.2.1")).find(wanted(&format!("sip:{name}")));
    assert_eq!(found.places(), ["udp:192.0.2.1:5060"]);
    assert!(found.asked.iter().all(|asked| !asked.starts_with("SRV")));
}

/// Records over few names, so that they often lead to each other.
fn any_zone() -> impl Strategy<Value = Vec<Record>> {
    let name = prop_oneof![
        Just("example.org"),
        Just("a.example.org"),
        Just("b.example.org"),
        Just("_sip._udp.example.org"),
        Just("_sip._tcp.example.org"),
        Just("_sips._tcp.example.org"),
        Just("."),
        Just("..")
    ]
    .prop_map(str::to_owned);
    let naptr = (
        0..3_u16,
        prop_oneof![Just("s"), Just("S"), Just(""), Just("u")],
        prop_oneof![Just("SIP+D2U"), Just("SIP+D2T"), Just("SIPS+D2T"), Just("x")],
        name.clone(),
    )
        .prop_map(|(order, flags, services, replacement)| {
            Data::Naptr(Naptr {
                order,
                preference: 0,
                flags: flags.to_owned(),
                services: services.to_owned(),
                regexp: String::new(),
                replacement,
            })
        });
    let srv = (0..3_u16, 0..3_u16, 0..3_u16, name.clone()).prop_map(
        |(priority, weight, port, target)| Data::Srv(Srv { priority, weight, port, target }),
    );
    let data = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Data::A(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Data::Aaaa(octets.into())),
        name.clone().prop_map(Data::Cname),
        naptr,
        srv
    ];
    let record = (name, data).prop_map(|(owner, data)| Record { owner, data });
    proptest::collection::vec(record, 0..40)
}

proptest! {
    /// Every lookup ends, asks nothing twice and little in all, whatever is answered; and secure
    /// means secure.
    #[test]
    fn whatever_is_answered_a_lookup_ends(
        zone in any_zone(),
        secure: bool,
        swallows in proptest::collection::vec(any::<bool>(), 50),
        seed: u64,
    ) {
        let begun = Instant::now();
        let wanted = Wanted { secure, ..wanted("sip:example.org") };
        let mut lookup = Lookup::new(wanted, begun, seed);
        let mut asked: Vec<Question> = Vec::new();
        let mut outcome = None;
        for swallow in swallows.into_iter().chain(std::iter::repeat(false)) {
            match lookup.poll() {
                Some(Step::Ask(question)) => {
                    prop_assert!(!asked.contains(&question));
                    if !swallow {
                        lookup.handle_answer(begun, &question, Ok(zone.clone()));
                    }
                    asked.push(question);
                    prop_assert!(asked.len() <= 48);
                }
                Some(Step::Done(done)) => {
                    outcome = Some(done);
                    break;
                }
                None => lookup.handle_deadline(lookup.next_deadline().unwrap()),
            }
        }
        prop_assert_eq!(lookup.poll(), None);
        if let Some(Ok(places)) = outcome {
            prop_assert!(!places.is_empty() && places.len() <= 32);
            for place in places {
                prop_assert!(!secure || place.transport == crate::flow::Transport::Tls);
                prop_assert!(place.address.port() != 0);
                prop_assert_eq!(place.name.as_ref(), "example.org");
            }
        }
    }
}
