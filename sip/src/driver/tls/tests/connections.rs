// SPDX-License-Identifier: GPL-3.0-or-later

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;

use super::{
    super::{Credentials, TlsSettings},
    Authority,
    authority::Issued,
    names,
};
use crate::{
    driver::{
        Driver, DriverSettings, Incoming, Listen,
        tests::{LIMIT, message, request},
    },
    flow::{Flow, Transmit, Transport},
    peer::PeerIdentity,
    resolver::Place,
};

/// A driver, and what came in to it that nobody took yet.
pub(super) struct Side {
    pub(super) driver: Driver,
    came: Vec<Incoming>,
}

impl Side {
    pub(super) const fn new(driver: Driver) -> Self {
        Self { driver, came: Vec::new() }
    }

    /// The next thing that comes in, while the other side does its work too.
    pub(super) async fn next(&mut self, other: &mut Self) -> Incoming {
        while self.came.is_empty() {
            tokio::select! {
                () = self.driver.recv(&mut self.came) => {}
                () = other.driver.recv(&mut other.came) => {}
                () = tokio::time::sleep(LIMIT) => panic!("something was to come in"),
            }
        }
        self.came.remove(0)
    }

    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.driver.send(Transmit { flow, bytes });
    }
}

/// A driver that believes the authority and listens for TLS as that.
pub(super) fn server(authority: &Authority, own: Credentials) -> (Side, SocketAddr) {
    server_with(authority, own, DriverSettings::default())
}

pub(super) fn server_with(
    authority: &Authority,
    own: Credentials,
    settings: DriverSettings,
) -> (Side, SocketAddr) {
    let mut driver = Driver::new(settings);
    driver.set_tls(TlsSettings {
        own: Some(own),
        authorities: vec![authority.file()],
        platform: false,
    });
    let listen = Listen {
        transports: vec![Transport::Tls],
        address: "127.0.0.1:0".parse().unwrap(),
        exact: true,
    };
    let bound = driver.bind(&listen).unwrap();
    assert_eq!(bound[0].0, Transport::Tls);
    (Side::new(driver), bound[0].1)
}

/// A driver that believes the authority and shows that, or nothing.
pub(super) fn client(authority: &Authority, own: Option<Credentials>) -> Side {
    let mut driver = Driver::new(DriverSettings::default());
    driver.set_tls(TlsSettings { own, authorities: vec![authority.file()], platform: false });
    Side::new(driver)
}

pub(super) fn way(side: &mut Side, there: SocketAddr, name: &str) -> Flow {
    let place = Place { transport: Transport::Tls, address: there, name: name.into() };
    side.driver.way_to(&place).unwrap()
}

pub(super) fn secured(incoming: Incoming) -> (Flow, PeerIdentity) {
    match incoming {
        Incoming::Secured { flow, identity } => (flow, identity),
        other => panic!("TLS was to be agreed: {other:?}"),
    }
}

pub(super) fn failed(incoming: Incoming) -> (Flow, String) {
    match incoming {
        Incoming::FlowFailed { flow, why } => (flow, why.to_string()),
        other => panic!("it was to fail: {other:?}"),
    }
}

fn proven(domain: &str, identity: &PeerIdentity) {
    assert!(identity.proves(domain), "{domain} is proven: {identity:?}");
}

