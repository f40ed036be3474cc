// SPDX-License-Identifier: GPL-3.0-or-later
//! What registrars grant, and how long it holds.

use std::time::Duration;

use super::fixture::*;
use crate::{
    client_registration::{Account, KeepAlive, Notice, Ping, State},
    flow::Flow,
    wire::{Method, Uri, name},
};

/// How long after an answer the refresh comes.
fn refresh_after(status: &str, fields: &str) -> u64 {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.answer(status, fields);
    assert_eq!(world.state(), State::Online, "{fields}");
    world.until_sent(Duration::from_secs(200_000)).as_secs()
}

#[test]
fn our_own_contact_among_many_says_how_long_it_holds() {
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"";
    let other = "Contact: <sip:alice@10.0.0.9>;expires=20, \"x\" <sip:token-7@h>;expires=30;\
        +sip.instance=\"<urn:uuid:9>\";reg-id=1\r\n";
    for (fields, expires) in [
        ("Contact: <sip:token-7@192.0.2.1>;expires=1000\r\n".to_owned(), 1000),
        (format!("{other}Contact: <sip:token-7@192.0.2.1:5060>;expires=1000\r\n"), 1000),
        (format!("{other}Contact: <sip:z@h>;{instance};reg-id=1;expires=1000\r\n"), 1000),
        (
            format!(
                "{other}Contact: <sip:z@h>;{instance};reg-id=2;expires=40\r\nExpires: 1000\r\n"
            ),
            30,
        ),
        ("Contact: <sip:token-7@203.0.113.5:1024>;expires=1000\r\n".to_owned(), 1000),
        ("Contact: <sip:token-7@192.0.2.1>\r\nExpires: 1000\r\n".to_owned(), 1000),
        ("Contact: <sip:token-7@192.0.2.1>;expires=soon\r\nExpires: 1000\r\n".to_owned(), 1000),
        ("Contact: <sip:token-7@192.0.2.1>\r\n".to_owned(), 600),
        ("Contact: <<>>\r\nContact: <sip:token-7@192.0.2.1>;expires=1000\r\n".to_owned(), 1000),
        (String::new(), 600),
    ] {
        let after = refresh_after("200 OK", &fields);
        let latest = (expires * 85 / 100).max(15);
        assert!((expires / 2..=latest).contains(&after), "{after} of {expires}: {fields}");
    }
}

#[test]
fn no_registrar_makes_us_come_back_all_the_time_or_never() {
    for expires in [1, 5, 20] {
        let fields = format!("Contact: <sip:token-7@192.0.2.1>;expires={expires}\r\n");
        assert!(refresh_after("200 OK", &fields) >= expires.min(15), "{expires}");
    }
    let fields = "Contact: <sip:token-7@192.0.2.1>;expires=4294967295\r\n";
    assert!(refresh_after("200 OK", fields) <= 86_400);
    // A binding that is over is no binding, refresh or not.
    let mut world = World::online(account(), &[way(1)], 5, "");
    world.run(Duration::from_secs(6));
    assert_eq!(world.state(), State::Registering);
}

#[test]
fn the_extras_of_an_answer_are_kept_and_bounded() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    let supported = world.request().request.headers().tokens(&name::SUPPORTED);
    assert_eq!(supported, ["path", "gruu", "outbound"]);
    world.answer(
        "200 OK",
        "Contact: <sip:token-7@192.0.2.1>;expires=600;\
         pub-gruu=\"sip:alice@example.net;gr=urn:uuid:1\";temp-gruu=\"sip:tgruu.7@example.net;gr\"\r\n\
         Service-Route: <sip:a.example.net;lr>, <sip:b.example.net;lr>\r\n\
         Service-Route: <sip:c.example.net;lr>\r\n\
         P-Associated-URI: <sip:+49301@example.net>, <tel:+49301>\r\n",
    );
    let registration = &world.registration;
    let gruu = |uri: Option<&Uri>| uri.map(ToString::to_string).unwrap();
    assert_eq!(gruu(registration.public_gruu()), "sip:alice@example.net;gr=urn:uuid:1");
    assert_eq!(gruu(registration.temporary_gruu()), "sip:tgruu.7@example.net;gr");
    assert_eq!(
        registration.service_route(),
        [&b"<sip:a.example.net;lr>"[..], b"<sip:b.example.net;lr>", b"<sip:c.example.net;lr>"]
    );
    let associated: Vec<_> = registration.associated().iter().map(ToString::to_string).collect();
    assert_eq!(associated, ["sip:+49301@example.net", "tel:+49301"]);
    for route in
        ["<sip:x;lr>,".repeat(40), format!("<sip:{}>", "x".repeat(5000)), "<http://x>".into()]
    {
        let fields =
            format!("Service-Route: <sip:good;lr>\r\nService-Route: {route}\r\nExpires: 600\r\n");
        let mut world = World::new(account());
        world.register(&[way(1)]);
        world.answer("200 OK", &fields);
        assert_eq!(world.state(), State::Online);
        assert!(world.registration.service_route().is_empty(), "half a route leads nowhere");
    }
}

