// SPDX-License-Identifier: GPL-3.0-or-later
//! A router with a SIP ALG between the house and its provider.

use std::net::SocketAddr;

use sipwitch_sip::flow::Transport;

use super::{
    super::{
        super::notice::Notice,
        house::HOUSE,
        town::{Phone, Town},
    },
    provider::{account, of},
};
use crate::connectivity::{Change, Looked, Paths};

const ROUTER: &str = "198.51.100.7:1024";
const ALG: &str = "SIP messages to provider.test are rewritten on the way, as a SIP ALG does";

/// A provider by these transports, behind a router that rewrites UDP; and an account there that
/// prefers UDP.
fn behind_a_router(transports: &[Transport]) -> (Town, Vec<Phone>) {
    let mut town = Town::new();
    let mut places = Vec::new();
    let mut doors = Vec::new();
    for (transport, at) in
        transports.iter().zip(["127.0.0.3:5060", "127.0.0.3:5070", "127.0.0.3:5061"])
    {
        let at: SocketAddr = at.parse().unwrap();
        let door = town.stranger_at("provider.test", at);
        let device = town.device(door);
        device.flow.transport = *transport;
        device.router = (*transport == Transport::Udp).then(|| ROUTER.parse().unwrap());
        places.push((*transport, at));
        doors.push(door);
    }
    town.names.insert("provider.test".into(), places);
    let mut plan = account("work", "provider.test");
    of(&mut plan).server.transports = transports.to_vec();
    town.sign_up(plan);
    (town, doors)
}

/// What was told of the network, in order.
fn told(town: &Town) -> Vec<&str> {
    let told = town.notices.iter().filter_map(|notice| match notice {
        Notice::Connectivity(change) => Some(change.words.as_str()),
        _ => None,
    });
    told.collect()
}

#[test]
fn where_contacts_are_rewritten_tls_is_used_until_the_network_is_another_one() {
    let (mut town, doors) = behind_a_router(&[Transport::Udp, Transport::Tcp, Transport::Tls]);
    let [udp, tcp, tls] = doors[..] else { panic!("three doors") };
    let register = town.let_in(udp);
    assert!(register.header("Contact").contains(ROUTER), "{register:?}");
    // By itself and at once.
    let register = town.expect(tls, "REGISTER");
    let contacts = register.headers("Contact").join(",");
    assert!(contacts.contains(&format!("@{HOUSE};transport=tls>")), "{contacts}");
    assert!(
        contacts.contains(&format!("@{ROUTER}>;expires=0")),
        "the other is taken back: {contacts}"
    );
    town.grant(tls, &register, 3600);
    assert_eq!(told(&town), [format!("{ALG}: TLS is tried instead")]);
    let standing = &town.line("work").standing;
    assert_eq!((standing.state, standing.next_step.as_str()), ("online", ""));
    assert!(standing.cause.starts_with("by TLS, "), "{standing:?}");
    // It stays so.
    let register = town.next_register(tls, 3600);
    town.grant(tls, &register, 3600);
    town.assert_silent(udp);
    town.assert_silent(tcp);
    // In another network nothing is known of it.
    town.device(udp).router = None;
    let change = Change {
        gone: Vec::new(),
        new: Vec::new(),
        way_changed: true,
        resumed: false,
        is_online: true,
        words: "elsewhere".into(),
    };
    let now = town.time();
    let looked = Looked { change: Some(change), reaches_more: true };
    town.board.network_looked_at(now, looked, &Paths::default());
    town.collect();
    let register = town.next_register(udp, 3);
    town.grant(udp, &register, 3600);
    assert_eq!(
        (town.line("work").standing.state, &*town.line("work").standing.cause),
        ("online", "")
    );
    town.assert_silent(tls);
}

#[test]
fn a_shelter_that_leads_nowhere_is_left_for_the_next_and_at_last_for_what_there_was() {
    let (mut town, doors) = behind_a_router(&[Transport::Udp, Transport::Tcp, Transport::Tls]);
    let [udp, tcp, tls] = doors[..] else { panic!("three doors") };
    town.device(tls).is_dead = true;
    town.let_in(udp);
    let register = town.next_register(tcp, 60);
    town.grant(tcp, &register, 3600);
    assert!(town.line("work").standing.cause.starts_with("by TCP, "));
    // TCP dies as well: what is rewritten is better than nothing. After so long it is worth a try
    // whether the shelters stand again.
    town.device(tcp).is_dead = true;
    let register = town.next_register(udp, 3700);
    town.grant(udp, &register, 3600);
    assert_eq!(town.line("work").standing.state, "registering");
    let register = town.next_register(udp, 120);
    town.grant(udp, &register, 3600);
    let standing = &town.line("work").standing;
    assert_eq!(standing.state, "online");
    assert!(standing.next_step.contains("SIP ALG off"), "{standing:?}");
    // And there it stays, for as long as it stands.
    town.pass_seconds(1500);
    assert!(!town.has(udp, "REGISTER"));
}

#[test]
fn a_provider_by_udp_alone_stays_and_the_user_hears_what_to_do() {
    let (mut town, doors) = behind_a_router(&[Transport::Udp]);
    town.let_in(doors[0]);
    town.assert_silent(doors[0]);
    assert_eq!(told(&town), [format!("{ALG}: switch SIP ALG off in the router")]);
    assert!(town.line("work").standing.next_step.contains("SIP ALG off"));
}
