// SPDX-License-Identifier: GPL-3.0-or-later
use std::collections::BTreeSet;

use super::{table::countries, *};

#[test]
fn the_table_is_in_order_and_holds_numbers() {
    let all: Vec<_> = countries().collect();
    assert!(all.len() >= 200, "{}", all.len());
    assert!(all.windows(2).all(|pair| pair[0].region < pair[1].region), "not in order");
    for country in &all {
        country.region.parse::<Region>().expect(country.region);
        for number in country.numbers() {
            let is_number =
                (1..=7).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            assert!(is_number, "{}: {number:?}", country.region);
        }
        let numbers: BTreeSet<_> = country.numbers().collect();
        for service in ["sos", "sos.police", "sos.fire", "sos.ambulance", "sos.marine"] {
            assert!(numbers.contains(country.number_of(service)), "{} {service}", country.region);
        }
    }
}

/// Directive (EU) 2018/1972, article 109.
#[test]
fn the_single_european_number_serves_in_every_state_of_the_union() {
    for region in [
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
        "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    ] {
        let region: Region = region.parse().unwrap();
        assert!(numbers(region).any(|number| number == "112"), "{region}");
        assert_eq!(number_of("sos", region), "112", "{region}");
    }
}

#[test]
fn each_country_has_its_own_numbers_for_its_services() {
    for (region, service, number) in [
        ("DE", "sos.police", "110"),
        ("DE", "sos.fire", "112"),
        ("FR", "sos.ambulance", "15"),
        ("US", "sos", "911"),
        ("US", "sos.police", "911"),
        ("GB", "sos", "999"),
        ("AU", "sos", "000"),
        ("JP", "sos.fire", "119"),
        ("CH", "sos.police", "117"),
        ("DE", "sos.mountain", "112"),
        ("ZZ", "sos.fire", "112"),
    ] {
        assert_eq!(number_of(service, region.parse().unwrap()), number, "{region} {service}");
    }
    let (germany, france): (Region, Region) = ("DE".parse().unwrap(), "FR".parse().unwrap());
    assert!(is_number("110", germany) && !is_number("110", france));
    assert!(is_number("911", germany) && is_number_anywhere("110") && !is_number_anywhere("1212"));
}
