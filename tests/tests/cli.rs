// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line: what a person reads, what a script reads, and what either does wrong.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use anyhow::{Context, Error, Result, ensure};
use serde_json::{Value, json};
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::house::Start;
use sipwitch_tests::program::new_home;
use sipwitch_tests::{CommandLine, House, PATIENCE, PrivateBus, command_line};

fn phone(house: &House, account: Sim) -> Result<Phone> {
    Phone::new(Transport::Udp, house.at.ip(), house.at, account).map_err(Error::msg)
}

#[test]
fn without_a_bus_it_says_so() -> Result<()> {
    let home = new_home()?;
    let sipwitch = CommandLine::new(home.path(), None);
    for command in
        [&["status"][..], &["dial", "102"], &["calls"], &["watch"], &["config", "reload"]]
    {
        sipwitch.run(command)?.failed(3, &["there is no session bus", "desktop session"])?;
        let failure = sipwitch.run(&[command, &["--json"]].concat())?;
        ensure!(failure.code == 3 && failure.failure()?["error"] == "unreachable", "{failure:?}");
    }
    // What is in the file can be checked all the same.
    ensure!(sipwitch.run(&["config", "check"])?.done()?.contains("the defaults hold"));
    let misused = sipwitch.run(&["bogus", "--json"])?;
    ensure!(misused.code == 2 && misused.failure()?["error"] == "usage", "{misused:?}");
    let doctor = sipwitch.run(&["doctor"])?;
    doctor.failed(1, &["one thing keeps calls from working"])?;
    ensure!(doctor.out.contains("✗ bus"), "{doctor:?}");
    for address in ["unix:path=/nonexistent/bus", "rubbish", "tcp:host=127.0.0.1,port=1"] {
        CommandLine::new(home.path(), Some(address)).run(&["status"])?.failed(3, &["bus"])?;
    }
    Ok(())
}

#[test]
fn without_the_service_it_says_what_to_do() -> Result<()> {
    let home = new_home()?;
    let bus = PrivateBus::start(home.path(), None)?;
    let sipwitch = CommandLine::new(home.path(), Some(&bus.address));
    for command in [&["status"][..], &["dial", "102"], &["calls"], &["phones", "add", "101"]] {
        sipwitch.run(command)?.failed(3, &["cannot start it", "sipwitchd"])?;
    }
    let broken = new_home()?;
    let bus = PrivateBus::start(broken.path(), Some("/bin/false"))?;
    let sipwitch = CommandLine::new(broken.path(), Some(&bus.address));
    sipwitch.run(&["status"])?.failed(3, &["could not be started", "journalctl"])?;
    Ok(())
}

#[test]
fn words_that_mean_nothing_are_usage() -> Result<()> {
    let home = new_home()?;
    let sipwitch = CommandLine::new(home.path(), None);
    for (arguments, words) in [
        (&[][..], "Usage: sipwitch"),
        (&["stat"], "status"),
        (&["dial"], "CONTACT"),
        (&["dial", "101", "102"], "unexpected argument"),
        (&["dial", "101", "--ring", "0"], "1..=600"),
        (&["hangup", "x"], "sipwitch calls"),
        (&["hangup", "--all", "3"], "cannot be used with"),
        (&["hold", "-1"], "-1"),
        (&["phones", "remove", "x"], "sipwitch phones"),
        (&["phones", "setup", "gnome-call", "101"], "gnome-calls"),
        (&["extensions", "add", "101", "--kind", "robot"], "person, group, service"),
        (&["history", "-n", "0"], "1..=1000"),
        (&["config"], "check"),
        (&["\u{1b}[2J"], "unrecognized"),
    ] {
        let said = sipwitch.run(arguments)?;
        said.failed(2, &[words])?;
        ensure!(said.out.is_empty(), "{said:?}");
    }
    let help = sipwitch.run(&["--help"])?;
    ensure!(help.done()?.contains("Exit status") && !help.out.contains('\u{1b}'), "{help:?}");
    ensure!(sipwitch.run(&["--version"])?.done()?.starts_with("sipwitch "));
    Ok(())
}

