// SPDX-License-Identifier: GPL-3.0-or-later
//! Callers whom the user does not want to hear.

mod programs;
mod texts;

use std::time::Duration;

use sipwitch_core::call::CallId;
use tempfile::TempDir;

use super::{
    super::{
        ask::{Ask, BlockingAsk, Refusal, Reply},
        notice::{BlockedChange, BlockedView, HeldBack, Notice},
    },
    house::{HOUSE, Plan, settings},
    lines::provider::account,
    outside::{BOB, call as call_from_outside, open_house, proven, refused, stranger},
    talk::Talk,
    town::{Phone, Town},
};
use crate::store::records::CallRecord;
use sipwitch_sip::peer::PeerIdentity;

const HOUR: u64 = 3600;
/// As a provider writes a caller of Berlin.
const EVE: &str = "sip:030901820@provider.test";

fn plan() -> Plan {
    let mut settings = settings();
    settings.region = "DE".parse().unwrap();
    Plan { settings, ..Plan::usual() }
}

/// A house in Germany with phone 101 and an account that is online; gives its Contact too.
fn online() -> (Town, Phone, Phone, String) {
    let mut town = Town::of(plan());
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let contact = town.let_in(provider).address("Contact").to_owned();
    (town, phone, provider, contact)
}

impl Town {
    fn asks_of_list<T>(&mut self, ask: impl FnOnce(Reply<T>) -> BlockingAsk) -> Result<T, Refusal>
    where
        T: std::fmt::Debug,
    {
        self.wish(|reply| Ask::Blocking(ask(reply))).answer()
    }

    fn blocks(&mut self, callers: &[&str], reason: &str) -> Result<Vec<String>, Refusal> {
        let (callers, reason) = (strings(callers), reason.to_owned());
        self.asks_of_list(|reply| BlockingAsk::Add { callers, reason, reply })
    }

    fn unblocks(&mut self, callers: &[&str]) -> Result<Vec<String>, Refusal> {
        let callers = strings(callers);
        self.asks_of_list(|reply| BlockingAsk::Remove { callers, reply })
    }

    fn blocked(&mut self) -> Vec<BlockedView> {
        self.asks_of_list(|reply| BlockingAsk::List { reply }).unwrap()
    }

    fn history(&mut self) -> Vec<CallRecord> {
        let asked = self.begin(|reply| Ask::History { limit: 10, reply });
        self.wait(asked).unwrap()
    }

    /// Somebody calls by the line.
    fn called_by(&mut self, provider: Phone, from: &str, contact: &str) -> Talk {
        let offer = self.sdp(provider);
        self.dial_as(provider, from, contact, &[], &offer)
    }

    /// The caller gives up while it rings.
    fn rings_until_the_caller_leaves(&mut self, caller: &Talk, rung: Phone) {
        let inside = self.rung(rung);
        self.reply(&inside, "180 Ringing", "");
        self.cancel(caller);
        self.cancelled(&inside);
    }

    fn nobody_heard_of_a_call(&self) {
        let heard = |notice: &Notice| matches!(notice, Notice::Call(_) | Notice::CallEnded(_));
        assert!(!self.notices.iter().any(heard), "{:#?}", self.notices);
    }

