// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom polkit has ask for passwords where the session has no such program: on a text terminal, or
//! over ssh.

use std::{
    io,
    os::fd::AsFd,
    process::{Child, Command, Stdio, id},
};

use nix::{
    poll::{PollFd, PollFlags, poll},
    sys::signal::{Signal, kill},
    unistd::{Pid, getuid},
};

use crate::prompt;

/// From polkit. It finds the terminal by itself.
const PROGRAM: &str = "pkttyagent";
/// In milliseconds, until polkit knows it. Later is as good as never: then polkit refuses, and says so.
const PATIENCE: u16 = 5000;

/// Asks on this terminal for as long as it lives. Nobody does where nobody is there, where root is, or
/// where polkit has no such program.
#[derive(Debug)]
pub(super) struct Agent(Option<Child>);

impl Agent {
    pub(super) fn start() -> Self {
        if getuid().is_root() || !prompt::somebody_is_there() {
            return Self(None);
        }
        Self(start().ok())
    }

    /// Whether a question may be on the terminal.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

/// It closes its standard output when polkit knows it, or has refused it.
fn start() -> io::Result<Child> {
    let (known, output) = io::pipe()?;
    let child = Command::new(PROGRAM)
        // The agent of a session, if there is one, stays the one that is asked.
        .args(["--fallback", "--notify-fd", "1", "--process", &id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::from(output))
        .stderr(Stdio::null())
        .spawn()?;
    let mut closed = [PollFd::new(known.as_fd(), PollFlags::POLLIN)];
    // Whatever comes of it: polkit says what it lacks.
    let _ = poll(&mut closed, PATIENCE);
    Ok(child)
}

impl Drop for Agent {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        // Not the one that cannot be caught: it would leave the terminal as it is while it asks.
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM); // it may have ended by itself
        }
        let _ = child.wait();
    }
}
