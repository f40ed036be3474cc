// SPDX-License-Identifier: GPL-3.0-or-later
//! Baresip, driven by its `ctrl_tcp` module: JSON in netstrings, with an event for everything.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Account;
use crate::program::{foreign, in_home, new_home};
use crate::{House, PATIENCE, Program, Transcript, net};

/// One baresip with one account. It speaks a tone of 440 Hz and has no sound card.
#[derive(Debug)]
pub struct Baresip {
    /// Its account.
    pub account: Account,
    control: TcpStream,
    events: Transcript<Value>,
    /// The program; what it says contains every SIP message, since it traces them.
    pub program: Program,
    _home: TempDir,
}

impl Baresip {
    /// Starts it on this test's own loopback address (or `::1`, as the server) and lets it register.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(account: &Account) -> Result<Self> {
        let at = if account.server.is_ipv4() { net::loopback() } else { net::loopback6() };
        Self::start_at(account, at)
    }

    /// A phone of a house that is registered, without a password.
    ///
    /// # Errors
    /// It is not installed, does not come up or is refused.
    pub fn of(house: &House, number: &str) -> Result<Self> {
        let mut phone = Self::start(&Account::new(number, house.at))?;
        phone.registered()?;
        Ok(phone)
    }

    /// As [`start`](Self::start), on an address of its own.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start_at(account: &Account, at: IpAddr) -> Result<Self> {
        Self::start_with(account, at, "")
    }

    /// As [`start`](Self::start), with pictures of its own making beside the sound, as VP8.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start_showing(account: &Account) -> Result<Self> {
        Self::start_with(account, net::loopback(), PICTURES)
    }

    /// As [`start_at`](Self::start_at), for an account over TLS; it believes this authority.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start_trusting(account: &Account, at: IpAddr, authority: &Path) -> Result<Self> {
        Self::start_with(account, at, &format!("sip_cafile {}\n", authority.display()))
    }

    fn start_with(account: &Account, at: IpAddr, more: &str) -> Result<Self> {
        let home = new_home()?;
        let control = SocketAddr::new(net::loopback(), net::free_port(net::loopback())?);
        let sip = net::free_place(at)?;
        let configuration = configuration(sip, control) + more;
        std::fs::write(home.path().join("config"), configuration)?;
        std::fs::write(home.path().join("accounts"), account_line(account))?;
        std::fs::write(home.path().join("contacts"), "")?;
        let mut command = in_home(foreign("baresip", "baresip-core")?, home.path());
        command.args(["-s", "-f"]).arg(home.path());
        let mut program = Program::start(&format!("baresip {}", account.number), &mut command)?;
        program.wait_for("baresip is ready")?;
        let stream = TcpStream::connect(control)
            .with_context(|| format!("connect to baresip's control at {control}"))?;
        let events = Transcript::new();
        let (reader, told) = (stream.try_clone()?, events.clone());
        std::thread::spawn(move || {
            read_netstrings(reader, &told);
            told.close();
        });
        let account = account.clone();
        let mut baresip = Self { account, control: stream, events, program, _home: home };
        // It tells events only to a connection that it has accepted: a reply says that it has.
        baresip.command("reginfo", "")?;
        Ok(baresip)
    }

    /// Waits until the registrar has accepted it.
    ///
    /// # Errors
    /// It was refused, or nothing came in time.
    pub fn registered(&mut self) -> Result<()> {
        // Said on the terminal too, and there before the control connection is up.
        let number = self.account.number.clone();
        let said = self.program.wait_within(PATIENCE, "200 OK ... binding", |line| {
            (line.starts_with(&number) && line.contains("binding")).then(|| line.to_owned())
        })?;
        ensure!(said.contains("200 OK"), "{said}");
        Ok(())
    }

    /// Waits until the registrar has refused it, and hands back the words.
    ///
    /// # Errors
    /// Nothing came in time.
    pub fn refused(&mut self) -> Result<String> {
        self.program.wait_for("reg: ")
    }

    /// Sends a command and waits for the reply to it.
    ///
    /// # Errors
    /// No reply came, or it was a refusal.
    pub fn command(&mut self, command: &str, parameters: &str) -> Result<String> {
        let mut replies = self.events.clone();
        let token = format!("{command}{}", replies.all().len());
        let text = json!({"command": command, "params": parameters, "token": token}).to_string();
        write!(self.control, "{}:{text},", text.len())
            .with_context(|| format!("command {command} to baresip"))?;
        let reply = replies
            .wait(PATIENCE, |event| (event["token"] == token.as_str()).then(|| event.clone()))
            .ok_or_else(|| {
                anyhow!("baresip did not reply to {command}; {}", self.program.tail())
            })?;
        let data = reply["data"].as_str().unwrap_or_default().to_owned();
        ensure!(reply["ok"] == true, "baresip refused {command}: {data}");
        Ok(data)
    }

    /// Waits for an event, after the last one waited for, and hands back its parameter.
    ///
    /// # Errors
    /// It did not come in time; what came instead is shown.
    pub fn event(&mut self, kind: &str) -> Result<String> {
        self.event_within(kind, PATIENCE)
    }

    /// As [`event`](Self::event), with a patience of its own.
    ///
    /// # Errors
    /// It did not come in time; what came instead is shown.
    pub fn event_within(&mut self, kind: &str, within: Duration) -> Result<String> {
        let found = self.events.wait(within, |event| {
            (event["type"] == kind).then(|| event["param"].as_str().unwrap_or_default().to_owned())
        });
        found.ok_or_else(|| {
            let kinds: Vec<_> = self
                .events
                .all()
                .iter()
                .filter_map(|e| {
                    Some(format!(
                        "{} {}",
                        e["type"].as_str()?,
                        e["param"].as_str().unwrap_or_default()
                    ))
                })
                .collect();
            anyhow!(
                "baresip {} did not tell {kind}; it told {kinds:?} and said:\n{}",
                self.account.number,
                self.program.tail()
            )
        })
    }

    /// Calls somebody at its own server.
    ///
    /// # Errors
    /// The command was refused.
    pub fn call(&mut self, number: &str) -> Result<()> {
        // It adds the transport of its account itself.
        let address = self.account.address_of(number);
        self.command("dial", &address).map(|_| ())
    }

    /// Waits for a call and hands back who calls.
    ///
    /// # Errors
    /// None came in time.
    pub fn incoming(&mut self) -> Result<String> {
        self.event("CALL_INCOMING")
    }

    /// Waits until the other side rings.
    ///
    /// # Errors
    /// It did not in time.
    pub fn ringing(&mut self) -> Result<()> {
        self.event("CALL_RINGING").map(|_| ())
    }

    /// Answers the call that rings.
    ///
    /// # Errors
    /// The command was refused.
    pub fn answer(&mut self) -> Result<()> {
        self.command("accept", "").map(|_| ())
    }

    /// Waits until the call is connected.
    ///
    /// # Errors
    /// It was not in time.
    pub fn established(&mut self) -> Result<()> {
        self.event("CALL_ESTABLISHED").map(|_| ())
    }

    /// Waits for the end of the call and hands back why.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn closed(&mut self) -> Result<String> {
        self.event("CALL_CLOSED")
    }

    /// Ends the call, whatever its state.
    ///
    /// # Errors
    /// The command was refused.
    pub fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "").map(|_| ())
    }

    /// Puts the call on hold.
    ///
    /// # Errors
    /// The command was refused.
    pub fn hold(&mut self) -> Result<()> {
        self.command("hold", "").map(|_| ())
    }

    /// Takes the call from hold.
    ///
    /// # Errors
    /// The command was refused.
    pub fn resume(&mut self) -> Result<()> {
        self.command("resume", "").map(|_| ())
    }

    /// Sends a tone inside the speech (RFC 4733).
    ///
    /// # Errors
    /// The command was refused.
    pub fn dtmf(&mut self, tone: char) -> Result<()> {
        self.command("sndcode", &tone.to_string()).map(|_| ())
    }

    /// Waits for a tone of the other side, inside the speech or by INFO.
    ///
    /// # Errors
    /// None came in time.
    pub fn heard_dtmf(&mut self) -> Result<char> {
        self.event("CALL_DTMF_START")?
            .chars()
            .next()
            .ok_or_else(|| anyhow!("a tone without a name"))
    }

    /// Sends the other side to somebody else (blind transfer, REFER).
    ///
    /// # Errors
    /// The command was refused.
    pub fn transfer(&mut self, number: &str) -> Result<()> {
        let address = self.account.address_of(number);
        self.command("transfer", &address).map(|_| ())
    }

    /// Packets of speech sent and received in the call, and the address the speech goes to.
    ///
    /// # Errors
    /// There is no call.
    pub fn speech(&mut self) -> Result<Speech> {
        let text = self.command("audio_debug", "")?;
        Speech::read(&text)
            .ok_or_else(|| anyhow!("baresip's audio_debug was not understood:\n{text}"))
    }

    /// Waits until so many packets more have been received than `before`.
    ///
    /// # Errors
    /// They did not come in time.
    pub fn hears_more_than(&mut self, before: u32) -> Result<Speech> {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let speech = self.speech()?;
            if speech.received > before {
                return Ok(speech);
            }
            ensure!(
                std::time::Instant::now() < deadline,
                "baresip {} hears nothing: {speech:?}",
                self.account.number
            );
            // The status line is repainted ten times a second during a call: an event to wait for.
            self.program.said.skip();
            let _ = self.program.said.wait(Duration::from_millis(200), |_| Some(()));
        }
    }

    /// Sound still comes three seconds from now, by what it shows of it each tenth of a second. For
    /// when somebody else speaks than before: its count of packets ends with the first speaker.
    pub fn goes_on_hearing(&mut self) -> Result<()> {
        let coming = |line: &String| {
            let (_, rates) = line.split_once("audio=")?;
            rates.split_once('/')?.1.split_once(' ')?.0.parse::<u32>().ok()
        };
        self.program.said.skip();
        let mut last = 0;
        for _ in 0..30 {
            let shown = self.program.said.wait(PATIENCE, coming);
            last =
                shown.with_context(|| format!("baresip {} shows no call", self.account.number))?;
        }
        ensure!(last > 0, "nothing comes to baresip {}", self.account.number);
        Ok(())
    }

    /// Every SIP message it has sent or received so far, as text with plain line ends.
    #[must_use]
    pub fn sip(&self) -> Vec<String> {
        let mut messages: Vec<String> = Vec::new();
        let mut inside = false;
        for line in self.program.said.all() {
            let line = line.trim_start_matches("\u{1b}[;m");
            if line.contains("\u{1b}[36;1m#") {
                inside = true;
                messages.push(String::new());
            } else if inside && line.contains("\u{1b}[") {
                inside = false;
            } else if inside && let Some(message) = messages.last_mut() {
                message.push_str(line);
                message.push('\n');
            }
        }
        messages
    }
}

