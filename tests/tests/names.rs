// SPDX-License-Identifier: GPL-3.0-or-later
//! Names, looked up at real name servers: bind9 with zones of its own, and unbound before it, as
//! the router or the provider has one.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sipwitch_sip::driver::names::NumberError;
use sipwitch_sip::driver::{Names, NamesSettings};
use sipwitch_sip::resolver::{DEADLINE, LookupError, NoAnswer, Place, Services, Wanted};
use sipwitch_sip::wire::Uri;
use sipwitch_tests::peers::{Kamailio, Named, Signed, Unbound, Zone};
use sipwitch_tests::{CommandLine, House, PATIENCE, net};

/// Whoever publishes everything, whoever publishes servers alone, and whoever has a host.
const GOOD: &str = r#"
full    NAPTR 10 50 "s" "SIPS+D2T" "" _sips._tcp.full
full    NAPTR 20 50 "s" "SIP+D2T" "" _sip._tcp.full
full    NAPTR 30 50 "s" "SIP+D2U" "" _sip._udp.full
_sips._tcp.full SRV 10 10 5061 a
_sips._tcp.full SRV 20 10 5071 b
_sip._tcp.full  SRV 10 10 5060 a
_sip._udp.full  SRV 10 10 5060 b
a       A 192.0.2.1
a       AAAA 2001:db8::1
b       A 192.0.2.2
; no rules, but servers
srv     A 192.0.2.66
_sip._udp.srv SRV 1 1 5062 c
c       CNAME d
d       CNAME b
; not even servers
host    A 192.0.2.3
; not at all
none    A 192.0.2.67
_sip._udp.none SRV 0 0 0 .
_sip._tcp.none SRV 0 0 0 .
_sips._tcp.none SRV 0 0 0 .
; a wildcard answers whatever is asked
*.wild  A 192.0.2.68
; numbers
2.1.0.3.9.4.e164 NAPTR 10 10 "u" "E2U+sip" "!^\\+49(.*)$!sip:0\\1@full.example!" .
2.1.0.3.9.4.e164 NAPTR 20 10 "u" "E2U+pstn:tel" "!^.*$!tel:+4930!" .
3.1.0.3.9.4.e164 CNAME 2.1.0.3.9.4.e164
4.1.0.3.9.4.e164 NAPTR 10 10 "u" "E2U+pstn:tel" "!^.*$!tel:+4930!" .
"#;

const UNSIGNED: &str = r#"
1.9.4.e164 NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:fraud@example.net!" .
sip        A 192.0.2.4
"#;

const FORGED: &str = r#"
1.9.4.e164 NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:FORGE@example.net!" .
"#;

fn mean() -> String {
    let mut lines = String::from(
        r"
loop1 CNAME loop2
loop2 CNAME loop1
_sip._udp.loop SRV 1 1 5060 loop1
self  CNAME self.deeper
_sip._udp.odd SRV 1 1 5060 a\032b
_sip._udp.odd SRV 2 1 5060 \000\255
_sip._udp.odd SRV 3 1 0 good
_sip._udp.odd SRV 4 1 5060 good
good  A 192.0.2.5
nowhere A 0.0.0.0
nowhere A 255.255.255.255
nowhere AAAA ::
",
    );
    for at in 0..40 {
        lines.push_str(&format!("chain{at} CNAME chain{}\n", at + 1));
    }
    lines.push_str("chain40 A 192.0.2.6\n");
    for at in 0..1000 {
        lines.push_str(&format!("_sip._udp.many SRV {} 1 5060 h{at}\n", at % 7));
        lines.push_str(&format!("h{at} A 10.1.{}.{}\n", at / 256, at % 256));
    }
    lines
}

fn zones() -> Vec<Zone> {
    vec![
        Zone::new("example", GOOD),
        Zone::new("mean.example", &mean()),
        Zone::new("unsigned.example", UNSIGNED).signed(Signed::Not),
        Zone::new("forged.example", FORGED).signed(Signed::Forged),
    ]
}