#[test]
fn an_empty_house_says_what_comes_next() -> Result<()> {
    let house = House::plan().start(Start::ByActivation).build()?;
    let sipwitch = CommandLine::of(&house);
    let status = sipwitch.run(&["status"])?;
    ensure!(status.done()?.contains("running") && status.out.contains(&house.at.to_string()));
    let json = sipwitch.json(&["status"])?;
    ensure!(json["phones"] == 0 && json["calls"] == 0 && json["warnings"] == json!([]), "{json}");
    ensure!(json["addresses"][0] == format!("udp:{}", house.at), "{json}");
    for (command, words) in [
        (&["calls"][..], "no calls"),
        (&["history"], "no calls yet"),
        (&["phones"], "sipwitch phones add"),
        (&["extensions"], "sipwitch extensions add"),
        (&["hangup", "--all"], "no call under way"),
    ] {
        ensure!(sipwitch.run(command)?.done()?.contains(words), "{command:?}");
    }
    for command in ["calls", "history", "phones", "extensions"] {
        ensure!(sipwitch.json(&[command])? == json!([]), "{command}");
    }
    sipwitch
        .run(&["dial", "102"])?
        .failed(1, &["no phone is registered", "sipwitch phones add"])?;
    sipwitch.run(&["dial", ""])?.failed(1, &["empty"])?;
    for command in ["hangup", "hold", "resume", "answer"] {
        sipwitch.run(&[command])?.failed(1, &["no call under way"])?;
        sipwitch.run(&[command, "7"])?.failed(1, &["no call 7", "sipwitch calls"])?;
    }
    sipwitch.run(&["dtmf", "5"])?.failed(1, &["no call under way"])?;
    sipwitch.run(&["transfer", "102", "7"])?.failed(1, &["no call 7"])?;
    sipwitch
        .run(&["message", "102", "hello"])?
        .failed(1, &["no extension 102", "sipwitch extensions"])?;
    sipwitch.run(&["query", "102"])?.failed(1, &["no extension 102"])?;
    sipwitch.run(&["phones", "remove", "9"])?.failed(1, &["no phone 9", "sipwitch phones"])?;
    let failure = sipwitch.run(&["dial", "102", "--json"])?.failure()?;
    ensure!(failure["error"] == "NoPhone", "{failure}");
    let explained = sipwitch.run(&["explain", "102"])?;
    ensure!(explained.done()?.contains("not 102"), "{explained:?}");
    ensure!(explained.out.contains("no such extension"), "{explained:?}");
    let explained = sipwitch.run(&["explain", "030 123456"])?;
    for words in ["no line leads there", "sipwitch accounts add"] {
        ensure!(explained.done()?.contains(words), "{words}: {explained:?}");
    }
    let explained = sipwitch.json(&["explain", "102"])?;
    ensure!(explained["attempts"] == json!([]) && explained["rejected"][0]["words"].is_string());
    let doctor = sipwitch.run(&["doctor"])?;
    ensure!(doctor.done()?.contains("✓ service") && doctor.out.contains("! phones"), "{doctor:?}");
    for words in ["accounts      there are none", "→ make one: sipwitch accounts add", "emergency"]
    {
        ensure!(doctor.out.contains(words), "{words}: {doctor:?}");
    }
    let findings = sipwitch.json(&["doctor"])?;
    ensure!(findings.as_array().is_some_and(|all| all.iter().all(|one| one["verdict"] != "bad")));
    Ok(())
}

#[test]
fn extensions_are_made_changed_and_removed() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    let made = sipwitch.run(&["extensions", "add", "101", "--name", "Anna", "--ring", "20"])?;
    ensure!(made.done()?.contains("101 made"), "{made:?}");
    sipwitch.run(&["extensions", "add", "101"])?.failed(1, &["101 exists already"])?;
    sipwitch.run(&["extensions", "add", "a b"])?.failed(1, &["cannot be part"])?;
    sipwitch.run(&["extensions", "add", "112"])?.failed(1, &["emergency"])?;
    sipwitch.run(&["extensions", "add", "102", "--ring", "9999"])?.failed(1, &["9999", "600"])?;
    ensure!(sipwitch.json(&["extensions", "add", "102"])?["extension"] == "102");
    let group =
        ["extensions", "add", "200", "--kind", "group", "--member", "101", "--member", "102"];
    sipwitch.run(&group)?.done()?;
    sipwitch.run(&["extensions", "change", "102", "--name", "Bert"])?.done()?;
    sipwitch.run(&["extensions", "change", "102"])?.failed(2, &["102", "--name"])?;
    sipwitch
        .run(&["extensions", "change", "109", "--name", "x"])?
        .failed(1, &["no extension 109"])?;
    let list = sipwitch.run(&["extensions", "list"])?;
    for words in ["NUMBER", "Anna", "Bert", "group of 101 102"] {
        ensure!(list.done()?.contains(words), "{words}: {list:?}");
    }
    let list = sipwitch.json(&["extensions"])?;
    ensure!(
        list[0]
            == json!({
                "number": "101", "name": "Anna", "kind": "person", "members": [], "ring-seconds": 20,
                "has-password": false, "authentication": "password", "login-state": "none",
                "login-words": "", "phones": [],
            }),
        "{list}"
    );
    sipwitch.run(&["extensions", "remove", "200"])?.done()?;
    sipwitch.run(&["extensions", "remove", "200"])?.failed(1, &["no extension 200"])?;
    ensure!(sipwitch.json(&["extensions"])?.as_array().map(Vec::len) == Some(2));
    Ok(())
}

