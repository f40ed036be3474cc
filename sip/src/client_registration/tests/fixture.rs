// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use crate::{
    auth::client::{Credentials, Secret},
    client_registration::{Account, Action, Ask, Notice, Registration, State},
    flow::{Flow, Transmit, Transport},
    transaction::Failure,
    wire::{Draft, Limits, Message, NameAddr, Request, Uri, name, parse_datagram},
};

/// An account, the time, and what the account has wanted done.
pub(super) struct World {
    pub(super) begin: Instant,
    pub(super) now: Instant,
    pub(super) registration: Registration,
    /// Requests without an answer, the oldest first.
    pub(super) sent: Vec<Sent>,
    pub(super) pings: Vec<Transmit>,
    pub(super) states: Vec<State>,
    pub(super) notices: Vec<Notice>,
    pub(super) locate: Vec<Uri>,
    /// Connections whose ways are asked for anew.
    pub(super) reach: Vec<Flow>,
    /// All that was ever sent.
    pub(super) count: usize,
}

/// One request on its way.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) ask: Ask,
    pub(super) flow: Flow,
    pub(super) request: Request,
}

pub(super) fn way(number: u8) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: format!("198.51.100.{number}:5060").parse().unwrap(),
        connection: None,
    }
}

pub(super) fn account() -> Account {
    let registrar = Uri::parse("sip:example.net").unwrap();
    let address = Uri::parse("sip:alice@example.net").unwrap();
    let instance = Some("urn:uuid:00000000-0000-4000-8000-000000000001".to_owned());
    Account { instance, ..Account::new(registrar, address, "token-7") }
}

pub(super) fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials::new("alice", Secret::new(password)))
}

pub(super) const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"example.net\", nonce=\"n1\", qop=\"auth\"\r\n";

/// A challenge with another nonce.
pub(super) fn challenge(nonce: &str, more: &str) -> String {
    format!(
        "WWW-Authenticate: Digest realm=\"example.net\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n"
    )
}

impl World {
    pub(super) fn new(account: Account) -> Self {
        Self::seeded(account, [1; 32])
    }

    /// One of many accounts.
    pub(super) fn of_seed(seed: u32) -> Self {
        let mut octets = [0; 32];
        octets[..4].copy_from_slice(&seed.to_le_bytes());
        Self::seeded(account(), octets)
    }

    fn seeded(account: Account, seed: [u8; 32]) -> Self {
        let begin = Instant::now();
        Self {
            begin,
            now: begin,
            registration: Registration::new(account, credentials("secret"), seed),
            sent: Vec::new(),
            pings: Vec::new(),
            states: Vec::new(),
            notices: Vec::new(),
            locate: Vec::new(),
            reach: Vec::new(),
            count: 0,
        }
    }

    /// An account that stands over these ways, with a registration of that many seconds.
    pub(super) fn online(account: Account, ways: &[Flow], expires: u32, more: &str) -> Self {
        let mut world = Self::new(account);
        world.register(ways);
        world.accept(expires, more);
        assert_eq!(world.states.last(), Some(&State::Online));
        world
    }

    pub(super) fn register(&mut self, ways: &[Flow]) {
        self.registration.register(self.now, ways);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(action) = self.registration.poll() {
            match action {
                Action::Send { ask, flow, request } => {
                    self.count += 1;
                    self.sent.push(Sent { ask, flow, request: read(&request) });
                }
                Action::Transmit(transmit) => self.pings.push(transmit),
                Action::Locate { uri } => self.locate.push(uri),
                Action::Reach { flow } => self.reach.push(flow),
                Action::State(state) => self.states.push(state),
                Action::Noticed(notice) => self.notices.push(notice),
            }
        }
    }

