// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept, what outlives the process, and what is told about it.

use std::time::Duration;

use sipwitch_core::call::CallId;
use sipwitch_sip::flow::Transport;

use super::{
    super::{
        ask::{Ask, ExtensionChange, Refusal},
        notice::Notice,
    },
    house::{Disk, HOUSE, Plan, person},
    town::{Town, password_of},
};

#[test]
fn registrations_and_passwords_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let short = town.phone("103");
    town.register(short, 60);
    let ids = |town: &Town| {
        let mut ids: Vec<u64> = town.board.registrar.phones().map(|b| b.phone.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&town), [1, 2, 3]);
    let mut town = town.rebuild(Plan::in_file(path), Duration::from_secs(120));
    assert_eq!(ids(&town), [1, 2], "the same phones, but for the one that ran out meanwhile");
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    assert_eq!(town.register(short, 600).kind(), "200 REGISTER");
    assert!(ids(&town).last() > Some(&3), "a number is never given twice: {:?}", ids(&town));
    town.pass_seconds(3600);
    assert_eq!(ids(&town), Vec::<u64>::new(), "what was restored runs out in time");
    town.assert_over();
}

#[test]
fn the_nonce_of_an_earlier_process_is_stale_and_no_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let phone = town.phone("101");
    let mut plan = Plan::in_file(path);
    plan.seed = [8; 32];
    let mut town = town.rebuild(plan, Duration::from_secs(1));
    let contact = town.device(phone).contact.clone();
    town.send_register(phone, &contact, &["Expires: 600".into()]);
    let challenge = town.expect(phone, "401 REGISTER");
    assert!(challenge.header("WWW-Authenticate").contains("stale=true"), "{challenge:?}");
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
}

#[test]
fn a_full_disk_does_not_stop_the_telephone() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    town.disk = Disk::Full;
    assert_eq!(town.register(anna, 600).kind(), "200 REGISTER");
    let warnings = |town: &Town| town.board.service.warnings.clone();
    assert_eq!(warnings(&town).len(), 1, "{:?}", warnings(&town));
    assert!(warnings(&town)[0].contains("disk"), "{:?}", warnings(&town));
    assert_eq!(town.register(bert, 600).kind(), "200 REGISTER");
    assert_eq!(warnings(&town).len(), 1, "it is said once");
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    // Who changes the configuration is told that it will not last.
    let number = "103".to_owned();
    let change = person("a long password");
    let asked = town.wish(|reply| Ask::AddExtension { number, change, reply });
    assert!(matches!(asked.answer(), Err(Refusal::NotStored(_))));
    town.disk = Disk::Good;
    assert_eq!(town.register(anna, 600).kind(), "200 REGISTER");
    assert_eq!(warnings(&town), Vec::<String>::new(), "the warning goes with its cause");
    let told: Vec<usize> = town
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Service(view) => Some(view.warnings.len()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [1, 0]);
    town.assert_over();
}

#[test]
fn past_calls_are_kept_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let begun = town.time().unix_us;
    town.pass_seconds(10);
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    town.pass_seconds(20);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.pass_seconds(5);
    let call = town.dial(bert, "101");
    let mut at_anna = town.rung(anna);
    town.reply(&at_anna, "486 Busy Here", "");
    town.heard(&mut at_anna, "ACK");
    town.refused(&call);
    let mut town = town.rebuild(Plan::in_file(path), Duration::from_secs(1));
    let asked = town.begin(|reply| Ask::History { limit: 10, reply });
    let past = town.wait(asked).unwrap();
    assert_eq!(past.len(), 2);
    let seconds = |us: i64| (us - begun) / 1_000_000;
    let (busy, talked) = (&past[0], &past[1]);
    assert_eq!((busy.caller.as_str(), busy.contact.as_str(), busy.sip_code), ("102", "101", 486));
    assert_eq!((busy.answered_us, busy.callee.as_str()), (None, ""));
    assert_eq!((talked.caller.as_str(), talked.callee.as_str()), ("101", "102"));
    assert_eq!((seconds(talked.started_us), seconds(talked.ended_us)), (10, 30));
    assert_eq!(talked.answered_us.map(seconds), Some(10));
    assert!(!talked.words.is_empty() && !talked.route.is_empty(), "{talked:?}");
    let asked = town.begin(|reply| Ask::History { limit: 1, reply });
    assert_eq!(town.wait(asked).unwrap().len(), 1);
}

