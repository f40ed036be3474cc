// SPDX-License-Identifier: GPL-3.0-or-later
//! What the fuzz targets do with their input. Each asserts what must hold for any bytes; a panic
//! anywhere below is a finding as well.

mod digests;
mod files;
mod media;
mod names;
mod responses;

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Body, Carried, Fork, LegCommand, LegEvent, LegId, Status},
    cause::Cause,
};
use sipwitch_sip::{
    auth::{
        self, Authenticator, Credentials, Ha1Pair, Verdict,
        client::{self, Secret},
    },
    client_registration::{Account, Action, Ask, Registration as ClientRegistration, State},
    endpoint::{Endpoint, Event, Settings},
    flow::{Flow, Transport},
    registrar::{Arrival, Registrar, Rules},
    transaction::Timers,
    wire::{
        ContactList, Draft, Limits, Message, Method, NameAddr, Request, StreamReader, Uri, Via,
        name, parse_datagram,
    },
};

pub use self::{
    digests::digests,
    files::{provider, rules},
    media::description,
    names::names,
    responses::response,
};

/// One datagram: it is read or refused, and what we write about it we can read.
pub fn datagram(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    match parse_datagram(bytes.clone(), &Limits::default()) {
        Ok(message) => read_all(&message),
        Err(malformed) => {
            if let Some(refusal) = malformed.refusal(&bytes) {
                let answer = parse_datagram(refusal, &Limits::default());
                // The fields that are sent back may be as broken as they came; the rest is ours.
                if let Ok(message) = answer {
                    assert!(matches!(message, Message::Response(_)));
                }
            }
        }
    }
}

fn read_all(message: &Message) {
    let headers = message.headers();
    for (name, value) in headers.iter() {
        let _ = (name.as_bytes().len(), value.len(), headers.number(&name));
    }
    let _ = headers.tokens(&name::SUPPORTED);
    let _ = ContactList::of(headers);
    for value in headers.all(&name::ROUTE) {
        let _ = NameAddr::parse_list(&value);
    }
    match message {
        Message::Request(request) => read_request(request),
        Message::Response(response) => {
            let _ = (response.check(), response.status(), response.from(), response.to());
            let _ = (response.from_tag(), response.to_tag());
        }
    }
}

fn read_request(request: &Request) {
    let _ = (request.from(), request.to(), request.call_id(), request.cseq(), request.hops());
    let _ = (request.from_tag(), request.to_tag());
    if let Some(via) = request.via() {
        let _ = Via::first(&via);
    }
    if request.check().is_err() {
        return;
    }
    // Whoever sends a sound request gets an answer that is sound as well.
    let draft = Draft::response_to(request, 404, "", Some("t"));
    match parse_datagram(draft.encode(), &Limits::default()) {
        Ok(Message::Response(response)) => {
            assert_eq!(response.status(), 404);
            assert_eq!(response.cseq(), request.cseq());
            assert_eq!(response.call_id().ok(), request.call_id().ok());
            assert!(response.to_tag().is_some());
        }
        other => panic!("the answer to a sound request: {other:?}"),
    }
}

/// A stream: however it is cut into pieces, the same messages come out.
pub fn stream(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    let limits = Limits::default();
    let whole = StreamReader::new(&limits).push(data);
    let mut reader = StreamReader::new(&limits);
    let mut pieces = Vec::new();
    for piece in data.chunks(size) {
        match reader.push(piece) {
            Ok(messages) => pieces.extend(messages),
            Err(_) => {
                assert!(whole.is_err(), "cut into pieces it is refused, whole it is not");
                return;
            }
        }
    }
    let whole = whole.expect("in pieces it was taken");
    assert_eq!(whole.len(), pieces.len());
    for (one, other) in whole.iter().zip(&pieces) {
        read_all(one);
        let fields = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
            let headers = message.headers();
            headers.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.into_owned())).collect()
        };
        assert_eq!(fields(one), fields(other));
    }
}

/// A URI: what is read can be written and read again, and is equivalent to itself.
pub fn uri(data: &[u8]) {
    let _ = NameAddr::parse(data);
    let _ = NameAddr::parse_list(data);
    let Ok(uri) = Uri::parse(data.to_vec()) else { return };
    let _ = (uri.user(), uri.host(), uri.ip(), uri.port(), uri.transport(), uri.param("gr"));
    let again = Uri::parse(uri.to_bytes()).expect("what we write, we read");
    assert_eq!(again.to_bytes(), uri.to_bytes());
    assert!(uri.is_equivalent(&again));
    let line = uri.for_request_line();
    assert!(!line.has_headers());
    let _ = Uri::parse(line.to_bytes()).expect("for the request line too");
}

