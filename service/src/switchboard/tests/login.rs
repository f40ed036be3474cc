// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones that prove themselves by the login password, and a digest service that is prompt, late,
//! or not there.

use std::{net::SocketAddr, time::Duration};

use sipwitch_sip::{
    auth::Algorithm,
    flow::{ConnectionId, Transport},
};
use tempfile::TempDir;

use super::{
    super::{
        Inner,
        ask::{Ask, ExtensionChange, Refusal},
        login::Kept,
        notice::{ExtensionView, Notice},
    },
    digest::parameter,
    house::{Plan, person, settings},
    keeper::{Keeper, Manner, REALM, USER},
    town::{Phone, Town, password_of},
};
use crate::secret::Secret;

/// How long the digest service may take.
const PATIENCE: Duration = Duration::from_secs(4);

fn by_login() -> ExtensionChange {
    ExtensionChange { authentication: Some("login".into()), ..ExtensionChange::default() }
}

/// A house where 101 is the user, who is enrolled.
fn town() -> Town {
    town_of(Plan::usual(), Keeper::of("geheim", &["SHA-256", "MD5"]))
}

fn town_of(plan: Plan, keeper: Keeper) -> Town {
    let mut town = Town::of(plan);
    town.keeper = keeper;
    town.add_extension("101", by_login());
    town.collect();
    town
}

/// A phone that knows the login password, on this machine.
fn phone(town: &mut Town) -> Phone {
    let phone = town.stranger("101");
    let device = town.device(phone);
    device.login = USER.into();
    device.password = "geheim".into();
    phone
}

/// The same on another machine.
fn far_phone(town: &mut Town, transport: Transport) -> Phone {
    let phone = phone(town);
    let serial = phone.0 as u64;
    let address: SocketAddr = format!("192.0.2.7:{}", 30_000 + serial).parse().unwrap();
    let device = town.device(phone);
    device.flow.transport = transport;
    device.flow.remote = address;
    device.flow.connection = (transport != Transport::Udp).then_some(ConnectionId(1_000 + serial));
    device.contact = format!("<sip:101@{address};transport={}>", transport.name());
    phone
}

fn phones_of(town: &Town, number: &str) -> usize {
    town.board.registrar.phones_of(number).len()
}

fn view<'a>(town: &'a Town, number: &str) -> &'a ExtensionView {
    let told = town.notices.iter().rev().find_map(|notice| match notice {
        Notice::Extension(view) if view.number == number => Some(view),
        _ => None,
    });
    told.expect("told of the extension")
}

fn warnings(town: &Town) -> Vec<String> {
    town.board.service.warnings.clone()
}

#[test]
fn the_challenge_is_of_the_realm_and_the_algorithms_that_are_kept_elsewhere() {
    let mut plan = Plan::usual();
    plan.settings.algorithms = vec![Algorithm::Sha512T256, Algorithm::Sha256, Algorithm::Md5];
    let mut town = town_of(plan, Keeper::of("geheim", &["MD5", "SHA-512-256", "SHA-256"]));
    assert_eq!(view(&town, "101").login.state, "ready");
    let phone = phone(&mut town);
    let contact = town.device(phone).contact.clone();
    town.send_register(phone, &contact, &[]);
    let challenge = town.expect(phone, "401 REGISTER");
    let values = challenge.headers("WWW-Authenticate");
    let algorithms: Vec<String> = values.iter().map(|v| parameter(v, "algorithm")).collect();
    assert_eq!(algorithms, ["SHA-512-256", "SHA-256", "MD5"]);
    assert!(values.iter().all(|value| parameter(value, "realm") == REALM), "{values:?}");
    // A new password may come with other algorithms.
    town.keeper = Keeper::of("geheim", &["SHA-256"]);
    town.pass_seconds(1);
    town.send_register(phone, &contact, &[]);
    let challenge = town.expect(phone, "401 REGISTER");
    assert_eq!(challenge.headers("WWW-Authenticate").len(), 1);
    assert!(challenge.header("WWW-Authenticate").contains("algorithm=SHA-256"));
    town.assert_over();
}