#[test]
fn notices_come_in_order_and_a_world_in_their_midst_fits_them() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let before = town.notices.len();
    town.ask(Ask::Announce);
    town.collect();
    let Some(Notice::World(world)) = town.notices.get(before) else {
        panic!("{:?}", town.notices.get(before));
    };
    assert_eq!((world.calls.len(), world.phones.len(), world.extensions.len()), (1, 2, 2));
    assert_eq!(&world.calls[0], town.view(CallId(1)));
    assert_eq!(world.extensions[0].phones, [1]);
    assert!(world.extensions[0].has_password);
    let asked = town.wish(|reply| Ask::Snapshot { reply });
    let Some(Notice::World(world)) = town.notices.get(before) else { unreachable!() };
    assert_eq!(asked.answer().as_ref(), Ok(&**world));
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    let kinds: Vec<&str> = town
        .notices
        .iter()
        .map(|notice| match notice {
            Notice::World(_) => "world",
            Notice::Service(_) => "service",
            Notice::Call(view) => view.state,
            Notice::CallEnded(_) => "call ended",
            Notice::Connectivity(_) => "network",
            Notice::Blocked(_) => "blocked",
            Notice::HeldBack(_) => "held back",
            Notice::Dtmf { .. } => "tone",
            Notice::Program(_) => "program",
            Notice::Phone(_) => "phone",
            Notice::PhoneGone(_) => "phone gone",
            Notice::Extension(_) => "extension",
            Notice::ExtensionGone(_) => "extension gone",
            Notice::Account(_) => "account",
            Notice::AccountGone(_) => "account gone",
        })
        .collect();
    let at = |kind: &str| kinds.iter().position(|found| *found == kind);
    assert!(at("extension") < at("phone") && at("phone") < at("dialing"), "{kinds:?}");
    assert!(at("dialing") < at("ringing") && at("ringing") < at("connected"), "{kinds:?}");
    assert!(at("connected") < at("world") && at("world") < at("call ended"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"call ended"));
    town.assert_over();
}

#[test]
fn an_extension_that_is_removed_takes_its_phones_and_texts_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let asked = town.wish(|reply| Ask::RemoveExtension { number: "102".into(), reply });
    assert_eq!(asked.answer(), Ok(()));
    assert!(town.notices.iter().any(|n| matches!(n, Notice::PhoneGone(2))));
    assert!(town.notices.iter().any(|n| *n == Notice::ExtensionGone("102".into())));
    // A call that stands is not torn down.
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    let call = town.dial(anna, "102");
    assert_eq!(town.refused(&call).status(), Some(404));
    assert_eq!(town.register(bert, 600).kind(), "401 REGISTER");
    let mut town = town.rebuild(Plan::in_file(path), Duration::from_secs(1));
    assert_eq!(town.board.registrar.len(), 1);
    town.device(bert).challenge = None;
    assert_eq!(town.register(bert, 600).kind(), "401 REGISTER");
}

#[test]
fn a_generated_password_lets_a_phone_in_and_the_old_one_no_longer() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let asked = town.begin(|reply| Ask::GeneratePassword { number: "101".into(), reply });
    let password = town.wait(asked).unwrap();
    town.device(phone).challenge = None;
    assert_eq!(town.register(phone, 600).kind(), "401 REGISTER");
    town.device(phone).challenge = None;
    town.device(phone).password = password.expose().clone();
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
}

#[test]
fn a_phone_that_is_removed_is_gone_from_the_store_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut town = Town::of(Plan::in_file(path.clone()));
    town.phone("101");
    let asked = town.wish(|reply| Ask::RemovePhone { phone: 1, reply });
    assert_eq!(asked.answer(), Ok(()));
    let asked = town.wish(|reply| Ask::RemovePhone { phone: 1, reply });
    assert!(matches!(asked.answer(), Err(Refusal::NotFound { kind: "phone", .. })));
    let town = town.rebuild(Plan::in_file(path), Duration::from_secs(1));
    assert_eq!(town.board.registrar.len(), 0);
}

