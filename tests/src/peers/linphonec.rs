// SPDX-License-Identifier: GPL-3.0-or-later
//! Linphone's console, driven by the commands a person would type.

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use super::{Account, Transport};
use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program, net};

/// One linphonec with one account. It has no sound card and is silent until told to speak.
#[derive(Debug)]
pub struct Linphonec {
    /// Its account.
    pub account: Account,
    /// The program; what it says contains its log, with every SIP message and change of state.
    pub program: Program,
    home: TempDir,
}

impl Linphonec {
    /// Starts it and lets it register.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(account: &Account) -> Result<Self> {
        let home = new_home()?;
        // Without these it runs on without its databases, loudly.
        std::fs::create_dir_all(home.path().join(".local/share/linphone"))?;
        std::fs::create_dir_all(home.path().join(".config/linphone"))?;
        let file = home.path().join("linphonerc");
        std::fs::write(&file, configuration(account)?)?;
        let mut command = in_home(foreign("linphonec", "linphone-cli")?, home.path());
        command.arg("-c").arg(&file).args(["-d", "6"]);
        let mut program = Program::start(&format!("linphonec {}", account.number), &mut command)?;
        std::fs::write(home.path().join("tone.wav"), tone())?;
        program.type_line("soundcard use files")?;
        Ok(Self { account: account.clone(), program, home })
    }

    /// Waits until the registrar has accepted it.
    ///
    /// # Errors
    /// It was refused, or nothing came in time.
    pub fn registered(&mut self) -> Result<()> {
        let said = self.program.wait_within(PATIENCE, "its registration's end", |line| {
            (line.contains("to [LinphoneRegistrationOk]")
                || line.contains("to [LinphoneRegistrationFailed]"))
            .then(|| line.to_owned())
        })?;
        ensure!(said.contains("RegistrationOk"), "linphonec {}: {said}", self.account.number);
        Ok(())
    }

    /// Calls somebody at its own server.
    ///
    /// # Errors
    /// It has gone.
    pub fn call(&mut self, number: &str) -> Result<()> {
        let mut address = self.account.address_of(number);
        if self.account.transport == Transport::Tcp {
            address.push_str(";transport=tcp");
        }
        self.program.type_line(&format!("call {address}"))
    }

    /// Waits for a call and hands back the line that tells of it.
    ///
    /// # Errors
    /// None came in time.
    pub fn incoming(&mut self) -> Result<String> {
        self.program.wait_for("Receiving new incoming call from")
    }

    /// Waits until the other side rings.
    ///
    /// # Errors
    /// It did not in time.
    pub fn ringing(&mut self) -> Result<()> {
        self.program.wait_for("to LinphoneCallOutgoingRinging").map(|_| ())
    }

    /// Answers the call that rings.
    ///
    /// # Errors
    /// It has gone.
    pub fn answer(&mut self) -> Result<()> {
        self.program.type_line("answer")
    }

    /// Waits until the call is connected.
    ///
    /// # Errors
    /// It was not in time.
    pub fn established(&mut self) -> Result<()> {
        self.program.wait_for("to LinphoneCallStreamsRunning").map(|_| ())
    }

    /// Sends half a minute of a tone to the other side.
    ///
    /// # Errors
    /// It has gone.
    pub fn speak(&mut self) -> Result<()> {
        self.program.type_line(&format!("play {}", self.home.path().join("tone.wav").display()))
    }

    /// Puts the call on hold and waits until the other side has agreed.
    ///
    /// # Errors
    /// It did not in time.
    pub fn hold(&mut self) -> Result<()> {
        self.program.type_line("pause")?;
        self.program.wait_for("to LinphoneCallPaused").map(|_| ())
    }

    /// Takes the call from hold and waits until the speech flows again.
    ///
    /// # Errors
    /// It did not in time.
    pub fn resume(&mut self) -> Result<()> {
        self.program.type_line("resume")?;
        self.program.wait_for("to LinphoneCallStreamsRunning").map(|_| ())
    }

    /// Sends a tone.
    ///
    /// # Errors
    /// It has gone.
    pub fn dtmf(&mut self, tone: char) -> Result<()> {
        self.program.type_line(&tone.to_string())
    }

    /// Connects the others of its first and its second call to each other (REFER with Replaces).
    ///
    /// # Errors
    /// It has gone.
    pub fn join_first_and_second(&mut self) -> Result<()> {
        self.program.type_line("transfer 1 --to-call 2")
    }

    /// Ends the call, whatever its state.
    ///
    /// # Errors
    /// It has gone.
    pub fn hang_up(&mut self) -> Result<()> {
        self.program.type_line("terminate")
    }

    /// Waits for the end of the call and hands back the line that tells why.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn closed(&mut self) -> Result<String> {
        self.program.wait_within(PATIENCE, "the end of the call", |line| {
            (line.contains("to LinphoneCallEnd") || line.contains("to LinphoneCallError"))
                .then(|| line.to_owned())
        })
    }
}

fn configuration(account: &Account) -> Result<String> {
    let ip = net::loopback();
    let port = net::free_port(ip)?;
    let (udp, tcp) = match account.transport {
        Transport::Udp => (port, 0),
        Transport::Tcp => (0, port),
        Transport::Tls => bail!("linphonec is given no certificates here"),
    };
    let identity = account.address_of(&account.number);
    let server = account.server;
    let transport = account.transport.word();
    let password = account
        .password
        .as_ref()
        .map(|p| format!("\n[auth_info_0]\nusername={}\npasswd={p}\nrealm=\n", account.number))
        .unwrap_or_default();
    // Its network monitor takes a machine with nothing but loopback for one without a network.
    Ok(format!(
        "[sip]
auto_net_state_mon=0
register_only_when_network_is_up=0
bind_address={ip}
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port=0
guess_hostname=0
default_proxy=0
use_ipv6=0
ipv6_migration_done=1
media_encryption=none

[rtp]
bind_address={ip}
audio_rtp_port={rtp}

[sound]
remote_ring=
local_ring=

[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_identity={identity}
reg_expires=600
reg_sendregister=1
publish=0
dial_escape_plus=0
{password}",
        rtp = net::free_port(ip)?
    ))
}

/// Half a minute of a square wave as a WAVE file, 8 kHz, 16 bits, one channel.
fn tone() -> Vec<u8> {
    let samples = 8_000_u32 * 30;
    let size = samples * 2;
    let mut file = Vec::with_capacity(44 + samples as usize * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + size).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&size.to_le_bytes());
    for n in 0..samples {
        file.extend_from_slice(&if n / 8 % 2 == 0 { 9_000_i16 } else { -9_000 }.to_le_bytes());
    }
    file
}
