// SPDX-License-Identifier: GPL-3.0-or-later
//! REGISTER, from the challenge to the last expiry.

use sipwitch_sip::{
    auth::Algorithm,
    flow::{ConnectionId, Transport},
};

use super::{
    super::notice::Notice,
    digest::parameter,
    house::{Disk, Plan, person, settings},
    town::{Town, password_of},
};

fn phones_of(town: &Town, number: &str) -> usize {
    town.board.registrar.phones_of(number).len()
}

/// Of extensions' passwords no SHA-512-256 is kept, so none is offered.
fn both_algorithms() -> Town {
    let mut plan = Plan::usual();
    plan.settings.algorithms = vec![Algorithm::Sha512T256, Algorithm::Sha256, Algorithm::Md5];
    Town::of(plan)
}

#[test]
fn a_phone_is_challenged_then_told_that_it_is_registered_once_that_is_stored() {
    let mut town = both_algorithms();
    town.add_extension("101", person(&password_of("101")));
    let phone = town.stranger("101");
    let contact = town.device(phone).contact.clone();
    town.send_register(phone, &contact, &["Expires: 600".into()]);
    let challenge = town.expect(phone, "401 REGISTER");
    let values = challenge.headers("WWW-Authenticate");
    let algorithms: Vec<String> = values.iter().map(|v| parameter(v, "algorithm")).collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    assert!(values.iter().all(|v| parameter(v, "qop") == "auth"), "{values:?}");
    assert!(town.take_challenge(phone, &challenge));

    town.disk = Disk::Slow;
    town.send_register(phone, &contact, &["Expires: 600".into()]);
    town.assert_silent(phone);
    town.disk = Disk::Good;
    town.collect();
    let answer = town.expect(phone, "200 REGISTER");
    assert!(answer.header("Contact").contains("expires=600"), "{answer:?}");
    assert_eq!(phones_of(&town, "101"), 1);
    let told = town.notices.iter().filter(|n| matches!(n, Notice::Phone(_))).count();
    assert_eq!(told, 1);
}

#[test]
fn a_register_repeated_while_the_store_works_is_answered_once_it_is_done() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let contact = town.device(phone).contact.clone();
    town.disk = Disk::Slow;
    town.send_register(phone, &contact, &["Expires: 600".into()]);
    town.pass_seconds(3);
    town.assert_silent(phone);
    town.disk = Disk::Good;
    town.collect();
    town.expect(phone, "200 REGISTER");
    town.assert_over();
}

#[test]
fn both_algorithms_are_taken() {
    let mut town = both_algorithms();
    town.add_extension("101", person(&password_of("101")));
    for algorithm in ["MD5", "SHA-256"] {
        let phone = town.stranger("101");
        town.device(phone).algorithm = algorithm;
        assert_eq!(town.register(phone, 600).kind(), "200 REGISTER", "{algorithm}");
    }
    assert_eq!(phones_of(&town, "101"), 2);
}

#[test]
fn an_old_nonce_is_stale_and_the_new_one_serves() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let contact = town.device(phone).contact.clone();
    town.pass_seconds(settings().nonce_seconds + 1);
    town.send_register(phone, &contact, &["Expires: 600".into()]);
    let challenge = town.expect(phone, "401 REGISTER");
    assert!(challenge.header("WWW-Authenticate").contains("stale=true"), "{challenge:?}");
    assert_eq!(phones_of(&town, "101"), 1, "nothing is lost by it");
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
}

#[test]
fn a_wrong_password_is_answered_like_an_unknown_user() {
    let mut town = Town::new();
    town.add_extension("101", person(&password_of("101")));
    let (wrong, unknown) = (town.stranger("101"), town.stranger("777"));
    town.device(wrong).password = "not the password".into();
    let answers = [town.register(wrong, 600), town.register(unknown, 600)];
    for answer in &answers {
        assert_eq!(answer.kind(), "401 REGISTER", "{answer:?}");
        assert!(!answer.header("WWW-Authenticate").contains("stale"), "{answer:?}");
    }
    let names = |at: usize| -> Vec<String> {
        let text = format!("{:?}", answers[at]);
        text.lines().filter_map(|l| l.split_once(':')).map(|(n, _)| n.to_owned()).collect()
    };
    assert_eq!(names(0), names(1), "the answers differ in their fields");
    assert_eq!((phones_of(&town, "101"), phones_of(&town, "777")), (0, 0));
}

