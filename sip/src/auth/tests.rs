// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use bytes::Bytes;
use md5::Md5;
use proptest::prelude::*;
use sha2::{Digest, Sha256, Sha512_256};

use super::{
    Algorithm, Authenticator, Credentials, Ha1, Ha1Pair, Hash, Patience, Refusal, Rules, Username,
    Verdict, expected_response,
};
use crate::wire::{Limits, Message, Request, name, parse_datagram};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
const NOW: u64 = 1_790_000_000;
const URI: &str = "sip:example.org";

fn rules() -> Rules {
    Rules { realm: "example.org".to_owned(), ..Rules::default() }
}

fn server() -> Authenticator {
    Authenticator::new(rules(), &[7; 32], 1)
}

/// Somebody keeps digests under every hash.
fn ha1(user: &str, password: &str, hash: Hash) -> Option<Ha1> {
    let pair = Ha1Pair::of(user, "example.org", password);
    pair.under(hash).or_else(|| Some(sha512_256(user, "example.org", password)))
}

fn sha512_256(user: &str, realm: &str, password: &str) -> Ha1 {
    Ha1::sha512_256(&Sha512_256::digest(format!("{user}:{realm}:{password}")).into())
}

fn lookup(username: Username<'_>, hash: Hash) -> Option<Ha1> {
    match (username.user, username.domain) {
        ("101", None) => ha1("101", "geheim", hash),
        ("102", Some("example.org")) => ha1("102@example.org", "secret", hash),
        _ => None,
    }
}

fn request(method: &str, uri: &str, authorization: &str) -> Request {
    request_of("", method, uri, authorization)
}

