// SPDX-License-Identifier: GPL-3.0-or-later
//! Writing the account of a softphone for the user.
//!
//! Nothing that is there is changed or removed: an account is added at the end of the program's own
//! file, or a file of its own is made. An account that is there already is left alone.

mod baresip;
mod gnome_calls;
mod keyring;
mod linphone;
mod twinkle;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use crate::{arguments::Program, failure::Failure, output::Output};

/// What a phone needs to know to register here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The extension, which is the user name too.
    pub(crate) extension: String,
    /// The domain of its address.
    pub(crate) domain: String,
    /// Where the service listens: `127.0.0.1:5060`.
    pub(crate) server: String,
    /// `udp`, `tcp`.
    pub(crate) transport: String,
    /// The password; none where the phone needs none.
    pub(crate) password: Option<String>,
}

impl Account {
    /// `101@localhost`
    pub(crate) fn address(&self) -> String {
        format!("{}@{}", self.extension, self.domain)
    }

    /// The address with all that is needed to reach it, as QR codes bear it.
    pub(crate) fn uri(&self) -> String {
        format!("sip:{}@{};transport={}", self.extension, self.server, self.transport)
    }

    /// The host part of the server and its port.
    pub(crate) fn host_and_port(&self) -> (&str, &str) {
        self.server.rsplit_once(':').unwrap_or((&self.server, "5060"))
    }
}

/// Where the user's files are.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// `$HOME`
    pub(crate) directory: PathBuf,
    /// `$XDG_CONFIG_HOME`, or `.config` in the home.
    pub(crate) config: PathBuf,
}

impl Home {
    /// The user's.
    ///
    /// # Errors
    /// There is no `HOME`.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        let directory = std::env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
            .ok_or_else(|| Failure::new("HOME is not set", "set it to your home directory"))?;
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|config| !config.is_empty())
            .map_or_else(|| directory.join(".config"), PathBuf::from);
        Ok(Self { directory, config })
    }
}

/// Something to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// Where.
    pub(crate) path: PathBuf,
    /// What is added at its end.
    pub(crate) added: String,
}

impl Write {
    /// Writes it, readable by the user alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn carry_out(&self) -> Result<(), Failure> {
        let named = |error: std::io::Error| {
            Failure::new(format!("{}: {error}", self.path.display()), "check its permissions")
        };
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(named)?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(named)?;
        file.write_all(self.added.as_bytes()).map_err(named)
    }
}

/// What is to be written for a program.
///
/// # Errors
/// The account is there already, or a file cannot be read.
pub(crate) fn writes(
    program: Program,
    account: &Account,
    home: &Home,
) -> Result<Vec<Write>, Failure> {
    match program {
        Program::Baresip => baresip::writes(account, home),
        Program::GnomeCalls => gnome_calls::writes(account, home),
        Program::Linphone => linphone::writes(account, home),
        Program::Twinkle => twinkle::writes(account, home),
    }
}

/// Puts the password where the program looks for it, if that is not in a file.
///
/// # Errors
/// The keyring cannot take it.
pub(crate) async fn keep_password(
    program: Program,
    account: &Account,
    bus: &zbus::Connection,
    output: &Output,
) -> Result<(), Failure> {
    match program {
        Program::GnomeCalls => gnome_calls::keep_password(account, bus, output).await,
        Program::Baresip | Program::Linphone | Program::Twinkle => Ok(()),
    }
}

/// What the user does then.
pub(crate) fn next_step(program: Program) -> &'static str {
    match program {
        Program::Baresip => "start (or restart) baresip; it registers by itself",
        Program::GnomeCalls => "restart GNOME Calls; the account stands under VoIP Accounts",
        Program::Linphone => {
            "start Linphone (it must not have been running while this was written)"
        }
        Program::Twinkle => "start Twinkle, and choose the profile if it asks",
    }
}

/// What a file holds; nothing if it does not exist.
fn present(path: &std::path::Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()), "check the file")),
    }
}

fn already(path: &std::path::Path, account: &Account) -> Failure {
    Failure::new(
        format!("{} has an account {} already", path.display(), account.address()),
        "change it there, or remove it first",
    )
}

/// A file may not end with a line break; what is added begins on a line of its own.
fn on_new_line(present: &str, added: String) -> String {
    if present.is_empty() || present.ends_with('\n') { added } else { format!("\n{added}") }
}

/// Whether a program, by its setting `key`, would listen where the service does. Without the setting
/// it takes 5060, which is the service's, or what has it instead of the service.
fn takes_our_port(text: &str, key: &str, account: &Account) -> bool {
    let (_, ours) = account.host_and_port();
    let set = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    set.map(str::trim).next_back().is_none_or(|port| port == ours)
}

/// The lowest number that no section `PREFIX_N` or `PREFIX-N` bears.
fn free_section(text: &str, prefix: &str) -> usize {
    (0..)
        .find(|number| {
            let one = format!("[{prefix}{number}]");
            let two = format!("[{prefix}{number:02}]");
            !text.lines().any(|line| line.trim() == one || line.trim() == two)
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
