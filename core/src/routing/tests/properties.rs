// SPDX-License-Identifier: GPL-3.0-or-later
//! What holds in every house.

use super::{outward::line, *};
use crate::{
    line::{
        Cost, DialFormat, Down, EmergencyAbility, Health, LineKind, LineState, Meter, Security,
        Users,
    },
    number::Class,
    routing::{
        rules::{Action, Defaults, ExtensionRule, LineName, LineRule, Rule, RuleFile},
        toll::Level,
    },
};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn pick<T: Clone + std::fmt::Debug + 'static>(from: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(from.to_vec())
}

fn some_of<T: Clone + std::fmt::Debug + 'static>(
    from: &[T],
) -> impl Strategy<Value = Vec<T>> + use<T> {
    prop::collection::vec(pick(from), 0..3)
}

fn patterns() -> impl Strategy<Value = Vec<crate::pattern::Pattern>> {
    let texts = [".", "0.", "+.", "+49.", "030XXXXXX", "1X.", "112", "11X", "ZXX", "+4930ZX."];
    some_of(&texts.map(|text| text.parse().unwrap()))
}

fn extensions() -> impl Strategy<Value = Vec<ExtensionNumber>> {
    some_of(&["101", "102", "103"].map(ext))
}

fn line_names() -> impl Strategy<Value = Vec<LineName>> {
    some_of(&NAMES.map(|name| name.parse().unwrap()))
}

fn state() -> impl Strategy<Value = LineState> {
    pick(&[
        LineState::Up,
        LineState::Up,
        LineState::EmergencyOnly,
        LineState::Down(Down::Off),
        LineState::Down(Down::KeyringLocked),
    ])
}

fn kind() -> impl Strategy<Value = LineKind> {
    pick(&[
        LineKind::Account,
        LineKind::Gateway { extension: ext("101") },
        LineKind::Gsm,
        LineKind::Modem,
        LineKind::Trunk,
    ])
}