fn request_of(agent: &str, method: &str, uri: &str, authorization: &str) -> Request {
    let agent = if agent.is_empty() { String::new() } else { format!("User-Agent: {agent}\r\n") };
    let authorization = if authorization.is_empty() {
        String::new()
    } else {
        format!("Authorization: {authorization}\r\n")
    };
    let text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:101@example.org>;tag=a\r\nTo: <sip:101@example.org>\r\n\
         Call-ID: c\r\nCSeq: 1 {method}\r\n{agent}{authorization}Content-Length: 0\r\n\r\n"
    );
    match parse_datagram(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// The client's side, written once more from RFC 7616 §3.4.
#[derive(Clone)]
struct Client {
    user: &'static str,
    password: &'static str,
    algorithm: Algorithm,
    nonce: String,
    uri: &'static str,
    qop: bool,
}

fn hex(algorithm: Algorithm, text: &str) -> String {
    let bytes = match algorithm.hash() {
        Hash::Md5 => Md5::digest(text).to_vec(),
        Hash::Sha256 => Sha256::digest(text).to_vec(),
        Hash::Sha512T256 => Sha512_256::digest(text).to_vec(),
    };
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Client {
    fn of(server: &mut Authenticator, algorithm: Algorithm) -> Self {
        Self {
            user: "101",
            password: "geheim",
            algorithm,
            nonce: fresh_nonce(server, NOW, HOME),
            uri: URI,
            qop: true,
        }
    }

    fn credentials(&self, nc: u32) -> String {
        let Self { user, password, algorithm, nonce, uri, qop } = self;
        let algorithm = *algorithm;
        let name = algorithm.name();
        let cnonce = "0a4f113b";
        let mut ha1 = hex(algorithm, &format!("{user}:example.org:{password}"));
        if name.ends_with("-sess") {
            ha1 = hex(algorithm, &format!("{ha1}:{nonce}:{cnonce}"));
        }
        let ha2 = hex(algorithm, &format!("REGISTER:{uri}"));
        let front = format!(
            "Digest username=\"{user}\", realm=\"example.org\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={name}"
        );
        if *qop {
            let response = hex(algorithm, &format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"));
            format!("{front}, qop=auth, nc={nc:08x}, cnonce=\"{cnonce}\", response=\"{response}\"")
        } else {
            let response = hex(algorithm, &format!("{ha1}:{nonce}:{ha2}"));
            format!("{front}, response=\"{response}\"")
        }
    }

    fn try_at(&self, server: &mut Authenticator, now: u64, source: IpAddr, nc: u32) -> Verdict {
        let request = request("REGISTER", URI, &self.credentials(nc));
        server.check(now, &request, source, lookup)
    }
}

fn fresh_nonce(server: &mut Authenticator, now: u64, source: IpAddr) -> String {
    let asked = request("REGISTER", URI, "");
    let challenge = server.challenges(now, &asked, source, false).remove(0);
    let (_, rest) = challenge.split_once("nonce=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn accepted() -> Verdict {
    Verdict::Accepted { user: "101".to_owned() }
}

#[test]
fn the_examples_of_the_rfcs_come_out() {
    struct Case {
        algorithm: Algorithm,
        ha1: (&'static str, &'static str, &'static str),
        credentials: &'static str,
        method: &'static [u8],
        response: &'static str,
    }
    for case in [
        // RFC 7616 §3.9.1
        Case {
            algorithm: Algorithm::Md5,
            ha1: ("Mufasa", "http-auth@example.org", "Circle of Life"),
            credentials: r#"Digest username="Mufasa", realm="http-auth@example.org",
                uri="/dir/index.html", algorithm=MD5,
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
                cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="0""#,
            method: b"GET",
            response: "8ca523f5e9506fed4657c9700eebdbec",
        },
        Case {
            algorithm: Algorithm::Sha256,
            ha1: ("Mufasa", "http-auth@example.org", "Circle of Life"),
            credentials: r#"Digest username="Mufasa", realm="http-auth@example.org",
                uri="/dir/index.html", algorithm=SHA-256,
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
                cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="0""#,
            method: b"GET",
            response: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        },
        // The same, by openssl: the example of RFC 7616 §3.9.2 is wrong (erratum 4897).
        Case {
            algorithm: Algorithm::Sha512T256,
            ha1: ("Mufasa", "http-auth@example.org", "Circle of Life"),
            credentials: r#"Digest username="Mufasa", realm="http-auth@example.org",
                uri="/dir/index.html", algorithm=SHA-512-256,
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
                cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="0""#,
            method: b"GET",
            response: "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
        },
        // RFC 2617 §3.5
        Case {
            algorithm: Algorithm::Md5,
            ha1: ("Mufasa", "testrealm@host.com", "Circle Of Life"),
            credentials: r#"Digest username="Mufasa", realm="testrealm@host.com",
                nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth,
                nc=00000001, cnonce="0a4f113b", response="0",
                opaque="5ccc069c403ebaf9f0171e9517f40e41""#,
            method: b"GET",
            response: "6629fae49393a05397450978507c4ef1",
        },
        // The same without qop, as RFC 2069 §2.1.2 computes it.
        Case {
            algorithm: Algorithm::Md5,
            ha1: ("Mufasa", "testrealm@host.com", "Circle Of Life"),
            credentials: r#"Digest username="Mufasa", realm="testrealm@host.com",
                nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", response="0""#,
            method: b"GET",
            response: "670fd8c2df070c60b045671b8b24ff02",
        },
    ] {
        let (user, realm, password) = case.ha1;
        let ha1 = Ha1Pair::of(user, realm, password).under(case.algorithm.hash());
        let ha1 = ha1.unwrap_or_else(|| sha512_256(user, realm, password));
        let found = Credentials::parse(case.credentials.as_bytes()).unwrap().unwrap();
        let response = expected_response(case.algorithm, &ha1, &found, case.method);
        assert_eq!(response.to_hex().as_bytes(), case.response.as_bytes());
    }
}

#[test]
fn every_algorithm_is_accepted_once_per_count() {
    for algorithm in [
        Algorithm::Md5,
        Algorithm::Md5Session,
        Algorithm::Sha256,
        Algorithm::Sha256Session,
        Algorithm::Sha512T256,
        Algorithm::Sha512T256Session,
    ] {
        let algorithms = vec![algorithm];
        let mut server = Authenticator::new(Rules { algorithms, ..rules() }, &[7; 32], 1);
        let client = Client::of(&mut server, algorithm);
        for nc in [1, 2, 10, 0x100, u32::MAX] {
            assert_eq!(client.try_at(&mut server, NOW, HOME, nc), accepted(), "{algorithm:?} {nc}");
            assert_eq!(
                client.try_at(&mut server, NOW, HOME, nc),
                Verdict::Challenge { stale: true },
                "{algorithm:?} {nc} again"
            );
        }
    }
}

#[test]
fn what_was_not_offered_is_not_accepted() {
    let mut server =
        Authenticator::new(Rules { algorithms: vec![Algorithm::Sha256], ..rules() }, &[7; 32], 1);
    for algorithm in [Algorithm::Md5, Algorithm::Sha256Session] {
        let client = Client::of(&mut server, algorithm);
        assert_eq!(client.try_at(&mut server, NOW, HOME, 1), Verdict::Challenge { stale: false });
    }
}

#[test]
fn challenges_stand_in_the_order_of_the_rules_on_lines_of_their_own() {
    let mut server = server();
    let asked = request_of("Desk 1", "REGISTER", URI, "");
    let verdict = server.check(NOW, &asked, HOME, lookup);
    assert_eq!(verdict, Verdict::Challenge { stale: false });
    let response = server.answer(NOW, &asked, HOME, &verdict, "t");
    let Ok(Message::Response(response)) = parse_datagram(response.encode(), &Limits::default())
    else {
        panic!("a response");
    };
    assert_eq!(response.status(), 401);
    let challenges: Vec<String> = response
        .headers()
        .all(&name::WWW_AUTHENTICATE)
        .map(|value| String::from_utf8(value.into_owned()).unwrap())
        .collect();
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].contains("algorithm=SHA-256"), "{challenges:?}");
    assert!(challenges[0].contains("charset=UTF-8"), "{challenges:?}");
    assert!(challenges[1].contains("algorithm=MD5"), "{challenges:?}");
    for challenge in &challenges {
        assert!(challenge.starts_with("Digest realm=\"example.org\""), "{challenge}");
        assert!(challenge.contains("qop=\"auth\"") && challenge.contains("opaque=\""));
        assert!(!challenge.contains("stale"));
    }
    let stale = server.challenges(NOW, &asked, HOME, true);
    assert!(stale.iter().all(|challenge| challenge.contains("stale=true")));
}

#[test]
fn clients_that_know_only_md5_are_offered_nothing_else() {
    let mut server = server();
    for (agent, offered) in [
        ("Linphonec/5.1.65", 2),
        ("baresip v3.1.0 (x86_64/linux)", 2),
        ("bar", 2),
        ("baresip v1.0.0 (x86_64/linux)", 1),
        ("Twinkle/1.10.2", 1),
        ("sipsak 0.9.8.1", 1),
        ("", 1),
    ] {
        let asked = request_of(agent, "REGISTER", URI, "");
        let challenges = server.challenges(NOW, &asked, HOME, false);
        assert_eq!(challenges.len(), offered, "{agent}");
        assert!(challenges[offered - 1].contains("algorithm=MD5"), "{agent}");
    }
    let algorithms = vec![Algorithm::Sha256];
    let mut strict = Authenticator::new(Rules { algorithms, ..rules() }, &[7; 32], 1);
    let challenges = strict.challenges(NOW, &request("REGISTER", URI, ""), HOME, false);
    assert_eq!(challenges.len(), 1);
    assert!(challenges[0].contains("algorithm=SHA-256"), "the rules have the last word");
}

#[test]
fn a_nonce_is_good_for_its_time_its_source_and_its_run_only() {
    let mut server = server();
    let client = Client::of(&mut server, Algorithm::Sha256);
    let stale = Verdict::Challenge { stale: true };
    assert_eq!(client.try_at(&mut server, NOW, OTHER, 1), stale, "another source");
    assert_eq!(client.try_at(&mut server, NOW + 301, HOME, 1), stale, "too late");
    assert_eq!(client.try_at(&mut server, NOW - 301, HOME, 1), stale, "the clock was set back");
    let mut later = Authenticator::new(rules(), &[7; 32], 2);
    assert_eq!(client.try_at(&mut later, NOW, HOME, 1), stale, "another run");
    assert_eq!(client.try_at(&mut server, NOW + 300, HOME, 1), accepted());
    let mut forged = client.clone();
    forged.nonce = forged.nonce.replacen('0', "1", 1);
    assert_eq!(forged.try_at(&mut server, NOW, HOME, 2), stale, "a forged one");
    forged.nonce = "ä".to_owned();
    assert_eq!(forged.try_at(&mut server, NOW, HOME, 2), stale, "no nonce of ours at all");
}

#[test]
fn other_rules_let_no_replay_in() {
    let mut server = server();
    let client = Client::of(&mut server, Algorithm::Md5);
    assert_eq!(client.try_at(&mut server, NOW, HOME, 1), accepted());
    let realm = "elsewhere".to_owned();
    server.set_rules(Rules { nonce_seconds: 10, nonces_remembered: 1, realm, ..rules() });
    assert_eq!(server.realm(), "example.org", "stored digests are bound to it");
    let later = Client { nonce: fresh_nonce(&mut server, NOW + 20, HOME), ..client.clone() };
    assert_eq!(later.try_at(&mut server, NOW + 20, HOME, 1), accepted());
    server.set_rules(rules());
    for (client, what) in [(&client, "forgotten meanwhile"), (&later, "known")] {
        let verdict = client.try_at(&mut server, NOW + 20, HOME, 1);
        assert_eq!(verdict, Verdict::Challenge { stale: true }, "{what}");
    }
    let algorithms = vec![Algorithm::Sha256];
    server.set_rules(Rules { algorithms, ..rules() });
    let verdict = later.try_at(&mut server, NOW + 20, HOME, 2);
    assert_eq!(verdict, Verdict::Challenge { stale: false }, "no longer offered");
}

#[test]
fn two_phones_behind_one_address_do_not_share_a_nonce() {
    let mut server = server();
    let one = Client::of(&mut server, Algorithm::Md5);
    let two = Client::of(&mut server, Algorithm::Md5);
    assert_eq!(one.try_at(&mut server, NOW, HOME, 1), accepted());
    assert_eq!(two.try_at(&mut server, NOW, HOME, 1), accepted());
}

#[test]
fn the_next_nonce_spares_a_challenge() {
    let mut server = server();
    let info = server.authentication_info(NOW, HOME);
    let nonce = info.strip_prefix("nextnonce=\"").and_then(|rest| rest.strip_suffix('"')).unwrap();
    let client = Client { nonce: nonce.to_owned(), ..Client::of(&mut server, Algorithm::Md5) };
    assert_eq!(client.try_at(&mut server, NOW + 200, HOME, 1), accepted());
}

#[test]
fn a_name_with_domain_is_looked_up_as_such() {
    let mut server = server();
    let client = Client {
        user: "102@example.org",
        password: "secret",
        ..Client::of(&mut server, Algorithm::Sha256)
    };
    assert_eq!(
        client.try_at(&mut server, NOW, HOME, 1),
        Verdict::Accepted { user: "102".to_owned() }
    );
}

#[test]
fn without_qop_a_nonce_serves_once_and_only_by_choice() {
    let mut server = server();
    let client = Client { qop: false, ..Client::of(&mut server, Algorithm::Md5) };
    assert_eq!(client.try_at(&mut server, NOW, HOME, 1), Verdict::Refused(Refusal::WithoutQop));
    let mut server = Authenticator::new(Rules { accept_without_qop: true, ..rules() }, &[7; 32], 1);
    let client = Client { qop: false, ..Client::of(&mut server, Algorithm::Md5) };
    assert_eq!(client.try_at(&mut server, NOW, HOME, 1), accepted());
    assert_eq!(client.try_at(&mut server, NOW, HOME, 1), Verdict::Challenge { stale: true });
    let with = Client { qop: true, ..client };
    assert_eq!(with.try_at(&mut server, NOW, HOME, 7), Verdict::Challenge { stale: true });
}

#[test]
fn credentials_for_another_number_or_method_are_worth_nothing() {
    let mut server = server();
    let template = Client::of(&mut server, Algorithm::Md5);
    for (signed, requested, is_taken) in [
        ("sip:example.org", "sip:example.org", true),
        ("sip:EXAMPLE.org", "sip:example.org", true),
        ("sip:101@example.org", "sip:%3101@example.org", true),
        ("sip:101@example.org", "sip:premium@example.org", false),
        ("sip:101@example.org", "sip:101@example.com", false),
        ("sip:101@example.org", "sips:101@example.org", false),
        // Clients that sign the server alone.
        ("sip:example.org", "sip:101@example.org", true),
        ("sip:example.org:5060", "sip:101@example.org", false),
        ("sip:example.com", "sip:101@example.org", false),
        ("sip:example.org", "sips:101@example.org", false),
        ("tel:+4930", "sip:101@example.org", false),
    ] {
        let nonce = fresh_nonce(&mut server, NOW, HOME);
        let client = Client { uri: signed, nonce, ..template.clone() };
        let asked = request("REGISTER", requested, &client.credentials(1));
        let verdict = server.check(NOW, &asked, HOME, lookup);
        if is_taken {
            assert_eq!(verdict, accepted(), "{signed} for {requested}");
        } else {
            assert!(matches!(verdict, Verdict::Malformed(_)), "{signed} for {requested}");
        }
    }
    let other = request("INVITE", URI, &template.credentials(1));
    assert_eq!(server.check(NOW, &other, HOME, lookup), Verdict::Challenge { stale: false });
}

#[test]
fn known_and_unknown_users_are_answered_alike() {
    let mut server = server();
    let wrong = Client { password: "wrong", ..Client::of(&mut server, Algorithm::Md5) };
    let nobody = Client { user: "999", ..wrong.clone() };
    for nc in 1..=12 {
        let one = wrong.try_at(&mut server, NOW, HOME, nc);
        assert_eq!(one, nobody.try_at(&mut server, NOW, HOME, nc), "attempt {nc}");
        assert_ne!(one, accepted());
    }
}

#[test]
fn guessing_is_held_off_and_forgiven_and_hurts_nobody_else() {
    let mut server = server();
    let wrong = Client { password: "wrong", ..Client::of(&mut server, Algorithm::Md5) };
    let right = Client::of(&mut server, Algorithm::Md5);
    for nc in 1..=6 {
        let verdict = wrong.try_at(&mut server, NOW, HOME, nc);
        assert_eq!(verdict, Verdict::Challenge { stale: false }, "attempt {nc}");
    }
    let held =
        |seconds| Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds: seconds });
    assert_eq!(wrong.try_at(&mut server, NOW, HOME, 7), held(2));
    assert_eq!(right.try_at(&mut server, NOW + 1, HOME, 1), held(1), "right, but not now");

    let elsewhere = Client { nonce: fresh_nonce(&mut server, NOW, OTHER), ..right.clone() };
    assert_eq!(elsewhere.try_at(&mut server, NOW, OTHER, 1), accepted(), "another source");
    let neighbour = Client {
        user: "102@example.org",
        password: "secret",
        ..Client::of(&mut server, Algorithm::Md5)
    };
    assert_eq!(
        neighbour.try_at(&mut server, NOW, HOME, 1),
        Verdict::Accepted { user: "102".to_owned() },
        "another user of the same source"
    );

    assert_eq!(wrong.try_at(&mut server, NOW + 2, HOME, 8), Verdict::Challenge { stale: false });
    assert_eq!(wrong.try_at(&mut server, NOW + 2, HOME, 9), held(4), "twice as long");
    assert_eq!(right.try_at(&mut server, NOW + 6, HOME, 1), accepted());
    assert_eq!(
        wrong.try_at(&mut server, NOW + 6, HOME, 10),
        Verdict::Challenge { stale: false },
        "the right password clears the past"
    );
}

#[test]
fn forged_nonces_count_against_nobody() {
    let mut server = server();
    let mut forged = Client { password: "wrong", ..Client::of(&mut server, Algorithm::Md5) };
    forged.nonce = "0".repeat(forged.nonce.len());
    for nc in 1..100 {
        assert_eq!(forged.try_at(&mut server, NOW, HOME, nc), Verdict::Challenge { stale: true });
    }
    let right = Client::of(&mut server, Algorithm::Md5);
    assert_eq!(right.try_at(&mut server, NOW, HOME, 1), accepted());
}

#[test]
fn a_source_that_sprays_over_names_is_held_off_except_on_loopback() {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for (source, is_held) in [(HOME, true), (local, false)] {
        let mut server = server();
        let nonce = fresh_nonce(&mut server, NOW, source);
        // Seven failures for each of six names, and one for each of fifteen: no name has too many.
        let patience = Patience { free: 7, ..Patience::default() };
        server.backoff = super::Backoff::new(patience);
        for count in 0..57_u32 {
            let user: &'static str = if count < 42 {
                NAMES[count as usize % 6]
            } else {
                ["g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u"]
                    [count as usize - 42]
            };
            let client =
                Client { user, nonce: nonce.clone(), ..Client::of(&mut server, Algorithm::Md5) };
            let verdict = client.try_at(&mut server, NOW, source, count + 1);
            assert_eq!(verdict, Verdict::Challenge { stale: false }, "attempt {count}");
        }
        let right = Client { nonce, ..Client::of(&mut server, Algorithm::Md5) };
        let verdict = right.try_at(&mut server, NOW, source, 1);
        assert_eq!(matches!(verdict, Verdict::Refused(_)), is_held, "{source}: {verdict:?}");
        assert_eq!(verdict == accepted(), !is_held);
    }
}

