// SPDX-License-Identifier: GPL-3.0-or-later
//! Providers that never come to an end: what the account then says of itself, and how often they
//! were asked until it did. SIPp plays them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Manner, Misbehaving};
use sipwitch_tests::{CommandLine, House, net};

const NUMBER: &str = "+4930901820";

/// Makes the account of alice there, with a password that is kept in memory alone.
fn sign_up(house: &House, provider: &Misbehaving) -> Result<()> {
    let (host, port) =
        (provider.at.ip().to_string(), format!("server.port={}", provider.at.port()));
    let mut command = vec!["accounts", "add", "--domain", &host, "--id", "bad"];
    command.extend(["--answer", "user=alice", "--set", &port]);
    command.extend(["--set", "server.transports=udp", "--no-wait", "--password-stdin"]);
    CommandLine::of(house).run_with(&command, "wonder land 7\n")?.done()?;
    Ok(())
}

fn house() -> Result<House> {
    House::plan().settings("[accounts]\npasswords = \"memory\"").extensions(&["101"]).build()
}

/// Why an account cannot be reached, once it says so, and how long it will leave its provider alone.
fn at_rest(house: &House) -> Result<(String, Duration)> {
    let desk = house.desk();
    desk.account_is("bad", &[AccountState::Unreachable])?;
    let account = desk.account("bad")?;
    let (why, again) = desk.wait("what it says of itself", async {
        let why = account.state_reason().await?;
        zbus::Result::Ok((why, account.tries_again_at_microseconds().await?))
    })??;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok((why, Duration::from_micros(again).saturating_sub(now)))
}

/// An account at such a provider is tried again, but not at once: it says why, and has asked no more
/// than so often.
fn is_left(manner: Manner, words: &str, most: usize) -> Result<()> {
    let provider = Misbehaving::start(net::other_loopback(), manner)?;
    let house = house()?;
    sign_up(&house, &provider)?;
    let (why, rest) = at_rest(&house)?;
    let asked = provider.times_asked("REGISTER");
    ensure!(why.contains(words), "{why}");
    ensure!(rest > Duration::from_secs(5), "it insists: again in {rest:?}");
    ensure!((1..=most).contains(&asked), "asked {asked} times:\n{}", provider.messages());
    Ok(())
}

#[test]
fn challenges_without_end_are_answered_a_few_times_and_then_left() -> Result<()> {
    is_left(Manner::ChallengeForEver, "the challenges do not come to an end", 5)
}

#[test]
fn redirections_without_end_are_followed_a_few_times_and_then_left() -> Result<()> {
    is_left(Manner::MovedForEver, "the provider sends us in circles", 6)
}

#[test]
fn intervals_that_are_never_long_enough_are_raised_a_few_times_and_then_left() -> Result<()> {
    is_left(Manner::TooBriefForEver, "finds every time to register for too short (423)", 4)
}

/// A call by that provider, which nothing else can carry: it is over after so many INVITEs, and no
/// phone rang.
fn call_ends(manner: Manner, invites: usize) -> Result<()> {
    let provider = Misbehaving::start(net::other_loopback(), manner)?;
    let house = house()?;
    let mut inside = Baresip::start(&Account::new("101", house.at))?;
    inside.registered()?;
    sign_up(&house, &provider)?;
    house.desk().account_is("bad", &[AccountState::Online])?;
    inside.call(NUMBER)?;
    let why = inside.closed()?;
    ensure!(why.contains("480"), "{why}");
    house.desk().calls_are(0)?;
    let history = house.desk().history()?;
    let [call] = &history[..] else { bail!("one call was made: {history:?}") };
    let tried: Vec<(u32, &str)> =
        call.route_trace.iter().map(|line| (line.sip_code, line.words.as_str())).collect();
    let sent_on = (302, "the call was sent on to another number");
    ensure!(tried == vec![sent_on; invites], "{call:?}");
    let asked = provider.times_asked("INVITE");
    ensure!(asked == invites, "asked {asked} times:\n{}", provider.messages());
    // It sends calls, and everything else it is asked for goes on.
    house.desk().account_is("bad", &[AccountState::Online])?;
    Ok(())
}

#[test]
fn a_call_that_its_provider_sends_back_to_itself_ends() -> Result<()> {
    // A name in its own network is asked for there, and not once more when it leads to itself.
    call_ends(Manner::RedirectToSelf, 2)
}

#[test]
fn a_call_that_its_provider_sends_back_to_us_ends() -> Result<()> {
    call_ends(Manner::RedirectToUs, 1)
}