#[test]
fn a_rewritten_contact_is_told_once() {
    let mut world = World::new(account());
    world.register(&[way(1)]);
    let echo = "Contact: <sip:token-7@203.0.113.5:1024>;expires=600\r\n";
    world.answer("200 OK", echo);
    let uri = |text: &'static str| Uri::parse(text).unwrap();
    let told = Notice::ContactChanged {
        flow: way(1),
        sent: uri("sip:token-7@192.0.2.1"),
        echoed: uri("sip:token-7@203.0.113.5:1024"),
    };
    assert_eq!(world.notices, [told]);
    world.until_sent(Duration::from_secs(600));
    world.answer("200 OK", echo);
    assert_eq!(world.notices.len(), 1);
    assert!(!world.pings.is_empty(), "whoever rewrites translates addresses too");
}

const SEEN: &str = ";received=203.0.113.9;rport=1024";

fn maps_contact() -> Account {
    Account { maps_contact: true, ..account() }
}

#[test]
fn a_registrar_that_believes_contacts_is_told_how_it_sees_us() {
    let mut world = World::new(maps_contact());
    world.register(&[way(1)]);
    assert_eq!(world.request().contact().uri().to_string(), "sip:token-7@192.0.2.1");
    world.answer_seen(SEEN, "200 OK", "Expires: 600\r\n");
    assert_eq!(world.state(), State::Online);
    // At once, and the other is taken back.
    let request = world.request().request;
    let contacts: Vec<String> = request
        .headers()
        .all(&name::CONTACT)
        .map(|v| String::from_utf8(v.to_vec()).unwrap())
        .collect();
    assert!(contacts[0].starts_with("<sip:token-7@203.0.113.9:1024>;expires=600"), "{contacts:?}");
    assert_eq!(contacts[1], "<sip:token-7@192.0.2.1>;expires=0");
    world.answer_seen(SEEN, "200 OK", "Expires: 600\r\n");
    let seen = "203.0.113.9:1024".parse().ok();
    assert_eq!(world.registration.mapped_contact(), seen);
    assert!(world.sent.is_empty());
    // A translator that shows us otherwise each time is not followed for ever.
    world.until_sent(Duration::from_secs(600));
    let mut count = 0;
    while !world.sent.is_empty() {
        count += 1;
        assert!(count < 9, "it goes on for ever");
        let seen = format!(";received=203.0.113.9;rport={}", 2000 + count);
        world.answer_seen(&seen, "200 OK", "Expires: 600\r\n");
    }
    assert_eq!(world.state(), State::Online);
}

#[test]
fn a_registrar_that_takes_flows_is_told_our_own_address() {
    let outbound = "Require: outbound\r\nExpires: 600\r\n";
    let mut world = World::new(maps_contact());
    world.register(&[way(1)]);
    world.answer_seen(SEEN, "200 OK", outbound);
    assert!(world.sent.is_empty());
    assert_eq!(world.registration.mapped_contact(), None);
    world.until_sent(Duration::from_secs(600));
    assert_eq!(world.request().contact().uri().to_string(), "sip:token-7@192.0.2.1");
    // And so is every other, unless its file says otherwise.
    let mut world = World::new(account());
    world.register(&[way(1)]);
    world.answer_seen(SEEN, "200 OK", "Expires: 600\r\n");
    assert!(world.sent.is_empty());
    assert_eq!(world.registration.mapped_contact(), None);
}

