// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls between domains over TLS, with nobody between them: a second service with its own name, and
//! OpenSSL, which is none of ours. Whoever cannot prove to be of the domain he names does not ring.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::CallerHeldBackStream;
use sipwitch_tests::authority::Credentials;
use sipwitch_tests::peers::{Account, Baresip, Named, Openssl, Zone};
use sipwitch_tests::{Authority, Desk, House, net};

const HERE: &str = "here.example";
const THERE: &str = "there.example";
const BOB: &str = "From: <sip:bob@there.example>;tag=b";

/// Two domains, the names they publish, and the authority that both believe.
struct World {
    authority: Authority,
    named: Named,
    here: SocketAddr,
    there: SocketAddr,
}

fn world() -> Result<World> {
    let (here, there) =
        (net::free_place(net::loopback())?, net::free_place(net::other_loopback())?);
    let mut records = String::new();
    for (name, at) in [("here", here), ("there", there)] {
        records.push_str(&format!(
            "_sips._tcp.{name} SRV 1 1 {} sip.{name}\nsip.{name} A {}\n",
            at.port(),
            at.ip()
        ));
    }
    let named = Named::start(&[Zone::new("example", &records)])?;
    Ok(World { authority: Authority::new()?, named, here, there })
}

/// A house with a name, a certificate unless it has none, and doors that are open if it can prove
/// who it is.
fn house(world: &World, domain: &str, own: Option<&Credentials>, number: &str) -> Result<House> {
    let tls = if domain == HERE { world.here } else { world.there };
    // The ports above belong to nobody else either.
    let plain = SocketAddr::new(tls.ip(), tls.port() + 2);
    let mut listen = format!("\"udp:{plain}\", \"tcp:{plain}\"");
    let mut more = String::new();
    if let Some(own) = own {
        listen.push_str(&format!(", \"tls:{tls}\""));
        let (certificate, key) = (&own.certificate, &own.key);
        more = format!("tls-certificate = {certificate:?}\ntls-key = {key:?}\n");
    }
    let (authority, server) = (&world.authority.file, world.named.at);
    let settings = format!(
        "[sip]\nlisten = [{listen}]\ndomain = \"{domain}\"\n{more}tls-authorities = [{authority:?}]\n\
         [peers]\naccept-calls = {}\n[names]\nservers = [\"{server}\"]",
        own.is_some()
    );
    House::plan().where_it_likes().settings(&settings).extensions(&[number]).build()
}

/// Who is held back at a house, and for want of which proof.
struct Held<'a> {
    desk: &'a Desk,
    signals: CallerHeldBackStream,
}

impl<'a> Held<'a> {
    fn at(house: &'a House) -> Result<Self> {
        let (desk, service) = (house.desk(), house.desk().service()?);
        let signals = desk.wait("the signals", service.receive_caller_held_back())??;
        Ok(Self { desk, signals })
    }

    /// The next: who he says he is, his domain, whom he wanted, and what is missing.
    fn next(&mut self) -> Result<[String; 4]> {
        let next = self.desk.wait("somebody who is held back", self.signals.next())?;
        let signal = next.context("the bus has gone")?;
        let told = signal.args()?;
        Ok([told.caller, told.domain, told.extension, told.words].map(str::to_owned))
    }
}

