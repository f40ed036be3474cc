// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;
use crate::line::{DialFormat, Numbering};

#[test]
fn a_region_is_two_letters() {
    assert_eq!("de".parse::<Region>().unwrap().as_str(), "DE");
    for text in ["", "D", "DEU", "1E", "ß", "é"] {
        assert!(text.parse::<Region>().is_err(), "{text}");
    }
}

#[test]
fn every_country_code_leads_to_the_country_of_the_numbering_plans() {
    let plans = rlibphonenumber::PhoneNumberUtil::new().unwrap();
    let mut countries = 0;
    for code in 0..1000 {
        let known = plans.get_region_for_country_code(code).map(|region| format!("{region:?}"));
        // Networks that no country has are not in a country.
        let known = known.filter(|region| region.len() == 2);
        countries += usize::from(known.is_some());
        let ours = Region::of_country_code(&code.to_string());
        assert_eq!(ours.map(String::from), known, "{code}");
    }
    assert!(countries > 200, "{countries}");
    for none in ["", "049", "+49", "49-DE", "DE", "1234"] {
        assert_eq!(Region::of_country_code(none), None, "{none}");
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

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

#[test]
fn numbers_are_understood_as_the_country_dials_them() {
    use Class as C;
    for (country, dialled, e164, class) in [
        ("DE", "030123456", "+4930123456", C::National),
        ("DE", "004930123456", "+4930123456", C::National),
        ("DE", "4930123456", "+4930123456", C::National),
        ("DE", "+490301234567", "+49301234567", C::National),
        ("DE", "015112345678", "+4915112345678", C::Mobile),
        ("DE", "08001234567", "+498001234567", C::Freephone),
        ("DE", "09001234567", "+499001234567", C::Premium),
        ("DE", "0033142685300", "+33142685300", C::International),
        ("DE", "+881612345678", "+881612345678", C::Premium),
        ("US", "2015550123", "+12015550123", C::National),
        ("US", "12015550123", "+12015550123", C::National),
        ("US", "01149301234567", "+49301234567", C::International),
        ("US", "4165550123", "+14165550123", C::International),
        ("US", "9002345678", "+19002345678", C::Premium),
        ("GB", "02079460000", "+442079460000", C::National),
        ("GB", "07400123456", "+447400123456", C::Mobile),
        ("IT", "0612345678", "+390612345678", C::National),
        ("ZZ", "+4930123456", "+4930123456", C::International),
    ] {
        let found =
            Understood::read(dialled, region(country)).map(|u| (u.e164.to_string(), u.class));
        assert_eq!(found, Some((e164.to_owned(), class)), "{country} {dialled}");
    }
    for (country, dialled) in [
        ("DE", "110"),
        ("DE", "11833"),
        ("DE", "*21#"),
        ("DE", "+49000001"),
        ("DE", "+910000000010"),
        ("ZZ", "030123456"),
        ("DE", "+"),
        ("DE", ""),
    ] {
        assert_eq!(Understood::read(dialled, region(country)), None, "{country} {dialled}");
    }
}

#[test]
fn a_number_leaves_in_the_form_its_line_takes() {
    let read = |number| Understood::read(number, Region::WORLD).unwrap();
    let (german, american) = (read("+4930123456"), read("+12015550123"));
    let line = |format, country: &str| Numbering {
        format,
        region: Some(region(country)),
        ..Numbering::default()
    };
    for (format, country, number, wanted) in [
        (DialFormat::E164Plus, "DE", &german, "+4930123456"),
        (DialFormat::E164, "DE", &german, "4930123456"),
        (DialFormat::International, "DE", &german, "004930123456"),
        (DialFormat::International, "US", &german, "0114930123456"),
        (DialFormat::National, "DE", &german, "030123456"),
        (DialFormat::National, "US", &german, "0114930123456"),
        (DialFormat::National, "DE", &american, "0012015550123"),
        (DialFormat::National, "US", &american, "2015550123"),
        (DialFormat::National, "IT", &read("+390612345678"), "0612345678"),
        (DialFormat::National, "RU", &read("+74951234567"), "84951234567"),
        (DialFormat::National, "ZZ", &german, "004930123456"),
        (DialFormat::AsIs, "DE", &german, "030/12"),
    ] {
        let dialled = line(format, country).dial(number, "030/12", Region::WORLD);
        assert_eq!(dialled, wanted, "{format:?} {country} {number:?}");
    }
    let own = Numbering {
        national_prefix: Some("1".into()),
        international_prefix: Some("0100".into()),
        ..line(DialFormat::National, "US")
    };
    assert_eq!(own.dial(&american, "", Region::WORLD), "12015550123");
    assert_eq!(own.dial(&german, "", Region::WORLD), "01004930123456");
    // A line without a country of its own is in the house's.
    let house = Numbering { format: DialFormat::National, ..Numbering::default() };
    assert_eq!(house.dial(&german, "", region("DE")), "030123456");
}

#[test]
fn the_plans_are_loaded_at_the_first_number_and_given_back() {
    assert!(!is_loaded());
    assert!(Understood::read("*21#", region("DE")).is_none() && !is_loaded());
    assert!(Understood::read("030123456", region("DE")).is_some() && is_loaded());
    forget();
    assert!(!is_loaded());
    assert!(Understood::read("030123456", region("DE")).is_some());
}

/// The port compiles each country's patterns at first use and would panic on a bad one: here every
/// country is asked for numbers of every length.
#[test]
fn every_country_can_be_asked_for_every_number() {
    let letters = || (b'A'..=b'Z').map(char::from);
    for country in letters().flat_map(|a| letters().map(move |b| format!("{a}{b}"))) {
        let country = region(&country);
        for digits in ["0", "0123456789", "123456789012345", "8005550123", "+99912345678"] {
            for length in 1..=digits.len() {
                if let Some(found) = Understood::read(&digits[..length], country) {
                    for format in [DialFormat::National, DialFormat::International] {
                        let numbering = Numbering { format, ..Numbering::default() };
                        assert!(!numbering.dial(&found, "", country).is_empty());
                    }
                }
            }
        }
    }
    for code in 1..1000 {
        for rest in ["12345", "800555012", "2345678901"] {
            let _ = Understood::read(&format!("+{code}{rest}"), Region::WORLD);
        }
    }
}

proptest! {
    #[test]
    fn what_is_understood_is_understood_again(dialled in r"\+?[0-9]{1,17}", a in 0usize..4) {
        let country = region(["DE", "US", "IT", "RU"][a]);
        if let Some(found) = Understood::read(&dialled, country) {
            let again = Understood::read(found.e164.as_str(), country);
            prop_assert_eq!(again, Some(found));
        }
    }

    #[test]
    fn nothing_that_is_dialled_makes_it_panic(dialled in any::<String>(), a: [u8; 2]) {
        let country = String::from_utf8_lossy(&a).parse().unwrap_or(Region::WORLD);
        let _ = Understood::read(&dialled, country);
    }
}
