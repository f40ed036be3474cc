// SPDX-License-Identifier: GPL-3.0-or-later
//! A child process whose output lines are events, and where programs are found.

use std::ffi::OsStr;
use std::io::{BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::{PATIENCE, Transcript};

/// Whether the last lines of each program are shown when it ends. The test runner shows them for
/// tests that failed; a demonstration wants none of it.
pub static SHOW_WHAT_WAS_SAID: AtomicBool = AtomicBool::new(true);

/// A running program. Dropping it ends it by its own handle, and tells what it said.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it says, on both its outputs, one event a line.
    pub said: Transcript,
    ended: Receiver<()>,
    has_ended: bool,
    is_reaped: bool,
}

impl Program {
    /// Starts a command with its outputs captured and its input held open.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what it starts ends with it.
        command.process_group(0);
        let mut child = command.spawn().with_context(|| format!("start {name}: {command:?}"))?;
        let said = Transcript::new();
        let open = Arc::new(AtomicUsize::new(2));
        let outputs = [
            child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
            child.stderr.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
        ];
        for output in outputs.into_iter().flatten() {
            let (said, open) = (said.clone(), Arc::clone(&open));
            std::thread::spawn(move || {
                read_lines(output, &said);
                if open.fetch_sub(1, Ordering::AcqRel) == 1 {
                    said.close();
                }
            });
        }
        let stdin = child.stdin.take();
        let pid = Pid::from_raw(i32::try_from(child.id()).context("a process id fits")?);
        let (tell, ended) = mpsc::channel();
        std::thread::spawn(move || {
            // The process stays in the table until `child` is waited for, so that its id stays its own.
            let only_look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while let Err(Errno::EINTR) = waitid(Id::Pid(pid), only_look) {}
            let _ = tell.send(());
        });
        Ok(Self {
            name: name.into(),
            child,
            stdin,
            said,
            ended,
            has_ended: false,
            is_reaped: false,
        })
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    ///
    /// # Errors
    /// The program has gone.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| anyhow!("{} has no input", self.name))?;
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .with_context(|| format!("type {line:?} to {}", self.name))
    }

    /// Waits for a line, after the one last waited for, that contains the text.
    ///
    /// # Errors
    /// It did not come in time; what came instead is shown.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        self.wait_within(PATIENCE, text, |line| line.contains(text).then(|| line.to_owned()))
    }

    /// Waits for lines that contain these texts, after the one last waited for and in any order.
    ///
    /// # Errors
    /// One did not come in time; what came instead is shown.
    pub fn wait_for_all(&mut self, texts: &[&str]) -> Result<()> {
        let before = self.said.clone();
        for text in texts {
            self.said = before.clone();
            self.wait_for(text)?;
        }
        self.said.skip();
        Ok(())
    }

    /// Waits for a line of which `wanted` makes something.
    ///
    /// # Errors
    /// It did not come in time; what came instead is shown.
    pub fn wait_within<R>(
        &mut self,
        within: Duration,
        what: &str,
        wanted: impl Fn(&str) -> Option<R>,
    ) -> Result<R> {
        self.said.wait(within, |line| wanted(line)).ok_or_else(|| {
            anyhow!("{} did not say {what:?} in {within:?}; it said:\n{}", self.name, self.tail())
        })
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.has_ended |= self.ended.try_recv() != Err(TryRecvError::Empty);
        !self.has_ended
    }

    /// Waits for its end, which must come by itself.
    ///
    /// # Errors
    /// It runs on.
    pub fn wait_for_end(&mut self, within: Duration) -> Result<ExitStatus> {
        if !self.has_ended {
            self.has_ended = self.ended.recv_timeout(within) != Err(RecvTimeoutError::Timeout);
        }
        if !self.has_ended {
            bail!("{} still runs after {within:?}; it said:\n{}", self.name, self.tail());
        }
        let status = self.reap()?;
        // Its outputs are read to their end, which has come unless a child of its own holds them.
        self.said.clone().wait(Duration::from_secs(1), |_| None::<()>);
        Ok(status)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("a process id fits")?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("send {signal} to {}", self.name))
    }

    /// The last lines it said.
    #[must_use]
    pub fn tail(&self) -> String {
        // Baresip's repainted status line and linphone's sound filters would fill it alone.
        let lines: Vec<_> = self
            .said
            .all()
            .into_iter()
            .filter(|line| !line.contains("(bit/s)") && !line.contains("mediastreamer"))
            .collect();
        let from = lines.len().saturating_sub(150);
        lines[from..].join("\n")
    }

    /// Asks it to end, insists after a moment, and takes it off the process table.
    pub fn end(&mut self) {
        drop(self.stdin.take());
        if self.is_running() {
            let _ = self.signal(Signal::SIGTERM);
            if self.wait_for_end(Duration::from_secs(3)).is_err() {
                let _ = self.signal(Signal::SIGKILL);
            }
        }
        let _ = self.reap();
    }

    /// Takes the process off the table; before that, while the number of its group is still its
    /// own, ends what it has left behind there.
    fn reap(&mut self) -> std::io::Result<ExitStatus> {
        if !self.is_reaped
            && let Ok(group) = i32::try_from(self.child.id())
        {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        self.is_reaped = true;
        self.child.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
        if SHOW_WHAT_WAS_SAID.load(Ordering::Relaxed) {
            eprintln!("----- {} said:\n{}\n-----", self.name, self.tail());
        }
    }
}

/// Reads to the end; a line ends at either kind of line end, for programs that repaint a status.
fn read_lines(output: impl Read, said: &Transcript) {
    let mut line = Vec::new();
    for byte in BufReader::new(output).bytes() {
        match byte {
            Ok(b'\n' | b'\r') => {
                if !line.is_empty() {
                    said.push(String::from_utf8_lossy(&line).into_owned());
                    line.clear();
                }
            }
            Ok(byte) => line.push(byte),
            Err(_) => break,
        }
    }
    if !line.is_empty() {
        said.push(String::from_utf8_lossy(&line).into_owned());
    }
}

/// A foreign program of the machine.
///
/// # Errors
/// It is not installed; the Debian package is named.
pub fn foreign(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            anyhow!(
                "{name} is not installed; install the package {package} (apt-get install {package})"
            )
        })
}

/// A program of ours, from the same build as this test.
///
/// # Errors
/// It has not been built; the command that builds it is named.
pub fn ours(name: &str, package: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("this test's own path")?;
    // target/debug/deps/scenario-hash, or target/debug/make-run
    let built = here
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    built.ok_or_else(|| {
        anyhow!("{name} is not built beside {}; run: cargo build -p {package}", here.display())
    })
}

/// A command with an environment of its own: a home, no display, no sound server, no bus of the user
/// or of the machine.
/// It ends when this test is killed, which cannot end it then.
#[must_use]
pub fn in_home(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
        .env_clear()
        .current_dir(home)
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", home.join("no-bus").display()))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, folder) in [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_RUNTIME_DIR", "run"),
    ] {
        command.env(name, home.join(folder));
    }
    command
}

/// A new temporary home with the folders of [`in_home`].
///
/// # Errors
/// The folders cannot be made.
pub fn new_home() -> Result<tempfile::TempDir> {
    let home = tempfile::Builder::new()
        .prefix("sipwitch-")
        .tempdir()
        .context("make a temporary folder")?;
    for folder in [".config", ".local/share", ".local/state", ".cache", "run"] {
        std::fs::create_dir_all(home.path().join(folder))?;
    }
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home.path().join("run"), private)?;
    Ok(home)
}
