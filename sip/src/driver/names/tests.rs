// SPDX-License-Identifier: GPL-3.0-or-later

mod server;

use std::time::{Duration, Instant};

use server::Server;

use super::*;
use crate::wire::Uri;

fn wanted(uri: &str) -> Wanted {
    Wanted::of(&Uri::parse(uri.to_owned()).unwrap()).unwrap()
}

fn names(server: &Server) -> Names {
    Names::new(NamesSettings {
        servers: vec![server.at],
        hosts_file: "/dev/null".into(),
        answer: Duration::from_millis(300),
        ..NamesSettings::default()
    })
}

fn words(places: &[Place]) -> Vec<String> {
    places.iter().map(ToString::to_string).collect()
}

const ZONE: &str = "
    example.org NAPTR 10 50 s SIPS+D2T _sips._tcp.example.org
    example.org NAPTR 20 50 s SIP+D2U _sip._udp.example.org
    _sips._tcp.example.org SRV 0 1 5061 a.example.org
    _sip._udp.example.org SRV 0 1 5060 b.example.org
    a.example.org A 192.0.2.1
    a.example.org AAAA 2001:db8::1
    b.example.org CNAME c.example.org
    c.example.org A 192.0.2.2";

#[tokio::test]
async fn a_domain_is_found_and_no_name_is_completed() {
    let server = Server::start(ZONE).await;
    let places = names(&server).resolve(wanted("sip:example.org")).await.unwrap();
    let expected = ["tls:[2001:db8::1]:5061", "tls:192.0.2.1:5061", "udp:192.0.2.2:5060"];
    assert_eq!(words(&places), expected);
    assert!(places.iter().all(|place| place.name.as_ref() == "example.org"));
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.ends_with("example.org.")), "{asked:?}");
}

