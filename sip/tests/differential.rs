// SPDX-License-Identifier: GPL-3.0-or-later
//! A second opinion on everything we write: `rsip` reads it too, and sees what we meant.
//!
//! Our own reader cannot tell whether our writer is right, because both share one parser. Where
//! `rsip` is known to err, the fault is listed ([`excuse`]) as narrowly as it can be told, and each
//! excuse must be needed, so that none outlives its reason.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use rsip::{
    Header, SipMessage,
    headers::{ToTypedHeader, UntypedHeader},
    message::HasHeaders,
};
use sipwitch_core::{
    call::leg::{
        Ask, Body, Carried, ExchangeId, Fork, Invitation, LegCommand, LegEvent, LegId, Party,
        ReliableId, Status,
    },
    cause::Cause,
};
use sipwitch_sip::{
    auth::{self, Authenticator, Refusal, Verdict},
    endpoint::{Composed, Endpoint, Event, Settings, Target},
    flow::{Flow, Transport},
    registrar::{Arrival, Registrar, Rules},
    transaction::Timers,
    wire::{Draft, Limits, Message, Method, Request, Uri, name, parse_datagram},
};

/// What `rsip` cannot read although it is right. None of it concerns the framing of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Excuse {
    /// It calls `SHA-256` (RFC 8760 §2) `SHA256`.
    AlgorithmWithDash,
    /// It reads a quoted string up to the first quote, escaped or not.
    EscapedQuote,
    /// It takes an extension method for no method.
    ExtensionMethod,
    /// It takes the first colon of an IPv6 address for that of the port.
    Ipv6Address,
    /// Its parameters know no quoted strings: `+sip.instance="<urn:…>"`, `pub-gruu="…"`.
    QuotedContactParameter,
    /// It has no `tel:` (merged in 2022, never released).
    TelUri,
}

/// What `rsip` objects to.
struct Objection {
    /// The field, or part of the message.
    part: &'static str,
    /// Its value.
    value: String,
    /// The objection itself.
    what: String,
}

fn excuse(ours: &Message, Objection { part, value, .. }: &Objection) -> Option<Excuse> {
    match (*part, ours) {
        ("Contact", _) if value.contains("=\"") => Some(Excuse::QuotedContactParameter),
        ("Contact" | "From" | "To" | "Via", _) if value.contains("[") => Some(Excuse::Ipv6Address),
        ("WWW-Authenticate", _) if value.contains("\\\"") => Some(Excuse::EscapedQuote),
        ("WWW-Authenticate", _) if value.contains("SHA-256") => Some(Excuse::AlgorithmWithDash),
        ("CSeq", _) if !STANDARD.iter().any(|method| value.ends_with(method)) => {
            Some(Excuse::ExtensionMethod)
        }
        ("message", Message::Request(request)) if request.uri().scheme() == "tel" => {
            Some(Excuse::TelUri)
        }
        ("message", Message::Request(request)) if request.uri().host().contains(':') => {
            Some(Excuse::Ipv6Address)
        }
        ("message", Message::Request(request)) if matches!(request.method(), Method::Other(_)) => {
            Some(Excuse::ExtensionMethod)
        }
        _ => None,
    }
}

/// Asks `rsip` what it sees.
fn second_opinion(ours: &Message, bytes: &Bytes) -> Result<(), Objection> {
    let theirs = match SipMessage::try_from(bytes.to_vec()) {
        Ok(theirs) => theirs,
        Err(error) => {
            let value = String::from_utf8_lossy(bytes).into_owned();
            return Err(Objection { part: "message", value, what: error.to_string() });
        }
    };
    match (ours, &theirs) {
        (Message::Request(ours), SipMessage::Request(theirs)) => {
            assert_eq!(ours.method().to_string(), theirs.method.to_string());
            // It writes some parameters in another case than it read.
            let theirs = theirs.uri.to_string();
            assert!(ours.uri().to_string().eq_ignore_ascii_case(&theirs), "{theirs}");
        }
        (Message::Response(ours), SipMessage::Response(theirs)) => {
            assert_eq!(ours.status(), theirs.status_code.code());
        }
        _ => panic!("a request is taken for a response, or a response for a request"),
    }
    let body = match ours {
        Message::Request(request) => request.body(),
        Message::Response(response) => response.body(),
    };
    assert_eq!(body.as_ref(), theirs.body().as_slice(), "the bodies");
    let mine = ours.headers().iter().map(|(name, value)| {
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        format!("{name}: {}", String::from_utf8_lossy(&value))
    });
    let mine: Vec<String> = mine.collect();
    let other: Vec<String> = theirs.headers().iter().map(ToString::to_string).collect();
    assert_eq!(mine.len(), other.len(), "{mine:#?} against {other:#?}");
    for (mine, other) in mine.iter().zip(&other) {
        assert!(mine.eq_ignore_ascii_case(other), "{mine:?} against {other:?}");
    }
    compare_typed(ours, &theirs)
}