#[tokio::test]
async fn two_domains_talk_and_know_each_other() {
    let authority = Authority::new();
    let here = authority.write("here", &authority.issue(&names(&["here.example"])));
    // Issued for servers alone, as public authorities do.
    let there = authority.write("there", &authority.issue_in_between(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    let mut one = client(&authority, Some(here));
    let out = way(&mut one, address, "there.example");
    one.send(out, request("1"));
    let (came, of_one) = secured(two.next(&mut one).await);
    let (out_too, of_two) = secured(one.next(&mut two).await);
    proven("here.example", &of_one);
    proven("there.example", &of_two);
    assert_eq!((out_too, came.local, came.transport), (out, address, Transport::Tls));
    let (first, body) = message(two.next(&mut one).await);
    assert_eq!((first, body.as_str()), (came, "1"));
    two.send(came, request("back"));
    let (back, body) = message(one.next(&mut two).await);
    assert_eq!((back, body.as_str()), (out, "back"));
    assert_eq!(way(&mut one, address, "there.example"), out, "it is used again");

    one.driver.close(out.connection.unwrap());
    assert_eq!(failed(one.next(&mut two).await).0, out);
    let (gone, why) = failed(two.next(&mut one).await);
    assert_eq!((gone, why.as_str()), (came, "closed by the far end"));
}

#[tokio::test]
async fn a_server_that_is_somebody_else_gets_nothing() {
    let authority = Authority::new();
    let mut past = names(&["there.example"]);
    past.not_after = rcgen::date_time_ymd(2024, 2, 29);
    for (shown, words) in [
        (authority.issue(&names(&["other.example"])), "is for other.example and not for there"),
        (authority.issue(&names(&["*.there.example"])), "is for *.there.example and not for"),
        (authority.issue(&past), "expired on 2024-02-29"),
        (Issued::self_signed(&names(&["there.example"])), "is self-signed"),
        (
            Authority::named("A Stranger").issue(&names(&["there.example"])),
            "an authority unknown here",
        ),
    ] {
        let (mut two, address) = server(&authority, authority.write("there", &shown));
        let mut one = client(&authority, None);
        let out = way(&mut one, address, "there.example");
        one.send(out, request("secret"));
        let (flow, why) = failed(one.next(&mut two).await);
        assert_eq!(flow, out, "the flow as it was asked for");
        assert!(why.contains("TLS with there.example: its certificate"), "{why}");
        assert!(why.contains(words), "{why}\nhas no: {words}");
        assert_eq!(one.driver.connection_count(), 0);
    }
}

#[tokio::test]
async fn a_client_need_not_say_who_it_is_and_may_say_so_without_proof() {
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    let fake = authority.write("fake", &Issued::self_signed(&names(&["bank.example"])));
    for own in [None, Some(fake)] {
        let mut one = client(&authority, own.clone());
        let out = way(&mut one, address, "there.example");
        one.send(out, request("x"));
        let incoming = two.next(&mut one).await;
        secured(one.next(&mut two).await);
        let (_, identity) = secured(incoming);
        assert!(!identity.proves("bank.example"));
        match (own, identity) {
            (None, PeerIdentity::Nobody) => {}
            (Some(_), PeerIdentity::Claimed { domains, why, .. }) => {
                assert_eq!(&*domains[0], "bank.example");
                assert!(why.contains("self-signed"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(message(two.next(&mut one).await).1, "x");
        one.driver.close(out.connection.unwrap());
        failed(two.next(&mut one).await);
    }
}

#[tokio::test]
async fn a_session_is_resumed_and_the_far_end_is_known_nevertheless() {
    let authority = Authority::new();
    let here = authority.write("here", &authority.issue(&names(&["here.example"])));
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    let mut one = client(&authority, Some(here));
    for round in 0..3 {
        let out = way(&mut one, address, "there.example");
        one.send(out, request("x"));
        let (incoming, other) = (two.next(&mut one).await, one.next(&mut two).await);
        let (came, identity) = secured(incoming);
        proven("here.example", &identity);
        proven("there.example", &secured(other).1);
        message(two.next(&mut one).await);
        // The tickets come with this at the latest.
        two.send(came, request("y"));
        message(one.next(&mut two).await);
        let resumed = one.driver.connections[&out.connection.unwrap()].is_resumed();
        assert_eq!(resumed, round > 0, "round {round}");
        one.driver.close(out.connection.unwrap());
        failed(one.next(&mut two).await);
        failed(two.next(&mut one).await);
    }
}

#[tokio::test]
async fn much_is_carried_both_ways_at_once() {
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let settings = DriverSettings { send_bytes: usize::MAX, ..DriverSettings::default() };
    let (mut two, address) = server_with(&authority, there, settings);
    let mut one = client(&authority, None);
    one.driver.settings = Arc::new(settings);
    let out = way(&mut one, address, "there.example");
    one.send(out, request("x"));
    let incoming = two.next(&mut one).await;
    secured(one.next(&mut two).await);
    let (came, _) = secured(incoming);
    message(two.next(&mut one).await);
    let big = request(&"y".repeat(60_000));
    for _ in 0..100 {
        one.send(out, big.clone());
        two.send(came, big.clone());
    }
    for _ in 0..100 {
        assert_eq!(message(one.next(&mut two).await).1.len(), 60_000);
        assert_eq!(message(two.next(&mut one).await).1.len(), 60_000);
    }
}

#[tokio::test]
async fn a_dialog_whose_connection_broke_is_found_again_by_what_it_showed() {
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    let mut one = client(&authority, None);
    let out = way(&mut one, address, "there.example");
    let unnamed = Flow { connection: None, ..out };
    one.send(unnamed, request("x"));
    let (flow, why) = failed(one.next(&mut two).await);
    assert_eq!(flow, unnamed);
    assert!(why.contains("nobody says whom"), "{why}");
    for _ in 0..2 {
        let known = one.driver.ways.last_place(address);
        let flow = if known.is_some() { unnamed } else { out };
        one.send(flow, request("x"));
        let (incoming, other) = (two.next(&mut one).await, one.next(&mut two).await);
        let (came, _) = secured(incoming);
        proven("there.example", &secured(other).1);
        message(two.next(&mut one).await);
        two.driver.close(came.connection.unwrap());
        failed(two.next(&mut one).await);
        failed(one.next(&mut two).await);
    }
}

#[tokio::test]
async fn a_phone_may_speak_tls_1_2() {
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    let mut one = client(&authority, None);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let phone = std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let name = "there.example".try_into().unwrap();
            let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
            let stream = std::net::TcpStream::connect(address).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            stream.write_all(&request("x")).unwrap();
            stream.write_all(b"\r\n\r\n").unwrap();
            let mut pong = [0; 2];
            stream.read_exact(&mut pong).unwrap();
            (stream.conn.protocol_version(), pong)
        });
        secured(two.next(&mut one).await);
        assert_eq!(message(two.next(&mut one).await).1, "x");
        failed(two.next(&mut one).await);
        let (spoken, pong) = phone.join().unwrap();
        assert_eq!((spoken, &pong), (Some(version.version), b"\r\n"), "a keep-alive is answered");
    }
}
