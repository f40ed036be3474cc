// SPDX-License-Identifier: GPL-3.0-or-later
use super::*;

#[test]
fn a_region_is_two_letters() {
    assert_eq!("de".parse::<Region>().unwrap().as_str(), "DE");
    for text in ["", "D", "DEU", "1E", "ß", "é"] {
        assert!(text.parse::<Region>().is_err(), "{text}");
    }
}

#[test]
fn an_international_number_has_a_plus_and_up_to_fifteen_digits() {
    let number: E164 = "+4930123456".parse().unwrap();
    assert_eq!((number.as_str(), number.digits()), ("+4930123456", "4930123456"));
    for (text, error) in [
        ("030123456", ParseE164Error::MissingPlus),
        ("+49x", ParseE164Error::NotADigit('x')),
        ("+1234567890123456", ParseE164Error::Length(16)),
        ("+", ParseE164Error::Length(0)),
    ] {
        assert_eq!(text.parse::<E164>(), Err(error), "{text}");
    }
}
