// SPDX-License-Identifier: GPL-3.0-or-later
//! Somebody at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::PATIENCE;

/// A program on a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    screen: File,
    shown: String,
    /// How much of that was looked at.
    seen: usize,
}

impl Terminal {
    /// Starts it there.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(mut command: Command) -> Result<Self> {
        let pair = nix::pty::openpty(None, None)?;
        command.stdin(pair.slave.try_clone()?).stdout(pair.slave.try_clone()?).stderr(pair.slave);
        let child = command.spawn()?;
        // The command holds the other end too; without it, reading ends when the program has ended.
        drop(command);
        Ok(Self { child, screen: pair.master.into(), shown: String::new(), seen: 0 })
    }

    /// Waits until these words appear.
    ///
    /// # Errors
    /// They do not.
    pub fn shows(&mut self, words: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(words) {
                self.seen += at + words.len();
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero() && self.read(left)?, "no {words:?} in {:?}", self.shown);
        }
    }

    /// Reads what there is; false if nothing came, or nothing can come any more.
    fn read(&mut self, patience: Duration) -> Result<bool> {
        let mut wanted = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
        if poll(&mut wanted, PollTimeout::try_from(patience)?)? == 0 {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        // A terminal that nobody holds any more gives an error instead of the end (EIO).
        let Ok(length @ 1..) = self.screen.read(&mut buffer) else { return Ok(false) };
        self.shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        Ok(true)
    }

    /// Types a line.
    ///
    /// # Errors
    /// The terminal takes no more.
    pub fn types(&mut self, line: &str) -> Result<()> {
        self.presses(format!("{line}\n").as_bytes())
    }

    /// Presses keys, Ctrl+C being 3.
    ///
    /// # Errors
    /// The terminal takes no more.
    pub fn presses(&mut self, keys: &[u8]) -> Result<()> {
        self.screen.write_all(keys).context("the terminal takes no more")
    }

    /// Whether it shows what is typed.
    ///
    /// # Errors
    /// It is no terminal any more.
    pub fn shows_typing(&self) -> Result<bool> {
        Ok(tcgetattr(&self.screen)?.local_flags.contains(LocalFlags::ECHO))
    }

    /// Waits for the end, and gives everything that was shown.
    ///
    /// # Errors
    /// It does not end well.
    pub fn ends(mut self) -> Result<String> {
        let status = self.ended()?;
        ensure!(status.success(), "{status}: {}", self.shown);
        Ok(std::mem::take(&mut self.shown))
    }

    /// Waits for the end, however it comes.
    ///
    /// # Errors
    /// It does not come.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        while self.read(PATIENCE)? {}
        Ok(self.child.wait()?)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
