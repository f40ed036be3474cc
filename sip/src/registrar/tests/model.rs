// SPDX-License-Identifier: GPL-3.0-or-later
//! The registrar against a list that is searched from end to end, and against a store that knows
//! only the changes.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{Ask, BindingChange, House, PhoneId, Rules, ask, read};

/// What one step does.
#[derive(Debug, Clone)]
enum Step {
    Register { call_id: usize, cseq: u32, contacts: Vec<(usize, u32)>, fails: bool },
    Star { call_id: usize, cseq: u32, fails: bool },
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let contacts = prop::collection::vec((0..5_usize, 0..200_u32), 0..4);
    prop_oneof![
        6 => (0..3_usize, 1..12_u32, contacts, prop::bool::weighted(0.2)).prop_map(
            |(call_id, cseq, contacts, fails)| Step::Register { call_id, cseq, contacts, fails }
        ),
        1 => (0..3_usize, 1..12_u32, prop::bool::weighted(0.2))
            .prop_map(|(call_id, cseq, fails)| Step::Star { call_id, cseq, fails }),
        2 => (1..120_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    contact: usize,
    call_id: usize,
    cseq: u32,
    ends: u64,
}

const SHORTEST: u32 = 20;
const ROOM: usize = 4;
const CALL_IDS: [&str; 3] = ["a", "b", "c"];

/// RFC 3261 §10.3, items 6 and 7, word by word.
fn expect(
    entries: &[Entry],
    now: u64,
    call_id: usize,
    cseq: u32,
    contacts: &[(usize, u32)],
) -> (u16, Vec<Entry>) {
    if contacts.iter().any(|(_, expires)| (1..SHORTEST).contains(expires)) {
        return (423, entries.to_vec());
    }
    let late = |entry: &Entry| entry.call_id == call_id && cseq <= entry.cseq;
    let named = |entry: &&Entry| contacts.iter().any(|(contact, _)| *contact == entry.contact);
    if entries.iter().filter(named).any(late) {
        return (500, entries.to_vec());
    }
    let mut next = entries.to_vec();
    for (contact, expires) in contacts {
        next.retain(|entry| entry.contact != *contact);
        if *expires > 0 {
            let ends = now + u64::from(*expires);
            next.push(Entry { contact: *contact, call_id, cseq, ends });
        }
    }
    let grows = next.iter().any(|entry| entries.iter().all(|old| old.contact != entry.contact));
    if grows && next.len() > ROOM { (403, entries.to_vec()) } else { (200, next) }
}

proptest! {
    #[test]
    fn the_registrar_does_what_a_list_does(steps in prop::collection::vec(step(), 1..60)) {
        let shortest = Duration::from_secs(SHORTEST.into());
        let rules = Rules { shortest, phones_per_extension: ROOM, ..Rules::default() };
        let mut house = House::with(rules);
        let mut entries: Vec<Entry> = Vec::new();
        let mut store: BTreeMap<PhoneId, String> = BTreeMap::new();
        let mut seconds = 0;
        for step in steps {
            let (asked, expected, fails) = match step {
                Step::Pass { seconds: passed } => {
                    seconds += passed;
                    house.pass(passed);
                    keep(&mut store, &house.registrar.handle_deadline(house.now));
                    entries.retain(|entry| entry.ends > seconds);
                    check(&house, &entries, &store)?;
                    continue;
                }
                Step::Star { call_id, cseq, fails } => {
                    let late = |entry: &Entry| entry.call_id == call_id && cseq <= entry.cseq;
                    let expected = if entries.iter().any(late) {
                        (500, entries.clone())
                    } else {
                        (200, Vec::new())
                    };
                    let asked = ask(CALL_IDS[call_id], cseq).contact("*").with("Expires: 0");
                    (asked, expected, fails)
                }
                Step::Register { call_id, cseq, contacts, fails } => {
                    let expected = expect(&entries, seconds, call_id, cseq, &contacts);
                    let asked = contacts.iter().fold(
                        ask(CALL_IDS[call_id], cseq),
                        |asked: Ask, (contact, expires)| {
                            asked.contact(&format!("<sip:{contact}@192.0.2.7>;expires={expires}"))
                        },
                    );
                    (asked, expected, fails)
                }
            };
            let outcome = house.take(&asked);
            let response = read(&outcome);
            prop_assert_eq!(response.status(), expected.0);
            if response.status() == 200 {
                prop_assert_eq!(super::contacts(&response).len(), expected.1.len());
            } else {
                prop_assert!(outcome.changes.is_empty());
            }
            if fails {
                house.registrar.undo(outcome.undo);
            } else {
                keep(&mut store, &outcome.changes);
                entries = expected.1;
            }
            check(&house, &entries, &store)?;
        }
    }
}

/// What a store does with the changes.
fn keep(store: &mut BTreeMap<PhoneId, String>, changes: &[BindingChange]) {
    for change in changes {
        let binding = change.binding();
        let contact = binding.contact.to_string();
        match change {
            BindingChange::Added(_) => {
                assert_eq!(store.insert(binding.phone, contact), None, "a name used again");
            }
            BindingChange::Refreshed(_) => {
                assert!(store.insert(binding.phone, contact).is_some(), "refreshed out of nothing");
            }
            BindingChange::Removed { .. } => {
                assert!(store.remove(&binding.phone).is_some(), "removed out of nothing");
            }
        }
    }
}

fn check(
    house: &House,
    entries: &[Entry],
    store: &BTreeMap<PhoneId, String>,
) -> Result<(), TestCaseError> {
    let mut expected: Vec<_> =
        entries.iter().map(|entry| format!("sip:{}@192.0.2.7", entry.contact)).collect();
    expected.sort();
    prop_assert_eq!(house.contacts(), expected.clone());
    let mut kept: Vec<_> = store.values().cloned().collect();
    kept.sort();
    prop_assert_eq!(kept, expected, "the store has what the registrar has");
    prop_assert_eq!(house.registrar.len(), entries.len());
    let next = entries.iter().map(|entry| entry.ends).min();
    let deadline = next.map(|ends| house.start + Duration::from_secs(ends));
    prop_assert_eq!(house.registrar.next_deadline(), deadline);
    Ok(())
}