/// The fields that make dialogs and transactions mean the same to both.
fn compare_typed(ours: &Message, theirs: &SipMessage) -> Result<(), Objection> {
    let tag = |params: &[rsip::Param]| {
        params.iter().find_map(|param| match param {
            rsip::Param::Tag(tag) => Some(tag.value().to_owned()),
            _ => None,
        })
    };
    let (from_tag, to_tag, cseq) = match ours {
        Message::Request(m) => (m.from_tag(), m.to_tag(), m.cseq()),
        Message::Response(m) => (m.from_tag(), m.to_tag(), m.cseq()),
    };
    let text = |tag: Option<std::borrow::Cow<'_, [u8]>>| {
        tag.map(|tag| String::from_utf8_lossy(&tag).into_owned())
    };
    let cseq = cseq.expect("we write a CSeq");
    for header in theirs.headers().iter() {
        match header {
            Header::From(field) => {
                let read = typed("From", field.value(), field.typed())?;
                assert_eq!(tag(&read.params), text(from_tag.clone()), "the tag of the From");
            }
            Header::To(field) => {
                let read = typed("To", field.value(), field.typed())?;
                assert_eq!(tag(&read.params), text(to_tag.clone()), "the tag of the To");
            }
            Header::CSeq(field) => {
                let read = typed("CSeq", field.value(), field.typed())?;
                assert_eq!(read.seq, cseq.number);
                assert_eq!(read.method.to_string(), cseq.method.to_string());
            }
            Header::Via(field) => drop(typed("Via", field.value(), field.typed())?),
            Header::Contact(field) => drop(typed("Contact", field.value(), field.typed())?),
            Header::WwwAuthenticate(field) => {
                drop(typed("WWW-Authenticate", field.value(), field.typed())?);
            }
            _ => {}
        }
    }
    Ok(())
}

fn typed<T>(part: &'static str, value: &str, read: Result<T, rsip::Error>) -> Result<T, Objection> {
    read.map_err(|error| Objection { part, value: value.to_owned(), what: error.to_string() })
}

/// Judges messages; gives the excuses that were needed.
fn judge(messages: impl IntoIterator<Item = Bytes>) -> BTreeSet<Excuse> {
    let mut needed = BTreeSet::new();
    for bytes in messages {
        let ours = parse_datagram(bytes.clone(), &Limits::default());
        let ours = ours.expect("what we write, we read");
        if let Err(objection) = second_opinion(&ours, &bytes) {
            let Some(excuse) = excuse(&ours, &objection) else {
                let Objection { part, what, .. } = objection;
                panic!("{part}: {what}\n{}", String::from_utf8_lossy(&bytes));
            };
            needed.insert(excuse);
        }
    }
    needed
}

const NOTHING: [Excuse; 0] = [];
const STANDARD: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

// ---- calls ----------------------------------------------------------------------------------

/// Two endpoints and every message that passed between them.
struct Town {
    ends: [Endpoint; 2],
    addresses: [SocketAddr; 2],
    transport: Transport,
    now: Instant,
    told: [Vec<Event>; 2],
    sent: Vec<Bytes>,
}

impl Town {
    fn new(transport: Transport, addresses: [&str; 2]) -> Self {
        let now = Instant::now();
        let end = |seed| {
            let product = "SIP Witch/0.1".to_owned();
            let settings = Settings { product, ..Settings::default() };
            Endpoint::new(now, settings, Timers::default(), [seed; 32])
        };
        Self {
            ends: [end(1), end(2)],
            addresses: addresses.map(|address| address.parse().expect("an address")),
            transport,
            now,
            told: [Vec::new(), Vec::new()],
            sent: Vec::new(),
        }
    }