#[test]
fn a_table_is_imported_and_its_bad_lines_are_named() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let table = "number,name,kind,members\n101,Anna,,\n102,Bert,,\nx y,Nobody,,\n200,All,group,101 102\n102,Twice,,\n";
    let file = house.home().join("house.csv");
    fs::write(&file, table)?;
    let file = file.to_str().context("a path of letters")?;
    let said = sipwitch.run(&["extensions", "import", file])?;
    said.failed(1, &["2 lines were refused"])?;
    for words in ["2 made, 1 changed, 2 lines refused", "line 4: ", "line 6: "] {
        ensure!(said.out.contains(words), "{words}: {said:?}");
    }
    let good: String = table.lines().take(3).map(|line| format!("{line}\n")).collect();
    let said = sipwitch.run_with(&["extensions", "import", "-", "--json"], &good)?.json()?;
    ensure!(said == json!({ "added": 0, "changed": 2, "refused": [] }), "{said}");
    sipwitch.run_with(&["extensions", "import", "-"], "colour\nred\n")?.failed(1, &["colour"])?;
    sipwitch
        .run(&["extensions", "import", "/nonexistent.csv"])?
        .failed(2, &["/nonexistent.csv"])?;
    Ok(())
}

#[test]
fn passwords_come_by_input_or_are_chosen_and_open_the_door() -> Result<()> {
    let house = House::plan().everybody_needs_a_password().extensions(&["101"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let registers = |password: &str| -> Result<Option<u16>> {
        let mut account = Sim::new("101");
        account.password = password.into();
        Ok(phone(&house, account)?.register(600).map_err(Error::msg)?.status())
    };
    let said = sipwitch.run_with(&["extensions", "password", "101"], "kurz\n")?;
    said.failed(1, &["shorter than 8"])?;
    let said = sipwitch.run_with(&["extensions", "password", "101"], "correct horse\n")?;
    ensure!(said.done()?.contains("101 has a new password") && !said.out.contains("horse"));
    ensure!(registers("correct horse")? == Some(200));
    let chosen = sipwitch.json(&["extensions", "password", "101", "--generate"])?;
    let chosen = chosen["password"].as_str().context("the password")?;
    ensure!(registers(chosen)? == Some(200));
    ensure!(registers("correct horse")? != Some(200));
    let added = sipwitch.json(&["phones", "add", "101", "--new-password"])?;
    ensure!(
        registers(added["password"].as_str().context("the password")?)? == Some(200),
        "{added}"
    );
    sipwitch
        .run_with(&["extensions", "password", "109"], "12345678\n")?
        .failed(1, &["no extension"])?;
    Ok(())
}

#[test]
fn a_phone_is_told_what_it_needs_and_is_listed_and_forgotten() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    let said = sipwitch.run(&["phones", "add", "101", "--qr"])?;
    for words in ["extension 101 made", "101@", &house.at.to_string(), "UDP", "█"] {
        ensure!(said.done()?.contains(words), "{words}: {said:?}");
    }
    let account = sipwitch.json(&["phones", "add", "101"])?;
    ensure!(account["user"] == "101" && account["password"].is_null(), "{account}");
    ensure!(account["uri"] == format!("sip:101@{};transport=udp", house.at), "{account}");
    let mut anna = phone(&house, Sim::new("101"))?;
    ensure!(anna.register(600).map_err(Error::msg)?.status() == Some(200));
    let listed = sipwitch.run(&["phones"])?;
    ensure!(listed.done()?.contains("PROGRAM") && listed.out.contains(&anna.local().to_string()));
    let phones = sipwitch.json(&["phones", "list"])?;
    ensure!(phones[0]["extension"] == "101" && phones[0]["transport"] == "udp", "{phones}");
    let id = phones[0]["id"].to_string();
    ensure!(sipwitch.json(&["extensions"])?[0]["phones"][0] == phones[0]["id"]);
    ensure!(sipwitch.run(&["phones", "remove", &id])?.done()?.contains("forgotten"));
    ensure!(sipwitch.json(&["phones"])? == json!([]));
    sipwitch.run(&["phones", "remove", &id])?.failed(1, &["no phone"])?;
    Ok(())
}

#[test]
fn texts_are_delivered_or_kept() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let sipwitch = CommandLine::of(&house);
    let said = sipwitch.run(&["message", "102", "later", "--from", "101"])?;
    ensure!(said.done()?.contains("kept"), "{said:?}");
    let mut anna = phone(&house, Sim::new("101"))?;
    anna.register(600).map_err(Error::msg)?;
    let sending = sipwitch.start(&["message", "101", "now", "--from", "102", "--json"])?;
    let message =
        anna.wait("a MESSAGE", PATIENCE, |m| m.status().is_none() && m.method() == "MESSAGE");
    let message = message.map_err(Error::msg)?;
    ensure!(message.body() == b"now", "{message:?}");
    anna.respond(&message, "200 OK").map_err(Error::msg)?;
    let (mut sending, mut said) = (sending, String::new());
    ensure!(sending.wait_for_end(PATIENCE)?.success());
    said.push_str(&sending.said.all().join("\n"));
    ensure!(serde_json::from_str::<Value>(&said)? == json!({ "state": "delivered" }), "{said}");
    sipwitch.run(&["message", "101", ""])?.failed(1, &["1300"])?;
    sipwitch.run(&["message", "101", &"x".repeat(1301)])?.failed(1, &["1300"])?;
    Ok(())
}