#[test]
fn the_right_password_registers_under_every_algorithm_that_is_kept() {
    let all = ["MD5", "SHA-256", "SHA-512-256"];
    for algorithm in all {
        let mut plan = Plan::usual();
        plan.settings.algorithms = vec![Algorithm::Sha512T256, Algorithm::Sha256, Algorithm::Md5];
        let mut town = town_of(plan, Keeper::of("geheim", &all));
        let phone = phone(&mut town);
        town.device(phone).algorithm = algorithm;
        assert_eq!(town.register(phone, 600).kind(), "200 REGISTER", "{algorithm}");
        assert_eq!(phones_of(&town, "101"), 1);
        assert_eq!(town.keeper.judged, 1);
        town.assert_over();
    }
}

#[test]
fn a_new_password_is_good_at_once_and_the_old_one_no_more() {
    let mut town = town();
    let (old, new) = (phone(&mut town), phone(&mut town));
    assert_eq!(town.register(old, 600).kind(), "200 REGISTER");
    town.keeper.password = "neues".into();
    town.device(new).password = "neues".into();
    assert_eq!(town.register(new, 600).kind(), "200 REGISTER");
    assert_eq!(town.register(old, 600).kind(), "401 REGISTER");
}

#[test]
fn a_wrong_password_fares_as_a_name_that_is_not_the_users() {
    let mut town = town();
    let (wrong, nobody) = (phone(&mut town), phone(&mut town));
    town.device(wrong).password = "falsch".into();
    town.device(nobody).login = "eve".into();
    let answers = [town.register(wrong, 600), town.register(nobody, 600)];
    let names = |at: usize| -> Vec<String> {
        let text = format!("{:?}", answers[at]);
        text.lines().filter_map(|l| l.split_once(':')).map(|(n, _)| n.to_owned()).collect()
    };
    assert!(answers.iter().all(|answer| answer.kind() == "401 REGISTER"), "{answers:?}");
    assert_eq!(names(0), names(1), "the answers differ in their fields");
    assert_eq!(town.keeper.judged, 2, "both were asked about");
    assert_eq!(phones_of(&town, "101"), 0);
    town.assert_over();
}

#[test]
fn guesses_are_held_off_before_the_digest_service_hears_of_them() {
    let mut town = town();
    let phone = phone(&mut town);
    town.device(phone).password = "falsch".into();
    let contact = town.device(phone).contact.clone();
    let mut refused = 0;
    for _ in 0..40 {
        town.send_register(phone, &contact, &[]);
        if let Some(challenge) = town.find(phone, |text| text.kind() == "401 REGISTER") {
            town.take_challenge(phone, &challenge);
        } else {
            let answer = town.expect(phone, "503 REGISTER");
            assert!(!answer.header("Retry-After").is_empty(), "{answer:?}");
            refused += 1;
        }
    }
    assert!(town.keeper.judged <= 7, "asked {} times", town.keeper.judged);
    assert!(refused > 30);
}

#[test]
fn a_digest_service_that_holds_off_has_its_time_handed_on() {
    let mut town = town();
    town.keeper.manner = Manner::HoldsOff(77);
    let phone = phone(&mut town);
    let answer = town.register(phone, 600);
    assert_eq!((answer.kind().as_str(), answer.header("Retry-After")), ("503 REGISTER", "77"));
    town.keeper.manner = Manner::Prompt;
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
}