fn register_with(field: &str, value: &[u8]) -> Option<Request> {
    let mut text = format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:101@example.org>;tag=a\r\nTo: <sip:101@example.org>\r\n\
         Call-ID: c\r\nCSeq: 1 REGISTER\r\n{field}: "
    )
    .into_bytes();
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
    match parse_datagram(text.into(), &Limits::default()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

/// The value of an Authorization field: whoever does not know the password is not let in.
pub fn credentials(data: &[u8]) {
    let _ = Credentials::parse(data);
    let Some(request) = register_with("Authorization", data) else { return };
    let mut judge = Authenticator::new(auth::Rules::default(), &[1; 32], 1);
    let source: IpAddr = "192.0.2.7".parse().expect("an address");
    let verdict = judge.check(1, &request, source, |_, hash| {
        Ha1Pair::of("101", "sipwitch", "not to be guessed").under(hash)
    });
    assert!(!matches!(verdict, Verdict::Accepted { .. }));
    let answer = judge.answer(1, &request, source, &verdict, "t").encode();
    assert!(parse_datagram(answer, &Limits::default()).is_ok());
}

/// Datagrams separated by a line of `--`, each taken as a REGISTER of one extension: the answers
/// can be read, and the registrar and its changes agree.
pub fn registration(data: &[u8]) {
    let now = Instant::now();
    let rules = Rules { phones_per_extension: 4, ..Rules::default() };
    let mut registrar = Registrar::new(rules, &[1; 32], 1);
    let mut kept = std::collections::BTreeSet::new();
    let text = data.to_vec();
    for part in split(&text, b"\r\n--\r\n").into_iter().take(16) {
        let Ok(Message::Request(request)) =
            parse_datagram(Bytes::copy_from_slice(part), &Limits::default())
        else {
            continue;
        };
        if request.check().is_err() {
            continue;
        }
        let outcome = registrar.register(&Arrival {
            request: &request,
            flow: Flow {
                transport: Transport::Udp,
                local: "192.0.2.1:5060".parse().expect("an address"),
                remote: "192.0.2.7:5060".parse().expect("an address"),
                connection: None,
            },
            extension: "101",
            now,
            unix_us: 1_700_000_000_000_000,
            to_tag: "t",
        });
        let answer = parse_datagram(outcome.response.encode(), &Limits::default());
        let Ok(Message::Response(answer)) = answer else { panic!("our answer: {answer:?}") };
        assert!(answer.status() == 200 || outcome.changes.is_empty());
        for change in &outcome.changes {
            let binding = change.binding();
            let _ = (binding.reached_by(), binding.is_behind_nat(), binding.routes());
            match change {
                sipwitch_sip::registrar::BindingChange::Removed { .. } => {
                    assert!(kept.remove(&binding.phone));
                }
                _ => {
                    kept.insert(binding.phone);
                }
            }
        }
        let have: std::collections::BTreeSet<_> =
            registrar.phones().map(|binding| binding.phone).collect();
        assert_eq!(have, kept);
        assert!(registrar.len() <= 4);
        assert_eq!(registrar.next_deadline().is_some(), !registrar.is_empty());
    }
}

fn account_at_work(now: Instant) -> AccountAtWork {
    let uri = |text: &'static str| Uri::parse(text).expect("a constant that is a URI");
    let account = Account {
        instance: Some("urn:uuid:00000000-0000-4000-8000-000000000001".into()),
        ..Account::new(uri("sip:example.net"), uri("sip:alice@example.net"), "token-7")
    };
    let credentials = client::Credentials::new("alice", Secret::new("not to be guessed"));
    let ways = [1, 2].map(|last| Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: std::net::SocketAddr::from(([198, 51, 100, last], 5060)),
        connection: None,
    });
    let mut registration = ClientRegistration::new(account, Some(credentials), [1; 32]);
    registration.register(now, &ways);
    AccountAtWork { registration, ways, asks: Vec::new(), sent: 0 }
}

struct AccountAtWork {
    registration: ClientRegistration,
    ways: [Flow; 2],
    asks: Vec<Ask>,
    sent: usize,
}

impl AccountAtWork {
    /// Carries out what the registration wants, and reads what it sends.
    fn attend(&mut self, now: Instant) {
        while let Some(action) = self.registration.poll() {
            match action {
                Action::Send { ask, request, .. } => {
                    let via = b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport";
                    let bytes = request.encode_with_via(Some(via));
                    let sent = parse_datagram(bytes.clone(), &Limits::default());
                    let Ok(Message::Request(sent)) = sent else { panic!("our request: {sent:?}") };
                    sent.check().expect("our requests are sound");
                    let text = b"not to be guessed";
                    assert!(!bytes.windows(text.len()).any(|window| window == text));
                    self.sent += 1;
                    self.asks.push(ask);
                }
                Action::Locate { .. } => self.registration.located(now, &self.ways),
                Action::Reach { flow } => self.registration.reached(now, &flow, Some(flow)),
                Action::Transmit(_) | Action::State(_) | Action::Noticed(_) => {}
            }
        }
    }
}

