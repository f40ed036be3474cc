// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::secret::Secret;

/// Stands for the digests: tells which user and password it was made of.
fn digest(user: &str, password: &str) -> Ha1Pair {
    let mut md5 = [0; 16];
    let text = format!("{user}:{password}");
    md5[..text.len().min(16)].copy_from_slice(&text.as_bytes()[..text.len().min(16)]);
    Ha1Pair { md5: Secret::new(md5), sha256: Secret::new([0; 32]) }
}

fn table(text: &str) -> Parsed {
    parse(text, digest).unwrap()
}

fn bad(text: &str) -> (u32, String) {
    let parsed = table(text);
    assert_eq!((parsed.rows.len(), parsed.refused.len()), (0, 1), "{text}: {parsed:?}");
    (parsed.refused[0].line, parsed.refused[0].why.clone())
}

fn row(line: u32, number: &str) -> Row {
    Row {
        line,
        number: number.into(),
        name: None,
        kind: None,
        members: None,
        ring_seconds: None,
        authentication: None,
        digests: None,
    }
}

#[test]
fn a_table_becomes_extensions() {
    let parsed = table(
        "number,name,kind,members,ring-seconds,password\n\
         101,\"Lovelace, Ada\",person,,20, correct horse \n\
         \n\
         600,Küche,Group,101 Alice,,\n\
         ,,,,,\n\
         Alice,,,,,\n",
    );
    assert!(parsed.refused.is_empty(), "{:?}", parsed.refused);
    let ada = Row {
        name: Some("Lovelace, Ada".into()),
        kind: Some(ExtensionKind::Person),
        ring_seconds: Some(20),
        digests: Some(digest("101", " correct horse ")),
        ..row(2, "101")
    };
    let kitchen = Row {
        name: Some("Küche".into()),
        kind: Some(ExtensionKind::Group),
        members: Some(vec!["101".into(), "alice".into()]),
        ..row(4, "600")
    };
    assert_eq!(parsed.rows, [ada, kitchen, row(6, "alice")]);
}

#[test]
fn columns_may_be_few_and_come_as_a_spreadsheet_writes_them() {
    let parsed = table("\u{feff}Name;Number;Ring_Seconds\r\nAda;101;20\r\n");
    let ada = Row { name: Some("Ada".into()), ring_seconds: Some(20), ..row(2, "101") };
    assert_eq!(parsed.rows, [ada]);
    assert_eq!(table("number\n101").rows, [row(2, "101")]);
    assert_eq!(table("number\n").rows, []);
}

#[test]
fn each_bad_line_is_named_with_its_reason_and_the_good_ones_stand() {
    let parsed = table(
        "number,password\n101,long enough\n102,short\n103\n104,another good one\n101,once more!\n",
    );
    let good: Vec<&str> = parsed.rows.iter().map(|row| row.number.as_str()).collect();
    assert_eq!(good, ["101", "104"]);
    let refused: Vec<String> =
        parsed.refused.iter().map(|bad| format!("{}: {}", bad.line, bad.why)).collect();
    assert_eq!(
        refused,
        [
            "3: the password must have 8 to 256 characters",
            "4: it has 1 cells instead of 2",
            "6: 101 stands in line 2 already",
        ]
    );
}

#[test]
fn whatever_can_be_wrong_with_a_line_is_said() {
    let long = "x".repeat(300);
    for (text, why) in [
        ("number,name\n,Ada", "it has no number"),
        ("number\n1 0 1", "character ' ' cannot be part"),
        ("number\n112", "emergency number"),
        ("number\n\u{1b}[31m", "character '\\u{1b}' cannot"),
        (&format!("number\n{long}"), "300 bytes"),
        (&format!("number,name\n101,{long}"), "the name has 300 bytes, more than 100"),
        ("number,name\n101,A\u{7}", "the name contains a control character"),
        ("number,kind\n101,robot", "\"robot\" is no kind: use person, group or service"),
        ("number,kind,members\n101,person,102", "it has members but is no group"),
        ("number,members\n600,102 102", "member 102 is named twice"),
        ("number,members\n600,102 a@b", "a member: character '@'"),
        ("number,ring-seconds\n101,0", "between 1 and 600, not \"0\""),
        ("number,ring-seconds\n101,soon", "between 1 and 600, not \"soon\""),
        ("number,password\n101,\"new\nline line\"", "the password contains a control character"),
        (&format!("number,password\n101,{long}"), "the password must have 8 to 256"),
    ] {
        let (line, said) = bad(text);
        assert_eq!(line, 2, "{text}");
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_password_is_in_no_message() {
    for text in [
        "number,password\n10 1,hunter2!!",
        "number,password\n101,hunter2",
        "number,password\n101,hunter2!!,x",
    ] {
        assert!(!bad(text).1.contains("hunter2"), "{text}");
    }
    let parsed = table("number,password\n101,hunter2!!");
    assert!(!format!("{parsed:?}").contains("hunter2"));
}

#[test]
fn a_table_that_makes_no_sense_is_refused_whole() {
    for (text, error) in [
        ("", ImportError::Empty),
        ("\n\n", ImportError::Empty),
        ("name,kind\nAda,person", ImportError::NoNumber),
        ("number,name,number\n", ImportError::Twice(Column::Number)),
        ("number,colour\n101,red", ImportError::UnknownColumn("colour".into())),
        ("101,Ada,person\n", ImportError::UnknownColumn("101".into())),
    ] {
        assert_eq!(parse(text, digest).unwrap_err(), error, "{text:?}");
    }
}

#[test]
fn size_and_lines_are_bounded() {
    let large = " ".repeat(MAX_BYTES + 1);
    assert_eq!(parse(&large, digest), Err(ImportError::TooLarge(MAX_BYTES + 1)));
    let mut long = String::from("number\n");
    for number in 0..MAX_LINES {
        long.push_str(&format!("1{number}\n"));
    }
    let fits = table(&long);
    assert_eq!(fits.rows.len() + fits.refused.len(), MAX_LINES as usize);
    long.push_str("one-more");
    assert_eq!(parse(&long, digest), Err(ImportError::TooLong));
}

proptest::proptest! {
    #[test]
    fn no_text_can_make_it_panic(text in "(?s)(number,password,members\n)?[a-z0-9,;\"\n\r ä\u{0}]{0,200}") {
        if let Ok(parsed) = parse(&text, digest) {
            let lines = u32::try_from(text.len()).unwrap() + 1;
            proptest::prop_assert!(parsed.refused.iter().all(|bad| bad.line <= lines));
        }
    }
}