#[test]
fn without_the_digest_service_its_extensions_say_so_and_others_go_on() {
    let mut town = town_of(Plan::usual(), Keeper::default());
    assert_eq!(view(&town, "101").authentication, "login");
    assert_eq!(view(&town, "101").login.state, "unavailable");
    assert_eq!(view(&town, "101").login.words, "it is not installed: install it");
    let said = |town: &Town| warnings(town).iter().any(|w| w.contains("is not installed"));
    assert!(said(&town), "{:?}", warnings(&town));
    let mine = phone(&mut town);
    let answer = town.register(mine, 600);
    assert_eq!((answer.kind().as_str(), answer.header("Retry-After")), ("503 REGISTER", "30"));
    let (one, other) = (town.phone("102"), town.phone("102"));
    town.dial(one, "102");
    town.expect(other, "INVITE");
    assert_eq!(
        (view(&town, "102").authentication, view(&town, "102").login.state),
        ("password", "none")
    );
    // It is installed: whoever comes finds it, and a minute later so does the user.
    town.keeper = Keeper::of("geheim", &["MD5"]);
    town.pass_seconds(61);
    assert_eq!(view(&town, "101").login.state, "ready");
    assert!(!said(&town), "{:?}", warnings(&town));
    assert_eq!(town.register(mine, 600).kind(), "200 REGISTER");
}

#[test]
fn who_is_not_enrolled_is_told_to_and_comes_in_as_soon_as_he_is() {
    let kept = Ok(Kept::Nothing("nothing is kept: enrol".into()));
    let mut plan = Plan::usual();
    plan.settings.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
    let mut town = town_of(plan, Keeper { kept, ..Keeper::default() });
    assert_eq!(view(&town, "101").login.state, "not-enrolled");
    let phone = phone(&mut town);
    assert_eq!(town.register(phone, 600).kind(), "503 REGISTER");
    town.keeper = Keeper::of("geheim", &["MD5"]);
    town.pass(Duration::from_millis(100));
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    assert_eq!(view(&town, "101").login.state, "ready");
    // Algorithms that no phone is offered are none. The user may have it looked at at once.
    town.keeper = Keeper::of("geheim", &["SHA-512-256"]);
    let now = town.time();
    town.board.refresh(now);
    town.collect();
    assert_eq!(view(&town, "101").login.state, "not-enrolled");
    assert_eq!(town.register(phone, 600).kind(), "503 REGISTER");
    assert!(view(&town, "101").login.words.contains("SHA-512-256"));
}

#[test]
fn a_silent_digest_service_keeps_nobody_waiting_for_ever_and_repetitions_are_one_request() {
    let mut town = town();
    town.pass_seconds(2);
    town.keeper.manner = Manner::Silent;
    let phone = phone(&mut town);
    let contact = town.device(phone).contact.clone();
    let looked = town.keeper.looked;
    let headers = [
        town.via(phone),
        "From: <sip:101@127.0.0.1:5060>;tag=x".into(),
        "To: <sip:101@127.0.0.1:5060>".into(),
        "Call-ID: again".into(),
        "CSeq: 1 REGISTER".into(),
        format!("Contact: {contact}"),
    ];
    let text = super::text::Text::write("REGISTER sip:127.0.0.1:5060 SIP/2.0", &headers, "");
    for _ in 0..5 {
        town.send(phone, &text);
        town.pass(Duration::from_millis(500));
    }
    town.assert_silent(phone);
    assert_eq!(town.keeper.looked, looked + 1);
    town.pass(PATIENCE);
    assert_eq!(town.expect(phone, "503 REGISTER").header("Retry-After"), "30");
    assert_eq!(town.device(phone).heard, 1);
    assert_eq!(view(&town, "101").login.state, "unavailable");
    town.keeper.manner = Manner::Prompt;
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    town.assert_over();
}

/// A phone that has shown credentials, about which the digest service says nothing.
fn waiting(town: &mut Town, phone: Phone) {
    let contact = town.device(phone).contact.clone();
    town.send_register(phone, &contact, &[]);
    let challenge = town.expect(phone, "401 REGISTER");
    assert!(town.take_challenge(phone, &challenge));
    town.keeper.manner = Manner::Silent;
    town.send_register(phone, &contact, &[]);
    town.assert_silent(phone);
    town.keeper.manner = Manner::Prompt;
}

/// The digest service says at last what it thinks of the oldest.
fn answer_late(town: &mut Town) {
    let inquiry = town.keeper.open.remove(0);
    let answer = town.keeper.verdict(&inquiry);
    town.come_in(Inner::LoginJudged { inquiry: inquiry.id, answer });
    town.collect();
}

