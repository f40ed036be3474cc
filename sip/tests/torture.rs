// SPDX-License-Identifier: GPL-3.0-or-later
//! The torture messages of RFC 4475 and RFC 5118, and what each is answered.
//!
//! Once as a reader sees them, and once as they go through a whole endpoint, where it counts what
//! goes out. What an endpoint leaves to its owner is judged by the registrar or the authenticator.

use std::{fs, net::IpAddr, path::PathBuf, time::Instant};

use bytes::Bytes;
use sipwitch_sip::{
    auth::{self, Authenticator, Verdict},
    endpoint::{Endpoint, Event, Settings},
    flow::{Flow, Transport},
    registrar::{self, Registrar},
    transaction::Timers,
    wire::{Limits, Message, Method, Request, Response, name, parse_datagram},
};

/// What becomes of a message at the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is sound; what it asks for is another matter.
    Sound,
    /// A request that is answered with this status.
    Answered(u16),
    /// A response, or a request that cannot even be answered: nobody hears of it.
    Dropped,
}
use Fate::{Answered, Dropped, Sound};

/// The messages, with the section that describes each.
const RFC4475: [(&str, &str, Fate); 49] = [
    ("wsinv", "3.1.1.1", Sound),
    ("intmeth", "3.1.1.2", Sound),
    ("esc01", "3.1.1.3", Sound),
    ("escnull", "3.1.1.4", Sound),
    ("esc02", "3.1.1.5", Sound),
    ("lwsdisp", "3.1.1.6", Sound),
    ("longreq", "3.1.1.7", Sound),
    ("dblreq", "3.1.1.8", Sound),
    ("semiuri", "3.1.1.9", Sound),
    ("transports", "3.1.1.10", Sound),
    ("mpart01", "3.1.1.11", Sound),
    ("unreason", "3.1.1.12", Sound),
    ("noreason", "3.1.1.13", Sound),
    ("badinv01", "3.1.2.1", Answered(400)),
    ("clerr", "3.1.2.2", Answered(400)),
    ("ncl", "3.1.2.3", Answered(400)),
    ("scalar02", "3.1.2.4", Answered(400)),
    ("scalarlg", "3.1.2.5", Dropped),
    ("quotbal", "3.1.2.6", Answered(400)),
    ("ltgtruri", "3.1.2.7", Answered(400)),
    ("lwsruri", "3.1.2.8", Answered(400)),
    ("lwsstart", "3.1.2.9", Answered(400)),
    ("trws", "3.1.2.10", Answered(400)),
    ("escruri", "3.1.2.11", Answered(400)),
    // The section allows to ignore the Date, and nobody here reads it.
    ("baddate", "3.1.2.12", Sound),
    // The registrar's to refuse; see below.
    ("regbadct", "3.1.2.13", Sound),
    ("badaspec", "3.1.2.14", Answered(400)),
    ("baddn", "3.1.2.15", Answered(400)),
    ("badvers", "3.1.2.16", Answered(505)),
    ("mismatch01", "3.1.2.17", Answered(400)),
    ("mismatch02", "3.1.2.18", Answered(400)),
    ("bigcode", "3.1.2.19", Dropped),
    ("badbranch", "3.2.1", Sound),
    ("insuf", "3.3.1", Answered(400)),
    ("unkscm", "3.3.2", Answered(416)),
    ("novelsc", "3.3.3", Answered(416)),
    // The registrar's to refuse.
    ("unksm2", "3.3.4", Sound),
    // The endpoint's to refuse.
    ("bext01", "3.3.5", Sound),
    // Bodies cross a B2BUA unread: the far end refuses what it does not know.
    ("invut", "3.3.6", Sound),
    // The authenticator's to refuse.
    ("regaut01", "3.3.7", Sound),
    ("multi01", "3.3.8", Answered(400)),
    ("mcl01", "3.3.9", Answered(400)),
    ("bcast", "3.3.10", Dropped),
    // Legal for whoever it is meant for; no call goes on from it.
    ("zeromf", "3.3.11", Sound),
    ("cparam01", "3.3.12", Sound),
    ("cparam02", "3.3.13", Sound),
    ("regescrt", "3.3.14", Sound),
    ("sdp01", "3.3.15", Sound),
    ("inv2543", "3.4.1", Sound),
];

const RFC5118: [(&str, &str, Fate); 12] = [
    ("ipv6-good", "4.1", Sound),
    ("ipv6-bad", "4.2", Answered(400)),
    ("port-ambiguous", "4.3", Sound),
    ("port-unambiguous", "4.4", Sound),
    ("via-received-param-with-delim", "4.5", Sound),
    ("via-received-param-no-delim", "4.5", Sound),
    ("ipv6-in-sdp", "4.6", Sound),
    ("mult-ip-in-header", "4.7", Sound),
    ("mult-ip-in-sdp", "4.8", Sound),
    ("ipv4-mapped-ipv6", "4.9", Sound),
    ("ipv6-bug-abnf-3-colons", "4.10", Sound),
    ("ipv6-correct-abnf-2-colons", "4.10", Sound),
];

