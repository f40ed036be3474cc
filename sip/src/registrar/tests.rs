// SPDX-License-Identifier: GPL-3.0-or-later

mod model;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Arrival, Binding, BindingChange, Outcome, PhoneId, Registrar, Removal, Rules};
use crate::{
    flow::{ConnectionId, Flow, Transport},
    wire::{Limits, Message, Request, Response, Uri, name, parse_datagram},
};

const WALL: i64 = 1_700_000_000_000_000;

/// A registrar with a clock, and the flow the next REGISTER comes by.
struct House {
    registrar: Registrar,
    start: Instant,
    now: Instant,
    flow: Flow,
}

/// A REGISTER to be.
#[derive(Clone)]
struct Ask {
    extension: &'static str,
    call_id: &'static str,
    cseq: u32,
    fields: Vec<String>,
}

fn ask(call_id: &'static str, cseq: u32) -> Ask {
    Ask { extension: "101", call_id, cseq, fields: Vec::new() }
}

impl Ask {
    fn with(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }

    fn contact(self, contact: &str) -> Self {
        self.with(&format!("Contact: {contact}"))
    }

    fn request(&self) -> Request {
        let Self { extension, call_id, cseq, fields } = self;
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let text = format!(
            "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{extension}@example.org>;tag=a\r\n\
             To: <sip:{extension}@example.org>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n\
             {fields}Content-Length: 0\r\n\r\n"
        );
        match parse_datagram(Bytes::from(text), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }
}

fn flow(transport: Transport, remote: &str) -> Flow {
    let connection = transport.is_reliable().then_some(ConnectionId(7));
    let local = "192.0.2.1:5060".parse().unwrap();
    Flow { transport, local, remote: remote.parse().unwrap(), connection }
}

impl House {
    fn new() -> Self {
        Self::with(Rules::default())
    }

    fn with(rules: Rules) -> Self {
        let start = Instant::now();
        let registrar = Registrar::new(rules, &[3; 32], 1);
        Self { registrar, start, now: start, flow: flow(Transport::Udp, "192.0.2.7:5060") }
    }

    fn unix_us(&self) -> i64 {
        WALL + i64::try_from((self.now - self.start).as_micros()).unwrap()
    }

    fn take(&mut self, ask: &Ask) -> Outcome {
        let request = ask.request();
        self.registrar.register(&Arrival {
            request: &request,
            flow: self.flow,
            extension: ask.extension,
            now: self.now,
            unix_us: self.unix_us(),
            to_tag: "t",
        })
    }