#[test]
fn the_memory_for_guilt_is_bounded() {
    let patience = Patience { remembered: 64, ..Patience::default() };
    let mut backoff = super::Backoff::new(patience);
    let culprit = IpAddr::V6("2001:db8::1".parse().unwrap());
    for _ in 0..20 {
        backoff.failed(NOW, culprit, 5);
    }
    for net in 0..10_000_u32 {
        backoff.failed(NOW, IpAddr::V4(Ipv4Addr::from_bits(net)), 1);
    }
    assert!(backoff.remembered() <= 64);
    let neighbour = IpAddr::V6("2001:db8::2".parse().unwrap());
    assert!(
        backoff.wait(NOW, neighbour, 5).is_some(),
        "the guiltiest is not forgotten, nor its net"
    );
}

#[test]
fn malformed_credentials_are_told_so() {
    let mut server = server();
    let good = Client::of(&mut server, Algorithm::Md5).credentials(1);
    for bad in [
        good.replace("nc=00000001", "nc=1"),
        good.replace("nc=00000001", "nc=00000000"),
        good.replace("nc=00000001", "nc=0000000g"),
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("cnonce=\"0a4f113b\", ", ""),
        good.replace("username=\"101\", ", ""),
        good.replace("response=\"", "response=\"00"),
        good.replace("response=\"", "response=\"zz"),
        good.replace("nc=", "nc=00000001, nc="),
        good.replace("uri=\"sip:example.org\"", "uri=\"\""),
        good.replace("algorithm=MD5", "algorithm"),
        good.replace("algorithm=MD5", "algorithm=\"MD5"),
        "Digest".to_owned(),
    ] {
        let verdict = server.check(NOW, &request("REGISTER", URI, &bad), HOME, lookup);
        assert!(matches!(verdict, Verdict::Malformed(_)), "{bad}: {verdict:?}");
    }
    for not_ours in [
        good.replace("realm=\"example.org\"", "realm=\"elsewhere\""),
        "Basic dXNlcjpwYXNz".to_owned(),
    ] {
        let verdict = server.check(NOW, &request("REGISTER", URI, &not_ours), HOME, lookup);
        assert_eq!(verdict, Verdict::Challenge { stale: false }, "{not_ours}");
    }
    let spaced = good.replace(", ", " ,\t").replace("nc=", "NC = ");
    assert_eq!(
        server.check(NOW, &request("REGISTER", URI, &spaced), HOME, lookup),
        accepted(),
        "{spaced}"
    );
}

