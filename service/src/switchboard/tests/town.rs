// SPDX-License-Identifier: GPL-3.0-or-later
//! The town: a house, and phones that do exactly what a test tells them. Messages take no time;
//! what arrives waits in the phone's inbox until the test looks for it. Repetitions, which are the
//! same to the last byte, are dropped there.

use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    ops::{Deref, DerefMut},
    time::Duration,
};

use sipwitch_sip::flow::{ConnectionId, Flow, Transport};

use super::{
    digest::Challenge,
    house::{HOUSE, House, Plan, person},
    text::{Text, response, sdp},
};

/// Names a phone of the town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Phone(pub(super) usize);

/// What a phone is.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) number: String,
    /// With what name it proves itself.
    pub(super) login: String,
    pub(super) password: String,
    /// The digest algorithm it knows.
    pub(super) algorithm: &'static str,
    pub(super) flow: Flow,
    /// The Contact it registers.
    pub(super) contact: String,
    pub(super) challenge: Option<Challenge>,
    pub(super) registration: String,
    pub(super) cseq: u32,
    /// Nothing arrives there.
    pub(super) is_dead: bool,
    /// A router on the way there, which reads SIP: whatever names the house names this instead.
    pub(super) router: Option<SocketAddr>,
    /// It takes subscriptions; otherwise it refuses them by itself, and nobody hears of them.
    pub(super) takes_subscriptions: bool,
    inbox: VecDeque<Text>,
    seen: HashSet<Vec<u8>>,
    /// How many messages arrived, repetitions included.
    pub(super) heard: usize,
}

/// A house and its phones.
pub(super) struct Town {
    house: House,
    devices: Vec<Device>,
    serial: u32,
    /// Everything that crossed the wire, for whoever reads of a failure.
    ladder: Vec<String>,
}

impl Deref for Town {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl DerefMut for Town {
    fn deref_mut(&mut self) -> &mut House {
        &mut self.house
    }
}

impl Town {
    pub(super) fn new() -> Self {
        Self::of(Plan::usual())
    }

    pub(super) fn of(plan: Plan) -> Self {
        let house = House::build(plan);
        Self { house, devices: Vec::new(), serial: 0, ladder: Vec::new() }
    }

    /// The process is killed, and begins anew after that long.
    pub(super) fn rebuild(self, plan: Plan, away: Duration) -> Self {
        Self { house: self.house.rebuild(plan, away), ..self }
    }

    /// A phone that is not registered, of an extension that need not exist.
    pub(super) fn stranger(&mut self, number: &str) -> Phone {
        let port = 20_000 + u16::try_from(self.devices.len()).unwrap();
        let address = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
        self.stranger_at(number, address)
    }

    pub(super) fn stranger_at(&mut self, number: &str, address: SocketAddr) -> Phone {
        let phone = Phone(self.devices.len());
        self.devices.push(Device {
            number: number.to_owned(),
            login: number.to_owned(),
            password: password_of(number),
            algorithm: "MD5",
            flow: House::flow(Transport::Udp, address),
            contact: format!("<sip:{number}@{address}>"),
            challenge: None,
            registration: format!("reg-{}", phone.0),
            cseq: 0,
            is_dead: false,
            router: None,
            takes_subscriptions: false,
            inbox: VecDeque::new(),
            seen: HashSet::new(),
            heard: 0,
        });
        phone
    }

    /// A registered phone. Its extension is made if there is none.
    pub(super) fn phone(&mut self, number: &str) -> Phone {
        if self.house.board.directory.find(number).is_none() {
            self.house.add_extension(number, person(&password_of(number)));
        }
        let phone = self.stranger(number);
        let answer = self.register(phone, 3600);
        assert_eq!(answer.kind(), "200 REGISTER", "{answer:?}");
        phone
    }

    /// A registered phone that speaks TCP.
    pub(super) fn tcp_phone(&mut self, number: &str) -> Phone {
        self.house.add_extension(number, person(&password_of(number)));
        let phone = self.stranger(number);
        let device = &mut self.devices[phone.0];
        device.flow.transport = Transport::Tcp;
        device.flow.connection = Some(ConnectionId(1 + phone.0 as u64));
        device.contact = format!("<sip:{number}@{};transport=tcp>", device.flow.remote);
        let answer = self.register(phone, 3600);
        assert_eq!(answer.kind(), "200 REGISTER", "{answer:?}");
        phone
    }

    /// The phone's connection breaks, and the house hears of it.
    pub(super) fn break_connection(&mut self, phone: Phone) {
        let flow = self.devices[phone.0].flow;
        let connection = flow.connection.expect("the phone speaks TCP");
        self.devices[phone.0].flow.connection = None;
        let now = self.house.time();
        self.house.board.connection_closed(now, &flow, connection, &"it broke".into());
        self.collect();
    }

    pub(super) fn device(&mut self, phone: Phone) -> &mut Device {
        &mut self.devices[phone.0]
    }

    /// Registers with the password the phone knows; gives the last answer.
    pub(super) fn register(&mut self, phone: Phone, seconds: u32) -> Text {
        let contact = self.devices[phone.0].contact.clone();
        self.register_as(phone, &contact, seconds)
    }

