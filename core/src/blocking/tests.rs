// SPDX-License-Identifier: GPL-3.0-or-later
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    contact::Contact,
    extension::{Extension, ExtensionNumber},
    line::{Line, LineId, LineKind},
    number::Region,
    routing::{PhoneId, World},
};

/// A house in Germany with a line of a provider, and a phone of 102 and of anna.
struct House {
    extensions: BTreeMap<ExtensionNumber, Extension>,
    lines: Vec<Line>,
}

impl World for House {
    fn extension(&self, number: &ExtensionNumber) -> Option<&Extension> {
        self.extensions.get(number)
    }

    fn phones(&self, _: &ExtensionNumber) -> Vec<PhoneId> {
        Vec::new()
    }

    fn is_own_domain(&self, host: &str, _: Option<u16>) -> bool {
        ["home.example", "127.0.0.1"].contains(&host)
    }

    fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn region(&self) -> Region {
        germany()
    }
}

fn germany() -> Region {
    "DE".parse().unwrap()
}

fn house() -> House {
    let extension = |number: &str| {
        let number: ExtensionNumber = number.parse().unwrap();
        (number.clone(), Extension::person(number))
    };
    let mut line = Line::new(LineId(1), "operator", LineKind::Account);
    line.domains = vec!["operator.example".into()];
    let extensions = ["102", "anna", "*1*", "030555123"].map(extension).into();
    House { extensions, lines: vec![line] }
}

