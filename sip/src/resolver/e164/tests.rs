// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn rule(order: u16, preference: u16, services: &str, regexp: &str) -> Record {
    let data = Data::Naptr(Naptr {
        order,
        preference,
        flags: "u".into(),
        services: services.into(),
        regexp: regexp.into(),
        replacement: ".".into(),
    });
    Record { owner: "1.e164.arpa".into(), data }
}

fn rewrite(regexp: &str, number: &str) -> Option<String> {
    Rewrite::parse(regexp).ok()?.apply(number)
}

#[test]
fn a_number_is_a_name_from_its_end() {
    let name = number_domain("+49301234", PUBLIC_ROOT).unwrap();
    assert_eq!(name.as_ref(), "4.3.2.1.0.3.9.4.e164.arpa");
    for bad in ["49301234", "+", "+4", "+49 30", "+4930123456789012", "+49x", ""] {
        assert_eq!(number_domain(bad, PUBLIC_ROOT), Err(NotAnE164Number), "{bad}");
    }
    assert_eq!(number_domain("+4930", "no such root"), Err(NotAnE164Number));
}

#[test]
fn rules_make_addresses_in_their_order() {
    let records = vec![
        rule(20, 1, "E2U+sip", "!^.*$!sip:third@example.org!"),
        rule(10, 9, "E2U+sip", r"!^\+49(.*)$!sip:0\1@example.org!"),
        rule(10, 1, "e2u+voice:tel+SIP:x", "!^.*$!sips:first@example.org!"),
        rule(10, 2, "E2U+mailto", "!^.*$!mailto:a@example.org!"),
        rule(10, 3, "SIP+D2U", "!^.*$!sip:b@example.org!"),
        rule(30, 1, "E2U+sip", "!^.*$!sip:third@example.org!"),
    ];
    let addresses: Vec<String> =
        number_addresses("+49301234", records).iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["sips:first@example.org", "sip:0301234@example.org", "sip:third@example.org"]
    );
}

#[test]
fn what_is_no_plain_sip_address_is_left_out() {
    for result in [
        "http://example.org",
        "tel:+4930",
        "sip:a@example.org?Replaces=x",
        "sip:a b@example.org",
        "sip:",
        "",
    ] {
        let records = vec![rule(1, 1, "E2U+sip", &format!("!^.*$!{result}!"))];
        assert_eq!(number_addresses("+4930", records), [], "{result}");
    }
    // Flags other than "u" lead to other records, of which there may be no end.
    let Data::Naptr(mut other) = rule(1, 1, "E2U+sip", "!^.*$!sip:a@example.org!").data else {
        panic!("a rule");
    };
    other.flags = String::new();
    let record = Record { owner: "x".into(), data: Data::Naptr(other) };
    assert_eq!(number_addresses("+4930", vec![record]), []);
}

#[test]
fn expressions_are_extended_ones() {
    for (regexp, expected) in [
        (r"!^\+49(.*)$!<\1>!", Some("<301234>")),
        ("!(30)(12)?(99)?!<\\1\\2\\3>!", Some("+49<3012>34")),
        ("/^.49([0-9]{2})([0-9]{1,})$/\\2-\\1/", Some("1234-30")),
        ("!^.49([[:digit:]]+)4$!\\1!", Some("30123")),
        ("!^(\\+48|\\+49|\\+50)!x!", Some("x301234")),
        ("!^[^0-9]!00!", Some("0049301234")),
        ("!ABC|3!x!i", Some("+49x01234")),
        ("#^.*$#sip:\\#a@b#", Some("sip:#a@b")),
        ("!^.*$!sip:a\\\\b!", Some("sip:a\\b")),
        ("!^$!x!", None),
        ("!x*!!", Some("+49301234")),
        ("!(a*)*(b?)+$!x!", Some("+49301234x")),
        ("!4{2}!x!", None),
        ("!.{9}!x!", Some("x")),
        ("!.{10}!x!", None),
    ] {
        assert_eq!(rewrite(regexp, "+49301234").as_deref(), expected, "{regexp}");
    }
}

#[test]
fn broken_expressions_are_refused() {
    let deep = format!("!{}a{}!x!", "(".repeat(40), ")".repeat(40));
    let long = format!("!{}!x!", "a".repeat(300));
    for regexp in [
        "",
        "!",
        "!a!",
        "!a!b",
        "!a!b!c!",
        "!a!b!x",
        "!(!x!",
        "!)!x!",
        "!*!x!",
        "![!x!",
        "![z-a]!x!",
        "![[:alpha:]]!x!",
        "!a{!x!",
        "!a{2,1}!x!",
        "!a{99999}!x!",
        "!a{999}!x!",
        "!((a{30}){30})!x!",
        "!(a)\\1!x!",
        "!a\\",
        "1a1b1",
        "!ä!x!",
        &deep,
        &long,
    ] {
        assert_eq!(Rewrite::parse(regexp).err(), Some(regexp::Broken), "{regexp}");
    }
}

#[test]
fn expressions_that_explode_elsewhere_take_no_time() {
    let begun = Instant::now();
    for regexp in [
        "!^(((1*)*)*)*x$!a!",
        "!^(1|1)*(1|1)*(1|1)*(1|1)*(1|1)*x!a!",
        "!(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*x!a!",
        "!(1?){15}1{15}x!a!",
    ] {
        assert_eq!(rewrite(regexp, "+111111111111111"), None, "{regexp}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_replacement_does_not_grow_without_end() {
    let regexp = format!("!(.*)!{}!", "\\1".repeat(100));
    assert_eq!(rewrite(&regexp, "+49301234567890"), None);
}

proptest! {
    #[test]
    fn any_expression_is_refused_or_applied(
        regexp in "![ab.*+?(){}|\\[\\]^$1-9,\\\\]{0,40}![ab\\\\1-9]{0,10}!i?",
        number in "\\+[0-9]{2,15}",
    ) {
        if let Some(result) = rewrite(&regexp, &number) {
            prop_assert!(result.len() <= 512);
        }
    }

    #[test]
    fn a_prefix_is_taken_off_any_number(number in "[0-9]{1,13}") {
        let made = rewrite(r"!^\+49(.*)$!sip:\1@example.org!", &format!("+49{number}"));
        prop_assert_eq!(made, Some(format!("sip:{number}@example.org")));
    }
}