#[test]
fn an_answer_in_time_lets_in_and_one_that_is_late_does_nothing() {
    let mut town = town();
    let phone = phone(&mut town);
    waiting(&mut town, phone);
    town.pass_seconds(3);
    answer_late(&mut town);
    town.expect(phone, "200 REGISTER");
    assert_eq!(phones_of(&town, "101"), 1);

    let late = super::login::phone(&mut town);
    waiting(&mut town, late);
    town.pass(PATIENCE);
    assert_eq!(town.expect(late, "503 REGISTER").header("Retry-After"), "5");
    answer_late(&mut town);
    town.assert_silent(late);
    assert_eq!(phones_of(&town, "101"), 1);
    assert_eq!(town.register(late, 600).kind(), "200 REGISTER", "the same credentials serve");
    town.assert_over();
}

#[test]
fn a_phone_that_is_lost_while_it_is_judged_leaves_nothing() {
    let mut town = town();
    let phone = far_phone(&mut town, Transport::Tls);
    waiting(&mut town, phone);
    town.break_connection(phone);
    answer_late(&mut town);
    assert_eq!(phones_of(&town, "101"), 0, "there is no way to reach it");
    town.assert_over();
}

#[test]
fn an_extension_that_is_removed_or_closed_while_its_phone_is_judged_lets_nobody_in() {
    for remove in [true, false] {
        let mut town = town();
        let phone = phone(&mut town);
        waiting(&mut town, phone);
        let number = "101".to_owned();
        let asked = if remove {
            town.begin(|reply| Ask::RemoveExtension { number, reply })
        } else {
            let change = person("a password of its own");
            town.begin(|reply| Ask::ChangeExtension { number, change, reply })
        };
        town.wait(asked).unwrap();
        answer_late(&mut town);
        town.expect(phone, "401 REGISTER");
        assert_eq!(phones_of(&town, "101"), 0);
        town.assert_over();
    }
}

#[test]
fn a_registered_phone_calls_and_writes_and_each_time_it_is_asked_about() {
    let mut town = town();
    let (me, other) = (phone(&mut town), town.phone("102"));
    assert_eq!(town.register(me, 600).kind(), "200 REGISTER");
    let judged = town.keeper.judged;
    let talk = town.dial(me, "102");
    assert_eq!(town.keeper.judged, judged + 1);
    let theirs = town.rung(other);
    let answer = town.sdp(other);
    town.respond(other, &theirs.invite, "200 OK", &theirs.tag, &[], &answer);
    town.expect(me, "200 INVITE");
    drop(talk);
    let (uri, kind) = ("sip:102@127.0.0.1:5060", ["Content-Type: text/plain"]);
    town.send_request(me, "MESSAGE", uri, &kind, "good morning");
    assert_eq!(town.keeper.judged, judged + 2);
    town.expect(other, "MESSAGE");
}

#[test]
fn a_caller_who_gives_up_while_he_is_judged_is_forgotten() {
    let mut town = town();
    let (me, other) = (phone(&mut town), town.phone("102"));
    assert_eq!(town.register(me, 600).kind(), "200 REGISTER");
    town.keeper.manner = Manner::Silent;
    let talk = town.dial(me, "102");
    town.pass_seconds(1);
    town.cancel(&talk);
    town.expect(me, "200 CANCEL");
    let refusal = town.expect(me, "487 INVITE");
    town.acknowledge_refusal(&talk, &refusal);
    town.keeper.manner = Manner::Prompt;
    answer_late(&mut town);
    town.assert_silent(other);
    town.assert_over();
}

#[test]
fn who_withholds_his_name_is_known_by_the_way_he_came() {
    let mut town = town();
    let (me, other) = (phone(&mut town), town.phone("102"));
    assert_eq!(town.register(me, 600).kind(), "200 REGISTER");
    let offer = town.sdp(me);
    let from = "sip:anonymous@anonymous.invalid";
    town.dial_as(me, from, "sip:102@127.0.0.1:5060", &["Privacy: id"], &offer);
    assert_eq!(town.keeper.judged, 2);
    town.expect(other, "INVITE");
}