#[test]
fn nobody_registers_for_an_extension_that_is_not_his() {
    let mut town = Town::new();
    let phone = town.phone("101");
    town.add_extension("102", person(&password_of("102")));
    let uri = "sip:127.0.0.1:5060";
    let authorization = town.authorization(phone, "REGISTER", uri).unwrap();
    let headers = [
        town.via(phone),
        "From: <sip:102@127.0.0.1:5060>;tag=x".into(),
        "To: <sip:102@127.0.0.1:5060>".into(),
        "Call-ID: another".into(),
        "CSeq: 1 REGISTER".into(),
        "Contact: <sip:102@127.0.0.1:20000>".into(),
        authorization,
    ];
    let text = super::text::Text::write(&format!("REGISTER {uri} SIP/2.0"), &headers, "");
    town.send(phone, &text);
    town.expect(phone, "403 REGISTER");
    assert_eq!(phones_of(&town, "102"), 0);
}

#[test]
fn all_phones_of_an_extension_are_taken_away_by_one_of_them() {
    let mut town = Town::new();
    let (one, _two) = (town.phone("101"), town.phone("101"));
    assert_eq!(phones_of(&town, "101"), 2);
    assert_eq!(town.register_as(one, "*", 0).kind(), "200 REGISTER");
    assert_eq!(phones_of(&town, "101"), 0);
    let gone = town.notices.iter().filter(|n| matches!(n, Notice::PhoneGone(_))).count();
    assert_eq!(gone, 2);
    let asked = town.register_as(one, "", 600);
    assert_eq!((asked.kind().as_str(), asked.header("Contact")), ("200 REGISTER", ""));
}

#[test]
fn a_registration_runs_out_when_it_said_it_would() {
    let mut town = Town::new();
    let phone = town.phone("101");
    assert_eq!(town.register(phone, 120).kind(), "200 REGISTER");
    town.pass_seconds(119);
    assert_eq!(phones_of(&town, "101"), 1);
    town.pass_seconds(2);
    assert_eq!(phones_of(&town, "101"), 0);
    assert!(matches!(
        town.notices.iter().rev().find(|n| matches!(n, Notice::PhoneGone(_) | Notice::Phone(_))),
        Some(Notice::PhoneGone(1))
    ));
    let (caller, other) = (town.phone("102"), "101");
    let call = town.dial(caller, other);
    assert_eq!(town.refused(&call).status(), Some(480));
    town.assert_over();
}

#[test]
fn too_short_a_registration_is_refused_with_what_is_the_least() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let answer = town.register(phone, 30);
    assert_eq!((answer.kind().as_str(), answer.header("Min-Expires")), ("423 REGISTER", "60"));
}

#[test]
fn a_phone_is_gone_with_the_connection_it_is_bound_to() {
    let mut town = Town::new();
    let phone = town.tcp_phone("101");
    let caller = town.phone("102");
    let call = town.dial(caller, "101");
    let mut at_phone = town.rung(phone);
    assert!(at_phone.invite.header("Via").contains("SIP/2.0/TCP"), "{:?}", at_phone.invite);
    town.reply(&at_phone, "486 Busy Here", "");
    town.heard(&mut at_phone, "ACK");
    assert_eq!(town.refused(&call).status(), Some(486));
    // Nobody listens at the port of a connection that is gone.
    town.break_connection(phone);
    assert_eq!(phones_of(&town, "101"), 0);
    let call = town.dial(caller, "101");
    assert_eq!(town.refused(&call).status(), Some(480));
    town.assert_over();
}

#[test]
fn a_phone_that_listens_is_reached_after_its_connection_broke() {
    let mut town = Town::new();
    town.add_extension("101", person(&password_of("101")));
    let phone = town.stranger("101");
    let listens = "127.0.0.1:5999".parse().unwrap();
    let device = town.device(phone);
    device.flow.transport = Transport::Tcp;
    device.flow.connection = Some(ConnectionId(9));
    device.contact = "<sip:101@127.0.0.1:5999;transport=tcp>".into();
    assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
    town.break_connection(phone);
    assert_eq!(phones_of(&town, "101"), 1);
    town.device(phone).flow.remote = listens;
    let caller = town.phone("102");
    let call = town.dial(caller, "101");
    let mut at_phone = town.rung(phone);
    town.reply(&at_phone, "486 Busy Here", "");
    town.heard(&mut at_phone, "ACK");
    assert_eq!(town.refused(&call).status(), Some(486));
    town.assert_over();
}

