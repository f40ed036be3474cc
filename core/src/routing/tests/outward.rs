// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines: which, in which order, and why not the others.

use super::*;
use crate::{
    line::{Cost, DialFormat, Down, EmergencyAbility, LineKind, LineState, Meter, Security, Users},
    routing::rules::{Action, Defaults, ExtensionRule, LineRule, Rule, RuleFile},
};

pub(super) fn line(id: u64, name: &str, kind: LineKind) -> Line {
    Line { state: LineState::Up, ..Line::new(LineId(id), name, kind) }
}

fn account(id: u64, name: &str) -> Line {
    line(id, name, LineKind::Account)
}

fn rule(name: &str) -> Rule {
    Rule::new(name.parse().unwrap())
}

fn rules(list: Vec<Rule>) -> Rules {
    Rules::new(RuleFile { rule: list, ..RuleFile::default() }).unwrap()
}

fn numbers(texts: &[&str]) -> Vec<crate::pattern::Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn names(texts: &[&str]) -> Vec<rules::LineName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn germany() -> House {
    House {
        region: Some("DE".parse().unwrap()),
        calls_peers: true,
        ..House::default().person("101", &[1]).person("102", &[2])
    }
}

fn with(lines: Vec<Line>) -> House {
    House { lines, ..germany() }
}

/// `1 +4930123456` is a call to that number by line 1; `peer sip:…` is one without a line.
fn tried(route: &Route) -> Vec<String> {
    let targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
    let target = |target: &Target| match target.destination {
        Destination::Line(line) => format!("{} {}", line.0, target.dialled),
        Destination::Peer => format!("peer {}", target.dialled),
        Destination::Phone(phone) => format!("phone {}", phone.0),
    };
    targets.map(target).collect()
}

fn reasons(route: &Route) -> Vec<&str> {
    route.attempts.iter().map(|attempt| attempt.because.as_str()).collect()
}

fn left_out(route: &Route) -> Vec<(&str, &str)> {
    route.rejected.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect()
}

fn of(extension: &str) -> Caller {
    Caller { extension: Some(ext(extension)), ..Caller::default() }
}

fn route_of(house: &House, contact: &str, caller: &Caller) -> Route {
    route(&contact.parse().unwrap(), caller, house)
}

#[test]
fn every_line_that_can_carry_the_number_is_tried_in_its_own_form() {
    let mut lines = vec![account(1, "one"), account(2, "two"), account(3, "three")];
    lines[1].numbering.format = DialFormat::National;
    lines[2].numbering.format = DialFormat::International;
    lines[2].numbering.region = Some("US".parse().unwrap());
    let house = with(lines);
    for contact in ["030 123456", "+49 30 123456", "tel:+4930123456", "sip:030123456@localhost"] {
        let route = house.route(contact);
        assert_eq!(tried(&route), ["1 +4930123456", "2 030123456", "3 0114930123456"], "{contact}");
        assert_eq!(reasons(&route), ["provider"; 3]);
        assert_eq!(route.rejected, []);
    }
}

#[test]
fn an_extension_comes_before_every_line() {
    let house = with(vec![account(1, "one")]);
    assert_eq!(tried(&house.route("102")), ["phone 2"]);
    // What is no extension may be a short number of the line, in its own country.
    let short = house.route("11833");
    assert_eq!(
        (tried(&short), left_out(&short)),
        (vec!["1 11833".into()], vec![("11833", "unknown")])
    );
    let mut abroad = account(1, "one");
    abroad.numbering.region = Some("US".parse().unwrap());
    let route = with(vec![abroad]).route("11833");
    assert_eq!(left_out(&route), [("11833", "unknown"), ("one", "cannot-dial")]);
}

