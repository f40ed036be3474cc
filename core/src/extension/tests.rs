// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;

#[test]
fn numbers_and_names_are_taken_in_lower_case() {
    for (text, number) in
        [("101", "101"), ("Alice", "alice"), ("*98", "*98"), ("door-bell.2", "door-bell.2")]
    {
        assert_eq!(text.parse::<ExtensionNumber>().unwrap().as_str(), number);
    }
}

#[test]
fn what_cannot_be_an_extension_is_told_why() {
    use ParseExtensionError::*;
    let long = "1".repeat(33);
    for (text, error) in [
        ("", Empty),
        ("112", Emergency("112".into())),
        ("911", Emergency("911".into())),
        ("SOS", Reserved("sos".into())),
        ("anonymous", Reserved("anonymous".into())),
        ("a b", Letter(' ')),
        ("bob@home", Letter('@')),
        ("jürgen", Letter('ü')),
        ("-a", Separator("-a".into())),
        ("a.", Separator("a.".into())),
        (long.as_str(), TooLong(33)),
    ] {
        assert_eq!(text.parse::<ExtensionNumber>(), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_accepted_stays_as_it_is_and_needs_no_escape_in_a_uri(text in "\\PC{0,40}") {
        if let Ok(number) = text.parse::<ExtensionNumber>() {
            prop_assert_eq!(number.as_str().parse(), Ok(number.clone()));
            prop_assert!(number.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"@:;<>\"%".contains(&b)));
        }
    }
}