    pub(super) fn register_as(&mut self, phone: Phone, contact: &str, seconds: u32) -> Text {
        self.send_register(phone, contact, &[format!("Expires: {seconds}")]);
        let answer = self.final_answer(phone, "REGISTER");
        if answer.status() != Some(401) || !self.take_challenge(phone, &answer) {
            return answer;
        }
        self.send_register(phone, contact, &[format!("Expires: {seconds}")]);
        self.final_answer(phone, "REGISTER")
    }

    /// One REGISTER, with credentials if the phone has been challenged.
    pub(super) fn send_register(&mut self, phone: Phone, contact: &str, more: &[String]) {
        let (via, uri) = (self.via(phone), format!("sip:{HOUSE}"));
        let authorization = self.authorization(phone, "REGISTER", &uri);
        let serial = self.serial();
        let device = &mut self.devices[phone.0];
        device.cseq += 1;
        let me = format!("sip:{}@{HOUSE}", device.number);
        let mut headers = vec![
            via,
            "Max-Forwards: 70".into(),
            format!("From: <{me}>;tag=r{serial}"),
            format!("To: <{me}>"),
            format!("Call-ID: {}", device.registration),
            format!("CSeq: {} REGISTER", device.cseq),
            "User-Agent: Village Phone 1.0".into(),
        ];
        if !contact.is_empty() {
            headers.push(format!("Contact: {contact}"));
        }
        headers.extend_from_slice(more);
        headers.extend(authorization);
        self.send(phone, &Text::write(&format!("REGISTER {uri} SIP/2.0"), &headers, ""));
    }

    /// Any request outside dialogs; gives its final answer, once the challenge was met.
    pub(super) fn request(
        &mut self,
        phone: Phone,
        method: &str,
        uri: &str,
        more: &[&str],
        body: &str,
    ) -> Text {
        let mut answer = None;
        for _ in 0..2 {
            self.send_request(phone, method, uri, more, body);
            let found = self.final_answer(phone, method);
            let challenged = found.status() == Some(401) && self.take_challenge(phone, &found);
            answer = Some(found);
            if !challenged {
                break;
            }
        }
        answer.unwrap()
    }

    /// As [`Self::request`], without waiting for anything.
    pub(super) fn send_request(
        &mut self,
        phone: Phone,
        method: &str,
        uri: &str,
        more: &[&str],
        body: &str,
    ) {
        let authorization = self.authorization(phone, method, uri);
        let (via, serial) = (self.via(phone), self.serial());
        let device = &self.devices[phone.0];
        let mut headers = vec![
            via,
            "Max-Forwards: 70".into(),
            format!("From: <sip:{}@{HOUSE}>;tag=q{serial}", device.number),
            format!("To: <{uri}>"),
            format!("Call-ID: ask-{serial}"),
            format!("CSeq: 1 {method}"),
            format!("Contact: {}", device.contact),
        ];
        headers.extend(more.iter().map(|&line| line.to_owned()));
        headers.extend(authorization);
        self.send(phone, &Text::write(&format!("{method} {uri} SIP/2.0"), &headers, body));
    }

    /// Keeps the challenge in an answer; false if the phone just failed to meet one like it.
    pub(super) fn take_challenge(&mut self, phone: Phone, answer: &Text) -> bool {
        let device = &mut self.devices[phone.0];
        let values = answer.headers("WWW-Authenticate");
        let is_stale = values.iter().any(|value| value.contains("stale=true"));
        if device.challenge.is_some() && !is_stale {
            return false;
        }
        device.challenge = Challenge::read(&values, device.algorithm);
        device.challenge.is_some()
    }

    /// The line with the phone's credentials, if it has been challenged before.
    pub(super) fn authorization(
        &mut self,
        phone: Phone,
        method: &str,
        uri: &str,
    ) -> Option<String> {
        let device = &mut self.devices[phone.0];
        let challenge = device.challenge.as_mut()?;
        let answer = challenge.answer(&device.login, &device.password, method, uri);
        Some(format!("Authorization: {answer}"))
    }

    pub(super) fn via(&mut self, phone: Phone) -> String {
        let serial = self.serial();
        let flow = self.devices[phone.0].flow;
        let transport = flow.transport.via_name();
        format!("Via: SIP/2.0/{transport} {};rport;branch=z9hG4bK-{serial}", flow.remote)
    }

    pub(super) fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    /// What the phone offers.
    pub(super) fn sdp(&self, phone: Phone) -> String {
        let port = 40_000 + u16::try_from(phone.0).unwrap();
        sdp(&format!("p{}", self.devices[phone.0].number), port, "sendrecv")
    }

    pub(super) fn send(&mut self, phone: Phone, message: &Text) {
        let (flow, number) = (self.devices[phone.0].flow, &self.devices[phone.0].number);
        self.ladder.push(format!(
            "{:>9.3} {number} -> {}",
            self.house.elapsed().as_secs_f64(),
            message.kind()
        ));
        self.house.receive(flow, message.bytes());
        self.collect();
    }

