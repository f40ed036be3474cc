// SPDX-License-Identifier: GPL-3.0-or-later
//! What the command line asks whoever sits at a terminal.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use sipwitch_tests::{CommandLine, House, Terminal};

const PASSWORD: &str = "correct-horse-battery";

#[test]
fn an_account_is_made_by_answering_and_somebody_rings_for_it() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    let mut terminal =
        Terminal::run(sipwitch.command(&["accounts", "add", "--id", "pbx", "--disabled"])?)?;
    terminal.shows("Your provider")?;
    terminal.types("pbx.example")?;
    terminal.shows("Is it your domain? [y/N]")?;
    terminal.types("y")?;
    terminal.shows("User name")?;
    terminal.types("100")?;
    terminal.shows("not shown; empty for later")?;
    terminal.types(PASSWORD)?;
    terminal.shows("Number of the first [101]: ")?;
    // What can be no extension is told, and asked again.
    terminal.types("1 0 1")?;
    terminal.shows("Number of the first [101]: ")?;
    terminal.types("")?;
    terminal.shows("sipwitch phones add 101")?;
    let shown = terminal.ends()?;
    ensure!(shown.contains("account pbx made") && !shown.contains(PASSWORD), "{shown}");
    let account = sipwitch.json(&["accounts", "show", "pbx"])?;
    ensure!(account["incoming"] == "101" && account["state"] == "off", "{account}");
    ensure!(sipwitch.json(&["extensions"])?[0]["number"] == "101");
    Ok(())
}

#[test]
fn a_terminal_shows_again_what_is_typed_when_a_password_is_not_given() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    let account = ["accounts", "add", "--domain", "pbx.invalid", "--answer", "user=100"];
    let mut terminal = Terminal::run(sipwitch.command(&account)?)?;
    terminal.shows("not shown; empty for later")?;
    ensure!(!terminal.shows_typing()?);
    terminal.presses(b"secr\x03")?;
    let status = terminal.ended()?;
    ensure!(status.signal() == Some(Signal::SIGINT as i32) && terminal.shows_typing()?, "{status}");
    Ok(())
}

#[test]
fn those_who_can_ring_are_offered() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let family =
        ["extensions", "add", "600", "--kind", "group", "--member", "101", "--name", "All"];
    sipwitch.run(&family)?.done()?;
    let add = |id| {
        let trunk = ["accounts", "add", "--domain", "192.0.2.1", "--trunk", "--id", id];
        [&trunk[..], &["--disabled"]].concat()
    };
    for (id, answers, rings) in [
        ("first", &["600"][..], "600"),
        ("second", &[""], ""),
        ("third", &["103", "n", "102"], "102"),
        ("fourth", &["103", "y"], "103"),
    ] {
        let mut terminal = Terminal::run(sipwitch.command(&add(id))?)?;
        terminal.shows("600  All (group of 101)")?;
        for answer in answers {
            terminal.shows(if answer.len() == 1 { "Make it? [y/N] " } else { ": " })?;
            terminal.types(answer)?;
        }
        terminal.ends()?;
        let account = sipwitch.json(&["accounts", "show", id])?;
        ensure!(account["incoming"] == rings, "{id}: {account}");
    }
    // Who says it beforehand, or is not there, is not asked.
    let terminal =
        Terminal::run(sipwitch.command(&[&add("fifth")[..], &["--incoming", "101"]].concat())?)?;
    let shown = terminal.ends()?;
    ensure!(!shown.contains("Which of them"), "{shown}");
    sipwitch.run(&add("sixth"))?.done()?;
    ensure!(sipwitch.json(&["accounts", "show", "sixth"])?["incoming"] == json!(""));
    Ok(())
}

#[test]
fn a_person_is_asked_for_what_the_provider_asks_and_the_password_is_not_shown() -> Result<()> {
    let house = House::plan().build()?;
    let folder = house.home().join(".config/sipwitch/providers.d");
    fs::create_dir_all(&folder)?;
    let text = "schema = 1\nid = \"house-net\"\nname = \"House Net\"\nkind = \"itsp\"\ndomain = \
                \"house.invalid\"\nevidence = [\"memory\"]\n[auth]\nuser = \"{account}\"\n[ask]\nfields = \
                [{ key = \"account\", label = \"Account number\", pattern = \"[0-9]+\" }, { key = \
                \"password\", label = \"Password\", secret = true }]\n";
    fs::write(folder.join("house-net.toml"), text)?;
    let sipwitch = CommandLine::of(&house);
    let mut terminal = Terminal::run(sipwitch.command(&["accounts", "add", "--no-wait"])?)?;
    for (question, answer) in [
        ("Your provider", "house"),
        ("Account number", "17"),
        ("Password (not shown", PASSWORD),
        ("Number of the first [101]: ", ""),
    ] {
        terminal.shows(question)?;
        terminal.types(answer)?;
    }
    let shown = terminal.ends()?;
    ensure!(shown.contains("account house-net made") && !shown.contains(PASSWORD), "{shown:?}");
    let shown = sipwitch.json(&["accounts", "show", "house-net"])?;
    ensure!(shown["answers"] == json!({ "account": "17" }), "{shown}");
    ensure!(shown["provider-name"] == "House Net" && shown["password-kept"] == "memory", "{shown}");
    Ok(())
}
