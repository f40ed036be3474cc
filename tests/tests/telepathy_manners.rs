// SPDX-License-Identifier: GPL-3.0-or-later
//! How the connection manager of Telepathy behaves towards the machine and towards bad clients.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::Pid;
use sipwitch_tests::PATIENCE;
use sipwitch_tests::peers::Telepathy;

/// The code of a program, in kilobytes.
#[derive(Debug)]
struct Code {
    whole: u64,
    /// What of it is mapped now.
    mapped: u64,
}

impl Code {
    fn of(process: Pid) -> Result<Self> {
        let program = fs::read_link(format!("/proc/{process}/exe"))?;
        let maps = fs::read_to_string(format!("/proc/{process}/smaps"))?;
        let mut lines = maps.lines();
        lines
            .find(|line| line.contains(" r-xp ") && line.ends_with(&*program.to_string_lossy()))
            .context("it has code")?;
        let mut kilobytes = |key| {
            let line = lines.find_map(|line| line.strip_prefix(key)).context(key)?;
            anyhow::Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Self { whole: kilobytes("Size:")?, mapped: kilobytes("Rss:")? })
    }
}

/// How often it went to sleep.
fn sleeps(process: Pid) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Ok(line.context("a line of switches")?.trim().parse()?)
}

#[test]
fn an_idle_connection_manager_lets_its_code_go_and_sleeps() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let bridge = telepathy.bridge(&house)?;
    // The kernel tells nobody that pages went. Some come back on the way to sleep.
    let deadline = Instant::now() + PATIENCE;
    let idle = loop {
        let code = Code::of(bridge)?;
        if code.mapped < code.whole / 2 {
            break code;
        }
        ensure!(Instant::now() < deadline, "it keeps its code: {code:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    // What it did once it does again.
    let slept = sleeps(bridge)?;
    telepathy.client.type_line("contact +49-30-123")?;
    telepathy.client.wait_for("contact +4930123 presence 7")?;
    let code = Code::of(bridge)?;
    ensure!(sleeps(bridge)? > slept && code.mapped > idle.mapped, "it has run: {idle:?}, {code:?}");
    Ok(())
}