#[test]
fn a_line_that_does_not_pass_is_left_out_with_its_reason() {
    let lines = vec![
        Line { state: LineState::Down(Down::NeedsPassword), ..account(1, "down") },
        Line { state: LineState::EmergencyOnly, ..account(2, "sim") },
        Line { voice: false, messages: true, ..account(3, "texts") },
        Line { users: Users::Only(vec![ext("102")]), ..account(4, "of102") },
        Line { leads_to: numbers(&["+1."]), ..account(5, "america") },
        Line {
            meter: Meter { cap: Some(Duration::ZERO), ..Meter::default() },
            ..account(6, "empty")
        },
        Line { free: Some(0), ..account(7, "busy") },
        line(8, "own", LineKind::Gateway { extension: ext("101") }),
        account(9, "forbidden"),
        Line { security: Security::Hop, ..account(10, "good") },
    ];
    let never = Rule { never: names(&["forbidden"]), ..rule("not that one") };
    let house = House { rules: rules(vec![never]), ..with(lines) };
    let route = route_of(&house, "+4930123456", &of("101"));
    assert_eq!(tried(&route), ["10 +4930123456"]);
    assert_eq!(
        left_out(&route),
        [
            ("down", "line-down"),
            ("sim", "emergency-only"),
            ("texts", "no-voice"),
            ("of102", "not-for-caller"),
            ("america", "leads-elsewhere"),
            ("empty", "cap-reached"),
            ("busy", "in-use"),
            ("own", "own-line"),
            ("forbidden", "forbidden"),
        ]
    );
    assert_eq!(route.rejected[0].to_string(), "down: the line is down: it needs a password");
    assert_eq!(
        route.rejected[8].to_string(),
        "forbidden: the rule \"not that one\" forbids this line"
    );
    // A text takes the other.
    let texts = Caller { wants: Wants::Text, ..Caller::default() };
    assert_eq!(tried(&route_of(&house, "+4930123456", &texts)), ["3 +4930123456"]);
}

#[test]
fn where_only_lines_that_are_down_lead_the_caller_hears_that() {
    let house = with(vec![Line { state: LineState::Down(Down::Unreachable), ..account(1, "one") }]);
    let cause = house.route("+4930123456").refusal();
    assert_eq!((cause.sip, cause.q850), (480, Some(27)));
    assert!(cause.text.contains("down"));
}

