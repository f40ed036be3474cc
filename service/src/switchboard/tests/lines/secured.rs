// SPDX-License-Identifier: GPL-3.0-or-later
//! What was reached by TLS is reached by nothing less.

use std::net::SocketAddr;

use sipwitch_sip::{
    driver::{BadCertificate, Defect, FlowFault},
    flow::Transport,
};

use super::{
    super::town::{Phone, Town},
    provider::{account, of},
};

const NUMBER: &str = "+4930123456";

/// A provider whose names lead to TLS and to UDP behind it, and a phone of the house.
fn by_tls_and_udp() -> (Town, Phone, [Phone; 2]) {
    let mut town = Town::new();
    let phone = town.phone("101");
    let mut places = Vec::new();
    let doors = [(Transport::Tls, "127.0.0.3:5061"), (Transport::Udp, "127.0.0.3:5060")].map(
        |(transport, at)| {
            let at: SocketAddr = at.parse().unwrap();
            let door = town.stranger_at("provider.test", at);
            town.device(door).flow.transport = transport;
            places.push((transport, at));
            door
        },
    );
    town.names.insert("provider.test".into(), places);
    (town, phone, doors)
}

fn sign_up(town: &mut Town, are_own: bool) {
    let mut plan = account("work", "provider.test");
    of(&mut plan).server.transports = vec![Transport::Tls, Transport::Udp];
    of(&mut plan).server.transports_are_own = are_own;
    town.sign_up(plan);
}

#[test]
fn an_account_that_was_online_over_tls_is_tried_by_nothing_less_but_for_help() {
    let (mut town, phone, [tls, udp]) = by_tls_and_udp();
    sign_up(&mut town, false);
    town.let_in(tls);
    assert_eq!(town.line("work").standing.state, "online");
    town.device(tls).is_dead = true;
    town.pass_seconds(4000);
    town.assert_silent(udp);
    let view = town.line("work");
    assert_eq!(
        (view.standing.state, view.line.usable),
        ("unreachable", "emergency-only"),
        "{view:?}"
    );
    assert!(view.standing.next_step.contains("server.transports"), "{view:?}");
    // A call like others does not leave, one for help does.
    let call = town.dial(phone, NUMBER);
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_silent(udp);
    town.dial(phone, "112");
    let rung = town.rung(udp);
    assert!(rung.invite.uri().starts_with("sip:112@"), "{:?}", rung.invite);
    // TLS is back, and all is well again.
    town.device(tls).is_dead = false;
    let register = town.next_register(tls, 4000);
    town.grant(tls, &register, 3600);
    let view = town.line("work");
    assert_eq!((view.standing.state, view.line.usable), ("online", "yes"), "{view:?}");
}

#[test]
fn names_that_do_not_lead_to_tls_any_more_are_not_believed() {
    let (mut town, _, [tls, udp]) = by_tls_and_udp();
    sign_up(&mut town, false);
    town.let_in(tls);
    town.names.get_mut("provider.test").unwrap().remove(0);
    town.device(tls).is_dead = true;
    town.try_again("work");
    town.pass_seconds(4000);
    town.assert_silent(udp);
    assert_eq!(town.line("work").line.usable, "emergency-only");
}

#[test]
fn whoever_shows_a_bad_certificate_gets_nothing_in_clear_either() {
    let (mut town, phone, [tls, udp]) = by_tls_and_udp();
    town.device(tls).is_dead = true;
    sign_up(&mut town, false);
    let bad =
        BadCertificate { shown: Vec::new(), issuer: String::new(), defect: Defect::SelfSigned };
    let fault = FlowFault::Certificate { name: "provider.test".into(), bad: Box::new(bad) };
    let (now, flow) = (town.time(), town.device(tls).flow);
    town.board.flow_failed(now, &flow, &fault);
    town.collect();
    town.pass_seconds(4000);
    town.assert_silent(udp);
    let view = town.line("work");
    assert_eq!((view.standing.state, view.line.usable), ("unreachable", "emergency-only"));
    assert!(view.standing.cause.contains("not tried without TLS"), "{view:?}");
    town.dial(phone, "112");
    assert!(town.rung(udp).invite.uri().starts_with("sip:112@"));
    // It shows a good one.
    town.device(tls).is_dead = false;
    let register = town.next_register(tls, 4000);
    town.challenge(tls, &register);
}

#[test]
fn transports_that_the_user_names_are_all_used_and_so_is_what_never_had_tls() {
    let (mut town, _, [tls, udp]) = by_tls_and_udp();
    town.device(tls).is_dead = true;
    sign_up(&mut town, false);
    let register = town.next_register(udp, 60);
    town.challenge(udp, &register);
    town.sign_off("work");
    town.pass_seconds(60);

    let (mut town, _, [tls, udp]) = by_tls_and_udp();
    sign_up(&mut town, true);
    town.let_in(tls);
    town.device(tls).is_dead = true;
    town.next_register(udp, 4000);
}