#[test]
fn secrets_are_not_printed() {
    let pair = Ha1Pair::of("101", "example.org", "geheim");
    let text = format!("{pair:?} {:?} {:?}", pair.under(Hash::Md5), server());
    for byte in pair.md5.iter().chain(&[7]) {
        assert!(!text.contains(&format!("{byte}, ")), "{text}");
    }
    assert!(text.contains("Ha1Pair(…)"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is tried in whatever order, with a table far too small and a clock that jumps, no
    /// count of a nonce is accepted twice.
    #[test]
    fn no_replay_is_ever_accepted(
        most in 1..6_usize,
        steps in prop::collection::vec((0..12_usize, 1..90_u32, 0..200_u64, any::<bool>()), 1..200),
    ) {
        let rules = Rules { nonces_remembered: most, nonce_seconds: 100, ..rules() };
        let mut server = Authenticator::new(rules, &[9; 32], 3);
        let template = Client::of(&mut server, Algorithm::Md5);
        let mut nonces: HashMap<usize, String> = HashMap::new();
        let mut seen = HashSet::new();
        for (which, nc, time, renew) in steps {
            let now = NOW + time;
            if renew {
                nonces.remove(&which);
            }
            let nonce = nonces
                .entry(which)
                .or_insert_with(|| fresh_nonce(&mut server, now, HOME))
                .clone();
            let client = Client { nonce: nonce.clone(), ..template.clone() };
            match client.try_at(&mut server, now, HOME, nc) {
                Verdict::Accepted { .. } => prop_assert!(seen.insert((nonce, nc)), "a replay"),
                verdict => prop_assert_eq!(verdict, Verdict::Challenge { stale: true }),
            }
        }
    }

    #[test]
    fn a_client_that_counts_up_is_always_accepted(steps in prop::collection::vec(1..5000_u32, 1..50)) {
        let mut server = server();
        let client = Client::of(&mut server, Algorithm::Md5);
        let mut nc = 0;
        for step in steps {
            nc += step;
            prop_assert_eq!(client.try_at(&mut server, NOW, HOME, nc), accepted());
        }
    }

    #[test]
    fn no_credentials_make_it_panic(value in "[ -~]{0,200}") {
        let mut server = server();
        let _ = Credentials::parse(value.as_bytes());
        let _ = server.check(NOW, &request("REGISTER", URI, &format!("Digest {value}")), HOME, lookup);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Credentials::parse(&value);
        let _ = Credentials::parse(&[b"Digest ", &value[..]].concat());
    }
}