#[test]
fn a_second_flow_is_made_where_the_registrar_takes_several() {
    let outbound = "Require: outbound\r\nSupported: outbound\r\nFlow-Timer: 100\r\n";
    let mut world = World::new(account());
    world.register(&[way(1), way(2), way(3)]);
    assert_eq!(world.request().contact().param("reg-id").unwrap(), b"1");
    world.accept(3600, outbound);
    let second = world.request();
    assert_eq!((second.flow, second.contact().param("reg-id").unwrap()), (way(2), &b"2"[..]));
    world.accept(3600, outbound);
    assert_eq!(world.registration.flows().collect::<Vec<Flow>>(), [way(1), way(2)]);
    assert_eq!(world.states, [State::Registering, State::Online]);
    world.run(Duration::from_secs(400));
    for (number, least) in [(1, 4), (2, 4)] {
        let pings = world.pings.iter().filter(|ping| ping.flow == way(number)).count();
        assert!((least..=5).contains(&pings), "{pings} on flow {number}");
    }
    // One of them breaks: the account stays, and that flow comes back at once.
    world.registration.flow_failed(world.now, &way(1));
    world.drain();
    assert_eq!(world.state(), State::Online);
    assert_eq!(world.registration.flows().collect::<Vec<Flow>>(), [way(2)]);
    assert_eq!(world.request().flow, way(1));
    world.run(Duration::from_secs(4));
    world.sent.remove(0);
    assert_eq!(world.request().flow, way(3), "a third way takes its place, not the second flow's");
    world.accept(3600, outbound);
    assert_eq!(world.registration.flows().collect::<Vec<Flow>>(), [way(3), way(2)]);
    world.registration.unregister(world.now);
    world.drain();
    assert_eq!(world.sent.len(), 2);
    assert!(!world.registration.is_settled());
    world.answer("401 Unauthorized", CHALLENGE);
    world.answer("200 OK", "");
    world.answer("200 OK", "");
    assert!(world.registration.is_settled());
    world.assert_silent();
}

#[test]
fn a_registrar_without_flows_gets_one_and_a_provider_that_refuses_them_none() {
    let mut world = World::online(account(), &[way(1), way(2)], 3600, "");
    assert!(world.sent.is_empty());
    for status in ["439 First Hop Lacks Outbound Support", "420 Bad Extension"] {
        world = World::new(account());
        world.register(&[way(1)]);
        world.answer(status, "Unsupported: outbound\r\n");
        let plain = world.request();
        assert_eq!(plain.contact().params().count(), 1, "expires alone");
        assert_eq!(plain.request.headers().tokens(&name::SUPPORTED), ["path"]);
        world.accept(3600, "");
        world.until_sent(Duration::from_secs(3600));
        assert_eq!(world.request().contact().params().count(), 1, "it is remembered");
        world.answer(status, "");
        assert!(matches!(world.state(), State::Online), "the binding still holds");
        assert!(world.sent.is_empty());
    }
}

#[test]
fn a_second_flow_that_is_refused_does_not_cost_the_first() {
    let mut world = World::new(account());
    world.register(&[way(1), way(2)]);
    world.accept(600, "Require: outbound\r\n");
    world.answer("403 Forbidden", "");
    assert_eq!(world.state(), State::Online);
    world.until_sent(Duration::from_secs(600));
    world.accept(600, "Require: outbound\r\n");
    assert!(world.sent.is_empty(), "it is not asked for again");
}

#[test]
fn a_flow_that_failed_at_the_edge_is_left_for_the_next_way() {
    let mut world = World::online(account(), &[way(1), way(2)], 600, "");
    world.until_sent(Duration::from_secs(600));
    world.answer("430 Flow Failed", "");
    assert_eq!(world.request().flow, way(2));
}

