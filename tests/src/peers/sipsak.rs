// SPDX-License-Identifier: GPL-3.0-or-later
//! sipsak: one question on the command line, an answer in its exit code.

use std::net::IpAddr;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Account, Transport};
use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program, net};

/// What sipsak found.
#[derive(Debug)]
pub struct Sipsak {
    /// Whether it was content.
    pub content: bool,
    /// What it printed, every message included.
    pub said: String,
}

impl Sipsak {
    /// Sends OPTIONS to somebody, or to the server itself without a number.
    ///
    /// # Errors
    /// It is not installed or does not end.
    pub fn options(account: &Account) -> Result<Self> {
        let uri = if account.number.is_empty() {
            format!("sip:{}", account.server)
        } else {
            account.address_of(&account.number)
        };
        run(account, &["-s", &uri])
    }

    /// Registers itself.
    ///
    /// # Errors
    /// It is not installed or does not end.
    pub fn register(account: &Account) -> Result<Self> {
        run(account, &["-U", "-x", "60", "-s", &account.address_of(&account.number)])
    }

    /// Calls somebody, and ends with the final answer. Debian's sipsak crashes in its own invite
    /// mode, so it is handed a message to shoot.
    ///
    /// # Errors
    /// It is not installed or does not end.
    pub fn call(account: &Account, number: &str) -> Result<Self> {
        let (me, them) = (account.address_of(&account.number), account.address_of(number));
        let at = net::loopback();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {at}\r\ns=-\r\nc=IN IP4 {at}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        );
        let text = format!(
            "INVITE {them} SIP/2.0\r\nFrom: <{me}>;tag=sak\r\nTo: <{them}>\r\nCall-ID: sak-{}@{at}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{}@{at}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            std::process::id(),
            account.number,
            body.len()
        );
        let folder = new_home()?;
        let file = folder.path().join("invite");
        std::fs::write(&file, text)?;
        run(account, &["-L", "-f", &file.to_string_lossy(), "-s", &them])
    }
}

fn run(account: &Account, arguments: &[&str]) -> Result<Sipsak> {
    let home: TempDir = new_home()?;
    let at: IpAddr = net::loopback();
    let mut command: Command = in_home(foreign("sipsak", "sipsak")?, home.path());
    command.args(["-vvv", "-H", &at.to_string(), "--local-ip", &at.to_string()]);
    command.args(["--local-port", &net::free_port(at)?.to_string()]);
    if account.transport == Transport::Tcp {
        command.args(["--transport", "tcp"]);
    }
    if let Some(password) = &account.password {
        command.args(["-u", &account.number, "-a", password]);
    }
    command.args(arguments);
    let mut program = Program::start("sipsak", &mut command)?;
    let status = program.wait_for_end(2 * PATIENCE)?;
    Ok(Sipsak { content: status.success(), said: program.tail() })
}
