// SPDX-License-Identifier: GPL-3.0-or-later
//! A SIP phone that does exactly what the test tells it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Call, Message, Result, Transport, Wire, digest};

/// How long a phone waits for the server unless told otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Who the phone says it is.
#[derive(Debug, Clone)]
pub struct Account {
    /// The extension.
    pub number: String,
    /// What proves it when the server asks.
    pub password: String,
}

impl Account {
    /// An account whose password is empty.
    #[must_use]
    pub fn new(number: &str) -> Self {
        Self { number: number.into(), password: String::new() }
    }
}

/// A phone with one socket to one server.
#[derive(Debug)]
pub struct Phone {
    wire: Wire,
    account: Account,
    server: SocketAddr,
    local: SocketAddr,
    cseq: u32,
    registration: String,
    /// What came while something else was waited for.
    inbox: VecDeque<Message>,
    /// The heads of what came, so that a retransmission is known.
    seen: HashSet<String>,
    /// The last response given in each server transaction, for its retransmissions.
    answered: HashMap<String, Vec<u8>>,
}

impl Phone {
    /// A phone on an address of ours, not yet registered.
    ///
    /// # Errors
    /// No socket to the server can be had.
    pub fn new(
        transport: Transport,
        from: IpAddr,
        server: SocketAddr,
        account: Account,
    ) -> Result<Self> {
        let wire = Wire::open(transport, from, server)?;
        let local = wire.local()?;
        Ok(Self {
            wire,
            account,
            server,
            local,
            cseq: 0,
            registration: unique("reg"),
            inbox: VecDeque::new(),
            seen: HashSet::new(),
            answered: HashMap::new(),
        })
    }

    /// The address of the server.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The address of the phone.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Who it is at the server.
    #[must_use]
    pub fn address_of_record(&self) -> String {
        self.address_of(&self.account.number)
    }

    /// The address of somebody at the server.
    #[must_use]
    pub fn address_of(&self, number: &str) -> String {
        format!("sip:{number}@{}", self.server)
    }

    /// Where the phone itself is reached.
    #[must_use]
    pub fn contact(&self) -> String {
        match self.wire {
            Wire::Udp(_) => format!("<sip:{}@{}>", self.account.number, self.local),
            Wire::Tcp(..) => format!("<sip:{}@{};transport=tcp>", self.account.number, self.local),
        }
    }

    /// A Via header with a branch of its own.
    #[must_use]
    pub fn via(&self) -> String {
        format!(
            "Via: SIP/2.0/{} {};rport;branch=z9hG4bK{}",
            self.wire.name(),
            self.local,
            unique("b")
        )
    }