    fn flow(&self, from: usize) -> Flow {
        Flow {
            transport: self.transport,
            local: self.addresses[from],
            remote: self.addresses[1 - from],
            connection: None,
        }
    }

    /// Carries messages to and fro until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..100 {
            let mut is_quiet = true;
            for at in 0..2 {
                while let Some(transmit) = self.ends[at].poll_transmit() {
                    is_quiet = false;
                    self.sent.push(transmit.bytes.clone());
                    let message = parse_datagram(transmit.bytes, &Limits::default());
                    let flow = self.flow(1 - at);
                    self.ends[1 - at].receive(self.now, flow, message.expect("one of ours"));
                }
                while let Some(event) = self.ends[at].poll_event() {
                    self.told[at].push(event);
                }
            }
            if is_quiet {
                return;
            }
        }
        panic!("they never stop");
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            let next = self.ends.iter().filter_map(Endpoint::next_deadline).min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
            for at in 0..2 {
                self.ends[at].handle_deadline(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    fn command(&mut self, at: usize, leg: u64, command: LegCommand) {
        self.ends[at].command(self.now, LegId(leg), command);
        self.settle();
    }

    fn start(&mut self, invitation: &Invitation, uri: &str) {
        let target = Target::new(
            Uri::parse(uri.to_owned()).expect("a URI"),
            vec![Bytes::from_static(b"<sip:edge.example.org;lr>")],
            self.flow(0),
        );
        self.ends[0].start(self.now, LegId(10), &target, invitation);
        self.settle();
    }

    fn accept(&mut self) {
        let arrival = self.told[1]
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Request(arrival) => Some(arrival.clone()),
                _ => None,
            })
            .expect("an INVITE came");
        self.ends[1].accept(self.now, &arrival, LegId(20)).expect("it can be taken");
        self.settle();
    }

    /// A request of the caller inside the dialog, as its ACK shows it.
    fn inside(&self, method: &str, fields: &str) -> Bytes {
        let ack = self.sent.iter().find(|bytes| bytes.starts_with(b"ACK ")).expect("an ACK");
        let ack = String::from_utf8_lossy(ack).replace("ACK", method);
        let cseq = format!(" {method}\r\n");
        let ack =
            ack.replacen(&cseq, &format!("00{cseq}"), 1).replacen("branch=", "branch=z9hG4bK", 1);
        Bytes::from(ack.replacen("\r\n", &format!("\r\n{fields}"), 1))
    }

    /// Hands a message to an end as if the other had sent it.
    fn deliver(&mut self, at: usize, bytes: Bytes) {
        let message = parse_datagram(bytes, &Limits::default()).expect("a message");
        let flow = self.flow(at);
        self.ends[at].receive(self.now, flow, message);
        self.settle();
    }

    /// The exchange that the far end began last.
    fn asked(&self, at: usize) -> ExchangeId {
        let asked = self.told[at].iter().rev().find_map(|event| match event {
            Event::Leg {
                event: LegEvent::Asked { exchange, .. } | LegEvent::TransferAsked { exchange, .. },
                ..
            } => Some(*exchange),
            _ => None,
        });
        asked.expect("something was asked")
    }

    fn ask(&mut self, at: usize, exchange: u32, ask: Ask, carried: Carried) {
        let leg = [10, 20][at];
        let is_reinvite = ask == Ask::Reinvite;
        let exchange = ExchangeId(exchange);
        self.command(at, leg, LegCommand::Ask { exchange, ask, carried });
        let reply = LegCommand::Reply {
            exchange: self.asked(1 - at),
            status: Status::new(200),
            carried: if is_reinvite { sdp() } else { Carried::nothing() },
        };
        self.command(1 - at, [10, 20][1 - at], reply);
        if is_reinvite {
            let carried = Carried::nothing();
            self.command(at, leg, LegCommand::ConfirmReinvite { exchange, carried });
        }
    }
}