#[test]
fn a_flood_waits_in_bounds_and_is_answered_to_the_last() {
    let mut plan = Plan::usual();
    plan.settings.gate = sipwitch_sip::gate::GateSettings::default();
    let mut town = town_of(plan, Keeper::of("geheim", &["MD5"]));
    town.pass_seconds(2);
    town.keeper.manner = Manner::Silent;
    let looked = town.keeper.looked;
    let crowd: Vec<Phone> = (0..300).map(|_| phone(&mut town)).collect();
    for phone in &crowd {
        let contact = town.device(*phone).contact.clone();
        town.send_register(*phone, &contact, &[]);
    }
    assert_eq!(town.keeper.looked, looked + 1, "one question for all of them");
    let held = crowd.iter().filter(|phone| !town.has(**phone, "503 REGISTER")).count();
    assert_eq!(held, 64);
    let kept = town.keeper.kept.clone();
    town.come_in(Inner::LoginKept(kept));
    town.collect();
    let challenged = crowd.iter().filter(|phone| town.has(**phone, "401 REGISTER")).count();
    assert_eq!(challenged, 64);
    assert!(town.board.login.is_empty());
}

#[test]
fn without_tls_the_login_password_is_not_even_asked_for_from_another_machine() {
    let mut town = town();
    for (transport, kind) in [
        (Transport::Udp, "403 REGISTER"),
        (Transport::Tcp, "403 REGISTER"),
        (Transport::Tls, "200 REGISTER"),
    ] {
        let phone = far_phone(&mut town, transport);
        let answer = town.register(phone, 600);
        assert_eq!(answer.kind(), kind, "{transport:?}");
        assert_eq!(answer.header("WWW-Authenticate"), "", "it would answer that in the clear");
    }
    assert_eq!(town.keeper.judged, 1);
    let warned = |town: &Town| warnings(town).iter().filter(|w| w.contains("without TLS")).count();
    assert_eq!(warned(&town), 1, "{:?}", warnings(&town));

    // Not even with credentials that are right.
    let sly = far_phone(&mut town, Transport::Udp);
    let tls = far_phone(&mut town, Transport::Tls);
    let contact = town.device(tls).contact.clone();
    town.send_register(tls, &contact, &[]);
    let challenge = town.expect(tls, "401 REGISTER");
    assert!(town.take_challenge(sly, &challenge));
    assert_eq!(town.register(sly, 600).kind(), "403 REGISTER");
    assert_eq!(town.keeper.judged, 1);
}

#[test]
fn a_separate_password_is_taken_from_everywhere() {
    let mut keeper = Keeper::of("geheim", &["MD5"]);
    let algorithms = vec!["MD5".to_owned()];
    keeper.kept = Ok(Kept::Digests { realm: REALM.into(), algorithms, is_login: false });
    let mut town = town_of(Plan::usual(), keeper);
    let phone = far_phone(&mut town, Transport::Udp);
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    assert_eq!(warnings(&town), Vec::<String>::new());
}

#[test]
fn the_switch_opens_the_house_and_warns() {
    let mut plan = Plan::usual();
    plan.settings.login_without_tls = true;
    let mut town = town_of(plan, Keeper::of("geheim", &["MD5"]));
    let phone = far_phone(&mut town, Transport::Udp);
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    let switch = "registrar.login-password-without-tls";
    assert!(warnings(&town).iter().any(|w| w.contains(switch)), "{:?}", warnings(&town));
    let now = town.time();
    town.board.configure(now, settings());
    town.collect();
    assert!(warnings(&town).iter().all(|w| !w.contains(switch)), "{:?}", warnings(&town));
    assert_eq!(town.register(phone, 600).kind(), "403 REGISTER");
}

