// SPDX-License-Identifier: GPL-3.0-or-later
//! Which of many comes first: SRV records by priority and weight (RFC 2782), and addresses of two
//! families in turn (RFC 7984, RFC 8305 §4).

use super::question::Srv;

/// Random numbers from a seed (SplitMix64). Chance enough for sharing load, no secret.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any of 0 to `last`, each as likely.
    fn up_to(&mut self, last: u64) -> u64 {
        // The high half of a product is as fair as needed while `last` is far from 2^64.
        let product = u128::from(self.next()) * (u128::from(last) + 1);
        u64::try_from(product >> 64).unwrap_or(last)
    }
}

/// The records in the order in which they are tried, and no more than `most` of them: by priority,
/// and among equals by chance in the proportion of their weights.
pub(super) fn by_weight(mut records: Vec<Srv>, dice: &mut Dice, most: usize) -> Vec<Srv> {
    // A weight of zero comes first, so that it is drawn when the dice shows zero and else hardly
    // ever (RFC 2782, "Weight"). Sorted by everything, so that equal dice give equal orders however
    // the name server shuffled its answer.
    records.sort_by(|one, other| {
        let key = |srv: &Srv| (srv.priority, srv.weight, srv.port);
        key(one).cmp(&key(other)).then_with(|| one.target.cmp(&other.target))
    });
    let mut ordered = Vec::with_capacity(records.len().min(most));
    let mut rest = records;
    while let Some(priority) = rest.first().map(|srv| srv.priority) {
        let end = rest.partition_point(|srv| srv.priority == priority);
        let mut group: Vec<Srv> = rest.drain(..end).collect();
        let mut sum: u64 = group.iter().map(|srv| u64::from(srv.weight)).sum();
        while !group.is_empty() {
            if ordered.len() == most {
                return ordered;
            }
            let at = draw(&group, sum, dice);
            let drawn = group.remove(at);
            sum -= u64::from(drawn.weight);
            ordered.push(drawn);
        }
    }
    ordered
}

fn draw(group: &[Srv], sum: u64, dice: &mut Dice) -> usize {
    let last = group.len() - 1;
    if sum == 0 {
        let at = dice.up_to(u64::try_from(last).unwrap_or_default());
        return usize::try_from(at).unwrap_or(last).min(last);
    }
    let shown = dice.up_to(sum);
    let mut running = 0;
    let drawn = group.iter().position(|srv| {
        running += u64::from(srv.weight);
        running >= shown
    });
    drawn.unwrap_or(last)
}

/// One of each in turn, until both are used up.
pub(super) fn interleave<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let mut both = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return both,
            (one, other) => both.extend(one.into_iter().chain(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    fn firsts(records: &[Srv], rolls: u64) -> BTreeMap<String, u64> {
        let mut count = BTreeMap::new();
        for seed in 0..rolls {
            let ordered = by_weight(records.to_vec(), &mut Dice::new(seed), 64);
            *count.entry(ordered[0].target.clone()).or_default() += 1;
        }
        count
    }

    #[test]
    fn weights_share_the_load_as_they_say() {
        let count = firsts(&[srv(1, 10, "a"), srv(1, 30, "b"), srv(1, 60, "c")], 10_000);
        assert!((900..1300).contains(&count["a"]), "{count:?}");
        assert!((2800..3200).contains(&count["b"]), "{count:?}");
        assert!((5600..6200).contains(&count["c"]), "{count:?}");
    }

    #[test]
    fn a_weight_of_zero_is_hardly_ever_first_unless_all_are_zero() {
        let count = firsts(&[srv(1, 0, "a"), srv(1, 100, "b")], 10_000);
        assert!((1..250).contains(&count["a"]), "{count:?}");
        let count = firsts(&[srv(1, 0, "a"), srv(1, 0, "b"), srv(1, 0, "c")], 9_000);
        assert!(count.values().all(|times| (2700..3300).contains(times)), "{count:?}");
    }

    #[test]
    fn a_higher_priority_number_waits_whatever_it_weighs() {
        let count = firsts(&[srv(2, 65_535, "b"), srv(1, 0, "a")], 100);
        assert_eq!(count.get("a"), Some(&100));
    }

    #[test]
    fn families_take_turns() {
        assert_eq!(interleave(vec![1, 3, 5, 6], vec![2, 4]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(interleave(vec![], vec![1, 2]), [1, 2]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled_and_priorities_rise(
            records in proptest::collection::vec((0..4_u16, 0..4_u16, 0..1000_u16), 0..80),
            seed: u64,
        ) {
            let records: Vec<Srv> = records
                .into_iter()
                .map(|(priority, weight, port)| Srv { priority, weight, port, target: "a".into() })
                .collect();
            let ordered = by_weight(records.clone(), &mut Dice::new(seed), 64);
            prop_assert_eq!(ordered.len(), records.len().min(64));
            prop_assert!(ordered.is_sorted_by_key(|srv| srv.priority));
            let sorted = |mut list: Vec<Srv>| {
                list.sort_by_key(|srv| (srv.priority, srv.weight, srv.port));
                list
            };
            if records.len() <= 64 {
                prop_assert_eq!(sorted(ordered), sorted(records));
            }
        }
    }
}
