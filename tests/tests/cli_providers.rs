// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch providers`: what is known, what is wrong, and where.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::json;
use sipwitch_tests::{CommandLine, House};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/providers.d")
}

/// A house in which what we ship is installed for the user.
fn house() -> Result<(House, CommandLine)> {
    let house = House::plan().build()?;
    let installed = house.home().join(".local/share/sipwitch");
    fs::create_dir_all(&installed)?;
    symlink(shipped(), installed.join("providers.d"))?;
    let sipwitch = CommandLine::of(&house);
    Ok((house, sipwitch))
}

#[test]
fn providers_are_listed_filtered_and_shown() -> Result<()> {
    let (_house, sipwitch) = house()?;
    let all = sipwitch.json(&["providers"])?;
    let all = all.as_array().expect("a list");
    ensure!(all.len() == fs::read_dir(shipped())?.count(), "{}", all.len());
    let listed = sipwitch.run(&["providers", "list", "--country", "de", "fritz"])?;
    let listed = listed.done()?;
    ensure!(listed.contains("fritzbox") && !listed.contains("dus-net"), "{listed}");
    ensure!(!listed.contains('\u{1b}'), "colour without a terminal: {listed:?}");
    let none = sipwitch.run(&["providers", "list", "no", "such", "house"])?;
    ensure!(none.done()?.contains("any-sip-provider"), "{none:?}");

    let shown = sipwitch.run(&["providers", "show", "dus-net"])?;
    for words in
        ["dus.net", "server.tls.host", "secure.dus.net", "(unverified)", "kept in the keyring"]
    {
        ensure!(shown.done()?.contains(words), "{words}: {shown:?}");
    }
    let value = sipwitch.json(&["providers", "show", "dus-net"])?;
    ensure!(value["facts"]["media.dtmf-payload"] == json!(101), "{value}");
    ensure!(value["facts"]["server.transports"] == json!(["tls", "tcp", "udp"]), "{value}");
    ensure!(value["ask"][1]["secret"] == json!(true), "{value}");
    sipwitch
        .run(&["providers", "show", "nobody"])?
        .failed(1, &["no provider nobody", "lists them"])?;
    sipwitch
        .run(&["providers", "list", "--country", "Germany"])?
        .failed(1, &["Germany", "such as DE"])?;
    sipwitch.run(&["providers", "list", "--kind", "shop"])?.failed(2, &["itsp"])?;
    Ok(())
}

#[test]
fn a_users_file_replaces_and_masks_and_its_mistakes_are_told() -> Result<()> {
    let (house, sipwitch) = house()?;
    let own = house.home().join(".config/sipwitch/providers.d");
    fs::create_dir_all(&own)?;
    let text = fs::read_to_string(shipped().join("dus-net.toml"))?;
    fs::write(own.join("dus-net.toml"), text.replace("name = \"dus.net\"", "name = \"Mine\""))?;
    fs::write(own.join("fritzbox.toml"), "")?;
    fs::write(own.join("ippi.toml"), "schema = 1\nid = \"ippi\"\nkind = \"shop\"\n")?;
    let listed = sipwitch.run(&["providers"])?;
    let listed = listed.done()?;
    ensure!(listed.contains("Mine") && !listed.contains("fritzbox"), "{listed}");
    let place =
        format!("! {}:3:8: kind: \"shop\" is unknown here", own.join("ippi.toml").display());
    ensure!(listed.contains(&place), "{place}\n{listed}");
    let value = sipwitch.json(&["providers", "show", "dus-net"])?;
    ensure!(value["origin"] == json!(own.join("dus-net.toml")), "{value}");
    sipwitch.run(&["providers", "show", "ippi"])?.failed(1, &["ippi.toml:3:8:"])?;
    // Who does not look for it hears of it from the doctor, whatever else that finds.
    let doctor = sipwitch.run(&["doctor"])?;
    ensure!(doctor.out.contains("! providers") && doctor.out.contains(&place[2..]), "{doctor:?}");
    Ok(())
}

#[test]
fn a_file_is_checked_before_it_is_used() -> Result<()> {
    let (house, sipwitch) = house()?;
    let file = house.home().join("house-net.toml");
    let name = file.display().to_string();
    let good =
        fs::read_to_string(shipped().join("dus-net.toml"))?.replace("\"dus-net\"", "\"house-net\"");
    fs::write(&file, &good)?;
    ensure!(
        sipwitch.run(&["providers", "check", &name])?.done()?.trim() == format!("{name}: valid")
    );
    fs::write(&file, good.replace("[auth]\n", "[auth]\npassword = \"hunter2\"\n"))?;
    let secret = sipwitch.run(&["providers", "check", &name])?;
    ensure!(
        secret
            .out
            .contains(&format!("{name}:24:1: auth.password: a provider's file holds no secrets")),
        "{secret:?}"
    );
    secret.failed(1, &["would be refused", "sipwitch-provider(5)"])?;
    fs::write(&file, good.replace("[auth]\n", "[auth]\nusre = \"x\"\n"))?;
    let warned = sipwitch.run(&["providers", "check", &name])?;
    ensure!(
        warned.done()?.contains(
            ":24:1: auth.usre: unknown key \"usre\": did you mean \"user\"? (has no effect)"
        ),
        "{warned:?}"
    );
    let value = sipwitch.run(&["providers", "check", &name, "--json"])?;
    ensure!(value.json()?[0]["problems"][0]["key"] == json!("auth.usre"), "{value:?}");
    // The name of the file belongs to it; standard input has none.
    fs::rename(&file, house.home().join("other.toml"))?;
    let other = house.home().join("other.toml").display().to_string();
    let renamed = sipwitch.run(&["providers", "check", &other])?;
    ensure!(renamed.out.contains("the file must be called house-net.toml"), "{renamed:?}");
    sipwitch.run_with(&["providers", "check", "-"], &good)?.done()?;
    fs::write(&file, "\0")?;
    let binary = sipwitch.run(&["providers", "check", &name])?;
    ensure!(binary.out.contains("it is no text"), "{binary:?}");
    fs::File::create(&file)?.set_len(100 << 20)?;
    let large = sipwitch.run(&["providers", "check", &name])?;
    ensure!(large.out.contains("it is larger than 64 KiB"), "{large:?}");
    sipwitch.run(&["providers", "check", "/nowhere"])?.failed(2, &["/nowhere", "can be read"])?;
    sipwitch.run(&["providers", "check"])?.failed(2, &["FILE"])?;
    Ok(())
}