    /// Answers a request.
    pub(super) fn respond(
        &mut self,
        phone: Phone,
        request: &Text,
        status: &str,
        tag: &str,
        more: &[&str],
        body: &str,
    ) {
        let mut headers = vec![format!("Contact: {}", self.devices[phone.0].contact)];
        headers.extend(more.iter().map(|&line| line.to_owned()));
        if !body.is_empty() && !more.iter().any(|line| line.starts_with("Content-Type")) {
            headers.push("Content-Type: application/sdp".into());
        }
        self.send(phone, &response(request, status, tag, &headers, body));
    }

    /// Carries what the house says to the phones, until it says nothing more.
    pub(super) fn collect(&mut self) {
        loop {
            let mut unwanted = Vec::new();
            for transmit in self.house.outgoing() {
                let to = self.devices.iter_mut().find(|device| {
                    (device.flow.transport, device.flow.remote)
                        == (transmit.flow.transport, transmit.flow.remote)
                });
                let Some(device) = to.filter(|device| !device.is_dead) else { continue };
                let mut text = Text::read(&transmit.bytes);
                if text.kind() == "SUBSCRIBE" && !device.takes_subscriptions {
                    unwanted.push((device.flow, response(&text, "489 Bad Event", "s", &[], "")));
                    continue;
                }
                if let Some(router) = device.router {
                    text.replace_in("Contact", "127.0.0.1", &router.to_string());
                }
                device.heard += 1;
                let is_new = device.seen.insert(transmit.bytes.to_vec());
                self.ladder.push(format!(
                    "{:>9.3} {} <- {}{}",
                    self.house.elapsed().as_secs_f64(),
                    device.number,
                    text.kind(),
                    if is_new { "" } else { " (again)" }
                ));
                if is_new && text.status() != Some(100) {
                    device.inbox.push_back(text);
                }
            }
            let is_refused = !unwanted.is_empty();
            for (flow, refusal) in unwanted {
                self.house.receive(flow, refusal.bytes());
            }
            if !is_refused && !self.house.store() && !self.house.errands() {
                return;
            }
        }
    }

    /// Asks the switchboard, and carries what follows.
    pub(super) fn wish<T>(
        &mut self,
        ask: impl FnOnce(super::super::ask::Reply<T>) -> super::super::ask::Ask,
    ) -> super::house::Asked<T> {
        let asked = self.house.begin(ask);
        self.collect();
        asked
    }

    /// Lets this much time pass.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.house.instant() + span;
        while let Some(due) = self.house.board.next_deadline().filter(|due| *due <= end) {
            self.house.advance(due);
            self.collect();
        }
        self.house.advance(end);
        self.collect();
    }

    pub(super) fn pass_seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// The first message of that kind in the inbox (`INVITE`, `180 INVITE`), which must be there.
    pub(super) fn expect(&mut self, phone: Phone, kind: &str) -> Text {
        match self.find(phone, |text| text.kind() == kind) {
            Some(text) => text,
            None => self.fail(&format!("phone {phone:?} should have got {kind}")),
        }
    }

    pub(super) fn find(&mut self, phone: Phone, wanted: impl Fn(&Text) -> bool) -> Option<Text> {
        let inbox = &mut self.devices[phone.0].inbox;
        let at = inbox.iter().position(wanted)?;
        inbox.remove(at)
    }

    /// Whether a message of that kind waits to be looked for.
    pub(super) fn has(&self, phone: Phone, kind: &str) -> bool {
        self.devices[phone.0].inbox.iter().any(|text| text.kind() == kind)
    }

    fn final_answer(&mut self, phone: Phone, method: &str) -> Text {
        let is_final = |text: &Text| text.status().is_some_and(|status| status >= 200);
        match self.find(phone, |text| text.method() == method && is_final(text)) {
            Some(text) => text,
            None => self.fail(&format!("phone {phone:?} should have a final answer to {method}")),
        }
    }

    /// Nothing has come that was not looked for.
    pub(super) fn assert_silent(&self, phone: Phone) {
        if !self.devices[phone.0].inbox.is_empty() {
            self.fail(&format!("phone {phone:?} should have got nothing more"));
        }
    }

    /// A minute after the last call nothing is left of it, neither here nor in any inbox.
    pub(super) fn assert_over(mut self) {
        for phone in 0..self.devices.len() {
            self.assert_silent(Phone(phone));
        }
        self.pass_seconds(60);
        for phone in 0..self.devices.len() {
            self.assert_silent(Phone(phone));
        }
        self.assert_empty();
    }

    /// Ends the test with all that happened.
    #[track_caller]
    pub(super) fn fail(&self, why: &str) -> ! {
        let inboxes: Vec<_> = self
            .devices
            .iter()
            .enumerate()
            .filter(|(_, device)| !device.inbox.is_empty())
            .map(|(at, device)| format!("phone {at} ({}): {:#?}", device.number, device.inbox))
            .collect();
        panic!("{why}\n{}\n{}", self.ladder.join("\n"), inboxes.join("\n"));
    }
}

pub(super) fn password_of(number: &str) -> String {
    format!("secret-of-{number}")
}
