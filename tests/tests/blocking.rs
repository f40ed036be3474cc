// SPDX-License-Identifier: GPL-3.0-or-later
//! Blocked callers: by a real provider, and what the command line says of it all.

use anyhow::{Result, ensure};
use serde_json::json;
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Operator, Sipsak};
use sipwitch_tests::{CommandLine, House, net};

const PASSWORD: &str = "wonder land 7";

/// A house with phone 101 and the account of anna at kamailio, where bert is.
fn online() -> Result<(House, Baresip, Operator, Baresip)> {
    let plan = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let operator = plan.start()?;
    let house = House::plan().extensions(&["101"]).build()?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    let proxy = format!("server.outbound-proxy={}", operator.at.ip());
    let port = format!("server.port={}", operator.at.port());
    let mut command = vec!["accounts", "add", "--domain", Operator::DOMAIN, "--id", "work"];
    command.extend(["--answer", "user=anna", "--set", &proxy, "--set", &port]);
    command.extend(["--set", "server.transports=udp", "--no-wait", "--password-stdin"]);
    CommandLine::of(&house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
    house.desk().account_is("work", &[AccountState::Online])?;
    let mut outside = Baresip::start(&Account::new("bert", operator.at).with_password("b"))?;
    outside.registered()?;
    Ok((house, inside, operator, outside))
}

#[test]
fn who_is_blocked_at_a_real_provider_rings_nowhere_and_stands_in_the_history() -> Result<()> {
    let (house, mut inside, operator, mut bert) = online()?;
    let sipwitch = CommandLine::of(&house);
    bert.call("anna")?;
    ensure!(inside.incoming()?.contains("bert"), "who calls is shown");
    bert.ringing()?;
    bert.hang_up()?;
    bert.closed()?;
    inside.closed()?;
    house.desk().calls_are(0)?;
    // Blocked as the history shows him.
    let past = sipwitch.json(&["history"])?;
    let caller = past[0]["caller"].as_str().unwrap_or_default().to_owned();
    ensure!(past[0]["blocked"].is_null() && caller.starts_with("sip:bert@"), "{past}");
    let who = format!("bert@{}", operator.at.ip());
    let added = sipwitch.run(&["block", "add", &caller, "--reason", "too loud"])?;
    ensure!(added.done()?.contains(&format!("blocked: {who}")), "{added:?}");
    bert.call("anna")?;
    let why = bert.closed()?;
    ensure!(why.contains("480"), "{why}");
    let past = sipwitch.json(&["history"])?;
    ensure!(past.as_array().is_some_and(|all| all.len() == 2), "{past}");
    ensure!(past[0]["blocked"] == json!(who) && past[0]["sip-code"] == 480, "{past}");
    let words = past[0]["words"].as_str().unwrap_or_default();
    ensure!(words.starts_with("blocked by you on 20") && words.ends_with(": too loud"), "{words}");
    let checked = sipwitch.json(&["block", "check", &caller])?;
    ensure!(checked[0]["blocked-by"] == json!(who), "{checked}");
    sipwitch.run(&["block", "remove", &caller])?.done()?;
    bert.call("anna")?;
    inside.incoming()?;
    bert.ringing()?;
    bert.hang_up()?;
    bert.closed()?;
    inside.closed()?;
    house.desk().calls_are(0)?;
    let past = sipwitch.json(&["history"])?;
    ensure!(past.as_array().is_some_and(|all| all.len() == 3), "it rang twice: {past}");
    Ok(())
}

#[test]
fn another_phone_that_is_blocked_hears_what_it_hears_of_nobody() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    CommandLine::of(&house).run(&["block", "add", "102"])?.done()?;
    let account = Account::new("102", house.at);
    let blocked = Sipsak::call(&account, "101")?;
    let nobody = Sipsak::call(&account, "103")?;
    let status =
        |said: &str| said.lines().find(|line| line.starts_with("SIP/2.0 4")).map(str::to_owned);
    ensure!(
        status(&blocked.said).is_some_and(|line| line.starts_with("SIP/2.0 480")),
        "{blocked:?}"
    );
    ensure!(status(&blocked.said) == status(&nobody.said), "{blocked:?} {nobody:?}");
    Ok(())
}

#[test]
fn the_command_line_says_what_is_blocked_and_what_cannot_be() -> Result<()> {
    let house =
        House::plan().settings("[numbers]\nregion = \"DE\"\n").extensions(&["101"]).build()?;
    let sipwitch = CommandLine::of(&house);
    ensure!(sipwitch.run(&["block"])?.done()?.contains("sipwitch block add"));
    ensure!(sipwitch.json(&["block", "list"])? == json!([]));
    let added = sipwitch.json(&["block", "add", "030 123456", "+49900*", "anonymous"])?;
    ensure!(added == json!({ "blocked": ["+4930123456", "+49900*", "anonymous"] }), "{added}");
    sipwitch.run(&["block", "add", "+4930123456", "--reason", "sells\u{202e}"])?.done()?;
    let list = sipwitch.run(&["block"])?;
    for words in ["CALLER", "REASON", "+4930123456", "sells", "+49900*", "anonymous", "s ago"] {
        ensure!(list.done()?.contains(words), "{words}: {list:?}");
    }
    ensure!(!list.out.contains('\u{202e}'), "nothing steers the terminal: {list:?}");
    let checked = sipwitch.run(&["block", "check", "0900123456", "101"])?;
    ensure!(checked.done()?.contains("0900123456 is blocked, by +49900*"), "{checked:?}");
    ensure!(checked.out.contains("101 is not blocked"), "{checked:?}");
    sipwitch.run(&["block", "remove", "0900123456"])?.failed(
        1,
        &["not on the list", "+49900* is on the list and means 0900123456: remove that"],
    )?;
    sipwitch.run(&["block", "remove", "101"])?.failed(1, &["sipwitch block"])?;
    for (caller, words) in [
        ("*", "would block everybody"),
        ("112", "who helps is never blocked"),
        ("0900*", "write + and the country code"),
        ("a b c", "has no place in a contact"),
        ("", "empty"),
        ("\u{1b}[2J", "has no place in a contact"),
    ] {
        sipwitch.run(&["block", "add", caller])?.failed(1, &[words])?;
    }
    let long = "x".repeat(300);
    sipwitch.run(&["block", "add", "101", "--reason", &long])?.failed(1, &["more than the 200"])?;
    sipwitch.run(&["block", "add"])?.failed(2, &["CALLER"])?;
    ensure!(sipwitch.json(&["block"])?.as_array().is_some_and(|all| all.len() == 3));
    let gone = sipwitch.json(&["block", "remove", "anonymous", "101"])?;
    ensure!(gone == json!({ "unblocked": ["anonymous"] }), "{gone}");
    Ok(())
}
