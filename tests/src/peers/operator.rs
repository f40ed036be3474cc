// SPDX-License-Identifier: GPL-3.0-or-later
//! SIP operators: kamailio as one that does what operators do, and SIPp as those that misbehave.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program, net};

/// By which digest an operator has passwords proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// RFC 2617.
    Md5,
    /// RFC 8760.
    Sha256,
}

/// What an operator is to be.
#[derive(Debug, Clone)]
pub struct OperatorPlan {
    at: IpAddr,
    digest: Digest,
    users: Vec<(String, String)>,
    answers: Vec<(String, u16)>,
    leads: Vec<(String, String)>,
    min_expires_seconds: u32,
}

/// A kamailio with the rules of data/operator.cfg: accounts with passwords, numbers that answer
/// with chosen codes, and others that lead to whoever registered.
#[derive(Debug)]
pub struct Operator {
    /// Where it listens, for UDP and TCP.
    pub at: SocketAddr,
    /// Where it listens for TLS.
    pub tls: SocketAddr,
    /// Its certificate, which signs itself and names [`Operator::DOMAIN`] and its
    /// address.
    pub certificate: PathBuf,
    /// The program; what it logs tells what it was asked.
    pub program: Program,
    _home: TempDir,
}

impl OperatorPlan {
    /// An account.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// A number at which every call gets this code: 486, 503, …
    #[must_use]
    pub fn answer(mut self, number: &str, code: u16) -> Self {
        self.answers.push((number.into(), code));
        self
    }

    /// A number that leads to an account.
    #[must_use]
    pub fn leads(mut self, number: &str, user: &str) -> Self {
        self.leads.push((number.into(), user.into()));
        self
    }

    /// How passwords are proven; MD5 if this is not said.
    #[must_use]
    pub const fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// A registration for less is refused with 423; 60 seconds if this is not said.
    #[must_use]
    pub const fn min_expires_seconds(mut self, seconds: u32) -> Self {
        self.min_expires_seconds = seconds;
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(self) -> Result<Operator> {
        let home = new_home()?;
        let certificate = home.path().join("certificate.pem");
        let signed = rcgen::generate_simple_self_signed(vec![
            Operator::DOMAIN.to_owned(),
            self.at.to_string(),
        ])?;
        std::fs::write(&certificate, signed.cert.pem())?;
        std::fs::write(home.path().join("key.pem"), signed.signing_key.serialize_pem())?;

        let at = net::free_place(self.at)?;
        let tls = net::free_place(self.at)?;
        std::fs::write(home.path().join("operator.cfg"), self.rules(at, tls, home.path()))?;
        let run = home.path().join("run");
        let mut command = in_home(foreign("kamailio", "kamailio")?, home.path());
        command.args(["-DD", "-E", "-m", "16", "-M", "4", "-f", "operator.cfg"]);
        command.arg("-Y").arg(&run).arg("-w").arg(&run);
        let mut program = Program::start("operator", &mut command)?;
        program.wait_for("the operator is ready")?;
        Ok(Operator { at, tls, certificate, program, _home: home })
    }

    fn rules(&self, at: SocketAddr, tls: SocketAddr, folder: &Path) -> String {
        let mut passwords = String::new();
        for (user, password) in &self.users {
            let _ =
                writeln!(passwords, "    if ($fU == \"{user}\") $var(password) = \"{password}\";");
        }
        let mut answers = String::new();
        for (number, code) in &self.answers {
            let reply = format!("sl_send_reply(\"{code}\", \"As Chosen\"); exit;");
            let _ = writeln!(answers, "    if ($rU == \"{number}\") {{ {reply} }}");
        }
        for (number, user) in &self.leads {
            let _ = writeln!(answers, "    if ($rU == \"{number}\") $rU = \"{user}\";");
        }
        let digest = match self.digest {
            Digest::Md5 => "MD5",
            Digest::Sha256 => "SHA-256",
        };
        let words = [
            ("TLS_PORT", tls.port().to_string()),
            ("ADDRESS", at.ip().to_string()),
            ("PORT", at.port().to_string()),
            ("FOLDER", folder.display().to_string()),
            ("DOMAIN", Operator::DOMAIN.to_owned()),
            ("ALGORITHM", digest.to_owned()),
            ("MIN_EXPIRES", self.min_expires_seconds.to_string()),
            ("PASSWORDS\n", passwords),
            ("ANSWERS\n", answers),
        ];
        let rules = include_str!("../../data/operator.cfg").to_owned();
        words.iter().fold(rules, |rules, (word, value)| rules.replace(&format!("@{word}"), value))
    }
}

impl Operator {
    /// The domain of its accounts, and the realm of their passwords.
    pub const DOMAIN: &'static str = "operator.example";

