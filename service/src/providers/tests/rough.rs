// SPDX-License-Identifier: GPL-3.0-or-later
//! Rough handling: whatever a file says, it is read or refused with a place inside it.

use proptest::prelude::*;

use super::FULL;
use crate::providers::Provider;

fn read_or_refused(text: &str) {
    match Provider::parse(text) {
        Ok(parsed) => {
            let again = toml::to_string(&parsed.provider).expect("what is read can be written");
            let again = Provider::parse(&again).expect("and read again").provider;
            assert_eq!(again, parsed.provider);
        }
        Err(mistake) => {
            assert!((1..=text.lines().count() + 1).contains(&mistake.line), "{mistake}\n{text}");
            assert!(mistake.column > 0 && !mistake.words.is_empty());
            assert!(!mistake.to_string().contains('\n'), "{mistake:?}");
        }
    }
}

#[test]
fn deep_nesting_huge_numbers_and_long_names_are_refused_or_passed_over() {
    for text in [
        format!("schema = 1\nx = {}1{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("schema = 1\nx = {}", "{ a = ".repeat(10_000)),
        format!("schema = 1\n[{}a]", "a.".repeat(20_000)),
        format!("schema = 1\nx = {}", "9".repeat(60_000)),
        "schema = 99999999999999999999999999".into(),
        "schema = -1".into(),
        "schema = 1.0".into(),
        "schema = 0x1".into(),
        "schema = [1]".into(),
        format!("{} = 1", "s".repeat(60_000)),
        FULL.replace("5070", "1e308"),
        FULL.replace("5070", "nan"),
        FULL.replace("5070", "-9223372036854775808"),
        FULL.replace("5070", "1979-05-27T07:32:00Z"),
        FULL.replace("[0-9]+", &"(".repeat(190)),
        FULL.replace("Hausnetz", "\\u0000\\u001b[2J"),
        FULL.replace('\n', "\r\n"),
        FULL.replace('\n', "\r"),
    ] {
        read_or_refused(&text);
    }
}

/// Values of every type, for keys of every type.
const VALUES: &[&str] = &[
    "1",
    "-1",
    "0",
    "4294967296",
    "9223372036854775807",
    "1.5",
    "inf",
    "true",
    "\"\"",
    "\"x\"",
    "\"{account}\"",
    "\"{nobody}\"",
    "\"\\u0007\"",
    "[]",
    "[1]",
    "[[[]]]",
    "[\"x\", 1]",
    "{}",
    "{ x = 1 }",
    "{ a.b = [] }",
    "1979-05-27",
    "'''\n'''",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s)[\\[\\]a-z\"'=\n\\-0-9#{},.ä]{0,300}") {
        read_or_refused(&text);
        read_or_refused(&format!("schema = 1\n{text}"));
    }

    #[test]
    fn a_spoiled_file_is_read_or_refused(
        at in 0..FULL.len(),
        cut in 0..20_usize,
        with in "[\\[\\]a-z\"= \n\\-0-9#{}ä]{0,3}",
    ) {
        let end = (at + cut).min(FULL.len());
        if FULL.is_char_boundary(at) && FULL.is_char_boundary(end) {
            read_or_refused(&format!("{}{with}{}", &FULL[..at], &FULL[end..]));
        }
    }

    #[test]
    fn a_value_of_any_type_is_read_or_refused(
        line in 0..FULL.lines().count(),
        value in 0..VALUES.len(),
    ) {
        let with = |(at, text): (usize, &str)| match text.split_once(" = ") {
            Some((key, _)) if at == line => format!("{key} = {}", VALUES[value]),
            _ => text.to_owned(),
        };
        let text: Vec<String> = FULL.lines().enumerate().map(with).collect();
        read_or_refused(&text.join("\n"));
    }
}