#[test]
fn the_configuration_is_checked_and_read_again() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    ensure!(sipwitch.run(&["config", "check"])?.done()?.contains("valid"));
    let said = sipwitch.run(&["config", "reload"])?;
    // The addresses that the command line named stay: nothing waits for a restart.
    ensure!(said.done()?.contains("read again") && !said.out.contains("restart"), "{said:?}");
    let bad = house.home().join("bad.toml");
    fs::write(&bad, "[registrar]\n\ntrust-own-loopbak = false\n")?;
    let bad = bad.to_str().context("a path of letters")?;
    let place = format!("{bad}:3:1: ");
    sipwitch.run(&["config", "check", bad])?.failed(1, &[&place, "trust-own-loopback"])?;
    let alone = CommandLine::new(house.home(), None);
    let failure = alone.run(&["config", "check", bad, "--json"])?.failure()?;
    ensure!(failure["cause"].as_str().is_some_and(|cause| cause.contains(&place)), "{failure}");
    fs::copy(bad, house.config())?;
    sipwitch.run(&["config", "reload"])?.failed(1, &["config.toml:3:1: "])?;
    sipwitch.run(&["config", "check"])?.failed(1, &["config.toml:3:1: "])?;
    ensure!(sipwitch.run(&["status"])?.code == 0, "the configuration in use stays");
    fs::remove_file(house.config())?;
    ensure!(sipwitch.run(&["config", "check"])?.done()?.contains("the defaults hold"));
    let missing = sipwitch.run(&["config", "check", "/nonexistent.toml"])?;
    missing.failed(1, &["/nonexistent.toml: No such file"])?;
    ensure!(missing.err.matches("No such file").count() == 1, "{missing:?}");
    Ok(())
}