fn settings(servers: &[SocketAddr], named: &Named) -> NamesSettings {
    NamesSettings {
        servers: servers.to_vec(),
        hosts_file: "/dev/null".into(),
        trust_anchors: Some(named.anchor.clone()),
        ..NamesSettings::default()
    }
}

fn wanted(uri: &str) -> Result<Wanted> {
    Ok(Wanted::of(&Uri::parse(uri.to_owned())?)?)
}

fn words(places: &[Place]) -> Vec<String> {
    places.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_domain_is_found_whatever_it_publishes() -> Result<()> {
    let named = Named::start(&zones())?;
    let unbound = Unbound::start(&named)?;
    for servers in [unbound.at, named.at] {
        let mut names = Names::new(settings(&[servers], &named));
        for (uri, expected) in [
            (
                "sip:full.example",
                &[
                    "tls:[2001:db8::1]:5061",
                    "tls:192.0.2.1:5061",
                    "tls:192.0.2.2:5071",
                    "tcp:[2001:db8::1]:5060",
                    "tcp:192.0.2.1:5060",
                    "udp:192.0.2.2:5060",
                ][..],
            ),
            (
                "sips:full.example",
                &["tls:[2001:db8::1]:5061", "tls:192.0.2.1:5061", "tls:192.0.2.2:5071"],
            ),
            ("sip:full.example;transport=udp", &["udp:192.0.2.2:5060"]),
            ("sip:srv.example", &["udp:192.0.2.2:5062"]),
            ("sip:srv.example:5070", &["udp:192.0.2.66:5070"]),
            ("sip:host.example", &["udp:192.0.2.3:5060"]),
            ("sips:host.example", &["tls:192.0.2.3:5061"]),
            ("sip:any.wild.example", &["udp:192.0.2.68:5060"]),
        ] {
            let places = names.resolve(wanted(uri)?).await?;
            ensure!(words(&places) == expected, "{uri}: {places:?}");
            let domain = uri.split([':', ';']).nth(1).unwrap_or_default();
            ensure!(places.iter().all(|place| *place.name == *domain), "{uri}: {places:?}");
        }
        let error = names.resolve(wanted("sip:none.example")?).await;
        ensure!(matches!(error, Err(LookupError::NoService { .. })), "{error:?}");
        let required = Wanted { services: Services::Required, ..wanted("sip:host.example")? };
        let error = names.resolve(required).await;
        ensure!(matches!(error, Err(LookupError::Nowhere { .. })), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn mean_zones_cost_a_moment_and_no_more() -> Result<()> {
    let named = Named::start(&zones())?;
    let unbound = Unbound::start(&named)?;
    for servers in [unbound.at, named.at] {
        let mut names = Names::new(settings(&[servers], &named));
        for uri in [
            "sip:loop1.mean.example",
            "sip:loop.mean.example",
            "sip:self.mean.example:5060",
            "sip:chain0.mean.example:5060",
            "sip:nowhere.mean.example:5060",
            "sip:gone.mean.example",
        ] {
            let begun = Instant::now();
            let found = names.resolve(wanted(uri)?).await;
            ensure!(found.is_err(), "{uri}: {found:?}");
            ensure!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{uri}");
        }
        let places = names.resolve(wanted("sip:odd.mean.example;transport=udp")?).await?;
        ensure!(words(&places) == ["udp:192.0.2.5:5060"], "{places:?}");
        let places = names.resolve(wanted("sip:many.mean.example;transport=udp")?).await?;
        ensure!((8..=32).contains(&places.len()), "{places:?}");
    }
    Ok(())
}

/// Half a second is little on a busy machine, and what was found of the chain is remembered: who
/// ran out of it asks again.
async fn number_of(names: &mut Names, number: &str, root: &str) -> Result<Vec<Uri>, NumberError> {
    let begun = Instant::now();
    loop {
        match names.addresses_of_number(number, root).await {
            Err(NumberError::NoAnswer(NoAnswer::TimedOut)) if begun.elapsed() < PATIENCE => {}
            found => return found,
        }
    }
}

#[tokio::test]
async fn a_number_is_believed_if_it_is_proven() -> Result<()> {
    let named = Named::start(&zones())?;
    let unbound = Unbound::start(&named)?;
    let mut by_unbound = Names::new(settings(&[unbound.at], &named));
    ensure!(by_unbound.can_prove().await == Ok(true), "the root is signed");
    for number in ["+493012", "+493013"] {
        let found = number_of(&mut by_unbound, number, "e164.example").await?;
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        // The one whose name is an alias keeps its own digits.
        let expected = format!("sip:0{}@full.example", &number[3..]);
        ensure!(found == [expected], "{number}: {found:?}");
    }
    // What unbound checks itself it does not hand on; without it we find out ourselves.
    let mut by_named = Names::new(settings(&[named.at], &named));
    for (number, root, expected) in [
        ("+493014", "e164.example", NumberError::Nowhere),
        ("+493015", "e164.example", NumberError::Nowhere),
        ("+491", "e164.unsigned.example", NumberError::Unsigned),
        ("+492", "e164.unsigned.example", NumberError::Nowhere),
    ] {
        for names in [&mut by_unbound, &mut by_named] {
            let error = number_of(names, number, root).await;
            ensure!(error == Err(expected.clone()), "{number}: {error:?}");
        }
    }
    let error = number_of(&mut by_named, "+491", "e164.forged.example").await;
    ensure!(error == Err(NumberError::Forged), "{error:?}");
    match number_of(&mut by_unbound, "+491", "e164.forged.example").await {
        Err(NumberError::NoAnswer(_) | NumberError::Forged) => {}
        other => bail!("{other:?}"),
    }
    // Whoever trusts another root believes nothing here.
    let stranger = NamesSettings { trust_anchors: None, ..settings(&[unbound.at], &named) };
    let mut stranger = Names::new(stranger);
    ensure!(stranger.can_prove().await == Ok(false), "our root is not the Internet's");
    let error = number_of(&mut stranger, "+493012", "e164.example").await;
    ensure!(error == Err(NumberError::Stripped), "{error:?}");
    Ok(())
}

#[test]
fn explain_says_where_a_number_leads_that_its_holder_published_and_nowhere_else() -> Result<()> {
    let named = Named::start(&zones())?;
    let unbound = Unbound::start(&named)?;
    let house = |more: &str| {
        let settings = format!(
            "[names]\nservers = [\"{}\"]\ntrust-anchors = {:?}\n[numbers]\nregion = \"DE\"\n{more}",
            unbound.at, named.anchor
        );
        House::plan().settings(&settings).extensions(&["101"]).build()
    };
    let explained = |house: &House, number: &str| {
        let told = CommandLine::of(house).json(&["explain", number])?;
        let attempts = told["attempts"].as_array().context("attempts")?.clone();
        let found = attempts.first().map(|first| first["destination"].to_string());
        Ok::<_, anyhow::Error>(found)
    };
    let curious = house("enum = true\nenum-root = \"e164.example\"")?;
    // Half a second may be too little on a busy machine; what was found of the chain is remembered.
    let begun = Instant::now();
    let found = loop {
        match explained(&curious, "+493012")? {
            None if begun.elapsed() < PATIENCE => {}
            found => break found,
        }
    };
    ensure!(found.as_deref() == Some("\"sip:03012@full.example directly\""), "{found:?}");
    // Nobody published that one, and where the user does not want it nobody is asked.
    ensure!(explained(&curious, "+493014")?.is_none());
    ensure!(explained(&house("")?, "+493012")?.is_none());
    // What is not signed is not believed.
    let misled = house("enum = true\nenum-root = \"e164.unsigned.example\"")?;
    ensure!(explained(&misled, "+491")?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_name_server_that_never_answers_is_passed_over() -> Result<()> {
    let named = Named::start(&zones())?;
    let silent = UdpSocket::bind((net::loopback(), 0))?;
    let mut names = Names::new(settings(&[silent.local_addr()?, named.at], &named));
    let begun = Instant::now();
    let places = names.resolve(wanted("sip:host.example")?).await?;
    ensure!(words(&places) == ["udp:192.0.2.3:5060"], "{places:?}");
    ensure!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    // Nobody else: it takes its time, and not longer.
    let mut names = Names::new(settings(&[silent.local_addr()?], &named));
    let begun = Instant::now();
    let error = names.resolve(wanted("sip:host.example")?).await;
    ensure!(matches!(error, Err(LookupError::NoAnswer { .. })), "{error:?}");
    ensure!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn the_command_line_asks_the_places_of_a_domain_in_turn() -> Result<()> {
    let kamailio = Kamailio::start(net::loopback())?;
    let nobody = net::free_place(net::loopback())?;
    let services = format!(
        "house NAPTR 10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.house\n\
         house NAPTR 20 10 \"s\" \"SIP+D2T\" \"\" _sip._tcp.house\n\
         _sip._udp.house SRV 10 1 {} here\n_sip._tcp.house SRV 10 1 {} here\nhere A {}\n",
        nobody.port(),
        kamailio.at.port(),
        kamailio.at.ip()
    );
    let named = Named::start(&[Zone::new("example", &services)])?;
    let unbound = Unbound::start(&named)?;
    let settings = format!("[names]\nservers = [\"{}\"]", unbound.at);
    let house = House::plan().settings(&settings).build()?;
    let sipwitch = CommandLine::of(&house);
    let hops = sipwitch.json(&["query", "sip:house.example"])?;
    ensure!(hops[0]["address"] == format!("udp:{nobody}"), "{hops}");
    // Kamailio is a proxy: it says 483 to the first, which ends there, and answers the next.
    let last = hops.as_array().and_then(|hops| hops.last()).context("no hop")?;
    ensure!(last["address"] == format!("tcp:{}", kamailio.at), "{hops}");
    ensure!(last["status"] == 200, "{hops}");
    let said = sipwitch.run(&["query", "sip:gone.example;transport=tcp"])?;
    said.failed(1, &["nothing answered"])?;
    for words in ["leads nowhere", "SRV _sip._tcp.gone.example: no such name"] {
        ensure!(said.out.contains(words), "{words}: {said:?}");
    }
    Ok(())
}

#[test]
fn the_doctor_tells_of_name_servers_and_of_accounts_that_cannot_be_reached() -> Result<()> {
    let named = Named::start(&[Zone::new("example", "host A 192.0.2.3\n")])?;
    let unbound = Unbound::start(&named)?;
    let settings = format!("[names]\nservers = [\"{}\"]", unbound.at);
    let house = House::plan().settings(&settings).build()?;
    let sipwitch = CommandLine::of(&house);
    let add = ["accounts", "add", "--domain", "gone.example", "--id", "lost", "--trunk"];
    let _ = sipwitch.run(&add)?;
    let doctor = sipwitch.run(&["doctor"])?;
    doctor.failed(1, &["keep calls from working"])?;
    for words in [
        &format!("✓ names         {} answers within", unbound.at),
        // It is not the root of the Internet that signed here.
        "! DNSSEC",
        "✗ account       lost is unreachable: ",
        "✗ domain        gone.example leads nowhere: ",
        "! emergency",
    ] {
        ensure!(doctor.out.contains(words), "{words}: {doctor:?}");
    }
    // A name server that says nothing.
    let silent = UdpSocket::bind((net::loopback(), 0))?;
    let settings = format!("[names]\nservers = [\"{}\"]", silent.local_addr()?);
    let house = House::plan().settings(&settings).build()?;
    let findings = CommandLine::of(&house).json(&["doctor"])?;
    let findings = findings.as_array().context("a list")?;
    let names = findings.iter().find(|one| one["about"] == "names").context("names")?;
    ensure!(names["verdict"] == "doubtful", "{names}");
    ensure!(
        names["found"].as_str().is_some_and(|found| found.contains("do not answer")),
        "{names}"
    );
    Ok(())
}