#[tokio::test]
async fn an_answer_is_remembered_until_the_network_changes() {
    let server = Server::start(ZONE).await;
    let mut names = names(&server);
    for _ in 0..3 {
        names.resolve(wanted("sip:a.example.org:5070")).await.unwrap();
    }
    assert_eq!(server.asked().len(), 2, "A and AAAA, once");
    names.refresh();
    names.resolve(wanted("sip:a.example.org:5070")).await.unwrap();
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_numeric_address_needs_nothing_built() {
    let mut names = Names::new(NamesSettings::default());
    let places = names.resolve(wanted("sip:192.0.2.1")).await.unwrap();
    assert_eq!(words(&places), ["udp:192.0.2.1:5060"]);
    assert!(names.built.is_none());
}

#[tokio::test]
async fn who_never_answers_delays_nobody_else() {
    let server = Server::start(&format!("{ZONE}\nsilent.example SILENT")).await;
    let mut names = names(&server);
    let begun = Instant::now();
    let silent: Vec<_> = (0..50)
        .map(|at| tokio::spawn(names.resolve(wanted(&format!("sip:{at}.silent.example:5060")))))
        .collect();
    names.resolve(wanted("sip:example.org")).await.unwrap();
    assert!(!silent.iter().any(|lookup| lookup.is_finished()), "it was not waited for");
    for lookup in silent {
        let error = lookup.await.unwrap().unwrap_err();
        assert!(error.is_passing(), "{error}");
        assert!(error.to_string().contains("no answer in time"), "{error}");
    }
    assert!(begun.elapsed() < DEADLINE, "the time for one answer counts, not the deadline");
}

#[tokio::test]
async fn who_is_one_too_many_waits_for_a_turn() {
    let server = Server::start(&format!("{ZONE}\nsilent.example SILENT")).await;
    let mut names = Names::new(NamesSettings { lookups: 1, ..(*names(&server).settings).clone() });
    let first = tokio::spawn(names.resolve(wanted("sip:silent.example:5060")));
    tokio::task::yield_now().await;
    let second = names.resolve(wanted("sip:a.example.org:5060")).await;
    assert!(first.is_finished());
    assert_eq!(second.unwrap().len(), 2);
}

#[tokio::test]
async fn an_error_says_what_was_asked_and_what_came() {
    let server = Server::start("example.org A 192.0.2.1\nbroken.example BROKEN").await;
    let mut names = names(&server);
    let error = names.resolve(wanted("sip:gone.example:5060")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "sip:gone.example:5060 leads nowhere: AAAA gone.example: no such name, \
         A gone.example: no such name"
    );
    assert!(!error.is_passing());
    let error = names.resolve(wanted("sip:broken.example:5060")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "sip:broken.example:5060 could not be looked up: \
         AAAA broken.example: the name server answers \"Server Failure\", \
         A broken.example: the name server answers \"Server Failure\""
    );
    assert!(error.is_passing());
}

#[tokio::test]
async fn without_a_name_server_there_is_an_error_at_once() {
    // A socket that is closed: the system refuses what is sent there.
    let at = Server::start("").await.at;
    let mut names = Names::new(NamesSettings {
        servers: vec![at],
        hosts_file: "/dev/null".into(),
        ..NamesSettings::default()
    });
    let error = names.resolve(wanted("sip:example.org:5060")).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
}

#[tokio::test]
async fn the_hosts_file_answers_for_our_own_and_not_for_strangers() {
    let server = Server::start(ZONE).await;
    let file = std::env::temp_dir().join(format!("sipwitch-hosts-{}", std::process::id()));
    std::fs::write(&file, "192.0.2.77 a.example.org\n").unwrap();
    let mut names = Names::new(NamesSettings {
        hosts_file: file.clone(),
        ..(*names(&server).settings).clone()
    });
    let ours = wanted("sip:a.example.org:5060");
    let theirs = Wanted { hosts_file: false, ..ours.clone() };
    let ours = names.resolve(ours).await.unwrap();
    let theirs = names.resolve(theirs).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(words(&ours), ["udp:192.0.2.77:5060"]);
    assert_eq!(words(&theirs), ["udp:[2001:db8::1]:5060", "udp:192.0.2.1:5060"]);
}

#[tokio::test]
async fn a_big_answer_comes_by_tcp() {
    let zone: String = (0..500)
        .map(|at| {
            format!(
                "_sip._udp.example.org SRV 1 1 5060 host-{at}.example.org\n\
                 host-{at}.example.org A 10.0.{}.{}\n",
                at / 256,
                at % 256
            )
        })
        .collect();
    let server = Server::start(&zone).await;
    let wanted = Wanted {
        families: crate::resolver::Families::Ipv4Only,
        ..wanted("sip:example.org;transport=udp")
    };
    let places = names(&server).resolve(wanted).await.unwrap();
    assert_eq!(places.len(), 12);
    assert_eq!(server.asked().len(), 14, "twice for the servers, once for each of twelve");
}

#[tokio::test]
async fn a_check_says_who_is_asked_and_what_they_can() {
    let server = Server::start("example.org A 192.0.2.1").await;
    let names = names(&server);
    let report = names.check(Some(wanted("sip:example.org:5070;transport=udp"))).await;
    assert_eq!(report.servers, Ok(vec![server.at.to_string()]));
    assert_eq!(report.signatures, Ok(false), "nothing is signed here");
    let places = report.places.unwrap().unwrap();
    assert_eq!(places[0].to_string(), "udp:192.0.2.1:5070");
    let report = names.check(Some(wanted("sip:nowhere.example"))).await;
    assert!(report.places.unwrap().unwrap_err().to_string().contains("nowhere.example"));
    assert!(names.check(None).await.places.is_none());
}

#[tokio::test]
async fn an_unsigned_number_is_not_believed() {
    let server = Server::start("1.9.4.e164.arpa NAPTR 1 1 u E2U+sip !^.*$!sip:a@b!").await;
    let mut names = names(&server);
    let error = names.addresses_of_number("+491", "e164.arpa").await.unwrap_err();
    // Nothing here is signed, not even the root.
    assert_eq!(error, NumberError::Stripped);
    assert_eq!(names.can_prove().await, Ok(false));
    let error = names.addresses_of_number("491", "e164.arpa").await.unwrap_err();
    assert!(matches!(error, NumberError::NotANumber(_)));
}