    /// The response as the phone reads it, and the changes.
    fn register(&mut self, ask: &Ask) -> (Response, Vec<BindingChange>) {
        let outcome = self.take(ask);
        (read(&outcome), outcome.changes)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn contacts(&self) -> Vec<String> {
        let phones = self.registrar.phones_of("101");
        let mut contacts: Vec<_> = phones.iter().map(|phone| phone.contact.to_string()).collect();
        contacts.sort();
        contacts
    }
}

fn read(outcome: &Outcome) -> Response {
    match parse_datagram(outcome.response.encode(), &Limits::default()) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn contacts(response: &Response) -> Vec<String> {
    response
        .headers()
        .all(&name::CONTACT)
        .map(|value| String::from_utf8(value.into_owned()).unwrap())
        .collect()
}

fn added(changes: &[BindingChange]) -> Arc<Binding> {
    match changes {
        [BindingChange::Added(binding)] => Arc::clone(binding),
        other => panic!("one phone added, not {other:?}"),
    }
}

const PHONE: &str = "<sip:101@192.0.2.7:5060>";

#[test]
fn a_phone_registers_refreshes_asks_and_leaves() {
    let mut house = House::new();
    let (response, changes) =
        house.register(&ask("c", 1).contact(PHONE).with("User-Agent: Desk 1").with("Expires: 600"));
    assert_eq!(response.status(), 200);
    assert_eq!(contacts(&response), ["<sip:101@192.0.2.7:5060>;expires=600"]);
    assert_eq!(response.to_tag().as_deref(), Some(&b"t"[..]));
    assert_eq!(
        response.headers().text(&name::DATE).as_deref(),
        Some("Tue, 14 Nov 2023 22:13:20 GMT")
    );
    let phone = added(&changes);
    assert_eq!((phone.phone, &*phone.user_agent, phone.cseq), (PhoneId(1), "Desk 1", 1));
    assert_eq!(phone.expires_us - phone.registered_us, 600_000_000);

    house.pass(100);
    let (response, changes) = house.register(&ask("c", 2));
    assert_eq!(contacts(&response), ["<sip:101@192.0.2.7:5060>;expires=500"], "a question");
    assert!(changes.is_empty());

    let (response, changes) =
        house.register(&ask("c", 3).contact("<sip:101@192.0.2.7:5060>;expires=700;q=0.5"));
    assert_eq!(contacts(&response), ["<sip:101@192.0.2.7:5060>;expires=700;q=0.500"]);
    let [BindingChange::Refreshed(again)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((again.phone, again.q), (PhoneId(1), 500));

    let (response, changes) = house.register(&ask("c", 4).contact(PHONE).with("Expires: 0"));
    assert!(contacts(&response).is_empty());
    assert!(matches!(
        &changes[..],
        [BindingChange::Removed { why: Removal::Unregistered, binding }]
            if binding.phone == PhoneId(1)
    ));
    assert!(house.registrar.is_empty());
    assert_eq!(house.registrar.next_deadline(), None);
}

#[test]
fn an_equivalent_contact_is_the_same_phone() {
    let mut house = House::new();
    house.register(&ask("c", 1).contact("<sip:101@Phone.example:5070;ob>"));
    let (_, changes) = house.register(&ask("c", 2).contact("<sip:%3101@phone.EXAMPLE:5070>"));
    assert!(matches!(&changes[..], [BindingChange::Refreshed(_)]), "{changes:?}");
    let (_, changes) = house.register(&ask("c", 3).contact("<sip:101@phone.example:5071>"));
    added(&changes);
}

#[test]
fn times_are_granted_by_the_rules() {
    for (fields, granted) in [
        (vec!["Contact: <sip:a@192.0.2.7>"], "3600"),
        (vec!["Contact: <sip:a@192.0.2.7>", "Expires: 99999"], "7200"),
        (vec!["Contact: <sip:a@192.0.2.7>;expires=60", "Expires: 600"], "60"),
        (vec!["Contact: <sip:a@192.0.2.7>;expires=never"], "3600"),
        (vec!["Contact: <sip:a@192.0.2.7>", "Expires: 1000000000000000000000000"], "7200"),
    ] {
        let mut house = House::new();
        let mut asked = ask("c", 1);
        asked.fields = fields.iter().map(ToString::to_string).collect();
        let (response, _) = house.register(&asked);
        assert_eq!(contacts(&response), [format!("<sip:a@192.0.2.7>;expires={granted}")]);
    }
    let mut house = House::new();
    let (response, changes) = house.register(
        &ask("c", 1).contact("<sip:b@192.0.2.7>;expires=600, <sip:a@192.0.2.7>;expires=59"),
    );
    assert_eq!((response.status(), changes.len()), (423, 0));
    assert_eq!(response.headers().text(&name::MIN_EXPIRES).as_deref(), Some("60"));
    assert!(house.registrar.is_empty(), "all or nothing");
}

#[test]
fn an_hour_is_never_too_short() {
    let rules = Rules { shortest: Duration::from_secs(6000), ..Rules::default() };
    let mut house = House::with(rules);
    let (response, _) = house.register(&ask("c", 1).contact(PHONE).with("Expires: 3600"));
    assert_eq!(response.status(), 200);
}

#[test]
fn late_and_doubled_requests_change_nothing() {
    let mut house = House::new();
    house.register(&ask("c", 5).contact(PHONE));
    for (asked, status) in [
        (ask("c", 5).contact(PHONE).with("Expires: 0"), 500),
        (ask("c", 4).contact(PHONE), 500),
        (ask("c", 4).contact("*").with("Expires: 0"), 500),
        // Another phone in the same request is not registered either.
        (ask("c", 5).contact("<sip:new@192.0.2.7>").contact(PHONE), 500),
        (ask("c", 5), 200),
    ] {
        let (response, changes) = house.register(&asked);
        assert_eq!((response.status(), changes.len()), (status, 0), "{:?}", asked.fields);
        assert_eq!(house.contacts(), ["sip:101@192.0.2.7:5060"]);
    }
    let (response, _) = house.register(&ask("d", 1).contact(PHONE));
    assert_eq!(response.status(), 200, "a phone that started anew has another Call-ID");
}

#[test]
fn a_star_takes_all_away_and_needs_expires_0() {
    let mut house = House::new();
    house.register(&ask("c", 1).contact(PHONE));
    house.register(&ask("d", 1).contact("<sip:b@192.0.2.8>"));
    for (asked, status) in [
        (ask("c", 2).contact("*"), 400),
        (ask("c", 2).contact("*").with("Expires: 60"), 400),
        (ask("c", 2).contact("*").contact(PHONE).with("Expires: 0"), 400),
        (ask("d", 1).contact("*").with("Expires: 0"), 500),
    ] {
        assert_eq!(house.register(&asked).0.status(), status, "{:?}", asked.fields);
        assert_eq!(house.registrar.len(), 2);
    }
    let (response, changes) = house.register(&ask("e", 1).contact("*").with("Expires: 0"));
    assert_eq!((response.status(), changes.len()), (200, 2));
    assert!(house.registrar.is_empty());
}

#[test]
fn what_is_not_refreshed_expires_at_its_time() {
    let mut house = House::new();
    house.register(&ask("c", 1).contact(PHONE).with("Expires: 60"));
    house.register(&ask("d", 1).contact("<sip:b@192.0.2.8>").with("Expires: 90"));
    let deadline = house.registrar.next_deadline().unwrap();
    assert_eq!(deadline, house.start + Duration::from_secs(60));
    assert!(house.registrar.handle_deadline(deadline - Duration::from_nanos(1)).is_empty());
    let changes = house.registrar.handle_deadline(deadline);
    assert!(matches!(&changes[..], [BindingChange::Removed { why: Removal::Expired, .. }]));
    assert_eq!(house.contacts(), ["sip:b@192.0.2.8"]);
    assert_eq!(house.registrar.next_deadline(), Some(house.start + Duration::from_secs(90)));
}

#[test]
fn preferred_phones_come_first() {
    let mut house = House::new();
    for (call_id, contact) in
        [("a", "<sip:a@192.0.2.7>;q=0.2"), ("b", "<sip:b@192.0.2.7>"), ("c", "<sip:c@192.0.2.7>")]
    {
        house.register(&ask(call_id, 1).contact(contact));
        house.pass(1);
    }
    let order: Vec<_> =
        house.registrar.phones_of("101").iter().map(|phone| phone.contact.to_string()).collect();
    assert_eq!(order, ["sip:c@192.0.2.7", "sip:b@192.0.2.7", "sip:a@192.0.2.7"]);
}

#[test]
fn there_is_room_for_so_many_and_refreshes_always_fit() {
    let rules = Rules { phones_per_extension: 2, phones: 3, ..Rules::default() };
    let mut house = House::with(rules);
    let at = |extension, call_id, cseq, contact: &str| {
        Ask { extension, ..ask(call_id, cseq) }.contact(contact)
    };
    for (asked, status) in [
        (at("101", "a", 1, "<sip:a@192.0.2.7>"), 200),
        (at("101", "b", 1, "<sip:b@192.0.2.7>"), 200),
        (at("101", "c", 1, "<sip:c@192.0.2.7>"), 403),
        (at("101", "a", 2, "<sip:a@192.0.2.7>"), 200),
        (at("101", "c", 1, "<sip:c@192.0.2.7>, <sip:b@192.0.2.7>;expires=0"), 200),
        (at("102", "d", 1, "<sip:d@192.0.2.7>"), 200),
        (at("103", "e", 1, "<sip:e@192.0.2.7>"), 503),
        (at("101", "a", 3, "<sip:a@192.0.2.7>"), 200),
    ] {
        let (response, _) = house.register(&asked);
        assert_eq!(response.status(), status, "{:?}", asked.fields);
    }
    let crowd: Vec<String> = (0..33).map(|n| format!("<sip:{n}@192.0.2.7>")).collect();
    let (response, _) = house.register(&ask("f", 1).contact(&crowd.join(", ")));
    assert_eq!(response.status(), 400);
}

#[test]
fn what_cannot_be_a_contact_is_refused() {
    for (contact, status) in [
        ("<tel:+4930123>", 400),
        ("<sip:>", 400),
        ("<sip:101@192.0.2.1:5060>", 403),
        ("<sip:101@192.0.2.1>", 403),
        ("<sip:101@example.org;gr=urn:uuid:1>", 403),
        ("sip:a@b;;=", 400),
        (&format!("<sip:101@192.0.2.7;x={}>", "y".repeat(600)), 400),
    ] {
        let mut house = House::new();
        let (response, changes) = house.register(&ask("c", 1).contact(contact));
        assert_eq!((response.status(), changes.len()), (status, 0), "{contact}");
    }
    let mut house = House::new();
    let asked = ask("c", 1).contact(PHONE).with("Require: path, nothing-we-know");
    let (response, _) = house.register(&asked);
    assert_eq!(response.status(), 420);
    assert_eq!(response.headers().text(&name::UNSUPPORTED).as_deref(), Some("nothing-we-know"));
}

#[test]
fn the_last_word_counts_when_a_contact_stands_twice() {
    let mut house = House::new();
    let (_, changes) = house.register(
        &ask("c", 1).contact("<sip:a@192.0.2.7>, <sip:b@192.0.2.7>, <sip:a@192.0.2.7>;q=0.1"),
    );
    assert_eq!(changes.len(), 2);
    let mut phones = house.registrar.phones_of("101");
    phones.sort_by_key(|phone| phone.phone);
    assert_ne!(phones[0].phone, phones[1].phone);
    assert_eq!(phones.iter().filter(|phone| phone.q == 100).count(), 1);
    let (_, changes) =
        house.register(&ask("c", 2).contact("<sip:a@192.0.2.7>;expires=0, <sip:a@192.0.2.7>"));
    assert!(matches!(&changes[..], [BindingChange::Refreshed(_)]), "{changes:?}");
    let (_, changes) =
        house.register(&ask("c", 3).contact("<sip:n@192.0.2.7>, <sip:n@192.0.2.7>;expires=0"));
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn a_path_is_kept_and_told_back_to_those_who_know_it() {
    let mut house = House::new();
    let asked = ask("c", 1)
        .contact(PHONE)
        .with("Path: <sip:edge@192.0.2.9;lr>")
        .with("Path: <sip:inner.example;lr>");
    let (response, _) = house.register(&asked);
    assert_eq!(response.status(), 420);
    assert_eq!(response.headers().text(&name::UNSUPPORTED).as_deref(), Some("path"));

    let (response, changes) = house.register(&asked.with("Supported: path"));
    assert_eq!(response.headers().count(&name::PATH), 2);
    let phone = added(&changes);
    assert_eq!(&*phone.path, "<sip:edge@192.0.2.9;lr>, <sip:inner.example;lr>");
    assert_eq!(phone.routes().len(), 2);
    // It came by the proxy's neighbour, not by the proxy named first: only the flow is sure.
    assert!(phone.is_flow_bound);

    house.flow = flow(Transport::Udp, "192.0.2.9:5080");
    let asked = ask("d", 1)
        .contact("<sip:x@10.0.0.1>")
        .with("Path: <sip:edge@192.0.2.9;lr>")
        .with("Supported: path");
    let (_, changes) = house.register(&asked);
    let phone = added(&changes);
    assert_eq!(phone.reached_by().remote, "192.0.2.9:5060".parse().unwrap());
    for bad in ["Path: nonsense", "Path: <tel:+49>"] {
        let (response, _) =
            house.register(&ask("e", 1).contact(PHONE).with("Supported: path").with(bad));
        assert_eq!(response.status(), 400, "{bad}");
    }
}

#[test]
fn requests_go_where_they_arrive() {
    use Transport::{Tcp, Tls, Udp};
    struct Case(Transport, &'static str, &'static str, Transport, &'static str, bool);
    for Case(came, from, contact, goes, to, bound) in [
        Case(Udp, "192.0.2.7:5060", "<sip:a@192.0.2.7>", Udp, "192.0.2.7:5060", false),
        Case(Udp, "192.0.2.7:7000", "<sip:a@192.0.2.7:5071>", Udp, "192.0.2.7:5071", false),
        Case(Udp, "192.0.2.7:7000", "<sip:a@10.0.0.1:5060>", Udp, "192.0.2.7:7000", true),
        Case(Udp, "192.0.2.7:7000", "<sip:a@phone.invalid>", Udp, "192.0.2.7:7000", true),
        Case(
            Udp,
            "[2001:db8::7]:7000",
            "<sip:a@[2001:db8::7]:5062>",
            Udp,
            "[2001:db8::7]:5062",
            false,
        ),
        Case(
            Udp,
            "192.0.2.7:5060",
            "<sip:a@192.0.2.7:5060;transport=tcp>",
            Tcp,
            "192.0.2.7:5060",
            false,
        ),
        Case(
            Tcp,
            "192.0.2.7:40000",
            "<sip:a@192.0.2.7:5060;transport=tcp>",
            Tcp,
            "192.0.2.7:5060",
            false,
        ),
        Case(
            Tcp,
            "192.0.2.7:40000",
            "<sip:a@192.0.2.7:40000;transport=tcp>",
            Tcp,
            "192.0.2.7:40000",
            true,
        ),
        Case(
            Tcp,
            "192.0.2.7:40000",
            "<sip:a@10.0.0.1;transport=tcp>",
            Tcp,
            "192.0.2.7:40000",
            true,
        ),
        Case(Tls, "192.0.2.7:40000", "<sips:a@192.0.2.7>", Tls, "192.0.2.7:40000", true),
    ] {
        let mut house = House::new();
        house.flow = flow(came, from);
        let (_, changes) = house.register(&ask("c", 1).contact(contact));
        let phone = added(&changes);
        let reached = phone.reached_by();
        assert_eq!((reached.transport, reached.remote), (goes, to.parse().unwrap()), "{contact}");
        assert_eq!(phone.is_flow_bound, bound, "{contact} from {from}");
        assert_eq!(reached.connection.is_some(), bound && came.is_reliable(), "{contact}");
        let closed = house.registrar.connection_closed(ConnectionId(7));
        assert_eq!(closed.len(), usize::from(bound && came.is_reliable()), "{contact}");
        assert!(house.registrar.connection_closed(ConnectionId(8)).is_empty());
    }
}

#[test]
fn nat_is_noticed() {
    for (contact, is_behind) in
        [("<sip:a@192.0.2.7:5071>", false), ("<sip:a@10.0.0.1>", true), ("<sip:a@host>", false)]
    {
        let mut house = House::new();
        let (_, changes) = house.register(&ask("c", 1).contact(contact));
        assert_eq!(added(&changes).is_behind_nat(), is_behind, "{contact}");
    }
}

const INSTANCE: &str = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\"";

#[test]
fn a_flow_replaces_the_one_with_its_number() {
    let mut house = House::new();
    house.flow = flow(Transport::Tcp, "192.0.2.7:40000");
    let asked = |call_id, port: u16, reg_id: u32| {
        ask(call_id, 1)
            .contact(&format!("<sip:a@192.0.2.7:{port};transport=tcp>;reg-id={reg_id};{INSTANCE}"))
            .with("Supported: outbound, path")
    };
    let (response, changes) = house.register(&asked("a", 40000, 1));
    assert_eq!(response.headers().text(&name::REQUIRE).as_deref(), Some("outbound"));
    assert_eq!(response.headers().text(&name::FLOW_TIMER).as_deref(), Some("120"));
    assert!(contacts(&response)[0].ends_with(&format!(";{INSTANCE};reg-id=1")));
    let first = added(&changes);
    assert!(first.is_flow_bound);

    // The phone restarts: another port, another connection, another Call-ID, the same phone.
    house.flow.remote = "192.0.2.7:41000".parse().unwrap();
    house.flow.connection = Some(ConnectionId(9));
    let (_, changes) = house.register(&asked("b", 41000, 1));
    assert!(
        matches!(&changes[..], [BindingChange::Refreshed(phone)] if phone.phone == first.phone)
    );
    assert!(house.registrar.connection_closed(ConnectionId(7)).is_empty(), "the old one is let go");
    let (_, changes) = house.register(&asked("c", 41000, 2));
    assert_ne!(added(&changes).phone, first.phone, "a second flow of the same device");

    let closed = house.registrar.connection_closed(ConnectionId(9));
    assert_eq!(closed.len(), 2);
    assert!(closed.iter().all(|change| matches!(
        change,
        BindingChange::Removed { why: Removal::ConnectionClosed, .. }
    )));
}

#[test]
fn a_flow_needs_an_instance_a_stream_and_a_knowing_first_hop() {
    let contact = format!("<sip:a@192.0.2.7:5060>;reg-id=1;{INSTANCE}");
    let outbound = "Supported: outbound, path";
    let mut house = House::new();
    let (response, _) = house.register(&ask("a", 1).contact(&contact).with(outbound));
    assert_eq!(response.headers().count(&name::REQUIRE), 0, "no STUN here, so no flows by UDP");

    house.flow = flow(Transport::Tcp, "192.0.2.7:40000");
    let (response, _) = house.register(&ask("b", 1).contact(&contact));
    assert_eq!(response.headers().count(&name::REQUIRE), 0, "not asked for");
    let bare = ask("c", 1).contact("<sip:b@192.0.2.7:5060>;reg-id=1").with(outbound);
    let (response, _) = house.register(&bare);
    assert_eq!(response.headers().count(&name::REQUIRE), 0, "reg-id without instance");

    let relayed = ask("d", 1)
        .contact(&contact)
        .with(outbound)
        .with("Via: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK2");
    for (path, status) in [
        (None, 439),
        (Some("Path: <sip:edge.example;lr>"), 439),
        (Some("Path: <sip:x@inner.example;lr;ob>, <sip:y@edge.example;lr>"), 439),
        (Some("Path: <sip:x@inner.example;lr>, <sip:y@edge.example;lr;ob>"), 200),
    ] {
        let asked = path.map_or_else(|| relayed.clone(), |path| relayed.clone().with(path));
        assert_eq!(house.register(&asked).0.status(), status, "{path:?}");
    }
    let two = ask("e", 1).contact(&contact).contact("<sip:b@192.0.2.7>").with(outbound);
    assert_eq!(house.register(&two).0.status(), 400);
}

#[test]
fn a_gruu_reaches_one_device() {
    let mut house = House::new();
    let asked = |call_id, cseq, contact: &str| {
        ask(call_id, cseq).contact(&format!("{contact};{INSTANCE}")).with("Supported: gruu")
    };
    let gruus = |response: &Response| -> (Uri, Uri) {
        let contact = contacts(response)
            .into_iter()
            .find(|contact| contact.contains("pub-gruu"))
            .expect("a contact with GRUUs");
        let value = |name: &str| {
            let (_, rest) = contact.split_once(&format!("{name}=\"")).unwrap();
            Uri::parse(rest.split_once('"').unwrap().0.to_owned()).unwrap()
        };
        (value("pub-gruu"), value("temp-gruu"))
    };
    house.register(&ask("x", 1).contact("<sip:other@192.0.2.8>"));
    let (response, _) = house.register(&asked("c", 1, PHONE));
    let (public, first) = gruus(&response);
    assert_eq!(
        public.to_string(),
        "sip:101@example.org;gr=urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF"
    );
    let resolve = |house: &House, uri: &Uri| -> Option<Vec<String>> {
        let found = house.registrar.resolve_gruu(uri)?;
        Some(found.iter().map(|phone| phone.contact.to_string()).collect())
    };
    let phone = Some(vec!["sip:101@192.0.2.7:5060".to_owned()]);
    let nobody = Some(Vec::new());
    assert_eq!(resolve(&house, &public), phone);
    assert_eq!(resolve(&house, &first), phone);
    assert_eq!(resolve(&house, &Uri::parse("sip:101@example.org").unwrap()), None);

    let (response, _) = house.register(&asked("c", 2, PHONE));
    let (_, second) = gruus(&response);
    assert_ne!(first, second, "each answer gives a new one");
    assert_eq!(resolve(&house, &first), phone, "and the old ones stay good");
    assert_eq!(resolve(&house, &second), phone);

    let (response, _) = house.register(&asked("d", 1, PHONE));
    let (_, third) = gruus(&response);
    assert_eq!(resolve(&house, &second), nobody, "until the Call-ID changes");
    assert_eq!(resolve(&house, &third), phone);

    let loops = format!("<{third}>");
    assert_eq!(house.register(&ask("e", 1).contact(&loops)).0.status(), 403);
    for forged in ["sip:tgruu.x@example.org;gr", "sip:101@example.org;gr=urn:uuid:2"] {
        assert_eq!(resolve(&house, &Uri::parse(forged).unwrap()), nobody, "{forged}");
    }
    let mut letters = third.to_string();
    letters.replace_range(15..16, if &letters[15..16] == "0" { "1" } else { "0" });
    assert_eq!(resolve(&house, &Uri::parse(letters).unwrap()), nobody, "a changed letter");
    house.register(&asked("d", 2, &format!("{PHONE};expires=0")));
    assert_eq!(resolve(&house, &third), nobody);
    assert_eq!(resolve(&house, &public), nobody);
}

#[test]
fn what_could_not_be_kept_is_undone() {
    let mut house = House::new();
    house.register(&ask("c", 1).contact(PHONE).with("Expires: 600"));
    let before = house.registrar.phones_of("101");
    let deadline = house.registrar.next_deadline();
    house.pass(10);
    let asked =
        ask("c", 2).contact("<sip:101@192.0.2.7:5060>;expires=0, <sip:n@192.0.2.7>;expires=60");
    let outcome = house.take(&asked);
    assert_eq!(house.contacts(), ["sip:n@192.0.2.7"]);
    house.registrar.undo(outcome.undo);
    assert_eq!(house.registrar.phones_of("101"), before);
    assert_eq!(house.registrar.next_deadline(), deadline);

    // The latest first: everything is as it was.
    let one = house.take(&ask("c", 3).contact(PHONE));
    let two = house.take(&ask("c", 4).contact(PHONE));
    house.registrar.undo(two.undo);
    house.registrar.undo(one.undo);
    assert_eq!(house.registrar.phones_of("101"), before);

    // What came later and was kept is not touched.
    let lost = house.take(&ask("c", 5).contact(PHONE));
    house.register(&ask("c", 6).contact(PHONE));
    house.registrar.undo(lost.undo);
    assert_eq!(house.registrar.phones_of("101")[0].cseq, 6);
    let (response, _) = house.register(&ask("c", 2).contact("<sip:m@192.0.2.7>"));
    assert_eq!(response.status(), 200, "a new phone");
    assert_eq!(house.registrar.phones_of("101").len(), 2);
}

#[test]
fn a_phone_whose_connection_did_not_outlive_us_is_sought_at_its_contact() {
    let mut house = House::new();
    house.flow = flow(Transport::Tcp, "127.0.0.1:40000");
    let (_, changes) = house.register(&ask("c", 1).contact("<sip:a@192.0.2.7:5071;transport=tcp>"));
    let mut phone = (*added(&changes)).clone();
    assert!(phone.is_flow_bound && phone.reached_by() == house.flow);
    phone.flow.connection = None;
    assert_eq!(phone.reached_by().remote, "192.0.2.7:5071".parse().unwrap());
    phone.reg_id = 1;
    assert_eq!(phone.reached_by().remote, house.flow.remote, "it asked for that flow alone");
}

#[test]
fn bindings_come_back_from_a_store() {
    let mut house = House::new();
    house.flow = flow(Transport::Tcp, "192.0.2.7:40000");
    house.register(
        &ask("c", 1).contact("<sip:a@192.0.2.7:40000;transport=tcp>").with("Expires: 600"),
    );
    house.flow = flow(Transport::Udp, "192.0.2.7:5060");
    house.register(&ask("d", 1).contact("<sip:b@192.0.2.7>").with("Expires: 60"));
    let kept: Vec<Binding> = house.registrar.phones().map(|phone| (**phone).clone()).collect();

    house.pass(100);
    let mut later = Registrar::new(Rules::default(), &[3; 32], 1);
    let gone = later.restore(house.now, house.unix_us(), kept);
    assert!(matches!(&gone[..], [BindingChange::Removed { why: Removal::Expired, .. }]));
    assert_eq!(later.len(), 1);
    assert_eq!(later.next_deadline(), Some(house.start + Duration::from_secs(600)));
    assert_eq!(later.next_phone(), 3, "numbers are never used again");
    let phone = later.phones_of("101")[0].clone();
    assert_eq!(phone.reached_by().connection, None);
    assert!(later.connection_closed(ConnectionId(7)).is_empty(), "that was another life");

    let mut house = House { registrar: later, ..house };
    house.flow = flow(Transport::Tcp, "192.0.2.7:40000");
    let late = ask("c", 1).contact("<sip:a@192.0.2.7:40000;transport=tcp>").with("Expires: 0");
    assert_eq!(house.register(&late).0.status(), 500, "the sequence goes on too");
}

#[test]
fn the_owner_can_take_phones_out() {
    let mut house = House::new();
    house.register(&ask("c", 1).contact(PHONE));
    house.register(&ask("d", 1).contact("<sip:b@192.0.2.8>"));
    let removed = house.registrar.remove(PhoneId(1)).unwrap();
    assert!(matches!(removed, BindingChange::Removed { why: Removal::Ordered, .. }));
    assert_eq!(house.registrar.remove(PhoneId(1)), None);
    assert_eq!(house.registrar.remove_extension("101").len(), 1);
    assert!(house.registrar.is_empty());
}

#[test]
fn a_hundred_thousand_phones_are_found_at_once() {
    let mut house = House::new();
    let binding = {
        house.register(&ask("c", 1).contact(PHONE).with("User-Agent: Desk 1"));
        (*house.registrar.phones_of("101")[0]).clone()
    };
    let mut registrar = Registrar::new(Rules::default(), &[3; 32], 1);
    let crowd = (0..100_000_u64).map(|n| Binding {
        phone: PhoneId(n + 1),
        extension: n.to_string().into(),
        ..binding.clone()
    });
    assert!(registrar.restore(house.now, house.unix_us(), crowd).is_empty());
    assert_eq!(registrar.len(), 100_000);
    assert_eq!(registrar.phones_of("99999")[0].phone, PhoneId(100_000));
    let changes = registrar.handle_deadline(house.now + Duration::from_secs(7200));
    assert_eq!(changes.len(), 100_000);
    assert!(registrar.is_empty());
}