fn sdp() -> Carried {
    Carried::body(Body::sdp(&b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"[..]))
}

fn text(text: &'static str) -> Carried {
    Carried::body(Body {
        content_type: Bytes::from_static(b"text/plain;charset=UTF-8"),
        bytes: Bytes::from_static(text.as_bytes()),
    })
}

fn invitation(display: &str) -> Invitation {
    Invitation {
        from: Party { display: display.to_owned(), address: "101".to_owned() },
        to: Party { display: String::new(), address: "102".to_owned() },
        carried: sdp(),
        reliable_provisional: true,
        hops: 70,
        diverted_by: Some(Party { display: "Desk".to_owned(), address: "103".to_owned() }),
    }
}

const V4: [&str; 2] = ["127.0.0.1:5060", "127.0.0.2:5060"];

#[test]
fn a_whole_call_is_read_as_it_was_written() {
    let v6 = ["[2001:db8::1]:5060", "[2001:db8::2]:5060"];
    for (transport, addresses, uri, excuses) in [
        (Transport::Udp, V4, "sip:102@127.0.0.2:5060", [].into()),
        (Transport::Tcp, V4, "sip:102@127.0.0.2:5060;transport=tcp", [].into()),
        (Transport::Udp, v6, "sip:102@phone.example", BTreeSet::from([Excuse::Ipv6Address])),
    ] {
        let mut town = Town::new(transport, addresses);
        town.start(&invitation("Zoë \"Z\" \\ Müller"), uri);
        town.accept();
        for code in [180, 183] {
            let status = Status::new(code);
            let carried = if code == 183 { sdp() } else { Carried::nothing() };
            let progress = LegCommand::Progress { fork: Fork(0), status, reliable: None, carried };
            town.command(1, 20, progress);
        }
        town.command(1, 20, LegCommand::Answer { fork: Fork(0), carried: sdp() });
        town.command(0, 10, LegCommand::Confirm { carried: Carried::nothing() });
        town.ask(0, 1, Ask::Reinvite, sdp());
        town.ask(1, 2, Ask::Update, sdp());
        town.ask(0, 3, Ask::Info, text("Signal=5\r\nDuration=160\r\n"));
        town.ask(1, 4, Ask::Message, text("grüß dich"));
        town.ask(0, 5, Ask::Options, Carried::nothing());
        town.pass(2000);
        let cause = Cause::normal();
        town.command(1, 20, LegCommand::End { cause });
        town.pass(60);
        let methods: BTreeSet<_> = town
            .sent
            .iter()
            .filter_map(|bytes| bytes.split(|b| *b == b' ').next().map(<[u8]>::to_vec))
            .collect();
        for method in ["INVITE", "ACK", "UPDATE", "INFO", "MESSAGE", "OPTIONS", "BYE"] {
            assert!(methods.contains(method.as_bytes()), "no {method} was sent");
        }
        assert_eq!(judge(town.sent), excuses);
    }
}

#[test]
fn calls_that_come_to_nothing_are_read_as_they_were_written() {
    for cause in [Cause::busy(), Cause::normal(), Cause::answered_elsewhere()] {
        for is_caller in [true, false] {
            let mut town = Town::new(Transport::Udp, V4);
            town.start(&invitation(""), "sip:102@127.0.0.2");
            town.accept();
            let status = Status { code: 182, reason: "In der Warteschlange".to_owned() };
            let carried = Carried::nothing();
            let progress = LegCommand::Progress { fork: Fork(0), status, reliable: None, carried };
            town.command(1, 20, progress);
            let cause = cause.clone();
            let (at, leg) = if is_caller { (0, 10) } else { (1, 20) };
            town.command(at, leg, LegCommand::End { cause });
            town.pass(60);
            assert!(town.sent.len() >= 4, "{}", town.sent.len());
            assert_eq!(judge(town.sent), NOTHING.into());
        }
    }
}

#[test]
fn reliable_progress_and_transfers_are_read_as_they_were_written() {
    let mut town = Town::new(Transport::Udp, V4);
    town.start(&invitation("Alice"), "sip:102@127.0.0.2");
    town.accept();
    let status = Status::new(183);
    let reliable = Some(ReliableId(1));
    let progress = LegCommand::Progress { fork: Fork(0), status, reliable, carried: sdp() };
    town.command(1, 20, progress);
    let reliable = town.told[0].iter().find_map(|event| match event {
        Event::Leg { event: LegEvent::Progress { reliable, .. }, .. } => *reliable,
        _ => None,
    });
    let reliable = reliable.expect("the progress came as it was sent");
    town.ask(0, 1, Ask::Prack { reliable }, Carried::nothing());
    town.command(1, 20, LegCommand::Answer { fork: Fork(0), carried: sdp() });
    town.command(0, 10, LegCommand::Confirm { carried: Carried::nothing() });

    let refer = town.inside("REFER", "Refer-To: <sip:103@example.org>\r\n");
    town.deliver(1, refer);
    let exchange = town.asked(1);
    for code in [202, 100, 180, 200] {
        let status = Status::new(code);
        let command = if code == 202 {
            LegCommand::Reply { exchange, status, carried: Carried::nothing() }
        } else {
            LegCommand::TransferProgress { exchange, status }
        };
        town.command(1, 20, command);
    }
    for wanted in ["PRACK ", "NOTIFY ", "SIP/2.0 202 "] {
        let is_wanted = |bytes: &Bytes| bytes.starts_with(wanted.as_bytes());
        assert!(town.sent.iter().any(is_wanted), "no {wanted} was sent");
    }
    assert_eq!(judge(town.sent), NOTHING.into());
}

#[test]
fn odd_addresses_and_methods_need_their_excuses() {
    let mut town = Town::new(Transport::Udp, V4);
    town.start(&invitation(""), "tel:+4930123");
    town.accept();
    town.command(1, 20, LegCommand::Answer { fork: Fork(0), carried: sdp() });
    town.command(0, 10, LegCommand::Confirm { carried: Carried::nothing() });
    let ask = Ask::Other(Bytes::from_static(b"DANCE"));
    town.ask(0, 1, ask, Carried::nothing());
    assert_eq!(judge(town.sent), [Excuse::TelUri, Excuse::ExtensionMethod].into());
}

#[test]
fn requests_outside_dialogs_are_read_as_they_were_written() {
    let mut town = Town::new(Transport::Udp, V4);
    for method in [Method::Options, Method::Message, Method::Notify] {
        let uri = Uri::sip("102", "127.0.0.2", Some(5060)).expect("a URI");
        let composed = Composed {
            method: &method,
            uri: &uri,
            from: "\"A, B\" <sip:101@example.org>",
            to: "<sip:102@example.org>",
        };
        let mut draft = town.ends[0].compose(&composed);
        draft.body("text/plain", Bytes::from_static(b"hello\r\n\r\nthere"));
        let flow = town.flow(0);
        town.ends[0].request(town.now, flow, &draft);
        town.settle();
        let told = std::mem::take(&mut town.told[1]);
        for event in told {
            if let Event::Request(arrival) = event {
                let response = town.ends[1].response_to(&arrival.request, 202, "");
                town.ends[1].respond(town.now, arrival.transaction, &response);
            }
        }
        town.settle();
    }
    assert_eq!(town.sent.len(), 6);
    assert_eq!(judge(town.sent), NOTHING.into());
}

// ---- registration and authentication --------------------------------------------------------

fn register(fields: &str) -> Request {
    let text = format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK1;rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Alice\" <sip:101@example.org>;tag=a\r\n\
         To: <sip:101@example.org>\r\nCall-ID: c@192.0.2.7\r\nCSeq: 1 REGISTER\r\n{fields}\
         Content-Length: 0\r\n\r\n"
    );
    match parse_datagram(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn answer_of_registrar(fields: &str) -> (u16, Bytes) {
    let mut registrar = Registrar::new(Rules::default(), &[1; 32], 1);
    let outcome = registrar.register(&Arrival {
        request: &register(fields),
        flow: Flow {
            transport: Transport::Tcp,
            local: "192.0.2.1:5060".parse().expect("an address"),
            remote: "192.0.2.7:40000".parse().expect("an address"),
            connection: None,
        },
        extension: "101",
        now: Instant::now(),
        unix_us: 1_700_000_000_000_000,
        to_tag: "t",
    });
    (outcome.response.status().expect("a response"), outcome.response.encode())
}

#[test]
fn what_the_registrar_answers_is_read_as_it_was_written() {
    let instance = "+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";
    for (fields, status) in [
        (String::new(), 200),
        ("Contact: <sip:a@192.0.2.7>;q=0.25, <sip:b@192.0.2.8:5070;ob>\r\n".into(), 200),
        ("Contact: <sip:a@192.0.2.7>;expires=1\r\n".into(), 423),
        ("Contact: *\r\n".into(), 400),
        ("Contact: <sip:a@192.0.2.7>\r\nRequire: x, y\r\n".into(), 420),
        ("Contact: <sip:a@192.0.2.7>\r\nPath: <sip:p;lr>\r\nSupported: path\r\n".into(), 200),
    ] {
        let (answered, bytes) = answer_of_registrar(&fields);
        assert_eq!(answered, status, "{fields}");
        assert_eq!(judge([bytes]), NOTHING.into());
    }
    let fields = format!(
        "Contact: <sip:a@192.0.2.7;transport=tcp>;reg-id=1;{instance}\r\n\
         Supported: path, outbound, gruu\r\n"
    );
    let (answered, bytes) = answer_of_registrar(&fields);
    assert_eq!(answered, 200);
    assert_eq!(judge([bytes]), [Excuse::QuotedContactParameter].into());
}

#[test]
fn what_the_authenticator_answers_is_read_as_it_was_written() {
    let mut judge_of_digests = Authenticator::new(auth::Rules::default(), &[1; 32], 1);
    let source = "192.0.2.7".parse().expect("an address");
    let request = register("User-Agent: Desk 1\r\n");
    let refused = Refusal::TooManyFailures { retry_after_seconds: 30 };
    let mut sent = Vec::new();
    for verdict in [
        Verdict::Challenge { stale: false },
        Verdict::Challenge { stale: true },
        Verdict::Refused(refused),
        Verdict::Refused(Refusal::WithoutQop),
    ] {
        sent.push(judge_of_digests.answer(1, &request, source, &verdict, "t").encode());
    }
    let malformed = register("Authorization: Digest username\r\n");
    let verdict = judge_of_digests.check(1, &malformed, source, |_, _| None);
    sent.push(judge_of_digests.answer(1, &malformed, source, &verdict, "t").encode());
    assert_eq!(judge(sent), [Excuse::AlgorithmWithDash].into());

    let rules = auth::Rules {
        realm: "ex\"ample\\org".to_owned(),
        algorithms: vec![auth::Algorithm::Md5],
        ..auth::Rules::default()
    };
    let mut odd = Authenticator::new(rules, &[1; 32], 1);
    let verdict = Verdict::Challenge { stale: false };
    let sent = odd.answer(1, &request, source, &verdict, "t").encode();
    assert_eq!(judge([sent]), [Excuse::EscapedQuote].into());
}

// ---- anything a builder can be given ---------------------------------------------------------

proptest! {
    #[test]
    fn whatever_is_put_into_a_draft_both_read_the_same(
        user in "[a-z0-9 @;:%äß\"<>]{1,12}",
        display in "[A-Za-z ,;äß]{0,12}",
        phrase in "[ -~]{0,20}",
        agent in "[!-~]([ -~]{0,20}[!-~])?",
        body in prop::collection::vec(any::<u8>(), 0..64),
        status in 200..700_u16,
        is_request in any::<bool>(),
    ) {
        let uri = Uri::sip(&user, "example.org", None).expect("escaped");
        let mut draft = if is_request {
            Draft::request(&Method::Message, &uri)
        } else {
            Draft::response(status, &phrase)
        };
        draft.push(&name::VIA, "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1");
        draft.push(&name::FROM, format!("\"{display}\" <{uri}>;tag=a"));
        draft.push(&name::TO, format!("<{uri}>;tag=b"));
        draft.push(&name::CALL_ID, "c");
        draft.push(&name::CSEQ, "1 MESSAGE");
        draft.push(&name::USER_AGENT, agent);
        draft.body("application/octet-stream", body.into());
        prop_assert_eq!(judge([draft.encode()]), NOTHING.into());
    }
}
