// SPDX-License-Identifier: GPL-3.0-or-later
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::extension::{GroupMode, Kind};

mod outward;
mod properties;

#[derive(Debug, Clone, Default, PartialEq)]
struct House {
    extensions: BTreeMap<ExtensionNumber, Extension>,
    phones: BTreeMap<ExtensionNumber, Vec<PhoneId>>,
    emergency: Vec<String>,
    lines: Vec<Line>,
    rules: Rules,
    region: Option<Region>,
    now: Option<LocalTime>,
    published: Vec<Address>,
    calls_peers: bool,
}

fn ext(number: &str) -> ExtensionNumber {
    number.parse().unwrap()
}

impl House {
    fn person(mut self, number: &str, phones: &[u64]) -> Self {
        self.extensions.insert(ext(number), Extension::person(ext(number)));
        self.phones.insert(ext(number), phones.iter().copied().map(PhoneId).collect());
        self
    }

    fn group(mut self, number: &str, mode: GroupMode, members: &[&str]) -> Self {
        let members = members.iter().map(|m| ext(m)).collect();
        let kind = Kind::Group { members, mode };
        self.extensions.insert(ext(number), Extension { kind, ..Extension::person(ext(number)) });
        self
    }

    fn route(&self, contact: &str) -> Route {
        self.route_from(contact, None)
    }

    fn route_from(&self, contact: &str, phone: Option<u64>) -> Route {
        let phone = phone.map(PhoneId);
        route(&contact.parse().unwrap(), &Caller { phone, ..Caller::default() }, self)
    }
}

impl World for House {
    fn extension(&self, number: &ExtensionNumber) -> Option<&Extension> {
        self.extensions.get(number)
    }

    fn longest_extension(&self) -> usize {
        self.extensions.keys().map(ExtensionNumber::digits).max().unwrap_or(0)
    }

    fn phones(&self, number: &ExtensionNumber) -> Vec<PhoneId> {
        self.phones.get(number).cloned().unwrap_or_default()
    }

    fn is_own_domain(&self, host: &str, _port: Option<u16>) -> bool {
        ["127.0.0.1", "localhost", "[::1]", "home.example"].contains(&host)
    }

    fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn region(&self) -> Region {
        self.region.unwrap_or(Region::WORLD)
    }

    fn local_time(&self) -> Option<LocalTime> {
        self.now
    }

    fn looks_up(&self) -> bool {
        !self.published.is_empty()
    }

    fn published(&self, _number: &E164) -> &[Address] {
        &self.published
    }

    fn calls_peers(&self) -> bool {
        self.calls_peers
    }

    fn emergency_numbers(&self) -> &[String] {
        &self.emergency
    }
}

/// The phones of each attempt.
fn rings(route: &Route) -> Vec<Vec<u64>> {
    let phone = |target: &Target| match target.destination {
        Destination::Phone(PhoneId(id)) => id,
        other => panic!("{other:?}"),
    };
    route.attempts.iter().map(|a| a.targets.iter().map(phone).collect()).collect()
}

fn house() -> House {
    House::default()
        .person("101", &[1])
        .person("102", &[2, 3])
        .person("alice", &[4])
        .person("103", &[])
        .group("200", GroupMode::All, &["101", "102", "103", "102"])
        .group("201", GroupMode::InOrder, &["102", "103", "101", "102"])
        .group("202", GroupMode::All, &["203", "101"])
        .group("203", GroupMode::All, &["202", "alice"])
        .group("204", GroupMode::All, &[])
}

#[test]
fn every_way_to_write_an_extension_rings_all_its_phones() {
    let house = house();
    for contact in [
        "102",
        "1-02",
        "tel:102",
        "sip:102@127.0.0.1:5060",
        "sip:1-02@localhost",
        "102@home.example",
        "sip:102@[::1]",
    ] {
        let route = house.route(contact);
        assert_eq!(rings(&route), [[2, 3]], "{contact}");
        assert_eq!(route.attempts[0].because, Because::Extension(ext("102")));
        assert_eq!(route.rejected, []);
    }
    assert_eq!(rings(&house.route("Alice")), [[4]]);
}

#[test]
fn what_cannot_be_reached_is_refused_with_the_honest_reason() {
    let house = house();
    for (contact, why, sip) in [
        ("103", Why::NotRegistered, 480),
        ("199", Why::Unknown, 404),
        ("nobody", Why::Unknown, 404),
        ("nobody@localhost", Why::Unknown, 404),
        ("+4930123456", Why::NoLine, 404),
        ("sip:+4930123456@localhost;user=phone", Why::NoLine, 404),
        ("sip:localhost", Why::Unknown, 404),
        ("sip:102@elsewhere.example", Why::PeersOff, 404),
        ("204", Why::EmptyGroup, 404),
    ] {
        let route = house.route(contact);
        assert!(route.attempts.is_empty(), "{contact}");
        assert_eq!(route.rejected[0].why, why, "{contact}");
        assert_eq!(route.refusal().sip, sip, "{contact}");
    }
    assert_eq!(house.route("+4930123456").refusal().words().what, "no line leads to this contact");
    assert_eq!(house.route("103").rejected[0].to_string(), "103: no phone is registered for it");
}

