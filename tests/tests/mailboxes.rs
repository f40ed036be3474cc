// SPDX-License-Identifier: GPL-3.0-or-later
//! What waits in mailboxes at providers: SIPp has one, kamailio has none.

use anyhow::{Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Manner, Misbehaving, Operator};
use sipwitch_tests::{CommandLine, House, net};
use std::net::SocketAddr;

fn house() -> Result<House> {
    House::plan().settings("[accounts]\npasswords = \"memory\"").extensions(&["101"]).build()
}

/// Makes the account of alice there, which rings 101.
fn sign_up(house: &House, at: SocketAddr) -> Result<()> {
    let (host, port) = (at.ip().to_string(), format!("server.port={}", at.port()));
    let mut command = vec!["accounts", "add", "--domain", &host, "--id", "box"];
    command.extend(["--answer", "user=alice", "--set", &port, "--incoming", "101"]);
    command.extend(["--set", "server.transports=udp", "--no-wait", "--password-stdin"]);
    CommandLine::of(house).run_with(&command, "wonder land 7\n")?.done()?;
    house.desk().account_is("box", &[AccountState::Online])?;
    Ok(())
}

#[test]
fn a_provider_that_is_asked_tells_what_waits_and_the_account_and_the_phone_show_it() -> Result<()> {
    let house = house()?;
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    anna.registered()?;
    let mut provider = Misbehaving::start(net::other_loopback(), Manner::Mailbox)?;
    sign_up(&house, provider.at)?;
    provider.asked_for("SUBSCRIBE")?;
    let desk = house.desk();
    let account = desk.account("box")?;
    desk.wait("messages that wait", async {
        let mut changes = account.receive_messages_waiting_changed().await;
        while let Some(change) = changes.next().await {
            if change.get().await? == 2 {
                return Ok(());
            }
        }
        anyhow::bail!("the bus has gone")
    })??;
    let sipwitch = CommandLine::of(&house);
    let words = "2 new voice messages (1 urgent)";
    let shown = sipwitch.run(&["accounts", "show", "box"])?;
    ensure!(shown.done()?.contains(words), "{shown:?}");
    let json = sipwitch.json(&["accounts", "show", "box"])?;
    ensure!(json["messages-waiting"] == 2 && json["messages-waiting-words"] == words, "{json}");
    let status = sipwitch.run(&["status"])?;
    ensure!(status.done()?.contains(&format!("box: {words}")), "{status:?}");
    let json = sipwitch.json(&["status"])?;
    ensure!(json["messages-waiting"]["box"] == 2, "{json}");
    // The phone is told as well, with nothing of what the provider wrote.
    anna.program.wait_for("Voice-Message: 2/8 (1/0)")?;
    ensure!(provider.times_asked("SUBSCRIBE") == 1, "{}", provider.messages());
    Ok(())
}

#[test]
fn a_provider_without_mailboxes_is_asked_once_and_the_account_is_as_good() -> Result<()> {
    let house = house()?;
    let mut provider =
        Operator::plan(net::other_loopback()).user("alice", "wonder land 7").start()?;
    sign_up(&house, provider.at)?;
    provider.program.wait_for("SUBSCRIBE")?;
    house.desk().account_is("box", &[AccountState::Online])?;
    let json = CommandLine::of(&house).json(&["accounts", "show", "box"])?;
    ensure!(json["state"] == "online" && json["messages-waiting"] == 0, "{json}");
    Ok(())
}
