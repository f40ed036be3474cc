// SPDX-License-Identifier: GPL-3.0-or-later
//! TLS with a far side that is not ours: kamailio, by OpenSSL.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use sipwitch_dbus_interfaces::wire::{AccountState, CertificateFault};
use sipwitch_sip::driver::{Driver, DriverSettings, Incoming, TlsSettings};
use sipwitch_sip::flow::{Flow, Transmit, Transport};
use sipwitch_sip::resolver::Place;
use sipwitch_sip::wire::{Draft, Message, Method, Uri, name};
use sipwitch_tests::authority::{Authority, Credentials};
use sipwitch_tests::peers::{Kamailio, Telepathy};
use sipwitch_tests::program::{foreign, in_home, new_home};
use sipwitch_tests::{CommandLine, House, PATIENCE, Program, net};
use tempfile::TempDir;

/// Kamailio says nothing to what is no SIP, and is not waited for for long.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// A driver that believes that kamailio, or nobody at all.
fn driver(kamailio: Option<&Kamailio>) -> Driver {
    let mut driver =
        Driver::new(DriverSettings { handshake: HANDSHAKE, ..DriverSettings::default() });
    let authorities = kamailio.iter().map(|kamailio| kamailio.certificate.clone()).collect();
    driver.set_tls(TlsSettings { own: None, authorities, platform: false });
    driver
}

/// Sends OPTIONS to kamailio, which has to be of that name.
fn ask(driver: &mut Driver, kamailio: &Kamailio, wanted: &str, number: u32) -> Result<Flow> {
    let Some(address) = kamailio.tls else { bail!("kamailio speaks no TLS") };
    let place = Place { transport: Transport::Tls, address, name: wanted.into() };
    let flow = driver.way_to(&place)?;
    let mut options = Draft::request(&Method::Options, &Uri::parse(format!("sip:{wanted}"))?);
    options
        .push(&name::MAX_FORWARDS, "70")
        .push(&name::FROM, "<sip:house@house.example>;tag=1")
        .push(&name::TO, format!("<sip:{wanted}>"))
        .push(&name::CALL_ID, format!("tls-{number}"))
        .push(&name::CSEQ, format!("{number} OPTIONS"));
    let via = format!("SIP/2.0/TLS {};branch=z9hG4bK-{number};rport", flow.local);
    driver.send(Transmit { flow, bytes: options.encode_with_via(Some(via.as_bytes())) });
    Ok(flow)
}

async fn next(driver: &mut Driver, came: &mut Vec<Incoming>) -> Result<Incoming> {
    while came.is_empty() {
        tokio::time::timeout(PATIENCE, driver.recv(came)).await?;
    }
    Ok(came.remove(0))
}

#[tokio::test]
async fn kamailio_is_known_by_its_certificate_and_answers() -> Result<()> {
    let kamailio = Kamailio::start_with_tls(net::loopback(), "kamailio.example")?;
    let (mut driver, mut came) = (driver(Some(&kamailio)), Vec::new());
    let flow = ask(&mut driver, &kamailio, "kamailio.example", 1)?;
    let Incoming::Secured { flow: secured, identity } = next(&mut driver, &mut came).await? else {
        bail!("TLS was to be agreed")
    };
    ensure!(secured == flow && identity.proves("kamailio.example"), "{identity:?}");
    for number in 2..=3 {
        let Incoming::Message { flow: answered, message: Message::Response(response) } =
            next(&mut driver, &mut came).await?
        else {
            bail!("an answer was to come")
        };
        ensure!((answered, response.status()) == (flow, 200), "{response:?}");
        ensure!(ask(&mut driver, &kamailio, "kamailio.example", number)? == flow, "used again");
    }
    Ok(())
}