#[test]
fn digits_that_are_too_many_for_an_extension_want_a_line() {
    let large = House::default().person("10000001", &[1]);
    let name = "no premium numbers".parse().unwrap();
    let action = Some(rules::Action::Bar);
    let rule = rules::Rule {
        classes: vec![crate::number::Class::Premium],
        action,
        ..rules::Rule::new(name)
    };
    let file = rules::RuleFile { rule: vec![rule], ..rules::RuleFile::default() };
    let mut ruled = House { rules: Rules::new(file).unwrap(), ..house() };
    ruled.region = Some("DE".parse().unwrap());
    for (house, contact, why) in [
        (&house(), "030123456", Why::NoLine),
        (&house(), "00493012345678", Why::NoLine),
        (&house(), "sip:030123456@localhost", Why::NoLine),
        (&house(), "10333", Why::Unknown),
        (&house(), "11833", Why::Unknown),
        (&house(), "*21#", Why::Unknown),
        (&house(), "*72030123456", Why::Unknown),
        (&large, "10000002", Why::Unknown),
        (&large, "030123456", Why::NoLine),
        // Where numbers are read because rules may speak of them it is the same.
        (&ruled, "030123456", Why::NoLine),
        (&ruled, "30123456", Why::NoLine),
        (&ruled, "11833", Why::Unknown),
    ] {
        let route = house.route(contact);
        assert!(route.attempts.is_empty(), "{contact}");
        let whys: Vec<_> = route.rejected.iter().map(|rejected| &rejected.why).collect();
        assert_eq!(whys, [&why], "{contact}");
    }
    // Nobody outside learns what lines there are.
    let outside = Caller { origin: Origin::Peer, ..Caller::default() };
    let route = route(&"030123456".parse().unwrap(), &outside, &house());
    assert_eq!(route.rejected[0].why, Why::Unknown);
    let words = house().route("030123456").refusal().words();
    assert!(words.next.is_some_and(|next| next.contains("sipwitch accounts add")), "{words:?}");
}

#[test]
fn an_emergency_number_comes_before_every_rule_and_says_that_no_line_carries_it() {
    let mut house = house().person("115", &[9]);
    house.emergency.push("115".into());
    for contact in [
        "112",
        "911",
        "tel:112",
        "sip:112@home.example",
        "sip:1-1-2@[::1]",
        "urn:service:sos.police",
        "sos",
        "115",
        "sip:sos@localhost",
    ] {
        let route = house.route(contact);
        assert!(route.attempts.is_empty(), "{contact}");
        assert_eq!(route.rejected[0].why, Why::EmergencyWithoutLine, "{contact}");
        assert_eq!(route.refusal().sip, 503);
        assert!(route.refusal().text.contains("emergency"), "{contact}");
    }
    // At a foreign domain 112 is that domain's user.
    assert_eq!(house.route("sip:112@elsewhere.example").rejected[0].why, Why::PeersOff);
}

#[test]
fn the_phone_that_calls_is_not_rung_back() {
    let route = house().route_from("102", Some(2));
    assert_eq!(rings(&route), [[3]]);
    assert_eq!(route.rejected, [Rejected { what: "102".into(), why: Why::CallersOwnPhone }]);
    let alone = house().route_from("101", Some(1));
    assert_eq!((alone.attempts.len(), alone.refusal().sip), (0, 480));
}

#[test]
fn a_group_rings_all_phones_of_all_members_once() {
    let route = house().route("200");
    assert_eq!(rings(&route), [[1, 2, 3]]);
    assert_eq!(route.attempts[0].because, Because::Group(ext("200")));
    assert_eq!(route.rejected, [Rejected { what: "103".into(), why: Why::NotRegistered }]);
}

#[test]
fn a_group_in_order_rings_one_member_after_the_other() {
    assert_eq!(rings(&house().route("201")), [vec![2, 3], vec![1]]);
}

#[test]
fn groups_that_contain_each_other_end() {
    assert_eq!(rings(&house().route("202")), [[4, 1]]);
}

#[test]
fn an_extensions_own_ring_time_holds_for_it() {
    let mut house = house();
    house.extensions.get_mut(&ext("102")).unwrap().ring_time = Some(Duration::from_secs(7));
    assert_eq!(house.route("102").attempts[0].ring, Duration::from_secs(7));
    assert_eq!(house.route("101").attempts[0].ring, RING_TIME);
    let turns: Vec<_> = house.route("201").attempts.iter().map(|a| a.ring.as_secs()).collect();
    assert_eq!(turns, [7, 60]);
}

proptest! {
    #[test]
    fn any_house_gives_a_bounded_route_or_a_reason(
        groups in prop::collection::vec(prop::collection::vec(0usize..14, 0..8), 6),
        phones in prop::collection::vec(prop::collection::vec(0u64..40, 0..30), 8),
        in_order: bool,
    ) {
        let name = |at: usize| format!("{}", 300 + at);
        let mode = if in_order { GroupMode::InOrder } else { GroupMode::All };
        let mut house = House::default();
        for (at, phones) in phones.iter().enumerate() {
            house = house.person(&name(6 + at), phones);
        }
        for (at, members) in groups.iter().enumerate() {
            let members: Vec<_> = members.iter().map(|m| name(*m)).collect();
            let members: Vec<_> = members.iter().map(String::as_str).collect();
            house = house.group(&name(at), mode, &members);
        }
        let route = house.route_from("300", Some(5));
        prop_assert!(!route.attempts.is_empty() || !route.rejected.is_empty());
        let mut seen = Vec::new();
        for attempt in &route.attempts {
            prop_assert!(!attempt.targets.is_empty() && attempt.targets.len() <= MAX_FORKS);
            for target in &attempt.targets {
                prop_assert!(!seen.contains(&target.destination), "rung twice");
                prop_assert!(target.destination != Destination::Phone(PhoneId(5)));
                seen.push(target.destination);
            }
        }
    }
}