#[test]
fn a_program_of_our_own_user_needs_no_password_and_that_of_another_does() {
    use crate::socket_owner::SocketOwners;
    use std::net::UdpSocket;

    // Real sockets, because it is the kernel that vouches for them; nothing is sent through them.
    let heard = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    let me = nix::unistd::getuid().as_raw();
    for (uid, wanted) in [(me, "200 REGISTER"), (me + 1, "401 REGISTER")] {
        let mut plan = Plan::usual();
        plan.owners = Some(SocketOwners::open().unwrap());
        plan.settings.trust_own_loopback = true;
        plan.settings.uid = uid;
        let mut town = Town::of(plan);
        town.add_extension("101", person(&password_of("101")));
        let phone = town.stranger_at("101", own.local_addr().unwrap());
        let device = town.device(phone);
        device.flow.local = heard.local_addr().unwrap();
        let contact = device.contact.clone();
        town.send_register(phone, &contact, &["Expires: 600".into()]);
        town.expect(phone, wanted);
    }
}

#[test]
fn a_program_of_our_own_user_calls_as_the_extension_it_names() {
    use crate::socket_owner::SocketOwners;
    use std::net::UdpSocket;

    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut plan = Plan::usual();
    plan.owners = Some(SocketOwners::open().unwrap());
    plan.settings.trust_own_loopback = true;
    plan.settings.uid = nix::unistd::getuid().as_raw();
    let mut town = Town::of(plan);
    let mut phones = Vec::new();
    for (number, socket) in ["101", "102"].into_iter().zip(&sockets) {
        town.add_extension(number, person(&password_of(number)));
        let phone = town.stranger_at(number, socket.local_addr().unwrap());
        assert_eq!(town.register(phone, 600).kind(), "200 REGISTER");
        phones.push(phone);
    }
    let (mut at_anna, mut at_bert) = town.call(phones[0], phones[1]);
    assert!(at_bert.invite.header("From").contains("sip:101@"), "{:?}", at_bert.invite);
    assert!(town.device(phones[0]).challenge.is_none(), "nobody asked for a password");
    town.hang_up(&mut at_anna);
    town.ended(&mut at_bert);
    // Where no such socket is, nobody vouches.
    let stranger = town.stranger("101");
    town.device(stranger).password = "not the password".into();
    let call = town.dial(stranger, "102");
    assert_eq!(town.refused(&call).status(), Some(401));
    town.assert_over();
}

#[test]
fn a_gruu_rings_the_one_device_it_names() {
    let mut town = Town::new();
    let (one, two, caller) = (town.phone("101"), town.phone("101"), town.phone("102"));
    let contact = format!(
        "{};+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"",
        town.device(two).contact
    );
    town.send_register(two, &contact, &["Expires: 600".into(), "Supported: gruu".into()]);
    let answer = town.expect(two, "200 REGISTER");
    let contacts = answer.headers("Contact").join(",");
    let (_, rest) = contacts.split_once("pub-gruu=\"").expect("a GRUU was asked for");
    let gruu = rest.split('"').next().unwrap().to_owned();
    assert!(gruu.contains(";gr="), "{gruu}");
    let offer = town.sdp(caller);
    let mut call = town.dial_with(caller, &gruu, &[], &offer);
    let mut at_two = town.rung(two);
    town.assert_silent(one);
    let answer = town.sdp(two);
    town.reply(&at_two, "200 OK", &answer);
    town.heard(&mut call, "200 INVITE");
    town.ack(&call, "");
    town.heard(&mut at_two, "ACK");
    town.hang_up(&mut call);
    town.ended(&mut at_two);
    // The device is gone: its siblings are not meant.
    town.register_as(two, &contact, 0);
    let offer = town.sdp(caller);
    let call = town.dial_with(caller, &gruu, &[], &offer);
    let status = town.refused(&call).status().unwrap();
    assert!([404, 480].contains(&status), "{status}");
    town.assert_silent(one);
    town.assert_over();
}