    /// The one request that waits.
    pub(super) fn request(&mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "requests on their way");
        self.sent[0].clone()
    }

    /// Answers the oldest request.
    pub(super) fn answer(&mut self, status: &str, more: &str) {
        let sent = self.sent.remove(0);
        self.answer_to(&sent, status, more);
    }

    pub(super) fn answer_to(&mut self, sent: &Sent, status: &str, more: &str) {
        let text = response(&sent.request, "", status, more);
        let parsed = parse_datagram(text.into(), &Limits::default()).expect("a response");
        let Message::Response(response) = parsed else { panic!("a response") };
        self.registration.answered(self.now, sent.ask, &response);
        self.drain();
    }

    /// Answers the oldest request, and says where it was seen.
    pub(super) fn answer_seen(&mut self, seen: &str, status: &str, more: &str) {
        let sent = self.sent.remove(0);
        let text = response(&sent.request, seen, status, more);
        let parsed = parse_datagram(text.into(), &Limits::default()).expect("a response");
        let Message::Response(response) = parsed else { panic!("a response") };
        self.registration.answered(self.now, sent.ask, &response);
        self.drain();
    }

    /// Grants the oldest request.
    pub(super) fn accept(&mut self, expires: u32, more: &str) {
        let contact = self.sent[0].request.headers().text(&name::CONTACT).unwrap();
        let contact = with_expires(&contact, expires);
        self.answer("200 OK", &format!("Contact: {contact}\r\n{more}"));
    }

    pub(super) fn fail(&mut self, why: Failure) {
        let sent = self.sent.remove(0);
        self.registration.failed(self.now, sent.ask, why);
        self.drain();
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            match self.registration.next_deadline().filter(|due| *due <= end) {
                Some(due) => {
                    self.now = self.now.max(due);
                    self.registration.handle_deadline(self.now);
                    self.drain();
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("its deadlines never pass");
    }

    /// Lets time pass until something is sent; gives how long that took.
    pub(super) fn until_sent(&mut self, limit: Duration) -> Duration {
        let (begin, count) = (self.now, self.count);
        let end = self.now + limit;
        while self.count == count {
            let due = self.registration.next_deadline().filter(|due| *due <= end);
            self.now = self.now.max(due.expect("something is sent in time"));
            self.registration.handle_deadline(self.now);
            self.drain();
        }
        self.now - begin
    }

    pub(super) fn request_count(&self) -> usize {
        self.count
    }

    pub(super) fn state(&self) -> State {
        self.registration.state()
    }

    /// That nothing is sent for a very long time.
    pub(super) fn assert_silent(&mut self) {
        let (count, pings) = (self.count, self.pings.len());
        self.run(Duration::from_secs(30 * 86_400));
        assert_eq!((self.count, self.pings.len()), (count, pings), "it is not silent");
        assert_eq!(self.registration.next_deadline(), None, "it wakes up for nothing");
    }
}

impl Sent {
    pub(super) fn contact(&self) -> NameAddr {
        NameAddr::parse(&self.request.headers().value(&name::CONTACT).unwrap()).unwrap()
    }

    pub(super) fn authorization(&self) -> Option<String> {
        self.request.headers().text(&name::AUTHORIZATION)
    }

    pub(super) fn expires(&self) -> u32 {
        self.request.headers().number(&name::EXPIRES).unwrap()
    }
}

/// The same Contact with another `expires`.
pub(super) fn with_expires(contact: &str, expires: u32) -> String {
    let mut parts: Vec<String> = contact
        .split(';')
        .filter(|part| !part.starts_with("expires="))
        .map(str::to_owned)
        .collect();
    parts.insert(1, format!("expires={expires}"));
    parts.join(";")
}

pub(super) fn read(draft: &Draft) -> Request {
    let via = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport";
    match parse_datagram(draft.encode_with_via(Some(via)), &Limits::default()) {
        Ok(Message::Request(request)) => {
            request.check().expect("our requests are sound");
            request
        }
        other => panic!("no request: {other:?}"),
    }
}

/// A response in plain text. `seen` goes into the Via.
fn response(request: &Request, seen: &str, status: &str, more: &str) -> String {
    let headers = request.headers();
    let mut text = format!("SIP/2.0 {status}\r\n");
    let via = headers.text(&name::VIA).unwrap();
    let via = if seen.is_empty() { via } else { via.replace(";rport", seen) };
    let _ = write!(text, "Via: {via}\r\nTo: {};tag=r\r\n", headers.text(&name::TO).unwrap());
    for name in [&name::FROM, &name::CALL_ID, &name::CSEQ] {
        let spelled = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let _ = write!(text, "{spelled}: {}\r\n", headers.text(name).unwrap());
    }
    text.push_str(more);
    text.push_str("Content-Length: 0\r\n\r\n");
    text
}