#[test]
fn two_domains_that_prove_themselves_call_each_other() -> Result<()> {
    let world = world()?;
    let here = house(&world, HERE, Some(&world.authority.issue(HERE)?), "101")?;
    let there = house(&world, THERE, Some(&world.authority.issue(THERE)?), "201")?;
    let mut anna = Baresip::start(&Account::new("101", here.at))?;
    let bob = Account::new("201", there.at);
    let mut bob = Baresip::start_at(&bob, there.at.ip())?;
    anna.registered()?;
    bob.registered()?;

    there.desk().dial("201", &format!("sip:101@{HERE}"))?;
    bob.incoming()?;
    bob.answer()?;
    let caller = anna.incoming()?;
    ensure!(caller.contains("201@there.example"), "{caller}");
    anna.answer()?;
    anna.established()?;
    bob.established()?;
    for (house, domain) in [(&here, THERE), (&there, HERE)] {
        let path = house.desk().calls_are(1)?.pop().context("a call")?;
        let call = house.desk().call(&path)?;
        let shown = house.desk().wait("who the far end is", async {
            zbus::Result::Ok((call.peer_domain().await?, call.peer_proof().await?))
        })??;
        ensure!(shown == (domain.to_owned(), "certificate".to_owned()), "{shown:?}");
    }
    anna.hears_more_than(10)?;
    bob.hang_up()?;
    anna.closed()?;

    here.desk().dial("101", &format!("sip:201@{THERE}"))?;
    anna.incoming()?;
    anna.answer()?;
    let caller = bob.incoming()?;
    ensure!(caller.contains("101@here.example"), "{caller}");
    bob.answer()?;
    bob.established()?;
    anna.established()?;
    anna.hang_up()?;
    bob.closed()?;
    here.desk().calls_are(0)?;
    there.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_domain_that_cannot_prove_itself_is_held_back_with_the_reason() -> Result<()> {
    let world = world()?;
    let here = house(&world, HERE, Some(&world.authority.issue(HERE)?), "101")?;
    let mut anna = Baresip::start(&Account::new("101", here.at))?;
    anna.registered()?;
    let mut held = Held::at(&here)?;
    let authority = &world.authority;
    for (own, words) in [
        (None, "it showed no certificate"),
        (
            Some(authority.issue("bank.example")?),
            "its certificate is for bank.example and not for there.example",
        ),
        (
            Some(authority.issue_expired(THERE)?),
            "its certificate for there.example expired on 2020-01-02",
        ),
        (Some(authority.self_signed(THERE)?), "its certificate for there.example is self-signed"),
    ] {
        let there = house(&world, THERE, own.as_ref(), "201")?;
        let mut bob = Baresip::start_at(&Account::new("201", there.at), there.at.ip())?;
        bob.registered()?;
        there.desk().dial("201", &format!("sip:101@{HERE}"))?;
        bob.incoming()?;
        bob.answer()?;
        let told = held.next()?;
        ensure!(told[..3] == ["201@there.example", THERE, "101"], "{told:?}");
        ensure!(told[3].starts_with(words), "{told:?}");
        bob.closed()?;
        there.desk().calls_are(0)?;
        let last = there.desk().history()?.into_iter().next().context("a call that ended")?;
        ensure!(last.sip_code == 480, "he learns nothing: {last:?}");
    }
    ensure!(here.desk().history()?.is_empty(), "nobody called here");
    Ok(())
}

#[test]
fn a_domain_that_is_none_of_ours_rings_and_writes_if_it_proves_itself() -> Result<()> {
    let world = world()?;
    let here = house(&world, HERE, Some(&world.authority.issue(HERE)?), "101")?;
    let mut anna = Baresip::start(&Account::new("101", here.at))?;
    anna.registered()?;
    let mut held = Held::at(&here)?;
    let own = world.authority.issue(THERE)?;
    let contact = "Contact: <sip:bob@there.example;transport=tls>";
    let uri = format!("sip:101@{HERE}");

    let mut proven = Openssl::connect(world.here, HERE, &world.authority, Some(&own))?;
    proven.say(1, "INVITE", &uri, &[BOB, contact], "")?;
    proven.hears(180, 1, "INVITE")?;
    let caller = anna.incoming()?;
    ensure!(caller.contains("bob@there.example"), "{caller}");
    proven.say(1, "CANCEL", &uri, &[BOB], "")?;
    proven.hears(487, 1, "INVITE")?;
    anna.closed()?;
    proven.say(2, "MESSAGE", &uri, &[BOB, "Content-Type: text/plain"], "are you in?")?;
    proven.hears(200, 2, "MESSAGE")?;
    anna.program.wait_for("MESSAGE sip:101")?;
    anna.program.wait_for("From: <sip:bob@there.example>")?;
    anna.program.wait_for("are you in?")?;
    // What it proved it proved for one domain.
    let eve = "From: <sip:eve@bank.example>;tag=e";
    proven.say(3, "INVITE", &uri, &[eve, contact], "")?;
    proven.hears(480, 3, "INVITE")?;
    let told = held.next()?;
    let words = "its certificate is for there.example and not for bank.example";
    ensure!(told == ["eve@bank.example", "bank.example", "101", words], "{told:?}");

    let mut nobody = Openssl::connect(world.here, HERE, &world.authority, None)?;
    for (number, method, wanted) in
        [(4, "INVITE", "101"), (5, "MESSAGE", "101"), (6, "INVITE", "7")]
    {
        let uri = format!("sip:{wanted}@{HERE}");
        nobody.say(number, method, &uri, &[BOB, contact], "")?;
        nobody.hears(480, number, method)?;
        let told = held.next()?;
        let extension = if wanted == "101" { wanted } else { "" };
        let expected = ["bob@there.example", THERE, extension, "it showed no certificate"];
        ensure!(told == expected, "{method} {wanted}: {told:?}");
    }
    ensure!(here.desk().history()?.len() == 1, "one call rang");
    Ok(())
}
