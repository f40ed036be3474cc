// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;

fn sip(secure: bool, user: &str, host: &str, port: Option<u16>) -> Contact {
    Contact::Sip(Address { secure, user: user.into(), host: host.into(), port })
}

fn number(digits: &str) -> Contact {
    Contact::Number(Number(digits.into()))
}

#[test]
fn contacts_are_understood_as_people_write_them() {
    for (text, contact) in [
        ("102", number("102")),
        (" 102 ", number("102")),
        ("+49 (30) 1234-567", number("+49301234567")),
        ("030/1234.567", number("0301234567")),
        ("*98#", number("*98#")),
        ("tel:+1-201-555-0123", number("+12015550123")),
        ("TEL:7042;phone-context=example.com", number("7042")),
        ("tel:030-1234567;phone-context=+49", number("+490301234567")),
        ("tel:555-0123;isub=1;Phone-Context=+1-201", number("+12015550123")),
        ("tel:+4930123;phone-context=+1", number("+4930123")),
        ("tel:110;phone-context=+49", number("110")),
        ("tel:112;phone-context=+1-201", number("112")),
        ("Alice", Contact::Name("alice".into())),
        ("door-bell", Contact::Name("door-bell".into())),
        ("bob@example.com", sip(false, "bob", "example.com", None)),
        ("sip:102@127.0.0.1:5062;transport=tcp", sip(false, "102", "127.0.0.1", Some(5062))),
        ("sips:Bob@Example.COM", sip(true, "Bob", "example.com", None)),
        ("sip:bob:secret@example.com?Subject=x", sip(false, "bob", "example.com", None)),
        ("sip:%61lice@example.com", sip(false, "alice", "example.com", None)),
        ("sip:102@[::1]:5060", sip(false, "102", "[::1]", Some(5060))),
        ("sip:102@[0:0:0:0:0:0:0:1]", sip(false, "102", "[::1]", None)),
        ("sip:example.com", sip(false, "", "example.com", None)),
        ("jürgen@bücher.example", sip(false, "jürgen", "bücher.example", None)),
        (
            "sip:+4930123;phone-context=x@example.com;user=phone",
            sip(false, "+4930123", "example.com", None),
        ),
        ("urn:service:sos", Contact::Service("sos".into())),
        ("URN:Service:SOS.fire", Contact::Service("sos.fire".into())),
    ] {
        assert_eq!(text.parse(), Ok(contact), "{text}");
    }
}

#[test]
fn a_refused_contact_is_told_what_is_wrong_with_it() {
    use ParseContactError::*;
    let long = "1".repeat(41);
    let longer = "a".repeat(257);
    for (text, error) in [
        ("", Empty),
        ("  ", Empty),
        ("tel:", Empty),
        ("12a4", Letter('a')),
        ("+", NoDigit("+".into())),
        ("++1", Letter('+')),
        ("alice smith", Letter(' ')),
        ("a\r\nb", Letter('\r')),
        ("bob@", Host("".into())),
        ("bob@exa mple", Host("exa mple".into())),
        ("bob@a..b", Host("a..b".into())),
        ("sip:bob@[::1", Host("[::1".into())),
        ("sip:bob@[zz]", Host("[zz]".into())),
        ("sip:bob@host:99999", Port("99999".into())),
        ("sip:bob@host:", Port("".into())),
        ("sip:b%zz@host", Letter('%')),
        ("sip:b%0d%0a@host", Letter('\r')),
        ("mailto:bob@example.com", Scheme("mailto".into())),
        ("urn:service:counseling", Scheme("urn:service:counseling".into())),
        (long.as_str(), TooLong(41, 40)),
        (longer.as_str(), TooLong(257, 256)),
    ] {
        assert_eq!(text.parse::<Contact>(), Err(error), "{text}");
    }
}

#[test]
fn a_log_line_does_not_tell_whom_somebody_called() {
    for (text, shown) in [
        ("102", "102"),
        ("112", "112"),
        ("+49301234578", "+49…78"),
        ("030123", "0…3"),
        ("alexander@example.com", "ale…er@example.com"),
        ("urn:service:sos", "urn:service:sos"),
    ] {
        assert_eq!(text.parse::<Contact>().unwrap().redacted().to_string(), shown, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_contact_or_refused_without_a_panic(text in ".{0,300}") {
        let _ = text.parse::<Contact>();
    }

    #[test]
    fn a_contact_shown_is_understood_as_itself(
        text in "(sips?:)?[a-zA-Z0-9%;._:+-]{0,12}(@[a-z0-9.:\\[\\]-]{0,20})?",
    ) {
        if let Ok(contact) = text.parse::<Contact>() {
            prop_assert_eq!(contact.to_string().parse(), Ok(contact));
        }
    }

    #[test]
    fn separators_change_nothing(digits in "[0-9]{3,15}", every in 1usize..5) {
        let mut spaced = String::new();
        for (at, c) in digits.chars().enumerate() {
            if at % every == 0 && at > 0 {
                spaced.push_str([" ", "-", "/", "."][at % 4]);
            }
            spaced.push(c);
        }
        prop_assert_eq!(spaced.parse::<Contact>(), digits.parse());
    }
}