fn who(text: &str) -> Who {
    Who::read(text, &house()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn contact(text: &str) -> Contact {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn on_line(text: &str) -> Caller {
    Caller::on_line(Some(&contact(text)), germany())
}

fn outside(text: &str) -> Caller {
    Caller::outside(Some(&contact(text)), &house())
}

fn extension(number: &str) -> Caller {
    Caller::extension(&number.parse().unwrap())
}

const NOW: Duration = Duration::from_secs(1_795_000_000);

fn list(blocked: &[&str]) -> BlockList {
    let mut list = BlockList::default();
    for text in blocked {
        list.block(&who(text), "", NOW).unwrap();
    }
    list
}

/// What on a list of these means a caller.
fn found(blocked: &[&str], caller: &Caller) -> Option<String> {
    list(blocked).find(NOW, caller).map(|(who, _)| who.to_string())
}

#[test]
fn what_is_written_is_kept_in_one_way() {
    for (written, kept) in [
        ("+49 30 123456", "+4930123456"),
        ("030 123456", "+4930123456"),
        ("030 123", "+4930123"),
        ("0049-30-123456", "+4930123456"),
        ("tel:+49-30-123456", "+4930123456"),
        ("tel:123456;phone-context=+4930", "+4930123456"),
        ("sip:+4930123456@192.0.2.7:5070;user=phone", "+4930123456"),
        ("sip:030123456@operator.example", "+4930123456"),
        ("sip:030123456@elsewhere.example", "030123456@elsewhere.example"),
        ("102", "102"),
        ("sip:102@home.example", "102"),
        ("030555123", "030555123"),
        ("*1*", "*1*"),
        ("22833", "22833"),
        ("Anna", "anna"),
        (" Bob@Example.ORG ", "bob@example.org"),
        ("sips:bob@example.org:5061", "bob@example.org"),
        ("@Example.org", "@example.org"),
        ("@[2001:DB8::1]", "@[2001:db8::1]"),
        ("+49900*", "+49900*"),
        ("+49 (900) *", "+49900*"),
        ("+1*", "+1*"),
        ("Anonymous", "anonymous"),
        ("sip:anonymous@anonymous.invalid", "anonymous"),
        ("anonymous@operator.example", "anonymous"),
    ] {
        let who = who(written);
        assert_eq!(who.to_string(), kept, "{written}");
        assert_eq!(kept.parse(), Ok(who), "{kept} is read again");
    }
}

#[test]
fn what_would_block_everybody_help_or_nobody_is_refused_with_what_to_do() {
    let long = "a".repeat(5000);
    let grows = format!("{}@x", "\u{130}".repeat(126));
    for (text, words) in [
        (
            "*",
            "\"*\" would block everybody: name a beginning such as +49900*, or `anonymous` for those \
               who hide their number",
        ),
        ("+*", "would block everybody"),
        ("**", "would block everybody"),
        ("+ - *", "would block everybody"),
        (
            "0900*",
            "\"0900*\" is no beginning of numbers: write + and the country code before it, such as \
                   +49900*",
        ),
        ("+0*", "is no beginning of numbers"),
        ("+1234567890123456*", "is no beginning of numbers"),
        ("+49x*", "is no beginning of numbers"),
        ("bob*", "is no beginning of numbers"),
        ("tel:+49900*", "is no beginning of numbers"),
        ("tel:49*;phone-context=+1", "'*' has no place in an international number"),
        ("112", "112 is for emergencies, and who helps is never blocked"),
        ("110", "is for emergencies"),
        ("sip:112@home.example", "is for emergencies"),
        ("sip:112@operator.example", "is for emergencies"),
        ("urn:service:sos.fire", "is for emergencies"),
        ("sos", "is for emergencies"),
        ("@home.example", "\"@home.example\" is this house: block its extensions one by one"),
        ("@", "\"\" is not a domain or an address"),
        ("@*", "is not a domain or an address"),
        ("@a@b", "is not a domain or an address"),
        ("@example.org:5060", "is not a domain or an address"),
        ("@example.org;x", "is not a domain or an address"),
        ("sip:example.org", "names nobody there: write @ before a domain to block all of it"),
        ("", "the contact is empty"),
        ("+12", "an international number has 3 to 15 digits, not 2"),
        ("+49\u{7}30", "character '\\u{7}' has no place in a contact"),
        ("@a\nb", "character '\\n' has no place in a contact"),
        ("http://x", "is not a kind of address this service calls"),
        (&long, "the contact is 5000 long, more than the 256 allowed"),
        (&grows, "long, more than the 256 allowed"),
    ] {
        let error = Who::read(text, &house()).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_number_is_found_however_the_line_writes_it() {
    for written in [
        "+4930123456",
        "030123456",
        "004930123456",
        "4930123456",
        "tel:+4930123456",
        "sip:+4930123456@operator.example",
        "sip:030123456@operator.example;user=phone",
        "sip:4930123456@192.0.2.7",
        "sip:%2B4930123456@198.51.100.1:5070",
    ] {
        for blocked in ["030 123456", "+4930123456", "+4930*", "+49*"] {
            let kept = who(blocked).to_string();
            assert_eq!(found(&[blocked], &on_line(written)), Some(kept), "{blocked} {written}");
        }
        for other in ["030 123457", "+493012345", "+4931*", "anonymous", "@operator.example"] {
            assert_eq!(found(&[other], &on_line(written)), None, "{other} {written}");
        }
    }
    // A short number of an exchange, and one that is national elsewhere.
    assert_eq!(found(&["22833"], &on_line("sip:22833@operator.example")), Some("22833".into()));
    let vienna = Caller::on_line(Some(&contact("01234567")), "AT".parse().unwrap());
    assert_eq!(found(&["+431234567"], &vienna), Some("+431234567".into()));
    assert_eq!(
        found(&["01234567@192.0.2.7"], &on_line("sip:01234567@192.0.2.7")).as_deref(),
        Some("01234567@192.0.2.7"),
        "as a history shows it"
    );
}

#[test]
fn somebody_of_a_domain_is_found_by_the_address_and_by_the_domain() {
    let bob = outside("sip:Bob@Example.org:5061");
    assert_eq!(found(&["bob@example.org"], &bob).as_deref(), Some("bob@example.org"));
    assert_eq!(found(&["@example.org"], &bob).as_deref(), Some("@example.org"));
    assert_eq!(
        found(&["@example.org", "bob@example.org"], &bob).as_deref(),
        Some("bob@example.org")
    );
    for other in ["eve@example.org", "@sub.example.org", "@example.com", "bob", "anonymous", "+1*"]
    {
        assert_eq!(found(&[other], &bob), None, "{other}");
    }
    // Only a number with a + is the same number at every domain.
    assert_eq!(
        found(&["+4930123456"], &outside("sip:+4930123456@example.org")).as_deref(),
        Some("+4930123456")
    );
    assert_eq!(found(&["102"], &outside("sip:102@example.org")), None);
}

#[test]
fn who_hides_is_found_by_the_word_alone() {
    let hidden = [
        Caller::on_line(None, germany()),
        on_line("sip:anonymous@anonymous.invalid"),
        on_line("sip:Anonymous@operator.example"),
        on_line("sip:unavailable@unknown.invalid"),
        on_line("sip:operator.example"),
        Caller::outside(None, &house()),
        outside("sip:anonymous@home.example"),
        outside("sip:anonymous@example.org"),
    ];
    for caller in hidden {
        assert_eq!(found(&["anonymous"], &caller).as_deref(), Some("anonymous"), "{caller:?}");
        assert_eq!(found(&["+4*", "bob@example.org"], &caller), None);
    }
    assert_eq!(found(&["anonymous"], &on_line("+4930123456")), None);
}

#[test]
fn an_extension_is_blocked_by_its_own_number_only() {
    let many = ["anonymous", "+49*", "@example.org"];
    for number in ["102", "anna", "030555123"] {
        assert_eq!(found(&many, &extension(number)), None);
        assert_eq!(found(&[number], &extension(number)).as_deref(), Some(number));
    }
    assert_eq!(found(&["102"], &extension("1021")), None);
}

#[test]
fn after_a_call_for_help_everybody_gets_through_for_an_hour() {
    let mut list = list(&["+4930123456", "anonymous"]);
    let caller = on_line("+4930123456");
    assert!(list.find(NOW, &caller).is_some());
    list.help_called(NOW);
    for after in [Duration::ZERO, CALL_BACK - Duration::from_secs(1)] {
        assert_eq!(list.find(NOW + after, &caller), None, "{after:?}");
        assert_eq!(list.find(NOW + after, &on_line("sip:anonymous@anonymous.invalid")), None);
    }
    assert!(list.find(NOW + CALL_BACK, &caller).is_some());
    // The hour begins anew when the call is over.
    list.help_called(NOW + CALL_BACK);
    assert_eq!(list.find(NOW + CALL_BACK + CALL_BACK / 2, &caller), None);
    assert_eq!(list.find(NOW, &caller), None, "a clock that was set back");
    let restored =
        BlockList::restore(list.iter().map(|(who, entry)| (who.clone(), entry.clone())), Some(NOW));
    assert_eq!(restored.find(NOW + CALL_BACK / 2, &caller), None, "over a restart, too");
    assert!(restored.find(NOW + CALL_BACK, &caller).is_some());
}

#[test]
fn the_list_says_what_changed_and_since_when() {
    let mut list = BlockList::default();
    let bob = who("bob@example.org");
    let later = NOW + Duration::from_secs(9);
    assert!(list.is_empty());
    assert_eq!(list.block(&bob, "sells things", NOW), Ok(true));
    assert_eq!(list.block(&bob, "", later), Ok(false), "he is blocked already");
    assert_eq!(list.block(&bob, "sells more", later), Ok(true));
    let entry = Entry { reason: "sells more".into(), since: NOW };
    assert_eq!(list.entry(&bob), Some(&entry));
    assert_eq!(list.iter().collect::<Vec<_>>(), [(&bob, &entry)]);
    assert!(list.unblock(&bob));
    assert!(!list.unblock(&bob));
    assert_eq!(list.entry(&bob), None);
}

#[test]
fn an_entry_is_known_by_its_own_text_whatever_the_house_is_by_now() {
    let mut list = BlockList::default();
    // At that time it was another house.
    let elsewhere: Who = "bob@home.example".parse().unwrap();
    list.block(&elsewhere, "", NOW).unwrap();
    assert_eq!(list.read("bob@home.example", &house()), Ok(elsewhere));
    assert_eq!(list.read("eve@home.example", &house()), Ok(Who::Local("eve".into())));
    assert!(matches!(list.read("*", &house()), Err(ParseWhoError::Everybody(_))));
}

#[test]
fn reasons_and_the_list_have_bounds() {
    let mut list = BlockList::default();
    let bob = who("bob@example.org");
    assert_eq!(list.block(&bob, &"a".repeat(201), NOW), Err(BlockError::TooLong(201)));
    assert_eq!(list.block(&bob, "a\nb", NOW), Err(BlockError::Letter('\n')));
    assert_eq!(list.block(&bob, &"a".repeat(200), NOW), Ok(true));
    for number in 1..MAX_BLOCKED {
        list.block(&format!("+49{number:09}").parse().unwrap(), "", NOW).unwrap();
    }
    let one_more = who("eve@example.org");
    assert_eq!(list.block(&one_more, "", NOW), Err(BlockError::Full));
    assert_eq!(list.block(&bob, "again", NOW), Ok(true), "who is on it can still be changed");
    assert!(list.find(NOW, &on_line("+49000009999")).is_some());
    assert_eq!(list.find(NOW, &on_line("+49000010000")), None);
    let all: Vec<_> = list.iter().map(|(who, entry)| (who.clone(), entry.clone())).collect();
    let more = all.iter().cloned().chain([(one_more, Entry { reason: "".into(), since: NOW })]);
    assert_eq!(BlockList::restore(more, None).iter().count(), MAX_BLOCKED);
}

#[test]
fn texts_that_were_never_written_by_us_are_not_read_back() {
    for text in ["", "@", "a@", "a\u{0}", &"a".repeat(257)] {
        assert!(text.parse::<Who>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_taken_comes_back_from_its_text_and_means_its_own_caller(text in ".{0,40}") {
        if let Ok(who) = Who::read(&text, &house()) {
            prop_assert_eq!(who.to_string().parse::<Who>(), Ok(who.clone()));
            let again = Who::read(&who.to_string(), &house());
            prop_assert_eq!(again, Ok(who));
        }
        let _ = text.parse::<Who>();
    }

    #[test]
    fn what_is_dialled_is_understood_or_refused(text in "[+*#0-9@a-c. ]{1,16}") {
        if let Ok(who) = Who::read(&text, &house()) {
            prop_assert_eq!(who.to_string().parse::<Who>(), Ok(who.clone()));
            prop_assert!(!matches!(who, Who::Beginning(ref digits) if digits.is_empty()));
        }
        if let Ok(contact) = text.parse::<Contact>() {
            let list = list(&["+49900*", "anonymous", "bob@example.org"]);
            let _ = list.find(NOW, &Caller::on_line(Some(&contact), germany()));
            let _ = list.find(NOW, &Caller::outside(Some(&contact), &house()));
        }
    }
}