#[test]
fn packagers_get_man_pages_and_completions() -> Result<()> {
    let home = new_home()?;
    let sipwitch = CommandLine::new(home.path(), None);
    sipwitch.run(&["generate", "man", "man"])?.done()?;
    for command in ["", "-dial", "-phones-setup", "-extensions-import", "-config-check"] {
        let page = fs::read_to_string(home.path().join(format!("man/sipwitch{command}.1")))?;
        ensure!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    sipwitch.run(&["generate", "completions", "completions"])?.done()?;
    for file in ["sipwitch.bash", "_sipwitch", "sipwitch.fish"] {
        let text = fs::read_to_string(home.path().join("completions").join(file))?;
        ensure!(text.contains("extensions") && text.contains("detach"), "{file}");
    }
    sipwitch.run(&["generate", "man", "/proc/nowhere"])?.failed(1, &["/proc/nowhere"])?;
    Ok(())
}

/// A phone whose program's name would clear the screen, change its title and turn the direction.
const HOSTILE: &str = "Evil\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}phone";

#[test]
fn a_strangers_phone_cannot_steer_the_terminal() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let mut evil = phone(&house, Sim::new("101"))?;
    let (me, agent) = (evil.address_of_record(), format!("User-Agent: {HOSTILE}"));
    let answer = evil.ask("REGISTER", &me, &[agent, "Expires: 600".into()], b"");
    ensure!(answer.map_err(Error::msg)?.status() == Some(200));
    let sipwitch = CommandLine::of(&house);
    let steers = |text: &str| {
        text.chars()
            .any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
    };
    for command in [&["phones"][..], &["watch", "-n", "1"], &["phones", "--json"]] {
        let said = sipwitch.run(command)?;
        ensure!(said.done()?.contains("Evil"), "{said:?}");
        ensure!(!steers(&said.out), "{said:?}");
    }
    let shown = on_a_terminal(&sipwitch, &["watch", "-n", "1"], &[])?;
    ensure!(shown.contains("Evil") && shown.contains("\u{1b}[32m"), "{shown:?}");
    for sequence in ["\u{1b}[2J", "\u{1b}]0;", "\u{7}", "\u{9b}", "\u{202e}"] {
        ensure!(!shown.contains(sequence), "{sequence:?} in {shown:?}");
    }
    Ok(())
}

#[test]
fn colours_are_for_terminals_that_want_them() -> Result<()> {
    let house = House::plan().build()?;
    let sipwitch = CommandLine::of(&house);
    ensure!(!sipwitch.run(&["status"])?.done()?.contains('\u{1b}'));
    ensure!(!sipwitch.run(&["doctor"])?.done()?.contains('\u{1b}'));
    ensure!(!sipwitch.run(&["hangup"])?.err.contains('\u{1b}'));
    ensure!(on_a_terminal(&sipwitch, &["status"], &[])?.contains("\u{1b}[32mrunning"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_a_terminal(&sipwitch, &["status"], &[(name, value)])?;
        ensure!(shown.contains("running") && !shown.contains('\u{1b}'), "{name}: {shown:?}");
    }
    ensure!(!on_a_terminal(&sipwitch, &["status", "--json"], &[])?.contains('\u{1b}'));
    Ok(())
}

/// What appears on a terminal.
fn on_a_terminal(
    sipwitch: &CommandLine,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<String> {
    let terminal = nix::pty::openpty(None, None)?;
    let mut command = sipwitch.command(arguments)?;
    command.envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(terminal.slave).stderr(Stdio::null());
    let mut child = command.spawn()?;
    // The command holds the other end too; without it, reading ends when the program has ended.
    drop(command);
    let mut shown = Vec::new();
    let mut master = fs::File::from(terminal.master);
    // A terminal that nobody holds any more gives an error instead of the end (EIO).
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..length]);
    }
    ensure!(child.wait()?.success(), "{arguments:?}");
    Ok(String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let sipwitch = CommandLine::of(&house);
    for arguments in
        [&["status"][..], &["extensions"], &["doctor"], &["status", "--json"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = sipwitch.command(arguments)?;
        command.stdin(Stdio::null()).stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
        let ended = command.output()?;
        let words = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success() && words.is_empty(), "{arguments:?}: {words}");
    }
    // Both ends gone, as when a terminal is closed.
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut command = sipwitch.command(&["hangup"])?;
    command.stdin(Stdio::null()).stderr(OwnedFd::from(writer));
    ensure!(command.output()?.status.code() == Some(1), "the exit code stays");
    let _ = command_line::run(sipwitch.command(&["status"])?, "nobody reads this")?.done()?;
    Ok(())
}