/// Datagrams separated by a line of `--`, as they answer an account that registers: nothing panics,
/// each answer brings two requests at most, and an account that is off is still.
pub fn account(data: &[u8]) {
    let mut now = Instant::now();
    let mut account = account_at_work(now);
    account.attend(now);
    for part in split(data, b"\r\n--\r\n").into_iter().take(16) {
        let before = account.sent;
        if let Ok(Message::Response(response)) =
            parse_datagram(Bytes::copy_from_slice(part), &Limits::default())
            && let Some(ask) = account.asks.pop()
        {
            account.registration.answered(now, ask, &response);
            account.attend(now);
            assert!(account.sent <= before + 2, "one answer brings a storm");
        }
        if account.asks.is_empty()
            && let Some(deadline) = account.registration.next_deadline()
        {
            now = now.max(deadline);
            account.registration.handle_deadline(now);
            account.attend(now);
        }
    }
    account.registration.unregister(now);
    for _ in 0..16 {
        account.attend(now);
        let Some(deadline) = account.registration.next_deadline() else { break };
        now = now.max(deadline);
        account.registration.handle_deadline(now);
    }
    assert_eq!(account.registration.state(), State::Off);
    assert_eq!(account.registration.next_deadline(), None, "it is off and wakes up");
}

/// The value of a WWW-Authenticate: what is made of it stays in one field that can be read.
pub fn challenge(data: &[u8]) {
    let now = Instant::now();
    let mut account = account_at_work(now);
    account.attend(now);
    let mut text =
        b"SIP/2.0 401 Ask\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
        To: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: "
            .to_vec();
    text.extend_from_slice(data);
    text.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
    let parsed = parse_datagram(text.into(), &Limits::default());
    let Ok(Message::Response(response)) = parsed else { return };
    for _ in 0..8 {
        let Some(ask) = account.asks.pop() else { break };
        account.registration.answered(now, ask, &response);
        account.attend(now);
    }
    assert!(account.sent <= 5, "challenges have no end");
}

/// Datagrams separated by a line of `--`, as they come to an endpoint whose owner takes every call
/// and grants every wish: nothing panics, everything ends, nothing is left.
pub fn endpoint(data: &[u8]) {
    let mut now = Instant::now();
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.7:5060".parse().expect("an address"),
        connection: None,
    };
    let mut endpoint = Endpoint::new(now, Settings::default(), Timers::default(), [1; 32]);
    let mut legs = 0;
    for part in split(data, b"\r\n--\r\n").into_iter().take(16) {
        let bytes = Bytes::copy_from_slice(part);
        match parse_datagram(bytes.clone(), &Limits::default()) {
            Ok(message) => endpoint.receive(now, flow, message),
            Err(malformed) => endpoint.receive_malformed(flow, &bytes, &malformed),
        }
        attend(&mut endpoint, now, &mut legs);
        now += Duration::from_millis(300);
        endpoint.handle_deadline(now);
        attend(&mut endpoint, now, &mut legs);
    }
    let mut ended = 0;
    while ended < legs {
        endpoint.command(now, LegId(ended), LegCommand::End { cause: Cause::normal() });
        attend(&mut endpoint, now, &mut legs);
        ended += 1;
    }
    let mut steps = 0;
    while let Some(deadline) = endpoint.next_deadline() {
        now = now.max(deadline);
        endpoint.handle_deadline(now);
        attend(&mut endpoint, now, &mut legs);
        steps += 1;
        assert!(steps < 10_000, "it never ends");
    }
    assert_eq!(endpoint.leg_count(), 0, "a leg is left");
}

/// Carries out what an endpoint tells, and reads what it sends.
fn attend(endpoint: &mut Endpoint, now: Instant, legs: &mut u64) {
    while let Some(event) = endpoint.poll_event() {
        match event {
            Event::Request(arrival) if arrival.request.method() == &Method::Invite => {
                let leg = LegId(*legs);
                if endpoint.accept(now, &arrival, leg).is_ok() {
                    *legs += 1;
                    let status = Status::new(180);
                    let (fork, carried) = (Fork(0), Carried::nothing());
                    let progress = LegCommand::Progress { fork, status, reliable: None, carried };
                    endpoint.command(now, leg, progress);
                    let carried = Carried::body(Body::sdp(&b"v=0\r\n"[..]));
                    endpoint.command(now, leg, LegCommand::Answer { fork, carried });
                }
            }
            Event::Request(arrival) => {
                let response = endpoint.response_to(&arrival.request, 404, "");
                endpoint.respond(now, arrival.transaction, &response);
            }
            Event::Leg {
                leg,
                event: LegEvent::Asked { exchange, .. } | LegEvent::TransferAsked { exchange, .. },
            } => {
                let (status, carried) = (Status::new(200), Carried::nothing());
                endpoint.command(now, leg, LegCommand::Reply { exchange, status, carried });
            }
            _ => {}
        }
    }
    while let Some(transmit) = endpoint.poll_transmit() {
        let sent = parse_datagram(transmit.bytes, &Limits::default());
        match sent {
            Ok(Message::Request(request)) => request.check().expect("our requests are sound"),
            // Responses carry what they answer, and that may be broken.
            Ok(Message::Response(_)) | Err(_) => {}
        }
    }
}

fn split<'a>(data: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(separator.len()).position(|window| window == separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests;
