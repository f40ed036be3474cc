// SPDX-License-Identifier: GPL-3.0-or-later
//! OpenSSL's command line as the TLS of another SIP domain: what it is told to say goes out as it is.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use tempfile::TempDir;

use crate::authority::{Authority, Credentials};
use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program};

/// A TLS connection to a server whose certificate was checked.
#[derive(Debug)]
pub struct Openssl {
    program: Program,
    _home: TempDir,
}

impl Openssl {
    /// Connects to the server of that name, and shows a certificate if there is one.
    ///
    /// # Errors
    /// It is not installed.
    pub fn connect(
        at: SocketAddr,
        name: &str,
        trust: &Authority,
        own: Option<&Credentials>,
    ) -> Result<Self> {
        let home = new_home()?;
        let mut command = in_home(foreign("openssl", "openssl")?, home.path());
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &at.to_string()]);
        command.args(["-servername", name, "-verify_hostname", name, "-CAfile"]).arg(&trust.file);
        if let Some(own) = own {
            command.arg("-cert").arg(&own.certificate).arg("-key").arg(&own.key);
        }
        let program = Program::start("openssl s_client", &mut command)?;
        Ok(Self { program, _home: home })
    }

    /// Says a SIP request: its first line, its own header lines and a line of text. The Via, and
    /// all that only has to be there, is said of itself.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn say(
        &mut self,
        number: u32,
        method: &str,
        uri: &str,
        more: &[&str],
        text: &str,
    ) -> Result<()> {
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/TLS there.example;branch=z9hG4bK-{number};rport"),
            "Max-Forwards: 70".to_owned(),
            format!("To: <{uri}>"),
            format!("Call-ID: openssl-{number}@there.example"),
            format!("CSeq: {number} {method}"),
        ];
        lines.extend(more.iter().map(|&line| line.to_owned()));
        let end_of_line = 2;
        let length = if text.is_empty() { 0 } else { text.len() + end_of_line };
        lines.extend([format!("Content-Length: {length}"), String::new()]);
        lines.extend((!text.is_empty()).then(|| text.to_owned()));
        lines.iter().try_for_each(|line| self.program.type_line(&format!("{line}\r")))
    }

    /// Says a request with header lines that are all its own, but for Via and what follows from its
    /// number.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn ask(&mut self, number: u32, method: &str, uri: &str, more: &[&str]) -> Result<()> {
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/TLS there.example;branch=z9hG4bK-{number};rport"),
            "Max-Forwards: 70".to_owned(),
            "Call-ID: openssl@there.example".to_owned(),
            format!("CSeq: {number} {method}"),
        ];
        lines.extend(more.iter().map(|&line| line.to_owned()));
        lines.extend(["Content-Length: 0".to_owned(), String::new()]);
        lines.iter().try_for_each(|line| self.program.type_line(&format!("{line}\r")))
    }

    /// Waits for a header line that begins so, without losing those before it.
    ///
    /// # Errors
    /// It does not come.
    pub fn line(&self, start: &str) -> Result<String> {
        let found = self
            .program
            .said
            .clone()
            .wait(PATIENCE, |line| line.starts_with(start).then(|| line.to_owned()));
        found.ok_or_else(|| anyhow!("no {start:?} came: {}", self.program.tail()))
    }

    /// Waits for the answer with that status to what was said.
    ///
    /// # Errors
    /// It does not come.
    pub fn hears(&mut self, status: u16, number: u32, method: &str) -> Result<()> {
        let (status, cseq) = (format!("SIP/2.0 {status} "), format!("CSeq: {number} {method}"));
        loop {
            let answer = self.program.wait_for("SIP/2.0 ")?;
            let answers = self.program.wait_for("CSeq: ")?;
            if answer.starts_with(&status) && answers.starts_with(&cseq) {
                return Ok(());
            }
        }
    }
}
