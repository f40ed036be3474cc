// SPDX-License-Identifier: GPL-3.0-or-later
//! Twinkle's console, driven by the commands a person would type.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use tempfile::TempDir;

use super::Account;
use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program, net};

/// One twinkle-console with one account.
///
/// It wants a sound card: ALSA's null device serves, with a pipe for the microphone that gives the
/// beat, since the null device itself is always ready.
#[derive(Debug)]
pub struct Twinkle {
    /// Its account.
    pub account: Account,
    /// The program.
    pub program: Program,
    _microphone: Sender<()>,
    home: TempDir,
}

impl Twinkle {
    /// Starts it and lets it register.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(account: &Account) -> Result<Self> {
        let home = new_home()?;
        let folder = home.path().join(".twinkle");
        std::fs::create_dir_all(&folder)?;
        let pipe = home.path().join("microphone");
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)
            .context("make the microphone's pipe")?;
        let microphone = speak_into(&pipe)?;
        std::fs::write(home.path().join(".asoundrc"), sound_card(&pipe))?;
        std::fs::write(folder.join("twinkle.sys"), system_settings()?)?;
        std::fs::write(folder.join("phone.cfg"), profile(account))?;
        let mut command = in_home(foreign("twinkle-console", "twinkle-console")?, home.path());
        command.arg("phone.cfg");
        let program = Program::start(&format!("twinkle {}", account.number), &mut command)?;
        Ok(Self { account: account.clone(), program, _microphone: microphone, home })
    }

    /// Waits until the registrar has accepted it.
    ///
    /// # Errors
    /// It was refused, or nothing came in time.
    pub fn registered(&mut self) -> Result<()> {
        let said = self.program.wait_within(PATIENCE, "registration ...", |line| {
            (line.contains("registration succeeded") || line.contains("registration failed"))
                .then(|| line.to_owned())
        })?;
        ensure!(said.contains("succeeded"), "twinkle {}: {said}", self.account.number);
        Ok(())
    }

    /// Calls somebody at its own server.
    ///
    /// # Errors
    /// It has gone.
    pub fn call(&mut self, number: &str) -> Result<()> {
        self.program.type_line(&format!("call {number}"))
    }

    /// Waits for a call and hands back the line that tells who calls.
    ///
    /// # Errors
    /// None came in time.
    pub fn incoming(&mut self) -> Result<String> {
        self.program.wait_for("incoming call")?;
        self.program.wait_for("From:")
    }

    /// Waits until the other side rings.
    ///
    /// # Errors
    /// It did not in time.
    pub fn ringing(&mut self) -> Result<()> {
        self.program.wait_for("received 180").map(|_| ())
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
        self.program.wait_within(PATIENCE, "call answered/established", |line| {
            (line.contains("far end answered call") || line.contains("call established"))
                .then_some(())
        })
    }

    /// Puts the call on hold and waits until the other side has agreed.
    ///
    /// # Errors
    /// It did not in time.
    pub fn hold(&mut self) -> Result<()> {
        self.program.type_line("hold")?;
        self.program.wait_for("re-INVITE successful").map(|_| ())
    }

    /// Takes the call from hold and waits until the other side has agreed.
    ///
    /// # Errors
    /// It did not in time.
    pub fn resume(&mut self) -> Result<()> {
        self.program.type_line("retrieve")?;
        self.program.wait_for("re-INVITE successful").map(|_| ())
    }

    /// Sends a tone inside the speech (RFC 4733).
    ///
    /// # Errors
    /// It has gone.
    pub fn dtmf(&mut self, tone: char) -> Result<()> {
        self.program.type_line(&format!("dtmf {tone}"))
    }

    /// Sends the other side to somebody else (blind transfer, REFER).
    ///
    /// # Errors
    /// It has gone.
    pub fn transfer(&mut self, number: &str) -> Result<()> {
        self.program.type_line(&format!("transfer {number}"))
    }

    /// Holds the call and calls somebody else first, to ask whether he will take it.
    ///
    /// # Errors
    /// It has gone.
    pub fn consult(&mut self, number: &str) -> Result<()> {
        self.program.type_line(&format!("transfer -c {number}"))
    }

    /// Connects the others of its two calls to each other (REFER with Replaces).
    ///
    /// # Errors
    /// It has gone.
    pub fn join_consulted(&mut self) -> Result<()> {
        self.program.type_line("transfer -c")
    }

    /// Ends the call.
    ///
    /// # Errors
    /// It has gone.
    pub fn hang_up(&mut self) -> Result<()> {
        self.program.type_line("bye")
    }

    /// Waits for the end of the call and hands back the line that tells why.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn closed(&mut self) -> Result<String> {
        self.program.wait_within(PATIENCE, "the end of the call", |line| {
            [
                "call ended",
                "far end ended call",
                "far end cancelled",
                "call failed",
                "call cancelled",
            ]
            .iter()
            .any(|end| line.contains(end))
            .then(|| line.to_owned())
        })
    }

    /// Its own log, with every SIP message.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join(".twinkle/twinkle.log")).unwrap_or_default()
    }
}

/// Writes 20 ms of a loud square wave into the pipe every 20 ms, until the sender is dropped.
fn speak_into(pipe: &Path) -> Result<Sender<()>> {
    // Open for reading too, so that neither end waits for the other; a full pipe loses the frame.
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, OFlag::O_NONBLOCK.bits());
    let mut end = options.read(true).write(true).open(pipe)?;
    let (tell, stop) = mpsc::channel();
    std::thread::spawn(move || {
        let frame: Vec<u8> = (0..160)
            .flat_map(|n: i16| if n / 8 % 2 == 0 { 9000_i16 } else { -9000 }.to_le_bytes())
            .collect();
        while stop.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            let _ = end.write(&frame);
        }
    });
    Ok(tell)
}

fn sound_card(pipe: &Path) -> String {
    format!(
        "pcm.house {{
  type plug
  slave.pcm {{
    type file
    slave.pcm \"null\"
    file \"/dev/null\"
    infile \"{}\"
    format \"raw\"
  }}
}}
",
        pipe.display()
    )
}

fn system_settings() -> Result<String> {
    let any = net::loopback();
    Ok(format!(
        "dev_ringtone=alsa:house
dev_speaker=alsa:house
dev_mic=alsa:house
validate_audio_dev=no
log_max_size=20
log_show_sip=yes
log_show_debug=no
call_waiting=yes
sip_port={}
rtp_port={}
play_ringtone=no
play_ringback=no
",
        net::free_port(any)?,
        net::free_port(any)?
    ))
}

fn profile(account: &Account) -> String {
    // Server addresses are without "sip:" here.
    format!(
        "user_name={number}
user_domain={server}
user_display=
registrar={server}
registration_time=600
register_at_startup=yes
outbound_proxy={server}
all_requests_to_proxy=yes
auth_name={number}
auth_pass={password}
codecs=g711u,g711a
sip_transport={transport}
dtmf_transport=rfc2833
zrtp_enabled=no
pres_publish_startup=no
ask_user_to_refer=no
",
        number = account.number,
        server = account.server,
        password = account.password.as_deref().unwrap_or_default(),
        transport = account.transport.word()
    )
}