    /// An operator at an address.
    #[must_use]
    pub const fn plan(at: IpAddr) -> OperatorPlan {
        OperatorPlan {
            at,
            digest: Digest::Md5,
            users: Vec::new(),
            answers: Vec::new(),
            leads: Vec::new(),
            min_expires_seconds: 60,
        }
    }
}

/// How an operator behaves that is no kamailio, mostly badly: the scenarios operator-*.xml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It asks for a password for ever, each time because the nonce was stale.
    ChallengeForEver,
    /// It takes registrations and subscriptions, and tells of two new messages in a mailbox.
    Mailbox,
    /// It sends every registration on, to itself.
    MovedForEver,
    /// It sends every call back to itself.
    RedirectToSelf,
    /// It sends every call to where it came from.
    RedirectToUs,
    /// It takes registrations and answers no call.
    Silent,
    /// No registration is ever long enough: 423, whatever is asked for.
    TooBriefForEver,
    /// It refuses every call with 503 and asks to be left alone.
    Unavailable,
}

impl Manner {
    /// Every manner.
    pub const ALL: &'static [Self] = &[
        Self::ChallengeForEver,
        Self::Mailbox,
        Self::MovedForEver,
        Self::RedirectToSelf,
        Self::RedirectToUs,
        Self::Silent,
        Self::TooBriefForEver,
        Self::Unavailable,
    ];

    const fn scenario(self) -> &'static str {
        match self {
            Self::ChallengeForEver => "operator-challenge-for-ever",
            Self::Mailbox => "operator-mailbox",
            Self::MovedForEver => "operator-moved-for-ever",
            Self::RedirectToSelf => "operator-redirect-to-self",
            Self::RedirectToUs => "operator-redirect-to-us",
            Self::Silent => "operator-silent",
            Self::TooBriefForEver => "operator-too-brief-for-ever",
            Self::Unavailable => "operator-503",
        }
    }
}

/// A SIPp that is an operator one would rather not have.
#[derive(Debug)]
pub struct Misbehaving {
    /// Where it listens, for UDP.
    pub at: SocketAddr,
    program: Program,
    home: TempDir,
}

impl Misbehaving {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It is not installed or does not come up.
    pub fn start(at: IpAddr, manner: Manner) -> Result<Self> {
        let at = net::free_place(at)?;
        let home = new_home()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut command = in_home(foreign("sipp", "sip-tester")?, home.path());
        command.arg("-sf").arg(folder.join(format!("{}.xml", manner.scenario())));
        command.args(["-i", &at.ip().to_string(), "-p", &at.port().to_string(), "-bind_local"]);
        command.args(["-mi", &at.ip().to_string(), "-mp", &net::free_port(at.ip())?.to_string()]);
        command.args(["-nostdin", "-skip_rlimit", "-trace_msg", "-message_file", "messages"]);
        command.env("TERM", "dumb");
        let mut program = Program::start(manner.scenario(), &mut command)?;
        net::listens(&mut program, at.port())?;
        Ok(Self { at, program, home })
    }

    /// Waits until it was asked for something.
    ///
    /// # Errors
    /// It is not.
    pub fn asked_for(&mut self, method: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.messages().contains(&format!("\n{method} ")) {
            ensure!(Instant::now() < deadline, "nobody asked for {method}:\n{}", self.messages());
            self.program.said.skip();
            self.program.said.wait(Duration::from_millis(20), |_| Some(()));
        }
        Ok(())
    }

    /// How often it was asked for something; what came twice counts twice.
    #[must_use]
    pub fn times_asked(&self, method: &str) -> usize {
        let start = format!("{method} ");
        self.messages().lines().filter(|line| line.starts_with(&start)).count()
    }

    /// Every SIP message it has sent or received so far.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.home.path().join("messages")).unwrap_or_default()
    }
}