    fn told_of_list(&mut self) -> Vec<BlockedChange> {
        let mut told = Vec::new();
        self.notices.retain(|notice| match notice {
            Notice::Blocked(change) => {
                told.push((**change).clone());
                false
            }
            _ => true,
        });
        told
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn who_is_blocked_is_told_that_nobody_is_in_and_nothing_rings() {
    let (mut town, phone, provider, contact) = online();
    assert_eq!(town.blocks(&["030 901820"], "sells insurance"), Ok(strings(&["+4930901820"])));
    let at_eve = town.called_by(provider, EVE, &contact);
    let refusal = town.refused(&at_eve);
    assert_eq!(refusal.status(), Some(480));
    assert_eq!(refusal.header("Reason"), "", "nothing tells why: {refusal:?}");
    let bytes = format!("{refusal:?}");
    assert!(!bytes.contains("lock") && !bytes.contains("insurance"), "{bytes}");
    town.assert_silent(phone);
    town.nobody_heard_of_a_call();
    let history = town.history();
    let [call] = &history[..] else { panic!("{history:?}") };
    assert_eq!((call.caller.as_str(), call.contact.as_str()), (EVE, "alice"));
    assert_eq!((call.sip_code, call.answered_us), (480, None));
    assert_eq!(call.blocked, "+4930901820");
    assert_eq!(call.route, "+4930901820 is blocked");
    let words = &call.words;
    assert!(words.starts_with("blocked by you on 2027-01-15: sells insurance"), "{words}");
    // She can be called, and is not blocked by that.
    let inside = town.dial(phone, "030901820");
    assert_eq!(town.rung(provider).invite.uri(), "sip:+4930901820@provider.test");
    town.cancel(&inside);
    // Everybody else gets through, and she too when she is blocked no more.
    assert_eq!(town.unblocks(&["+49 30 901820"]), Ok(strings(&["+4930901820"])));
    let at_eve = town.called_by(provider, EVE, &contact);
    town.rung(phone);
    town.cancel(&at_eve);
}

#[test]
fn whoever_hides_or_begins_so_is_blocked_by_that() {
    let (mut town, phone, provider, contact) = online();
    let hidden = "sip:anonymous@anonymous.invalid";
    for (blocked, from) in [("anonymous", hidden), ("+4930*", EVE), ("@there.example", BOB)] {
        town.blocks(&[blocked], "").unwrap();
        let talk = town.called_by(provider, from, &contact);
        assert_eq!(town.refused(&talk).status(), Some(480), "{blocked}");
        assert_eq!(town.history()[0].blocked, blocked);
        town.unblocks(&[blocked]).unwrap();
        let talk = town.called_by(provider, from, &contact);
        town.rings_until_the_caller_leaves(&talk, phone);
    }
}

#[test]
fn another_domain_is_blocked_and_one_that_proves_nothing_is_not_even_told_of() {
    let mut town = open_house(100);
    let anna = town.phone("101");
    let bob = stranger(&mut town, proven("there.example"));
    town.blocks(&["bob@there.example"], "").unwrap();
    let talk = call_from_outside(&mut town, BOB, bob, "101");
    assert_eq!(refused(&mut town, bob, &talk), Some(480));
    town.assert_silent(anna);
    town.nobody_heard_of_a_call();
    let call = &town.history()[0];
    assert_eq!((call.blocked.as_str(), call.caller.as_str()), ("bob@there.example", BOB));
    let nobody = stranger(&mut town, PeerIdentity::Nobody);
    let talk = call_from_outside(&mut town, BOB, nobody, "101");
    assert_eq!(refused(&mut town, nobody, &talk), Some(480));
    let told = |town: &Town| town.notices.iter().any(|n| matches!(n, Notice::HeldBack(_)));
    assert!(!told(&town), "who is blocked is not announced");
    let eve = "sip:eve@there.example";
    let talk = call_from_outside(&mut town, eve, nobody, "101");
    assert_eq!(refused(&mut town, nobody, &talk), Some(480));
    let wanted = HeldBack { caller: "eve@there.example".into(), ..HeldBack::default() };
    let held = town.notices.iter().find_map(|notice| match notice {
        Notice::HeldBack(held) => Some(held.caller.clone()),
        _ => None,
    });
    assert_eq!(held, Some(wanted.caller));
}

#[test]
fn an_extension_is_blocked_by_its_number_and_only_from_calling_the_others() {
    let (mut town, anna, provider, _) = online();
    let bert = town.phone("102");
    town.blocks(&["anonymous", "+49*", "@provider.test"], "").unwrap();
    let hides = ["Privacy: id"];
    let offer = town.sdp(bert);
    let talk = town.dial_with(bert, &format!("sip:101@{HOUSE}"), &hides, &offer);
    town.rings_until_the_caller_leaves(&talk, anna);
    town.blocks(&["102"], "").unwrap();
    let before = town.history().len();
    for contact in ["101", "102"] {
        let talk = town.dial(bert, contact);
        assert_eq!(town.refused(&talk).status(), Some(480), "{contact}");
    }
    town.assert_silent(anna);
    let history = town.history();
    assert_eq!(history.len(), before + 2);
    assert_eq!((history[0].caller.as_str(), history[0].blocked.as_str()), ("102", "102"));
    // Out of the house, for help, and in the other direction nothing is different.
    for number in ["+4940123456", "112"] {
        let talk = town.dial(bert, number);
        assert_eq!(town.rung(provider).invite.uri(), format!("sip:{number}@provider.test"));
        town.cancel(&talk);
    }
    let talk = town.dial(anna, "102");
    town.rings_until_the_caller_leaves(&talk, bert);
}

#[test]
fn whoever_helps_calls_back() {
    let mut town = Town::of(plan());
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let contact = town.let_in(provider).address("Contact").to_owned();
    town.blocks(&["anonymous", "+4930901820"], "").unwrap();
    let is_through = |town: &mut Town, contact: &str| {
        town.register(phone, 3600);
        let talk = town.called_by(provider, "sip:anonymous@anonymous.invalid", contact);
        if !town.has(phone, "INVITE") {
            assert_eq!(town.refused(&talk).status(), Some(480));
            return false;
        }
        town.rings_until_the_caller_leaves(&talk, phone);
        true
    };
    assert!(!is_through(&mut town, &contact));
    let mut inside = town.dial(phone, "112");
    let mut help = town.rung(provider);
    let answer = town.sdp(provider);
    town.reply(&help, "200 OK", &answer);
    town.heard(&mut inside, "200 INVITE");
    town.ack(&inside, "");
    town.heard(&mut help, "ACK");
    assert!(is_through(&mut town, &contact), "while help is on the line");
    town.pass_seconds(600);
    town.hang_up(&mut inside);
    town.ended(&mut help);
    town.pass_seconds(HOUR - 60);
    assert!(is_through(&mut town, &contact), "an hour from the end of the call");
    town.pass_seconds(120);
    assert!(!is_through(&mut town, &contact));
}

#[test]
fn the_list_and_a_call_for_help_are_remembered_over_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    let in_file = || Plan { settings: plan().settings, ..Plan::in_file(path.clone()) };
    let mut town = Town::of(in_file());
    let anna = town.phone("101");
    let bert = town.phone("102");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    town.let_in(provider);
    town.blocks(&["102"], "").unwrap();
    let inside = town.dial(anna, "112");
    town.rung(provider);
    town.cancel(&inside);
    let mut town = town.rebuild(in_file(), Duration::from_secs(10));
    assert_eq!(town.blocked().len(), 1);
    let talk = town.dial(bert, "101");
    town.rings_until_the_caller_leaves(&talk, anna);
    town.pass_seconds(HOUR);
    town.register(anna, 3600);
    let talk = town.dial(bert, "101");
    assert_eq!(town.refused(&talk).status(), Some(480));
}

#[test]
fn the_list_is_kept_and_told_as_it_changes() {
    let folder = TempDir::new().unwrap();
    let plan =
        || Plan { settings: plan().settings, ..Plan::in_file(folder.path().join("state.db")) };
    let mut town = Town::of(plan());
    let added = town.blocks(&["+49900*", "Bob@Example.org", "0900 1234567", "+49900*"], "sells");
    assert_eq!(added, Ok(strings(&["+49900*", "bob@example.org", "+499001234567", "+49900*"])));
    let since_us = town.time().unix_us;
    let view = |caller: &str, reason: &str| BlockedView {
        caller: caller.into(),
        reason: reason.into(),
        since_us,
    };
    let told = town.told_of_list();
    let blocked = ["+49900*", "bob@example.org", "+499001234567"].map(|one| view(one, "sells"));
    assert_eq!(told, [BlockedChange { blocked: blocked.to_vec(), unblocked: Vec::new() }]);
    town.pass_seconds(5);
    assert_eq!(town.blocks(&["bob@example.org"], ""), Ok(strings(&["bob@example.org"])));
    assert_eq!(town.told_of_list(), [], "nothing is different");
    town.blocks(&["bob@example.org"], "sells more").unwrap();
    let blocked = vec![view("bob@example.org", "sells more")];
    assert_eq!(town.told_of_list(), [BlockedChange { blocked, unblocked: Vec::new() }]);
    let gone = strings(&["+499001234567"]);
    assert_eq!(town.unblocks(&["+49 900 1234567", "eve@example.org"]), Ok(gone.clone()));
    assert_eq!(town.told_of_list(), [BlockedChange { blocked: Vec::new(), unblocked: gone }]);
    let world = town.wish(|reply| Ask::Snapshot { reply }).answer().unwrap();
    let wanted = [view("+49900*", "sells"), view("bob@example.org", "sells more")];
    assert_eq!(world.blocked, wanted);
    let mut town = town.rebuild(plan(), Duration::from_secs(10));
    assert_eq!(town.blocked(), wanted);
}

#[test]
fn what_cannot_be_blocked_is_refused_with_the_reason_and_nothing_is_changed() {
    let mut town = Town::of(plan());
    let long = "1".repeat(70_000);
    for bad in ["*", "", "112", "+49\u{0}", "\u{1b}[2J", &long] {
        let refusal = town.blocks(&["bob@example.org", bad], "").expect_err("all or none");
        assert!(matches!(refusal, Refusal::BadContact(_)), "{refusal:?}");
        assert!(refusal.to_string().len() < 500, "{refusal}");
        assert!(matches!(town.unblocks(&[bad]), Err(Refusal::BadContact(_))));
    }
    for reason in ["a\u{7}b".to_owned(), "a".repeat(201)] {
        let refusal = town.blocks(&["bob@example.org"], &reason);
        assert!(matches!(refusal, Err(Refusal::BadValue(_))), "{refusal:?}");
    }
    let numbers: Vec<String> = (0..10_001).map(|n| format!("+4930{n:07}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert!(matches!(town.blocks(&numbers, ""), Err(Refusal::TooMany(_))));
    assert_eq!(town.blocked(), []);
    assert_eq!(town.told_of_list(), []);
    assert_eq!(town.blocks(&numbers[..10_000], "").map(|all| all.len()), Ok(10_000));
    let full = town.blocks(&["bob@example.org"], "").expect_err("the list is full");
    assert!(matches!(&full, Refusal::TooMany(words) if words.contains("10000")), "{full:?}");
    assert!(town.blocks(&[numbers[3]], "a reason").is_ok(), "who is on it can be changed");
}

#[test]
fn the_list_says_who_would_be_blocked_and_by_what() {
    let mut town = Town::of(plan());
    town.phone("102");
    town.blocks(&["+49900*", "@example.org", "anonymous", "102"], "").unwrap();
    let callers = [
        ("0900 1234567", "+49900*"),
        ("sip:+499001234567@192.0.2.7", "+49900*"),
        ("bob@example.org", "@example.org"),
        ("anonymous", "anonymous"),
        ("sip:anonymous@anonymous.invalid", "anonymous"),
        ("102", "102"),
        ("+4930123456", ""),
    ];
    let callers_only = callers.iter().map(|(caller, _)| (*caller).to_owned()).collect();
    let found =
        town.asks_of_list(|reply| BlockingAsk::Check { callers: callers_only, reply }).unwrap();
    assert_eq!(found, callers.map(|(_, by)| by.to_owned()));
    let bad = vec!["\u{0}".to_owned()];
    let refused = town.asks_of_list(|reply| BlockingAsk::Check { callers: bad, reply });
    assert!(matches!(refused, Err(Refusal::BadContact(_))));
}

#[test]
fn a_blocked_caller_takes_the_place_of_nobody() {
    let (mut town, phone, provider, contact) = online();
    let mut outside = town.called_by(provider, "sip:+4940123456@provider.test", &contact);
    let mut inside = town.rung(phone);
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    town.blocks(&["+4930901820"], "").unwrap();
    let replaces = format!("Replaces: {}", outside.replaces());
    let offer = town.sdp(provider);
    let eve = town.dial_as(provider, EVE, &contact, &[&replaces], &offer);
    assert_eq!(town.refused(&eve).status(), Some(480));
    assert_eq!(town.view(CallId(1)).state, "connected");
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}
