// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;
use crate::{Algorithm, Ha1, Source};

const MD5: &str = "3d78807defe7de2157e2b0b6573a855f";

fn parse(text: &str) -> Database {
    Database::parse(text.as_bytes().to_vec().into()).unwrap()
}

fn text(database: &Database) -> String {
    String::from_utf8(database.bytes().to_vec()).unwrap()
}

fn entry(name: &str, password: &str) -> Entry {
    let realm = "house".parse().unwrap();
    let mut entry = Entry::of_password(
        &name.parse().unwrap(),
        1000,
        &realm,
        &[Algorithm::Md5],
        password.as_bytes(),
    );
    entry.changed = 1_700_000_000;
    entry
}

#[test]
fn the_format_is_that_of_the_manual() {
    let mut database = Database::default();
    database.set_realm(&"http-auth@example.org".parse().unwrap());
    let name: Name = "Mufasa".parse().unwrap();
    let realm = database.realm().unwrap();
    let algorithms = [Algorithm::Sha256, Algorithm::Md5];
    let mut mufasa = Entry::of_password(&name, 1000, &realm, &algorithms, b"Circle of Life");
    (mufasa.changed, mufasa.source) = (1_795_000_000, Source::Login);
    database.put(&mufasa).unwrap();
    let wanted = format!(
        "# sipwitch digest db v1\n\
         realm:http-auth@example.org\n\
         v1:Mufasa:1000:http-auth@example.org:SHA-256=7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d\
         7b4794232,MD5={MD5}:1795000000:login\n"
    );
    assert_eq!(text(&database), wanted);
    assert_eq!(parse(&wanted).entry(&name), Some(mufasa));
    assert_eq!(parse(&wanted).problems(), []);
}

#[test]
fn what_is_not_understood_is_told_and_kept_byte_for_byte() {
    let line = |name: &str| format!("v1:{name}:1000:house:MD5={MD5},SHA3-256=aa:5:login");
    let lines = [
        (line("anna"), None),
        ("v2:bert:whatever".to_owned(), Some(Fault::Later)),
        ("salt:x".to_owned(), Some(Fault::Later)),
        ("# a remark".to_owned(), None),
        (String::new(), None),
        ("v1:cora:1000".to_owned(), Some(Fault::Damaged)),
        (line("anna"), Some(Fault::Again)),
        ("garbage".to_owned(), Some(Fault::Damaged)),
        (format!("v1:dora:-1:house:MD5={MD5}:5:login"), Some(Fault::Damaged)),
        (format!("v1:dora:01:house:MD5={MD5}:5:login"), Some(Fault::Damaged)),
        ("v1:dora:1:house:MD5=12:5:login".to_owned(), Some(Fault::Damaged)),
        (format!("v1:dora:1:house:MD5={MD5},MD5={MD5}:5:login"), Some(Fault::Damaged)),
        (format!("v1:dora:1:house:MD5={MD5}:5:login:more"), Some(Fault::Damaged)),
        ("realm:house".to_owned(), None),
        ("realm:palace".to_owned(), Some(Fault::Again)),
    ];
    let bodies: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let whole = format!("# sipwitch digest db v1\n{}\n", bodies.join("\n"));
    let mut database = parse(&whole);
    let wanted: Vec<Problem> = (2..)
        .zip(&lines)
        .filter_map(|(line, (_, fault))| fault.map(|fault| Problem { line, fault }))
        .collect();
    assert_eq!(database.problems(), wanted);
    assert_eq!(database.realm(), Some("house".parse().unwrap()));
    assert_eq!(text(&database), whole);

    let erna = entry("erna", "secret");
    database.put(&erna).unwrap();
    assert_eq!(text(&database), format!("{whole}{}\n", &*erna.write()));
    assert!(database.remove(&erna.name));
    assert_eq!(text(&database), whole);
}

#[test]
fn digests_of_later_algorithms_stay_with_an_entry_that_is_written_again() {
    let mut database = parse(&format!("v1:anna:1:house:SHA3-256=aa,MD5={MD5}:5:login\n"));
    let anna = database.entry(&"anna".parse().unwrap()).unwrap();
    assert_eq!(anna.unknown.len(), 1);
    database.put(&anna).unwrap();
    assert_eq!(database.entry(&anna.name), Some(anna));
    assert!(text(&database).starts_with("# sipwitch digest db v1\nv1:anna:"));
}

