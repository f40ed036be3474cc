// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts at a real provider: kamailio asks for the password, baresip is behind it and behind us.

use anyhow::{Result, ensure};
use serde_json::json;
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Digest, Operator, Sipp};
use sipwitch_tests::{CommandLine, House, net};

/// Leads to bert, behind the provider.
const NUMBER: &str = "+4930100";
/// The password of anna.
const PASSWORD: &str = "wonder land 7";

/// Makes the account of anna, over one transport.
fn sign_up(house: &House, id: &str, operator: &Operator, transport: &str) -> Result<()> {
    sign_up_with(house, id, operator, transport, &[])
}

/// Makes it with more choices of the user.
fn sign_up_with(
    house: &House,
    id: &str,
    operator: &Operator,
    transport: &str,
    choices: &[&str],
) -> Result<()> {
    let at = if transport == "tls" { operator.tls } else { operator.at };
    let proxy = format!("server.outbound-proxy={}", at.ip());
    let (port, transports) =
        (format!("server.port={}", at.port()), format!("server.transports={transport}"));
    let mut command = vec!["accounts", "add", "--domain", Operator::DOMAIN, "--id", id];
    command.extend(["--answer", "user=anna", "--set", &proxy, "--set", &port]);
    command.extend(["--set", &transports, "--no-wait", "--password-stdin"]);
    command.extend(choices);
    CommandLine::of(house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
    house.desk().account_is(id, &[AccountState::Online])?;
    Ok(())
}

/// Registers, calls out and is called.
fn works(transport: &str, digest: Digest) -> Result<()> {
    let plan = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let mut operator = plan.leads(NUMBER, "bert").digest(digest).start()?;
    let authority = &operator.certificate;
    let settings = format!("[sip]\ntls-authorities = [{authority:?}]");
    let house = House::plan().settings(&settings).extensions(&["101"]).build()?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    sign_up(&house, "work", &operator, transport)?;
    let how = operator.program.wait_for("registered: anna over ")?;
    ensure!(how.to_lowercase().contains(&format!("over {transport}")), "{how}");
    // Debian's baresip knows no SHA-256.
    if matches!(digest, Digest::Sha256) {
        return Ok(());
    }
    let mut outside = Baresip::start(&Account::new("bert", operator.at).with_password("b"))?;
    outside.registered()?;

    inside.call(NUMBER)?;
    ensure!(outside.incoming()?.contains("anna"), "the account is shown");
    inside.ringing()?;
    outside.answer()?;
    inside.established()?;
    outside.established()?;
    inside.hang_up()?;
    inside.closed()?;
    outside.closed()?;

    outside.call("anna")?;
    ensure!(inside.incoming()?.contains("bert"), "who calls is shown");
    outside.ringing()?;
    inside.answer()?;
    inside.established()?;
    outside.established()?;
    outside.hang_up()?;
    inside.closed()?;
    outside.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn an_account_at_kamailio_calls_and_is_called_over_udp() -> Result<()> {
    works("udp", Digest::Md5)
}

#[test]
fn an_account_at_kamailio_calls_and_is_called_over_tcp() -> Result<()> {
    works("tcp", Digest::Md5)
}

#[test]
fn an_account_at_kamailio_calls_and_is_called_over_tls() -> Result<()> {
    works("tls", Digest::Md5)
}

#[test]
fn an_account_at_kamailio_proves_its_password_by_sha_256() -> Result<()> {
    works("tls", Digest::Sha256)
}

#[test]
fn a_call_fails_over_from_a_provider_that_answers_503_as_explained_before() -> Result<()> {
    let first = Operator::plan(net::other_loopback()).user("anna", PASSWORD);
    let first = first.answer(NUMBER, 503).start()?;
    let second = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let second = second.leads(NUMBER, "bert").start()?;
    let house = House::plan().extensions(&["101"]).build()?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    sign_up(&house, "a-first", &first, "udp")?;
    sign_up(&house, "b-second", &second, "tcp")?;
    let mut outside = Baresip::start(&Account::new("bert", second.at).with_password("b"))?;
    outside.registered()?;
    let explained = CommandLine::of(&house).json(&["explain", NUMBER])?;
    let attempts = explained["attempts"].as_array().map_or(0, Vec::len);
    ensure!(attempts == 2, "{explained}");

    inside.call(NUMBER)?;
    outside.incoming()?;
    inside.ringing()?;
    outside.answer()?;
    inside.established()?;
    outside.established()?;
    outside.hang_up()?;
    inside.closed()?;
    house.desk().calls_are(0)?;
    let history = house.desk().history()?;
    let trace = &history.first().ok_or_else(|| anyhow::anyhow!("no history"))?.route_trace;
    let codes: Vec<u32> = trace.iter().map(|tried| tried.sip_code).collect();
    ensure!(codes == [503, 200], "{trace:?}");
    Ok(())
}

/// A SIPp that takes one text at a place where it registered.
fn takes_a_text(account: &Account) -> Result<Sipp> {
    let at = Sipp::place()?;
    Sipp::play("register", account, at, &account.number)?.done()?;
    let mut taking = Sipp::play("take-text", account, at, &account.number)?;
    taking.listens(at)?;
    Ok(taking)
}

#[test]
fn texts_leave_by_an_account_at_kamailio_and_reach_the_extension_chosen_for_it() -> Result<()> {
    let operator = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let operator = operator.leads(NUMBER, "bert").start()?;
    let house = House::plan().extensions(&["101", "102"]).build()?;
    sign_up_with(&house, "work", &operator, "udp", &["--incoming", "102"])?;
    let bert = Account::new("bert", operator.at).with_password("b");

    let mut outside = takes_a_text(&bert)?;
    let sent = CommandLine::of(&house).json(&["message", NUMBER, "soon at the bridge"])?;
    ensure!(sent == json!({ "state": "delivered" }), "{sent}");
    outside.done()?;
    let text = outside.messages();
    let sender = format!("<sip:anna@{}>", Operator::DOMAIN);
    ensure!(text.contains("soon at the bridge") && text.contains(&sender), "{text}");

    // A text for 101, who has no phone, would be kept and answered with 202.
    let mut inside = takes_a_text(&Account::new("102", house.at))?;
    Sipp::play("send-text", &bert, Sipp::place()?, "anna")?.done()?;
    inside.done()?;
    let text = inside.messages();
    ensure!(text.contains("how are you, anna?") && text.contains("<sip:bert@"), "{text}");
    Ok(())
}
