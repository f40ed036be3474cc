// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line tool, run as a person or a script runs it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::program::{in_home, ours};
use crate::{House, PATIENCE, Program};

/// `sipwitch` in a home, on a bus or without one.
#[derive(Debug, Clone)]
pub struct CommandLine {
    home: PathBuf,
    bus: Option<String>,
}

impl CommandLine {
    /// As the user of a house.
    #[must_use]
    pub fn of(house: &House) -> Self {
        Self::new(house.home(), house.bus.as_ref().map(|bus| bus.address.as_str()))
    }

    /// In a home, with the address of a bus.
    #[must_use]
    pub fn new(home: &Path, bus: Option<&str>) -> Self {
        Self { home: home.to_owned(), bus: bus.map(str::to_owned) }
    }

    /// The command, ready to be started. Only a terminal makes a difference to `TERM`.
    ///
    /// # Errors
    /// The tool is not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = in_home(ours("sipwitch", "sipwitch-cli")?, &self.home);
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command.env("TERM", "xterm-256color").args(arguments);
        Ok(command)
    }

    /// Starts it, for what goes on until something happens.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Result<Program> {
        Program::start(&format!("sipwitch {}", arguments.join(" ")), &mut self.command(arguments)?)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn run(&self, arguments: &[&str]) -> Result<Said> {
        self.run_with(arguments, "")
    }

    /// Runs it to its end, with something on its standard input.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Result<Said> {
        run(self.command(arguments)?, input)
    }

    /// Runs it with `--json`, which must succeed with one value.
    ///
    /// # Errors
    /// It did not.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        self.run(&[arguments, &["--json"]].concat())?.json()
    }
}

/// Runs a command to its end, with something on its standard input.
///
/// # Errors
/// It cannot be started or does not end.
pub fn run(mut command: Command, input: &str) -> Result<Said> {
    let what = format!("{:?}", command.get_args().collect::<Vec<_>>());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    // A program that reads nothing may be gone before it is written.
    let _ = child.stdin.take().context("there is an input")?.write_all(input.as_bytes());
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (tell, done) = mpsc::channel();
    std::thread::spawn(move || {
        let errors = std::thread::spawn(move || read(&mut stderr));
        let out = read(&mut stdout);
        let _ = tell.send((out, errors.join().unwrap_or_default()));
    });
    let Ok((out, err)) = done.recv_timeout(PATIENCE * 2) else {
        child.kill()?;
        child.wait()?;
        bail!("{what} does not end");
    };
    let code = child.wait()?.code().with_context(|| format!("{what} was killed: {out}{err}"))?;
    Ok(Said { what, code, out, err })
}

fn read(from: &mut Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let _ = from.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a run said.
#[derive(Debug, Clone)]
pub struct Said {
    /// What was run.
    pub what: String,
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// It succeeded: standard output, with nothing on standard error.
    ///
    /// # Errors
    /// It did not.
    pub fn done(&self) -> Result<&str> {
        ensure!(self.code == 0 && self.err.is_empty(), "{self:?}");
        Ok(&self.out)
    }

    /// It succeeded with one JSON value.
    ///
    /// # Errors
    /// It did not.
    pub fn json(&self) -> Result<Value> {
        let text = self.done()?;
        ensure!(text.lines().count() == 1, "one line of JSON: {self:?}");
        serde_json::from_str(text).map_err(|error| anyhow!("{error} in {self:?}"))
    }

    /// It failed with that code, and each of the texts stands on standard error.
    ///
    /// # Errors
    /// It did not.
    pub fn failed(&self, code: i32, texts: &[&str]) -> Result<()> {
        ensure!(self.code == code, "exit code {code} was expected: {self:?}");
        for text in texts {
            ensure!(self.err.contains(text), "{text:?} was expected: {self:?}");
        }
        ensure!(!self.err.contains("panicked"), "{self:?}");
        Ok(())
    }

    /// The JSON of a failure.
    ///
    /// # Errors
    /// It is none.
    pub fn failure(&self) -> Result<Value> {
        ensure!(self.code != 0 && self.err.lines().count() == 1, "{self:?}");
        let value: Value = serde_json::from_str(&self.err)?;
        for key in ["error", "cause", "next"] {
            ensure!(value[key].is_string(), "{key} in {self:?}");
        }
        Ok(value)
    }
}
