// SPDX-License-Identifier: GPL-3.0-or-later
//! Contacts blocked by Telepathy's own programs: what they call and write then reaches nobody.

use anyhow::{Result, ensure};
use sipwitch_tests::peers::{Account, Baresip, Operator, Telepathy};
use sipwitch_tests::{CommandLine, House, Program, net};

/// How often the client told something that begins so.
fn times(client: &Program, beginning: &str) -> usize {
    client.said.all().iter().filter(|line| line.starts_with(beginning)).count()
}

#[test]
fn a_contact_that_a_client_blocks_calls_and_writes_to_nobody_until_it_is_unblocked() -> Result<()> {
    let (house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let sipwitch = CommandLine::of(&house);
    let client = &mut telepathy.client;
    client.type_line("blocking")?;
    client.wait_for("blocks 0 capabilities 0")?;
    client.type_line("block 102")?;
    // When it is done, the library has heard of the change already.
    client.wait_for_all(&["now blocked: 102", "block of 102 done, blocked True"])?;
    let list = sipwitch.json(&["block"])?;
    ensure!(list[0]["caller"] == "102", "{list}");

    bert.call("101")?;
    let why = bert.closed()?;
    ensure!(why.contains("480"), "nobody is in: {why}");
    let sent = sipwitch.run(&["message", "101", "unwanted", "--from", "102"])?;
    ensure!(sent.done()?.contains("kept"), "{sent:?}");
    let history = sipwitch.json(&["history"])?;
    ensure!(history[0]["blocked"] == "102" && history[0]["caller"] == "102", "{history}");
    let words = sipwitch.run(&["history"])?;
    ensure!(words.done()?.contains("blocked by you on 20"), "{words:?}");
    // The user calls whom he likes.
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.hang_up()?;
    client.wait_for("state 6")?;
    client.type_line("close")?;

    client.type_line("unblock 102")?;
    client.wait_for_all(&["no longer blocked: 102", "unblock of 102 done, blocked False"])?;
    bert.call("101")?;
    client.wait_for("rings from 102")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    let sent = sipwitch.run(&["message", "101", "wanted", "--from", "102"])?;
    ensure!(sent.done()?.contains("delivered"), "{sent:?}");
    client.wait_for("text wanted")?;
    ensure!(times(client, "rings from") == 1, "it rang once");
    ensure!(times(client, "text unwanted") == 0, "and nothing else was read");
    Ok(())
}

#[test]
fn what_others_block_is_told_to_clients_and_is_there_after_a_restart() -> Result<()> {
    let (mut house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("blocking")?;
    client.wait_for("blocks 0")?;
    let sipwitch = CommandLine::of(&house);
    let reason = ["--reason", "sells"];
    sipwitch
        .run(&[&["block", "add", "+4930123", "eve@example.org"][..], &reason].concat())?
        .done()?;
    client.wait_for_all(&["now blocked: +4930123", "now blocked: sip:eve@example.org"])?;
    // What means many is no contact.
    sipwitch.run(&["block", "add", "+49900*", "@example.com", "anonymous"])?.done()?;
    client.wait_for("now blocked: sip:anonymous@anonymous.invalid")?;
    sipwitch.run(&["block", "remove", "+49 30 123"])?.done()?;
    client.wait_for("no longer blocked: +4930123")?;
    client.type_line("block 112")?;
    client.wait_for("block of 112 refused")?;
    house.kill_service()?;
    client.wait_for("status 2 reason 2")?;
    house.start_service()?;
    client.wait_for("connected as 101 called")?;
    client.type_line("blocking")?;
    client.wait_for("blocks 2")?;
    let list = CommandLine::of(&house).json(&["block"])?;
    ensure!(list.as_array().is_some_and(|all| all.len() == 4), "{list}");
    Ok(())
}

#[test]
fn an_account_at_a_provider_is_blocked_for_by_the_same_list() -> Result<()> {
    const PASSWORD: &str = "wonderland7";
    let plan = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let operator = plan.start()?;
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let mut bert = Baresip::start(&Account::new("bert", operator.at).with_password("b"))?;
    bert.registered()?;
    let client = &mut telepathy.client;
    let (host, port) = (operator.at.ip(), operator.at.port());
    let (domain, how) = (Operator::DOMAIN, format!("proxy-host={host} port={port} transport=udp"));
    client.type_line(&format!("provider anna@{domain} {how} password={PASSWORD}"))?;
    client.wait_for(&format!("connected as sip:anna@{domain}"))?;
    client.type_line("blocking")?;
    client.wait_for("blocks 0")?;

    bert.call("anna")?;
    let rings = client.wait_for("rings from sip:bert@")?;
    let caller = rings.split_whitespace().nth(2).unwrap_or_default().to_owned();
    client.type_line("hangup 2")?;
    bert.closed()?;
    client.type_line(&format!("block {caller}"))?;
    client.wait_for(&format!("block of {caller} done, blocked True"))?;
    bert.call("anna")?;
    let why = bert.closed()?;
    ensure!(why.contains("480"), "nobody is in: {why}");
    client.type_line(&format!("unblock {caller}"))?;
    client.wait_for(&format!("unblock of {caller} done, blocked False"))?;
    bert.call("anna")?;
    client.wait_for("rings from sip:bert@")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    ensure!(times(client, "rings from") == 2, "not when he was blocked");
    let list = CommandLine::of(&house).json(&["block"])?;
    ensure!(list.as_array().is_some_and(Vec::is_empty), "{list}");
    Ok(())
}
