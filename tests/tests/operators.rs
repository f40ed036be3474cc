// SPDX-License-Identifier: GPL-3.0-or-later
//! The operators that accounts are tried at, proved by clients that are not ours: when a scenario
//! fails, it is not for the fixture. And hosts on a network of their own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::peers::{Account, Baresip, Digest, Manner, Misbehaving, Operator};
use sipwitch_tests::program::{foreign, new_home};
use sipwitch_tests::{Network, Plain as _, net};

fn phone(server: std::net::SocketAddr, number: &str, password: &str) -> Result<Phone> {
    let account = Sim { password: password.into(), ..Sim::new(number) };
    Phone::new(Transport::Udp, server.ip(), server, account).plain()
}

#[test]
fn an_operator_lets_in_whoever_knows_the_password() -> Result<()> {
    let plan =
        Operator::plan(net::loopback()).user("anna", "correct horse").min_expires_seconds(120);
    let mut operator = plan.start()?;
    let wrong = phone(operator.at, "anna", "wrong")?.register(300).plain()?;
    ensure!(wrong.status() == Some(401), "{wrong:?}");
    operator.program.wait_for("refused: REGISTER anna")?;
    let stranger = phone(operator.at, "bert", "")?.register(300).plain()?;
    ensure!(stranger.status() == Some(401), "{stranger:?}");
    let right = phone(operator.at, "anna", "correct horse")?.register(300).plain()?;
    ensure!(right.status() == Some(200), "{right:?}");
    operator.program.wait_for("registered: anna over udp for 300")?;
    let brief = phone(operator.at, "anna", "correct horse")?.register(60).plain()?;
    ensure!(brief.status() == Some(423) && brief.header("Min-Expires") == Some("120"), "{brief:?}");

    let modern =
        Operator::plan(net::loopback()).user("anna", "x").digest(Digest::Sha256).start()?;
    let asked = phone(modern.at, "anna", "x")?.register(300).plain()?;
    let challenge = asked.header("WWW-Authenticate").unwrap_or_default();
    ensure!(challenge.contains("algorithm=SHA-256"), "{asked:?}");
    Ok(())
}

#[test]
fn an_operator_answers_calls_with_the_chosen_codes_and_leads_others_to_its_accounts() -> Result<()>
{
    let plan = Operator::plan(net::loopback()).user("anna", "a").user("bert", "b");
    let plan = plan.answer("+4930503", 503).answer("+4930486", 486).leads("+4930100", "bert");
    let operator = plan.start()?;
    let mut anna = Baresip::start(&Account::new("anna", operator.at).with_password("a"))?;
    let mut bert = Baresip::start(&Account::new("bert", operator.at).with_password("b"))?;
    anna.registered()?;
    bert.registered()?;
    for (number, code) in [("+4930503", "503"), ("+4930486", "486"), ("+4930404", "404")] {
        anna.call(number)?;
        let end = anna.closed()?;
        ensure!(end.contains(code), "{number}: {end}");
    }
    anna.call("+4930100")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    bert.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn an_operator_speaks_tls_under_its_name() -> Result<()> {
    let operator = Operator::plan(net::loopback()).user("anna", "a").start()?;
    let verified = |name: &str| -> Result<bool> {
        let status = Command::new(foreign("openssl", "openssl")?)
            .args(["s_client", "-connect", &operator.tls.to_string(), "-verify_return_error"])
            .args(["-verify_hostname", name, "-servername", name, "-CAfile"])
            .arg(&operator.certificate)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(status.success())
    };
    ensure!(verified(Operator::DOMAIN)? && !verified("other.example")?);
    Ok(())
}

#[test]
fn operators_misbehave_as_they_are_told() -> Result<()> {
    for &manner in Manner::ALL {
        let operator = Misbehaving::start(net::loopback(), manner)?;
        let mut phone = phone(operator.at, "anna", "a")?;
        let wanted = match manner {
            Manner::ChallengeForEver => 401,
            Manner::MovedForEver => 302,
            Manner::TooBriefForEver => 423,
            _ => 200,
        };
        for _ in 0..3 {
            let registered = phone.register(300).plain()?;
            ensure!(registered.status() == Some(wanted), "{manner:?}: {registered:?}");
        }
        let (code, contact) = match manner {
            Manner::ChallengeForEver
            | Manner::Mailbox
            | Manner::MovedForEver
            | Manner::Silent
            | Manner::TooBriefForEver => continue,
            Manner::RedirectToSelf => (302, Some(format!("<sip:again@{}>", operator.at))),
            Manner::RedirectToUs => (302, Some(format!("<sip:101@{}>", phone.local()))),
            Manner::Unavailable => (503, None),
        };
        let to = phone.address_of("102");
        let answer = phone.ask("INVITE", &to, &[], b"").plain()?;
        ensure!(answer.status() == Some(code), "{manner:?}: {answer:?}");
        ensure!(answer.header("Contact") == contact.as_deref(), "{manner:?}: {answer:?}");
        ensure!(operator.messages().contains("INVITE"), "{manner:?}");
    }
    Ok(())
}

#[test]
fn hosts_have_cables_that_can_be_pulled_and_are_gone_with_the_test() -> Result<()> {
    let home = new_home()?;
    let network = Network::new()?;
    let anna = network.host(Ipv4Addr::new(192, 0, 2, 1))?;
    let bert = network.host(Ipv4Addr::new(192, 0, 2, 2))?;
    let said = |script: &str| -> Result<String> {
        let output = anna.command("bash", home.path())?.args(["-c", script]).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    };
    // Refused, so somebody is there to refuse.
    let knock = ": </dev/tcp/192.0.2.2/9";
    ensure!(said(knock)?.contains("refused"), "{}", said(knock)?);
    let carrier = "cat /sys/class/net/eth0/carrier";
    ensure!(said(carrier)? == "1");
    anna.unplug()?;
    ensure!(said(carrier)? == "0");
    anna.plug()?;
    ensure!(said(carrier)? == "1");
    let second = Ipv4Addr::new(192, 0, 2, 77);
    bert.remove_address(bert.address)?;
    bert.add_address(second)?;
    ensure!(said(": </dev/tcp/192.0.2.77/9")?.contains("refused"));
    drop((anna, bert, network));
    let ours = format!("sipwitch-{}-", std::process::id());
    let left = Path::new("/run/netns").read_dir()?.flatten();
    let left: Vec<_> =
        left.filter(|e| e.file_name().to_string_lossy().starts_with(&ours)).collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}