fn message(rfc: &str, message: &str) -> Bytes {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/torture")
        .join(rfc)
        .join(format!("{message}.dat"));
    Bytes::from(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn request(rfc: &str, name: &str) -> Request {
    match parse_datagram(message(rfc, name), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str, Fate)> {
    let of = |rfc| move |(name, section, fate)| (rfc, name, section, fate);
    RFC4475.into_iter().map(of("rfc4475")).chain(RFC5118.into_iter().map(of("rfc5118")))
}

#[test]
fn every_message_of_the_rfcs_is_here() {
    for (rfc, messages) in [("rfc4475", 49), ("rfc5118", 12)] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(rfc);
        assert_eq!(fs::read_dir(folder).unwrap().count(), messages, "{rfc}");
    }
}

#[test]
fn each_is_read_or_refused_as_its_section_asks() {
    for (rfc, name, section, expected) in all() {
        let bytes = message(rfc, name);
        let fate = match parse_datagram(bytes.clone(), &Limits::default()) {
            Ok(Message::Request(request)) => match request.check() {
                Ok(()) => Sound,
                Err(malformed) => Answered(malformed.status),
            },
            Ok(Message::Response(response)) => match response.check() {
                Ok(()) => Sound,
                Err(_) => Dropped,
            },
            Err(malformed) => match malformed.refusal(&bytes) {
                Some(answer) => {
                    let line = String::from_utf8_lossy(&answer).into_owned();
                    Answered(line[8..11].parse().unwrap())
                }
                None => Dropped,
            },
        };
        assert_eq!(fate, expected, "RFC {rfc} {section} {name}");
    }
}

#[test]
fn the_details_that_the_sections_dwell_on() {
    let tortuous = request("rfc4475", "wsinv");
    assert_eq!(tortuous.headers().number(&name::MAX_FORWARDS), Some(68));
    assert_eq!(tortuous.cseq().unwrap().number, 9);
    assert_eq!(tortuous.from_tag().as_deref(), Some(&b"98asjd8"[..]));
    assert_eq!(tortuous.to_tag().as_deref(), Some(&b"1918181833n"[..]));
    assert_eq!(tortuous.headers().count(&name::VIA), 2, "one of which holds two hops");

    let escaped = request("rfc4475", "esc01").uri();
    assert_eq!(escaped.user().as_deref(), Some("sips:user@example.com"));
    let nulls = request("rfc4475", "escnull").to().unwrap().uri();
    assert_eq!(nulls.user().as_deref(), Some("null-\0-null"));
    let percent = request("rfc4475", "esc02");
    assert_eq!(percent.method().as_bytes(), b"RE%47IST%45R", "no escapes in methods");
    let semicolons = request("rfc4475", "semiuri").uri();
    assert_eq!(semicolons.user().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(request("rfc4475", "dblreq").body().len(), 0, "what follows is not ours");
    assert_eq!(request("rfc4475", "mpart01").body().len(), 553);

    let bare = request("rfc4475", "cparam01");
    let contact = contact_of(&bare);
    assert_eq!(contact.param("unknownparam"), Some(&b""[..]), "of the Contact");
    assert_eq!(contact.uri().param("unknownparam"), None);
    let bracketed = contact_of(&request("rfc4475", "cparam02"));
    assert_eq!(bracketed.param("unknownparam"), None);
    assert_eq!(bracketed.uri().param("unknownparam"), Some(&b""[..]), "of the URI");

    let ambiguous = request("rfc5118", "port-ambiguous").uri();
    assert_eq!((ambiguous.host().as_str(), ambiguous.port()), ("2001:db8::10:5070", None));
    let unambiguous = request("rfc5118", "port-unambiguous").uri();
    assert_eq!((unambiguous.host().as_str(), unambiguous.port()), ("2001:db8::10", Some(5070)));
}

fn contact_of(request: &Request) -> sipwitch_sip::wire::NameAddr {
    let value = request.headers().value(&name::CONTACT).expect("a Contact");
    sipwitch_sip::wire::NameAddr::parse(&value).expect("a sound one")
}

#[test]
fn the_registrar_takes_and_refuses_what_its_sections_ask() {
    for (name, status, bound) in [
        ("cparam01", 200, 1),
        ("cparam02", 200, 1),
        // Two Contacts that differ in escaped nulls alone.
        ("escnull", 200, 2),
        ("dblreq", 200, 1),
        ("regescrt", 200, 1),
        ("regbadct", 400, 0),
        ("unksm2", 400, 0),
    ] {
        let mut registrar = Registrar::new(registrar::Rules::default(), &[1; 32], 1);
        let request = request("rfc4475", name);
        let outcome = registrar.register(&registrar::Arrival {
            request: &request,
            flow: flow(),
            extension: "user",
            now: Instant::now(),
            unix_us: 0,
            to_tag: "t",
        });
        assert_eq!(outcome.response.status(), Some(status), "{name}");
        assert_eq!(registrar.len(), bound, "{name}");
        let contacts = outcome.changes.len();
        assert_eq!(contacts, bound, "{name}");
    }
    // A Route hidden in a Contact is kept, but never obeyed.
    let mut registrar = Registrar::new(registrar::Rules::default(), &[1; 32], 1);
    let outcome = registrar.register(&registrar::Arrival {
        request: &request("rfc4475", "regescrt"),
        flow: flow(),
        extension: "user",
        now: Instant::now(),
        unix_us: 0,
        to_tag: "t",
    });
    let phone = outcome.changes[0].binding();
    assert!(phone.contact.contains("Route="));
    assert_eq!(phone.uri().unwrap().for_request_line().to_string(), "sip:user@example.com");
}

#[test]
fn an_unknown_authorization_scheme_is_challenged() {
    let mut judge = Authenticator::new(auth::Rules::default(), &[1; 32], 1);
    let source: IpAddr = "192.0.2.253".parse().unwrap();
    let verdict = judge.check(1, &request("rfc4475", "regaut01"), source, |_, _| None);
    assert_eq!(verdict, Verdict::Challenge { stale: false });
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.253:5060".parse().expect("an address"),
        connection: None,
    }
}

/// What goes out from an endpoint whose owner takes registrations and has nobody at home.
fn answers(bytes: &Bytes) -> Vec<Response> {
    answers_of(&mut endpoint(), bytes)
}

fn endpoint() -> Endpoint {
    Endpoint::new(Instant::now(), Settings::default(), Timers::default(), [1; 32])
}

fn answers_of(endpoint: &mut Endpoint, bytes: &Bytes) -> Vec<Response> {
    let now = Instant::now();
    match parse_datagram(bytes.clone(), &Limits::default()) {
        Ok(message) => endpoint.receive(now, flow(), message),
        Err(malformed) => endpoint.receive_malformed(flow(), bytes, &malformed),
    }
    while let Some(event) = endpoint.poll_event() {
        let Event::Request(arrival) = event else { continue };
        let answer = if arrival.request.method() == &Method::Register {
            let mut registrar = Registrar::new(registrar::Rules::default(), &[1; 32], 1);
            let outcome = registrar.register(&registrar::Arrival {
                request: &arrival.request,
                flow: arrival.flow,
                extension: "user",
                now,
                unix_us: 0,
                to_tag: &endpoint.new_tag(),
            });
            outcome.response
        } else {
            endpoint.response_to(&arrival.request, 404, "")
        };
        endpoint.respond(now, arrival.transaction, &answer);
    }
    let mut sent = Vec::new();
    while let Some(transmit) = endpoint.poll_transmit() {
        // The port is that of the Via (RFC 3261 §18.2.2).
        assert_eq!(transmit.flow.remote.ip(), flow().remote.ip());
        match parse_datagram(transmit.bytes, &Limits::default()) {
            Ok(Message::Response(response)) => sent.push(response),
            other => panic!("{other:?}"),
        }
    }
    sent
}

#[test]
fn each_gets_its_answer_from_a_whole_endpoint() {
    for (rfc, name, section, fate) in all() {
        let bytes = message(rfc, name);
        let expected = match (name, fate) {
            (_, Dropped) => None,
            (_, Answered(status)) => Some(status),
            // Responses to nothing we asked.
            ("unreason" | "noreason", Sound) => None,
            // Inside a dialog that there is not.
            ("wsinv" | "via-received-param-with-delim" | "mult-ip-in-header", Sound) => Some(481),
            ("bext01", Sound) => Some(420),
            ("regbadct" | "unksm2", Sound) => Some(400),
            (_, Sound) if bytes.starts_with(b"REGISTER ") => Some(200),
            (_, Sound) => Some(404),
        };
        let sent = answers(&bytes);
        let finals: Vec<u16> = sent.iter().map(Response::status).filter(|s| *s >= 200).collect();
        assert_eq!(finals, Vec::from_iter(expected), "{rfc} {section} {name}");
    }
}

#[test]
fn what_is_required_and_not_known_is_named() {
    let sent = answers(&message("rfc4475", "bext01"));
    let unsupported = sent[0].headers().tokens(&name::UNSUPPORTED);
    assert_eq!(unsupported, ["nothingSupportsThis", "nothingSupportsThisEither"]);
}

/// Any of them cut short anywhere, or with any octet changed, is still answered at most once, and
/// the next message after it as if nothing had happened.
#[test]
fn no_broken_copy_of_them_does_harm() {
    let ping = message("rfc4475", "lwsdisp");
    for (rfc, name, _, _) in all() {
        let bytes = message(rfc, name);
        let step = (bytes.len() / 40).max(1);
        let mut endpoint = endpoint();
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.to_vec();
            changed[at] = [0, b' ', b'"', b'%', b'<', b'\n', 0xff][at % 7];
            for broken in [bytes.slice(..at), changed.into()] {
                let sent = answers_of(&mut endpoint, &broken);
                let finals = sent.iter().filter(|sent| sent.status() >= 200).count();
                assert!(finals <= 1, "{name} broken at {at}");
            }
        }
        if name != "lwsdisp" {
            assert_eq!(answers_of(&mut endpoint, &ping)[0].status(), 404, "after {name}");
        }
    }
}