#[test]
fn many_extensions_at_once() {
    let mut town = Town::new();
    town.add_extension("101", ExtensionChange::default());
    let csv = format!(
        "number,name,password\n101,Anna,{}\n102,Bert,{}\nno number!,X,short\n",
        password_of("101"),
        password_of("102")
    );
    let asked = town.wish(|reply| Ask::ImportExtensions { csv, reply });
    let imported = asked.answer().unwrap();
    assert_eq!((imported.added, imported.changed, imported.refused.len()), (1, 1, 1));
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    assert!(at_bert.invite.header("From").contains("Anna"), "{:?}", at_bert.invite);
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn a_query_tells_what_a_phone_answers() {
    let mut town = Town::new();
    let bert = town.phone("102");
    let mut asked = town.wish(|reply| Ask::Query { uri: "102".into(), reply });
    let options = town.expect(bert, "OPTIONS");
    assert!(asked.is_open());
    town.pass(Duration::from_millis(30));
    let more = ["Server: Village Phone 1.0", "Allow: INVITE, ACK"];
    town.respond(bert, &options, "200 OK", "t", &more, "");
    let hops = asked.answer().unwrap();
    assert_eq!(hops.len(), 1);
    assert_eq!((hops[0].status, hops[0].server.as_str()), (Some(200), "Village Phone 1.0"));
    assert_eq!((hops[0].allow.as_str(), hops[0].milliseconds), ("INVITE, ACK", 30));

    // Hop by hop to an address outside: each is asked one further.
    let peer = town.stranger_at("peer", "127.0.0.2:5070".parse().unwrap());
    let uri = "sip:127.0.0.2:5070".to_owned();
    let asked = town.wish(|reply| Ask::Query { uri, reply });
    for hops in ["0", "1"] {
        let options = town.expect(peer, "OPTIONS");
        assert_eq!(options.header("Max-Forwards"), hops);
        let status = if hops == "0" { "483 Too Many Hops" } else { "200 OK" };
        town.respond(peer, &options, status, "t", &[], "");
    }
    let statuses: Vec<_> = asked.answer().unwrap().iter().map(|hop| hop.status).collect();
    assert_eq!(statuses, [Some(483), Some(200)]);

    // What people try first: ourselves.
    let asked = town.wish(|reply| Ask::Query { uri: format!("sip:{HOUSE}"), reply });
    let hops = asked.answer().unwrap();
    assert_eq!(hops[0].status, Some(200), "{hops:?}");
    assert!(hops[0].reason.contains("itself"), "{hops:?}");

    let asked = town.wish(|reply| Ask::Query { uri: "sip:127.0.0.2:5071".into(), reply });
    town.pass_seconds(40);
    let hops = asked.answer().unwrap();
    assert_eq!((hops.len(), hops[0].status), (1, None));
    let asked = town.wish(|reply| Ask::Query { uri: "sip:127.0.0.1:5060".into(), reply });
    let hops = asked.answer().unwrap();
    assert_eq!((hops.len(), hops[0].status), (1, Some(200)), "we answer for ourselves: {hops:?}");
    let asked = town.wish(|reply| Ask::Query { uri: "sip:[::1]:5071".into(), reply });
    let hops = asked.answer().unwrap();
    assert!(hops[0].reason.contains("leads nowhere"), "{hops:?}");

    // By a name with two places, the first of which is silent.
    let places =
        ["127.0.0.2:5099", "127.0.0.2:5070"].map(|at| (Transport::Udp, at.parse().unwrap()));
    town.names.insert("peer.test".into(), places.to_vec());
    let asked = town.wish(|reply| Ask::Query { uri: "sip:peer.test".into(), reply });
    town.pass_seconds(33);
    let options = town.expect(peer, "OPTIONS");
    town.respond(peer, &options, "200 OK", "t", &[], "");
    let statuses: Vec<_> = asked.answer().unwrap().iter().map(|hop| hop.status).collect();
    assert_eq!(statuses, [None, Some(200)]);
    town.assert_over();
}

#[test]
fn other_settings_hold_from_now_on_and_what_stands_goes_on() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let (mut at_anna, mut at_bert) = town.call(anna, bert);
    let mut settings = super::house::settings();
    settings.max_calls = 1;
    settings.registrar.longest = Duration::from_secs(120);
    settings.domains = vec!["other.test".into()];
    let now = town.time();
    town.board.configure(now, settings);
    town.collect();
    assert!(matches!(
        town.notices.last(),
        Some(Notice::Service(view)) if view.domain == "other.test"
    ));
    let call = town.dial(bert, "101");
    assert_eq!(town.refused(&call).status(), Some(503));
    let answer = town.register(anna, 3600);
    assert!(answer.header("Contact").contains("expires=120"), "{answer:?}");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    town.assert_over();
}

#[test]
fn the_room_of_a_busy_hour_is_given_back() {
    let mut town = Town::new();
    let (anna, bert) = (town.phone("101"), town.phone("102"));
    let mut calls = Vec::new();
    for _ in 0..700 {
        let call = town.dial(anna, "102");
        let at_bert = town.rung(bert);
        town.reply(&at_bert, "180 Ringing", "");
        calls.push((call, at_bert));
    }
    assert!(town.board.calls.capacity() >= 700);
    for (mut call, at_bert) in calls {
        town.heard(&mut call, "180 INVITE");
        town.cancel(&call);
        town.heard(&mut call, "200 CANCEL");
        town.refused(&call);
        town.cancelled(&at_bert);
    }
    assert!(town.board.calls.capacity() < 600, "{}", town.board.calls.capacity());
    assert!(town.board.legs.capacity() < 600, "{}", town.board.legs.capacity());
    town.assert_over();
}
