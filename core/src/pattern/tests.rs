// SPDX-License-Identifier: GPL-3.0-or-later
use super::*;

#[test]
fn a_pattern_fits_the_numbers_it_describes() {
    for (pattern, fits, fails) in [
        (".", &["1", "+49301", "*21#", ""][..], &[][..]),
        ("+4930.", &["+4930", "+4930123456"], &["+4940123", "030123456", "+493"]),
        ("0800XXXXXXX", &["08001234567"], &["0800123456", "080012345678"]),
        ("0ZX.", &["030123"], &["0030", "00"]),
        ("1N", &["12", "19"], &["11", "10", "1"]),
        ("*21#", &["*21#"], &["*21"]),
    ] {
        let parsed: Pattern = pattern.parse().unwrap();
        assert_eq!(parsed.to_string(), pattern);
        for number in fits {
            assert!(parsed.fits(number), "{pattern} {number}");
        }
        for number in fails {
            assert!(!parsed.fits(number), "{pattern} {number}");
        }
    }
    assert_eq!("+49ZX.".parse::<Pattern>().unwrap().beginning(), "+49");
}

#[test]
fn what_is_no_pattern_is_refused_with_the_reason() {
    assert_eq!("".parse::<Pattern>(), Err(ParsePatternError::Empty));
    assert_eq!("9".repeat(42).parse::<Pattern>(), Err(ParsePatternError::TooLong(42)));
    for (text, stray) in [("03.0", '.'), ("03+", '+'), ("a", 'a'), ("+49 30", ' '), ("x", 'x')] {
        let error = text.parse::<Pattern>().unwrap_err();
        assert_eq!(error, ParsePatternError::Sign(stray, text.into()));
    }
}