#[test]
fn a_second_line_of_a_user_does_not_outlive_the_first() {
    let whole = format!("v1:anna:1:house:MD5={MD5}:5:login\nv1:anna:2:house:MD5={MD5}:5:login\n");
    let mut database = parse(&whole);
    assert!(database.remove(&"anna".parse().unwrap()));
    assert_eq!(database.entries().count(), 0);
    assert!(!database.remove(&"anna".parse().unwrap()));

    let mut database = parse(&whole);
    database.put(&entry("anna", "new")).unwrap();
    assert_eq!(text(&database).matches("anna").count(), 1);
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    for text in
        ["# sipwitch digest db v2\n", "# sipwitch digest db v10", "# sipwitch digest db v1 x\n"]
    {
        assert!(Database::parse(Vec::from(text).into()).is_none(), "{text}");
    }
    assert_eq!(parse("").problems(), []);
    assert_eq!(parse("# other\n").problems(), [Problem { line: 1, fault: Fault::Header }]);
}

#[test]
fn names_that_would_break_a_line_are_refused() {
    for name in ["", "a:b", "a\nb", "a\rb", "a\0", "\u{85}", "a\u{2028}b", &"x".repeat(257)] {
        assert!(name.parse::<Name>().is_err(), "{name:?}");
        assert!(name.parse::<Realm>().is_err(), "{name:?}");
    }
    assert!("a\"b".parse::<Realm>().is_err());
    for name in ["anna", "Anna.B-1$", "ánna", "#anna", "a b", "v1"] {
        assert!(name.parse::<Name>().is_ok(), "{name:?}");
    }
}

#[test]
fn realms_differ_and_look_like_uuids() {
    let (one, other) = (Realm::random().unwrap(), Realm::random().unwrap());
    assert_ne!(one, other);
    let text = one.as_str();
    assert_eq!((text.len(), &text[14..15]), (36, "4"), "{text}");
    assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
}

#[test]
fn an_entry_that_is_too_long_is_refused_and_changes_nothing() {
    let mut database = Database::default();
    let mut anna = entry("anna", "x");
    anna.unknown = vec![Zeroizing::new(format!("X={}", "a".repeat(250))); 20];
    assert!(matches!(database.put(&anna), Err(Error::TooLong)));
    assert_eq!(text(&database), text(&Database::default()));
}

fn entries() -> impl Strategy<Value = Entry> {
    let source = prop_oneof![
        Just(Source::Password),
        Just(Source::Login),
        Just(Source::Enrolled),
        Just(Source::Separate),
        Just(Source::Other("oracle".to_owned())),
    ];
    let known = proptest::sample::subsequence(Algorithm::ALL.to_vec(), 1..=3);
    let unknown = proptest::collection::vec("X-[A-Z]{1,8}=[0-9a-f]{1,128}", 0..3);
    ("[^:\\p{C}\u{2028}\u{2029}]{1,40}", any::<u32>(), any::<u64>(), known, unknown, source)
        .prop_map(|(name, uid, changed, algorithms, unknown, source)| {
            let realm = "a realm".parse().unwrap();
            let name = name.parse().unwrap();
            let mut entry = Entry::of_password(&name, uid, &realm, &algorithms, b"secret");
            entry.unknown = unknown.into_iter().map(Zeroizing::new).collect();
            (entry.changed, entry.source) = (changed, source);
            entry
        })
}

proptest! {
    #[test]
    fn what_is_put_is_found(entry in entries()) {
        let mut database = Database::default();
        database.put(&entry).unwrap();
        let again = Database::parse(database.bytes()).unwrap();
        prop_assert_eq!(again.problems(), []);
        prop_assert_eq!(again.entry(&entry.name), Some(entry));
    }

    #[test]
    fn any_bytes_are_kept_and_what_is_put_among_them_is_found(
        bytes in proptest::collection::vec(prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            Just(b"\n".to_vec()),
            Just(b"v1:anna:1:".to_vec()),
            Just(b"realm:".to_vec()),
            Just(format!("v1:anna:1:house:MD5={MD5}:5:login\n").into_bytes()),
        ], 0..60),
        entry in entries(),
    ) {
        let bytes = bytes.concat();
        let Some(mut database) = Database::parse(bytes.into()) else { return Ok(()) };
        let before = database.bytes();
        let others = |database: &Database, name: &Name| -> Vec<Entry> {
            database.entries().filter(|entry| entry.name != *name).collect()
        };
        let stay = others(&database, &entry.name);
        let new = database.entry(&entry.name).is_none();
        database.put(&entry).unwrap();
        prop_assert_eq!(database.entry(&entry.name), Some(entry.clone()));
        prop_assert_eq!(others(&database, &entry.name), stay);
        prop_assert!(database.remove(&entry.name));
        if new {
            prop_assert_eq!(&*database.bytes(), &*before);
        }
    }

    #[test]
    fn another_password_has_another_digest(one in "[a-z]{1,20}", other in "[a-z]{1,20}") {
        let same = entry("anna", &one).is_as_good_as(&entry("anna", &other));
        prop_assert_eq!(same, one == other);
        let digest = |password: &str| -> Ha1 { entry("anna", password).digests.remove(0).1 };
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
    }
}