#[tokio::test]
async fn a_kamailio_of_another_name_or_unknown_gets_nothing() -> Result<()> {
    let kamailio = Kamailio::start_with_tls(net::loopback(), "kamailio.example")?;
    for (believed, wanted, words) in [
        (Some(&kamailio), "bank.example", "is for kamailio.example and not for bank.example"),
        (None, "kamailio.example", "is self-signed"),
    ] {
        let (mut driver, mut came) = (driver(believed), Vec::new());
        let flow = ask(&mut driver, &kamailio, wanted, 1)?;
        let Incoming::FlowFailed { flow: failed, why } = next(&mut driver, &mut came).await? else {
            bail!("nobody there is to be believed")
        };
        ensure!(failed == flow && why.to_string().contains(words), "{why}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_tls_is_told_so() -> Result<()> {
    let mut kamailio = Kamailio::start_with_tls(net::loopback(), "kamailio.example")?;
    kamailio.tls = Some(kamailio.at);
    let (mut driver, mut came) = (driver(Some(&kamailio)), Vec::new());
    ask(&mut driver, &kamailio, "kamailio.example", 1)?;
    let told = next(&mut driver, &mut came).await?;
    ensure!(matches!(told, Incoming::FlowFailed { .. }), "{told:?}");
    Ok(())
}

/// A provider, an OpenSSL, that shows this certificate.
fn provider(home: &TempDir, shown: &Credentials) -> Result<(Program, SocketAddr)> {
    let at = net::free_place(net::other_loopback())?;
    let mut command = in_home(foreign("openssl", "openssl")?, home.path());
    command.args(["s_server", "-accept", &at.to_string(), "-cert"]).arg(&shown.certificate);
    command.arg("-key").arg(&shown.key);
    let mut provider = Program::start("openssl s_server", &mut command)?;
    provider.wait_for("ACCEPT")?;
    Ok((provider, at))
}

/// A house that believes what that authority issued.
fn believing(authority: &Authority) -> Result<House> {
    let believed = &authority.file;
    let settings =
        format!("[accounts]\npasswords = \"memory\"\n[sip]\ntls-authorities = [{believed:?}]");
    House::plan().settings(&settings).build()
}

/// What an account says of itself: the cause, the fault, the next step.
#[derive(Debug)]
struct Told {
    cause: String,
    fault: CertificateFault,
    next: String,
}

/// What an account says of itself whose provider shows this certificate.
fn what_an_account_says(authority: &Authority, shown: &Credentials) -> Result<Told> {
    let home = new_home()?;
    let (provider, at) = provider(&home, shown)?;
    let house = believing(authority)?;
    let (host, port) = (at.ip().to_string(), format!("server.port={}", at.port()));
    let mut command = vec!["accounts", "add", "--domain", &host, "--id", "work"];
    command.extend(["--answer", "user=alice", "--set", &port]);
    command.extend(["--set", "server.transports=tls", "--no-wait", "--password-stdin"]);
    CommandLine::of(&house).run_with(&command, "wonder land 7\n")?.done()?;
    let desk = house.desk();
    desk.account_is("work", &[AccountState::Unreachable])?;
    let account = desk.account("work")?;
    let told = Told {
        cause: desk.wait("what it says", account.state_reason())??,
        fault: desk.wait("what is wrong", account.certificate_fault())??,
        next: desk.wait("what to do", account.next_step())??,
    };
    let (_, shown) = house.sipwitch(&["accounts", "show", "work"])?;
    ensure!(shown.contains(&told.next), "the command line says it too: {shown}");
    let heard = provider.said.all().join("\n");
    ensure!(!heard.contains("REGISTER"), "it was told who we are:\n{heard}");
    Ok(told)
}

#[test]
fn an_account_says_what_is_wrong_with_the_certificate_of_its_provider() -> Result<()> {
    let authority = Authority::new()?;
    let stranger = Authority::named("Somebody else")?;
    let address = net::other_loopback().to_string();
    for (shown, words, fault, next) in [
        (
            authority.self_signed(&address)?,
            "is self-signed; if you know it, name its file",
            CertificateFault::SelfSigned,
            "tls-authorities",
        ),
        (
            authority.issue("other.example")?,
            "is for other.example and not for",
            CertificateFault::OtherName,
            "see whether the name",
        ),
        (
            authority.issue_expired(&address)?,
            "expired on 2020-01-02",
            CertificateFault::Expired,
            "see whether the date of this machine is right",
        ),
        (
            stranger.issue(&address)?,
            "an authority unknown here",
            CertificateFault::UnknownIssuer,
            "ask the provider who issued it",
        ),
    ] {
        let told = what_an_account_says(&authority, &shown)?;
        ensure!(told.cause.contains(words), "{words}: {told:?}");
        ensure!(told.fault == fault && told.next.contains(next), "{next}: {told:?}");
        ensure!(!told.next.contains("wait"), "waiting mends nothing: {told:?}");
    }
    Ok(())
}

#[test]
fn a_program_of_telepathy_is_told_what_is_wrong_with_the_certificate() -> Result<()> {
    let authority = Authority::new()?;
    let address = net::other_loopback().to_string();
    let home = new_home()?;
    let house = believing(&authority)?;
    let mut telepathy = Telepathy::start(&house)?;
    for (shown, reason, error) in [
        (authority.issue_expired(&address)?, 8, "Cert.Expired"),
        (authority.issue("other.example")?, 10, "Cert.HostnameMismatch"),
        (authority.self_signed(&address)?, 12, "Cert.SelfSigned"),
    ] {
        let (_provider, at) = provider(&home, &shown)?;
        let account = format!("anna@{} port={}", at.ip(), at.port());
        telepathy.client.type_line(&format!("provider {account} transport=tls password=x"))?;
        let told = format!("status 2 reason {reason} org.freedesktop.Telepathy.Error.{error}");
        telepathy.client.wait_for(&told)?;
    }
    Ok(())
}