/// The speech of a call as baresip counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Packets sent.
    pub sent: u32,
    /// Packets received.
    pub received: u32,
    /// Its own address.
    pub local: String,
    /// Where it sends to.
    pub remote: String,
}

impl Speech {
    fn read(text: &str) -> Option<Self> {
        let after = |mark: &str, end: char| {
            text.split_once(mark).map(|(_, rest)| {
                rest.split([end, '\n']).next().unwrap_or_default().trim().to_owned()
            })
        };
        Some(Self {
            sent: after("TX: packets=", ',')?.parse().ok()?,
            // Absent until the first packet has come.
            received: after("rcvd=", '\n').and_then(|n| n.parse().ok()).unwrap_or(0),
            local: after("local: ", ',')?,
            remote: after("remote: ", '/')?,
        })
    }
}

const PICTURES: &str = "module fakevideo.so
module vp8.so
video_source fakevideo,nil
video_display fakevideo,nil
video_size 160x120
video_fps 15
video_bitrate 100000
";

fn configuration(sip: SocketAddr, control: SocketAddr) -> String {
    // ausine makes sound only as 48 kHz stereo; without a sound source baresip does not answer.
    format!(
        "poll_method epoll
sip_listen {sip}
net_interface {ip}
call_local_timeout 120
call_max_calls 4
audio_path /nonexistent
audio_player none
audio_source ausine,440
audio_alert none
ausrc_srate 48000
ausrc_channels 2
rtp_stats yes
rtp_ports 31000-32700
jitter_buffer_delay 5-10
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app debug_cmd.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control}
",
        ip = sip.ip()
    )
}

fn account_line(account: &Account) -> String {
    let password = account
        .password
        .as_ref()
        .map(|p| format!(";auth_user={};auth_pass={p}", account.login))
        .unwrap_or_default();
    let transport = account.transport.word();
    format!(
        "<{};transport={transport}>;regint=600;answermode=manual{password}\n",
        account.address_of(&account.number)
    )
}

fn read_netstrings(stream: impl Read, told: &Transcript<Value>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = Vec::new();
        if stream.read_until(b':', &mut length).is_err() {
            return;
        }
        let digits = String::from_utf8_lossy(&length);
        let Ok(length) = digits.trim_end_matches(':').parse::<usize>() else { return };
        let mut text = vec![0; length + 1];
        if stream.read_exact(&mut text).is_err() {
            return;
        }
        if let Ok(event) = serde_json::from_slice(&text[..length]) {
            told.push(event);
        }
    }
}
