// SPDX-License-Identifier: GPL-3.0-or-later
//! The file of digests: whatever is in it, a change touches the lines of one user alone.

use sipwitch_digest_store::{Algorithm, Database, Entry, Name};

/// The file of digests.
pub fn digests(data: &[u8]) {
    let Some(mut database) = Database::parse(data.to_vec().into()) else { return };
    let before = database.bytes();
    let problems = database.problems();
    let lines = before.split(|byte| *byte == b'\n').count();
    assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));

    let all: Vec<Entry> = database.entries().collect();
    for entry in &all {
        assert_eq!(database.entry(&entry.name).as_ref(), Some(entry));
    }
    let name: Name = "anna".parse().expect("a name");
    let realm = database.realm().unwrap_or_else(|| "house".parse().expect("a realm"));
    let others = |database: &Database| -> Vec<Entry> {
        database.entries().filter(|entry| entry.name != name).collect()
    };
    let stay = others(&database);
    let anna = Entry::of_password(&name, 1000, &realm, &[Algorithm::Md5], b"secret");
    database.put(&anna).expect("short enough");
    assert_eq!(database.entry(&name), Some(anna));
    assert_eq!(others(&database), stay);
    assert!(database.remove(&name));
    assert_eq!(database.entry(&name), None);
    assert_eq!(others(&database), stay);
    if all.len() == stay.len() {
        assert_eq!(*database.bytes(), *before, "nothing was hers, and nothing changed");
    }
    for entry in &stay {
        database.put(entry).expect("it was short enough before");
    }
    assert_eq!(others(&database), stay, "what is written is read again");
}