#[test]
fn keep_alives_are_as_told() {
    let with = |ping, seconds| Account {
        keep_alive: KeepAlive { ping, interval: Some(Duration::from_secs(seconds)) },
        ..account()
    };
    let mut world = World::online(with(Ping::Crlf, 20), &[way(1)], 3600, "");
    world.run(Duration::from_secs(200));
    assert!((10..=12).contains(&world.pings.len()), "{}", world.pings.len());
    assert!(world.pings.iter().all(|ping| ping.flow == way(1) && &ping.bytes[..] == b"\r\n\r\n"));

    let mut world = World::online(with(Ping::Nothing, 20), &[way(1)], 3600, "");
    world.run(Duration::from_secs(200));
    assert!(world.pings.is_empty() && world.sent.is_empty());

    let mut world = World::online(with(Ping::Register, 60), &[way(1)], 3600, "");
    assert!((48..=60).contains(&world.until_sent(Duration::from_secs(100)).as_secs()));
    assert_eq!(*world.request().request.method(), Method::Register);

    let mut world = World::online(with(Ping::Options, 20), &[way(1)], 3600, "");
    let before = world.request_count();
    world.until_sent(Duration::from_secs(21));
    let options = world.request();
    assert_eq!(*options.request.method(), Method::Options);
    world.answer_seen(";received=203.0.113.9;rport=1", "404 Whatever", "");
    assert!(world.sent.is_empty(), "any answer will do, and the first address is no news");
    world.until_sent(Duration::from_secs(21));
    world.answer_seen(";received=203.0.113.9;rport=2", "200 OK", "");
    assert_eq!(*world.request().request.method(), Method::Register, "we are elsewhere now");
    world.accept(3600, "");
    assert!(world.request_count() > before);
    // One without any answer: the flow is broken.
    world.until_sent(Duration::from_secs(21));
    world.sent.remove(0);
    world.run(Duration::from_secs(10));
    assert_eq!(*world.request().request.method(), Method::Register);
    assert_eq!(world.state(), State::Registering);
}

#[test]
fn a_new_network_takes_the_old_contact_off() {
    let elsewhere = Flow { local: "192.0.2.77:5060".parse().unwrap(), ..way(1) };
    let mut world = World::online(account(), &[way(1)], 600, "");
    world.register(&[elsewhere]);
    let request = world.request().request;
    let contacts: Vec<_> = request
        .headers()
        .all(&name::CONTACT)
        .map(|value| String::from_utf8(value.into_owned()).unwrap())
        .collect();
    assert!(contacts[0].starts_with("<sip:token-7@192.0.2.77>;expires=600;"), "{contacts:?}");
    assert_eq!(contacts[1..], ["<sip:token-7@192.0.2.1>;expires=0".to_owned()]);
    world.accept(600, "");
    world.until_sent(Duration::from_secs(600));
    assert_eq!(world.request().request.headers().count(&name::CONTACT), 1);
    // Also if there was no network at all in between.
    world.accept(600, "");
    world.register(&[]);
    assert!(matches!(world.state(), State::Unreachable { again: None, .. }));
    assert_eq!(world.registration.next_deadline(), None);
    world.register(&[way(1)]);
    assert_eq!(world.request().request.headers().count(&name::CONTACT), 2);
    // A registrar that knows flows does it by itself.
    let mut world = World::online(account(), &[way(1)], 600, "Require: outbound\r\n");
    world.register(&[elsewhere]);
    assert_eq!(world.request().request.headers().count(&name::CONTACT), 1);
}

#[test]
fn a_thousand_accounts_do_not_come_back_together() {
    let mut buckets = [0; 40];
    for seed in 0..1000_u32 {
        let mut world = World::of_seed(seed);
        world.register(&[way(1)]);
        world.accept(600, "");
        let after = world.until_sent(Duration::from_secs(600)).as_secs();
        buckets[usize::try_from((after - 300) / 10).unwrap()] += 1;
    }
    // Between half and 85 % of the time there are 21 stretches of ten seconds.
    assert!(buckets.iter().all(|count| *count <= 100), "{buckets:?}");
    assert!(buckets.iter().filter(|count| **count > 10).count() >= 20, "{buckets:?}");
}