#[test]
fn lines_are_tried_in_the_order_of_the_notes() {
    let rates = |cost| [("", Cost(cost))].into_iter().collect();
    let paid = Meter { included: Some(Duration::from_secs(60)), ..Meter::default() };
    let house = with(vec![
        line(1, "socket", LineKind::Modem),
        line(2, "radio", LineKind::Gsm),
        Line { rates: rates(20), ..account(3, "dear") },
        Line { rates: rates(10), ..account(4, "cheap") },
        Line {
            leads_to: numbers(&["+49."]),
            ..line(5, "gateway", LineKind::Gateway { extension: ext("102") })
        },
        Line { meter: paid, ..line(6, "flat", LineKind::Gsm) },
        account(7, "unpriced"),
        Line {
            health: crate::line::Health { failures: 0, resting: true },
            rates: rates(1),
            ..account(8, "resting")
        },
    ]);
    let route = house.route("+4930123456");
    let order: Vec<_> =
        tried(&route).iter().map(|one| one.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(order, ["5", "6", "4", "3", "7", "2", "1", "8"]);
    assert_eq!(
        reasons(&route),
        [
            "leads-there",
            "included",
            "provider",
            "provider",
            "provider",
            "gsm",
            "telephone-network",
            "provider"
        ]
    );
    assert_eq!(route.attempts[2].because.to_string(), "cheap leads there, at 0.01 a minute");
}

#[test]
fn a_line_that_fails_is_behind_those_that_cost_the_same() {
    let mut house = with(vec![account(1, "one"), account(2, "two"), account(3, "three")]);
    house.lines[0].health.failures = 3;
    house.lines[1].health.failures = 1;
    assert_eq!(tried(&house.route("+4930123456"))[0], "3 +4930123456");
    assert_eq!(tried(&house.route("+4930123456"))[2], "1 +4930123456");
    house.lines[2].security = Security::None;
    house.lines[1] = Line { security: Security::Hop, ..account(2, "two") };
    assert_eq!(tried(&house.route("+4930123456"))[0], "2 +4930123456");
}

#[test]
fn the_rules_decide_first() {
    let house = House {
        rules: rules(vec![
            Rule {
                numbers: numbers(&["+4930."]),
                prefer: names(&["two", "three"]),
                ..rule("berlin")
            },
            Rule { numbers: numbers(&["+33."]), only: names(&["three"]), ..rule("france") },
            Rule { numbers: numbers(&["+44."]), action: Some(Action::Bar), ..rule("no england") },
        ]),
        ..with(vec![account(1, "one"), account(2, "two"), account(3, "three")])
    };
    let berlin = house.route("030123456");
    assert_eq!(tried(&berlin), ["2 +4930123456", "3 +4930123456", "1 +4930123456"]);
    assert_eq!(reasons(&berlin), ["preferred", "preferred", "provider"]);
    assert_eq!(berlin.attempts[0].because.to_string(), "the rule \"berlin\" prefers two");
    let france = house.route("+33142685300");
    assert_eq!(tried(&france), ["3 +33142685300"]);
    assert_eq!(left_out(&france), [("one", "forbidden"), ("two", "forbidden")]);
    let england = house.route("+442079460000");
    assert_eq!((tried(&england), england.refusal().sip), (vec![], 403));
    assert_eq!(england.refusal().text, "the rule \"no england\" bars the call");
}

#[test]
fn a_rule_changes_what_is_dialled_and_the_result_is_judged_again() {
    let outside = Rule { numbers: numbers(&["0."]), strip: "0".into(), ..rule("outside line") };
    let bar =
        Rule { numbers: numbers(&["+49900."]), action: Some(Action::Bar), ..rule("no premium") };
    let house = House { rules: rules(vec![outside, bar]), ..with(vec![account(1, "one")]) };
    let route = house.route("0030123456");
    assert_eq!(tried(&route), ["1 +4930123456"]);
    assert_eq!(
        route.attempts[0].because.to_string(),
        "one leads there; the rule \"outside line\" changed the number"
    );
    assert_eq!(left_out(&house.route("009001234567")), [("009001234567", "barred")]);
    // Help is help, with the digit for an outside line too, and a colleague is a colleague.
    assert_eq!(tried(&house.route("0112")), ["1 112"]);
    assert_eq!(tried(&house.route("0102")), ["phone 2"]);
    // The other form: in Germany by the line's own network.
    let short = Rule {
        numbers: numbers(&["+49."]),
        strip: "+49".into(),
        prefix: "010880".into(),
        suffix: "#".into(),
        ..rule("by call")
    };
    let house = House { rules: rules(vec![short]), ..with(vec![account(1, "one")]) };
    assert_eq!(tried(&house.route("030123456")), ["1 01088030123456#"]);
}

#[test]
fn rules_hold_at_their_hours_and_for_their_extensions() {
    let mut house = House {
        rules: rules(vec![
            Rule {
                days: vec![Weekday::Saturday],
                hours: Some("08:00-12:00".parse().unwrap()),
                only: names(&["two"]),
                ..rule("saturday")
            },
            Rule { from: vec![ext("102")], only: names(&["one"]), ..rule("102 by one") },
        ]),
        ..with(vec![account(1, "one"), account(2, "two")])
    };
    assert_eq!(tried(&house.route("+4930123456")).len(), 2);
    house.now = Some(LocalTime { weekday: Weekday::Saturday, minute: 500 });
    assert_eq!(tried(&house.route("+4930123456")), ["2 +4930123456"]);
    house.now = Some(LocalTime { weekday: Weekday::Saturday, minute: 720 });
    assert_eq!(tried(&house.route("+4930123456")).len(), 2);
    assert_eq!(tried(&route_of(&house, "+4930123456", &of("102"))), ["1 +4930123456"]);
}

#[test]
fn lines_cost_and_are_for_what_the_rules_say() {
    let mut file = RuleFile::default();
    let cost = [("".parse().unwrap(), Cost(5))].into_iter().collect();
    let one = LineRule { cost, cap_minutes: Some(10), ..LineRule::default() };
    file.line.insert("one".parse().unwrap(), one);
    let two = LineRule { users: vec![ext("101")], prefix: "0".into(), ..LineRule::default() };
    file.line.insert("two".parse().unwrap(), two);
    let three = LineRule { numbers: numbers(&["+1."]), ..LineRule::default() };
    file.line.insert("three".parse().unwrap(), three);
    let mut house = House {
        rules: Rules::new(file).unwrap(),
        ..with(vec![account(2, "two"), account(1, "one"), account(3, "three")])
    };
    let route = route_of(&house, "+4930123456", &of("101"));
    assert_eq!(tried(&route), ["1 +4930123456", "2 04930123456"]);
    assert_eq!(left_out(&route), [("three", "leads-elsewhere")]);
    let route = route_of(&house, "+12015550123", &of("102"));
    assert_eq!(tried(&route), ["3 +12015550123", "1 +12015550123"]);
    assert_eq!(left_out(&route), [("two", "not-for-caller")]);
    house.lines[1].meter.used = Duration::from_secs(600);
    assert_eq!(left_out(&route_of(&house, "+4930123456", &of("101")))[0], ("one", "cap-reached"));
}

#[test]
fn an_extension_calls_what_its_toll_level_allows() {
    use crate::routing::toll::Level;
    let house = |level| {
        let mut file = RuleFile {
            rule: vec![Rule {
                numbers: numbers(&["+44207."]),
                action: Some(Action::Allow),
                ..rule("aunt")
            }],
            ..RuleFile::default()
        };
        file.extension.insert(ext("101"), ExtensionRule { may_call: Some(level) });
        House { rules: Rules::new(file).unwrap(), ..with(vec![account(1, "one")]) }
    };
    let levels =
        [Level::Internal, Level::National, Level::Mobile, Level::International, Level::Everything];
    for (contact, from) in [
        ("102", 0),
        ("030123456", 1),
        ("08001234567", 1),
        ("bob@example.org", 1),
        ("015112345678", 2),
        ("+33142685300", 3),
        ("09001234567", 4),
        ("11833", 4),
        ("+442079460000", 0),
        ("112", 0),
    ] {
        for (at, level) in levels.into_iter().enumerate() {
            let route = route_of(&house(level), contact, &of("101"));
            assert_eq!(!route.attempts.is_empty(), at >= from, "{contact} {level}");
            if at < from {
                assert_eq!(route.rejected[0].why.as_str(), "toll-level");
                assert_eq!(route.refusal().sip, 403);
            }
            // Another is not held by it, and a program is the user himself.
            assert!(!route_of(&house(level), contact, &Caller::default()).attempts.is_empty());
        }
    }
    let route = route_of(&house(Level::National), "09001234567", &of("101"));
    assert_eq!(
        route.refusal().text,
        "it is a premium number, and the caller may call national alone"
    );
}

#[test]
fn lines_that_keep_less_than_is_wanted_are_left_out() {
    let default = Defaults { least_security: Security::Hop, ..Defaults::default() };
    let house = House {
        rules: Rules::new(RuleFile { default, ..RuleFile::default() }).unwrap(),
        ..with(vec![account(1, "open"), Line { security: Security::Hop, ..account(2, "tls") }])
    };
    let route = house.route("+4930123456");
    assert_eq!(
        (tried(&route), left_out(&route)),
        (vec!["2 +4930123456".into()], vec![("open", "too-insecure")])
    );
}

#[test]
fn another_domain_is_called_by_the_line_in_whose_network_it_is_or_directly() {
    let mut own = account(1, "one");
    own.domains = vec!["provider.example".into()];
    let mut house = with(vec![own, account(2, "two")]);
    let on_net = house.route("sip:bob@Provider.Example");
    assert_eq!(tried(&on_net), ["1 sip:bob@provider.example"]);
    assert_eq!(on_net.attempts[0].because.to_string(), "provider.example is reached by one");
    let peer = house.route("sips:bob@elsewhere.example:5071");
    assert_eq!(tried(&peer), ["peer sips:bob@elsewhere.example:5071"]);
    assert_eq!(reasons(&peer), ["peer"]);
    house.lines[0].state = LineState::Down(Down::Unreachable);
    let down = house.route("bob@provider.example");
    assert_eq!(tried(&down), ["peer sip:bob@provider.example"]);
    assert_eq!(left_out(&down), [("one", "line-down")]);
    house.rules = rules(vec![Rule {
        domains: vec!["*.partner.example".parse().unwrap()],
        only: names(&["two"]),
        ..rule("partners")
    }]);
    assert_eq!(tried(&house.route("eve@sip.partner.example")), ["2 sip:eve@sip.partner.example"]);
}

#[test]
fn addresses_published_for_a_number_come_before_the_lines() {
    let mut house = with(vec![account(1, "one")]);
    let Contact::Sip(address) = "sip:bob@elsewhere.example".parse().unwrap() else { panic!() };
    house.published.push(address);
    let route = house.route("+4930123456");
    assert_eq!(tried(&route), ["peer sip:bob@elsewhere.example", "1 +4930123456"]);
    assert_eq!((route.attempts[0].address, route.attempts[1].address), (1, 0));
    house.calls_peers = false;
    assert_eq!(left_out(&house.route("+4930123456")), [("elsewhere.example", "peers-off")]);
}

#[test]
fn one_person_with_several_addresses_is_one_route() {
    let house = with(vec![account(1, "one"), account(2, "two")]);
    let contacts: Vec<Contact> = ["+4930123456", "bob@elsewhere.example", "102", "030123456"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let route = route_any(&contacts, &Caller::default(), &house);
    assert_eq!(
        tried(&route),
        ["phone 2", "peer sip:bob@elsewhere.example", "1 +4930123456", "2 +4930123456"]
    );
    let addresses: Vec<_> = route.attempts.iter().map(|attempt| attempt.address).collect();
    assert_eq!(addresses, [2, 1, 0, 0]);
}

#[test]
fn a_preferred_line_comes_before_the_network_of_an_address_however_many_addresses_there_are() {
    let mut own = account(1, "own");
    own.domains = vec!["provider.example".into()];
    let mut house = with(vec![own, account(2, "two")]);
    house.rules = rules(vec![Rule {
        domains: vec!["provider.example".parse().unwrap()],
        prefer: names(&["two"]),
        ..rule("by-two")
    }]);
    let contact: Contact = "sip:alice@provider.example".parse().unwrap();
    let alone = route(&contact, &Caller::default(), &house);
    assert_eq!(reasons(&alone), ["preferred", "on-net"]);
    let several = ["bob@elsewhere.example".parse().unwrap(), contact.clone()];
    for (contacts, also) in [(&several[1..], 0), (&several[..], 1)] {
        let route = route_any(contacts, &Caller::default(), &house);
        let lines: Vec<_> =
            tried(&route).into_iter().filter(|one| !one.starts_with("peer")).collect();
        assert_eq!(lines, tried(&alone));
        assert_eq!(route.attempts.len(), lines.len() + also);
    }
}

#[test]
fn nobody_outside_is_connected_to_the_outside() {
    let house = with(vec![account(1, "one")]);
    for origin in [Origin::Line(LineId(1)), Origin::Peer] {
        let caller = Caller { origin, ..Caller::default() };
        for contact in ["+4930123456", "112", "bob@elsewhere.example", "urn:service:sos"] {
            let route = route_of(&house, contact, &caller);
            assert_eq!((tried(&route), route.refusal().sip), (vec![], 403), "{contact}");
        }
        assert_eq!(tried(&route_of(&house, "102", &caller)), ["phone 2"]);
        assert_eq!(route_of(&house, "030123456", &caller).refusal().sip, 404);
    }
}

#[test]
fn help_is_called_by_the_numbers_of_the_country_and_those_of_the_lines() {
    let emergency = crate::line::Emergency {
        numbers: vec!["19222".into(), "112".into(), "110".into()],
        ..crate::line::Emergency::default()
    };
    let house = with(vec![Line { emergency, ..account(1, "one") }]);
    let services = emergency::services(&house);
    let owned = |numbers: &[&str]| numbers.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        services,
        [("sos", owned(&["112", "19222", "000", "911", "999"])), ("sos.police", owned(&["110"])),]
    );
    for number in services.iter().flat_map(|(_, numbers)| numbers) {
        assert!(emergency::is_emergency(&number.parse().unwrap(), &house), "{number}");
    }
    let nowhere = House { region: None, ..with(Vec::new()) };
    assert_eq!(
        emergency::services(&nowhere),
        [("sos", owned(&["112", "000", "911", "999"]))],
        "where the country is not known"
    );
}

#[test]
fn an_emergency_goes_by_every_line_that_is_up() {
    let able = |id, name, ability| Line {
        emergency: crate::line::Emergency { ability, numbers: Vec::new() },
        ..account(id, name)
    };
    let mut house = with(vec![
        able(1, "no", EmergencyAbility::No),
        able(2, "unknown", EmergencyAbility::Unknown),
        able(3, "location", EmergencyAbility::LocationRequired),
        able(4, "yes", EmergencyAbility::Yes),
        Line { state: LineState::EmergencyOnly, ..line(5, "radio", LineKind::Gsm) },
        Line { free: Some(0), ..able(6, "full", EmergencyAbility::Yes) },
        Line { voice: false, ..able(7, "texts", EmergencyAbility::Yes) },
        Line { state: LineState::Down(Down::Off), ..able(8, "off", EmergencyAbility::Yes) },
    ]);
    house.rules = rules(vec![Rule { action: Some(Action::Bar), ..rule("nothing at all") }]);
    for (contact, dialled) in [
        ("112", "112"),
        ("110", "110"),
        ("urn:service:sos.police", "110"),
        ("sos", "112"),
        ("sip:110@localhost", "110"),
        ("911", "911"),
    ] {
        let route = route_of(&house, contact, &of("101"));
        let wanted: Vec<_> = [5, 4, 3, 2, 1, 6].map(|id| format!("{id} {dialled}")).into();
        assert_eq!(tried(&route), wanted, "{contact}");
        assert_eq!(left_out(&route), [("texts", "no-voice"), ("off", "line-down")]);
        let always = |attempt: &Attempt| attempt.persistence == Persistence::Always;
        assert!(route.attempts.iter().all(always));
    }
    // Each state of affairs is told as it is.
    let told = |house: &House| emergency::availability(house).as_str();
    assert_eq!(told(&house), "available");
    house.lines.drain(3..6);
    assert_eq!(told(&house), "location-required");
    house.lines.remove(2);
    assert_eq!(told(&house), "unsure");
    house.lines.remove(1);
    assert_eq!(told(&house), "unlikely");
    house.lines.remove(0);
    assert_eq!(told(&house), "none");
    assert_eq!(route_of(&house, "112", &of("101")).refusal().sip, 503);
}

fn sent_on_by(house: &House, destination: Destination, dialled: &str, contact: &str) -> Route {
    let by = Target { destination, dialled: dialled.into() };
    sent_on(&contact.parse().unwrap(), &by, &Caller::default(), house)
}

#[test]
fn whoever_is_called_outside_sends_a_call_on_within_his_own_network_at_most() {
    let mut own = account(1, "one");
    own.domains = vec!["provider.example".into()];
    let house = with(vec![own, account(2, "two")]).person("102", &[2]);
    let line = Destination::Line(LineId(1));
    let by_line = |contact| sent_on_by(&house, line, "+4930123456", contact);
    assert_eq!(tried(&by_line("102")), ["phone 2"], "as a call from there");
    assert_eq!(tried(&by_line("sip:bob@provider.example")), ["1 sip:bob@provider.example"]);
    for contact in [
        "+4930123457",
        "+499001234567",
        "0900123456",
        "112",
        "urn:service:sos",
        "sip:+499001234567@provider.example",
        "sip:09001234567@provider.example",
        "sip:(0900)1234567@provider.example",
        "sip:bob@elsewhere.example",
    ] {
        let route = by_line(contact);
        assert!(tried(&route).is_empty(), "{contact}: {route:?}");
        assert!(!route.rejected.is_empty(), "{contact}");
    }
    let peer = |contact| sent_on_by(&house, Destination::Peer, "sip:anna@friend.example", contact);
    assert_eq!(tried(&peer("102")), ["phone 2"]);
    assert_eq!(tried(&peer("sip:home@friend.example")), ["peer sip:home@friend.example"]);
    for contact in ["+4930123457", "sip:bob@provider.example", "sip:bob@elsewhere.example", "112"] {
        assert!(tried(&peer(contact)).is_empty(), "{contact}");
    }
    // A phone of the house may send it where its own extension may call.
    let phone = Destination::Phone(PhoneId(2));
    assert_eq!(sent_on_by(&house, phone, "102", "+4930123457"), house.route("+4930123457"));
}

#[test]
fn a_number_at_the_domain_of_a_line_is_a_number_to_toll_levels_and_rules() {
    let mut own = account(1, "one");
    own.domains = vec!["provider.example".into()];
    let mut house = with(vec![own]);
    let mut file = RuleFile::default();
    file.extension.insert(ext("103"), ExtensionRule { may_call: Some(toll::Level::National) });
    house.rules = Rules::new(file).unwrap();
    let caller = Caller { extension: Some(ext("103")), ..Caller::default() };
    let route_of = |contact: &str| route(&contact.parse().unwrap(), &caller, &house);
    for contact in ["sip:+499001234567@provider.example", "sip:+12125550123@provider.example"] {
        let route = route_of(contact);
        assert!(matches!(route.rejected[0].why, Why::Toll { .. }), "{contact}: {route:?}");
    }
    for contact in ["sip:bob@provider.example", "sip:+4930123456@provider.example"] {
        assert_eq!(tried(&route_of(contact)).len(), 1, "{contact}");
    }
    house.rules = rules(vec![Rule {
        numbers: vec!["+4930.".parse().unwrap()],
        action: Some(Action::Bar),
        ..rule("not to berlin")
    }]);
    let route = route(&"sip:+4930123456@provider.example".parse().unwrap(), &caller, &house);
    assert!(matches!(route.rejected[0].why, Why::Barred(_)), "{route:?}");
}

#[test]
fn a_caller_bound_to_a_line_goes_by_that_alone_wherever_it_leads() {
    let its = Line {
        users: Users::ItsProgram,
        domains: vec!["provider.example".into()],
        ..account(2, "its")
    };
    let house = with(vec![account(1, "one"), its]);
    let caller = Caller { by: Some(LineId(2)), ..Caller::default() };
    for (contact, dialled) in [
        ("+4930123456", "+4930123456"),
        // An extension of the house, and nothing of the kind where the line leads.
        ("102", "102"),
        ("anna", "sip:anna@provider.example"),
        ("sip:bob@elsewhere.example", "sip:bob@elsewhere.example"),
        ("sip:102@localhost", "sip:102@localhost"),
    ] {
        let route = route_of(&house, contact, &caller);
        assert_eq!(tried(&route), [format!("2 {dialled}")], "{contact}");
    }
    // Nobody else goes by it, but for an emergency.
    let other = route_of(&house, "+4930123456", &of("101"));
    assert_eq!(
        (tried(&other), left_out(&other)),
        (vec!["1 +4930123456".into()], vec![("its", "not-for-caller")])
    );
    assert_eq!(route_of(&house, "112", &of("101")).attempts.len(), 2);
    assert_eq!(route_of(&house, "112", &caller).attempts.len(), 2);
    // It is gone.
    let gone = Caller { by: Some(LineId(9)), ..Caller::default() };
    for contact in ["+4930123456", "anna", "sip:bob@elsewhere.example"] {
        let route = route_of(&house, contact, &gone);
        assert!(route.attempts.is_empty() && route.refusal().sip >= 400, "{contact}: {route:?}");
    }
}
