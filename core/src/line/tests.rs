// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;

#[test]
fn a_cost_is_written_as_it_is_read() {
    for (text, thousandths, written) in [
        ("0", 0, "0.00"),
        ("0.02", 20, "0.02"),
        ("0.019", 19, "0.019"),
        ("1.5", 1500, "1.50"),
        ("999999.999", 999_999_999, "999999.999"),
    ] {
        let cost: Cost = text.parse().unwrap();
        assert_eq!((cost, cost.to_string().as_str()), (Cost(thousandths), written));
    }
    for text in ["", ".", "1.", ".5", "-1", "1,5", "0.0001", "1e3", "1000000"] {
        assert!(text.parse::<Cost>().is_err(), "{text}");
    }
}

#[test]
fn the_longest_beginning_that_fits_says_what_a_call_costs() {
    let rates: Rates =
        [("+49", Cost(10)), ("49151", Cost(90)), ("1", Cost(20))].into_iter().collect();
    let cost = |number: &str| rates.of(&number.parse().unwrap());
    assert_eq!(cost("+4930123456"), Some(Cost(10)));
    assert_eq!(cost("+4915112345678"), Some(Cost(90)));
    assert_eq!(cost("+12015550123"), Some(Cost(20)));
    assert_eq!(cost("+33142685300"), None);
    let all: Rates = [("", Cost(30))].into_iter().collect();
    assert_eq!(all.of(&"+33142685300".parse().unwrap()), Some(Cost(30)));
    assert!(Rates::unknown().is_unknown());
}

#[test]
fn a_meter_knows_what_is_paid_for_and_what_is_used_up() {
    let minutes = |count: u64| Some(Duration::from_secs(60 * count));
    let meter = |used: u64| Meter {
        included: minutes(50),
        cap: minutes(100),
        used: minutes(used).unwrap(),
    };
    assert!(meter(49).is_included() && !meter(50).is_included());
    assert!(!meter(99).is_exhausted() && meter(100).is_exhausted());
    assert!(meter(0).is_metered() && !Meter::default().is_metered());
}

#[test]
fn a_line_is_used_by_those_it_is_for() {
    let only = Users::Only(vec!["101".parse().unwrap()]);
    assert!(only.admit(Some(&"101".parse().unwrap())));
    assert!(!only.admit(Some(&"102".parse().unwrap())));
    // A program of the user's own has no extension.
    assert!(only.admit(None));
}

proptest! {
    #[test]
    fn the_search_finds_what_looking_at_every_row_finds(
        rows in prop::collection::btree_map("[1-3]{0,5}", 0u32..99, 0..12),
        number in "\\+[1-3]{3,7}",
    ) {
        let number = number.parse().unwrap();
        let rates: Rates = rows.iter().map(|(row, cost)| (row, Cost(*cost))).collect();
        let digits = crate::number::E164::digits(&number);
        let longest = rows.iter().filter(|(row, _)| digits.starts_with(row.as_str()))
            .max_by_key(|(row, _)| row.len());
        prop_assert_eq!(rates.of(&number), longest.map(|(_, cost)| Cost(*cost)));
    }
}