#[test]
fn credentials_for_one_realm_are_worth_nothing_for_an_extension_of_the_other() {
    let mut town = town();
    town.add_extension("102", person(&password_of("102")));
    let mine = phone(&mut town);
    assert_eq!(town.register(mine, 600).kind(), "200 REGISTER");
    // With the login's credentials at 102, with those of 102 at 101.
    let other = town.stranger("102");
    let taken = town.device(mine).challenge.clone();
    let device = town.device(other);
    (device.challenge, device.login, device.password) = (taken, USER.into(), "geheim".into());
    let contact = town.device(other).contact.clone();
    town.send_register(other, &contact, &[]);
    let answer = town.expect(other, "401 REGISTER");
    assert_eq!(parameter(answer.header("WWW-Authenticate"), "realm"), "house.test");
    assert_eq!(phones_of(&town, "102"), 0);
    let good = town.stranger("102");
    assert_eq!(town.register(good, 600).kind(), "200 REGISTER");
    town.device(good).number = "101".into();
    town.send_register(good, &contact, &[]);
    let answer = town.expect(good, "401 REGISTER");
    assert_eq!(parameter(answer.header("WWW-Authenticate"), "realm"), REALM);
    assert_eq!(phones_of(&town, "101"), 1);
}

#[test]
fn the_choice_is_kept_over_a_restart_and_a_password_of_its_own_ends_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    let mut town = town_of(Plan::in_file(file.clone()), Keeper::of("geheim", &["MD5"]));
    let mine = phone(&mut town);
    assert_eq!(town.register(mine, 600).kind(), "200 REGISTER");
    let mut town = town.rebuild(Plan::in_file(file.clone()), Duration::from_secs(1));
    town.keeper = Keeper::of("geheim", &["MD5"]);
    town.collect();
    assert_eq!(town.keeper.looked, 1, "it is asked at once");
    town.device(mine).challenge = None;
    assert_eq!(town.register(mine, 600).kind(), "200 REGISTER");

    let number = || "101".to_owned();
    let both = ExtensionChange {
        password: Some(Secret::new("a password of its own".into())),
        ..by_login()
    };
    let asked = town.begin(|reply| Ask::ChangeExtension { number: number(), change: both, reply });
    assert!(matches!(town.wait(asked), Err(Refusal::BadValue(_))));
    let change = person("a password of its own");
    let asked = town.begin(|reply| Ask::ChangeExtension { number: number(), change, reply });
    town.wait(asked).unwrap();
    town.collect();
    let told = view(&town, "101");
    assert_eq!(
        (told.authentication, told.login.state, told.has_password),
        ("password", "none", true)
    );
    let asked =
        town.begin(|reply| Ask::ChangeExtension { number: number(), change: by_login(), reply });
    town.wait(asked).unwrap();
    town.collect();
    let told = view(&town, "101");
    assert_eq!(
        (told.authentication, told.login.state, told.has_password),
        ("login", "ready", false)
    );
    let misspelt =
        ExtensionChange { authentication: Some("pam".into()), ..ExtensionChange::default() };
    let asked =
        town.begin(|reply| Ask::ChangeExtension { number: number(), change: misspelt, reply });
    assert!(matches!(town.wait(asked), Err(Refusal::BadValue(_))));
}

#[test]
fn a_table_says_who_uses_the_login_password() {
    let mut town = town();
    let csv = "number,authentication,password\n101,password,a password of its own\n102,login,\n\
               103,login,and a password\n104,pam,\n";
    let asked = town.begin(|reply| Ask::ImportExtensions { csv: csv.into(), reply });
    let imported = town.wait(asked).unwrap();
    town.collect();
    assert_eq!((imported.added, imported.changed), (1, 1));
    let lines: Vec<u32> = imported.refused.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 5], "{:?}", imported.refused);
    assert_eq!(
        (view(&town, "101").authentication, view(&town, "102").authentication),
        ("password", "login")
    );
}

#[test]
fn nobody_is_asked_anything_where_no_extension_wants_it() {
    let mut town = Town::new();
    town.phone("101");
    town.pass_seconds(3000);
    assert_eq!((town.keeper.looked, town.keeper.judged), (0, 0));
    assert!(warnings(&town).is_empty());
}