fn any_line() -> impl Strategy<Value = Line> {
    let what = (0u64..6, kind(), state(), any::<bool>(), any::<bool>(), patterns());
    let minutes = || prop::option::of((0u64..3).prop_map(Duration::from_secs));
    let meter = (minutes(), minutes(), 0u64..3);
    let users = prop::option::of(extensions());
    let formats = [
        DialFormat::AsIs,
        DialFormat::E164,
        DialFormat::E164Plus,
        DialFormat::International,
        DialFormat::National,
    ];
    let abilities = [
        EmergencyAbility::Yes,
        EmergencyAbility::LocationRequired,
        EmergencyAbility::Unknown,
        EmergencyAbility::No,
    ];
    let numbering = (pick(&formats), prop::option::of(pick(&["DE", "US", "ZZ"])));
    let rest = (
        pick(&abilities),
        prop::option::of(0u16..2),
        0u16..5,
        any::<bool>(),
        pick(&[Security::None, Security::Hop]),
        prop::option::of(0u32..3),
    );
    (what, meter, users, numbering, rest).prop_map(|(what, meter, users, numbering, rest)| {
        let (id, kind, state, voice, messages, leads_to) = what;
        let mut line = line(id, NAMES[id as usize], kind);
        line.state = state;
        (line.voice, line.messages, line.leads_to) = (voice, messages, leads_to);
        let (included, cap, used) = meter;
        line.meter = Meter { included, cap, used: Duration::from_secs(used) };
        line.users = users.map_or(Users::Everybody, Users::Only);
        line.numbering.format = numbering.0;
        line.numbering.region = numbering.1.map(|region| region.parse().unwrap());
        let (ability, free, failures, resting, security, cost) = rest;
        (line.emergency.ability, line.free, line.security) = (ability, free, security);
        line.health = Health { failures, resting };
        line.rates = cost.map(|cost| ("", Cost(cost))).into_iter().collect();
        line.domains = vec!["provider.example".into()];
        line
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let about = (patterns(), some_of(&["provider.example", "*.example"]), some_of(Class::ALL));
    let when = (extensions(), some_of(&Weekday::ALL), prop::option::of(pick(&["08:00-12:00"])));
    let says = (
        prop::option::of(pick(&[Action::Allow, Action::Bar])),
        pick(&["", "0", "+49"]),
        pick(&["", "0", "+1", "11", "*"]),
        pick(&["", "#", "2"]),
        line_names(),
        line_names(),
        line_names(),
    );
    (0u32..1_000_000, about, when, says).prop_map(|(name, about, when, says)| {
        let (numbers, domains, classes) = about;
        let (from, days, hours) = when;
        let (action, strip, prefix, suffix, prefer, only, never) = says;
        Rule {
            name: name.to_string().parse().unwrap(),
            numbers,
            domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
            classes,
            from,
            days,
            hours: hours.map(|hours| hours.parse().unwrap()),
            action,
            strip: strip.into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
            prefer,
            only,
            never,
        }
    })
}

prop_compose! {
    fn line_rule()(
        cap_minutes in prop::option::of(0u32..2),
        included_minutes in prop::option::of(0u32..2),
        numbers in patterns(),
        prefix in pick(&["", "0"]),
        users in extensions(),
    ) -> LineRule {
        LineRule {
            cap_minutes, included_minutes, numbers, users,
            prefix: prefix.into(), ..LineRule::default()
        }
    }
}

/// Rules of which each made sense by itself.
fn any_rules() -> impl Strategy<Value = Rules> {
    let levels =
        [Level::Internal, Level::National, Level::Mobile, Level::International, Level::Everything];
    let lines = prop::collection::btree_map(
        pick(&NAMES.map(|name| name.parse::<LineName>().unwrap())),
        line_rule(),
        0..3,
    );
    let security = pick(&[Security::None, Security::Hop, Security::EndToEnd]);
    let levels = (pick(&levels), pick(&levels));
    (prop::collection::vec(any_rule(), 0..8), lines, levels, security).prop_map(
        |(list, line, (all, one), least_security)| {
            let extension = [(ext("101"), ExtensionRule { may_call: Some(one) })].into();
            let default = Defaults { may_call: all, least_security };
            let mut file = RuleFile { default, extension, line, rule: Vec::new() };
            for rule in list {
                let mut longer = file.clone();
                longer.rule.push(rule);
                if Rules::new(longer.clone()).is_ok() {
                    file = longer;
                }
            }
            Rules::new(file).unwrap()
        },
    )
}

prop_compose! {
    fn any_house()(
        lines in prop::collection::vec(any_line(), 0..8),
        rules in any_rules(),
        region in prop::option::of(pick(&["DE", "US", "FR", "ZZ"])),
        now in prop::option::of((pick(&Weekday::ALL), 0u16..1440)),
        calls_peers: bool,
        published: bool,
    ) -> House {
        let Contact::Sip(address) = "sip:x@elsewhere.example".parse().unwrap() else { panic!() };
        House {
            lines,
            rules,
            region: region.map(|region| region.parse().unwrap()),
            now: now.map(|(weekday, minute)| LocalTime { weekday, minute }),
            calls_peers,
            published: if published { vec![address] } else { Vec::new() },
            ..House::default().person("101", &[1, 2]).person("102", &[3]).person("112x", &[])
        }
    }
}

prop_compose! {
    fn any_caller()(
        phone in prop::option::of(0u64..4),
        extension in prop::option::of(pick(&["101", "102"])),
        origin in pick(&[Origin::House, Origin::House, Origin::Line(LineId(1)), Origin::Peer]),
        wants in pick(&[Wants::Call, Wants::Call, Wants::Text]),
        by in pick(&[None, None, Some(LineId(1)), Some(LineId(99))]),
    ) -> Caller {
        Caller { phone: phone.map(PhoneId), extension: extension.map(ext), origin, wants, by }
    }
}

fn any_contact() -> impl Strategy<Value = Contact> {
    let texts = prop_oneof![
        r"\+?[0-9*#]{1,16}",
        r"0?(030123456|015112345678|09001234567|112|110|102)",
        r"[a-z]{1,4}@(provider|elsewhere|sip\.elsewhere)\.example",
        r"[0-9]{1,8}@localhost",
        any::<String>(),
    ];
    texts.prop_filter_map("no contact", |text| text.parse().ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_emergency_is_routed_wherever_a_line_is_up_that_carries_voice(
        house in any_house(),
        caller in any_caller(),
        contact in pick(&["112", "911", "sip:999@localhost", "sos", "urn:service:sos.fire", "000"]),
    ) {
        let caller = Caller { origin: Origin::House, wants: Wants::Call, ..caller };
        let route = route(&contact.parse().unwrap(), &caller, &house);
        let up = |line: &&Line| line.voice && !matches!(line.state, LineState::Down(_));
        let ready: Vec<_> = house.lines.iter().filter(up).map(|line| line.id).collect();
        for id in &ready {
            let by = |attempt: &Attempt| attempt.targets[0].destination == Destination::Line(*id);
            prop_assert!(route.attempts.iter().any(by), "{id:?} is not tried");
        }
        let available = emergency::availability(&house) != emergency::Availability::None;
        prop_assert_eq!(available, !ready.is_empty());
        prop_assert_eq!(route.attempts.is_empty(), ready.is_empty());
        if ready.is_empty() {
            prop_assert_eq!(route.refusal().sip, 503);
        }
    }

    #[test]
    fn any_contact_has_a_route_or_a_reason_and_nothing_is_tried_twice(
        house in any_house(),
        caller in any_caller(),
        contacts in prop::collection::vec(any_contact(), 1..4),
    ) {
        for one in [route(&contacts[0], &caller, &house), route_any(&contacts, &caller, &house)] {
            prop_assert!(!one.attempts.is_empty() || !one.rejected.is_empty());
            let mut seen = Vec::new();
            for attempt in &one.attempts {
                prop_assert!(!attempt.targets.is_empty());
                prop_assert!(!attempt.because.as_str().is_empty());
                prop_assert!(!attempt.because.to_string().is_empty());
                for target in &attempt.targets {
                    prop_assert!(!target.dialled.is_empty());
                    prop_assert!(!seen.contains(target), "twice: {target:?}");
                    seen.push(target.clone());
                }
            }
            for rejected in &one.rejected {
                prop_assert!(!rejected.what.is_empty() && !rejected.why.to_string().is_empty());
                prop_assert!((300..700).contains(&rejected.why.cause().sip));
            }
        }
        // The same world, the same route.
        let again = house.clone();
        prop_assert_eq!(
            route_any(&contacts, &caller, &house),
            route_any(&contacts, &caller, &again)
        );
        // Strangers stay in the house.
        if caller.origin != Origin::House {
            let inside = |target: &Target| matches!(target.destination, Destination::Phone(_));
            let route = route_any(&contacts, &caller, &house);
            prop_assert!(route.attempts.iter().flat_map(|a| &a.targets).all(inside));
        }
    }

    #[test]
    fn every_line_of_the_house_is_tried_or_has_a_reason(
        house in any_house(),
        caller in any_caller(),
        contact in pick(&["+4930123456", "030123456", "112", "+12015550123"]),
    ) {
        let caller = Caller { origin: Origin::House, by: None, ..caller };
        let mut house = house;
        house.lines.sort_by_key(|line| line.id);
        house.lines.dedup_by_key(|line| line.id);
        let route = route(&contact.parse().unwrap(), &caller, &house);
        let refused = ["barred", "toll-level", "cannot-dial"];
        if route.rejected.first().is_some_and(|first| refused.contains(&first.why.as_str())
            && first.what == contact)
        {
            return Ok(());
        }
        for line in &house.lines {
            let chosen = route.attempts.iter()
                .any(|attempt| attempt.targets[0].destination == Destination::Line(line.id));
            let left_out = route.rejected.iter().any(|one| one.what == line.title());
            prop_assert!(chosen != left_out, "{}: {chosen} {left_out}", line.name);
        }
    }
}