    /// Sends bytes as they are, wholesome or not.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.send(bytes)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn send(&mut self, message: &Message) -> Result<()> {
        self.wire.send(&message.to_bytes())
    }

    /// Registers for so many seconds, with the password if the server asks; 0 unregisters. The
    /// answer is handed back whatever it is.
    ///
    /// # Errors
    /// Nothing final came in time.
    pub fn register(&mut self, seconds: u32) -> Result<Message> {
        self.register_as(&self.contact(), seconds)
    }

    /// Registers a contact written by the test.
    ///
    /// # Errors
    /// Nothing final came in time.
    pub fn register_as(&mut self, contact: &str, seconds: u32) -> Result<Message> {
        let uri = format!("sip:{}", self.server);
        let mut answer = self.register_once(&uri, contact, seconds, None)?;
        if answer.status() == Some(401)
            && let Some(challenge) = answer
                .headers("WWW-Authenticate")
                .into_iter()
                .find(|c| c.contains("MD5") || !c.contains("algorithm"))
        {
            let header = digest::answer(
                challenge,
                &self.account.number,
                &self.account.password,
                "REGISTER",
                &uri,
            );
            answer = self.register_once(&uri, contact, seconds, Some(header))?;
        }
        Ok(answer)
    }

    fn register_once(
        &mut self,
        uri: &str,
        contact: &str,
        seconds: u32,
        authorization: Option<String>,
    ) -> Result<Message> {
        self.cseq += 1;
        let me = self.address_of_record();
        let mut headers = vec![
            self.via(),
            "Max-Forwards: 70".into(),
            format!("From: <{me}>;tag={}", unique("t")),
            format!("To: <{me}>"),
            format!("Call-ID: {}", self.registration),
            format!("CSeq: {} REGISTER", self.cseq),
            format!("Contact: {contact}"),
            format!("Expires: {seconds}"),
        ];
        headers.extend(authorization.map(|value| format!("Authorization: {value}")));
        let cseq = format!("{} REGISTER", self.cseq);
        let request = Message::new(&format!("REGISTER {uri} SIP/2.0"), &headers, b"");
        self.send_until(&request, "an answer to REGISTER", |m| {
            m.status().is_some_and(|s| s >= 200) && m.header("CSeq") == Some(&cseq)
        })
    }

    /// Sends a request outside any dialogue and waits for its final answer.
    ///
    /// # Errors
    /// Nothing final came in time.
    pub fn ask(&mut self, method: &str, to: &str, more: &[String], body: &[u8]) -> Result<Message> {
        self.cseq += 1;
        let mut headers = vec![
            self.via(),
            "Max-Forwards: 70".into(),
            format!("From: <{}>;tag={}", self.address_of_record(), unique("t")),
            format!("To: <{to}>"),
            format!("Call-ID: {}", unique("ask")),
            format!("CSeq: {} {method}", self.cseq),
            format!("Contact: {}", self.contact()),
        ];
        headers.extend_from_slice(more);
        let cseq = format!("{} {method}", self.cseq);
        let request = Message::new(&format!("{method} {to} SIP/2.0"), &headers, body);
        self.send_until(&request, &format!("an answer to {method}"), |m| {
            m.status().is_some_and(|s| s >= 200) && m.header("CSeq") == Some(&cseq)
        })
    }

    /// Calls somebody at the server. What comes back is the call, of which nothing is known yet.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn call(&mut self, number: &str, sdp: &[u8]) -> Result<Call> {
        self.call_with(&self.address_of(number), &[], sdp)
    }

    /// Calls an address, with more headers and any body.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn call_with(&mut self, to: &str, more: &[String], body: &[u8]) -> Result<Call> {
        Call::dial(self, to, more, body)
    }

    /// Waits for a new call and answers nothing yet.
    ///
    /// # Errors
    /// No call came in time.
    pub fn incoming(&mut self) -> Result<Call> {
        let invite = self.wait("an INVITE", PATIENCE, |m| {
            m.status().is_none() && m.method() == "INVITE" && m.tag("To").is_none()
        })?;
        Call::offered(self, invite)
    }

    /// Answers a request outside any dialogue of ours.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn respond(&mut self, request: &Message, status: &str) -> Result<()> {
        self.respond_with(request, status, "phone", &[], b"")
    }

    /// Answers a call with "somebody else, there".
    ///
    /// # Errors
    /// The socket refuses.
    pub fn respond_moved(&mut self, request: &Message, contacts: &[String]) -> Result<()> {
        self.respond_with(request, "302 Moved Temporarily", "phone", contacts, b"")
    }

    pub(crate) fn respond_with(
        &mut self,
        request: &Message,
        status: &str,
        tag: &str,
        more: &[String],
        body: &[u8],
    ) -> Result<()> {
        let mut headers: Vec<String> = Vec::new();
        headers.extend(request.headers("Via").iter().map(|via| format!("Via: {via}")));
        headers.extend(
            request.headers("Record-Route").iter().map(|route| format!("Record-Route: {route}")),
        );
        for name in ["From", "Call-ID", "CSeq"] {
            headers.push(format!("{name}: {}", request.header(name).unwrap_or_default()));
        }
        let to = request.header("To").unwrap_or_default();
        headers.push(if to.contains(";tag=") {
            format!("To: {to}")
        } else {
            format!("To: {to};tag={tag}")
        });
        headers.extend_from_slice(more);
        let bytes = Message::new(&format!("SIP/2.0 {status}"), &headers, body).to_bytes();
        self.answered.insert(transaction(request), bytes.clone());
        self.wire.send(&bytes)
    }

    /// Sends a request, over UDP again and again (RFC 3261 section 17.1.2.2), until a message the
    /// test describes comes.
    ///
    /// # Errors
    /// It did not come in time; what did come is named.
    pub(crate) fn send_until(
        &mut self,
        request: &Message,
        what: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        let end = Instant::now() + PATIENCE;
        let mut interval = Duration::from_millis(500);
        loop {
            self.send(request)?;
            let left = end.saturating_duration_since(Instant::now());
            let within = if matches!(self.wire, Wire::Udp(_)) { left.min(interval) } else { left };
            match self.wait(what, within, &wanted) {
                Ok(message) => return Ok(message),
                Err(error) if Instant::now() >= end => return Err(error),
                Err(error) if matches!(self.wire, Wire::Tcp(..)) => return Err(error),
                Err(_) => interval = (interval * 2).min(Duration::from_secs(4)),
            }
        }
    }

    /// Waits for a message the test describes; others are kept for later.
    ///
    /// # Errors
    /// It did not come in time; what did come is named.
    pub fn wait(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        let deadline = Instant::now() + within;
        if let Some(at) = self.inbox.iter().position(&wanted) {
            return self.inbox.remove(at).ok_or_else(|| "the inbox changed".into());
        }
        loop {
            match self.next(deadline) {
                Ok(message) if wanted(&message) => return Ok(message),
                Ok(message) => self.inbox.push_back(message),
                Err(error) => {
                    let others: Vec<_> = self
                        .inbox
                        .iter()
                        .map(|m| {
                            format!("{} [{}]", m.first_line(), m.header("CSeq").unwrap_or("-"))
                        })
                        .collect();
                    return Err(format!(
                        "{} waits for {what}: {error}; otherwise there came {others:?}",
                        self.account.number
                    ));
                }
            }
        }
    }

    /// Makes sure that nothing the test describes comes for that long.
    ///
    /// # Errors
    /// It came.
    pub fn hear_nothing(
        &mut self,
        what: &str,
        during: Duration,
        unwanted: impl Fn(&Message) -> bool,
    ) -> Result<()> {
        match self.wait(what, during, unwanted) {
            Ok(message) => {
                Err(format!("{} got {what} after all: {message:?}", self.account.number))
            }
            Err(_) => Ok(()),
        }
    }

    /// The next message that is not a retransmission; those get the answer the first one got.
    fn next(&mut self, deadline: Instant) -> Result<Message> {
        loop {
            let message = self.wire.receive(deadline)?;
            if self.seen.insert(message.head().to_owned()) {
                return Ok(message);
            }
            if message.status().is_none()
                && let Some(bytes) = self.answered.get(&transaction(&message))
            {
                self.wire.send(bytes)?;
            }
        }
    }
}

/// What names a server transaction (RFC 3261 section 17.2.3): branch and method.
fn transaction(request: &Message) -> String {
    let via = request.header("Via").unwrap_or_default();
    let branch = via
        .split_once("branch=")
        .map_or(via, |(_, rest)| rest.split([';', ',']).next().unwrap_or_default());
    format!("{branch} {}", request.method())
}

/// A token nobody else in this test run has.
pub(crate) fn unique(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!(
        "{kind}{:x}-{nanoseconds:x}-{:x}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
